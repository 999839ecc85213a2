/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include "systemfile/size.h"

static const char full[] = "vms:\n"
			   "  - name: sensor\n"
			   "    memory: 512 MiB\n"
			   "    user: root\n"
			   "    group: 1234\n"
			   "    layout: single\n"
			   "    files:\n"
			   "      - {source: app, destination: /usr/bin/app, mode: 0755}\n"
			   "      - {source: /bin/sh, destination: /bin/other}\n"
			   "    kernel_args: [idle=poll]\n"
			   "    qemu_args: [-smp, 2]\n"
			   "  - name: autopilot\n"
			   "    arch: aarch64\n"
			   "components:\n"
			   "  - {name: logger, user: 77}\n"
			   "connections:\n"
			   "  - name: telemetry\n"
			   "    dataport: 3 MiB\n"
			   "    kind: broadcast\n"
			   "    members:\n"
			   "      - {vm: sensor, access: read-write}\n"
			   "      - {vm: autopilot, access: read-only}\n"
			   "      - {component: logger, access: read-only}\n"
			   "  - name: alarm\n"
			   "    members: [{component: logger}, {vm: sensor}]\n"
			   "    doorbell: false\n";

static void everything_is_taken_over(void **state)
{
	struct crossvm_system *system = parse_good(full);
	const struct crossvm_system_vm *vms = system->vms;
	const struct crossvm_system_connection *connections = system->connections;

	(void)state;
	assert_string_equal(system->path, TEST_PATH);
	assert_int_equal(system->num_vms, 2);
	assert_string_equal(vms[0].name, "sensor");
	assert_int_equal(vms[0].arch, CROSSVM_ARCH_X86_64);
	assert_int_equal(vms[0].memory_bytes, 512 << 20);
	assert_int_equal(vms[0].user, 0);
	assert_int_equal(vms[0].group, 1234);
	assert_true(vms[0].single_layout);
	assert_int_equal(vms[0].num_files, 2);
	assert_string_equal(vms[0].files[0].source, "/etc/crossvm/app");
	assert_string_equal(vms[0].files[0].destination, "/usr/bin/app");
	assert_int_equal(vms[0].files[0].mode, 0755);
	assert_string_equal(vms[0].files[1].source, "/bin/sh");
	assert_int_equal(vms[0].files[1].mode, 0);
	assert_string_equal(vms[0].kernel_args[0], "idle=poll");
	assert_null(vms[0].kernel_args[1]);
	assert_string_equal(vms[0].qemu_args[0], "-smp");
	assert_string_equal(vms[0].qemu_args[1], "2");
	assert_null(vms[0].qemu_args[2]);
	assert_null(vms[1].kernel_args);
	assert_null(vms[1].qemu_args);
	assert_int_equal(vms[1].arch, CROSSVM_ARCH_AARCH64);
	assert_int_equal(vms[1].memory_bytes, 0);
	assert_int_equal(vms[1].user, (uid_t)-1);
	assert_false(vms[1].single_layout);
	assert_int_equal(system->num_components, 1);
	assert_int_equal(system->components[0].user, 77);
	assert_int_equal(system->components[0].group, (gid_t)-1);
	assert_int_equal(system->num_connections, 2);
	assert_string_equal(connections[0].name, "telemetry");
	assert_int_equal(connections[0].dataport_bytes, 3 << 20);
	assert_int_equal(connections[0].num_members, 3);
	assert_true(connections[0].members[1].is_vm);
	assert_int_equal(connections[0].members[1].index, 1);
	assert_int_equal(connections[0].members[0].access,
			 CROSSVM_ACCESS_READ | CROSSVM_ACCESS_WRITE);
	assert_int_equal(connections[0].members[1].access, CROSSVM_ACCESS_READ);
	assert_false(connections[0].members[2].is_vm);
	assert_int_equal(connections[1].dataport_bytes, 0);
	assert_int_equal(connections[1].members[0].access, 0);
	assert_false(connections[1].doorbell);
	assert_int_equal(crossvm_system_find_vm(system, "autopilot"), 1);
	assert_int_equal(crossvm_system_find_vm(system, "logger"), -1);
	assert_int_equal(crossvm_system_find_component(system, "logger"), 0);
	crossvm_system_free(system);
}

