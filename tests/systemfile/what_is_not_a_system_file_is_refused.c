/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"
#include "tests/scratch.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define AT TEST_PATH ":"

static void text_that_is_not_yaml(void **state)
{
	(void)state;
	assert_refused("", TEST_PATH ": the file is empty; it needs vms or components, and "
				     "connections, see docs/system-file.md");
	assert_refused("# only a comment\n",
		       TEST_PATH ": the file is empty; it needs vms or components, and "
				 "connections, see docs/system-file.md");
	assert_refused("vms:\n - name: a\n- name: b\n",
		       AT "3: not YAML: while parsing a block mapping: did not find expected key; "
			  "look at the indentation, colons and quotes here and in the line before");
	assert_refused("vms:\n- name: \"a\n",
		       AT "3: not YAML: while scanning a quoted scalar: found unexpected end of "
			  "stream; look at the indentation, colons and quotes here and in the line "
			  "before");
	assert_refused("vms:\n\x80\xff\n",
		       AT "2: not a text in UTF-8 (invalid leading UTF-8 octet); a system file is "
			  "YAML, see docs/system-file.md");
	assert_refused("vms:\n\n\x01\n",
		       AT "3: not a text in UTF-8 (control characters are not allowed); a system "
			  "file is YAML, see docs/system-file.md");
	assert_refused("just words\n",
		       AT "1: the system file should be a group of keys; write 'key: value' for "
			  "each");
}

/* The text, bytes long since it has NULs in it, must be refused with this message. */
static void assert_bytes_refused(const char *text, size_t bytes, const char *expected)
{
	struct crossvm_system *system = NULL;
	char *message = NULL;

	assert_int_equal(crossvm_system_parse(TEST_PATH, NULL, text, bytes, &system, &message),
			 -EINVAL);
	assert_null(system);
	assert_string_equal(message, expected);
	free(message);
}

#define ASSERT_BYTES_REFUSED(text, expected) assert_bytes_refused(text, sizeof(text) - 1, expected)

static void other_encodings(void **state)
{
	static const char utf16[] = TEST_PATH ": the file is in UTF-16; save it in UTF-8";
	static const char utf32[] = TEST_PATH ": the file is in UTF-32; save it in UTF-8";
	static const char nul[] =
		AT "2: a NUL byte, which no text in UTF-8 has; remove it, or save "
		   "the file in UTF-8";

	(void)state;
	ASSERT_BYTES_REFUSED("\xff\xfev\0m\0s\0:\0\n\0", utf16);
	ASSERT_BYTES_REFUSED("\xfe\xff\0v\0m\0s\0:\0\n", utf16);
	ASSERT_BYTES_REFUSED("v\0m\0s\0:\0\n\0", utf16);
	ASSERT_BYTES_REFUSED("\0v\0m\0s\0:\0\n", utf16);
	ASSERT_BYTES_REFUSED("\xff\xfe\0\0v\0\0\0m\0\0\0", utf32);
	ASSERT_BYTES_REFUSED("\0\0\xfe\xff\0\0\0v\0\0\0m", utf32);
	ASSERT_BYTES_REFUSED("v\0\0\0m\0\0\0s\0\0\0", utf32);
	ASSERT_BYTES_REFUSED("\0\0\0v\0\0\0m\0\0\0s", utf32);
	ASSERT_BYTES_REFUSED("# a\nvms:\0\n", nul);
	ASSERT_BYTES_REFUSED("# a\n\0\0\0\0", nul);
	ASSERT_BYTES_REFUSED("vms: []\n\xef\xbb\xbfvms: []\n", AT
			     "2: a byte order mark (U+FEFF, three invisible bytes) that is not at "
			     "the beginning of the file; remove it");
}

static void more_than_a_megabyte(void **state)
{
	size_t bytes = (1u << 20) + 1;
	char *text = malloc(bytes);

	(void)state;
	memset(text, '\n', bytes);
	assert_bytes_refused(text, bytes,
			     TEST_PATH ": more than 1 MiB, which is too much for a system file; "
				       "shorten it");
	free(text);
}

static void yaml_beyond_what_a_system_file_needs(void **state)
{
	(void)state;
	assert_refused("a: &x [1]\nb: [*x, *x]\n",
		       AT "1: anchors (&) and aliases (*) are not understood; write the value out, "
			  "or in quotes if it begins so");
	assert_refused("a: *x\n",
		       AT "1: anchors (&) and aliases (*) are not understood; write the value out, "
			  "or in quotes if it begins so");
	assert_refused("%TAG !a! tag:example.org:\n--- {}\n",
		       AT "1: tags (%TAG) are not understood; remove the line, or put the value in "
			  "quotes if it begins so");
	assert_refused("a: !!binary x\n", AT
		       "1: tags (!) are not understood; remove it, or put the value in quotes if "
		       "it begins so");
	assert_refused("a: b\n---\nc: d\n", AT "2: a second document begins; put all into one");
	assert_refused("? [a]\n: b\n",
		       AT "1: a list or mapping where a key should be; write 'key: value'");
	assert_refused("a: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\n",
		       AT "1: nested more than 16 deep; a system file needs four");
}

static int make_directory(void **state)
{
	static char path[SCRATCH_BYTES];

	scratch_make(path);
	*state = path;
	return 0;
}

static int remove_directory(void **state)
{
	scratch_remove(*state);
	return 0;
}

static void assert_unreadable(const char *path, int error, const char *reason)
{
	struct crossvm_system *system = NULL;
	char *message = NULL;
	char expected[512];

	snprintf(expected, sizeof(expected), "%s: %s", path, reason);
	assert_int_equal(crossvm_system_read(path, NULL, &system, &message), error);
	assert_string_equal(message, expected);
	assert_null(system);
	free(message);
}

static void files_that_cannot_be_read(void **state)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/file", (const char *)*state);
	assert_unreadable(path, -ENOENT, "No such file or directory; check the path");
	assert_unreadable(*state, -EINVAL, "not a regular file; name a system file");
	assert_unreadable("/dev/zero", -EINVAL, "not a regular file; name a system file");

	assert_return_code(mkfifo(path, 0600), errno);
	assert_unreadable(path, -EINVAL, "not a regular file; name a system file");
	unlink(path);

	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_return_code(ftruncate(fd, (off_t)1 << 40), errno);
	close(fd);
	assert_unreadable(path, -EINVAL,
			  "1099511627776 bytes are too many for a system file; at most 1 MiB");
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_that_is_not_yaml),
		cmocka_unit_test(other_encodings),
		cmocka_unit_test(more_than_a_megabyte),
		cmocka_unit_test(yaml_beyond_what_a_system_file_needs),
		cmocka_unit_test_setup_teardown(files_that_cannot_be_read, make_directory,
						remove_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
