/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/clients.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/component.h"

/* More packets than a client's send buffer holds. */
#define MAX_UNREAD_PACKETS 512u
#define MAX_CRASHES        3u

static uint32_t state_of(const struct client *client)
{
	return atomic_load_explicit(&client->state, memory_order_relaxed);
}

static void set_state(struct client *client, enum client_state state)
{
	atomic_store_explicit(&client->state, state, memory_order_release);
	atomic_signal_fence(memory_order_seq_cst);
}

/* NULL: nobody has been there yet. */
static struct client *at(const struct clients *clients, size_t place)
{
	return atomic_load_explicit(&clients->state->places[place], memory_order_relaxed);
}

static void watch_listener(struct clients *clients);

/*
 * No more input, and what is there thrown away: a close with something unread would make the kernel
 * drop our last answer, too.
 */
static void drain(int fd)
{
	char byte;

	shutdown(fd, SHUT_RD);
	for (unsigned int i = 0; i < MAX_UNREAD_PACKETS; i++)
		if (recv(fd, &byte, sizeof(byte), MSG_DONTWAIT) <= 0)
			return;
}

/* Every step can be repeated by another worker, which finds CLIENT_CLOSING. */
static void part(struct client *client)
{
	struct clients *clients = client->clients;

	set_state(client, CLIENT_CLOSING);
	component_close(client);
	crossvm_host_unwatch(clients->host, client->watch);
	if (client->wire.fd >= 0)
		drain(client->wire.fd);
	wire_close(&client->wire);
	set_state(client, CLIENT_FREE);
	if (clients->state->paused)
		watch_listener(clients);
}

static void client_ready(void *context, uint32_t events);

static void watch_client(struct client *client)
{
	int error;

	crossvm_host_unwatch(client->clients->host, client->watch);
	error = crossvm_host_watch(client->clients->host, client->watch, client->wire.fd,
				   wire_events(&client->wire), client_ready, client);
	if (error)
		part(client);
}

/* Note which message is being applied, for the worker that comes after a crash. */
static void begin(struct client *client, const struct wire_message *message)
{
	struct clients_state *state = client->clients->state;

	if (state->applying.message != message->id || state->applying.place != client->place) {
		state->applying.crashes = 0;
		state->applying.message = message->id;
		state->applying.place = client->place;
	}
	atomic_signal_fence(memory_order_seq_cst);
	state->applying.active = true;
	atomic_signal_fence(memory_order_seq_cst);
}

/* Apply what has been received. The client may be gone afterwards. */
static void process(struct client *client, uint32_t watched)
{
	struct wire_message message;
	int result;

	while ((result = wire_next(&client->wire, NULL, &message)) > 0) {
		begin(client, &message);
		result = component_apply(client, &message);
		atomic_signal_fence(memory_order_seq_cst);
		client->clients->state->applying.active = false;
		if (result != 0 && result != -EAGAIN)
			break;
	}
	if (result < 0 && result != -EAGAIN)
		part(client);
	else if (wire_events(&client->wire) != watched)
		watch_client(client);
}

static void client_ready(void *context, uint32_t events)
{
	struct client *client = context;
	uint32_t watched;
	int error;

	if (state_of(client) != CLIENT_USED)
		return;
	watched = wire_events(&client->wire);
	if (watched == EPOLLIN)
		error = wire_receive(&client->wire);
	else
		error = wire_flush(&client->wire);
	(void)events;
	if (error == -EAGAIN)
		return;
	if (error)
		part(client);
	else
		process(client, watched);
}

