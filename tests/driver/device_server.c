/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Devices for the tests of the guest driver: each argument is one, served over vfio-user, one
 * socket for each of its functions. Unlike crossvmd it does what a line on standard input says, and
 * nothing else, and it can be an old device, or a host that tells the guest no more than it must.
 *
 *	device_server DIR NAME:ID:LAYOUT:BYTES:ACCESS:IRQ...
 *
 * LAYOUT split, doorbell (split, with a doorbell), single or revision1; ACCESS rw or ro; IRQ msi or
 * intx. Sockets are DIR/NAME.0 and, in the split layout, DIR/NAME.1, of the doorbell DIR/NAME.2.
 * Commands, each answered by a line "ok ...":
 *
 *	events NAME COUNT          COUNT events for the guest, an interrupt each
 *	silent NAME COUNT          the same without interrupt
 *	peer NAME MEMBER STATE     a member's state
 *	fill NAME SEED             fill the dataport with a pattern
 *	check NAME SEED            "ok yes" where the dataport holds that pattern, "ok no" otherwise
 *	emits NAME                 "ok N": how many events the guest has emitted
 *	control NAME               "ok N": the control register
 *	ring NAME COUNT            COUNT events by the doorbell, for which it is rung once
 *	listens NAME LISTENS       whether the other member takes events from its doorbell
 *	rings NAME                 "ok N": how often the guest has rung since the last time
 *	rung NAME                  "ok N": how many events the guest has emitted by the doorbell
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "device/device.h"
#include "tests/driver/doorbell.h"
#include "tests/driver/pattern.h"
#include "vfio_user/session.h"
#include "server/listener.h"

#define MAX_DEVICES 16

struct device;

struct function {
	struct device *device;
	enum crossvm_function number;
	struct listener listener;
	struct vfio_user_device vfio;
	struct vfio_user_session *session;
	int watched; /* -1: nothing */
};

struct device {
	struct crossvm_device_options options;
	bool revision_1;
	struct crossvm_device_state state;
	struct crossvm_device crossvm;
	int status_fd;
	int dataport_fd;
	uint64_t *dataport;
	uint64_t emits;
	struct doorbell doorbell; /* with options.doorbell */
	struct function functions[CROSSVM_FUNCTION_COUNT];
};

struct server {
	struct device devices[MAX_DEVICES];
	unsigned int count;
};

