/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The backend module: what its files know of each other.
 *
 *	main.c		module, parameters, client registration
 *	dest.c		destinations: life, names, registry, the client callbacks
 *	vdev.c		virtio device state machine (pure)
 *	queues.c	starting and stopping the queues of a destination
 *	tx.c		to the guest
 *	rx.c		from the guest
 *	netdev.c	the network interface of a destination
 *	ethtool.c	its ethtool half
 *	stats.c		adding up counters
 *	segments.c	the life of a data segment
 *	resize.c	growing and shrinking the region
 *	quiesce.c	emptying it for those who must unmap it
 *	autosize.c	how large it wants to be (pure)
 *	auto.c		sizing by itself, within a budget
 *	port.c		the NIC behind a destination and what its DMA demands
 *	netlink.c	generic netlink handlers
 *	events.c	events and sentences for people
 *
 * Locks, outer first:
 *
 *	rtnl			net device state, dest->port
 *	sluice_dests_lock	mutex: list of destinations
 *	dest->lock		mutex: virtio device, sizes, texts; never held while waiting
 *				for the peer
 *	tx->lock, ring->lock	queues, softirq
 */
#ifndef SLUICE_BACK_H
#define SLUICE_BACK_H

#include <linux/etherdevice.h>
#include <linux/netdevice.h>
#include <linux/u64_stats_sync.h>
#include <linux/virtio_net.h>
#include <sluice/channel.h>
#include <sluice/patience.h>
#include <sluice/vq.h>
#include <sluice_zcopy.h>
#include <uapi/linux/sluice.h>
#include "autosize.h"
#include "vdev.h"

#define SLUICE_HDR_BYTES	((u32)sizeof(struct virtio_net_hdr_mrg_rxbuf))
#define SLUICE_MTU_MAX		9000
#define SLUICE_MAX_FRAME	(65535u + ETH_HLEN)	/* GSO frame */
#define SLUICE_TEXT_BYTES	160
#define SLUICE_AUTO_TEXT_BYTES	80
#define SLUICE_DRAIN_DEFAULT_MS	10000
#define SLUICE_RX_COPY_BYTES	256	/* up to here a frame is always copied whole */

struct sluice_dest;
struct sluice_pair;

/* Counters written in one context each; see struct sluice_pair. */
struct sluice_tx_stats {
	struct u64_stats_sync syncp;
	u64_stats_t frames;
	u64_stats_t bytes;
	u64_stats_t bounce;
	u64_stats_t doorbells;
	u64_stats_t returned;		/* buffers given back unused, segment retiring */
	u64_stats_t drop_no_buffer;
	u64_stats_t drop_too_big;
	u64_stats_t drop_stalled;
	u64_stats_t drop_down;
	u64_stats_t drop_bad;
	u64_stats_t stops;
};

struct sluice_rx_stats {
	struct u64_stats_sync syncp;
	u64_stats_t frames;
	u64_stats_t bytes;
	u64_stats_t bounce;
	u64_stats_t copied;
	u64_stats_t constraint;		/* of those, because the port cannot reach them */
	u64_stats_t drop_bad;
	u64_stats_t drop_down;
	u64_stats_t drop_memory;
};

struct sluice_done_stats {
	struct u64_stats_sync syncp;
	u64_stats_t zerocopy;
	u64_stats_t copied;
	u64_stats_t doorbells;
};

/* A buffer of the guest that waits for a frame. */
struct sluice_stash_entry {
	u16 head;
	u16 nr_iov;
	u32 len_bytes;
};

/**
 * struct sluice_tx - queue towards the guest
 * @lock: everything here; softirq
 * @alive: the guest has this queue and the session stands
 * @stopped: the stack's queue is stopped until @wake_bytes of buffers are there
 * @stalled: the guest posted nothing for a second: drop instead of waiting
 * @unpublished: buffers were pushed and not published
 * @vq: the guest's receive virtqueue
 * @entry: popped buffers in order, a ring of vq.num
 * @iov: their parts, a ring of vq.num
 * @room_bytes: sum of what is in @entry
 * @fit_bytes: 0, or the most room this guest ever gave while we waited for it
 * @chain: scratch
 */
