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
 * Every operation that a guest can cause is idempotent, given the same state before the last guest
 * read: applying it twice is the same as once. (A host that dies between applying and answering
 * applies it again.) The one exception is an emit, which is handed to ops->emit.
 *
 * Thread-safety: crossvm_device_events_*() and crossvm_device_peer_set() may run in another thread
 * than everything else of the same device. All other calls on one device must be serialised by the
 * caller. Different devices are independent.
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
	bool msi;                /* offer MSI (hosts that can deliver it) */
	bool peers;              /* the host reports peer states (CROSSVM_FEATURE_PEERS) */
	bool reads_untrapped;    /* the guest reads registers from crossvm_device.mirror */
};

struct crossvm_function_state {
	uint8_t config[CROSSVM_CONFIG_BYTES];   /* what a read returns, but for STATUS bit 3 */
	uint8_t writable[CROSSVM_CONFIG_BYTES]; /* bits that a guest's write changes */
};

struct crossvm_device_state {
	struct crossvm_device_options options;
	struct crossvm_function_state functions[CROSSVM_FUNCTION_COUNT];
	_Atomic uint64_t total;      /* events ever */
	_Atomic uint32_t generation; /* of peer changes */
	uint64_t acked_total;        /* events the guest has acknowledged */
	uint64_t read_total;         /* what its last read of count or pending showed */
	uint32_t acked_generation;   /* peer changes, likewise */
	uint32_t read_generation;
	uint32_t latched_total_high;
	_Atomic uint32_t control; /* CROSSVM_CONTROL_* */
};

struct crossvm_device_ops {
	/* The guest emitted, one event. Called from crossvm_device_registers_write(). */
	void (*emit)(void *context);
	/*
	 * The guest wrote something that may have changed crossvm_device_intx_level(): an
	 * acknowledgement, INTx disable, control. May be NULL.
	 */
	void (*interrupt_changed)(void *context);
	/* The guest stored a new CROSSVM_CONTROL_* value, or reset cleared it. May be NULL. */
	void (*control_changed)(void *context, uint32_t control);
};

struct crossvm_device {
	struct crossvm_device_state *state;
	struct crossvm_status_page *status;
	/*
	 * With options.reads_untrapped: the page that the guest sees in place of the registers. The
	 * device keeps it up to date; the host maps it read-only. Otherwise NULL.
	 */
	void *mirror;
	const struct crossvm_device_ops *ops;
	void *context;
};

/*
 * Make state a device in its power-on state and fill the status page (and mirror, where there is
 * one: may be NULL otherwise). options is copied.
 *
 * @return NULL, or what is wrong with options as a static sentence for a person.
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
 * writes. Identity, capabilities and status are read-only whatever a guest writes; BARs size and
 * relocate as PCI says; COMMAND keeps memory, bus master and INTx disable.
 */
void crossvm_device_config_read(struct crossvm_device *dev, enum crossvm_function function,
				uint32_t offset, void *data, size_t bytes);
void crossvm_device_config_write(struct crossvm_device *dev, enum crossvm_function function,
				 uint32_t offset, const void *data, size_t bytes);

/* Guest-physical address in a BAR (both halves of a 64-bit one), low bits cleared. */
uint64_t crossvm_device_bar_address(const struct crossvm_device_state *state,
				    enum crossvm_function function, unsigned int bar);

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

/* Record events for the guest in state and status page; the caller then interrupts. */
void crossvm_device_events_add(struct crossvm_device *dev, uint64_t count);
/* The same as an absolute total: repeating it, or an older one, does nothing. */
void crossvm_device_events_set(struct crossvm_device *dev, uint64_t total);

/* Record a member's state. Returns whether it changed, and so whether generation did. */
bool crossvm_device_peer_set(struct crossvm_device *dev, uint32_t member_id,
			     struct crossvm_peer_status status);
/* Publish a member's name in the status page; truncated to CROSSVM_NAME_MAX. */
void crossvm_device_peer_name(struct crossvm_device *dev, uint32_t member_id, const char *name);

/* Whether INTA is asserted: something is unacknowledged and INTx is not disabled. */
bool crossvm_device_intx_level(struct crossvm_device *dev);
/* Whether a change of peers is to interrupt (CROSSVM_CONTROL_PEER_CHANGES). */
bool crossvm_device_wants_peer_changes(struct crossvm_device *dev);

/* As after power-on, except that events are never uncounted and peers stay as they are. */
void crossvm_device_reset(struct crossvm_device *dev);

#endif
