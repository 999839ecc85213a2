/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/component.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

#include <crossvm/name.h>

#include "daemon/component_member.h"

static struct crossvm_component_header header(enum crossvm_component_type type)
{
	return (struct crossvm_component_header){.magic = CROSSVM_COMPONENT_MAGIC,
						 .version = CROSSVM_COMPONENT_VERSION,
						 .type = (uint16_t)type};
}

/* Into zeroed room, which keeps its NUL. */
static void copy_text(char *to, const char *text, size_t room)
{
	memcpy(to, text, strnlen(text, room - 1));
}

size_t component_failure(struct crossvm_component_failure *failure, int error, const char *message)
{
	memset(failure, 0, sizeof(*failure));
	failure->header = header(CROSSVM_COMPONENT_FAILED);
	failure->error = error;
	copy_text(failure->message, message, sizeof(failure->message));
	return sizeof(*failure);
}

/* Answer with a failure. @return error, for the client to be disconnected. */
__attribute__((format(printf, 4, 5))) static int
refuse(struct client *client, struct wire_message *message, int error, const char *format, ...)
{
	char text[sizeof(((struct crossvm_component_failure *)NULL)->message)];
	struct clients *clients = client->clients;
	struct wire *wire = &client->state->wire;
	va_list args;
	size_t bytes;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	log_limited(&clients->server->log, &clients->state->limit, CROSSVM_LOG_INFO,
		    "process %d of user %u refused: %s", (int)client->state->pid,
		    client->state->uid, text);
	bytes = component_failure((void *)wire_answer(wire), error, text);
	wire_answered(wire, &client->owner, message, bytes, NULL, 0, false);
	return error;
}

static bool may_be(const struct client *client, size_t component)
{
	return (client->state->may_be[component / 8] & (1u << (component % 8))) != 0;
}

/*
 * Whether the name has an end. What no name contains is replaced, so that it can be shown; it still
 * names nothing.
 */
static bool take_name(char *name)
{
	if (memchr(name, '\0', CROSSVM_NAME_BYTES) == NULL)
		return false;
	for (; *name != '\0'; name++)
		if (strchr(CROSSVM_NAME_CHARACTERS, *name) == NULL)
			*name = '?';
	return true;
}

static struct route_connection *find_connection(const struct clients *clients, const char *name)
{
	const struct route *route = clients->route;

	for (size_t i = 0; i < route->num_connections; i++)
		if (strcmp(route->connections[i].name, name) == 0)
			return &route->connections[i];
	return NULL;
}

/* Whether the client may be this member, and asks for it by this name ("": for any). */
static bool matches(const struct client *client, const struct route_member *member,
		    const char *component)
{
	return member->vm == NULL && may_be(client, member->index) &&
	       (component[0] == '\0' || strcmp(member->name, component) == 0);
}

/* The one member that the client asks for; NULL after it was refused with *error. */
static struct route_member *find_member(struct client *client, struct wire_message *message,
					struct route_connection *connection, const char *component,
					int *error)
{
	struct route_member *found = NULL;

	for (size_t i = 0; i < connection->num_members; i++) {
		struct route_member *member = &connection->members[i];

		if (!matches(client, member, component))
			continue;
		if (found != NULL) {
			*error = refuse(client, message, -EINVAL,
					"in connection '%s' you may be '%s' or '%s'; say which "
					"(CROSSVM_COMPONENT)",
					connection->name, found->name, member->name);
			return NULL;
		}
		found = member;
	}
	if (found != NULL)
		return found;
	if (component[0] != '\0')
		*error = refuse(client, message, -EACCES,
				"connection '%s' has no member '%s' that user %u may be; give it a "
				"user or group in the system file",
				connection->name, component, client->state->uid);
	else
		*error = refuse(client, message, -EACCES,
				"connection '%s' has no component that user %u may be; give it a "
				"user or group in the system file",
				connection->name, client->state->uid);
	return NULL;
}

/* The place among the member's opens that is the client's already, or else a free one. */
static struct route_open *find_open(struct client *client, struct route_member *member)
{
	uint32_t user = client->place + 1;
	struct route_open *free_open = NULL;

	for (uint32_t i = 0; i < ROUTE_MAX_OPENS; i++) {
		struct route_open *open = &member->state->opens[i];
		uint32_t owner = atomic_load_explicit(&open->user, memory_order_relaxed);

		if (owner == user)
			return open;
		if (owner == 0 && free_open == NULL)
			free_open = open;
	}
	return free_open;
}

/* The member that the client has open; NULL: none. */
static struct route_member *member_of(const struct client *client)
{
	const struct route *route = client->clients->route;
	const struct client_state *state = client->state;

	if (state->open_connection == 0)
		return NULL;
	return &route->connections[state->open_connection - 1].members[state->open_member];
}

static struct route_open *open_of(const struct client *client)
{
	return &member_of(client)->state->opens[client->state->open_index];
}

