/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libcrossvm: use a connection from a process, in a guest VM or as a component on the host. The
 * same calls in both; the library finds out where it runs.
 *
 *	struct crossvm_connection *conn;
 *	int error = crossvm_connection_open("telemetry", CROSSVM_OPEN_READ, NULL, &conn);
 *	if (error)
 *		errx(1, "%s", crossvm_last_error());
 *	const void *data = crossvm_connection_dataport(conn, &bytes);
 *	while (crossvm_connection_wait(conn, -1, &count) == 0)
 *		...
 *	crossvm_connection_close(conn);
 *
 * Thread-safety: crossvm_connection_emit() and the functions that take a const connection may run
 * in any number of threads at once. crossvm_connection_wait() may run beside them, in one thread at
 * a time. open and close of one connection must not overlap with anything else on it. Different
 * connections are independent. crossvm_last_error() is per thread.
 *
 * Errors: 0 or -errno; crossvm_last_error() then has a sentence for a person: what failed, on
 * which connection, and what to do.
 */
#ifndef CROSSVM_CONNECTION_H
#define CROSSVM_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <crossvm/abi.h>

#ifdef __cplusplus
extern "C" {
#endif

struct crossvm_connection;

/* What a process wants of a connection: at least one of READ and WRITE for a dataport; EMIT alone
 * or nothing for events only. */
#define CROSSVM_OPEN_READ  0x1u /* map the dataport readable */
#define CROSSVM_OPEN_WRITE 0x2u /* map the dataport writable (implies readable) */
#define CROSSVM_OPEN_EMIT  0x4u /* be able to emit */

/* The way by which a connection is reached, best first. */
enum crossvm_backend {
	CROSSVM_BACKEND_COMPONENT,   /* on the host, through crossvmd's component socket */
	CROSSVM_BACKEND_UIO_CROSSVM, /* in a guest, through our driver */
	CROSSVM_BACKEND_VFIO,        /* in a guest with an IOMMU, through stock vfio-pci */
	CROSSVM_BACKEND_UIO_GENERIC, /* in a guest, through stock uio_pci_generic: INTx, sysfs maps */
	CROSSVM_BACKEND_SYSFS,       /* in a guest, PCI resources only: no interrupt, wait polls */
};

struct crossvm_open_options {
	/*
	 * Component socket; NULL: $CROSSVM_SOCKET, else where crossvmd is by default, first in
	 * $XDG_RUNTIME_DIR/crossvm, then in /run/crossvm.
	 */
	const char *socket;
	/* Which component this process is; NULL: $CROSSVM_COMPONENT, else the only one it may be. */
	const char *component;
};

/*
 * Open a connection by its name.
 *
 * @name: as in the system file.
 * @access: CROSSVM_OPEN_*.
 * @options: NULL for the defaults.
 * @conn: set to the connection; close it with crossvm_connection_close().
 *
 * @return 0, or -EINVAL (bad name or access), -ENOENT (no such connection here), -EACCES (this
 *   process, or this member, may not), -ENODEV (neither a guest device nor a component socket
 *   here), -ECONNREFUSED (nobody serves the socket that was named), -ETIMEDOUT (the daemon does not
 *   answer), -EPROTO (device or daemon speak another version, or nonsense), -EBUSY (too many have
 *   it open; with CROSSVM_BACKEND_VFIO, where a PCI slot belongs to one process and each connection
 *   in it is opened once: it is), -ENOMEM, -EMFILE and the like.
 */
int crossvm_connection_open(const char *name, unsigned int access,
			    const struct crossvm_open_options *options,
			    struct crossvm_connection **conn);

/* Close and unmap. NULL is accepted. */
void crossvm_connection_close(struct crossvm_connection *conn);

/*
 * The dataport, mapped for as long as the connection is open. It is shared memory: whatever is read
 * from it may change at any time and must be treated as a peer's input. When a guest's device is
 * removed (unplugged, its driver unbound), its memory goes with it: a process that touches the
 * dataport then, or emits, gets SIGBUS; one that waits gets -ENODEV, and so does an emit that is a
 * system call. With CROSSVM_BACKEND_VFIO the removal waits until the connection is closed, and a wait
 * gets -ENODEV before.
 *
 * @bytes: set to its exact size; NULL is accepted.
 * @return its address; NULL for a connection of events only or opened without READ and WRITE.
 */
void *crossvm_connection_dataport(const struct crossvm_connection *conn, size_t *bytes);

/*
 * Emit one event to all other members. Everything this thread has stored to the dataport before is
 * visible to whoever sees the event. In a guest this is one store. With a doorbell
 * (CROSSVM_FEATURE_DOORBELL), by which the event goes to the other VM directly, it is a few, or where a
 * process cannot have the doorbell's registers a system call. A component may have to wait for a
 * moment while the daemon is behind.
 *
 * @return 0, or -EACCES (opened without EMIT), -EPIPE (the host side has gone), -ENODEV (device
 *   removed; where an emit is no system call, a guest learns that in a wait).
 */
int crossvm_connection_emit(struct crossvm_connection *conn);

/*
 * Wait until a peer has emitted since the last wait (or open), or timeout_ms passes (-1: no limit,
 * 0: only look).
 *
 * @count: set to the number of events since the last wait; none is lost. NULL is accepted.
 * @return 0, -ETIMEDOUT, -EINTR (a signal handler ran), -EPIPE (host side gone), -ENODEV (device
 *   removed), -EPROTO (the count went back: the host is at fault, or with a doorbell the peer),
 *   -EBUSY (with CROSSVM_BACKEND_UIO_GENERIC, where one process at a time can wait on a connection).
 */
int crossvm_connection_wait(struct crossvm_connection *conn, int timeout_ms, uint64_t *count);

/*
 * As crossvm_connection_wait(), but also returns when a peer's state has changed since the last wait
 * of this kind (or open): then 0 with *changed true, and possibly *count 0.
 */
int crossvm_connection_wait_change(struct crossvm_connection *conn, int timeout_ms, uint64_t *count,
				   bool *changed);

/*
 * A descriptor for poll or epoll: readable when a wait would return at once (or spuriously). After
 * it was readable call a wait with timeout 0 until -ETIMEDOUT: always the same of the two kinds, since
 * each takes the other's wake-ups. Stays owned by the connection. -ENOTSUP with
 * CROSSVM_BACKEND_SYSFS, which has no interrupt, -EBUSY as for a wait.
 */
int crossvm_connection_fd(const struct crossvm_connection *conn);

/*
 * Events emitted by peers since the device or daemon began; only grows. With a doorbell it is the sum
 * of what the host and the peer have counted, and the peer can say what it likes. With a device of
 * revision 1, which does not tell: those that waits have seen.
 */
uint64_t crossvm_connection_total(const struct crossvm_connection *conn);

/* What is fixed about a connection. Strings live as long as the connection. */
struct crossvm_connection_info {
	const char *name;
	enum crossvm_backend backend;
	const char *interrupt; /* "msi", "intx", "eventfd", "none" */
	uint32_t connection_id;
	uint32_t member_id;
	uint32_t member_count;
	uint32_t member_access; /* CROSSVM_ACCESS_*, what this VM or component may */
	uint32_t features;      /* CROSSVM_FEATURE_*; DOORBELL: one is in use */
	uint32_t revision;      /* of the device or protocol */
	uint64_t dataport_bytes;
	uint64_t writers; /* bit n: member n may write the dataport; 0: the host does not tell */
};
void crossvm_connection_info(const struct crossvm_connection *conn,
			     struct crossvm_connection_info *info);

/* A member as the others see it. */
struct crossvm_peer {
	char name[CROSSVM_NAME_BYTES];
	uint32_t state; /* CROSSVM_PEER_* */
	uint32_t incarnation;
};

/* @return 0, or -EINVAL (member_id out of range). The own member is included. */
int crossvm_connection_peer(const struct crossvm_connection *conn, uint32_t member_id,
			    struct crossvm_peer *peer);

/* What this guest or component could open. */
struct crossvm_list_entry {
	char name[CROSSVM_NAME_BYTES];
	char component[CROSSVM_NAME_BYTES]; /* as which component; "" in a guest */
	enum crossvm_backend backend;
	uint32_t member_access; /* CROSSVM_ACCESS_* */
	uint64_t dataport_bytes;
};

/*
 * List the connections that a process here can open.
 *
 * @entries: set to an array to be freed with free(); NULL when there are none.
 * @return how many, or -errno as crossvm_connection_open().
 */
int crossvm_connection_list(const struct crossvm_open_options *options,
			    struct crossvm_list_entry **entries);

/* A backend's name: "component", "uio_crossvm", "vfio-pci", "uio_pci_generic", "sysfs". */
const char *crossvm_backend_name(enum crossvm_backend backend);

/* A sentence on this thread's last failed call of this library; "" if none failed. */
const char *crossvm_last_error(void);

#ifdef __cplusplus
}
#endif

#endif
