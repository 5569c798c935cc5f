// SPDX-License-Identifier: GPL-2.0
/*
 * Native XDP. The program gets a private copy of the frame: in the region page the peer
 * could exchange what the program has just let through. XDP_TX copies it back, for
 * from a region page the backend takes frames without bounce.
 */
#include <linux/bpf.h>
#include <linux/bpf_trace.h>
#include <linux/filter.h>
#include <linux/if_vlan.h>
#include "xdp.h"

#define XDP_FLUSH_TX		BIT(0)
#define XDP_FLUSH_REDIRECT	BIT(1)

/* Softirq. */
static struct sluice_txq *my_txq(struct sluice_net *net)
{
	return &net->txq[smp_processor_id() % READ_ONCE(net->pairs)];
}

static struct netdev_queue *queue_of(struct sluice_txq *q)
{
	return netdev_get_tx_queue(q->net->dev, q->index);
}

/* A page with the frame at @off; the virtio header goes in front of it. */
static int send_page(struct sluice_txq *q, enum sluice_tx_kind kind, struct page *page,
		     unsigned int off, unsigned int len)
{
	struct sluice_tx_desc *d;
	int err;

	if (off < SLUICE_NET_HDR_BYTES)
		return -ENOSPC;
	sluice_tx_reclaim(q, 0);
	d = sluice_tx_get_desc(q);
	if (!d)
		return -ENOSPC;
	off -= SLUICE_NET_HDR_BYTES;
	memset(page_address(page) + off, 0, SLUICE_NET_HDR_BYTES);
	d->kind = kind;
	d->bytes = len;
	d->owner = page;
	if (kind == SLUICE_TX_XDP_REGION) {
		d->run[d->nr_runs++] = (struct sluice_slots_run){ page, 1 };
		d->nr_pages = 1;
	}
	sg_init_table(q->sg, 1);
	sg_set_page(&q->sg[0], page, len + SLUICE_NET_HDR_BYTES, off);
	err = virtqueue_add_outbuf(q->vq, q->sg, 1, d, GFP_ATOMIC);
	if (err) {
		sluice_tx_put_desc(q, d);
		return err;
	}
	q->nr_flight++;
	q->nr_pages += d->nr_pages;
	sluice_tx_add(q, SLUICE_TX_XDP_FRAMES, 1);
	return 0;
}

static int xdp_tx(struct sluice_rxq *rxq, struct page *page, bool region, unsigned int off,
		  unsigned int len)
{
	struct sluice_txq *q = my_txq(rxq->net);
	int err;

	__netif_tx_lock(queue_of(q), smp_processor_id());
	err = send_page(q, region ? SLUICE_TX_XDP_REGION : SLUICE_TX_XDP_PAGE, page, off, len);
	__netif_tx_unlock(queue_of(q));
	return err;
}

/* Sends @page back, or if it has one the region page that it is a copy of. */
static int send_back(struct sluice_rxq *q, struct page *page, struct page *theirs,
		     unsigned int off, unsigned int len)
{
	int err;

	if (!theirs)
		return xdp_tx(q, page, false, off, len);
	memcpy(page_address(theirs) + off, page_address(page) + off, len);
	err = xdp_tx(q, theirs, true, off, len);
	if (!err)
		sluice_rx_give(q, page, false);
	return err;
}

bool sluice_xdp_run(struct sluice_rxq *q, struct bpf_prog *prog, struct page **frame,
		    bool *region, unsigned int *off, unsigned int *len, unsigned int *flush)
{
	struct page *page = *frame, *theirs = NULL;
	struct net_device *dev = q->net->dev;
	struct xdp_buff xdp;
	u32 act;

	if (*region) {
		theirs = page;
		page = sluice_rx_page(q);
		if (!page) {
			sluice_rx_inc(q, SLUICE_RX_NO_MEMORY);
			sluice_rx_give(q, theirs, true);
			return false;
		}
		memcpy(page_address(page) + *off, page_address(theirs) + *off, *len);
	}
	xdp_init_buff(&xdp, PAGE_SIZE, &q->xdp);
	xdp_prepare_buff(&xdp, page_address(page), *off, *len, true);
	act = bpf_prog_run_xdp(prog, &xdp);
	*off = xdp.data - page_address(page);
	*len = xdp.data_end - xdp.data;
	switch (act) {
	case XDP_PASS:
		sluice_rx_inc(q, SLUICE_RX_XDP_PASS);
		if (theirs)
			sluice_rx_give(q, theirs, true);
		*frame = page;
		*region = false;
		return true;
	case XDP_TX:
		if (send_back(q, page, theirs, *off, *len))
			goto error;
		*flush |= XDP_FLUSH_TX;
		sluice_rx_inc(q, SLUICE_RX_XDP_TX);
		return false;
	case XDP_REDIRECT:
		if (xdp_do_redirect(dev, &xdp, prog))
			goto error;
		*flush |= XDP_FLUSH_REDIRECT;
		sluice_rx_inc(q, SLUICE_RX_XDP_REDIRECT);
		if (theirs)
			sluice_rx_give(q, theirs, true);
		return false;
	default:
		bpf_warn_invalid_xdp_action(dev, prog, act);
		fallthrough;
	case XDP_ABORTED:
error:
		trace_xdp_exception(dev, prog, act);
		sluice_rx_inc(q, SLUICE_RX_XDP_ERROR);
		break;
	case XDP_DROP:
		sluice_rx_inc(q, SLUICE_RX_XDP_DROP);
		break;
	}
	sluice_rx_give(q, page, false);
	if (theirs)
		sluice_rx_give(q, theirs, true);
	return false;
}