struct sluice_tx {
	spinlock_t lock;	/* everything here */
	bool alive;
	bool stopped;
	bool stalled;
	bool unpublished;
	struct sluice_vq vq;
	struct sluice_stash_entry *entry;
	struct sluice_vq_iov *iov;
	u16 entry_first, entry_count;
	u16 iov_first, iov_count;
	u32 room_bytes;
	u32 wake_bytes;
	u32 fit_bytes;
	struct sluice_patience stall;	/* while stopped, jiffies */
	struct sluice_vq_chain chain;
	struct sluice_tx_stats stats;
};

/**
 * struct sluice_aloft - what a queue pair has lent, over all rings that it ever had
 * @ref: one for the pair, one for each of its rings
 * @bytes: payload in flight. A guest that resets its queue gets a new ring,
 *	but no new allowance (flying_max_kb)
 */
struct sluice_aloft {
	refcount_t ref;
	atomic_t bytes;
};

/* A frame of the guest whose pages the stack refers to. */
struct sluice_flight {
	struct ubuf_info uarg;
	bool copied;
	u16 head;
	u32 len_bytes;
	struct sluice_ring *ring;
};

/**
 * struct sluice_ring - queue from the guest
 * @ref: one for the pair, one for each frame in flight: a NIC may finish with a
 *	frame long after the session it came from
 * @lock: all but @chain and the pop half of @vq, which belong to NAPI; any context
 * @alive: @pair, @vq and the channel may be used
 * @throttled: too much in flight; the next completion schedules NAPI
 * @unpublished: heads were pushed and not published
 * @polling: NAPI is at it and publishes at its end
 * @pair: where it belongs, while alive
 * @vq: the guest's transmit virtqueue
 * @aloft: what it counts its payload in flight in
 * @nr_flying: frames of it in flight
 * @chain: scratch
 * @flight: one per head
 */
struct sluice_ring {
	refcount_t ref;
	struct rcu_head rcu;
	spinlock_t lock;	/* all but @chain and the pop half of @vq */
	bool alive;
	bool throttled;
	bool unpublished;
	bool polling;
	struct sluice_pair *pair;
	struct sluice_vq vq;
	struct sluice_aloft *aloft;
	u32 nr_flying;
	struct sluice_vq_chain chain;
	struct sluice_flight flight[];
};

/**
 * struct sluice_pair - one queue pair of a destination
 * @dest: whose
 * @index: which
 * @napi_on: napi is enabled; channel's thread
 * @napi: serves the ring from the guest and wakes the queue to it
 * @tx: to the guest
 * @aloft: what it has lent
 * @ring: from the guest, NULL if the guest has none; changes while NAPI is off
 * @rx_stats: NAPI only
 * @done_stats: under ring->lock
 * @bells: doorbells heard
 */
struct sluice_pair {
	struct sluice_dest *dest;
	u16 index;
	bool napi_on;
	struct napi_struct napi;
	struct sluice_tx tx;
	struct sluice_aloft *aloft;
	struct sluice_ring *ring;
	struct sluice_rx_stats rx_stats;
	struct sluice_done_stats done_stats;
	atomic64_t bells;
};

/**
 * struct sluice_segment - what the window does not say about a data segment
 * @since: when it got its state, jiffies
 * @overstay: how long it has been in it on its way out, jiffies
 * @answered: the guest has confirmed SEGMENT_ADD
 * @told: SEGMENT_RETIRE is in the guest's ring, or needs not be
 * @overdue: it was quarantined, and that has been told
 * @retired: the guest has confirmed SEGMENT_RETIRE, or is gone
 * @beyond: a NIC cannot reach it: frames in it are copied; changes under dest->lock
 * @base_refs: page references when nobody uses it
 */
struct sluice_segment {
	unsigned long since;
	struct sluice_patience overstay;
	bool answered;
	bool told;
	bool overdue;
	bool retired;
	bool beyond;
	u32 base_refs;
};

/**
 * struct sluice_dest - a destination
 *
 * Lives from attach to detach of its channel, in the private part of its net device.
 */
