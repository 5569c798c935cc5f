// SPDX-License-Identifier: GPL-2.0
/*
 * To the guest: one copy of the frame into the buffers it posted.
 *
 * Posted buffers are popped ahead into a private stash. If they are short, the
 * stack's queue is stopped and the guest asked for a doorbell; we never wait for
 * it here. A guest that posts nothing for a second is stalled: its frames are dropped
 * and counted, so that it holds up nobody who shares a bridge with it.
 */
#include "back.h"

#define SLUICE_STALL_JIFFIES	HZ

static bool sluice_chain_retires(const struct sluice_window *win,
				 const struct sluice_vq_iov *iov, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (READ_ONCE(win->slot[sluice_window_slot_of(iov[i].off)].state) !=
		    SLUICE_SEGMENT_ACTIVE)
			return true;
	return false;
}

static void sluice_tx_publish(struct sluice_pair *pair)
{
	struct sluice_tx *tx = &pair->tx;

	if (!tx->unpublished)
		return;
	tx->unpublished = false;
	if (!sluice_vq_publish(&tx->vq))
		return;
	sluice_channel_ring(pair->dest->ch, 1 + pair->index);
	u64_stats_update_begin(&tx->stats.syncp);
	u64_stats_inc(&tx->stats.doorbells);
	u64_stats_update_end(&tx->stats.syncp);
}

static void sluice_tx_return(struct sluice_tx *tx, u16 head)
{
	sluice_vq_push(&tx->vq, head, 0);
	tx->unpublished = true;
	u64_stats_update_begin(&tx->stats.syncp);
	u64_stats_inc(&tx->stats.returned);
	u64_stats_update_end(&tx->stats.syncp);
}

static bool sluice_stash_add(struct sluice_tx *tx, const struct sluice_vq_chain *chain)
{
	struct sluice_stash_entry *e;
	u16 i, at;

	/* only chains that share descriptors can outnumber the descriptors */
	if (tx->entry_count == tx->vq.num || chain->nr_in > tx->vq.num - tx->iov_count)
		return false;

	e = &tx->entry[(tx->entry_first + tx->entry_count) & (tx->vq.num - 1)];
	e->head = chain->head;
	e->nr_iov = chain->nr_in;
	e->len_bytes = chain->in_bytes;
	at = tx->iov_first + tx->iov_count;
	for (i = 0; i < chain->nr_in; i++)
		tx->iov[(u16)(at + i) & (tx->vq.num - 1)] = chain->iov[i];
	tx->entry_count++;
	tx->iov_count += chain->nr_in;
	tx->room_bytes += chain->in_bytes;
	return true;
}

static void sluice_stash_drop_first(struct sluice_tx *tx)
{
	struct sluice_stash_entry *e = &tx->entry[tx->entry_first & (tx->vq.num - 1)];

	tx->room_bytes -= e->len_bytes;
	tx->iov_first += e->nr_iov;
	tx->iov_count -= e->nr_iov;
	tx->entry_first++;
	tx->entry_count--;
}

/* Take what the guest has posted. False: the queue is dead. */
static bool sluice_tx_pop(struct sluice_pair *pair)
{
	struct sluice_tx *tx = &pair->tx;
	struct sluice_vq_chain *chain = &tx->chain;
	unsigned int left = tx->vq.num;
	const char *why;
	int ret = 0;

	/* bounded: a guest that posts as fast as we return must not keep us here */
	while (left-- && (ret = sluice_vq_pop(&tx->vq, chain)) > 0) {
		if (chain->nr_out || !chain->in_bytes) {
			why = "receive buffer that the device may not write";
			goto broken;
		}
		if (sluice_chain_retires(tx->vq.win, chain->iov, chain->nr_in)) {
			sluice_tx_return(tx, chain->head);
			continue;
		}
		if (!sluice_stash_add(tx, chain)) {
			why = "receive buffers share descriptors";
			goto broken;
		}
	}
	if (ret < 0) {
		why = tx->vq.error ?: "receive queue is corrupt";
		goto broken;
	}
	if (tx->room_bytes > tx->fit_bytes)
		tx->fit_bytes = 0;
	return true;

broken:
	tx->alive = false;
	sluice_dest_break(pair->dest, why);
	return false;
}

/* No more buffers can come: everything the ring can hold is here. */
static bool sluice_tx_full(const struct sluice_tx *tx)
{
	return tx->iov_count == tx->vq.num;
}

