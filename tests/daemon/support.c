/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

/* Long enough for the slowest machine: a test that waits so long has failed. */
#define PATIENCE_MS 60000

const char *daemon_program;

int tests_main(int argc, char **argv, const struct CMUnitTest *tests, size_t count)
{
	if (argc != 2) {
		fprintf(stderr, "usage: %s CROSSVMD\n", argv[0]);
		return 2;
	}
	daemon_program = realpath(argv[1], NULL); /* a test may change the working folder */
	if (daemon_program == NULL) {
		perror(argv[1]);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	return _cmocka_run_group_tests(argv[0], tests, count, NULL, NULL);
}

static void make_path(const struct daemon *daemon, const char *name, char *path, size_t bytes)
{
	snprintf(path, bytes, "%s/%s", daemon->dir, name);
}

int daemon_setup(void **state)
{
	struct daemon *daemon = calloc(1, sizeof(*daemon));
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (daemon == NULL)
		return -1;
	scratch_make(daemon->dir);
	if (chmod(daemon->dir, 0755) != 0)
		return -1;
	snprintf(daemon->sockets, sizeof(daemon->sockets), "%s/s", daemon->dir);
	daemon->notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	make_path(daemon, "notify", address.sun_path, sizeof(address.sun_path));
	*state = daemon;
	return daemon->notify < 0 ||
	       bind(daemon->notify, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	       chmod(address.sun_path, 0666) != 0; /* as systemd's */
}

/* A call that the sandbox forbids is a mistake, even where everything went well without it. */
static int check_sandbox(const struct daemon *daemon)
{
	char *log = daemon_log(daemon);
	const char *said = strstr(log, "the sandbox has kept");

	if (said != NULL)
		print_error("crossvmd: %.*s\n", (int)strcspn(said, "\n"), said);
	free(log);
	return said == NULL ? 0 : -1;
}

int daemon_teardown(void **state)
{
	struct daemon *daemon = *state;
	int result;

	if (daemon->pid > 0) {
		kill(daemon->pid, SIGTERM);
		waitpid(daemon->pid, NULL, 0);
	}
	result = check_sandbox(daemon);
	close(daemon->notify);
	scratch_remove(daemon->dir);
	free(daemon);
	return result;
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

#define MAX_ARGUMENTS 12

static void start(struct daemon *daemon, const char *system, va_list more)
{
	char notify[96], file[96], log[96];
	const char *arguments[MAX_ARGUMENTS] = {daemon_program, "--verbose", "--socket-dir",
						daemon->sockets};
	size_t count = 4;
	const char *argument;

	make_path(daemon, "notify", notify, sizeof(notify));
	make_path(daemon, "system.yaml", file, sizeof(file));
	make_path(daemon, "log", log, sizeof(log));
	write_file(file, system);
	if (geteuid() == 0 && !daemon->default_user) {
		arguments[count++] = "--user";
		arguments[count++] = "root";
	}
	while ((argument = va_arg(more, const char *)) != NULL) {
		assert_true(count < MAX_ARGUMENTS - 2);
		arguments[count++] = argument;
	}
	arguments[count++] = file;
	arguments[count] = NULL;
	daemon->pid = fork();
	assert_true(daemon->pid >= 0);
	if (daemon->pid > 0)
		return;
	/* Also where the test is killed, nothing of it goes on. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	setenv("NOTIFY_SOCKET", notify, 1);
	dup2(daemon->log > 0 ? daemon->log : open(log, O_WRONLY | O_CREAT | O_APPEND, 0666),
	     STDERR_FILENO);
	/* Nor can the sanitizers' search for leaks trace what is traced. */
	if (daemon->traced && (setenv("ASAN_OPTIONS", "detect_leaks=0", 1) != 0 ||
			       ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0))
		_exit(127);
	execv(arguments[0], (char *const *)arguments);
	_exit(127);
}

void daemon_start(struct daemon *daemon, const char *system, ...)
{
	struct pollfd ready = {.fd = daemon->notify, .events = POLLIN};
	char state[256];
	ssize_t bytes;
	va_list more;

	while (recv(daemon->notify, state, sizeof(state), MSG_DONTWAIT) >= 0)
		; /* what one before has said */
	va_start(more, system);
	start(daemon, system, more);
	va_end(more);
	for (int i = 0; i < PATIENCE_MS / 100 && poll(&ready, 1, 100) == 0; i++) {
		if (waitpid(daemon->pid, NULL, WNOHANG) == daemon->pid) {
			char *log = daemon_log(daemon);

			daemon->pid = 0;
			fail_msg("crossvmd has not started: %s", log);
		}
	}
	bytes = recv(daemon->notify, state, sizeof(state) - 1, MSG_DONTWAIT);
	assert_true(bytes > 0);
	state[bytes] = '\0';
	assert_int_equal(strncmp(state, "READY=1\n", 8), 0);
}

void daemon_spawn(struct daemon *daemon, const char *system, ...)
{
	va_list more;

	va_start(more, system);
	start(daemon, system, more);
	va_end(more);
}

int daemon_run(struct daemon *daemon, const char *system, ...)
{
	pid_t ended = 0;
	va_list more;
	int status;

	va_start(more, system);
	start(daemon, system, more);
	va_end(more);
	for (int i = 0; i < PATIENCE_MS && (ended = waitpid(daemon->pid, &status, WNOHANG)) == 0;
	     i++)
		usleep(1000);
	if (ended == 0)
		fail_msg("crossvmd runs, and should have ended");
	assert_int_equal(ended, daemon->pid);
	daemon->pid = 0;
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

int daemon_stop(struct daemon *daemon)
{
	int status;

	assert_return_code(kill(daemon->pid, SIGTERM), errno);
	assert_int_equal(waitpid(daemon->pid, &status, 0), daemon->pid);
	daemon->pid = 0;
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

char *daemon_log(const struct daemon *daemon)
{
	char path[96];
	char *text = NULL;
	size_t room = 0;
	FILE *file;

	make_path(daemon, "log", path, sizeof(path));
	file = fopen(path, "re");
	if (file == NULL || getdelim(&text, &room, '\0', file) < 0) {
		free(text);
		text = strdup("");
	}
	if (file != NULL)
		fclose(file);
	return text;
}

static bool log_contains(const struct daemon *daemon, const char *text)
{
	char *log = daemon_log(daemon);
	bool found = strstr(log, text) != NULL;

	free(log);
	return found;
}

void daemon_assert_log(const struct daemon *daemon, const char *text)
{
	char *log = daemon_log(daemon);

	if (strstr(log, text) == NULL)
		fail_msg("'%s' is not in the log: %s", text, log);
	free(log);
}

void daemon_wait_log(const struct daemon *daemon, const char *text)
{
	for (int i = 0; i < PATIENCE_MS && !log_contains(daemon, text); i++)
		usleep(1000);
	daemon_assert_log(daemon, text);
}

/* Whether the process is one of crossvmd's of this role, as it calls itself. */
static bool has_role(pid_t process, const char *role)
{
	char path[64];
	char name[32] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)process);
	file = fopen(path, "re");
	if (file == NULL)
		return false;
	if (fgets(name, sizeof(name), file) == NULL)
		name[0] = '\0';
	fclose(file);
	return strncmp(name, role, strlen(role)) == 0;
}

size_t daemon_processes(const struct daemon *daemon, const char *role, pid_t *processes,
			size_t room)
{
	char path[96];
	FILE *file;
	int process;
	size_t count = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)daemon->pid,
		 (int)daemon->pid);
	file = fopen(path, "re");
	if (file == NULL)
		return 0;
	while (count < room && fscanf(file, "%d", &process) == 1)
		if (has_role(process, role))
			processes[count++] = process;
	fclose(file);
	return count;
}

static pid_t find_worker(const struct daemon *daemon)
{
	pid_t worker;

	return daemon_processes(daemon, "crossvmd:worker", &worker, 1) == 1 ? worker : 0;
}

pid_t daemon_worker(const struct daemon *daemon)
{
	pid_t worker = 0;

	for (int i = 0; i < PATIENCE_MS && (worker = find_worker(daemon)) == 0; i++)
		usleep(1000);
	assert_true(worker > 0);
	return worker;
}

void daemon_kill_worker(struct daemon *daemon, int signal)
{
	pid_t worker = daemon_worker(daemon);
	pid_t next = worker;

	assert_return_code(kill(worker, signal), errno);
	for (int i = 0; i < PATIENCE_MS && (next == worker || next == 0); i++) {
		usleep(1000);
		next = find_worker(daemon);
	}
	assert_true(next > 0 && next != worker);
}

int component_connect(const struct daemon *daemon)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/" CROSSVM_COMPONENT_SOCKET_NAME,
		 daemon->sockets);
	assert_return_code(connect(fd, (struct sockaddr *)&address, sizeof(address)), errno);
	return fd;
}