static void the_largest_and_the_longest_are_accepted(void **state)
{
	struct crossvm_system *system = parse_good(
		PREFIX "connections:\n"
		       "- name: a2345678901234567890123456789012345678901234567\n"
		       "  dataport: 4 GiB\n"
		       "  members: [{vm: a, access: read-write}, {vm: b, access: read-write}]\n");

	(void)state;
	assert_int_equal(system->connections[0].dataport_bytes, CROSSVM_MAX_DATAPORT_BYTES);
	assert_int_equal(strlen(system->connections[0].name), CROSSVM_NAME_MAX);
	crossvm_system_free(system);
}

/* Some editors begin a text in UTF-8 with three invisible bytes. Lines are counted without them. */
static void a_byte_order_mark_is_accepted(void **state)
{
	struct crossvm_system *system = parse_good("\xef\xbb\xbf" PREFIX "connections:\n"
						   "- {name: link, members: [{vm: a}, {vm: b}]}\n");

	(void)state;
	assert_int_equal(system->num_vms, 2);
	crossvm_system_free(system);
	system = parse_good("\xef\xbb\xbf# comment\n" PREFIX "connections:\n"
			    "- {name: link, members: [{vm: a}, {vm: b}]}\n");
	crossvm_system_free(system);
	assert_refused("\xef\xbb\xbfvms:\n- name: a\n  colour: red\n", TEST_PATH
		       ":3: unknown key 'colour' in a VM; it may have: name, arch, memory, "
		       "user, group, layout, files, kernel_args, qemu_args\n" TEST_PATH
		       ":1: the system file lacks 'connections'; add it");
	assert_refused("\xef\xbb\xbfvms:\n\x80\n",
		       TEST_PATH ":2: not a text in UTF-8 (invalid leading UTF-8 octet); a system "
				 "file is YAML, see docs/system-file.md");
}

static void two_vms_can_have_a_doorbell(void **state)
{
	struct crossvm_system *system = parse_good(PREFIX "connections:\n"
							  "- name: link\n"
							  "  doorbell: true\n"
							  "  members: [{vm: a}, {vm: b}]\n");

	(void)state;
	assert_true(system->connections[0].doorbell);
	crossvm_system_free(system);
}

static void sizes_are_read_and_written(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
		const char *formatted;
	} sizes[] = {{"0", 0, "0 B"},
		     {"4096", 4096, "4 KiB"},
		     {"12 KiB", 12288, "12 KiB"},
		     {"12KiB", 12288, "12 KiB"},
		     {"1000 B", 1000, "1000 B"},
		     {"2048 MiB", UINT64_C(2) << 30, "2 GiB"},
		     {"18446744073709551615", UINT64_MAX, "18446744073709551615 B"}};
	static const char *const bad[] = {"",      " 1",   "+1",   "1k",   "1 K", "1 kiB",
					  "1KiB ", "1 TB", "0x10", "1 MB", "1,5"};
	uint64_t bytes;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		assert_int_equal(crossvm_size_parse(sizes[i].text, &bytes), 0);
		assert_int_equal(bytes, sizes[i].bytes);
		assert_string_equal(crossvm_size_format(bytes).text, sizes[i].formatted);
		assert_int_equal(crossvm_size_parse(sizes[i].formatted, &bytes), 0);
		assert_int_equal(bytes, sizes[i].bytes);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(crossvm_size_parse(bad[i], &bytes), -EINVAL);
	assert_int_equal(crossvm_size_parse("18446744073709551616", &bytes), -ERANGE);
	assert_int_equal(crossvm_size_parse("17179869184 GiB", &bytes), -ERANGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_is_taken_over),
		cmocka_unit_test(the_largest_and_the_longest_are_accepted),
		cmocka_unit_test(a_byte_order_mark_is_accepted),
		cmocka_unit_test(two_vms_can_have_a_doorbell),
		cmocka_unit_test(sizes_are_read_and_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
