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

#include "server/memory.h"

#include "vmm/linux/internal.h"

#define PROTOCOL_VERSION 0
#define ABOUT_MEMORY     (-1)

/* Version, own position, memory, the other's interrupt, the own one, which ends it. */
#define GREETINGS 5u

/*
 * A client and its greeting. In the arena: the kernel itself notes in msg_len what has been sent, within
 * the system call, so that after this process another one sends what is left and nothing twice. The
 * pointers are of use to the process that has stored them only.
 */
struct greeting {
	int fd; /* -1: no client */
	bool parting;
	struct mmsghdr messages[GREETINGS];
	struct iovec iov[GREETINGS];
	int64_t numbers[GREETINGS];
	alignas(struct cmsghdr) unsigned char control[GREETINGS][CMSG_SPACE(sizeof(int))];
};

struct side {
	struct crossvm_doorbell *doorbell;
	unsigned int number;                /* the member's id */
	int event_fd;                       /* interrupts this member */
	struct host_connection *connection; /* NULL: not installed */
	struct acceptor acceptor;
	struct greeting *greeting;
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
		arena_release(doorbell->host->server->arena, side->greeting,
			      sizeof(*side->greeting));
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
	side->greeting = arena_allocate(doorbell->host->server->arena, sizeof(*side->greeting));
	if (!side->greeting)
		return -ENOMEM;
	side->greeting->fd = -1;
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
		created->sides[i] = (struct side){.doorbell = created, .number = i, .event_fd = -1};
	created->memory_fd = memory_create("crossvm-doorbell", CROSSVM_DOORBELL_BYTES);
	if (created->memory_fd < 0)
		error = created->memory_fd;
	for (unsigned int i = 0; !error && i < CROSSVM_DOORBELL_MEMBERS; i++)
		error = create_side(created, i);
	if (error) {
		server_log(&host->server->log, CROSSVM_LOG_ERROR, "cannot make a doorbell: %s",
			   strerror(-error));
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
	/* But not msg_len, beside it: whether it has been sent already. */
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
	struct greeting *greeting = side->greeting;

	write_message(greeting, 0, PROTOCOL_VERSION, -1);
	write_message(greeting, 1, own, -1);
	write_message(greeting, 2, ABOUT_MEMORY, side->doorbell->memory_fd);
	write_message(greeting, 3, other, other_side(side)->event_fd);
	write_message(greeting, 4, own, side->event_fd);
}

static unsigned int client_ready(void *context, uint32_t events, unsigned int budget);

static struct server *server_of(const struct side *side)
{
	return side->doorbell->host->server;
}

static int watch_client(struct side *side, uint32_t events)
{
	return watches_set(server_of(side)->watches, side->greeting->fd, events,
			   &side->connection->vm->owner, client_ready, side);
}

/*
 * Whether the client has what it was sent: descriptors on their way are limited for all that a user
 * sends, so nobody may have any number of them come and take none.
 */
static bool has_taken_all(const struct side *side)
{
	int left = 0;

	return !ioctl(side->greeting->fd, SIOCOUTQ, &left) && !left;
}

static void close_client(struct side *side)
{
	if (side->greeting->fd < 0)
		return;
	watches_remove(server_of(side)->watches, side->greeting->fd);
	shutdown(side->greeting->fd, SHUT_RDWR);
	closing_take_socket(&server_of(side)->closing, &side->greeting->fd,
			    linux_vm_owner(side->connection->vm));
}

/* It stays, and no other may come, until it has taken what it was sent. */
static void part(struct side *side)
{
	if (side->greeting->fd < 0)
		return;
	/* Once: each time makes an event of this socket. If it dies here, the next process finds it shut. */
	if (!side->greeting->parting)
		shutdown(side->greeting->fd, SHUT_RDWR);
	atomic_signal_fence(memory_order_seq_cst);
	side->greeting->parting = true;
	if (has_taken_all(side))
		close_client(side);
	else
		watch_client(side, EPOLLOUT | EPOLLET);
}

/* It has nothing to say, so it goes or breaks the rules. */
static unsigned int client_ready(void *context, uint32_t events, unsigned int budget)
{
	(void)events;
	(void)budget;
	part(context);
	return 1;
}

/* All of it is a few bytes in an empty socket, which fit, so that nobody waits. */
static int send_rest(struct greeting *greeting)
{
	unsigned int sent = 0;

	while (sent < GREETINGS && greeting->messages[sent].msg_len > 0)
		sent++;
	while (sent < GREETINGS) {
		const int count = sendmmsg(greeting->fd, &greeting->messages[sent],
					   GREETINGS - sent, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (count <= 0)
			return -errno;
		sent += (unsigned int)count;
	}
	return 0;
}

static void finish_greeting(struct side *side)
{
	int error = send_rest(side->greeting);

	if (!error)
		error = watch_client(side, EPOLLIN | EPOLLRDHUP);
	if (!error)
		return;
	if (error != -EPIPE && error != -ECONNRESET)
		socket_warn(side->connection, doorbell_part_name, "cannot serve a client: %s",
			    strerror(-error));
	part(side);
}

static bool may_accept(void *context)
{
	const struct side *side = context;

	return closing_has_room(&server_of(side)->closing, linux_vm_owner(side->connection->vm));
}

static void accepted(void *context, int fd)
{
	struct side *side = context;
	struct greeting *greeting = side->greeting;

	if (!socket_admits(side->connection, doorbell_part_name, fd))
		return;
	if (greeting->fd >= 0 && has_taken_all(side))
		close_client(side);
	if (greeting->fd >= 0) {
		socket_refuse(side->connection, doorbell_part_name, fd,
			      "the one before does not take what it was sent");
		return;
	}
	memset(greeting->messages, 0, sizeof(greeting->messages));
	write_greeting(side);
	greeting->parting = false;
	atomic_signal_fence(memory_order_seq_cst);
	greeting->fd = fd;
	atomic_signal_fence(memory_order_seq_cst);
	finish_greeting(side);
}

static void failed(void *context, int error)
{
	const struct side *side = context;

	socket_failed(side->connection, doorbell_part_name, error);
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
	side->connection = connection;
	side->acceptor.may_accept = may_accept;
	side->acceptor.accepted = accepted;
	side->acceptor.failed = failed;
	side->acceptor.context = side;
	error = socket_open(connection, doorbell_part_name, false, &side->acceptor);
	if (error) {
		side->connection = NULL;
		return error;
	}
	tell_control(other_side(side));
	return 0;
}

void doorbell_take_leave(struct host_connection *connection)
{
	struct side *side = side_of(connection);

	if (side && side->connection == connection)
		part(side);
}

void doorbell_remove(struct host_connection *connection)
{
	struct side *side = side_of(connection);

	if (!side || side->connection != connection)
		return;
	tell_other(side, false);
	acceptor_close(&side->acceptor);
	close_client(side);
	closing_flush(&server_of(side)->closing);
	side->connection = NULL;
}

static void resume_side(struct side *side)
{
	struct server *server = server_of(side);
	struct greeting *greeting = side->greeting;

	server_mark(server, side->event_fd);
	closing_forget(&server->closing, &greeting->fd);
	if (!side->connection)
		return;
	tell_control(side);
	if (greeting->fd < 0)
		return;
	server_mark(server, greeting->fd);
	write_greeting(side);
	if (greeting->parting)
		part(side);
	else
		finish_greeting(side);
}

void doorbells_resume(struct crossvm_host *host)
{
	for (struct crossvm_doorbell *d = host->doorbells; d; d = d->next) {
		server_mark(host->server, d->memory_fd);
		for (unsigned int i = 0; i < CROSSVM_DOORBELL_MEMBERS; i++)
			resume_side(&d->sides[i]);
	}
}

void doorbells_unlink(const struct crossvm_host *host)
{
	for (const struct crossvm_doorbell *d = host->doorbells; d; d = d->next)
		for (unsigned int i = 0; i < CROSSVM_DOORBELL_MEMBERS; i++)
			if (d->sides[i].connection)
				listener_unlink(&d->sides[i].acceptor.listener);
}
