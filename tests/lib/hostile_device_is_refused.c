/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a device or its driver tells is checked before use, in each of the ways to reach it.
 */
#include "fake_guest.h"
#include "fixture.h"

#define EVENTS   "sys/bus/pci/devices/" FAKE_EVENTS "/"
#define MEMORY   "sys/bus/pci/devices/" FAKE_MEMORY "/"
#define UIO      "sys/class/uio/uio0/"
#define REG(reg) guest->registers[(reg) / 4]

struct lie {
	int error;
	const char *says;
	void (*tell)(struct fake_guest *guest);
};

static void small_dataport_map(struct fake_guest *guest)
{
	fake_guest_file(guest, UIO "maps/map1/size", "0x1000\n");
}

static void no_dataport_map(struct fake_guest *guest)
{
	fake_guest_file(guest, UIO "maps/map1/name", "something\n");
}

static void size_that_is_no_number(struct fake_guest *guest)
{
	fake_guest_file(guest, UIO "maps/map2/size", "-1\n");
}

static void size_beyond_64_bits(struct fake_guest *guest)
{
	fake_guest_file(guest, UIO "maps/map2/size", "0x10000000000001000\n");
}

static void small_status_map(struct fake_guest *guest)
{
	fake_guest_file(guest, UIO "maps/map2/size", "0x0\n");
}

static void status_magic(struct fake_guest *guest)
{
	guest->status->magic = UINT32_MAX;
}

static void status_bytes(struct fake_guest *guest)
{
	guest->status->dataport_bytes = CROSSVM_MAX_DATAPORT_BYTES + CROSSVM_PAGE_BYTES;
}

static void revision_1_of_odd_size(struct fake_guest *guest)
{
	fake_guest_file(guest, UIO "maps/map2/name", NULL);
	fake_guest_file(guest, UIO "maps/map1/size", "0x1001\n");
}

static const struct lie uio_lies[] = {
	{-EPROTO, "'dataport' has 4096 bytes, fewer than 12288", small_dataport_map},
	{-EPROTO, "no map 'dataport'", no_dataport_map},
	{-EPROTO, "maps", size_that_is_no_number},
	{-EPROTO, "maps", size_beyond_64_bits},
	{-EPROTO, "'status' has 0 bytes", small_status_map},
	{-EPROTO, "0xffffffff", status_magic},
	{-EPROTO, "4294971392 bytes", status_bytes},
	{-EPROTO, "4097 bytes", revision_1_of_odd_size},
};

static void register_magic(struct fake_guest *guest)
{
	REG(CROSSVM_REG_MAGIC) = UINT32_MAX;
}

static void register_version(struct fake_guest *guest)
{
	REG(CROSSVM_REG_VERSION) = 3;
}

static void no_status_page(struct fake_guest *guest)
{
	REG(CROSSVM_REG_FEATURES) = 0;
}

static void odd_status_offset(struct fake_guest *guest)
{
	REG(CROSSVM_REG_STATUS_OFFSET) = 0x1004;
}

static void status_offset_behind_the_bar(struct fake_guest *guest)
{
	REG(CROSSVM_REG_STATUS_OFFSET) = 0xfffff000;
}

static void no_memory_function(struct fake_guest *guest)
{
	fake_guest_file(guest, MEMORY "subsystem_device", "0x0008\n");
}

static void memory_function_of_another_connection(struct fake_guest *guest)
{
	REG(CROSSVM_REG_CONNECTION_ID) = 0x10007; /* the same subsystem id */
}

static void small_dataport_bar(struct fake_guest *guest)
{
	fake_guest_resize(guest, MEMORY "resource2", FAKE_GUEST_DATAPORT_BYTES - 1);
}

static void small_register_bar(struct fake_guest *guest)
{
	fake_guest_resize(guest, EVENTS "resource0", CROSSVM_PAGE_BYTES - 1);
}

static void name_without_end(struct fake_guest *guest)
{
	memset(&REG(CROSSVM_REG_NAME), 'x', CROSSVM_NAME_BYTES);
}

static const struct lie pci_lies[] = {
	{-EPROTO, "magic 0xffffffff", register_magic},
	{-EPROTO, "version 3", register_version},
	{-EPROTO, "needs the driver uio_crossvm", no_status_page},
	{-EPROTO, "0x1004", odd_status_offset},
	{-EPROTO, "no 4096 bytes at offset 4294963200", status_offset_behind_the_bar},
	{-EPROTO, "no memory function", no_memory_function},
	{-EPROTO, "connections 65543 and 7", memory_function_of_another_connection},
	{-EPROTO, "BAR 2 has no 12288 bytes", small_dataport_bar},
	{-EPROTO, "BAR 0 has no 4096 bytes", small_register_bar},
	{-ENOENT, "crossvm list", name_without_end},
	{-EPROTO, "0xffffffff", status_magic},
	{-EPROTO, "4294971392 bytes", status_bytes},
};

static void try(const struct lie *lie, void (*set_up)(struct fake_guest *guest))
{
	struct crossvm_connection *conn;
	struct fake_guest guest;
	int error;

	fake_guest_create(&guest);
	set_up(&guest);
	lie->tell(&guest);
	error = fake_guest_open(&guest, "telemetry", CROSSVM_OPEN_WRITE, &conn);
	fake_guest_destroy(&guest);
	if (error != lie->error)
		fail_msg("%s: %d, %s", lie->says, error, crossvm_last_error());
	assert_error_says(lie->says);
	assert_null(conn);
}

static void with_our_driver(struct fake_guest *guest)
{
	fake_guest_add_device(guest, "uio_crossvm");
	fake_guest_add_uio_crossvm(guest);
}

static void with_the_stock_driver(struct fake_guest *guest)
{
	fake_guest_add_device(guest, "uio_pci_generic");
	fake_guest_add_uio_generic(guest);
}

static void without_a_driver(struct fake_guest *guest)
{
	fake_guest_add_device(guest, NULL);
}

static void lies_through_our_driver(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(uio_lies) / sizeof(uio_lies[0]); i++)
		try(&uio_lies[i], with_our_driver);
}

static void lies_through_pci_resources(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(pci_lies) / sizeof(pci_lies[0]); i++) {
		try(&pci_lies[i], with_the_stock_driver);
		try(&pci_lies[i], without_a_driver);
	}
}

static void a_name_too_long_for_a_connection_is_passed_over(void **state)
{
	struct crossvm_connection *conn;
	struct fake_guest guest;

	(void)state;
	fake_guest_create(&guest);
	with_our_driver(&guest);
	fake_guest_file(&guest, UIO "name",
			"telemetry-and-so-on-and-on-for-more-than-forty-seven-letters\n");
	assert_int_equal(fake_guest_open(&guest, "telemetry", 0, &conn), -ENODEV);
	fake_guest_destroy(&guest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lies_through_our_driver),
		cmocka_unit_test(lies_through_pci_resources),
		cmocka_unit_test(a_name_too_long_for_a_connection_is_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
