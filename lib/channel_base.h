/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What queues and broadcasts on a connection have in common: the connection, who is at the other
 * side, and sleeping until that side rings or goes.
 */
#ifndef CROSSVM_LIB_CHANNEL_BASE_H
#define CROSSVM_LIB_CHANNEL_BASE_H

#include <stdbool.h>
#include <stdint.h>

#include <crossvm/channel.h>
#include <crossvm/connection.h>

struct channel_base {
	struct crossvm_connection *conn;
	struct crossvm_connection_info info;
	char name[CROSSVM_NAME_BYTES];
	uint64_t others;      /* by member id, who is the other side */
	bool other_was_there; /* had the connection open when we looked */
	uint64_t dead; /* incarnation in the dataport of one that was killed before we came */
	/* The other side's incarnation, while it is attached and has not said goodbye, else 0. */
	uint64_t (*other_incarnation)(const struct channel_base *base);
};

/* Open the connection. others becomes all members but this one. Returns 0 or as its open does. */
int channel_base_open(struct channel_base *base, const char *name, unsigned int access,
		      const struct crossvm_open_options *open);

/* The dataport, for a channel of that kind ("queue"). Returns 0 or -EINVAL with a sentence. */
int channel_base_dataport(const struct channel_base *base, const char *kind,
			  struct crossvm_port *port);

/* How many members may write the dataport; 0 when the host does not tell. */
unsigned int channel_base_writers(const struct channel_base *base);

/* The last step of opening: whoever has not said goodbye and is not there now has been killed. */
void channel_base_start(struct channel_base *base);

/*
 * -EPIPE when the other side took part, has the connection open no more, and has not said goodbye:
 * after a goodbye, the channel tells the end, and waits for the next one to come.
 */
int channel_base_check(struct channel_base *base);

/* A port's functions, but for the type of their context. */
void channel_base_ring(struct channel_base *base);
int channel_base_wait(struct channel_base *base, uint64_t deadline);
/* The same for a channel that polls: never sleeps. */
int channel_base_glance(struct channel_base *base, uint64_t deadline);

/* Take the events that made the descriptor readable. Returns as channel_base_check does. */
int channel_base_wake(struct channel_base *base);

/* How many polls fit into that time; a poll's price differs by a factor of fifty. */
uint32_t channel_base_polls_in(uint32_t us);

/* A sentence for a result of a channel. Returns the result. */
int channel_base_explain(const struct channel_base *base, int result,
			 struct crossvm_complaint complaint, size_t max_message);

#endif
