/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/info_channel.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <crossvm/channel.h>

#include "systemfile/size.h"

struct found {
	bool queue;
	bool broadcast;
	struct crossvm_queue_info ends;
	struct crossvm_broadcast_info cast;
	char name[2][CROSSVM_NAME_BYTES]; /* of a queue's ends */
};

/* Whose ends a queue has: the two members that may write. */
static void name_ends(const struct crossvm_connection *conn, struct found *found)
{
	struct crossvm_connection_info info;
	struct crossvm_peer peer;
	uint64_t ends;

	strcpy(found->name[0], "first");
	strcpy(found->name[1], "second");
	crossvm_connection_info(conn, &info);
	ends = info.writers;
	if (!ends && info.member_count == 2)
		ends = 3;
	if (__builtin_popcountll(ends) != 2)
		return;
	for (unsigned int i = 0; i < 2; i++) {
		if (!crossvm_connection_peer(conn, (uint32_t)__builtin_ctzll(ends), &peer) &&
		    peer.name[0])
			memcpy(found->name[i], peer.name, sizeof(peer.name));
		ends &= ends - 1;
	}
}

static struct found look(const struct crossvm_connection *conn)
{
	struct found found = {0};
	size_t bytes = 0;
	const void *memory = crossvm_connection_dataport(conn, &bytes);

	if (!memory)
		return found;
	found.queue = crossvm_queue_inspect(memory, bytes, &found.ends) == 0;
	found.broadcast =
		!found.queue && crossvm_broadcast_inspect(memory, bytes, &found.cast) == 0;
	if (found.queue)
		name_ends(conn, &found);
	return found;
}

static void half_json(struct json *json, const char *key, const struct crossvm_half_info *half)
{
	json_add_object(json, key);
	json_add_number(json, "messages", half->messages);
	json_add_number(json, "bytes", half->bytes);
	json_add_number(json, "doorbells", half->doorbells);
	json_add_number(json, "sleeps", half->sleeps);
	json_add_number(json, "stalls", half->stalls);
	json_add_bool(json, "closed", half->closed);
	json_end_object(json);
}

static void queue_json(struct json *json, const struct found *found)
{
	const struct crossvm_queue_info *info = &found->ends;

	json_add_string(json, "kind", "queue");
	json_add_number(json, "version", info->version);
	json_add_bool(json, "polling", info->flags & CROSSVM_CHANNEL_POLLING);
	json_add_array(json, "ends");
	for (unsigned int i = 0; i < 2; i++) {
		json_add_object(json, NULL);
		json_add_string(json, "name", found->name[i]);
		json_add_number(json, "incarnation", info->member[i].incarnation);
		json_add_number(json, "ring_bytes", info->ring_bytes[i]);
		json_add_number(json, "waiting_bytes", info->waiting[i]);
		half_json(json, "sent", &info->member[i].sender);
		half_json(json, "received", &info->member[i].receiver);
		json_end_object(json);
	}
	json_end_array(json);
}

static void broadcast_json(struct json *json, const struct crossvm_broadcast_info *info)
{
	json_add_string(json, "kind", "broadcast");
	json_add_number(json, "version", info->version);
	json_add_number(json, "incarnation", info->incarnation);
	json_add_number(json, "ring_bytes", info->ring_bytes);
	json_add_number(json, "messages", info->messages);
	json_add_number(json, "bytes", info->bytes);
	json_add_number(json, "doorbells", info->doorbells);
	json_add_bool(json, "closed", info->closed);
}

void info_channel_json(struct json *json, const struct crossvm_connection *conn)
{
	struct found found = look(conn);

	if (!found.queue && !found.broadcast)
		return;
	json_add_object(json, "channel");
	if (found.queue)
		queue_json(json, &found);
	else
		broadcast_json(json, &found.cast);
	json_end_object(json);
}

static void half_text(int width, const char *name, const char *way,
		      const struct crossvm_half_info *half)
{
	printf("%-*s  %-8s  %12" PRIu64 "  %14" PRIu64 "  %10" PRIu64 "  %10" PRIu64 "  %10" PRIu64
	       "%s\n",
	       width, name, way, half->messages, half->bytes, half->doorbells, half->sleeps,
	       half->stalls, half->closed ? "  closed" : "");
}

static void queue_text(const struct found *found)
{
	const struct crossvm_queue_info *info = &found->ends;
	int width = (int)strlen("END");

	for (unsigned int i = 0; i < 2; i++) {
		if ((int)strlen(found->name[i]) > width)
			width = (int)strlen(found->name[i]);
	}
	printf("\nchannel    queue%s; rings of %s and %s, %" PRIu64 " and %" PRIu64
	       " bytes waiting in them\n",
	       info->flags & CROSSVM_CHANNEL_POLLING ? ", polling" : "",
	       crossvm_size_format(info->ring_bytes[0]).text,
	       crossvm_size_format(info->ring_bytes[1]).text, info->waiting[0], info->waiting[1]);
	printf("\n%-*s  %-8s  %12s  %14s  %10s  %10s  %10s\n", width, "END", "", "MESSAGES",
	       "BYTES", "DOORBELLS", "SLEEPS", "STALLS");
	for (unsigned int i = 0; i < 2; i++) {
		half_text(width, found->name[i], "sent", &info->member[i].sender);
		half_text(width, found->name[i], "received", &info->member[i].receiver);
	}
}

void info_channel_text(const struct crossvm_connection *conn)
{
	struct found found = look(conn);

	if (found.queue)
		queue_text(&found);
	if (found.broadcast)
		printf("\nchannel    broadcast%s; ring of %s; %" PRIu64 " messages, %" PRIu64
		       " bytes, %" PRIu64 " doorbells\n",
		       found.cast.closed ? ", closed" : "",
		       crossvm_size_format(found.cast.ring_bytes).text, found.cast.messages,
		       found.cast.bytes, found.cast.doorbells);
}
