/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/component_socket.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/attribute.h"
#include "lib/backend.h"
#include "lib/error.h"
#include "lib/status.h"

/* The daemon answers at once; a worker that is being replaced takes milliseconds. */
#define ANSWER_TIMEOUT_MS 10000

/* @return the socket, or -errno without a sentence; -ENAMETOOLONG with one. */
static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;
	int error;

	if (strlen(path) >= sizeof(address.sun_path))
		return crossvm_fail(-ENAMETOOLONG,
				    "the socket's path is too long: %.80s...; at most %zu "
				    "characters",
				    path, sizeof(address.sun_path) - 1);
	memcpy(address.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	error = -errno;
	close(fd);
	return error;
}

static int explain(int error, const char *path)
{
	if (error == -ENAMETOOLONG)
		return error;
	if (error == -EACCES || error == -EPERM)
		return crossvm_fail(
			-EACCES,
			"user %u may not connect to %s; join its group, or change who may "
			"attach in the system file",
			geteuid(), path);
	crossvm_explain("cannot connect to %s: %s; is crossvmd running?", path, strerror(-error));
	return error == -ENOENT ? -ECONNREFUSED : error;
}

static bool nobody_serves(int result)
{
	return result == -ENOENT || result == -ECONNREFUSED;
}

/* Where crossvmd is when nobody says: first a daemon of this user's own. */
static int connect_to_default(const char *root)
{
	const char *runtime = secure_getenv("XDG_RUNTIME_DIR");
	char path[CROSSVM_PATH_BYTES];
	int result = -ENOENT;

	if (runtime && *runtime == '/' &&
	    !crossvm_path(path, "%s%s/crossvm/" CROSSVM_COMPONENT_SOCKET_NAME, root, runtime))
		result = connect_to(path);
	if (nobody_serves(result) &&
	    !crossvm_path(path, "%s" CROSSVM_COMPONENT_SOCKET_DIR "/" CROSSVM_COMPONENT_SOCKET_NAME,
			  root))
		result = connect_to(path);
	if (result >= 0 || nobody_serves(result))
		return result;
	return explain(result, path);
}

int crossvm_component_connect(const char *root, const struct crossvm_open_options *options,
			      int *socket_fd)
{
	const char *named = options->socket ? options->socket : secure_getenv("CROSSVM_SOCKET");
	int result;

	if (named && *named) {
		result = connect_to(named);
		if (result < 0)
			return explain(result, named);
	} else {
		result = connect_to_default(root);
		if (result < 0)
			return nobody_serves(result) ? CROSSVM_NOTHING_HERE : result;
	}
	*socket_fd = result;
	return 0;
}

