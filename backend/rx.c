// SPDX-License-Identifier: GPL-2.0
/*
 * From the guest.
 *
 * Headers are copied to private memory before anybody looks at them; the payload
 * goes on as pages of the region, which the guest gets back when the last user
 * (a NIC, usually) is done. Whoever wants to keep a frame, a local socket for
 * example, gets a copy made by the stack: see skb_orphan_frags_rx().
 *
 * A page in flight holds a page reference and its flight holds the ring, so a
 * frame may outlive the session: nothing of shared memory is touched then.
 */
#include <linux/slab.h>
#include <linux/wait.h>
#include <sluice/headers.h>
#include <sluice/offload.h>
#include "back.h"

#define SLUICE_RX_POLL_BYTES	(256u << 10)	/* one poll; then another destination's turn */
#define SLUICE_RX_SEGMENT_BYTES	256u	/* that the work to cut one counts as */

#define sluice_rx_count(pair, what) do {				\
		u64_stats_update_begin(&(pair)->rx_stats.syncp);	\
		u64_stats_inc(&(pair)->rx_stats.what);			\
		u64_stats_update_end(&(pair)->rx_stats.syncp);		\
	} while (0)

/* Rings that somebody still refers to; their code must not be unloaded. */
static atomic_t sluice_nr_rings = ATOMIC_INIT(0);
static DECLARE_WAIT_QUEUE_HEAD(sluice_rings_gone);

struct sluice_aloft *sluice_aloft_alloc(void)
{
	struct sluice_aloft *aloft = kzalloc(sizeof(*aloft), GFP_KERNEL);

	if (aloft)
		refcount_set(&aloft->ref, 1);
	return aloft;
}

void sluice_aloft_put(struct sluice_aloft *aloft)
{
	if (refcount_dec_and_test(&aloft->ref))
		kfree(aloft);
}

/* Where we are in a chain. */
struct sluice_cursor {
	const struct sluice_vq_chain *chain;
	u16 at;
	u32 off;
};

static void sluice_cursor_copy(struct sluice_cursor *c, void *dst, u32 len)
{
	u32 part;

	while (len) {
		part = min(len, c->chain->iov[c->at].len_bytes - c->off);
		memcpy(dst, c->chain->iov[c->at].va + c->off, part);
		dst += part;
		len -= part;
		c->off += part;
		if (c->off == c->chain->iov[c->at].len_bytes) {
			c->at++;
			c->off = 0;
		}
	}
}

static void sluice_ring_free(struct rcu_head *rcu)
{
	struct sluice_ring *ring = container_of(rcu, struct sluice_ring, rcu);

	sluice_aloft_put(ring->aloft);
	kvfree(ring);
	if (atomic_dec_and_test(&sluice_nr_rings))
		wake_up_all(&sluice_rings_gone);
}

static void sluice_ring_put(struct sluice_ring *ring)
{
	/* kvfree() may not be called with interrupts off, we may */
	if (refcount_dec_and_test(&ring->ref))
		call_rcu(&ring->rcu, sluice_ring_free);
}

/* All pushed heads become visible. */
static void sluice_ring_publish(struct sluice_ring *ring)
{
	struct sluice_pair *pair = ring->pair;

	lockdep_assert_held(&ring->lock);
	if (!ring->unpublished)
		return;
	ring->unpublished = false;
	if (!sluice_vq_publish(&ring->vq))
		return;
	sluice_channel_ring(pair->dest->ch, 1 + pair->index);
	u64_stats_update_begin(&pair->done_stats.syncp);
	u64_stats_inc(&pair->done_stats.doorbells);
	u64_stats_update_end(&pair->done_stats.syncp);
}

/* The guest may have its buffer back; visible at the end of the poll. */
static void sluice_ring_done(struct sluice_ring *ring, u16 head)
{
	unsigned long irq;

	spin_lock_irqsave(&ring->lock, irq);
	sluice_vq_push(&ring->vq, head, 0);
	ring->unpublished = true;
	spin_unlock_irqrestore(&ring->lock, irq);
}

