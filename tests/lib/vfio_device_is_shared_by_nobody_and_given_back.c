/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A device that is bound to vfio-pci, with a kernel made of wrapped calls: what is asked of it, what
 * happens when it refuses, and that nothing stays open.
 */
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake_guest.h"
#include "fixture.h"

#define EVENTS    "sys/bus/pci/devices/" FAKE_EVENTS "/"
#define MEMORY    "sys/bus/pci/devices/" FAKE_MEMORY "/"
#define BAR_SHIFT 32 /* BAR n is at n + 1 of these, config space at 0 */
#define MASTER    0x0006

/* What the kernel says and was told. */
static struct {
	struct fake_guest guest;
	bool viable, has_iommu, mappable, msi_works;
	uint32_t msi, intx; /* how many of them */
	int interrupt_fd, request_fd;
	int unmasked;
	int before_failure; /* ioctls until one fails; -1: none does */
} kernel;

static char *path_of(int fd, char *path, size_t bytes)
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, bytes - 1);
	path[n > 0 ? n : 0] = '\0';
	return path;
}

static int set_irqs(const struct vfio_irq_set *set)
{
	int fd = -1;

	if (set->flags & VFIO_IRQ_SET_ACTION_UNMASK) {
		assert_int_equal(set->index, VFIO_PCI_INTX_IRQ_INDEX);
		kernel.unmasked++;
		return 0;
	}
	assert_true(set->flags & VFIO_IRQ_SET_DATA_EVENTFD);
	memcpy(&fd, set->data, sizeof(fd));
	if (set->index == VFIO_PCI_REQ_IRQ_INDEX) {
		kernel.request_fd = fd;
		return 0;
	}
	if (set->index == VFIO_PCI_MSI_IRQ_INDEX && !kernel.msi_works) {
		errno = ENOSPC;
		return -1;
	}
	kernel.interrupt_fd = fd;
	return 0;
}

/* The file that sysfs would have for a BAR of a device. */
static void resource_of(int fd, unsigned int bar, char *path, size_t bytes)
{
	char config[512];

	path_of(fd, config, sizeof(config));
	*strrchr(config, '/') = '\0';
	snprintf(path, bytes, "%s/resource%u", config, bar);
}

static int region_info(int fd, struct vfio_region_info *info)
{
	char path[600];
	struct stat status;

	info->flags = kernel.mappable ? VFIO_REGION_INFO_FLAG_MMAP : 0;
	if (info->index == VFIO_PCI_CONFIG_REGION_INDEX) {
		info->offset = 0;
		return 0;
	}
	info->offset = (uint64_t)(info->index + 1) << BAR_SHIFT;
	resource_of(fd, info->index, path, sizeof(path));
	info->size = stat(path, &status) ? 0 : (uint64_t)status.st_size;
	return 0;
}

/* A device's descriptor is one of its config space. */
static int device_fd(const char *address)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/sys/bus/pci/devices/%s/config", kernel.guest.root,
		 address);
	return open(path, O_RDWR | O_CLOEXEC);
}

static int answer(int fd, unsigned long request, void *argument)
{
	struct vfio_irq_info *irq = argument;

	switch (request) {
	case VFIO_GET_API_VERSION:
		return VFIO_API_VERSION;
	case VFIO_CHECK_EXTENSION:
		return kernel.has_iommu;
	case VFIO_GROUP_GET_STATUS:
		((struct vfio_group_status *)argument)->flags =
			kernel.viable ? VFIO_GROUP_FLAGS_VIABLE : 0;
		return 0;
	case VFIO_GROUP_SET_CONTAINER:
	case VFIO_SET_IOMMU:
		return 0;
	case VFIO_GROUP_GET_DEVICE_FD:
		return device_fd(argument);
	case VFIO_DEVICE_GET_REGION_INFO:
		return region_info(fd, argument);
	case VFIO_DEVICE_GET_IRQ_INFO:
		irq->flags = VFIO_IRQ_INFO_EVENTFD;
		irq->count = irq->index == VFIO_PCI_MSI_IRQ_INDEX ? kernel.msi : kernel.intx;
		return 0;
	case VFIO_DEVICE_SET_IRQS:
		return set_irqs(argument);
	default:
		errno = ENOTTY;
		return -1;
	}
}

