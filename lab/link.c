/* SPDX-License-Identifier: BSD-2-Clause */
#include "lab/link.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lab/report.h"

int lab_write_all(int fd, const void *bytes, size_t length)
{
	const char *at = bytes;

	while (length > 0) {
		ssize_t n = write(fd, at, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		length -= (size_t)n;
	}
	return 0;
}

int lab_link_open(struct lab_link *link, const char *lab)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int error = lab_rundir_find(lab, &link->rundir);

	link->fd = -1;
	if (error)
		return error;
	lab_parser_reset(&link->parser, (enum lab_frame_type)0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%.99s/" LAB_CONTROL,
		 link->rundir.path);
	link->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (link->fd >= 0 && connect(link->fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return 0;
	error = -errno;
	lab_error("cannot reach the lab %s: %s", link->rundir.name,
		  error == -ENOENT || error == -ECONNREFUSED ? "it is starting or ending"
							     : strerror(-error));
	lab_link_close(link);
	return error;
}

void lab_link_close(struct lab_link *link)
{
	if (link->fd >= 0)
		close(link->fd);
	link->fd = -1;
}

int lab_link_send(struct lab_link *link, enum lab_frame_type type, enum lab_stream stream,
		  const void *payload, size_t length)
{
	struct lab_frame_header header;
	uint8_t bytes[sizeof(header) + LAB_FRAME_PAYLOAD];

	lab_frame_header(&header, type, stream, 0, (uint32_t)length);
	memcpy(bytes, &header, sizeof(header));
	if (length > 0)
		memcpy(bytes + sizeof(header), payload, length);
	return lab_write_all(link->fd, bytes, sizeof(header) + length);
}

int lab_link_send_value(struct lab_link *link, enum lab_frame_type type, enum lab_stream stream,
			uint32_t value)
{
	uint32_t payload = htole32(value);

	return lab_link_send(link, type, stream, &payload, sizeof(payload));
}

int lab_link_request(struct lab_link *link, const char *const *strings, size_t count)
{
	char text[LAB_FRAME_PAYLOAD];
	size_t used = 0;
	int error;

	for (size_t i = 0; i < count; i++) {
		size_t bytes = strlen(strings[i]) + 1;

		if (bytes > sizeof(text) - used) {
			lab_error("the command line is longer than %zu bytes", sizeof(text));
			return -E2BIG;
		}
		memcpy(text + used, strings[i], bytes);
		used += bytes;
	}
	error = lab_link_send(link, LAB_FRAME_OPEN, LAB_STDIN, text, used);
	if (error)
		lab_error("the lab %s has ended", link->rundir.name);
	return error;
}

int lab_link_next(struct lab_link *link, struct lab_frame *frame)
{
	return lab_parser_next(&link->parser, frame);
}

int lab_link_receive(struct lab_link *link)
{
	size_t bytes;
	uint8_t *space = lab_parser_space(&link->parser, &bytes);
	ssize_t n;

	do
		n = read(link->fd, space, bytes);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return -EPIPE;
	lab_parser_received(&link->parser, (size_t)n);
	return 0;
}

int lab_link_finish(struct lab_link *link)
{
	struct lab_frame frame;

	for (;;) {
		int result = lab_link_next(link, &frame);

		if (result == 0 && lab_link_receive(link) == 0)
			continue;
		if (result <= 0) {
			lab_error("the lab %s has ended", link->rundir.name);
			return LAB_EXIT_FAILED;
		}
		switch (frame.type) {
		case LAB_FRAME_DATA:
			(void)lab_write_all(STDOUT_FILENO, frame.payload, frame.length);
			break;
		case LAB_FRAME_EXIT:
			return (int)(lab_frame_value(&frame) & 0xff);
		case LAB_FRAME_FAILED:
			lab_error("%.*s", (int)frame.length, (const char *)frame.payload);
			return LAB_EXIT_FAILED;
		default:
			break;
		}
	}
}