/*
 * The last user of a frame's pages is done, or has made a copy. Any context, any
 * time: the session, even the destination, may be gone.
 */
static void sluice_flight_done(struct sk_buff *skb, struct ubuf_info *uarg, bool zerocopy)
{
	struct sluice_flight *flight = container_of(uarg, struct sluice_flight, uarg);
	struct sluice_ring *ring = flight->ring;
	struct sluice_pair *pair;
	bool kick = false;
	unsigned long irq;

	if (!zerocopy)
		WRITE_ONCE(flight->copied, true);
	if (!refcount_dec_and_test(&uarg->refcnt))
		return;

	spin_lock_irqsave(&ring->lock, irq);
	atomic_sub(flight->len_bytes, &ring->aloft->bytes);
	ring->nr_flying--;
	if (ring->alive) {
		pair = ring->pair;
		u64_stats_update_begin(&pair->done_stats.syncp);
		if (flight->copied)
			u64_stats_inc(&pair->done_stats.copied);
		else
			u64_stats_inc(&pair->done_stats.zerocopy);
		u64_stats_update_end(&pair->done_stats.syncp);
		/* from here on the guest, and so NAPI, may use the head again */
		sluice_vq_push(&ring->vq, flight->head, 0);
		ring->unpublished = true;
		if (!ring->polling)
			sluice_ring_publish(ring);
		if (ring->throttled &&
		    (u32)atomic_read(&ring->aloft->bytes) <
		    READ_ONCE(sluice_flying_max_kb) * 512u) {
			ring->throttled = false;
			napi_schedule(&pair->napi);
			kick = true;
		}
	}
	spin_unlock_irqrestore(&ring->lock, irq);
	/* in process context nobody else would run the softirq soon */
	if (kick && !in_hardirq() && !irqs_disabled()) {
		local_bh_disable();
		local_bh_enable();
	}
	sluice_ring_put(ring);
}

DEFINE_SLUICE_ZCOPY(sluice_flight_ops, sluice_flight_done);

static struct sk_buff *sluice_rx_copy(struct sluice_pair *pair, struct sluice_cursor *c, u32 len)
{
	u32 linear = min_t(u32, len, SLUICE_RX_COPY_BYTES), i, part;
	struct sk_buff *skb;
	int err;

	if (len <= SLUICE_RX_COPY_BYTES) {
		skb = napi_alloc_skb(&pair->napi, len);
		if (skb)
			sluice_cursor_copy(c, skb_put(skb, len), len);
		return skb;
	}

	skb = alloc_skb_with_frags(NET_SKB_PAD + linear, len - linear, 3, &err,
				   GFP_ATOMIC | __GFP_NOWARN);
	if (!skb)
		return NULL;
	skb_reserve(skb, NET_SKB_PAD);
	skb->dev = pair->dest->dev;
	sluice_cursor_copy(c, skb_put(skb, linear), linear);
	skb->data_len = len - linear;
	skb->len += len - linear;
	for (i = 0; i < skb_shinfo(skb)->nr_frags; i++) {
		part = skb_frag_size(&skb_shinfo(skb)->frags[i]);
		sluice_cursor_copy(c, skb_frag_address(&skb_shinfo(skb)->frags[i]), part);
	}
	return skb;
}

/*
 * Attach the rest of the chain as frags. One page each; if these are too many,
 * pages that follow each other share a frag and lend only the first one's reference,
 * which is enough: a segment is given back as a whole.
 */
