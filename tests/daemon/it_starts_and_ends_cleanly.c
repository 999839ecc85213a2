/* SPDX-License-Identifier: BSD-2-Clause */
#include "vm.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#define ONE_VM                                                      \
	"vms: [{name: v}]\ncomponents: [{name: a}]\nconnections:\n" \
	"- {name: link, members: [{vm: v}, {component: a}]}\n"

static size_t count_files(const char *path)
{
	DIR *directory = opendir(path);
	size_t count = 0;

	if (directory == NULL)
		return 0;
	for (const struct dirent *entry; (entry = readdir(directory)) != NULL;)
		count += entry->d_name[0] != '.';
	closedir(directory);
	return count;
}

static void sigterm_and_sigint_remove_every_socket(void **state)
{
	struct daemon *daemon = *state;
	int status;

	daemon_start(daemon, ONE_VM, NULL);
	assert_int_equal(count_files(daemon->sockets), 3);
	assert_int_equal(daemon_stop(daemon), 0);
	assert_int_equal(count_files(daemon->sockets), 0);
	daemon_start(daemon, ONE_VM, NULL);
	kill(daemon->pid, SIGHUP); /* has no effect */
	kill(daemon->pid, SIGINT);
	assert_int_equal(waitpid(daemon->pid, &status, 0), daemon->pid);
	daemon->pid = 0;
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_int_equal(count_files(daemon->sockets), 0);
}

/* As a service manager does that signals every process it knows of. */
static void sigterm_to_all_processes_is_as_good(void **state)
{
	struct daemon *daemon = *state;

	daemon_start(daemon, ONE_VM, NULL);
	kill(daemon_worker(daemon), SIGTERM);
	assert_int_equal(daemon_stop(daemon), 0);
	assert_int_equal(count_files(daemon->sockets), 0);
}

static void the_service_manager_is_told_of_the_end(void **state)
{
	struct daemon *daemon = *state;
	char text[256];
	ssize_t bytes;

	daemon_start(daemon, ONE_VM, NULL);
	daemon_stop(daemon);
	bytes = recv(daemon->notify, text, sizeof(text) - 1, MSG_DONTWAIT);
	assert_true(bytes > 0);
	text[bytes] = '\0';
	assert_int_equal(strncmp(text, "STOPPING=1\n", 11), 0);
}

static void sockets_of_a_killed_daemon_are_replaced(void **state)
{
	struct daemon *daemon = *state;
	struct component a;
	pid_t worker;
	struct vm v;
	char end;

	daemon_start(daemon, ONE_VM, NULL);
	worker = daemon_worker(daemon);
	v = vm_attach(daemon, "v", "link");
	kill(daemon->pid, SIGKILL);
	waitpid(daemon->pid, NULL, 0);
	/* the worker, left alone, takes leave of the VM and ends */
	assert_int_equal(read(v.events, &end, 1), 0);
	while (kill(worker, 0) == 0)
		usleep(1000);
	vm_detach(&v);
	assert_int_equal(count_files(daemon->sockets), 3);
	daemon_start(daemon, ONE_VM, NULL);
	a = component_open(daemon, "link", "", 0);
	v = vm_attach(daemon, "v", "link");
	vm_write_register(&v, CROSSVM_REG_EMIT, 1, true);
	component_wait_total(&a, 1);
	vm_detach(&v);
	component_close(&a);
	assert_int_equal(daemon_stop(daemon), 0);
}

static void a_second_daemon_in_one_folder_is_refused(void **state)
{
	struct daemon *daemon = *state;
	struct daemon second = *daemon;
	struct component a;
	char expected[160];

	daemon_start(daemon, ONE_VM, NULL);
	assert_int_equal(daemon_run(&second, SYSTEM, NULL), 1);
	snprintf(expected, sizeof(expected),
		 "another crossvmd serves %s; end that one, or name another folder with "
		 "--socket-dir",
		 daemon->sockets);
	daemon_assert_log(daemon, expected);
	a = component_open(daemon, "link", "", 0);
	component_close(&a);
	assert_int_equal(daemon_stop(daemon), 0);
}

