/* SPDX-License-Identifier: BSD-2-Clause */
/* Our queue on a connection: waiting as it comes, without spinning, or polling only. */
#include <err.h>

#include <crossvm/channel_connection.h>

#include "transport.h"

static void open_with(struct link *link, const char *name, uint32_t spin_us, unsigned int flags)
{
	struct crossvm_channel_options options;
	struct crossvm_channel *channel;

	crossvm_channel_options_init(&options);
	options.spin_us = spin_us;
	options.flags = flags;
	if (crossvm_channel_open(name, &options, &channel))
		errx(1, "%s", crossvm_last_error());
	link->state = crossvm_channel_queue(channel);
}

static void open_waiting(struct link *link)
{
	open_with(link, "waiting", CROSSVM_CHANNEL_SPIN_US_DEFAULT, 0);
}

static void open_interrupt(struct link *link)
{
	open_with(link, "interrupt", 0, 0);
}

static void open_polling(struct link *link)
{
	open_with(link, "polling", CROSSVM_CHANNEL_SPIN_US_DEFAULT, CROSSVM_QUEUE_POLLING);
}

/* A peer that the round before had attached has gone: that is told once. */
static int send(struct link *link, const void *message)
{
	int rc;

	do {
		rc = crossvm_queue_send(link->state, message, link->size, CROSSVM_FOREVER);
	} while (rc == -CROSSVM_ECONNRESET);
	return rc;
}

static int receive(struct link *link, void *buffer)
{
	size_t size;
	int rc;

	do {
		rc = crossvm_queue_receive(link->state, buffer, MESSAGE_BYTES_MAX, &size,
					   CROSSVM_FOREVER);
	} while (rc == -CROSSVM_ECONNRESET);
	return rc;
}

const struct transport transport_queue = {
	.name = "crossvm", .open = open_waiting, .send = send, .receive = receive};
const struct transport transport_queue_interrupt = {
	.name = "crossvm-interrupt", .open = open_interrupt, .send = send, .receive = receive};
const struct transport transport_queue_polling = {
	.name = "crossvm-polling", .open = open_polling, .send = send, .receive = receive};
