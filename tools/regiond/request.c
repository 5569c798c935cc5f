// SPDX-License-Identifier: GPL-2.0
/*
 * Requests of the backend in the host page, one at a time for each destination: a ring
 * that comes while one is served is remembered.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "regiond.h"

static void start_punch(struct destination *d, struct peer *p)
{
	struct punch_request snap;

	region_snapshot(d->region, &snap);
	if (snap.seq == d->saved->last_seq)
		return;
	/* the seq is used up, whatever comes of it */
	d->saved->last_seq = snap.seq;
	d->punch_peer = p->id;
	d->punch = punch_start(d->region, &snap, p->vectors[0], &d->punched);
	if (!d->punch) {
		d->saved->nr_punch_errors++;
		region_answer(d->region, snap.seq, ENOMEM);
	}
}

/**
 * request_rang() - look at the request in the host page
 * @p: who rang
 *
 * Which of the two is the backend cannot be known, and need not be: a guest
 * that forges a request gives away memory that only its own frames live in.
 */
void request_rang(struct peer *p)
{
	struct destination *d = p->dest;

	if (d->punch)
		p->ring_pending = true;
	else
		start_punch(d, p);
}

static void punched_ready(struct watch *w, uint32_t events)
{
	struct destination *d =
		(struct destination *)((char *)w -
				       offsetof(struct destination, punched));
	uint64_t slots;
	struct peer *p;
	uint32_t seq;
	unsigned int i;
	int status;

	(void)events;
	status = punch_finish(d->punch, &seq, &slots);
	d->punch = NULL;
	d->saved->nr_punches += !status;
	d->saved->nr_punch_errors += !!status;
	d->saved->punched_slots += slots;
	if (status && destination_may_log(d))
		say("%s: request %u of peer %u to give memory back refused: %s",
		    d->spec.name, seq, d->punch_peer, strerror(status));

	/* a ring that came meanwhile was for the next request */
	for (i = 0; i < MAX_PEERS && !d->punch; i++) {
		p = d->peers[i];
		if (p && p->ring_pending) {
			p->ring_pending = false;
			start_punch(d, p);
		}
	}
}

/** request_init() - a new destination, that was not asked anything yet */
void request_init(struct destination *d)
{
	d->punched.ready = punched_ready;
}
