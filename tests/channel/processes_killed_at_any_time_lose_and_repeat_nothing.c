/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A sending and a receiving process, each killed (SIGKILL) over and over while both are at work,
 * with real sleeps and doorbells. The argument is the number of kills for each set-up.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/channel/fixture.h"
#include "tests/channel/processes.h"

#define SIZE_MAX_USED 1500u

static unsigned int kills = 150;

/* Outlives the processes. */
struct journal {
	uint64_t stop;     /* set by the test: the sender closes when it sees this */
	uint64_t done;     /* ids below are taken over by the receiver */
	uint64_t repeated; /* came again after a kill before their release */
	uint64_t sent;     /* by the sender that closed */
	pid_t receiver;    /* that has attached last */
};

struct stage {
	void *memory;
	uint64_t bytes;
	uint32_t spin_limit;
	struct bells bells[2];
	struct journal *journal;
};

static size_t size_of(uint64_t number)
{
	uint32_t seed = (uint32_t)number * 2654435761u + 1;

	return next_random(&seed) % 8 ? next_random(&seed) % 64
				      : next_random(&seed) % SIZE_MAX_USED;
}

/* Checks in a child, where cmocka's would not be heard. */
static void must(bool condition, const char *what)
{
	if (condition)
		return;
	(void)!write(STDERR_FILENO, what, strlen(what));
	(void)!write(STDERR_FILENO, "\n", 1);
	_exit(1);
}

static void attach(struct stage *stage, unsigned int member, struct crossvm_queue *queue)
{
	struct crossvm_port port = {.memory = stage->memory,
				    .bytes = stage->bytes,
				    .ring = bells_ring,
				    .wait = bells_wait,
				    .ctx = &stage->bells[member]};
	struct crossvm_queue_config config = {.member = member, .spin_limit = stage->spin_limit};

	must(!crossvm_queue_attach(queue, &port, &config), "attach failed");
}

static void sender(struct stage *stage)
{
	static struct crossvm_queue queue;

	attach(stage, 0, &queue);
	while (!__atomic_load_n(&stage->journal->stop, __ATOMIC_RELAXED)) {
		uint64_t number = crossvm_queue_next_id(&queue);
		void *data;
		int rc = crossvm_queue_reserve(&queue, size_of(number), &data, CROSSVM_FOREVER);

		if (rc == -CROSSVM_ECONNRESET)
			continue;
		must(!rc, "reserve failed");
		fill(data, size_of(number), number);
		crossvm_queue_commit(&queue);
	}
	stage->journal->sent = crossvm_queue_next_id(&queue);
	crossvm_queue_detach(&queue);
}

static void receiver(struct stage *stage)
{
	static struct crossvm_queue queue;
	struct journal *journal = stage->journal;
	bool first = true;

	attach(stage, 1, &queue);
	__atomic_store_n(&journal->receiver, getpid(), __ATOMIC_RELEASE);
	for (;;) {
		struct crossvm_message message;
		int rc = crossvm_queue_peek(&queue, &message, CROSSVM_FOREVER);

		if (rc == -CROSSVM_ECONNRESET)
			continue;
		if (rc == -CROSSVM_ENODATA)
			return;
		must(!rc, "peek failed");
		must(message.size == size_of(message.id), "wrong size");
		must(filled(message.data, message.size, message.id), "wrong contents");
		if (first && message.id + 1 == journal->done)
			journal->repeated++;
		else
			must(message.id == journal->done, "lost or repeated");
		first = false;
		journal->done = message.id + 1;
		crossvm_queue_release(&queue);
	}
}

static pid_t start(struct stage *stage, unsigned int member)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		if (member == 0)
			sender(stage);
		else
			receiver(stage);
		_exit(0);
	}
	return pid;
}

/* A receiver that comes after the sender has left waits for the next one, and there is none. */
static void wait_for_receiver(const struct journal *journal, pid_t pid)
{
	while (__atomic_load_n(&journal->receiver, __ATOMIC_ACQUIRE) != pid)
		usleep(100);
}

static void finish(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void run(uint64_t bytes, uint32_t spin_limit)
{
	struct stage stage = {.bytes = bytes, .spin_limit = spin_limit};
	uint32_t seed = 42;
	pid_t pid[2];
	int shared = MAP_SHARED | MAP_ANONYMOUS;

	stage.memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, shared, -1, 0);
	stage.journal = mmap(NULL, 4096, PROT_READ | PROT_WRITE, shared, -1, 0);
	assert_true(stage.memory != MAP_FAILED && (void *)stage.journal != MAP_FAILED);
	assert_int_equal(bells_init(stage.bells), 0);
	pid[0] = start(&stage, 0);
	pid[1] = start(&stage, 1);
	for (unsigned int i = 0; i < kills; i++) {
		unsigned int victim = next_random(&seed) % 2;
		int status;

		usleep(next_random(&seed) % 3000);
		kill(pid[victim], SIGKILL);
		waitpid(pid[victim], &status, 0);
		assert_true(WIFSIGNALED(status));
		pid[victim] = start(&stage, victim);
	}
	wait_for_receiver(stage.journal, pid[1]);
	__atomic_store_n(&stage.journal->stop, 1, __ATOMIC_RELAXED);
	finish(pid[0]);
	finish(pid[1]);
	assert_int_equal(stage.journal->done, stage.journal->sent);
	print_message("%u kills, %llu messages, %llu came again before their release\n", kills,
		      (unsigned long long)stage.journal->done,
		      (unsigned long long)stage.journal->repeated);
	bells_free(stage.bells);
	munmap(stage.journal, 4096);
	munmap(stage.memory, bytes);
}

static void with_a_small_ring(void **state)
{
	(void)state;
	run(8192, 50);
}

static void with_a_large_ring(void **state)
{
	(void)state;
	run(262144, 2000);
}

static void without_spinning(void **state)
{
	(void)state;
	run(16384, 0);
}

static void *end_at_once(void *unused)
{
	return unused;
}

/*
 * QEMU's user mode leaves fences out of a process that has never had a second thread, and of the
 * processes that it forks: it takes nobody else to share their memory.
 */
static int have_had_two_threads(void **state)
{
	pthread_t thread;

	(void)state;
	return pthread_create(&thread, NULL, end_at_once, NULL) || pthread_join(thread, NULL);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(with_a_small_ring),
		cmocka_unit_test(with_a_large_ring),
		cmocka_unit_test(without_spinning),
	};

	if (argc > 1)
		kills = (unsigned int)atoi(argv[1]);
	return cmocka_run_group_tests(tests, have_had_two_threads, NULL);
}
