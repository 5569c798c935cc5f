// SPDX-License-Identifier: GPL-2.0
/*
 * One side's session with its peer, and the two message rings.
 *
 * The order in which a side writes its record is what keeps the messages of one
 * session out of the next:
 *
 *	generation = 0			who reads 0 in msg_prod and msg_cons
 *					below also reads that nobody is there
 *	echo = 0, msg_prod = 0, msg_cons = 0
 *	generation = new		the record is complete
 *	echo = the peer's generation	now the peer may be up, and send
 *
 * The peer sends only when it has seen its own generation in our echo, which we
 * write after our rings are empty; and we send only likewise.
 */
#include <sluice/session.h>

#define MSG_WORDS	(SLUICE_MSG_BYTES / sizeof(u64))

static u32 session_load(const __le32 *shared)
{
	return le32_to_cpu(sluice_load_acquire(shared));
}

static void session_store(__le32 *shared, u32 val)
{
	sluice_store_release(shared, cpu_to_le32(val));
}

/**
 * sluice_session_init() - a detached session
 * @s: filled in
 * @own: our record
 * @own_ring: our SLUICE_SHM_MSG_RING messages
 * @peer: the peer's record
 * @peer_ring: the peer's messages
 * @timeout_ms: silence after which a peer counts as dead
 *
 * Nothing is published yet.
 */
void sluice_session_init(struct sluice_session *s, struct sluice_shm_side *own,
			 struct sluice_msg *own_ring, struct sluice_shm_side *peer,
			 struct sluice_msg *peer_ring, u32 timeout_ms)
{
	memset(s, 0, sizeof(*s));
	s->shared_own = own;
	s->shared_tx = own_ring;
	s->shared_peer = peer;
	s->shared_rx = peer_ring;
	s->timeout_ms = timeout_ms;
}

/**
 * sluice_session_restart() - attach, or start again after SLUICE_SESSION_DOWN
 * @s: the session
 * @generation: not 0, and not one that this side used before
 */
void sluice_session_restart(struct sluice_session *s, u32 generation)
{
	struct sluice_shm_side *own = s->shared_own;

	sluice_session_detach(s);
	s->tx_prod = 0;
	s->rx_cons = 0;
	s->broken = false;
	s->error = NULL;

	/* pairs with session_peer_left(): a peer that reads these zeros while it
	 * still is up must also read that our old generation is gone, or it
	 * would take an index that jumps back for an attack
	 */
	session_store(&own->msg_prod, 0);
	session_store(&own->msg_cons, 0);
	/* pairs with the acquire of the generation in sluice_session_poll() */
	session_store(&own->generation, generation);
	s->generation = generation;
}

/**
 * sluice_session_detach() - the peer sees us gone
 * @s: the session, in any state
 */
void sluice_session_detach(struct sluice_session *s)
{
	WRITE_ONCE(s->up, false);
	s->generation = 0;
	s->echo = 0;
	if (!s->shared_own)
		return;
	session_store(&s->shared_own->generation, 0);
	session_store(&s->shared_own->echo, 0);
}

/**
 * sluice_session_beat() - show that we live
 * @s: the session
 *
 * Says the rest of our record once more, too. The peer can write there, and if
 * only one word of it was overwritten in the handshake both sides would wait for
 * ever. For a peer that keeps to its own page these are the values it knows.
 */
void sluice_session_beat(struct sluice_session *s)
{
	struct sluice_shm_side *own = s->shared_own;

	if (!s->generation)
		return;
	session_store(&own->msg_prod, s->tx_prod);
	session_store(&own->msg_cons, s->rx_cons);
	session_store(&own->generation, s->generation);
	session_store(&own->echo, s->echo);
	s->heartbeat++;
	WRITE_ONCE(own->heartbeat, cpu_to_le32(s->heartbeat));
}

/* Has the peer left the session that we are in? Then its indices mean nothing. */
static bool session_peer_left(const struct sluice_session *s)
{
	/* ordered after the acquire of the index that looked wrong */
	return session_load(&s->shared_peer->generation) != s->echo;
}

static enum sluice_session_event session_down(struct sluice_session *s, const char *error)
{
	if (!s->error)
		s->error = error;
	/* forget this generation at once: it must not come up a second time */
	sluice_session_detach(s);
	return SLUICE_SESSION_DOWN;
}

static enum sluice_session_event session_poll_up(struct sluice_session *s, u32 generation,
						 u32 echo, u64 now_ms)
{
	u32 heartbeat;

	if (s->broken)
		return session_down(s, "the peer broke the protocol");
	if (!generation)
		return session_down(s, "the peer detached");
	if (generation != s->echo)
		return session_down(s, "the peer started again");
	if (echo != s->generation)
		return session_down(s, "the peer left the session");

	heartbeat = le32_to_cpu(READ_ONCE(s->shared_peer->heartbeat));
	if (heartbeat != s->peer_heartbeat) {
		s->peer_heartbeat = heartbeat;
		sluice_patience_begin(&s->silence, now_ms);
	} else if (sluice_patience_over(&s->silence, now_ms, s->timeout_ms)) {
		return session_down(s, "the peer is silent");
	}
	return SLUICE_SESSION_NOTHING;
}

