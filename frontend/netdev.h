/* SPDX-License-Identifier: GPL-2.0 */
/*
 * sluice_front, our virtio-net driver: what its files know of each other.
 *
 *	netdev.c	probe, remove; features, link; net_device_ops
 *	queues.c	virtqueues, NAPI, renegotiation, number of pairs
 *	rx.c		posting buffers, receiving
 *	tx.c		transmitting, completing
 *	xdp.c		native XDP
 *	ethtool.c	ethtool_ops and the names of the counters
 *
 * Locks: RTNL for everything that starts and stops queues; a receive queue belongs
 * to its NAPI; a transmit queue and its virtqueue to its netdev_queue's lock.
 */
#ifndef SLUICE_FRONT_NETDEV_H
#define SLUICE_FRONT_NETDEV_H

#include <linux/netdevice.h>
#include <linux/scatterlist.h>
#include <linux/timer.h>
#include <linux/u64_stats_sync.h>
#include <linux/virtio_config.h>
#include <net/xdp.h>
#include "front.h"
#include "slots.h"

#define SLUICE_NET_HDR_BYTES	((unsigned int)sizeof(struct virtio_net_hdr_mrg_rxbuf))
#define SLUICE_NET_COPYBREAK	256	/* frames up to this are always copied */
/* the device's licence to send frames of up to 64 KiB */
#define SLUICE_NET_GUEST_GSO	(BIT_ULL(VIRTIO_NET_F_GUEST_TSO4) | \
				 BIT_ULL(VIRTIO_NET_F_GUEST_TSO6) | \
				 BIT_ULL(VIRTIO_NET_F_GUEST_ECN))
#define SLUICE_NET_MAX_MTU	9000
/* pages of a 64 KiB frame with its headers */
#define SLUICE_NET_FRAME_PAGES	17
/*
 * Of a page; less than all of it. A page that is full of payload could be mapped into
 * a process (TCP_ZEROCOPY_RECEIVE), and no copy would be between it and the peer.
 */
#define SLUICE_NET_RX_BYTES	((unsigned int)PAGE_SIZE - 64)
/* header, linear part, frags */
#define SLUICE_NET_TX_SG	(MAX_SKB_FRAGS + 2)
#define SLUICE_NET_BATCH	32
#define SLUICE_NET_MIN_RING	32

/* Counters; ethtool.c has their names in the same order. */
enum sluice_rx_count {
	SLUICE_RX_PACKETS,
	SLUICE_RX_BYTES,
	SLUICE_RX_REGION,		/* frames received into region pages */
	SLUICE_RX_BOUNCE,		/* frames received through bounce */
	SLUICE_RX_COPYBREAK,		/* small frames copied */
	SLUICE_RX_COPIED,		/* others copied: not plain, see sluice/headers.h */
	SLUICE_RX_RETURNED,		/* buffers the backend gave back unused */
	SLUICE_RX_EXHAUSTED,		/* refills that found no region page */
	SLUICE_RX_EMPTY,		/* times that the queue ran low and waits for memory */
	SLUICE_RX_NO_MEMORY,		/* drops: no skb */
	SLUICE_RX_BAD_LENGTH,		/* drops: shorter than a header, longer than we can take */
	SLUICE_RX_BAD_HEADER,		/* drops: virtio header makes no sense */
	SLUICE_RX_KICKS,
	SLUICE_RX_XDP_PASS,
	SLUICE_RX_XDP_DROP,
	SLUICE_RX_XDP_TX,
	SLUICE_RX_XDP_REDIRECT,
	SLUICE_RX_XDP_ERROR,
	SLUICE_RX_NR_COUNTS
};

enum sluice_tx_count {
	SLUICE_TX_PACKETS,
	SLUICE_TX_BYTES,
	SLUICE_TX_REGION_DIRECT,	/* sent from where they lay */
	SLUICE_TX_REGION_COPIED,	/* copied into region pages */
	SLUICE_TX_BOUNCE,		/* sent through bounce */
	SLUICE_TX_EXHAUSTED,		/* frames that found no free region page */
	SLUICE_TX_RETIRING,		/* frames of region pages copied: segment is retiring */
	SLUICE_TX_STOPPED,		/* queue stopped: neither slots nor bounce */
	SLUICE_TX_TOO_BIG,		/* drops: would never fit */
	SLUICE_TX_BAD_FRAME,		/* drops: offload we cannot describe */
	SLUICE_TX_LOST,			/* drops: the session ended while the backend had them */
	SLUICE_TX_KICKS,
	SLUICE_TX_XDP_FRAMES,
	SLUICE_TX_XDP_DROPS,
	SLUICE_TX_TIMEOUTS,
	SLUICE_TX_NR_COUNTS
};

