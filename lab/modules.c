/* SPDX-License-Identifier: BSD-2-Clause */
#include "lab/modules.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "lab/elf_file.h"
#include "lab/report.h"

#define MODULE_LIST "/etc/crossvm/modules"
/* Of dependencies; those of Linux end after three or four. */
#define MAX_DEPTH 16

/* Loaded by the agent, in this order after what they depend on. */
static const char *const boot_modules[] = {"virtio_pci", "virtio_console", "uio"};
/* There for who wants them: other ways to reach the device, and files from the host. */
static const char *const more_modules[] = {"uio_pci_generic", "vfio-pci", "vfio_iommu_type1",
					   "virtio-rng"};

struct module {
	char *name;    /* with '_' for '-' */
	char *path;    /* below the kernel's folder modules/; of ours: absolute */
	char *depends; /* names with commas between; NULL before it was added */
	bool added;
};

struct modules {
	struct lab_cpio *cpio;
	const char *kernel;
	char release[128];
	struct module *list;
	size_t count;
	char *to_load; /* contents of MODULE_LIST */
	size_t to_load_bytes;
	FILE *load;
	char *dependencies; /* contents of modules.dep */
	size_t dependencies_bytes;
	FILE *dep;
};

static void plain_name(const char *path, char *name, size_t bytes)
{
	const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;

	snprintf(name, bytes, "%.*s", (int)strcspn(base, "."), base);
	for (; *name; name++)
		if (*name == '-')
			*name = '_';
}

static int remember(struct modules *modules, const char *path)
{
	struct module *list = realloc(modules->list, (modules->count + 1) * sizeof(*modules->list));
	char name[128];

	if (!list)
		return -ENOMEM;
	plain_name(path, name, sizeof(name));
	modules->list = list;
	list[modules->count] = (struct module){.name = strdup(name), .path = strdup(path)};
	if (!list[modules->count].name || !list[modules->count].path) {
		free(list[modules->count].name);
		free(list[modules->count].path);
		return -ENOMEM;
	}
	modules->count++;
	return 0;
}

static struct module *find(struct modules *modules, const char *wanted)
{
	char name[128];

	plain_name(wanted, name, sizeof(name));
	for (size_t i = 0; i < modules->count; i++)
		if (strcmp(modules->list[i].name, name) == 0)
			return &modules->list[i];
	return NULL;
}

/* modules.order lists every module of the kernel, a path a line: no need to walk the folder. */
static int read_order(struct modules *modules)
{
	char path[PATH_MAX], line[512];
	FILE *file;
	int error = 0;

	snprintf(path, sizeof(path), "%s/modules/modules.order", modules->kernel);
	file = fopen(path, "re");
	if (!file) {
		error = -errno;
		lab_error("cannot read %s: %s", path, strerror(-error));
		return error;
	}
	while (!error && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		error = remember(modules, line);
	}
	fclose(file);
	return error;
}

static int read_release(struct modules *modules)
{
	char path[PATH_MAX];
	FILE *file;
	bool ok;

	snprintf(path, sizeof(path), "%s/release", modules->kernel);
	file = fopen(path, "re");
	ok = file && fgets(modules->release, sizeof(modules->release), file);
	if (file)
		fclose(file);
	modules->release[strcspn(modules->release, "\n")] = '\0';
	if (!ok)
		lab_error("cannot read %s", path);
	return ok ? 0 : -EINVAL;
}

static int add_module(struct modules *modules, struct module *module, bool load, int depth);

/* Add what a module depends on, given as names with commas between. */
static int add_dependencies(struct modules *modules, const char *depends, bool load, int depth)
{
	int error = 0;

	while (*depends && !error) {
		char name[128];
		size_t length = strcspn(depends, ",");
		struct module *module;

		snprintf(name, sizeof(name), "%.*s", (int)length, depends);
		module = find(modules, name);
		/* Not in the list: built into the kernel. */
		if (module)
			error = add_module(modules, module, load, depth + 1);
		depends += length;
		depends += *depends == ',';
	}
	return error;
}

