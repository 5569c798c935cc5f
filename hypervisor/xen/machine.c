// SPDX-License-Identifier: GPL-2.0
/*
 * When the two ends of a Xen device connect and part.
 *
 *	backend				frontend
 *	1 Initialising			6 Closed
 *	   | OFFER			   | MAP, if the backend is in 2
 *	2 InitWait			3 Initialised
 *	   | BIND, if the frontend	   | CONNECT, if the backend is in 4 and
 *	   |   maps this life		   |   answers this life
 *	4 Connected			4 Connected
 *
 * and back by UNBIND and LEAVE as soon as anything does not match any more.
 */
#include "machine.h"

static struct sxen_order order(enum sxen_step step, u32 state)
{
	return (struct sxen_order){ .step = step, .state = state };
}

/* Nothing to do, unless somebody else has written what we did not say. */
static struct sxen_order stay(const struct sxen_side *s, const struct sxen_view *v)
{
	return order(v->own && v->own != s->state ? SXEN_SAY : SXEN_STAY, s->state);
}

/* The frontend has, or wants, a connection to what we offer now. */
static bool front_wants(const struct sxen_side *s, const struct sxen_view *v)
{
	return v->exists && (v->state == SXEN_INITIALISED || v->state == SXEN_CONNECTED) &&
	       v->life && s->life && v->echo == s->life;
}

/* What the backend says while it is not bound. */
static u32 back_idle_state(const struct sxen_side *s, const struct sxen_view *v)
{
	/* a guest that shuts down waits for this answer */
	if (v->state == SXEN_CLOSING)
		return SXEN_CLOSING;
	if (!v->online)
		return v->state == SXEN_INITIALISED || v->state == SXEN_CONNECTED ?
		       SXEN_CLOSING : SXEN_CLOSED;
	return s->life ? SXEN_INIT_WAIT : SXEN_INITIALISING;
}

struct sxen_order sxen_back_next(const struct sxen_side *s, const struct sxen_view *v, bool ready)
{
	u32 idle = back_idle_state(s, v);

	if (s->gone)
		return order(SXEN_STAY, s->state);
	if (s->peer_life) {
		if (front_wants(s, v) && v->life == s->peer_life && v->online && ready)
			return stay(s, v);
		return order(SXEN_UNBIND, idle);
	}
	if (!v->exists)
		return order(SXEN_GONE, s->state);
	/*
	 * A new offer is never made in the state of the old one: the frontend only
	 * hears of states.
	 */
	if (s->state != idle)
		return order(SXEN_SAY, idle);
	if (idle == SXEN_INITIALISING && ready)
		return order(SXEN_OFFER, SXEN_INIT_WAIT);
	/* one that could not be read does not become better */
	if (idle == SXEN_INIT_WAIT && front_wants(s, v) && v->life != s->refused)
		return order(SXEN_BIND, SXEN_CONNECTED);
	return stay(s, v);
}

/* The backend still offers what we have mapped. */
static bool back_offers(const struct sxen_side *s, const struct sxen_view *v)
{
	return v->exists && (v->state == SXEN_INIT_WAIT || v->state == SXEN_CONNECTED) &&
	       v->life == s->peer_life;
}

struct sxen_order sxen_front_next(const struct sxen_side *s, const struct sxen_view *v)
{
	if (s->peer_life) {
		/* it offers another one, or nothing: ours is of no use, and it waits for it */
		if (!back_offers(s, v) || s->refused == s->peer_life)
			return order(SXEN_LEAVE, SXEN_CLOSED);
		if (s->state == SXEN_CONNECTED) {
			if (v->state != SXEN_CONNECTED || v->echo != s->life)
				return order(SXEN_LEAVE, SXEN_CLOSED);
		} else if (v->state == SXEN_CONNECTED && v->echo == s->life) {
			return order(SXEN_CONNECT, SXEN_CONNECTED);
		}
		return stay(s, v);
	}
	if (v->exists && v->state == SXEN_INIT_WAIT && v->life && v->life != s->refused)
		return order(SXEN_MAP, SXEN_INITIALISED);
	/* not Initialising: the kernel's module loader waits for devices in that state */
	if (s->state != SXEN_CLOSED)
		return order(SXEN_SAY, SXEN_CLOSED);
	return stay(s, v);
}

void sxen_side_done(struct sxen_side *s, const struct sxen_view *v, struct sxen_order o,
		    int err, u32 life)
{
	switch (o.step) {
	case SXEN_STAY:
		return;
	case SXEN_MAP:
	case SXEN_BIND:
	case SXEN_CONNECT:
		if (err) {
			s->refused = v->life;
			return;
		}
		if (o.step != SXEN_CONNECT)
			s->peer_life = v->life;
		if (o.step == SXEN_MAP)
			s->life = life;
		s->refused = 0;
		break;
	case SXEN_OFFER:
		if (err)
			return;
		s->life = life;
		break;
	case SXEN_LEAVE:
		s->life = 0;
		fallthrough;
	case SXEN_UNBIND:
		s->peer_life = 0;
		break;
	case SXEN_GONE:
		s->gone = true;
		break;
	case SXEN_SAY:
		break;
	}
	s->state = o.state;
}