int __wrap_ioctl(int fd, unsigned long request, void *argument);
int __wrap_ioctl(int fd, unsigned long request, void *argument)
{
	if (kernel.before_failure >= 0 && kernel.before_failure-- == 0) {
		errno = EIO;
		return -1;
	}
	return answer(fd, request, argument);
}

int __real_crossvm_map(struct crossvm_mapping *mapping, int fd, off_t offset, size_t bytes,
		       int protection);
int __wrap_crossvm_map(struct crossvm_mapping *mapping, int fd, off_t offset, size_t bytes,
		       int protection);
int __wrap_crossvm_map(struct crossvm_mapping *mapping, int fd, off_t offset, size_t bytes,
		       int protection)
{
	char path[600];
	int error;

	resource_of(fd, (unsigned int)(offset >> BAR_SHIFT) - 1, path, sizeof(path));
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	error = __real_crossvm_map(mapping, fd, offset & ((1LL << BAR_SHIFT) - 1), bytes,
				   protection);
	close(fd);
	return error;
}

static int start(void **state)
{
	(void)state;
	memset(&kernel, 0, sizeof(kernel));
	kernel.viable = kernel.has_iommu = kernel.mappable = kernel.msi_works = true;
	kernel.msi = kernel.intx = 1;
	kernel.interrupt_fd = kernel.request_fd = -1;
	kernel.before_failure = -1;
	fake_guest_create(&kernel.guest);
	fake_guest_add_device(&kernel.guest, "vfio-pci");
	fake_guest_link(&kernel.guest, EVENTS "iommu_group", "../../../kernel/iommu_groups/7");
	fake_guest_link(&kernel.guest, MEMORY "iommu_group", "../../../kernel/iommu_groups/7");
	fake_guest_file(&kernel.guest, "dev/vfio/vfio", "");
	fake_guest_file(&kernel.guest, "dev/vfio/7", "");
	return 0;
}

static int stop(void **state)
{
	(void)state;
	fake_guest_destroy(&kernel.guest);
	return 0;
}

static void fire(int fd)
{
	const uint64_t one = 1;

	assert_int_equal(write(fd, &one, sizeof(one)), sizeof(one));
}

static struct crossvm_connection *must_open(const char *interrupt)
{
	struct crossvm_connection *conn =
		fake_guest_must_open(&kernel.guest, CROSSVM_OPEN_WRITE | CROSSVM_OPEN_EMIT);
	struct crossvm_connection_info info;

	crossvm_connection_info(conn, &info);
	assert_string_equal(crossvm_backend_name(info.backend), "vfio-pci");
	assert_string_equal(info.interrupt, interrupt);
	assert_int_equal(info.dataport_bytes, FAKE_GUEST_DATAPORT_BYTES);
	return conn;
}

static void msi_wakes_and_needs_no_acknowledgement(void **state)
{
	struct crossvm_connection *conn = must_open("msi");
	volatile uint32_t *registers = kernel.guest.registers;
	uint64_t count;
	void *dataport;
	size_t bytes;

	(void)state;
	assert_int_equal(fake_guest_command(&kernel.guest) & MASTER, MASTER);
	assert_int_equal(registers[CROSSVM_REG_CONTROL / 4],
			 CROSSVM_CONTROL_OPEN | CROSSVM_CONTROL_PEER_CHANGES);
	assert_int_equal(crossvm_connection_emit(conn), 0);
	assert_int_equal(registers[CROSSVM_REG_EMIT / 4], 1);
	dataport = crossvm_connection_dataport(conn, &bytes);
	assert_int_equal(bytes, FAKE_GUEST_DATAPORT_BYTES);
	memset(dataport, 'x', bytes);
	assert_int_equal(kernel.guest.dataport[FAKE_GUEST_DATAPORT_BYTES - 1], 'x');

	assert_int_equal(crossvm_connection_wait(conn, 0, NULL), -ETIMEDOUT);
	assert_true(crossvm_connection_fd(conn) >= 0);
	kernel.guest.status->total_events = 3;
	fire(kernel.interrupt_fd);
	assert_int_equal(crossvm_connection_wait(conn, -1, &count), 0);
	assert_int_equal(count, 3);
	assert_int_equal(crossvm_connection_wait(conn, 1, NULL), -ETIMEDOUT);
	assert_int_equal(registers[CROSSVM_REG_PENDING / 4], 0);
	assert_int_equal(kernel.unmasked, 0);
	crossvm_connection_close(conn);
	assert_int_equal(registers[CROSSVM_REG_CONTROL / 4], 0);
}

