// SPDX-License-Identifier: GPL-2.0
/*
 * Virtqueues of the transport: their memory, notification in both directions, and the
 * reset of a single one.
 *
 * The driver's end is virtio_ring on private memory, the peer's a ring in the control
 * segment; shadow.c carries entries across. The driver and its ring stay from one
 * session to the next: with the first its frames in flight are lost, and its
 * receive buffers come back to it, or go to the next backend. When:
 *
 *	the driver notifies	submit; for the stock driver harvest as well, since it looks for
 *				completions when it sends
 *	a doorbell comes	stock: harvest, arm, vring_interrupt(). Ours: its callback,
 *				which schedules NAPI; nothing more comes until that arms again
 *	our driver polls	harvest; arm when it is done
 */
#include <linux/slab.h>
#include "map.h"
#include "transport.h"

#define CTRLQ_RING	16
#define BACKSTOP_MS	250

/* What the backend did on this queue, if it broke the protocol. Locked. */
static const char *vq_error(const struct sluice_front_vq *q)
{
	return q->on ? q->shadow->error : NULL;
}

/* The session ends over it. Without the queue's lock. */
static void vq_check(struct sluice_transport *t, unsigned int index, const char *error)
{
	char reason[SLUICE_REASON_BYTES];

	if (likely(!error))
		return;
	snprintf(reason, sizeof(reason), "%s queue %u: %s", index % 2 ? "transmit" : "receive",
		 index / 2, error);
	sluice_channel_break(t->f->ch, reason);
}

/* True if it took a doorbell. */
static bool vq_submit(struct sluice_transport *t, unsigned int index, bool harvest)
{
	struct sluice_front_vq *q = &t->vq[index];
	unsigned long flags;
	const char *error;
	bool ring = false;

	spin_lock_irqsave(&q->lock, flags);
	/* before the backend has the queue, entries wait for sluice_vqs_start() */
	if (q->on) {
		ring = sluice_shadow_submit(q->shadow);
		if (harvest)
			sluice_shadow_harvest(q->shadow);
	}
	error = vq_error(q);
	spin_unlock_irqrestore(&q->lock, flags);
	vq_check(t, index, error);
	if (ring)
		sluice_channel_ring(t->f->ch, 1 + index / 2);
	return ring;
}

/*
 * What the stock driver finds here is announced by the doorbell that was armed before: the
 * backend has passed that index, so it rings, and then the callback comes.
 */
static bool vq_notify(struct virtqueue *vq)
{
	vq_submit(sluice_transport_of(vq->vdev), vq->index, sluice_front_stock);
	return true;
}

bool sluice_vqs_kick(struct virtqueue *vq)
{
	virtqueue_kick_prepare(vq);	/* says yes always, the wish is in the shared ring */
	return vq_submit(sluice_transport_of(vq->vdev), vq->index, false);
}

void sluice_vqs_ring(struct virtqueue *vq)
{
	struct sluice_transport *t = sluice_transport_of(vq->vdev);

	vq_submit(t, vq->index, false);
	sluice_channel_ring(t->f->ch, 1 + vq->index / 2);
}

bool sluice_vqs_harvest(struct virtqueue *vq)
{
	struct sluice_transport *t = sluice_transport_of(vq->vdev);
	struct sluice_front_vq *q = &t->vq[vq->index];
	unsigned long flags;
	const char *error;
	bool pending;
	int ret = 0;

	/* pairs with synchronize_rcu() in front_lose(): the shared ring is there */
	rcu_read_lock();
	/* pairs with the release in sluice_vqs_start(): the shared ring is known */
	pending = smp_load_acquire(&q->on) && sluice_shadow_pending(q->shadow);
	rcu_read_unlock();
	if (!pending)
		return false;
	spin_lock_irqsave(&q->lock, flags);
	if (q->on)
		ret = sluice_shadow_harvest(q->shadow);
	error = vq_error(q);
	spin_unlock_irqrestore(&q->lock, flags);
	vq_check(t, vq->index, error);
	return ret > 0;
}

bool sluice_vqs_arm(struct virtqueue *vq, bool delayed)
{
	struct sluice_front_vq *q = &sluice_transport_of(vq->vdev)->vq[vq->index];
	unsigned long flags;
	bool some = false;

	spin_lock_irqsave(&q->lock, flags);
	if (q->on)
		some = sluice_shadow_arm(q->shadow, delayed);
	spin_unlock_irqrestore(&q->lock, flags);
	return some;
}

/* Taking the lock also waits for a callback that runs now. */
static void vq_off(struct sluice_front_vq *q)
{
	unsigned long flags;

	spin_lock_irqsave(&q->lock, flags);
	WRITE_ONCE(q->on, false);
	spin_unlock_irqrestore(&q->lock, flags);
}

