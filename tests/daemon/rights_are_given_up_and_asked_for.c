/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who the daemon becomes, and who may attach to what. Needs root, to be other users; without root it
 * tests what can be tested then, and says so.
 */
#include "vm.h"

#include <grp.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define USER   61001u
#define GROUP  61002u
#define OTHER  61003u
#define DAEMON "61000"

#define OWNED                                                                        \
	"vms: [{name: v, user: 61001}, {name: w, group: 61002}, {name: x}]\n"        \
	"components: [{name: a, user: 61001}, {name: b, group: 61002}, {name: c}]\n" \
	"connections:\n"                                                             \
	"- name: link\n"                                                             \
	"  members: [{vm: v}, {vm: w}, {vm: x}, {component: a}, {component: b}, {component: c}]\n"

/* Root's user and group, by number and by name. */
#define OF_ROOT                                                                       \
	"vms: [{name: y, group: 0}, {name: n, group: root}, {name: z, user: root}]\n" \
	"components: [{name: g, group: 0}, {name: h, user: root}]\n"                  \
	"connections:\n"                                                              \
	"- name: link\n"                                                              \
	"  members: [{vm: y}, {vm: n}, {vm: z}, {component: g}, {component: h}]\n"

/* Run a function as another user; its assertions count. */
static void as_user(uid_t user, gid_t group, gid_t other_group,
		    void (*function)(const struct daemon *daemon), const struct daemon *daemon)
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		if (setgroups(1, &other_group) != 0 || setresgid(group, group, group) != 0 ||
		    setresuid(user, user, user) != 0)
			_exit(126);
		function(daemon);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* In the child a failed assertion would unwind into the parent's test: end it instead. */
#define CHILD_ASSERT(condition)                                                         \
	do {                                                                            \
		if (!(condition)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			_exit(1);                                                       \
		}                                                                       \
	} while (0)

/* What the daemon says to an OPEN of link. @return 0 or -errno. */
static int try_open(const struct daemon *daemon, const char *component)
{
	union {
		struct crossvm_component_entry entry;
		struct crossvm_component_failure failure;
	} answer;
	size_t num_fds;
	int fds[8];
	int fd = component_connect(daemon);
	struct crossvm_component_request request = {.header = {CROSSVM_COMPONENT_MAGIC,
							       CROSSVM_COMPONENT_VERSION,
							       CROSSVM_COMPONENT_OPEN},
						    .connection = "link"};

	strcpy(request.component, component);
	/* It may have been refused already. */
	if (send(fd, &request, sizeof(request), MSG_NOSIGNAL) < 0 && errno != EPIPE)
		return -errno;
	CHILD_ASSERT(component_receive(fd, &answer, sizeof(answer), fds, &num_fds) > 0);
	close(fd);
	if (answer.entry.header.type == CROSSVM_COMPONENT_FAILED)
		return answer.failure.error;
	return 0;
}

/* Whether the daemon lets this process attach to a VM's device. */
static bool try_attach(const struct daemon *daemon, const char *vm)
{
	char name[64];

	snprintf(name, sizeof(name), "%s.link.memory", vm);
	return vm_is_welcome(daemon, name);
}

static void the_user_may(const struct daemon *daemon)
{
	CHILD_ASSERT(try_open(daemon, "a") == 0);
	CHILD_ASSERT(try_open(daemon, "") == 0);
	CHILD_ASSERT(try_open(daemon, "b") == -EACCES);
	CHILD_ASSERT(try_open(daemon, "c") == -EACCES);
	CHILD_ASSERT(try_attach(daemon, "v"));
	CHILD_ASSERT(!try_attach(daemon, "w"));
	CHILD_ASSERT(!try_attach(daemon, "x"));
}

static void the_group_may(const struct daemon *daemon)
{
	CHILD_ASSERT(try_open(daemon, "a") == -EACCES);
	CHILD_ASSERT(try_open(daemon, "b") == 0);
	CHILD_ASSERT(try_open(daemon, "c") == -EACCES);
	CHILD_ASSERT(!try_attach(daemon, "v"));
	CHILD_ASSERT(try_attach(daemon, "w"));
}

static void strangers_may_nothing(const struct daemon *daemon)
{
	CHILD_ASSERT(try_open(daemon, "a") == -EACCES);
	CHILD_ASSERT(try_open(daemon, "") == -EACCES);
	CHILD_ASSERT(!try_attach(daemon, "v"));
	CHILD_ASSERT(!try_attach(daemon, "x"));
}

