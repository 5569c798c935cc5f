// SPDX-License-Identifier: GPL-2.0
/*
 * Transmit. Three roads, tried in this order:
 *
 *	direct	the frame's frags lie in the region: they are sent from there; only
 *		the linear part is copied, behind the virtio header
 *	copy	the frame is copied once into region pages
 *	bounce	no page is free: the frame is given to the transport as it lies,
 *		which copies it to bounce slots while it has some
 *
 * When none has room the queue stops until something is completed, or a timer
 * says try again. The descriptors cover the header and the frame, never the
 * rest of a page.
 *
 * A frame that has been copied needs its skb no longer: the sender gets it back at
 * once, so nobody waits for the completion and no doorbell is asked for. What such
 * frames still hold, region pages and places in the ring, is collected by the next
 * transmission, by the receive side's NAPI, or by a timer. The backend is asked to
 * ring for frames that hold an skb or a page of the stack, for a stopped queue, and
 * when half of the ring or of the pages for it is taken.
 */
#include <linux/etherdevice.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <linux/virtio_net.h>
#include <trace/events/sluice.h>
#include "netdev.h"
#include "shadow.h"

#define TX_RETRY_MS	4
#define TX_COLLECT_MS	8	/* completions that nobody waits for */
#define TX_GIVE_UP_MS	2000	/* nothing in flight and still no room: it never fits */

enum road { ROAD_DIRECT, ROAD_COPY, ROAD_BOUNCE };

static struct netdev_queue *netdev_queue_of(struct sluice_txq *q)
{
	return netdev_get_tx_queue(q->net->dev, q->index);
}

struct sluice_tx_desc *sluice_tx_get_desc(struct sluice_txq *q)
{
	struct sluice_tx_desc *d;

	if (q->free == SLUICE_TX_NO_DESC)
		return NULL;
	d = &q->desc[q->free];
	q->free = d->next;
	d->nr_runs = 0;
	d->nr_pages = 0;
	return d;
}

void sluice_tx_put_desc(struct sluice_txq *q, struct sluice_tx_desc *d)
{
	d->owner = NULL;
	d->next = q->free;
	q->free = d - q->desc;
}

static void drop_pages(struct sluice_txq *q, struct sluice_tx_desc *d)
{
	sluice_slots_put_runs(q->net->slots, d->run, d->nr_runs);
	d->nr_runs = 0;
	d->nr_pages = 0;
}

/* A frame is over: give back what it held. Returns its bytes for BQL. */
static unsigned int finish(struct sluice_txq *q, struct sluice_tx_desc *d, int budget)
{
	unsigned int bytes = 0;

	switch (d->kind) {
	case SLUICE_TX_SKB:
		bytes = d->bytes;
		napi_consume_skb(d->owner, budget);
		q->nr_held--;
		break;
	case SLUICE_TX_COPIED:
		bytes = d->bytes;
		break;
	case SLUICE_TX_XDP_PAGE:
		put_page(d->owner);
		break;
	}
	q->nr_pages -= d->nr_pages;
	drop_pages(q, d);
	sluice_tx_put_desc(q, d);
	q->nr_flight--;
	return bytes;
}

/* Frames the backend is done with. The transmit lock is held. */
void sluice_tx_reclaim(struct sluice_txq *q, int budget)
{
	unsigned int len, frames = 0, bytes = 0, lost = 0, skbs = 0, skb_bytes = 0;
	struct sluice_tx_desc *d;

	sluice_vqs_harvest(q->vq);
	while ((d = virtqueue_get_buf(q->vq, &len))) {
		if (len == SLUICE_SHADOW_LOST) {
			lost++;
		} else {
			frames++;
			bytes += d->bytes;
		}
		if (d->kind == SLUICE_TX_SKB || d->kind == SLUICE_TX_COPIED)
			skbs++;
		skb_bytes += finish(q, d, budget);
	}
	if (!frames && !lost)
		return;
	u64_stats_update_begin(&q->syncp);
	u64_stats_add(&q->count[SLUICE_TX_LOST], lost);
	u64_stats_add(&q->count[SLUICE_TX_PACKETS], frames);
	u64_stats_add(&q->count[SLUICE_TX_BYTES], bytes);
	u64_stats_update_end(&q->syncp);
	if (skbs)
		netdev_tx_completed_queue(netdev_queue_of(q), skbs, skb_bytes);
}

void sluice_tx_kick(struct sluice_txq *q)
{
	if (sluice_vqs_kick(q->vq))
		sluice_tx_add(q, SLUICE_TX_KICKS, 1);
}