static void vq_publish(struct sluice_front_vq *q, struct virtqueue *vq)
{
	vq_off(q);
	q->vq = vq;	/* looked at only while on, or under the transport's lock */
	/* our driver asks shadow.c: the calls of virtio_ring need not prepare for a callback */
	if (vq && !sluice_front_stock)
		virtqueue_disable_cb(vq);
}

/* The index of the control virtqueue, after those of all pairs; -1 if there is none. */
static int ctrlq_index(struct virtio_device *vdev)
{
	if (!__virtio_test_bit(vdev, VIRTIO_NET_F_CTRL_VQ))
		return -1;
	if (!__virtio_test_bit(vdev, VIRTIO_NET_F_MQ))
		return 2;
	return 2 * sluice_front_of(vdev)->nr_pairs;
}

static struct virtqueue *vq_create(struct virtio_device *vdev, unsigned int index,
				   const struct virtqueue_info *info)
{
	struct sluice_front *f = sluice_front_of(vdev);
	struct sluice_transport *t = f->transport;
	bool ctrl = (int)index == ctrlq_index(vdev);
	u32 ring = ctrl ? CTRLQ_RING : t->plan.ring;
	struct sluice_shadow *shadow = NULL;
	struct virtqueue *vq;

	if (!ctrl && index >= 2 * f->nr_pairs)
		return NULL;
	if (!ctrl) {
		shadow = kvzalloc(struct_size(shadow, room, ring), GFP_KERNEL);
		if (!shadow)
			return NULL;
		shadow->max = ring;
	}
	/* weak barriers: what virtio_ring shares, it shares with this kernel */
	vq = vring_create_virtqueue(index, ring, SLUICE_SHADOW_ALIGN, vdev, true, false,
				    info->ctx, ctrl ? sluice_ctrlq_notify : vq_notify,
				    info->callback, info->name);
	if (!vq) {
		kvfree(shadow);
		return NULL;
	}
	vq->num_max = ring;
	if (ctrl) {
		sluice_ctrlq_init(&t->ctrlq, vq);
		return vq;
	}
	/* of the size that it was allocated for */
	if (sluice_shadow_init(shadow, virtqueue_get_vring(vq))) {
		vring_del_virtqueue(vq);
		kvfree(shadow);
		return NULL;
	}
	t->vq[index].shadow = shadow;
	vq_publish(&t->vq[index], vq);
	return vq;
}

int sluice_vqs_find(struct virtio_device *vdev, unsigned int nvqs, struct virtqueue *vqs[],
		    struct virtqueue_info info[])
{
	unsigned int i, index = 0;

	for (i = 0; i < nvqs; i++) {
		vqs[i] = NULL;
		if (!info[i].name)
			continue;
		vqs[i] = vq_create(vdev, index++, &info[i]);
		if (!vqs[i]) {
			dev_err(&vdev->dev, "cannot set up virtqueue %u (%s)\n", i, info[i].name);
			sluice_vqs_del(vdev);
			return -ENOMEM;
		}
	}
	return 0;
}

void sluice_vqs_quiesce(struct sluice_transport *t)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(t->vq); i++)
		vq_off(&t->vq[i]);
}

void sluice_vqs_del(struct virtio_device *vdev)
{
	struct sluice_transport *t = sluice_transport_of(vdev);
	struct virtqueue *vq, *next;
	unsigned int i;

	mutex_lock(&t->lock);
	WRITE_ONCE(t->live, false);
	for (i = 0; i < ARRAY_SIZE(t->vq); i++)
		vq_publish(&t->vq[i], NULL);
	sluice_peer_reset(t);	/* nothing to do after an ordinary reset */
	mutex_unlock(&t->lock);
	list_for_each_entry_safe(vq, next, &vdev->vqs, list)
		vring_del_virtqueue(vq);
	for (i = 0; i < ARRAY_SIZE(t->vq); i++) {
		kvfree(t->vq[i].shadow);
		t->vq[i].shadow = NULL;
	}
}

void sluice_vqs_give_up(struct sluice_transport *t)
{
	unsigned int i;

	/* as in sluice_vqs_interrupt() */
	local_bh_disable();
	for (i = 0; i < ARRAY_SIZE(t->vq); i++) {
		struct sluice_front_vq *q = &t->vq[i];
		unsigned long flags;

		/* the stock driver's receive buffers are bounced: any backend can fill them */
		if (!q->vq || (sluice_front_stock && i % 2 == 0))
			continue;
		spin_lock_irqsave(&q->lock, flags);
		if (sluice_shadow_give_up(q->shadow))
			vring_interrupt(0, q->vq);
		spin_unlock_irqrestore(&q->lock, flags);
	}
	local_bh_enable();
}

void sluice_vqs_connect(struct sluice_transport *t, unsigned int index,
			struct sluice_msg_vqueue *msg)
{
	u64 off = (u64)(t->plan.first + index * t->plan.ring_chunk) << SLUICE_BOUNCE_SHIFT;
	struct sluice_front_vq *q = &t->vq[index];
	void *va = t->f->ch->ctrl_va + off;
	struct vring *shared = &q->shadow->shared;
	unsigned long flags;

