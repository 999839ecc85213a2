// SPDX-License-Identifier: BSD-2-Clause
#include "environment.h"

#include <stdio.h>
#include <stdlib.h>

#include <allocman/bootstrap.h>
#include <allocman/vka.h>
#include <sel4platsupport/bootinfo.h>
#include <sel4platsupport/io.h>
#include <sel4utils/vspace.h>
#include <simple-default/simple-default.h>
#include <vka/object.h>
#include <vka/object_capops.h>

/* For the allocator's books: first in the image, then in address space of its own. */
#define FIRST_POOL_BYTES (2u << 20)
#define POOL_BYTES       (64u << 20)

#define VMM_PRIORITY 200

static char first_pool[FIRST_POOL_BYTES];
static sel4utils_alloc_data_t vspace_data;

void fail(const char *what)
{
	printf("vmm: %s failed\n", what);
	abort();
}

static void init_allocators(struct environment *env)
{
	seL4_BootInfo *info = platsupport_get_bootinfo();
	seL4_CPtr root;
	allocman_t *allocman;
	reservation_t pool;
	void *address;

	simple_default_init_bootinfo(&env->simple, info);
	root = simple_get_pd(&env->simple);
	allocman = bootstrap_use_current_simple(&env->simple, sizeof(first_pool), first_pool);
	if (!allocman)
		fail("making the allocator");
	allocman_make_vka(&env->vka, allocman);
	if (sel4utils_bootstrap_vspace_with_bootinfo_leaky(&env->vspace, &vspace_data, root,
							   &env->vka, info))
		fail("describing the address space");
	pool = vspace_reserve_range(&env->vspace, POOL_BYTES, seL4_AllRights, 1, &address);
	if (!pool.res)
		fail("reserving the allocator's pool");
	bootstrap_configure_virtual_pool(allocman, address, POOL_BYTES, root);
}

void environment_init(struct environment *env)
{
	seL4_CPtr self;
	vka_object_t object;

	init_allocators(env);
	if (sel4platsupport_new_io_ops(&env->vspace, &env->vka, &env->simple, &env->io_ops))
		fail("making I/O operations");
	if (vka_alloc_endpoint(&env->vka, &object))
		fail("making an endpoint");
	env->endpoint = object.cptr;
	if (vka_alloc_notification(&env->vka, &object))
		fail("making a notification");
	env->notification = object.cptr;
	self = simple_get_tcb(&env->simple);
	if (seL4_TCB_BindNotification(self, env->notification) ||
	    seL4_TCB_SetPriority(self, self, VMM_PRIORITY))
		fail("configuring this thread");
}

seL4_CPtr environment_signal(struct environment *env, seL4_Word badge)
{
	vka_object_t notification = {.cptr = env->notification};
	cspacepath_t path;

	if (vka_mint_object(&env->vka, &notification, &path, seL4_AllRights, badge))
		fail("badging the notification");
	return path.capPtr;
}
