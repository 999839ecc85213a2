/* SPDX-License-Identifier: BSD-2-Clause */
/* Takes messages apart, has them carried out, and answers. */
#include "vfio_user/internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int do_dma_map(struct vfio_user_command *command)
{
	struct vfio_user_dma_map map;

	/* The device does no DMA: the descriptor, if one came, is closed with the message. */
	memcpy(&map, command->payload, sizeof(map));
	return map.flags & ~VFIO_USER_DMA_MAP_FLAGS ? -EINVAL : 0;
}

static int do_dma_unmap(struct vfio_user_command *command)
{
	memcpy(command->reply, command->payload, sizeof(struct vfio_user_dma_unmap));
	command->reply_bytes = sizeof(struct vfio_user_dma_unmap);
	return 0;
}

static int do_reset(struct vfio_user_command *command)
{
	command->device->ops->reset(command->device->context);
	return 0;
}

/* What a command looks like; anything else is answered with EINVAL, unknown ones with ENOTSUP. */
static const struct {
	int (*function)(struct vfio_user_command *command);
	size_t min_bytes; /* of the payload */
	size_t max_bytes;
	uint32_t max_fds;
} commands[VFIO_USER_COMMANDS] = {
	[VFIO_USER_VERSION] = {vfio_user_do_version, sizeof(struct vfio_user_version),
			       WIRE_MESSAGE_BYTES, 0},
	[VFIO_USER_DMA_MAP] = {do_dma_map, sizeof(struct vfio_user_dma_map),
			       sizeof(struct vfio_user_dma_map), 1},
	[VFIO_USER_DMA_UNMAP] = {do_dma_unmap, sizeof(struct vfio_user_dma_unmap),
				 sizeof(struct vfio_user_dma_unmap), 0},
	[VFIO_USER_DEVICE_GET_INFO] = {vfio_user_do_device_info, sizeof(uint32_t[4]),
				       sizeof(struct vfio_device_info), 0},
	[VFIO_USER_DEVICE_GET_REGION_INFO] = {vfio_user_do_region_info,
					      sizeof(struct vfio_region_info),
					      sizeof(struct vfio_region_info), 0},
	[VFIO_USER_DEVICE_GET_REGION_IO_FDS] = {vfio_user_do_region_io_fds,
						sizeof(struct vfio_user_io_fds),
						sizeof(struct vfio_user_io_fds), 0},
	[VFIO_USER_DEVICE_GET_IRQ_INFO] = {vfio_user_do_irq_info, sizeof(struct vfio_irq_info),
					   sizeof(struct vfio_irq_info), 0},
	[VFIO_USER_DEVICE_SET_IRQS] = {vfio_user_do_set_irqs, sizeof(struct vfio_irq_set),
				       WIRE_MESSAGE_BYTES, WIRE_MAX_FDS},
	[VFIO_USER_REGION_READ] = {vfio_user_do_read, sizeof(struct vfio_user_access),
				   sizeof(struct vfio_user_access), 0},
	[VFIO_USER_REGION_WRITE] = {vfio_user_do_write, sizeof(struct vfio_user_access),
				    WIRE_MESSAGE_BYTES, 0},
	[VFIO_USER_DEVICE_RESET] = {do_reset, 0, 0, 0},
	[VFIO_USER_REGION_WRITE_MULTI] = {vfio_user_do_multi_write, sizeof(uint64_t),
					  WIRE_MESSAGE_BYTES, 0},
};

__attribute__((format(printf, 2, 3))) static void complain(const struct vfio_user_device *device,
							   const char *format, ...)
{
	char message[160];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	device->ops->complain(device->context, message);
}

static ssize_t message_size(const unsigned char *bytes, size_t available)
{
	struct vfio_user_header header;

	if (available < sizeof(header))
		return 0;
	memcpy(&header, bytes, sizeof(header));
	return header.bytes < sizeof(header) || header.bytes > WIRE_MESSAGE_BYTES
		       ? -EPROTO
		       : (ssize_t)header.bytes;
}

static int carry_out(const struct vfio_user_header *header, struct vfio_user_command *command)
{
	if (header->command >= VFIO_USER_COMMANDS || !commands[header->command].function)
		return -ENOTSUP;
	if (command->payload_bytes < commands[header->command].min_bytes ||
	    command->payload_bytes > commands[header->command].max_bytes ||
	    command->message->num_fds > commands[header->command].max_fds ||
	    header->flags & ~VFIO_USER_FLAGS_NO_REPLY)
		return -EINVAL;
	return commands[header->command].function(command);
}

/* Finish the message; the command's answer is built already, but for its header. */
static int finish(const struct vfio_user_header *header, const struct vfio_user_command *command,
		  int error)
{
	struct wire *wire = &command->session->wire;
	const struct vfio_user_header reply = {
		.id = header->id,
		.command = header->command,
		.bytes = (uint32_t)(sizeof(reply) + (error ? 0 : command->reply_bytes)),
		.flags = VFIO_USER_FLAGS_REPLY | (error ? VFIO_USER_FLAGS_ERROR : 0),
		.error = (uint32_t)-error,
	};
	const bool with_fd = !error && command->reply_fd >= 0;

	if (header->flags & VFIO_USER_FLAGS_NO_REPLY) {
		wire_done(wire, &command->device->owner, command->message);
		return 0;
	}
	memcpy(command->reply - sizeof(reply), &reply, sizeof(reply));
	error = wire_answered(wire, &command->device->owner, command->message, reply.bytes,
			      &command->reply_fd, with_fd, false);
	return error == -EAGAIN ? 0 : error;
}

