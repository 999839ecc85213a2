/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/memory.h"

#define BYTES 12288

static void its_size_and_seals_stay(void **state)
{
	const int fd = memory_create("test", BYTES);
	struct stat status;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &status), 0);
	assert_int_equal(status.st_size, BYTES);
	assert_int_equal(status.st_blocks * 512, BYTES); /* all of it is there */
	assert_int_equal(status.st_mode & 07777, 0600);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(ftruncate(fd, BYTES + 4096), -1);
	assert_int_equal(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	assert_int_equal(errno, EPERM);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
}

static void what_is_read_only_cannot_be_written(void **state)
{
	const int fd = memory_create("test", BYTES);
	const int read_only = memory_reopen_read_only(fd);
	char *memory = memory_map(fd, 4096, 4096, true);
	char *shown = memory_map(read_only, 4096, 4096, false);

	(void)state;
	assert_non_null(memory);
	assert_non_null(shown);
	memcpy(memory, "shared", sizeof("shared"));
	assert_string_equal(shown, "shared");
	assert_null(memory_map(read_only, 0, 4096, true));
	assert_int_equal(write(read_only, "x", 1), -1);
	munmap(memory, 4096);
	munmap(shown, 4096);
	close(fd);
	close(read_only);
}

/* Whoever gets the descriptor can never write, not even by opening it anew. */
static void what_is_our_own_nobody_else_writes(void **state)
{
	char path[40];
	void *memory, *shown;
	const int fd = memory_create_own("test", BYTES, &memory);
	int again;

	(void)state;
	assert_true(fd >= 0);
	assert_non_null(memory);
	memcpy(memory, "ours", sizeof("ours"));
	shown = memory_map(fd, 0, BYTES, false);
	assert_string_equal(shown, "ours");
	assert_null(memory_map(fd, 0, BYTES, true));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, O_RDWR | O_CLOEXEC);
	if (again >= 0) {
		assert_null(memory_map(again, 0, BYTES, true));
		assert_int_equal(write(again, "x", 1), -1);
		assert_int_equal(ftruncate(again, 0), -1);
		close(again);
	}
	memcpy(memory, "still", sizeof("still"));
	assert_string_equal(shown, "still");
	munmap(memory, BYTES);
	munmap(shown, BYTES);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(its_size_and_seals_stay),
		cmocka_unit_test(what_is_read_only_cannot_be_written),
		cmocka_unit_test(what_is_our_own_nobody_else_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