/* All that a module needs, in reverse order: modprobe loads a line from its end, and no more. */
static void write_needed(struct modules *modules, const struct module *module, int depth)
{
	const char *depends = module->depends;

	while (depends && *depends && depth <= MAX_DEPTH) {
		char name[128];
		size_t length = strcspn(depends, ",");
		const struct module *needed;

		snprintf(name, sizeof(name), "%.*s", (int)length, depends);
		needed = find(modules, name);
		if (needed) {
			fprintf(modules->dep, " %s", needed->path);
			write_needed(modules, needed, depth + 1);
		}
		depends += length;
		depends += *depends == ',';
	}
}

static void write_dependencies(struct modules *modules, const struct module *module)
{
	fprintf(modules->dep,
		"%s:", module->path[0] == '/' ? "extra/uio_crossvm.ko" : module->path);
	write_needed(modules, module, 0);
	fprintf(modules->dep, "\n");
}

static int add_module(struct modules *modules, struct module *module, bool load, int depth)
{
	bool ours = module->path[0] == '/';
	char source[PATH_MAX], destination[PATH_MAX];
	struct lab_elf elf;
	int error;

	if (module->added || depth > MAX_DEPTH)
		return 0;
	module->added = true;
	if (ours)
		snprintf(source, sizeof(source), "%s", module->path);
	else
		snprintf(source, sizeof(source), "%s/modules/%s", modules->kernel, module->path);
	snprintf(destination, sizeof(destination), "/usr/lib/modules/%s/%s", modules->release,
		 ours ? "extra/uio_crossvm.ko" : module->path);
	error = lab_elf_open(&elf, source);
	if (!error) {
		module->depends = strdup(elf.depends);
		error = module->depends ? 0 : -ENOMEM;
		lab_elf_close(&elf);
	}
	if (!error)
		error = add_dependencies(modules, module->depends, load, depth);
	if (!error) {
		write_dependencies(modules, module);
		error = lab_cpio_file(modules->cpio, destination, 0644, source);
	}
	if (!error && load)
		fprintf(modules->load, "%s\n", destination);
	if (error)
		lab_error("cannot take the kernel module %s into the guest: %s", source,
			  strerror(-error));
	return error;
}

static int add_all(struct modules *modules, const char *ours)
{
	int error = 0;

	for (size_t i = 0; i < sizeof(boot_modules) / sizeof(boot_modules[0]) && !error; i++) {
		struct module *module = find(modules, boot_modules[i]);

		if (module)
			error = add_module(modules, module, true, 0);
	}
	if (ours && !error)
		error = remember(modules, ours);
	if (ours && !error)
		error = add_module(modules, &modules->list[modules->count - 1], true, 0);
	for (size_t i = 0; i < sizeof(more_modules) / sizeof(more_modules[0]) && !error; i++) {
		struct module *module = find(modules, more_modules[i]);

		if (module)
			error = add_module(modules, module, false, 0);
	}
	return error;
}

static int write_lists(struct modules *modules)
{
	char path[PATH_MAX];
	int error;

	if (fflush(modules->load) != 0 || fflush(modules->dep) != 0)
		return -ENOMEM;
	error = lab_cpio_text(modules->cpio, MODULE_LIST, 0644, modules->to_load);
	snprintf(path, sizeof(path), "/usr/lib/modules/%s/modules.dep", modules->release);
	return error ? error : lab_cpio_text(modules->cpio, path, 0644, modules->dependencies);
}

int lab_add_modules(struct lab_cpio *cpio, const char *kernel, const char *ours)
{
	struct modules modules = {.cpio = cpio, .kernel = kernel};
	int error = read_release(&modules);

	modules.load = open_memstream(&modules.to_load, &modules.to_load_bytes);
	modules.dep = open_memstream(&modules.dependencies, &modules.dependencies_bytes);
	if (!modules.load || !modules.dep)
		error = -ENOMEM;
	if (!error)
		error = read_order(&modules);
	if (!error)
		error = add_all(&modules, ours);
	if (!error)
		error = write_lists(&modules);
	if (modules.load)
		fclose(modules.load);
	if (modules.dep)
		fclose(modules.dep);
	free(modules.to_load);
	free(modules.dependencies);
	for (size_t i = 0; i < modules.count; i++) {
		free(modules.list[i].name);
		free(modules.list[i].path);
		free(modules.list[i].depends);
	}
	free(modules.list);
	return error;
}
