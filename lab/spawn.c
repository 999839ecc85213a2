/* SPDX-License-Identifier: BSD-2-Clause */
#include "lab/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void redirect(const char *log)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	if (null < 0 || out < 0)
		_exit(127);
	dup2(null, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
}

static void run(const struct lab_spawn *spawn, pid_t parent)
{
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	redirect(spawn->log);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	for (size_t i = 0; i < spawn->num_fds; i++)
		(void)fcntl(spawn->fds[i], F_SETFD, 0);
	if (spawn->cwd && chdir(spawn->cwd) < 0)
		dprintf(STDERR_FILENO, "cannot enter %s: %s\n", spawn->cwd, strerror(errno));
	if (spawn->notify)
		setenv("NOTIFY_SOCKET", spawn->notify, 1);
	else
		unsetenv("NOTIFY_SOCKET");
	execv(spawn->argv[0], lab_exec_args(spawn->argv));
	dprintf(STDERR_FILENO, "cannot run %s: %s\n", spawn->argv[0], strerror(errno));
	_exit(127);
}

int lab_process_start(struct lab_process *process, const struct lab_spawn *spawn)
{
	pid_t parent = getpid();
	pid_t pid = fork();
	int error;

	*process = (struct lab_process){.pidfd = -1};
	if (pid < 0)
		return -errno;
	if (pid == 0)
		run(spawn, parent);
	process->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (process->pidfd < 0) {
		error = -errno;
		kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
		return error;
	}
	(void)fcntl(process->pidfd, F_SETFD, FD_CLOEXEC);
	process->pid = pid;
	return 0;
}

int lab_process_reap(struct lab_process *process, int *status)
{
	if (process->pid == 0 || waitpid(process->pid, status, WNOHANG) != process->pid)
		return 0;
	close(process->pidfd);
	*process = (struct lab_process){.pidfd = -1};
	return 1;
}

void lab_process_signal(const struct lab_process *process, int signal_number)
{
	if (process->pid > 0)
		kill(process->pid, signal_number);
}

void lab_describe_status(int status, char *text, size_t bytes)
{
	if (WIFSIGNALED(status))
		snprintf(text, bytes, "signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	else
		snprintf(text, bytes, "exit status %d", WEXITSTATUS(status));
}