/* Can all frags be sent from where they lie? */
static bool may_go_direct(struct sluice_txq *q, const struct sk_buff *skb)
{
	const struct skb_shared_info *shinfo = skb_shinfo(skb);
	struct sluice_slots *slots = q->net->slots;
	bool active = true;
	int i;

	if (!shinfo->nr_frags || skb_has_frag_list(skb) ||
	    skb_headlen(skb) > PAGE_SIZE - SLUICE_NET_HDR_BYTES)
		return false;
	for (i = 0; i < shinfo->nr_frags && active; i++) {
		const skb_frag_t *frag = &shinfo->frags[i];

		active = sluice_slots_covers(slots, skb_frag_page(frag), skb_frag_off(frag),
					     skb_frag_size(frag));
		if (!active && sluice_slots_owns(slots, skb_frag_page(frag)))
			sluice_tx_add(q, SLUICE_TX_RETIRING, 1);
	}
	return active;
}

/* Returns the number of sg entries, 0: no page free, or an error. */
static int go_direct(struct sluice_txq *q, struct sluice_tx_desc *d, struct sk_buff *skb,
		     const struct virtio_net_hdr_mrg_rxbuf *hdr)
{
	const struct skb_shared_info *shinfo = skb_shinfo(skb);
	void *va;
	int i;

	d->nr_runs = sluice_slots_get_runs(q->net->slots, d->run, 1);
	if (!d->nr_runs)
		return 0;
	d->nr_pages = 1;
	va = page_address(d->run[0].page);
	memcpy(va, hdr, sizeof(*hdr));
	skb_copy_from_linear_data(skb, va + sizeof(*hdr), skb_headlen(skb));
	sg_init_table(q->sg, 1 + shinfo->nr_frags);
	sg_set_page(&q->sg[0], d->run[0].page, sizeof(*hdr) + skb_headlen(skb), 0);
	for (i = 0; i < shinfo->nr_frags; i++)
		sg_set_page(&q->sg[1 + i], skb_frag_page(&shinfo->frags[i]),
			    skb_frag_size(&shinfo->frags[i]), skb_frag_off(&shinfo->frags[i]));
	return 1 + shinfo->nr_frags;
}

static int go_copy(struct sluice_txq *q, struct sluice_tx_desc *d, struct sk_buff *skb,
		   const struct virtio_net_hdr_mrg_rxbuf *hdr)
{
	unsigned int nr = DIV_ROUND_UP(skb->len + sizeof(*hdr), PAGE_SIZE);
	unsigned int done = 0, start = sizeof(*hdr), bytes, i;
	struct sluice_slots_run *run = d->run;

	if (nr > ARRAY_SIZE(d->run))
		return -EMSGSIZE;
	d->nr_runs = sluice_slots_get_runs(q->net->slots, run, nr);
	trace_sluice_pages(netdev_name(q->net->dev), q->name, nr, d->nr_runs ? nr : 0);
	if (!d->nr_runs)
		return 0;
	d->nr_pages = nr;
	memcpy(page_address(run->page), hdr, sizeof(*hdr));
	sg_init_table(q->sg, d->nr_runs);
	for (i = 0; i < d->nr_runs; i++, run++) {
		bytes = min_t(unsigned int, skb->len - done, run->nr * PAGE_SIZE - start);
		if (skb_copy_bits(skb, done, page_address(run->page) + start, bytes))
			return -EFAULT;
		sg_set_page(&q->sg[i], run->page, start + bytes, 0);
		done += bytes;
		start = 0;
	}
	return d->nr_runs;
}

static int go_bounce(struct sluice_txq *q, struct sk_buff *skb,
		     const struct virtio_net_hdr_mrg_rxbuf *hdr)
{
	unsigned int frags = skb_shinfo(skb)->nr_frags;
	int nr;

	if (skb_headroom(skb) >= sizeof(*hdr) && !skb_header_cloned(skb)) {
		memcpy(skb->data - sizeof(*hdr), hdr, sizeof(*hdr));
		sg_init_table(q->sg, 1 + frags);
		__skb_push(skb, sizeof(*hdr));
		nr = skb_to_sgvec(skb, q->sg, 0, skb->len);
		__skb_pull(skb, sizeof(*hdr));
		return nr;
	}
	memcpy(skb->cb, hdr, sizeof(*hdr));
	sg_init_table(q->sg, 2 + frags);
	sg_set_buf(&q->sg[0], skb->cb, sizeof(*hdr));
	nr = skb_to_sgvec(skb, q->sg + 1, 0, skb->len);
	return nr < 0 ? nr : nr + 1;
}

