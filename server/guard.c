/* SPDX-License-Identifier: BSD-2-Clause */
#include "server/guard.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FIRST_ROOM 64u /* for so many mappings; then twice as many, and so on */

/*
 * A page of zeros within a mapping makes three mappings of it, and the kernel lets a process have some
 * 65,000. Somebody who punches every other page of a large dataport could use them up. So only so many
 * pages are replaced one by one. After them, all of a mapping is replaced at once.
 */
#define MAX_SINGLE_PAGES 1024u

struct mapping {
	uintptr_t begin;
	uintptr_t end;
	int protection;
	/* The handler's. */
	uintptr_t page; /* the last that was replaced */
	uint64_t replaced;
	uint64_t noted; /* of replaced */
};

/* A signal handler has nothing else to find its state by. */
static struct {
	struct mapping *mappings; /* by address */
	size_t count;
	size_t room;
	size_t single_pages; /* replaced so far */
	bool started;
	struct sigaction before;
	volatile sig_atomic_t has_notes;
} guard;

/* How many mappings begin at or below an address. The last of them is the one that can contain it. */
static size_t count_up_to(uintptr_t address)
{
	size_t low = 0;
	size_t high = guard.count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (guard.mappings[middle].begin <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct mapping *find(uintptr_t address)
{
	const size_t count = count_up_to(address);
	struct mapping *mapping = count ? &guard.mappings[count - 1] : NULL;

	return mapping && address < mapping->end ? mapping : NULL;
}

static uintptr_t page_bytes(void)
{
	return (uintptr_t)sysconf(_SC_PAGESIZE);
}

static bool map_zeros(uintptr_t address, size_t bytes, int protection)
{
	void *where = (void *)address; // NOLINT(performance-no-int-to-ptr)

	return mmap(where, bytes, protection,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == where;
}

/*
 * In the signal handler, as all that it calls: mmap() is a bare system call, and sysconf() of the page
 * size a load.
 */
static bool replace(uintptr_t address)
{
	struct mapping *mapping = find(address);
	const uintptr_t page = address & ~(page_bytes() - 1);

	if (!mapping)
		return false;
	if (guard.single_pages < MAX_SINGLE_PAGES) {
		if (!map_zeros(page, page_bytes(), mapping->protection))
			return false;
		guard.single_pages++;
	} else if (!map_zeros(mapping->begin, mapping->end - mapping->begin, mapping->protection)) {
		return false;
	}
	mapping->page = page;
	mapping->replaced++;
	guard.has_notes = 1;
	return true;
}

/* Whether it was an instruction that did it, which does it again when the handler returns. */
static bool comes_again(int code)
{
	return code == BUS_ADRALN || code == BUS_ADRERR || code == BUS_OBJERR ||
	       code == BUS_MCEERR_AR;
}

static void handle(int signal, siginfo_t *info, void *context)
{
	const int error = errno;

	(void)context;
	/* A page that cannot be had is an address error. Broken memory, BUS_MCEERR_*, is not ours. */
	if (info->si_code != BUS_ADRERR || !replace((uintptr_t)info->si_addr)) {
		sigaction(signal, &guard.before, NULL);
		if (!comes_again(info->si_code))
			raise(signal);
	}
	errno = error;
}

int guard_start(void)
{
	struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_ONSTACK};

	if (guard.started)
		return 0;
	sigemptyset(&action.sa_mask);
	if (sigaction(SIGBUS, &action, &guard.before))
		return -errno;
	guard.started = true;
	return 0;
}

void guard_stop(void)
{
	if (guard.started)
		sigaction(SIGBUS, &guard.before, NULL);
	free(guard.mappings);
	memset(&guard, 0, sizeof(guard));
}

static int make_room(void)
{
	const size_t room = guard.room ? 2 * guard.room : FIRST_ROOM;
	struct mapping *mappings;

	if (guard.count < guard.room)
		return 0;
	mappings = realloc(guard.mappings, room * sizeof(*mappings));
	if (!mappings)
		return -ENOMEM;
	guard.mappings = mappings;
	guard.room = room;
	return 0;
}

int guard_add(const void *address, size_t bytes, int protection)
{
	const uintptr_t begin = (uintptr_t)address;
	size_t place;
	int error;

	if (bytes == 0 || (begin | bytes) % page_bytes() || bytes > UINTPTR_MAX - begin)
		return -EINVAL;
	place = count_up_to(begin + bytes - 1);
	if (place > 0 && guard.mappings[place - 1].end > begin)
		return -EEXIST;
	error = make_room();
	if (error)
		return error;
	memmove(&guard.mappings[place + 1], &guard.mappings[place],
		(guard.count - place) * sizeof(*guard.mappings));
	guard.mappings[place] =
		(struct mapping){.begin = begin, .end = begin + bytes, .protection = protection};
	guard.count++;
	/* Before the caller touches the mapping, whose SIGBUS looks for it here. */
	atomic_signal_fence(memory_order_seq_cst);
	return 0;
}

void guard_remove(const void *address)
{
	struct mapping *mapping = find((uintptr_t)address);
	size_t place;

	if (!mapping || mapping->begin != (uintptr_t)address)
		return;
	place = (size_t)(mapping - guard.mappings);
	guard.count--;
	memmove(mapping, mapping + 1, (guard.count - place) * sizeof(*mapping));
}

bool guard_has_notes(void)
{
	return guard.has_notes;
}

bool guard_take_note(struct guard_note *note)
{
	if (!guard.has_notes)
		return false;
	guard.has_notes = 0;
	for (size_t i = 0; i < guard.count; i++) {
		struct mapping *mapping = &guard.mappings[i];

		if (mapping->replaced == mapping->noted)
			continue;
		*note = (struct guard_note){
			.address =
				(const void *)mapping->begin, // NOLINT(performance-no-int-to-ptr)
			.bytes = mapping->end - mapping->begin,
			.page = (const void *)mapping->page, // NOLINT(performance-no-int-to-ptr)
			.count = mapping->replaced - mapping->noted,
		};
		mapping->noted = mapping->replaced;
		guard.has_notes = 1; /* others may have notes too */
		return true;
	}
	return false;
}
