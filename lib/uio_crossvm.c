/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Backend for a guest with our driver, uio_crossvm. The driver acknowledges interrupts and says
 * through the device that the connection is open; what is left is to map and to wait.
 *
 * Where the connection has a doorbell, it is rung while the other VM listens, and the other's page is
 * mapped to count the events that come that way. Who has no interrupt does without.
 *
 * A device of revision 1 has no status page: then events are counted by UIO's interrupts, which is
 * all that such a device tells, and the size of the dataport is that of its map.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/channel/fence.h"
#include "lib/error.h"
#include "lib/list.h"
#include "lib/nap.h"
#include "lib/status.h"
#include "lib/uio_device.h"

#define DRIVER "uio_crossvm"

struct uio_connection {
	struct crossvm_connection base;
	struct crossvm_uio device;
	bool interrupts;
	int epoll;                   /* watches the device for interrupts; -1: none */
	struct crossvm_nap nap;      /* without interrupts */
	struct crossvm_mapping ring; /* own page and registers of the doorbell; none: not needed */
};

static struct uio_connection *of(struct crossvm_connection *conn)
{
	return (struct uio_connection *)conn;
}

static int gone(struct crossvm_connection *conn)
{
	return crossvm_connection_gone(conn, -ENODEV, "its device has been removed");
}

static bool is_heard(const struct crossvm_connection *conn)
{
	return crossvm_status_listeners(conn->status.address) >> !conn->info.member_id & 1;
}

/*
 * Count, ring, and look again whether anybody has heard. The fences are between this VM and another:
 * of what was stored to the dataport, the count, the ring and the second look, none may overtake the
 * one before. Beside a trap they cost nothing, so they are those that are fences everywhere.
 */
static int ring(struct crossvm_connection *conn)
{
	const uint32_t position =
		CROSSVM_DOORBELL_POSITION(conn->info.connection_id, conn->info.member_id);
	struct crossvm_doorbell_page *own = of(conn)->ring.address;

	if (!is_heard(conn))
		return crossvm_register_emit(conn);
	atomic_thread_fence(memory_order_release);
	__atomic_fetch_add(&own->emitted, 1, __ATOMIC_RELAXED);
	fence(false);
	crossvm_store32(own + 1, CROSSVM_DOORBELL_REG_RING, CROSSVM_DOORBELL_RING(position));
	fence(false);
	return is_heard(conn) ? 0 : crossvm_register_emit(conn);
}

/* The driver does the same, where a process cannot have the doorbell's registers. */
static int ask_driver_to_emit(struct crossvm_connection *conn)
{
	const int32_t value = CROSSVM_UIO_EMIT;
	ssize_t written;

	/* Whoever sees the event must see what was stored to the dataport before. */
	atomic_thread_fence(memory_order_release);
	do {
		written = write(of(conn)->device.fd, &value, sizeof(value));
	} while (written < 0 && errno == EINTR);
	if (written == sizeof(value))
		return 0;
	/* UIO says EINVAL of a device that has been removed. */
	if (written >= 0 || errno == EINVAL || errno == EIO || errno == ENODEV)
		return gone(conn);
	return crossvm_fail(-errno, "%s: cannot emit: %s", conn->name, strerror(errno));
}

static int uio_emit(struct crossvm_connection *conn)
{
	if (!conn->doorbell.address)
		return crossvm_register_emit(conn);
	return of(conn)->ring.address ? ring(conn) : ask_driver_to_emit(conn);
}

/* Interrupts are never off, and one that has come ends the sleep: there is nothing to do. */
static int uio_arm(struct crossvm_connection *conn)
{
	return atomic_load_explicit(&conn->gone, memory_order_relaxed) ? gone(conn) : 0;
}

static int take(struct crossvm_connection *conn)
{
	int64_t taken = crossvm_uio_device_take(&of(conn)->device);

	if (taken < 0)
		return gone(conn);
	if (!conn->status.address)
		atomic_fetch_add_explicit(&conn->counted, (uint64_t)taken, memory_order_relaxed);
	return 0;
}

