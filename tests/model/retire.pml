/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Taking a segment away from a guest that uses it: backend/segments.c and resize.c,
 * frontend/region.c, and the sessions of hypervisor/core/peer.c under them. One slot,
 * several lives of it.
 *
 *	backend				guest
 *	ALLOCATED, SHARED: ADD(e) -->	maps, answers ADDED(e), uses it
 *	ACTIVE
 *	RETIRING: RETIRE(e) -->		hands out no more pages; when every page is
 *	sweeps, still resolves		back it unmaps, and only then
 *				<--	RETIRED(e)
 *	DRAINED: resolves no more;
 *	no frame, no device refers
 *	to it: QUIESCED
 *	the provider confirms: REVOKED
 *
 * The backend may lose patience at each step: QUARANTINED keeps the memory and
 * what is said about it, so here it differs from waiting in nothing but the seeded bugs.
 *
 * A session ends at any time: the guest dies and its mapping with it; the backend
 * dies and forgets everything but what the provider knows; or one of them was
 * silent for too long and both go on living. Then what is under way is lost, and
 * each side is told at a time of its own. The next session waits until both were
 * (tests/unit/session_explore.c is about that). A guest that lives may hold
 * pages of the old session as long as its sockets like.
 *
 * What the provider knows is whether the guest maps the slot, and it lets it map only
 * what is shared: by reference counts, grant entries, or the two maps that
 * ivshmem keeps in its page.
 *
 * Assertions: nobody touches a life of the memory that is over; it is neither
 * revoked nor used again under the guest or the NIC; no honest side ever finds the other
 * one broken. A life that never ends is a non-progress cycle or a deadlock.
 *
 * Seeded bugs, each of which must be found: -DANSWER_BEFORE_UNMAP
 * -DANSWER_BEFORE_DRAINED -DFREE_BEFORE_QUIESCE -DEPOCH_REUSED
 * -DQUARANTINE_FREED -DQUARANTINE_DEAF -DREVOKE_BLIND -DRETIRE_SENT_ONCE
 * -DDEATH_NOT_TOLD -DNO_SWEEP
 */

#define LIVES	2

mtype = { ADD, ADDED, REFUSED, INVALID, RETIRE, RETIRED }

chan to_guest = [3] of { mtype, byte };
chan to_backend = [3] of { mtype, byte };

/* the memory and what the provider knows */
byte content;		/* life that it belongs to, 0: given away */
bool mapped;		/* by the guest */
bool shared;		/* may be mapped */
byte nic;		/* descriptors that point into it */

/* the session */
bool link = true;	/* else what is sent gets nowhere */
bool b_down, g_down;	/* it ended, and that side is still to be told */

/* the guest */
byte gl;		/* life that it maps */
bool handing;		/* ACTIVE there: hands out pages */
bool held;		/* a received page is in its network stack */
bool buffer;		/* posted for receiving, until it is used or comes back */
bool posted;		/* posted for sending */
bool sent;		/* ... and in the NIC's hands */
#define MISSING		(held || buffer || posted || sent)

/* the backend */
bool alive;		/* its queues */
bool usable;		/* ACTIVE here */
bool resolves;		/* ACTIVE, RETIRING or QUARANTINED */
bool stash;		/* a buffer that waits for a frame */
byte frames = 2;	/* left to come; then buffers wait for ever */

byte b_deaths = 1, g_deaths = 1, silences = 1;
bool b_kill, g_kill;

/* rings are empty and queues stop when a session ends, before anybody is told */
inline link_ends()
{
	link = false;
	do
	:: to_guest?_(_)
	:: to_backend?_(_)
	:: empty(to_guest) && empty(to_backend) -> break
	od
}

#define SEND(to, id, e)	atomic { if :: link -> to!id(e) :: else fi }

#ifdef DEATH_NOT_TOLD
#define B_TOLD	false
#else
#define B_TOLD	b_down
#endif

/* sluice_dest_down(): nothing of this side's queues refers to the segment any more */
inline queues_stop()
{
	alive = false;
	stash = false
}

