/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs the example reverse_vmm, whose path is the argument, and attaches as QEMU would. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "examples/reverser/text.h"
#include "tests/host/guest.h"

static const char *program;

struct example {
	char directory[SCRATCH_BYTES];
	pid_t pid;
	char output[1024];
};

/* It has printed everything when it is ready to be attached to. */
static void start(struct example *example)
{
	size_t bytes = 0;
	int out[2];

	scratch_make(example->directory);
	assert_int_equal(pipe(out), 0);
	example->pid = fork();
	assert_true(example->pid >= 0);
	if (example->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM); /* also when the test fails */
		dup2(out[1], STDOUT_FILENO);
		execl(program, program, example->directory, (char *)NULL);
		_exit(127);
	}
	close(out[1]);
	while (bytes < sizeof(example->output) - 1 && !strstr(example->output, ".memory")) {
		const ssize_t count =
			read(out[0], example->output + bytes, sizeof(example->output) - 1 - bytes);

		assert_true(count > 0);
		bytes += (size_t)count;
		example->output[bytes] = '\0';
	}
	close(out[0]);
}

/* Everything that is sent here has a reply, but for the emit, which is answered by an interrupt. */
static void wait_for_reply(struct test_server *client)
{
	struct pollfd ready = {.fd = client->client, .events = POLLIN};

	assert_int_equal(poll(&ready, 1, 60000), 1);
}

static void do_not_wait(struct test_server *client)
{
	(void)client;
}

static struct test_server attach(const struct example *example, const char *function)
{
	struct test_server client = {.serve = wait_for_reply};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const struct vfio_user_version version = {0};

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/guest.reverser.%s",
		 example->directory, function);
	client.client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(client.client, (const struct sockaddr *)&address, sizeof(address)),
			 0);
	client_expect(&client, VFIO_USER_VERSION, &version, sizeof(version), 0);
	return client;
}

static void each_text_comes_back_reversed(void **state)
{
	static const char *const texts[][2] = {
		{"hello", "olleh"}, {"", ""}, {"a", "a"}, {"two words", "sdrow owt"}};
	struct example example = {0};
	struct test_server events, memory;
	int irq = eventfd(0, EFD_CLOEXEC);
	uint64_t offset, bytes;
	struct text_pair *pair;
	int fd, status;

	(void)state;
	start(&example);
	assert_non_null(strstr(example.output, "-device '{"));
	events = attach(&example, "events");
	memory = attach(&example, "memory");
	fd = guest_region_fd(&memory, 2, &offset, &bytes);
	pair = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);
	assert_ptr_not_equal(pair, MAP_FAILED);
	assert_int_equal(client_set_irqs(&events, VFIO_PCI_MSI_IRQ_INDEX,
					 VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER, 1,
					 irq),
			 0);
	events.serve = do_not_wait;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct pollfd answered = {.fd = irq, .events = POLLIN};

		snprintf(pair->question, sizeof(pair->question), "%s", texts[i][0]);
		guest_write32(&events, 0, CROSSVM_REG_EMIT, 1);
		assert_int_equal(poll(&answered, 1, 60000), 1);
		assert_int_equal(eventfd_count(irq), 1);
		assert_string_equal(pair->answer, texts[i][1]);
	}
	/* It ends when it is asked to, and leaves nothing behind. */
	kill(example.pid, SIGTERM);
	assert_int_equal(waitpid(example.pid, &status, 0), example.pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(rmdir(example.directory), 0);
	munmap(pair, bytes);
	close(fd);
	close(irq);
	close(events.client);
	close(memory.client);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_text_comes_back_reversed),
	};

	if (argc != 2)
		return 2;
	program = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
