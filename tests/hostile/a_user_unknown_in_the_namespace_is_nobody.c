/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A daemon in a user namespace sees every user who does not exist there as 65534, the overflow id. All
 * of them together are no user: even where the system file gives something to 65534, they get nothing.
 */
#include "hostile.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define OUTSIDER 61003u
#define OVERFLOW "65534"

static const char of_a_component[] =
	"components: [{name: a, user: 65534}, {name: b, group: 65534}]\n"
	"connections:\n"
	"- {name: bell, members: [{component: a}, {component: b}]}\n";
static const char of_a_vm[] = "vms: [{name: v, user: 65534}, {name: w, group: 65534}]\n"
			      "connections:\n"
			      "- {name: link, members: [{vm: v}, {vm: w}]}\n";

static void write_to(pid_t process, const char *file, const char *text)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)process, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* The file itself may be refused: then there is nothing to be had. */
static bool is_refused(const struct daemon *daemon, const char *system)
{
	char path[96];
	FILE *file;
	pid_t child;
	int status;

	snprintf(path, sizeof(path), "%s/check.yaml", daemon->dir);
	file = fopen(path, "we");
	assert_non_null(file);
	fputs(system, file);
	assert_int_equal(fclose(file), 0);
	child = fork();
	if (child == 0) {
		execl(daemon_program, daemon_program, "--check", path, NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 127);
	return WEXITSTATUS(status) != 0;
}

/* In a namespace of its own: start, say so, wait, stop. */
static void run_daemon(struct daemon *daemon, const char *system, int socket_fd)
{
	char byte = 0;

	setenv("CMOCKA_TEST_ABORT", "1", 1);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	assert_return_code(unshare(CLONE_NEWUSER), errno);
	assert_int_equal(write(socket_fd, &byte, 1), 1);
	assert_int_equal(read(socket_fd, &byte, 1), 1);
	assert_return_code(setresgid(0, 0, 0), errno);
	assert_return_code(setresuid(0, 0, 0), errno);
	daemon_start(daemon, system, NULL);
	assert_int_equal(write(socket_fd, &byte, 1), 1);
	if (read(socket_fd, &byte, 1) != 1)
		_exit(1);
	hostile_stop(daemon);
	assert_int_equal(write(socket_fd, &byte, 1), 1);
	for (;;)
		pause(); /* teardown ends it */
}

/* @return where to tell it to stop, and to be told that it has. */
static int start_in_namespace(struct daemon *daemon, const char *system)
{
	int pair[2];
	pid_t child;
	char byte;

	if (geteuid() != 0)
		fail_msg("%s", "this test is of several users: it needs root");
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		close(pair[0]);
		run_daemon(daemon, system, pair[1]);
	}
	hostile_note_child(child);
	close(pair[1]);
	if (read(pair[0], &byte, 1) != 1)
		fail_msg("%s", "no user namespace here: this test needs them");
	/* 0 and the overflow id itself exist; OUTSIDER does not. */
	write_to(child, "uid_map", "0 0 1\n" OVERFLOW " " OVERFLOW " 1\n");
	write_to(child, "gid_map", "0 0 1\n" OVERFLOW " " OVERFLOW " 1\n");
	assert_int_equal(write(pair[0], &byte, 1), 1);
	assert_int_equal(read(pair[0], &byte, 1), 1);
	return pair[0];
}

static void is_no_component(const struct daemon *daemon)
{
	static const char *const names[] = {"a", "b"};

	for (int i = 0; i < 2; i++) {
		struct crossvm_component_entry answer;
		size_t num_fds;
		int fds[8];
		int fd = component_connect(daemon);
		const struct crossvm_component_request request = {
			.header = {CROSSVM_COMPONENT_MAGIC, CROSSVM_COMPONENT_VERSION,
				   CROSSVM_COMPONENT_OPEN},
			.connection = "bell"};
		struct crossvm_component_request named = request;

		strcpy(named.component, names[i]);
		hostile_send(fd, &named, sizeof(named), NULL, 0);
		if (component_receive(fd, &answer, sizeof(answer), fds, &num_fds) > 0)
			assert_int_equal(answer.header.type, CROSSVM_COMPONENT_FAILED);
		assert_int_equal(num_fds, 0);
		close(fd);
	}
}

static void is_no_vm(const struct daemon *daemon)
{
	assert_false(vm_is_welcome(daemon, "v.link.memory"));
	assert_false(vm_is_welcome(daemon, "w.link.memory"));
}

static void gets_nothing(struct daemon *daemon, const char *system,
			 void (*attempt)(const struct daemon *daemon))
{
	char byte = 0;
	int control;

	if (is_refused(daemon, system)) {
		print_message("a system file with " OVERFLOW " in it is refused\n");
		return;
	}
	control = start_in_namespace(daemon, system);
	hostile_as_user(OUTSIDER, attempt, daemon);
	assert_int_equal(write(control, &byte, 1), 1);
	assert_int_equal(read(control, &byte, 1), 1);
	close(control);
}

static void of_what_a_component_has(void **state)
{
	gets_nothing(*state, of_a_component, is_no_component);
}

static void of_what_a_vm_has(void **state)
{
	gets_nothing(*state, of_a_vm, is_no_vm);
}

static const struct CMUnitTest tests[] = {
	HOSTILE_TEST(of_what_a_component_has),
	HOSTILE_TEST(of_what_a_vm_has),
};

TESTS_MAIN(tests)