/* Each step can be repeated by another worker. @return 0 or -errno. */
static int take_open(struct client *client, const struct wire_message *message,
		     struct route_member *member, struct route_open *open)
{
	struct client_state *state = client->state;
	const uint32_t index = (uint32_t)(open - member->state->opens);
	int fd;

	state->open_message = message->id;
	state->open_index = index;
	state->open_member = member->id;
	atomic_signal_fence(memory_order_seq_cst);
	state->open_connection =
		(uint32_t)(member->connection - client->clients->route->connections) + 1;
	/* Until now nobody emits from here: the last user's messages must not be mistaken for ours. */
	atomic_store_explicit(&member->state->sources[index].message, 0, memory_order_release);
	atomic_store_explicit(&open->user, client->place + 1, memory_order_release);
	atomic_signal_fence(memory_order_seq_cst);
	if (open->event_fd >= 0)
		return 0;
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	open->event_fd = fd;
	return 0;
}

static void fill_entry(struct crossvm_component_entry *entry, enum crossvm_component_type type,
		       const struct route_member *member)
{
	const struct route_connection *connection = member->connection;

	memset(entry, 0, sizeof(*entry));
	entry->header = header(type);
	copy_text(entry->connection, connection->name, CROSSVM_NAME_BYTES);
	copy_text(entry->component, member->name, CROSSVM_NAME_BYTES);
	entry->member_access = member->access;
	entry->dataport_bytes = connection->dataport_bytes;
}

static int opened(struct client *client, struct wire_message *message, uint32_t access)
{
	const struct route_member *member = member_of(client);
	const struct route_connection *connection = member->connection;
	struct wire *wire = &client->state->wire;
	int fds[3] = {component_member_page(member), open_of(client)->event_fd};
	uint32_t num_fds = 2;

	if (access != 0 && connection->dataport_bytes > 0)
		fds[num_fds++] = access & CROSSVM_ACCESS_WRITE ? connection->dataport_fd
							       : connection->read_only_fd;
	fill_entry((void *)wire_answer(wire), CROSSVM_COMPONENT_OPENED, member);
	return wire_answered(wire, &client->owner, message, sizeof(struct crossvm_component_entry),
			     fds, num_fds, false);
}

/*
 * Whether a process that has the member open has gone, and what it left behind is still to be served. It
 * comes first, or peers would not see that another process took its place.
 */
static bool another_is_leaving(const struct client *client, const struct route_member *member)
{
	struct pollfd sockets[ROUTE_MAX_OPENS];
	nfds_t count = 0;

	for (size_t i = 0; i < ROUTE_MAX_OPENS; i++) {
		const uint32_t user =
			atomic_load_explicit(&member->state->opens[i].user, memory_order_relaxed);

		if (user != 0 && user != client->place + 1)
			sockets[count++] = (struct pollfd){
				.fd = clients_socket(client->clients, user), .events = POLLRDHUP};
	}
	return count > 0 && poll(sockets, count, 0) > 0;
}

static int apply_open(struct client *client, struct wire_message *message,
		      const struct crossvm_component_request *request)
{
	struct route_connection *connection = find_connection(client->clients, request->connection);
	struct route_member *member;
	struct route_open *open;
	int error = 0;

	if (connection == NULL)
		return refuse(client, message, -ENOENT,
			      "there is no connection '%s' in this system; 'crossvm list' shows "
			      "those that are",
			      request->connection);
	member = find_member(client, message, connection, request->component, &error);
	if (member == NULL)
		return error;
	if (connection->dataport_bytes > 0 && (request->access & ~member->access) != 0)
		return refuse(client, message, -EACCES,
			      "'%s' is read-only in connection '%s'; open it for reading only, or "
			      "make it read-write in the system file",
			      member->name, connection->name);
	if (another_is_leaving(client, member))
		return -EINPROGRESS;
	if (clients_are_struck_out(client))
		return refuse(
			client, message, -EPERM,
			"user %u has held up crossvmd too often, by eventfds that were full and "
			"made to block; try again in ten minutes",
			client->state->uid);
	open = find_open(client, member);
	if (open == NULL)
		return refuse(client, message, -EBUSY,
			      "%u processes have '%s' open as '%s' already; close one of them",
			      ROUTE_MAX_OPENS, connection->name, member->name);
	error = take_open(client, message, member, open);
	if (error)
		return refuse(client, message, error,
			      "crossvmd cannot create an eventfd (%s); close other connections",
			      strerror(-error));
	route_set_state(member, CROSSVM_PEER_OPEN);
	server_log(&client->clients->server->log, CROSSVM_LOG_DEBUG,
		   "process %d opened '%s' as '%s'", (int)client->state->pid, connection->name,
		   member->name);
	return opened(client, message, request->access);
}

/*
 * The nth member that the client may be, NULL after the last: looked for behind the one before, if this
 * worker has found that one.
 */
