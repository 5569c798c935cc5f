/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Channels, providers and clients.
 *
 * A channel is what a provider gives for one destination: a window, segments,
 * doorbells. A provider (loopback, ivshmem, xen, pkvm) registers channels; a client (the
 * backend or the frontend module) claims those of its role. The core sits in the
 * middle: it runs the session with the peer over the control segment, matches
 * requests with responses, and tells the client what happened:
 *
 *	provider                core                     client
 *	sluice_channel_register() ->                    attach()
 *	sluice_channel_event(v)  -> doorbell(v)          any v > 0, hard irq
 *	                            session              up(), down(), message()
 *	sluice_channel_lose()    ->                     down(), lose()
 *	sluice_channel_regain()  ->                     up() with the next session
 *	sluice_channel_unregister() ->                  detach()
 *
 * A provider whose memory belongs to the peer (xen) loses it when the peer goes, and gets
 * other memory from the next one. The channel stays through that, and so does what
 * the client has made of it: lose and regain are a release and a claim of which the
 * client hears only that it must not touch the old memory any more.
 *
 * Contexts: attach, detach, up, down, lose and message run in the channel's
 * own ordered workqueue, one at a time, may sleep and may call
 * sluice_channel_request(). For each up there is a down before the next up and
 * before detach. doorbell runs in any context and only schedules. A channel
 * that has no client yet, or whose peer is not there yet, simply waits: either side may
 * come first.
 *
 * The provider is asked for segments only by its own side's client:
 *
 *	backend:  segment_alloc -> (validation) -> segment_share -> ... ->
 *	          segment_revoke -> segment_free
 *	frontend: segment_map -> ... -> segment_unmap
 *
 * The window (addresses and states of all slots) belongs to the channel and is filled
 * by the client with the states of sluice/window.h; memory behind a slot by the provider.
 */
#ifndef SLUICE_CHANNEL_H
#define SLUICE_CHANNEL_H

#include <linux/completion.h>
#include <linux/device.h>
#include <linux/if_ether.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/netlink.h>
#include <linux/ratelimit.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>
#include <linux/tracepoint-defs.h>
#include <linux/workqueue.h>
#include <sluice/constraint.h>
#include <sluice/session.h>
#include <sluice/window.h>

#define SLUICE_NAME_BYTES	32
#define SLUICE_REASON_BYTES	96

enum sluice_role {
	SLUICE_BACKEND,
	SLUICE_FRONTEND,
	SLUICE_NR_ROLES,
	SLUICE_ANY_ROLE = SLUICE_NR_ROLES,	/* the first client that claims it decides */
};

struct sluice_channel;

/**
 * struct sluice_provider_ops - one way to share memory
 * @name: "loopback", "ivshmem", "xen", "pkvm"
 * @owner: the provider's module. It can go at any time: its exit unregisters the
 *	channels and sluice_channel_unregister() waits until no client uses them
 * @claim: a client of @role takes the channel. Provides the control segment
 *	(zeroed at first use, at ch->ctrl_va, ch->ctrl_bytes; backend: may be
 *	laid out with ch->want_pairs and ch->want_ctrl_bytes, never above what the provider
 *	has) and enables doorbells. Sleeps. Required.
 * @release: undo @claim. Sleeps; after it no event of this channel arrives. Both may come
 *	several times in the life of a client: see sluice_channel_lose(), _kept(). Required.
 * @segment_alloc: backend: memory for window slot @slot, zeroed; sets
 *	ch->window.slot[slot].va. @c may be NULL; its mask and node guide the
 *	allocation, the caller validates the result. Sleeps. Required.
 * @segment_share: backend: let the peer map it; the handle travels in
 *	SEGMENT_ADD. Sleeps. Required.
 * @segment_revoke: backend: the peer can no longer map or touch it. 0 when
 *	confirmed, -EBUSY if the peer still maps it (ask again or quarantine). Is asked
 *	again also after it was confirmed. Required.
 * @segment_free: backend: give the memory back, or, after a failed revoke
 *	at detach, leak it safely. Required.
 * @segment_map: frontend: make it usable, with struct pages; sets
 *	ch->window.slot[slot].va. Sleeps. Required.
 * @segment_unmap: frontend: every page has been returned; also after sluice_channel_lose(),
 *	in another thread, for what the stack still held then. Sleeps. Required.
 * @doorbell: ring vector @vector of the peer; any context, cheap, harmless if
 *	no peer is there. Required.
 * @limit: bytes of data segments that the provider allows now, with the
 *	reason for a person in @why; optional, the default is the window.
 * @bus_phys: backend: physical address of a segment's page as devices see it, where
 *	the hypervisor keeps the machine's addresses from this kernel; any context,
 *	optional, the default is page_to_phys().
 * @publish: say again what this side says in the provider page, which the peer may have
 *	overwritten; four times a second between claim and release. Sleeps, optional.
 */
