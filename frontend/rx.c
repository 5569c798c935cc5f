// SPDX-License-Identifier: GPL-2.0
/*
 * Receive. Every buffer is one page: a region page where there is one, so
 * that the backend (or the NIC) writes straight into what the stack will read,
 * else an ordinary page, which the transport bounces.
 *
 * A frame is handed up as a small private linear part with the headers and the rest
 * as page frags. What the stack decides on is copied before it is
 * looked at: the peer can still write the page. Frames whose headers we don't know to the end
 * are copied whole (sluice/headers.h).
 */
#include <linux/etherdevice.h>
#include <linux/virtio_net.h>
#include <net/udp.h>
#include <sluice/headers.h>
#include <sluice/offload.h>
#include <trace/events/sluice.h>
#include "netdev.h"
#include "shadow.h"
#include "xdp.h"

#define RX_REGION	1UL	/* low bit of a token: it is a region page */
#define RX_ENOUGH	(2 * SLUICE_NET_FRAME_PAGES + 6)
#define RX_RETRY_MIN_MS	8
#define RX_RETRY_MAX_MS	256

static struct page *token_page(void *token)
{
	return (struct page *)((unsigned long)token & ~RX_REGION);
}

static bool token_region(void *token)
{
	return (unsigned long)token & RX_REGION;
}

static void give_flush(struct sluice_rxq *q)
{
	sluice_slots_put_bulk(q->net->slots, q->give, q->nr_give);
	q->nr_give = 0;
}

/* The driver is done with a page; an ordinary one nobody else refers to. */
void sluice_rx_give(struct sluice_rxq *q, struct page *page, bool region)
{
	if (region) {
		q->give[q->nr_give++] = page;
		if (q->nr_give == ARRAY_SIZE(q->give))
			give_flush(q);
	} else if (q->nr_spare < ARRAY_SIZE(q->spare)) {
		q->spare[q->nr_spare++] = page;
	} else {
		put_page(page);
	}
}

struct page *sluice_rx_page(struct sluice_rxq *q)
{
	return q->nr_spare ? q->spare[--q->nr_spare] : dev_alloc_page();
}

static void count_posted(struct sluice_rxq *q, bool region, int n)
{
	if (region)
		q->nr_region += n;
	else
		q->nr_bounce += n;
}

static int post(struct sluice_rxq *q, struct page *page, bool region)
{
	void *token = (void *)((unsigned long)page | (region ? RX_REGION : 0));
	struct scatterlist sg;
	int err;

	sg_init_table(&sg, 1);
	sg_set_page(&sg, page, q->net->rx_bytes, q->net->rx_off);
	err = virtqueue_add_inbuf(q->vq, &sg, 1, token, GFP_ATOMIC);
	if (!err)
		count_posted(q, region, 1);
	return err;
}

/* Region pages that one receive queue may hold; as many stay for transmit. */
static unsigned int region_share(struct sluice_rxq *q)
{
	unsigned int total = sluice_slots_total(q->net->slots);

	return min(total / 2 / q->net->pairs, virtqueue_get_vring_size(q->vq));
}

static unsigned int fill_region(struct sluice_rxq *q, unsigned int share)
{
	unsigned int reserve = sluice_slots_total(q->net->slots) / 8;
	unsigned int posted = 0, want, got, i;
	struct page *page[SLUICE_NET_BATCH];

	while (q->nr_region < share && q->vq->num_free) {
		want = min3(share - q->nr_region, q->vq->num_free,
			    (unsigned int)ARRAY_SIZE(page));
		got = sluice_slots_get_bulk(q->net->slots, page, want, 1, reserve);
		trace_sluice_pages(netdev_name(q->net->dev), q->name, want, got);
		for (i = 0; i < got; i++)
			if (post(q, page[i], true))
				break;
		posted += i;
		if (i < got) {		/* its segment has just been retired */
			sluice_slots_put_bulk(q->net->slots, page + i, got - i);
			break;
		}
		if (got < want) {
			sluice_rx_inc(q, SLUICE_RX_EXHAUSTED);
			break;
		}
	}
	return posted;
}

static unsigned int fill_bounce(struct sluice_rxq *q, unsigned int target)
{
	unsigned int posted = 0;
	struct page *page;

	while (q->nr_bounce < target && q->vq->num_free) {
		page = sluice_rx_page(q);
		if (!page)
			break;
		if (post(q, page, false)) {	/* the bounce quota is used up */
			sluice_rx_give(q, page, false);
			break;
		}
		posted++;
	}
	return posted;
}