static struct route_member *nth_member(struct client *client, const char *component,
				       const struct wire_message *message)
{
	const struct route *route = client->clients->route;
	const bool goes_on = message->step > 0 && client->list.message == message->id;
	uint32_t left = goes_on ? 0 : message->step;
	size_t j = goes_on ? client->list.member : 0;

	for (size_t i = goes_on ? client->list.connection : 0; i < route->num_connections; i++) {
		struct route_connection *connection = &route->connections[i];

		for (; j < connection->num_members; j++) {
			if (!matches(client, &connection->members[j], component) || left-- > 0)
				continue;
			client->list.message = message->id + 1;
			client->list.connection = i;
			client->list.member = j + 1;
			return &connection->members[j];
		}
		j = 0;
	}
	return NULL;
}

/* One entry; the message comes again for the next, until the last, which is empty. */
static int apply_list(struct client *client, struct wire_message *message,
		      const struct crossvm_component_request *request)
{
	struct wire *wire = &client->state->wire;
	struct route_member *member = message->step == UINT16_MAX
					      ? NULL
					      : nth_member(client, request->component, message);
	struct crossvm_component_entry *entry = (void *)wire_answer(wire);

	if (member != NULL) {
		fill_entry(entry, CROSSVM_COMPONENT_ENTRY, member);
	} else {
		memset(entry, 0, sizeof(*entry));
		entry->header = header(CROSSVM_COMPONENT_ENTRY);
	}
	return wire_answered(wire, &client->owner, message, sizeof(*entry), NULL, 0,
			     member != NULL);
}

static int apply_request(struct client *client, struct wire_message *message, bool list)
{
	struct crossvm_component_request request;

	if (message->bytes != sizeof(request))
		return refuse(client, message, -EPROTO, "a request of %zu bytes instead of %zu",
			      message->bytes, sizeof(request));
	memcpy(&request, message->data, sizeof(request));
	if (!take_name(request.connection) || !take_name(request.component))
		return refuse(client, message, -EPROTO, "a name without end in a request");
	if (member_of(client) != NULL && client->state->open_message != message->id)
		return refuse(client, message, -EPROTO,
			      "a second request after OPEN; use a socket for each");
	if (list)
		return apply_list(client, message, &request);
	if (request.access & ~(CROSSVM_ACCESS_READ | CROSSVM_ACCESS_WRITE))
		return refuse(client, message, -EINVAL, "access 0x%x is not known", request.access);
	return apply_open(client, message, &request);
}

int component_apply(struct client *client, struct wire_message *message)
{
	struct crossvm_component_header said;

	if (message->bytes < sizeof(said))
		return refuse(client, message, -EPROTO, "a message of %zu bytes", message->bytes);
	memcpy(&said, message->data, sizeof(said));
	if (said.magic != CROSSVM_COMPONENT_MAGIC)
		return refuse(client, message, -EPROTO, "not a message to crossvmd");
	if (said.version != CROSSVM_COMPONENT_VERSION)
		return refuse(client, message, -EPROTO,
			      "version %u of the component protocol; this crossvmd speaks %u",
			      said.version, CROSSVM_COMPONENT_VERSION);
	switch (said.type) {
	case CROSSVM_COMPONENT_OPEN:
		return apply_request(client, message, false);
	case CROSSVM_COMPONENT_LIST:
		return apply_request(client, message, true);
	case CROSSVM_COMPONENT_EMIT:
		if (message->bytes != sizeof(struct crossvm_component_emit))
			return refuse(client, message, -EPROTO, "an emit of %zu bytes",
				      message->bytes);
		if (member_of(client) == NULL)
			return refuse(client, message, -EPROTO, "an emit before OPEN");
		route_emit(member_of(client), client->state->open_index, message->id);
		wire_done(&client->state->wire, &client->owner, message);
		return 0;
	default:
		return refuse(client, message, -EPROTO, "a message of unknown type %u", said.type);
	}
}

static bool is_open(const struct route_member *member)
{
	for (size_t i = 0; i < ROUTE_MAX_OPENS; i++)
		if (atomic_load_explicit(&member->state->opens[i].user, memory_order_relaxed) != 0)
			return true;
	return false;
}

void component_close(struct client *client)
{
	struct route_member *member = member_of(client);
	struct clients *clients = client->clients;
	struct route_open *open;

	if (member == NULL)
		return;
	open = open_of(client);
	if (atomic_load_explicit(&open->user, memory_order_relaxed) == client->place + 1) {
		closing_take(&clients->server->closing, &open->event_fd, client->state->uid);
		atomic_store_explicit(&open->user, 0, memory_order_release);
		server_log(&clients->server->log, CROSSVM_LOG_DEBUG, "process %d closed '%s'",
			   (int)client->state->pid, member->connection->name);
	}
	if (!is_open(member))
		route_set_state(member, CROSSVM_PEER_ABSENT);
	atomic_signal_fence(memory_order_seq_cst);
	client->state->open_connection = 0;
}
