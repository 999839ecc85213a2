/* SPDX-License-Identifier: BSD-2-Clause */
#include "lab/programs.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lab/elf_file.h"
#include "lab/paths.h"
#include "lab/report.h"

#define MAX_DEPTH 32

/* Where an architecture's libraries are on the host; on a foreign one, Debian's cross libraries. */
struct arch_libraries {
	uint16_t machine;
	const char *name;
	const char *native_dirs;
	const char *foreign_root;
};

static const struct arch_libraries arch_libraries[] = {
	[CROSSVM_ARCH_X86_64] = {EM_X86_64, "x86_64",
				 "/usr/local/lib/x86_64-linux-gnu:/lib/x86_64-linux-gnu:"
				 "/usr/lib/x86_64-linux-gnu:/usr/local/lib:/lib64:/usr/lib64:"
				 "/lib:/usr/lib",
				 "/usr/x86_64-linux-gnu"},
	[CROSSVM_ARCH_AARCH64] = {EM_AARCH64, "aarch64",
				  "/usr/local/lib/aarch64-linux-gnu:/lib/aarch64-linux-gnu:"
				  "/usr/lib/aarch64-linux-gnu:/usr/local/lib:/lib64:/usr/lib64:"
				  "/lib:/usr/lib",
				  "/usr/aarch64-linux-gnu"},
};

static const char *machine_name(uint16_t machine)
{
	for (size_t i = 0; i < sizeof(arch_libraries) / sizeof(arch_libraries[0]); i++)
		if (arch_libraries[i].machine == machine)
			return arch_libraries[i].name;
	return "another architecture";
}

static bool is_for(const char *path, uint16_t machine)
{
	struct lab_elf elf;
	bool ok;

	if (lab_elf_open(&elf, path) < 0)
		return false;
	ok = elf.machine == machine;
	lab_elf_close(&elf);
	return ok;
}

/* Look for a library in folders separated by colons; $ORIGIN is the folder of who needs it. */
static bool search(const char *dirs, const char *origin, const char *name, uint16_t machine,
		   char *path)
{
	while (*dirs) {
		int length = (int)strcspn(dirs, ":");
		int n;

		if (strncmp(dirs, "$ORIGIN", 7) == 0)
			n = snprintf(path, PATH_MAX, "%s%.*s/%s", origin, length - 7, dirs + 7,
				     name);
		else
			n = snprintf(path, PATH_MAX, "%.*s/%s", length, dirs, name);
		if (length > 0 && n > 0 && n < PATH_MAX && is_for(path, machine))
			return true;
		dirs += length;
		dirs += *dirs == ':';
	}
	return false;
}

static int add_needs(struct lab_cpio *cpio, enum crossvm_arch arch, const char *source, int depth);

/* A library of the system keeps its place; any other goes where the guest's loader looks anyway. */
static int add_library(struct lab_cpio *cpio, enum crossvm_arch arch, const char *needer,
		       const char *runpath, const char *name, int depth)
{
	const struct arch_libraries *libraries = &arch_libraries[arch];
	const char *extra = getenv("LD_LIBRARY_PATH");
	char origin[PATH_MAX], path[PATH_MAX], foreign[PATH_MAX], destination[PATH_MAX];
	int error;

	snprintf(foreign, sizeof(foreign), "%s/lib", libraries->foreign_root);
	snprintf(origin, sizeof(origin), "%s", needer);
	*(strrchr(origin, '/') ? strrchr(origin, '/') : origin) = '\0';
	snprintf(destination, sizeof(destination), "/usr/lib/%s", name);
	if (search(runpath, origin, name, libraries->machine, path) ||
	    (extra && search(extra, origin, name, libraries->machine, path)) ||
	    search(foreign, origin, name, libraries->machine, path)) {
		/* goes to /usr/lib */
	} else if (arch == lab_native_arch() &&
		   search(libraries->native_dirs, origin, name, libraries->machine, path)) {
		snprintf(destination, sizeof(destination), "%s", path);
	} else {
		lab_error("%s needs the library %s, which this machine does not have for %s",
			  needer, name, libraries->name);
		return -ENOENT;
	}
	if (lab_cpio_has(cpio, destination))
		return 0;
	error = lab_cpio_file(cpio, destination, 0755, path);
	if (error) {
		lab_error("cannot copy %s into the guest: %s", path, strerror(-error));
		return error;
	}
	return add_needs(cpio, arch, path, depth + 1);
}

