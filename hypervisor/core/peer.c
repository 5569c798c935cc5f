// SPDX-License-Identifier: GPL-2.0
/*
 * The thread that watches the peer: session, heartbeat, message ring. It runs on
 * doorbell 0 and on the tick, and never waits for the client.
 *
 *	detached --restart--> waiting --poll: UP--> up --poll, BYE, break--> detached
 *
 * "detached" lasts until the client has returned from down(): only then may the
 * next session begin.
 */
#include <linux/export.h>
#include <linux/kernel.h>
#include <linux/random.h>
#include "core.h"

static void sluice_session_start(struct sluice_channel *ch)
{
	struct sluice_session *s = &ch->session;
	u32 generation;

	do {
		generation = get_random_u32();
	} while (!generation);

	ch->restart = false;
	ch->seen_generation = 0;
	clear_bit(SLUICE_CHANNEL_BREAK, &ch->flags);
	clear_bit(SLUICE_CHANNEL_GONE, &ch->flags);
	/* before the generation, which sluice_session_restart() publishes with release */
	sluice_page_publish(ch);
	sluice_session_restart(s, generation);
	sluice_channel_ring(ch, 0);
}

static void sluice_session_ended(struct sluice_channel *ch, const char *reason, bool broken)
{
	u32 longest = READ_ONCE(sluice_backoff_max_ms);
	u64 now = sluice_now_ms();
	u64 wait = 0;

	strscpy(ch->reason, reason, sizeof(ch->reason));
	sluice_session_detach(&ch->session);
	sluice_requests_fail(ch);
	sluice_channel_ring(ch, 0);

	if (broken) {
		/* the longer the more often it happens in a row */
		if (now - ch->up_ms > longest)
			ch->backoff_ms = 0;
		ch->backoff_ms = clamp(2 * ch->backoff_ms, SLUICE_BACKOFF_MIN_MS, longest);
		wait = ch->backoff_ms;
		ch->nr_broken++;
		if (__ratelimit(&ch->ratelimit))
			dev_warn(ch->dev, "the %s broke the protocol: %s; next try in %llu ms\n",
				 ch->role == SLUICE_BACKEND ? "frontend" : "backend",
				 ch->reason, wait);
	} else if (now - ch->up_ms < SLUICE_STABLE_MS) {
		wait = SLUICE_TICK_MS;
	}
	ch->restart_ms = now + wait;
	ch->nr_downs++;
	sluice_event_post(ch, broken ? SLUICE_EVENT_BROKEN : SLUICE_EVENT_DOWN, NULL);
}

/* The handshake is complete. False if the peer moved on meanwhile. */
static bool sluice_session_began(struct sluice_channel *ch)
{
	struct sluice_session *s = &ch->session;
	const char *text = NULL;

	/*
	 * The peer may have started once more between our look at its page and
	 * this session, or pretends so: what counts is the page that belongs to
	 * the generation that we answer.
	 */
	if (ch->seen_generation != s->echo) {
		ch->seen_generation = 0;
		if (!sluice_peer_accept(ch) || ch->seen_generation != s->echo)
			text = "the peer changed during the handshake";
	}
	if (ch->role == SLUICE_BACKEND)
		/* acquired with the peer's echo, which it publishes after this */
		ch->features = le32_to_cpu(READ_ONCE(sluice_frontend_page(ch)->features)) &
			       ch->hdr.features & SLUICE_FEATURES;
	else if (!text && sluice_window_again(ch))
		text = "no window for this session";

	if (text) {
		strscpy(ch->reason, text, sizeof(ch->reason));
		sluice_session_detach(s);
		ch->restart_ms = sluice_now_ms() + SLUICE_TICK_MS;
		ch->restart = true;
		return false;
	}

	ch->up_ms = sluice_now_ms();
	ch->nr_ups++;
	ch->reason[0] = 0;
	sluice_event_post(ch, SLUICE_EVENT_UP, NULL);
	return true;
}

