/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A ring whose sender is killed before any store, and a tap that is lapped (docs/next/channels-layout.md,
 * "Sending", "Attaching", "Taps").
 *
 * A ring of four slots. Each sender attaches, publishes RESTART, a message, and two batches of two that
 * are to appear at once. It is killed between any two stores; the next one attaches. A receiver takes what
 * is published and gives room back, now and then. A tap follows.
 *
 * Checked: the receiver gets, in order, just what was published before a kill, then RESTART, then what the
 * next sender publishes; a batch comes as a whole or not at all; what a tap accepts is what stood there.
 *
 * Each of these takes one guard away, and must be caught:
 *   FIRST_TO_LAST the heads of a batch are stored first to last
 *   NO_TAKE_BACK  who attaches leaves the rest of a batch that was cut short
 *   SHORT_CLAIM   the sender writes beyond its claim
 *   CLAIM_EARLY   the claim is stored before the checkpoint that belongs to it
 *   CURRENT_FIRST the checkpoint that holds is changed in place
 *   NO_RESTART    no RESTART is published
 *   NO_TAP_CHECK  the tap does not look at the claim after it has copied
 */
#define SLOTS  4
#define LAP(s) (1 + (s) / SLOTS)
#define RESTART 8

byte lap[SLOTS];
byte what[SLOTS];      /* 16 * incarnation + RESTART or number of message */
byte claim = 0;
byte checkpoint[2];    /* the slot of each entry; 255: being written */
byte current = 0;
byte tail = 0;         /* what the receiver has given back */

byte incarnation = 0;
byte published[3];     /* messages of each incarnation, as whole batches */
byte history[16];      /* what was published in each slot, last */
byte kills = 0;

#define MAY_DIE if :: atomic { kills < 1 -> kills++; goto dead } :: skip fi

/* Room for count slots from s on, and the claim. */
inline prepare(count)
{
	s + count <= tail + SLOTS;
	if
	:: s + count > claim ->
#ifdef CLAIM_EARLY
		claim = tail + SLOTS;
		MAY_DIE;
#endif
#ifdef CURRENT_FIRST
		checkpoint[current] = 255;
		MAY_DIE;
		checkpoint[current] = s;
#else
		checkpoint[1 - current] = 255;
		MAY_DIE;
		checkpoint[1 - current] = s;
		MAY_DIE;
		current = 1 - current;
#endif
		MAY_DIE;
#ifndef CLAIM_EARLY
#ifdef SHORT_CLAIM
		claim = s + 1;
#else
		claim = tail + SLOTS; /* as far as there is room */
#endif
#endif
		MAY_DIE
	:: else
	fi
}

/* One slot: contents and head are one word. */
inline put(slot, value)
{
	what[(slot) % SLOTS] = value;
	lap[(slot) % SLOTS] = LAP(slot);
	history[slot] = value
}

active proctype sender()
{
	byte s = 0, j = 0, n = 0;

attach:	atomic { s = checkpoint[current]; n = 0 };
	assert(s != 255);
	/* A checkpoint is at most as old as the claim that follows it. */
	assert(claim <= s + SLOTS);
	do
	:: s < claim && lap[s % SLOTS] == LAP(s) -> s++
	:: else -> break
	od;
#ifndef NO_TAKE_BACK
	j = s;
	do
	:: j < claim ->
		MAY_DIE;
		atomic {
			if
			:: lap[j % SLOTS] == LAP(j) -> lap[j % SLOTS] = LAP(j) - 1
			:: else
			fi;
			j++
		}
	:: else -> break
	od;
#endif
	atomic { j = 0; incarnation++ };
	MAY_DIE;
#ifndef NO_RESTART
	prepare(1);
	atomic { put(s, 16 * incarnation + RESTART); s++ };
	MAY_DIE;
#endif
	prepare(1);
	atomic { put(s, 16 * incarnation + 1); published[incarnation] = 1; s++ };
	MAY_DIE;
	n = 2;
	do
	:: n == 6 -> break
	:: else ->
		prepare(2);
#ifdef FIRST_TO_LAST
		atomic { put(s, 16 * incarnation + n) };
		MAY_DIE;
		atomic { put(s + 1, 16 * incarnation + n + 1); published[incarnation] = n + 1 };
#else
		atomic { put(s + 1, 16 * incarnation + n + 1) };
		MAY_DIE;
		atomic { put(s, 16 * incarnation + n); published[incarnation] = n + 1 };
#endif
		atomic { s = s + 2; n = n + 2 };
		MAY_DIE
	od;
	goto end;
dead:	goto attach;
end:	skip
}

active proctype receiver()
{
	byte position = 0, whose = 0, number = 0, value = 0;

end:	do
	:: atomic { lap[position % SLOTS] == LAP(position) ->
		value = what[position % SLOTS];
		assert(value == history[position]);
		position++;
		if
		:: value % 16 == RESTART ->
			/* Everything before it came, and of a batch all or nothing. */
			assert(number == published[whose]);
			whose = value / 16;
			number = 0
		:: else ->
			assert(value / 16 == whose);
			assert(value % 16 == number + 1);
			number++
		fi;
		value = 0 }
	/* Every other slot, or when nothing is there. */
	:: atomic { tail < position && (position % 2 == 0 || lap[position % SLOTS] != LAP(position)) ->
		tail = position }
	od
}

active proctype tap()
{
	byte at = 0, value = 0;

	do
	:: lap[at % SLOTS] == LAP(at) ->
		value = what[at % SLOTS];
		if
#ifndef NO_TAP_CHECK
		:: claim > at + SLOTS -> break /* lapped */
#endif
		:: else -> assert(value == history[at]); atomic { value = 0; at++ }
		fi
	:: lap[at % SLOTS] > LAP(at) -> break /* lapped */
	:: timeout -> break
	od
}