/*
 * Keep the queue filled: with region pages up to our share, and only if those
 * are few with bounced ones. A queue that stays low polls for memory, because
 * nothing else may ever wake it.
 */
static void refill(struct sluice_rxq *q)
{
	unsigned int limit, share, low, posted;

	/* without a link, what lies in the queues could be met by another session's backend */
	if (q->index >= READ_ONCE(q->net->pairs) || !netif_carrier_ok(q->net->dev))
		return;
	share = region_share(q);
	posted = fill_region(q, share);
	limit = sluice_front_bounce_rx_pages(q->net->vdev);
	low = min_t(unsigned int, RX_ENOUGH, virtqueue_get_vring_size(q->vq));
	if (!share)
		posted += fill_bounce(q, limit);
	else if (q->nr_region < low)
		posted += fill_bounce(q, min(limit, low - q->nr_region));
	if (posted && sluice_vqs_kick(q->vq))
		sluice_rx_inc(q, SLUICE_RX_KICKS);
	if (q->nr_region + q->nr_bounce >= (share ? low : min(low, limit))) {
		q->retry_ms = RX_RETRY_MIN_MS;
		return;
	}
	if (q->retry_ms == RX_RETRY_MIN_MS)
		sluice_rx_inc(q, SLUICE_RX_EMPTY);
	mod_timer(&q->retry, jiffies + msecs_to_jiffies(q->retry_ms));
	q->retry_ms = min_t(unsigned int, 2 * q->retry_ms, RX_RETRY_MAX_MS);
}

static void rx_retry(struct timer_list *t)
{
	struct sluice_rxq *q = container_of(t, struct sluice_rxq, retry);

	napi_schedule(&q->napi);
}

/* Next buffer of the virtqueue with its accounts settled; NULL if there is none. */
static struct page *next_buffer(struct sluice_rxq *q, unsigned int *len, bool *region)
{
	void *token = virtqueue_get_buf(q->vq, len);

	if (!token && sluice_vqs_harvest(q->vq))
		token = virtqueue_get_buf(q->vq, len);
	if (!token)
		return NULL;
	*region = token_region(token);
	count_posted(q, *region, -1);
	return token_page(token);
}

static void peer_broke(struct sluice_rxq *q, const char *what)
{
	sluice_channel_break(q->net->f->ch, what);
}

/* The rest of a frame that is dropped; it ends early where the session has. */
static void drop_rest(struct sluice_rxq *q, unsigned int nr)
{
	struct page *page;
	unsigned int len;
	bool region;

	while (nr--) {
		page = next_buffer(q, &len, &region);
		if (!page) {
			peer_broke(q, "a frame ends before its last buffer");
			return;
		}
		sluice_rx_give(q, page, region);
		if (len == SLUICE_SHADOW_LOST)
			return;
	}
}

/* Append a part of a frame, where it lies or copied. Takes over the page. */
static bool add_part(struct sluice_rxq *q, struct sk_buff *skb, struct page *page, bool region,
		     unsigned int off, unsigned int len, bool lend)
{
	struct page *part = page;

	if (region && lend) {
		get_page(page);		/* the region keeps its own reference */
		/* whoever must not be surprised asks skb_has_shared_frag() */
		skb_shinfo(skb)->flags |= SKBFL_SHARED_FRAG;
	} else if (region) {
		part = sluice_rx_page(q);
		if (!part) {
			sluice_rx_inc(q, SLUICE_RX_NO_MEMORY);
			sluice_rx_give(q, page, region);
			return false;
		}
		memcpy(page_address(part) + off, page_address(page) + off, len);
	}
	skb_add_rx_frag(skb, skb_shinfo(skb)->nr_frags, part, off, len, PAGE_SIZE);
	if (region)
		sluice_rx_give(q, page, region);
	return true;
}

/*
 * The first buffer of a frame as an skb; takes over the page. NULL: dropped and counted.
 * @lend says whether all parts may stay where they are.
 */
