/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Claim, death and take-over of one half of one member (docs/next/device.md, "Claims", "Session").
 *
 * Two processes of a guest want the half. Their driver decides, and stores the claim word into the
 * member's page. The host looks when it is kicked, and copies the word to the page of a peer, if the
 * session is the present one. A process dies at any time, in two steps: it is dying, and its mapping
 * goes. The guest is reset at any time. The host's worker is killed between any two steps; the
 * next one begins anew.
 *
 * Checked: two processes never can store at the same time; a peer never sees a claim of an earlier
 * session; a peer never takes a new holder for the old one; when all is quiet, the peer's page says
 * what the member's page says.
 *
 * Each of these takes one guard away, and must be caught:
 *   NO_BUSY        the driver does not look whether the half is held
 *   NO_DRAIN       the half is free as soon as its holder is dying
 *   NO_INCARNATION the incarnation stays the same
 *   NO_SESSION     the host does not compare sessions
 *   SESSION_FIRST  the driver stores its session before it has ended old claims
 *   CLAIM_FIRST    the host loads the claim before the session
 *   NO_KICK        nobody kicks after a claim has ended
 *   NO_SCAN        a new worker waits for a kick
 */
byte host_session = 1;
bool reset_pending = false;

/* The member's page. The word is one: ghost and ghost_session stand for whose it really is. */
byte page_session = 0;
byte page_incarnation = 0;
bool page_held = false;
byte page_ghost = 0;
byte page_ghost_session = 0;
bool kick = false;

/* The driver, while a kernel runs. */
bool up = false;
byte kernel = 0;
byte holder = 0;
byte ghosts = 0;
bool can_store[2];

/* The peer's page, and whose each incarnation was that it ever showed: the peer may have seen any. */
bool peer_held = false;
byte peer_incarnation = 0;
byte shown[3];

byte kills = 0;
byte resets = 0;

inline end_claim()
{
	page_held = false
}

active proctype driver()
{
	byte mine;

end:	do
	:: atomic { !up && !reset_pending -> mine = kernel }
#ifdef SESSION_FIRST
		atomic { if :: mine == kernel -> page_session = host_session :: else fi };
		atomic { if :: mine == kernel -> end_claim() :: else fi };
#else
		atomic { if :: mine == kernel -> end_claim() :: else fi };
		atomic { if :: mine == kernel -> page_session = host_session :: else fi };
#endif
		atomic { if :: mine == kernel -> kick = true; up = true :: else fi }
	od
}

active proctype guest()
{
	/* The kernel and all its processes vanish. The next one runs when the host has heard of it. */
	if
	:: atomic { resets < 1 -> resets++; kernel++; up = false; holder = 0; can_store[0] = false;
		can_store[1] = false; reset_pending = true }
	:: skip
	fi
}

#define ALIVE (mine == kernel)

proctype contender(byte me)
{
	byte mine;
	bool got = false;

	/* CLAIM, under the driver's lock; it returns -EBUSY, or the process holds the half. */
	atomic {
		up ->
		mine = kernel;
		if
#ifdef NO_BUSY
		:: true ->
#else
		:: holder == 0 ->
#endif
			holder = me + 1;
#ifndef NO_INCARNATION
			page_incarnation++;
#endif
			page_held = true;
			ghosts++;
			page_ghost = ghosts;
			page_ghost_session = host_session;
			can_store[me] = true;
			assert(!can_store[1 - me]);
			got = true
		:: else
		fi
	};
	if
	:: got ->
		atomic { if :: ALIVE -> kick = true :: else fi };
		/* It stores, then it dies. RELEASE is the same, for the library has stopped before. */
#ifdef NO_DRAIN
		atomic { if :: ALIVE -> holder = 0; end_claim() :: else fi };
		atomic { if :: ALIVE -> can_store[me] = false :: else fi };
#else
		atomic { if :: ALIVE -> can_store[me] = false :: else fi };
		atomic { if :: ALIVE -> holder = 0; end_claim() :: else fi };
#endif
#ifndef NO_KICK
		atomic { if :: ALIVE -> kick = true :: else fi }
#endif
	:: else
	fi
}

#define MAY_DIE :: atomic { kills < 1 -> kills++; goto dead }

active proctype host()
{
	byte session;
	byte incarnation, ghost, ghost_session;
	bool held;

#ifndef NO_SCAN
dead:	goto look;
#else
dead:	skip;
#endif
end:	do
	:: atomic { kick -> kick = false };
look:
		if MAY_DIE :: skip fi;
#ifdef CLAIM_FIRST
		atomic { incarnation = page_incarnation; held = page_held; ghost = page_ghost;
			ghost_session = page_ghost_session };
#endif
		session = page_session;
		if MAY_DIE :: skip fi;
#ifndef CLAIM_FIRST
		atomic { incarnation = page_incarnation; held = page_held; ghost = page_ghost;
			ghost_session = page_ghost_session };
#endif
		if
#ifdef NO_SESSION
		:: true ->
#else
		:: session == host_session ->
#endif
			if
			/* What the driver of a kernel that has been reset stores meanwhile is its own. */
			:: held -> assert(ghost_session == host_session || reset_pending)
			:: else
			fi;
			atomic {
				peer_held = held;
				peer_incarnation = incarnation;
				if
				:: held -> assert(shown[incarnation] == 0 || shown[incarnation] == ghost);
					shown[incarnation] = ghost
				:: else
				fi
			}
		:: else -> peer_held = false
		fi;
		if MAY_DIE :: skip fi
	:: reset_pending ->
		host_session++;
		if MAY_DIE :: skip fi;
		peer_held = false;
		if MAY_DIE :: skip fi;
		atomic { reset_pending = false }
	od
}

init {
	atomic { run contender(0); run contender(1) };
	timeout;
	assert(peer_held == (page_held && page_session == host_session));
	assert(!peer_held)
}