/**
 * sluice_session_poll() - look at the peer's record
 * @s: the session
 * @now_ms: monotonic time
 *
 * Publishes our echo of a new peer. After SLUICE_SESSION_DOWN the session is
 * detached, s->error says why, and s->broken whether the peer is to blame.
 *
 * Return: what changed.
 */
enum sluice_session_event sluice_session_poll(struct sluice_session *s, u64 now_ms)
{
	u32 generation, echo, again;

	if (!s->generation)
		return SLUICE_SESSION_NOTHING;

	/* pairs with the releases in sluice_session_restart() */
	generation = session_load(&s->shared_peer->generation);
	echo = session_load(&s->shared_peer->echo);
	/* the peer started again between the two reads: that echo is another session's */
	again = session_load(&s->shared_peer->generation);
	if (again != generation) {
		generation = again;
		echo = 0;
	}

	if (s->up)
		return session_poll_up(s, generation, echo, now_ms);

	if (generation != s->echo) {
		s->echo = generation;
		/* pairs with the acquire of echo above, on the other side: it may
		 * send now, into rings that we have emptied
		 */
		session_store(&s->shared_own->echo, generation);
	}
	if (!generation || echo != s->generation)
		return SLUICE_SESSION_NOTHING;

	s->peer_heartbeat = le32_to_cpu(READ_ONCE(s->shared_peer->heartbeat));
	sluice_patience_begin(&s->silence, now_ms);
	WRITE_ONCE(s->up, true);
	return SLUICE_SESSION_UP;
}

static int session_broken(struct sluice_session *s, const char *error)
{
	s->broken = true;
	s->error = error;
	return -EPROTO;
}

/**
 * sluice_session_send() - put a message into our ring
 * @s: the session
 * @msg: complete
 *
 * Return: 0, and the caller rings doorbell 0; -ENOLINK if there is no session;
 * -EAGAIN if the ring is full; -EPROTO if the peer's msg_cons is nonsense.
 */
int sluice_session_send(struct sluice_session *s, const struct sluice_msg *msg)
{
	u64 word[MSG_WORDS];
	u64 *shared;
	u32 cons, i;

	if (!s->up)
		return -ENOLINK;
	if (s->broken)
		return -EPROTO;

	/* pairs with the release in sluice_session_receive(): the peer has copied
	 * what it says it took, so its place may be written again
	 */
	cons = session_load(&s->shared_peer->msg_cons);
	/* a reader ahead of us, or so far behind that we would overwrite messages */
	if (s->tx_prod - cons > SLUICE_SHM_MSG_RING) {
		if (session_peer_left(s))
			return -ENOLINK;
		return session_broken(s, "msg_cons is nonsense");
	}
	if (s->tx_prod - cons == SLUICE_SHM_MSG_RING)
		return -EAGAIN;

	memcpy(word, msg, sizeof(word));
	shared = (u64 *)&s->shared_tx[s->tx_prod % SLUICE_SHM_MSG_RING];
	for (i = 0; i < MSG_WORDS; i++)
		WRITE_ONCE(shared[i], word[i]);
	s->tx_prod++;
	/* pairs with the acquire in sluice_session_receive() */
	session_store(&s->shared_own->msg_prod, s->tx_prod);
	return 0;
}

static const char *session_msg_error(const struct sluice_msg *msg)
{
	if (msg->type & ~SLUICE_MSG_RESPONSE)
		return "message of an unknown type";
	if (le16_to_cpu(msg->msg_bytes) != SLUICE_MSG_BYTES)
		return "message of a wrong length";
	/* strict now, so that a later version can give these a meaning */
	if (msg->dev_num || msg->reserved)
		return "message with reserved fields set";
	return NULL;
}

/**
 * sluice_session_receive() - take a message from the peer's ring
 * @s: the session
 * @msg: private copy; type, length and reserved fields are valid, the rest is
 *	the peer's word
 *
 * Return: 1 with a message; 0 if there is none; -ENOLINK if there is no session;
 * -EPROTO with s->error if the peer broke the protocol.
 */
int sluice_session_receive(struct sluice_session *s, struct sluice_msg *msg)
{
	u64 word[MSG_WORDS];
	const char *error;
	const u64 *shared;
	u32 prod, i;

	if (!s->up)
		return -ENOLINK;
	if (s->broken)
		return -EPROTO;

	/* pairs with the release in sluice_session_send() */
	prod = session_load(&s->shared_peer->msg_prod);
	if (prod == s->rx_cons)
		return 0;
	/* a broken peer, not a loop count */
	if (prod - s->rx_cons > SLUICE_SHM_MSG_RING) {
		/* the next poll says that the session is down */
		if (session_peer_left(s))
			return 0;
		return session_broken(s, "msg_prod jumped by more than the ring");
	}

	/* copied word by word: the peer may rewrite it while we look */
	shared = (const u64 *)&s->shared_rx[s->rx_cons % SLUICE_SHM_MSG_RING];
	for (i = 0; i < MSG_WORDS; i++)
		word[i] = READ_ONCE(shared[i]);
	memcpy(msg, word, sizeof(word));
	s->rx_cons++;
	/* pairs with the acquire in sluice_session_send() */
	session_store(&s->shared_own->msg_cons, s->rx_cons);

	error = session_msg_error(msg);
	if (error)
		return session_broken(s, error);
	return 1;
}
