/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whoever loads a peer's status in one piece, as the library does, sees the state of that life: after
 * each instruction of the process that changes it, the word is the old one or the new one.
 */
#include "rig.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define PEER 1u

static const struct crossvm_peer_status before = {CROSSVM_PEER_PRESENT, 7};
static const struct crossvm_peer_status after = {CROSSVM_PEER_OPEN, 8};

static uint64_t word_of(const struct crossvm_peer_status *status)
{
	uint64_t word;

	memcpy(&word, status, sizeof(word));
	return word;
}

static pid_t start_change(struct rig *rig)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(!crossvm_device_peer_set(&rig->dev, PEER, after));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSTOPPED(status));
	return child;
}

static void state_and_incarnation_are_one(void **state)
{
	struct rig *rig =
		mmap(NULL, sizeof(*rig), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const struct crossvm_peer_status *peer = &rig->status.peers[PEER];
	unsigned int changes = 0;
	uint64_t seen = word_of(&before);
	int status;
	pid_t child;

	(void)state;
	assert_ptr_not_equal(rig, MAP_FAILED);
	rig_start(rig, CROSSVM_LAYOUT_SPLIT);
	assert_true(crossvm_device_peer_set(&rig->dev, PEER, before));
	child = start_change(rig);
	for (;;) {
		uint64_t now;

		assert_int_equal(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL), 0);
		assert_int_equal(waitpid(child, &status, 0), child);
		if (!WIFSTOPPED(status))
			break;
		now = word_of(peer);
		changes += now != seen;
		seen = now;
	}
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_int_equal(seen, word_of(&after));
	assert_int_equal(changes, 1);
	munmap(rig, sizeof(*rig));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(state_and_incarnation_are_one)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