struct sluice_net;

/**
 * struct sluice_rxq - a receive queue
 * @vq: NULL while there are none
 * @net: whose
 * @napi: polls it; owns all below
 * @retry: refills a queue that ran low while nothing arrives
 * @retry_ms: next interval of @retry
 * @index: of the pair
 * @nr_region: region pages posted
 * @nr_bounce: ordinary pages posted
 * @nr_give: region pages the driver is done with, given back in one go
 * @give: those
 * @nr_spare: ordinary pages to post again
 * @spare: those
 * @xdp: for XDP
 * @syncp: of @count
 * @count: see enum sluice_rx_count
 */
struct sluice_rxq {
	struct virtqueue *vq;
	struct sluice_net *net;
	struct napi_struct napi;
	struct timer_list retry;
	unsigned int retry_ms;
	unsigned int index;
	unsigned int nr_region;
	unsigned int nr_bounce;
	unsigned int nr_give;
	struct page *give[SLUICE_NET_BATCH];
	unsigned int nr_spare;
	struct page *spare[SLUICE_NET_BATCH];
	struct xdp_rxq_info xdp;
	struct u64_stats_sync syncp;
	u64_stats_t count[SLUICE_RX_NR_COUNTS];
	char name[16];
};

enum sluice_tx_kind {
	SLUICE_TX_SKB,
	SLUICE_TX_COPIED,		/* the skb is gone already */
	SLUICE_TX_XDP_REGION,		/* a received region page, sent back */
	SLUICE_TX_XDP_PAGE,		/* a received ordinary page, sent back */
	SLUICE_TX_XDP_COPY,		/* redirected here, copied: only pages */
};

/* A frame on its way; one per ring entry at most. */
struct sluice_tx_desc {
	void *owner;			/* skb or page; NULL if copied */
	u32 bytes;
	u8 kind;
	u8 nr_runs;
	u8 nr_pages;			/* in the runs */
	u16 next;			/* in the free list, by index */
	struct sluice_slots_run run[SLUICE_NET_FRAME_PAGES];
};

#define SLUICE_TX_NO_DESC	0xffff

/**
 * struct sluice_txq - a transmit queue; all below belongs to the netdev_queue's lock
 * @vq: NULL while there are none
 * @net: whose
 * @napi: completes
 * @retry: wakes a queue that was stopped for want of memory, and collects what no
 *	callback was asked for
 * @index: of the pair
 * @nr_desc: size of @desc
 * @free: first free one
 * @desc: private, one per ring entry
 * @nr_flight: frames that the backend has
 * @nr_held: of those, frames that hold what the stack waits for
 * @nr_pages: region pages of those; at most as many as the ring has entries
 * @live: frames may be added
 * @starved: stopped for want of memory, since when
 * @starved_since: jiffies
 * @sg: scratch
 * @syncp: of @count
 * @count: see enum sluice_tx_count
 */
struct sluice_txq {
	struct virtqueue *vq;
	struct sluice_net *net;
	struct napi_struct napi;
	struct timer_list retry;
	unsigned int index;
	unsigned int nr_desc;
	u16 free;
	struct sluice_tx_desc *desc;
	unsigned int nr_flight;
	unsigned int nr_held;
	unsigned int nr_pages;
	bool live;
	bool starved;
	unsigned long starved_since;
	struct scatterlist sg[SLUICE_NET_TX_SG];
	struct u64_stats_sync syncp;
	u64_stats_t count[SLUICE_TX_NR_COUNTS];
	char name[16];
};

/**
 * struct sluice_net - the netdev's private part
 * @dev: the netdev
 * @vdev: the virtio device
 * @f: the transport below
 * @slots: region pages
 * @rxq: @max_pairs of them
 * @txq: @max_pairs of them
 * @max_pairs: queue pairs that exist
 * @pairs: in use
 * @ready: virtqueues exist; false after a restart that failed. RTNL
 * @running: NAPI is on. RTNL
 * @sessions_lost: of @f, when the neighbours were last told where we are. RTNL
 * @rx_off: where in a page a receive buffer starts
 * @rx_bytes: its length
 * @rx_copybreak: frames whose first buffer has no more bytes are copied. RTNL to change
 * @prog: XDP program
 * @all_features: what was negotiated at probe; renegotiation takes away from it
 * @config_work: looks at the link
 */
