/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Apply against a live queue (docs/next/device.md, "Members, ids, change"; docs/next/channels-layout.md,
 * "The plan").
 *
 * A ring's sender, member 1, is removed; another member takes the place of the sender in the plan. The
 * receiver goes on meanwhile. The host changes the plan's entry word by word; its worker is killed
 * between any two steps, and the next one does the apply again from what the arena says is done.
 *
 * Checked: two senders never can store to the ring at the same time; the receiver never uses an entry
 * of which one word is old and the other new; it never takes a message of the new sender for one of
 * the old; totals never go back; nobody who has the memory mapped for writing is missing from
 * both writers and former_writers; at the end the entry is whole and names the new sender.
 *
 * Each of these takes one guard away, and must be caught:
 *   NO_END     the host changes the entry while the old sender's claim is held
 *   NO_SERIAL  the receiver does not compare serials
 *   NO_ODD     the host does not make the serial odd first
 *   NO_RESTART the new sender does not publish RESTART first
 *   NO_REDO    a new worker does not finish what the last one began
 *   FORGET     a removed member's events leave the sum
 *   NO_FORMER  the host says that the removed member is no writer, though it has the memory mapped
 *   NO_GOING_ON a new member's incarnations begin anew in a place that is used again
 */

/* The plan's entry in the receiver's host page. Sender and place go together: (1, 1) or (2, 2). */
byte serial = 2;
byte entry_sender = 1;
byte entry_place = 1;

/* The arena. */
byte wanted = 1;         /* whom apply wants as the sender */
bool published = true;
byte emitted[3];         /* largest values of members 1 and 2 */
byte total = 0;          /* of the receiver */
byte kills = 0;

/* Claims of the sending half, as drivers hold them. */
bool held[3];
bool can_store[3];
bool mapped = true;      /* member 1 may keep its mapping as long as it likes */
bool writers = true;     /* bit of member 1 */
bool former = false;     /* likewise */
byte incarnation[3];

/* What stands in the ring, oldest first: whose message it is, or RESTART. */
#define RESTART 9
chan ring = [4] of { byte };

/* One store to the ring, by a sender that may store. */
inline store(me, what)
{
	atomic { assert(can_store[me] && !can_store[3 - me]); ring ! what }
}

proctype sender_1()
{
	atomic { store(1, 1); emitted[1]++ };
	atomic { store(1, 1); emitted[1]++ };
	/* It is told that it was removed, or dies. */
	atomic { wanted == 2 -> can_store[1] = false };
	held[1] = false
}

proctype sender_2()
{
	/* It finds itself in the plan, and claims. */
	atomic { entry_sender == 2 && published -> held[2] = true; can_store[2] = true;
		assert(!can_store[1]);
#ifdef NO_GOING_ON
		incarnation[2] = 1
#else
		incarnation[2] = 2 /* after that of the place */
#endif
	};
#ifndef NO_RESTART
	store(2, RESTART);
#endif
	atomic { store(2, 2); emitted[2]++ }
}

#define MAY_DIE if :: atomic { kills < 2 -> kills++; goto dead } :: skip fi
#ifdef NO_REDO
#define TODO false
#else
#define TODO (!published)
#endif

proctype host()
{
	byte sum;
	bool applied = false;

end:	do
	/* Apply: first what is wanted, in one store; then the consequences, which can be repeated. */
	:: atomic { !applied && wanted == 1 -> wanted = 2; published = false; applied = true };
		MAY_DIE;
redo:
#ifndef NO_FORMER
		former = true;
		MAY_DIE;
#endif
		writers = false;
		MAY_DIE;
#ifndef NO_END
		atomic { !held[1] };
#endif
#ifndef NO_ODD
		if :: serial % 2 == 0 -> serial++ :: else fi;
#endif
		MAY_DIE;
		entry_sender = 2;
		MAY_DIE;
		entry_place = 2;
		MAY_DIE;
#ifdef NO_ODD
		serial = serial + 2;
#else
		serial++;
#endif
		MAY_DIE;
		published = true
	/* A look. */
	:: total != emitted[1] + emitted[2] ->
#ifdef FORGET
		sum = emitted[2] + (wanted == 1 -> emitted[1] : 0);
#else
		sum = emitted[1] + emitted[2];
#endif
		atomic { assert(sum >= total); total = sum; sum = 0 }
	od;
dead:	atomic { sum = 0;
		if
		:: TODO -> goto redo
		:: else -> goto end
		fi
	}
}

proctype reader_of_rights()
{
	assert(writers || former || !mapped)
}

proctype receiver()
{
	byte first, sender, place, whose = 1, what, seen = 1;
	byte tries = 0;

end:	do
	/* When there is nothing to do, it looks at the plan. */
	:: tries < 3 ->
		atomic { tries++; first = serial };
		sender = entry_sender;
		place = entry_place;
		if
#ifdef NO_SERIAL
		:: true ->
#else
		:: atomic { first % 2 == 0 && first == serial -> skip };
#endif
			atomic { assert(sender == place); first = 0; sender = 0; place = 0 }
#ifndef NO_SERIAL
		:: else -> atomic { first = 0; sender = 0; place = 0 }
#endif
		fi
	:: atomic { ring ? what ->
		if
		:: what == RESTART -> whose = 2
		:: else -> assert(what == whose)
		fi;
		what = 0 }
	/* It looks at the claims of the sender's place: another incarnation is another holder. */
	:: atomic { held[2] && !held[1] && seen == 1 ->
		assert(incarnation[2] != seen);
		seen = incarnation[2] }
	od
}

init {
	atomic {
		held[1] = true; can_store[1] = true; incarnation[1] = 1;
		run sender_1(); run sender_2(); run host(); run receiver(); run reader_of_rights()
	};
	timeout;
	assert(entry_sender == 2 && entry_place == 2 && serial % 2 == 0 && published);
	assert(total == emitted[1] + emitted[2])
}
