/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest may be reset in the middle of a frame, and the port's other end keeps what was under way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lab/buffer.h"
#include "lab/frame.h"

#define NONCE 0x1122334455667788u

static void add_hello(struct lab_buffer *bytes, uint64_t nonce)
{
	struct lab_hello hello;

	lab_hello_init(&hello, nonce);
	assert_int_equal(
		lab_buffer_add_frame(bytes, LAB_FRAME_HELLO, LAB_STDIN, 0, &hello, sizeof(hello)),
		0);
}

static void give(struct lab_parser *parser, const struct lab_buffer *bytes)
{
	size_t space;
	uint8_t *to = lab_parser_space(parser, &space);

	assert_true(lab_buffer_used(bytes) <= space);
	memcpy(to, bytes->bytes + bytes->start, lab_buffer_used(bytes));
	lab_parser_received(parser, lab_buffer_used(bytes));
}

static void expect_hello(struct lab_parser *parser)
{
	struct lab_frame frame;

	assert_int_equal(lab_parser_next(parser, &frame), 1);
	assert_int_equal(frame.type, LAB_FRAME_HELLO);
	assert_true(lab_frame_nonce(&frame) == NONCE);
	assert_int_equal(lab_parser_next(parser, &frame), 0);
}

static void after_noise(void **state)
{
	struct lab_parser *parser = malloc(sizeof(*parser));
	struct lab_buffer bytes = {.limit = 1 << 16};
	uint8_t noise[777];

	(void)state;
	for (size_t i = 0; i < sizeof(noise); i++)
		noise[i] = (uint8_t)(i % 5 ? 'x' : 'l');
	assert_int_equal(lab_buffer_add(&bytes, noise, sizeof(noise)), 0);
	/* The beginning of a hello that never ended, then a real one. */
	assert_int_equal(lab_buffer_add(&bytes, "xlab\1\0\0\0", 8), 0);
	add_hello(&bytes, NONCE);
	lab_parser_reset(parser, LAB_FRAME_HELLO);
	give(parser, &bytes);
	expect_hello(parser);
	lab_buffer_clear(&bytes);
	free(parser);
}

static void behind_half_a_frame(void **state)
{
	struct lab_parser *parser = malloc(sizeof(*parser));
	struct lab_buffer bytes = {.limit = 1 << 16};
	struct lab_frame_header header;
	struct lab_frame frame;

	(void)state;
	/* A frame that promises 5000 bytes, and ends after 3 when the guest is reset. */
	lab_frame_header(&header, LAB_FRAME_DATA, LAB_STDOUT, 9, 5000);
	assert_int_equal(lab_buffer_add(&bytes, &header, sizeof(header)), 0);
	assert_int_equal(lab_buffer_add(&bytes, "abc", 3), 0);
	add_hello(&bytes, NONCE);
	lab_parser_reset(parser, (enum lab_frame_type)0);
	give(parser, &bytes);
	assert_int_equal(lab_parser_next(parser, &frame), 0);
	/* QEMU tells of the reset: what was received already is searched, too. */
	lab_parser_hunt(parser, LAB_FRAME_HELLO);
	expect_hello(parser);
	lab_buffer_clear(&bytes);
	free(parser);
}

static void nonsense_is_an_error(void **state)
{
	const struct {
		size_t offset;
		uint8_t value;
	} damages[] = {{0, 'y'}, {4, 0}, {4, 11}, {5, 3}, {6, 1}, {14, 1}};
	struct lab_parser *parser = malloc(sizeof(*parser));

	(void)state;
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		struct lab_buffer bytes = {.limit = 1 << 16};
		struct lab_frame frame;

		assert_int_equal(
			lab_buffer_add_frame(&bytes, LAB_FRAME_DATA, LAB_STDOUT, 1, "a", 1), 0);
		bytes.bytes[damages[i].offset] = damages[i].value;
		lab_parser_reset(parser, (enum lab_frame_type)0);
		give(parser, &bytes);
		assert_true(lab_parser_next(parser, &frame) < 0);
		lab_buffer_clear(&bytes);
	}
	free(parser);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(after_noise),
		cmocka_unit_test(behind_half_a_frame),
		cmocka_unit_test(nonsense_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