/* Say no to a socket that gets no place, and close it. */
static void turn_away(struct clients *clients, int fd, int error, const char *reason)
{
	struct crossvm_component_failure failure;
	size_t bytes = component_failure(&failure, error, reason);

	log_limited(clients->log, &clients->limit, CROSSVM_LOG_WARNING,
		    "a process was turned away from the component socket: %s", reason);
	drain(fd);
	if (send(fd, &failure, bytes, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_write(clients->log, CROSSVM_LOG_DEBUG, "and has not waited to hear it");
	close(fd);
}

/* @return whether there is any component that the process may be; which ones in may_be. */
static bool find_components(const struct clients *clients, int fd, uint8_t *may_be)
{
	bool any = false;

	memset(may_be, 0, CLIENTS_MAX_COMPONENTS / 8);
	for (size_t i = 0; i < clients->num_components; i++) {
		if (!wire_peer_is(fd, clients->components[i].user, clients->components[i].group) &&
		    !wire_peer_is(fd, geteuid(), (gid_t)-1))
			continue;
		may_be[i / 8] |= (uint8_t)(1u << (i % 8));
		any = true;
	}
	return any;
}

/* A place that has not been used before. NULL without memory. */
static struct client *new_place(struct clients *clients, size_t place)
{
	struct client *client = crossvm_host_allocate(clients->host, sizeof(*client));

	if (client == NULL)
		return NULL;
	client->clients = clients;
	client->place = (uint32_t)place;
	wire_init(&client->wire);
	atomic_store_explicit(&clients->state->places[place], client, memory_order_release);
	return client;
}

/* A free place, or that of the client which has been there longest without opening anything. */
static struct client *find_place(struct clients *clients)
{
	struct client *oldest = NULL;

	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct client *client = at(clients, i);

		if (client == NULL)
			return new_place(clients, i);
		if (state_of(client) == CLIENT_FREE)
			return client;
		if (client->member == NULL && (oldest == NULL || client->arrival < oldest->arrival))
			oldest = client;
	}
	if (oldest != NULL)
		part(oldest);
	return oldest;
}

static void settle(struct client *client, int fd, const struct wire_peer *peer,
		   const uint8_t *may_be)
{
	client->pid = peer->pid;
	client->uid = peer->uid;
	memcpy(client->may_be, may_be, sizeof(client->may_be));
	client->member = NULL;
	client->arrival = ++client->clients->state->arrivals;
	set_state(client, CLIENT_USED);
	wire_open(&client->wire, fd, WIRE_PACKETS);
	watch_client(client);
}

/* @return whether the socket got a place; otherwise it is closed. */
static bool admit(struct clients *clients, int fd)
{
	uint8_t may_be[CLIENTS_MAX_COMPONENTS / 8];
	struct wire_peer peer;
	struct client *client;
	char reason[128];

	if (wire_peer_of(fd, &peer) != 0 || !find_components(clients, fd, may_be)) {
		snprintf(reason, sizeof(reason),
			 "user %u may be no component of this system; give one that user or group "
			 "in the system file",
			 peer.uid);
		turn_away(clients, fd, -EACCES, reason);
		return false;
	}
	client = find_place(clients);
	if (client == NULL) {
		snprintf(reason, sizeof(reason),
			 "%u connections are open, as many as can be; close some", CLIENTS_MAX);
		turn_away(clients, fd, -EBUSY, reason);
		return false;
	}
	settle(client, fd, &peer, may_be);
	return true;
}

/*
 * No descriptor is left. Left alone, the listener would stay readable and we would spin: turn the
 * next one away with the descriptor kept for this, or else listen no more until somebody leaves.
 */
static void turn_away_without_descriptors(struct clients *clients)
{
	int reserve = clients->state->reserve_fd;
	int fd;

	clients->state->reserve_fd = -1;
	if (reserve >= 0)
		close(reserve);
	fd = wire_accept(&clients->listener, NULL);
	if (fd >= 0)
		turn_away(clients, fd, -EMFILE,
			  "crossvmd has as many files open as it may; raise LimitNOFILE= or close "
			  "connections");
	clients->state->reserve_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
	if (fd >= 0 || fd == -EAGAIN)
		return;
	log_limited(clients->log, &clients->limit, CROSSVM_LOG_ERROR,
		    "no component can connect until another one leaves: %s", strerror(-fd));
	clients->state->paused = true;
	crossvm_host_unwatch(clients->host, clients->state->watch);
}

static void listener_ready(void *context, uint32_t events)
{
	struct clients *clients = context;
	int fd = wire_accept(&clients->listener, NULL);

	(void)events;
	if (fd >= 0)
		admit(clients, fd);
	else if (fd != -EAGAIN)
		turn_away_without_descriptors(clients);
}

static void watch_listener(struct clients *clients)
{
	int error;

	crossvm_host_unwatch(clients->host, clients->state->watch);
	error = crossvm_host_watch(clients->host, clients->state->watch, clients->listener.fd,
				   EPOLLIN, listener_ready, clients);
	clients->state->paused = error != 0;
}

static int listen_in(struct clients *clients, const char *socket_dir)
{
	struct wire_listener_options options = {.kind = WIRE_PACKETS,
						.allowed_user = (uid_t)-1,
						.allowed_group = (gid_t)-1,
						.mode = 0666,
						.anyone = true};
	char path[sizeof(clients->listener.address.sun_path) + 1];
	int error;

	/* one more than fits is enough for wire_listen() to say so */
	snprintf(path, sizeof(path), "%s/%s", socket_dir, CROSSVM_COMPONENT_SOCKET_NAME);
	options.path = path;
	error = wire_listen(&options, &clients->listener);
	if (error)
		log_write(clients->log, CROSSVM_LOG_ERROR, "cannot listen at %s/%s: %s; %s",
			  socket_dir, CROSSVM_COMPONENT_SOCKET_NAME, strerror(-error),
			  error == -ENAMETOOLONG ? "choose a shorter --socket-dir"
						 : "look at that file and its folder");
	return error;
}

int clients_create(struct clients *clients, const char *socket_dir)
{
	int error;

	clients->listener.fd = -1;
	clients->state = crossvm_host_allocate(clients->host, sizeof(*clients->state));
	if (clients->state == NULL) {
		log_write(clients->log, CROSSVM_LOG_ERROR, "no memory for component clients");
		return -ENOMEM;
	}
	error = listen_in(clients, socket_dir);
	if (error)
		return error;
	clients->state->reserve_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
	return clients->state->reserve_fd < 0 ? -errno : 0;
}

void clients_destroy(struct clients *clients)
{
	if (clients->state == NULL)
		return;
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		if (at(clients, i) != NULL && state_of(at(clients, i)) != CLIENT_FREE)
			part(at(clients, i));
	if (clients->listener.fd >= 0) {
		crossvm_host_unwatch(clients->host, clients->state->watch);
		wire_listener_close(&clients->listener);
	}
	if (clients->state->reserve_fd >= 0)
		close(clients->state->reserve_fd);
}

int clients_start(struct clients *clients)
{
	watch_listener(clients);
	return clients->state->paused ? -EIO : 0;
}

static bool knows(const struct client *client, int fd)
{
	const struct route_open *open;

	if (state_of(client) == CLIENT_FREE)
		return false;
	if (wire_knows(&client->wire, fd))
		return true;
	if (client->member == NULL)
		return false;
	open = &client->member->state->opens[client->open_index];
	return atomic_load_explicit(&open->event_fd, memory_order_relaxed) == fd;
}

bool clients_know(struct clients *clients, int fd)
{
	if (fd == clients->state->reserve_fd)
		return true;
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		if (at(clients, i) != NULL && knows(at(clients, i), fd))
			return true;
	/* A socket that nobody has closed yet, but that has gone, gets a place and leaves it soon. */
	return wire_accepted_from(&clients->listener, fd) && admit(clients, fd);
}

static void recover_client(struct clients *clients, struct client *client)
{
	const struct clients_state *state = clients->state;
	int error;

	if (state_of(client) == CLIENT_CLOSING || client->wire.fd < 0) {
		part(client);
		return;
	}
	if (state->applying.active && client->place == state->applying.place &&
	    state->applying.crashes >= MAX_CRASHES) {
		log_write(clients->log, CROSSVM_LOG_ERROR,
			  "process %d is disconnected: %u workers in a row have crashed at one and "
			  "the same message of it; please report this",
			  (int)client->pid, MAX_CRASHES);
		part(client);
		clients->state->applying.active = false;
		return;
	}
	error = wire_flush(&client->wire);
	if (error && error != -EAGAIN)
		part(client);
	else
		watch_client(client);
	if (state_of(client) == CLIENT_USED)
		process(client, wire_events(&client->wire));
}

/*
 * Have all of it mapped in this process: where the kernel is to store a receipt into a page that is
 * not, a process that is being killed might lose it.
 */
static void touch(struct client *client)
{
	volatile unsigned char *bytes = (volatile unsigned char *)client;

	for (size_t i = 0; i < sizeof(*client); i += CROSSVM_PAGE_BYTES)
		bytes[i] = bytes[i];
	bytes[sizeof(*client) - 1] = bytes[sizeof(*client) - 1];
}

void clients_resume(struct clients *clients)
{
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct client *client = at(clients, i);

		if (client == NULL)
			continue;
		touch(client);
		/* What comes of it is seen again when it goes on. */
		if (client->wire.fd >= 0)
			wire_resume(&client->wire);
	}
}

void clients_recover(struct clients *clients, bool crashed)
{
	if (crashed && clients->state->applying.active)
		clients->state->applying.crashes++;
	if (clients->state->paused)
		watch_listener(clients);
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		if (at(clients, i) != NULL && state_of(at(clients, i)) != CLIENT_FREE)
			recover_client(clients, at(clients, i));
}

size_t clients_descriptors(void)
{
	/* socket, eventfd, and what an ill-willed message brings along */
	return (size_t)CLIENTS_MAX * (2 + WIRE_MAX_FDS);
}