/*
 * One system call for each event: epoll tells every interrupt once, whether or not it is then read
 * from the device. (To block in read() would be one call too, but one that goes on after a signal.)
 * What has not been read keeps the device readable for others who poll it, so a wait that only looks
 * reads. The status page is not touched once the device has been removed, for it is gone as well.
 */
static int uio_sleep(struct crossvm_connection *conn, int timeout_ms)
{
	const struct uio_connection *uio = of(conn);
	struct epoll_event event;
	int ready;

	if (!uio->interrupts)
		return crossvm_nap(&of(conn)->nap, crossvm_connection_total(conn), timeout_ms);
	if (timeout_ms == 0)
		return take(conn);
	ready = epoll_wait(uio->epoll, &event, 1, timeout_ms);
	if (ready < 0)
		return errno == EINTR ? crossvm_fail_fixed(-EINTR, "a signal came while waiting")
				      : crossvm_fail(-errno, "cannot wait: %s", strerror(errno));
	if (ready == 0)
		return -ETIMEDOUT;
	if (event.events & (EPOLLERR | EPOLLHUP))
		return gone(conn);
	/* Otherwise peers have changed, or the device is of revision 1. */
	return crossvm_connection_total(conn) != conn->seen_total ? 0 : take(conn);
}

static int uio_fd(const struct crossvm_connection *conn)
{
	const struct uio_connection *uio = (const struct uio_connection *)conn;

	if (!uio->interrupts)
		return crossvm_fail(-ENOTSUP,
				    "%s: its device has no interrupt, so nothing can be "
				    "polled for; use a wait",
				    conn->name);
	return uio->device.fd;
}

static void uio_close(struct crossvm_connection *conn)
{
	if (of(conn)->epoll >= 0)
		close(of(conn)->epoll);
	crossvm_unmap(&of(conn)->ring);
	crossvm_uio_device_close(&of(conn)->device);
	crossvm_connection_release(conn);
}

static const struct crossvm_backend_ops uio_ops = {
	.emit = uio_emit,
	.arm = uio_arm,
	.sleep = uio_sleep,
	.fd = uio_fd,
	.close = uio_close,
};

/* Map one of the device's maps. @return 0, -ENOENT when there is none, or -errno with a sentence. */
static int map_by_name(struct uio_connection *uio, const char *map, uint64_t bytes, int protection,
		       struct crossvm_mapping *mapping)
{
	const char *name = uio->base.name;
	uint64_t size;
	int index = crossvm_uio_device_find_map(uio->device.sysfs, map, &size);
	int error;

	if (index < 0)
		return index == -ENOENT ? index
					: crossvm_fail(index, "%s: cannot read %s/maps: %s", name,
						       uio->device.sysfs, strerror(-index));
	if (size < bytes)
		return crossvm_fail(-EPROTO, "%s: its map '%s' has %llu bytes, fewer than %llu",
				    name, map, (unsigned long long)size, (unsigned long long)bytes);
	error = crossvm_map(mapping, uio->device.fd, (off_t)index * sysconf(_SC_PAGESIZE),
			    (size_t)bytes, protection);
	if (error)
		return crossvm_fail(error, "%s: cannot map '%s' of %llu bytes: %s", name, map,
				    (unsigned long long)bytes, strerror(-error));
	return 0;
}

/* What a device of revision 1 does not tell is assumed as such devices were used. */
static int describe_revision_1(struct uio_connection *uio)
{
	struct crossvm_connection_info *info = &uio->base.info;
	int index =
		crossvm_uio_device_find_map(uio->device.sysfs, "dataport", &info->dataport_bytes);

	if (index < 0)
		info->dataport_bytes = 0;
	if (!crossvm_dataport_bytes_valid(info->dataport_bytes))
		return crossvm_fail(-EPROTO, "%s: its driver says a dataport of %llu bytes",
				    uio->base.name, (unsigned long long)info->dataport_bytes);
	info->member_access = CROSSVM_ACCESS_READ | CROSSVM_ACCESS_WRITE;
	return 0;
}