struct sluice_provider_ops {
	const char *name;
	struct module *owner;
	int (*claim)(struct sluice_channel *ch, enum sluice_role role,
		     struct netlink_ext_ack *extack);
	void (*release)(struct sluice_channel *ch);
	int (*segment_alloc)(struct sluice_channel *ch, unsigned int slot,
			     const struct sluice_dma_constraint *c,
			     struct netlink_ext_ack *extack);
	int (*segment_share)(struct sluice_channel *ch, unsigned int slot, u64 *handle);
	int (*segment_revoke)(struct sluice_channel *ch, unsigned int slot);
	void (*segment_free)(struct sluice_channel *ch, unsigned int slot);
	int (*segment_map)(struct sluice_channel *ch, unsigned int slot, u64 handle);
	int (*segment_unmap)(struct sluice_channel *ch, unsigned int slot);
	void (*doorbell)(struct sluice_channel *ch, unsigned int vector);
	u64 (*limit)(struct sluice_channel *ch, const char **why);
	phys_addr_t (*bus_phys)(struct sluice_channel *ch, struct page *page);
	void (*publish)(struct sluice_channel *ch);
};

/**
 * struct sluice_client - the backend or frontend module
 * @role: what it is
 * @owner: THIS_MODULE
 * @want_pairs: backend: queue pairs to ask a provider for, 0 leaves it to the
 *	provider
 * @want_ctrl_bytes: backend: control segment to ask for, 0: 1 MiB per pair
 * @refuse_features: frontend: SLUICE_SHM_F_* that it does not use
 * @attach: the provider has given the channel (control segment mapped, window
 *	initialised for a backend). A backend finds ch->hdr filled with what the
 *	channel can do and may lower max_pairs and window_slots and take features
 *	away; the core writes the header after it. 0 or the channel is released.
 * @detach: the channel goes away or the client unregisters. All use ends here.
 * @up: a session with a peer begins; a frontend has ch->hdr validated.
 * @down: it ended. On return nothing of the old session is in use: queues
 *	stopped, no thread inside a virtqueue. @reason is for a person.
 * @lose: the control segment goes away, or will be another one with the next @up. It is
 *	mapped until this returns, and never touched after it. Follows @down, if there was a
 *	session. Data segments are the client's until it has unmapped them. Optional for a
 *	client that touches the control segment only between @up and @down.
 * @message: a request or event of the peer (responses are matched by the core).
 * @doorbell: vector >= 1; any context.
 * @broken: peer broke the protocol; called before @down with the reason. Optional.
 */
struct sluice_client {
	enum sluice_role role;
	struct module *owner;
	u32 want_pairs;
	u32 want_ctrl_bytes;
	u32 refuse_features;
	int (*attach)(struct sluice_channel *ch);
	void (*detach)(struct sluice_channel *ch);
	void (*up)(struct sluice_channel *ch);
	void (*down)(struct sluice_channel *ch, const char *reason);
	void (*lose)(struct sluice_channel *ch);
	void (*message)(struct sluice_channel *ch, const struct sluice_msg *msg);
	void (*doorbell)(struct sluice_channel *ch, unsigned int vector);
	void (*broken)(struct sluice_channel *ch, const char *reason);
};

/**
 * struct sluice_channel - one destination's memory and doorbells
 * @ops: the provider
 * @dev: provider's device, parent of what the client makes (PCI device, xenbus
 *	device, platform device)
 * @role: wanted role while unclaimed, then the claimed one
 * @name: of the destination, if the provider knows it, else ""
 * @mac: for the frontend, all zero if the provider does not know one
 * @max_slots: slots of the window that the provider can back, control included. This and
 *	@nr_doorbells may change while the channel is lost
 * @want_pairs: backend before claim: queue pairs it would like
 * @want_ctrl_bytes: backend before claim: control segment it would like
 * @want_bytes: backend: data segments that the operator of the provider asked for at
 *	first, U64_MAX if it leaves that to the client
 * @ctrl_va: control segment, virtually contiguous, with struct pages (use
 *	sluice_va_to_page()); NULL while lost
 * @ctrl_bytes: its size. On a frontend this is what the provider has mapped; the
 *	size in use is ch->hdr.ctrl_bytes, never more
 * @nr_doorbells: vectors the provider has each way
 * @doorbell_addr: provider's address of our doorbells, published to the peer;
 *	set by claim, 0 if doorbells need no address
 * @window: see sluice/window.h. The core initialises it: a backend's before attach,
 *	a frontend's before each up (slots in QUARANTINED keep what they have)
 * @hdr: what the header says; written by a backend, read and validated for a
 *	frontend, never more pairs or doorbells than the channel has
 * @features: SLUICE_SHM_F_* that both sides use; valid from up to down
 * @silent: debugfs: this side plays dead
 * @client_data: the client's
 * @provider_data: the provider's
 *
 * All below is private to the core.
 */
