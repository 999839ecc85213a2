/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each call that can fail while a connection is opened or listed fails once, at each place: the
 * caller gets an error and a sentence, and no descriptor stays open. (Memory, the address sanitizer
 * sees.)
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>

#include "fake_daemon.h"
#include "fake_guest.h"
#include "fixture.h"

/* In this thread only: the daemon's goes on. */
static _Thread_local const char *failing; /* NULL: none */
static _Thread_local int before_failure;

static bool fails(const char *function, int error)
{
	if (!failing || strcmp(failing, function) != 0 || before_failure-- != 0)
		return false;
	errno = error;
	return true;
}

/* fake_guest.c has mmap64. */
#define WRAP(type, name, parameters, arguments, error, failure)                   \
	type __real_##name parameters;                                            \
	type __wrap_##name parameters;                                            \
	type __wrap_##name parameters                                             \
	{                                                                         \
		return fails(#name, error) ? (failure) : __real_##name arguments; \
	}

WRAP(void *, calloc, (size_t count, size_t bytes), (count, bytes), ENOMEM, NULL)
WRAP(void *, reallocarray, (void *memory, size_t count, size_t bytes), (memory, count, bytes),
     ENOMEM, NULL)
WRAP(int, socket, (int domain, int type, int protocol), (domain, type, protocol), EMFILE, -1)
WRAP(int, epoll_create1, (int flags), (flags), EMFILE, -1)
WRAP(int, epoll_ctl, (int epoll, int operation, int fd, struct epoll_event *event),
     (epoll, operation, fd, event), ENOMEM, -1)
WRAP(ssize_t, send, (int fd, const void *data, size_t bytes, int flags), (fd, data, bytes, flags),
     ENOBUFS, -1)
WRAP(int, crossvm_map,
     (struct crossvm_mapping * mapping, int fd, off_t offset, size_t bytes, int protection),
     (mapping, fd, offset, bytes, protection), ENOMEM, -ENOMEM)
WRAP(int, crossvm_attribute_number,
     (const char *directory, const char *attribute, uint64_t *number),
     (directory, attribute, number), EIO, -EIO)

static const char *const functions[] = {
	"calloc",    "reallocarray", "socket",      "epoll_create1",
	"epoll_ctl", "send",         "crossvm_map", "crossvm_attribute_number",
};

static int try_open(const struct crossvm_open_request *request)
{
	struct crossvm_connection *conn = NULL;
	int error = crossvm_connection_open_below(request, &conn);

	failing = NULL;
	if (error)
		assert_null(conn);
	crossvm_connection_close(conn);
	return error;
}

static int try_list(const struct crossvm_open_request *request)
{
	struct crossvm_list_entry *entries = NULL;
	int count = crossvm_connection_list_below(request->root, request->options, &entries);

	failing = NULL;
	if (count < 0)
		assert_null(entries);
	free(entries);
	return count < 0 ? count : 0;
}

typedef int (*attempt_fn)(const struct crossvm_open_request *request);

/* With a daemon for this attempt only: its descriptors are in this process, too. */
static int attempt_once(const struct crossvm_open_request *request, attempt_fn attempt,
			const char *function, int place)
{
	struct crossvm_open_request with_daemon = *request;
	struct fake_daemon daemon;
	int error;

	if (!request->options) {
		fake_daemon_start(&daemon, fake_serve_well, NULL);
		with_daemon.options = &daemon.options;
	}
	failing = function;
	before_failure = place;
	error = attempt(&with_daemon);
	if (!request->options)
		fake_daemon_stop(&daemon);
	return error;
}

/*
 * Let each call of each function fail in turn. One of attributes may go unnoticed, since what it
 * tells is not needed.
 */
static void let_all_fail(const struct crossvm_open_request *request, attempt_fn attempt)
{
	int failed = 0;

	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		for (int place = 0;; place++) {
			int before = open_descriptors();
			int error = attempt_once(request, attempt, functions[i], place);

			assert_int_equal(open_descriptors(), before);
			if (before_failure >= 0)
				break;
			if (error) {
				assert_true(*crossvm_last_error());
				failed++;
			} else {
				assert_string_equal(functions[i], "crossvm_attribute_number");
			}
		}
	}
	assert_true(failed > 0);
	assert_int_equal(attempt_once(request, attempt, NULL, 0), 0);
}

static void of_a_component(void **state)
{
	const struct crossvm_open_request request = {
		.root = "/nonexistent",
		.name = "telemetry",
		.access = CROSSVM_OPEN_WRITE | CROSSVM_OPEN_EMIT,
	};

	(void)state;
	let_all_fail(&request, try_open);
	let_all_fail(&request, try_list);
}

static void in_a_guest(const char *driver, void (*add_uio)(struct fake_guest *guest))
{
	const struct crossvm_open_options options = {0};
	struct fake_guest guest;
	const struct crossvm_open_request request = {
		.root = guest.root,
		.name = "telemetry",
		.access = CROSSVM_OPEN_WRITE | CROSSVM_OPEN_EMIT,
		.options = &options,
	};

	fake_guest_create(&guest);
	fake_guest_add_device(&guest, driver);
	if (add_uio)
		add_uio(&guest);
	let_all_fail(&request, try_open);
	let_all_fail(&request, try_list);
	fake_guest_destroy(&guest);
}

static void with_our_driver(void **state)
{
	(void)state;
	in_a_guest("uio_crossvm", fake_guest_add_uio_crossvm);
}

static void with_our_driver_and_a_doorbell(void **state)
{
	(void)state;
	in_a_guest("uio_crossvm", fake_guest_add_uio_with_doorbell);
}

static void with_the_stock_driver(void **state)
{
	(void)state;
	in_a_guest("uio_pci_generic", fake_guest_add_uio_generic);
}

static void without_a_driver(void **state)
{
	(void)state;
	in_a_guest(NULL, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_a_component),
		cmocka_unit_test(with_our_driver),
		cmocka_unit_test(with_our_driver_and_a_doorbell),
		cmocka_unit_test(with_the_stock_driver),
		cmocka_unit_test(without_a_driver),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
