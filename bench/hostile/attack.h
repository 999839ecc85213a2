/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Clients of crossvmd that do their worst, one at a time, while somebody else's reads are measured. An
 * attack is a process of its own, which is killed in the end.
 */
#ifndef BENCH_HOSTILE_ATTACK_H
#define BENCH_HOSTILE_ATTACK_H

#include "tests/hostile/hostile.h"

/* Users, as the system file of main.c knows them. */
#define USER_COMPONENT 61001u /* is the component "bad", and no other */
#define USER_STRANGER  61003u /* is nobody */

/*
 * That system: VM w, whose reads are measured, is in the connection "link" alone; all other VMs and
 * components are the attackers'. The VM v has 92 connections: WIDE, "wide0" and so on, with the
 * components "a0" to "a62" beside it; and NARROW, "narrow0" and so on, with the component "a0". The
 * components "a0" and "bad" have the connection "bell".
 */
#define WIDE   4u
#define OTHERS 63u
#define NARROW 88u

struct attack {
	const char *name; /* in the results */
	uid_t user;       /* the process is this user's */
	bool fuse;        /* hostile_fuse() is open */
	/* @return what step() is called with, when everything is ready; never NULL. */
	void *(*prepare)(const struct daemon *daemon);
	void (*step)(const struct daemon *daemon, void *context); /* again and again */
};

extern const struct attack attack_nobody;
/* guest.c */
extern const struct attack attack_emits;
extern const struct attack attack_toggles;
extern const struct attack attack_requests;
/* component.c */
extern const struct attack attack_component_emits;
extern const struct attack attack_lists;
extern const struct attack attack_stranger_connects;
extern const struct attack attack_component_connects;
/* descriptor.c */
extern const struct attack attack_tcp;
extern const struct attack attack_fuse;
extern const struct attack attack_eventfds;
extern const struct attack attack_kills;

/* Zeroed memory, for as long as the process lives. */
void *attack_memory(size_t bytes);
/* A process that reads eventfds whenever they are readable, as the others of a connection do. */
void attack_read_events(const struct component *components, size_t count);

#endif
