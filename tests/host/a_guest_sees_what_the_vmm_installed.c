/* SPDX-License-Identifier: BSD-2-Clause */
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/host/guest.h"

#define CONFIG VFIO_PCI_CONFIG_REGION_INDEX

static const volatile struct crossvm_status_page *map_status(struct test_server *client,
							     uint64_t expected_offset)
{
	uint64_t offset, bytes;
	int fd = guest_region_fd(client, 0, &offset, &bytes);
	void *page;

	assert_true(fd >= 0);
	assert_int_equal(bytes, CROSSVM_PAGE_BYTES);
	assert_int_equal(offset, expected_offset);
	/* The guest may write it: a stray store must not end its VM. */
	page = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);
	assert_ptr_not_equal(page, MAP_FAILED);
	close(fd);
	return page;
}

static void both_functions_say_who_they_are(void **state)
{
	struct guest *guest = guest_start();
	struct test_server events = guest_attach(guest, "writer.events");
	struct test_server memory = guest_attach(guest, "writer.memory");
	uint64_t offset, bytes;

	(void)state;
	assert_int_equal(guest_read32(&events, CONFIG, 0), 0xa1111af4);
	assert_int_equal(guest_read32(&memory, CONFIG, 0), 0xa1121af4);
	assert_int_equal(guest_read32(&events, 0, CROSSVM_REG_MAGIC), CROSSVM_ABI_MAGIC);
	assert_int_equal(guest_read32(&events, 0, CROSSVM_REG_DATAPORT_BYTES),
			 GUEST_DATAPORT_BYTES);
	/* A function with nothing mapped has its writes posted. */
	assert_int_equal(guest_region_fd(&events, 0, &offset, &bytes), -1);
	guest_detach(&events);
	guest_detach(&memory);
	guest_end(guest);
}

static void the_dataport_is_the_vmm_s_memory(void **state)
{
	struct guest *guest = guest_start();
	struct test_server memory = guest_attach(guest, "writer.memory");
	uint64_t offset, bytes;
	int fd = guest_region_fd(&memory, 2, &offset, &bytes);
	unsigned char *mapped;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(offset, 0);
	assert_int_equal(bytes, GUEST_DATAPORT_BYTES);
	mapped = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(mapped, MAP_FAILED);
	memcpy(mapped + 8000, "from the guest", 15);
	assert_memory_equal(guest->memory + 8000, "from the guest", 15);
	munmap(mapped, bytes);
	/* Nobody can make it smaller, or larger. */
	assert_int_equal(ftruncate(fd, 4096), -1);
	assert_int_equal(ftruncate(fd, 1 << 20), -1);
	close(fd);
	guest_detach(&memory);
	guest_end(guest);
}

/* When QEMU takes a mapping away, or a client does not map. */
static void the_dataport_is_reached_by_messages_too(void **state)
{
	static const struct {
		const char *function;
		uint32_t region;
	} ways[] = {{"writer.memory", 2}, {"single.events", 1}};
	struct guest *guest = guest_start();

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct test_server client = guest_attach(guest, ways[i].function);
		uint32_t value = 0;

		guest_write32(&client, ways[i].region, 12284, 0x12345678 + (uint32_t)i);
		memcpy(&value, guest->memory + 12284, 4);
		assert_int_equal(value, 0x12345678 + i);
		assert_int_equal(guest_read32(&client, ways[i].region, 12284), value);
		/* In the BAR, behind the dataport. */
		guest_write32(&client, ways[i].region, 12288, 1);
		assert_int_equal(guest_read32(&client, ways[i].region, 12288), 0);
		assert_int_equal(guest_read32(&client, ways[i].region, 16380), 0);
		assert_int_equal(guest_read32(&client, ways[i].region, 12286), value >> 16);
		guest_detach(&client);
	}
	guest_end(guest);
}