static bool sluice_rx_frags(struct sk_buff *skb, struct sluice_cursor c, bool merge)
{
	unsigned int nr = 0, pages = 0, off, len;
	struct page *page, *next = NULL;
	skb_frag_t *frag;
	u32 total = 0, slot, last_slot = U32_MAX;
	u8 *va;

	for (; c.at < c.chain->nr_out; c.at++, c.off = 0) {
		slot = sluice_window_slot_of(c.chain->iov[c.at].off);
		while (c.off < c.chain->iov[c.at].len_bytes) {
			va = c.chain->iov[c.at].va + c.off;
			off = offset_in_page(va);
			len = min_t(u32, PAGE_SIZE - off, c.chain->iov[c.at].len_bytes - c.off);
			page = sluice_va_to_page(va);
			if (merge && nr && !off && page == next && slot == last_slot) {
				frag = &skb_shinfo(skb)->frags[nr - 1];
				skb_frag_size_add(frag, len);
			} else {
				if (nr == MAX_SKB_FRAGS)
					goto undo;
				get_page(page);
				skb_fill_page_desc(skb, nr++, page, off, len);
			}
			next = off + len == PAGE_SIZE ? page + 1 : NULL;
			last_slot = slot;
			pages++;
			c.off += len;
			total += len;
		}
	}
	skb->len += total;
	skb->data_len += total;
	skb->truesize += pages * PAGE_SIZE;
	return true;

undo:
	while (nr)
		put_page(skb_frag_page(&skb_shinfo(skb)->frags[--nr]));
	skb_shinfo(skb)->nr_frags = 0;
	return false;
}

/* Headers private, the rest lent. NULL: copy it instead. */
static struct sk_buff *sluice_rx_lend(struct sluice_pair *pair, struct sluice_cursor *c, u32 len)
{
	struct sluice_cursor start = *c;
	struct sk_buff *skb;
	u8 proto;

	skb = napi_alloc_skb(&pair->napi, SLUICE_HEADERS_BYTES);
	if (!skb)
		return NULL;
	sluice_cursor_copy(c, skb_put(skb, SLUICE_HEADERS_BYTES), SLUICE_HEADERS_BYTES);
	/* headers that go on behind the private part could change after a filter's look at them */
	if (!sluice_headers_plain(skb->data, SLUICE_HEADERS_BYTES, &proto))
		goto copy;
	if (!sluice_rx_frags(skb, *c, false) && !sluice_rx_frags(skb, *c, true))
		goto copy;
	return skb;

copy:
	kfree_skb(skb);
	*c = start;
	return NULL;
}

static void sluice_rx_fly(struct sluice_ring *ring, struct sk_buff *skb, u16 head)
{
	struct sluice_flight *flight = &ring->flight[head];
	unsigned long irq;

	flight->copied = false;
	flight->head = head;
	flight->len_bytes = skb->data_len;
	flight->ring = ring;
	sluice_zcopy_init(&flight->uarg, &sluice_flight_ops);
	refcount_inc(&ring->ref);
	spin_lock_irqsave(&ring->lock, irq);
	atomic_add(flight->len_bytes, &ring->aloft->bytes);
	ring->nr_flying++;
	spin_unlock_irqrestore(&ring->lock, irq);
	skb_zcopy_init(skb, &flight->uarg);
}

/* 65535 is for all, a GSO frame too, which is longer with its Ethernet header. */
static bool sluice_rx_lends(const struct sluice_dest *dest, u32 len)
{
	u32 copybreak = READ_ONCE(dest->rx_copybreak);

	return len > copybreak && copybreak < U16_MAX;
}

/* Does a part of the frame lie where a NIC cannot reach it? */
static bool sluice_rx_beyond(const struct sluice_dest *dest, const struct sluice_vq_chain *chain)
{
	u16 i;

	if (likely(!READ_ONCE(dest->nr_beyond)))
		return false;
	for (i = 0; i < chain->nr_out; i++)
		if (READ_ONCE(dest->segment[sluice_window_slot_of(chain->iov[i].off)].beyond))
			return true;
	return false;
}

/*
 * One chain. Its head is given back here, or by its flight. Return: what it costs us, about,
 * in bytes.
 */
