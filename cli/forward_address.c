/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/forward_address.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 128

static const char *parse_unix(const char *path, struct forward_address *address)
{
	struct sockaddr_un *to = (struct sockaddr_un *)&address->address;

	if (!*path)
		return "the path is missing";
	if (strlen(path) >= sizeof(to->sun_path))
		return "the path is too long for a socket";
	to->sun_family = AF_UNIX;
	memcpy(to->sun_path, path, strlen(path));
	address->bytes = (socklen_t)sizeof(*to);
	return NULL;
}

static const char *parse_port(const char *text, in_port_t *port)
{
	unsigned long value;
	char *end;

	if (!isdigit((unsigned char)*text))
		return "the port is not a number";
	value = strtoul(text, &end, 10);
	if (*end || value > UINT16_MAX)
		return "the port is not a number up to 65535";
	*port = htons((uint16_t)value);
	return NULL;
}

static const char *parse_host(const char *host, in_port_t port, struct forward_address *address)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&address->address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address->address;

	if (strcmp(host, "localhost") == 0)
		host = "127.0.0.1";
	if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = port;
		address->bytes = (socklen_t)sizeof(*v4);
		return NULL;
	}
	if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = port;
		address->bytes = (socklen_t)sizeof(*v6);
		return NULL;
	}
	return "the host is neither an address in numbers nor localhost";
}

static const char *parse_tcp(const char *text, struct forward_address *address)
{
	const char *colon = strrchr(text, ':');
	char host[INET6_ADDRSTRLEN + 2];
	const char *wrong;
	in_port_t port;
	size_t length;

	if (!colon)
		return "the port is missing";
	wrong = parse_port(colon + 1, &port);
	if (wrong)
		return wrong;
	length = (size_t)(colon - text);
	/* The colons of an IPv6 address are kept apart from the port's by brackets. */
	if (length > 2 && text[0] == '[' && colon[-1] == ']') {
		text++;
		length -= 2;
	} else if (memchr(text, ':', length)) {
		return "an IPv6 address needs brackets: tcp:[::1]:80";
	}
	if (length >= sizeof(host))
		return "the host is too long for an address";
	memcpy(host, text, length);
	host[length] = '\0';
	return parse_host(host, port, address);
}

const char *forward_address_parse(const char *text, struct forward_address *address)
{
	memset(address, 0, sizeof(*address));
	if (strncmp(text, "unix:", 5) == 0)
		return parse_unix(text + 5, address);
	if (strncmp(text, "tcp:", 4) == 0)
		return parse_tcp(text + 4, address);
	return "it begins neither with unix: nor with tcp:";
}

static int open_socket(const struct forward_address *address)
{
	int fd = socket(address->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd < 0 ? -errno : fd;
}

static bool is_unix(const struct forward_address *address)
{
	return address->address.ss_family == AF_UNIX;
}

static const char *path_of(const struct forward_address *address)
{
	return ((const struct sockaddr_un *)&address->address)->sun_path;
}

/* Whether a socket file is left over from a process that is no more. */
static bool is_stale(const struct forward_address *address)
{
	struct stat status;
	bool connected;
	int fd;

	if (!is_unix(address) || lstat(path_of(address), &status) || !S_ISSOCK(status.st_mode))
		return false;
	fd = forward_address_connect(address, &connected);
	if (fd >= 0)
		close(fd);
	return fd == -ECONNREFUSED;
}

static int try_to_listen(const struct forward_address *address)
{
	int fd = open_socket(address);
	int one = 1;
	int error;

	if (fd < 0)
		return fd;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (const struct sockaddr *)&address->address, address->bytes) == 0 &&
	    listen(fd, BACKLOG) == 0)
		return fd;
	error = -errno;
	close(fd);
	return error;
}

int forward_address_listen(const struct forward_address *address)
{
	int fd = try_to_listen(address);

	if (fd != -EADDRINUSE || !is_stale(address))
		return fd;
	forward_address_remove(address);
	return try_to_listen(address);
}

void forward_address_print(int listener)
{
	struct forward_address address = {.bytes = sizeof(address.address)};
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address.address;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address.address;
	char host[INET6_ADDRSTRLEN];

	if (getsockname(listener, (struct sockaddr *)&address.address, &address.bytes))
		return;
	if (is_unix(&address))
		printf("unix:%s\n", path_of(&address));
	else if (address.address.ss_family == AF_INET)
		printf("tcp:%s:%u\n", inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host)),
		       ntohs(v4->sin_port));
	else
		printf("tcp:[%s]:%u\n", inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host)),
		       ntohs(v6->sin6_port));
}

void forward_address_remove(const struct forward_address *address)
{
	if (is_unix(address))
		unlink(path_of(address));
}

int forward_address_connect(const struct forward_address *address, bool *connected)
{
	int fd = open_socket(address);
	int error;

	if (fd < 0)
		return fd;
	forward_socket_prepare(fd);
	*connected = connect(fd, (const struct sockaddr *)&address->address, address->bytes) == 0;
	if (*connected || errno == EINPROGRESS)
		return fd;
	error = -errno;
	close(fd);
	return error;
}

void forward_socket_prepare(int fd)
{
	int one = 1;

	/* Fails on Unix sockets, which do not need it. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

void forward_socket_abort(int fd)
{
	const struct linger now = {.l_onoff = 1};

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}
