/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of sluice.ko know of each other.
 *
 *	main.c		module, parameters
 *	registry.c	channels and clients, who gets whom
 *	client.c	the thread that calls the client: attach, up, message, down, lose, detach
 *	peer.c		the thread that watches the peer: session, heartbeat, messages
 *	handshake.c	the constant pages that both sides publish before a session
 *	request.c	sending, and matching responses with requests
 *	debugfs.c	dump of a channel
 *
 * Two ordered workqueues per channel: the one of peer.c never waits for the
 * client, so a client that waits for a response gets it, or -ENOLINK when the
 * session ends.
 */
#ifndef SLUICE_CORE_H
#define SLUICE_CORE_H

#include <linux/ktime.h>
#include <sluice/channel.h>

#define SLUICE_TICK_MS		250
/* A peer may have as many events under way as its ring holds, several times over. */
#define SLUICE_MAX_EVENTS	(4 * SLUICE_SHM_MSG_RING)
/* Messages taken before others get a turn on the CPU. */
#define SLUICE_RX_BUDGET	(2 * SLUICE_SHM_MSG_RING)
/* A session younger than this does not start again at once: no flapping. */
#define SLUICE_STABLE_MS	1000
#define SLUICE_BACKOFF_MIN_MS	1000u

/* Bits of sluice_channel.flags */
#define SLUICE_CHANNEL_BREAK	0	/* break_reason is set */
#define SLUICE_CHANNEL_GONE	1	/* provider: the peer is gone */

/* Features of the ABI that this module's clients can use. */
#define SLUICE_FEATURES		SLUICE_SHM_F_REGION

enum sluice_event_kind {
	SLUICE_EVENT_ATTACH,
	SLUICE_EVENT_UP,
	SLUICE_EVENT_MESSAGE,
	SLUICE_EVENT_DOWN,
	SLUICE_EVENT_BROKEN,		/* like DOWN, but it was the peer's fault */
	SLUICE_EVENT_LOSE,		/* the provider's memory goes */
	SLUICE_EVENT_REGAIN,		/* and has come back */
	SLUICE_EVENT_DETACH,
};

/**
 * struct sluice_event - something client_work shall do
 * @list: in sluice_channel.events
 * @kind: what
 * @msg: for SLUICE_EVENT_MESSAGE
 */
struct sluice_event {
	struct list_head list;
	enum sluice_event_kind kind;
	struct sluice_msg msg;
};

extern unsigned int sluice_peer_timeout_ms;
extern unsigned int sluice_backoff_max_ms;

static inline u64 sluice_now_ms(void)
{
	return ktime_to_ms(ktime_get());
}

static inline struct sluice_shm_backend_page *sluice_backend_page(const struct sluice_channel *ch)
{
	return ch->ctrl_va + SLUICE_SHM_BACKEND_OFF;
}

static inline struct sluice_shm_frontend_page *sluice_frontend_page(const struct sluice_channel *ch)
{
	return ch->ctrl_va + SLUICE_SHM_FRONTEND_OFF;
}

/* client.c */
void sluice_client_work(struct work_struct *work);
int sluice_event_post(struct sluice_channel *ch, enum sluice_event_kind kind,
		      const struct sluice_msg *msg);
void sluice_events_purge(struct sluice_channel *ch);

/* peer.c */
void sluice_rx_work(struct work_struct *work);
void sluice_tick_work(struct work_struct *work);
void sluice_session_prepare(struct sluice_channel *ch);
void sluice_session_begin(struct sluice_channel *ch);
void sluice_session_again(struct sluice_channel *ch);
void sluice_session_stop(struct sluice_channel *ch, const char *reason);

/* handshake.c */
bool sluice_peer_accept(struct sluice_channel *ch);
int sluice_window_again(struct sluice_channel *ch);
void sluice_page_publish(struct sluice_channel *ch);

/* request.c */
void sluice_requests_fail(struct sluice_channel *ch);
void sluice_request_match(struct sluice_channel *ch, const struct sluice_msg *msg);
int sluice_send_locked(struct sluice_channel *ch, struct sluice_msg *msg);

/* debugfs.c */
void sluice_debugfs_init(void);
void sluice_debugfs_exit(void);
void sluice_debugfs_add(struct sluice_channel *ch);
void sluice_debugfs_del(struct sluice_channel *ch);

#endif /* SLUICE_CORE_H */