static u32 sluice_rx_chain(struct sluice_pair *pair, struct sluice_ring *ring,
			   struct list_head *list)
{
	const struct sluice_vq_chain *chain = &ring->chain;
	struct sluice_cursor c = { .chain = chain };
	struct sluice_dest *dest = pair->dest;
	struct virtio_net_hdr_mrg_rxbuf hdr;
	struct sk_buff *skb = NULL;
	bool lent = false, beyond = false;
	u32 len, segments;

	if (chain->out_bytes < SLUICE_HDR_BYTES + ETH_HLEN ||
	    chain->out_bytes > SLUICE_HDR_BYTES + SLUICE_MAX_FRAME)
		goto bad;
	len = chain->out_bytes - SLUICE_HDR_BYTES;
	sluice_cursor_copy(&c, &hdr, SLUICE_HDR_BYTES);
	segments = sluice_offload_segments(&hdr.hdr, len, dest->features, SLUICE_OFFLOAD_BY_HOST);
	if (!segments)
		goto bad;
	if (unlikely(!netif_running(dest->dev))) {
		sluice_rx_count(pair, drop_down);
		goto done;
	}

	if (sluice_rx_lends(dest, len)) {
		beyond = sluice_rx_beyond(dest, chain);
		/* lent, the NIC's driver would have it copied behind our back (swiotlb) */
		if (!beyond)
			skb = sluice_rx_lend(pair, &c, len);
		lent = skb;
	}
	if (!skb)
		skb = sluice_rx_copy(pair, &c, len);
	if (!skb) {
		sluice_rx_count(pair, drop_memory);
		goto done;
	}

	if (virtio_net_hdr_to_skb(skb, &hdr.hdr, true)) {
		kfree_skb(skb);
		goto bad;
	}
	skb->protocol = eth_type_trans(skb, dest->dev);
	skb_record_rx_queue(skb, pair->index);

	u64_stats_update_begin(&pair->rx_stats.syncp);
	u64_stats_inc(&pair->rx_stats.frames);
	u64_stats_add(&pair->rx_stats.bytes, len);
	if (sluice_window_slot_of(chain->iov[chain->nr_out - 1].off) <
	    dest->ch->window.ctrl_slots)
		u64_stats_inc(&pair->rx_stats.bounce);
	if (!lent)
		u64_stats_inc(&pair->rx_stats.copied);
	if (beyond)
		u64_stats_inc(&pair->rx_stats.constraint);
	u64_stats_update_end(&pair->rx_stats.syncp);

	if (lent)
		sluice_rx_fly(ring, skb, chain->head);
	else
		sluice_ring_done(ring, chain->head);
	list_add_tail(&skb->list, list);
	return len + segments * SLUICE_RX_SEGMENT_BYTES;

bad:
	sluice_rx_count(pair, drop_bad);
done:
	sluice_ring_done(ring, chain->head);
	return chain->out_bytes;
}

/*
 * Enough in flight: leave the rest in the ring until a completion calls us. One of an earlier
 * ring's frames does not; then it is the backstop.
 */
static bool sluice_rx_throttle(struct sluice_ring *ring)
{
	atomic_t *bytes = &ring->aloft->bytes;
	unsigned long irq;

	if (likely((u32)atomic_read(bytes) < READ_ONCE(sluice_flying_max_kb) * 1024u &&
		   !READ_ONCE(ring->throttled)))
		return false;
	spin_lock_irqsave(&ring->lock, irq);
	ring->throttled = (u32)atomic_read(bytes) >= READ_ONCE(sluice_flying_max_kb) * 512u;
	spin_unlock_irqrestore(&ring->lock, irq);
	return ring->throttled;
}

/* Heads that come back meanwhile are published together at the end of the poll. */
static void sluice_rx_polling(struct sluice_ring *ring)
{
	unsigned long irq;

	spin_lock_irqsave(&ring->lock, irq);
	ring->polling = true;
	spin_unlock_irqrestore(&ring->lock, irq);
}

