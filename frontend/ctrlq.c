// SPDX-License-Identifier: GPL-2.0
/*
 * The control virtqueue, answered on the guest's side.
 *
 * virtio_net waits for the answer with its CPU spinning and RTNL held. If the peer
 * gave the answer, or only held the ring's memory, it could stop that CPU for
 * as long as it likes. So the ring is private memory, every request is answered
 * within the notification itself, and what the backend must know of it follows in
 * a message. Only the byte of the answer passes through a bounce slot; a peer that changes
 * it lies to the driver about what it will be told in that message.
 */
#include "map.h"
#include "transport.h"

#define REQUEST_BYTES	64	/* more than any request that is understood */

struct request {
	u8 buf[REQUEST_BYTES];
	u32 bytes;
	u8 *shared_ack;
};

/* Gather the chain at @head. The ring is trusted: only our own kernel writes it. */
static void request_read(struct sluice_map *map, struct sluice_ctrlq *q, u16 head,
			 struct request *req)
{
	struct virtio_device *vdev = q->vq->vdev;
	unsigned int seen;
	u16 i = head;

	req->bytes = 0;
	req->shared_ack = NULL;
	for (seen = 0; seen < q->vring.num; seen++) {
		const struct vring_desc *desc = &q->vring.desc[i & (q->vring.num - 1)];
		u16 flags = virtio16_to_cpu(vdev, desc->flags);
		u64 addr = virtio64_to_cpu(vdev, desc->addr);
		u32 len = virtio32_to_cpu(vdev, desc->len);
		void *va = sluice_map_va(map, addr, len);

		if (va && (flags & VRING_DESC_F_WRITE)) {
			req->shared_ack = va;
		} else if (va) {
			len = min_t(u32, len, REQUEST_BYTES - req->bytes);
			memcpy(req->buf + req->bytes, va, len);
			req->bytes += len;
		}
		if (!(flags & VRING_DESC_F_NEXT))
			break;
		i = virtio16_to_cpu(vdev, desc->next);
	}
}

static u8 request_serve(struct sluice_transport *t, const struct request *req)
{
	const struct virtio_net_ctrl_hdr *hdr = (const void *)req->buf;
	const struct virtio_net_ctrl_mq *mq = (const void *)(hdr + 1);
	u16 pairs;

	if (req->bytes < sizeof(*hdr) + sizeof(*mq) ||
	    hdr->class != VIRTIO_NET_CTRL_MQ ||
	    hdr->cmd != VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET)
		return VIRTIO_NET_ERR;	/* its feature was not offered */
	pairs = virtio16_to_cpu(t->ctrlq.vq->vdev, mq->virtqueue_pairs);
	if (!pairs || pairs > t->f->nr_pairs)
		return VIRTIO_NET_ERR;
	WRITE_ONCE(t->pairs, pairs);
	queue_work(system_unbound_wq, &t->push);
	return VIRTIO_NET_OK;
}

/**
 * sluice_ctrlq_init() - look at a new control virtqueue from the device's side
 * @q: filled in
 * @vq: its memory is private
 */
void sluice_ctrlq_init(struct sluice_ctrlq *q, struct virtqueue *vq)
{
	const struct vring *vring = virtqueue_get_vring(vq);

	q->vq = vq;
	q->vring = *vring;
	q->last_avail = 0;
	q->used_idx = 0;
}

/**
 * sluice_ctrlq_notify() - serve what the driver has put into the control virtqueue
 * @vq: the queue
 *
 * Context: the driver's, at most softirq. Return: true.
 */
bool sluice_ctrlq_notify(struct virtqueue *vq)
{
	struct sluice_transport *t = sluice_transport_of(vq->vdev);
	struct sluice_ctrlq *q = &t->ctrlq;
	struct vring *vring = &q->vring;
	struct virtio_device *vdev = vq->vdev;
	vring_used_elem_t *elem;
	struct request req;
	u16 prod, head;

	spin_lock_bh(&q->lock);
	for (;;) {
		/* pairs with the driver's barrier before its store of avail->idx */
		prod = virtio16_to_cpu(vdev, smp_load_acquire(&vring->avail->idx));
		if (prod == q->last_avail)
			break;
		head = virtio16_to_cpu(vdev, vring->avail->ring[q->last_avail % vring->num]);
		q->last_avail++;
		/* the slot of the answer may move when this is over */
		rcu_read_lock();
		request_read(t->f->map, q, head, &req);
		if (req.shared_ack)
			WRITE_ONCE(*req.shared_ack, request_serve(t, &req));
		rcu_read_unlock();

		elem = &vring->used->ring[q->used_idx % vring->num];
		elem->id = cpu_to_virtio32(vdev, head);
		elem->len = cpu_to_virtio32(vdev, 1);
		q->used_idx++;
		/* pairs with the driver's barrier after it has seen the index */
		smp_store_release(&vring->used->idx, cpu_to_virtio16(vdev, q->used_idx));
	}
	spin_unlock_bh(&q->lock);
	return true;
}