active proctype backend()
{
	byte life, epoch, e;
	bool told, word;

again:	{
	do
	:: life == LIVES -> break
	:: else ->
		/* down: the client is told before the next session begins */
		if
		:: b_down -> atomic { queues_stop(); b_down = false }
		:: else
		fi;
		/* or it is told that a session is up */
		if
		:: link -> skip
		:: b_down -> goto again
		fi;
		/* segment_alloc: a slot that the provider has nobody in */
#ifndef REVOKE_BLIND
		if
		:: !mapped
		:: b_down -> goto again
		fi;
#endif
		atomic {
			assert(!mapped && nic == 0 && !stash);
			life++;
			content = life;
			shared = true;
#ifdef EPOCH_REUSED
			epoch = 1;
#else
			epoch++;
#endif
			/* the guest may post before we see its answer */
			alive = true; usable = true; resolves = true;
			told = false; word = false
		};
		SEND(to_guest, ADD, epoch);
		do
		:: to_backend?ADDED(e) -> assert(e == epoch); goto retire
		:: to_backend?REFUSED(e) -> assert(e == epoch); usable = false; goto drained
		:: to_backend?INVALID(e) -> assert(false)
		:: B_TOLD -> goto ended
		:: goto retire			/* the answer takes too long */
		od;
retire:
		usable = false;
		/* sluice_channel_send() fails when the guest does not read for a second */
		if
		:: SEND(to_guest, RETIRE, epoch); told = true
		:: told = false
		fi;
#ifndef NO_SWEEP
		atomic {
			if
			:: stash && link -> stash = false; buffer = false
			:: else -> stash = false
			fi
		};
#endif
#ifdef QUARANTINE_DEAF
		if
		:: resolves = false
		:: skip
		fi;
#endif
		do
#ifndef RETIRE_SENT_ONCE
		:: !told -> SEND(to_guest, RETIRE, epoch); told = true
#endif
		:: to_backend?RETIRED(e) -> assert(e == epoch); word = true; goto drained
		/* the answer to an ADD for which there was no patience */
		:: to_backend?ADDED(e) -> assert(e == epoch)
		:: to_backend?REFUSED(e) -> assert(e == epoch)
		:: to_backend?INVALID(e) -> assert(false)
		:: B_TOLD -> goto ended
#ifdef QUARANTINE_FREED
		:: goto drained
#endif
		od;
ended:
		atomic { queues_stop(); usable = false; b_down = false };
drained:
#ifndef FREE_BEFORE_QUIESCE
		/* new frames do not resolve; those on their way out get their time */
		resolves = false;
		nic == 0;
#endif
		/* from here on nobody can map it; the guest has said so, or the provider knows */
		shared = false;
#ifndef REVOKE_BLIND
		if
		:: word
		:: !word && !mapped
#ifdef QUARANTINE_FREED
		:: !word
#endif
		fi;
#endif
		atomic {
			assert(!mapped && nic == 0 && !stash);
			content = 0;
			resolves = false
		};
progress:	skip
	od;
	/* whatever comes late */
end:	do
	:: atomic { b_down -> queues_stop(); b_down = false }
	od
	} unless {
		/* the next life of the driver domain, with all that this one knew forgotten */
		b_kill -> atomic {
			b_kill = false;
			link_ends();
			queues_stop();
			shared = false;
			usable = false; resolves = false;
			nic = 0; sent = false;		/* the card is reset */
			epoch = 0; b_down = false;
			g_down = true
		};
		goto again
	}
}

/* messages and the state of the segment */
active proctype guest()
{
	byte epoch = 0, e;
	bool tell = false, leaving = false;

end_again: {
end:	do
	:: to_guest?ADD(e) ->
		if
		/* a reused epoch would let an old RETIRED end a new life */
		:: e == epoch -> SEND(to_backend, INVALID, e)
		:: e != epoch && !mapped ->
			epoch = e;
			if
			:: atomic { shared -> mapped = true; gl = content; handing = true };
				SEND(to_backend, ADDED, e)
			:: SEND(to_backend, REFUSED, e)
			fi
		/* pages of an earlier session are still held: another slot */
		:: e != epoch && mapped -> SEND(to_backend, REFUSED, e)
		fi
	:: to_guest?RETIRE(e) ->
		if
		:: handing ->
			assert(e == epoch);
			handing = false; leaving = true; tell = true;
#ifdef ANSWER_BEFORE_DRAINED
			SEND(to_backend, RETIRED, e)
#endif
		/* no patience for our refusal */
		:: !handing -> SEND(to_backend, RETIRED, e)
		fi
	/* every page is home */
	:: leaving && !MISSING ->
		leaving = false;
#ifdef ANSWER_BEFORE_UNMAP
		if
		:: tell -> SEND(to_backend, RETIRED, epoch)
		:: else
		fi;
		mapped = false;
#else
		mapped = false;
#ifndef ANSWER_BEFORE_DRAINED
		if
		:: tell -> SEND(to_backend, RETIRED, epoch)
		:: else
		fi;
#endif
#endif
		tell = false
	/* sluice_region_down(): what is held outlives the session, nobody is told */
	:: atomic { g_down ->
		posted = false; buffer = false; sent = false;
		epoch = 0; tell = false;
		leaving = mapped; handing = false;
		g_down = false
	}
	od
	} unless {
		g_kill -> atomic {
			g_kill = false;
			link_ends();
			mapped = false; handing = false; leaving = false; tell = false;
			held = false; buffer = false; posted = false; sent = false;
			epoch = 0; g_down = false;
			b_down = true
		};
		goto end_again
	}
}

/* the guest's network stack */
active proctype stack()
{
end:	do
	:: atomic { handing && !buffer && !held -> assert(content == gl); buffer = true }
	:: atomic { handing && !posted && !sent -> assert(content == gl); posted = true }
	:: atomic { held -> assert(content == gl); held = false }
	od
}

/* the backend's queues, in softirq */
active proctype queues()
{
end:	do
	/* a descriptor that does not resolve makes its guest a broken one */
	:: atomic { alive && link && posted -> assert(resolves); posted = false; sent = true; nic++ }
	:: atomic { alive && link && buffer && !stash ->
		assert(resolves);
		if
		:: usable -> stash = true
		:: else -> buffer = false		/* given back unused */
		fi
	}
	:: atomic { alive && stash && frames > 0 ->
		assert(content != 0);
		frames--;
		stash = false;
		if
		:: link -> buffer = false; held = true
		:: else
		fi
	}
	od
}

/* DMA, at some time */
active proctype device()
{
end:	do
	:: atomic { nic > 0 -> assert(content != 0); nic--; sent = false }
	od
}

/* the next session, and how one ends */
active proctype fate()
{
end:	do
	:: atomic { !link && !b_down && !g_down && !b_kill && !g_kill -> link = true }
	:: atomic { g_deaths > 0 && !g_kill -> g_deaths--; g_kill = true }
	:: atomic { b_deaths > 0 && !b_kill -> b_deaths--; b_kill = true }
	:: atomic { silences > 0 && link && !b_kill && !g_kill ->
		silences--;
		link_ends();
		b_down = true; g_down = true
	}
	od
}
