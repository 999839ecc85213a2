/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/clients.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/component.h"

static enum client_phase phase_of(const struct client *client)
{
	return (enum client_phase)atomic_load_explicit(
		&client->clients->state->phases[client->place], memory_order_relaxed);
}

static void set_phase(struct client *client, enum client_phase phase)
{
	atomic_store_explicit(&client->clients->state->phases[client->place], (uint8_t)phase,
			      memory_order_release);
	atomic_signal_fence(memory_order_seq_cst);
}

/* Users. */

static struct client_user *find_user(struct clients *clients, uid_t uid)
{
	struct client_user *free_entry = NULL;

	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct client_user *user = &clients->users[i];

		if (user->places != 0 && user->uid == uid)
			return user;
		if (user->places == 0 && free_entry == NULL)
			free_entry = user;
	}
	/* There are as many as places, so one is free if a place is. */
	if (free_entry != NULL)
		*free_entry = (struct client_user){.uid = uid};
	return free_entry;
}

static void set_user(struct client *client, struct client_user *user)
{
	if (client->user != NULL)
		client->user->places--;
	client->user = user;
	if (user == NULL)
		return;
	user->places++;
	client->owner =
		(struct wire_owner){.closing = &client->clients->server->closing, .id = user->uid};
}

static struct strikes *find_strikes(const struct clients *clients, uid_t uid)
{
	struct clients_state *state = clients->state;

	for (size_t i = 0; i < CLIENTS_STRIKES; i++)
		if (state->strikes[i].strikes.count > 0 && state->strikes[i].uid == uid)
			return &state->strikes[i].strikes;
	return NULL;
}

/* The user's, or else the one that began longest ago. */
static struct strikes *take_strikes(struct clients *clients, uid_t uid)
{
	struct strikes *found = find_strikes(clients, uid);
	struct clients_state *state = clients->state;
	size_t oldest = 0;

	if (found != NULL)
		return found;
	for (size_t i = 0; i < CLIENTS_STRIKES; i++)
		if (state->strikes[i].strikes.since < state->strikes[oldest].strikes.since)
			oldest = i;
	state->strikes[oldest].strikes = (struct strikes){0};
	state->strikes[oldest].uid = uid;
	return &state->strikes[oldest].strikes;
}

bool clients_are_struck_out(const struct client *client)
{
	const struct strikes *strikes = find_strikes(client->clients, client->state->uid);

	return strikes != NULL && is_struck_out(strikes);
}

int clients_socket(const struct clients *clients, uint32_t user)
{
	return clients->clients[user - 1].state->wire.fd;
}

void clients_held_up(struct clients *clients, uint32_t user, int *event_fd)
{
	const struct client *client = &clients->clients[user - 1];

	closing_take(&clients->server->closing, event_fd, client->state->uid);
	strike(take_strikes(clients, client->state->uid));
	log_limited(
		&clients->server->log, &clients->state->limit, CROSSVM_LOG_WARNING,
		"process %d of user %u is disconnected: its eventfd was full and made to block, "
		"which held up everybody for a moment",
		(int)client->state->pid, client->state->uid);
	wire_shut_down(&client->state->wire);
}

/* Clients. */

static unsigned int client_ready(void *context, uint32_t events, unsigned int budget);

static int watch_client(struct client *client, uint32_t events)
{
	return watches_set(client->clients->server->watches, client->state->wire.fd, events,
			   &client->user->owner, client_ready, client);
}

/* Every step can be repeated by another worker, which finds CLIENT_PARTING. */
static void part(struct client *client)
{
	struct watches *watches = client->clients->server->watches;
	struct wire *wire = &client->state->wire;

	set_phase(client, CLIENT_PARTING);
	component_close(client);
	if (wire->fd >= 0) {
		wire_shut_down(wire);
		/* If it cannot even be watched, it is given up at once. */
		if (!wire_has_taken_all(wire) && watch_client(client, EPOLLOUT | EPOLLET) == 0)
			return;
		watches_remove(watches, wire->fd);
		wire_close(wire, &client->owner);
	}
	set_phase(client, CLIENT_FREE);
	set_user(client, NULL);
}