	spin_lock_irqsave(&q->lock, flags);
	sluice_shadow_start(q->shadow, va, t->offered & BIT_ULL(VIRTIO_RING_F_EVENT_IDX));
	spin_unlock_irqrestore(&q->lock, flags);
	msg->index = cpu_to_le32(index);
	msg->ring = cpu_to_le32(shared->num);
	msg->desc = cpu_to_le64(off);
	msg->avail = cpu_to_le64(off + ((void *)shared->avail - va));
	msg->used = cpu_to_le64(off + ((void *)shared->used - va));
}

void sluice_vqs_start(struct sluice_transport *t, unsigned int index)
{
	struct sluice_front_vq *q = &t->vq[index];
	unsigned long flags;

	if (!q->vq)
		return;
	spin_lock_irqsave(&q->lock, flags);
	smp_store_release(&q->on, true);	/* pairs with the acquire in sluice_vqs_harvest() */
	spin_unlock_irqrestore(&q->lock, flags);
	sluice_vqs_ring(q->vq);
}

int sluice_vqs_disable(struct virtqueue *vq)
{
	struct sluice_transport *t = sluice_transport_of(vq->vdev);

	if (!virtio_has_feature(vq->vdev, VIRTIO_F_RING_RESET))
		return -ENOENT;
	mutex_lock(&t->lock);
	vq_publish(&t->vq[vq->index], NULL);
	sluice_peer_reset_vq(t, vq->index);
	mutex_unlock(&t->lock);
	vq->reset = true;
#ifdef CONFIG_VIRTIO_HARDEN_NOTIFICATION
	__virtqueue_break(vq);
#endif
	return 0;
}

int sluice_vqs_enable(struct virtqueue *vq)
{
	struct sluice_transport *t = sluice_transport_of(vq->vdev);
	int err = 0;

	if (!vq->reset)
		return -EBUSY;
#ifdef CONFIG_VIRTIO_HARDEN_NOTIFICATION
	__virtqueue_unbreak(vq);
#endif
	vq->reset = false;
	mutex_lock(&t->lock);
	/* a ring that virtio_ring has emptied, perhaps of another size */
	err = sluice_shadow_init(t->vq[vq->index].shadow, virtqueue_get_vring(vq));
	if (err)
		goto out;
	vq_publish(&t->vq[vq->index], vq);
	if (t->told) {
		err = sluice_peer_set_vq(t, vq->index);
		if (!err)
			sluice_vqs_start(t, vq->index);
		else if (err != -ENOLINK)
			sluice_channel_break(t->f->ch, "it refuses a virtqueue that it had");
	}
	/* the session is over, perhaps: the next one is told of all queues */
	err = 0;
out:
	mutex_unlock(&t->lock);
	return err;
}

/*
 * The stock driver asks nobody when it wants to be called, so this asks for it. Each
 * round harvests something, and there is no more of that than was submitted: a peer
 * that moves the used index to and fro must not keep us here, with interrupts off.
 */
static void vq_interrupt_stock(struct sluice_front_vq *q)
{
	bool delayed = q->vq->index % 2;	/* as it does itself for what it sends */

	sluice_shadow_harvest(q->shadow);
	while (sluice_shadow_arm(q->shadow, delayed))
		if (sluice_shadow_harvest(q->shadow) <= 0)
			break;
	vring_interrupt(0, q->vq);
}

static void vq_interrupt(struct sluice_transport *t, unsigned int index)
{
	struct sluice_front_vq *q = &t->vq[index];
	unsigned long flags;
	const char *error;

	spin_lock_irqsave(&q->lock, flags);
	if (q->on) {
		if (sluice_front_stock) {
			vq_interrupt_stock(q);
		} else if (sluice_shadow_pending(q->shadow)) {
			sluice_shadow_disarm(q->shadow);
			q->vq->callback(q->vq);
		}
	}
	error = vq_error(q);
	spin_unlock_irqrestore(&q->lock, flags);
	vq_check(t, index, error);
}

void sluice_vqs_interrupt(struct sluice_transport *t, unsigned int pair)
{
	bool task = !in_hardirq() && !irqs_disabled();

	/* The callbacks schedule NAPI, which shall run when we leave, not at the next tick. */
	if (task)
		local_bh_disable();
	vq_interrupt(t, 2 * pair);
	vq_interrupt(t, 2 * pair + 1);
	if (task)
		local_bh_enable();
}

void sluice_vqs_backstop(struct work_struct *work)
{
	struct sluice_transport *t = container_of(to_delayed_work(work),
						  struct sluice_transport, backstop);
	unsigned int i;

	for (i = 0; i < t->f->nr_pairs && READ_ONCE(t->live); i++)
		sluice_vqs_interrupt(t, i);
	if (READ_ONCE(t->live))
		queue_delayed_work(system_wq, &t->backstop, msecs_to_jiffies(BACKSTOP_MS));
}
