/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An initramfs as it is written: a cpio archive in the "newc" format, uncompressed, everything
 * owned by root. Needs no rights and no tools. Folders that are missing are made; the old top
 * folders /bin, /sbin, /lib and /lib64 are links into /usr as on Debian, and paths are taken
 * through them.
 */
#ifndef CROSSVM_LAB_CPIO_H
#define CROSSVM_LAB_CPIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

struct lab_cpio {
	FILE *file;
	unsigned int next_inode;
	char **paths; /* all that was added, sorted */
	size_t num_paths;
};

/* @return 0 or -errno. */
int lab_cpio_create(struct lab_cpio *cpio, const char *path);

/*
 * End the archive, and close it also if that fails.
 *
 * @return 0, or -errno, also of what went wrong before (-ENOSPC).
 */
int lab_cpio_close(struct lab_cpio *cpio);

/* Is there something at that path already? */
bool lab_cpio_has(const struct lab_cpio *cpio, const char *path);

/*
 * Each adds something at an absolute path; what is added later replaces what was there.
 *
 * @return 0, or -errno of reading the source, -EINVAL (bad path), -ENOMEM. Errors of writing are
 *   reported by lab_cpio_close().
 */
int lab_cpio_dir(struct lab_cpio *cpio, const char *path, mode_t mode);
int lab_cpio_link(struct lab_cpio *cpio, const char *path, const char *target);
int lab_cpio_console(struct lab_cpio *cpio);
int lab_cpio_text(struct lab_cpio *cpio, const char *path, mode_t mode, const char *text);
/* mode 0: that of source */
int lab_cpio_file(struct lab_cpio *cpio, const char *path, mode_t mode, const char *source);

#endif