__attribute__((noreturn)) static void die(const char *what)
{
	fprintf(stderr, "device_server: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Regions. */

#define CONFIG_REVISION 0x08u

static bool is_registers(const struct function *function, uint32_t region, uint64_t offset)
{
	return function->number == CROSSVM_FUNCTION_EVENTS && region == CROSSVM_BAR_REGISTERS &&
	       offset < CROSSVM_PAGE_BYTES;
}

/* Memory behind a region, or NULL: it is trapped. */
static unsigned char *memory_of(const struct function *function, uint32_t region, uint64_t *offset,
				uint64_t *bytes)
{
	struct device *device = function->device;
	bool status = region == CROSSVM_BAR_STATUS;

	if (function->number == CROSSVM_FUNCTION_EVENTS && status) {
		*offset -= CROSSVM_SINGLE_STATUS_OFFSET;
	}
	*bytes = status ? CROSSVM_PAGE_BYTES : device->options.dataport_bytes;
	return status ? (unsigned char *)device->crossvm.status : (unsigned char *)device->dataport;
}

static void read_region(void *context, uint32_t region, uint64_t offset, void *data, size_t bytes)
{
	struct function *function = context;
	struct device *device = function->device;
	unsigned char *out = data;
	uint64_t limit;
	unsigned char *memory;

	if (region == VFIO_PCI_CONFIG_REGION_INDEX) {
		crossvm_device_config_read(&device->crossvm, function->number, (uint32_t)offset,
					   data, bytes);
		for (size_t i = 0; device->revision_1 && i < bytes; i++) {
			if (offset + i == CONFIG_REVISION)
				out[i] = CROSSVM_PCI_REVISION_1;
		}
		return;
	}
	memset(data, 0, bytes);
	if (is_registers(function, region, offset)) {
		if (!device->revision_1 || offset + bytes <= CROSSVM_REG_MAGIC)
			crossvm_device_registers_read(&device->crossvm, (uint32_t)offset, data,
						      bytes);
		return;
	}
	memory = memory_of(function, region, &offset, &limit);
	if (offset + bytes <= limit)
		memcpy(data, memory + offset, bytes);
}

static void write_region(void *context, uint32_t region, uint64_t offset, const void *data,
			 size_t bytes)
{
	struct function *function = context;
	struct device *device = function->device;
	uint64_t limit;
	unsigned char *memory;

	if (region == VFIO_PCI_CONFIG_REGION_INDEX) {
		crossvm_device_config_write(&device->crossvm, function->number, (uint32_t)offset,
					    data, bytes);
		return;
	}
	if (is_registers(function, region, offset)) {
		crossvm_device_registers_write(&device->crossvm, (uint32_t)offset, data, bytes);
		return;
	}
	memory = memory_of(function, region, &offset, &limit);
	if (offset + bytes <= limit)
		memcpy(memory + offset, data, bytes);
}

static void reset(void *context)
{
	struct function *function = context;

	crossvm_device_reset(&function->device->crossvm, function->number);
}

static void attached(void *context, bool is_attached)
{
	(void)context;
	(void)is_attached;
}

static bool intx_level(void *context)
{
	struct function *function = context;

	return function->number == CROSSVM_FUNCTION_EVENTS &&
	       crossvm_device_intx_level(&function->device->crossvm);
}

/* The least helpful host: an event from before the guest was ready has no interrupt. */
static bool pending(void *context)
{
	(void)context;
	return false;
}

static void watch(void *context, int fd, bool on)
{
	struct function *function = context;

	function->watched = on ? fd : -1;
}

/* QEMU is not against us here. */
static bool is_eventfd(void *context, int fd)
{
	(void)context;
	return fd >= 0;
}

static void held_up(void *context)
{
	(void)context;
}

static bool may_interrupt(void *context)
{
	(void)context;
	return true;
}

static void complain(void *context, const char *message)
{
	struct function *function = context;

	fprintf(stderr, "device_server: %s: QEMU %s\n", function->device->options.name, message);
}

static const struct vfio_user_ops vfio_ops = {
	.read = read_region,
	.write = write_region,
	.reset = reset,
	.attached = attached,
	.intx_level = intx_level,
	.pending = pending,
	.is_eventfd = is_eventfd,
	.watch = watch,
	.held_up = held_up,
	.may_interrupt = may_interrupt,
	.complain = complain,
};

/* The device. */

static void emitted(void *context)
{
	struct device *device = context;

	device->emits++;
}

static void interrupt_changed(void *context)
{
	struct device *device = context;
	struct function *function = &device->functions[CROSSVM_FUNCTION_EVENTS];

	vfio_user_intx_changed(function->session, &function->vfio);
}

static const struct crossvm_device_ops device_ops = {
	.emit = emitted,
	.interrupt_changed = interrupt_changed,
};

static void *make_memory(const char *name, uint64_t bytes, int *fd)
{
	void *memory;

	*fd = memfd_create(name, MFD_CLOEXEC);
	if (*fd < 0 || ftruncate(*fd, (off_t)bytes))
		die("memory");
	memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
	if (memory == MAP_FAILED)
		die("memory");
	return memory;
}

static int reopen_read_only(int fd)
{
	char path[64];
	int read_only;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	read_only = open(path, O_RDONLY | O_CLOEXEC);
	if (read_only < 0)
		die(path);
	return read_only;
}

static struct vfio_user_region plan_region(const struct function *function, unsigned int bar)
{
	struct device *device = function->device;
	struct vfio_user_region region = {
		.bytes = crossvm_device_bar_bytes(&device->state, function->number, bar),
		.readable = true,
		.writable = true,
		.fd = -1,
	};
	bool events = function->number == CROSSVM_FUNCTION_EVENTS;

	if (!region.bytes || (events && bar == CROSSVM_BAR_REGISTERS))
		return region; /* nothing there, or trapped as a whole */
	if (!events && bar == CROSSVM_BAR_STATUS) {
		region.map_bytes = CROSSVM_PAGE_BYTES;
		region.fd = device->status_fd;
		return region;
	}
	region.map_bytes = device->options.dataport_bytes;
	region.writable = device->options.access & CROSSVM_ACCESS_WRITE;
	region.fd = region.writable ? device->dataport_fd : reopen_read_only(device->dataport_fd);
	return region;
}

static void plan_function(struct function *function, const char *dir)
{
	struct device *device = function->device;
	struct listener_options listen = {.kind = WIRE_STREAM,
					  .user = (uid_t)-1,
					  .group = (gid_t)-1,
					  .takes_descriptors = true};
	char path[108];

	function->vfio.ops = &vfio_ops;
	function->vfio.context = function;
	function->vfio.owner = (struct wire_owner){.closing = NULL}; /* closes at once */
	function->vfio.intx = function->number == CROSSVM_FUNCTION_EVENTS;
	function->vfio.msi = function->vfio.intx && device->options.msi;
	for (unsigned int bar = 0; bar < 6; bar++)
		function->vfio.regions[bar] = plan_region(function, bar);
	function->vfio.regions[VFIO_PCI_CONFIG_REGION_INDEX] = (struct vfio_user_region){
		.bytes = CROSSVM_CONFIG_BYTES,
		.readable = true,
		.writable = true,
		.fd = -1,
	};
	function->watched = -1;
	function->session = calloc(1, sizeof(*function->session));
	if (!function->session)
		die("memory");
	vfio_user_init(function->session);
	snprintf(path, sizeof(path), "%s/%s.%u", dir, device->options.name, function->number);
	listen.path = path;
	errno = -listener_open(&listen, &function->listener);
	if (errno)
		die(path);
}

/* Cut text into fields; there must be at least so many. */
static void split(char *text, const char *separators, char **fields, int least, int most)
{
	int count = 0;
	char *field;

	while (count < most && (field = strsep(&text, separators)))
		fields[count++] = field;
	if (count < least || text) {
		errno = EINVAL;
		die("arguments");
	}
}

static unsigned long long number(const char *text)
{
	return strtoull(text, NULL, 0);
}

static void plan_doorbell(struct device *device, const char *dir)
{
	const struct crossvm_device_options *options = &device->options;
	char path[108];

	snprintf(path, sizeof(path), "%s/%s.2", dir, options->name);
	doorbell_create(&device->doorbell, path,
			CROSSVM_DOORBELL_POSITION(options->connection_id, options->member_id));
}

static void plan_device(struct device *device, const char *dir, char *text)
{
	struct crossvm_device_options *options = &device->options;
	char *fields[6];
	const char *layout, *access, *irq, *wrong;
	uint64_t bytes;

	split(text, ":", fields, 6, 6);
	snprintf(options->name, sizeof(options->name), "%s", fields[0]);
	options->connection_id = (uint32_t)number(fields[1]);
	layout = fields[2];
	bytes = number(fields[3]);
	access = fields[4];
	irq = fields[5];

	device->revision_1 = strcmp(layout, "revision1") == 0;
	options->doorbell = strcmp(layout, "doorbell") == 0;
	options->layout = options->doorbell || strcmp(layout, "split") == 0 ? CROSSVM_LAYOUT_SPLIT
									    : CROSSVM_LAYOUT_SINGLE;
	options->member_count = 2;
	options->dataport_bytes = bytes;
	if (bytes)
		options->access = CROSSVM_ACCESS_READ;
	if (bytes && strcmp(access, "rw") == 0)
		options->access |= CROSSVM_ACCESS_WRITE;
	options->msi = strcmp(irq, "msi") == 0;
	options->peers = true;

	device->crossvm.status = make_memory("status", CROSSVM_PAGE_BYTES, &device->status_fd);
	if (bytes)
		device->dataport = make_memory("dataport", bytes, &device->dataport_fd);
	device->crossvm.state = &device->state;
	device->crossvm.ops = &device_ops;
	device->crossvm.context = device;
	wrong = crossvm_device_state_init(&device->state, device->crossvm.status, NULL, options);
	if (wrong) {
		errno = EINVAL;
		die(wrong);
	}
	for (unsigned int i = 0; i < crossvm_device_function_count(&device->state); i++) {
		device->functions[i].device = device;
		device->functions[i].number = (enum crossvm_function)i;
		plan_function(&device->functions[i], dir);
	}
	if (options->doorbell)
		plan_doorbell(device, dir);
}

/* Commands. */

static struct device *find(struct server *server, const char *name)
{
	for (unsigned int i = 0; i < server->count; i++) {
		if (strcmp(server->devices[i].options.name, name) == 0)
			return &server->devices[i];
	}
	errno = ENOENT;
	die(name);
}

static void interrupt(struct device *device)
{
	struct function *function = &device->functions[CROSSVM_FUNCTION_EVENTS];

	vfio_user_interrupt(function->session, &function->vfio);
}

static void change_peer(struct device *device, uint32_t member, uint32_t state)
{
	const struct crossvm_peer_status status = {.state = state};

	if (crossvm_device_peer_set(&device->crossvm, member, status) &&
	    crossvm_device_wants_peer_changes(&device->crossvm))
		interrupt(device);
}

static void obey_doorbell(struct device *device, const char *command, unsigned long long argument)
{
	struct doorbell *doorbell = &device->doorbell;

	if (strcmp(command, "ring") == 0) {
		doorbell_ring(doorbell, argument);
		puts("ok");
	} else if (strcmp(command, "listens") == 0) {
		crossvm_device_listener_set(&device->crossvm, !(doorbell->position & 1), argument);
		puts("ok");
	} else if (strcmp(command, "rings") == 0) {
		printf("ok %llu\n", (unsigned long long)doorbell_rings(doorbell));
	} else if (strcmp(command, "rung") == 0) {
		printf("ok %llu\n", (unsigned long long)doorbell_emitted(doorbell));
	} else {
		errno = EINVAL;
		die(command);
	}
}

static void obey(struct server *server, char *line)
{
	char *fields[4] = {NULL, NULL, "0", "0"};
	const char *command, *name;
	unsigned long long first, second;
	struct device *device;

	line[strcspn(line, "\n")] = '\0';
	split(line, " ", fields, 2, 4);
	command = fields[0];
	name = fields[1];
	first = number(fields[2]);
	second = number(fields[3]);
	device = find(server, name);
	if (strcmp(command, "events") == 0) {
		for (unsigned long long i = 0; i < first; i++) {
			crossvm_device_events_add(&device->crossvm, 1);
			interrupt(device);
		}
		puts("ok");
	} else if (strcmp(command, "silent") == 0) {
		crossvm_device_events_add(&device->crossvm, first);
		puts("ok");
	} else if (strcmp(command, "peer") == 0) {
		change_peer(device, (uint32_t)first, (uint32_t)second);
		puts("ok");
	} else if (strcmp(command, "fill") == 0) {
		pattern_fill(device->dataport, device->options.dataport_bytes, first);
		puts("ok");
	} else if (strcmp(command, "check") == 0) {
		printf("ok %s\n",
		       pattern_holds(device->dataport, device->options.dataport_bytes, first)
			       ? "yes"
			       : "no");
	} else if (strcmp(command, "emits") == 0) {
		printf("ok %llu\n", (unsigned long long)device->emits);
	} else if (strcmp(command, "control") == 0) {
		printf("ok %u\n", device->state.control);
	} else if (device->options.doorbell) {
		obey_doorbell(device, command, first);
	} else {
		errno = EINVAL;
		die(command);
	}
	fflush(stdout);
}

/* The loop. */

static void serve_function(struct function *function, short socket, short unmask, short accept)
{
	struct vfio_user_session *session = function->session;
	unsigned int budget = UINT_MAX;

	if (unmask)
		vfio_user_unmask(session, &function->vfio);
	if (socket && vfio_user_serve(session, &function->vfio, &budget) < 0)
		vfio_user_close(session, &function->vfio);
	if (accept && !vfio_user_is_open(session)) {
		int fd = listener_accept(&function->listener);

		if (fd >= 0)
			vfio_user_open(session, fd);
	}
}

/* QEMU asks for it once, while it starts. */
static unsigned int watch_doorbells(const struct server *server, struct pollfd *fds)
{
	for (unsigned int i = 0; i < server->count; i++) {
		const struct device *device = &server->devices[i];

		fds[i].events = POLLIN;
		fds[i].fd = device->options.doorbell ? device->doorbell.listener.fd : -1;
	}
	return server->count;
}

static void serve_doorbells(struct server *server, const struct pollfd *fds)
{
	for (unsigned int i = 0; i < server->count; i++) {
		if (fds[i].revents)
			doorbell_accept(&server->devices[i].doorbell);
	}
}

static void serve(struct server *server, FILE *commands)
{
	struct pollfd fds[1 + MAX_DEVICES * (CROSSVM_FUNCTION_COUNT * 3 + 1)];
	struct pollfd *doorbells;
	struct function *functions[MAX_DEVICES * CROSSVM_FUNCTION_COUNT];
	unsigned int count = 0;
	char line[256];

	for (unsigned int i = 0; i < server->count; i++) {
		for (unsigned int j = 0; j < CROSSVM_FUNCTION_COUNT; j++) {
			if (server->devices[i].functions[j].device)
				functions[count++] = &server->devices[i].functions[j];
		}
	}
	doorbells = &fds[3 * count + 1];
	for (;;) {
		unsigned int watched = watch_doorbells(server, doorbells);

		fds[0] = (struct pollfd){.fd = fileno(commands), .events = POLLIN};
		for (unsigned int i = 0; i < count; i++) {
			struct function *function = functions[i];
			const struct wire *wire = &function->session->wire;
			bool open = vfio_user_is_open(function->session);

			fds[3 * i + 1] = (struct pollfd){
				.fd = wire->fd,
				.events = wire_is_answering(wire) ? POLLOUT : POLLIN};
			fds[3 * i + 2] = (struct pollfd){.fd = function->watched, .events = POLLIN};
			fds[3 * i + 3] = (struct pollfd){.fd = open ? -1 : function->listener.fd,
							 .events = POLLIN};
		}
		if (poll(fds, 3 * count + 1 + watched, -1) < 0)
			die("poll");
		serve_doorbells(server, doorbells);
		for (unsigned int i = 0; i < count; i++)
			serve_function(functions[i], fds[3 * i + 1].revents, fds[3 * i + 2].revents,
				       fds[3 * i + 3].revents);
		if (fds[0].revents) {
			if (!fgets(line, sizeof(line), commands))
				return;
			obey(server, line);
		}
	}
}

int main(int argc, char **argv)
{
	struct server *server;

	if (argc < 3 || argc - 2 > MAX_DEVICES) {
		fprintf(stderr, "usage: device_server DIR NAME:ID:LAYOUT:BYTES:ACCESS:IRQ...\n");
		return 2;
	}
	server = calloc(1, sizeof(*server));
	if (!server)
		die("memory");
	for (int i = 2; i < argc; i++)
		plan_device(&server->devices[server->count++], argv[1], argv[i]);
	setvbuf(stdin, NULL, _IONBF, 0); /* poll() must see all that has not been read */
	puts("ok");
	fflush(stdout);
	serve(server, stdin);
	for (unsigned int i = 0; i < server->count; i++) {
		for (unsigned int j = 0; j < CROSSVM_FUNCTION_COUNT; j++) {
			if (server->devices[i].functions[j].device)
				listener_close(&server->devices[i].functions[j].listener);
			free(server->devices[i].functions[j].session);
		}
		if (server->devices[i].options.doorbell)
			doorbell_destroy(&server->devices[i].doorbell);
	}
	free(server);
	return 0;
}
