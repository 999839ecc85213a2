/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What hostile clients of crossvmd have in common: a descriptor of every kind, whose owner decides how
 * long a call on it takes; ways to send them; processes of other users; and two VMs that must not
 * notice any of it. No test here measures time: what must not be waited for never ends.
 */
#ifndef TESTS_HOSTILE_HOSTILE_H
#define TESTS_HOSTILE_HOSTILE_H

#include "tests/daemon/vm.h"

#include "descriptors.h"
#include "fuse.h"
#include "vfio_user/protocol.h"

/* Setup and teardown for tests of these: what hostile.c made is undone, whatever has failed. */
int hostile_setup(void **state);
int hostile_teardown(void **state);
#define HOSTILE_TEST(function) \
	cmocka_unit_test_setup_teardown(function, hostile_setup, hostile_teardown)

/*
 * Make one. All of HOSTILE_FUSE are one and the same; the caller closes all others, and never that.
 * Daemons must have been started before.
 */
int hostile_make(const struct daemon *daemon, enum hostile_kind kind);
/* Close it, if it is not HOSTILE_FUSE. */
void hostile_drop(enum hostile_kind kind, int fd);
/* The file behind HOSTILE_FUSE. */
struct fuse_file *hostile_fuse(void);

/*
 * Send bytes with up to 253 descriptors, without waiting.
 *
 * @return 0, or the errno: a daemon may have arranged that the kernel takes none (EPERM), or have
 *   closed already.
 */
int hostile_send(int fd, const void *data, size_t bytes, const int *fds, size_t num_fds);
/* A message of vfio-user, likewise. */
int hostile_command(int fd, uint16_t command, uint32_t flags, const void *payload, size_t bytes,
		    const int *fds, size_t num_fds);
/*
 * Connect to a socket of the daemon by its file name, as a client does that need not get in.
 *
 * @type: SOCK_SEQPACKET for the component socket, else SOCK_STREAM.
 * @return -1 if its queue is full and stays so.
 */
int hostile_connect(const struct daemon *daemon, const char *name, int type);
/* Agree on a version, as QEMU does first. @return whether the daemon has, instead of closing. */
bool hostile_agree(int fd);
/*
 * Connect as QEMU does and agree on a version, once the client before has gone. @return -1 if that
 * goes on for too long: the daemon may let an attacker wait.
 */
int hostile_qemu(const struct daemon *daemon, const char *name);
/* Wait until the other side has closed; what it sends until then is thrown away. */
void hostile_wait_end(int fd);

/*
 * A VM's register reads are answered: so many that what has been sent to the daemon before has been
 * served as well, for it serves who is ready in turn.
 */
void hostile_expect_answers(struct vm *vm);

/*
 * Run a function as another user in a process of its own, until it has returned; its assertions
 * count. The process, with what it has open, stays until the test ends.
 */
void hostile_as_user(uid_t user, void (*function)(const struct daemon *daemon),
		     const struct daemon *daemon);
/* Another child that is to end with the test. */
void hostile_note_child(pid_t child);
/* End all those now. */
void hostile_end_users(void);

/* Wait for a process that a test has signalled; fail, as nobody else's waiting ends either. */
int hostile_wait_exit(struct daemon *daemon);
/* What the daemon has said last, or a sanitizer of it, as far as a message has room. */
const char *hostile_end_of_log(const struct daemon *daemon);
/* SIGTERM to the holder, and wait for its end, which must be a good one. */
void hostile_stop(struct daemon *daemon);
void hostile_stop_by(struct daemon *daemon, int signal);

/* Stop the worker for a moment, so that what is sent meanwhile has arrived as a whole. */
void hostile_pause(const struct daemon *daemon, bool paused);

/* Descriptors of the daemon. */
size_t hostile_count_fds(const struct daemon *daemon);
/* Wait until there are as many (what is to be closed may take its time). */
void hostile_wait_fds(const struct daemon *daemon, size_t count);

/* Two VMs beside each other, of which v may be attacked, and two components. */
#define HOSTILE_SYSTEM                                                          \
	"vms: [{name: v}, {name: w}]\n"                                         \
	"components: [{name: a}, {name: b}]\n"                                  \
	"connections:\n"                                                        \
	"- {name: link, members: [{vm: v}, {vm: w}]}\n"                         \
	"- {name: mixed, members: [{vm: v}, {component: a}, {component: b}]}\n" \
	"- {name: bell, members: [{component: a}, {component: b}]}\n"

#endif
