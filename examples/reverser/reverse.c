/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The other side of reverser, in a VM: has one text reversed and prints it.
 *
 *	reverse CONNECTION TEXT
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>

#include <crossvm/connection.h>

#include "text.h"

int main(int argc, char **argv)
{
	struct crossvm_connection *conn;
	struct text_pair *pair;
	char answer[TEXT_BYTES];
	size_t bytes;

	if (argc != 3 || strlen(argv[2]) >= TEXT_BYTES)
		errx(2, "usage: reverse CONNECTION TEXT, of up to %d characters", TEXT_BYTES - 1);
	if (crossvm_connection_open(argv[1], CROSSVM_OPEN_WRITE | CROSSVM_OPEN_EMIT, NULL, &conn))
		errx(1, "%s", crossvm_last_error());
	pair = crossvm_connection_dataport(conn, &bytes);
	if (!pair || bytes < sizeof(*pair))
		errx(1, "%s: its dataport is smaller than %zu bytes", argv[1], sizeof(*pair));

	memcpy(pair->question, argv[2], strlen(argv[2]) + 1);
	if (crossvm_connection_emit(conn))
		errx(1, "%s", crossvm_last_error());
	if (crossvm_connection_wait(conn, 10000, NULL))
		errx(1, "%s", crossvm_last_error());
	text_take(answer, pair->answer);
	puts(answer);
	crossvm_connection_close(conn);
	return EXIT_SUCCESS;
}
