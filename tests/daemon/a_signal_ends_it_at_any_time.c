/* SPDX-License-Identifier: BSD-2-Clause */
/* SIGTERM and SIGINT end the daemon before it serves, too; and the log says who sent them. */
#include "trace.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define THREE_DATAPORTS                                                                       \
	"vms: [{name: v}]\ncomponents: [{name: a}]\nconnections:\n"                           \
	"- {name: x, dataport: 4 KiB, members: [{vm: v, access: read-write}, {component: a, " \
	"access: read-write}]}\n"                                                             \
	"- {name: y, dataport: 4 KiB, members: [{vm: v, access: read-write}, {component: a, " \
	"access: read-write}]}\n"                                                             \
	"- {name: z, dataport: 4 KiB, members: [{vm: v, access: read-write}, {component: a, " \
	"access: read-write}]}\n"

/* Reading and checking a large file can take a while, and leaves nothing behind. */
static void while_the_system_file_is_read(void **state)
{
	static const int signals[] = {SIGTERM, SIGINT};
	struct daemon *daemon = *state;
	int status;

	for (size_t i = 0; i < 2; i++) {
		trace_spawn(daemon, SYSTEM);
		trace_until(daemon->pid, SYS_openat, "/system.yaml");
		kill(daemon->pid, signals[i]);
		/* if it went on, it would make its folder now */
		assert_false(trace_next(daemon->pid, SYS_mkdirat, NULL, &status));
		daemon->pid = 0;
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), signals[i]);
		assert_int_equal(access(daemon->sockets, F_OK), -1);
	}
}

/* Each dataport is allocated in full, which can take a second: none after the signal. */
static void while_memory_is_made(void **state)
{
	struct daemon *daemon = *state;
	unsigned int more = 0;
	char expected[128];
	struct pollfd ready = {.fd = daemon->notify, .events = POLLIN};
	int status;

	trace_spawn(daemon, THREE_DATAPORTS);
	trace_until(daemon->pid, SYS_fallocate, NULL);
	kill(daemon->pid, SIGTERM);
	while (trace_next(daemon->pid, SYS_fallocate, NULL, &status))
		more++;
	daemon->pid = 0;
	/* the page of status of that connection's component, at most */
	assert_true(more <= 1);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	snprintf(expected, sizeof(expected), "told to stop by SIGTERM from process %d,",
		 (int)getpid());
	daemon_assert_log(daemon, expected);
	daemon_assert_log(daemon, "before anything was served");
	/* nor is anything left behind, nor has it said that it served */
	assert_return_code(rmdir(daemon->sockets), errno);
	assert_int_equal(poll(&ready, 1, 0), 0);
}

/* A process that was started with signals blocked is ended by them all the same. */
static void even_if_it_was_started_with_them_blocked(void **state)
{
	struct daemon *daemon = *state;
	sigset_t blocked, before;
	int status;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigprocmask(SIG_BLOCK, &blocked, &before);
	trace_spawn(daemon, SYSTEM);
	sigprocmask(SIG_SETMASK, &before, NULL);
	trace_until(daemon->pid, SYS_openat, "/system.yaml");
	kill(daemon->pid, SIGTERM);
	assert_false(trace_next(daemon->pid, SYS_mkdirat, NULL, &status));
	daemon->pid = 0;
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

static void the_log_says_who_it_was(void **state)
{
	struct daemon *daemon = *state;
	char expected[128];

	daemon_start(daemon, SYSTEM, NULL);
	assert_int_equal(daemon_stop(daemon), 0);
	snprintf(expected, sizeof(expected), "told to stop by SIGTERM from process %d, user %u",
		 (int)getpid(), getuid());
	daemon_assert_log(daemon, expected);
}

static const struct CMUnitTest tests[] = {
	DAEMON_TEST(while_the_system_file_is_read),
	DAEMON_TEST(while_memory_is_made),
	DAEMON_TEST(even_if_it_was_started_with_them_blocked),
	DAEMON_TEST(the_log_says_who_it_was),
};

TESTS_MAIN(tests)