/* 0, -ENOSPC or -ENOMEM: not now; other: never. The skb stays the caller's. */
static int send(struct sluice_txq *q, struct sluice_tx_desc *d, struct sk_buff *skb,
		const struct virtio_net_hdr_mrg_rxbuf *hdr)
{
	enum road road = may_go_direct(q, skb) ? ROAD_DIRECT : ROAD_COPY;
	int nr, err = -ENOMEM;

	nr = road == ROAD_DIRECT ? go_direct(q, d, skb, hdr) : go_copy(q, d, skb, hdr);
	if (nr < 0)
		return nr;
	if (nr) {
		err = virtqueue_add_outbuf(q->vq, q->sg, nr, d, GFP_ATOMIC);
		if (err)
			drop_pages(q, d);
	} else if (sluice_slots_total(q->net->slots)) {
		sluice_tx_add(q, SLUICE_TX_EXHAUSTED, 1);
	}
	if (err == -ENOMEM) {
		road = ROAD_BOUNCE;
		nr = go_bounce(q, skb, hdr);
		if (nr < 0)
			return nr;
		err = virtqueue_add_outbuf(q->vq, q->sg, nr, d, GFP_ATOMIC);
	}
	if (err)
		return err;
	d->kind = road == ROAD_COPY ? SLUICE_TX_COPIED : SLUICE_TX_SKB;
	d->owner = road == ROAD_COPY ? NULL : skb;
	sluice_tx_add(q, road == ROAD_DIRECT ? SLUICE_TX_REGION_DIRECT :
			 road == ROAD_COPY ? SLUICE_TX_REGION_COPIED : SLUICE_TX_BOUNCE, 1);
	return 0;
}

/*
 * No room for this frame now. True: the queue is stopped, keep the frame. False:
 * it has waited long enough with nothing else in the way: it never fits.
 */
static bool wait_for_room(struct sluice_txq *q)
{
	if (!q->starved) {
		q->starved = true;
		q->starved_since = jiffies;
		sluice_tx_add(q, SLUICE_TX_STOPPED, 1);
	} else if (!q->nr_flight &&
		   time_after(jiffies, q->starved_since + msecs_to_jiffies(TX_GIVE_UP_MS))) {
		return false;
	}
	netif_tx_stop_queue(netdev_queue_of(q));
	mod_timer(&q->retry, jiffies + msecs_to_jiffies(TX_RETRY_MS));
	return true;
}

static void drop(struct sluice_txq *q, struct sk_buff *skb, enum sluice_tx_count why)
{
	sluice_tx_add(q, why, 1);
	dev_kfree_skb_any(skb);
}

/* Ring entries or, for a backend that is slow to give pages back, region pages. */
static unsigned int room(struct sluice_txq *q)
{
	return min(q->vq->num_free, q->nr_desc - min(q->nr_pages, q->nr_desc));
}

/* Half of what the receive queues leave of a small region. */
static bool many_pages(struct sluice_txq *q)
{
	return q->nr_pages && q->nr_pages >= sluice_slots_total(q->net->slots) / 4 / q->net->pairs;
}

/* Does anybody wait for what is in flight? */
static bool awaited(struct sluice_txq *q)
{
	return q->nr_held || netif_xmit_stopped(netdev_queue_of(q)) ||
	       room(q) < q->nr_desc / 2 || many_pages(q);
}

static void collect_later(struct sluice_txq *q)
{
	if (q->nr_flight && !timer_pending(&q->retry))
		mod_timer(&q->retry, jiffies + msecs_to_jiffies(TX_COLLECT_MS));
}

/*
 * Ask for a callback when most of what is in flight is done, if that is awaited. A
 * device that claims more than it can have done must not keep us here: NAPI
 * looks again.
 */
void sluice_tx_arm(struct sluice_txq *q)
{
	if (!awaited(q))
		collect_later(q);
	else if (sluice_vqs_arm(q->vq, true))
		napi_schedule(&q->napi);
}

netdev_tx_t sluice_tx_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct sluice_net *net = netdev_priv(dev);
	struct sluice_txq *q = &net->txq[skb_get_queue_mapping(skb)];
	struct netdev_queue *txq = netdev_queue_of(q);
	struct virtio_net_hdr_mrg_rxbuf hdr = {};
	struct sluice_tx_desc *d;
	bool kick;
	int err;

	sluice_tx_reclaim(q, 0);
	if (virtio_net_hdr_from_skb(skb, &hdr.hdr, true, false, 0)) {
		drop(q, skb, SLUICE_TX_BAD_FRAME);
		goto out;
	}
	d = sluice_tx_get_desc(q);
	if (!d) {
		err = -ENOSPC;
		goto busy;
	}
	d->bytes = skb->len;
	skb_tx_timestamp(skb);
	err = send(q, d, skb, &hdr);
	if (!err) {
		q->starved = false;
		q->nr_flight++;
		q->nr_pages += d->nr_pages;
		if (d->owner)
			q->nr_held++;
		else
			dev_consume_skb_any(skb);
		goto sent;
	}
	drop_pages(q, d);
	sluice_tx_put_desc(q, d);