void component_send(int fd, const void *data, size_t bytes)
{
	assert_int_equal(send(fd, data, bytes, MSG_NOSIGNAL), bytes);
}

void component_request(int fd, enum crossvm_component_type type, const char *connection,
		       const char *component, uint32_t access)
{
	struct crossvm_component_request request = {
		.header = {CROSSVM_COMPONENT_MAGIC, CROSSVM_COMPONENT_VERSION, (uint16_t)type},
		.access = access};

	strncpy(request.connection, connection, CROSSVM_NAME_MAX);
	strncpy(request.component, component, CROSSVM_NAME_MAX);
	component_send(fd, &request, sizeof(request));
}

size_t component_receive(int fd, void *answer, size_t room, int *fds, size_t *num_fds)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(8 * sizeof(int))];
	struct iovec iov = {.iov_base = answer, .iov_len = room};
	struct msghdr message = {.msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof(control)};
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	struct cmsghdr *cmsg;
	ssize_t bytes;

	assert_int_equal(poll(&ready, 1, PATIENCE_MS), 1);
	bytes = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
	*num_fds = 0;
	if (bytes < 0 && errno == ECONNRESET)
		return 0;
	assert_true(bytes >= 0);
	cmsg = CMSG_FIRSTHDR(&message);
	if (cmsg != NULL) {
		*num_fds = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds, CMSG_DATA(cmsg), *num_fds * sizeof(int));
	}
	return (size_t)bytes;
}

