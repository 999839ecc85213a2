/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Doorbells: what QEMU's ivshmem-doorbell devices of two VMs need to signal each other. This is the
 * server that such a device asks for its memory and its eventfds when its QEMU starts; afterwards
 * nothing of an event passes here. All of it lives as long as the doorbell: VMs may come and go, the
 * descriptors stay the same, so that no event goes to one that nobody reads any more.
 *
 * The protocol is in docs/specs/ivshmem-spec of QEMU: messages of 64 bits from the server alone, with
 * a descriptor each where they are about one.
 */
#include <endian.h>
#include <errno.h>
#include <linux/sockios.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vmm/linux/internal.h"

#define PROTOCOL_VERSION 0
#define ABOUT_MEMORY     (-1)

/* Version, own position, memory, the other's interrupt, the own one, which ends it. */
#define GREETINGS 5u

/*
 * A client and its greeting. In the arena: the kernel itself notes in msg_len what has been sent, within
 * the system call, so that after this process another one sends what is left and nothing twice.
 */
struct greeting {
	_Atomic int fd; /* -1: no client */
	struct mmsghdr messages[GREETINGS];
	struct iovec iov[GREETINGS];
	int64_t numbers[GREETINGS];
	alignas(struct cmsghdr) unsigned char control[GREETINGS][CMSG_SPACE(sizeof(int))];
};

/* What changes of a side. In the arena. */
struct side_state {
	struct watch listener;
	struct watch client;
	struct greeting greeting;
};

struct side {
	struct crossvm_doorbell *doorbell;
	unsigned int number;                /* the member's id */
	int event_fd;                       /* interrupts this member */
	struct host_connection *connection; /* NULL: not installed */
	struct wire_listener listener;
	struct side_state *state;
};

struct crossvm_doorbell {
	struct crossvm_host *host;
	struct crossvm_doorbell *next;
	int memory_fd;
	struct side sides[CROSSVM_DOORBELL_MEMBERS];
};

static struct side *other_side(struct side *side)
{
	return &side->doorbell->sides[!side->number];
}

static struct side *side_of(const struct host_connection *connection)
{
	const struct crossvm_vmm_connection *c = connection->connection;

	return c->doorbell ? &c->doorbell->sides[c->options.member_id] : NULL;
}

/* Beginning and end. */

static void close_if_open(int fd)
{
	if (fd >= 0)
		close(fd);
}

void crossvm_doorbell_destroy(struct crossvm_doorbell *doorbell)
{
	struct crossvm_doorbell **link;

	if (!doorbell)
		return;
	for (link = &doorbell->host->doorbells; *link && *link != doorbell; link = &(*link)->next)
		;
	if (*link)
		*link = doorbell->next;
	for (unsigned int i = 0; i < CROSSVM_DOORBELL_MEMBERS; i++) {
		struct side *side = &doorbell->sides[i];

		close_if_open(side->event_fd);
		arena_release(doorbell->host->arena, side->state, sizeof(*side->state));
	}
	close_if_open(doorbell->memory_fd);
	free(doorbell);
}

static int create_side(struct crossvm_doorbell *doorbell, unsigned int number)
{
	struct side *side = &doorbell->sides[number];

	side->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (side->event_fd < 0)
		return -errno;
	side->state = arena_allocate(doorbell->host->arena, sizeof(*side->state));
	if (!side->state)
		return -ENOMEM;
	side->state->listener.fd = -1;
	side->state->client.fd = -1;
	atomic_store(&side->state->greeting.fd, -1);
	return 0;
}

int crossvm_doorbell_create(struct crossvm_host *host, struct crossvm_doorbell **doorbell)
{
	struct crossvm_doorbell *created = calloc(1, sizeof(*created));
	int error = 0;

	*doorbell = NULL;
	if (!created)
		return -ENOMEM;
	created->host = host;
	for (unsigned int i = 0; i < CROSSVM_DOORBELL_MEMBERS; i++)
		created->sides[i] = (struct side){
			.doorbell = created, .number = i, .event_fd = -1, .listener.fd = -1};
	created->memory_fd = memory_create("crossvm-doorbell", CROSSVM_DOORBELL_BYTES);
	if (created->memory_fd < 0)
		error = created->memory_fd;
	for (unsigned int i = 0; !error && i < CROSSVM_DOORBELL_MEMBERS; i++)
		error = create_side(created, i);
	if (error) {
		host_log(host, CROSSVM_LOG_ERROR, "cannot make a doorbell: %s", strerror(-error));
		crossvm_doorbell_destroy(created);
		return error;
	}
	created->next = host->doorbells;
	host->doorbells = created;
	*doorbell = created;
	return 0;
}

