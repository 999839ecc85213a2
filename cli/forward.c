/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * forward: clients of a socket on one side are connected to a server on the other. One thread, one
 * poll(), nothing that blocks.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli/channel.h"
#include "cli/forward_mux.h"
#include "cli/report.h"

/* Where nothing tells when to look again: a backend without interrupts, a server too busy. */
#define GLANCE_MS 1
/* No descriptor was free for a client: some stream may end meanwhile. */
#define PAUSE_MS 50

static const struct option options[] = {
	{"listen", no_argument, NULL, 'l'},
	{"end", required_argument, NULL, 'e'},
	{"format", no_argument, NULL, 'f'},
	CLI_OPTIONS_OPEN,
	CLI_OPTIONS_HELP,
};

enum { POLL_SIGNAL, POLL_CHANNEL, POLL_LISTENER, POLL_STREAMS };

struct forward {
	struct crossvm_channel *channel;
	struct forward_mux mux;
	int signals;
	int listener; /* -1: none */
	bool no_descriptor;
	struct pollfd polled[POLL_STREAMS + CROSSVM_FORWARD_STREAMS];
};

/* Accept a client, as long as the other side can be told of it. */
static void take_client(struct forward *f)
{
	struct forward_stream *stream = forward_mux_free_stream(&f->mux);
	int fd;

	if (!stream)
		return;
	fd = accept4(f->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd >= 0)
		forward_stream_accept(stream, fd);
	else
		f->no_descriptor =
			errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
}

/* What the sockets were found to be ready for. @return 0 or an error of the queue. */
static int serve_sockets(struct forward *f)
{
	int rc = 0;

	for (size_t i = 0; i < CROSSVM_FORWARD_STREAMS && !rc; i++) {
		struct forward_stream *stream = &f->mux.streams[i];
		short ready = f->polled[POLL_STREAMS + i].revents;

		if (!stream->used || stream->broken)
			continue;
		if (stream->connecting && (ready || stream->retry))
			forward_stream_connected(stream, &f->mux.address);
		else if (ready && stream->held_bytes)
			forward_stream_flush(stream);
		if (ready && forward_stream_wants_input(stream))
			rc = forward_mux_send_data(&f->mux, stream);
	}
	if (!rc && f->polled[POLL_LISTENER].revents)
		take_client(f);
	return rc;
}

/* What to poll for, and for how long. An entry without a descriptor is not looked at. */
static int prepare_poll(struct forward *f)
{
	int timeout = -1;

	f->polled[POLL_SIGNAL] = (struct pollfd){.fd = f->signals, .events = POLLIN};
	f->polled[POLL_CHANNEL] =
		(struct pollfd){.fd = crossvm_connection_fd(crossvm_channel_connection(f->channel)),
				.events = POLLIN};
	f->polled[POLL_LISTENER] = (struct pollfd){.fd = -1, .events = POLLIN};
	if (f->no_descriptor)
		timeout = PAUSE_MS;
	else if (forward_mux_free_stream(&f->mux))
		f->polled[POLL_LISTENER].fd = f->listener;
	for (size_t i = 0; i < CROSSVM_FORWARD_STREAMS; i++) {
		const struct forward_stream *stream = &f->mux.streams[i];
		struct pollfd *polled = &f->polled[POLL_STREAMS + i];
		short events = 0;

		if (forward_stream_wants_input(stream) && !f->mux.full)
			events |= POLLIN;
		if (stream->used && (stream->connecting || stream->held_bytes))
			events |= POLLOUT;
		if (stream->used && stream->retry)
			timeout = GLANCE_MS;
		*polled = (struct pollfd){.fd = events ? stream->fd : -1, .events = events};
	}
	f->no_descriptor = false;
	if (f->polled[POLL_CHANNEL].fd < 0)
		timeout = GLANCE_MS;
	return forward_mux_arm(&f->mux) ? timeout : 0;
}

/* Take the channel's events. A peer that is gone ends its streams; the host side's end is ours. */
static int wake(struct forward *f)
{
	struct crossvm_connection *conn = crossvm_channel_connection(f->channel);
	int rc = crossvm_channel_wake(f->channel);

	if (rc != -EPIPE)
		return rc;
	rc = crossvm_connection_wait_change(conn, 0, NULL, NULL);
	if (rc && rc != -ETIMEDOUT)
		return rc;
	forward_mux_other_gone(&f->mux);
	return 0;
}