static int add_interpreter(struct lab_cpio *cpio, enum crossvm_arch arch, const char *interpreter)
{
	char path[PATH_MAX];
	int error;

	if (lab_cpio_has(cpio, interpreter))
		return 0;
	snprintf(path, sizeof(path), "%s%s",
		 arch == lab_native_arch() ? "" : arch_libraries[arch].foreign_root, interpreter);
	error = lab_cpio_file(cpio, interpreter, 0755, path);
	if (error)
		lab_error("cannot copy the dynamic loader %s into the guest: %s", path,
			  strerror(-error));
	return error;
}

static int add_needs(struct lab_cpio *cpio, enum crossvm_arch arch, const char *source, int depth)
{
	struct lab_elf elf;
	int error = lab_elf_open(&elf, source);

	/* Anything but a program has no needs; what cannot be read was reported by the copy. */
	if (error)
		return 0;
	if (depth > MAX_DEPTH)
		error = -ELOOP;
	if (!error && elf.machine != arch_libraries[arch].machine) {
		lab_error("%s is a program for %s, but the VM is %s", source,
			  machine_name(elf.machine), arch_libraries[arch].name);
		error = -ENOEXEC;
	}
	if (!error && elf.interpreter[0])
		error = add_interpreter(cpio, arch, elf.interpreter);
	for (size_t i = 0; i < elf.num_needed && !error; i++)
		if (!strchr(elf.needed[i], '/'))
			error = add_library(cpio, arch, source, elf.runpath, elf.needed[i], depth);
	lab_elf_close(&elf);
	return error;
}

static int add_folder(struct lab_cpio *cpio, enum crossvm_arch arch, const char *destination,
		      const char *source);

static int add_entry(struct lab_cpio *cpio, enum crossvm_arch arch, const char *destination,
		     const char *source)
{
	char target[PATH_MAX];
	struct stat st;
	ssize_t n;

	if (lstat(source, &st) < 0)
		return -errno;
	if (!S_ISLNK(st.st_mode))
		return lab_add_program(cpio, arch, destination, 0, source);
	n = readlink(source, target, sizeof(target) - 1);
	if (n < 0)
		return -errno;
	target[n] = '\0';
	return lab_cpio_link(cpio, destination, target);
}

static int add_folder(struct lab_cpio *cpio, enum crossvm_arch arch, const char *destination,
		      const char *source)
{
	char from[PATH_MAX], to[PATH_MAX];
	const struct dirent *entry;
	DIR *dir = opendir(source);
	int error;

	if (!dir)
		return -errno;
	error = lab_cpio_dir(cpio, destination, 0755);
	while (!error && (entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (snprintf(from, sizeof(from), "%s/%s", source, entry->d_name) >= PATH_MAX ||
		    snprintf(to, sizeof(to), "%s/%s", destination, entry->d_name) >= PATH_MAX)
			error = -ENAMETOOLONG;
		else
			error = add_entry(cpio, arch, to, from);
	}
	closedir(dir);
	return error;
}

int lab_add_program(struct lab_cpio *cpio, enum crossvm_arch arch, const char *destination,
		    mode_t mode, const char *source)
{
	struct stat st;
	int error;

	if (stat(source, &st) == 0 && S_ISDIR(st.st_mode))
		return add_folder(cpio, arch, destination, source);
	error = lab_cpio_file(cpio, destination, mode, source);
	if (error) {
		lab_error("cannot copy %s to %s in the guest: %s", source, destination,
			  strerror(-error));
		return error;
	}
	return add_needs(cpio, arch, source, 0);
}