/* False when the session ended. */
static bool sluice_receive_one(struct sluice_channel *ch, struct sluice_msg *msg)
{
	int err;

	if (msg->type & SLUICE_MSG_RESPONSE) {
		sluice_request_match(ch, msg);
		return true;
	}
	switch (msg->msg_id) {
	case SLUICE_MSG_PING:
		msg->type = SLUICE_MSG_RESPONSE;
		msg->status = cpu_to_le32(SLUICE_OK);
		/* a full ring: the peer does not read, it does not need to know */
		sluice_send_locked(ch, msg);
		return true;
	case SLUICE_MSG_BYE:
		sluice_session_ended(ch, "the peer said goodbye", false);
		return false;
	default:
		err = sluice_event_post(ch, SLUICE_EVENT_MESSAGE, msg);
		if (!err)
			return true;
		if (err == -ENOBUFS)
			sluice_session_ended(ch, "flood of messages", true);
		else
			sluice_session_ended(ch, "no memory for a message", false);
		return false;
	}
}

/*
 * The peer may start again while we read its ring: it resets the indices before
 * it publishes another generation. What looks like nonsense then is none.
 */
static bool sluice_peer_moved_on(struct sluice_channel *ch)
{
	const struct sluice_session *s = &ch->session;

	/* the indices were read with acquire: generation 0 was published before */
	return le32_to_cpu(sluice_load_acquire(&s->shared_peer->generation)) != s->echo;
}

static void sluice_receive(struct sluice_channel *ch)
{
	struct sluice_msg msg;
	unsigned int n;
	int err;

	for (n = 0; n < SLUICE_RX_BUDGET; n++) {
		err = sluice_session_receive(&ch->session, &msg);
		if (err == -EPROTO) {
			sluice_session_ended(ch, ch->session.error ?: "bad message",
					     !sluice_peer_moved_on(ch));
			return;
		}
		if (err <= 0)
			return;
		if (!sluice_receive_one(ch, &msg))
			return;
	}
	queue_work(ch->rx_wq, &ch->rx_work);
}

/* Things that end a session besides the peer's record. */
static bool sluice_session_struck(struct sluice_channel *ch)
{
	char reason[SLUICE_REASON_BYTES];

	if (test_and_clear_bit(SLUICE_CHANNEL_BREAK, &ch->flags)) {
		spin_lock_irq(&ch->event_lock);
		strscpy(reason, ch->break_reason, sizeof(reason));
		spin_unlock_irq(&ch->event_lock);
		sluice_session_ended(ch, reason, true);
		return true;
	}
	if (test_and_clear_bit(SLUICE_CHANNEL_GONE, &ch->flags)) {
		sluice_session_ended(ch, "the peer is gone", false);
		return true;
	}
	return false;
}

static void sluice_peer_look(struct sluice_channel *ch, bool tick)
{
	struct sluice_session *s = &ch->session;
	enum sluice_session_event event;
	u32 echo;

	if (!ch->running || ch->silent)
		return;

	s->timeout_ms = READ_ONCE(sluice_peer_timeout_ms);
	if (ch->restart && sluice_now_ms() >= ch->restart_ms)
		sluice_session_start(ch);
	/* detached: the client is still busy with down(), or it is too early */
	if (!s->generation)
		return;
	if (tick) {
		sluice_page_publish(ch);
		sluice_session_beat(s);
	}
	if (!sluice_session_is_up(s) && !sluice_peer_accept(ch))
		return;

	echo = s->echo;
	event = sluice_session_poll(s, sluice_now_ms());
	if (s->echo != echo)
		sluice_channel_ring(ch, 0);
	switch (event) {
	case SLUICE_SESSION_UP:
		if (!sluice_session_began(ch))
			return;
		break;
	case SLUICE_SESSION_DOWN:
		sluice_session_ended(ch, s->error ?: "the peer went away or started again",
				     s->broken);
		return;
	case SLUICE_SESSION_NOTHING:
		break;
	}
	/* after the poll: a peer that starts again resets its rings, that is no crime */
	if (sluice_session_is_up(s) && !sluice_session_struck(ch))
		sluice_receive(ch);
}

