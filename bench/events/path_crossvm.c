/* SPDX-License-Identifier: BSD-2-Clause */
#include "path.h"

#include <err.h>

#include <crossvm/connection.h>

static void emit(struct path *path)
{
	if (crossvm_connection_emit(path->connection) != 0)
		errx(1, "%s", crossvm_last_error());
}

static uint64_t wait(struct path *path)
{
	uint64_t count;

	if (crossvm_connection_wait(path->connection, -1, &count) != 0)
		errx(1, "%s", crossvm_last_error());
	return count;
}

void path_open_crossvm(struct path *path, const char *name)
{
	struct crossvm_connection *connection;
	struct crossvm_connection_info info;

	if (crossvm_connection_open(name, CROSSVM_OPEN_WRITE | CROSSVM_OPEN_EMIT, NULL,
				    &connection) != 0)
		errx(1, "%s", crossvm_last_error());
	crossvm_connection_info(connection, &info);
	if (info.backend != CROSSVM_BACKEND_UIO_CROSSVM &&
	    info.backend != CROSSVM_BACKEND_COMPONENT)
		errx(1, "%s is reached by %s, not by our driver", name,
		     crossvm_backend_name(info.backend));
	path->connection = connection;
	path->words = crossvm_connection_dataport(connection, NULL);
	path->emit = emit;
	path->wait = wait;
}
