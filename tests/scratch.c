/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/scratch.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_FOLDERS 8u /* at a time */

static char folders[MAX_FOLDERS][SCRATCH_BYTES]; /* "": free */
static pid_t owner;

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
	(void)status;
	(void)type;
	(void)where;
	return remove(path);
}

void scratch_remove(const char *path)
{
	for (unsigned int i = 0; i < MAX_FOLDERS; i++) {
		if (!folders[i][0] || strcmp(folders[i], path) != 0)
			continue;
		(void)nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
		folders[i][0] = '\0';
	}
}

/* Not by a child that ends in its own way. */
static void remove_all(void)
{
	if (getpid() != owner)
		return;
	for (unsigned int i = 0; i < MAX_FOLDERS; i++)
		scratch_remove(folders[i]);
}

/* One that its test has removed itself is free, too. */
static char *find_free(void)
{
	for (unsigned int i = 0; i < MAX_FOLDERS; i++)
		if (!folders[i][0] || access(folders[i], F_OK) != 0)
			return folders[i];
	return NULL;
}

void scratch_make(char path[SCRATCH_BYTES])
{
	char *folder = find_free();

	if (!owner) {
		owner = getpid();
		atexit(remove_all);
	}
	if (folder)
		strcpy(folder, "/tmp/crossvm-test-XXXXXX");
	if (!folder || !mkdtemp(folder)) {
		perror("a folder below /tmp");
		exit(1);
	}
	strcpy(path, folder);
}
