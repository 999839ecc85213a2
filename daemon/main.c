/* SPDX-License-Identifier: BSD-2-Clause */
/* crossvmd: serves the connections of a system file to VMs and components. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/daemon.h"
#include "daemon/directory.h"
#include "daemon/log.h"
#include "daemon/notify.h"
#include "daemon/rights.h"
#include "daemon/sandbox.h"
#include "daemon/stop.h"
#include "server/holder.h"
#include "systemfile/system.h"

enum exit_status {
	EXIT_STATUS_OK = 0,
	EXIT_STATUS_FAILED = 1,
	/* Of the command line, what it names, or the system file; nothing was started. systemd does not
	 * start it again: it would say the same until somebody corrects it. */
	EXIT_STATUS_BAD_INPUT = 2,
};

/* The service manager has to hear that the daemon serves, or ends it some time later. */
#define READY_TIMEOUT_MS 10000

struct arguments {
	char *socket_dir;
	const char *user;
	const char *group;
	const char *socket_group;
	const char *path;
	unsigned int busy_poll_us;
	bool check;
	bool verbose;
};

static const char usage[] =
	"Usage: crossvmd [OPTION]... SYSTEM.yaml\n"
	"Serve the connections of a system file to virtual machines and components.\n"
	"\n"
	"  --socket-dir DIR  folder of the sockets (default: /run/crossvm for root,\n"
	"                    else $XDG_RUNTIME_DIR/crossvm)\n"
	"  --socket-group GROUP  let only members of that group reach the sockets\n"
	"  --user USER       who to become when started as root (default: crossvm)\n"
	"  --group GROUP     likewise (default: USER's group)\n"
	"  --busy-poll US    look for more for that many microseconds after each event before\n"
	"                    sleeping (default: 0); faster, where a processor is free for it\n"
	"  --check           only check the system file\n"
	"  --verbose         say when components come and go\n"
	"  --help, --version\n"
	"\n"
	"Exit status: 0 after SIGTERM or SIGINT, 1 on failure, 2 if the system file or an\n"
	"argument is wrong; then nothing was started.\n";

static int parse_busy_poll(const char *text, unsigned int *us)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || end == text || *end || text[0] == '-' || value > DAEMON_BUSY_POLL_MAX_US) {
		fprintf(stderr, "crossvmd: --busy-poll takes 0 to %u microseconds, not '%s'.\n",
			DAEMON_BUSY_POLL_MAX_US, text);
		return -EINVAL;
	}
	*us = (unsigned int)value;
	return 0;
}

/* @return -1 to go on, else the exit status. */
static int parse_arguments(int argc, char **argv, struct arguments *arguments)
{
	static const struct option options[] = {
		{"socket-dir", required_argument, NULL, 's'},
		{"socket-group", required_argument, NULL, 'G'},
		{"user", required_argument, NULL, 'u'},
		{"group", required_argument, NULL, 'g'},
		{"busy-poll", required_argument, NULL, 'b'},
		{"check", no_argument, NULL, 'c'},
		{"verbose", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 's':
			free(arguments->socket_dir);
			arguments->socket_dir = strdup(optarg);
			break;
		case 'G':
			arguments->socket_group = optarg;
			break;
		case 'u':
			arguments->user = optarg;
			break;
		case 'g':
			arguments->group = optarg;
			break;
		case 'b':
			if (parse_busy_poll(optarg, &arguments->busy_poll_us))
				return EXIT_STATUS_BAD_INPUT;
			break;
		case 'c':
			arguments->check = true;
			break;
		case 'v':
			arguments->verbose = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return EXIT_STATUS_OK;
		case 'V':
			puts("crossvmd " CROSSVM_VERSION);
			return EXIT_STATUS_OK;
		default:
			fputs("Try 'crossvmd --help'.\n", stderr);
			return EXIT_STATUS_BAD_INPUT;
		}
	}
	if (optind + 1 != argc) {
		fputs("crossvmd: name one system file. Try 'crossvmd --help'.\n", stderr);
		return EXIT_STATUS_BAD_INPUT;
	}
	arguments->path = argv[optind];
	if (arguments->socket_dir == NULL)
		arguments->socket_dir = directory_default();
	return arguments->socket_dir == NULL ? EXIT_STATUS_FAILED : -1;
}

/* What holder_run() asks for; context is the struct service. */
struct service {
	struct daemon daemon;
	struct sandbox *sandbox;
	const struct notify *notify;
	const struct log *log;
};

static int enter(void *context, enum holder_role role)
{
	struct service *service = context;

	/*
	 * It opens a file for a moment, which nobody but the worker may do: in the table that all share, a
	 * worker that begins would take it for nobody's.
	 */
	if (role == HOLDER_WORKER)
		rights_be_killed_first();
	return sandbox_enter(service->sandbox, role);
}

static int begin(void *context, bool crashed)
{
	return daemon_begin(&((struct service *)context)->daemon, crashed);
}

static void take_leave(void *context)
{
	daemon_take_leave(&((struct service *)context)->daemon);
}

static void name_owner(void *context, uint64_t owner, char *text, size_t bytes)
{
	daemon_name_owner(&((struct service *)context)->daemon, owner, text, bytes);
}

static void name_wire(void *context, uint64_t offset, char *text, size_t bytes)
{
	daemon_name_wire(&((struct service *)context)->daemon, offset, text, bytes);
}

