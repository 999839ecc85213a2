/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include <stdio.h>

#define AT TEST_PATH ":"

/* A connection from line 6 on, and the two members that most tests do not care about. */
#define CONNECTION    "connections:\n- name: link\n"
#define MEMBERS       "  members:\n  - {vm: a, access: read-write}\n  - {vm: b, access: read-only}\n"
#define EVENT_MEMBERS "  members:\n  - vm: a\n  - vm: b\n"

struct mistake {
	const char *text;
	const char *message;
};

static void refuse_each(const struct mistake *mistakes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		assert_refused(mistakes[i].text, mistakes[i].message);
}

#define REFUSE_EACH(mistakes) refuse_each(mistakes, sizeof(mistakes) / sizeof((mistakes)[0]))

static void keys(void **state)
{
	static const struct mistake mistakes[] = {
		{PREFIX CONNECTION "  dataprt: 4 KiB\n" EVENT_MEMBERS,
		 AT "8: unknown key 'dataprt' in a connection; it may have: name, kind, dataport, "
		    "doorbell, members"},
		{"vm:\n- name: a\n" CONNECTION EVENT_MEMBERS,
		 AT "1: unknown key 'vm' in the system file; it may have: vms, components, "
		    "connections"},
		{PREFIX CONNECTION "  name: other\n" EVENT_MEMBERS,
		 AT "8: key 'name' is here twice (first in line 7); remove one"},
		{PREFIX "connections:\n- dataport: 4 KiB\n" MEMBERS,
		 AT "7: a connection lacks 'name'; add it"},
		{PREFIX CONNECTION "  dataport: 4 KiB\n",
		 AT "7: a connection lacks 'members'; add it"},
		{PREFIX, AT "1: the system file lacks 'connections'; add it"},
		{PREFIX "connections:\n", AT "6: connections should be a list; begin each entry "
					     "with '- '"},
		{PREFIX "connections: []\n",
		 AT "6: no connection; write at least one, or there is nothing to serve"},
		{PREFIX CONNECTION "  members: a and b\n",
		 AT "8: members should be a list; begin each entry with '- '"},
		{PREFIX "connections:\n- link\n",
		 AT "7: a connection should be a group of keys; write 'key: value' for each"},
		{PREFIX CONNECTION "  dataport: [4 KiB]\n" MEMBERS,
		 AT "8: dataport should be a single value; write 'key: value'"},
	};

	(void)state;
	REFUSE_EACH(mistakes);
}

static void names(void **state)
{
	static const struct mistake mistakes[] = {
		{PREFIX "- name: c\n" CONNECTION EVENT_MEMBERS,
		 AT "6: component 'c' has a name that is taken (line 5); choose another"},
		{PREFIX "- name: a\n" CONNECTION EVENT_MEMBERS,
		 AT "6: component 'a' has a name that is taken (line 2); choose another"},
		{"vms:\n- name: a\n- name: b\n- name: b\n" CONNECTION EVENT_MEMBERS,
		 AT "4: VM 'b' has a name that is taken (line 3); choose another"},
		{PREFIX CONNECTION EVENT_MEMBERS "- name: link\n" EVENT_MEMBERS,
		 AT "11: connection 'link' is there already (line 7); choose another name"},
		{PREFIX "connections:\n- name: "
			"a23456789012345678901234567890123456789012345678\n" EVENT_MEMBERS,
		 AT "7: connection name 'a23456789012345678901234567890123456789012345678' has 48 "
		    "characters; at most 47 are possible"},
		{PREFIX "connections:\n- name: ../up\n" EVENT_MEMBERS,
		 AT "7: connection name '../up'; use letters, digits, '_', '.' and '-', and begin "
		    "with neither '.' nor '-'"},
		{PREFIX "connections:\n- name: -x\n" EVENT_MEMBERS,
		 AT "7: connection name '-x'; use letters, digits, '_', '.' and '-', and begin "
		    "with neither '.' nor '-'"},
		{PREFIX "connections:\n- name: \"a\\x1b[2J\"\n" EVENT_MEMBERS,
		 AT "7: connection name 'a?[2J'; use letters, digits, '_', '.' and '-', and begin "
		    "with neither '.' nor '-'"},
		{PREFIX "connections:\n- name: \"a\\0b\"\n" EVENT_MEMBERS,
		 AT "7: a NUL byte in a value; remove it"},
		{PREFIX "connections:\n- name:\n" EVENT_MEMBERS,
		 AT "7: empty name of a connection; give it one"},
		{"vms:\n- name: a\n- name: a.b\n"
		 "connections:\n"
		 "- name: b.c\n  members:\n  - vm: a\n  - vm: a.b\n"
		 "- name: c\n  members:\n  - vm: a\n  - vm: a.b\n",
		 AT "12: VM and connection together are 'a.b.c', as in line 7; rename one, without "
		    "a dot"},
	};

	(void)state;
	REFUSE_EACH(mistakes);
}

