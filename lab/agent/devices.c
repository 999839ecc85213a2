/* SPDX-License-Identifier: BSD-2-Clause */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lab/agent/agent.h"

#define DEVICE_DIR "/dev/crossvm"
#define UIO_CLASS  "/sys/class/uio"
#define PORT_CLASS "/sys/class/virtio-ports"
#define PORT_NAME  "crossvm.agent"
#define GROUP      "crossvm"

int agent_open_uevents(void)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = 1};
	int bytes = 1 << 20;
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			NETLINK_KOBJECT_UEVENT);

	if (fd < 0)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* A uevent is a list of strings, each ended by NUL. */
static bool uevent_says(const char *event, size_t length, const char *line)
{
	size_t at = 0;

	while (at < length) {
		if (strcmp(event + at, line) == 0)
			return true;
		at += strlen(event + at) + 1;
	}
	return false;
}

void agent_read_uevents(int fd, bool *port_appeared)
{
	char event[8192];
	bool uio = false;

	for (;;) {
		ssize_t n = recv(fd, event, sizeof(event) - 1, 0);

		if (n < 0 && errno == EINTR)
			continue;
		/* Events were dropped: look at everything. */
		if (n < 0 && errno == ENOBUFS) {
			uio = true;
			*port_appeared = true;
			continue;
		}
		if (n <= 0)
			break;
		event[n] = '\0';
		if (uevent_says(event, (size_t)n, "SUBSYSTEM=uio"))
			uio = true;
		if (uevent_says(event, (size_t)n, "SUBSYSTEM=virtio-ports"))
			*port_appeared = true;
	}
	if (uio)
		agent_name_devices();
}

static int read_line(const char *path, char *line, int bytes)
{
	FILE *file = fopen(path, "re");

	if (!file)
		return -errno;
	if (!fgets(line, bytes, file))
		line[0] = '\0';
	fclose(file);
	line[strcspn(line, "\n")] = '\0';
	return 0;
}

static gid_t device_group(void)
{
	FILE *file = fopen("/etc/group", "re");
	const struct group *entry;
	gid_t gid = 0;

	if (!file)
		return 0;
	while ((entry = fgetgrent(file)))
		if (strcmp(entry->gr_name, GROUP) == 0)
			gid = entry->gr_gid;
	fclose(file);
	return gid;
}

/* Is it a device of our module? Others have a UIO name that is not a connection's. */
static bool is_crossvm(const char *uio)
{
	char path[128], target[256];
	const char *driver;
	ssize_t n;

	snprintf(path, sizeof(path), UIO_CLASS "/%s/device/driver", uio);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return false;
	target[n] = '\0';
	driver = strrchr(target, '/');
	return driver && strcmp(driver + 1, "uio_crossvm") == 0;
}

static void name_device(const char *uio)
{
	char path[128], name[64] = "", link[160], target[64];

	snprintf(path, sizeof(path), UIO_CLASS "/%.32s/name", uio);
	if (!is_crossvm(uio) || read_line(path, name, sizeof(name)) < 0)
		return;
	/* The name is the device's own claim: nothing but a plain file name is taken. */
	if (name[0] == '\0' || name[0] == '.' || strchr(name, '/'))
		return;
	snprintf(link, sizeof(link), DEVICE_DIR "/%s", name);
	snprintf(target, sizeof(target), "../%.32s", uio);
	(void)symlink(target, link);
	snprintf(path, sizeof(path), "/dev/%.32s", uio);
	(void)chown(path, 0, device_group());
	(void)chmod(path, 0660);
}

/* Does the link still lead to the device of its name? Others may come and go meanwhile. */
static bool is_current(int dir, const char *link)
{
	char target[64], path[128], name[64] = "";
	ssize_t n = readlinkat(dir, link, target, sizeof(target) - 1);

	if (n <= 3)
		return false;
	target[n] = '\0';
	snprintf(path, sizeof(path), UIO_CLASS "/%.32s/name", target + strlen("../"));
	return read_line(path, name, sizeof(name)) == 0 && strcmp(name, link) == 0;
}

static void remove_stale_names(void)
{
	DIR *dir = opendir(DEVICE_DIR);
	const struct dirent *entry;

	if (!dir)
		return;
	while ((entry = readdir(dir)))
		if (entry->d_type == DT_LNK && !is_current(dirfd(dir), entry->d_name))
			(void)unlinkat(dirfd(dir), entry->d_name, 0);
	closedir(dir);
}

void agent_name_devices(void)
{
	DIR *dir = opendir(UIO_CLASS);
	const struct dirent *entry;

	(void)mkdir(DEVICE_DIR, 0755);
	remove_stale_names();
	if (!dir)
		return;
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			name_device(entry->d_name);
	closedir(dir);
}

int agent_open_port(void)
{
	DIR *dir = opendir(PORT_CLASS);
	const struct dirent *entry;
	char path[320], name[64];
	int fd = -ENODEV;

	if (!dir)
		return -errno;
	while (fd < 0 && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), PORT_CLASS "/%s/name", entry->d_name);
		if (entry->d_name[0] == '.' || read_line(path, name, sizeof(name)) < 0 ||
		    strcmp(name, PORT_NAME) != 0)
			continue;
		snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
		fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
		if (fd < 0)
			fd = -errno;
	}
	closedir(dir);
	return fd;
}