static void started(void *context)
{
	const struct service *service = context;
	const struct crossvm_system *system = service->daemon.system;
	char state[256];

	log_write(service->log, CROSSVM_LOG_INFO,
		  "serving in %s: %zu connection(s), %zu VM(s), %zu component(s)",
		  service->daemon.socket_dir, system->num_connections, system->num_vms,
		  system->num_components);
	snprintf(state, sizeof(state),
		 "READY=1\nSTATUS=Serving %zu connection(s), %zu VM(s), %zu component(s)",
		 system->num_connections, system->num_vms, system->num_components);
	if (notify_send(service->notify, state, READY_TIMEOUT_MS) != 0)
		log_write(service->log, CROSSVM_LOG_WARNING,
			  "the service manager cannot be notified");
}

/* Lost if it is not read; then the next one counts. */
static void alive(void *context)
{
	notify_send(((const struct service *)context)->notify, "WATCHDOG=1", 0);
}

static void stopping(void *context, const siginfo_t *by)
{
	const struct service *service = context;
	char reason[STOP_REASON_BYTES];

	if (by != NULL) {
		stop_reason(by, reason);
		log_write(service->log, CROSSVM_LOG_INFO, "told to stop by %s", reason);
	}
	notify_send(service->notify, "STOPPING=1\nSTATUS=Taking leave of VMs and components", 0);
}

static int hold(struct service *service, const struct arguments *arguments)
{
	const struct holder_program program = {
		.name = "crossvmd",
		.enter = enter,
		.begin = begin,
		.take_leave = take_leave,
		.started = started,
		.alive = alive,
		.stopping = stopping,
		.name_owner = name_owner,
		.name_wire = name_wire,
		.context = service,
		.alive_ms = notify_watchdog_interval_ms(),
		.busy_poll_us = arguments->busy_poll_us,
	};
	int error = holder_run(&service->daemon.server, &program);

	daemon_unlink(&service->daemon);
	return error;
}

static int serve_in(const struct directory *directory, const struct arguments *arguments,
		    const struct crossvm_system *system, const struct rights *rights,
		    const struct notify *notify, const struct log *log)
{
	/* The program's only one: once workers have run it is not given back, but ends with the process. */
	static struct service service;
	int error;

	service.notify = notify;
	service.log = log;
	error = daemon_create(&service.daemon, system, directory->path, rights, log);
	if (!error)
		error = rights_drop(rights, log);
	if (!error) {
		error = sandbox_create(&service.sandbox, log);
		if (error)
			log_write(log, CROSSVM_LOG_ERROR, "cannot set up seccomp: %s",
				  strerror(-error));
	}
	if (!error && stop_is_asked())
		error = -EINTR;
	if (!error)
		return hold(&service, arguments);
	daemon_destroy(&service.daemon);
	sandbox_destroy(service.sandbox);
	return error;
}

/* Told to stop before there was a worker: there is nobody to take leave of. */
static int say_stopped(const struct log *log)
{
	char reason[STOP_REASON_BYTES];
	siginfo_t info;

	if (!stop_take(&info))
		return -EINTR;
	stop_reason(&info, reason);
	log_write(log, CROSSVM_LOG_INFO, "told to stop by %s before anything was served", reason);
	return 0;
}

static int choose_socket_group(const struct arguments *arguments, gid_t *group,
			       const struct log *log)
{
	*group = (gid_t)-1;
	return arguments->socket_group == NULL
		       ? 0
		       : rights_find_group(arguments->socket_group, group, log);
}

static enum exit_status serve(const struct arguments *arguments,
			      const struct crossvm_system *system, const struct log *log)
{
	enum exit_status status = EXIT_STATUS_OK;
	struct directory directory;
	struct notify notify;
	struct rights rights;
	gid_t group;
	int error;

	if (rights_choose(&rights, arguments->user, arguments->group, log) != 0 ||
	    choose_socket_group(arguments, &group, log) != 0)
		return EXIT_STATUS_BAD_INPUT;
	if (notify_open(&notify) != 0)
		log_write(log, CROSSVM_LOG_WARNING, "the service manager cannot be reached");
	error = directory_open(&directory, arguments->socket_dir, group, &rights, log);
	if (error) {
		status = error == -EINVAL ? EXIT_STATUS_BAD_INPUT : EXIT_STATUS_FAILED;
	} else {
		error = serve_in(&directory, arguments, system, &rights, &notify, log);
		if (error == -EINTR)
			error = say_stopped(log);
		status = error ? EXIT_STATUS_FAILED : EXIT_STATUS_OK;
	}
	directory_close(&directory);
	notify_close(&notify);
	return status;
}

static int read_system(const struct arguments *arguments, struct crossvm_system **system)
{
	char *message = NULL;
	int error = crossvm_system_read(arguments->path, arguments->socket_dir, system, &message);

	if (error)
		fprintf(stderr, "%s\n", message == NULL ? strerror(-error) : message);
	free(message);
	return error;
}

static enum exit_status run(const struct arguments *arguments)
{
	enum exit_status status = EXIT_STATUS_OK;
	struct crossvm_system *system = NULL;
	struct log log;

	log_init(&log, arguments->verbose);
	if (read_system(arguments, &system) != 0)
		return EXIT_STATUS_BAD_INPUT;
	if (arguments->check) {
		printf("%s: nothing wrong; %zu connection(s), %zu VM(s), %zu component(s)\n",
		       arguments->path, system->num_connections, system->num_vms,
		       system->num_components);
	} else {
		/* What is made from here on is not left behind by a signal. */
		signal(SIGHUP, SIG_IGN); /* a system file is read once */
		holder_block_signals();
		status = serve(arguments, system, &log);
	}
	crossvm_system_free(system);
	return status;
}

int main(int argc, char **argv)
{
	struct arguments arguments = {0};
	int status = parse_arguments(argc, argv, &arguments);

	if (status < 0) {
		stop_unblock();
		status = (int)run(&arguments);
	}
	free(arguments.socket_dir);
	return status;
}
