/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Format of a ring while the other side may come (docs/next/channels-layout.md, "Format").
 *
 * The one side holds its half and wants to store zeros over the ring, also over the other side's lines.
 * The other side claims its half in its member's page and attaches. The host publishes claims, and then
 * answers the barrier. The formatting side may be killed; who comes after it does it again.
 *
 * Checked: nobody is attached while the ring is being zeroed; nobody attaches to a ring that is half
 * zeroed; both come to an end.
 *
 * Each of these takes one guard away, and must be caught:
 *   NO_BARRIER  the other side attaches before its claim is published
 *   NO_BIT      the formatting side does not say that it formats
 *   LOOK_FIRST  it looks at the claim before it says so
 *   NO_REDO     who comes after it does not finish
 *   ASK_AGAIN   who comes after it waits for the other side's claim to end
 */
bool claim_page = false;      /* the other side's member page */
bool claim_published = false; /* the formatting side's host page */
bool probe = false, echo = false;
bool asked_bit = false;       /* FORMAT_ASKED and FORMATTING, in the state word of the formatting side */
bool formatting = false;
bool attached = false;
byte zeroed = 2;              /* of two parts: 2: the ring is whole */
byte kills = 0;

active proctype host()
{
	bool asked;

end:	do
	:: probe != echo || claim_page != claim_published ->
		asked = probe;
		claim_published = claim_page;
		atomic { echo = asked; asked = false }
	od
}

active proctype other()
{
	claim_page = true;
	probe = true;
#ifndef NO_BARRIER
	echo == probe;
#endif
	atomic { !asked_bit && !formatting -> attached = true };
	assert(zeroed == 2);
	/* It uses the ring, and leaves. */
	attached = false;
	claim_page = false
}

#define MAY_DIE if :: atomic { kills < 1 -> kills++; goto dead } :: skip fi

active proctype formatter()
{
	bool held;

#ifdef LOOK_FIRST
	held = claim_published;
#endif
#ifndef NO_BIT
	asked_bit = true; /* and a full fence */
#endif
	MAY_DIE;
#ifndef LOOK_FIRST
	held = claim_published;
#endif
	if
	:: held -> asked_bit = false; goto done /* -EBUSY */
	:: else
	fi;
#ifndef NO_BIT
	formatting = true;
#endif
	MAY_DIE;
zero:
	assert(!attached);
	zeroed = 1;
	MAY_DIE;
	assert(!attached);
	zeroed = 2;
	MAY_DIE;
	atomic { formatting = false; asked_bit = false }; /* one word */
	goto done;
	/* Who attaches to this half next finds the bits: FORMATTING is finished, ASKED alone is dropped. */
dead:
#ifdef NO_REDO
	asked_bit = false; formatting = false;
#else
	if
	:: formatting ->
#ifdef ASK_AGAIN
		claim_published == false;
#endif
		goto zero
	:: else -> asked_bit = false
	fi;
#endif
done:	skip
}