/**
 * sluice_rx_work() - doorbell 0
 * @work: sluice_channel.rx_work
 */
void sluice_rx_work(struct work_struct *work)
{
	struct sluice_channel *ch = container_of(work, struct sluice_channel, rx_work);

	mutex_lock(&ch->session_lock);
	sluice_peer_look(ch, false);
	mutex_unlock(&ch->session_lock);
}

/**
 * sluice_tick_work() - heartbeat, and a backstop against a lost doorbell
 * @work: sluice_channel.tick
 */
void sluice_tick_work(struct work_struct *work)
{
	struct sluice_channel *ch = container_of(to_delayed_work(work), struct sluice_channel,
						 tick);

	mutex_lock(&ch->session_lock);
	sluice_peer_look(ch, true);
	if (ch->running)
		queue_delayed_work(ch->rx_wq, &ch->tick, msecs_to_jiffies(SLUICE_TICK_MS));
	mutex_unlock(&ch->session_lock);
}

/**
 * sluice_session_prepare() - after claim, before attach if that is to come
 * @ch: the channel; a backend's ch->hdr is filled with what the channel can do
 *
 * Nothing is published yet.
 */
void sluice_session_prepare(struct sluice_channel *ch)
{
	struct sluice_shm_backend_page *back = sluice_backend_page(ch);
	struct sluice_shm_frontend_page *front = sluice_frontend_page(ch);
	struct sluice_msg *back_ring = (void *)back + SLUICE_SHM_MSG_OFF;
	struct sluice_msg *front_ring = (void *)front + SLUICE_SHM_MSG_OFF;
	u32 pairs;

	mutex_lock(&ch->session_lock);
	memset(&ch->hdr, 0, sizeof(ch->hdr));
	ch->features = 0;
	WRITE_ONCE(ch->refused, NULL);
	ch->backoff_ms = 0;
	ch->reason[0] = 0;
	if (ch->role == SLUICE_BACKEND) {
		pairs = clamp_t(u32, ch->want_pairs, 1, SLUICE_SHM_MAX_PAIRS);
		pairs = min(pairs, ch->nr_doorbells - 1);
		ch->hdr.abi_minor = SLUICE_SHM_ABI_MINOR;
		ch->hdr.window_slots = ch->max_slots;
		ch->hdr.ctrl_bytes = ch->ctrl_bytes;
		ch->hdr.ctrl_slots = DIV_ROUND_UP(ch->ctrl_bytes, SLUICE_SHM_SEGMENT_BYTES);
		ch->hdr.max_pairs = pairs;
		ch->hdr.nr_doorbells = 1 + pairs;
		ch->hdr.features = SLUICE_FEATURES;
		sluice_session_init(&ch->session, &back->side, back_ring, &front->side,
				    front_ring, sluice_peer_timeout_ms);
	} else {
		sluice_session_init(&ch->session, &front->side, front_ring, &back->side,
				    back_ring, sluice_peer_timeout_ms);
	}
	mutex_unlock(&ch->session_lock);
}

/**
 * sluice_session_begin() - after attach or a regain: publish who we are, look for a peer
 * @ch: the channel; nothing happens if it is being detached, or lost, already
 */
void sluice_session_begin(struct sluice_channel *ch)
{
	mutex_lock(&ch->session_lock);
	if (ch->stopping)
		goto out;
	/* the client may have lowered the number of pairs */
	if (ch->role == SLUICE_BACKEND)
		ch->hdr.nr_doorbells = min(ch->hdr.nr_doorbells, 1 + ch->hdr.max_pairs);
	ch->running = true;
	/* what a life that ended without goodbye left: the peer shall see it end */
	sluice_session_detach(&ch->session);
	sluice_session_start(ch);
	queue_delayed_work(ch->rx_wq, &ch->tick, 0);
out:
	mutex_unlock(&ch->session_lock);
}

