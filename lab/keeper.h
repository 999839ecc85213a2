/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The keeper: the process that a running lab consists of. It owns crossvmd and the VMs' QEMUs,
 * carries commands' streams between the control socket and the guests' agents, and ends with all of
 * them. One thread, one loop; nothing in it waits.
 */
#ifndef CROSSVM_LAB_KEEPER_H
#define CROSSVM_LAB_KEEPER_H

#include <stdbool.h>
#include <stdint.h>

#include "lab/accel.h"
#include "lab/buffer.h"
#include "lab/frame.h"
#include "lab/guard.h"
#include "lab/loop.h"
#include "lab/paths.h"
#include "lab/rundir.h"
#include "lab/spawn.h"
#include "systemfile/system.h"

struct lab_keeper;
struct lab_vm;
struct lab_client;
struct qmp_request;

/* A command that runs in a VM for a client. */
struct lab_session {
	struct lab_session *next; /* of the VM */
	struct lab_vm *vm;
	struct lab_client *client;
	uint32_t id;
	uint32_t under_way[LAB_STREAMS]; /* bytes sent and not yet acknowledged */
};

enum lab_vm_state {
	LAB_VM_OFF,
	LAB_VM_BOOTING,
	LAB_VM_READY,
	LAB_VM_NONE, /* no state: what a client that waits for something else awaits */
};

struct lab_qmp {
	int fd;
	struct lab_watch *watch;
	struct lab_buffer in;
	struct lab_buffer out;
	struct qmp_request *requests; /* not yet answered */
	uint64_t next_id;
};

struct lab_vm {
	struct lab_keeper *keeper;
	const struct crossvm_system_vm *config;
	enum lab_vm_state state;
	char qemu[PATH_MAX];
	char kernel[PATH_MAX]; /* a folder */
	char image[PATH_MAX];
	enum lab_accel accel;
	struct lab_process process;
	struct lab_watch *process_watch;
	int64_t started_ms;
	int64_t ready_ms; /* how long booting took */
	struct lab_timer boot_timer;
	struct lab_timer kill_timer;
	bool stopping; /* asked to end */
	bool restart;  /* and to be started again */
	/* vm_agent.c */
	int agent_fd;
	struct lab_watch *agent_watch;
	struct lab_parser *parser;
	struct lab_buffer agent_out;
	struct lab_session *sessions;
	uint32_t next_session;
	/* vm_console.c */
	int console_fd;
	struct lab_watch *console_watch;
	int console_log;
	uint64_t console_logged;
	struct lab_buffer console_out;
	/* qmp.c */
	struct lab_qmp qmp;
};

enum lab_client_kind {
	LAB_CLIENT_NEW,
	LAB_CLIENT_SESSION,
	LAB_CLIENT_CONSOLE,
	LAB_CLIENT_WAITING, /* for an answer: qmp, start, stop, down */
	LAB_CLIENT_DONE,    /* all is said: closed when it is sent */
};

struct lab_client {
	struct lab_client *next;
	struct lab_keeper *keeper;
	int fd;
	struct lab_watch *watch;
	struct lab_parser parser;
	struct lab_buffer out;
	enum lab_client_kind kind;
	struct lab_vm *vm;           /* of a session, a console, or one waited for */
	struct lab_session *session; /* until its last frame */
	enum lab_vm_state awaits;    /* of a client that waits */
};

enum lab_keeper_state {
	LAB_STARTING,
	LAB_RUNNING,
	LAB_STOPPING,
};

struct lab_keeper {
	struct lab_loop loop;
	struct lab_rundir rundir;
	struct lab_guard guard;
	struct lab_watch *guard_watch;
	const struct lab_paths *paths;
	const struct crossvm_system *system;
	enum lab_keeper_state state;
	bool failed;
	enum lab_accel_choice accel_choice;
	bool kvm_proven;
	struct lab_vm *vms; /* as many as the system has */
	/* daemon.c */
	struct lab_process daemon;
	struct lab_watch *daemon_watch;
	int notify_fd;
	struct lab_watch *notify_watch;
	struct lab_timer daemon_timer;
	/* client.c */
	int listen_fd;
	struct lab_watch *listen_watch;
	struct lab_client *clients;
	size_t num_clients;
	/* the crossvm lab up that waits */
	int launcher_fd;
	struct lab_watch *launcher_watch;
	bool foreground;
	struct lab_timer stop_timer;
	struct lab_timer patience_timer; /* says what is waited for */
	int signal_fd;
	struct lab_watch *signal_watch;
};