/* Apply what has been received. @return 0, 1 if messages are left over, or -errno to part. */
static int apply(struct client *client, unsigned int *budget)
{
	struct server *server = client->clients->server;
	struct wire *wire = &client->state->wire;
	struct wire_message message;
	int result;

	while ((result = wire_next(wire, NULL, &message)) > 0) {
		if (*budget == 0)
			return 1;
		--*budget;
		server_serve(server, wire);
		result = component_apply(client, &message);
		server_served(server);
		if (result == -EINPROGRESS)
			return 1;
		if (result == -ETOOMANYREFS)
			log_limited(
				&server->log, &client->clients->state->limit, CROSSVM_LOG_WARNING,
				"process %d of user %u cannot be sent a descriptor: crossvmd has "
				"too many on their way to processes that do not take them; "
				"disconnected",
				(int)client->state->pid, client->state->uid);
		if (result != 0 && result != -EAGAIN)
			return result;
	}
	return result;
}

/* As vfio_user_serve(). */
static int serve(struct client *client, unsigned int *budget)
{
	struct wire *wire = &client->state->wire;
	int result = 0;

	if (wire_is_answering(wire))
		result = wire_flush(wire);
	if (result)
		return result == -EAGAIN ? 0 : result;
	if (!wire_is_empty(wire))
		result = apply(client, budget);
	if (result || *budget == 0 || wire_is_answering(wire))
		return result;
	result = wire_receive(wire, &client->owner);
	if (result)
		return result == -EAGAIN ? 0 : result;
	return apply(client, budget);
}

static unsigned int client_ready(void *context, uint32_t events, unsigned int budget)
{
	struct client *client = context;
	struct watches *watches = client->clients->server->watches;
	const struct wire *wire = &client->state->wire;
	const bool was_answering = wire_is_answering(wire);
	unsigned int left = budget;
	int result;

	if (phase_of(client) != CLIENT_USED) {
		if (wire_has_taken_all(&client->state->wire))
			part(client);
		return 1;
	}
	result = serve(client, &left);
	/* If it has gone already, there is nothing to wait for. */
	if (result == -ENOBUFS && !(events & EPOLLHUP))
		watches_pause(watches, wire->fd);
	else if (result < 0 || (wire_is_answering(wire) != was_answering &&
				watch_client(client, wire_events(wire)) != 0))
		part(client);
	else if (result > 0)
		watches_again(watches, wire->fd);
	return budget - left;
}

/* Who may come. */

