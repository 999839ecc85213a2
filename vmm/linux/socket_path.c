/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the sockets of VMs are, and whether a path fits into the address of a Unix socket. */
#include <assert.h>
#include <stdio.h>
#include <sys/un.h>

#include "vmm/linux/qemu_functions.h"

static_assert(sizeof(((struct sockaddr_un *)NULL)->sun_path) == CROSSVM_SOCKET_PATH_BYTES,
	      "as long as the kernel allows");

size_t crossvm_socket_path_excess(size_t length)
{
	/* the NUL that ends it takes a byte */
	return length < CROSSVM_SOCKET_PATH_BYTES ? 0 : length - (CROSSVM_SOCKET_PATH_BYTES - 1);
}

size_t crossvm_socket_path(const char *socket_dir, const char *vm, const char *connection,
			   const char *part, char *path)
{
	return crossvm_socket_path_excess((size_t)snprintf(
		path, CROSSVM_SOCKET_PATH_BYTES, "%s/%s.%s.%s", socket_dir, vm, connection, part));
}

size_t crossvm_connection_socket_excess(const char *socket_dir, const char *vm,
					const struct crossvm_qemu_connection *connection)
{
	char path[CROSSVM_SOCKET_PATH_BYTES];
	size_t most = 0;

	for (unsigned int i = 0; i < qemu_function_count(connection); i++) {
		const size_t more = crossvm_socket_path(socket_dir, vm, connection->name,
							function_part_name(i), path);

		if (more > most)
			most = more;
	}
	return most;
}
