/* SPDX-License-Identifier: BSD-2-Clause */
#include "lab/buffer.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void lab_buffer_clear(struct lab_buffer *buffer)
{
	free(buffer->bytes);
	*buffer = (struct lab_buffer){.limit = buffer->limit};
}

static int reserve(struct lab_buffer *buffer, size_t length)
{
	size_t used = lab_buffer_used(buffer);
	size_t capacity = buffer->capacity ? buffer->capacity : 4096;
	uint8_t *bytes;

	if (length > buffer->limit || used > buffer->limit - length)
		return -ENOBUFS;
	if (buffer->capacity - buffer->end >= length)
		return 0;
	if (used > 0)
		memmove(buffer->bytes, buffer->bytes + buffer->start, used);
	buffer->start = 0;
	buffer->end = used;
	if (buffer->capacity - used >= length)
		return 0;
	while (capacity - used < length)
		capacity *= 2;
	bytes = realloc(buffer->bytes, capacity);
	if (!bytes)
		return -ENOMEM;
	buffer->bytes = bytes;
	buffer->capacity = capacity;
	return 0;
}

int lab_buffer_add(struct lab_buffer *buffer, const void *bytes, size_t length)
{
	int error = reserve(buffer, length);

	if (error)
		return error;
	if (length > 0)
		memcpy(buffer->bytes + buffer->end, bytes, length);
	buffer->end += length;
	return 0;
}

int lab_buffer_add_frame(struct lab_buffer *buffer, enum lab_frame_type type,
			 enum lab_stream stream, uint32_t session, const void *payload,
			 size_t length)
{
	struct lab_frame_header header;
	int error = reserve(buffer, sizeof(header) + length);

	if (error)
		return error;
	lab_frame_header(&header, type, stream, session, (uint32_t)length);
	(void)lab_buffer_add(buffer, &header, sizeof(header));
	return lab_buffer_add(buffer, payload, length);
}

int lab_buffer_add_value(struct lab_buffer *buffer, enum lab_frame_type type,
			 enum lab_stream stream, uint32_t session, uint32_t value)
{
	uint32_t payload = htole32(value);

	return lab_buffer_add_frame(buffer, type, stream, session, &payload, sizeof(payload));
}

ssize_t lab_buffer_write(struct lab_buffer *buffer, int fd)
{
	ssize_t total = 0;

	while (lab_buffer_used(buffer) > 0) {
		ssize_t n = write(fd, buffer->bytes + buffer->start, lab_buffer_used(buffer));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0)
			return -errno;
		buffer->start += (size_t)n;
		total += n;
	}
	if (lab_buffer_used(buffer) == 0) {
		buffer->start = 0;
		buffer->end = 0;
	}
	return total;
}
