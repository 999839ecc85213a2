/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Opening a connection by whichever backend has it, and what is the same for all of them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/backend.h"
#include "lib/error.h"
#include "lib/status.h"

#define ALL_ACCESS (CROSSVM_OPEN_READ | CROSSVM_OPEN_WRITE | CROSSVM_OPEN_EMIT)

static int check_name(const char *name)
{
	if (!name || !*name)
		return crossvm_fail(-EINVAL, "a connection's name is missing");
	if (strlen(name) > CROSSVM_NAME_MAX)
		return crossvm_fail(-EINVAL,
				    "'%.60s...' is too long for a connection's name; at most "
				    "%u characters",
				    name, CROSSVM_NAME_MAX);
	for (const char *c = name; *c; c++) {
		if (*c <= ' ' || *c > '~' || *c == '/')
			return crossvm_fail(-EINVAL, "a connection's name has only printable "
						     "characters, no blank and no slash");
	}
	return 0;
}

int crossvm_connection_open_below(const struct crossvm_open_request *request,
				  struct crossvm_connection **conn)
{
	static int (*const backends[])(const struct crossvm_open_request *,
				       struct crossvm_connection **) = {
		crossvm_component_open,
		crossvm_uio_open,
		crossvm_vfio_connection_open,
		crossvm_pci_open,
	};
	int error = check_name(request->name);
	bool something = false;

	if (error)
		return error;
	if (request->access & ~ALL_ACCESS)
		return crossvm_fail(-EINVAL, "%s: access 0x%x has bits that are not CROSSVM_OPEN_*",
				    request->name, request->access);
	for (size_t i = 0; i < sizeof(backends) / sizeof(backends[0]); i++) {
		int result = backends[i](request, conn);

		if (result <= 0)
			return result;
		something |= result == CROSSVM_NOT_BY_NAME;
	}
	if (something)
		return -ENOENT;
	return crossvm_fail(
		-ENODEV,
		"%s: there is neither a component socket nor a crossvm device; on a host "
		"start crossvmd, in a guest load the module uio_crossvm",
		request->name);
}

int crossvm_connection_open(const char *name, unsigned int access,
			    const struct crossvm_open_options *options,
			    struct crossvm_connection **conn)
{
	const struct crossvm_open_options defaults = {0};
	const struct crossvm_open_request request = {
		.root = "",
		.name = name,
		.access = access,
		.options = options ? options : &defaults,
	};

	return crossvm_connection_open_below(&request, conn);
}

void crossvm_connection_close(struct crossvm_connection *conn)
{
	if (conn)
		conn->ops->close(conn);
}

void crossvm_connection_prepare(struct crossvm_connection *conn,
				const struct crossvm_backend_ops *ops,
				const struct crossvm_open_request *request,
				enum crossvm_backend backend)
{
	conn->ops = ops;
	conn->access = request->access;
	if (conn->access & CROSSVM_OPEN_WRITE)
		conn->access |= CROSSVM_OPEN_READ;
	strncpy(conn->name, request->name, sizeof(conn->name) - 1);
	conn->info.name = conn->name;
	conn->info.backend = backend;
	conn->info.interrupt = "none";
}

void crossvm_connection_start(struct crossvm_connection *conn)
{
	conn->seen_total = crossvm_connection_total(conn);
	if (conn->status.address)
		conn->seen_generation = crossvm_status_generation(conn->status.address);
}

void crossvm_connection_release(struct crossvm_connection *conn)
{
	crossvm_unmap(&conn->dataport);
	crossvm_unmap(&conn->status);
	crossvm_unmap(&conn->registers);
	crossvm_unmap(&conn->doorbell);
	free(conn);
}

/* What to call a member: by its name, or where it has none (on seL4) by its number. */
static void describe_member(const struct crossvm_connection *conn, const char *name, char *text,
			    size_t bytes)
{
	if (name[0])
		(void)snprintf(text, bytes, "member '%s'", name);
	else
		(void)snprintf(text, bytes, "member %u", conn->info.member_id);
}