struct sluice_net {
	struct net_device *dev;
	struct virtio_device *vdev;
	struct sluice_front *f;
	struct sluice_slots *slots;
	struct sluice_rxq *rxq;
	struct sluice_txq *txq;
	u16 max_pairs;
	u16 pairs;
	bool ready;
	bool running;
	unsigned int sessions_lost;
	unsigned int rx_off;
	unsigned int rx_bytes;
	u32 rx_copybreak;
	struct bpf_prog __rcu *prog;
	u64 all_features;
	struct work_struct config_work;
};

static inline void sluice_rx_add(struct sluice_rxq *q, enum sluice_rx_count c, u64 n)
{
	u64_stats_add(&q->count[c], n);
}

static inline void sluice_rx_inc(struct sluice_rxq *q, enum sluice_rx_count c)
{
	u64_stats_update_begin(&q->syncp);
	u64_stats_inc(&q->count[c]);
	u64_stats_update_end(&q->syncp);
}

static inline void sluice_tx_add(struct sluice_txq *q, enum sluice_tx_count c, u64 n)
{
	u64_stats_update_begin(&q->syncp);
	u64_stats_add(&q->count[c], n);
	u64_stats_update_end(&q->syncp);
}

/* queues.c; RTNL, or before registration */
int sluice_net_alloc_queues(struct sluice_net *net);
void sluice_net_free_queues(struct sluice_net *net);	/* after take_down */
/* Make the virtqueues of a device whose features are negotiated, and start it. */
int sluice_net_bring_up(struct sluice_net *net);
/* Reset the device; frames in flight are dropped and counted. Idempotent. */
void sluice_net_take_down(struct sluice_net *net);
/* Where in a page the buffers posted from now on lie. */
void sluice_net_set_rx_layout(struct sluice_net *net, bool xdp);
/* Reset the device if @features (NETIF_F_GRO_HW) or @prog ask for another
 * negotiation, and start with @prog. RTNL.
 */
int sluice_net_renegotiate(struct sluice_net *net, netdev_features_t features,
			   struct bpf_prog *prog);
/* Reset, negotiate, and go on. If that fails the netdev is detached. RTNL. */
int sluice_net_restart(struct sluice_net *net);
int sluice_net_set_pairs(struct sluice_net *net, u16 pairs);
/* Take back what the transport gives up while nobody polls. RTNL. */
void sluice_net_drain(struct sluice_net *net);
/* Stop and start all queues of a running device; virtqueues stay. RTNL. */
void sluice_net_pause(struct sluice_net *net);
void sluice_net_resume(struct sluice_net *net);

/* rx.c */
void sluice_rx_init(struct sluice_rxq *q);
void sluice_rx_start(struct sluice_rxq *q);	/* RTNL, NAPI is on */
void sluice_rx_callback(struct virtqueue *vq);
void sluice_rx_recycle(struct virtqueue *vq, void *token);	/* unused buffer back */
void sluice_rx_drain(struct sluice_rxq *q);	/* what came back while NAPI is off */
void sluice_rx_free(struct sluice_rxq *q);	/* after the virtqueue's buffers are back */
/* An ordinary page for a frame, or NULL. */
struct page *sluice_rx_page(struct sluice_rxq *q);
void sluice_rx_give(struct sluice_rxq *q, struct page *page, bool region);

/* tx.c */
void sluice_tx_init(struct sluice_txq *q);
int sluice_tx_alloc(struct sluice_txq *q);	/* after the virtqueue is there */
void sluice_tx_start(struct sluice_txq *q);	/* RTNL, NAPI is on */
void sluice_tx_callback(struct virtqueue *vq);
void sluice_tx_recycle(struct virtqueue *vq, void *token);
void sluice_tx_free(struct sluice_txq *q);
netdev_tx_t sluice_tx_xmit(struct sk_buff *skb, struct net_device *dev);
struct sluice_tx_desc *sluice_tx_get_desc(struct sluice_txq *q);
void sluice_tx_put_desc(struct sluice_txq *q, struct sluice_tx_desc *d);
void sluice_tx_reclaim(struct sluice_txq *q, int budget);
/* Reclaim if nobody else is at it; receive NAPI. */
void sluice_tx_collect(struct sluice_txq *q, int budget);
void sluice_tx_kick(struct sluice_txq *q);
void sluice_tx_arm(struct sluice_txq *q);

netdev_features_t sluice_tx_features_check(struct sk_buff *skb, struct net_device *dev,
					   netdev_features_t features);

/* ethtool.c */
/* A consistent copy of a queue's counters. */
void sluice_net_rx_counts(struct sluice_rxq *q, u64 *count);
void sluice_net_tx_counts(struct sluice_txq *q, u64 *count);
extern const struct ethtool_ops sluice_net_ethtool_ops;

#endif /* SLUICE_FRONT_NETDEV_H */