busy:
	if (err == -ENOMEM || err == -ENOSPC) {
		if (wait_for_room(q)) {
			sluice_tx_kick(q);
			sluice_tx_arm(q);
			return NETDEV_TX_BUSY;
		}
		q->starved = false;
		err = -EMSGSIZE;
	}
	drop(q, skb, err == -EMSGSIZE ? SLUICE_TX_TOO_BIG : SLUICE_TX_BAD_FRAME);
	goto out;
sent:
	if (room(q) < SLUICE_NET_TX_SG)
		netif_tx_stop_queue(txq);
	kick = __netdev_tx_sent_queue(txq, d->bytes, netdev_xmit_more());
	if (kick || netif_xmit_stopped(txq)) {
		sluice_tx_kick(q);
		sluice_tx_arm(q);
	}
	return NETDEV_TX_OK;
out:
	if (!netdev_xmit_more()) {
		sluice_tx_kick(q);
		sluice_tx_arm(q);
	}
	return NETDEV_TX_OK;
}

static void reclaim_and_wake(struct sluice_txq *q, int budget)
{
	struct netdev_queue *txq = netdev_queue_of(q);

	sluice_tx_reclaim(q, budget);
	if (q->live && netif_tx_queue_stopped(txq) && room(q) >= SLUICE_NET_TX_SG)
		netif_tx_wake_queue(txq);
}

void sluice_tx_collect(struct sluice_txq *q, int budget)
{
	struct netdev_queue *txq = netdev_queue_of(q);

	if (!READ_ONCE(q->nr_flight) || !__netif_tx_trylock(txq))
		return;
	if (q->live)
		reclaim_and_wake(q, budget);
	__netif_tx_unlock(txq);
}

static int tx_poll(struct napi_struct *napi, int budget)
{
	struct sluice_txq *q = container_of(napi, struct sluice_txq, napi);
	struct netdev_queue *txq = netdev_queue_of(q);
	bool hear;

	__netif_tx_lock(txq, smp_processor_id());
	reclaim_and_wake(q, budget);
	hear = awaited(q);
	if (!hear)
		collect_later(q);
	if (napi_complete_done(napi, 0) && hear && unlikely(sluice_vqs_arm(q->vq, false)))
		napi_schedule(napi);
	__netif_tx_unlock(txq);
	return 0;
}

void sluice_tx_callback(struct virtqueue *vq)
{
	struct sluice_net *net = vq->vdev->priv;
	struct sluice_txq *q = &net->txq[vq->index / 2];

	napi_schedule(&q->napi);
}

static void tx_retry(struct timer_list *t)
{
	struct sluice_txq *q = container_of(t, struct sluice_txq, retry);

	napi_schedule(&q->napi);
}

/* The device is reset: frames that it never sent. */
void sluice_tx_recycle(struct virtqueue *vq, void *token)
{
	struct sluice_net *net = vq->vdev->priv;
	struct sluice_txq *q = &net->txq[vq->index / 2];

	finish(q, token, 0);
	sluice_tx_add(q, SLUICE_TX_LOST, 1);
}

/*
 * Without a region a GSO frame has to find a long run of bounce slots: let
 * the stack cut those that never would.
 */
netdev_features_t sluice_tx_features_check(struct sk_buff *skb, struct net_device *dev,
					   netdev_features_t features)
{
	struct sluice_net *net = netdev_priv(dev);

	if (skb_is_gso(skb) && !sluice_slots_total(net->slots) &&
	    skb->len > virtio_max_dma_size(net->vdev))
		features &= ~NETIF_F_GSO_MASK;
	return vlan_features_check(skb, features);
}

int sluice_tx_alloc(struct sluice_txq *q)
{
	unsigned int nr = virtqueue_get_vring_size(q->vq), i;

	if (nr != q->nr_desc) {
		kvfree(q->desc);
		q->nr_desc = 0;
		q->desc = kvcalloc(nr, sizeof(*q->desc), GFP_KERNEL);
		if (!q->desc)
			return -ENOMEM;
		q->nr_desc = nr;
	}
	for (i = 0; i < nr; i++)
		q->desc[i].next = i + 1 < nr ? i + 1 : SLUICE_TX_NO_DESC;
	q->free = 0;
	q->nr_flight = 0;
	q->nr_held = 0;
	q->nr_pages = 0;
	q->starved = false;
	return 0;
}

void sluice_tx_free(struct sluice_txq *q)
{
	kvfree(q->desc);
	q->desc = NULL;
	q->nr_desc = 0;
}

void sluice_tx_init(struct sluice_txq *q)
{
	u64_stats_init(&q->syncp);
	timer_setup(&q->retry, tx_retry, 0);
	netif_napi_add_tx(q->net->dev, &q->napi, tx_poll);
}

void sluice_tx_start(struct sluice_txq *q)
{
	local_bh_disable();
	napi_schedule(&q->napi);
	local_bh_enable();
}