static struct sk_buff *first_part(struct sluice_rxq *q, struct page *page, bool region,
				  unsigned int off, unsigned int len, bool *lend)
{
	unsigned int copy = len <= SLUICE_NET_COPYBREAK ? len : SLUICE_HEADERS_BYTES;
	struct sk_buff *skb = napi_alloc_skb(&q->napi, SLUICE_NET_COPYBREAK);
	unsigned int headers;
	u8 proto;

	if (!skb) {
		sluice_rx_inc(q, SLUICE_RX_NO_MEMORY);
		sluice_rx_give(q, page, region);
		return NULL;
	}
	skb_put_data(skb, page_address(page) + off, copy);
	/* parsed in our copy: the peer may be writing the page this very moment */
	headers = sluice_headers_plain(skb->data, copy, &proto);
	*lend = headers && len > READ_ONCE(q->net->rx_copybreak) &&
		(proto == SLUICE_HEADERS_TCP || !sluice_udp_tunnels());
	if (copy == len) {
		sluice_rx_inc(q, SLUICE_RX_COPYBREAK);
		sluice_rx_give(q, page, region);
		return skb;
	}
	if (*lend) {
		copy = headers;
		skb_trim(skb, copy);
	} else if (region) {
		sluice_rx_inc(q, SLUICE_RX_COPIED);
	}
	if (add_part(q, skb, page, region, off + copy, len - copy, *lend))
		return skb;
	dev_kfree_skb_any(skb);
	return NULL;
}

/* Append the other buffers of a frame. False: dropped and counted. */
static bool append(struct sluice_rxq *q, struct sk_buff *skb, unsigned int nr, bool lend)
{
	struct page *page;
	unsigned int len;
	bool region;

	while (nr) {
		page = next_buffer(q, &len, &region);
		if (!page) {
			peer_broke(q, "a frame ends before its last buffer");
			return false;
		}
		nr--;
		if (len == SLUICE_SHADOW_LOST) {
			sluice_rx_give(q, page, region);
			return false;
		}
		if (!len || len > q->net->rx_bytes) {
			sluice_rx_give(q, page, region);
			peer_broke(q, "receive buffer with a length that is not possible");
			return false;
		}
		if (skb_shinfo(skb)->nr_frags == MAX_SKB_FRAGS) {
			sluice_rx_give(q, page, region);
			sluice_rx_inc(q, SLUICE_RX_BAD_LENGTH);
			drop_rest(q, nr);
			return false;
		}
		if (!add_part(q, skb, page, region, q->net->rx_off, len, lend)) {
			drop_rest(q, nr);
			return false;
		}
	}
	return true;
}

static void hand_up(struct sluice_rxq *q, struct sk_buff *skb, const struct virtio_net_hdr *hdr,
		    bool region)
{
	struct net_device *dev = q->net->dev;

	if (hdr->flags & VIRTIO_NET_HDR_F_DATA_VALID && dev->features & NETIF_F_RXCSUM)
		skb->ip_summed = CHECKSUM_UNNECESSARY;
	/* who forwards frames would cut them for us */
	if (!sluice_offload_segments(hdr, skb->len, q->net->vdev->features,
				     SLUICE_OFFLOAD_BY_GUEST) ||
	    virtio_net_hdr_to_skb(skb, hdr, true)) {
		sluice_rx_inc(q, SLUICE_RX_BAD_HEADER);
		dev_kfree_skb_any(skb);
		return;
	}
	u64_stats_update_begin(&q->syncp);
	sluice_rx_add(q, SLUICE_RX_PACKETS, 1);
	sluice_rx_add(q, SLUICE_RX_BYTES, skb->len);
	sluice_rx_add(q, region ? SLUICE_RX_REGION : SLUICE_RX_BOUNCE, 1);
	u64_stats_update_end(&q->syncp);
	skb_record_rx_queue(skb, q->index);
	skb->protocol = eth_type_trans(skb, dev);
	napi_gro_receive(&q->napi, skb);
}

static void rx_frame(struct sluice_rxq *q, struct page *page, bool region, unsigned int len,
		     struct bpf_prog *prog, unsigned int *xdp_flush)
{
	unsigned int off = q->net->rx_off + SLUICE_NET_HDR_BYTES;
	struct virtio_net_hdr_mrg_rxbuf hdr;
	bool in_region = region, lend;
	struct sk_buff *skb;
	unsigned int nr;

