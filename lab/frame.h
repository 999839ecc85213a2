/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The frames by which the lab's keeper talks with the agent in a guest, over a virtio-serial port,
 * and with the crossvm command, over its control socket. A frame is a header and up to
 * LAB_FRAME_PAYLOAD bytes. Both sides take the other for hostile: a parser holds one frame at most
 * and reports what it cannot be.
 *
 * Both ends of a virtio-serial port may start anew at any time, in the middle of a frame. So both
 * parsers hunt first: they drop bytes until LAB_FRAME_HELLO or LAB_FRAME_WELCOME goes by. The agent
 * says HELLO with a random number, the keeper answers WELCOME with the same number.
 *
 * Integers are little-endian.
 */
#ifndef CROSSVM_LAB_FRAME_H
#define CROSSVM_LAB_FRAME_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LAB_FRAME_VERSION 1u
#define LAB_FRAME_MAGIC   0x62616c78u /* "xlab" */
#define LAB_FRAME_PAYLOAD 16384u

/* Bytes of each stream that may be under way unacknowledged. */
#define LAB_STREAM_WINDOW 131072u

enum lab_frame_type {
	LAB_FRAME_HELLO = 1, /* agent: struct lab_hello */
	LAB_FRAME_WELCOME,   /* keeper: struct lab_hello */
	LAB_FRAME_OPEN,   /* start a session: strings, each ended by NUL, see lab/agent/session.h */
	LAB_FRAME_DATA,   /* of the stream */
	LAB_FRAME_EOF,    /* of the stream: no more will be sent, or, from a reader, be read */
	LAB_FRAME_CREDIT, /* 32 bits: so many bytes more of the stream may be sent */
	LAB_FRAME_SIGNAL, /* 32 bits: send this signal to the session's process group */
	LAB_FRAME_CLOSE,  /* nobody waits for the session any more: end it */
	LAB_FRAME_EXIT,   /* 32 bits: exit status, 128 + signal; the session's last frame */
	LAB_FRAME_FAILED, /* text: why there is no session, or no more; its last frame */
	LAB_FRAME_LAST = LAB_FRAME_FAILED,
};

enum lab_stream {
	LAB_STDIN,
	LAB_STDOUT,
	LAB_STDERR,
	LAB_STREAMS,
};

struct lab_frame_header {
	uint32_t magic;
	uint8_t type;
	uint8_t stream;
	uint16_t reserved; /* 0 */
	uint32_t session;
	uint32_t length; /* of the payload */
};
static_assert(sizeof(struct lab_frame_header) == 16, "frames have a 16-byte header");

/* The payload of HELLO and WELCOME; cookie is there to be unmistakable in a stream of old bytes. */
#define LAB_HELLO_COOKIE "crossvm lab agent\n\xa5\x5a\xc3\x3c"
struct lab_hello {
	char cookie[22];
	uint16_t version;
	uint64_t nonce;
};
static_assert(sizeof(struct lab_hello) == 32, "hello has 32 bytes");

struct lab_frame {
	enum lab_frame_type type;
	enum lab_stream stream;
	uint32_t session;
	uint32_t length;
	const uint8_t *payload;
};

struct lab_parser {
	uint8_t bytes[2 * (sizeof(struct lab_frame_header) + LAB_FRAME_PAYLOAD)];
	size_t start;
	size_t end;
	enum lab_frame_type hunted; /* the frame to drop everything before, or 0 */
};

/* Write the header of a frame; its payload of @length bytes follows it on the wire. */
void lab_frame_header(struct lab_frame_header *header, enum lab_frame_type type,
		      enum lab_stream stream, uint32_t session, uint32_t length);

/* The payload of a HELLO or WELCOME. */
void lab_hello_init(struct lab_hello *hello, uint64_t nonce);

/* The 32-bit payload of CREDIT, SIGNAL and EXIT. */
uint32_t lab_frame_value(const struct lab_frame *frame);

/* The nonce of a HELLO or WELCOME. */
uint64_t lab_frame_nonce(const struct lab_frame *frame);

/*
 * Begin, or begin anew: drop all that was received, and, if @hunted is not 0, all that will be
 * until a valid frame of that type, HELLO or WELCOME.
 */
void lab_parser_reset(struct lab_parser *parser, enum lab_frame_type hunted);

/* Hunt from now on, also in what was received already. */
void lab_parser_hunt(struct lab_parser *parser, enum lab_frame_type hunted);

/* Where to receive to, and how much; never 0 bytes after lab_parser_next() has returned 0. */
uint8_t *lab_parser_space(struct lab_parser *parser, size_t *bytes);
void lab_parser_received(struct lab_parser *parser, size_t bytes);

/*
 * Take the next frame.
 *
 * @frame: its payload is valid until the parser's next use.
 * @return 1, 0 (more must be received), or -EPROTO: the other side does not speak this protocol.
 *   After that the parser must be reset.
 */
int lab_parser_next(struct lab_parser *parser, struct lab_frame *frame);

#endif
