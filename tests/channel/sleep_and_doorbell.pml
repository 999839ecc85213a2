/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sleep, doorbell and wakeup of lib/channel/wait.h on processors with store buffers.
 *
 * One waker publishes positions 1..MESSAGES, one sleeper consumes them, with the steps W1 to W3
 * and S1 to S4 of wait.h. A store goes to its processor's buffer and reaches memory some time
 * later; a load sees the own buffer first. A fence waits until the buffer is empty. That is
 * x86's order; what a weaker processor may reorder besides, the release and acquire of the
 * positions forbid.
 *
 * Checked: nobody sleeps for ever with something to consume (no invalid end state), every
 * position is consumed, and one doorbell rings per sleep at most. With -DNO_FENCE_S or
 * -DNO_FENCE_W the fence S2 or W2 is left out, and Spin must find the lost wakeup. The
 * sleeper may also wake for no reason, as when a deadline passes.
 */
#ifndef MESSAGES
#define MESSAGES 3
#endif
#define NEVER 255
#define EMPTY 254

byte head = 0;       /* memory: the published position */
byte wake = NEVER;   /* memory: the position to ring for */
byte head_buffer = EMPTY; /* the waker's store buffer */
byte wake_buffer = EMPTY; /* the sleeper's: two entries, oldest first */
byte wake_buffer2 = EMPTY;
bool bell = false;   /* the event: stays until it is taken */
byte rings = 0;
byte arms = 0;       /* how often S1 was taken */
byte sleeps = 0;
byte consumed = 0;

/* Memory takes what the buffers hold, at any time. */
active proctype memory()
{
end:	do
	:: atomic { head_buffer != EMPTY -> head = head_buffer; head_buffer = EMPTY }
	:: atomic { wake_buffer != EMPTY -> wake = wake_buffer; wake_buffer = wake_buffer2; wake_buffer2 = EMPTY }
	od
}

inline store_wake(value)
{
	atomic {
		wake_buffer2 == EMPTY;
		if
		:: wake_buffer == EMPTY -> wake_buffer = value
		:: else -> wake_buffer2 = value
		fi
	}
}

active proctype waker()
{
	byte position = 0;
	byte old;
	byte seen;

	do
	:: position < MESSAGES ->
		old = position;
		position++;
		/* W1: one store at a time fits the buffer; waiting for the last is no fence, because
		 * a load may still pass the store that is in it. */
		atomic { head_buffer == EMPTY -> head_buffer = position };
#ifndef NO_FENCE_W
		head_buffer == EMPTY; /* W2 */
#endif
		seen = wake; /* W3 */
		if
		:: old < seen && seen <= position -> atomic { bell = true; rings++; assert(rings <= arms) }
		:: else
		fi
	:: else -> break
	od
}

active proctype sleeper()
{
	do
	:: consumed == MESSAGES -> break
	:: else ->
		if
		:: head > consumed -> consumed++
		:: else ->
			arms++;
			store_wake(consumed + 1); /* S1 */
#ifndef NO_FENCE_S
			wake_buffer == EMPTY; /* S2 */
#endif
			if
			:: head > consumed -> skip /* S3 */
			:: else ->
				sleeps++;
				if
				:: atomic { bell -> bell = false } /* S4 */
#ifdef SPURIOUS
				:: sleeps < 4 -> skip
#endif
				fi
			fi;
			store_wake(NEVER)
		fi
	od;
	assert(consumed == MESSAGES);
}
