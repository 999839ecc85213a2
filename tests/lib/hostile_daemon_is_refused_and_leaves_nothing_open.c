/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whatever a daemon answers, opening ends with an error and a sentence; no descriptor stays open,
 * and nothing is mapped that could shrink under the mapping.
 */
#include <fcntl.h>
#include <unistd.h>

#include "fake_daemon.h"
#include "fixture.h"

/* What is wrong with one answer: applied to a good one before it is sent. */
struct answer {
	struct crossvm_component_entry entry;
	size_t bytes;
	int fds[8];
	size_t num_fds;
};

struct lie {
	const char *says; /* in the sentence */
	void (*tell)(struct fake_daemon *daemon, struct answer *answer);
};

static void short_message(struct fake_daemon *daemon, struct answer *answer)
{
	(void)daemon;
	answer->bytes = sizeof(answer->entry) - 8;
}

static void long_message(struct fake_daemon *daemon, struct answer *answer)
{
	(void)daemon;
	answer->bytes = sizeof(struct answer);
}

static void tiny_message(struct fake_daemon *daemon, struct answer *answer)
{
	(void)daemon;
	answer->bytes = 3;
}

static void wrong_magic(struct fake_daemon *daemon, struct answer *answer)
{
	(void)daemon;
	answer->entry.header.magic++;
}

static void wrong_version(struct fake_daemon *daemon, struct answer *answer)
{
	(void)daemon;
	answer->entry.header.version = 9;
}

static void wrong_type(struct fake_daemon *daemon, struct answer *answer)
{
	(void)daemon;
	answer->entry.header.type = CROSSVM_COMPONENT_ENTRY;
}

static void endless_name(struct fake_daemon *daemon, struct answer *answer)
{
	(void)daemon;
	memset(answer->entry.connection, 'x', sizeof(answer->entry.connection));
}

static void other_connection(struct fake_daemon *daemon, struct answer *answer)
{
	(void)daemon;
	strcpy(answer->entry.connection, "alarm");
}

static void no_descriptors(struct fake_daemon *daemon, struct answer *answer)
{
	(void)daemon;
	answer->num_fds = 0;
}

static void no_dataport(struct fake_daemon *daemon, struct answer *answer)
{
	(void)daemon;
	answer->num_fds = 2;
}

static void too_many_descriptors(struct fake_daemon *daemon, struct answer *answer)
{
	for (size_t i = answer->num_fds; i < 8; i++)
		answer->fds[i] = daemon->event_fd;
	answer->num_fds = 8;
}

static int replaced;

static void small_status_page(struct fake_daemon *daemon, struct answer *answer)
{
	(void)daemon;
	answer->fds[0] = replaced = fake_memory(CROSSVM_PAGE_BYTES - 1, F_SEAL_SHRINK);
}

static void status_page_that_can_shrink(struct fake_daemon *daemon, struct answer *answer)
{
	(void)daemon;
	answer->fds[0] = replaced = fake_memory(CROSSVM_PAGE_BYTES, F_SEAL_GROW);
}

static void status_page_is_a_file(struct fake_daemon *daemon, struct answer *answer)
{
	(void)daemon;
	answer->fds[0] = replaced = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
}

static void small_dataport(struct fake_daemon *daemon, struct answer *answer)
{
	(void)daemon;
	answer->fds[2] = replaced = fake_memory(FAKE_DATAPORT_BYTES - 4096, F_SEAL_SHRINK);
}

static void dataport_that_can_shrink(struct fake_daemon *daemon, struct answer *answer)
{
	(void)daemon;
	answer->fds[2] = replaced = fake_memory(FAKE_DATAPORT_BYTES, 0);
}

static void event_descriptor_is_a_file(struct fake_daemon *daemon, struct answer *answer)
{
	(void)daemon;
	answer->fds[1] = replaced = fake_memory(4096, F_SEAL_SHRINK);
}

static void status_page_without_magic(struct fake_daemon *daemon, struct answer *answer)
{
	(void)answer;
	daemon->status->magic = UINT32_MAX;
}

static void status_page_of_another_version(struct fake_daemon *daemon, struct answer *answer)
{
	(void)answer;
	daemon->status->version = 3;
}

static void status_page_of_another_connection(struct fake_daemon *daemon, struct answer *answer)
{
	(void)answer;
	memset(daemon->status->name, 'y', sizeof(daemon->status->name));
}

static void too_many_members(struct fake_daemon *daemon, struct answer *answer)
{
	(void)answer;
	daemon->status->member_count = CROSSVM_MAX_MEMBERS + 1;
}

static void member_out_of_range(struct fake_daemon *daemon, struct answer *answer)
{
	(void)answer;
	daemon->status->member_id = 3;
}

static void sizes_that_differ(struct fake_daemon *daemon, struct answer *answer)
{
	(void)daemon;
	answer->entry.dataport_bytes -= 4096;
}

static void huge_dataport(struct fake_daemon *daemon, struct answer *answer)
{
	daemon->status->dataport_bytes = UINT64_MAX - 4095;
	answer->entry.dataport_bytes = UINT64_MAX - 4095;
}

static void odd_dataport(struct fake_daemon *daemon, struct answer *answer)
{
	(void)daemon;
	answer->entry.dataport_bytes = 4097;
}

