/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest's access to its dataport comes as a message when QEMU has taken the mapping away. If it is
 * aligned to its size, it must be one load or one store, wherever the message lies in the server's
 * ring: peers see it. The server runs by single steps here. Between them the test looks at the
 * dataport, and puts other values there.
 */
#include <string.h>
#include <unistd.h>

#include "tests/host/guest.h"
#include "tests/server/victim.h"

#define DATAPORT_REGION 2u
#define BEHIND          GUEST_DATAPORT_BYTES /* in the BAR, and in nobody's memory */
#define OFFSET          64u                  /* of the access */
#define AROUND          16u                  /* bytes that the test looks at */
#define PLACES          8u                   /* a message's alignment in the ring */

static const uint32_t sizes[] = {2, 4, 8};

static void nobody_serves(struct test_server *client)
{
	(void)client;
}

static void serve(void *context)
{
	guest_serve(context);
}

/* Let the server work, and call look() after each of its instructions. */
static void serve_by_steps(struct guest *guest, void (*look)(struct guest *guest, void *context),
			   void *context)
{
	const pid_t pid = victim_clone();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		syscall(SYS_kill, syscall(SYS_getpid), SIGSTOP);
		serve(guest);
		syscall(SYS_exit_group, 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	while (victim_goes(pid, PTRACE_SINGLESTEP))
		look(guest, context);
}

/* A message of 33 bytes, so that the next one is aligned differently. */
static void move_on(struct guest *guest, struct test_server *client)
{
	client_write(client, DATAPORT_REGION, BEHIND, "x", 1);
	guest_serve(guest);
}

struct stores {
	unsigned char before[AROUND];
	unsigned char after[AROUND];
	unsigned int count;
};

/* Take each store back, so that another one shows, even of the same value. */
static void count_stores(struct guest *guest, void *context)
{
	unsigned char *memory = guest->memory + OFFSET;
	struct stores *stores = context;

	if (memcmp(memory, stores->before, AROUND) == 0)
		return;
	stores->count++;
	assert_memory_equal(memory, stores->after, AROUND);
	memcpy(memory, stores->before, AROUND);
}

static void a_write_is_one_store(void **state)
{
	static const unsigned char bytes[] = {1, 2, 3, 4, 5, 6, 7, 8};
	struct guest *guest = guest_start();
	struct test_server client = guest_attach(guest, "writer.memory");

	(void)state;
	client.serve = nobody_serves;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct stores stores;

		memset(stores.before, 0xee, AROUND);
		memcpy(stores.after, stores.before, AROUND);
		memcpy(stores.after, bytes, sizes[i]);
		for (unsigned int place = 0; place < PLACES; place++) {
			memcpy(guest->memory + OFFSET, stores.before, AROUND);
			stores.count = 0;
			client_write(&client, DATAPORT_REGION, OFFSET, bytes, sizes[i]);
			serve_by_steps(guest, count_stores, &stores);
			assert_int_equal(stores.count, 1);
			move_on(guest, &client);
		}
	}
	guest_serve(guest);
	close(client.client);
	guest_serve(guest);
	guest_end(guest);
}

/* Each instruction finds other bytes there than the one before. */
static void change(struct guest *guest, void *context)
{
	unsigned char *next = context;

	memset(guest->memory + OFFSET, (*next)++, AROUND);
}

static void a_read_is_one_load(void **state)
{
	struct guest *guest = guest_start();
	struct test_server client = guest_attach(guest, "writer.memory");
	unsigned char next = 0;

	(void)state;
	client.serve = nobody_serves;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		const struct vfio_user_access access = {
			.offset = OFFSET, .region = DATAPORT_REGION, .count = sizes[i]};

		for (unsigned int place = 0; place < PLACES; place++) {
			struct test_reply reply;
			const unsigned char *data = reply.payload + sizeof(access);

			client_send(&client, VFIO_USER_REGION_READ, 0, &access, sizeof(access),
				    NULL, 0);
			serve_by_steps(guest, change, &next);
			assert_true(client_receive(&client, &reply));
			for (uint32_t byte = 1; byte < sizes[i]; byte++)
				assert_int_equal(data[byte], data[0]);
			move_on(guest, &client);
		}
	}
	close(client.client);
	guest_serve(guest);
	guest_end(guest);
}

/* What is not aligned is taken apart, and still all there and nothing more. */
static void the_other_accesses_are_whole(void **state)
{
	unsigned char bytes[24];
	struct guest *guest = guest_start();
	struct test_server client = guest_attach(guest, "writer.memory");

	(void)state;
	for (uint32_t offset = 0; offset < 8; offset++)
		for (uint32_t count = 1; count <= 16; count++) {
			const struct vfio_user_access access = {.offset = OFFSET + offset,
								.region = DATAPORT_REGION,
								.count = count};
			unsigned char expected[32];
			struct test_reply reply;

			memset(bytes, (int)(offset * 16 + count), sizeof(bytes));
			memset(guest->memory + OFFSET, 0xee, sizeof(expected));
			memset(expected, 0xee, sizeof(expected));
			memcpy(expected + offset, bytes, count);
			client_write(&client, DATAPORT_REGION, OFFSET + offset, bytes, count);
			assert_memory_equal(guest->memory + OFFSET, expected, sizeof(expected));
			reply = client_ask(&client, VFIO_USER_REGION_READ, &access, sizeof(access));
			assert_memory_equal(reply.payload + sizeof(access), bytes, count);
		}
	guest_detach(&client);
	guest_end(guest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_write_is_one_store),
		cmocka_unit_test(a_read_is_one_load),
		cmocka_unit_test(the_other_accesses_are_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
