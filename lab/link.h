/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A command's connection to a lab's keeper.
 */
#ifndef CROSSVM_LAB_LINK_H
#define CROSSVM_LAB_LINK_H

#include <stddef.h>
#include <stdint.h>

#include "lab/frame.h"
#include "lab/rundir.h"

struct lab_link {
	int fd;
	struct lab_rundir rundir;
	struct lab_parser parser;
};

/* What a command of ours ends with when it could not do what it was asked. */
#define LAB_EXIT_FAILED 255

/*
 * Connect to the lab of that name; NULL: the only one.
 *
 * @return 0, or -errno after saying what failed.
 */
int lab_link_open(struct lab_link *link, const char *lab);
void lab_link_close(struct lab_link *link);

/* Send the request, @count strings. @return 0, or -errno after saying what failed. */
int lab_link_request(struct lab_link *link, const char *const *strings, size_t count);

/* Send a frame of the session. @return 0 or -errno. */
int lab_link_send(struct lab_link *link, enum lab_frame_type type, enum lab_stream stream,
		  const void *payload, size_t length);
int lab_link_send_value(struct lab_link *link, enum lab_frame_type type, enum lab_stream stream,
			uint32_t value);

/*
 * Take a frame that was received, without waiting.
 *
 * @return 1, 0 (none as yet), or -EPROTO.
 */
int lab_link_next(struct lab_link *link, struct lab_frame *frame);

/* Receive, waiting. @return 0, or -EPIPE when the lab has ended. */
int lab_link_receive(struct lab_link *link);

/*
 * Write what the lab answers to standard output until the last frame.
 *
 * @return the exit status it gives; LAB_EXIT_FAILED after saying what failed.
 */
int lab_link_finish(struct lab_link *link);

/* Write all, waiting. @return 0 or -errno. */
int lab_write_all(int fd, const void *bytes, size_t length);

#endif
