/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Backend for a component: a process beside the VMs, served by crossvmd. Events wake through an
 * eventfd, totals stand in the status page, the dataport is a memory fd; the socket carries emits
 * and, by its end, tells that the daemon has gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/backend.h"
#include "lib/component_socket.h"
#include "lib/error.h"
#include "lib/list.h"
#include "lib/status.h"

/* More connections than that are taken for a daemon gone mad. */
#define MAX_LISTED 65536

enum { FD_STATUS, FD_EVENT, FD_DATAPORT };

struct component_connection {
	struct crossvm_connection base;
	int socket;
	int event_fd;
	int epoll_fd; /* over both */
};

static struct component_connection *of(struct crossvm_connection *conn)
{
	return (struct component_connection *)conn;
}

static int component_gone(struct crossvm_connection *conn)
{
	return crossvm_connection_gone(conn, -EPIPE,
				       "crossvmd has closed the connection; open it again once the "
				       "daemon is back");
}

static int component_emit(struct crossvm_connection *conn)
{
	const struct crossvm_component_emit emit = {
		.header = {CROSSVM_COMPONENT_MAGIC, CROSSVM_COMPONENT_VERSION,
			   CROSSVM_COMPONENT_EMIT},
	};
	ssize_t sent;

	/* A system call orders the stores before it for whoever sees what it caused. */
	do {
		sent = send(of(conn)->socket, &emit, sizeof(emit), MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	if (sent == (ssize_t)sizeof(emit))
		return 0;
	if (errno == EPIPE || errno == ECONNRESET)
		return component_gone(conn);
	return crossvm_fail(-errno, "%s: cannot emit: %s", conn->name, strerror(errno));
}

static int component_arm(struct crossvm_connection *conn)
{
	uint64_t wakeups;

	/* Not blocking: -EAGAIN says that there is none. */
	if (read(of(conn)->event_fd, &wakeups, sizeof(wakeups)) < 0 && errno != EAGAIN)
		return crossvm_fail(-errno, "%s: cannot read its eventfd: %s", conn->name,
				    strerror(errno));
	if (atomic_load_explicit(&conn->gone, memory_order_relaxed))
		return component_gone(conn);
	return 0;
}

static int component_sleep(struct crossvm_connection *conn, int timeout_ms)
{
	struct epoll_event events[2];
	int ready = epoll_wait(of(conn)->epoll_fd, events, 2, timeout_ms);

	if (ready < 0)
		return errno == EINTR ? crossvm_fail_fixed(-EINTR, "a signal came while waiting")
				      : crossvm_fail(-errno, "%s: cannot wait: %s", conn->name,
						     strerror(errno));
	if (ready == 0)
		return -ETIMEDOUT;
	/* After OPENED the daemon sends nothing but a last word before it closes. */
	for (int i = 0; i < ready; i++) {
		if (events[i].data.fd == of(conn)->socket)
			component_gone(conn);
	}
	return 0;
}

static int component_fd(const struct crossvm_connection *conn)
{
	return ((const struct component_connection *)conn)->epoll_fd;
}

static void close_if_open(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void component_close(struct crossvm_connection *conn)
{
	close_if_open(of(conn)->epoll_fd);
	close_if_open(of(conn)->event_fd);
	close_if_open(of(conn)->socket);
	crossvm_connection_release(conn);
}

static const struct crossvm_backend_ops component_ops = {
	.emit = component_emit,
	.arm = component_arm,
	.sleep = component_sleep,
	.fd = component_fd,
	.close = component_close,
};

/*
 * Map memory that the daemon sent. Only memory that cannot shrink is taken: an access behind its
 * end would be a SIGBUS, at any later time.
 */
static int map_sealed(struct crossvm_connection *conn, struct crossvm_mapping *mapping, int fd,
		      size_t bytes, int protection, const char *what)
{
	struct stat status;
	int seals = fcntl(fd, F_GET_SEALS);
	int error;

	if (seals < 0 || !(seals & F_SEAL_SHRINK))
		return crossvm_fail(-EPROTO, "%s: crossvmd sent a %s that is not sealed memory",
				    conn->name, what);
	if (fstat(fd, &status) < 0 || status.st_size < 0 || (size_t)status.st_size < bytes)
		return crossvm_fail(-EPROTO, "%s: crossvmd sent a %s smaller than its %zu bytes",
				    conn->name, what, bytes);
	error = crossvm_map(mapping, fd, 0, bytes, protection);
	if (error)
		return crossvm_fail(error, "%s: cannot map the %s of %zu bytes: %s", conn->name,
				    what, bytes, strerror(-error));
	return 0;
}

static int map_memory(struct crossvm_connection *conn,
		      const struct crossvm_component_answer *answer)
{
	int protection = PROT_READ | (conn->access & CROSSVM_OPEN_WRITE ? PROT_WRITE : 0);
	int error = map_sealed(conn, &conn->status, answer->fds[FD_STATUS], CROSSVM_PAGE_BYTES,
			       PROT_READ, "status page");

	if (error)
		return error;
	error = crossvm_status_read(conn->status.address, conn->name, &conn->info);
	if (error)
		return error;
	if (conn->info.dataport_bytes != answer->entry.dataport_bytes ||
	    conn->info.member_access != answer->entry.member_access)
		return crossvm_fail(-EPROTO, "%s: crossvmd's answer and status page do not agree",
				    conn->name);
	error = crossvm_access_check(conn, answer->entry.component);
	if (error || answer->num_fds <= FD_DATAPORT)
		return error;
	return map_sealed(conn, &conn->dataport, answer->fds[FD_DATAPORT],
			  (size_t)conn->info.dataport_bytes, protection, "dataport");
}

static int watch(struct crossvm_connection *conn)
{
	struct component_connection *component = of(conn);
	const int fds[] = {component->event_fd, component->socket};
	int flags = fcntl(component->event_fd, F_GETFL);

	if (flags < 0 || fcntl(component->event_fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return crossvm_fail(-errno, "%s: cannot set up its eventfd: %s", conn->name,
				    strerror(errno));
	component->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (component->epoll_fd < 0)
		return crossvm_fail(-errno, "%s: cannot create an epoll descriptor: %s", conn->name,
				    strerror(errno));
	for (size_t i = 0; i < 2; i++) {
		struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.fd = fds[i]};

		if (epoll_ctl(component->epoll_fd, EPOLL_CTL_ADD, fds[i], &event) < 0)
			return crossvm_fail(-EPROTO,
					    "%s: crossvmd sent something else than an eventfd",
					    conn->name);
	}
	return 0;
}

/* Take over what an OPENED answer brought. */
static int adopt(struct crossvm_connection *conn, struct crossvm_component_answer *answer)
{
	bool dataport = (conn->access & CROSSVM_OPEN_READ) && answer->entry.dataport_bytes;
	int error;

	if (strcmp(answer->entry.connection, conn->name) != 0)
		return crossvm_fail(-EPROTO, "%s: crossvmd opened another connection instead",
				    conn->name);
	if (answer->num_fds != (dataport ? 3 : 2))
		return crossvm_fail(-EPROTO, "%s: crossvmd sent %zu descriptors instead of %d",
				    conn->name, answer->num_fds, dataport ? 3 : 2);
	error = map_memory(conn, answer);
	if (error)
		return error;
	of(conn)->event_fd = answer->fds[FD_EVENT];
	answer->fds[FD_EVENT] = answer->fds[--answer->num_fds];
	return watch(conn);
}

static uint32_t wanted_access(unsigned int access)
{
	if (access & CROSSVM_OPEN_WRITE)
		return CROSSVM_ACCESS_READ | CROSSVM_ACCESS_WRITE;
	return access & CROSSVM_OPEN_READ ? CROSSVM_ACCESS_READ : 0;
}

static int attach(struct crossvm_connection *conn, const struct crossvm_open_request *request)
{
	struct crossvm_component_answer answer;
	int error = crossvm_component_request(of(conn)->socket, CROSSVM_COMPONENT_OPEN, conn->name,
					      request->options, wanted_access(conn->access));

	if (error)
		return error;
	error = crossvm_component_receive(of(conn)->socket, CROSSVM_COMPONENT_OPENED, &answer);
	if (error)
		return error;
	error = adopt(conn, &answer);
	crossvm_component_close_fds(&answer);
	return error;
}

int crossvm_component_open(const struct crossvm_open_request *request,
			   struct crossvm_connection **conn)
{
	struct component_connection *component;
	int socket_fd;
	int error = crossvm_component_connect(request->root, request->options, &socket_fd);

	if (error)
		return error;
	component = calloc(1, sizeof(*component));
	if (!component) {
		close(socket_fd);
		return crossvm_fail(-ENOMEM, "%s: out of memory", request->name);
	}
	crossvm_connection_prepare(&component->base, &component_ops, request,
				   CROSSVM_BACKEND_COMPONENT);
	component->base.info.interrupt = "eventfd";
	component->base.info.revision = CROSSVM_COMPONENT_VERSION;
	component->socket = socket_fd;
	component->event_fd = -1;
	component->epoll_fd = -1;
	error = attach(&component->base, request);
	if (error) {
		component_close(&component->base);
		return error == -ENOENT ? CROSSVM_NOT_BY_NAME : error;
	}
	crossvm_connection_start(&component->base);
	*conn = &component->base;
	return 0;
}

static int receive_list(int socket_fd, struct crossvm_list *list)
{
	for (size_t i = 0; i < MAX_LISTED; i++) {
		struct crossvm_list_entry entry = {.backend = CROSSVM_BACKEND_COMPONENT};
		struct crossvm_component_answer answer;
		int error = crossvm_component_receive(socket_fd, CROSSVM_COMPONENT_ENTRY, &answer);

		if (error)
			return error;
		crossvm_component_close_fds(&answer);
		if (!answer.entry.connection[0])
			return 0;
		memcpy(entry.name, answer.entry.connection, sizeof(entry.name));
		memcpy(entry.component, answer.entry.component, sizeof(entry.component));
		crossvm_name_clean(entry.name);
		crossvm_name_clean(entry.component);
		entry.member_access = answer.entry.member_access;
		entry.dataport_bytes = answer.entry.dataport_bytes;
		error = crossvm_list_add(list, &entry);
		if (error)
			return error;
	}
	return crossvm_fail(-EPROTO, "crossvmd's list of connections does not end");
}

int crossvm_component_list(const char *root, const struct crossvm_open_options *options,
			   struct crossvm_list *list)
{
	int socket_fd;
	int error = crossvm_component_connect(root, options, &socket_fd);

	if (error)
		return error;
	error = crossvm_component_request(socket_fd, CROSSVM_COMPONENT_LIST, "", options, 0);
	if (!error)
		error = receive_list(socket_fd, list);
	close(socket_fd);
	return error;
}
