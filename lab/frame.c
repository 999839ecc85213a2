/* SPDX-License-Identifier: BSD-2-Clause */
#include "lab/frame.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#define HELLO_BYTES (sizeof(struct lab_frame_header) + sizeof(struct lab_hello))

void lab_frame_header(struct lab_frame_header *header, enum lab_frame_type type,
		      enum lab_stream stream, uint32_t session, uint32_t length)
{
	assert(length <= LAB_FRAME_PAYLOAD);
	*header = (struct lab_frame_header){
		.magic = htole32(LAB_FRAME_MAGIC),
		.type = (uint8_t)type,
		.stream = (uint8_t)stream,
		.session = htole32(session),
		.length = htole32(length),
	};
}

void lab_hello_init(struct lab_hello *hello, uint64_t nonce)
{
	*hello = (struct lab_hello){.version = htole16(LAB_FRAME_VERSION), .nonce = htole64(nonce)};
	memcpy(hello->cookie, LAB_HELLO_COOKIE, sizeof(hello->cookie));
}

uint32_t lab_frame_value(const struct lab_frame *frame)
{
	uint32_t value;

	memcpy(&value, frame->payload, sizeof(value));
	return le32toh(value);
}

uint64_t lab_frame_nonce(const struct lab_frame *frame)
{
	struct lab_hello hello;

	memcpy(&hello, frame->payload, sizeof(hello));
	return le64toh(hello.nonce);
}

static bool hello_is_valid(const uint8_t *payload)
{
	struct lab_hello hello;

	memcpy(&hello, payload, sizeof(hello));
	return memcmp(hello.cookie, LAB_HELLO_COOKIE, sizeof(hello.cookie)) == 0 &&
	       le16toh(hello.version) == LAB_FRAME_VERSION;
}

static bool length_is_valid(const struct lab_frame *frame)
{
	switch (frame->type) {
	case LAB_FRAME_HELLO:
	case LAB_FRAME_WELCOME:
		return frame->length == sizeof(struct lab_hello);
	case LAB_FRAME_CREDIT:
	case LAB_FRAME_SIGNAL:
	case LAB_FRAME_EXIT:
		return frame->length == sizeof(uint32_t);
	case LAB_FRAME_EOF:
	case LAB_FRAME_CLOSE:
		return frame->length == 0;
	case LAB_FRAME_OPEN:
	case LAB_FRAME_DATA:
	case LAB_FRAME_FAILED:
		return frame->length <= LAB_FRAME_PAYLOAD;
	default:
		return false;
	}
}

static int parse_header(const uint8_t *bytes, struct lab_frame *frame)
{
	struct lab_frame_header header;

	memcpy(&header, bytes, sizeof(header));
	if (le32toh(header.magic) != LAB_FRAME_MAGIC || header.reserved != 0 ||
	    header.stream >= LAB_STREAMS)
		return -EPROTO;
	*frame = (struct lab_frame){
		.type = (enum lab_frame_type)header.type,
		.stream = (enum lab_stream)header.stream,
		.session = le32toh(header.session),
		.length = le32toh(header.length),
	};
	return length_is_valid(frame) ? 0 : -EPROTO;
}

void lab_parser_reset(struct lab_parser *parser, enum lab_frame_type hunted)
{
	parser->start = 0;
	parser->end = 0;
	parser->hunted = hunted;
}

void lab_parser_hunt(struct lab_parser *parser, enum lab_frame_type hunted)
{
	parser->hunted = hunted;
}

uint8_t *lab_parser_space(struct lab_parser *parser, size_t *bytes)
{
	memmove(parser->bytes, parser->bytes + parser->start, parser->end - parser->start);
	parser->end -= parser->start;
	parser->start = 0;
	*bytes = sizeof(parser->bytes) - parser->end;
	return parser->bytes + parser->end;
}

void lab_parser_received(struct lab_parser *parser, size_t bytes)
{
	assert(bytes <= sizeof(parser->bytes) - parser->end);
	parser->end += bytes;
}

static bool found_hunted(const struct lab_parser *parser)
{
	const uint8_t *bytes = parser->bytes + parser->start;
	struct lab_frame frame;

	return parse_header(bytes, &frame) == 0 && frame.type == parser->hunted &&
	       hello_is_valid(bytes + sizeof(struct lab_frame_header));
}

static void hunt(struct lab_parser *parser)
{
	while (parser->end - parser->start >= HELLO_BYTES) {
		if (found_hunted(parser)) {
			parser->hunted = (enum lab_frame_type)0;
			return;
		}
		parser->start++;
	}
}

int lab_parser_next(struct lab_parser *parser, struct lab_frame *frame)
{
	size_t have;

	if (parser->hunted)
		hunt(parser);
	if (parser->hunted)
		return 0;
	have = parser->end - parser->start;
	if (have < sizeof(struct lab_frame_header))
		return 0;
	if (parse_header(parser->bytes + parser->start, frame) < 0)
		return -EPROTO;
	if (have - sizeof(struct lab_frame_header) < frame->length)
		return 0;
	frame->payload = parser->bytes + parser->start + sizeof(struct lab_frame_header);
	if ((frame->type == LAB_FRAME_HELLO || frame->type == LAB_FRAME_WELCOME) &&
	    !hello_is_valid(frame->payload))
		return -EPROTO;
	parser->start += sizeof(struct lab_frame_header) + frame->length;
	return 1;
}
