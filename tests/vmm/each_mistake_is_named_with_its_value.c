// SPDX-License-Identifier: BSD-2-Clause
/*
 * Everything that a caller can say wrongly is refused, with a message that has the connection, the
 * value and what to do. Defects 6 (interrupt numbers unchecked), 14 (NULL dataport, zero frames,
 * negative counts, duplicates), 18 (a name without NUL).
 */
#include "tests/vmm/fake.h"

#include <errno.h>

static seL4_CPtr frames[4] = {1, 2, 3, 4};

static void assert_message(const char *const *parts)
{
	assert_int_equal(fake.errors, 1);
	for (; *parts; parts++)
		if (!strstr(fake.error, *parts))
			fail_msg("\"%s\" is not in: %s", *parts, fake.error);
	assert_int_equal(fake.allocations, 0);
	assert_int_equal(fake.created, 0);
	fake.errors = 0;
}

/* The message must have all the strings that follow. */
#define assert_refused(options, code, ...)                        \
	do {                                                      \
		const char *const parts_[] = {__VA_ARGS__, NULL}; \
		assert_int_equal(fake_init_one(options), code);   \
		assert_message(parts_);                           \
	} while (0)

static void names(void **state)
{
	static const char *const forbidden[] = {"a b",          "a/b",      "../x", "a\nb",
						"na\xc3\xafve", "a\x1b[2J", "\"",   "%s"};
	struct crossvm_connection_options options = fake_options(1);
	char longest[CROSSVM_NAME_BYTES + 1];

	(void)state;
	options.handle.connection_name = "";
	assert_refused(&options, -EINVAL, "connection 0", "is empty", "give another");
	options.handle.connection_name = ".hidden";
	assert_refused(&options, -EINVAL, "connection 0", "begins with");
	options.handle.connection_name = "-option";
	assert_refused(&options, -EINVAL, "connection 0", "begins with");
	for (size_t i = 0; i < sizeof(forbidden) / sizeof(*forbidden); i++) {
		options.handle.connection_name = forbidden[i];
		assert_int_equal(fake_init_one(&options), -EINVAL);
		assert_null(strstr(fake.error, forbidden[i] + (i == 2))); /* nor is it repeated */
		fake.errors = 0;
	}
	memset(longest, 'x', sizeof(longest));
	longest[CROSSVM_NAME_MAX + 1] = '\0';
	options.handle.connection_name = longest;
	assert_refused(&options, -EINVAL, "connection 0", "longer than 47 bytes");
	longest[CROSSVM_NAME_MAX] = '\0';
	assert_int_equal(fake_init_one(&options), 0);
}

/* An array that is full and has no NUL: not a byte behind it may be read. */
static void a_name_without_nul(void **state)
{
	struct crossvm_connection_options options = fake_options(1);
	char *name = test_malloc(CROSSVM_NAME_BYTES);

	(void)state;
	memset(name, 'x', CROSSVM_NAME_BYTES);
	options.handle.connection_name = name;
	assert_refused(&options, -EINVAL, "longer than 47 bytes");
	test_free(name);
}

static void dataports(void **state)
{
	struct crossvm_connection_options options = fake_options(1);
	crossvm_dataport_handle_t dataport = {.size = 4096, .num_frames = 1, .frames = frames};

	(void)state;
	options.handle.dataport = &dataport;
	options.handle.connection_name = "port";
	dataport.num_frames = 0;
	assert_refused(&options, -EINVAL, "connection 0 (\"port\")", "0 frames", "NULL");
	dataport.num_frames = -3;
	assert_refused(&options, -EINVAL, "(\"port\")", "-3 frames");
	dataport = (crossvm_dataport_handle_t){.size = 4096, .num_frames = 1};
	assert_refused(&options, -EINVAL, "(\"port\")", "1 frames");
	dataport.frames = frames;
	for (size_t bits = 0; bits < 64; bits++) {
		char value[32];

		if (bits >= 12 && bits <= 32)
			continue;
		dataport.frame_size_bits = bits;
		snprintf(value, sizeof(value), "size is %zu", bits);
		assert_refused(&options, -EINVAL, value, "frame_size_bits from 12 to 32");
	}
	dataport.size = 64;
	assert_refused(&options, -EINVAL, "64 bytes", "give a multiple of 4096");
	dataport.size = 4097;
	assert_refused(&options, -EINVAL, "4097 bytes");
	dataport = (crossvm_dataport_handle_t){.size = 16384, .num_frames = 3, .frames = frames};
	assert_refused(&options, -EINVAL, "16384 bytes", "3 frames", "multiple of 12288");
	dataport.num_frames = 8; /* pages of half a page */
	assert_refused(&options, -EINVAL, "16384 bytes", "8 frames", "multiple of 32768");
}

static void sizes_that_overflow(void **state)
{
	struct crossvm_connection_options options = fake_options(1);
	crossvm_dataport_handle_t dataport = {.num_frames = 2, .frames = frames};

	(void)state;
	options.handle.dataport = &dataport;
	dataport.frame_size_bits = 32;
	assert_refused(&options, -EINVAL, "8589934592 bytes", "at most 4294967296");
	dataport.frame_size_bits = 30;
	dataport.num_frames = INT32_MAX;
	assert_refused(&options, -EINVAL, "at most 4294967296");
	dataport = (crossvm_dataport_handle_t){
		.size = SIZE_MAX - 4095, .num_frames = 1, .frames = frames};
	assert_refused(&options, -EINVAL, "18446744073709547520 bytes");
	options.single_layout = true;
	dataport.size = 3ul << 30;
	assert_refused(&options, -EINVAL, "3221225472 bytes", "single layout", "at most 2 GiB");
}

