/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guard: a process goes on when it touches memory that has been taken away.
 *
 * Seals keep a memory fd's size. They do not keep its pages: a member of a connection that may write
 * the dataport can free them (fallocate() with FALLOC_FL_PUNCH_HOLE). A page that was freed is
 * allocated again, zeroed, when somebody touches it. If there is no memory for it then, the kernel
 * sends SIGBUS to whoever touched it. So it could be this process that ends, for a member's doing.
 *
 * In memory that was registered here, a SIGBUS puts a page of zeros in the place of the page that
 * cannot be had, and the process goes on. It no longer shares that page with anybody; take the notes,
 * log them. (After 1,024 such pages, all of a mapping is replaced at once.) A SIGBUS of any other kind or place does what it did before guard_start(): by default it
 * ends the process at the same instruction, with the same address in its core.
 *
 * All of this is of one process. A process that is cloned from it begins with the same registrations and
 * with the mappings that this one has at that time. So a worker that is cloned from a holder which
 * touches no such memory has the real pages again.
 *
 * It is for loads and stores: a system call that is given such memory fails with EFAULT. SIGBUS must not
 * be blocked. A process with a sandbox needs mmap, munmap, rt_sigaction and rt_sigreturn after it has
 * begun, and tgkill, getpid and gettid for a SIGBUS that was sent to it.
 *
 * Includes nothing of the tree. Thread-safety: none. While one thread is in a call from here, no other
 * may touch registered memory.
 */
#ifndef CROSSVM_SERVER_GUARD_H
#define CROSSVM_SERVER_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Handle SIGBUS from now on. @return 0, also if it has begun already, or -errno. */
int guard_start(void);

/* Forget everything, and let SIGBUS do what it did before guard_start(). */
void guard_stop(void);

/*
 * Register a mapping. Before guard_start() or after it.
 *
 * @address, @bytes: whole pages.
 * @protection: PROT_READ and PROT_WRITE, as the mapping has them.
 * @return 0, -EINVAL, -EEXIST (part of it is registered already), or -ENOMEM.
 */
int guard_add(const void *address, size_t bytes, int protection);

/* Registered no more: call it before munmap(). Does nothing for an address that guard_add() did not get. */
void guard_remove(const void *address);

struct guard_note {
	const void *address; /* as guard_add() got it */
	size_t bytes;
	const void *page; /* the page that was last replaced */
	uint64_t
		count; /* how often since the last note of this mapping: almost always, how many pages */
};

/*
 * What has been replaced since the last call, one mapping a call.
 *
 * @return false if there is nothing to tell (any more). Costs next to nothing then.
 */
bool guard_take_note(struct guard_note *note);
/* Whether there may be one. */
bool guard_has_notes(void);

#endif
