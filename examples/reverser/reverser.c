/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A component: reverses each text that a VM puts into the dataport.
 *
 *	reverser CONNECTION
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
	char question[TEXT_BYTES];
	size_t bytes;

	if (argc != 2)
		errx(2, "usage: reverser CONNECTION");
	if (crossvm_connection_open(argv[1], CROSSVM_OPEN_WRITE | CROSSVM_OPEN_EMIT, NULL, &conn))
		errx(1, "%s", crossvm_last_error());
	pair = crossvm_connection_dataport(conn, &bytes);
	if (!pair || bytes < sizeof(*pair))
		errx(1, "%s: its dataport is smaller than %zu bytes", argv[1], sizeof(*pair));

	while (!crossvm_connection_wait(conn, -1, NULL)) {
		size_t length = text_take(question, pair->question);

		for (size_t i = 0; i < length; i++)
			pair->answer[i] = question[length - 1 - i];
		pair->answer[length] = '\0';
		if (crossvm_connection_emit(conn))
			break;
	}
	fprintf(stderr, "reverser: %s\n", crossvm_last_error());
	crossvm_connection_close(conn);
	return EXIT_FAILURE;
}
