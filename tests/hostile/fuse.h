/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A file of a FUSE file system whose server answers when a test lets it: until then a process that
 * closes, asks about, polls, reads or writes the file waits, also if it is killed. The server is a child
 * in a mount namespace of its own, so that nothing stays mounted, and ends with the test however that
 * ends.
 */
#ifndef TESTS_HOSTILE_FUSE_H
#define TESTS_HOSTILE_FUSE_H

#include <linux/fuse.h>

#include <sys/types.h>

struct fuse_shared;

struct fuse_file {
	pid_t server; /* 0: none */
	int control;  /* the server's end is here; it ends when this is closed */
	int fd;       /* the file, open for reading and writing */
	struct fuse_shared *shared;
};

/*
 * Start a server and open its file, whose mount point is made in a folder. From now on nothing is
 * answered. Fails the test, and says what is missing, if this machine cannot.
 *
 * Programs must not be started between this and fuse_answer(): they would have to close the file.
 */
void fuse_open(struct fuse_file *file, const char *folder);
/* In a child of the test, first of all: the server does not end with the child. */
void fuse_forget(struct fuse_file *file);
/* How often the server was asked for something (FUSE_FLUSH: a close) while it does not answer. */
unsigned int fuse_asked(const struct fuse_file *file, enum fuse_opcode what);
/* And for anything at all. */
unsigned int fuse_asked_anything(const struct fuse_file *file);
/* Answer what waits, and from now on at once. */
void fuse_answer(struct fuse_file *file);
/* Answer, close the file, end the server. Accepts one that is not open. */
void fuse_close(struct fuse_file *file);

#endif
