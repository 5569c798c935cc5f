/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Publishing an index and sleeping on a doorbell: hypervisor/core/vq.c with
 * frontend/shadow.c, one direction (the other is the same with the roles changed).
 *
 *	producer			consumer
 *	write entries			look at the index; none there:
 *	release: index			write the wish (event index or flag)
 *	full barrier			full barrier
 *	read the wish			read the index again
 *	wanted: ring			still none: sleep until the bell
 *
 * Every write goes through a store buffer, one for each word, which drains at any
 * time: words become visible late, and different words in any order. A release waits
 * until the writer's other words are out, a full barrier until all are. Without
 * one of the two full barriers each side reads the other's word before its own is
 * out, and both are content: the consumer sleeps on a ring that is not empty.
 *
 * Lost wake-ups show as a deadlock, since the consumer ends after ITEMS; entries
 * read too early as a failed assertion; busy loops as non-progress cycles.
 *
 * -DFLAGS: notify flag in place of the event index. -DPEEK: between its wish and its
 * sleep the consumer takes what is there without wishing again, as the transport does
 * when the stock driver notifies. -DDELAYED: it wishes for the bell when most of what
 * is in flight is done, as for what was sent. Seeded bugs, each of which must be found:
 * -DNO_MB_PRODUCER -DNO_MB_CONSUMER -DNO_RECHECK -DEVENT_OFF_BY_ONE -DNO_RELEASE;
 * with -DPEEK -DWISH_IF_ANY: a bell with nothing behind it, which was taken before, is
 * taken for nothing; with -DDELAYED -DDELAY_TOO_FAR
 */

#define RING	2		/* entries */
#define MOD	8		/* indices wrap here, as the real ones at 65536 */
#define ITEMS	10		/* more than MOD: the index wraps */
#define NONE	255		/* store buffer of a word: empty */

/* memory */
byte entry[RING];
byte index;
byte wish;			/* event index, or with FLAGS: 1 = do not ring */
bool bell;			/* coalesces */

/* store buffers; each word has one writer and is not written twice in a row
 * without the first being out, which is the earliest a cache would let it be seen
 */
byte sb_entry[RING] = NONE;
byte sb_index = NONE;
byte sb_wish = NONE;

#ifdef DELAYED
#define FLYING		(ITEMS - consumed < RING -> ITEMS - consumed : RING)
#ifdef DELAY_TOO_FAR
#define DELAY		FLYING
#else
#define DELAY		(FLYING * 3 / 4)
#endif
#else
#define DELAY		0
#endif

/* how far the consumer is; stands for the other direction's flow control */
byte consumed;

#define WRITE(sb, v)		atomic { sb == NONE -> sb = v }
#define ENTRIES_OUT		(sb_entry[0] == NONE && sb_entry[1] == NONE)

active proctype memory()
{
end:	do
	:: atomic { sb_entry[0] != NONE -> entry[0] = sb_entry[0]; sb_entry[0] = NONE }
	:: atomic { sb_entry[1] != NONE -> entry[1] = sb_entry[1]; sb_entry[1] = NONE }
	:: atomic { sb_index != NONE -> index = sb_index; sb_index = NONE }
	:: atomic { sb_wish != NONE -> wish = sb_wish; sb_wish = NONE }
	od
}

#ifdef FLAGS
#define WANTED(w, new, old)	(!(w))
#else
#ifdef EVENT_OFF_BY_ONE
#define WANTED(w, new, old)	((new + MOD - w) % MOD < (new + MOD - old) % MOD)
#else
/* vring_need_event() */
#define WANTED(w, new, old)	((new + 2 * MOD - w - 1) % MOD < (new + MOD - old) % MOD)
#endif
#endif

active proctype producer()
{
	byte made = 0, published = 0, seen;

	do
	:: made == ITEMS && published == made -> break
	/* one or several at a time */
	:: made < ITEMS && made - consumed < RING ->
		WRITE(sb_entry[made % RING], made);
		made++
	:: published < made ->
#ifndef NO_RELEASE
		ENTRIES_OUT;
#endif
		WRITE(sb_index, made % MOD);
#ifndef NO_MB_PRODUCER
		ENTRIES_OUT && sb_index == NONE;
#endif
		seen = wish;
		atomic {
			if
			:: WANTED(seen, made % MOD, published % MOD) -> bell = true
			:: else
			fi;
			published = made
		}
	od
}

byte last;			/* the consumer's index */
bool any;

/* take all that is there */
inline pop()
{
	do
	:: seen = index;
		if
		:: seen == last -> break
		:: else ->
			assert(entry[consumed % RING] == consumed);
progress:		last = (last + 1) % MOD;
			consumed++;
			any = true
		fi
	od
}

active proctype consumer()
{
	byte seen, delay;

	do
	:: consumed == ITEMS -> break
	:: else ->
#if defined(FLAGS) && !defined(PEEK)
		WRITE(sb_wish, 1);
#endif
		any = false;
		pop();
		if
		:: consumed == ITEMS -> break
		:: else
		fi;
		/* ask for a bell */
		delay = DELAY;
#ifdef WISH_IF_ANY
		if
		:: !any -> goto sleep
		:: else
		fi;
#endif
#ifdef FLAGS
		WRITE(sb_wish, 0);
#else
		WRITE(sb_wish, (last + delay) % MOD);
#endif
#ifndef NO_MB_CONSUMER
		sb_wish == NONE;
#endif
#ifndef NO_RECHECK
		seen = index;
		if
		:: (seen + MOD - last) % MOD > delay -> goto again	/* instead of sleeping */
		:: else
		fi;
#endif
sleep:
#ifdef PEEK
		if
		:: pop();
			if
			:: consumed == ITEMS -> break
			:: else
			fi
		:: skip
		fi;
#endif
		atomic { bell -> bell = false };
again:		skip
	od
}
