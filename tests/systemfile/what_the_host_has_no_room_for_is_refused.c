/* SPDX-License-Identifier: BSD-2-Clause */
/* Paths of sockets that are too long, and more connections than QEMU has places for. */
#include "support.h"

#include <stdio.h>

#include "systemfile/report.h"

#define AT  TEST_PATH ":"
#define DIR "/run/crossvm"

/* Names of 47 characters, which is as long as a name can be. */
#define LONG_VM   "v234567890123456789012345678901234567890123456v"
#define LONG_LINK "l234567890123456789012345678901234567890123456l"

static void assert_refused_in(const char *socket_dir, const char *text, const char *expected)
{
	struct crossvm_system *system = NULL;
	char *message = NULL;

	assert_int_equal(
		crossvm_system_parse(TEST_PATH, socket_dir, text, strlen(text), &system, &message),
		-EINVAL);
	assert_null(system);
	assert_string_equal(message, expected);
	free(message);
}

static void assert_accepted_in(const char *socket_dir, const char *text)
{
	struct crossvm_system *system = NULL;
	char *message = NULL;

	if (crossvm_system_parse(TEST_PATH, socket_dir, text, strlen(text), &system, &message))
		fail_msg("refused: %s", message);
	crossvm_system_free(system);
}

static void names_that_make_a_path_too_long(void **state)
{
	static const char text[] = "vms:\n- name: " LONG_VM "\n- name: b\n"
				   "connections:\n- name: " LONG_LINK "\n  members:\n"
				   "  - vm: b\n  - vm: " LONG_VM "\n";

	(void)state;
	/* 12 + 1 + 47 + 1 + 47 + 1 + 6 characters; 107 are possible */
	assert_refused_in(DIR, text,
			  AT
			  "8: the path of the socket for VM '" LONG_VM
			  "' and connection '" LONG_LINK "' in the folder '" DIR
			  "' is 8 characters too long; shorten a name, or choose a folder with a "
			  "shorter path (--socket-dir)");
	assert_refused_in("/run/123", text,
			  AT "8: the path of the socket for VM '" LONG_VM
			     "' and connection '" LONG_LINK
			     "' in the folder '/run/123' is 4 characters too long; shorten a name, "
			     "or choose a folder with a shorter path (--socket-dir)");
	assert_refused_in("/run1", text,
			  AT "8: the path of the socket for VM '" LONG_VM
			     "' and connection '" LONG_LINK
			     "' in the folder '/run1' is 1 character too long; shorten a name, or "
			     "choose a folder with a shorter path (--socket-dir)");
	assert_accepted_in("/run", text);
	assert_accepted_in(NULL, text);
}

/* Its third socket has a longer name than the two others. */
static void a_doorbell_that_makes_a_path_too_long(void **state)
{
	static const char text[] = "vms:\n- name: " LONG_VM "\n- name: b\n"
				   "connections:\n- name: " LONG_LINK "\n  doorbell: true\n"
				   "  members: [{vm: b}, {vm: " LONG_VM "}]\n";

	(void)state;
	assert_refused_in("/run", text,
			  AT "7: the path of the socket for VM '" LONG_VM
			     "' and connection '" LONG_LINK
			     "' in the folder '/run' is 2 characters too long; shorten a name, or "
			     "choose a folder with a shorter path (--socket-dir)");
	assert_accepted_in("/r", text);
	/* that of the lab */
	assert_accepted_in("s", text);
}

/* No VM is needed for that: there is always a socket for components. */
static void a_folder_with_a_path_that_is_too_long(void **state)
{
	static const char text[] =
		"components: [{name: a}, {name: b}]\n"
		"connections: [{name: l, members: [{component: a}, {component: b}]}]\n";
	char folder[120];
	char expected[512];

	(void)state;
	memset(folder, 'd', sizeof(folder));
	folder[0] = '/';
	folder[107 - strlen("/component.socket")] = '\0';
	assert_accepted_in(folder, text);
	folder[strlen(folder)] = 'd';
	folder[108 - strlen("/component.socket")] = '\0';
	snprintf(expected, sizeof(expected),
		 TEST_PATH
		 ": the path of the socket component.socket in the folder %s is 1 character "
		 "too long; choose a folder with a shorter path (--socket-dir)",
		 crossvm_report_quote(folder).text);
	assert_refused_in(folder, text, expected);
}

