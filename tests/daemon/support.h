/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tests of crossvmd share: start a real one on a system file in a folder of its own, talk to
 * it as a component does, kill its workers, end it. The daemon is argv[1] of every test.
 */
#ifndef TESTS_DAEMON_SUPPORT_H
#define TESTS_DAEMON_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include <crossvm/abi_component.h>

#include "tests/scratch.h"

struct daemon {
	char dir[SCRATCH_BYTES]; /* of everything; removed in the end */
	char sockets[80];        /* the socket directory, in dir */
	pid_t pid;               /* of the holder; 0: not running */
	int notify;              /* where it says READY */
	int log;                 /* its standard error; 0: the log file */
	bool default_user;       /* as root, do not say --user root */
	bool traced;             /* it lets its parent trace it */
};

/* What tests_main() was given. */
extern const char *daemon_program;

/* Runs the tests of a program; each is to have daemon_setup and daemon_teardown. */
int tests_main(int argc, char **argv, const struct CMUnitTest *tests, size_t count);
#define TESTS_MAIN(tests)                                                                 \
	int main(int argc, char **argv)                                                   \
	{                                                                                 \
		return tests_main(argc, argv, tests, sizeof(tests) / sizeof((tests)[0])); \
	}
#define DAEMON_TEST(function) \
	cmocka_unit_test_setup_teardown(function, daemon_setup, daemon_teardown)

/* Make a folder; *state is the struct daemon. Teardown ends what runs and removes the folder. */
int daemon_setup(void **state);
int daemon_teardown(void **state);

/* Write the system file; start, with up to four more arguments, and wait until it is ready. */
void daemon_start(struct daemon *daemon, const char *system, ...) __attribute__((sentinel));
/* Start it and wait for nothing. */
void daemon_spawn(struct daemon *daemon, const char *system, ...) __attribute__((sentinel));
/* Start it and wait for its end. @return its exit status; what it said is in the log. */
int daemon_run(struct daemon *daemon, const char *system, ...) __attribute__((sentinel));
/* SIGTERM, and wait. @return the exit status. */
int daemon_stop(struct daemon *daemon);
/* All that the daemon has said; to be freed. */
char *daemon_log(const struct daemon *daemon);
/* Wait until the log contains a text. */
void daemon_wait_log(const struct daemon *daemon, const char *text);
void daemon_assert_log(const struct daemon *daemon, const char *text);

/* Processes that the holder has started, by the role they name: "crossvmd:worker", "crossvmd:closer". */
size_t daemon_processes(const struct daemon *daemon, const char *role, pid_t *processes,
			size_t room);
/* Process id of the worker that runs now. */
pid_t daemon_worker(const struct daemon *daemon);
/* Kill the worker and wait until another one is there. */
void daemon_kill_worker(struct daemon *daemon, int signal);

/* A component's end of an opened connection. */
struct component {
	int socket;
	int event_fd;
	int dataport_fd; /* -1: none */
	int page_fd;
	const struct crossvm_status_page *page;
	struct crossvm_component_entry entry;
};

int component_connect(const struct daemon *daemon);
void component_send(int fd, const void *data, size_t bytes);
void component_request(int fd, enum crossvm_component_type type, const char *connection,
		       const char *component, uint32_t access);
/* Receive an answer. @return its size, 0 at the end. */
size_t component_receive(int fd, void *answer, size_t room, int *fds, size_t *num_fds);
/* Open; the daemon must agree. */
struct component component_open(const struct daemon *daemon, const char *connection,
				const char *component, uint32_t access);
/* The same, for what has been requested on this socket already. */
struct component component_opened(int socket, uint32_t access);
/* Open; the daemon must refuse with this error, and close. */
struct crossvm_component_failure component_open_refused(const struct daemon *daemon,
							const char *connection,
							const char *component, uint32_t access,
							int error);
/* The daemon must send a failure with this error, and close. */
struct crossvm_component_failure component_failed(int fd, int error);
void component_emit(const struct component *component);
/* Wait until the status page says so many events. */
void component_wait_total(const struct component *component, uint64_t total);
/* Wait until the status page says so of a peer. */
void component_wait_peer(const struct component *component, uint32_t member, uint32_t state,
			 uint32_t incarnation);
void component_close(struct component *component);

#define ACCESS_RO CROSSVM_ACCESS_READ
#define ACCESS_RW (CROSSVM_ACCESS_READ | CROSSVM_ACCESS_WRITE)

/* Three components; two connections. */
#define SYSTEM                                     \
	"components:\n"                            \
	"- name: a\n"                              \
	"- name: b\n"                              \
	"- name: c\n"                              \
	"connections:\n"                           \
	"- name: data\n"                           \
	"  dataport: 12 KiB\n"                     \
	"  members:\n"                             \
	"  - {component: a, access: read-write}\n" \
	"  - {component: b, access: read-only}\n"  \
	"  - {component: c, access: read-only}\n"  \
	"- name: bell\n"                           \
	"  members: [{component: a}, {component: b}]\n"

#endif
