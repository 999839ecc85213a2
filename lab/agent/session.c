/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A session is one process group and the three streams to and from it. An OPEN frame holds strings,
 * each ended by NUL:
 *	exec USER COMMAND ARGUMENT...
 *	put USER PATH MODE NAME      write standard input to PATH, or to NAME in folder PATH
 *	get USER PATH                write "MODE\n" (7 octal digits) and the file to standard output
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lab/agent/agent.h"

#define MAX_ARGUMENTS 1024
#define GRACE_SECONDS 2
#define CHUNK         LAB_FRAME_PAYLOAD

struct agent_session {
	struct agent_session *next;
	uint32_t id;
	pid_t pid;                    /* 0: ended */
	int fds[LAB_STREAMS];         /* our ends; -1: closed */
	uint32_t credit[LAB_STREAMS]; /* of stdout and stderr: what may be sent */
	struct lab_buffer input;
	bool input_ended;
	bool closing; /* nobody waits; killed for good at this time: */
	time_t kill_at;
	uint32_t status;
};

static time_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void fail(struct agent *agent, uint32_t id, const char *why)
{
	(void)lab_buffer_add_frame(&agent->out, LAB_FRAME_FAILED, LAB_STDIN, id, why, strlen(why));
}

static void destroy(struct agent *agent, struct agent_session *session)
{
	struct agent_session **link = &agent->sessions;

	while (*link != session)
		link = &(*link)->next;
	*link = session->next;
	agent->num_sessions--;
	for (int i = 0; i < LAB_STREAMS; i++)
		close_fd(&session->fds[i]);
	lab_buffer_clear(&session->input);
	free(session);
}

/* Split the strings of a request. @return how many, or 0 if it is malformed. */
static size_t split(char *text, size_t length, char **strings, size_t max)
{
	size_t count = 0;
	char *end = text + length;

	if (length == 0 || text[length - 1] != '\0')
		return 0;
	while (text < end) {
		if (count == max)
			return 0;
		strings[count++] = text;
		text += strlen(text) + 1;
	}
	strings[count] = NULL;
	return count;
}

static bool is_valid_request(char *const *strings, size_t count)
{
	if (count < 3)
		return false;
	if (strcmp(strings[0], "exec") == 0)
		return true;
	if (strcmp(strings[0], "put") == 0)
		return count == 5;
	return strcmp(strings[0], "get") == 0 && count == 3;
}

static int run_command(char **command)
{
	int status;

	execvp(command[0], command);
	status = errno == ENOENT ? 127 : 126;
	dprintf(STDERR_FILENO, "crossvm: cannot run %s: %s\n", command[0], strerror(errno));
	return status;
}

static void child(const struct agent *agent, const struct agent_user *user, const int *pipes,
		  char **strings)
{
	sigset_t none;
	int status;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	setsid();
	for (int i = 0; i < LAB_STREAMS; i++)
		if (dup2(pipes[i], i) < 0)
			_exit(126);
	/* Not only for execve(): transfers stay in this program. */
	(void)close_range(STDERR_FILENO + 1, ~0u, 0);
	status = agent_become(user, agent->name);
	if (status < 0) {
		dprintf(STDERR_FILENO, "crossvm: cannot become %s: %s\n", user->name,
			strerror(-status));
		_exit(126);
	}
	if (strcmp(strings[0], "put") == 0)
		_exit(agent_put(strings[2], strings[3], strings[4]));
	if (strcmp(strings[0], "get") == 0)
		_exit(agent_get(strings[2]));
	_exit(run_command(strings + 2));
}

/* The child's ends must not be one of the descriptors that they are moved to. */
static int make_pipe(int *read_end, int *write_end)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	*read_end = fds[0];
	*write_end = fds[1];
	return 0;
}

static int make_pipes(struct agent_session *session, int *theirs)
{
	int error = make_pipe(&theirs[LAB_STDIN], &session->fds[LAB_STDIN]);

	if (!error)
		error = make_pipe(&session->fds[LAB_STDOUT], &theirs[LAB_STDOUT]);
	if (!error)
		error = make_pipe(&session->fds[LAB_STDERR], &theirs[LAB_STDERR]);
	for (int i = 0; i < LAB_STREAMS && !error; i++)
		if (fcntl(session->fds[i], F_SETFL, O_NONBLOCK) < 0)
			error = -errno;
	return error;
}