/* A system of two VMs, whose connections have doorbells where the pattern has a 'd'. */
static char *write_system(const char *pattern, const char *layout)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);

	fprintf(out, "vms:\n- name: a\n%s- name: b\n%sconnections:\n", layout, layout);
	for (size_t i = 0; pattern[i] != '\0'; i++)
		fprintf(out, "- {name: l%zu, doorbell: %s, members: [{vm: a}, {vm: b}]}\n", i,
			pattern[i] == 'd' ? "true" : "false");
	fclose(out);
	return text;
}

static char *repeat(char letter, size_t count)
{
	char *pattern = malloc(count + 1);

	memset(pattern, letter, count);
	pattern[count] = '\0';
	return pattern;
}

#define NO_PLACES(line, vm, count, placed)                                          \
	AT line ": VM '" vm "' is a member of " count                               \
		" connections, and QEMU has places for the first " placed           \
		" of them only, in 23 PCI slots; a slot takes 4 connections, 2 "    \
		"with doorbells, or 8 in the single layout: leave out connections " \
		"or doorbells"

static void more_connections_than_qemu_has_places_for(void **state)
{
	static const struct {
		char letter;
		const char *layout;
		size_t most;
		const char *message; /* for one more */
	} limits[] = {
		{'-', "", 92, NO_PLACES("2", "a", "93", "92") "\n" NO_PLACES("3", "b", "93", "92")},
		{'d', "", 46, NO_PLACES("2", "a", "47", "46") "\n" NO_PLACES("3", "b", "47", "46")},
		{'-', "  layout: single\n", 128,
		 AT "2: VM 'a' is a member of 129 connections; at most 128 are possible\n" AT
		    "4: VM 'b' is a member of 129 connections; at most 128 are possible"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		char *pattern = repeat(limits[i].letter, limits[i].most + 1);
		char *text = write_system(pattern, limits[i].layout);

		assert_refused_in(DIR, text, limits[i].message);
		free(text);
		pattern[limits[i].most] = '\0';
		text = write_system(pattern, limits[i].layout);
		assert_accepted_in(DIR, text);
		free(text);
		free(pattern);
	}
}

/* The check says what crossvm_qemu_args() will say, and for the same connection. */
static void assert_as_qemu_args(const char *pattern)
{
	struct crossvm_qemu_connection connections[128];
	char *text = write_system(pattern, "");
	struct crossvm_system *system = NULL;
	char *message = NULL;
	char first[64];
	size_t count;
	char **args;
	int error = 0;

	for (count = 0; pattern[count] != '\0' && !error; count++) {
		connections[count] = (struct crossvm_qemu_connection){
			.name = "l", .doorbell = pattern[count] == 'd'};
		error = crossvm_qemu_args(DIR, "a", connections, count + 1, &args);
		free(args);
	}
	assert_int_equal(
		crossvm_system_parse(TEST_PATH, DIR, text, strlen(text), &system, &message),
		error ? -EINVAL : 0);
	if (error) {
		assert_int_equal(error, -ENOSPC);
		snprintf(first, sizeof(first), "for the first %zu of them only", count - 1);
		assert_non_null(strstr(message, first));
	}
	crossvm_system_free(system);
	free(message);
	free(text);
}

static void mixed_connections_are_counted_as_qemu_gets_them(void **state)
{
	unsigned int random = 1;
	char pattern[101];

	(void)state;
	for (int round = 0; round < 60; round += 6) {
		size_t count = 40 + (size_t)round;

		for (size_t i = 0; i < count; i++) {
			random = random * 1103515245 + 12345;
			pattern[i] = (random >> 16) % 60 < (unsigned int)round ? '-' : 'd';
		}
		pattern[count] = '\0';
		assert_as_qemu_args(pattern);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_that_make_a_path_too_long),
		cmocka_unit_test(a_doorbell_that_makes_a_path_too_long),
		cmocka_unit_test(a_folder_with_a_path_that_is_too_long),
		cmocka_unit_test(more_connections_than_qemu_has_places_for),
		cmocka_unit_test(mixed_connections_are_counted_as_qemu_gets_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
