/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The virtio transport: what its files know of each other.
 *
 * The virtio driver talks to a local copy of the device. What it decides
 * (features, virtqueues, status) is told to the backend as a whole when the driver
 * is ready, by a work item; what the backend says is fetched when a session begins.
 * So no call of the driver waits for the peer, except those that must know
 * that the device has stopped: reset of the device or of one queue, which
 * wait at most SLUICE_FRONT_TIMEOUT_MS and then end the session.
 */
#ifndef SLUICE_TRANSPORT_H
#define SLUICE_TRANSPORT_H

#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <linux/workqueue.h>
#include <sluice_virtio.h>
#include "bounce.h"
#include "front.h"
#include "shadow.h"

#define SLUICE_FRONT_TIMEOUT_MS	1000

/**
 * struct sluice_front_vq - a virtqueue of a pair
 * @lock: all below against doorbells and a driver that notifies; taken in hard irq
 * @vq: the driver's end, on a ring that is private; NULL while not in use
 * @shadow: what crosses between that ring and the one in the control segment
 * @on: the backend has it, so that anything may cross
 */
struct sluice_front_vq {
	spinlock_t lock;	/* vq, shadow, on */
	struct virtqueue *vq;
	struct sluice_shadow *shadow;
	bool on;
};

/**
 * struct sluice_ctrlq - the control virtqueue
 * @lock: against two notifications at once
 * @vq: the driver's end
 * @vring: its memory, private to this side
 * @last_avail: requests taken
 * @used_idx: requests answered
 */
struct sluice_ctrlq {
	spinlock_t lock;	/* all of it */
	struct virtqueue *vq;
	struct vring vring;
	u16 last_avail;
	u16 used_idx;
};

/**
 * struct sluice_transport - the device as this side knows it
 * @f: the frontend
 * @lock: what the backend has been told: @up, @told, @told_pairs, @status 0 <-> not 0
 * @up: a session stands
 * @dirty: the backend has been told of these virtqueues, in part at least
 * @told: the backend knows features, virtqueues and status
 * @live: @told and not being torn down: @backstop goes on
 * @status: device status, as the driver set it
 * @offered: features that the backend offers
 * @features: features that the driver is offered
 * @plan: division of the control area, of the device as it is
 * @offer: the same for what the backend offers now
 * @max_ring: largest virtqueue that the backend takes
 * @config_lock: @config and @generation
 * @config: device configuration space; the link state is composed when read
 * @generation: of @config
 * @backend_link: the backend says that its link is up
 * @pairs: queue pairs that the driver wants to receive on
 * @told_pairs: that the backend knows of
 * @push: tells the backend
 * @backstop: looks at the queues now and then, in case a doorbell was lost
 * @vq: virtqueues of the pairs, by their index
 * @ctrlq: control virtqueue
 */
struct sluice_transport {
	struct sluice_front *f;
	struct mutex lock;	/* what the backend has been told */
	bool up;
	bool dirty;
	bool told;
	bool live;
	u8 status;
	u64 offered;
	u64 features;
	struct sluice_bounce_plan plan;
	struct sluice_bounce_plan offer;
	u32 max_ring;
	spinlock_t config_lock;	/* config, generation */
	struct virtio_net_config config;
	u32 generation;
	bool backend_link;
	u16 pairs;
	u16 told_pairs;
	struct work_struct push;
	struct delayed_work backstop;
	struct sluice_front_vq vq[SLUICE_SHM_MAX_VQS];
	struct sluice_ctrlq ctrlq;
};

static inline struct sluice_transport *sluice_transport_of(struct virtio_device *vdev)
{
	return sluice_front_of(vdev)->transport;
}

/* config.c */
extern const struct virtio_config_ops sluice_config_ops;

/* vqs.c */
int sluice_vqs_find(struct virtio_device *vdev, unsigned int nvqs,
		    struct virtqueue *vqs[], struct virtqueue_info info[]);
void sluice_vqs_del(struct virtio_device *vdev);
int sluice_vqs_disable(struct virtqueue *vq);
int sluice_vqs_enable(struct virtqueue *vq);
/* Nothing crosses and no callback runs after it; the queues stay. */
void sluice_vqs_quiesce(struct sluice_transport *t);
/* The driver gets back what the next backend shall not find: all frames to send, and
 * for our driver, whose region is gone, all buffers. Under t->lock; quiesced, and the
 * device is not reset.
 */
void sluice_vqs_give_up(struct sluice_transport *t);
/* Begin with a new shared ring, which the backend is then told of. Under t->lock. */
void sluice_vqs_connect(struct sluice_transport *t, unsigned int index,
			struct sluice_msg_vqueue *msg);
/* The backend has it: submit what the driver has added until now. Under t->lock. */
void sluice_vqs_start(struct sluice_transport *t, unsigned int index);
/* Call the drivers of this pair's queues, if they have something. Any context. */
void sluice_vqs_interrupt(struct sluice_transport *t, unsigned int pair);
void sluice_vqs_backstop(struct work_struct *work);

/* peer.c; all sleep */
/* The device as the backend offers it, validated. 0 or an error with a log line. */
int sluice_peer_fetch(struct sluice_transport *t);
int sluice_peer_fetch_config(struct sluice_transport *t);
void sluice_peer_push(struct work_struct *work);
/* The backend has stopped using all queues, or the session is over. Under t->lock. */
void sluice_peer_reset(struct sluice_transport *t);
void sluice_peer_reset_vq(struct sluice_transport *t, unsigned int index);
int sluice_peer_set_vq(struct sluice_transport *t, unsigned int index);

/* ctrlq.c */
void sluice_ctrlq_init(struct sluice_ctrlq *q, struct virtqueue *vq);
bool sluice_ctrlq_notify(struct virtqueue *vq);

/* transport.c */
/* Link state or configuration may have changed: tell the driver. Under t->lock. */
void sluice_transport_changed(struct sluice_transport *t);
void sluice_transport_wait(void);

#endif /* SLUICE_TRANSPORT_H */