/**
 * sluice_session_again() - the client has returned from down()
 * @ch: the channel
 */
void sluice_session_again(struct sluice_channel *ch)
{
	mutex_lock(&ch->session_lock);
	if (ch->running) {
		ch->restart = true;
		queue_work(ch->rx_wq, &ch->rx_work);
	}
	mutex_unlock(&ch->session_lock);
}

/**
 * sluice_session_stop() - this side goes: tell the peer, wake who waits
 * @ch: the channel
 * @reason: for a person
 *
 * The client is told by SLUICE_EVENT_DETACH or SLUICE_EVENT_LOSE, which the caller posts
 * after this. Whatever is sent from here on fails before it touches the rings.
 */
void sluice_session_stop(struct sluice_channel *ch, const char *reason)
{
	struct sluice_msg bye = { .msg_id = SLUICE_MSG_BYE };

	mutex_lock(&ch->session_lock);
	WRITE_ONCE(ch->stopping, true);
	if (ch->running) {
		ch->running = false;
		if (ch->silent) {
			/* plays dead: what is published stays as a dead VM leaves it */
			WRITE_ONCE(ch->session.up, false);
		} else {
			if (sluice_session_is_up(&ch->session))
				sluice_send_locked(ch, &bye);
			sluice_session_detach(&ch->session);
			sluice_channel_ring(ch, 0);
		}
		strscpy(ch->reason, reason, sizeof(ch->reason));
	}
	sluice_requests_fail(ch);
	mutex_unlock(&ch->session_lock);
}

/**
 * sluice_channel_is_up() - is there a session with a peer?
 * @ch: the channel
 *
 * Context: any; the answer may be old when it arrives.
 */
bool sluice_channel_is_up(const struct sluice_channel *ch)
{
	return sluice_session_is_up(&ch->session);
}
EXPORT_SYMBOL_GPL(sluice_channel_is_up);

/**
 * sluice_channel_refused() - why the peer that is there gets no session
 * @ch: the channel
 *
 * Context: any; the answer may be old when it arrives.
 * Return: a constant string, or NULL if nothing is wrong with its page or nobody is there.
 */
const char *sluice_channel_refused(const struct sluice_channel *ch)
{
	return READ_ONCE(ch->refused);
}
EXPORT_SYMBOL_GPL(sluice_channel_refused);

/**
 * sluice_channel_break() - the peer did what the protocol forbids
 * @ch: the channel
 * @reason: for a person, copied; the first one of a session counts
 *
 * Ends this session soon, in another thread. A new one may follow after a pause
 * that grows while it goes on.
 *
 * Context: any, between attach and detach.
 */
void sluice_channel_break(struct sluice_channel *ch, const char *reason)
{
	unsigned long irq;

	spin_lock_irqsave(&ch->event_lock, irq);
	if (!test_bit(SLUICE_CHANNEL_BREAK, &ch->flags)) {
		strscpy(ch->break_reason, reason, sizeof(ch->break_reason));
		set_bit(SLUICE_CHANNEL_BREAK, &ch->flags);
	}
	spin_unlock_irqrestore(&ch->event_lock, irq);
	queue_work(ch->rx_wq, &ch->rx_work);
}
EXPORT_SYMBOL_GPL(sluice_channel_break);

/**
 * sluice_channel_peer_gone() - the provider knows that the peer is gone
 * @ch: the channel
 *
 * Context: any, between claim and release.
 */
void sluice_channel_peer_gone(struct sluice_channel *ch)
{
	set_bit(SLUICE_CHANNEL_GONE, &ch->flags);
	queue_work(ch->rx_wq, &ch->rx_work);
}
EXPORT_SYMBOL_GPL(sluice_channel_peer_gone);
