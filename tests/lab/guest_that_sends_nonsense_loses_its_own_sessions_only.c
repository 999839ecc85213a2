/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <endian.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lab/keeper_stub.h"

static const uint8_t payload[LAB_FRAME_PAYLOAD];

static void two_guests(void **state)
{
	struct rig bad, good;
	uint8_t noise[4096];
	uint32_t session, status = htole32(3);

	(void)state;
	rig_init(&bad);
	rig_init(&good);
	rig_hello(&bad);
	rig_hello(&good);
	assert_int_equal(bad.record.ready, 1);
	(void)rig_open(&bad);
	session = rig_open(&good);
	memset(noise, 0xee, sizeof(noise));
	rig_write(&bad, noise, sizeof(noise));
	assert_int_equal(bad.record.failures, 1);
	assert_null(bad.client.session);
	/* The other guest's command goes on to its end. */
	rig_frame(&good, LAB_FRAME_DATA, LAB_STDOUT, session, payload, 100);
	rig_frame(&good, LAB_FRAME_EXIT, LAB_STDIN, session, &status, sizeof(status));
	assert_int_equal(good.record.failures, 0);
	assert_int_equal(good.record.output_bytes, 100);
	assert_int_equal(good.record.exits, 1);
	assert_int_equal(good.record.exit_status, 3);
	/* And the first one is welcome again when it keeps to the protocol. */
	rig_hello(&bad);
	session = rig_open(&bad);
	rig_frame(&bad, LAB_FRAME_EXIT, LAB_STDIN, session, &status, sizeof(status));
	assert_int_equal(bad.record.exits, 1);
	rig_destroy(&bad);
	rig_destroy(&good);
}

static void more_than_the_window(void **state)
{
	struct rig rig;
	uint32_t session;

	(void)state;
	rig_init(&rig);
	rig_hello(&rig);
	session = rig_open(&rig);
	for (size_t sent = 0; sent < LAB_STREAM_WINDOW; sent += sizeof(payload))
		rig_frame(&rig, LAB_FRAME_DATA, LAB_STDOUT, session, payload, sizeof(payload));
	assert_int_equal(rig.record.output_bytes, LAB_STREAM_WINDOW);
	assert_int_equal(rig.record.failures, 0);
	rig_frame(&rig, LAB_FRAME_DATA, LAB_STDOUT, session, payload, 1);
	assert_int_equal(rig.record.output_bytes, LAB_STREAM_WINDOW);
	assert_int_equal(rig.record.failures, 1);
	rig_destroy(&rig);
}

static void credit_for_what_was_not_sent(void **state)
{
	uint32_t credit = htole32(1);
	struct rig rig;
	uint32_t session;

	(void)state;
	rig_init(&rig);
	rig_hello(&rig);
	session = rig_open(&rig);
	rig_frame(&rig, LAB_FRAME_CREDIT, LAB_STDIN, session, &credit, sizeof(credit));
	assert_int_equal(rig.record.credits, 0);
	assert_int_equal(rig.record.failures, 1);
	rig_destroy(&rig);
}

static void unknown_sessions_are_ignored(void **state)
{
	uint32_t status = htole32(0);
	struct rig rig;

	(void)state;
	rig_init(&rig);
	rig_hello(&rig);
	(void)rig_open(&rig);
	rig_frame(&rig, LAB_FRAME_DATA, LAB_STDOUT, 12345, payload, 10);
	rig_frame(&rig, LAB_FRAME_EXIT, LAB_STDIN, 12345, &status, sizeof(status));
	assert_int_equal(rig.record.output_bytes, 0);
	assert_int_equal(rig.record.exits, 0);
	assert_int_equal(rig.record.failures, 0);
	rig_destroy(&rig);
}

static void frames_that_only_a_keeper_sends(void **state)
{
	const enum lab_frame_type types[] = {LAB_FRAME_SIGNAL, LAB_FRAME_CLOSE, LAB_FRAME_OPEN};
	const size_t lengths[] = {4, 0, 10};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct rig rig;
		uint32_t session;

		rig_init(&rig);
		rig_hello(&rig);
		session = rig_open(&rig);
		rig_frame(&rig, types[i], LAB_STDIN, session, payload, lengths[i]);
		assert_int_equal(rig.record.failures, 1);
		rig_destroy(&rig);
	}
}

static void sessions_are_limited(void **state)
{
	struct lab_client clients[80];
	struct rig rig;
	int error = 0;
	size_t opened = 0;

	(void)state;
	memset(clients, 0, sizeof(clients));
	rig_init(&rig);
	rig_hello(&rig);
	for (; !error && opened < 80; opened++)
		error = lab_session_open(&clients[opened], &rig.vm, "exec\0root\0true", 15);
	assert_int_equal(opened, 65);
	assert_int_equal(error, -16 /* EBUSY */);
	for (size_t i = 0; i < 64; i++)
		lab_session_abandon(clients[i].session);
	rig_destroy(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_guests),
		cmocka_unit_test(more_than_the_window),
		cmocka_unit_test(credit_for_what_was_not_sent),
		cmocka_unit_test(unknown_sessions_are_ignored),
		cmocka_unit_test(frames_that_only_a_keeper_sends),
		cmocka_unit_test(sessions_are_limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