static const struct lie lies[] = {
	{"wrong size", short_message},
	{"wrong size", long_message},
	{"not crossvmd", tiny_message},
	{"not crossvmd", wrong_magic},
	{"speaks version 9", wrong_version},
	{"instead of 0x101", wrong_type},
	{"a name without an end", endless_name},
	{"another connection", other_connection},
	{"0 descriptors", no_descriptors},
	{"2 descriptors", no_dataport},
	{"wrong size", too_many_descriptors},
	{"smaller than its 4096 bytes", small_status_page},
	{"not sealed", status_page_that_can_shrink},
	{"not sealed", status_page_is_a_file},
	{"smaller than its 12288 bytes", small_dataport},
	{"not sealed", dataport_that_can_shrink},
	{"eventfd", event_descriptor_is_a_file},
	{"0xffffffff", status_page_without_magic},
	{"version 3", status_page_of_another_version},
	{"belongs to 'yyyy", status_page_of_another_connection},
	{"of 65", too_many_members},
	{"member 3 of 3", member_out_of_range},
	{"do not agree", sizes_that_differ},
	{"18446744073709547520 bytes", huge_dataport},
	{"4097 bytes", odd_dataport},
};

static void serve_lie(struct fake_daemon *daemon, int client,
		      const struct crossvm_component_request *request)
{
	const struct lie *lie = daemon->context;
	struct answer answer = {
		.entry = fake_entry(daemon, CROSSVM_COMPONENT_OPENED),
		.bytes = sizeof(answer.entry),
		.fds = {daemon->status_fd, daemon->event_fd, daemon->dataport_fd},
		.num_fds = 3,
	};

	(void)request;
	replaced = -1;
	lie->tell(daemon, &answer);
	fake_send(client, &answer, answer.bytes, answer.fds, answer.num_fds);
	if (replaced >= 0)
		close(replaced);
	fake_count_emits(daemon, client);
}

static void each_lie_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct crossvm_connection *conn = NULL;
		struct fake_daemon daemon;
		int before = open_descriptors();
		int error;

		fake_daemon_start(&daemon, serve_lie, &lies[i]);
		error = crossvm_connection_open("telemetry", CROSSVM_OPEN_WRITE, &daemon.options,
						&conn);
		fake_daemon_stop(&daemon);
		assert_null(conn);
		if (error != -EPROTO)
			fail_msg("lie %zu (%s): %d, %s", i, lies[i].says, error,
				 crossvm_last_error());
		assert_error_says(lies[i].says);
		assert_int_equal(open_descriptors(), before);
	}
}

static void serve_nothing(struct fake_daemon *daemon, int client,
			  const struct crossvm_component_request *request)
{
	(void)daemon;
	(void)client;
	(void)request;
}

static void a_daemon_that_hangs_up_is_reported(void **state)
{
	struct crossvm_connection *conn;
	struct fake_daemon daemon;
	int error;

	(void)state;
	fake_daemon_start(&daemon, serve_nothing, NULL);
	error = crossvm_connection_open("telemetry", 0, &daemon.options, &conn);
	fake_daemon_stop(&daemon);
	assert_int_equal(error, -EPROTO);
	assert_error_says("hung up");
}

static void serve_failure(struct fake_daemon *daemon, int client,
			  const struct crossvm_component_request *request)
{
	struct crossvm_component_failure failure = {
		.header = {CROSSVM_COMPONENT_MAGIC, CROSSVM_COMPONENT_VERSION,
			   CROSSVM_COMPONENT_FAILED},
		.error = *(const int *)daemon->context,
	};

	(void)request;
	memset(failure.message, '\x1b', sizeof(failure.message));
	fake_send(client, &failure, sizeof(failure), &daemon->event_fd, 1);
}

static void a_failure_cannot_pretend_success_nor_reach_the_terminal(void **state)
{
	static const int errors[] = {0, 5, -4096, INT32_MIN, -EACCES};

	(void)state;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		struct crossvm_connection *conn;
		struct fake_daemon daemon;
		int before = open_descriptors();
		int error;

		fake_daemon_start(&daemon, serve_failure, &errors[i]);
		error = crossvm_connection_open("telemetry", 0, &daemon.options, &conn);
		fake_daemon_stop(&daemon);
		assert_int_equal(error, errors[i] == -EACCES ? -EACCES : -EPROTO);
		assert_null(strchr(crossvm_last_error(), '\x1b'));
		assert_int_equal(strlen(crossvm_last_error()), 251);
		assert_int_equal(open_descriptors(), before);
	}
}

static void serve_endless_list(struct fake_daemon *daemon, int client,
			       const struct crossvm_component_request *request)
{
	struct crossvm_component_entry entry = fake_entry(daemon, CROSSVM_COMPONENT_ENTRY);

	(void)request;
	for (int i = 0; i < 70000; i++)
		fake_send(client, &entry, sizeof(entry), NULL, 0);
}

static void a_list_without_an_end_is_cut_off(void **state)
{
	struct crossvm_list_entry *entries;
	struct fake_daemon daemon;
	int count;

	(void)state;
	fake_daemon_start(&daemon, serve_endless_list, NULL);
	count = crossvm_connection_list_below("/nonexistent", &daemon.options, &entries);
	fake_daemon_stop(&daemon);
	assert_int_equal(count, -EPROTO);
	assert_null(entries);
	assert_error_says("does not end");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_lie_is_refused),
		cmocka_unit_test(a_daemon_that_hangs_up_is_reported),
		cmocka_unit_test(a_failure_cannot_pretend_success_nor_reach_the_terminal),
		cmocka_unit_test(a_list_without_an_end_is_cut_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
