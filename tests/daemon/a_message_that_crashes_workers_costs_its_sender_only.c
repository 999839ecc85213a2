/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * No message is known that crashes a worker. So the test plays one: it traces every worker, and has it
 * abort where it says on standard error what it thinks of the message. After the third the sender must
 * be disconnected, and the next worker goes on.
 */
#include "vm.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <linux/ptrace.h>
#include <sys/wait.h>

#include "vfio_user/protocol.h"

#define MIXED                                                         \
	"vms: [{name: v}]\n"                                          \
	"components: [{name: a}, {name: b}]\n"                        \
	"connections:\n"                                              \
	"- {name: bell, members: [{component: a}, {component: b}]}\n" \
	"- {name: link, members: [{vm: v}, {component: a}]}\n"

static void need(bool condition, const char *what)
{
	if (condition)
		return;
	perror(what);
	_exit(1);
}

static bool writes_to_stderr(pid_t worker)
{
	struct __ptrace_syscall_info info;

	need(ptrace(PTRACE_GET_SYSCALL_INFO, worker, sizeof(info), &info) > 0, "syscall info");
	return info.op == PTRACE_SYSCALL_INFO_ENTRY && info.entry.nr == SYS_write &&
	       info.entry.args[0] == STDERR_FILENO;
}

/* Trace the worker, and the holder, so that each new worker is traced from its first instruction. */
static void trace(pid_t holder, pid_t worker)
{
	const long options = PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACESYSGOOD;
	int status;

	need(ptrace(PTRACE_SEIZE, worker, NULL, PTRACE_O_TRACESYSGOOD) == 0, "trace the worker");
	need(ptrace(PTRACE_INTERRUPT, worker, NULL, NULL) == 0, "stop the worker");
	need(waitpid(worker, &status, __WALL) == worker, "wait for the worker");
	need(ptrace(PTRACE_SYSCALL, worker, NULL, 0L) == 0, "let the worker go");
	need(ptrace(PTRACE_SEIZE, holder, NULL, options) == 0, "trace the holder");
}

/* Let holder and workers run until so many workers have aborted at a write to standard error. */
static void abort_workers(pid_t holder, int count)
{
	while (count > 0) {
		int status;
		pid_t pid = waitpid(-1, &status, __WALL);
		long signal = 0;

		need(pid > 0, "wait");
		if (!WIFSTOPPED(status)) {
			count--;
			continue;
		}
		if (WSTOPSIG(status) == (SIGTRAP | 0x80) && writes_to_stderr(pid))
			kill(pid, SIGABRT);
		else if (status >> 16 == 0 && WSTOPSIG(status) != (SIGTRAP | 0x80))
			signal = WSTOPSIG(status);
		ptrace(pid == holder ? PTRACE_CONT : PTRACE_SYSCALL, pid, NULL, signal);
	}
}

/* A process of its own: when it ends, nobody is traced any more. */
static pid_t start_tracer(const struct daemon *daemon)
{
	pid_t worker = daemon_worker(daemon);
	int ready[2];
	pid_t tracer;
	char byte;

	assert_int_equal(pipe(ready), 0);
	tracer = fork();
	assert_true(tracer >= 0);
	if (tracer == 0) {
		trace(daemon->pid, worker);
		need(write(ready[1], "", 1) == 1, "tell");
		abort_workers(daemon->pid, 3);
		_exit(0);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return tracer;
}

static void await_tracer(pid_t tracer)
{
	int status;

	assert_int_equal(waitpid(tracer, &status, 0), tracer);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void assert_gone(int fd)
{
	size_t num_fds;
	int fds[8];
	char end[512];

	while (component_receive(fd, end, sizeof(end), fds, &num_fds) > 0)
		;
}

static void of_a_component(void **state)
{
	struct daemon *daemon = *state;
	struct component a, b, c;
	pid_t tracer;
	int bad;

	daemon_start(daemon, MIXED, NULL);
	a = component_open(daemon, "bell", "a", 0);
	b = component_open(daemon, "bell", "b", 0);
	bad = component_connect(daemon);
	tracer = start_tracer(daemon);
	component_emit(&a);
	component_send(bad, "boom", 4);
	await_tracer(tracer);
	assert_gone(bad);
	daemon_wait_log(daemon, "is disconnected: 3 workers in a row have crashed at one and the "
				"same message of it; please report this");
	component_emit(&a);
	component_wait_total(&b, 2);
	c = component_open(daemon, "link", "a", 0);
	component_wait_peer(&c, 0, CROSSVM_PEER_ABSENT, 0);
	component_close(&a);
	component_close(&b);
	component_close(&c);
	close(bad);
	assert_int_equal(daemon_stop(daemon), 0);
}

static void of_a_vm(void **state)
{
	static const struct vfio_user_header nonsense = {.bytes = 4};
	struct daemon *daemon = *state;
	struct component a, b;
	pid_t tracer;
	int bad;

	daemon_start(daemon, MIXED, NULL);
	a = component_open(daemon, "bell", "a", 0);
	b = component_open(daemon, "bell", "b", 0);
	bad = vm_connect(daemon, "v.link.events");
	tracer = start_tracer(daemon);
	component_emit(&a);
	assert_int_equal(send(bad, &nonsense, sizeof(nonsense), MSG_NOSIGNAL), sizeof(nonsense));
	await_tracer(tracer);
	assert_gone(bad);
	daemon_wait_log(daemon, "disconnected, since process after process has crashed at one and "
				"the same message of its QEMU; please report this");
	component_emit(&a);
	component_wait_total(&b, 2);
	component_close(&a);
	component_close(&b);
	close(bad);
	assert_int_equal(daemon_stop(daemon), 0);
}

static const struct CMUnitTest tests[] = {
	DAEMON_TEST(of_a_component),
	DAEMON_TEST(of_a_vm),
};

TESTS_MAIN(tests)
