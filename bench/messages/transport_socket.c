/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP and UDP over virtio-net, whose two ends QEMU joins by datagrams or by a stream on the host. */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "transport.h"

#define PORT 7000

/* As bench/messages/run gives the addresses: the network's number, then the side's. */
static struct sockaddr_in address(unsigned int network, unsigned int side)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(PORT)};

	address.sin_addr.s_addr = htonl(0x0a090000u | network << 8 | (side + 1));
	return address;
}

static int bound(int type, unsigned int network, unsigned int side)
{
	struct sockaddr_in own = address(network, side);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	int one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (struct sockaddr *)&own, sizeof(own)) != 0)
		err(1, "cannot use the address 10.9.%u.%u", network, side + 1);
	return fd;
}

/* Side 0 listens; side 1 tries until it does. */
static void open_tcp(struct link *link, unsigned int network)
{
	struct sockaddr_in other = address(network, 0);
	int one = 1;

	if (link->side == 0) {
		int listener = bound(SOCK_STREAM, network, 0);

		if (listen(listener, 1) != 0)
			err(1, "cannot listen");
		link->fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		close(listener);
	} else {
		link->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		while (connect(link->fd, (struct sockaddr *)&other, sizeof(other)) != 0)
			usleep(20000);
	}
	if (link->fd < 0)
		err(1, "cannot connect");
	setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static void open_udp(struct link *link, unsigned int network)
{
	struct sockaddr_in other = address(network, 1 - link->side);
	struct timeval patience = {.tv_usec = LOSSY_MS * 1000L};

	link->fd = bound(SOCK_DGRAM, network, link->side);
	if (connect(link->fd, (struct sockaddr *)&other, sizeof(other)) != 0)
		err(1, "cannot name the other side");
	setsockopt(link->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
}

static void open_tcp_dgram(struct link *link)
{
	open_tcp(link, 0);
}

static void open_tcp_stream(struct link *link)
{
	open_tcp(link, 1);
}

static void open_udp_dgram(struct link *link)
{
	open_udp(link, 0);
}

static void open_udp_stream(struct link *link)
{
	open_udp(link, 1);
}

static int send_tcp(struct link *link, const void *message)
{
	return write_all(link->fd, message, link->size);
}

static int receive_tcp(struct link *link, void *buffer)
{
	return read_all(link->fd, buffer, link->size);
}

/* The other side's socket may not be there yet, and a full queue loses as the network does. */
static int send_udp(struct link *link, const void *message)
{
	if (send(link->fd, message, link->size, 0) < 0 && errno != ECONNREFUSED && errno != ENOBUFS)
		return -errno;
	return 0;
}

static int receive_udp(struct link *link, void *buffer)
{
	ssize_t n;

	/* What comes late from a measurement of another size is no message of this one. */
	do {
		n = recv(link->fd, buffer, MESSAGE_BYTES_MAX, 0);
	} while ((n >= 0 && (size_t)n != link->size) || (n < 0 && errno == ECONNREFUSED));
	return n < 0 ? -errno : 0;
}

const struct transport transport_tcp_dgram = {
	.name = "tcp-dgram", .open = open_tcp_dgram, .send = send_tcp, .receive = receive_tcp};
const struct transport transport_tcp_stream = {
	.name = "tcp-stream", .open = open_tcp_stream, .send = send_tcp, .receive = receive_tcp};
const struct transport transport_udp_dgram = {.name = "udp-dgram",
					      .lossy = true,
					      .open = open_udp_dgram,
					      .send = send_udp,
					      .receive = receive_udp};
const struct transport transport_udp_stream = {.name = "udp-stream",
					       .lossy = true,
					       .open = open_udp_stream,
					       .send = send_udp,
					       .receive = receive_udp};
