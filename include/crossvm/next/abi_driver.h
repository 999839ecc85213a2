/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The face of the Linux driver to processes of a guest: the character device /dev/crossvm/NAME of a
 * connection whose device has revision 3. (A device of revision 1 keeps its UIO device.)
 * docs/next/device.md has the contract, under "The character device".
 *
 * Decided, not built yet.
 *
 * Structs can grow. The driver looks at type and number of a command and takes the size from the
 * command itself: fields that an older program does not send are zero; if a program sends more than
 * the driver knows, the rest must be zero, or the call fails with E2BIG. What the driver writes
 * back is cut to the program's size, and zeros fill what the driver does not know. A bit in 'flags'
 * that the driver does not know is EOPNOTSUPP.
 */
#ifndef CROSSVM_ABI_DRIVER_H
#define CROSSVM_ABI_DRIVER_H

#ifdef __KERNEL__
#include <linux/ioctl.h>
#else
#include <sys/ioctl.h>
#endif

#include <crossvm/next/abi.h>

/*
 * Offsets for mmap(): what to map, in units that leave room for each. The length may be anything up
 * to the size of the thing, in pages.
 *
 * HOST       the two host pages; read only
 * PAGE       the member's page, for a program's own counts; needs a file opened for writing
 * REGISTERS  one page in which a 32-bit store to KICK_OFFSET kicks the host; needs a file opened
 *            for writing; not there (ENXIO) if the transport has no page to itself for it
 * DIRECT     the two direct pages; needs a file opened for writing to be mapped so
 * ANCHOR     a page of zeros that stands for the calling process, read only; claims need it
 * DATAPORT   the dataport, in its exact size, as the member's access says
 *
 * PAGE, REGISTERS, ANCHOR and a writable DIRECT are not inherited by fork(). PREFAULT, added to an
 * offset, maps all of it at once, for programs that must not fault later.
 */
#define CROSSVM_MMAP_UNIT      0x1000000000ull /* 64 GiB */
#define CROSSVM_MMAP_HOST      (0u * CROSSVM_MMAP_UNIT)
#define CROSSVM_MMAP_PAGE      (1u * CROSSVM_MMAP_UNIT)
#define CROSSVM_MMAP_REGISTERS (2u * CROSSVM_MMAP_UNIT)
#define CROSSVM_MMAP_DIRECT    (3u * CROSSVM_MMAP_UNIT)
#define CROSSVM_MMAP_DATAPORT  (4u * CROSSVM_MMAP_UNIT)
#define CROSSVM_MMAP_ANCHOR    (5u * CROSSVM_MMAP_UNIT)
#define CROSSVM_MMAP_PREFAULT  0x800000000ull /* 32 GiB */

/* INFO: how to use this device. What the connection is stands in the host page. */
struct crossvm_driver_info {
	uint32_t version;       /* CROSSVM_ABI_VERSION of the driver */
	uint32_t transport;     /* CROSSVM_TRANSPORT_* */
	uint32_t interrupt;     /* CROSSVM_INTERRUPT_* */
	uint32_t kick_offset;   /* in the mapping REGISTERS; the store's value is kick_value */
	uint32_t kick_value;    /* to kick the host */
	uint32_t direct_offset; /* in the mapping REGISTERS, to kick the other member directly */
	uint32_t direct_value;  /* of that store; without CROSSVM_FEATURE_DIRECT both are 0 */
	uint32_t flags;         /* CROSSVM_DRIVER_* */
	uint64_t host_bytes;
	uint64_t dataport_bytes;
};

#define CROSSVM_TRANSPORT_VFIO_USER_SPLIT  1u /* two PCI functions */
#define CROSSVM_TRANSPORT_VFIO_USER_SINGLE 2u /* one PCI function, also of seL4 */
#define CROSSVM_TRANSPORT_IVSHMEM          3u
#define CROSSVM_TRANSPORT_DEVICE_TREE      4u

#define CROSSVM_INTERRUPT_NONE  0u /* nobody can wait: look again and again */
#define CROSSVM_INTERRUPT_EDGE  1u /* MSI, MSI-X, or an edge of a device tree */
#define CROSSVM_INTERRUPT_LEVEL 2u /* INTx, or a level of a device tree */

#define CROSSVM_DRIVER_PAGES  0x1u /* the dataport has struct pages: O_DIRECT, io_uring, vmsplice */
#define CROSSVM_DRIVER_HUGE   0x2u /* the dataport is mapped by large pages if it is aligned */
#define CROSSVM_DRIVER_COUNTS 0x4u /* PAGE can be mapped; otherwise emit by EMIT */

/*
 * SEAT: take a seat for this open file, from now until its last release. The seat's counts are in
 * the mapping PAGE, or, with CROSSVM_FEATURE_DIRECT, in this member's page of DIRECT. -ENOSPC: all
 * are taken; emit by EMIT. Calling it again gives the same seat.
 */
struct crossvm_driver_seat {
	uint32_t seat;
	uint32_t flags; /* 0 */
};

/*
 * CLAIM: take part. All the halves asked for, or -EBUSY and none; then holder_pid and holder_name
 * say who holds them (0 and "": nobody of this pid namespace). Needs a seat, and the mapping ANCHOR
 * in the calling process: the claim ends when that mapping, or the open file, goes.
 * RELEASE: give halves back; halves that are not held are left out. incarnation is that of each
 * half. A process that has an open file only by fork() gets -ESTALE from both.
 */
