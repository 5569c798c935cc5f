// SPDX-License-Identifier: GPL-2.0
/*
 * One side's session with its peer; the protocol is told in sluice_shm.h.
 */
#include <sluice/session.h>

static u32 get32(const __le32 *shared)
{
	return le32_to_cpu(READ_ONCE(*shared));
}

static void put32(__le32 *shared, u32 value)
{
	WRITE_ONCE(*shared, cpu_to_le32(value));
}

static u32 get32_acquire(const __le32 *shared)
{
	return le32_to_cpu(sluice_load_acquire(shared));
}

static void put32_release(__le32 *shared, u32 value)
{
	sluice_store_release(shared, cpu_to_le32(value));
}

static int broken(struct sluice_session *s, const char *error)
{
	s->broken = true;
	s->error = error;
	return -EPROTO;
}

/* See session.h. */
void sluice_session_init(struct sluice_session *s, struct sluice_shm_side *own,
			 struct sluice_msg *own_ring, struct sluice_shm_side *peer,
			 struct sluice_msg *peer_ring, u32 timeout_ms)
{
	memset(s, 0, sizeof(*s));
	s->shared_own = own;
	s->shared_peer = peer;
	s->shared_tx = own_ring;
	s->shared_rx = peer_ring;
	s->timeout_ms = timeout_ms;
}

/* See session.h. */
void sluice_session_restart(struct sluice_session *s, u32 generation, u64 now_ms)
{
	WRITE_ONCE(s->up, false);
	s->broken = false;
	s->error = NULL;
	s->echo = 0;
	s->tx_prod = 0;
	s->rx_cons = 0;
	s->peer_alive_ms = now_ms;
	s->generation = generation;

	/*
	 * The old echo goes first, then the indices, then the new generation: a
	 * peer that sees the new generation finds indices of 0, and no mixture
	 * of old and new looks like a session. Pairs with the acquires in
	 * sluice_session_poll().
	 */
	put32(&s->shared_own->echo, 0);
	put32_release(&s->shared_own->msg_prod, 0);
	put32_release(&s->shared_own->msg_cons, 0);
	put32_release(&s->shared_own->generation, generation);
}

static enum sluice_session_event down(struct sluice_session *s, const char *why)
{
	WRITE_ONCE(s->up, false);
	s->error = why;
	return SLUICE_SESSION_DOWN;
}

/* See session.h. */
enum sluice_session_event sluice_session_poll(struct sluice_session *s, u64 now_ms)
{
	u32 generation, echo, heartbeat;

	if (!s->generation)
		return SLUICE_SESSION_NOTHING;

	/* echo before generation: an echo of ours can only follow it */
	echo = get32_acquire(&s->shared_peer->echo);
	generation = get32_acquire(&s->shared_peer->generation);
	heartbeat = get32(&s->shared_peer->heartbeat);
	if (heartbeat != s->peer_heartbeat) {
		s->peer_heartbeat = heartbeat;
		s->peer_alive_ms = now_ms;
	}

	if (s->up) {
		if (!generation)
			return down(s, "peer detached");
		if (generation != s->echo || echo != s->generation)
			return down(s, "peer started again");
		if (now_ms - s->peer_alive_ms > s->timeout_ms)
			return down(s, "peer is silent");
		return SLUICE_SESSION_NOTHING;
	}

	/*
	 * A record left over by a peer that died looks like a live one, but its
	 * heart does not beat: no session with it.
	 */
	if (now_ms - s->peer_alive_ms > s->timeout_ms)
		return SLUICE_SESSION_NOTHING;
	if (generation != s->echo) {
		s->echo = generation;
		/* pairs with the acquire above: our indices were zeroed before */
		put32_release(&s->shared_own->echo, generation);
	}
	if (generation && echo == s->generation) {
		WRITE_ONCE(s->up, true);
		return SLUICE_SESSION_UP;
	}
	return SLUICE_SESSION_NOTHING;
}

/* See session.h. */
void sluice_session_beat(struct sluice_session *s)
{
	if (s->generation)
		put32(&s->shared_own->heartbeat, ++s->heartbeat);
}

/* See session.h. */
void sluice_session_detach(struct sluice_session *s)
{
	WRITE_ONCE(s->up, false);
	s->generation = 0;
	s->echo = 0;
	put32(&s->shared_own->echo, 0);
	put32_release(&s->shared_own->generation, 0);
}

/* See session.h. */
int sluice_session_send(struct sluice_session *s, const struct sluice_msg *msg)
{
	struct sluice_msg *shared;
	u32 used;

	if (!s->up)
		return -ENOLINK;
	if (s->broken)
		return -EPROTO;
	/* pairs with the reader's release: it has taken the old message */
	used = s->tx_prod - get32_acquire(&s->shared_peer->msg_cons);
	/* a reader ahead of the writer, or behind by more than the ring */
	if (used > SLUICE_SHM_MSG_RING)
		return broken(s, "peer's message index is nonsense");
	if (used == SLUICE_SHM_MSG_RING)
		return -EAGAIN;
	shared = &s->shared_tx[s->tx_prod % SLUICE_SHM_MSG_RING];
	memcpy(shared, msg, sizeof(*msg));
	/* pairs with the acquire in the peer's sluice_session_receive() */
	put32_release(&s->shared_own->msg_prod, ++s->tx_prod);
	return 0;
}

/* See session.h. */
int sluice_session_receive(struct sluice_session *s, struct sluice_msg *msg)
{
	const u32 *shared;
	u32 *snap = (u32 *)msg;
	u32 ready;
	size_t i;

	if (!s->up)
		return -ENOLINK;
	if (s->broken)
		return -EPROTO;
	/* pairs with the release in the peer's sluice_session_send() */
	ready = get32_acquire(&s->shared_peer->msg_prod) - s->rx_cons;
	if (!ready)
		return 0;
	/* XSA-155's cousin: an index that runs away is a broken peer, not a loop */
	if (ready > SLUICE_SHM_MSG_RING)
		return broken(s, "peer's message ring overflows");

	/* one read of each word; what is checked is what is used */
	shared = (const u32 *)&s->shared_rx[s->rx_cons % SLUICE_SHM_MSG_RING];
	for (i = 0; i < sizeof(*msg) / sizeof(u32); i++)
		snap[i] = READ_ONCE(shared[i]);
	/* pairs with the acquire in sluice_session_send(): the copy is complete */
	put32_release(&s->shared_own->msg_cons, ++s->rx_cons);

	if (le16_to_cpu(msg->msg_bytes) != SLUICE_MSG_BYTES)
		return broken(s, "message of a wrong length");
	if (msg->type & ~SLUICE_MSG_RESPONSE)
		return broken(s, "message of an unknown type");
	if (msg->dev_num)
		return broken(s, "message for a device that does not exist");
	return 1;
}