static int start(struct agent *agent, struct agent_session *session, const struct agent_user *user,
		 char **strings)
{
	int theirs[LAB_STREAMS] = {-1, -1, -1};
	int error = make_pipes(session, theirs);

	if (!error) {
		session->pid = fork();
		if (session->pid == 0)
			child(agent, user, theirs, strings);
		if (session->pid < 0)
			error = -errno;
	}
	for (int i = 0; i < LAB_STREAMS; i++)
		close_fd(&theirs[i]);
	return error;
}

static struct agent_session *create(struct agent *agent, uint32_t id)
{
	struct agent_session *session = calloc(1, sizeof(*session));

	if (!session)
		return NULL;
	session->id = id;
	session->input.limit = LAB_STREAM_WINDOW;
	for (int i = 0; i < LAB_STREAMS; i++) {
		session->fds[i] = -1;
		session->credit[i] = LAB_STREAM_WINDOW;
	}
	session->next = agent->sessions;
	agent->sessions = session;
	agent->num_sessions++;
	return session;
}

static struct agent_session *find(struct agent *agent, uint32_t id)
{
	struct agent_session *session = agent->sessions;

	while (session && session->id != id)
		session = session->next;
	return session;
}

static void open_session(struct agent *agent, const struct lab_frame *frame)
{
	static char text[LAB_FRAME_PAYLOAD];
	static char *strings[MAX_ARGUMENTS + 1];
	struct agent_user user;
	struct agent_session *session;
	char message[160];
	int error;

	memcpy(text, frame->payload, frame->length);
	if (!is_valid_request(strings, split(text, frame->length, strings, MAX_ARGUMENTS))) {
		fail(agent, frame->session, "the agent does not understand the request");
		return;
	}
	if (agent_find_user(strings[1], &user) < 0) {
		snprintf(message, sizeof(message), "the guest has no user '%.64s'", strings[1]);
		fail(agent, frame->session, message);
		return;
	}
	if (agent->num_sessions == AGENT_MAX_SESSIONS || find(agent, frame->session)) {
		fail(agent, frame->session, "too many commands run in this VM at once");
		return;
	}
	session = create(agent, frame->session);
	error = session ? start(agent, session, &user, strings) : -ENOMEM;
	if (error) {
		snprintf(message, sizeof(message), "cannot start a process: %s", strerror(-error));
		fail(agent, frame->session, message);
		if (session)
			destroy(agent, session);
	}
}

static void input_done(struct agent *agent, struct agent_session *session)
{
	close_fd(&session->fds[LAB_STDIN]);
	lab_buffer_clear(&session->input);
	/* Nobody reads any more: the other side need not send. */
	if (!session->input_ended)
		(void)lab_buffer_add_frame(&agent->out, LAB_FRAME_EOF, LAB_STDIN, session->id, NULL,
					   0);
	session->input_ended = true;
}

static void write_input(struct agent *agent, struct agent_session *session)
{
	ssize_t n;

	if (session->fds[LAB_STDIN] < 0)
		return;
	n = lab_buffer_write(&session->input, session->fds[LAB_STDIN]);
	if (n < 0) {
		input_done(agent, session);
		return;
	}
	if (n > 0)
		(void)lab_buffer_add_value(&agent->out, LAB_FRAME_CREDIT, LAB_STDIN, session->id,
					   (uint32_t)n);
	if (session->input_ended && lab_buffer_used(&session->input) == 0)
		close_fd(&session->fds[LAB_STDIN]);
}

static void end_session(struct agent_session *session)
{
	session->closing = true;
	session->kill_at = now() + GRACE_SECONDS;
	session->input_ended = true;
	close_fd(&session->fds[LAB_STDIN]);
	close_fd(&session->fds[LAB_STDOUT]);
	close_fd(&session->fds[LAB_STDERR]);
	if (session->pid > 0)
		kill(-session->pid, SIGTERM);
}