void sluice_xdp_flush(struct sluice_rxq *q, unsigned int flush)
{
	struct sluice_txq *txq;

	if (flush & XDP_FLUSH_REDIRECT)
		xdp_do_flush();
	if (flush & XDP_FLUSH_TX) {
		txq = my_txq(q->net);
		__netif_tx_lock(queue_of(txq), smp_processor_id());
		sluice_tx_kick(txq);
		sluice_tx_arm(txq);
		__netif_tx_unlock(queue_of(txq));
	}
}

/* Copies a frame of another device. 0, or it stays the caller's. */
static int xmit_one(struct sluice_txq *q, struct xdp_frame *frame)
{
	struct page *page = NULL;
	bool region;
	int err;

	if (frame->len > PAGE_SIZE - SLUICE_NET_HDR_BYTES || xdp_frame_has_frags(frame))
		return -EMSGSIZE;
	page = sluice_slots_get(q->net->slots);
	region = page;
	if (!region)
		page = dev_alloc_page();
	if (!page)
		return -ENOMEM;
	memcpy(page_address(page) + SLUICE_NET_HDR_BYTES, frame->data, frame->len);
	err = send_page(q, region ? SLUICE_TX_XDP_REGION : SLUICE_TX_XDP_PAGE, page,
			SLUICE_NET_HDR_BYTES, frame->len);
	if (!err)
		return 0;
	if (region)
		sluice_slots_put(q->net->slots, page);
	else
		put_page(page);
	return err;
}

int sluice_xdp_xmit(struct net_device *dev, int nr, struct xdp_frame **frames, u32 flags)
{
	struct sluice_net *net = netdev_priv(dev);
	struct sluice_txq *q;
	int i;

	if (unlikely(flags & ~XDP_XMIT_FLAGS_MASK))
		return -EINVAL;
	if (!netif_running(dev) || !netif_device_present(dev) || !netif_carrier_ok(dev))
		return -ENETDOWN;
	q = my_txq(net);
	__netif_tx_lock(queue_of(q), smp_processor_id());
	/* cleared under this lock before the virtqueues go away */
	if (!q->live) {
		__netif_tx_unlock(queue_of(q));
		return -ENETDOWN;
	}
	for (i = 0; i < nr; i++) {
		if (xmit_one(q, frames[i]))
			break;
		xdp_return_frame(frames[i]);
	}
	if (i < nr)
		sluice_tx_add(q, SLUICE_TX_XDP_DROPS, nr - i);
	if (flags & XDP_XMIT_FLUSH) {
		sluice_tx_kick(q);
		sluice_tx_arm(q);
	}
	__netif_tx_unlock(queue_of(q));
	return i;
}

static int set_prog(struct sluice_net *net, struct bpf_prog *prog, struct netlink_ext_ack *extack)
{
	struct bpf_prog *old = rtnl_dereference(net->prog);
	int err;

	if (prog && net->dev->mtu > SLUICE_XDP_MAX_MTU) {
		NL_SET_ERR_MSG_MOD(extack, "XDP needs frames of one page: set the MTU to "
				   __stringify(SLUICE_XDP_MAX_MTU) " or less");
		return -EINVAL;
	}
	/* the device must send single buffers with room before the program sees one */
	err = sluice_net_renegotiate(net, net->dev->wanted_features, prog);
	if (err) {
		NL_SET_ERR_MSG_MOD(extack, "the backend refused to negotiate again");
		return err;
	}
	if (old)
		bpf_prog_put(old);
	netdev_update_features(net->dev);	/* GRO_HW follows */
	return 0;
}

int sluice_xdp_bpf(struct net_device *dev, struct netdev_bpf *bpf)
{
	switch (bpf->command) {
	case XDP_SETUP_PROG:
		return set_prog(netdev_priv(dev), bpf->prog, bpf->extack);
	default:
		return -EINVAL;
	}
}
