// SPDX-License-Identifier: GPL-2.0
/*
 * Virtqueues of the transport: their memory, notification in both directions, and the
 * reset of a single one.
 */
#include "map.h"
#include "transport.h"

#define CTRLQ_RING	16
#define BACKSTOP_MS	250

static bool vq_notify(struct virtqueue *vq)
{
	struct sluice_transport *t = sluice_transport_of(vq->vdev);

	/*
	 * Before the backend knows the queue there is nobody to notify; once it does,
	 * sluice_peer_push() rings every pair.
	 */
	if (READ_ONCE(t->live))
		sluice_channel_ring(t->f->ch, 1 + vq->index / 2);
	return true;
}

static void vq_publish(struct sluice_transport *t, unsigned int index, struct virtqueue *vq)
{
	struct sluice_front_pair *pair = &t->pair[index / 2];
	unsigned long flags;

	spin_lock_irqsave(&pair->lock, flags);
	pair->vq[index % 2] = vq;
	spin_unlock_irqrestore(&pair->lock, flags);
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
	struct virtqueue *vq;

	if (!ctrl && index >= 2 * f->nr_pairs)
		return NULL;
	/*
	 * weak_barriers off: the other side may be another machine, and with
	 * them x86 would do an atomic read-modify-write on shared memory.
	 */
	sluice_map_private(f->map, ctrl);
	vq = vring_create_virtqueue(index, ring, SLUICE_BOUNCE_VRING_ALIGN, vdev, false, false,
				    info->ctx, ctrl ? sluice_ctrlq_notify : vq_notify,
				    info->callback, info->name);
	sluice_map_private(f->map, false);
	if (!vq)
		return NULL;
	vq->num_max = ring;
	if (ctrl)
		sluice_ctrlq_init(&t->ctrlq, vq);
	else
		vq_publish(t, index, vq);
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

	/* taking the lock also waits for a callback that runs now */
	for (i = 0; i < SLUICE_SHM_MAX_VQS; i++)
		vq_publish(t, i, NULL);
}

void sluice_vqs_del(struct virtio_device *vdev)
{
	struct sluice_transport *t = sluice_transport_of(vdev);
	struct virtqueue *vq, *next;

	mutex_lock(&t->lock);
	WRITE_ONCE(t->live, false);
	sluice_vqs_quiesce(t);
	sluice_peer_reset(t);	/* nothing to do after an ordinary reset */
	mutex_unlock(&t->lock);
	list_for_each_entry_safe(vq, next, &vdev->vqs, list)
		vring_del_virtqueue(vq);
}

int sluice_vqs_disable(struct virtqueue *vq)
{
	struct sluice_transport *t = sluice_transport_of(vq->vdev);

	if (!virtio_has_feature(vq->vdev, VIRTIO_F_RING_RESET))
		return -ENOENT;
	mutex_lock(&t->lock);
	vq_publish(t, vq->index, NULL);
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

	if (!vq->reset)
		return -EBUSY;
#ifdef CONFIG_VIRTIO_HARDEN_NOTIFICATION
	__virtqueue_unbreak(vq);
#endif
	vq->reset = false;
	mutex_lock(&t->lock);
	vq_publish(t, vq->index, vq);
	/*
	 * If it cannot be told now, the session is over, and the next one
	 * is told of all queues.
	 */
	if (t->told)
		sluice_peer_set_vq(t, vq);
	mutex_unlock(&t->lock);
	return 0;
}

void sluice_vqs_interrupt(struct sluice_transport *t, unsigned int index)
{
	struct sluice_front_pair *pair = &t->pair[index];
	bool task = !in_hardirq() && !irqs_disabled();
	unsigned long flags;
	unsigned int i;

	/* The callbacks schedule NAPI, which shall run when we leave, not at the next tick. */
	if (task)
		local_bh_disable();
	spin_lock_irqsave(&pair->lock, flags);
	if (READ_ONCE(t->live))
		for (i = 0; i < ARRAY_SIZE(pair->vq); i++)
			if (pair->vq[i])
				vring_interrupt(0, pair->vq[i]);
	spin_unlock_irqrestore(&pair->lock, flags);
	if (task)
		local_bh_enable();
}

static bool pair_broken(struct sluice_front_pair *pair)
{
	bool broken = false;
	unsigned long flags;
	unsigned int i;

	spin_lock_irqsave(&pair->lock, flags);
	for (i = 0; i < ARRAY_SIZE(pair->vq); i++)
		if (pair->vq[i] && virtqueue_is_broken(pair->vq[i]))
			broken = true;
	spin_unlock_irqrestore(&pair->lock, flags);
	return broken;
}

void sluice_vqs_backstop(struct work_struct *work)
{
	struct sluice_transport *t = container_of(to_delayed_work(work),
						  struct sluice_transport, backstop);
	unsigned int i;

	for (i = 0; i < t->f->nr_pairs && READ_ONCE(t->live); i++) {
		/*
		 * virtio_ring stops using a queue whose used ring makes no sense, for
		 * good. Ours heals: the session ends and the next one has new queues.
		 */
		if (pair_broken(&t->pair[i])) {
			sluice_channel_break(t->f->ch, "nonsense in a used ring");
			return;
		}
		sluice_vqs_interrupt(t, i);
	}
	if (READ_ONCE(t->live))
		queue_delayed_work(system_wq, &t->backstop, msecs_to_jiffies(BACKSTOP_MS));
}