struct component component_opened(int socket_fd, uint32_t access)
{
	struct component component = {.socket = socket_fd, .dataport_fd = -1};
	union {
		struct crossvm_component_entry entry;
		struct crossvm_component_failure failure;
	} answer;
	size_t num_fds;
	int fds[8];

	if (component_receive(socket_fd, &answer, sizeof(answer), fds, &num_fds) == 0)
		fail_msg("%s", "disconnected instead of opened");
	if (answer.entry.header.type != CROSSVM_COMPONENT_OPENED)
		fail_msg("not opened: %s", answer.failure.message);
	assert_int_equal(num_fds, access != 0 && answer.entry.dataport_bytes > 0 ? 3 : 2);
	component.entry = answer.entry;
	component.page_fd = fds[0];
	component.event_fd = fds[1];
	if (num_fds == 3)
		component.dataport_fd = fds[2];
	component.page = mmap(NULL, CROSSVM_PAGE_BYTES, PROT_READ, MAP_SHARED, fds[0], 0);
	assert_true(component.page != MAP_FAILED);
	assert_int_equal(component.page->magic, CROSSVM_ABI_MAGIC);
	return component;
}

struct component component_open(const struct daemon *daemon, const char *connection,
				const char *name, uint32_t access)
{
	int socket_fd = component_connect(daemon);

	component_request(socket_fd, CROSSVM_COMPONENT_OPEN, connection, name, access);
	return component_opened(socket_fd, access);
}

struct crossvm_component_failure component_failed(int fd, int error)
{
	struct crossvm_component_failure failure;
	size_t num_fds;
	int fds[8];
	char end;

	assert_int_equal(component_receive(fd, &failure, sizeof(failure), fds, &num_fds),
			 sizeof(failure));
	assert_int_equal(num_fds, 0);
	assert_int_equal(failure.header.magic, CROSSVM_COMPONENT_MAGIC);
	assert_int_equal(failure.header.type, CROSSVM_COMPONENT_FAILED);
	assert_int_equal(failure.error, error);
	assert_non_null(memchr(failure.message, '\0', sizeof(failure.message)));
	assert_int_equal(component_receive(fd, &end, sizeof(end), fds, &num_fds), 0);
	close(fd);
	return failure;
}

struct crossvm_component_failure component_open_refused(const struct daemon *daemon,
							const char *connection,
							const char *component, uint32_t access,
							int error)
{
	int fd = component_connect(daemon);

	component_request(fd, CROSSVM_COMPONENT_OPEN, connection, component, access);
	return component_failed(fd, error);
}

void component_emit(const struct component *component)
{
	struct crossvm_component_emit emit = {.header = {CROSSVM_COMPONENT_MAGIC,
							 CROSSVM_COMPONENT_VERSION,
							 CROSSVM_COMPONENT_EMIT}};

	component_send(component->socket, &emit, sizeof(emit));
}

/* Empty the eventfd, or wait for it. */
static void wait_event(const struct component *component)
{
	struct pollfd ready = {.fd = component->event_fd, .events = POLLIN};
	uint64_t count;

	assert_int_equal(poll(&ready, 1, PATIENCE_MS), 1);
	assert_int_equal(read(component->event_fd, &count, sizeof(count)), sizeof(count));
}

void component_wait_total(const struct component *component, uint64_t total)
{
	uint64_t now;

	while ((now = __atomic_load_n(&component->page->total_events, __ATOMIC_ACQUIRE)) < total)
		wait_event(component);
	assert_int_equal(now, total);
}

void component_wait_peer(const struct component *component, uint32_t member, uint32_t state,
			 uint32_t incarnation)
{
	const struct crossvm_peer_status *peer = &component->page->peers[member];

	while (__atomic_load_n(&peer->state, __ATOMIC_ACQUIRE) != state ||
	       __atomic_load_n(&peer->incarnation, __ATOMIC_ACQUIRE) < incarnation)
		wait_event(component);
	assert_int_equal(__atomic_load_n(&peer->incarnation, __ATOMIC_ACQUIRE), incarnation);
}

void component_close(struct component *component)
{
	close(component->socket);
	close(component->event_fd);
	close(component->page_fd);
	if (component->dataport_fd >= 0)
		close(component->dataport_fd);
	munmap((void *)component->page, CROSSVM_PAGE_BYTES);
}