static void only_those_of_the_system_file_may_attach(void **state)
{
	struct daemon *daemon = *state;
	struct component c;

	daemon_start(daemon, OWNED, NULL);
	as_user(USER, OTHER, OTHER, the_user_may, daemon);
	as_user(OTHER, GROUP, OTHER, the_group_may, daemon);
	as_user(OTHER, OTHER, GROUP, the_group_may, daemon);
	/* root may be anything, but has to say what */
	component_open_refused(daemon, "link", "", 0, -EINVAL);
	c = component_open(daemon, "link", "c", 0);
	component_close(&c);
	assert_int_equal(daemon_stop(daemon), 0);
}

static void the_group_of_root_may(const struct daemon *daemon)
{
	CHILD_ASSERT(try_attach(daemon, "y"));
	CHILD_ASSERT(try_attach(daemon, "n"));
	CHILD_ASSERT(try_open(daemon, "g") == 0);
	CHILD_ASSERT(try_open(daemon, "h") == -EACCES);
}

static void the_daemon_s_user_may(const struct daemon *daemon)
{
	CHILD_ASSERT(try_attach(daemon, "y"));
	CHILD_ASSERT(try_attach(daemon, "z"));
	CHILD_ASSERT(try_open(daemon, "g") == 0);
	CHILD_ASSERT(try_open(daemon, "h") == 0);
}

static void strangers_may_not_what_is_of_root(const struct daemon *daemon)
{
	CHILD_ASSERT(!try_attach(daemon, "y"));
	CHILD_ASSERT(!try_attach(daemon, "n"));
	CHILD_ASSERT(try_open(daemon, "g") == -EACCES);
	CHILD_ASSERT(try_open(daemon, "h") == -EACCES);
}

/* A group with the number 0 is one that is given. */
static void root_s_group_is_a_group_like_others(void **state)
{
	struct daemon *daemon = *state;

	daemon_start(daemon, OF_ROOT, "--user", DAEMON, NULL);
	as_user(OTHER, 0, OTHER, the_group_of_root_may, daemon);
	as_user(OTHER, OTHER, 0, the_group_of_root_may, daemon);
	as_user((uid_t)strtoul(DAEMON, NULL, 10), OTHER, OTHER, the_daemon_s_user_may, daemon);
	as_user(OTHER, OTHER, OTHER, strangers_may_not_what_is_of_root, daemon);
	assert_int_equal(daemon_stop(daemon), 0);
}

/* With a daemon of their own: of many messages that clients provoke, it leaves some out. */
static void strangers_are_refused_and_named(void **state)
{
	struct daemon *daemon = *state;

	daemon_start(daemon, OWNED, NULL);
	as_user(OTHER, OTHER, OTHER, strangers_may_nothing, daemon);
	daemon_wait_log(daemon, "user 61003 may be no component of this system");
	assert_int_equal(daemon_stop(daemon), 0);
}

static void assert_status(pid_t pid, const char *expected)
{
	char path[64];
	char *text = NULL;
	size_t room = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_true(getdelim(&text, &room, '\0', file) > 0);
	fclose(file);
	if (strstr(text, expected) == NULL)
		fail_msg("'%s' is not in %s", expected, text);
	free(text);
}

static void assert_without_rights(const struct daemon *daemon, const char *ids, const char *groups)
{
	struct component c = component_open(daemon, "link", "c", 0); /* so it serves by now */
	pid_t worker = daemon_worker(daemon);

	component_close(&c);
	assert_status(daemon->pid, ids);
	assert_status(daemon->pid, groups);
	assert_status(daemon->pid, "CapPrm:\t0000000000000000\n");
	assert_status(daemon->pid, "CapEff:\t0000000000000000\n");
	assert_status(daemon->pid, "NoNewPrivs:\t1\n");
	assert_status(worker, ids);
	assert_status(worker, "CapEff:\t0000000000000000\n");
	assert_status(worker, "NoNewPrivs:\t1\n");
	assert_status(worker, "Seccomp:\t2\n");
}

static void the_daemons_own_user(const struct daemon *daemon)
{
	CHILD_ASSERT(try_open(daemon, "c") == 0);
	CHILD_ASSERT(try_attach(daemon, "x"));
}

/* Also its recovery must not need what it has given up. */
static void root_becomes_another_user_for_good(void **state)
{
	struct daemon *daemon = *state;
	struct stat status;
	struct component c;

	daemon_start(daemon, OWNED, "--user", DAEMON, "--group", "61005", NULL);
	assert_without_rights(daemon, "Uid:\t61000\t61000\t61000\t61000\nGid:\t61005\t",
			      "Groups:\t \n");
	assert_return_code(stat(daemon->sockets, &status), errno);
	assert_int_equal(status.st_uid, 61000);
	c = component_open(daemon, "link", "c", 0);
	daemon_kill_worker(daemon, SIGKILL);
	component_wait_peer(&c, 5, CROSSVM_PEER_OPEN, 2);
	as_user(61000, OTHER, OTHER, the_daemons_own_user, daemon);
	as_user(USER, OTHER, OTHER, the_user_may, daemon);
	component_close(&c);
	assert_int_equal(daemon_stop(daemon), 0);
	/* nothing is left in a folder that it made */
	assert_return_code(rmdir(daemon->sockets), errno);
}

