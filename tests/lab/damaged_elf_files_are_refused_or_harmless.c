/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * People copy any file into a guest: a program with any byte changed, or cut anywhere, is read
 * without harm (the sanitizers watch), and refused or understood.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lab/elf_file.h"

struct program {
	char path[32];
	int fd;
	uint8_t *bytes;
	size_t length;
};

static int set_up(void **state)
{
	struct program *program = calloc(1, sizeof(*program));
	int fd = open("/bin/true", O_RDONLY);
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	program->length = (size_t)st.st_size;
	program->bytes = malloc(program->length);
	assert_int_equal(read(fd, program->bytes, program->length), st.st_size);
	close(fd);
	strcpy(program->path, "/tmp/crossvm-elf-XXXXXX");
	program->fd = mkstemp(program->path);
	assert_true(program->fd >= 0);
	*state = program;
	return 0;
}

static int tear_down(void **state)
{
	struct program *program = *state;

	close(program->fd);
	(void)unlink(program->path);
	free(program->bytes);
	free(program);
	return 0;
}

static void write_part(const struct program *program, size_t length)
{
	assert_int_equal(ftruncate(program->fd, 0), 0);
	assert_int_equal(pwrite(program->fd, program->bytes, length, 0), (ssize_t)length);
}

/* Whatever it says, its strings must end inside of the file. */
static int use(const char *path)
{
	struct lab_elf elf;
	int error = lab_elf_open(&elf, path);
	size_t total;

	if (error)
		return error;
	total = strlen(elf.interpreter) + strlen(elf.runpath) + strlen(elf.depends);
	for (size_t i = 0; i < elf.num_needed; i++)
		total += strlen(elf.needed[i]);
	assert_true(total < elf.length);
	lab_elf_close(&elf);
	return 0;
}

static void whole(void **state)
{
	struct program *program = *state;
	struct lab_elf elf;

	write_part(program, program->length);
	assert_int_equal(lab_elf_open(&elf, program->path), 0);
	assert_non_null(strstr(elf.interpreter, "ld-linux"));
	assert_int_equal(elf.num_needed, 1);
	assert_string_equal(elf.needed[0], "libc.so.6");
	lab_elf_close(&elf);
}

static void cut(void **state)
{
	struct program *program = *state;

	for (size_t length = 0; length < program->length; length += 1 + length / 64) {
		int error;

		write_part(program, length);
		error = use(program->path);
		assert_true(error == 0 || error == -ENOEXEC || error == -EINVAL);
	}
}

static void changed(void **state)
{
	static const uint8_t values[] = {0x00, 0xff, 0x7f, 0x80};
	struct program *program = *state;

	/* The headers, then the dynamic section and the section headers, which are further behind. */
	for (size_t at = 0; at < program->length; at += at < 1024 ? 1 : 251) {
		uint8_t before = program->bytes[at];

		write_part(program, program->length);
		for (size_t i = 0; i < sizeof(values); i++) {
			int error;

			assert_int_equal(pwrite(program->fd, &values[i], 1, (off_t)at), 1);
			error = use(program->path);
			assert_true(error == 0 || error == -ENOEXEC || error == -EINVAL);
		}
		assert_int_equal(pwrite(program->fd, &before, 1, (off_t)at), 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(whole, set_up, tear_down),
		cmocka_unit_test_setup_teardown(cut, set_up, tear_down),
		cmocka_unit_test_setup_teardown(changed, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
