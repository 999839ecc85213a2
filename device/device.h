/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * device/: the virtual PCI device as a guest sees it: config space, event registers, status page.
 * Freestanding C11: no OS header, no allocation, no globals; memcpy and memset are all it needs.
 * It may include <crossvm/abi.h> and nothing else of the tree. The only code that meets guest
 * input.
 *
 * A device is two parts. Its state is plain data without pointers, so that a host can keep it in
 * memory that outlives a process and pick it up again. Its handle, struct crossvm_device, binds the
 * state to this process: status page, callbacks.
 *
 * Every operation that a guest can cause is idempotent: applying it twice in a row is the same as
 * once. (A host that dies between applying and answering applies it again.) Exceptions are the
 * callbacks, among them ops->emit, and an acknowledgement with options.reads_untrapped.
 *
 * Thread-safety, of one device (different devices are independent):
 *
 *	any thread		crossvm_device_events_*(), _intx_level()
 *	one thread at a time	crossvm_device_peer_*(), _listener_set(), _wants_peer_changes()
 *	one thread at a time	guest input: _config_*(), _registers_*(); and all other calls
 *	nothing beside it	_state_init(), _reset(), _recover()
 *
 * The first three may run at the same time. None of them blocks or waits for another.
 *
 * Callbacks run in the thread of guest input, within the call that causes them, and in no other. So
 * with options.reads_untrapped, threads that record something for the guest interrupt it themselves,
 * see "Events and peers" below.
 */
#ifndef CROSSVM_DEVICE_DEVICE_H
#define CROSSVM_DEVICE_DEVICE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <crossvm/abi.h>

#define CROSSVM_CONFIG_BYTES 256u

enum crossvm_layout {
	CROSSVM_LAYOUT_SPLIT,  /* events function and memory function */
	CROSSVM_LAYOUT_SINGLE, /* one function with everything */
};

enum crossvm_function {
	CROSSVM_FUNCTION_EVENTS, /* in the single layout, the only one */
	CROSSVM_FUNCTION_MEMORY,
	CROSSVM_FUNCTION_COUNT,
};

/* What a device is; all of it fixed for the device's life. */
struct crossvm_device_options {
	enum crossvm_layout layout;
	char name[CROSSVM_NAME_BYTES]; /* with NUL */
	uint32_t connection_id;        /* not 0 */
	uint32_t member_id;            /* < member_count */
	uint32_t member_count;         /* 1..CROSSVM_MAX_MEMBERS */
	uint32_t access;         /* CROSSVM_ACCESS_*, READ at least when there is a dataport */
	uint64_t dataport_bytes; /* whole pages; 0: event-only */
	uint64_t writers;        /* by member id, who may write the dataport; 0: not told */
	bool msi;                /* offer MSI (hosts that can deliver it) */
	bool peers;              /* the host reports peer states (CROSSVM_FEATURE_PEERS) */
	bool doorbell;           /* the host has a doorbell function for it; split layout only */
	bool reads_untrapped;    /* the guest reads registers from crossvm_device.mirror */
};

struct crossvm_function_state {
	uint8_t config[CROSSVM_CONFIG_BYTES];   /* what a read returns, but for STATUS bit 3 */
	uint8_t writable[CROSSVM_CONFIG_BYTES]; /* bits that a guest's write changes */
};

/*
 * Of events and peer changes there are three marks each: how many there were, how many the guest
 * was shown (by a read of the count, or by the mirror), and how many it has acknowledged. An
 * acknowledgement moves the third to the second, so what came in between stays pending.
 *
 * Where there is a mirror, a fourth says how much of what was shown stands in it by now. Only that
 * interrupts.
 */
