/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counts and kicks over stops and restarts of the host (docs/next/device.md, "Counts and kicks").
 *
 * Two words of one member, each with an emitter that adds one and kicks. The host looks when it is
 * kicked, keeps the largest value of each word, publishes the sum, and wakes the receiver. Its worker
 * is killed between any two steps; what stands in the arena (largest values, totals) stays, and so do
 * pages and eventfds. With -DDIRECT the emitters kick the receiver as well, which adds up the words
 * itself; with -DHOSTILE a word goes back once.
 *
 * Checked: the receiver never counts more than was emitted, its total never goes back, and when all is
 * quiet it has counted everything; nobody sleeps for ever.
 *
 * Each of these takes one guard away, and must be caught:
 *   KICK_FIRST  an emitter kicks before it counts
 *   NO_SCAN     a new worker waits for a kick
 *   NO_RAISE    a new worker wakes only if it finds news
 *   INCREMENT   the host adds what is new to the total, and then notes that it did
 *   NO_LARGEST  the host believes a word that goes back (with HOSTILE)
 *   LOOK_FIRST  the receiver looks, and only then makes sure that it will be woken
 *   RAISE_FIRST the host wakes before it has published
 *   BOTH_WAYS   the receiver adds the host's total to the words that it reads (with DIRECT)
 */
#define EMITS(me) (2 - (me)) /* by each */
#define ALL      3

byte word[2];       /* the member's page */
byte emitted = 0;   /* what really happened */
bool kick = false;  /* an eventfd of the host */

byte seen[2];       /* the arena */
byte total = 0;     /* the receiver's host page, and in the arena */
bool irq = false;   /* an eventfd of the receiver */
byte kills = 0;

proctype emitter(byte me)
{
	byte i = 0;

	do
	:: i == EMITS(me) -> break
	:: else ->
		i++;
#ifdef KICK_FIRST
		kick = true;
		atomic { emitted++; word[me]++ }
#else
		atomic { emitted++; word[me]++ };
#ifdef DIRECT
		irq = true;
#endif
		kick = true
#endif
	od
#ifdef HOSTILE
	;
	if
	:: me == 0 -> word[0] = 0; kick = true
	:: else
	fi
#endif
}

#define MAY_DIE if :: atomic { kills < 1 -> kills++; goto dead } :: skip fi

active proctype host()
{
	byte now, before, i;

#ifdef NO_SCAN
dead:	atomic { i = 0; before = 0; now = 0 };
#else
dead:	atomic { i = 0; before = 0; now = 0 };
#ifndef NO_RAISE
	irq = true; /* the last worker may have been killed between publishing and waking */
#endif
	goto look;
#endif
end:	do
	:: atomic { kick -> kick = false };
look:
		before = total;
		i = 0;
		do
		:: i == 2 -> break
		:: else ->
			now = word[i];
			MAY_DIE;
#ifdef INCREMENT
			if
			:: now > seen[i] ->
				total = total + (now - seen[i]);
				MAY_DIE;
				seen[i] = now
			:: else
			fi;
#else
			if
#ifdef NO_LARGEST
			:: now != seen[i] -> seen[i] = now
#else
			:: now > seen[i] -> seen[i] = now
#endif
			:: else
			fi;
#endif
			atomic { i++; now = 0 }
		od;
		MAY_DIE;
#ifdef RAISE_FIRST
		if :: before != seen[0] + seen[1] -> irq = true :: else fi;
#endif
#ifndef INCREMENT
		total = seen[0] + seen[1];
#endif
		MAY_DIE;
#ifndef RAISE_FIRST
		if :: before != total -> irq = true :: else fi;
#endif
		atomic { i = 0; before = 0 }
	od
}

#ifdef DIRECT
#ifdef BOTH_WAYS
#define LOOK word[0] + word[1] + total
#else
#define LOOK word[0] + word[1]
#endif
#else
#define LOOK total
#endif

/* Who goes back hides what it emitted before: then nobody is promised all of it. */
#ifdef HOSTILE
#define SLEEP end_sleep
#else
#define SLEEP sleep
#endif

active proctype receiver()
{
	byte counted = 0, found;

	do
	:: counted == ALL -> break
	:: else ->
#ifdef LOOK_FIRST
		found = LOOK;
		irq = false;
#else
		irq = false; /* the next kick wakes from now on: reading the eventfd */
		found = LOOK;
#endif
		assert(found >= counted);
		assert(found <= emitted);
		if
		:: atomic { found > counted -> counted = found; found = 0 }
		:: atomic { found == counted -> found = 0 };
SLEEP:			irq
		fi
	od
}

init {
	atomic { run emitter(0); run emitter(1) }
}
