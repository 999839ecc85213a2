/* SPDX-License-Identifier: BSD-2-Clause */
/* Clients that connect. One is accepted in a turn. */
#include <errno.h>
#include <sys/epoll.h>

#include "server/internal.h"

static unsigned int ready(void *context, uint32_t events, unsigned int budget)
{
	struct acceptor *acceptor = context;
	int fd;

	(void)events;
	if (acceptor->may_accept && !acceptor->may_accept(acceptor->context)) {
		watches_pause(acceptor->server->watches, acceptor->listener.fd);
		return budget;
	}
	fd = listener_accept(&acceptor->listener);
	if (fd >= 0) {
		acceptor->accepted(acceptor->context, fd);
	} else if (fd != -EAGAIN) {
		/* Left alone, it would stay ready, and keep this process busy. */
		watches_pause(acceptor->server->watches, acceptor->listener.fd);
		acceptor->failed(acceptor->context, fd);
	}
	return budget;
}

static int watch(struct acceptor *acceptor)
{
	return watches_set(acceptor->server->watches, acceptor->listener.fd, EPOLLIN,
			   &acceptor->owner, ready, acceptor);
}

int acceptor_open(struct acceptor *acceptor, struct server *server,
		  const struct listener_options *options)
{
	int error = listener_open(options, &acceptor->listener);

	acceptor->server = server;
	if (error)
		return error;
	error = watch(acceptor);
	if (error) {
		listener_close(&acceptor->listener);
		return error;
	}
	acceptor->next = server->acceptors;
	server->acceptors = acceptor;
	return 0;
}

void acceptor_close(struct acceptor *acceptor)
{
	struct acceptor **link;

	if (!acceptor->server || acceptor->listener.fd < 0)
		return;
	for (link = &acceptor->server->acceptors; *link && *link != acceptor; link = &(*link)->next)
		;
	if (*link)
		*link = acceptor->next;
	watches_remove(acceptor->server->watches, acceptor->listener.fd);
	listener_close(&acceptor->listener);
}

void acceptors_renew(struct server *server)
{
	for (struct acceptor *each = server->acceptors; each; each = each->next) {
		watch(each);
		server_mark(server, each->listener.fd);
	}
}

bool acceptors_adopt(struct server *server, int fd)
{
	for (struct acceptor *each = server->acceptors; each; each = each->next)
		if (listener_accepted(&each->listener, fd)) {
			each->accepted(each->context, fd);
			return true;
		}
	return false;
}
