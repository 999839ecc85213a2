/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The agent: the first and only service process of a lab's guest. It mounts, loads modules, names
 * the devices as the udev rule of a full system would, and runs the commands that come over the
 * virtio-serial port. Statically linked; it needs nothing of the image but what it finds there.
 *
 * May include lab/frame.h and lab/buffer.h of the lab, and nothing else of the tree.
 */
#ifndef CROSSVM_LAB_AGENT_H
#define CROSSVM_LAB_AGENT_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lab/buffer.h"
#include "lab/frame.h"

#define AGENT_MAX_SESSIONS 64
/* Above this much unsent output no command's output is read. */
#define AGENT_OUT_BUSY  262144u
#define AGENT_OUT_LIMIT 4194304u

struct agent_session;

struct agent {
	int signal_fd;
	int uevent_fd;
	int port_fd;
	bool welcomed;
	uint64_t nonce;
	struct lab_parser parser;
	struct lab_buffer out;
	struct agent_session *sessions;
	size_t num_sessions;
	pid_t console_shell;
	pid_t boot_script;
	char name[64]; /* of the VM */
};

/* agent/boot.c: what must be there before anything else. Says on the console what fails. */
void agent_boot(struct agent *agent);
void agent_start_console_shell(struct agent *agent);
void agent_start_boot_script(struct agent *agent);
/* How the guest ends or restarts, as a signal to process 1 asks for it; -1: not at all. */
int agent_reboot_command(uint32_t signal_number);
void agent_reboot(int command);

/* agent/devices.c: /dev/crossvm/NAME and the rights to it. */
int agent_open_uevents(void);
/* Read all that is there; @port_appeared is set when a virtio-serial port did. */
void agent_read_uevents(int fd, bool *port_appeared);
void agent_name_devices(void);
/* @return the descriptor of the lab's virtio-serial port, or -errno. */
int agent_open_port(void);

/* agent/session.c: the commands that run for the keeper. */
void agent_session_frame(struct agent *agent, const struct lab_frame *frame);
/* A child process has ended. */
void agent_session_reaped(struct agent *agent, pid_t pid, int status);
/* Fill in what to poll for; @return how many entries: up to 3 a session. */
size_t agent_session_poll(struct agent *agent, struct pollfd *fds);
/* Handle what poll() has found, in the same order. */
void agent_session_polled(struct agent *agent, const struct pollfd *fds);
/* Is a session being ended, which is looked after by time? */
bool agent_session_closing(const struct agent *agent);
void agent_session_kill_all(struct agent *agent);

/* agent/transfer.c: run in a child; return its exit status. */
int agent_put(const char *path, const char *mode, const char *name);
int agent_get(const char *path);

/* agent/users.c: become a user of /etc/passwd. */
struct agent_user {
	uid_t uid;
	gid_t gid;
	gid_t groups[32];
	size_t num_groups;
	char name[64];
	char home[128];
	char shell[128];
};
/* @return 0, or -ENOENT. */
int agent_find_user(const char *name, struct agent_user *user);
/* Take the user's rights, folder and environment. @return 0 or -errno. */
int agent_become(const struct agent_user *user, const char *vm);

#endif
