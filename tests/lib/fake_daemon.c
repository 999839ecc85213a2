/* SPDX-License-Identifier: BSD-2-Clause */
#include "fake_daemon.h"

#include <assert.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A fixture that does not come up is no result of a test: stop at once. */
#define MUST(condition)                     \
	do {                                \
		if (!(condition)) {         \
			perror(#condition); \
			abort();            \
		}                           \
	} while (0)

int fake_memory(size_t bytes, unsigned int seals)
{
	int fd = memfd_create("fake", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	MUST(fd >= 0 && ftruncate(fd, (off_t)bytes) == 0);
	MUST(fcntl(fd, F_ADD_SEALS, seals) == 0);
	return fd;
}

static void *map(int fd, size_t bytes)
{
	void *address = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	MUST(address != MAP_FAILED);
	return address;
}

static void fill_status(struct crossvm_status_page *status)
{
	status->magic = CROSSVM_ABI_MAGIC;
	status->version = CROSSVM_ABI_VERSION;
	status->connection_id = 7;
	status->member_id = 1;
	status->member_count = 3;
	status->access = CROSSVM_ACCESS_READ | CROSSVM_ACCESS_WRITE;
	status->features =
		CROSSVM_FEATURE_STATUS_PAGE | CROSSVM_FEATURE_PEERS | CROSSVM_FEATURE_DATAPORT;
	status->dataport_bytes = FAKE_DATAPORT_BYTES;
	strcpy((char *)status->name, "telemetry");
	strcpy((char *)status->peer_names[0], "sensor");
	strcpy((char *)status->peer_names[1], "logger");
	strcpy((char *)status->peer_names[2], "autopilot");
}

struct crossvm_component_entry fake_entry(const struct fake_daemon *daemon, uint16_t type)
{
	struct crossvm_component_entry entry = {
		.header = {CROSSVM_COMPONENT_MAGIC, CROSSVM_COMPONENT_VERSION, type},
		.connection = "telemetry",
		.component = "logger",
		.member_access = daemon->status->access,
		.dataport_bytes = daemon->status->dataport_bytes,
	};

	return entry;
}

void fake_send(int client, const void *message, size_t bytes, const int *fds, size_t num_fds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(8 * sizeof(int))];
	} control = {0};
	struct iovec vector = {.iov_base = (void *)message, .iov_len = bytes};
	struct msghdr header = {.msg_iov = &vector, .msg_iovlen = 1};

	if (num_fds) {
		struct cmsghdr *rights;

		header.msg_control = control.bytes;
		header.msg_controllen = CMSG_SPACE(num_fds * sizeof(int));
		rights = CMSG_FIRSTHDR(&header);
		rights->cmsg_level = SOL_SOCKET;
		rights->cmsg_type = SCM_RIGHTS;
		rights->cmsg_len = CMSG_LEN(num_fds * sizeof(int));
		memcpy(CMSG_DATA(rights), fds, num_fds * sizeof(int));
	}
	sendmsg(client, &header, MSG_NOSIGNAL);
}

void fake_count_emits(struct fake_daemon *daemon, int client)
{
	struct pollfd wanted[] = {{.fd = client, .events = POLLIN},
				  {.fd = daemon->stop, .events = POLLIN}};
	struct crossvm_component_emit emit;

	while (poll(wanted, 2, -1) > 0 && !wanted[1].revents) {
		if (recv(client, &emit, sizeof(emit), 0) != sizeof(emit))
			return;
		MUST(emit.header.magic == CROSSVM_COMPONENT_MAGIC);
		MUST(emit.header.type == CROSSVM_COMPONENT_EMIT);
		atomic_fetch_add(&daemon->emits, 1);
	}
}

void fake_serve_well(struct fake_daemon *daemon, int client,
		     const struct crossvm_component_request *request)
{
	struct crossvm_component_entry entry = fake_entry(daemon, CROSSVM_COMPONENT_OPENED);
	const int fds[] = {daemon->status_fd, daemon->event_fd, daemon->dataport_fd};

	if (request->header.type == CROSSVM_COMPONENT_LIST) {
		entry.header.type = CROSSVM_COMPONENT_ENTRY;
		fake_send(client, &entry, sizeof(entry), NULL, 0);
		memset(entry.connection, 0, sizeof(entry.connection));
		fake_send(client, &entry, sizeof(entry), NULL, 0);
		return;
	}
	if (strcmp(request->connection, "telemetry") != 0) {
		struct crossvm_component_failure failure = {
			.header = {CROSSVM_COMPONENT_MAGIC, CROSSVM_COMPONENT_VERSION,
				   CROSSVM_COMPONENT_FAILED},
			.error = -2,
			.message = "there is no such connection",
		};

		fake_send(client, &failure, sizeof(failure), NULL, 0);
		return;
	}
	fake_send(client, &entry, sizeof(entry), fds,
		  request->access && entry.dataport_bytes ? 3 : 2);
	fake_count_emits(daemon, client);
}

