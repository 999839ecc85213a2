/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The client's side of the daemon's component socket, see <crossvm/abi_component.h>. Every answer
 * is checked: size, magic, version, strings, number of descriptors.
 */
#ifndef CROSSVM_LIB_COMPONENT_SOCKET_H
#define CROSSVM_LIB_COMPONENT_SOCKET_H

#include <stddef.h>
#include <stdint.h>

#include <crossvm/abi_component.h>
#include <crossvm/connection.h>

#define CROSSVM_COMPONENT_MAX_FDS 3

struct crossvm_component_answer {
	struct crossvm_component_entry entry;
	int fds[CROSSVM_COMPONENT_MAX_FDS]; /* the receiver's, to be closed */
	size_t num_fds;
};

/*
 * Connect.
 *
 * @return 0; CROSSVM_NOTHING_HERE when nobody serves the default socket; -ECONNREFUSED when nobody
 *   serves the one that the caller or the environment named; -EACCES and the like.
 */
int crossvm_component_connect(const char *root, const struct crossvm_open_options *options,
			      int *socket);

int crossvm_component_request(int socket, enum crossvm_component_type type, const char *connection,
			      const struct crossvm_open_options *options, uint32_t access);

/*
 * Receive an OPENED or ENTRY, whichever is expected.
 *
 * @return 0 or -errno with a sentence; the daemon's own when it answers FAILED. No descriptor is
 *   left open on failure.
 */
int crossvm_component_receive(int socket, enum crossvm_component_type expected,
			      struct crossvm_component_answer *answer);

void crossvm_component_close_fds(struct crossvm_component_answer *answer);

#endif
