/* SPDX-License-Identifier: BSD-2-Clause */
#include "trace.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <linux/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>

void trace_spawn(struct daemon *daemon, const char *system)
{
	int status;

	daemon->traced = true;
	daemon_spawn(daemon, system, NULL);
	daemon->traced = false;
	assert_int_equal(waitpid(daemon->pid, &status, 0), daemon->pid);
	assert_true(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP);
	assert_return_code(ptrace(PTRACE_SETOPTIONS, daemon->pid, NULL,
				  (void *)(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL)),
			   errno);
}

static bool ends_in(pid_t pid, uint64_t address, const char *end)
{
	char text[256] = "";
	struct iovec here = {.iov_base = text, .iov_len = sizeof(text) - 1};
	struct iovec there = {.iov_base = (void *)(uintptr_t)address, .iov_len = sizeof(text) - 1};
	size_t length;

	/* It may be near the end of what is mapped. */
	while (there.iov_len > 0 && process_vm_readv(pid, &here, 1, &there, 1, 0) < 0)
		there.iov_len /= 2;
	length = strlen(text);
	return length >= strlen(end) && strcmp(text + length - strlen(end), end) == 0;
}

bool trace_next(pid_t pid, long number, const char *text, int *status)
{
	struct ptrace_syscall_info info;
	int signal = 0;
	int what;

	for (;;) {
		assert_return_code(ptrace(PTRACE_SYSCALL, pid, NULL, (void *)(intptr_t)signal),
				   errno);
		assert_int_equal(waitpid(pid, &what, 0), pid);
		if (!WIFSTOPPED(what)) {
			if (status != NULL)
				*status = what;
			return false;
		}
		signal = WSTOPSIG(what) == (SIGTRAP | 0x80) ? 0 : WSTOPSIG(what);
		if (signal != 0)
			continue;
		assert_true(ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof(info), &info) > 0);
		if (info.op == PTRACE_SYSCALL_INFO_ENTRY && (long)info.entry.nr == number &&
		    (text == NULL || ends_in(pid, info.entry.args[1], text)))
			return true;
	}
}

void trace_until(pid_t pid, long number, const char *text)
{
	int status;

	if (!trace_next(pid, number, text, &status))
		fail_msg("the daemon ended (status %x) before it came to system call %ld", status,
			 number);
}

void trace_end(pid_t pid)
{
	assert_return_code(ptrace(PTRACE_DETACH, pid, NULL, NULL), errno);
}
