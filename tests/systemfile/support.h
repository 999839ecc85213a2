/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of the system file share: parse a text, expect a message. */
#ifndef TESTS_SYSTEM_SUPPORT_H
#define TESTS_SYSTEM_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "systemfile/system.h"

#define TEST_PATH "/etc/crossvm/test.yaml"

/* Two VMs and a component, in lines 1 to 5; connections can follow in line 6. */
#define PREFIX "vms:\n- name: a\n- name: b\ncomponents:\n- name: c\n"

static inline struct crossvm_system *parse_good(const char *text)
{
	struct crossvm_system *system = NULL;
	char *message = NULL;
	int error = crossvm_system_parse(TEST_PATH, NULL, text, strlen(text), &system, &message);

	if (error)
		fail_msg("refused: %s", message);
	assert_null(message);
	return system;
}

/* The text must be refused with exactly these messages. */
static inline void assert_refused(const char *text, const char *expected)
{
	struct crossvm_system *system = NULL;
	char *message = NULL;

	assert_int_equal(
		crossvm_system_parse(TEST_PATH, NULL, text, strlen(text), &system, &message),
		-EINVAL);
	assert_null(system);
	assert_string_equal(message, expected);
	free(message);
}

#endif
