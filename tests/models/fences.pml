/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sleep and wake of a ring, with and without fences (docs/next/channels-layout.md, "Sleeping and
 * waking").
 *
 * A sender publishes messages; its store goes to a store buffer, and reaches memory some time later.
 * It then looks at the receiver's state word, and kicks if that is another than the one that it saw
 * last and says SLEEPING. The receiver stores its state, fences, looks, and sleeps. MODE says what
 * orders the sender's publication before its look:
 *
 *   FENCED      the sender waits for its store buffer
 *   MEMBARRIER  the receiver, before it looks, makes the sender's processor empty its buffer
 *   LEASE       nobody does; the receiver sleeps in rounds, and looks after each. A round is longer
 *               than a store stays in a buffer: it does not end while the buffer has a store that was
 *               in it when the round began
 *
 * With -DANOTHER, the receiver is replaced after the first message by one that copes with FENCED and
 * LEASE only, while the sender uses MODE.
 *
 * Checked: nobody sleeps for ever with a message to receive, every message is received, one kick for
 * a sleep at most, and no look after a round misses what was published before the round began.
 *
 * Each of these takes one guard away, and must be caught:
 *   NO_FENCE_W   no fence of the sender (FENCED)
 *   NO_FENCE_S   no fence of the receiver
 *   UNREGISTERED membarrier() does not reach the sender (MEMBARRIER)
 *   NO_LOOK      the receiver does not look after a round (LEASE)
 *   SHORT_ROUND  a round may end while an old store is in the buffer (LEASE)
 *   TRUSTING     a receiver sleeps for good though it does not cope with the mode (ANOTHER)
 *   SWITCH_EARLY the sender says FENCED while what it published without is in its buffer (ANOTHER)
 *
 * With ONE_ROUND, the receiver sleeps for good after a look after one round: this must hold as well, for
 * rounds are longer than any store stays in a buffer. Real receivers go on with rounds all the same.
 */
#define FENCED     0
#define MEMBARRIER 1
#define LEASE      2
#ifndef MODE
#define MODE FENCED
#endif
#ifndef MESSAGES
#define MESSAGES 2
#endif
#define EMPTY 255

byte slots = 0;             /* memory: how many messages are published */
byte slots_buffer = EMPTY;  /* the sender's store buffer */
byte state = 0;             /* memory: the receiver's word: 2 * epoch + SLEEPING */
byte state_buffer = EMPTY;  /* the receiver's store buffer: two entries, oldest first */
byte state_buffer2 = EMPTY;
byte incarnation = 1;       /* in the same word in truth; its store is ordered with the state */
byte fence_mode = MODE;     /* the sender's word, stored before its first store without a fence */
bool event = false;
byte kicks = 0;
byte sleeps = 0;
byte received = 0;
byte program = 0;           /* what the sender has published in its program's order */
bool old_store = false;     /* the buffer has what was in it when the round began */

active proctype memory()
{
end:	do
	:: atomic { slots_buffer != EMPTY -> slots = slots_buffer; slots_buffer = EMPTY; old_store = false }
	:: atomic { state_buffer != EMPTY -> state = state_buffer; state_buffer = state_buffer2;
		state_buffer2 = EMPTY }
	od
}

inline store_state(value)
{
	atomic {
		state_buffer2 == EMPTY;
		if
		:: state_buffer == EMPTY -> state_buffer = value
		:: else -> state_buffer2 = value
		fi
	}
}

active proctype sender()
{
	byte seen = 0, now = 0, peer = 1;

	do
	:: program == MESSAGES -> break
	:: else ->
		atomic { slots_buffer == EMPTY -> program++; slots_buffer = program }; /* W1 */
#ifndef NO_FENCE_W
		if
		:: fence_mode == FENCED -> slots_buffer == EMPTY /* W2 */
		:: else
		fi;
#endif
		now = state; /* W3 */
		if
		/* Another receiver: from now on a fence. What was published without must be seen first. */
		:: incarnation != peer ->
			peer = incarnation;
#ifndef SWITCH_EARLY
			slots_buffer == EMPTY;
#endif
			fence_mode = FENCED;
			now = state
		:: else
		fi;
		if
		:: now != seen ->
			seen = now;
			if
			:: now % 2 == 1 -> atomic { event = true; kicks++; assert(kicks <= sleeps) }
			:: else
			fi
		:: else
		fi;
		now = 0
	od
}

#ifdef ANOTHER
#define COPES(mode) (incarnation == 1 || mode != MEMBARRIER)
#else
#define COPES(mode) (true)
#endif

active proctype receiver()
{
	byte epoch = 0, before = 0;
	bool rounds = false;

	do
	:: received == MESSAGES -> break
	:: else ->
		if
		:: slots > received ->
			received++;
#ifdef ANOTHER
			if
			:: incarnation == 1 -> atomic { state_buffer == EMPTY -> incarnation = 2 }
			:: else
			fi
#endif
		:: else ->
			epoch++;
			sleeps++;
			store_state(2 * epoch + 1); /* S1 */
			/* How the sender is to be slept with. */
			atomic { rounds = (fence_mode == LEASE) || !COPES(fence_mode) };
#ifdef TRUSTING
			rounds = false;
#endif
#ifndef NO_FENCE_S
			state_buffer == EMPTY; /* S2 */
#endif
#ifndef UNREGISTERED
			if
			:: fence_mode == MEMBARRIER && COPES(MEMBARRIER) -> slots_buffer == EMPTY
			:: else
			fi;
#endif
again:			if
			:: slots > received -> skip /* S3 */
			:: else ->
				atomic { before = program; old_store = (slots_buffer != EMPTY) };
				if
				:: atomic { event -> event = false } /* S4 */
#ifdef SHORT_ROUND
				:: rounds ->
#else
				:: rounds && !old_store ->
#endif
#ifdef NO_LOOK
					atomic { event -> event = false }
#else
#ifdef ONE_ROUND
					assert(slots >= before);
					if
					:: slots == received -> atomic { event -> event = false }
					:: else
					fi
#else
					assert(slots >= before);
					goto again
#endif
#endif
				fi
			fi;
			before = 0;
			store_state(2 * epoch) /* awake */
		fi
	od
}
