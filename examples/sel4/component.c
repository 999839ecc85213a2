// SPDX-License-Identifier: BSD-2-Clause
#include "component.h"

#include <string.h>

#include <vka/capops.h>
#include <vka/object.h>

#define PRIORITY 150

static void reverse(char *text)
{
	/* The guest may write while we read: take a copy, whose length is ours. */
	char copy[DATAPORT_BYTES];
	size_t length;

	memcpy(copy, text, sizeof(copy));
	length = strnlen(copy, sizeof(copy) - 1);
	for (size_t i = 0; i < length; i++)
		text[i] = copy[length - 1 - i];
	text[length] = '\0';
}

static void run(void *argument, void *unused, void *ipc_buffer)
{
	struct component *component = argument;
	uint64_t *tally = (uint64_t *)component->tally.memory;

	(void)unused;
	(void)ipc_buffer;
	for (;;) {
		seL4_Wait(component->wake, NULL);
		reverse(component->text.memory);
		/* Release: who is woken by the signal sees the text. */
		__atomic_fetch_add(tally, 1, __ATOMIC_RELEASE);
		seL4_Signal(component->text_done);
		seL4_Signal(component->tally_done);
	}
}

/* A capability can be mapped once: the component maps copies, the guest gets the originals. */
static seL4_CPtr copy_of(seL4_CPtr frame, struct environment *env)
{
	cspacepath_t from;
	cspacepath_t to;

	vka_cspace_make_path(&env->vka, frame, &from);
	if (vka_cspace_alloc_path(&env->vka, &to) || vka_cnode_copy(&to, &from, seL4_AllRights))
		fail("copying a frame's capability");
	return to.capPtr;
}

static void dataport_make(struct dataport *dataport, struct environment *env)
{
	seL4_CPtr copies[DATAPORT_FRAMES];
	vka_object_t frame;

	for (int i = 0; i < DATAPORT_FRAMES; i++) {
		if (vka_alloc_frame(&env->vka, seL4_PageBits, &frame))
			fail("making a dataport's frame");
		dataport->frames[i] = frame.cptr;
		copies[i] = copy_of(frame.cptr, env);
	}
	dataport->memory = vspace_map_pages(&env->vspace, copies, NULL, seL4_AllRights,
					    DATAPORT_FRAMES, seL4_PageBits, 1);
	if (!dataport->memory)
		fail("mapping a dataport");
}

void component_start(struct component *component, struct environment *env)
{
	sel4utils_thread_config_t config = thread_config_default(
		&env->simple, simple_get_cnode(&env->simple), seL4_NilData, seL4_CapNull, PRIORITY);
	vka_object_t wake;

	dataport_make(&component->text, env);
	dataport_make(&component->tally, env);
	if (vka_alloc_notification(&env->vka, &wake))
		fail("making the component's notification");
	component->wake = wake.cptr;
	config = thread_config_stack_size(config, 8);
	if (sel4utils_configure_thread_config(&env->vka, &env->vspace, &env->vspace, config,
					      &component->thread) ||
	    sel4utils_start_thread(&component->thread, run, component, NULL, 1))
		fail("starting the component");
}
