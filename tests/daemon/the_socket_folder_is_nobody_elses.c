/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the daemon asks of its socket folder, which other users may reach, before it makes anything in
 * it. What takes other users needs root; without, it is said to be untested.
 */
#include "support.h"
#include "trace.h"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#define STRANGER 61001u
#define GROUP    61002u
#define LOCK     ".crossvmd.lock"

static void assert_mode(const char *path, mode_t mode)
{
	struct stat status;

	assert_return_code(stat(path, &status), errno);
	assert_int_equal(status.st_mode & 07777, mode);
}

static void in_folder(const struct daemon *daemon, const char *name, char path[160])
{
	snprintf(path, 160, "%s/%s", daemon->sockets, name);
}

/* It is refused as an argument that is wrong, nothing is made. */
static void assert_refused(struct daemon *daemon, const char *why)
{
	char path[160];

	assert_int_equal(daemon_run(daemon, SYSTEM, NULL), 2);
	daemon_assert_log(daemon, why);
	in_folder(daemon, "component.socket", path);
	assert_int_equal(access(path, F_OK), -1);
}

static void assert_served(struct daemon *daemon)
{
	daemon_start(daemon, SYSTEM, NULL);
	assert_int_equal(daemon_stop(daemon), 0);
}

static void a_lock_of_the_folder_by_anybody_keeps_nothing_from_starting(void **state)
{
	struct daemon *daemon = *state;
	int fd;

	assert_return_code(mkdir(daemon->sockets, 0755), errno);
	fd = open(daemon->sockets, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_return_code(flock(fd, LOCK_EX | LOCK_NB), errno);
	assert_served(daemon);
	close(fd);
}

static void the_umask_does_not_matter(void **state)
{
	struct daemon *daemon = *state;
	const mode_t before = umask(077);
	char path[160];

	daemon_start(daemon, SYSTEM, NULL);
	umask(before);
	assert_mode(daemon->sockets, 0755);
	in_folder(daemon, LOCK, path);
	assert_mode(path, 0600);
	assert_int_equal(daemon_stop(daemon), 0);
	/* nothing is left in it, not even what is hidden */
	assert_return_code(rmdir(daemon->sockets), errno);
}

static void a_folder_of_a_chosen_mode_keeps_it(void **state)
{
	struct daemon *daemon = *state;

	assert_return_code(mkdir(daemon->sockets, 0700), errno);
	daemon_start(daemon, SYSTEM, NULL);
	assert_mode(daemon->sockets, 0700);
	assert_int_equal(daemon_stop(daemon), 0);
}

static void a_folder_that_others_may_write_to_is_refused(void **state)
{
	static const mode_t modes[] = {0775, 0757, 01777};
	struct daemon *daemon = *state;

	assert_return_code(mkdir(daemon->sockets, 0755), errno);
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		assert_return_code(chmod(daemon->sockets, modes[i]), errno);
		assert_refused(daemon, "is not safe: others may write to it (mode ");
	}
	assert_return_code(chmod(daemon->sockets, 0755), errno);
	assert_served(daemon);
}

static void a_symbolic_link_is_refused(void **state)
{
	struct daemon *daemon = *state;
	char target[96];

	snprintf(target, sizeof(target), "%s/elsewhere", daemon->dir);
	assert_return_code(mkdir(target, 0755), errno);
	assert_return_code(symlink("elsewhere", daemon->sockets), errno);
	assert_refused(daemon, "it is a symbolic link; name with --socket-dir what it leads to");
	strcat(daemon->sockets, "/"); /* so that the kernel would follow it */
	assert_refused(daemon, "it is a symbolic link; name with --socket-dir what it leads to");
}

static void a_parent_that_others_may_write_to_is_refused_unless_sticky(void **state)
{
	struct daemon *daemon = *state;

	assert_return_code(chmod(daemon->dir, 0777), errno);
	assert_refused(daemon, " on its path (mode 0777), and put another one in its place");
	assert_int_equal(access(daemon->sockets, F_OK), -1);
	assert_return_code(chmod(daemon->dir, 01777), errno);
	assert_served(daemon);
}

/* The same by a path that does not say which folders it is in. */
static void parents_of_the_working_folder_count(void **state)
{
	struct daemon *daemon = *state;
	char inner[96];

	snprintf(inner, sizeof(inner), "%s/inner", daemon->dir);
	assert_return_code(mkdir(inner, 0755), errno);
	assert_return_code(chdir(inner), errno);
	strcpy(daemon->sockets, "s");
	assert_return_code(chmod(daemon->dir, 0777), errno);
	assert_refused(daemon, "the folder s is not safe: others may write to '..' on its path");
	assert_return_code(chmod(daemon->dir, 0755), errno);
	assert_served(daemon);
	strcpy(daemon->sockets, "../inner//.//s///");
	assert_served(daemon);
	assert_return_code(chdir("/"), errno);
}

