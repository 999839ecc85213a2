/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/host/guest.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char *const names[GUEST_CONNECTIONS] = {"writer", "reader", "events", "single"};

static void log_message(void *context, enum crossvm_log_level level, const char *message)
{
	struct guest *guest = context;

	if (level > CROSSVM_LOG_WARNING)
		return;
	guest->logged++;
	snprintf(guest->log, sizeof(guest->log), "%s", message);
}

static void emit(void *context)
{
	const struct guest_context *of = context;
	struct guest_counts *counts = of->guest->counts;
	const uint64_t id = crossvm_host_message_id(of->guest->host);

	if (counts->journal[of->connection].id != id) {
		counts->journal[of->connection].value = counts->emitted[of->connection] + 1;
		atomic_signal_fence(memory_order_seq_cst);
		counts->journal[of->connection].id = id;
	}
	atomic_signal_fence(memory_order_seq_cst);
	counts->emitted[of->connection] = counts->journal[of->connection].value;
	/* What the writer emits goes to the connection without dataport. */
	if (of->connection == GUEST_WRITER)
		crossvm_consume_total(of->guest->vm, 10 + GUEST_EVENTS,
				      counts->emitted[GUEST_WRITER], true);
}

static void state_changed(void *context, uint32_t state)
{
	const struct guest_context *of = context;

	of->guest->counts->state[of->connection] = state;
}

static const struct crossvm_connection_callbacks callbacks = {
	.emit = emit,
	.state_changed = state_changed,
};

static void install(struct guest *guest)
{
	struct crossvm_connection_options options[GUEST_CONNECTIONS] = {0};
	seL4_CPtr frames[3];
	crossvm_dataport_handle_t dataport = {
		.size = GUEST_DATAPORT_BYTES, .num_frames = 3, .frames = frames};

	assert_int_equal(crossvm_frames_from_memfd(guest->dataport, 0, 4096, 3, frames), 0);
	for (int i = 0; i < GUEST_CONNECTIONS; i++) {
		guest->contexts[i] = (struct guest_context){guest, (enum guest_connection)i};
		options[i] = (struct crossvm_connection_options){
			.handle = {.dataport = i == GUEST_EVENTS ? NULL : &dataport,
				   .consume_id = 10 + (seL4_Word)i,
				   .connection_name = names[i]},
			.callbacks = &callbacks,
			.context = &guest->contexts[i],
			.access = i == GUEST_READER ? CROSSVM_ACCESS_READ : 0,
			.single_layout = i == GUEST_SINGLE,
		};
	}
	assert_int_equal(crossvm_connections_init(guest->vm, 0, options, GUEST_CONNECTIONS,
						  crossvm_vm_pci(guest->vm),
						  crossvm_host_alloc_irq),
			 0);
}

struct guest *guest_start(void)
{
	struct guest *guest = calloc(1, sizeof(*guest));

	assert_non_null(guest);
	scratch_make(guest->directory);
	assert_int_equal(crossvm_host_create(&(struct crossvm_host_options){.log = log_message,
									    .log_context = guest,
									    .arena_bytes = 1 << 20},
					     &guest->host),
			 0);
	assert_int_equal(crossvm_vm_create(guest->host,
					   &(struct crossvm_vm_options){
						   .name = "vm", .socket_dir = guest->directory},
					   &guest->vm),
			 0);
	guest->counts = crossvm_host_allocate(guest->host, sizeof(*guest->counts));
	assert_non_null(guest->counts);
	assert_int_equal(crossvm_dataport_create("test", GUEST_DATAPORT_BYTES, &guest->dataport),
			 0);
	guest->memory = mmap(NULL, GUEST_DATAPORT_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
			     guest->dataport, 0);
	assert_ptr_not_equal(guest->memory, MAP_FAILED);
	install(guest);
	return guest;
}

void guest_end(struct guest *guest)
{
	crossvm_connections_destroy(guest->vm);
	crossvm_vm_destroy(guest->vm);
	crossvm_host_destroy(guest->host);
	munmap(guest->memory, GUEST_DATAPORT_BYTES);
	close(guest->dataport);
	/* Nothing may be left in it. */
	assert_int_equal(rmdir(guest->directory), 0);
	free(guest);
}

void guest_serve(struct guest *guest)
{
	while (crossvm_host_dispatch(guest->host, 0) > 0)
		;
}

static void serve(struct test_server *client)
{
	guest_serve(client->context);
}

struct test_server guest_connect(struct guest *guest, const char *function)
{
	struct test_server client = {.serve = serve, .context = guest};
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/vm.%s", guest->directory,
		 function);
	client.client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(client.client >= 0);
	assert_int_equal(connect(client.client, (const struct sockaddr *)&address, sizeof(address)),
			 0);
	return client;
}

struct test_server guest_attach(struct guest *guest, const char *function)
{
	struct test_server client = guest_connect(guest, function);
	const struct vfio_user_version version = {0};

	client_expect(&client, VFIO_USER_VERSION, &version, sizeof(version), 0);
	return client;
}

void guest_detach(struct test_server *client)
{
	close(client->client);
	client->serve(client);
}

uint32_t guest_read32(struct test_server *client, uint32_t region, uint64_t offset)
{
	const struct vfio_user_access access = {.offset = offset, .region = region, .count = 4};
	struct test_reply reply =
		client_ask(client, VFIO_USER_REGION_READ, &access, sizeof(access));
	uint32_t value;

	assert_int_equal(reply.header.error, 0);
	memcpy(&value, reply.payload + sizeof(access), sizeof(value));
	return value;
}

void guest_write32(struct test_server *client, uint32_t region, uint64_t offset, uint32_t value)
{
	client_write(client, region, offset, &value, sizeof(value));
}

int guest_region_fd(struct test_server *client, uint32_t region, uint64_t *offset, uint64_t *bytes)
{
	struct vfio_region_info info = {.argsz = 64, .index = region};
	struct vfio_region_sparse_mmap_area area = {0};
	struct test_reply reply =
		client_ask(client, VFIO_USER_DEVICE_GET_REGION_INFO, &info, sizeof(info));

	assert_int_equal(reply.header.error, 0);
	memcpy(&info, reply.payload, sizeof(info));
	if (reply.payload_bytes == 64)
		memcpy(&area, reply.payload + 48, sizeof(area));
	*offset = info.offset + area.offset;
	*bytes = area.size;
	return reply.fd;
}
