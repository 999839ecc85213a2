/* SPDX-License-Identifier: BSD-2-Clause */
/* A system that can need more open files than may be open: which limit it is, and what would do. */
#include "support.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "daemon/rights.h"

#define LOW 64u

static rlim_t hard_limit(void)
{
	struct rlimit limit;

	assert_return_code(getrlimit(RLIMIT_NOFILE, &limit), errno);
	return limit.rlim_max;
}

/* What rights_set_descriptors() says, on standard error; to be freed. */
static char *raise_descriptors(size_t needed, int expected)
{
	const struct log log = {0};
	char *text = NULL;
	size_t room = 0;
	int before = dup(STDERR_FILENO);
	FILE *said = tmpfile();

	assert_non_null(said);
	dup2(fileno(said), STDERR_FILENO);
	assert_int_equal(rights_set_descriptors(needed, &log), expected);
	dup2(before, STDERR_FILENO);
	close(before);
	rewind(said);
	if (getdelim(&text, &room, '\0', said) < 0) {
		free(text);
		text = strdup("");
	}
	fclose(said);
	return text;
}

static void assert_says(const char *text, const char *expected)
{
	if (strstr(text, expected) == NULL)
		fail_msg("'%s' is not in '%s'", expected, text);
}

static void a_limit_that_does_is_left_alone(void **state)
{
	char *text = raise_descriptors(3, 0);

	(void)state;
	assert_string_equal(text, "");
	free(text);
}

static void the_soft_limit_is_raised(void **state)
{
	struct rlimit limit = {.rlim_cur = LOW, .rlim_max = hard_limit()};
	char *text;

	(void)state;
	assert_return_code(setrlimit(RLIMIT_NOFILE, &limit), errno);
	text = raise_descriptors(LOW + 1, 0);
	assert_string_equal(text, "");
	assert_return_code(getrlimit(RLIMIT_NOFILE, &limit), errno);
	assert_int_equal(limit.rlim_cur, LOW + 1);
	free(text);
}

/* Not even root can have more than the kernel's own limit. */
static void the_kernels_limit_is_named(void **state)
{
	FILE *file = fopen("/proc/sys/fs/nr_open", "re");
	char expected[256];
	size_t most;
	char *text;

	(void)state;
	assert_non_null(file);
	assert_int_equal(fscanf(file, "%zu", &most), 1);
	fclose(file);
	text = raise_descriptors(most + 1, -EMFILE);
	snprintf(expected, sizeof(expected),
		 "this system can need %zu open files, but the kernel allows a process %zu; raise "
		 "that (sysctl fs.nr_open=%zu), then the limit (ulimit -n %zu, or LimitNOFILE=%zu "
		 "in the unit)",
		 most + 1, most, most + 1, most + 1, most + 1);
	assert_says(text, expected);
	free(text);
}

/* From here on this process cannot raise it, nor what it starts. */
static void the_hard_limit_is_named(void **state)
{
	struct rlimit limit = {.rlim_cur = LOW, .rlim_max = LOW};
	char *text;

	(void)state;
	assert_return_code(setrlimit(RLIMIT_NOFILE, &limit), errno);
	if (geteuid() == 0) {
		struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
		struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

		assert_return_code(prctl(PR_CAPBSET_DROP, CAP_SYS_RESOURCE), errno);
		assert_return_code(syscall(SYS_capget, &header, data), errno);
		data[0].effective &= ~(1u << CAP_SYS_RESOURCE);
		data[0].permitted &= ~(1u << CAP_SYS_RESOURCE);
		data[0].inheritable &= ~(1u << CAP_SYS_RESOURCE);
		assert_return_code(syscall(SYS_capset, &header, data), errno);
	}
	text = raise_descriptors(LOW + 1, -EMFILE);
	assert_says(text, "this system can need 65 open files, but the limit is 64; raise it "
			  "(ulimit -n 65 as root, or LimitNOFILE=65 in the unit)");
	free(text);
}

static void the_daemon_does_not_start(void **state)
{
	struct daemon *daemon = *state;

	assert_int_equal(daemon_run(daemon, SYSTEM, NULL), 1);
	daemon_assert_log(daemon, " open files, but the limit is 64; raise it (ulimit -n ");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_limit_that_does_is_left_alone),
	cmocka_unit_test(the_soft_limit_is_raised),
	cmocka_unit_test(the_kernels_limit_is_named),
	cmocka_unit_test(the_hard_limit_is_named),
	DAEMON_TEST(the_daemon_does_not_start),
};

TESTS_MAIN(tests)
