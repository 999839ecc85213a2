/* SPDX-License-Identifier: BSD-2-Clause */
/* Descriptors of every kind, as a hostile client has them: their owner decides how long a call takes. */
#ifndef TESTS_HOSTILE_DESCRIPTORS_H
#define TESTS_HOSTILE_DESCRIPTORS_H

enum hostile_kind {
	HOSTILE_EVENTFD,
	HOSTILE_SEMAPHORE, /* an eventfd of that mode, with a huge count */
	HOSTILE_FULL,      /* an eventfd, full and blocking */
	HOSTILE_EPOLL,     /* readable for good, but not by read() */
	HOSTILE_PIPE,      /* the reading end of one that has something */
	HOSTILE_FULL_PIPE, /* the writing end of one that is full, blocking */
	HOSTILE_UNIX,
	HOSTILE_TCP,  /* closing it waits 600 s for a peer that does not read */
	HOSTILE_FUSE, /* nearly every call waits for its server, which does not answer */
	HOSTILE_MEMFD,
	HOSTILE_NULL, /* /dev/null */
	HOSTILE_OURS, /* a socket of crossvmd itself */
	HOSTILE_KINDS,
};

const char *hostile_name(enum hostile_kind kind);

/* Make one of those that take nothing but this process. @return a descriptor, or -1 with errno. */
int descriptor_make(enum hostile_kind kind);
/* Let go of what stands behind those that were made: TCP sockets have no peer any more. */
void descriptors_forget(void);

/* Close one without waiting, also if it is the last of a TCP socket that lingers. */
void descriptor_close(int fd);
/* The same eventfd, full and blocking, as HOSTILE_FULL. */
void descriptor_fill(int event_fd);

#endif
