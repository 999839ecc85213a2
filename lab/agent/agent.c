/* SPDX-License-Identifier: BSD-2-Clause */
#include "lab/agent/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* How often it is looked after what no descriptor tells: commands to be killed, a lost hello. */
#define WAIT_MS 1000

enum {
	POLL_SIGNALS,
	POLL_UEVENTS,
	POLL_PORT,
	POLL_SESSIONS,
};

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void send_hello(struct agent *agent)
{
	struct lab_hello hello;

	lab_hello_init(&hello, agent->nonce);
	(void)lab_buffer_add_frame(&agent->out, LAB_FRAME_HELLO, LAB_STDIN, 0, &hello,
				   sizeof(hello));
}

/*
 * Nobody has answered. A kernel that was started by another without a reset of the machine may have
 * left half a frame, which swallowed the hello: fill it up, and more, before the next one.
 */
static void repeat_hello(struct agent *agent)
{
	static const uint8_t nothing[sizeof(struct lab_frame_header) + LAB_FRAME_PAYLOAD];

	if (lab_buffer_used(&agent->out) > 0 ||
	    lab_buffer_add(&agent->out, nothing, sizeof(nothing)) < 0)
		return;
	send_hello(agent);
}

static void say_hello(struct agent *agent)
{
	if (getrandom(&agent->nonce, sizeof(agent->nonce), GRND_NONBLOCK) < 0)
		agent->nonce = (uint64_t)time(NULL) ^ (uint64_t)clock();
	agent->welcomed = false;
	agent->out.start = agent->out.end = 0;
	agent_session_kill_all(agent);
	lab_parser_reset(&agent->parser, LAB_FRAME_WELCOME);
	send_hello(agent);
}

static void try_port(struct agent *agent)
{
	int fd = agent_open_port();

	if (fd < 0)
		return;
	agent->port_fd = fd;
	say_hello(agent);
}

static void reap(struct agent *agent)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == agent->console_shell)
			agent_start_console_shell(agent);
		else
			agent_session_reaped(agent, pid, status);
	}
}

static void read_signals(struct agent *agent)
{
	struct signalfd_siginfo info;

	while (read(agent->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		int command = agent_reboot_command(info.ssi_signo);

		if (command != -1)
			agent_reboot(command);
	}
	reap(agent);
}

static void welcome(struct agent *agent, const struct lab_frame *frame)
{
	/* An answer to the agent of before a reboot: the right one will follow. */
	if (lab_frame_nonce(frame) != agent->nonce) {
		lab_parser_hunt(&agent->parser, LAB_FRAME_WELCOME);
		return;
	}
	agent->welcomed = true;
	if (agent->console_shell == 0) {
		agent_start_boot_script(agent);
		agent_start_console_shell(agent);
	}
}

static void read_frames(struct agent *agent)
{
	struct lab_frame frame;
	int result;

	while ((result = lab_parser_next(&agent->parser, &frame)) > 0) {
		if (frame.type == LAB_FRAME_WELCOME)
			welcome(agent, &frame);
		else if (agent->welcomed)
			agent_session_frame(agent, &frame);
	}
	if (result < 0)
		say_hello(agent);
}

static void read_port(struct agent *agent)
{
	size_t bytes;
	uint8_t *space = lab_parser_space(&agent->parser, &bytes);
	ssize_t n = read(agent->port_fd, space, bytes);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		/* The port was removed, or nobody is at its other end. */
		close(agent->port_fd);
		agent->port_fd = -1;
		agent_session_kill_all(agent);
		return;
	}
	lab_parser_received(&agent->parser, (size_t)n);
	read_frames(agent);
}

static short port_events(const struct agent *agent)
{
	return (short)(POLLIN | (lab_buffer_used(&agent->out) > 0 ? POLLOUT : 0));
}

static void loop(struct agent *agent)
{
	static struct pollfd fds[POLL_SESSIONS + LAB_STREAMS * AGENT_MAX_SESSIONS];
	bool appeared = false;
	size_t count;
	bool waiting = agent_session_closing(agent) || !agent->welcomed;
	int ready;

	fds[POLL_SIGNALS] = (struct pollfd){.fd = agent->signal_fd, .events = POLLIN};
	fds[POLL_UEVENTS] = (struct pollfd){.fd = agent->uevent_fd, .events = POLLIN};
	fds[POLL_PORT] = (struct pollfd){.fd = agent->port_fd, .events = port_events(agent)};
	count = agent_session_poll(agent, fds + POLL_SESSIONS);
	ready = poll(fds, POLL_SESSIONS + count, waiting ? WAIT_MS : -1);
	if (ready < 0)
		return;
	if (ready == 0 && !agent->welcomed && agent->port_fd >= 0)
		repeat_hello(agent);
	if (fds[POLL_SIGNALS].revents)
		read_signals(agent);
	agent_session_polled(agent, fds + POLL_SESSIONS);
	if (fds[POLL_UEVENTS].revents)
		agent_read_uevents(agent->uevent_fd, &appeared);
	if (agent->port_fd >= 0 && (fds[POLL_PORT].revents & POLLIN))
		read_port(agent);
	if (agent->port_fd < 0)
		try_port(agent);
	if (agent->port_fd >= 0)
		(void)lab_buffer_write(&agent->out, agent->port_fd);
}

int main(void)
{
	static struct agent agent = {.port_fd = -1, .out.limit = AGENT_OUT_LIMIT};

	if (getpid() != 1) {
		fprintf(stderr,
			"this is the first process of a lab's guest; it runs nowhere else\n");
		return 1;
	}
	setvbuf(stdout, NULL, _IONBF, 0);
	agent_boot(&agent);
	agent.signal_fd = open_signals();
	try_port(&agent);
	for (;;)
		loop(&agent);
}
