/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The vfio-user protocol as it goes over the socket. All in host byte order. Source: QEMU's
 * docs/interop/vfio-user.rst; payloads that it takes over from the kernel are <linux/vfio.h>'s.
 */
#ifndef CROSSVM_VFIO_USER_PROTOCOL_H
#define CROSSVM_VFIO_USER_PROTOCOL_H

#include <assert.h>
#include <stdint.h>

#include <linux/vfio.h>

#define VFIO_USER_MAJOR 0u
#define VFIO_USER_MINOR 0u

enum vfio_user_command_number {
	VFIO_USER_VERSION = 1,
	VFIO_USER_DMA_MAP = 2,
	VFIO_USER_DMA_UNMAP = 3,
	VFIO_USER_DEVICE_GET_INFO = 4,
	VFIO_USER_DEVICE_GET_REGION_INFO = 5,
	VFIO_USER_DEVICE_GET_REGION_IO_FDS = 6,
	VFIO_USER_DEVICE_GET_IRQ_INFO = 7,
	VFIO_USER_DEVICE_SET_IRQS = 8,
	VFIO_USER_REGION_READ = 9,
	VFIO_USER_REGION_WRITE = 10,
	VFIO_USER_DEVICE_RESET = 13,
	VFIO_USER_REGION_WRITE_MULTI = 15,
	VFIO_USER_COMMANDS,
};

#define VFIO_USER_FLAGS_TYPE     0xfu /* 0: command, 1: reply */
#define VFIO_USER_FLAGS_REPLY    0x1u
#define VFIO_USER_FLAGS_NO_REPLY 0x10u
#define VFIO_USER_FLAGS_ERROR    0x20u

struct vfio_user_header {
	uint16_t id;
	uint16_t command;
	uint32_t bytes; /* of the message, header included */
	uint32_t flags;
	uint32_t error; /* errno */
};

struct vfio_user_version {
	uint16_t major;
	uint16_t minor;
	/* then JSON, with NUL */
};

struct vfio_user_dma_map {
	uint32_t argsz;
	uint32_t flags;
	uint64_t offset;
	uint64_t address;
	uint64_t bytes;
};

#define VFIO_USER_DMA_MAP_FLAGS 0x3u /* readable, writable */

struct vfio_user_dma_unmap {
	uint32_t argsz;
	uint32_t flags;
	uint64_t address;
	uint64_t bytes;
};

struct vfio_user_io_fds {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t count;
};

struct vfio_user_access {
	uint64_t offset;
	uint32_t region;
	uint32_t count;
	/* then, in a write and in the reply to a read, the data */
};

#define VFIO_USER_MULTI_DATA_BYTES 8u

struct vfio_user_multi_write {
	struct vfio_user_access access;
	uint8_t data[VFIO_USER_MULTI_DATA_BYTES];
};

static_assert(sizeof(struct vfio_user_header) == 16, "as on the socket");
static_assert(sizeof(struct vfio_user_version) == 4, "as on the socket");
static_assert(sizeof(struct vfio_user_dma_map) == 32, "as on the socket");
static_assert(sizeof(struct vfio_user_dma_unmap) == 24, "as on the socket");
static_assert(sizeof(struct vfio_user_io_fds) == 16, "as on the socket");
static_assert(sizeof(struct vfio_user_access) == 16, "as on the socket");
static_assert(sizeof(struct vfio_user_multi_write) == 24, "as on the socket");

#endif