static int serve(struct forward *f, bool *signalled)
{
	int rc;

	/* First what has been polled for: later a number may belong to another socket. */
	f->mux.full = false;
	rc = serve_sockets(f);
	if (!rc)
		rc = forward_mux_receive(&f->mux);
	if (!rc)
		rc = forward_mux_send_control(&f->mux);
	if (rc)
		return rc;
	if (poll(f->polled, POLL_STREAMS + CROSSVM_FORWARD_STREAMS, prepare_poll(f)) < 0) {
		if (errno != EINTR)
			return -errno;
		for (size_t i = 0; i < POLL_STREAMS + CROSSVM_FORWARD_STREAMS; i++)
			f->polled[i].revents = 0;
	}
	*signalled = f->polled[POLL_SIGNAL].revents;
	if (f->polled[POLL_CHANNEL].revents || f->polled[POLL_CHANNEL].fd < 0)
		rc = wake(f);
	return rc;
}

static int forward(struct forward *f)
{
	bool signalled = false;
	int rc = 0;

	while (!rc && !signalled)
		rc = serve(f, &signalled);
	forward_mux_other_gone(&f->mux);
	if (!rc)
		return CLI_OK;
	if (f->mux.wrong) {
		cli_error("the other side said what it may not: %s", f->mux.wrong);
		return CLI_FAILURE;
	}
	return cli_channel_failed(f->channel, rc);
}

/* SIGINT and SIGTERM end forward in good order. */
static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int listen_there(const struct forward_address *address, const char *text, int *listener)
{
	*listener = forward_address_listen(address);
	if (*listener >= 0)
		return CLI_OK;
	cli_error("cannot listen on %s: %s", text, strerror(-*listener));
	return CLI_FAILURE;
}

static int run_forward(struct forward *f, const struct forward_address *address)
{
	bool listens = f->listener >= 0;
	int code;

	f->signals = open_signals();
	if (f->signals < 0 ||
	    forward_mux_init(&f->mux, crossvm_channel_queue(f->channel), listens, address)) {
		cli_error("cannot begin: %s", strerror(errno));
		return CLI_FAILURE;
	}
	if (listens) {
		/* Whoever has started us can now start clients, and knows the port. */
		fputs("listening on ", stdout);
		forward_address_print(f->listener);
		fflush(stdout);
	}
	code = forward(f);
	close(f->signals);
	return code;
}

/* Listens first: a failure of that must not take the place of another process on the channel. */
static int open_both(struct forward *f, const struct cli_arguments *arguments, char **operands,
		     struct cli_channel_request *request, bool listens)
{
	struct forward_address address;
	const char *wrong = forward_address_parse(operands[1], &address);
	int code = CLI_OK;

	if (wrong)
		return cli_usage(arguments->command, "'%s' is no address: %s", operands[1], wrong);
	f->listener = -1;
	if (listens)
		code = listen_there(&address, operands[1], &f->listener);
	if (!code)
		code = cli_channel_open(arguments, operands[0], request, &f->channel);
	if (!code) {
		code = run_forward(f, &address);
		crossvm_channel_close(f->channel);
	}
	if (f->listener >= 0) {
		close(f->listener);
		forward_address_remove(&address);
	}
	return code;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
	struct cli_arguments arguments = {.command = command};
	struct cli_channel_request request;
	bool listens = false;
	struct forward *f;
	int option, code;

	cli_channel_request_init(&request);
	while ((option = cli_next_option(&arguments, argc, argv)) != CLI_END) {
		if (option == CLI_EXIT)
			return arguments.exit_code;
		if (option == 'l')
			listens = true;
		else if (cli_channel_option(command, option, &request))
			return CLI_USAGE;
	}
	if (argc - optind != 2)
		return cli_usage(command, "a name and an address are needed");
	f = calloc(1, sizeof(*f));
	if (!f) {
		cli_error("out of memory");
		return CLI_FAILURE;
	}
	code = open_both(f, &arguments, argv + optind, &request, listens);
	free(f);
	return code;
}

const struct cli_command cli_command_forward = {
	.name = "forward",
	.arguments = "NAME unix:PATH|tcp:HOST:PORT",
	.summary = "Connect clients of a socket here with a server on the other side",
	.help = "One side listens for clients, the other connects each of them to a server. It "
		"goes "
		"on\nuntil it is interrupted, whichever side is started first or again.\n\n"
		"  -l, --listen           this side listens on the address; otherwise it connects\n"
		"  -e, --end first|second  which end this is, where more than two members may "
		"write\n"
		"  -f, --format           discard what is in the dataport; the other side must be "
		"away\n" CLI_HELP_OPEN CLI_HELP_HELP,
	.options = options,
	.run = run,
};
