/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A vfio-user client (QEMU) attached to a PCI device of ours, over one socket.
 *
 * struct vfio_user_device is what the device is: constant, in private memory. struct
 * vfio_user_session is what changes: plain data for memory that outlives the process, see
 * server/wire.h. When a process died at any instant, vfio_user_resume() in the next one goes on, so
 * that the client notices nothing; the device's callbacks may then be called once more for the same
 * message.
 *
 * Nothing that a client sends has any effect but on its own device and its own connection.
 *
 * Thread-safety: none; one thread at a time per session.
 */
#ifndef CROSSVM_VFIO_USER_SESSION_H
#define CROSSVM_VFIO_USER_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vfio_user/protocol.h"
#include "server/wire.h"

/* Largest transfer of one read or write. A processor's are 8 bytes, and firmware may want more. */
#define VFIO_USER_MAX_TRANSFER_BYTES 4096u

/* A region: config space or a BAR. */
struct vfio_user_region {
	uint64_t bytes; /* 0: there is none */
	bool readable;
	bool writable;
	/*
	 * The part that the client may map: map_bytes from map_offset on, whole pages, found in fd
	 * at fd_offset + map_offset. 0: none. Accesses to it come as messages all the same when the
	 * client cannot or will not map. fd must allow no more than the region does.
	 */
	uint64_t map_offset;
	uint64_t map_bytes;
	uint64_t fd_offset;
	int fd;
};

struct vfio_user_ops {
	/*
	 * Access to a region; within its bounds, and as readable and writable say. Of an access that
	 * begins within and ends beyond, only the part within comes here.
	 */
	void (*read)(void *context, uint32_t region, uint64_t offset, void *data, size_t bytes);
	void (*write)(void *context, uint32_t region, uint64_t offset, const void *data,
		      size_t bytes);
	/* The client resets the device, or has gone. */
	void (*reset)(void *context);
	/* The client has agreed on a version, or has gone; also called for repetitions. */
	void (*attached)(void *context, bool attached);
	/* Whether INTA is asserted. */
	bool (*intx_level)(void *context);
	/* Whether something is pending that an MSI should be sent for when it becomes possible. */
	bool (*pending)(void *context);
	/*
	 * Whether a descriptor that the client sent is an eventfd. Nothing else is written to, read
	 * or watched.
	 */
	bool (*is_eventfd)(void *context, int fd);
	/*
	 * Watch an eventfd and call vfio_user_unmask() each time it is written to (EPOLLET), or watch
	 * it no more. Also called for repetitions.
	 */
	void (*watch)(void *context, int fd, bool watch);
	/* The client has made a write to its eventfd wait, and this process with it, for a moment. */
	void (*held_up)(void *context);
	/* Whether the client may give an eventfd: not if it has held us up too often. */
	bool (*may_interrupt)(void *context);
	/* Something is wrong with what the client sent; message is a sentence without newline. */
	void (*complain)(void *context, const char *message);
};

struct vfio_user_device {
	const struct vfio_user_ops *ops;
	void *context;
	struct vfio_user_region regions[VFIO_PCI_NUM_REGIONS];
	bool intx; /* it has an INTA pin */
	bool msi;  /* it can send one MSI */
	struct wire_owner owner;
};

struct vfio_user_session {
	struct wire wire;
	bool negotiated;
	bool parting; /* vfio_user_part() has begun */
	int msi;      /* eventfd to interrupt with; -1: none */
	int intx;     /* likewise */
	int unmask;   /* becomes readable when the guest has ended its INTx; -1: none */
	bool intx_masked;
	uint64_t unmasked; /* what was read from unmask and not yet acted on */
};

/*
 * Once in each process, or in the one that others are cloned from: what would open a file when the first
 * client comes, which a sandbox may forbid by then.
 */
void vfio_user_prepare(void);

/* Zeroed memory becomes a session without client. */
void vfio_user_init(struct vfio_user_session *session);

/* Serve a client; takes over its socket. */
void vfio_user_open(struct vfio_user_session *session, int fd);

/*
 * Part from the client: reset the device, have the interrupts' descriptors closed, shut the socket down.
 * May be repeated. While wire_has_taken_all() says no the socket stays, and no other client may come;
 * the socket tells (EPOLLOUT | EPOLLET) each time that something is read from it.
 */
void vfio_user_part(struct vfio_user_session *session, const struct vfio_user_device *device);
/* And then have the socket closed. Does nothing without client. */
void vfio_user_close(struct vfio_user_session *session, const struct vfio_user_device *device);

/* Whether there is a client, or what is left of one. */
static inline bool vfio_user_is_open(const struct vfio_user_session *session)
{
	return session->wire.fd >= 0;
}

/*
 * Serve the client, whose socket is ready: send what is still to be sent, receive once, apply.
 *
 * @budget: how many messages may be applied; less those that were, afterwards.
 * @return 0, 1 (messages are left over for want of budget: call it again, soon), or -ENOBUFS (as
 *   wire_receive()), -ECONNRESET (the client has gone), -EPROTO (it broke the rules, and was complained
 *   about), -ETOOMANYREFS (as wire_flush(); was complained about): in the last three vfio_user_part().
 */
int vfio_user_serve(struct vfio_user_session *session, const struct vfio_user_device *device,
		    unsigned int *budget);

/*
 * This process goes on after another one. The client, if there still is one, is served at the next
 * vfio_user_serve(); interrupts are raised by the caller.
 */
void vfio_user_resume(struct vfio_user_session *session, const struct vfio_user_device *device);

/* The descriptor that ops->watch was last asked to watch is readable. */
void vfio_user_unmask(struct vfio_user_session *session, const struct vfio_user_device *device);

/* Something has happened in the device that the guest is to know. */
void vfio_user_interrupt(struct vfio_user_session *session, const struct vfio_user_device *device);

/* ops->intx_level() may have changed. */
void vfio_user_intx_changed(struct vfio_user_session *session,
			    const struct vfio_user_device *device);

/* Call `mark` for each descriptor of the session. */
void vfio_user_mark(const struct vfio_user_session *session, void (*mark)(void *context, int fd),
		    void *context);

#endif