int crossvm_component_request(int socket_fd, enum crossvm_component_type type,
			      const char *connection, const struct crossvm_open_options *options,
			      uint32_t access)
{
	const char *component =
		options->component ? options->component : secure_getenv("CROSSVM_COMPONENT");
	struct crossvm_component_request request = {
		.header = {CROSSVM_COMPONENT_MAGIC, CROSSVM_COMPONENT_VERSION, (uint16_t)type},
		.access = access,
	};
	ssize_t sent;

	if (component && strlen(component) > CROSSVM_NAME_MAX)
		return crossvm_fail(-EINVAL,
				    "'%.60s...' is too long for a component's name; at most "
				    "%u characters",
				    component, CROSSVM_NAME_MAX);
	if (component)
		memcpy(request.component, component, strlen(component));
	memcpy(request.connection, connection, strlen(connection));
	do {
		sent = send(socket_fd, &request, sizeof(request), MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	/* One who closes may still have said why: that is read as the answer. */
	if (sent < 0 && errno != EPIPE && errno != ECONNRESET)
		return crossvm_fail(-errno, "cannot send to crossvmd: %s", strerror(errno));
	return 0;
}

void crossvm_component_close_fds(struct crossvm_component_answer *answer)
{
	for (size_t i = 0; i < answer->num_fds; i++)
		close(answer->fds[i]);
	answer->num_fds = 0;
}

static void take_fds(struct msghdr *message, struct crossvm_component_answer *answer)
{
	struct cmsghdr *control;

	for (control = CMSG_FIRSTHDR(message); control; control = CMSG_NXTHDR(message, control)) {
		size_t count;

		if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS)
			continue;
		/* The buffer has room for CROSSVM_COMPONENT_MAX_FDS: the kernel closes the rest. */
		count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(answer->fds + answer->num_fds, CMSG_DATA(control), count * sizeof(int));
		answer->num_fds += count;
	}
}

static int await_answer(int socket_fd)
{
	struct pollfd wanted = {.fd = socket_fd, .events = POLLIN};
	int ready;

	do {
		ready = poll(&wanted, 1, ANSWER_TIMEOUT_MS);
	} while (ready < 0 && errno == EINTR);
	if (ready < 0)
		return crossvm_fail(-errno, "cannot wait for crossvmd: %s", strerror(errno));
	if (ready == 0)
		return crossvm_fail(-ETIMEDOUT, "crossvmd does not answer; look at its log");
	return 0;
}

static int failed(struct crossvm_component_failure *failure)
{
	int error = failure->error;

	failure->message[sizeof(failure->message) - 1] = '\0';
	for (char *c = failure->message; *c; c++) {
		if (*c < ' ' || *c > '~')
			*c = '?';
	}
	if (error >= 0 || error < -4095)
		error = -EPROTO;
	return crossvm_fail(error, "%s", failure->message);
}

static int check_entry(const struct crossvm_component_entry *entry,
		       enum crossvm_component_type expected)
{
	if (entry->header.type != expected)
		return crossvm_fail(-EPROTO, "crossvmd answered with message 0x%x instead of 0x%x",
				    entry->header.type, expected);
	if (!memchr(entry->connection, '\0', sizeof(entry->connection)) ||
	    !memchr(entry->component, '\0', sizeof(entry->component)))
		return crossvm_fail(-EPROTO, "crossvmd sent a name without an end");
	if (!crossvm_dataport_bytes_valid(entry->dataport_bytes))
		return crossvm_fail(-EPROTO, "crossvmd says a dataport of %llu bytes",
				    (unsigned long long)entry->dataport_bytes);
	return 0;
}

int crossvm_component_receive(int socket_fd, enum crossvm_component_type expected,
			      struct crossvm_component_answer *answer)
{
	union {
		struct crossvm_component_header header;
		struct crossvm_component_entry entry;
		struct crossvm_component_failure failure;
	} data;
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(CROSSVM_COMPONENT_MAX_FDS * sizeof(int))];
	} control;
	struct iovec vector = {.iov_base = &data, .iov_len = sizeof(data)};
	struct msghdr message = {
		.msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		/* Not CMSG_SPACE(): in its padding the kernel would fit one descriptor more. */
		.msg_controllen = CMSG_LEN(CROSSVM_COMPONENT_MAX_FDS * sizeof(int)),
	};
	ssize_t length;
	int error = await_answer(socket_fd);

	answer->num_fds = 0;
	if (error)
		return error;
	do {
		length = recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC);
	} while (length < 0 && errno == EINTR);
	if (length <= 0)
		return crossvm_fail(-EPROTO,
				    "crossvmd hung up instead of answering; look at its log");
	take_fds(&message, answer);
	if ((size_t)length < sizeof(data.header) || data.header.magic != CROSSVM_COMPONENT_MAGIC)
		error = crossvm_fail(-EPROTO, "what answers on the socket is not crossvmd");
	else if (data.header.version != CROSSVM_COMPONENT_VERSION)
		error = crossvm_fail(-EPROTO,
				     "crossvmd speaks version %u of the component protocol, this "
				     "library %u; install matching versions of crossvm",
				     data.header.version, CROSSVM_COMPONENT_VERSION);
	else if (data.header.type == CROSSVM_COMPONENT_FAILED && length == sizeof(data.failure))
		error = failed(&data.failure);
	else if (length != sizeof(data.entry) || (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		error = crossvm_fail(
			-EPROTO, "crossvmd sent a message of the wrong size (%zd bytes)", length);
	else
		error = check_entry(&data.entry, expected);
	if (error) {
		crossvm_component_close_fds(answer);
		return error;
	}
	answer->entry = data.entry;
	return 0;
}
