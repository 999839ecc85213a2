/* SPDX-License-Identifier: BSD-2-Clause */
/* Bare polling on a word of a dataport each way: no message can be faster. */
#include <err.h>

#include <crossvm/connection.h>

#include "transport.h"

struct words {
	_Alignas(128) uint64_t word[2][16]; /* by side that writes it */
};

struct state {
	struct words *words;
	uint64_t sent;
	uint64_t received;
};

static void open_word(struct link *link)
{
	static struct state state;
	struct crossvm_connection *connection;

	if (crossvm_connection_open("word", CROSSVM_OPEN_WRITE, NULL, &connection) != 0)
		errx(1, "%s", crossvm_last_error());
	state.words = crossvm_connection_dataport(connection, NULL);
	state.sent = __atomic_load_n(&state.words->word[link->side][0], __ATOMIC_RELAXED);
	state.received = __atomic_load_n(&state.words->word[1 - link->side][0], __ATOMIC_RELAXED);
	link->state = &state;
}

static int send(struct link *link, const void *message)
{
	struct state *state = link->state;

	(void)message;
	__atomic_store_n(&state->words->word[link->side][0], ++state->sent, __ATOMIC_RELEASE);
	return 0;
}

static int receive(struct link *link, void *buffer)
{
	struct state *state = link->state;
	const uint64_t *word = &state->words->word[1 - link->side][0];

	(void)buffer;
	state->received++;
	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) != state->received)
		;
	return 0;
}

const struct transport transport_word = {
	.name = "word", .word_only = true, .open = open_word, .send = send, .receive = receive};
