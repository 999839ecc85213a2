/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/channel.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "cli/report.h"

/* Where nothing interrupts (polling backends, arrival and departure without an event). */
#define GLANCE_MS 1

void cli_channel_request_init(struct cli_channel_request *request)
{
	*request = (struct cli_channel_request){.timeout_ms = -1, .count = UINT64_MAX};
	crossvm_channel_options_init(&request->options);
}

int cli_channel_option(const struct cli_command *command, int option,
		       struct cli_channel_request *request)
{
	uint64_t us;

	switch (option) {
	case 'b':
		request->broadcast = true;
		return 0;
	case 'o':
		request->oldest = true;
		return 0;
	case 'e':
		if (strcmp(optarg, "first") == 0)
			request->options.end = CROSSVM_CHANNEL_END_FIRST;
		else if (strcmp(optarg, "second") == 0)
			request->options.end = CROSSVM_CHANNEL_END_SECOND;
		else
			return cli_usage(command, "--end is first or second, not '%s'", optarg);
		return 0;
	case 'f':
		request->options.format = true;
		return 0;
	case 'p':
		if (cli_count(command, "--spin", optarg, &us))
			return CLI_USAGE;
		request->options.spin_us = us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
		return 0;
	case 's':
		request->stream = true;
		return 0;
	case 'n':
		return cli_count(command, "--count", optarg, &request->count);
	default:
		return cli_seconds(command, "--timeout", optarg, &request->timeout_ms);
	}
}

int cli_channel_open(const struct cli_arguments *arguments, const char *name,
		     struct cli_channel_request *request, struct crossvm_channel **channel)
{
	int error;

	request->options.open = &arguments->open;
	error = crossvm_channel_open(name, &request->options, channel);
	return error ? (int)cli_failed(error) : CLI_OK;
}

int cli_channel_failed(const struct crossvm_channel *channel, int result)
{
	return cli_channel_code(crossvm_channel_explain(channel, result));
}

int cli_channel_code(int result)
{
	int code = (int)cli_failed(result);

	return result == -ESHUTDOWN || result == -ECONNRESET ? CLI_GONE : code;
}

void cli_channel_note(int result)
{
	(void)cli_failed(result);
}

/* One direction each: what is there to do, and what it waits for. */
struct carrier {
	struct crossvm_channel *channel;
	struct crossvm_queue *queue;
	int in, out;
	size_t chunk;
	struct crossvm_message message; /* being written to out */
	size_t written;
	bool holding;
	bool sent_all, received_all;
	bool begun; /* something was carried: a restart of the other side breaks it off */
	int timeout_ms;
	int64_t blocked_since; /* 0: the other side is not waited for */
};