static bool sluice_tx_fits(const struct sluice_dest *dest, const struct sluice_tx *tx, u32 need)
{
	if (dest->features & BIT_ULL(VIRTIO_NET_F_MRG_RXBUF))
		return tx->room_bytes >= need;
	return tx->entry_count &&
	       tx->entry[tx->entry_first & (tx->vq.num - 1)].len_bytes >= need;
}

/* A frame read from front to back; skb_copy_bits() would look for its place each time. */
struct sluice_reader {
	struct skb_seq_state seq;
	const u8 *data;
	u32 left;
	u32 done;
};

static void sluice_reader_copy(struct sluice_reader *r, u8 *dst, u32 len)
{
	u32 part;

	while (len) {
		if (!r->left) {
			r->left = skb_seq_read(r->done, &r->data, &r->seq);
			/* cannot be: the caller asks for what the frame has */
			if (!r->left)
				return;
		}
		part = min(len, r->left);
		memcpy(dst, r->data, part);
		dst += part;
		len -= part;
		r->data += part;
		r->left -= part;
		r->done += part;
	}
}

/* Write @skb with @hdr into the first buffers, which are known to have the room. */
static void sluice_tx_copy(struct sluice_pair *pair, struct sk_buff *skb,
			   struct virtio_net_hdr_mrg_rxbuf *hdr)
{
	u32 need = skb->len + SLUICE_HDR_BYTES, done = 0, sum = 0, in_entry, len, part;
	u32 ctrl_slots = pair->dest->ch->window.ctrl_slots;
	struct sluice_tx *tx = &pair->tx;
	struct sluice_stash_entry *e;
	struct sluice_reader r = {};
	struct sluice_vq_iov *iov;
	u16 i, nr = 0, at;
	bool bounce = false;
	u8 *va;

	while (sum < need) {
		e = &tx->entry[(u16)(tx->entry_first + nr) & (tx->vq.num - 1)];
		sum += e->len_bytes;
		nr++;
	}
	hdr->num_buffers = __cpu_to_virtio16(true, nr);
	skb_prepare_seq_read(skb, 0, skb->len, &r.seq);

	while (nr--) {
		e = &tx->entry[tx->entry_first & (tx->vq.num - 1)];
		at = tx->iov_first;
		in_entry = 0;
		for (i = 0; i < e->nr_iov && done < need; i++) {
			iov = &tx->iov[(u16)(at + i) & (tx->vq.num - 1)];
			va = iov->va;
			len = min(iov->len_bytes, need - done);
			in_entry += len;
			bounce |= sluice_window_slot_of(iov->off) < ctrl_slots;
			if (done < SLUICE_HDR_BYTES) {
				part = min(len, SLUICE_HDR_BYTES - done);
				memcpy(va, (u8 *)hdr + done, part);
				va += part;
				done += part;
				len -= part;
			}
			sluice_reader_copy(&r, va, len);
			done += len;
		}
		sluice_vq_push(&tx->vq, e->head, in_entry);
		sluice_stash_drop_first(tx);
	}
	skb_abort_seq_read(&r.seq);
	tx->unpublished = true;

	u64_stats_update_begin(&tx->stats.syncp);
	u64_stats_inc(&tx->stats.frames);
	u64_stats_add(&tx->stats.bytes, skb->len);
	if (bounce)
		u64_stats_inc(&tx->stats.bounce);
	u64_stats_update_end(&tx->stats.syncp);
}

/* Header of a frame whose offloads the guest has agreed to take, or an error. */
static int sluice_tx_header(const struct sluice_dest *dest, struct sk_buff *skb,
			    struct virtio_net_hdr_mrg_rxbuf *hdr)
{
	bool csum = dest->features & BIT_ULL(VIRTIO_NET_F_GUEST_CSUM);
	u64 gso = 0;

	/* frames may sit in a queue while the guest negotiates anew */
	if (skb_is_gso(skb)) {
		if (skb_shinfo(skb)->gso_type & SKB_GSO_TCPV4)
			gso = BIT_ULL(VIRTIO_NET_F_GUEST_TSO4);
		else if (skb_shinfo(skb)->gso_type & SKB_GSO_TCPV6)
			gso = BIT_ULL(VIRTIO_NET_F_GUEST_TSO6);
		if (skb_shinfo(skb)->gso_type & SKB_GSO_TCP_ECN)
			gso |= BIT_ULL(VIRTIO_NET_F_GUEST_ECN);
		if (!gso || (dest->features & gso) != gso)
			return -EOPNOTSUPP;
	}
	if (skb->ip_summed == CHECKSUM_PARTIAL && !csum && skb_checksum_help(skb))
		return -EINVAL;
	return virtio_net_hdr_from_skb(skb, &hdr->hdr, true, csum, 0);
}