static void wake(struct fake_daemon *daemon)
{
	uint64_t one = 1;

	MUST(write(daemon->event_fd, &one, sizeof(one)) == sizeof(one));
}

void fake_event(struct fake_daemon *daemon, uint64_t count)
{
	__atomic_fetch_add(&daemon->status->total_events, count, __ATOMIC_RELEASE);
	wake(daemon);
}

void fake_peer_change(struct fake_daemon *daemon, uint32_t member_id, uint32_t state)
{
	struct crossvm_peer_status *peer = &daemon->status->peers[member_id];

	if (state == CROSSVM_PEER_OPEN)
		__atomic_fetch_add(&peer->incarnation, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&peer->state, state, __ATOMIC_RELEASE);
	__atomic_fetch_add(&daemon->status->generation, 1, __ATOMIC_RELEASE);
	wake(daemon);
}

static void *serve_all(void *context)
{
	struct fake_daemon *daemon = context;
	struct pollfd wanted[] = {{.fd = daemon->listener, .events = POLLIN},
				  {.fd = daemon->stop, .events = POLLIN}};

	while (poll(wanted, 2, -1) > 0 && !wanted[1].revents) {
		struct crossvm_component_request request;
		int client = accept4(daemon->listener, NULL, NULL, SOCK_CLOEXEC);

		MUST(client >= 0);
		if (recv(client, &request, sizeof(request), 0) == sizeof(request)) {
			MUST(request.header.magic == CROSSVM_COMPONENT_MAGIC);
			MUST(request.header.version == CROSSVM_COMPONENT_VERSION);
			daemon->serve(daemon, client, &request);
		}
		close(client);
	}
	return NULL;
}

void fake_daemon_start(struct fake_daemon *daemon, fake_serve_fn serve, const void *context)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	memset(daemon, 0, sizeof(*daemon));
	scratch_make(daemon->folder);
	snprintf(daemon->path, sizeof(daemon->path), "%s/socket", daemon->folder);
	daemon->serve = serve;
	daemon->context = context;
	daemon->options.socket = daemon->path;
	daemon->status_fd = fake_memory(CROSSVM_PAGE_BYTES, F_SEAL_SHRINK | F_SEAL_GROW);
	daemon->dataport_fd = fake_memory(FAKE_DATAPORT_BYTES, F_SEAL_SHRINK | F_SEAL_GROW);
	daemon->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	daemon->stop = eventfd(0, EFD_CLOEXEC);
	MUST(daemon->event_fd >= 0 && daemon->stop >= 0);
	daemon->status = map(daemon->status_fd, CROSSVM_PAGE_BYTES);
	daemon->dataport = map(daemon->dataport_fd, FAKE_DATAPORT_BYTES);
	fill_status(daemon->status);
	daemon->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	memcpy(address.sun_path, daemon->path, strlen(daemon->path));
	MUST(bind(daemon->listener, (struct sockaddr *)&address, sizeof(address)) == 0);
	MUST(listen(daemon->listener, 8) == 0);
	MUST(pthread_create(&daemon->thread, NULL, serve_all, daemon) == 0);
}

void fake_daemon_stop(struct fake_daemon *daemon)
{
	uint64_t one = 1;

	MUST(write(daemon->stop, &one, sizeof(one)) == sizeof(one));
	MUST(pthread_join(daemon->thread, NULL) == 0);
	munmap(daemon->status, CROSSVM_PAGE_BYTES);
	munmap(daemon->dataport, FAKE_DATAPORT_BYTES);
	close(daemon->status_fd);
	close(daemon->dataport_fd);
	close(daemon->event_fd);
	close(daemon->stop);
	close(daemon->listener);
	scratch_remove(daemon->folder);
}