/* Say no to a socket that gets no place, and close it. */
__attribute__((format(printf, 5, 6))) static void turn_away(struct clients *clients, int fd,
							    const struct peer *peer, int error,
							    const char *format, ...)
{
	struct crossvm_component_failure failure;
	char reason[128];
	va_list arguments;
	size_t bytes;

	va_start(arguments, format);
	vsnprintf(reason, sizeof(reason), format, arguments);
	va_end(arguments);
	bytes = component_failure(&failure, error, reason);
	log_limited(&clients->server->log, &clients->state->limit, CROSSVM_LOG_WARNING,
		    "process %d of user %u was turned away from the component socket: %s",
		    (int)peer->pid, peer->uid, reason);
	if (send(fd, &failure, bytes, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		server_log(&clients->server->log, CROSSVM_LOG_DEBUG,
			   "and has not waited to hear it");
	shutdown(fd, SHUT_RDWR);
	closing_take_socket(&clients->server->closing, &fd, peer->uid);
}

/* @return whether there is any component that the process may be; which ones in may_be. */
static bool find_components(const struct clients *clients, const struct peer *peer, uint8_t *may_be)
{
	bool any = false;

	memset(may_be, 0, CLIENTS_MAX_COMPONENTS / 8);
	for (size_t i = 0; i < clients->num_components; i++) {
		if (!peer_is(&clients->server->rules, peer, clients->components[i].user,
			     clients->components[i].group))
			continue;
		may_be[i / 8] |= (uint8_t)(1u << (i % 8));
		any = true;
	}
	return any;
}

/* Of the clients that have opened nothing, the one that came first; of one user only, unless NULL. */
static struct client *find_idle(struct clients *clients, const struct client_user *user)
{
	struct client *oldest = NULL;

	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct client *client = &clients->clients[i];

		if (phase_of(client) != CLIENT_USED || client->state->open_connection != 0 ||
		    (user != NULL && client->user != user))
			continue;
		if (oldest == NULL || client->state->arrival < oldest->state->arrival)
			oldest = client;
	}
	return oldest;
}

static struct client *find_free(struct clients *clients)
{
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		if (phase_of(&clients->clients[i]) == CLIENT_FREE)
			return &clients->clients[i];
	return NULL;
}

/* A free place, or that of a client which has not opened anything. NULL: all are taken for good. */
static struct client *find_place(struct clients *clients, const struct client_user *user)
{
	const bool user_is_full = user->places >= CLIENTS_PER_USER;
	struct client *client = user_is_full ? NULL : find_free(clients);

	if (client != NULL)
		return client;
	client = find_idle(clients, user_is_full ? user : NULL);
	if (client == NULL)
		return NULL;
	part(client);
	return phase_of(client) == CLIENT_FREE ? client : NULL;
}

/* Have the place's memory, once and for all. @return 0 or -ENOMEM. */
static int make_present(struct client *client)
{
	_Atomic uint8_t *present = &client->clients->state->present[client->place];
	const int error = arena_populate_part(client->state, sizeof(*client->state));

	if (error || atomic_load(present))
		return error;
	wire_init(&client->state->wire);
	atomic_store(present, 1);
	return 0;
}

static void settle(struct client *client, struct client_user *user, int fd, const struct peer *peer,
		   const uint8_t *may_be)
{
	struct client_state *state = client->state;

	state->pid = peer->pid;
	state->uid = peer->uid;
	memcpy(state->may_be, may_be, sizeof(state->may_be));
	state->open_connection = 0;
	state->arrival = ++client->clients->state->arrivals;
	set_user(client, user);
	set_phase(client, CLIENT_USED);
	wire_open(&state->wire, fd, WIRE_PACKETS);
	if (watch_client(client, EPOLLIN) != 0)
		part(client);
}

static void admit(struct clients *clients, int fd, const struct peer *peer)
{
	uint8_t may_be[CLIENTS_MAX_COMPONENTS / 8];
	struct client_user *user;
	struct client *client;

	if (!find_components(clients, peer, may_be)) {
		turn_away(clients, fd, peer, -EACCES,
			  "user %u may be no component of this system; give one that user or group "
			  "in the system file",
			  peer->uid);
		return;
	}
	user = find_user(clients, peer->uid);
	client = user == NULL ? NULL : find_place(clients, user);
	if (client == NULL)
		turn_away(clients, fd, peer, -EBUSY,
			  "user %u has %u connections open, or all users %u, as many as can be; "
			  "close some",
			  peer->uid, CLIENTS_PER_USER, CLIENTS_MAX);
	else if (make_present(client) != 0)
		turn_away(clients, fd, peer, -ENOMEM, "crossvmd has no memory for another client");
	else
		settle(client, user, fd, peer, may_be);
}

static void accepted(void *context, int fd)
{
	struct peer peer;

	peer_read(fd, &peer);
	admit(context, fd, &peer);
	peer_free(&peer);
}

static void failed(void *context, int error)
{
	struct clients *clients = context;

	log_limited(&clients->server->log, &clients->state->limit, CROSSVM_LOG_ERROR,
		    "no component can connect until another one leaves: %s", strerror(-error));
}

/* Strangers connect too, on older kernels with descriptors: that many of these wait to be closed. */
static bool may_accept(void *context)
{
	const struct clients *clients = context;

	return closing_pending(&clients->server->closing) < CLOSING_RESERVE / 4;
}

/* Beginning and end. */

static int listen_in(struct clients *clients, const char *socket_dir)
{
	struct listener_options options = {
		.kind = WIRE_PACKETS, .user = (uid_t)-1, .group = (gid_t)-1, .mode = 0666};
	char path[sizeof(clients->acceptor.listener.address.sun_path) + 1];
	int error;

	/* one more than fits is enough for listener_open() to say so */
	snprintf(path, sizeof(path), "%s/%s", socket_dir, CROSSVM_COMPONENT_SOCKET_NAME);
	options.path = path;
	clients->acceptor.may_accept = may_accept;
	clients->acceptor.accepted = accepted;
	clients->acceptor.failed = failed;
	clients->acceptor.context = clients;
	error = acceptor_open(&clients->acceptor, clients->server, &options);
	if (error)
		server_log(&clients->server->log, CROSSVM_LOG_ERROR,
			   "cannot listen at %s/%s: %s; %s", socket_dir,
			   CROSSVM_COMPONENT_SOCKET_NAME, strerror(-error),
			   error == -ENAMETOOLONG ? "choose a shorter --socket-dir"
						  : "look at that file and its folder");
	return error;
}

int clients_create(struct clients *clients, const char *socket_dir)
{
	struct arena *arena = clients->server->arena;

	clients->state = arena_allocate(arena, sizeof(*clients->state));
	clients->places = arena_reserve(arena, CLIENTS_MAX * sizeof(*clients->places));
	if (clients->state == NULL || clients->places == NULL) {
		server_log(&clients->server->log, CROSSVM_LOG_ERROR,
			   "no memory for component clients");
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < CLIENTS_MAX; i++)
		clients->clients[i] = (struct client){
			.clients = clients, .place = i, .state = &clients->places[i]};
	return listen_in(clients, socket_dir);
}

void clients_destroy(struct clients *clients)
{
	acceptor_close(&clients->acceptor);
}

void clients_take_leave(struct clients *clients)
{
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		if (phase_of(&clients->clients[i]) != CLIENT_FREE)
			part(&clients->clients[i]);
}

static void resume_client(struct client *client)
{
	struct server *server = client->clients->server;
	struct wire *wire = &client->state->wire;

	set_user(client, find_user(client->clients, client->state->uid));
	wire_resume(wire, &client->owner);
	wire_mark(wire, server_mark, server);
	if (phase_of(client) != CLIENT_USED || wire->fd < 0 ||
	    watch_client(client, wire_events(wire)) != 0) {
		part(client);
	} else if (server_blames(server, wire)) {
		server_log(
			&server->log, CROSSVM_LOG_ERROR,
			"process %d is disconnected: %u workers in a row have crashed at one and "
			"the same message of it; please report this",
			(int)client->state->pid, SERVER_MAX_CRASHES);
		part(client);
	} else if (wire_has_work(wire)) {
		watches_again(server->watches, wire->fd);
	}
}

void clients_resume(struct clients *clients)
{
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct client *client = &clients->clients[i];

		/* Its memory must be mapped here before the kernel stores a receipt there. */
		if (phase_of(client) != CLIENT_FREE && make_present(client) == 0)
			resume_client(client);
	}
}

bool clients_name_wire(const struct clients *clients, uint64_t offset, char *text, size_t bytes)
{
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		if (arena_offset(clients->server->arena, &clients->places[i].wire) == offset) {
			snprintf(text, bytes, "the process at place %zu of the component socket",
				 i);
			return true;
		}
	return false;
}

size_t clients_descriptors(void)
{
	return (size_t)CLIENTS_MAX * 2; /* socket and eventfd */
}
