/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "lab/commands.h"
#include "lab/link.h"
#include "lab/report.h"

#define ESCAPE 0x1d /* Ctrl-] */

/* @return whether to go on. */
static bool read_keys(struct lab_link *link, bool *input_open)
{
	char keys[1024];
	ssize_t n = read(STDIN_FILENO, keys, sizeof(keys));
	const char *escape;

	if (n < 0 && errno == EINTR)
		return true;
	if (n <= 0) {
		*input_open = false;
		return !isatty(STDIN_FILENO);
	}
	escape = isatty(STDIN_FILENO) ? memchr(keys, ESCAPE, (size_t)n) : NULL;
	if (escape)
		n = escape - keys;
	if (n > 0 && lab_link_send(link, LAB_FRAME_DATA, LAB_STDIN, keys, (size_t)n) < 0)
		return false;
	return !escape;
}

/* @return -1 to go on, or the exit status. */
static int read_console(struct lab_link *link)
{
	struct lab_frame frame;

	if (lab_link_receive(link) < 0)
		return 1;
	while (lab_link_next(link, &frame) > 0) {
		if (frame.type == LAB_FRAME_DATA &&
		    lab_write_all(STDOUT_FILENO, frame.payload, frame.length) < 0)
			return 1;
		if (frame.type == LAB_FRAME_FAILED) {
			dprintf(STDERR_FILENO, "\r\n");
			lab_error("%.*s", (int)frame.length, (const char *)frame.payload);
			return 1;
		}
	}
	return -1;
}

static int run(struct lab_link *link)
{
	bool input_open = true;
	int status = -1;

	while (status < 0) {
		struct pollfd fds[] = {{.fd = link->fd, .events = POLLIN},
				       {.fd = input_open ? STDIN_FILENO : -1, .events = POLLIN}};

		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return 1;
		if (fds[1].revents && !read_keys(link, &input_open))
			return 0;
		if (fds[0].revents)
			status = read_console(link);
	}
	return status;
}

int lab_command_console(int argc, char **argv)
{
	struct lab_options options;
	struct termios before, raw;
	struct lab_link link;
	bool terminal;
	int status, first = lab_read_options(argc, argv, "l", &options, &status);

	if (first < 0)
		return status;
	if (argc - first != 1)
		return lab_usage_error("console");
	if (lab_link_open(&link, options.lab) < 0)
		return 1;
	if (lab_link_request(&link, (const char *const[]){"console", argv[first]}, 2) < 0) {
		lab_link_close(&link);
		return 1;
	}
	terminal = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &before) == 0;
	if (terminal) {
		lab_progress("console of %s: Ctrl-] leaves, Return shows the prompt", argv[first]);
		raw = before;
		cfmakeraw(&raw);
		(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
	}
	status = run(&link);
	if (terminal) {
		(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
		dprintf(STDERR_FILENO, "\n");
	}
	lab_link_close(&link);
	return status;
}
