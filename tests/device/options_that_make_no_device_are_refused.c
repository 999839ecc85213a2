// SPDX-License-Identifier: BSD-2-Clause
#include "tests/device/rig.h"

static void assert_refused(const struct crossvm_device_options *options, const char *why)
{
	struct crossvm_device_state state;
	struct crossvm_status_page status = {0};
	const char *wrong = crossvm_device_state_init(&state, &status, NULL, options);

	assert_non_null(wrong);
	assert_non_null(strstr(wrong, why));
	assert_int_equal(status.magic, 0); /* nothing was touched */
}

static struct crossvm_device_options good(void)
{
	return rig_options(CROSSVM_LAYOUT_SPLIT);
}

static void each_mistake_has_its_sentence(void **state)
{
	struct crossvm_device_options options;

	(void)state;
	options = good();
	options.layout = 7;
	assert_refused(&options, "layout is unknown");
	options = good();
	memset(options.name, 'x', sizeof(options.name));
	assert_refused(&options, "name is longer");
	options = good();
	options.name[0] = '\0';
	assert_refused(&options, "name is empty");
	options = good();
	options.connection_id = 0;
	assert_refused(&options, "connection id is 0");
	options = good();
	options.member_count = 0;
	assert_refused(&options, "number of members");
	options = good();
	options.member_count = CROSSVM_MAX_MEMBERS + 1;
	assert_refused(&options, "number of members");
	options = good();
	options.member_id = options.member_count;
	assert_refused(&options, "member id");
	options = good();
	options.access = 4 | CROSSVM_ACCESS_READ;
	assert_refused(&options, "unknown bits");
	options = good();
	options.access = CROSSVM_ACCESS_WRITE;
	assert_refused(&options, "not even read");
	options = good();
	options.writers = UINT64_C(1) << options.member_count;
	assert_refused(&options, "writers are more");
	options = good();
	options.reads_untrapped = true;
	assert_refused(&options, "mirror");
}

static void a_dataport_is_whole_pages_and_fits_its_bar(void **state)
{
	struct crossvm_device_options options = good();

	(void)state;
	options.dataport_bytes = 4097;
	assert_refused(&options, "whole number of pages");
	options.dataport_bytes = CROSSVM_MAX_DATAPORT_BYTES + 4096;
	assert_refused(&options, "larger than 4 GiB");
	options.dataport_bytes = UINT64_MAX - 4095;
	assert_refused(&options, "larger than 4 GiB");
	options.layout = CROSSVM_LAYOUT_SINGLE;
	options.dataport_bytes = (1ull << 31) + 4096;
	assert_refused(&options, "at most 2 GiB");
	options.dataport_bytes = 1ull << 31;
	assert_null(crossvm_device_options_check(&options));
}

static void events_alone_need_no_access(void **state)
{
	struct crossvm_device_options options = good();

	(void)state;
	options.dataport_bytes = 0;
	options.access = 0;
	assert_null(crossvm_device_options_check(&options));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_mistake_has_its_sentence),
		cmocka_unit_test(a_dataport_is_whole_pages_and_fits_its_bar),
		cmocka_unit_test(events_alone_need_no_access),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
