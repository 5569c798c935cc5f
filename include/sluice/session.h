/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One side's session and its two message rings. Pure code; the ABI is told in
 * uapi/linux/sluice_shm.h. The caller serialises all calls on one session except
 * sluice_session_is_up().
 */
#ifndef SLUICE_SESSION_H
#define SLUICE_SESSION_H

#include <sluice/os.h>
#include <sluice/patience.h>
#include <uapi/linux/sluice_shm.h>

struct sluice_session {
	struct sluice_shm_side *shared_own;	/* written, never read */
	struct sluice_shm_side *shared_peer;	/* read, never written */
	struct sluice_msg *shared_tx;		/* our ring */
	struct sluice_msg *shared_rx;		/* the peer's ring */
	u32 generation;				/* own; 0 while detached */
	u32 echo;				/* peer's generation that we answer */
	u32 heartbeat;
	u32 tx_prod;
	u32 rx_cons;
	u32 peer_heartbeat;
	struct sluice_patience silence;		/* since the heartbeat last changed, ms */
	u32 timeout_ms;
	bool up;
	bool broken;				/* the peer broke the protocol in this session */
	const char *error;
};

enum sluice_session_event {
	SLUICE_SESSION_NOTHING,
	SLUICE_SESSION_UP,
	SLUICE_SESSION_DOWN,		/* stop everything, then sluice_session_restart() */
};

/* @own_page, @peer_page: backend and frontend page or the reverse. Nothing is
 * published yet. @timeout_ms: silence after which a peer counts as dead, seen in
 * four looks at least.
 */
void sluice_session_init(struct sluice_session *s, struct sluice_shm_side *own,
			 struct sluice_msg *own_ring, struct sluice_shm_side *peer,
			 struct sluice_msg *peer_ring, u32 timeout_ms);

/* Attach with a generation other than any used before (caller: random, not 0),
 * or start again after SLUICE_SESSION_DOWN.
 */
void sluice_session_restart(struct sluice_session *s, u32 generation);

/* Look at the peer's record. Idempotent, call on doorbell 0 and on the tick. */
enum sluice_session_event sluice_session_poll(struct sluice_session *s, u64 now_ms);

/* Once per tick (250 ms): publishes a new heartbeat. */
void sluice_session_beat(struct sluice_session *s);

/* Generation 0: the peer sees us gone. Safe in any state, idempotent. */
void sluice_session_detach(struct sluice_session *s);

/* 0; -ENOLINK if not up; -EAGAIN if the ring is full; -EPROTO if the peer's
 * msg_cons is nonsense. The caller rings doorbell 0 after success.
 */
int sluice_session_send(struct sluice_session *s, const struct sluice_msg *msg);

/* 1 with a private copy in @msg whose length and type fields are valid; 0 if
 * none; -ENOLINK if not up; -EPROTO with s->error.
 */
int sluice_session_receive(struct sluice_session *s, struct sluice_msg *msg);

static inline bool sluice_session_is_up(const struct sluice_session *s)
{
	return READ_ONCE(s->up);
}

/* Header of the backend page; see layout.c for what is checked. Returns 0 or
 * -EPROTO, -EPROTONOSUPPORT (other ABI) with *@error naming what is wrong.
 */
struct sluice_shm_header_snap {
	u32 window_slots;
	u32 ctrl_slots;
	u32 ctrl_bytes;
	u32 max_pairs;
	u32 nr_doorbells;
	u32 features;
	u16 abi_minor;
};

int sluice_header_read(const struct sluice_shm_header *shared, u64 mapped_bytes,
		       struct sluice_shm_header_snap *snap, const char **error);
void sluice_header_write(struct sluice_shm_header *shared,
			 const struct sluice_shm_header_snap *snap);

#endif /* SLUICE_SESSION_H */