struct crossvm_device_state {
	struct crossvm_device_options options;
	struct crossvm_function_state functions[CROSSVM_FUNCTION_COUNT];
	_Atomic uint64_t total; /* events ever */
	_Atomic uint64_t shown_total;
	_Atomic uint64_t mirrored_total;
	_Atomic uint64_t acked_total;
	_Atomic uint32_t generation; /* peer changes ever */
	_Atomic uint32_t shown_generation;
	_Atomic uint32_t mirrored_generation;
	_Atomic uint32_t acked_generation;
	_Atomic uint32_t control;    /* CROSSVM_CONTROL_* */
	_Atomic uint64_t listeners;  /* by member id, who takes events from its doorbell function */
	_Atomic uint32_t attended;   /* the guest has used a register since reset */
	_Atomic uint32_t intx_off;   /* COMMAND or an enabled MSI keep INTA from being asserted */
	_Atomic uint32_t changes;    /* that the pages must follow */
	_Atomic uint32_t publishing; /* a thread is writing them */
	uint64_t latched_total;      /* what CROSSVM_REG_TOTAL_EVENTS shows */
	/* Copies of what stands in the status page, which the guest may have overwritten. */
	struct crossvm_peer_status peers[CROSSVM_MAX_MEMBERS];
	uint8_t peer_names[CROSSVM_MAX_MEMBERS][CROSSVM_NAME_BYTES];
};

struct crossvm_device_ops {
	/* The guest emitted, one event. Called from crossvm_device_registers_write(). May be NULL. */
	void (*emit)(void *context);
	/*
	 * The guest wrote something that may have changed crossvm_device_intx_level(): an
	 * acknowledgement, COMMAND, MSI control, CONTROL, its first access; or reset did. Called even if the level is
	 * still the same, so that an edge can be raised again for what is still pending. May be
	 * NULL.
	 */
	void (*interrupt_changed)(void *context);
	/* The guest stored CROSSVM_CONTROL_*, maybe the same again, or reset did. May be NULL. */
	void (*control_changed)(void *context, uint32_t control);
};

struct crossvm_device {
	struct crossvm_device_state *state;
	struct crossvm_status_page *status;
	/*
	 * With options.reads_untrapped: the page that the guest sees in place of the registers. The
	 * device keeps it up to date; the host maps it read-only. Since no read is seen there, a
	 * count that is not 0 stands still until the guest acknowledges it. Otherwise NULL.
	 */
	void *mirror;
	const struct crossvm_device_ops *ops; /* NULL: nobody is told */
	void *context;
};

/* What is wrong with options, as a static sentence for a person; NULL if nothing. */
const char *crossvm_device_options_check(const struct crossvm_device_options *options);

/*
 * Make state a device in its power-on state and fill the status page (and mirror, where there is
 * one: may be NULL otherwise), both zeroed by the caller. options is copied. Here and later the two
 * pages are touched with aligned 32 and 64-bit stores only and never read (but for a trapped read
 * where there is a mirror), so they may be device memory.
 *
 * @return as crossvm_device_options_check(); if not NULL, nothing was touched.
 */
const char *crossvm_device_state_init(struct crossvm_device_state *state,
				      struct crossvm_status_page *status, void *mirror,
				      const struct crossvm_device_options *options);

/* The size of a BAR as config space advertises it: a power of two, or 0 where there is none. */
uint64_t crossvm_device_bar_bytes(const struct crossvm_device_state *state,
				  enum crossvm_function function, unsigned int bar);

/* How many functions the layout has: 2 or 1. */
unsigned int crossvm_device_function_count(const struct crossvm_device_state *state);

/*
 * Config space. Any offset and length: bytes from CROSSVM_CONFIG_BYTES on read as zero and ignore
 * writes; a function that the layout does not have reads as all ones. Identity, capabilities and
 * status are read-only whatever a guest writes; BARs size and relocate as PCI says; COMMAND keeps
 * memory, bus master and INTx disable.
 */
void crossvm_device_config_read(struct crossvm_device *dev, enum crossvm_function function,
				uint32_t offset, void *data, size_t bytes);
void crossvm_device_config_write(struct crossvm_device *dev, enum crossvm_function function,
				 uint32_t offset, const void *data, size_t bytes);

/* Guest-physical address in a BAR (both halves of a 64-bit one), low bits cleared. */
uint64_t crossvm_device_bar_address(const struct crossvm_device_state *state,
				    enum crossvm_function function, unsigned int bar);

/* Whether a BAR takes addresses above 4 GiB. */
bool crossvm_device_bar_is_64bit(const struct crossvm_device_state *state,
				 enum crossvm_function function, unsigned int bar);

