/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each text here is as long as a system file can be, and of a kind for which some step once took a
 * time that grew with the square of the length: minutes. The time limit of the test is what fails if
 * there is such a step again.
 */
#include "support.h"

#include <stdio.h>

#define LARGEST (1u << 20)

/* first, then each as often as it fits, then last. In each, "%zu" is a number that counts up. */
struct text {
	const char *first;
	const char *each;
	const char *last;
	const char *message; /* which the messages contain */
};

static char *write_text(const struct text *text)
{
	char *whole = malloc(LARGEST + 1);
	size_t bytes = (size_t)sprintf(whole, "%s", text->first);
	size_t number = 0;
	char each[256];

	for (;;) {
		const char *place = strstr(text->each, "%zu");
		size_t more;

		if (place == NULL)
			more = (size_t)snprintf(each, sizeof(each), "%s", text->each);
		else
			more = (size_t)snprintf(each, sizeof(each), "%.*s%zu%s",
						(int)(place - text->each), text->each, number++,
						place + strlen("%zu"));
		if (bytes + more + strlen(text->last) > LARGEST)
			break;
		memcpy(whole + bytes, each, more);
		bytes += more;
	}
	strcpy(whole + bytes, text->last);
	return whole;
}

static void refuse(const struct text *text)
{
	char *whole = write_text(text);
	struct crossvm_system *system = NULL;
	char *message = NULL;

	assert_int_equal(crossvm_system_parse("x", NULL, whole, strlen(whole), &system, &message),
			 -EINVAL);
	if (strstr(message, text->message) == NULL)
		fail_msg("\"%s\" is not in: %s", text->message, message);
	assert_true(strlen(message) < 8192);
	free(message);
	free(whole);
}

static void unknown_keys(void **state)
{
	static const struct text text = {
		"", "k%zu:\n", "",
		"\nx:20: unknown key 'k19' in the system file; it may have: vms, "};

	(void)state;
	refuse(&text);
}

static void one_key_again_and_again(void **state)
{
	static const struct text text = {
		"", "vms: []\n", "",
		"\nx:20: key 'vms' is here twice (first in line 1); remove one"};

	(void)state;
	refuse(&text);
}

static void unknown_keys_of_a_member(void **state)
{
	static const struct text text = {PREFIX "connections:\n- name: l\n  members:\n  - vm: a\n",
					 "    k%zu:\n", "",
					 "x:10: unknown key 'k0' in a member; it may have: vm, "};

	(void)state;
	refuse(&text);
}

static void members_of_many_vms(void **state)
{
	static const struct text text = {
		"connections:\n- name: l\n  members: [{vm: zz}, {vm: zzz}]\nvms:\n",
		"- name: v%zu\n", "", "; at most 256 are possible"};

	(void)state;
	refuse(&text);
}

static void members(void **state)
{
	static const struct text text = {PREFIX "connections:\n- name: l\n  members:\n",
					 "  - vm: a\n", "", "; at most 64 are possible"};

	(void)state;
	refuse(&text);
}

static void connections(void **state)
{
	static const struct text text = {PREFIX "connections:\n", "- {name: l, members: []}\n", "",
					 "; at most 4096 are possible"};

	(void)state;
	refuse(&text);
}

#define VM_WITH "vms:\n- name: a\n- name: b\n  "
#define LINK    "connections: [{name: l, members: [{vm: a}, {vm: b}]}]\n"

static void empty_arguments(void **state)
{
	static const struct text text = {VM_WITH "qemu_args:\n", "  - ''\n", LINK,
					 "; at most 1024 are possible"};

	(void)state;
	refuse(&text);
}

static void files(void **state)
{
	static const struct text text = {VM_WITH "files:\n", "  - {source: , destination: x}\n",
					 LINK, "; at most 4096 are possible"};

	(void)state;
	refuse(&text);
}

static void directives(void **state)
{
	static const struct text text = {"", "%TAG !%zu! x\n", "--- {}\n", "x:1: tags (%TAG)"};

	(void)state;
	refuse(&text);
}

static void nested_lists(void **state)
{
	static const struct text text = {"vms: ", "[", "", "x:1: nested more than 16 deep"};

	(void)state;
	refuse(&text);
}

/* What is right is read in linear time, too: as many connections and components as there can be. */
static void the_largest_valid_system(void **state)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);
	struct crossvm_system *system;

	(void)state;
	fputs("components:\n", out);
	for (int i = 0; i < 256; i++)
		fprintf(out, "- name: component-%03d\n", i);
	fputs("connections:\n", out);
	for (int i = 0; i < 4096; i++) {
		fprintf(out, "- name: connection-%04d\n  members:\n", i);
		for (int j = 0; j < 7; j++)
			fprintf(out, "  - component: component-%03d\n", (i + j * j) % 256);
	}
	fclose(out);
	assert_in_range(bytes, LARGEST * 9 / 10, LARGEST);
	system = parse_good(text);
	assert_int_equal(system->num_connections, 4096);
	crossvm_system_free(system);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unknown_keys),
		cmocka_unit_test(one_key_again_and_again),
		cmocka_unit_test(unknown_keys_of_a_member),
		cmocka_unit_test(members_of_many_vms),
		cmocka_unit_test(members),
		cmocka_unit_test(connections),
		cmocka_unit_test(empty_arguments),
		cmocka_unit_test(files),
		cmocka_unit_test(directives),
		cmocka_unit_test(nested_lists),
		cmocka_unit_test(the_largest_valid_system),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