static void members(void **state)
{
	static const struct mistake mistakes[] = {
		{PREFIX CONNECTION "  members:\n  - vm: a\n  - vm: d\n",
		 AT "10: VM 'd' is not declared; add it under 'vms', or correct the name"},
		{PREFIX CONNECTION "  members:\n  - vm: a\n  - component: b\n",
		 AT "10: component 'b' is not declared; add it under 'components', or correct the "
		    "name"},
		{PREFIX CONNECTION "  members:\n  - vm: a\n  - vm: b\n  - vm: a\n",
		 AT "11: VM 'a' is a member already (line 9); remove one of the two"},
		{PREFIX CONNECTION "  members:\n  - vm: a\n  - {vm: b, component: c}\n",
		 AT "10: a member is a VM or a component; write either 'vm: NAME' or 'component: "
		    "NAME'"},
		{PREFIX CONNECTION "  dataport: 4 KiB\n  members:\n  - {vm: a, access: "
				   "read-write}\n  - access: read-only\n",
		 AT "11: a member is a VM or a component; write either 'vm: NAME' or 'component: "
		    "NAME'"},
		{PREFIX CONNECTION "  members:\n  - vm: a\n",
		 AT "8: a connection with 1 member; it joins two at least"},
		{PREFIX CONNECTION "  members: []\n",
		 AT "8: a connection with 0 members; it joins two at least"},
	};

	(void)state;
	REFUSE_EACH(mistakes);
}

static void dataports(void **state)
{
	static const struct mistake mistakes[] = {
		{PREFIX CONNECTION "  dataport: 0\n" MEMBERS,
		 AT "8: dataport of size 0; leave the key out for a connection of events only"},
		{PREFIX CONNECTION "  dataport: large\n" MEMBERS,
		 AT "8: dataport 'large' is not a size; write it like 64 KiB, 3 MiB or 1 GiB"},
		{PREFIX CONNECTION "  dataport: 64K\n" MEMBERS,
		 AT "8: dataport '64K' is not a size; write it like 64 KiB, 3 MiB or 1 GiB"},
		{PREFIX CONNECTION "  dataport: -4096\n" MEMBERS,
		 AT "8: dataport '-4096' is not a size; write it like 64 KiB, 3 MiB or 1 GiB"},
		{PREFIX CONNECTION "  dataport: 1.5 MiB\n" MEMBERS,
		 AT "8: dataport '1.5 MiB' is not a size; write it like 64 KiB, 3 MiB or 1 GiB"},
		{PREFIX CONNECTION "  dataport:\n" MEMBERS,
		 AT "8: dataport '' is not a size; write it like 64 KiB, 3 MiB or 1 GiB"},
		{PREFIX CONNECTION "  dataport: 5000\n" MEMBERS,
		 AT "8: dataport '5000' is not a whole number of pages; write a multiple of 4 KiB, "
		    "such as 8 KiB"},
		{PREFIX CONNECTION "  dataport: 8 GiB\n" MEMBERS,
		 AT "8: dataport '8 GiB' is too large; at most 4 GiB"},
		{PREFIX CONNECTION "  dataport: 99999999999999999999\n" MEMBERS,
		 AT "8: dataport '99999999999999999999' is too large; at most 4 GiB"},
		{PREFIX CONNECTION "  dataport: 99999999999 GiB\n" MEMBERS,
		 AT "8: dataport '99999999999 GiB' is too large; at most 4 GiB"},
	};

	(void)state;
	REFUSE_EACH(mistakes);
}

