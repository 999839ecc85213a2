/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two clients, one of which has sent all that a driver's life consists of before anybody serves it.
 * A process begins to serve and is killed at an exact point; the test itself goes on in its place.
 * Each request must be answered once and in order, each event counted once, and no descriptor
 * be left open.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/host/guest.h"
#include "tests/server/victim.h"

#define MSI     VFIO_PCI_MSI_IRQ_INDEX
#define EVENTFD (VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER)
#define EMITS   6u /* in one round: three alone, three in one message */
#define MAX_FDS 1024

static bool open_before[MAX_FDS];

static void note_open(void)
{
	for (int fd = 0; fd < MAX_FDS; fd++)
		open_before[fd] = fcntl(fd, F_GETFD) >= 0;
}

static bool is_ours(void *context, int fd)
{
	(void)context;
	return fd < MAX_FDS && open_before[fd];
}

static void serve(void *context)
{
	struct guest *guest = context;

	crossvm_host_recover(guest->host, is_ours, NULL);
	guest_serve(guest);
}

static void nobody_serves(struct test_server *client)
{
	(void)client;
}

static void send_irq(struct test_server *client, int fd)
{
	const struct vfio_irq_set set = {
		.argsz = sizeof(set), .flags = EVENTFD, .index = MSI, .count = 1};

	client_send(client, VFIO_USER_DEVICE_SET_IRQS, 0, &set, sizeof(set), &fd, 1);
}

static void send_multi_emit(struct test_server *client)
{
	unsigned char payload[8 + 3 * sizeof(struct vfio_user_multi_write)];
	const struct vfio_user_multi_write write = {
		.access = {.offset = CROSSVM_REG_EMIT, .region = 0, .count = 4}};
	const uint64_t count = 3;

	memcpy(payload, &count, sizeof(count));
	for (size_t i = 0; i < count; i++)
		memcpy(payload + 8 + i * sizeof(write), &write, sizeof(write));
	client_send(client, VFIO_USER_REGION_WRITE_MULTI, VFIO_USER_FLAGS_NO_REPLY, payload,
		    sizeof(payload), NULL, 0);
}

static void send_read(struct test_server *client, uint64_t offset)
{
	const struct vfio_user_access access = {.offset = offset, .region = 0, .count = 4};

	client_send(client, VFIO_USER_REGION_READ, 0, &access, sizeof(access), NULL, 0);
}

static void send_round(struct test_server *client, int irq, int memory)
{
	const struct vfio_user_dma_map map = {.argsz = 32, .flags = 3, .bytes = 4096};

	send_irq(client, irq);
	guest_write32(client, 0, CROSSVM_REG_EMIT, 1);
	client_send(client, VFIO_USER_DMA_MAP, 0, &map, sizeof(map), &memory, 1);
	guest_write32(client, 0, CROSSVM_REG_EMIT, 1);
	guest_write32(client, 0, CROSSVM_REG_EMIT, 1);
	send_read(client, CROSSVM_REG_MAGIC);
	send_multi_emit(client);
	guest_write32(client, 0, CROSSVM_REG_CONTROL, CROSSVM_CONTROL_OPEN);
	send_read(client, CROSSVM_REG_CONTROL);
}

static void expect_reply(struct test_server *client, uint16_t command, uint32_t value)
{
	struct test_reply reply;

	assert_true(client_receive(client, &reply));
	assert_int_equal(reply.header.command, command);
	assert_int_equal(reply.header.error, 0);
	if (command == VFIO_USER_REGION_READ)
		assert_memory_equal(reply.payload + 16, &value, 4);
}

static void expect_round(struct test_server *client)
{
	struct test_reply reply;

	expect_reply(client, VFIO_USER_DEVICE_SET_IRQS, 0);
	expect_reply(client, VFIO_USER_DMA_MAP, 0);
	expect_reply(client, VFIO_USER_REGION_READ, CROSSVM_ABI_MAGIC);
	expect_reply(client, VFIO_USER_REGION_READ, CROSSVM_CONTROL_OPEN);
	assert_false(client_receive(client, &reply));
}

static struct victim_point once(struct victim_point point)
{
	const unsigned int before = open_fds();
	struct guest *guest = guest_start();
	struct test_server receiver = guest_attach(guest, "events.events");
	struct test_server sender = guest_connect(guest, "writer.events");
	const struct vfio_user_version version = {0};
	int irq = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	int heard = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	struct victim_point lived;
	unsigned int served;

	assert_int_equal(client_set_irqs(&receiver, MSI, EVENTFD, 1, heard), 0);
	note_open();
	sender.serve = nobody_serves;
	client_send(&sender, VFIO_USER_VERSION, 0, &version, sizeof(version), NULL, 0);
	send_round(&sender, irq, guest->dataport);

	lived = victim_run(serve, guest, point);
	serve(guest);

	expect_reply(&sender, VFIO_USER_VERSION, 0);
	expect_round(&sender);
	assert_int_equal(guest->counts->emitted[GUEST_WRITER], EMITS);
	assert_true(eventfd_count(heard) >= 1);
	assert_int_equal(guest_read32(&receiver, 0, CROSSVM_REG_EVENT_COUNT), EMITS);
	assert_int_equal(guest->counts->state[GUEST_WRITER], CROSSVM_PEER_OPEN);

	/* And it all goes on. What came new are the client's socket and its interrupt. */
	served = open_fds();
	send_round(&sender, irq, guest->dataport);
	guest_serve(guest);
	expect_round(&sender);
	assert_int_equal(guest->counts->emitted[GUEST_WRITER], 2 * EMITS);
	assert_int_equal(open_fds(), served);
	assert_int_equal(guest->logged, 0);

	close(sender.client);
	guest_detach(&receiver);
	guest_serve(guest);
	close(irq);
	close(heard);
	guest_end(guest);
	assert_int_equal(open_fds(), before);
	return lived;
}

static void whatever_it_was_doing(void **state)
{
	(void)state;
	victim_everywhere(once, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whatever_it_was_doing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