	if (len == SLUICE_SHADOW_LOST) {
		sluice_rx_give(q, page, region);
		return;
	}
	if (!len) {
		sluice_rx_inc(q, SLUICE_RX_RETURNED);
		sluice_slots_returned(q->net->slots, page);
		sluice_rx_give(q, page, region);
		return;
	}
	if (len > q->net->rx_bytes) {
		sluice_rx_give(q, page, region);
		peer_broke(q, "receive buffer with a length that is not possible");
		return;
	}
	/* the one read of the header: counts and offsets decide on our side */
	memcpy(&hdr, page_address(page) + q->net->rx_off, sizeof(hdr));
	nr = len < SLUICE_NET_HDR_BYTES ? 1 : __virtio16_to_cpu(true, hdr.num_buffers);
	if (len < SLUICE_NET_HDR_BYTES + ETH_HLEN || !nr) {
		sluice_rx_inc(q, SLUICE_RX_BAD_LENGTH);
		sluice_rx_give(q, page, region);
		if (nr > 1)
			drop_rest(q, nr - 1);
		return;
	}
	len -= SLUICE_NET_HDR_BYTES;
	if (prog) {
		if (nr > 1 || hdr.hdr.gso_type != VIRTIO_NET_HDR_GSO_NONE) {
			/* one buffer is what we promised the program */
			sluice_rx_inc(q, SLUICE_RX_XDP_ERROR);
			sluice_rx_give(q, page, region);
			drop_rest(q, nr - 1);
			return;
		}
		if (!sluice_xdp_run(q, prog, &page, &region, &off, &len, xdp_flush))
			return;
		/* the program may have changed what the offsets in it name */
		hdr.hdr.flags &= ~VIRTIO_NET_HDR_F_NEEDS_CSUM;
	}
	skb = first_part(q, page, region, off, len, &lend);
	if (!skb) {
		drop_rest(q, nr - 1);
		return;
	}
	if (nr > 1 && !append(q, skb, nr - 1, lend)) {
		dev_kfree_skb_any(skb);
		return;
	}
	hand_up(q, skb, &hdr.hdr, in_region);
}

static int rx_poll(struct napi_struct *napi, int budget)
{
	struct sluice_rxq *q = container_of(napi, struct sluice_rxq, napi);
	unsigned int len, xdp_flush = 0;
	struct bpf_prog *prog;
	struct page *page;
	bool region;
	int done = 0;

	/* an ACK often means that the frame which it is for is done, too */
	sluice_tx_collect(&q->net->txq[q->index], budget);
	rcu_read_lock();
	prog = rcu_dereference(q->net->prog);
	while (done < budget) {
		page = next_buffer(q, &len, &region);
		if (!page)
			break;
		rx_frame(q, page, region, len, prog, &xdp_flush);
		done++;
	}
	rcu_read_unlock();
	if (xdp_flush)
		sluice_xdp_flush(q, xdp_flush);
	give_flush(q);
	if (done < budget || q->vq->num_free >= SLUICE_NET_BATCH)
		refill(q);
	if (done == budget)
		return done;
	if (napi_complete_done(napi, done) && unlikely(sluice_vqs_arm(q->vq, false)))
		napi_schedule(napi);
	return done;
}

void sluice_rx_callback(struct virtqueue *vq)
{
	struct sluice_net *net = vq->vdev->priv;

	napi_schedule(&net->rxq[vq->index / 2].napi);
}

void sluice_rx_recycle(struct virtqueue *vq, void *token)
{
	struct sluice_net *net = vq->vdev->priv;
	struct sluice_rxq *q = &net->rxq[vq->index / 2];

	count_posted(q, token_region(token), -1);
	sluice_rx_give(q, token_page(token), token_region(token));
}

void sluice_rx_drain(struct sluice_rxq *q)
{
	struct page *page;
	unsigned int len;
	bool region;

	while ((page = next_buffer(q, &len, &region)))
		sluice_rx_give(q, page, region);
	give_flush(q);
}

void sluice_rx_free(struct sluice_rxq *q)
{
	give_flush(q);
	while (q->nr_spare)
		put_page(q->spare[--q->nr_spare]);
}

void sluice_rx_init(struct sluice_rxq *q)
{
	u64_stats_init(&q->syncp);
	timer_setup(&q->retry, rx_retry, 0);
	q->retry_ms = RX_RETRY_MIN_MS;
	netif_napi_add(q->net->dev, &q->napi, rx_poll);
}

void sluice_rx_start(struct sluice_rxq *q)
{
	/* the first poll fills the queue */
	local_bh_disable();
	napi_schedule(&q->napi);
	local_bh_enable();
}