struct sluice_dest {
	struct list_head list;
	struct sluice_channel *ch;
	struct net_device *dev;
	char name[SLUICE_NAME_BYTES];
	struct mutex lock;		/* vdev, sizes, texts, session */
	struct sluice_vdev vdev;
	struct sluice_pair *pair;
	u32 nr_pairs;
	bool session;			/* between up and down */
	bool detaching;
	u32 nr_sessions;
	char broken[SLUICE_TEXT_BYTES];	/* reason, "" if not */
	u64 features;			/* negotiated, of the running device */
	bool running;			/* queues are served */
	bool stale;			/* the net device must learn what changed */
	u32 rx_copybreak;		/* longer frames of the guest are lent; rtnl to change */
	struct timer_list backstop;
	struct work_struct update_work;	/* the net device follows the virtio device */

	/* segments.c; lock, except what its work alone uses */
	struct sluice_segment *segment;
	struct delayed_work resize_work;
	u32 requested;			/* data segments wanted */
	u32 epoch;
	u32 drain_ms;
	bool resizing;
	bool deaf;			/* its message ring stays full; resize work only */
	bool gave_up;			/* refused; until the next request or session */
	char refused[SLUICE_TEXT_BYTES];
	u64 refused_count;
	u64 quarantine_count;
	atomic_t nr_retiring;
	u32 nr_beyond;			/* slots out of a NIC's reach; written under lock */
	u32 quiesce;			/* enum sluice_quiesce_state; lock */

	/* auto.c; lock, and sluice_dests_lock to change auto_on */
	bool auto_on;
	struct sluice_auto autosize;
	char auto_why[SLUICE_AUTO_TEXT_BYTES];
	char auto_reason[SLUICE_TEXT_BYTES];

	struct net_device *port;	/* NIC whose constraints count, or NULL; lock and rtnl */
};

/* main.c */
extern unsigned int sluice_default_size_mb;
extern unsigned int sluice_flying_max_kb;
extern unsigned int sluice_quarantine_max_mb;

/* dest.c */
extern struct mutex sluice_dests_lock;
extern struct list_head sluice_dests;
int sluice_dest_attach(struct sluice_channel *ch);
void sluice_dest_detach(struct sluice_channel *ch);
void sluice_dest_up(struct sluice_channel *ch);
void sluice_dest_down(struct sluice_channel *ch, const char *reason);
void sluice_dest_message(struct sluice_channel *ch, const struct sluice_msg *msg);
void sluice_dest_doorbell(struct sluice_channel *ch, unsigned int vector);
void sluice_dest_broken(struct sluice_channel *ch, const char *reason);
/* The peer broke the protocol; any context. */
void sluice_dest_break(struct sluice_dest *dest, const char *reason);

/* netdev.c */
struct net_device *sluice_netdev_alloc(struct sluice_channel *ch);
int sluice_netdev_register(struct sluice_dest *dest);
void sluice_netdev_free(struct sluice_dest *dest);
/* Carrier, offloads and queues follow the virtio device; work, takes rtnl. */
void sluice_netdev_update(struct work_struct *work);
bool sluice_netdev_is_ours(const struct net_device *dev);

/* ethtool.c */
extern const struct ethtool_ops sluice_ethtool_ops;

/* queues.c */
extern const struct sluice_vdev_ops sluice_queues_ops;
int sluice_queues_alloc(struct sluice_dest *dest);
void sluice_queues_free(struct sluice_dest *dest);
void sluice_queues_doorbell(struct sluice_dest *dest, unsigned int vector);

/* tx.c */
netdev_tx_t sluice_tx_xmit(struct sk_buff *skb, struct net_device *dev);
int sluice_tx_start(struct sluice_pair *pair, const struct sluice_vdev_vq *vq);
void sluice_tx_stop(struct sluice_pair *pair);
/* Wakes the stack's queue if it can; NAPI. */
void sluice_tx_poll(struct sluice_pair *pair);
/* Gives back every buffer in a segment that is not ACTIVE. */
void sluice_tx_sweep(struct sluice_pair *pair);

/* rx.c */
int sluice_rx_poll(struct sluice_pair *pair, int budget);
struct sluice_ring *sluice_rx_start(struct sluice_pair *pair, const struct sluice_vdev_vq *vq);
void sluice_rx_stop(struct sluice_ring *ring);
/* No frame refers to this module's code any more. */
void sluice_rx_wait(void);
struct sluice_aloft *sluice_aloft_alloc(void);	/* or NULL */
void sluice_aloft_put(struct sluice_aloft *aloft);