static int map_doorbell(struct uio_connection *uio)
{
	struct crossvm_connection *conn = &uio->base;
	int error;

	if (!uio->interrupts)
		return 0;
	error = map_by_name(uio, "doorbell", sizeof(struct crossvm_doorbell_page), PROT_READ,
			    &conn->doorbell);
	if (error)
		return error == -ENOENT ? 0 : error;
	if (conn->info.member_count != CROSSVM_DOORBELL_MEMBERS)
		return crossvm_fail(-EPROTO, "%s: it has a doorbell and %u members instead of %u",
				    conn->name, conn->info.member_count, CROSSVM_DOORBELL_MEMBERS);
	conn->info.features |= CROSSVM_FEATURE_DOORBELL;
	return 0;
}

static int describe(struct uio_connection *uio)
{
	struct crossvm_connection *conn = &uio->base;
	int error = map_by_name(uio, "status", CROSSVM_PAGE_BYTES, PROT_READ, &conn->status);

	if (error == -ENOENT)
		return describe_revision_1(uio);
	if (!error)
		error = crossvm_status_read(conn->status.address, conn->name, &conn->info);
	return error ? error : map_doorbell(uio);
}

static void describe_interrupt(struct uio_connection *uio)
{
	char text[32];

	if (crossvm_attribute_text(uio->device.sysfs, "device/crossvm_irq", text, sizeof(text)))
		return;
	if (strcmp(text, "msi") == 0)
		uio->base.info.interrupt = "msi";
	else if (strcmp(text, "intx") == 0)
		uio->base.info.interrupt = "intx";
	else
		return;
	uio->interrupts = true;
}

static const char *own_name(const struct crossvm_connection *conn, struct crossvm_peer *self)
{
	if (!conn->status.address)
		return ""; /* a device of revision 1, which refuses nothing */
	crossvm_status_peer(conn->status.address, conn->info.member_id, self);
	return self->name;
}

static int map_to_emit(struct uio_connection *uio)
{
	const int protection = PROT_READ | PROT_WRITE;
	int error = 0;

	if (uio->base.doorbell.address)
		error = map_by_name(uio, "ring", UINT64_C(2) * CROSSVM_PAGE_BYTES, protection,
				    &uio->ring);
	if (error)
		return error == -ENOENT ? 0 : error; /* the driver emits */
	return map_by_name(uio, "registers", CROSSVM_PAGE_BYTES, protection, &uio->base.registers);
}

static int map_all(struct uio_connection *uio)
{
	struct crossvm_connection *conn = &uio->base;
	struct crossvm_peer self;
	int protection = PROT_READ | (conn->access & CROSSVM_OPEN_WRITE ? PROT_WRITE : 0);
	int error = crossvm_access_check(conn, own_name(conn, &self));

	if (!error && (conn->access & CROSSVM_OPEN_READ) && conn->info.dataport_bytes)
		error = map_by_name(uio, "dataport", conn->info.dataport_bytes, protection,
				    &conn->dataport);
	if (!error && (conn->access & CROSSVM_OPEN_EMIT))
		error = map_to_emit(uio);
	if (error == -ENOENT)
		return crossvm_fail(-EPROTO,
				    "%s: its driver offers no map 'dataport' or 'registers'; "
				    "install matching versions of crossvm",
				    conn->name);
	return error;
}

static int watch_interrupts(struct uio_connection *uio)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET};

	if (!uio->interrupts)
		return 0;
	uio->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (uio->epoll >= 0 && !epoll_ctl(uio->epoll, EPOLL_CTL_ADD, uio->device.fd, &event))
		return 0;
	return crossvm_fail(-errno, "%s: cannot watch its device for interrupts: %s",
			    uio->base.name, strerror(errno));
}

static int attach(struct uio_connection *uio, const struct crossvm_open_request *request,
		  const char *entry)
{
	bool writable = request->access & (CROSSVM_OPEN_WRITE | CROSSVM_OPEN_EMIT);
	uint64_t revision = 0;
	int error = crossvm_uio_device_open(&uio->device, request->root, entry, request->name,
					    writable);

	if (error)
		return error;
	crossvm_attribute_number(uio->device.sysfs, "device/revision", &revision);
	uio->base.info.revision = (uint32_t)revision;
	describe_interrupt(uio);
	error = watch_interrupts(uio);
	if (error)
		return error;
	error = describe(uio);
	return error ? error : map_all(uio);
}

/* Searching the UIO devices. */

