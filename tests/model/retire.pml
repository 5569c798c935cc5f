/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Taking a segment away from a guest that uses it: backend/segments.c and
 * frontend/region.c, one slot, several lives of it.
 *
 *	backend				guest
 *	ALLOCATED, SHARED: ADD(e) -->	maps, answers ADDED(e), uses it
 *	RETIRE(e), maybe again -->	hands out no more pages; when every page is
 *					back it unmaps, and only then
 *				<--	RETIRED(e), also to a RETIRE said twice
 *	DRAINED; no frame, no device
 *	refers to it: QUIESCED
 *	REVOKED, freed
 *
 * The backend may lose patience at each step (QUARANTINED: it keeps the memory,
 * and goes on when the answer comes or the guest is gone). The guest may die at
 * any point: its mapping goes with it, and the messages under way are of a session
 * that is over (tests/unit/session_explore.c is about that), which the backend
 * is told. The provider enforces nothing: what the guest still maps it can touch.
 *
 * Assertions: nobody touches memory that was taken away, memory is neither
 * revoked nor used again while the guest maps it or the NIC refers to it.
 * A backend that waits for ever is a deadlock.
 *
 * Seeded bugs, each of which must be found: -DANSWER_BEFORE_UNMAP
 * -DANSWER_BEFORE_DRAINED -DFREE_BEFORE_QUIESCE -DEPOCH_REUSED
 * -DQUARANTINE_FREED -DDEATH_NOT_TOLD
 */

#define LIVES	3

mtype = { ADD, ADDED, RETIRE, RETIRED }

chan to_guest = [4] of { mtype, byte };
chan to_backend = [4] of { mtype, byte };

bool in_use;		/* the memory is this slot's */
bool shared;		/* and the guest's to use */
bool resolves;		/* backend: ACTIVE or RETIRING */
bool mapped;		/* by the guest */
bool held;		/* a page of it is in the guest's network stack */
byte nic;		/* descriptors that point into it */
bool up = true;		/* a session stands; else what is sent gets nowhere */
bool down;		/* the backend is told that it ended */
byte deaths = 1;	/* left for the guest to die */

#define SEND(id, e)	atomic { if :: up -> to_guest!id(e) :: else fi }

inline take_away()
{
#ifndef FREE_BEFORE_QUIESCE
	/* new frames do not resolve; those on their way out get their time */
	resolves = false;
	nic == 0;
#endif
	assert(!mapped);		/* never revoke under the guest */
	shared = false;
	assert(nic == 0);		/* never free under the NIC */
	in_use = false;
	resolves = false
}

active proctype backend()
{
	byte life = 0, epoch = 0, e;

	do
	:: life == LIVES -> break
	:: else ->
		life++;
#ifdef EPOCH_REUSED
		epoch = 1;
#else
		epoch++;
#endif
		assert(!in_use && !mapped && nic == 0);
		/* the next session, when nothing of the last is left */
		atomic {
			if
			:: down -> down = false; up = true
			:: else
			fi;
			in_use = true; shared = true; resolves = true
		};
		SEND(ADD, epoch);
		/* its answer, or no patience for it */
		do
		:: to_backend?ADDED(e) ->
			if
			:: e == epoch -> break
			:: else
			fi
		:: to_backend?RETIRED(e)	/* of an earlier life */
		:: down -> break
		:: break
		od;
		SEND(RETIRE, epoch);
		if
		:: SEND(RETIRE, epoch)		/* asked again, since the answer takes long */
		:: skip
		fi;
		do
		:: to_backend?RETIRED(e) ->
			if
			:: e == epoch -> break
			:: else
			fi
		:: to_backend?ADDED(e)
		:: down -> break
#ifdef QUARANTINE_FREED
		:: break
#endif
		od;
		take_away()
	od;
	/* whatever comes late */
end:	do
	:: to_backend?ADDED(e)
	:: to_backend?RETIRED(e)
	od
}

active proctype guest()
{
	byte epoch = 0, e;
	bool retiring = false;

end:	do
	:: to_guest?ADD(e) ->
		atomic { mapped = true; epoch = e; retiring = false };
		to_backend!ADDED(e)
	/* receive into it, read it */
	:: atomic { mapped && !retiring && !held -> assert(in_use && shared); held = true }
	:: atomic { held -> assert(in_use && shared); held = false }
	/* send from it: the backend resolves the offset and hands it to the NIC */
	:: atomic { mapped && !retiring && resolves && nic == 0 -> nic++ }
	:: to_guest?RETIRE(e) ->
		if
		:: mapped && e == epoch ->
			retiring = true;
#ifdef ANSWER_BEFORE_DRAINED
			to_backend!RETIRED(e)
#endif
		:: else -> to_backend!RETIRED(e)
		fi
	:: atomic { retiring && !held -> retiring = false };
#ifdef ANSWER_BEFORE_UNMAP
		to_backend!RETIRED(epoch);
		mapped = false
#else
		mapped = false;
#ifndef ANSWER_BEFORE_DRAINED
		to_backend!RETIRED(epoch)
#endif
#endif
	:: atomic { deaths > 0 ->
		deaths--;
		mapped = false;
		held = false;
		retiring = false;
		do
		:: to_guest?_(_)
		:: to_backend?_(_)
		:: empty(to_guest) && empty(to_backend) -> break
		od;
		up = false;
#ifndef DEATH_NOT_TOLD
		down = true
#endif
	}
	od
}

/* DMA, at some time */
active proctype device()
{
end:	do
	:: atomic { nic > 0 -> assert(in_use); nic-- }
	od
}
