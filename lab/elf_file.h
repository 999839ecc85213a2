/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the image builder must know of an ELF file: which libraries a program needs, where it looks
 * for them, and which modules a kernel module needs.
 */
#ifndef CROSSVM_LAB_ELF_FILE_H
#define CROSSVM_LAB_ELF_FILE_H

#include <stddef.h>
#include <stdint.h>

struct lab_elf {
	uint8_t *bytes; /* mapped, read-only */
	size_t length;
	uint16_t machine;        /* EM_X86_64, ... */
	const char *interpreter; /* "" if none: a static program or a library */
	const char *runpath;     /* "" if none */
	const char *depends;     /* of a kernel module: names with commas between; "" if none */
	const char **needed;     /* names of libraries */
	size_t num_needed;
};

/*
 * Read a 64-bit little-endian ELF file. Its strings point into the file's contents, which stay
 * mapped until lab_elf_close().
 *
 * @return 0, -ENOEXEC (another kind of file), -EINVAL (damaged), or what opening it gave.
 */
int lab_elf_open(struct lab_elf *elf, const char *path);
void lab_elf_close(struct lab_elf *elf);

#endif