int crossvm_access_check(const struct crossvm_connection *conn, const char *name)
{
	char member[CROSSVM_NAME_BYTES + sizeof("member ''")];

	describe_member(conn, name, member, sizeof(member));
	if ((conn->access & CROSSVM_OPEN_WRITE) &&
	    !(conn->info.member_access & CROSSVM_ACCESS_WRITE))
		return crossvm_fail(
			-EACCES,
			"%s: %s is read-only; open the connection without write access, or give "
			"the member 'access: read-write' in the system file",
			conn->name, member);
	if ((conn->access & CROSSVM_OPEN_READ) && conn->info.dataport_bytes &&
	    !(conn->info.member_access & CROSSVM_ACCESS_READ))
		return crossvm_fail(
			-EACCES,
			"%s: %s may not read the dataport; open the connection for events only, "
			"or change the member's access in the system file",
			conn->name, member);
	return 0;
}

int crossvm_register_emit(struct crossvm_connection *conn)
{
	/*
	 * Whoever sees the event must see what was stored to the dataport before. The event itself
	 * is one plain store: hypervisors cannot emulate every instruction on trapped memory.
	 */
	atomic_thread_fence(memory_order_release);
	crossvm_store32(conn->registers.address, CROSSVM_REG_EMIT, 1);
	return 0;
}

int crossvm_connection_gone(struct crossvm_connection *conn, int error, const char *sentence)
{
	atomic_store_explicit(&conn->gone, error, memory_order_relaxed);
	return crossvm_fail(error, "%s: %s", conn->name, sentence);
}

int crossvm_connection_emit(struct crossvm_connection *conn)
{
	int gone = atomic_load_explicit(&conn->gone, memory_order_relaxed);

	if (!(conn->access & CROSSVM_OPEN_EMIT))
		return crossvm_fail(-EACCES, "%s: opened without CROSSVM_OPEN_EMIT", conn->name);
	if (gone)
		return crossvm_fail(gone, "%s: the other side has gone; close and open again",
				    conn->name);
	return conn->ops->emit(conn);
}

void *crossvm_connection_dataport(const struct crossvm_connection *conn, size_t *bytes)
{
	if (bytes)
		*bytes = conn->dataport.bytes;
	return conn->dataport.address;
}

int crossvm_connection_fd(const struct crossvm_connection *conn)
{
	return conn->ops->fd(conn);
}

/* What the other member has emitted by the doorbell. It may write anything there. */
static uint64_t doorbell_total(const struct crossvm_connection *conn)
{
	const struct crossvm_doorbell_page *page = conn->doorbell.address;

	if (!page)
		return 0;
	/* Acquires what the other member orders before its count. */
	return crossvm_load64_acquire(&page->emitted, 0);
}

uint64_t crossvm_connection_total(const struct crossvm_connection *conn)
{
	if (conn->status.address && !crossvm_connection_unplugged(conn))
		return crossvm_status_total(conn->status.address) + doorbell_total(conn);
	return atomic_load_explicit(&conn->counted, memory_order_relaxed);
}

void crossvm_connection_info(const struct crossvm_connection *conn,
			     struct crossvm_connection_info *info)
{
	*info = conn->info;
}

int crossvm_connection_peer(const struct crossvm_connection *conn, uint32_t member_id,
			    struct crossvm_peer *peer)
{
	if (member_id >= conn->info.member_count)
		return crossvm_fail(-EINVAL, "%s: there is no member %u of %u", conn->name,
				    member_id, conn->info.member_count);
	if (conn->status.address && !crossvm_connection_unplugged(conn))
		crossvm_status_peer(conn->status.address, member_id, peer);
	else
		*peer = (struct crossvm_peer){.state = CROSSVM_PEER_UNKNOWN};
	return 0;
}

const char *crossvm_backend_name(enum crossvm_backend backend)
{
	switch (backend) {
	case CROSSVM_BACKEND_COMPONENT:
		return "component";
	case CROSSVM_BACKEND_UIO_CROSSVM:
		return "uio_crossvm";
	case CROSSVM_BACKEND_VFIO:
		return "vfio-pci";
	case CROSSVM_BACKEND_UIO_GENERIC:
		return "uio_pci_generic";
	case CROSSVM_BACKEND_SYSFS:
		return "sysfs";
	}
	return "unknown";
}
