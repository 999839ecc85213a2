/* SPDX-License-Identifier: BSD-2-Clause */
/* What the parts of vfio_user/ share. */
#ifndef CROSSVM_VFIO_USER_INTERNAL_H
#define CROSSVM_VFIO_USER_INTERNAL_H

#include "vfio_user/session.h"

#define VFIO_USER_HEADER_BYTES sizeof(struct vfio_user_header)

/* A command that is being carried out. */
struct vfio_user_command {
	struct vfio_user_session *session;
	const struct vfio_user_device *device;
	struct wire_message *message;
	const unsigned char *payload; /* not aligned */
	size_t payload_bytes;         /* at least what the command's entry says */
	/* The answer's payload: room for WIRE_MESSAGE_BYTES - VFIO_USER_HEADER_BYTES, aligned. */
	unsigned char *reply;
	size_t reply_bytes; /* set by the command */
	int reply_fd;       /* set by the command: to go with the answer; -1: none */
	bool expected;      /* set by the command: its error is an ordinary answer */
};

/*
 * The commands. Each returns 0 or -errno, which goes to the client. Each may be repeated for the
 * same message, in another process, after it was stopped at any instant.
 */
int vfio_user_do_version(struct vfio_user_command *command);
int vfio_user_do_device_info(struct vfio_user_command *command);
int vfio_user_do_region_info(struct vfio_user_command *command);
int vfio_user_do_region_io_fds(struct vfio_user_command *command);
int vfio_user_do_irq_info(struct vfio_user_command *command);
int vfio_user_do_set_irqs(struct vfio_user_command *command);
int vfio_user_do_read(struct vfio_user_command *command);
int vfio_user_do_write(struct vfio_user_command *command);
int vfio_user_do_multi_write(struct vfio_user_command *command);

/* Close the interrupt descriptors. */
void vfio_user_forget_irqs(struct vfio_user_session *session,
			   const struct vfio_user_device *device);
/* Go on with them after another process. */
void vfio_user_resume_irqs(struct vfio_user_session *session,
			   const struct vfio_user_device *device);

#endif
