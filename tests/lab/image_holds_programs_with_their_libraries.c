/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lab/cpio.h"
#include "lab/paths.h"
#include "lab/programs.h"

#ifdef __x86_64__
#define LOADER    "usr/lib64/ld-linux-x86-64.so.2"
#define LIBRARIES "usr/lib/x86_64-linux-gnu"
#define FOREIGN   CROSSVM_ARCH_AARCH64
#else
#define LOADER    "usr/lib/ld-linux-aarch64.so.1"
#define LIBRARIES "usr/lib/aarch64-linux-gnu"
#define FOREIGN   CROSSVM_ARCH_X86_64
#endif

struct archive {
	char dir[64];
	char path[80];
	char *bytes;
	size_t length;
};

static int set_up(void **state)
{
	struct archive *archive = calloc(1, sizeof(*archive));

	assert_non_null(archive);
	snprintf(archive->dir, sizeof(archive->dir), "/tmp/crossvm-image-XXXXXX");
	assert_non_null(mkdtemp(archive->dir));
	snprintf(archive->path, sizeof(archive->path), "%s/image", archive->dir);
	*state = archive;
	return 0;
}

static int tear_down(void **state)
{
	struct archive *archive = *state;
	char path[96];

	(void)unlink(archive->path);
	snprintf(path, sizeof(path), "%s/source", archive->dir);
	(void)unlink(path);
	(void)rmdir(archive->dir);
	free(archive->bytes);
	free(archive);
	return 0;
}

static void load(struct archive *archive)
{
	FILE *file = fopen(archive->path, "r");
	struct stat st;

	assert_non_null(file);
	assert_int_equal(fstat(fileno(file), &st), 0);
	archive->length = (size_t)st.st_size;
	archive->bytes = malloc(archive->length);
	assert_int_equal(fread(archive->bytes, 1, archive->length, file), archive->length);
	fclose(file);
}

static unsigned long field(const char *header, unsigned int i)
{
	char text[9];

	snprintf(text, sizeof(text), "%.8s", header + 6 + 8 * (size_t)i);
	return strtoul(text, NULL, 16);
}

struct entry {
	unsigned long mode;
	const char *contents;
	size_t length;
};

/* Walk the archive as a kernel does. @return whether the path is there; the last one counts. */
static bool find(const struct archive *archive, const char *path, struct entry *entry)
{
	size_t at = 0;
	bool found = false;

	for (;;) {
		const char *header = archive->bytes + at;
		size_t name_bytes, length, contents;

		assert_true(at + 110 <= archive->length);
		assert_memory_equal(header, "070701", 6);
		length = field(header, 6);
		name_bytes = field(header, 11);
		contents = (at + 110 + name_bytes + 3) & ~(size_t)3;
		assert_true(contents + length <= archive->length);
		assert_int_equal(header[110 + name_bytes - 1], '\0');
		/* Owned by root. */
		assert_int_equal(field(header, 2) | field(header, 3), 0);
		if (strcmp(header + 110, "TRAILER!!!") == 0)
			return found;
		if (strcmp(header + 110, path) == 0) {
			found = true;
			*entry = (struct entry){.mode = field(header, 1),
						.contents = archive->bytes + contents,
						.length = length};
		}
		at = (contents + length + 3) & ~(size_t)3;
	}
}

static void a_program(void **state)
{
	struct archive *archive = *state;
	struct lab_cpio cpio;
	struct entry entry = {0};

	/* This test itself is a program with libraries: at least libc and cmocka. */
	assert_int_equal(lab_cpio_create(&cpio, archive->path), 0);
	assert_int_equal(
		lab_add_program(&cpio, lab_native_arch(), "/bin/a-test", 0755, "/proc/self/exe"),
		0);
	assert_int_equal(lab_cpio_close(&cpio), 0);
	load(archive);
	assert_true(find(archive, "usr/bin/a-test", &entry));
	assert_int_equal(entry.mode, S_IFREG | 0755);
	assert_true(find(archive, LOADER, &entry));
	assert_memory_equal(entry.contents, "\177ELF", 4);
	assert_true(find(archive, LIBRARIES "/libc.so.6", &entry));
	assert_true(find(archive, LIBRARIES "/libcmocka.so.0", &entry));
	assert_true(find(archive, "lib", &entry));
	assert_int_equal(entry.mode, S_IFLNK | 0777);
	assert_int_equal(entry.length, strlen("usr/lib"));
	assert_memory_equal(entry.contents, "usr/lib", entry.length);
}

static void a_text(void **state)
{
	struct archive *archive = *state;
	struct lab_cpio cpio;
	struct entry entry = {0};

	assert_int_equal(lab_cpio_create(&cpio, archive->path), 0);
	assert_int_equal(lab_cpio_text(&cpio, "/etc/x/y", 0640, "first"), 0);
	assert_int_equal(lab_cpio_text(&cpio, "//etc/./x//y", 0600, "the second counts"), 0);
	assert_int_equal(lab_cpio_console(&cpio), 0);
	assert_true(lab_cpio_has(&cpio, "/etc/x"));
	assert_false(lab_cpio_has(&cpio, "/etc/z"));
	assert_int_equal(lab_cpio_close(&cpio), 0);
	load(archive);
	assert_true(find(archive, "etc/x", &entry));
	assert_int_equal(entry.mode, S_IFDIR | 0755);
	assert_true(find(archive, "etc/x/y", &entry));
	assert_int_equal(entry.mode, S_IFREG | 0600);
	assert_int_equal(entry.length, strlen("the second counts"));
	assert_true(find(archive, "dev/console", &entry));
	assert_int_equal(entry.mode, S_IFCHR | 0600);
}

static void what_cannot_be(void **state)
{
	struct archive *archive = *state;
	struct lab_cpio cpio;

	assert_int_equal(lab_cpio_create(&cpio, archive->path), 0);
	assert_int_equal(lab_cpio_text(&cpio, "relative", 0600, ""), -EINVAL);
	assert_int_equal(lab_cpio_text(&cpio, "/a/../b", 0600, ""), -EINVAL);
	assert_int_equal(lab_cpio_text(&cpio, "/", 0600, ""), -EINVAL);
	assert_int_equal(lab_cpio_file(&cpio, "/a", 0, "/nonexistent"), -ENOENT);
	assert_int_equal(lab_add_program(&cpio, FOREIGN, "/bin/x", 0, "/proc/self/exe"), -ENOEXEC);
	assert_int_equal(lab_cpio_close(&cpio), 0);
	/* A full disk is told, if late. */
	assert_int_equal(lab_cpio_create(&cpio, "/dev/full"), 0);
	assert_int_equal(lab_cpio_file(&cpio, "/a", 0, "/proc/self/exe"), 0);
	assert_int_equal(lab_cpio_close(&cpio), -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_program, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_text, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_cannot_be, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