static void intx_is_acknowledged_and_unmasked(struct crossvm_connection *conn)
{
	uint64_t count;

	kernel.guest.registers[CROSSVM_REG_PENDING / 4] = CROSSVM_PENDING_EVENTS;
	fire(kernel.interrupt_fd);
	assert_int_equal(crossvm_connection_wait(conn, 1, NULL), -ETIMEDOUT);
	assert_int_equal(kernel.unmasked, 1);
	kernel.guest.status->total_events = 1;
	fire(kernel.interrupt_fd);
	assert_int_equal(crossvm_connection_wait(conn, -1, &count), 0);
	assert_int_equal(count, 1);
	/* A device that is gone reads as all ones. */
	kernel.guest.registers[CROSSVM_REG_PENDING / 4] = UINT32_MAX;
	fire(kernel.interrupt_fd);
	assert_int_equal(crossvm_connection_wait(conn, -1, &count), -ENODEV);
	crossvm_connection_close(conn);
}

static void without_msi_there_is_intx(void **state)
{
	(void)state;
	kernel.msi = 0;
	intx_is_acknowledged_and_unmasked(must_open("intx"));
}

static void where_msi_is_refused_there_is_intx(void **state)
{
	(void)state;
	kernel.msi_works = false;
	intx_is_acknowledged_and_unmasked(must_open("intx"));
}

static void without_interrupt_waits_poll(void **state)
{
	struct crossvm_connection *conn;

	(void)state;
	kernel.msi = kernel.intx = 0;
	conn = must_open("none");
	assert_int_equal(crossvm_connection_fd(conn), -ENOTSUP);
	assert_int_equal(crossvm_connection_wait(conn, 2, NULL), -ETIMEDOUT);
	kernel.guest.status->total_events = 1;
	assert_int_equal(crossvm_connection_wait(conn, -1, NULL), 0);
	crossvm_connection_close(conn);
}

static void a_device_that_is_to_go_ends_waits(void **state)
{
	struct crossvm_connection *conn = must_open("msi");

	(void)state;
	fire(kernel.request_fd);
	assert_int_equal(crossvm_connection_wait(conn, -1, NULL), -ENODEV);
	assert_error_says("is to be removed");
	assert_int_equal(crossvm_connection_emit(conn), -ENODEV);
	assert_int_equal(crossvm_connection_wait(conn, 0, NULL), -ENODEV);
	crossvm_connection_close(conn);
	assert_int_equal(kernel.guest.registers[CROSSVM_REG_CONTROL / 4], 0);
}

static void a_process_opens_it_once(void **state)
{
	const struct crossvm_open_options options = {0};
	struct crossvm_connection *conn = must_open("msi"), *second;
	struct crossvm_list_entry *entries;

	(void)state;
	assert_int_equal(fake_guest_open(&kernel.guest, "telemetry", 0, &second), -EBUSY);
	assert_error_says("has it open already");
	assert_int_equal(crossvm_connection_list_below(kernel.guest.root, &options, &entries), 0);
	free(entries);
	crossvm_connection_close(conn);
	crossvm_connection_close(must_open("msi"));
	assert_int_equal(crossvm_connection_list_below(kernel.guest.root, &options, &entries), 1);
	assert_string_equal(entries[0].name, "telemetry");
	assert_int_equal(entries[0].dataport_bytes, FAKE_GUEST_DATAPORT_BYTES);
	free(entries);
}