/*
 * What firmware does, for hosts without any, after state_init: give a BAR an address (a multiple of
 * its size); enable memory decoding of a function, and tell the guest its interrupt line.
 */
void crossvm_device_bar_assign(struct crossvm_device_state *state, enum crossvm_function function,
			       unsigned int bar, uint64_t address);
void crossvm_device_enable(struct crossvm_device_state *state, enum crossvm_function function,
			   uint8_t interrupt_line);

/* COMMAND register of a function: memory 0x2, bus master 0x4, INTx disable 0x400. */
uint16_t crossvm_device_command(const struct crossvm_device_state *state,
				enum crossvm_function function);

/*
 * The register page: BAR0 of the events function, its first page in the single layout. Any offset
 * and length; see abi.h for what a width means.
 */
void crossvm_device_registers_read(struct crossvm_device *dev, uint32_t offset, void *data,
				   size_t bytes);
void crossvm_device_registers_write(struct crossvm_device *dev, uint32_t offset, const void *data,
				    size_t bytes);

/*
 * Events and peers. A call of these records something for the guest in state and status page. Then the
 * caller interrupts the guest.
 *
 * With options.reads_untrapped the guest must be interrupted only when the mirror shows it why, and one
 * thread at a time publishes, also what other threads have recorded meanwhile. So a call may return
 * before what it recorded is published, and a call may have published what it did not record. Both
 * come right if every thread, after every such call, interrupts the guest if
 * crossvm_device_intx_level() says so; status.c has the argument. A thread that cannot interrupt must
 * see to it that another one does so after the call.
 */

/* Record events. */
void crossvm_device_events_add(struct crossvm_device *dev, uint64_t count);
/*
 * The same as an absolute total: repeating it, or an older one, does nothing. Returns whether the
 * total has grown.
 */
bool crossvm_device_events_set(struct crossvm_device *dev, uint64_t total);

/*
 * Record a member's state. Returns whether it changed, and so whether generation did. Unknown
 * members do nothing.
 */
bool crossvm_device_peer_set(struct crossvm_device *dev, uint32_t member_id,
			     struct crossvm_peer_status status);
/* Publish a member's name in the status page; truncated to CROSSVM_NAME_MAX. */
void crossvm_device_peer_name(struct crossvm_device *dev, uint32_t member_id, const char *name);

/*
 * Tell the guest whether another member takes events from its doorbell function. Unknown members do
 * nothing. When this returns, the status page says so.
 */
void crossvm_device_listener_set(struct crossvm_device *dev, uint32_t member_id, bool listens);

/*
 * Whether INTA is asserted: something is unacknowledged, INTx is not disabled, MSI is not enabled,
 * and the guest has used a register since reset (where reads trap): a device that nobody drives yet
 * must not disturb others on its line.
 */
bool crossvm_device_intx_level(struct crossvm_device *dev);
/* Whether a change of peers is to interrupt (CROSSVM_CONTROL_PEER_CHANGES). */
bool crossvm_device_wants_peer_changes(struct crossvm_device *dev);
/*
 * Whether to interrupt the guest after crossvm_device_peer_set() has returned true: it wants to hear of
 * changes of peers; or, with options.reads_untrapped, INTA is asserted, since the call may have
 * published events of other threads. In the thread of crossvm_device_peer_set().
 */
bool crossvm_device_peer_interrupts(struct crossvm_device *dev);

/*
 * Whether something is unacknowledged that the guest wants to be interrupted for, however it is
 * interrupted. A guest that uses the status page alone never acknowledges.
 */
bool crossvm_device_pending(struct crossvm_device *dev);

/*
 * One function as after power-on, except that events are never uncounted nor acknowledged, and
 * peers stay as they are. Registers belong to the events function. The status page is filled anew.
 */
void crossvm_device_reset(struct crossvm_device *dev, enum crossvm_function function);

/*
 * Pick up a state whose process died at any instant: finish what it was publishing. The caller then
 * applies the guest input that was not answered again, and interrupts the guest once, since an
 * interrupt may have been lost too.
 */
void crossvm_device_recover(struct crossvm_device *dev);

#endif
