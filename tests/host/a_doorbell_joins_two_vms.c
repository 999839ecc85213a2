/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two VMs with a connection that has a doorbell, and clients in the place of their QEMUs: of the
 * doorbell's socket what ivshmem-doorbell expects there, of the events function's what a driver does.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/host/guest.h"
#include "tests/server/victim.h"

#define ID      5u
#define CONSUME 7
#define MAX_FDS 1024

enum member { LEFT, RIGHT };

static const char *const names[] = {"left", "right"};

struct pair {
	char directory[SCRATCH_BYTES];
	struct crossvm_host *host;
	struct crossvm_doorbell *doorbell;
	vm_t *vms[2];
	unsigned int logged;
	char log[512]; /* the last message */
};

static void log_message(void *context, enum crossvm_log_level level, const char *message)
{
	struct pair *pair = context;

	if (level > CROSSVM_LOG_WARNING)
		return;
	pair->logged++;
	snprintf(pair->log, sizeof(pair->log), "%s", message);
}

static struct crossvm_connection_options options_of(const struct pair *pair, enum member member)
{
	return (struct crossvm_connection_options){
		.handle = {.consume_id = CONSUME, .connection_name = "path"},
		.connection_id = ID,
		.member_id = member,
		.member_count = 2,
		.doorbell = pair->doorbell,
	};
}

static int install(struct pair *pair, enum member member,
		   const struct crossvm_connection_options *options)
{
	return crossvm_connections_init(pair->vms[member], 0, options, 1,
					crossvm_vm_pci(pair->vms[member]), crossvm_host_alloc_irq);
}

/* Two VMs, and a doorbell that nobody has yet. */
static struct pair *start_empty(void)
{
	struct pair *pair = calloc(1, sizeof(*pair));

	assert_non_null(pair);
	scratch_make(pair->directory);
	assert_int_equal(crossvm_host_create(&(struct crossvm_host_options){.log = log_message,
									    .log_context = pair,
									    .arena_bytes = 1 << 20},
					     &pair->host),
			 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(
			crossvm_vm_create(pair->host,
					  &(struct crossvm_vm_options){
						  .name = names[i], .socket_dir = pair->directory},
					  &pair->vms[i]),
			0);
	assert_int_equal(crossvm_doorbell_create(pair->host, &pair->doorbell), 0);
	return pair;
}

static struct pair *start(void)
{
	struct pair *pair = start_empty();

	for (int i = 0; i < 2; i++) {
		const struct crossvm_connection_options options = options_of(pair, (enum member)i);

		assert_int_equal(install(pair, (enum member)i, &options), 0);
	}
	return pair;
}

static void end(struct pair *pair)
{
	for (int i = 0; i < 2; i++) {
		crossvm_connections_destroy(pair->vms[i]);
		crossvm_vm_destroy(pair->vms[i]);
	}
	crossvm_doorbell_destroy(pair->doorbell);
	crossvm_host_destroy(pair->host);
	assert_int_equal(rmdir(pair->directory), 0);
	free(pair);
}

static void serve_pair(struct pair *pair)
{
	while (crossvm_host_dispatch(pair->host, 0) > 0)
		;
}

static void serve_client(struct test_server *client)
{
	serve_pair(client->context);
}

static int connect_to(const struct pair *pair, enum member member, const char *part)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s.path.%s", pair->directory,
		 names[member], part);
	assert_true(client >= 0);
	assert_int_equal(connect(client, (const struct sockaddr *)&address, sizeof(address)), 0);
	return client;
}

/* A driver at the events function. */
static struct test_server attach(struct pair *pair, enum member member)
{
	struct test_server client = {.serve = serve_client,
				     .context = pair,
				     .client = connect_to(pair, member, "events")};
	const struct vfio_user_version version = {0};

	client_expect(&client, VFIO_USER_VERSION, &version, sizeof(version), 0);
	return client;
}

/* One message of the server; fd is -1 where none came. */
static int64_t receive(int client, int *fd)
{
	union {
		struct cmsghdr header;
		unsigned char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	int64_t number;
	struct iovec iov = {.iov_base = &number, .iov_len = sizeof(number)};
	struct msghdr message = {.msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control)};
	const struct cmsghdr *cmsg;

	assert_int_equal(recvmsg(client, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT),
			 sizeof(number));
	cmsg = CMSG_FIRSTHDR(&message);
	*fd = -1;
	if (cmsg)
		memcpy(fd, CMSG_DATA(cmsg), sizeof(*fd));
	return (int64_t)le64toh((uint64_t)number);
}