struct search {
	const char *root;
	int (*found)(void *context, const char *entry, const char *name);
	void *context;
	bool any;
};

static int look_at(void *context, const char *entry)
{
	struct search *search = context;
	char sysfs[CROSSVM_PATH_BYTES];
	char driver[32];
	char name[CROSSVM_NAME_BYTES];

	if (crossvm_path(sysfs, "%s/sys/class/uio/%s", search->root, entry) ||
	    crossvm_attribute_link(sysfs, "device/driver", driver, sizeof(driver)) ||
	    strcmp(driver, DRIVER) != 0 ||
	    crossvm_attribute_text(sysfs, "name", name, sizeof(name)))
		return 0;
	search->any = true;
	return search->found(search->context, entry, name);
}

/* @return what found returned, or 0 when it was never anything else. */
static int search_devices(struct search *search)
{
	char directory[CROSSVM_PATH_BYTES];

	if (crossvm_path(directory, "%s/sys/class/uio", search->root))
		return crossvm_fail(-ENAMETOOLONG, "the path of the UIO devices is too long");
	return crossvm_directory_visit(directory, look_at, search);
}

struct wanted {
	const char *name;
	char entry[32];
};

static int is_wanted(void *context, const char *entry, const char *name)
{
	struct wanted *wanted = context;

	if (strcmp(name, wanted->name) != 0)
		return 0;
	snprintf(wanted->entry, sizeof(wanted->entry), "%s", entry);
	return 1;
}

int crossvm_uio_open(const struct crossvm_open_request *request, struct crossvm_connection **conn)
{
	struct wanted wanted = {.name = request->name};
	struct search search = {.root = request->root, .found = is_wanted, .context = &wanted};
	struct uio_connection *uio;
	int result = search_devices(&search);

	if (result < 0)
		return result;
	if (!search.any)
		return CROSSVM_NOTHING_HERE;
	if (!result)
		return crossvm_fail(
			CROSSVM_NOT_BY_NAME,
			"%s: no device of this name in this guest; 'crossvm list' shows "
			"what there is",
			request->name);
	uio = calloc(1, sizeof(*uio));
	if (!uio)
		return crossvm_fail(-ENOMEM, "%s: out of memory", request->name);
	crossvm_connection_prepare(&uio->base, &uio_ops, request, CROSSVM_BACKEND_UIO_CROSSVM);
	uio->device.fd = -1;
	uio->epoll = -1;
	result = attach(uio, request, wanted.entry);
	if (result) {
		uio_close(&uio->base);
		return result;
	}
	crossvm_connection_start(&uio->base);
	*conn = &uio->base;
	return 0;
}

/* Listing, from sysfs alone: peers would see an opened device. */

static uint32_t access_of(const char *sysfs)
{
	char text[32];

	if (crossvm_attribute_text(sysfs, "device/crossvm_access", text, sizeof(text)))
		return 0;
	if (strcmp(text, "read-write") == 0)
		return CROSSVM_ACCESS_READ | CROSSVM_ACCESS_WRITE;
	return strcmp(text, "read-only") == 0 ? CROSSVM_ACCESS_READ : 0;
}

struct listing {
	const char *root;
	struct crossvm_list *list;
};

static int add_to_list(void *context, const char *uio, const char *name)
{
	const struct listing *listing = context;
	struct crossvm_list_entry entry = {.backend = CROSSVM_BACKEND_UIO_CROSSVM};
	char sysfs[CROSSVM_PATH_BYTES];

	if (crossvm_path(sysfs, "%s/sys/class/uio/%s", listing->root, uio))
		return 0;
	memcpy(entry.name, name, strlen(name));
	crossvm_name_clean(entry.name);
	entry.member_access = access_of(sysfs);
	if (crossvm_uio_device_find_map(sysfs, "dataport", &entry.dataport_bytes) < 0)
		entry.dataport_bytes = 0;
	return crossvm_list_add(listing->list, &entry);
}

int crossvm_uio_list(const char *root, struct crossvm_list *list)
{
	struct listing listing = {root, list};
	struct search search = {.root = root, .found = add_to_list, .context = &listing};

	int error = search_devices(&search);

	return error || search.any ? error : CROSSVM_NOTHING_HERE;
}