static void access_and_kinds(void **state)
{
	static const struct mistake mistakes[] = {
		{PREFIX CONNECTION "  dataport: 4 KiB\n  members:\n  - {vm: a, access: "
				   "read-write}\n  - vm: b\n",
		 AT "11: a member without access; add 'access: read-write' or 'access: read-only'"},
		{PREFIX CONNECTION "  dataport: 4 KiB\n  members:\n  - {vm: a, access: "
				   "read-write}\n  - {vm: b, access: write}\n",
		 AT "11: access 'write'; write read-write or read-only"},
		{PREFIX CONNECTION MEMBERS
		 "- name: other\n  dataport: 4 KiB\n  members:\n  - {vm: a, access: read-only}\n"
		 "  - {vm: b, access: read-only}\n",
		 AT
		 "9: access to what? The connection has no dataport; remove this, or add one\n" AT
		 "10: access to what? The connection has no dataport; remove this, or add "
		 "one\n" AT "13: no member may write the dataport; make one read-write"},
		{PREFIX CONNECTION "  dataport: 4 KiB\n  kind: broadcast\n  members:\n"
				   "  - {vm: a, access: read-write}\n  - {vm: b, access: "
				   "read-write}\n",
		 AT "12: a second writer in a broadcast connection; make all members but one "
		    "read-only, or write 'kind: shared'"},
		{PREFIX CONNECTION "  dataport: 4 KiB\n  kind: queue\n" MEMBERS,
		 AT "9: a queue joins exactly two members, both read-write; here are 2, of which 1 "
		    "write"},
		{PREFIX CONNECTION "  dataport: 4 KiB\n  kind: pipe\n" MEMBERS,
		 AT "9: kind 'pipe'; write shared, queue or broadcast"},
		{PREFIX CONNECTION "  kind: queue\n" EVENT_MEMBERS,
		 AT "8: a kind of use of what? The connection has no dataport; remove this, or add "
		    "one"},
	};

	(void)state;
	REFUSE_EACH(mistakes);
}

static void doorbells(void **state)
{
	static const struct mistake mistakes[] = {
		{PREFIX CONNECTION "  doorbell: 1\n" EVENT_MEMBERS,
		 AT "8: doorbell '1'; write true or false"},
		{PREFIX CONNECTION "  doorbell: true\n" EVENT_MEMBERS "  - vm: c\n",
		 AT "12: VM 'c' is not declared; add it under 'vms', or correct the name"},
		{"vms:\n- name: a\n- name: b\n- name: c\n" CONNECTION
		 "  doorbell: true\n" EVENT_MEMBERS "  - vm: c\n",
		 AT "7: a doorbell joins just two VMs; remove this, or the other members"},
		{"vms:\n- name: a\ncomponents:\n- name: b\n" CONNECTION
		 "  members:\n  - vm: a\n  - component: b\n  doorbell: true\n",
		 AT "10: a doorbell joins just two VMs; remove this, or the other members"},
		{"vms:\n- name: a\n- name: b\n  layout: single\n" CONNECTION
		 "  doorbell: true\n" EVENT_MEMBERS,
		 AT "7: a doorbell for VM 'b', whose layout is single; remove one of the two"},
	};

	(void)state;
	REFUSE_EACH(mistakes);
}

static void vms_and_components(void **state)
{
	static const struct mistake mistakes[] = {
		{"vms:\n- name: a\n  arch: riscv64\n- name: b\n" CONNECTION EVENT_MEMBERS,
		 AT "3: arch 'riscv64'; write x86_64 or aarch64"},
		{"vms:\n- name: a\n  layout: triple\n- name: b\n" CONNECTION EVENT_MEMBERS,
		 AT "3: layout 'triple'; write split, or single for old guest software"},
		{"vms:\n- name: a\n  memory: 1 MiB\n- name: b\n" CONNECTION EVENT_MEMBERS,
		 AT "3: memory '1 MiB'; a VM needs whole MiB, and 32 MiB at least"},
		{"vms:\n- name: a\n  memory: much\n- name: b\n" CONNECTION EVENT_MEMBERS,
		 AT "3: memory 'much' is not a size; write it like 512 MiB"},
		{"vms:\n- name: a\n  user: nobody-of-this-name\n- name: b\n" CONNECTION
			 EVENT_MEMBERS,
		 AT "3: user 'nobody-of-this-name' is not known here; create it, or name another"},
		{"vms:\n- name: a\n  group: nobody-of-this-name\n- name: b\n" CONNECTION
			 EVENT_MEMBERS,
		 AT "3: group 'nobody-of-this-name' is not known here; create it, or name another"},
		{"vms:\n- name: a\n  user: 4294967295\n- name: b\n" CONNECTION EVENT_MEMBERS,
		 AT "3: user '4294967295' is not known here; create it, or name another"},
		{"vms:\n- name: a\n  files:\n  - {source: x, destination: up/../x}\n"
		 "- name: b\n" CONNECTION EVENT_MEMBERS,
		 AT
		 "4: destination 'up/../x'; name a file in the VM, from '/' on and without '..'"},
		{"vms:\n- name: a\n  files:\n  - {source: x, destination: /x, mode: rwx}\n"
		 "- name: b\n" CONNECTION EVENT_MEMBERS,
		 AT "4: mode 'rwx'; write it in octal, like 0755"},
		{"vms:\n- name: a\n  qemu_args: -smp 2\n- name: b\n" CONNECTION EVENT_MEMBERS,
		 AT "3: qemu_args should be a list; begin each entry with '- '"},
		{"vms:\n- name: a\n  kernel_args:\n  - quiet\n  - ''\n- name: b\n" CONNECTION
			 EVENT_MEMBERS,
		 AT "5: empty argument in kernel_args; remove it"},
	};

	(void)state;
	REFUSE_EACH(mistakes);
}