static bool is_retry(int error)
{
	return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

/* Read into the ring itself. 1: something was done, 0: nothing to do now, or -errno. */
static int carry_in(struct carrier *c, bool readable)
{
	void *room;
	ssize_t n;
	int rc;

	if (c->sent_all || !readable)
		return 0;
	rc = crossvm_queue_reserve(c->queue, c->chunk, &room, CROSSVM_NOW);
	if (rc)
		return rc == -EAGAIN ? 0 : rc;
	n = read(c->in, room, c->chunk);
	if (n <= 0) {
		crossvm_queue_cancel(c->queue);
		if (n < 0)
			return is_retry(errno) ? 0 : -errno;
		crossvm_queue_close_send(c->queue);
		c->sent_all = true;
		return 1;
	}
	crossvm_queue_trim(c->queue, (size_t)n);
	crossvm_queue_commit(c->queue);
	return 1;
}

/* Write from the ring itself. */
static int carry_out(struct carrier *c)
{
	ssize_t n;
	int rc;

	if (c->received_all)
		return 0;
	if (!c->holding) {
		rc = crossvm_queue_peek(c->queue, &c->message, CROSSVM_NOW);
		if (rc == -ENODATA) {
			c->received_all = true;
			close(c->out);
			return 1;
		}
		if (rc)
			return rc == -EAGAIN ? 0 : rc;
		c->holding = true;
		c->written = 0;
	}
	n = write(c->out, (const char *)c->message.data + c->written, c->message.size - c->written);
	if (n < 0 && errno == EPIPE) {
		/* Nobody reads: that is the end of this direction only. */
		crossvm_queue_close_receive(c->queue);
		c->received_all = true;
		close(c->out);
		return 1;
	}
	if (n < 0)
		return is_retry(errno) ? 0 : -errno;
	c->written += (size_t)n;
	if (c->written == c->message.size) {
		crossvm_queue_release(c->queue);
		c->holding = false;
	}
	return 1;
}

/* How long to sleep at most. blocked: until the other side does something. */
static int carry_timeout(struct carrier *c, bool blocked, int timeout)
{
	int64_t now, left;

	if (c->timeout_ms < 0 || !blocked) {
		c->blocked_since = 0;
		return timeout;
	}
	now = cli_now_ms();
	if (!c->blocked_since)
		c->blocked_since = now;
	left = c->blocked_since + c->timeout_ms - now;
	if (left <= 0)
		return -ETIMEDOUT;
	return timeout < 0 || left < timeout ? (int)left : timeout;
}

/* Sleep until a descriptor or the channel has something for us. *readable: in has. */
static int carry_wait(struct carrier *c, bool *readable)
{
	bool room = !c->sent_all && !crossvm_queue_arm_send(c->queue, c->chunk);
	bool more = !c->received_all && !c->holding && !crossvm_queue_arm_receive(c->queue);
	int fd = crossvm_connection_fd(crossvm_channel_connection(c->channel));
	struct pollfd fds[] = {
		{.fd = room ? c->in : -1, .events = POLLIN},
		{.fd = c->holding ? c->out : -1, .events = POLLOUT},
		{.fd = fd, .events = POLLIN},
	};
	int timeout = fd < 0 ? GLANCE_MS : -1;
	bool blocked = (!room && !c->sent_all) || (!more && !c->holding && !c->received_all);

	timeout = more ? 0 : carry_timeout(c, blocked, timeout);
	if (timeout < -1)
		return timeout;
	if (poll(fds, 3, timeout) < 0 && errno != EINTR)
		return -errno;
	*readable = fds[0].revents != 0;
	return fds[2].revents || fd < 0 ? crossvm_channel_wake(c->channel) : 0;
}

static int carry(struct carrier *c)
{
	bool readable = false;
	int gone = 0;

	while (!c->sent_all || !c->received_all) {
		int in = carry_in(c, readable);
		int out = in < 0 ? in : carry_out(c);

		readable = false;
		if (out == -ECONNRESET && !c->begun)
			continue;
		if (out < 0)
			return out;
		c->begun |= in || out;
		if (in || out)
			c->blocked_since = 0;
		/* What came before the other side went is carried to its end. */
		if (gone && !out)
			return gone;
		if (!in && !out)
			gone = carry_wait(c, &readable);
	}
	return 0;
}

int cli_channel_carry(struct crossvm_channel *channel, int in, int out, int timeout_ms)
{
	struct carrier c = {.channel = channel,
			    .queue = crossvm_channel_queue(channel),
			    .in = in,
			    .out = out,
			    .sent_all = in < 0,
			    .received_all = out < 0,
			    .timeout_ms = timeout_ms};
	size_t max = crossvm_queue_max_message(c.queue) / 2;
	int rc;

	c.chunk = max < CLI_CHUNK_BYTES ? max : CLI_CHUNK_BYTES;
	rc = carry(&c);
	if (c.out >= 0 && !c.received_all)
		close(c.out);
	if (!rc)
		return CLI_OK;
	if (rc == -EIO || rc == -ENOSPC || rc == -EBADF) {
		cli_error("cannot read or write: %s", strerror(-rc));
		return CLI_FAILURE;
	}
	return cli_channel_failed(channel, rc);
}
