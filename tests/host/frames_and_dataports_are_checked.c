/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/host/guest.h"

static void a_dataport_is_all_there_and_keeps_its_size(void **state)
{
	struct stat status;
	int fd;

	(void)state;
	assert_int_equal(crossvm_dataport_create("test", 3 << 20, &fd), 0);
	assert_int_equal(fstat(fd, &status), 0);
	assert_int_equal(status.st_size, 3 << 20);
	assert_int_equal(status.st_blocks * 512, 3 << 20);
	assert_int_equal(status.st_mode & 0777, 0600);
	assert_int_equal(ftruncate(fd, 4096), -1);
	assert_int_equal(ftruncate(fd, 8 << 20), -1);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	close(fd);
}

static void impossible_sizes_are_refused(void **state)
{
	static const size_t sizes[] = {0, 1, 4095, 4097, CROSSVM_MAX_DATAPORT_BYTES + 4096};
	int fd;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		assert_int_equal(crossvm_dataport_create("test", sizes[i], &fd), -EINVAL);
		assert_int_equal(fd, -1);
	}
}

static void frames_outside_the_file_are_refused(void **state)
{
	seL4_CPtr frames[4];
	int fd, unsealed = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	(void)state;
	assert_int_equal(crossvm_dataport_create("test", 16384, &fd), 0);
	assert_int_equal(crossvm_frames_from_memfd(fd, 0, 4096, 4, frames), 0);
	assert_int_equal(crossvm_frames_from_memfd(fd, 4096, 4096, 3, frames), 0);
	assert_int_equal(crossvm_frames_from_memfd(fd, 4096, 4096, 4, frames), -EINVAL);
	assert_int_equal(crossvm_frames_from_memfd(fd, 16384, 4096, 1, frames), -EINVAL);
	assert_int_equal(crossvm_frames_from_memfd(fd, SIZE_MAX - 4095, 4096, 1, frames), -EINVAL);
	assert_int_equal(crossvm_frames_from_memfd(fd, 0, SIZE_MAX - 4095, 1, frames), -EINVAL);
	assert_int_equal(crossvm_frames_from_memfd(fd, 0, 4096, 0, frames), -EINVAL);
	assert_int_equal(crossvm_frames_from_memfd(fd, 0, 4096, -1, frames), -EINVAL);
	assert_int_equal(crossvm_frames_from_memfd(fd, 1, 4096, 1, frames), -EINVAL);
	assert_int_equal(crossvm_frames_from_memfd(fd, 0, 100, 1, frames), -EINVAL);
	assert_int_equal(crossvm_frames_from_memfd(-1, 0, 4096, 1, frames), -EBADF);
	assert_int_equal(ftruncate(unsealed, 4096), 0);
	assert_int_equal(crossvm_frames_from_memfd(unsealed, 0, 4096, 1, frames), -EPERM);
	close(unsealed);
	close(fd);
}

static int init(struct guest *guest, seL4_CPtr *frames, int num_frames)
{
	crossvm_dataport_handle_t dataport = {
		.size = (size_t)num_frames * 4096, .num_frames = num_frames, .frames = frames};
	crossvm_handle_t handle = {
		.dataport = &dataport, .consume_id = 99, .connection_name = "more"};

	return cross_vm_connections_init_common(guest->vm, 0, &handle, 1, crossvm_vm_pci(guest->vm),
						crossvm_host_alloc_irq);
}

/* One mapping serves a dataport, so its frames must follow each other. */
static void frames_out_of_order_or_made_up_are_refused(void **state)
{
	struct guest *guest = guest_start();
	seL4_CPtr frames[3], swapped[3], made_up[] = {0, 1, (seL4_CPtr)-1, (seL4_CPtr)1 << 50};

	(void)state;
	assert_int_equal(crossvm_frames_from_memfd(guest->dataport, 0, 4096, 3, frames), 0);
	swapped[0] = frames[1];
	swapped[1] = frames[0];
	swapped[2] = frames[2];
	assert_int_equal(init(guest, swapped, 3), -1);
	assert_non_null(strstr(guest->log, "\"more\""));
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(init(guest, &made_up[i], 1), -1);
	assert_int_equal(init(guest, frames, 3), 0);
	guest_end(guest);
}

/* A connection may have a part of a file that begins anywhere. */
static void frames_from_the_middle_are_mapped_from_there(void **state)
{
	struct guest *guest = guest_start();
	struct test_server memory;
	uint64_t offset, bytes;
	seL4_CPtr frame;
	int fd;

	(void)state;
	assert_int_equal(crossvm_frames_from_memfd(guest->dataport, 8192, 4096, 1, &frame), 0);
	assert_int_equal(init(guest, &frame, 1), 0);
	memory = guest_attach(guest, "more.memory");
	fd = guest_region_fd(&memory, 2, &offset, &bytes);
	assert_int_equal(offset, 8192);
	assert_int_equal(bytes, 4096);
	guest_write32(&memory, 2, 4, 0x64636261);
	assert_memory_equal(guest->memory + 8196, "abcd", 4);
	close(fd);
	guest_detach(&memory);
	guest_end(guest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_dataport_is_all_there_and_keeps_its_size),
		cmocka_unit_test(impossible_sizes_are_refused),
		cmocka_unit_test(frames_outside_the_file_are_refused),
		cmocka_unit_test(frames_out_of_order_or_made_up_are_refused),
		cmocka_unit_test(frames_from_the_middle_are_mapped_from_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