/* What an ivshmem-doorbell gets. */
struct greeted {
	int memory;
	int other; /* interrupts the other VM */
	int own;
};

static struct greeted receive_greeting(int client, enum member member)
{
	const int64_t own = CROSSVM_DOORBELL_POSITION(ID, (uint32_t)member);
	struct greeted greeted;
	char byte;
	int none;

	assert_int_equal(receive(client, &none), 0);
	assert_int_equal(none, -1);
	assert_int_equal(receive(client, &none), own);
	assert_int_equal(none, -1);
	assert_int_equal(receive(client, &greeted.memory), -1);
	assert_int_equal(receive(client, &greeted.other), own ^ 1);
	assert_int_equal(receive(client, &greeted.own), own);
	assert_true(greeted.memory >= 0 && greeted.other >= 0 && greeted.own >= 0);
	/* There is no more to say. */
	assert_int_equal(recv(client, &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	close(client);
	return greeted;
}

static struct greeted ask(struct pair *pair, enum member member)
{
	const int client = connect_to(pair, member, "doorbell");

	serve_pair(pair);
	return receive_greeting(client, member);
}

static void forget(struct greeted *greeted)
{
	close(greeted->memory);
	close(greeted->other);
	close(greeted->own);
}

static void each_gets_the_others_interrupt_and_the_same_memory(void **state)
{
	struct pair *pair = start();
	struct greeted left = ask(pair, LEFT), right = ask(pair, RIGHT);
	const uint64_t one = 1;
	uint64_t *pages[2];
	struct stat status;

	(void)state;
	assert_int_equal(write(left.other, &one, sizeof(one)), sizeof(one));
	assert_int_equal(eventfd_count(right.own), 1);
	assert_int_equal(eventfd_count(left.own), 0);
	assert_int_equal(write(right.other, &one, sizeof(one)), sizeof(one));
	assert_int_equal(eventfd_count(left.own), 1);

	assert_int_equal(fstat(left.memory, &status), 0);
	assert_int_equal(status.st_size, CROSSVM_DOORBELL_BYTES);
	assert_int_equal(ftruncate(left.memory, 0), -1);
	for (int i = 0; i < 2; i++) {
		pages[i] = mmap(NULL, CROSSVM_DOORBELL_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
				i == LEFT ? left.memory : right.memory, 0);
		assert_ptr_not_equal(pages[i], MAP_FAILED);
	}
	*pages[LEFT] = 77;
	assert_int_equal(*pages[RIGHT], 77);
	for (int i = 0; i < 2; i++)
		munmap(pages[i], CROSSVM_DOORBELL_BYTES);
	forget(&left);
	forget(&right);
	assert_int_equal(pair->logged, 0);
	end(pair);
}

/* A VM that is started again: what was sent to it meanwhile must be in what it gets. */
static void who_comes_again_gets_the_same(void **state)
{
	struct pair *pair = start();
	struct greeted first = ask(pair, RIGHT), left = ask(pair, LEFT), again;
	const uint64_t one = 1;

	(void)state;
	forget(&first);
	assert_int_equal(write(left.other, &one, sizeof(one)), sizeof(one));
	again = ask(pair, RIGHT);
	assert_int_equal(eventfd_count(again.own), 1);
	forget(&left);
	forget(&again);
	end(pair);
}

static void who_goes_at_once_or_sends_something_harms_nobody(void **state)
{
	const unsigned int before = open_fds();
	struct pair *pair = start();
	struct greeted greeted;

	(void)state;
	for (int i = 0; i < 100; i++) {
		const int client = connect_to(pair, LEFT, "doorbell");

		if (i % 2)
			assert_int_equal(write(client, "nonsense", 8), 8);
		if (i % 3)
			serve_pair(pair);
		close(client);
		serve_pair(pair);
	}
	assert_in_range(pair->logged, 0, 30);
	greeted = ask(pair, LEFT);
	forget(&greeted);
	end(pair);
	assert_int_equal(open_fds(), before);
}

static bool is_gone(int client)
{
	char byte;

	return recv(client, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
}

/* What is on its way counts against all that this user sends, so it cannot be without end. */
static void who_does_not_take_what_it_was_sent_is_the_last(void **state)
{
	struct pair *pair = start();
	struct greeted greeted;
	int first, clients[100];

	(void)state;
	first = connect_to(pair, LEFT, "doorbell");
	serve_pair(pair);
	for (int i = 0; i < 100; i++) {
		clients[i] = connect_to(pair, LEFT, "doorbell");
		serve_pair(pair);
		assert_true(is_gone(clients[i]));
		close(clients[i]);
	}
	assert_true(pair->logged > 0);
	assert_non_null(strstr(pair->log, "does not take what it was sent"));
	/* The other VM has nothing to do with it. */
	greeted = ask(pair, RIGHT);
	forget(&greeted);

	/* One that has taken all makes way for the next, also if it is still there. */
	greeted = receive_greeting(dup(first), LEFT);
	forget(&greeted);
	greeted = ask(pair, LEFT);
	forget(&greeted);
	assert_true(is_gone(first));
	close(first);
	end(pair);
}

/* The other's status page, as the memory function shows it. */
static const struct crossvm_status_page *map_status(struct pair *pair, enum member member)
{
	struct test_server client = {.serve = serve_client,
				     .context = pair,
				     .client = connect_to(pair, member, "memory")};
	const struct vfio_user_version version = {0};
	uint64_t offset, bytes;
	void *page;
	int fd;

	client_expect(&client, VFIO_USER_VERSION, &version, sizeof(version), 0);
	fd = guest_region_fd(&client, CROSSVM_BAR_STATUS, &offset, &bytes);
	page = mmap(NULL, CROSSVM_PAGE_BYTES, PROT_READ, MAP_SHARED, fd, (off_t)offset);
	assert_ptr_not_equal(page, MAP_FAILED);
	close(fd);
	guest_detach(&client);
	return page;
}

static void who_listens_is_told_to_the_other_until_it_does_not(void **state)
{
	struct pair *pair = start();
	const struct crossvm_status_page *status = map_status(pair, LEFT);
	struct test_server right = attach(pair, RIGHT);
	const uint32_t control = CROSSVM_CONTROL_OPEN | CROSSVM_CONTROL_DOORBELL;

	(void)state;
	assert_true(status->features & CROSSVM_FEATURE_DOORBELL);
	assert_true(guest_read32(&right, 0, CROSSVM_REG_FEATURES) & CROSSVM_FEATURE_DOORBELL);
	assert_int_equal(status->listeners, 0);
	guest_write32(&right, 0, CROSSVM_REG_CONTROL, control);
	assert_int_equal(guest_read32(&right, 0, CROSSVM_REG_CONTROL), control);
	assert_int_equal(status->listeners, 1 << RIGHT);
	guest_write32(&right, 0, CROSSVM_REG_CONTROL, CROSSVM_CONTROL_OPEN);
	assert_int_equal(status->listeners, 0);

	/* A reset, its VM's end, the connection's end. */
	guest_write32(&right, 0, CROSSVM_REG_CONTROL, control);
	client_expect(&right, VFIO_USER_DEVICE_RESET, NULL, 0, 0);
	assert_int_equal(status->listeners, 0);
	guest_write32(&right, 0, CROSSVM_REG_CONTROL, control);
	assert_int_equal(status->listeners, 1 << RIGHT);
	guest_detach(&right);
	assert_int_equal(status->listeners, 0);
	right = attach(pair, RIGHT);
	guest_write32(&right, 0, CROSSVM_REG_CONTROL, control);
	assert_int_equal(status->listeners, 1 << RIGHT);
	crossvm_connections_destroy(pair->vms[RIGHT]);
	assert_int_equal(status->listeners, 0);
	close(right.client);
	munmap((void *)status, CROSSVM_PAGE_BYTES);
	end(pair);
}

/* Whoever is installed later finds out about the one that listens already. */
static void one_who_comes_later_is_told_too(void **state)
{
	struct pair *pair = start_empty();
	struct crossvm_connection_options options = options_of(pair, RIGHT);
	const struct crossvm_status_page *status;
	struct test_server right;

	(void)state;
	assert_int_equal(install(pair, RIGHT, &options), 0);
	right = attach(pair, RIGHT);
	guest_write32(&right, 0, CROSSVM_REG_CONTROL, CROSSVM_CONTROL_DOORBELL);
	options = options_of(pair, LEFT);
	assert_int_equal(install(pair, LEFT, &options), 0);
	status = map_status(pair, LEFT);
	assert_int_equal(status->listeners, 1 << RIGHT);
	munmap((void *)status, CROSSVM_PAGE_BYTES);
	guest_detach(&right);
	end(pair);
}

static void refuse(struct pair *pair, const struct crossvm_connection_options *options, int error,
		   const char *part_of_message)
{
	const unsigned int before = open_fds();

	assert_int_equal(install(pair, LEFT, options), error);
	assert_non_null(strstr(pair->log, part_of_message));
	assert_int_equal(open_fds(), before);
}

static void what_cannot_be_is_refused_with_a_reason(void **state)
{
	struct pair *pair = start_empty(), *another = start_empty();
	struct crossvm_connection_options options = options_of(pair, LEFT);

	(void)state;
	options.single_layout = true;
	refuse(pair, &options, -EINVAL, "no doorbell in the single layout");
	options = options_of(pair, LEFT);
	options.member_count = 3;
	refuse(pair, &options, -EINVAL, "a doorbell joins just two members");
	options = options_of(pair, LEFT);
	options.connection_id = 0x8000;
	refuse(pair, &options, -EINVAL, "32767");
	options = options_of(another, LEFT);
	refuse(pair, &options, -EINVAL, "its doorbell is another's");
	/* The side that another has already. */
	options = options_of(pair, RIGHT);
	assert_int_equal(install(pair, RIGHT, &options), 0);
	refuse(pair, &options, -EINVAL, "its doorbell is another's");
	/* The other side of another connection. */
	options = options_of(pair, LEFT);
	options.connection_id = ID + 1;
	refuse(pair, &options, -EINVAL, "its doorbell is another's");
	end(pair);
	end(another);
}

/* A process that is killed while it greets. */

static bool open_before[MAX_FDS];

static bool is_ours(void *context, int fd)
{
	(void)context;
	return fd < MAX_FDS && open_before[fd];
}

static void serve_as_another(void *context)
{
	struct pair *pair = context;

	crossvm_host_recover(pair->host, is_ours, NULL);
	serve_pair(pair);
}

static void nobody_serves(struct test_server *client)
{
	(void)client;
}

static struct victim_point once(struct victim_point point)
{
	const unsigned int before = open_fds();
	struct pair *pair = start();
	struct test_server right = attach(pair, RIGHT);
	const struct crossvm_status_page *status = map_status(pair, LEFT);
	const int client = connect_to(pair, LEFT, "doorbell");
	const uint32_t control = CROSSVM_CONTROL_DOORBELL;
	const struct vfio_user_access access = {
		.offset = CROSSVM_REG_CONTROL, .region = 0, .count = sizeof(control)};
	unsigned char write[sizeof(access) + sizeof(control)];
	struct greeted greeted;
	struct victim_point lived;

	memcpy(write, &access, sizeof(access));
	memcpy(write + sizeof(access), &control, sizeof(control));
	for (int fd = 0; fd < MAX_FDS; fd++)
		open_before[fd] = fcntl(fd, F_GETFD) >= 0;
	right.serve = nobody_serves;
	client_send(&right, VFIO_USER_REGION_WRITE, VFIO_USER_FLAGS_NO_REPLY, write, sizeof(write),
		    NULL, 0);

	lived = victim_run(serve_as_another, pair, point);
	serve_as_another(pair);

	greeted = receive_greeting(client, LEFT);
	forget(&greeted);
	assert_int_equal(status->listeners, 1 << RIGHT);
	assert_int_equal(pair->logged, 0);
	munmap((void *)status, CROSSVM_PAGE_BYTES);
	close(right.client);
	end(pair);
	assert_int_equal(open_fds(), before);
	return lived;
}

static void one_that_is_killed_while_greeting_says_nothing_twice(void **state)
{
	(void)state;
	victim_everywhere(once, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_gets_the_others_interrupt_and_the_same_memory),
		cmocka_unit_test(who_comes_again_gets_the_same),
		cmocka_unit_test(who_goes_at_once_or_sends_something_harms_nobody),
		cmocka_unit_test(who_does_not_take_what_it_was_sent_is_the_last),
		cmocka_unit_test(who_listens_is_told_to_the_other_until_it_does_not),
		cmocka_unit_test(one_who_comes_later_is_told_too),
		cmocka_unit_test(what_cannot_be_is_refused_with_a_reason),
		cmocka_unit_test(one_that_is_killed_while_greeting_says_nothing_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