/* When to look at segments on their way out again. */
enum sluice_step {
	SLUICE_STEP_NONE,
	SLUICE_STEP_SLOW,
	SLUICE_STEP_FAST,
};

static inline struct sluice_window *sluice_win(struct sluice_dest *dest)
{
	return &dest->ch->window;
}

/* Slots of the window that are not the control segment's. */
static inline u32 sluice_data_slots(struct sluice_dest *dest)
{
	return sluice_win(dest)->nr_slots - sluice_win(dest)->ctrl_slots;
}

/* segments.c */
extern atomic_t sluice_nr_quarantined;		/* of all destinations */
u64 sluice_quarantine_max(void);		/* segments */
const char *sluice_segment_holder(struct sluice_dest *dest, u32 slot);
u32 sluice_segment_state(struct sluice_dest *dest, u32 slot);
u32 sluice_segment_pages_out(struct sluice_dest *dest, u32 slot);
u32 sluice_segments_count(struct sluice_dest *dest, u32 state);
u64 sluice_segments_plugged(struct sluice_dest *dest);
int sluice_segment_add(struct sluice_dest *dest, u32 slot, char *text, size_t text_bytes);
void sluice_segment_retire(struct sluice_dest *dest, u32 slot, bool tell);
enum sluice_step sluice_segments_drain(struct sluice_dest *dest);

/* resize.c */
int sluice_segments_init(struct sluice_dest *dest);
void sluice_segments_exit(struct sluice_dest *dest);
void sluice_segments_up(struct sluice_dest *dest);
void sluice_segments_down(struct sluice_dest *dest);
void sluice_segments_retired(struct sluice_dest *dest, const struct sluice_msg_segment *msg);
int sluice_dest_resize(struct sluice_dest *dest, u64 bytes, struct netlink_ext_ack *extack);
void sluice_resize_kick(struct sluice_dest *dest);
u64 sluice_limit(struct sluice_dest *dest, const char **why);

/* quiesce.c */
int sluice_quiesce_check(struct sluice_dest *dest, u32 state, struct netlink_ext_ack *extack);
void sluice_quiesce_set(struct sluice_dest *dest, u32 state);
void sluice_quiesce_look(struct sluice_dest *dest);

/* auto.c */
struct sluice_auto_config {
	u64 min_bytes, max_bytes;	/* as they were asked for */
	u32 min, max;			/* segments */
	u32 weight;
};

int sluice_auto_check(struct sluice_dest *dest, struct sluice_auto_config *c,
		      struct netlink_ext_ack *extack);
void sluice_auto_set(struct sluice_dest *dest, const struct sluice_auto_config *c);
void sluice_auto_exit(void);

/* port.c */
int sluice_port_init(void);
void sluice_port_exit(void);
int sluice_port_describe(struct net_device *nic, struct sluice_dma_constraint *c);
bool sluice_port_constraint(struct sluice_dest *dest, struct sluice_dma_constraint *c);
int sluice_port_check(struct sluice_dest *dest, u32 slot, char *text, size_t text_bytes);
void sluice_port_forget(struct sluice_dest *dest, u32 slot);
void sluice_port_look(struct sluice_dest *dest);
int sluice_port_bind(struct sluice_dest *dest, struct net_device *nic,
		     struct netlink_ext_ack *extack);

/* stats.c */
struct sluice_totals {
	u64 to_frames, to_bytes, to_bounce, to_doorbells, to_returned, to_stops, to_drop_bad,
	    to_drop_down;
	u64 from_frames, from_bytes, from_bounce, from_copied, from_constraint, from_zerocopy,
	    from_orphaned, from_doorbells, from_drop_bad, from_drop_down;
	u64 drop_no_buffer, drop_too_big, drop_stalled, drop_memory;
	u64 bells;
};

void sluice_pair_totals(struct sluice_pair *pair, struct sluice_totals *t);
void sluice_dest_totals(struct sluice_dest *dest, struct sluice_totals *t);

/* events.c */
__printf(2, 3) void sluice_extack(struct netlink_ext_ack *extack, const char *fmt, ...);
void sluice_event(struct sluice_dest *dest, u32 type, const char *text);
void sluice_event_segment(struct sluice_dest *dest, u32 type, u32 slot, u32 state,
			  const char *text);

#endif /* SLUICE_BACK_H */
