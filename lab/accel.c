/* SPDX-License-Identifier: BSD-2-Clause */
#include "lab/accel.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab/report.h"

#define KVM     "/dev/kvm"
#define BOOT_ID "/proc/sys/kernel/random/boot_id"

static void read_text(const char *path, char *text, int bytes)
{
	FILE *file = fopen(path, "re");

	text[0] = '\0';
	if (!file)
		return;
	if (!fgets(text, bytes, file))
		text[0] = '\0';
	fclose(file);
	text[strcspn(text, "\n")] = '\0';
}

static void memory_path(const char *data, char *path)
{
	snprintf(path, PATH_MAX, "%s/kvm-failed", data);
}

static bool has_failed(const char *data)
{
	char path[PATH_MAX], boot[64], failed[64];

	memory_path(data, path);
	read_text(path, failed, sizeof(failed));
	read_text(BOOT_ID, boot, sizeof(boot));
	return boot[0] && strcmp(boot, failed) == 0;
}

void lab_accel_remember_failure(const char *data)
{
	char path[PATH_MAX], boot[64];
	FILE *file;

	memory_path(data, path);
	read_text(BOOT_ID, boot, sizeof(boot));
	file = fopen(path, "we");
	if (!file)
		return;
	fprintf(file, "%s\n", boot);
	fclose(file);
}

static int check_kvm(void)
{
	int error = access(KVM, R_OK | W_OK) == 0 ? 0 : errno;

	if (error)
		lab_error("CROSSVM_ACCEL asks for KVM, but " KVM
			  " cannot be used: %s; %s, or unset "
			  "CROSSVM_ACCEL to have the VMs emulated",
			  strerror(error),
			  error == EACCES ? "add yourself to its group"
					  : "load the module kvm_intel, kvm_amd or kvm");
	return -error;
}

static int choose_by_wish(const char *wish, enum lab_accel_choice *choice)
{
	if (strcmp(wish, "tcg") == 0) {
		*choice = LAB_ACCEL_TCG;
		return 0;
	}
	if (strcmp(wish, "kvm") == 0) {
		*choice = LAB_ACCEL_KVM;
		return check_kvm();
	}
	lab_error("CROSSVM_ACCEL is '%s', but may be tcg or kvm only", wish);
	return -EINVAL;
}

int lab_accel_choose(const char *data, enum lab_accel_choice *choice)
{
	const char *wish = getenv("CROSSVM_ACCEL");
	int fd;

	if (wish && wish[0])
		return choose_by_wish(wish, choice);
	*choice = LAB_ACCEL_TCG;
	fd = open(KVM, O_RDWR | O_CLOEXEC);
	if (fd < 0 && errno == EACCES)
		lab_progress("no right to use " KVM " (add yourself to its group): the VMs are "
			     "emulated, which is slower");
	else if (fd < 0)
		lab_progress("this machine has no KVM (%s): the VMs are emulated, which is slower",
			     strerror(errno));
	else if (has_failed(data))
		lab_progress("KVM does not run guests on this machine: the VMs are emulated");
	else
		*choice = LAB_ACCEL_TRY;
	if (fd >= 0)
		close(fd);
	return 0;
}
