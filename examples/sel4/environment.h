/* SPDX-License-Identifier: BSD-2-Clause */
/* What a root task needs before it can make anything: allocators and its own address space. */
#ifndef EXAMPLE_ENVIRONMENT_H
#define EXAMPLE_ENVIRONMENT_H

#include <platsupport/io.h>
#include <sel4/sel4.h>
#include <simple/simple.h>
#include <vka/vka.h>
#include <vspace/vspace.h>

struct environment {
	simple_t simple;
	vka_t vka;
	vspace_t vspace;
	ps_io_ops_t io_ops;
	seL4_CPtr endpoint;     /* where the VM's faults come in */
	seL4_CPtr notification; /* bound to this thread, so that it comes in there too */
};

/* Fill it in. Does not return if that fails: there is nothing to go back to. */
void environment_init(struct environment *env);

/* A capability that signals the environment's notification with a badge. */
seL4_CPtr environment_signal(struct environment *env, seL4_Word badge);

/* End the root task with a message. */
__attribute__((noreturn)) void fail(const char *what);

#endif
