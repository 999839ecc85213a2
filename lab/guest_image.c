/* SPDX-License-Identifier: BSD-2-Clause */
#include "lab/guest_image.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lab/cpio.h"
#include "lab/modules.h"
#include "lab/programs.h"
#include "lab/report.h"

static const struct {
	const char *path;
	mode_t mode;
	const char *text;
} texts[] = {
	{"/etc/passwd", 0644,
	 "root:x:0:0:root:/root:/bin/sh\n"
	 "user:x:1000:1000:user:/home/user:/bin/sh\n"
	 "nobody:x:65534:65534:nobody:/:/bin/sh\n"},
	{"/etc/group", 0644,
	 "root:x:0:\n"
	 "tty:x:5:\n"
	 "crossvm:x:900:user\n"
	 "user:x:1000:\n"
	 "nogroup:x:65534:\n"},
	{"/etc/hosts", 0644, "127.0.0.1 localhost\n"},
	{"/etc/profile", 0644, "export PS1='\\u@\\h:\\w\\$ '\n"},
};

static const struct {
	const char *path;
	mode_t mode;
} folders[] = {
	{"/dev", 0755},  {"/proc", 0555}, {"/sys", 0555},  {"/run", 0755},
	{"/tmp", 01777}, {"/root", 0700}, {"/home", 0755}, {"/var", 0755},
};

static int add_base(struct lab_cpio *cpio, const struct lab_guest_parts *parts)
{
	int error = lab_cpio_file(cpio, "/init", 0755, parts->agent);

	if (!error)
		error = lab_cpio_file(cpio, "/usr/bin/busybox", 0755, parts->busybox);
	/* The one name that is needed before the agent makes the others. */
	if (!error)
		error = lab_cpio_link(cpio, "/usr/bin/sh", "busybox");
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]) && !error; i++)
		error = lab_cpio_dir(cpio, folders[i].path, folders[i].mode);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]) && !error; i++)
		error = lab_cpio_text(cpio, texts[i].path, texts[i].mode, texts[i].text);
	if (!error)
		error = lab_cpio_console(cpio);
	if (error)
		lab_error("cannot build the guest's image: %s", strerror(-error));
	return error;
}

static int add_all(struct lab_cpio *cpio, const struct crossvm_system_vm *vm,
		   const struct lab_guest_parts *parts)
{
	int error = add_base(cpio, parts);

	if (!error)
		error = lab_add_modules(cpio, parts->kernel, parts->module);
	if (!error && parts->crossvm)
		error = lab_add_program(cpio, vm->arch, "/usr/bin/crossvm", 0755, parts->crossvm);
	for (size_t i = 0; i < vm->num_files && !error; i++)
		error = lab_add_program(cpio, vm->arch, vm->files[i].destination, vm->files[i].mode,
					vm->files[i].source);
	return error;
}

int lab_guest_image(const char *path, const struct crossvm_system_vm *vm,
		    const struct lab_guest_parts *parts)
{
	struct lab_cpio cpio;
	int error = lab_cpio_create(&cpio, path);
	int closed;

	if (error) {
		lab_error("cannot create %s: %s", path, strerror(-error));
		return error;
	}
	error = add_all(&cpio, vm, parts);
	closed = lab_cpio_close(&cpio);
	if (closed && !error)
		lab_error("cannot write the guest's image %s: %s", path, strerror(-closed));
	error = error ? error : closed;
	if (error)
		(void)unlink(path);
	return error;
}