/* Clients. */

static void write_message(struct greeting *greeting, unsigned int i, int64_t number, int fd)
{
	struct msghdr *header = &greeting->messages[i].msg_hdr;
	struct cmsghdr *cmsg;

	greeting->numbers[i] = (int64_t)htole64((uint64_t)number);
	greeting->iov[i] = (struct iovec){.iov_base = &greeting->numbers[i],
					  .iov_len = sizeof(greeting->numbers[i])};
	*header = (struct msghdr){.msg_iov = &greeting->iov[i], .msg_iovlen = 1};
	if (fd < 0)
		return;
	header->msg_control = greeting->control[i];
	header->msg_controllen = sizeof(greeting->control[i]);
	cmsg = CMSG_FIRSTHDR(header);
	*cmsg = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
				 .cmsg_type = SCM_RIGHTS,
				 .cmsg_len = CMSG_LEN(sizeof(int))};
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
}

static void write_greeting(struct side *side)
{
	const uint32_t id = side->connection->connection->options.connection_id;
	const int64_t own = CROSSVM_DOORBELL_POSITION(id, side->number);
	const int64_t other = CROSSVM_DOORBELL_POSITION(id, !side->number);
	struct greeting *greeting = &side->state->greeting;

	memset(greeting->messages, 0, sizeof(greeting->messages));
	write_message(greeting, 0, PROTOCOL_VERSION, -1);
	write_message(greeting, 1, own, -1);
	write_message(greeting, 2, ABOUT_MEMORY, side->doorbell->memory_fd);
	write_message(greeting, 3, other, other_side(side)->event_fd);
	write_message(greeting, 4, own, side->event_fd);
}

static void part_from_client(struct side *side)
{
	struct greeting *greeting = &side->state->greeting;
	const int fd = atomic_load(&greeting->fd);

	if (fd < 0)
		return;
	watch_remove(side->doorbell->host, &side->state->client);
	/* So that it gets nothing more from a process that finds it open and does not know it. */
	shutdown(fd, SHUT_RDWR);
	atomic_store(&greeting->fd, -1);
	close(fd);
}

/* It has nothing to say, so it goes or breaks the rules. */
static void client_ready(void *context, uint32_t events)
{
	(void)events;
	part_from_client(context);
}

