/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab/agent/agent.h"

#define MODULE_LIST "/etc/crossvm/modules"
#define BOOT_SCRIPT "/etc/rc.local"

static void mount_or_say(const char *type, const char *target, unsigned long flags,
			 const char *options)
{
	(void)mkdir(target, 0755);
	/* devtmpfs may be there already. */
	if (mount(type, target, type, flags, options) < 0 && errno != EBUSY)
		printf("crossvm: cannot mount %s on %s: %s\n", type, target, strerror(errno));
}

static void mount_all(void)
{
	mount_or_say("proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	mount_or_say("sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	mount_or_say("devtmpfs", "/dev", MS_NOSUID, "mode=0755");
	mount_or_say("devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "mode=0620,gid=5,ptmxmode=0666");
	mount_or_say("tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, "mode=1777");
	mount_or_say("tmpfs", "/run", MS_NOSUID | MS_NODEV, "mode=0755");
	mount_or_say("tmpfs", "/tmp", MS_NOSUID | MS_NODEV, "mode=1777");
	(void)symlink("/proc/self/fd", "/dev/fd");
	(void)symlink("/proc/self/fd/0", "/dev/stdin");
	(void)symlink("/proc/self/fd/1", "/dev/stdout");
	(void)symlink("/proc/self/fd/2", "/dev/stderr");
}

static void load_module(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		printf("crossvm: cannot open the module %s: %s\n", path, strerror(errno));
		return;
	}
	if (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST)
		printf("crossvm: cannot load the module %s: %s\n", path, strerror(errno));
	close(fd);
}

/* The image lists the modules in the order of their dependencies. */
static void load_modules(void)
{
	char line[256];
	FILE *list = fopen(MODULE_LIST, "re");

	if (!list)
		return;
	while (fgets(line, sizeof(line), list)) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '/')
			load_module(line);
	}
	fclose(list);
}

static void loopback_up(void)
{
	struct ifreq request = {.ifr_name = "lo"};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	request.ifr_flags = IFF_UP | IFF_RUNNING;
	(void)ioctl(fd, SIOCSIFFLAGS, &request);
	close(fd);
}

/* Everything in the image is root's: the users' folders are made here. */
static void make_homes(void)
{
	FILE *file = fopen("/etc/passwd", "re");
	const struct passwd *entry;

	if (!file)
		return;
	while ((entry = fgetpwent(file))) {
		if (strncmp(entry->pw_dir, "/home/", strlen("/home/")) != 0)
			continue;
		(void)mkdir(entry->pw_dir, 0755);
		(void)chown(entry->pw_dir, entry->pw_uid, entry->pw_gid);
	}
	fclose(file);
}

/* A name for each of busybox' tools, but for those that the image has already. */
static void install_busybox(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

		dup2(null, STDERR_FILENO);
		execl("/usr/bin/busybox", "busybox", "--install", "-s", "/usr/bin", (char *)NULL);
		_exit(1);
	}
	if (pid > 0)
		(void)waitpid(pid, NULL, 0);
}

/* The VM's name is the kernel parameter crossvm.name. */
static void find_name(char *name, size_t bytes)
{
	char line[2048];
	const char *found;
	FILE *file = fopen("/proc/cmdline", "re");

	snprintf(name, bytes, "guest");
	if (!file)
		return;
	if (fgets(line, sizeof(line), file)) {
		found = strstr(line, "crossvm.name=");
		if (found) {
			found += strlen("crossvm.name=");
			snprintf(name, bytes, "%.*s", (int)strcspn(found, " \n"), found);
		}
	}
	fclose(file);
}

void agent_boot(struct agent *agent)
{
	(void)chmod("/", 0755);
	mount_all();
	find_name(agent->name, sizeof(agent->name));
	(void)sethostname(agent->name, strlen(agent->name));
	loopback_up();
	make_homes();
	install_busybox();
	agent->uevent_fd = agent_open_uevents();
	load_modules();
	agent_name_devices();
}

/* The terminal behind /dev/console, such as ttyS0: only that can be a controlling terminal. */
static void console_path(char *path, size_t bytes)
{
	char active[64] = "";
	const char *last;
	FILE *file = fopen("/sys/class/tty/console/active", "re");

	if (file) {
		if (!fgets(active, sizeof(active), file))
			active[0] = '\0';
		fclose(file);
	}
	active[strcspn(active, "\n")] = '\0';
	last = strrchr(active, ' ');
	last = last ? last + 1 : active;
	snprintf(path, bytes, "/dev/%s", *last ? last : "console");
}

static void unblock_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

void agent_start_console_shell(struct agent *agent)
{
	char path[80];
	struct agent_user root;
	int fd;

	agent->console_shell = fork();
	if (agent->console_shell != 0)
		return;
	unblock_signals();
	console_path(path, sizeof(path));
	setsid();
	fd = open(path, O_RDWR);
	if (fd < 0)
		_exit(1);
	(void)ioctl(fd, TIOCSCTTY, 1);
	dup2(fd, STDIN_FILENO);
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
	if (agent_find_user("root", &root) == 0)
		(void)agent_become(&root, agent->name);
	/* A shell that ends at once must not be started again without end. */
	execl("/bin/sh", "-sh", (char *)NULL);
	sleep(10);
	_exit(1);
}

void agent_start_boot_script(struct agent *agent)
{
	struct agent_user root;

	if (access(BOOT_SCRIPT, X_OK) < 0)
		return;
	agent->boot_script = fork();
	if (agent->boot_script != 0)
		return;
	unblock_signals();
	setsid();
	if (agent_find_user("root", &root) == 0)
		(void)agent_become(&root, agent->name);
	execl(BOOT_SCRIPT, BOOT_SCRIPT, (char *)NULL);
	printf("crossvm: cannot run %s: %s\n", BOOT_SCRIPT, strerror(errno));
	fflush(stdout);
	_exit(1);
}

int agent_reboot_command(uint32_t signal_number)
{
	/* What busybox sends for reboot, halt and poweroff. */
	switch (signal_number) {
	case SIGTERM:
	case SIGINT:
		return RB_AUTOBOOT;
	case SIGUSR1:
		return RB_HALT_SYSTEM;
	case SIGUSR2:
		return RB_POWER_OFF;
	default:
		return -1;
	}
}

void agent_reboot(int command)
{
	kill(-1, SIGKILL);
	sync();
	reboot(command);
}