/* /var/run is one, on many machines. */
static void a_link_on_the_path_is_followed(void **state)
{
	struct daemon *daemon = *state;
	char path[96];

	snprintf(path, sizeof(path), "%s/inner", daemon->dir);
	assert_return_code(mkdir(path, 0755), errno);
	snprintf(path, sizeof(path), "%s/link", daemon->dir);
	assert_return_code(symlink("./inner", path), errno);
	snprintf(daemon->sockets, sizeof(daemon->sockets), "%s/link/s", daemon->dir);
	assert_served(daemon);
	unlink(path);
	assert_return_code(symlink("link", path), errno); /* to itself */
	assert_refused(daemon, "Too many levels of symbolic links");
}

static void a_lock_that_others_could_hold_is_refused(void **state)
{
	struct daemon *daemon = *state;
	char path[160];

	in_folder(daemon, LOCK, path);
	assert_return_code(mkdir(daemon->sockets, 0755), errno);
	assert_return_code(symlink("/etc/passwd", path), errno);
	assert_refused(daemon, "if no crossvmd serves that folder, remove the file");
	unlink(path);
	assert_return_code(mkfifo(path, 0600), errno);
	assert_refused(daemon, "is not a file that only crossvmd may open; remove it");
	unlink(path);
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	assert_refused(daemon, "is not a file that only crossvmd may open; remove it");
	assert_mode(path, 0644);
	unlink(path);
	assert_served(daemon);
}

static void a_lock_that_was_left_behind_is_used_again(void **state)
{
	struct daemon *daemon = *state;
	char path[160];
	pid_t worker;

	daemon_start(daemon, SYSTEM, NULL);
	worker = daemon_worker(daemon);
	kill(daemon->pid, SIGKILL);
	kill(worker, SIGKILL);
	waitpid(daemon->pid, NULL, 0);
	while (kill(worker, 0) == 0)
		usleep(1000);
	in_folder(daemon, LOCK, path);
	assert_return_code(access(path, F_OK), errno);
	assert_served(daemon);
	assert_int_equal(access(path, F_OK), -1);
}

/* A daemon that ends removes the file: whoever opened it before must not take that for the lock. */
static void the_lock_of_a_file_that_is_gone_is_none(void **state)
{
	struct daemon *daemon = *state;
	struct daemon second = *daemon;
	char path[160];

	in_folder(daemon, LOCK, path);
	trace_spawn(daemon, SYSTEM);
	trace_until(daemon->pid, SYS_flock, NULL);
	assert_return_code(unlink(path), errno);
	trace_end(daemon->pid);
	daemon_wait_log(daemon, "serving in");
	assert_int_equal(daemon_run(&second, SYSTEM, NULL), 1);
	daemon_assert_log(daemon, "another crossvmd serves");
	assert_int_equal(daemon_stop(daemon), 0);
}

static void a_group_of_ones_own_gets_the_folder(void **state)
{
	struct daemon *daemon = *state;
	struct stat status;
	char group[16];

	snprintf(group, sizeof(group), "%u", getegid());
	assert_return_code(mkdir(daemon->sockets, 0755), errno);
	daemon_start(daemon, SYSTEM, "--socket-group", group, NULL);
	assert_mode(daemon->sockets, 0750);
	assert_return_code(stat(daemon->sockets, &status), errno);
	assert_int_equal(status.st_gid, getegid());
	assert_int_equal(daemon_stop(daemon), 0);
	assert_int_equal(daemon_run(daemon, SYSTEM, "--socket-group", "no-such-group", NULL), 2);
	daemon_assert_log(daemon, "no group 'no-such-group'; create it");
}

/* Root only, from here on. */

/* @return what a function returns that runs as another user, 0 to 125. */
static int as_stranger(gid_t group, int (*function)(const struct daemon *daemon),
		       const struct daemon *daemon)
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		if (setgroups(0, NULL) != 0 || setresgid(group, group, group) != 0 ||
		    setresuid(STRANGER, STRANGER, STRANGER) != 0)
			_exit(126);
		_exit(function(daemon));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int open_lock(const struct daemon *daemon)
{
	char path[160];

	in_folder(daemon, LOCK, path);
	return open(path, O_RDONLY | O_CLOEXEC) < 0 ? errno : 0;
}

static int reach(const struct daemon *daemon)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/component.socket",
		 daemon->sockets);
	return connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 ? 0 : errno;
}

