/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lab/commands.h"
#include "lab/loop.h"
#include "lab/report.h"
#include "lab/stream.h"

/* The mode in front of a file that comes out of a VM: "0000644\n". */
#define MODE_BYTES 8

struct copy {
	int fd;
	char mode[MODE_BYTES + 1];
	size_t mode_used;
	uint64_t done;
	uint64_t total; /* 0: not known */
	const char *what;
	bool show; /* progress, on a terminal */
	int64_t shown_ms;
};

static void show_progress(struct copy *copy, size_t bytes)
{
	copy->done += bytes;
	if (!copy->show || lab_now_ms() - copy->shown_ms < 500)
		return;
	copy->shown_ms = lab_now_ms();
	if (copy->total > 0)
		fprintf(stderr, "\r%s: %3u %% ", copy->what,
			(unsigned int)(copy->done * 100 / copy->total));
	else
		fprintf(stderr, "\r%s: %llu MiB ", copy->what,
			(unsigned long long)(copy->done >> 20));
}

static void end_progress(const struct copy *copy)
{
	if (copy->show && copy->done > 0)
		fprintf(stderr, "\r\033[K");
}

static void on_sent(void *context, size_t bytes)
{
	show_progress(context, bytes);
}

static int on_output(void *context, enum lab_stream stream, const void *bytes, size_t length)
{
	struct copy *copy = context;
	const char *at = bytes;

	if (stream == LAB_STDERR) {
		lab_error("%.*s", (int)strcspn(at, "\n"), at);
		return 0;
	}
	while (copy->mode_used < MODE_BYTES && length > 0) {
		copy->mode[copy->mode_used++] = *at++;
		length--;
	}
	show_progress(copy, length);
	return copy->fd >= 0 ? lab_write_all(copy->fd, at, length) : 0;
}

static const char *base_name(const char *path)
{
	return strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
}

static bool is_folder(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int run(struct lab_link *link, struct copy *copy, int in)
{
	struct lab_streams streams = {
		.link = link, .in = in, .output = on_output, .sent = on_sent, .context = copy};
	int result;

	copy->show = isatty(STDERR_FILENO);
	copy->shown_ms = lab_now_ms();
	result = lab_streams_run(&streams);
	end_progress(copy);
	return result;
}

static int copy_in(struct lab_link *link, const char *user, const char *source, const char *vm,
		   const char *path)
{
	char mode[16];
	const char *strings[] = {"put", vm, user, path, mode, base_name(source)};
	struct copy copy = {.fd = -1, .what = source};
	struct stat st;
	int result, fd = open(source, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0 || S_ISDIR(st.st_mode)) {
		lab_error("cannot read %s: %s", source,
			  strerror(fd >= 0 && S_ISDIR(st.st_mode) ? EISDIR : errno));
		if (fd >= 0)
			close(fd);
		return 1;
	}
	copy.total = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
	snprintf(mode, sizeof(mode), "%o", st.st_mode & 07777);
	result = lab_link_request(link, strings, 6);
	if (!result)
		result = run(link, &copy, fd);
	close(fd);
	return result ? 1 : 0;
}

static int finish_out(struct copy *copy, const char *temporary, const char *target, int result)
{
	mode_t mode;

	if (result > 0 || copy->mode_used < MODE_BYTES) {
		close(copy->fd);
		(void)unlink(temporary);
		return 1;
	}
	mode = (mode_t)strtoul(copy->mode, NULL, 8) & 0777;
	if (result == 0 && fchmod(copy->fd, mode) < 0)
		result = -errno;
	if (close(copy->fd) < 0 && result == 0)
		result = -errno;
	if (result == 0 && rename(temporary, target) < 0)
		result = -errno;
	if (result == 0)
		return 0;
	lab_error("cannot write %s: %s", target, strerror(-result));
	(void)unlink(temporary);
	return 1;
}

static int copy_out(struct lab_link *link, const char *user, const char *vm, const char *path,
		    const char *destination)
{
	const char *strings[] = {"get", vm, user, path};
	char target[PATH_MAX], temporary[PATH_MAX + 8];
	struct copy copy = {.what = path};
	int result, n;

	if (is_folder(destination))
		n = snprintf(target, sizeof(target), "%s/%s", destination, base_name(path));
	else
		n = snprintf(target, sizeof(target), "%s", destination);
	if (n < 0 || n >= (int)sizeof(target)) {
		lab_error("the path is too long: %s", destination);
		return 1;
	}
	snprintf(temporary, sizeof(temporary), "%s.XXXXXX", target);
	copy.fd = mkostemp(temporary, O_CLOEXEC);
	if (copy.fd < 0) {
		lab_error("cannot create %s: %s", target, strerror(errno));
		return 1;
	}
	result = lab_link_request(link, strings, 4);
	if (!result)
		result = run(link, &copy, -1);
	else
		result = 1;
	return finish_out(&copy, temporary, target, result);
}

/* VM:PATH, with a plain name before the colon; paths with a colon can be written as ./a:b. */
static bool split(const char *text, char *vm, size_t bytes, const char **path)
{
	const char *colon = strchr(text, ':');

	if (!colon || memchr(text, '/', (size_t)(colon - text)) || colon == text)
		return false;
	snprintf(vm, bytes, "%.*s", (int)(colon - text), text);
	*path = colon[1] ? colon + 1 : ".";
	return true;
}

static int copy_one(const struct lab_options *options, const char *source, const char *destination)
{
	char from_vm[64], to_vm[64];
	const char *from_path, *to_path;
	bool from = split(source, from_vm, sizeof(from_vm), &from_path);
	bool to = split(destination, to_vm, sizeof(to_vm), &to_path);
	struct lab_link link;
	int status;

	if (from == to) {
		lab_error("one of %s and %s must be VM:PATH, the other a path of this machine",
			  source, destination);
		return 2;
	}
	if (lab_link_open(&link, options->lab) < 0)
		return 1;
	if (to)
		status = copy_in(&link, options->user, source, to_vm, to_path);
	else
		status = copy_out(&link, options->user, from_vm, from_path, destination);
	lab_link_close(&link);
	return status;
}

int lab_command_cp(int argc, char **argv)
{
	struct lab_options options;
	int status, first = lab_read_options(argc, argv, "lu", &options, &status);

	if (first < 0)
		return status;
	if (argc - first < 2)
		return lab_usage_error("cp");
	if (argc - first > 2 && !strchr(argv[argc - 1], ':') && !is_folder(argv[argc - 1])) {
		lab_error("%s is no folder, but several files are to go there", argv[argc - 1]);
		return 2;
	}
	for (int i = first; i < argc - 1; i++) {
		status = copy_one(&options, argv[i], argv[argc - 1]);
		if (status)
			return status;
	}
	return 0;
}
