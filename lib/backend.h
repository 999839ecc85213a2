/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lib/: libcrossvm. It may include the public headers and nothing else of the tree.
 *
 * What a connection is inside the library, and what a backend, one way of reaching a connection,
 * has to offer. connection.c and wait.c are the same for all backends.
 */
#ifndef CROSSVM_LIB_BACKEND_H
#define CROSSVM_LIB_BACKEND_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <crossvm/abi.h>
#include <crossvm/connection.h>

#include "lib/mapping.h"

struct crossvm_connection;

struct crossvm_backend_ops {
	int (*emit)(struct crossvm_connection *conn);
	/*
	 * Forget the wake-ups so far and see to it that the next event wakes. The waiter looks at
	 * the total after it and before sleep(), so that no event falls in between.
	 */
	int (*arm)(struct crossvm_connection *conn);
	/*
	 * Sleep until woken. timeout_ms as in crossvm_connection_wait().
	 * @return 0 (perhaps for nothing), -ETIMEDOUT, -EINTR or another -errno.
	 */
	int (*sleep)(struct crossvm_connection *conn, int timeout_ms);
	/* As crossvm_connection_fd(). */
	int (*fd)(const struct crossvm_connection *conn);
	/* Give back what the backend holds, and conn itself. Accepts a half-built connection. */
	void (*close)(struct crossvm_connection *conn);
};

/* The part of a connection that all backends have; each embeds it as its first member. */
struct crossvm_connection {
	const struct crossvm_backend_ops *ops;
	char name[CROSSVM_NAME_BYTES];
	unsigned int access; /* CROSSVM_OPEN_* */
	struct crossvm_connection_info info;
	struct crossvm_mapping dataport;
	struct crossvm_mapping status;    /* none: device of revision 1 */
	struct crossvm_mapping registers; /* none: not needed by what was opened */
	struct crossvm_mapping doorbell;  /* the other member's page; none: not in use */
	_Atomic uint64_t counted;         /* the total where there is no status page (any more) */
	_Atomic int gone;                 /* -errno once the host side or the device has gone */
	/* Of the waiting thread. */
	uint64_t seen_total;
	uint32_t seen_generation;
};

/* What was asked for, through all of the backends. */
struct crossvm_open_request {
	const char *root; /* before every path, "" but in tests */
	const char *name;
	unsigned int access;
	const struct crossvm_open_options *options; /* never NULL */
};

/*
 * The backends. Besides 0 and -errno (with a sentence), which end a search, opening may tell that it
 * is worth trying the next one; listing may return CROSSVM_NOTHING_HERE.
 */
#define CROSSVM_NOTHING_HERE 1 /* nothing of this kind */
#define CROSSVM_NOT_BY_NAME  2 /* something, but none of that name; with a sentence */

struct crossvm_list;

int crossvm_component_open(const struct crossvm_open_request *request,
			   struct crossvm_connection **conn);
int crossvm_component_list(const char *root, const struct crossvm_open_options *options,
			   struct crossvm_list *list);
int crossvm_uio_open(const struct crossvm_open_request *request, struct crossvm_connection **conn);
int crossvm_uio_list(const char *root, struct crossvm_list *list);
/* Stock vfio-pci, in a guest that has an IOMMU. */
int crossvm_vfio_connection_open(const struct crossvm_open_request *request,
				 struct crossvm_connection **conn);
int crossvm_vfio_connection_list(const char *root, struct crossvm_list *list);
/* Stock uio_pci_generic where it is bound, the PCI resources alone where nothing is. */
int crossvm_pci_open(const struct crossvm_open_request *request, struct crossvm_connection **conn);
int crossvm_pci_list(const char *root, struct crossvm_list *list);

/* What backends share. */

/* Set what the base needs before anything else; conn is zeroed memory. */
void crossvm_connection_prepare(struct crossvm_connection *conn,
				const struct crossvm_backend_ops *ops,
				const struct crossvm_open_request *request,
				enum crossvm_backend backend);
/* Take what wait compares with; the last step of opening. */
void crossvm_connection_start(struct crossvm_connection *conn);
/* Undo the mappings of the base and free conn. */
void crossvm_connection_release(struct crossvm_connection *conn);

/*
 * Refuse what this member may not: -EACCES with a sentence that says who and what to do. name is
 * this member's, or "" where it has none.
 */
int crossvm_access_check(const struct crossvm_connection *conn, const char *name);

/* Emit through the register of a guest's device. */
int crossvm_register_emit(struct crossvm_connection *conn);

/*
 * Whether a guest's device is known to have been removed. Its memory has gone with it, so nothing of
 * it may be touched; a component's stays.
 */
static inline bool crossvm_connection_unplugged(const struct crossvm_connection *conn)
{
	return atomic_load_explicit(&conn->gone, memory_order_relaxed) == -ENODEV;
}

/* Record that the other side has gone. @return error. */
int crossvm_connection_gone(struct crossvm_connection *conn, int error, const char *sentence);

/* As the public functions, below another root than "". */
int crossvm_connection_open_below(const struct crossvm_open_request *request,
				  struct crossvm_connection **conn);
int crossvm_connection_list_below(const char *root, const struct crossvm_open_options *options,
				  struct crossvm_list_entry **entries);

#endif
