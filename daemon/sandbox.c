/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <ucontext.h>

struct sandbox {
	scmp_filter_ctx filters[HOLDER_CLOSER + 1];
};

static const int worker_calls[] = {
	/* messages and events */
	SCMP_SYS(recvmmsg),
	SCMP_SYS(sendmmsg),
	SCMP_SYS(sendto),
	SCMP_SYS(accept4),
	SCMP_SYS(shutdown),
	SCMP_SYS(close),
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(eventfd2),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	/* who is there, and what a descriptor is */
	SCMP_SYS(getsockopt),
	SCMP_SYS(getsockname),
	SCMP_SYS(readlinkat), /* of /proc/self/fd, opened before */
	SCMP_SYS(geteuid),
	SCMP_SYS(getpid),
	SCMP_SYS(getppid),
	SCMP_SYS(gettid),
	/* memory; executable memory: see below */
	SCMP_SYS(brk),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	/* time, signals, the end */
	SCMP_SYS(clock_gettime),
	SCMP_SYS(setitimer),
	SCMP_SYS(timerfd_settime),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigaction), /* guard.h: back to the default */
	SCMP_SYS(sigaltstack),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(futex),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
};

static const int closer_calls[] = {
	SCMP_SYS(dup3),         SCMP_SYS(recvfrom),        SCMP_SYS(read),
	SCMP_SYS(write),        SCMP_SYS(setitimer),       SCMP_SYS(timerfd_settime),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(restart_syscall), SCMP_SYS(exit),
	SCMP_SYS(exit_group),
};

/* What fcntl() and ioctl() are for here. */
static const unsigned int fcntl_commands[] = {F_GETFD, F_GETFL, F_SETFL};

/* Allow a call if an argument, or some bits of it, has a value. */
static int allow_if(scmp_filter_ctx filter, int call, unsigned int argument, scmp_datum_t bits,
		    scmp_datum_t value)
{
	const struct scmp_arg_cmp is = {
		.arg = argument, .op = SCMP_CMP_MASKED_EQ, .datum_a = bits, .datum_b = value};

	return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 1, &is);
}

static int allow_parts(scmp_filter_ctx filter)
{
	int error = allow_if(filter, SCMP_SYS(mmap), 2, PROT_EXEC, 0);

	if (!error)
		error = allow_if(filter, SCMP_SYS(ioctl), 1, UINT32_MAX, SIOCOUTQ);
	for (size_t i = 0; !error && i < sizeof(fcntl_commands) / sizeof(fcntl_commands[0]); i++)
		error = allow_if(filter, SCMP_SYS(fcntl), 1, UINT32_MAX, fcntl_commands[i]);
	return error;
}

static int make_filter(scmp_filter_ctx *filter, const int *calls, size_t count)
{
	int error = 0;

	*filter = seccomp_init(SCMP_ACT_TRAP);
	if (*filter == NULL)
		return -ENOMEM;
	for (size_t i = 0; !error && i < count; i++)
		error = seccomp_rule_add(*filter, SCMP_ACT_ALLOW, calls[i], 0);
	return error;
}

/* For the signal's handler, which has nothing else to reach it by. */
static const struct log *trap_log;

/* The call has not been made. Let it fail, and say so. */
static void trapped(int signal, siginfo_t *info, void *context)
{
	ucontext_t *user = context;

	(void)signal;
#if defined(__x86_64__)
	user->uc_mcontext.gregs[REG_RAX] = -EPERM;
#elif defined(__aarch64__)
	user->uc_mcontext.regs[0] = (unsigned long long)-EPERM;
#else
#error "write down where a system call's result goes"
#endif
	log_write(trap_log, CROSSVM_LOG_ERROR,
		  "the sandbox has kept a process of crossvmd from system call %d; please report "
		  "this",
		  info->si_syscall);
}

int sandbox_create(struct sandbox **sandbox, const struct log *log)
{
	struct sigaction action = {.sa_sigaction = trapped, .sa_flags = SA_SIGINFO};
	struct sandbox *created = calloc(1, sizeof(*created));
	int error;

	if (created == NULL)
		return -ENOMEM;
	trap_log = log;
	error = make_filter(&created->filters[HOLDER_WORKER], worker_calls,
			    sizeof(worker_calls) / sizeof(worker_calls[0]));
	if (!error)
		error = allow_parts(created->filters[HOLDER_WORKER]);
	if (!error)
		error = make_filter(&created->filters[HOLDER_CLOSER], closer_calls,
				    sizeof(closer_calls) / sizeof(closer_calls[0]));
	if (!error && sigaction(SIGSYS, &action, NULL) != 0)
		error = -errno;
	if (error) {
		sandbox_destroy(created);
		return error;
	}
	*sandbox = created;
	return 0;
}

void sandbox_destroy(struct sandbox *sandbox)
{
	if (sandbox == NULL)
		return;
	for (size_t i = 0; i < sizeof(sandbox->filters) / sizeof(sandbox->filters[0]); i++)
		if (sandbox->filters[i] != NULL)
			seccomp_release(sandbox->filters[i]);
	free(sandbox);
}

int sandbox_enter(struct sandbox *sandbox, enum holder_role role)
{
	return seccomp_load(sandbox->filters[role]);
}