/**
 * sluice_rx_poll() - take frames from the guest
 * @pair: the queue pair, NAPI scheduled and enabled
 * @budget: frames at most
 *
 * Return: frames taken; @budget if NAPI shall call again, less if the guest was
 * asked for a doorbell or a completion will call.
 */
int sluice_rx_poll(struct sluice_pair *pair, int budget)
{
	struct sluice_ring *ring = pair->ring;
	const char *why = NULL;
	unsigned long irq;
	LIST_HEAD(list);
	u32 bytes = 0;
	int work = 0;
	int ret = 0;

	if (!ring || !ring->alive)
		return 0;

	sluice_vq_disable_notify(&ring->vq);
	sluice_rx_polling(ring);
	while (work < budget && bytes < SLUICE_RX_POLL_BYTES) {
		if (sluice_rx_throttle(ring))
			break;
		ret = sluice_vq_pop(&ring->vq, &ring->chain);
		if (ret <= 0)
			break;
		if (ring->chain.nr_in) {
			why = "transmit buffer that the device may write";
			ret = -EPROTO;
			break;
		}
		bytes += sluice_rx_chain(pair, ring, &list);
		work++;
	}
	if (bytes >= SLUICE_RX_POLL_BYTES)
		work = budget;

	if (!list_empty(&list))
		netif_receive_skb_list(&list);

	spin_lock_irqsave(&ring->lock, irq);
	ring->polling = false;
	sluice_ring_publish(ring);
	if (ret < 0)
		ring->alive = false;
	spin_unlock_irqrestore(&ring->lock, irq);

	if (ret < 0) {
		sluice_dest_break(pair->dest, why ?: ring->vq.error ?: "transmit queue is corrupt");
		return 0;
	}
	if (work < budget && !READ_ONCE(ring->throttled) && sluice_vq_enable_notify(&ring->vq))
		return budget;
	return work;
}

/**
 * sluice_rx_start() - serve a transmit queue of the guest
 * @pair: where it belongs; NAPI off
 * @vq: what the driver said about it
 *
 * Return: the ring, to be set as @pair->ring, or an ERR_PTR.
 */
struct sluice_ring *sluice_rx_start(struct sluice_pair *pair, const struct sluice_vdev_vq *vq)
{
	struct sluice_dest *dest = pair->dest;
	struct sluice_ring *ring;
	int err;

	ring = kvzalloc(struct_size(ring, flight, vq->num), GFP_KERNEL);
	if (!ring)
		return ERR_PTR(-ENOMEM);
	err = sluice_vq_init(&ring->vq, &dest->ch->window, vq->num, vq->desc, vq->avail,
			     vq->used, sluice_vdev_has(&dest->vdev, VIRTIO_RING_F_EVENT_IDX));
	if (err) {
		kvfree(ring);
		return ERR_PTR(err);
	}
	refcount_set(&ring->ref, 1);
	spin_lock_init(&ring->lock);
	ring->pair = pair;
	ring->aloft = pair->aloft;
	refcount_inc(&ring->aloft->ref);
	ring->alive = true;
	atomic_inc(&sluice_nr_rings);
	return ring;
}

/**
 * sluice_rx_stop() - stop serving a ring
 * @ring: the ring; NAPI off. Freed when the last frame in flight is done.
 *
 * On return nothing of shared memory's queue and of the pair is used any more. Pages
 * in flight keep their references.
 */
void sluice_rx_stop(struct sluice_ring *ring)
{
	unsigned long irq;

	if (!ring)
		return;
	spin_lock_irqsave(&ring->lock, irq);
	ring->alive = false;
	ring->pair = NULL;
	spin_unlock_irqrestore(&ring->lock, irq);
	sluice_ring_put(ring);
}

void sluice_rx_wait(void)
{
	wait_event(sluice_rings_gone, !atomic_read(&sluice_nr_rings));
	rcu_barrier();
}