static void a_single_function_is_enough(void **state)
{
	(void)state;
	kernel.guest.registers[CROSSVM_REG_STATUS_OFFSET / 4] = CROSSVM_SINGLE_STATUS_OFFSET;
	fake_guest_single(&kernel.guest);
	crossvm_connection_close(must_open("msi"));
}

static void not_viable(void)
{
	kernel.viable = false;
}

static void no_iommu(void)
{
	kernel.has_iommu = false;
}

static void no_group(void)
{
	fake_guest_file(&kernel.guest, EVENTS "iommu_group", NULL);
}

static void no_group_file(void)
{
	fake_guest_file(&kernel.guest, "dev/vfio/7", NULL);
}

static void no_container(void)
{
	fake_guest_file(&kernel.guest, "dev/vfio/vfio", NULL);
}

static void not_mappable(void)
{
	kernel.mappable = false;
}

static void small_dataport(void)
{
	fake_guest_resize(&kernel.guest, MEMORY "resource2", CROSSVM_PAGE_BYTES);
}

static void memory_elsewhere(void)
{
	fake_guest_link(&kernel.guest, MEMORY "driver", "../../../bus/pci/drivers/other");
}

static void revision_1(void)
{
	fake_guest_file(&kernel.guest, EVENTS "revision", "0x01\n");
}

static void what_is_wrong_is_told(void **state)
{
	static const struct {
		void (*make)(void);
		int error;
		const char *says;
	} wrongs[] = {
		{not_viable, -EBUSY, "bind all functions of the slot"},
		{no_iommu, -ENODEV, "give the VM an IOMMU"},
		{no_group, -ENODEV, "in no IOMMU group"},
		{no_group_file, -ENOENT, "cannot open"},
		{no_container, -ENOENT, "cannot open"},
		{not_mappable, -ENOTSUP, "does not map its BAR 0"},
		{small_dataport, -EPROTO, "its BAR 2 has no"},
		{memory_elsewhere, -ENODEV, "not bound to vfio-pci"},
		{revision_1, -EPROTO, "revision 1"},
	};

	for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
		struct crossvm_connection *conn;

		stop(state);
		start(state);
		wrongs[i].make();
		assert_int_equal(
			fake_guest_open(&kernel.guest, "telemetry", CROSSVM_OPEN_READ, &conn),
			wrongs[i].error);
		assert_error_says(wrongs[i].says);
	}
}

/* Each call to the kernel fails once; the next attempt finds everything given back. */
static void what_fails_leaves_nothing_open(void **state)
{
	const int before = open_descriptors();
	int failures = 0;

	(void)state;
	for (int place = 0;; place++) {
		struct crossvm_connection *conn;
		int error;

		kernel.before_failure = place;
		error = fake_guest_open(&kernel.guest, "telemetry", CROSSVM_OPEN_WRITE, &conn);
		crossvm_connection_close(conn);
		assert_int_equal(open_descriptors(), before);
		if (kernel.before_failure >= 0)
			break;
		failures += error != 0;
		if (error)
			assert_true(*crossvm_last_error());
	}
	assert_true(failures > 5);
	kernel.before_failure = -1;
	crossvm_connection_close(must_open("msi"));
	assert_int_equal(open_descriptors(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(msi_wakes_and_needs_no_acknowledgement, start,
						stop),
		cmocka_unit_test_setup_teardown(without_msi_there_is_intx, start, stop),
		cmocka_unit_test_setup_teardown(where_msi_is_refused_there_is_intx, start, stop),
		cmocka_unit_test_setup_teardown(without_interrupt_waits_poll, start, stop),
		cmocka_unit_test_setup_teardown(a_device_that_is_to_go_ends_waits, start, stop),
		cmocka_unit_test_setup_teardown(a_process_opens_it_once, start, stop),
		cmocka_unit_test_setup_teardown(a_single_function_is_enough, start, stop),
		cmocka_unit_test_setup_teardown(what_is_wrong_is_told, start, stop),
		cmocka_unit_test_setup_teardown(what_fails_leaves_nothing_open, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
