/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

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

static void yaml_beyond_what_a_system_file_needs(void **state)
{
	(void)state;
	assert_refused("a: &x [1]\nb: [*x, *x]\n",
		       AT "1: anchors (&) and aliases (*) are not understood; write the value out, "
			  "or in quotes if it begins so");
	assert_refused("a: *x\n",
		       AT "1: anchors (&) and aliases (*) are not understood; write the value out, "
			  "or in quotes if it begins so");
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
	static char path[] = "/tmp/crossvm-test-XXXXXX";

	*state = mkdtemp(path);
	return *state == NULL;
}

static int remove_directory(void **state)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/file", (const char *)*state);
	unlink(path);
	return rmdir(*state);
}

static void assert_unreadable(const char *path, int error, const char *reason)
{
	struct crossvm_system *system = NULL;
	char *message = NULL;
	char expected[512];

	snprintf(expected, sizeof(expected), "%s: %s", path, reason);
	assert_int_equal(crossvm_system_read(path, &system, &message), error);
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
		cmocka_unit_test(yaml_beyond_what_a_system_file_needs),
		cmocka_unit_test_setup_teardown(files_that_cannot_be_read, make_directory,
						remove_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
