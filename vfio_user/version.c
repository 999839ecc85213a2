/* SPDX-License-Identifier: BSD-2-Clause */
/* Agreeing on a version and on capabilities, which go as JSON. */
#include "vfio_user/internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

/* Hash tables of JSON objects are seeded from /dev/urandom. */
void vfio_user_prepare(void)
{
	json_object_seed(0);
}

/*
 * Read the client's capabilities. We need none of them: it is told of ours, and what it sends is
 * checked by message. What is known must have the right type.
 */
static int check_capabilities(const char *text, size_t bytes, bool *write_multiple)
{
	static const char *const numbers[] = {"max_msg_fds", "max_data_xfer_size", "max_dma_maps",
					      "pgsizes"};
	json_t *root = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, NULL);
	json_t *capabilities = json_object_get(root, "capabilities");
	json_t *multiple = json_object_get(capabilities, "write_multiple");
	int error = json_is_object(root) && (!capabilities || json_is_object(capabilities))
			    ? 0
			    : -EINVAL;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		json_t *number = json_object_get(capabilities, numbers[i]);

		if (number && !json_is_integer(number))
			error = -EINVAL;
	}
	if (multiple && !json_is_boolean(multiple))
		error = -EINVAL;
	*write_multiple = json_is_true(multiple);
	json_decref(root);
	return error;
}

int vfio_user_do_version(struct vfio_user_command *command)
{
	struct vfio_user_version version;
	const char *text = (const char *)command->payload + sizeof(version);
	const size_t text_bytes = command->payload_bytes - sizeof(version);
	char *reply = (char *)command->reply + sizeof(version);
	bool write_multiple = false;
	int error = 0;

	memcpy(&version, command->payload, sizeof(version));
	if (version.major != VFIO_USER_MAJOR)
		return -ENOTSUP;
	if (text_bytes) {
		if (text[text_bytes - 1] != '\0')
			return -EINVAL;
		error = check_capabilities(text, strlen(text), &write_multiple);
	}
	if (error)
		return error;
	version.minor = VFIO_USER_MINOR; /* the lowest there is, so never above the client's */
	memcpy(command->reply, &version, sizeof(version));
	command->reply_bytes =
		sizeof(version) + 1 +
		(size_t)sprintf(reply,
				"{\"capabilities\":{\"max_msg_fds\":%u,\"max_data_xfer_size\":%u,"
				"\"pgsizes\":4096%s}}",
				WIRE_MAX_FDS, VFIO_USER_MAX_TRANSFER_BYTES,
				write_multiple ? ",\"write_multiple\":true" : "");
	command->session->negotiated = true;
	command->device->ops->attached(command->device->context, true);
	return 0;
}
