/* SPDX-License-Identifier: BSD-2-Clause */
#include "lab/elf_file.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* More libraries than any program has; a damaged file may claim any number. */
#define MAX_NEEDED 256

static bool is_inside(const struct lab_elf *elf, uint64_t offset, uint64_t bytes)
{
	return offset <= elf->length && bytes <= elf->length - offset;
}

/* The string at an offset of the file, or NULL if it does not end inside of [offset, end). */
static const char *string_at(const struct lab_elf *elf, uint64_t offset, uint64_t end)
{
	if (end > elf->length)
		end = elf->length;
	if (offset >= end || !memchr(elf->bytes + offset, '\0', end - offset))
		return NULL;
	return (const char *)elf->bytes + offset;
}

static int map_file(struct lab_elf *elf, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *bytes;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || (size_t)st.st_size < sizeof(Elf64_Ehdr)) {
		close(fd);
		return -ENOEXEC;
	}
	bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (bytes == MAP_FAILED)
		return -errno;
	elf->bytes = bytes;
	elf->length = (size_t)st.st_size;
	return 0;
}

static int read_header(struct lab_elf *elf, Elf64_Ehdr *header)
{
	memcpy(header, elf->bytes, sizeof(*header));
	if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
	    header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB)
		return -ENOEXEC;
	if (header->e_phnum > 0 &&
	    (header->e_phentsize != sizeof(Elf64_Phdr) ||
	     !is_inside(elf, header->e_phoff, (uint64_t)header->e_phnum * sizeof(Elf64_Phdr))))
		return -EINVAL;
	elf->machine = header->e_machine;
	return 0;
}

static Elf64_Phdr program_header(const struct lab_elf *elf, const Elf64_Ehdr *header,
				 unsigned int i)
{
	Elf64_Phdr segment;

	memcpy(&segment, elf->bytes + header->e_phoff + i * sizeof(segment), sizeof(segment));
	return segment;
}

/* Where an address of the loaded program is in the file; the file's length if nowhere. */
static uint64_t file_offset(const struct lab_elf *elf, const Elf64_Ehdr *header, uint64_t address)
{
	for (unsigned int i = 0; i < header->e_phnum; i++) {
		Elf64_Phdr segment = program_header(elf, header, i);

		if (segment.p_type == PT_LOAD && address >= segment.p_vaddr &&
		    address - segment.p_vaddr < segment.p_filesz &&
		    is_inside(elf, segment.p_offset, segment.p_filesz))
			return segment.p_offset + (address - segment.p_vaddr);
	}
	return elf->length;
}

static int add_needed(struct lab_elf *elf, const char *name)
{
	const char **needed;

	if (elf->num_needed == MAX_NEEDED)
		return -EINVAL;
	needed = realloc(elf->needed, (elf->num_needed + 1) * sizeof(*needed));
	if (!needed)
		return -ENOMEM;
	elf->needed = needed;
	elf->needed[elf->num_needed++] = name;
	return 0;
}

static int read_dynamic(struct lab_elf *elf, const Elf64_Ehdr *header, const Elf64_Phdr *segment)
{
	size_t count = segment->p_filesz / sizeof(Elf64_Dyn);
	uint64_t strings = elf->length;
	Elf64_Dyn entry;
	int error = 0;

	if (!is_inside(elf, segment->p_offset, segment->p_filesz))
		return -EINVAL;
	for (size_t i = 0; i < count; i++) {
		memcpy(&entry, elf->bytes + segment->p_offset + i * sizeof(entry), sizeof(entry));
		if (entry.d_tag == DT_STRTAB)
			strings = file_offset(elf, header, entry.d_un.d_ptr);
	}
	for (size_t i = 0; i < count && !error; i++) {
		const char *name;

		memcpy(&entry, elf->bytes + segment->p_offset + i * sizeof(entry), sizeof(entry));
		if (entry.d_tag == DT_NULL)
			break;
		if (entry.d_tag != DT_NEEDED && entry.d_tag != DT_RUNPATH &&
		    entry.d_tag != DT_RPATH)
			continue;
		if (entry.d_un.d_val > elf->length)
			return -EINVAL;
		name = string_at(elf, strings + entry.d_un.d_val, elf->length);
		if (!name)
			return -EINVAL;
		if (entry.d_tag == DT_NEEDED)
			error = add_needed(elf, name);
		else
			elf->runpath = name;
	}
	return error;
}

static int read_segments(struct lab_elf *elf, const Elf64_Ehdr *header)
{
	for (unsigned int i = 0; i < header->e_phnum; i++) {
		Elf64_Phdr segment = program_header(elf, header, i);
		int error = 0;

		if (segment.p_type == PT_INTERP) {
			elf->interpreter = string_at(elf, segment.p_offset, elf->length);
			error = elf->interpreter ? 0 : -EINVAL;
		} else if (segment.p_type == PT_DYNAMIC) {
			error = read_dynamic(elf, header, &segment);
		}
		if (error)
			return error;
	}
	return 0;
}

/* The strings of a module's .modinfo section are "key=value". */
static void read_modinfo(struct lab_elf *elf, const Elf64_Shdr *section)
{
	uint64_t end = section->sh_offset + section->sh_size;

	for (uint64_t at = section->sh_offset; at < end;) {
		const char *line = string_at(elf, at, end);

		if (!line)
			return;
		if (strncmp(line, "depends=", strlen("depends=")) == 0)
			elf->depends = line + strlen("depends=");
		at += strlen(line) + 1;
	}
}

static void read_sections(struct lab_elf *elf, const Elf64_Ehdr *header)
{
	Elf64_Shdr names, section;
	uint64_t table = header->e_shoff;

	if (header->e_shentsize != sizeof(section) || header->e_shstrndx >= header->e_shnum ||
	    !is_inside(elf, table, (uint64_t)header->e_shnum * sizeof(section)))
		return;
	memcpy(&names, elf->bytes + table + header->e_shstrndx * sizeof(names), sizeof(names));
	if (!is_inside(elf, names.sh_offset, names.sh_size))
		return;
	for (unsigned int i = 0; i < header->e_shnum; i++) {
		const char *name;

		memcpy(&section, elf->bytes + table + i * sizeof(section), sizeof(section));
		name = string_at(elf, names.sh_offset + section.sh_name,
				 names.sh_offset + names.sh_size);
		if (name && strcmp(name, ".modinfo") == 0 &&
		    is_inside(elf, section.sh_offset, section.sh_size))
			read_modinfo(elf, &section);
	}
}

int lab_elf_open(struct lab_elf *elf, const char *path)
{
	Elf64_Ehdr header;
	int error;

	*elf = (struct lab_elf){.interpreter = "", .runpath = "", .depends = ""};
	error = map_file(elf, path);
	if (!error)
		error = read_header(elf, &header);
	if (!error)
		error = read_segments(elf, &header);
	if (error) {
		lab_elf_close(elf);
		return error;
	}
	read_sections(elf, &header);
	return 0;
}

void lab_elf_close(struct lab_elf *elf)
{
	if (elf->bytes)
		munmap(elf->bytes, elf->length);
	free(elf->needed);
	*elf = (struct lab_elf){.interpreter = "", .runpath = "", .depends = ""};
}