/* Not enough buffers: stop and ask for a doorbell. True if they came meanwhile. */
static bool sluice_tx_block(struct sluice_pair *pair, struct netdev_queue *txq, u32 need)
{
	struct sluice_tx *tx = &pair->tx;

	netif_tx_stop_queue(txq);
	tx->wake_bytes = need;
	sluice_tx_publish(pair);
	if (sluice_vq_enable_notify(&tx->vq)) {
		sluice_vq_disable_notify(&tx->vq);
		if (!sluice_tx_pop(pair))
			return false;
		if (sluice_tx_fits(pair->dest, tx, need)) {
			netif_tx_start_queue(txq);
			return true;
		}
		sluice_vq_enable_notify(&tx->vq);
	}
	if (!tx->stopped) {
		tx->stopped = true;
		sluice_patience_begin(&tx->stall, get_jiffies_64());
	}
	u64_stats_update_begin(&tx->stats.syncp);
	u64_stats_inc(&tx->stats.stops);
	u64_stats_update_end(&tx->stats.syncp);
	return false;
}

#define sluice_tx_count(tx, what) do {				\
		u64_stats_update_begin(&(tx)->stats.syncp);	\
		u64_stats_inc(&(tx)->stats.what);		\
		u64_stats_update_end(&(tx)->stats.syncp);	\
	} while (0)

/**
 * sluice_tx_xmit() - ndo_start_xmit
 * @skb: frame for the guest
 * @dev: the destination's net device
 *
 * Return: NETDEV_TX_BUSY with the queue stopped if the guest must post first.
 */
netdev_tx_t sluice_tx_xmit(struct sk_buff *skb, struct net_device *dev)
{
	u32 need = skb->len + SLUICE_HDR_BYTES;
	struct sluice_dest *dest = netdev_priv(dev);
	u16 index = skb_get_queue_mapping(skb);
	struct sluice_pair *pair = &dest->pair[index];
	struct netdev_queue *txq = netdev_get_tx_queue(dev, index);
	struct virtio_net_hdr_mrg_rxbuf hdr;
	struct sluice_tx *tx = &pair->tx;

	spin_lock(&tx->lock);
	if (unlikely(!tx->alive)) {
		sluice_tx_count(tx, drop_down);
		goto drop;
	}
	if (unlikely(skb->len > SLUICE_MAX_FRAME)) {
		sluice_tx_count(tx, drop_too_big);
		goto drop;
	}
	if (!sluice_tx_fits(dest, tx, need)) {
		if (!sluice_tx_pop(pair))
			goto drop;
		if (!sluice_tx_fits(dest, tx, need)) {
			if (sluice_tx_full(tx) || (tx->fit_bytes && need > tx->fit_bytes) ||
			    (tx->entry_count &&
			     !(dest->features & BIT_ULL(VIRTIO_NET_F_MRG_RXBUF)))) {
				sluice_tx_count(tx, drop_too_big);
				goto drop;
			}
			if (tx->stalled) {
				if (tx->room_bytes)
					sluice_tx_count(tx, drop_stalled);
				else
					sluice_tx_count(tx, drop_no_buffer);
				goto drop;
			}
			if (!sluice_tx_block(pair, txq, need)) {
				spin_unlock(&tx->lock);
				return NETDEV_TX_BUSY;
			}
		}
	}
	tx->stalled = false;

	if (unlikely(sluice_tx_header(dest, skb, &hdr))) {
		sluice_tx_count(tx, drop_bad);
		goto drop;
	}
	skb_tx_timestamp(skb);
	sluice_tx_copy(pair, skb, &hdr);
	if (!netdev_xmit_more() || netif_xmit_stopped(txq))
		sluice_tx_publish(pair);
	spin_unlock(&tx->lock);
	dev_consume_skb_any(skb);
	return NETDEV_TX_OK;

drop:
	if (tx->alive)
		sluice_tx_publish(pair);
	spin_unlock(&tx->lock);
	dev_kfree_skb_any(skb);
	return NETDEV_TX_OK;
}