void agent_session_frame(struct agent *agent, const struct lab_frame *frame)
{
	struct agent_session *session = find(agent, frame->session);

	if (frame->type == LAB_FRAME_OPEN) {
		open_session(agent, frame);
		return;
	}
	/* It may have ended while the frame was under way. */
	if (!session)
		return;
	switch (frame->type) {
	case LAB_FRAME_DATA:
		if (session->fds[LAB_STDIN] < 0 || session->input_ended)
			break;
		if (lab_buffer_add(&session->input, frame->payload, frame->length) < 0)
			input_done(agent, session);
		write_input(agent, session);
		break;
	case LAB_FRAME_EOF:
		session->input_ended = true;
		write_input(agent, session);
		break;
	case LAB_FRAME_CREDIT:
		if (lab_frame_value(frame) <= LAB_STREAM_WINDOW - session->credit[frame->stream])
			session->credit[frame->stream] += lab_frame_value(frame);
		break;
	case LAB_FRAME_SIGNAL:
		if (session->pid > 0)
			kill(-session->pid, (int)lab_frame_value(frame));
		break;
	case LAB_FRAME_CLOSE:
		end_session(session);
		break;
	default:
		break;
	}
}

void agent_session_reaped(struct agent *agent, pid_t pid, int status)
{
	for (struct agent_session *session = agent->sessions; session; session = session->next) {
		if (session->pid != pid)
			continue;
		session->pid = 0;
		session->status = WIFSIGNALED(status) ? 128u + (uint32_t)WTERMSIG(status)
						      : (uint32_t)WEXITSTATUS(status);
		return;
	}
}

/*
 * Send what a stream holds, as far as credit goes. @return whether all is sent that the ended
 * process has written; what its children hold open still is not waited for.
 */
static bool read_output(struct agent *agent, struct agent_session *session, enum lab_stream stream)
{
	static uint8_t bytes[CHUNK];
	int *fd = &session->fds[stream];

	while (*fd >= 0 && session->credit[stream] > 0 &&
	       lab_buffer_used(&agent->out) < AGENT_OUT_BUSY) {
		size_t want = session->credit[stream] < CHUNK ? session->credit[stream] : CHUNK;
		ssize_t n = read(*fd, bytes, want);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n <= 0) {
			close_fd(fd);
			break;
		}
		session->credit[stream] -= (uint32_t)n;
		(void)lab_buffer_add_frame(&agent->out, LAB_FRAME_DATA, stream, session->id, bytes,
					   (size_t)n);
	}
	return *fd < 0;
}

static void finish(struct agent *agent, struct agent_session *session)
{
	bool drained = read_output(agent, session, LAB_STDOUT);

	drained = read_output(agent, session, LAB_STDERR) && drained;
	if (!drained)
		return;
	if (!session->closing)
		(void)lab_buffer_add_value(&agent->out, LAB_FRAME_EXIT, LAB_STDIN, session->id,
					   session->status);
	destroy(agent, session);
}

static bool wants_output(const struct agent *agent, const struct agent_session *session,
			 enum lab_stream stream)
{
	return session->credit[stream] > 0 && lab_buffer_used(&agent->out) < AGENT_OUT_BUSY;
}

size_t agent_session_poll(struct agent *agent, struct pollfd *fds)
{
	size_t count = 0;

	for (struct agent_session *s = agent->sessions; s; s = s->next) {
		bool input = lab_buffer_used(&s->input) > 0;

		fds[count++] =
			(struct pollfd){.fd = input ? s->fds[LAB_STDIN] : -1, .events = POLLOUT};
		for (int stream = LAB_STDOUT; stream < LAB_STREAMS; stream++)
			fds[count++] = (struct pollfd){
				.fd = wants_output(agent, s, stream) ? s->fds[stream] : -1,
				.events = POLLIN};
	}
	return count;
}

void agent_session_polled(struct agent *agent, const struct pollfd *fds)
{
	struct agent_session *next;

	for (struct agent_session *s = agent->sessions; s; s = next, fds += LAB_STREAMS) {
		next = s->next;
		if (fds[LAB_STDIN].revents)
			write_input(agent, s);
		if (fds[LAB_STDOUT].revents)
			(void)read_output(agent, s, LAB_STDOUT);
		if (fds[LAB_STDERR].revents)
			(void)read_output(agent, s, LAB_STDERR);
		if (s->closing && s->pid > 0 && now() >= s->kill_at)
			kill(-s->pid, SIGKILL);
		if (s->pid == 0)
			finish(agent, s);
	}
}

bool agent_session_closing(const struct agent *agent)
{
	for (const struct agent_session *s = agent->sessions; s; s = s->next)
		if (s->closing)
			return true;
	return false;
}

void agent_session_kill_all(struct agent *agent)
{
	while (agent->sessions) {
		if (agent->sessions->pid > 0)
			kill(-agent->sessions->pid, SIGKILL);
		destroy(agent, agent->sessions);
	}
}
