/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A session as a command sees it: descriptors of its own on one side, a program in a VM on the
 * other. What is received is written before more is asked for, so that nothing piles up between.
 */
#ifndef CROSSVM_LAB_STREAM_H
#define CROSSVM_LAB_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "lab/link.h"

struct lab_streams {
	struct lab_link *link;
	int in; /* read and sent as standard input; -1: none */
	/* Takes output. @return 0, or -errno: the session is then given up. */
	int (*output)(void *context, enum lab_stream stream, const void *bytes, size_t length);
	/* Called as input is sent; may be NULL. */
	void (*sent)(void *context, size_t bytes);
	void *context;
	bool forward_signals; /* SIGINT, SIGTERM, ... go to the program in the VM */
};

/*
 * Carry bytes until the session ends.
 *
 * @return its exit status, 0 to 255; LAB_EXIT_FAILED after saying what failed; or -errno of output.
 */
int lab_streams_run(struct lab_streams *streams);

#endif
