/* SPDX-License-Identifier: BSD-2-Clause */
#include "lab/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab/report.h"
#include "lab/spawn.h"

/* From the build description: where things are installed. */
#ifndef CROSSVM_LIBEXECDIR
#error "the build must define CROSSVM_LIBEXECDIR, CROSSVM_SBINDIR and CROSSVM_MODULE_DIR"
#endif

/* Written by the build: the folder of the sources that belong to this build tree. */
#define SOURCE_ROOT_FILE "lab/source-root"
#define AGENT_NAME       "crossvm-lab-agent"
#define COMMAND_NAME     "crossvm"

__attribute__((format(printf, 2, 3))) static int join(char *path, const char *format, ...)
{
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(path, PATH_MAX, format, arguments);
	va_end(arguments);
	return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

static bool read_source_root(const char *build, char *source)
{
	char path[PATH_MAX];
	FILE *file;
	bool ok;

	if (join(path, "%s/" SOURCE_ROOT_FILE, build) < 0)
		return false;
	file = fopen(path, "re");
	if (!file)
		return false;
	ok = fgets(source, PATH_MAX, file) != NULL;
	fclose(file);
	if (ok)
		source[strcspn(source, "\n")] = '\0';
	return ok;
}

/* The build tree that the running program is in, one to three folders up. */
static bool find_build_tree(char *build, char *source)
{
	ssize_t n = readlink("/proc/self/exe", build, PATH_MAX - 1);

	if (n < 0)
		return false;
	build[n] = '\0';
	for (int up = 0; up < 4; up++) {
		char *slash = strrchr(build, '/');

		if (!slash)
			return false;
		*slash = '\0';
		if (read_source_root(build, source))
			return true;
	}
	return false;
}

const char *lab_arch_name(enum crossvm_arch arch)
{
	return arch == CROSSVM_ARCH_AARCH64 ? "aarch64" : "x86_64";
}

enum crossvm_arch lab_native_arch(void)
{
#if defined(__x86_64__)
	return CROSSVM_ARCH_X86_64;
#elif defined(__aarch64__)
	return CROSSVM_ARCH_AARCH64;
#else
#error "the lab runs on x86-64 and arm64 hosts"
#endif
}

/* Programs for another architecture than this machine's have its name behind theirs. */
static int join_for_arches(char paths[LAB_ARCHES][PATH_MAX], const char *dir, const char *name)
{
	int error = 0;

	for (int arch = 0; arch < LAB_ARCHES && !error; arch++) {
		bool native = arch == (int)lab_native_arch();

		error = join(paths[arch], "%s/%s%s%s", dir, name, native ? "" : "-",
			     native ? "" : lab_arch_name((enum crossvm_arch)arch));
	}
	return error;
}

static int find_in_build_tree(struct lab_paths *paths, const char *build, const char *source)
{
	char agents[PATH_MAX], commands[PATH_MAX];
	int error = join(agents, "%s/lab/agent", build);

	error = error ? error : join(commands, "%s/cli/guest", build);
	error = error ? error : join_for_arches(paths->agent, agents, AGENT_NAME);
	error = error ? error : join_for_arches(paths->guest_crossvm, commands, COMMAND_NAME);
	error = error ? error : join(paths->crossvmd, "%s/daemon/crossvmd", build);
	error = error ? error : join(paths->setup, "%s/setup/vm", source);
	error = error ? error : join(paths->module, "%s/driver/linux", source);
	return error ? error : join(paths->data, "%s/build", source);
}

static int find_installed(struct lab_paths *paths)
{
	const char *cache = getenv("XDG_CACHE_HOME");
	const char *home = getenv("HOME");
	int error = join(paths->crossvmd, CROSSVM_SBINDIR "/crossvmd");

	error = error ? error
		      : join_for_arches(paths->agent, CROSSVM_LIBEXECDIR "/crossvm", AGENT_NAME);
	error = error ? error
		      : join_for_arches(paths->guest_crossvm, CROSSVM_LIBEXECDIR "/crossvm/guest",
					COMMAND_NAME);
	error = error ? error : join(paths->setup, CROSSVM_LIBEXECDIR "/crossvm/setup/vm");
	error = error ? error : join(paths->module, CROSSVM_MODULE_DIR);
	if (error)
		return error;
	if (cache && cache[0] == '/')
		return join(paths->data, "%s/crossvm", cache);
	return join(paths->data, "%s/.cache/crossvm", home ? home : "/root");
}

int lab_find_paths(struct lab_paths *paths)
{
	char build[PATH_MAX], source[PATH_MAX];
	const char *data = getenv("CROSSVM_DATA");
	int error;

	if (find_build_tree(build, source))
		error = find_in_build_tree(paths, build, source);
	else
		error = find_installed(paths);
	if (!error && data && data[0])
		error = join(paths->data, "%s", data);
	if (error)
		lab_error("a path is too long: %s", strerror(-error));
	return error;
}

int lab_check_guest_programs(const struct lab_paths *paths, enum crossvm_arch arch)
{
	const char *missing = NULL;

	if (access(paths->guest_crossvm[arch], R_OK) < 0)
		missing = paths->guest_crossvm[arch];
	if (access(paths->agent[arch], R_OK) < 0)
		missing = paths->agent[arch];
	if (!missing)
		return 0;
	if (arch == lab_native_arch())
		lab_error("%s is missing: build or install crossvm again", missing);
	else
		lab_error("%s is missing: install the cross compiler for %s (make packages does), "
			  "configure the build anew (meson setup --reconfigure), and build",
			  missing, lab_arch_name(arch));
	return -ENOENT;
}

static void run_script(const char *program, const char *script, const char *const *arguments,
		       int out)
{
	const char *argv[8] = {script};

	for (int i = 0; i < 6 && arguments[i]; i++)
		argv[i + 1] = arguments[i];
	dup2(out, STDOUT_FILENO);
	execv(program, lab_exec_args(argv));
	lab_error("cannot run %s: %s", program, strerror(errno));
	_exit(127);
}

static void read_result(int fd, char *result, size_t bytes)
{
	size_t used = 0;

	while (used + 1 < bytes) {
		ssize_t n = read(fd, result + used, bytes - 1 - used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		used += (size_t)n;
	}
	result[used] = '\0';
	result[strcspn(result, "\n")] = '\0';
}

int lab_run_setup(const struct lab_paths *paths, const char *script, const char *const *arguments,
		  char *result, size_t bytes)
{
	char program[PATH_MAX];
	int fds[2], status;
	pid_t pid;

	if (join(program, "%s/%s", paths->setup, script) < 0 ||
	    setenv("CROSSVM_DATA", paths->data, 1) < 0 || pipe2(fds, O_CLOEXEC) < 0)
		return -ENOMEM;
	pid = fork();
	if (pid == 0)
		run_script(program, script, arguments, fds[1]);
	close(fds[1]);
	if (pid > 0)
		read_result(fds[0], result, bytes);
	close(fds[0]);
	if (pid < 0)
		return -errno;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && result[0])
		return 0;
	lab_error("the set-up step '%s' failed; its message above says why", script);
	return -EIO;
}
