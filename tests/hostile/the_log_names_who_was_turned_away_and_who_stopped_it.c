/* SPDX-License-Identifier: BSD-2-Clause */
/* Who reads the log afterwards must be able to tell who it was: process and user. */
#include "hostile.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define STRANGER 61003u

static _Atomic pid_t *stranger; /* shared with it */

/* Whether a line has all of these, numbers as words of their own. */
static bool a_line_has(const struct daemon *daemon, const char *text, unsigned int number,
		       unsigned int other)
{
	char *log = daemon_log(daemon);
	char *rest = log;
	char *line;
	bool found = false;

	while (!found && (line = strsep(&rest, "\n")) != NULL) {
		unsigned int hits = 0;

		if (strstr(line, text) == NULL)
			continue;
		for (char *word = line + strcspn(line, "0123456789"); *word != '\0';
		     word += strcspn(word, "0123456789")) {
			unsigned int value = (unsigned int)strtoul(word, &word, 10);

			hits |= (value == number) | (unsigned int)(value == other) << 1;
		}
		found = hits == 3;
	}
	free(log);
	return found;
}

static void assert_line(const struct daemon *daemon, const char *text, unsigned int number,
			unsigned int other)
{
	for (int i = 0; i < 5000 && !a_line_has(daemon, text, number, other); i++)
		usleep(1000);
	if (!a_line_has(daemon, text, number, other))
		fail_msg("no line with '%s', %u and %u in: %s", text, number, other,
			 hostile_end_of_log(daemon));
}

static void try_component(const struct daemon *daemon)
{
	int fd = component_connect(daemon);

	atomic_store(stranger, getpid());
	send(fd, "boom", 4, MSG_NOSIGNAL);
	hostile_wait_end(fd);
}

/* The socket is the user's alone, so a stranger does not even reach the daemon. */
static void try_vm(const struct daemon *daemon)
{
	assert_false(vm_is_welcome(daemon, "v.link.events"));
}

static void it_names_who_was_turned_away(void **state)
{
	static const char system[] = "vms: [{name: v, user: 61001}, {name: w}]\n"
				     "components: [{name: a, user: 61001}, {name: b}]\n"
				     "connections:\n"
				     "- {name: link, members: [{vm: v}, {vm: w}]}\n"
				     "- {name: bell, members: [{component: a}, {component: b}]}\n";
	struct daemon *daemon = *state;

	stranger = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(stranger != MAP_FAILED);
	daemon_start(daemon, system, NULL);
	hostile_as_user(STRANGER, try_component, daemon);
	assert_line(daemon, "", (unsigned int)atomic_load(stranger), STRANGER);
	hostile_as_user(STRANGER, try_vm, daemon);
	hostile_end_users();
	hostile_stop(daemon);
}

/* The signal, in words, and the process that has sent it, with its user. */
static void it_names_who_stopped_it(void **state)
{
	static const int signals[] = {SIGTERM, SIGINT};
	static const char *const names[] = {"SIGTERM", "SIGINT"};
	struct daemon *daemon = *state;

	for (int i = 0; i < 2; i++) {
		daemon_start(daemon, HOSTILE_SYSTEM, NULL);
		hostile_stop_by(daemon, signals[i]);
		assert_line(daemon, names[i], (unsigned int)getpid(), geteuid());
	}
}

static const struct CMUnitTest tests[] = {
	HOSTILE_TEST(it_names_who_was_turned_away),
	HOSTILE_TEST(it_names_who_stopped_it),
};

TESTS_MAIN(tests)
