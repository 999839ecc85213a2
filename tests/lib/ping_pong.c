/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ping_pong NAME ping|pong ROUNDS: emit and wait in turn with the other side, and fail if an event
 * or a wake-up is lost: one that is missing ends the game at once.
 */
#include <err.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <crossvm/connection.h>

#define PATIENCE_MS 60000

int main(int argc, char **argv)
{
	struct crossvm_connection *conn;
	struct crossvm_connection_info info;
	bool ping;
	uint64_t rounds;

	if (argc != 4)
		errx(2, "usage: ping_pong NAME ping|pong ROUNDS");
	ping = strcmp(argv[2], "ping") == 0;
	rounds = strtoull(argv[3], NULL, 10);
	if (crossvm_connection_open(argv[1], CROSSVM_OPEN_EMIT, NULL, &conn))
		errx(1, "%s", crossvm_last_error());
	crossvm_connection_info(conn, &info);
	printf("%s %s\n", crossvm_backend_name(info.backend), info.interrupt);
	fflush(stdout);
	for (uint64_t round = 0; round < rounds; round++) {
		uint64_t count;

		if (ping && crossvm_connection_emit(conn))
			errx(1, "%s", crossvm_last_error());
		if (crossvm_connection_wait(conn, PATIENCE_MS, &count))
			errx(1, "round %" PRIu64 ": %s", round, crossvm_last_error());
		if (count != 1)
			errx(1, "round %" PRIu64 ": %" PRIu64 " events instead of 1", round, count);
		if (!ping && crossvm_connection_emit(conn))
			errx(1, "%s", crossvm_last_error());
	}
	crossvm_connection_close(conn);
	return 0;
}
