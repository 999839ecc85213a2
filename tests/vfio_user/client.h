/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A vfio-user client for tests, and a device behind the server that remembers what it was asked.
 * Client and server take turns in one thread: client_send() lets the server work. For a server that
 * is not the one here, set client, serve and context only.
 */
#ifndef CROSSVM_TESTS_VFIO_USER_CLIENT_H
#define CROSSVM_TESTS_VFIO_USER_CLIENT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vfio_user/session.h"

#define TEST_BAR_BYTES    4096u  /* BAR0, trapped */
#define TEST_MEMORY_BYTES 12288u /* BAR2, mapped but for the last page of 16 KiB */
#define TEST_REGION_BYTES 16384u

struct test_server {
	/* Lets the server work after something was sent to it. */
	void (*serve)(struct test_server *server);
	void *context; /* of another server than the one in this file */

	struct vfio_user_session *session; /* shared with processes that are cloned */
	struct vfio_user_device device;
	int client; /* the client's end */
	int memory_fd;
	int result; /* what the server last said */

	/* What the device was asked. */
	unsigned char *bar; /* BAR0's bytes, shared likewise */
	unsigned int *writes;
	unsigned int resets;
	bool attached;
	bool level;
	bool pending;
	int watched;
	unsigned int held_up;
	bool no_interrupts; /* may_interrupt() says so */
	unsigned int complaints;
	char complaint[200];
};

/* Returns with a client that has not agreed on a version. */
struct test_server *server_start(void);
/* And one that has. */
struct test_server *server_start_negotiated(void);
void server_end(struct test_server *server);

/* A message to the client, with what came with it. */
struct test_reply {
	struct vfio_user_header header;
	union {
		unsigned char payload[WIRE_MESSAGE_BYTES];
		uint64_t aligned;
	};
	size_t payload_bytes;
	int fd; /* -1: none came; the caller closes it */
};

/* Send bytes as they are, with descriptors, and let the server work. */
void client_send_raw(struct test_server *server, const void *bytes, size_t count, const int *fds,
		     size_t num_fds);
/* Send a command. */
void client_send(struct test_server *server, uint16_t command, uint32_t flags, const void *payload,
		 size_t bytes, const int *fds, size_t num_fds);
/* Receive a reply; false if there is none. */
bool client_receive(struct test_server *server, struct test_reply *reply);
/* Send a command and receive its reply, of which the header is checked. */
struct test_reply client_ask(struct test_server *server, uint16_t command, const void *payload,
			     size_t bytes);
struct test_reply client_ask_with_fds(struct test_server *server, uint16_t command,
				      const void *payload, size_t bytes, const int *fds,
				      size_t num_fds);
/* Ask, and expect this errno (0: success). */
void client_expect(struct test_server *server, uint16_t command, const void *payload, size_t bytes,
		   uint32_t error);

/* Frequent commands. */
uint32_t client_set_irqs(struct test_server *server, uint32_t index, uint32_t flags, uint32_t count,
			 int fd);
void client_write(struct test_server *server, uint32_t region, uint64_t offset, const void *data,
		  uint32_t bytes);

/* How often an eventfd was written to since the last call. */
uint64_t eventfd_count(int fd);
/* How many descriptors this process has. */
unsigned int open_fds(void);

#endif
