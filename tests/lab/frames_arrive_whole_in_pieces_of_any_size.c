/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lab/buffer.h"
#include "lab/frame.h"

struct stream {
	struct lab_buffer bytes;
	size_t lengths[4];
};

/* Frames of the smallest and the largest kind, one after the other. */
static void fill(struct stream *stream)
{
	static uint8_t payload[LAB_FRAME_PAYLOAD];

	*stream = (struct stream){.bytes.limit = 1 << 20, .lengths = {0, 1, LAB_FRAME_PAYLOAD, 4}};
	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i * 7);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(lab_buffer_add_frame(&stream->bytes, LAB_FRAME_DATA, LAB_STDOUT, i,
						      payload, stream->lengths[i]),
				 0);
	assert_int_equal(lab_buffer_add_value(&stream->bytes, LAB_FRAME_EXIT, LAB_STDIN, 3, 77), 0);
}

static void take_all(struct lab_parser *parser, const struct stream *stream, uint32_t *seen)
{
	struct lab_frame frame;
	int result;

	while ((result = lab_parser_next(parser, &frame)) > 0) {
		assert_int_equal(frame.session, *seen);
		assert_int_equal(frame.length, stream->lengths[*seen]);
		for (size_t i = 0; *seen < 3 && i < frame.length; i++)
			assert_int_equal(frame.payload[i], (uint8_t)(i * 7));
		if (*seen == 3) {
			assert_int_equal(frame.type, LAB_FRAME_EXIT);
			assert_int_equal(lab_frame_value(&frame), 77);
		}
		++*seen;
	}
	assert_int_equal(result, 0);
}

static void in_pieces(void **state)
{
	const size_t pieces[] = {1, 2, 3, 15, 16, 17, 1000, 16400, 40000};
	struct lab_parser *parser = malloc(sizeof(*parser));
	struct stream stream;

	(void)state;
	fill(&stream);
	for (size_t p = 0; p < sizeof(pieces) / sizeof(pieces[0]); p++) {
		const uint8_t *next = stream.bytes.bytes;
		size_t left = lab_buffer_used(&stream.bytes);
		uint32_t seen = 0;

		lab_parser_reset(parser, (enum lab_frame_type)0);
		while (left > 0) {
			size_t space, n;
			uint8_t *to = lab_parser_space(parser, &space);

			assert_true(space > 0);
			n = left < pieces[p] ? left : pieces[p];
			n = n < space ? n : space;
			memcpy(to, next, n);
			lab_parser_received(parser, n);
			next += n;
			left -= n;
			take_all(parser, &stream, &seen);
		}
		assert_int_equal(seen, 4);
	}
	lab_buffer_clear(&stream.bytes);
	free(parser);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(in_pieces)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