static void strangers_cannot_open_the_lock(void **state)
{
	struct daemon *daemon = *state;

	daemon_start(daemon, SYSTEM, "--user", "61000", NULL);
	assert_int_equal(as_stranger(STRANGER, reach, daemon), 0);
	assert_int_equal(as_stranger(STRANGER, open_lock, daemon), EACCES);
	assert_int_equal(daemon_stop(daemon), 0);
	assert_return_code(rmdir(daemon->sockets), errno);
}

static void only_the_group_reaches_the_sockets(void **state)
{
	struct daemon *daemon = *state;

	daemon_start(daemon, SYSTEM, "--user", "61000", "--socket-group", "61002", NULL);
	assert_mode(daemon->sockets, 0750);
	assert_int_equal(as_stranger(GROUP, reach, daemon), 0);
	assert_int_equal(as_stranger(STRANGER, reach, daemon), EACCES);
	assert_int_equal(daemon_stop(daemon), 0);
	assert_return_code(rmdir(daemon->sockets), errno);
}

static void a_folder_of_somebody_else_is_refused(void **state)
{
	struct daemon *daemon = *state;
	char user[16];

	assert_return_code(mkdir(daemon->sockets, 0755), errno);
	assert_return_code(chown(daemon->sockets, STRANGER, STRANGER), errno);
	assert_refused(daemon, "is not safe: it belongs to user 61001; give it to user 0 (chown)");
	/* but it is fine for a daemon that becomes that user */
	snprintf(user, sizeof(user), "%u", STRANGER);
	daemon_start(daemon, SYSTEM, "--user", user, NULL);
	assert_int_equal(daemon_stop(daemon), 0);
}

static void a_parent_of_somebody_else_is_refused(void **state)
{
	struct daemon *daemon = *state;

	assert_return_code(chown(daemon->dir, STRANGER, STRANGER), errno);
	assert_refused(daemon, "is not safe: user 61001, who owns 'crossvm-test-");
	assert_int_equal(access(daemon->sockets, F_OK), -1);
	daemon_start(daemon, SYSTEM, "--user", "61001", NULL);
	assert_int_equal(daemon_stop(daemon), 0);
}

static void a_link_of_somebody_else_is_refused(void **state)
{
	struct daemon *daemon = *state;
	char path[96];

	snprintf(path, sizeof(path), "%s/inner", daemon->dir);
	assert_return_code(mkdir(path, 0755), errno);
	snprintf(path, sizeof(path), "%s/link", daemon->dir);
	assert_return_code(symlink("inner", path), errno);
	assert_return_code(lchown(path, STRANGER, STRANGER), errno);
	snprintf(daemon->sockets, sizeof(daemon->sockets), "%s/link/s", daemon->dir);
	assert_return_code(chmod(daemon->dir, 01777), errno);
	assert_refused(daemon, "is not safe: user 61001, who owns 'link' on its path");
}

#define FOR_EVERYBODY                                                                    \
	DAEMON_TEST(a_lock_of_the_folder_by_anybody_keeps_nothing_from_starting),        \
		DAEMON_TEST(the_umask_does_not_matter),                                  \
		DAEMON_TEST(a_folder_of_a_chosen_mode_keeps_it),                         \
		DAEMON_TEST(a_folder_that_others_may_write_to_is_refused),               \
		DAEMON_TEST(a_symbolic_link_is_refused),                                 \
		DAEMON_TEST(a_parent_that_others_may_write_to_is_refused_unless_sticky), \
		DAEMON_TEST(parents_of_the_working_folder_count),                        \
		DAEMON_TEST(a_link_on_the_path_is_followed),                             \
		DAEMON_TEST(a_lock_that_others_could_hold_is_refused),                   \
		DAEMON_TEST(a_lock_that_was_left_behind_is_used_again),                  \
		DAEMON_TEST(the_lock_of_a_file_that_is_gone_is_none),                    \
		DAEMON_TEST(a_group_of_ones_own_gets_the_folder)

int main(int argc, char **argv)
{
	static const struct CMUnitTest with_root[] = {
		FOR_EVERYBODY,
		DAEMON_TEST(strangers_cannot_open_the_lock),
		DAEMON_TEST(only_the_group_reaches_the_sockets),
		DAEMON_TEST(a_folder_of_somebody_else_is_refused),
		DAEMON_TEST(a_parent_of_somebody_else_is_refused),
		DAEMON_TEST(a_link_of_somebody_else_is_refused),
	};
	static const struct CMUnitTest without_root[] = {FOR_EVERYBODY};

	if (geteuid() == 0)
		return tests_main(argc, argv, with_root, sizeof(with_root) / sizeof(with_root[0]));
	print_message("not root: what other users own, and can reach, is NOT TESTED here\n");
	return tests_main(argc, argv, without_root, sizeof(without_root) / sizeof(without_root[0]));
}
