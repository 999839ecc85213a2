/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A queue of bytes that grows up to a limit: what waits to be written to a descriptor.
 */
#ifndef CROSSVM_LAB_BUFFER_H
#define CROSSVM_LAB_BUFFER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lab/frame.h"

struct lab_buffer {
	uint8_t *bytes;
	size_t start;
	size_t end;
	size_t capacity;
	size_t limit;
};

static inline size_t lab_buffer_used(const struct lab_buffer *buffer)
{
	return buffer->end - buffer->start;
}

/* Give back the memory; the buffer is then empty and usable with its limit. */
void lab_buffer_clear(struct lab_buffer *buffer);

/* @return 0, -ENOBUFS (over the limit, nothing was added) or -ENOMEM. */
int lab_buffer_add(struct lab_buffer *buffer, const void *bytes, size_t length);

/* Add a frame as a whole or not at all; errors as lab_buffer_add(). */
int lab_buffer_add_frame(struct lab_buffer *buffer, enum lab_frame_type type,
			 enum lab_stream stream, uint32_t session, const void *payload,
			 size_t length);

/* The same for CREDIT, SIGNAL and EXIT. */
int lab_buffer_add_value(struct lab_buffer *buffer, enum lab_frame_type type,
			 enum lab_stream stream, uint32_t session, uint32_t value);

/*
 * Write what the descriptor takes without blocking.
 *
 * @return the number of bytes written, possibly 0, or -errno.
 */
ssize_t lab_buffer_write(struct lab_buffer *buffer, int fd);

#endif