/* keeper.c */

/*
 * Run a lab until it is ended; called in a process of its own. @rundir is locked, the VMs' images
 * are written; @launcher_fd is a socket that gets one byte, 'r', when all VMs are ready, and whose
 * closing before that (or at any time, in the foreground) ends the lab.
 *
 * @return 0 if it was ended by request, else 1.
 */
int lab_keeper_main(struct lab_keeper *keeper);

/* Begin to end everything; the loop stops when it is done. */
void lab_keeper_stop(struct lab_keeper *keeper);
/* Something has changed that ready or ended may depend on. */
void lab_keeper_check(struct lab_keeper *keeper);
/* The start has failed; the reason was said. */
void lab_keeper_fail(struct lab_keeper *keeper);
/* A file of the run folder, such as "sensor.console.log"; path has PATH_MAX bytes. */
void lab_keeper_file(const struct lab_keeper *keeper, const char *vm, const char *suffix,
		     char *path);

/* daemon.c: crossvmd */
int lab_daemon_start(struct lab_keeper *keeper);
void lab_daemon_stop(struct lab_keeper *keeper, int signal_number);
void lab_daemon_destroy(struct lab_keeper *keeper);

/* vm.c: a VM's QEMU */
int lab_vm_start(struct lab_vm *vm);
/* End it, by force a little later. */
void lab_vm_stop(struct lab_vm *vm);
void lab_vm_destroy(struct lab_vm *vm);
/* Its agent has said hello. */
void lab_vm_is_ready(struct lab_vm *vm);
/* The machine was reset: it boots again. */
void lab_vm_was_reset(struct lab_vm *vm);
struct lab_vm *lab_vm_find(struct lab_keeper *keeper, const char *name);
const char *lab_vm_state_name(const struct lab_vm *vm);

/* vm_agent.c: the agent in it */
int lab_agent_attach(struct lab_vm *vm, int fd);
void lab_agent_detach(struct lab_vm *vm, const char *why);
/* The guest was reset: sessions are lost, the agent will say hello again. */
void lab_agent_reset(struct lab_vm *vm, const char *why);
/* @request: strings for the agent, see lab/agent/session.c. @return 0 or -errno. */
int lab_session_open(struct lab_client *client, struct lab_vm *vm, const void *request,
		     size_t bytes);
/* A frame from the client of the session. @return 0, or -EPROTO. */
int lab_session_frame(struct lab_session *session, const struct lab_frame *frame);
/* Does so much wait to be sent that its clients should wait, too? */
bool lab_agent_is_busy(const struct lab_vm *vm);
/* The client has gone. */
void lab_session_abandon(struct lab_session *session);

/* vm_console.c: its serial console */
int lab_console_attach(struct lab_vm *vm, int fd);
void lab_console_detach(struct lab_vm *vm);
int lab_console_input(struct lab_vm *vm, const void *bytes, size_t length);

/* qmp.c: its QEMU's monitor */
int lab_qmp_attach(struct lab_vm *vm, int fd);
void lab_qmp_detach(struct lab_vm *vm);
/* Carry out a request for a client. @return 0, or -EINVAL after answering the client. */
int lab_qmp_execute(struct lab_vm *vm, struct lab_client *client, const char *json);
void lab_qmp_forget(struct lab_vm *vm, const struct lab_client *client);

/* client.c: the control socket */
int lab_clients_listen(struct lab_keeper *keeper);
void lab_clients_destroy(struct lab_keeper *keeper);
/* Send a client something; a client that takes nothing is dropped, later, not here. */
void lab_client_send(struct lab_client *client, enum lab_frame_type type, enum lab_stream stream,
		     const void *payload, size_t length);
void lab_client_exit(struct lab_client *client, uint32_t status);
void lab_client_fail(struct lab_client *client, const char *why);
/* A VM has changed its state: answer those who wait for it. */
void lab_clients_vm_changed(struct lab_vm *vm);
/* What a guest writes on its console. */
void lab_clients_console(struct lab_vm *vm, const void *bytes, size_t length);
/* May the VM's queue take more from clients? Their sockets are read only then. */
void lab_clients_update(struct lab_keeper *keeper);

/* status.c: what crossvm lab status shows, as JSON. @return a text to be freed, or NULL. */
char *lab_status(const struct lab_keeper *keeper);

#endif
