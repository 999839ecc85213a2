/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of this module know of each other. A connection is driven from its events function
 * (events.c), joined there by its memory function (memory.c) and its doorbell (doorbell.c) where it
 * has them, and shown to processes as a UIO device while it is complete (connection.c).
 */
#ifndef UIO_CROSSVM_H
#define UIO_CROSSVM_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/spinlock.h>
#include <linux/uio_driver.h>

#include <crossvm/abi.h>

/* What a process can map. The index of the UIO map differs: there may be no dataport. */
enum crossvm_map {
	CROSSVM_MAP_REGISTERS,
	CROSSVM_MAP_DATAPORT,
	CROSSVM_MAP_STATUS,
	CROSSVM_MAP_DOORBELL, /* the other member's count */
	CROSSVM_MAP_RING,     /* pages CROSSVM_RING_* */
	CROSSVM_MAP_COUNT,
};

/* The pages of the map with which a process rings by itself. */
enum crossvm_ring_page {
	CROSSVM_RING_EMITTED, /* the count of this member */
	CROSSVM_RING_REGISTERS,
	CROSSVM_RING_PAGES,
};

enum crossvm_irq {
	CROSSVM_IRQ_NONE,
	CROSSVM_IRQ_INTX,
	CROSSVM_IRQ_MSI,
};

struct crossvm_connection;

struct crossvm_doorbell {
	struct pci_dev *pdev;
	void __iomem *registers;
	struct resource *rest; /* of the page of the registers; NULL: it is not all ours */
	struct crossvm_doorbell_page *pages; /* the other VM may write them at any time */
	u32 position;
	int irq; /* 0: without MSI-X it can be rung, but not listened at */

	struct mutex lock; /* of connection */
	struct crossvm_connection *connection;
};

struct crossvm_connection {
	struct pci_dev *pdev; /* events function */
	void __iomem *registers;

	/* From the registers; of revision 1, what it stands for. */
	unsigned int revision;
	u32 connection_id;
	u32 member_id;
	u32 features;
	u32 access;
	u32 status_offset;
	u64 dataport_bytes;
	char name[CROSSVM_NAME_BYTES];
	char version[sizeof("4294967295")];
	enum crossvm_irq irq;
	bool missed; /* events before there was an interrupt handler */

	/* Guest-physical addresses, in whichever function; 0: there is none. */
	resource_size_t status_start;
	resource_size_t dataport_start;
	resource_size_t doorbell_start;
	resource_size_t ring_start[CROSSVM_RING_PAGES];

	struct crossvm_doorbell *doorbell; /* NULL: none is bound */
	char doorbell_irq_name[CROSSVM_NAME_BYTES + sizeof("-doorbell")];

	/* While the connection is complete. */
	struct uio_info info;
	int map_index[CROSSVM_MAP_COUNT]; /* of info.mem; negative: there is none */
	struct crossvm_status_page *status;

	struct mutex lock; /* of running, openers, and the control register */
	bool running;
	struct list_head openers;

	spinlock_t notice_lock; /* of what readers were told last */
	u32 noticed_events;
	u32 noticed_generation;
	bool wake_for_peers;
	bool wake_for_doorbell; /* under lock */
};

static inline struct crossvm_connection *crossvm_connection_of(struct uio_info *info)
{
	return container_of(info, struct crossvm_connection, info);
}

/* A word of the status page, which the host may change at any time. */
static inline u32 crossvm_status_read(const u32 *word)
{
	return le32_to_cpu((__force __le32)READ_ONCE(*word));
}

static inline u64 crossvm_status_read64(const u64 *word)
{
	return le64_to_cpu((__force __le64)READ_ONCE(*word));
}

static inline const char *crossvm_access_name(const struct crossvm_connection *conn)
{
	if (!conn->dataport_bytes)
		return "none";
	return conn->access & CROSSVM_ACCESS_WRITE ? "read-write" : "read-only";
}

static inline const char *crossvm_irq_name(const struct crossvm_connection *conn)
{
	static const char *const names[] = {
		[CROSSVM_IRQ_NONE] = "none",
		[CROSSVM_IRQ_INTX] = "intx",
		[CROSSVM_IRQ_MSI] = "msi",
	};

	return names[conn->irq];
}

static inline bool crossvm_is_split(const struct crossvm_connection *conn)
{
	return !conn->status_offset && (conn->features & CROSSVM_FEATURE_STATUS_PAGE);
}

/* events.c: 0 where a BAR is memory of at least bytes in pages, or -ENODEV with a message. */
int crossvm_bar_check(struct pci_dev *pdev, unsigned int bar, u64 bytes);

/* memory.c: id of the connection that dev is a bound memory function of; 0: it is none. */
extern struct pci_driver crossvm_memory_driver;
u32 crossvm_memory_connection_id(struct device *dev);

/* doorbell.c: whether an events function has a doorbell; whether dev is that, and bound. */
extern struct pci_driver crossvm_doorbell_driver;
bool crossvm_doorbell_is_beside(struct pci_dev *events);
bool crossvm_doorbell_is_of(struct device *dev, struct pci_dev *events);
/* Emit by conn's doorbell. false: nobody may have heard, emit by the register. */
bool crossvm_doorbell_emit(struct crossvm_connection *conn);

/* connection.c: start makes the UIO device and the interrupt, stop takes them away. */
int crossvm_connection_start(struct crossvm_connection *conn);
void crossvm_connection_stop(struct crossvm_connection *conn);
/* A process counts what comes by the doorbell. */
void crossvm_connection_listen(struct crossvm_connection *conn);
/* For ever: this kernel ends. Files stay open, but nobody is told of anything any more. */
void crossvm_connection_quiet(struct crossvm_connection *conn);
/* The device has lost its control register, and interrupts meanwhile: a reset, a resume. */
void crossvm_connection_recover(struct crossvm_connection *conn);

/* mapping.c: fill info's maps and mmap handler; take all mappings of a file from all processes. */
void crossvm_mapping_setup(struct crossvm_connection *conn);
void crossvm_mapping_revoke(struct inode *inode);

/* attributes.c */
extern const struct attribute_group crossvm_attributes;

#endif