static void members(void **state)
{
	struct crossvm_connection_options options = fake_options(1);

	(void)state;
	options.member_count = 2;
	assert_refused(&options, -EINVAL, "connection id is 0", "member 0 of 2");
	options.connection_id = 5;
	options.member_id = 2;
	assert_refused(&options, -EINVAL, "member 2 of 2", "connection id 5");
	options.member_id = 0;
	options.member_count = 65;
	assert_refused(&options, -EINVAL, "member 0 of 65");
	options.member_count = 0;
	assert_refused(&options, -EINVAL, "member 0 of 0");
	options.member_count = 2;
	options.access = 8;
	assert_refused(&options, -EINVAL, "access 0x8");
}

static void duplicates(void **state)
{
	struct crossvm_connection_options options[2] = {fake_options(7), fake_options(7)};

	(void)state;
	assert_int_equal(
		crossvm_connections_init(&fake.vms[0], 0, options, 2, &fake.pci, fake_alloc_irq),
		-EEXIST);
	assert_message((const char *const[]){"connection 1", "connection 0 (\"connection-0\")",
					     "same consume_id 7", NULL});
	options[1].handle.consume_id = 8;
	options[0].handle.connection_name = options[1].handle.connection_name = "twin";
	assert_int_equal(
		crossvm_connections_init(&fake.vms[0], 0, options, 2, &fake.pci, fake_alloc_irq),
		-EEXIST);
	assert_message((const char *const[]){"connection 1 (\"twin\")", "same name", NULL});
	options[1].handle.connection_name = "other";
	options[0].connection_id = options[1].connection_id = 9;
	options[0].member_count = options[1].member_count = 2;
	assert_int_equal(
		crossvm_connections_init(&fake.vms[0], 0, options, 2, &fake.pci, fake_alloc_irq),
		-EEXIST);
	assert_message((const char *const[]){"connection 1 (\"other\")", "connection id 9", NULL});
}

static void interrupts(void **state)
{
	static const int bad[] = {-1, -2147483647, 256, 2147483647};
	struct crossvm_connection_options options = fake_options(1);

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		char value[32];

		fake.next_irq = bad[i] == 2147483647 ? 2147483646 : bad[i];
		snprintf(value, sizeof(value), "%d", fake.next_irq);
		assert_int_not_equal(fake_init_one(&options), 0);
		assert_message((const char *const[]){"connection 0", value, NULL});
	}
}

static void arguments(void **state)
{
	struct crossvm_connection_options options = fake_options(1);
	vm_t *vm = &fake.vms[0];

	(void)state;
	assert_int_equal(crossvm_connections_init(NULL, 0, &options, 1, &fake.pci, fake_alloc_irq),
			 -EINVAL);
	assert_message((const char *const[]){"vm", NULL});
	assert_int_equal(crossvm_connections_init(vm, 0, &options, 1, NULL, fake_alloc_irq),
			 -EINVAL);
	assert_message((const char *const[]){"PCI space", NULL});
	assert_int_equal(crossvm_connections_init(vm, 0, &options, 1, &fake.pci, NULL), -EINVAL);
	assert_message((const char *const[]){"alloc_irq", NULL});
	assert_int_equal(crossvm_connections_init(vm, 0, &options, -1, &fake.pci, fake_alloc_irq),
			 -EINVAL);
	assert_message((const char *const[]){"-1 connections", NULL});
	assert_int_equal(crossvm_connections_init(vm, 0, NULL, 1, &fake.pci, fake_alloc_irq),
			 -EINVAL);
	assert_message((const char *const[]){"1 connections at NULL", NULL});
	assert_int_equal(
		crossvm_connections_init(vm, 0x1234, &options, 1, &fake.pci, fake_alloc_irq),
		-EINVAL);
	assert_message((const char *const[]){"0x1234", "not page aligned", "4096", NULL});
	assert_int_equal(crossvm_connections_init(vm, UINTPTR_MAX - 4095, &options, 1, &fake.pci,
						  fake_alloc_irq),
			 -ENOSPC);
	assert_message((const char *const[]){"connection 0", "lower connection_base_addr", NULL});
	assert_int_equal(
		crossvm_connections_init(vm, 0, &options, INT32_MAX, &fake.pci, fake_alloc_irq),
		-E2BIG);
	assert_message((const char *const[]){"2147483647 connections", "at most 128", NULL});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(names, fake_start, fake_end),
		cmocka_unit_test_setup_teardown(a_name_without_nul, fake_start, fake_end),
		cmocka_unit_test_setup_teardown(dataports, fake_start, fake_end),
		cmocka_unit_test_setup_teardown(sizes_that_overflow, fake_start, fake_end),
		cmocka_unit_test_setup_teardown(members, fake_start, fake_end),
		cmocka_unit_test_setup_teardown(duplicates, fake_start, fake_end),
		cmocka_unit_test_setup_teardown(interrupts, fake_start, fake_end),
		cmocka_unit_test_setup_teardown(arguments, fake_start, fake_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