#define CROSSVM_DRIVER_SEND    0x1u
#define CROSSVM_DRIVER_RECEIVE 0x2u

struct crossvm_driver_claim {
	uint32_t halves; /* CROSSVM_DRIVER_SEND | CROSSVM_DRIVER_RECEIVE */
	uint32_t flags;  /* 0 */
	uint32_t incarnation[CROSSVM_HALVES];
	int32_t holder_pid[CROSSVM_HALVES];
	char holder_name[CROSSVM_HALVES][16];
};

/* EMIT: the driver counts 'count' events in its own seat, and kicks. It never sleeps. */
struct crossvm_driver_emit {
	uint64_t count;
};

/*
 * WAIT: until the total or the generation is not the one given, a deadline passes (-ETIMEDOUT), a
 * signal comes (-EINTR), or the device is gone (-ENODEV). The cursor is the caller's: no wait takes
 * anything from another. timeout_ns: 0: only look; negative: no limit. IGNORE_PEERS: only the
 * total.
 *
 * WATCH: from now on poll() says POLLIN while the total or the generation is not the one given, and
 * POLLERR once the device is gone. Each open file has one such cursor; timeout_ns is not used.
 * Without one, poll() says nothing but POLLERR. The total is that of the member: total_events, or
 * with CROSSVM_FEATURE_DIRECT the sum of the other member's words.
 */
#define CROSSVM_WAIT_IGNORE_PEERS 0x1u

struct crossvm_driver_wait {
	uint64_t total;      /* in: seen by the caller; out: as it is now */
	uint32_t generation; /* likewise */
	uint32_t flags;
	int64_t timeout_ns;
};

#define CROSSVM_IOC         0xc7 /* to be entered in the kernel's ioctl-number.rst */
#define CROSSVM_IOC_INFO    _IOR(CROSSVM_IOC, 0x00, struct crossvm_driver_info)
#define CROSSVM_IOC_SEAT    _IOWR(CROSSVM_IOC, 0x01, struct crossvm_driver_seat)
#define CROSSVM_IOC_CLAIM   _IOWR(CROSSVM_IOC, 0x02, struct crossvm_driver_claim)
#define CROSSVM_IOC_RELEASE _IOWR(CROSSVM_IOC, 0x03, struct crossvm_driver_claim)
#define CROSSVM_IOC_EMIT    _IOW(CROSSVM_IOC, 0x04, struct crossvm_driver_emit)
#define CROSSVM_IOC_WAIT    _IOWR(CROSSVM_IOC, 0x05, struct crossvm_driver_wait)
#define CROSSVM_IOC_WATCH   _IOWR(CROSSVM_IOC, 0x06, struct crossvm_driver_wait)

/* Every field has its place: a compiler that disagrees cannot build this. */
static_assert(offsetof(struct crossvm_driver_info, version) == 0x00, "ABI");
static_assert(offsetof(struct crossvm_driver_info, transport) == 0x04, "ABI");
static_assert(offsetof(struct crossvm_driver_info, interrupt) == 0x08, "ABI");
static_assert(offsetof(struct crossvm_driver_info, kick_offset) == 0x0c, "ABI");
static_assert(offsetof(struct crossvm_driver_info, kick_value) == 0x10, "ABI");
static_assert(offsetof(struct crossvm_driver_info, direct_offset) == 0x14, "ABI");
static_assert(offsetof(struct crossvm_driver_info, direct_value) == 0x18, "ABI");
static_assert(offsetof(struct crossvm_driver_info, flags) == 0x1c, "ABI");
static_assert(offsetof(struct crossvm_driver_info, host_bytes) == 0x20, "ABI");
static_assert(offsetof(struct crossvm_driver_info, dataport_bytes) == 0x28, "ABI");
static_assert(sizeof(struct crossvm_driver_info) == 0x30, "ABI");
static_assert(offsetof(struct crossvm_driver_seat, seat) == 0x00, "ABI");
static_assert(offsetof(struct crossvm_driver_seat, flags) == 0x04, "ABI");
static_assert(sizeof(struct crossvm_driver_seat) == 0x8, "ABI");
static_assert(offsetof(struct crossvm_driver_claim, halves) == 0x00, "ABI");
static_assert(offsetof(struct crossvm_driver_claim, flags) == 0x04, "ABI");
static_assert(offsetof(struct crossvm_driver_claim, incarnation) == 0x08, "ABI");
static_assert(offsetof(struct crossvm_driver_claim, holder_pid) == 0x10, "ABI");
static_assert(offsetof(struct crossvm_driver_claim, holder_name) == 0x18, "ABI");
static_assert(sizeof(struct crossvm_driver_claim) == 0x38, "ABI");
static_assert(offsetof(struct crossvm_driver_emit, count) == 0x00, "ABI");
static_assert(sizeof(struct crossvm_driver_emit) == 0x8, "ABI");
static_assert(offsetof(struct crossvm_driver_wait, total) == 0x00, "ABI");
static_assert(offsetof(struct crossvm_driver_wait, generation) == 0x08, "ABI");
static_assert(offsetof(struct crossvm_driver_wait, flags) == 0x0c, "ABI");
static_assert(offsetof(struct crossvm_driver_wait, timeout_ns) == 0x10, "ABI");
static_assert(sizeof(struct crossvm_driver_wait) == 0x18, "ABI");

#endif