/* The id that this kernel shows for those that a user namespace does not map. */
static unsigned long overflow_id(const char *path)
{
	FILE *file = fopen(path, "re");
	char text[32] = "";

	assert_non_null(file);
	assert_non_null(fgets(text, sizeof(text), file));
	fclose(file);
	return strtoul(text, NULL, 10);
}

/* In a user namespace, many users are shown as one, and many groups. */
static void ids_that_stand_for_many(void **state)
{
	const unsigned long user = overflow_id("/proc/sys/kernel/overflowuid");
	const unsigned long group = overflow_id("/proc/sys/kernel/overflowgid");
	char text[256], expected[1024];

	(void)state;
	snprintf(text, sizeof(text),
		 "vms:\n- name: a\n  user: %lu\n- name: b\ncomponents:\n- name: c\n  group: %lu\n"
		 "connections:\n- name: link\n" EVENT_MEMBERS,
		 user, group);
	snprintf(expected, sizeof(expected),
		 AT
		 "3: user '%lu' has the number %lu, which the kernel shows for every user that a "
		 "user namespace does not know, so that anybody could be meant; create a user for "
		 "this, or name another\n" AT
		 "7: group '%lu' has the number %lu, which the kernel shows for every group that "
		 "a user namespace does not know, so that anybody could be meant; create a group "
		 "for this, or name another",
		 user, user, group, group);
	assert_refused(text, expected);
}

static void several_mistakes_are_reported_together(void **state)
{
	(void)state;
	assert_refused("vms:\n- name: a\n  arch: z80\n- name: a\n" CONNECTION
		       "  dataport: 1\n  members:\n  - {vm: a, access: no}\n  - {vm: x}\n",
		       AT "3: arch 'z80'; write x86_64 or aarch64\n" AT
			  "4: VM 'a' has a name that is taken (line 2); choose another\n" AT
			  "7: dataport '1' is not a whole number of pages; write a multiple of 4 "
			  "KiB, such as 4 KiB\n" AT "9: access 'no'; write read-write or "
			  "read-only\n" AT "10: VM 'x' is not declared; add it under 'vms', or "
			  "correct the name\n" AT "10: a member without access; add 'access: "
			  "read-write' or 'access: read-only'");
}

static void too_many_of_anything(void **state)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);

	(void)state;
	fputs("components:\n", out);
	for (int i = 0; i <= (int)CROSSVM_MAX_MEMBERS; i++)
		fprintf(out, "- name: c%d\n", i);
	fputs("connections:\n- name: link\n  members:\n", out);
	for (int i = 0; i <= (int)CROSSVM_MAX_MEMBERS; i++)
		fprintf(out, "  - component: c%d\n", i);
	fclose(out);
	assert_refused(text, AT "134: 65 members; at most 64 are possible");
	free(text);

	out = open_memstream(&text, &bytes);
	fputs("components:\n", out);
	for (int i = 0; i < 257; i++)
		fprintf(out, "- name: c%d\n", i);
	fputs("connections: [{name: link, members: [{component: c0}, {component: c1}]}]\n", out);
	fclose(out);
	assert_refused(text, AT "258: 257 components; at most 256 are possible");
	free(text);
}

static void however_many_mistakes_the_message_stays_readable(void **state)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);
	struct crossvm_system *system = NULL;
	char *message = NULL;

	(void)state;
	fputs("connections: [{name: l, members: []}]\ncomponents:\n", out);
	for (int i = 0; i < 100; i++)
		fprintf(out, "- title: c%d\n", i);
	fclose(out);
	assert_int_equal(crossvm_system_parse("x", NULL, text, bytes, &system, &message), -EINVAL);
	assert_true(strlen(message) < 4096);
	/* Of each entry, that its name is missing and that "title" is no key. */
	assert_non_null(strstr(message, "\nx:12: a component lacks 'name'; add it\n"
					"x: and 180 more; correct these first"));
	free(message);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys),
		cmocka_unit_test(names),
		cmocka_unit_test(members),
		cmocka_unit_test(dataports),
		cmocka_unit_test(access_and_kinds),
		cmocka_unit_test(doorbells),
		cmocka_unit_test(vms_and_components),
		cmocka_unit_test(ids_that_stand_for_many),
		cmocka_unit_test(several_mistakes_are_reported_together),
		cmocka_unit_test(too_many_of_anything),
		cmocka_unit_test(however_many_mistakes_the_message_stays_readable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