static void a_read_only_member_cannot_write(void **state)
{
	struct guest *guest = guest_start();
	struct test_server memory = guest_attach(guest, "reader.memory");
	uint64_t offset, bytes;
	int fd = guest_region_fd(&memory, 2, &offset, &bytes);
	struct stat status;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	assert_ptr_equal(mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
	assert_ptr_not_equal(mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0), MAP_FAILED);
	memcpy(guest->memory, "abcd", 4);
	guest_write32(&memory, 2, 0, 0);
	assert_memory_equal(guest->memory, "abcd", 4);
	assert_int_equal(guest_read32(&memory, 2, 0), 0x64636261);
	/* Another user cannot open it again for writing. */
	assert_int_equal(fstat(fd, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	close(fd);
	guest_detach(&memory);
	guest_end(guest);
}

static void an_event_only_connection_has_no_dataport(void **state)
{
	struct guest *guest = guest_start();
	struct test_server memory = guest_attach(guest, "events.memory");
	uint64_t offset, bytes;

	(void)state;
	assert_int_equal(guest_region_fd(&memory, 2, &offset, &bytes), -1);
	map_status(&memory, 0);
	guest_detach(&memory);
	guest_end(guest);
}

static void events_count_interrupt_and_emit(void **state)
{
	static const char *const functions[][2] = {{"writer.events", "writer.memory"},
						   {"single.events", "single.events"}};
	static const int ids[] = {GUEST_WRITER, GUEST_SINGLE};
	struct guest *guest = guest_start();

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct test_server events = guest_attach(guest, functions[i][0]);
		struct test_server memory = i ? events : guest_attach(guest, functions[i][1]);
		const volatile struct crossvm_status_page *status =
			map_status(&memory, i ? CROSSVM_SINGLE_STATUS_OFFSET : 0);
		int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

		consume_connection_event(guest->vm, 10 + (seL4_Word)ids[i], true);
		assert_int_equal(status->total_events, 1);
		assert_int_equal(
			client_set_irqs(&events, VFIO_PCI_MSI_IRQ_INDEX,
					VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER, 1,
					fd),
			0);
		assert_int_equal(eventfd_count(fd), 1); /* it came before the driver */
		consume_connection_event(guest->vm, 10 + (seL4_Word)ids[i], true);
		consume_connection_event(guest->vm, 10 + (seL4_Word)ids[i], false);
		assert_int_equal(eventfd_count(fd), 1);
		assert_int_equal(status->total_events, 3);

		guest_write32(&events, 0, CROSSVM_REG_EMIT, 1);
		guest_write32(&events, 0, CROSSVM_REG_EMIT, 1);
		assert_int_equal(guest->counts->emitted[ids[i]], 2);
		assert_int_equal(guest->counts->state[ids[i]], CROSSVM_PEER_PRESENT);
		guest_write32(&events, 0, CROSSVM_REG_CONTROL, CROSSVM_CONTROL_OPEN);
		assert_int_equal(guest->counts->state[ids[i]], CROSSVM_PEER_OPEN);
		guest_detach(&events);
		assert_int_equal(guest->counts->state[ids[i]], CROSSVM_PEER_ABSENT);
		if (!i)
			guest_detach(&memory);
		close(fd);
	}
	guest_end(guest);
}

static void intx_is_raised_again_until_acknowledged(void **state)
{
	const uint32_t intx = VFIO_PCI_INTX_IRQ_INDEX;
	struct guest *guest = guest_start();
	struct test_server events = guest_attach(guest, "writer.events");
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	int unmask = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	const uint64_t one = 1;

	(void)state;
	assert_int_equal(client_set_irqs(&events, intx,
					 VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER, 1,
					 fd),
			 0);
	assert_int_equal(client_set_irqs(&events, intx,
					 VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_UNMASK, 1,
					 unmask),
			 0);
	consume_connection_event(guest->vm, 10, true);
	assert_int_equal(eventfd_count(fd), 0); /* no driver has touched the device yet */
	assert_int_equal(guest_read32(&events, 0, CROSSVM_REG_MAGIC), CROSSVM_ABI_MAGIC);
	assert_int_equal(eventfd_count(fd), 1);
	/* The guest reads, another event comes, it acknowledges and ends the interrupt. */
	assert_int_equal(guest_read32(&events, 0, CROSSVM_REG_EVENT_COUNT), 1);
	consume_connection_event(guest->vm, 10, true);
	guest_write32(&events, 0, CROSSVM_REG_EVENT_COUNT, 0);
	assert_int_equal(eventfd_count(fd), 0);
	assert_int_equal(write(unmask, &one, 8), 8);
	guest_serve(guest);
	assert_int_equal(eventfd_count(fd), 1);
	assert_int_equal(guest_read32(&events, 0, CROSSVM_REG_EVENT_COUNT), 1);
	guest_write32(&events, 0, CROSSVM_REG_EVENT_COUNT, 0);
	assert_int_equal(write(unmask, &one, 8), 8);
	guest_serve(guest);
	assert_int_equal(eventfd_count(fd), 0);
	close(fd);
	close(unmask);
	guest_detach(&events);
	guest_end(guest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_functions_say_who_they_are),
		cmocka_unit_test(the_dataport_is_the_vmm_s_memory),
		cmocka_unit_test(the_dataport_is_reached_by_messages_too),
		cmocka_unit_test(a_read_only_member_cannot_write),
		cmocka_unit_test(an_event_only_connection_has_no_dataport),
		cmocka_unit_test(events_count_interrupt_and_emit),
		cmocka_unit_test(intx_is_raised_again_until_acknowledged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