static void what_is_not_ours_is_not_replaced(void **state)
{
	struct daemon *daemon = *state;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char path[128];

	assert_return_code(mkdir(daemon->sockets, 0755), errno);
	snprintf(path, sizeof(path), "%s/v.link.events", daemon->sockets);
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_int_equal(daemon_run(daemon, ONE_VM, NULL), 1);
	daemon_assert_log(daemon, "v.link.events");
	assert_int_equal(count_files(daemon->sockets), 1);
	unlink(path);
	strcpy(address.sun_path, path);
	assert_return_code(bind(fd, (struct sockaddr *)&address, sizeof(address)), errno);
	assert_return_code(listen(fd, 1), errno);
	assert_int_equal(daemon_run(daemon, ONE_VM, NULL), 1);
	assert_int_equal(count_files(daemon->sockets), 1);
	close(fd);
}

static void a_bad_system_file_starts_nothing(void **state)
{
	struct daemon *daemon = *state;
	char expected[256];

	assert_int_equal(daemon_run(daemon, "vms: [{name: v}]\nconnexions: []\n", NULL), 2);
	snprintf(expected, sizeof(expected),
		 "%s/system.yaml:2: unknown key 'connexions' in the system file; it may have: vms, "
		 "components, connections",
		 daemon->dir);
	daemon_assert_log(daemon, expected);
	assert_int_equal(access(daemon->sockets, F_OK), -1);
	assert_int_equal(daemon_run(daemon, ONE_VM, "--check", NULL), 0);
	assert_int_equal(access(daemon->sockets, F_OK), -1);
}

static void wrong_arguments_start_nothing(void **state)
{
	struct daemon *daemon = *state;

	assert_int_equal(daemon_run(daemon, ONE_VM, "--no-such-option", NULL), 2);
	assert_int_equal(daemon_run(daemon, ONE_VM, "/one/file/too/many", NULL), 2);
	daemon_assert_log(daemon, "name one system file");
	assert_int_equal(access(daemon->sockets, F_OK), -1);
}

static void a_missing_folder_is_named(void **state)
{
	struct daemon *daemon = *state;

	assert_int_equal(
		daemon_run(daemon, ONE_VM, "--socket-dir", "/no/such/folder/crossvm", NULL), 2);
	daemon_assert_log(daemon, "cannot make the folder /no/such/folder/crossvm: No such file or "
				  "directory; make it, or name another with --socket-dir");
	assert_int_equal(daemon_run(daemon, ONE_VM, "--socket-dir", "/dev/null", NULL), 2);
	daemon_assert_log(daemon, "cannot use the folder /dev/null: Not a directory");
}

static void a_path_too_long_for_a_socket_is_named(void **state)
{
	struct daemon *daemon = *state;
	char path[160];

	snprintf(path, sizeof(path), "%s/%085d", daemon->dir, 0);
	assert_int_equal(daemon_run(daemon, ONE_VM, "--socket-dir", path, NULL), 2);
	daemon_assert_log(daemon, "too long; ");
}

static void too_little_memory_is_named(void **state)
{
	struct daemon *daemon = *state;
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	/* more than any machine that runs this test has */
	fputs("components: [{name: a}, {name: b}]\nconnections:\n", out);
	for (int i = 0; i < 4096; i++)
		fprintf(out,
			"- {name: c%d, dataport: 4 GiB, members: [{component: a, access: "
			"read-write}, {component: b, access: read-write}]}\n",
			i);
	fclose(out);
	assert_int_equal(daemon_run(daemon, text, NULL), 1);
	daemon_assert_log(daemon,
			  "the dataports take 16384 GiB in all, but this machine has only ");
	assert_int_equal(count_files(daemon->sockets), 0);
	free(text);
}

static const struct CMUnitTest tests[] = {
	DAEMON_TEST(sigterm_and_sigint_remove_every_socket),
	DAEMON_TEST(sigterm_to_all_processes_is_as_good),
	DAEMON_TEST(the_service_manager_is_told_of_the_end),
	DAEMON_TEST(sockets_of_a_killed_daemon_are_replaced),
	DAEMON_TEST(a_second_daemon_in_one_folder_is_refused),
	DAEMON_TEST(what_is_not_ours_is_not_replaced),
	DAEMON_TEST(a_bad_system_file_starts_nothing),
	DAEMON_TEST(wrong_arguments_start_nothing),
	DAEMON_TEST(a_missing_folder_is_named),
	DAEMON_TEST(a_path_too_long_for_a_socket_is_named),
	DAEMON_TEST(too_little_memory_is_named),
};

TESTS_MAIN(tests)