/* All of it is a few bytes in an empty socket, which fit, so that nobody waits. */
static int send_rest(struct greeting *greeting)
{
	unsigned int sent = 0;

	while (sent < GREETINGS && greeting->messages[sent].msg_len > 0)
		sent++;
	while (sent < GREETINGS) {
		const int count = sendmmsg(atomic_load(&greeting->fd), &greeting->messages[sent],
					   GREETINGS - sent, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (count <= 0)
			return -errno;
		sent += (unsigned int)count;
	}
	return 0;
}

static void finish_greeting(struct side *side)
{
	struct greeting *greeting = &side->state->greeting;
	int error;

	if (atomic_load(&greeting->fd) < 0)
		return;
	error = send_rest(greeting);
	if (!error)
		error = watch_add(side->doorbell->host, &side->state->client,
				  atomic_load(&greeting->fd), EPOLLIN | EPOLLRDHUP, client_ready,
				  side);
	if (!error)
		return;
	if (error != -EPIPE && error != -ECONNRESET)
		socket_warn(side->connection, doorbell_part_name, "cannot serve a client: %s",
			    strerror(-error));
	part_from_client(side);
}

/*
 * Whether the client before has what it was sent: descriptors on their way are limited for all that a
 * user sends, so nobody may have any number of them come and take none.
 */
static bool has_taken_all(const struct side *side)
{
	const int fd = atomic_load(&side->state->greeting.fd);
	int left = 0;

	return fd < 0 || ioctl(fd, SIOCOUTQ, &left) != 0 || left == 0;
}

static void greet(struct side *side, int fd)
{
	if (!socket_admits(side->connection, doorbell_part_name, fd)) {
		close(fd);
	} else if (!has_taken_all(side)) {
		socket_warn(side->connection, doorbell_part_name,
			    "a client was refused: the one before does not take what it was sent");
		close(fd);
	} else {
		part_from_client(side);
		write_greeting(side);
		atomic_store(&side->state->greeting.fd, fd);
		finish_greeting(side);
	}
}

static void listener_ready(void *context, uint32_t events)
{
	struct side *side = context;
	const int fd = socket_accept(side->connection, doorbell_part_name, &side->listener);

	(void)events;
	if (fd >= 0)
		greet(side, fd);
}

bool doorbells_adopt(struct crossvm_host *host, int fd)
{
	for (struct crossvm_doorbell *d = host->doorbells; d; d = d->next)
		for (unsigned int i = 0; i < CROSSVM_DOORBELL_MEMBERS; i++)
			if (d->sides[i].connection &&
			    wire_accepted_from(&d->sides[i].listener, fd)) {
				greet(&d->sides[i], fd);
				return true;
			}
	return false;
}

void doorbells_watch_listeners(struct crossvm_host *host, uint32_t events)
{
	for (struct crossvm_doorbell *d = host->doorbells; d; d = d->next)
		for (unsigned int i = 0; i < CROSSVM_DOORBELL_MEMBERS; i++)
			watch_change(host, &d->sides[i].state->listener, events);
}

bool doorbells_know(const struct crossvm_host *host, int fd)
{
	for (const struct crossvm_doorbell *d = host->doorbells; d; d = d->next) {
		if (fd == d->memory_fd)
			return true;
		for (unsigned int i = 0; i < CROSSVM_DOORBELL_MEMBERS; i++)
			if (fd == d->sides[i].event_fd ||
			    fd == atomic_load(&d->sides[i].state->greeting.fd))
				return true;
	}
	return false;
}

/* Members. */

static void tell_other(struct side *side, bool listens)
{
	const struct side *other = other_side(side);

	if (other->connection)
		crossvm_device_listener_set(&other->connection->connection->device, side->number,
					    listens);
}

/* What its guest has last said, if there is one. */
static void tell_control(struct side *side)
{
	if (side->connection)
		tell_other(side, side->connection->connection->device.state->control &
					 CROSSVM_CONTROL_DOORBELL);
}

void doorbell_control_changed(const struct host_connection *connection, uint32_t control)
{
	struct side *side = side_of(connection);

	/* What a client has still said as its connection was taken away counts no more. */
	if (side->connection == connection)
		tell_other(side, control & CROSSVM_CONTROL_DOORBELL);
}

int doorbell_install(struct host_connection *connection)
{
	struct crossvm_vmm_connection *c = connection->connection;
	struct side *side = side_of(connection);
	const struct side *other;
	int error;

	if (!side)
		return 0;
	other = other_side(side);
	if (side->doorbell->host != connection->vm->host || side->connection ||
	    (other->connection &&
	     other->connection->connection->options.connection_id != c->options.connection_id)) {
		crossvm_vmm_error(c, "its doorbell is another's: make one for each connection, and "
				     "give it to both members, in VMs of its host");
		return -EINVAL;
	}
	error = socket_listen(connection, doorbell_part_name, &side->listener);
	if (error)
		return error;
	side->connection = connection;
	error = watch_add(connection->vm->host, &side->state->listener, side->listener.fd, EPOLLIN,
			  listener_ready, side);
	if (error) {
		crossvm_vmm_error(c, "cannot watch its socket: %s", strerror(-error));
		doorbell_remove(connection);
		return error;
	}
	tell_control(other_side(side));
	return 0;
}

void doorbell_remove(struct host_connection *connection)
{
	struct side *side = side_of(connection);

	if (!side || side->connection != connection)
		return;
	tell_other(side, false);
	watch_remove(connection->vm->host, &side->state->listener);
	wire_listener_close(&side->listener);
	part_from_client(side);
	side->connection = NULL;
}

void doorbells_resume(struct crossvm_host *host)
{
	for (struct crossvm_doorbell *d = host->doorbells; d; d = d->next)
		for (unsigned int i = 0; i < CROSSVM_DOORBELL_MEMBERS; i++) {
			struct side *side = &d->sides[i];

			tell_control(side);
			finish_greeting(side);
		}
}