/* Started by a program that has put root aside only, to take it up again. */
static void root_that_was_put_aside_is_given_up(void **state)
{
	struct daemon *daemon = *state;
	const uid_t user = (uid_t)strtoul(DAEMON, NULL, 10);

	assert_return_code(chown(daemon->dir, user, user), errno);
	assert_return_code(setegid(user), errno);
	assert_return_code(seteuid(user), errno);
	daemon_start(daemon, OWNED, NULL);
	assert_return_code(seteuid(0), errno);
	assert_return_code(setegid(0), errno);
	assert_without_rights(daemon,
			      "Uid:\t61000\t61000\t61000\t61000\nGid:\t61000\t61000\t61000\t",
			      "Groups:\t");
	assert_int_equal(daemon_stop(daemon), 0);
}

static void staying_root_must_be_said(void **state)
{
	struct daemon *daemon = *state;

	/* support.c says --user root */
	daemon_start(daemon, OWNED, NULL);
	assert_without_rights(daemon, "Uid:\t0\t0\t0\t0\nGid:\t0\t", "Groups:\t \n");
	assert_int_equal(daemon_stop(daemon), 0);
}

static void an_unknown_user_or_group_is_named(void **state)
{
	struct daemon *daemon = *state;

	assert_int_equal(daemon_run(daemon, OWNED, "--user", "no-such-user", NULL), 2);
	daemon_assert_log(daemon, "no user 'no-such-user' to run as; create it (useradd --system "
				  "--no-create-home --shell /usr/sbin/nologin no-such-user), name "
				  "another with --user, or stay root with --user root");
	assert_int_equal(daemon_run(daemon, OWNED, "--group", "no-such-group", NULL), 2);
	daemon_assert_log(daemon, "no group 'no-such-group'; create it");
	assert_int_equal(access(daemon->sockets, F_OK), -1);
}

static int oom_score(pid_t pid)
{
	char path[64];
	FILE *file;
	int score;

	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)pid);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_int_equal(fscanf(file, "%d", &score), 1);
	fclose(file);
	return score;
}

/* If memory runs out, a worker can be replaced, and its holder cannot. */
static void the_kernel_kills_a_worker_before_its_holder(void **state)
{
	struct daemon *daemon = *state;
	struct component c;

	for (int i = 0; i < (geteuid() == 0 ? 2 : 1); i++) {
		daemon_start(daemon, SYSTEM, i == 0 ? NULL : "--user", DAEMON, NULL);
		c = component_open(daemon, "data", "a", 0); /* so it serves by now */
		assert_true(oom_score(daemon_worker(daemon)) > oom_score(daemon->pid));
		component_close(&c);
		assert_int_equal(daemon_stop(daemon), 0);
	}
}

static void without_root_nobody_else_can_be_become(void **state)
{
	struct daemon *daemon = *state;

	assert_int_equal(daemon_run(daemon, SYSTEM, "--user", "root", NULL), 2);
	daemon_assert_log(daemon, "only root can become another user or group");
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest with_root[] = {
		DAEMON_TEST(only_those_of_the_system_file_may_attach),
		DAEMON_TEST(root_s_group_is_a_group_like_others),
		DAEMON_TEST(strangers_are_refused_and_named),
		DAEMON_TEST(root_becomes_another_user_for_good),
		DAEMON_TEST(root_that_was_put_aside_is_given_up),
		DAEMON_TEST(staying_root_must_be_said),
		DAEMON_TEST(an_unknown_user_or_group_is_named),
		DAEMON_TEST(the_kernel_kills_a_worker_before_its_holder),
	};
	static const struct CMUnitTest without_root[] = {
		DAEMON_TEST(without_root_nobody_else_can_be_become),
		DAEMON_TEST(the_kernel_kills_a_worker_before_its_holder),
	};

	if (geteuid() == 0)
		return tests_main(argc, argv, with_root, sizeof(with_root) / sizeof(with_root[0]));
	print_message("not root: who becomes whom, and who may attach, is NOT TESTED here\n");
	return tests_main(argc, argv, without_root, sizeof(without_root) / sizeof(without_root[0]));
}