void sluice_tx_poll(struct sluice_pair *pair)
{
	struct netdev_queue *txq = netdev_get_tx_queue(pair->dest->dev, pair->index);
	struct sluice_tx *tx = &pair->tx;
	unsigned int tries = 2;
	bool wake = false;

	spin_lock(&tx->lock);
	if (!tx->alive || !tx->stopped)
		goto out;
again:
	if (!sluice_tx_pop(pair))
		goto out;
	if (sluice_tx_fits(pair->dest, tx, tx->wake_bytes) || sluice_tx_full(tx)) {
		wake = true;
	} else if (sluice_patience_over(&tx->stall, get_jiffies_64(), SLUICE_STALL_JIFFIES)) {
		tx->stalled = true;
		tx->fit_bytes = tx->room_bytes;
		wake = true;
	} else if (sluice_vq_enable_notify(&tx->vq) && --tries) {
		/* not forever: what is missed here the backstop finds */
		goto again;
	}
	if (wake) {
		tx->stopped = false;
		sluice_vq_disable_notify(&tx->vq);
		netif_tx_wake_queue(txq);
	}
out:
	if (tx->alive)
		sluice_tx_publish(pair);
	spin_unlock(&tx->lock);
}

void sluice_tx_sweep(struct sluice_pair *pair)
{
	struct sluice_tx *tx = &pair->tx;
	struct sluice_vq_chain *chain = &tx->chain;
	struct sluice_stash_entry e;
	u16 i, n;

	spin_lock_bh(&tx->lock);
	if (!tx->alive || !sluice_tx_pop(pair))
		goto out;

	/* once around the stash: what stays goes to its end, so the order stays too */
	for (n = tx->entry_count; n; n--) {
		e = tx->entry[tx->entry_first & (tx->vq.num - 1)];
		chain->head = e.head;
		chain->nr_in = e.nr_iov;
		chain->in_bytes = e.len_bytes;
		for (i = 0; i < e.nr_iov; i++)
			chain->iov[i] = tx->iov[(u16)(tx->iov_first + i) & (tx->vq.num - 1)];
		sluice_stash_drop_first(tx);
		if (sluice_chain_retires(tx->vq.win, chain->iov, chain->nr_in))
			sluice_tx_return(tx, e.head);
		else
			sluice_stash_add(tx, chain);
	}
	sluice_tx_publish(pair);
out:
	spin_unlock_bh(&tx->lock);
}

int sluice_tx_start(struct sluice_pair *pair, const struct sluice_vdev_vq *vq)
{
	struct sluice_dest *dest = pair->dest;
	struct sluice_tx *tx = &pair->tx;
	struct sluice_stash_entry *entry;
	struct sluice_vq_iov *iov;
	int err = -ENOMEM;

	entry = kvcalloc(vq->num, sizeof(*entry), GFP_KERNEL);
	iov = kvcalloc(vq->num, sizeof(*iov), GFP_KERNEL);
	if (!entry || !iov)
		goto err_free;

	spin_lock_bh(&tx->lock);
	err = sluice_vq_init(&tx->vq, &dest->ch->window, vq->num, vq->desc, vq->avail,
			     vq->used, sluice_vdev_has(&dest->vdev, VIRTIO_RING_F_EVENT_IDX));
	if (!err) {
		tx->entry = entry;
		tx->iov = iov;
		tx->entry_first = 0;
		tx->entry_count = 0;
		tx->iov_first = 0;
		tx->iov_count = 0;
		tx->room_bytes = 0;
		tx->fit_bytes = 0;
		tx->stopped = false;
		tx->stalled = false;
		tx->unpublished = false;
		/* notification is asked for only when buffers are short */
		sluice_vq_disable_notify(&tx->vq);
		tx->alive = true;
	}
	spin_unlock_bh(&tx->lock);
	if (err)
		goto err_free;
	netif_tx_wake_queue(netdev_get_tx_queue(dest->dev, pair->index));
	return 0;

err_free:
	kvfree(entry);
	kvfree(iov);
	return err;
}

void sluice_tx_stop(struct sluice_pair *pair)
{
	struct sluice_stash_entry *entry;
	struct sluice_tx *tx = &pair->tx;
	struct sluice_vq_iov *iov;

	spin_lock_bh(&tx->lock);
	tx->alive = false;
	tx->stopped = false;
	tx->stalled = false;
	entry = tx->entry;
	iov = tx->iov;
	tx->entry = NULL;
	tx->iov = NULL;
	spin_unlock_bh(&tx->lock);

	/* what the stack still holds for this queue is dropped and counted, not kept */
	netif_tx_wake_queue(netdev_get_tx_queue(pair->dest->dev, pair->index));
	kvfree(entry);
	kvfree(iov);
}