struct sluice_channel {
	const struct sluice_provider_ops *ops;
	struct device *dev;
	enum sluice_role role;
	char name[SLUICE_NAME_BYTES];
	u8 mac[ETH_ALEN];
	u32 max_slots;
	u32 want_pairs;
	u32 want_ctrl_bytes;
	u64 want_bytes;
	void *ctrl_va;
	u32 ctrl_bytes;
	u32 nr_doorbells;
	u32 doorbell_addr;
	struct sluice_window window;
	struct sluice_shm_header_snap hdr;
	u32 features;
	bool silent;
	void *client_data;
	void *provider_data;

	/* registry lock */
	struct list_head list;
	const struct sluice_client *client;
	enum sluice_role wanted_role;
	bool registered;
	bool claimed;
	bool lost;			/* between sluice_channel_lose() and _regain() */

	/* callbacks to the client: ordered, one at a time */
	struct workqueue_struct *wq;
	struct work_struct client_work;
	spinlock_t event_lock;		/* events, nr_events, break_reason */
	struct list_head events;
	unsigned int nr_events;
	char break_reason[SLUICE_REASON_BYTES];
	const struct sluice_client __rcu *bell;	/* who hears doorbells > 0 */
	bool held;			/* client_work only: claimed from the provider */
	bool attached;			/* client_work only */
	bool client_up;			/* client_work only */

	/* session and message rings: ordered, never waits for the client */
	struct workqueue_struct *rx_wq;
	struct work_struct rx_work;
	struct delayed_work tick;
	struct mutex session_lock;	/* all below; not held while the client runs */
	struct sluice_session session;
	struct list_head requests;	/* waiting for a response */
	u16 next_token;
	bool running;			/* between attach and detach */
	bool stopping;
	bool restart;			/* the session waits to start again */
	u64 restart_ms;
	u64 up_ms;
	u32 backoff_ms;			/* after a broken session */
	u32 seen_generation;		/* of the peer whose pages were validated */
	u32 refused_generation;		/* last one that was not, to say it once */
	const char *refused;
	char reason[SLUICE_REASON_BYTES];	/* why the last session ended */
	struct ratelimit_state ratelimit;
	unsigned long flags;		/* atomic bits, SLUICE_CHANNEL_* */
	u64 nr_ups, nr_downs, nr_broken, nr_stray;

	struct dentry *debugfs;
};

/* provider side */
struct sluice_channel *sluice_channel_alloc(const struct sluice_provider_ops *ops,
					    struct device *dev, enum sluice_role role);
int sluice_channel_register(struct sluice_channel *ch);
void sluice_channel_unregister(struct sluice_channel *ch);	/* waits for detach */
/* The control segment goes, the channel and its client stay; waits for release. */
void sluice_channel_lose(struct sluice_channel *ch, const char *reason);
/* There is one again, perhaps another. */
int sluice_channel_regain(struct sluice_channel *ch);
/* For claim and release: does a client stay that will unmap what it has mapped, or is
 * every data segment that still is mapped one that a client has left for good?
 */
static inline bool sluice_channel_kept(const struct sluice_channel *ch)
{
	return ch->attached;
}

void sluice_channel_free(struct sluice_channel *ch);
void sluice_channel_event(struct sluice_channel *ch, unsigned int vector);
/* A hint that the peer is gone; the session decides at once instead of by timeout. */
void sluice_channel_peer_gone(struct sluice_channel *ch);

/* client side */
int sluice_client_register(const struct sluice_client *client);
void sluice_client_unregister(const struct sluice_client *client);

/* No wait for an answer. Sleeps while the ring is full (at most 1 s). -ENOLINK if no session. */
int sluice_channel_send(struct sluice_channel *ch, struct sluice_msg *msg);
/* Answer @req: copies id and token, sets RESPONSE and @status. */
int sluice_channel_respond(struct sluice_channel *ch, const struct sluice_msg *req,
			   struct sluice_msg *resp, u32 status);
/* Wait for the response, at most @timeout_ms. -ENOLINK if the session ends
 * meanwhile, -ETIMEDOUT, or the response's status as errno.
 */
int sluice_channel_request(struct sluice_channel *ch, struct sluice_msg *msg,
			   struct sluice_msg *resp, unsigned int timeout_ms);
bool sluice_channel_is_up(const struct sluice_channel *ch);
const char *sluice_channel_refused(const struct sluice_channel *ch);
/* The peer did what the protocol forbids: end this session, tell why, once. Any context. */
void sluice_channel_break(struct sluice_channel *ch, const char *reason);

void sluice_trace_ring(struct sluice_channel *ch, unsigned int vector);
DECLARE_TRACEPOINT(sluice_ring);

static inline void sluice_channel_ring(struct sluice_channel *ch, unsigned int vector)
{
	if (tracepoint_enabled(sluice_ring))
		sluice_trace_ring(ch, vector);
	if (likely(!READ_ONCE(ch->silent)))
		ch->ops->doorbell(ch, vector);
}

struct page *sluice_va_to_page(const void *va);	/* direct map, vmalloc or memremapped */

#endif /* SLUICE_CHANNEL_H */
