/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where forward listens or connects: "unix:PATH" or "tcp:HOST:PORT". A host is an address in numbers,
 * or localhost: the command for guests is static, and resolving names is not.
 */
#ifndef CROSSVM_CLI_FORWARD_ADDRESS_H
#define CROSSVM_CLI_FORWARD_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

struct forward_address {
	struct sockaddr_storage address;
	socklen_t bytes;
};

/* @return NULL, or what is wrong with the text, as the end of a sentence. */
const char *forward_address_parse(const char *text, struct forward_address *address);

/*
 * Listen there, not blocking. A socket file that nobody serves any more is replaced.
 * @return the descriptor or -errno.
 */
int forward_address_listen(const struct forward_address *address);

/* As one would type it, where a listener really is: with port 0 the system has chosen one. */
void forward_address_print(int listener);

/* Remove the file of a listening Unix socket. */
void forward_address_remove(const struct forward_address *address);

/*
 * Begin to connect, not blocking. *connected: it is done already.
 * @return the descriptor or -errno; -EAGAIN: the server has too many waiting, try again.
 */
int forward_address_connect(const struct forward_address *address, bool *connected);

/* A client or the descriptor of a listener's, as forward uses both. */
void forward_socket_prepare(int fd);
/* Close so that the other end learns that this was no orderly end. */
void forward_socket_abort(int fd);

#endif