static int serve_message(struct vfio_user_session *session, const struct vfio_user_device *device,
			 struct wire_message *message)
{
	struct vfio_user_command command = {
		.session = session,
		.device = device,
		.message = message,
		.payload = message->data + VFIO_USER_HEADER_BYTES,
		.payload_bytes = message->bytes - VFIO_USER_HEADER_BYTES,
		.reply = wire_answer(&session->wire) + VFIO_USER_HEADER_BYTES,
		.reply_fd = -1,
	};
	struct vfio_user_header header;
	int error;

	memcpy(&header, message->data, sizeof(header));
	if (header.flags & VFIO_USER_FLAGS_TYPE) {
		complain(device, "sent a reply (flags 0x%x) though nothing was asked; disconnected",
			 header.flags);
		return -EPROTO;
	}
	if (!session->negotiated && header.command != VFIO_USER_VERSION) {
		complain(device, "sent command %u before the version was agreed on; disconnected",
			 header.command);
		return -EPROTO;
	}
	error = carry_out(&header, &command);
	if (error && !command.expected)
		complain(device, "sent a bad message (command %u, %zu bytes): %s", header.command,
			 message->bytes, strerror(-error));
	return finish(&header, &command, error);
}

/* @return 0, 1 if messages are left over, or -errno. */
static int serve_received(struct vfio_user_session *session, const struct vfio_user_device *device,
			  unsigned int *budget)
{
	struct wire_message message;
	int count;

	while ((count = wire_next(&session->wire, message_size, &message)) > 0) {
		int error;

		if (!*budget)
			return 1;
		--*budget;
		error = serve_message(session, device, &message);
		if (error)
			return error;
	}
	if (count < 0)
		complain(device, "sent something that is not vfio-user, or descriptors out of "
				 "place; disconnected");
	return count;
}

static int receive(struct vfio_user_session *session, const struct vfio_user_device *device)
{
	const int error = wire_receive(&session->wire, &device->owner);

	if (error == -EPROTO)
		complain(device,
			 "sent more than %u descriptors, or descriptors out of place; "
			 "disconnected",
			 WIRE_MAX_FDS);
	return error;
}

static int serve(struct vfio_user_session *session, const struct vfio_user_device *device,
		 unsigned int *budget)
{
	const struct wire *wire = &session->wire;
	int result = 0;

	if (wire_is_answering(wire))
		result = wire_flush(&session->wire);
	if (result)
		return result == -EAGAIN ? 0 : result;
	if (!wire_is_empty(wire))
		result = serve_received(session, device, budget);
	if (result || !*budget || wire_is_answering(wire))
		return result;
	result = receive(session, device);
	if (result)
		return result == -EAGAIN ? 0 : result;
	return serve_received(session, device, budget);
}

int vfio_user_serve(struct vfio_user_session *session, const struct vfio_user_device *device,
		    unsigned int *budget)
{
	const int result = serve(session, device, budget);

	if (result == -ETOOMANYREFS)
		complain(device, "cannot be sent a descriptor: this user has too many on their way "
				 "to processes that do not take them; disconnected");
	return result;
}

void vfio_user_resume(struct vfio_user_session *session, const struct vfio_user_device *device)
{
	vfio_user_resume_irqs(session, device);
	wire_resume(&session->wire, &device->owner);
	if (vfio_user_is_open(session) && !session->parting)
		device->ops->attached(device->context, session->negotiated);
}

void vfio_user_init(struct vfio_user_session *session)
{
	wire_init(&session->wire);
	session->msi = -1;
	session->intx = -1;
	session->unmask = -1;
}

void vfio_user_open(struct vfio_user_session *session, int fd)
{
	session->negotiated = false;
	session->parting = false;
	session->intx_masked = false;
	session->unmasked = 0;
	wire_open(&session->wire, fd, WIRE_STREAM);
}

void vfio_user_part(struct vfio_user_session *session, const struct vfio_user_device *device)
{
	if (!vfio_user_is_open(session))
		return;
	/* The socket last: a process that dies before goes on parting in the next one. */
	session->parting = true;
	vfio_user_forget_irqs(session, device);
	if (session->negotiated) {
		device->ops->reset(device->context);
		session->negotiated = false;
	}
	device->ops->attached(device->context, false);
	wire_shut_down(&session->wire);
}

void vfio_user_close(struct vfio_user_session *session, const struct vfio_user_device *device)
{
	vfio_user_part(session, device);
	wire_close(&session->wire, &device->owner);
}

void vfio_user_mark(const struct vfio_user_session *session, void (*mark)(void *context, int fd),
		    void *context)
{
	mark(context, session->msi);
	mark(context, session->intx);
	mark(context, session->unmask);
	wire_mark(&session->wire, mark, context);
}
