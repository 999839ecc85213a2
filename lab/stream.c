/* SPDX-License-Identifier: BSD-2-Clause */
#include "lab/stream.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "lab/loop.h"
#include "lab/report.h"

/* So long does a program have to end when it is told to, before nobody waits for it any more. */
#define LAST_WAIT_MS 5000

enum {
	POLL_LINK,
	POLL_SIGNALS,
	POLL_INPUT,
	POLL_COUNT,
};

struct state {
	struct lab_streams *streams;
	uint32_t credit; /* of input */
	bool input_open;
	int signal_fd;
	unsigned int interrupts;
	int last_signal;
	int64_t last_moment; /* 0: it may take its time */
	bool done;
	int result;
};

static int open_signals(sigset_t *before)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	sigprocmask(SIG_BLOCK, &set, before);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void finish(struct state *state, int result)
{
	state->done = true;
	state->result = result;
}

static void lost(struct state *state)
{
	lab_error("the lab %s has ended", state->streams->link->rundir.name);
	finish(state, LAB_EXIT_FAILED);
}

static void on_output(struct state *state, const struct lab_frame *frame)
{
	struct lab_streams *streams = state->streams;
	int error = streams->output(streams->context, frame->stream, frame->payload, frame->length);

	if (error)
		finish(state, error);
	else if (lab_link_send_value(streams->link, LAB_FRAME_CREDIT, frame->stream,
				     frame->length) < 0)
		/* The last frames may be on their way to us still. */
		state->input_open = false;
}

static void on_frame(struct state *state, const struct lab_frame *frame)
{
	switch (frame->type) {
	case LAB_FRAME_DATA:
		on_output(state, frame);
		break;
	case LAB_FRAME_CREDIT:
		state->credit += lab_frame_value(frame);
		break;
	case LAB_FRAME_EOF:
		state->input_open = false;
		break;
	case LAB_FRAME_EXIT:
		finish(state, (int)(lab_frame_value(frame) & 0xff));
		break;
	case LAB_FRAME_FAILED:
		lab_error("%.*s", (int)frame->length, (const char *)frame->payload);
		finish(state, LAB_EXIT_FAILED);
		break;
	default:
		break;
	}
}

static void read_link(struct state *state)
{
	struct lab_link *link = state->streams->link;
	struct lab_frame frame;
	int result = 0;

	if (lab_link_receive(link) < 0) {
		lost(state);
		return;
	}
	while (!state->done && (result = lab_link_next(link, &frame)) > 0)
		on_frame(state, &frame);
	if (!state->done && result < 0)
		lost(state);
}

static void read_input(struct state *state)
{
	struct lab_streams *streams = state->streams;
	uint8_t bytes[LAB_FRAME_PAYLOAD];
	size_t want = state->credit < sizeof(bytes) ? state->credit : sizeof(bytes);
	ssize_t n = read(streams->in, bytes, want);
	int error;

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		state->input_open = false;
		error = lab_link_send(streams->link, LAB_FRAME_EOF, LAB_STDIN, NULL, 0);
	} else {
		state->credit -= (uint32_t)n;
		error = lab_link_send(streams->link, LAB_FRAME_DATA, LAB_STDIN, bytes, (size_t)n);
		if (streams->sent)
			streams->sent(streams->context, (size_t)n);
	}
	if (error)
		state->input_open = false;
}

static void read_signals(struct state *state)
{
	struct signalfd_siginfo info;

	while (read(state->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		/* Who interrupts again does not want to wait for the program's own end. */
		if (++state->interrupts > 1 || !state->streams->forward_signals) {
			finish(state, 128 + (int)info.ssi_signo);
			return;
		}
		/* A person can interrupt again; others expect an end, also where the guest hangs. */
		if (info.ssi_signo != SIGINT)
			state->last_moment = lab_now_ms() + LAST_WAIT_MS;
		state->last_signal = (int)info.ssi_signo;
		(void)lab_link_send_value(state->streams->link, LAB_FRAME_SIGNAL, LAB_STDIN,
					  info.ssi_signo);
	}
}

static void step(struct state *state)
{
	struct lab_streams *streams = state->streams;
	bool wants_input = state->input_open && state->credit > 0;
	struct pollfd fds[POLL_COUNT] = {
		[POLL_LINK] = {.fd = streams->link->fd, .events = POLLIN},
		[POLL_SIGNALS] = {.fd = state->signal_fd, .events = POLLIN},
		[POLL_INPUT] = {.fd = wants_input ? streams->in : -1, .events = POLLIN},
	};

	int64_t left = state->last_moment ? state->last_moment - lab_now_ms() : -1;

	if (state->last_moment && left <= 0) {
		lab_error("the program has not ended %d s after the signal", LAST_WAIT_MS / 1000);
		finish(state, 128 + state->last_signal);
		return;
	}
	if (poll(fds, POLL_COUNT, (int)left) < 0)
		return;
	if (fds[POLL_LINK].revents)
		read_link(state);
	if (!state->done && fds[POLL_SIGNALS].revents)
		read_signals(state);
	if (!state->done && fds[POLL_INPUT].revents)
		read_input(state);
}

int lab_streams_run(struct lab_streams *streams)
{
	sigset_t before;
	struct state state = {.streams = streams,
			      .credit = LAB_STREAM_WINDOW,
			      .input_open = streams->in >= 0,
			      .signal_fd = open_signals(&before)};

	signal(SIGPIPE, SIG_IGN);
	if (streams->in < 0)
		(void)lab_link_send(streams->link, LAB_FRAME_EOF, LAB_STDIN, NULL, 0);
	while (!state.done)
		step(&state);
	if (state.signal_fd >= 0)
		close(state.signal_fd);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return state.result;
}
