/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The device side of a split virtqueue whose memory a hostile driver can write.
 *
 * Pure code. Each shared word is read once. Indices and the set of heads in
 * flight are private. The caller serialises: pop and notification control under one
 * lock, push and publish under one lock (may be different ones); both are the queue's
 * only user of their half.
 */
#ifndef SLUICE_VQ_H
#define SLUICE_VQ_H

#include <sluice/window.h>

#define SLUICE_VQ_MAX_IOV	24	/* descriptors in a chain; longer ones are refused */

struct sluice_vq_iov {
	void *va;
	u64 off;			/* window offset */
	u32 len_bytes;
};

/* A chain, private copy: device-readable parts first, as VIRTIO 1.2 2.7.4.2 demands. */
struct sluice_vq_chain {
	u16 head;
	u16 nr_out;
	u16 nr_in;
	u32 out_bytes;
	u32 in_bytes;
	struct sluice_vq_iov iov[SLUICE_VQ_MAX_IOV];
};

struct sluice_vq {
	const struct sluice_window *win;
	struct vring_desc *shared_desc;
	struct vring_avail *shared_avail;
	struct vring_used *shared_used;
	u16 num;			/* descriptors, power of two */
	bool event_idx;
	/* pop half */
	u16 last_avail;
	u16 avail_snap;			/* last avail->idx seen and validated */
	/* push half */
	u16 used_idx;
	u16 used_published;
	u16 signalled;
	bool signalled_valid;
	const char *error;		/* set with -EPROTO: what the peer did */
	unsigned long in_flight[BITS_TO_LONGS(SLUICE_SHM_MAX_RING)];
};

/**
 * sluice_vq_init() - look at a virtqueue that the driver described
 * @vq: filled in
 * @win: the channel's window; must outlive @vq
 * @num: descriptors; refused unless a power of two, 2 to SLUICE_SHM_MAX_RING
 * @desc: window offset of the descriptor table
 * @avail: of the available ring
 * @used: of the used ring
 * @event_idx: VIRTIO_F_EVENT_IDX was negotiated
 *
 * Return: 0, or -EINVAL if a part is misaligned or not inside the control area.
 */
int sluice_vq_init(struct sluice_vq *vq, const struct sluice_window *win, u32 num,
		   u64 desc, u64 avail, u64 used, bool event_idx);

/**
 * sluice_vq_pop() - take the next chain the driver made available
 * @vq: the queue
 * @chain: private copy of the chain, every part resolved and validated
 *
 * Return: 1, 0 if there is none, or -EPROTO with vq->error set if the peer broke
 * the protocol; the queue must not be used any more then.
 */
int sluice_vq_pop(struct sluice_vq *vq, struct sluice_vq_chain *chain);

/* Chains that pop would find, without reading them; -EPROTO as above. */
int sluice_vq_avail(struct sluice_vq *vq);

/* Give a chain back with @len_bytes written. Visible after sluice_vq_publish(). */
void sluice_vq_push(struct sluice_vq *vq, u16 head, u32 len_bytes);

/* Make all pushed chains visible; true if the driver wants the doorbell. */
bool sluice_vq_publish(struct sluice_vq *vq);

/* Ask the driver for a doorbell when it adds chains; true if some are there
 * already (the caller must look again instead of sleeping).
 */
bool sluice_vq_enable_notify(struct sluice_vq *vq);
void sluice_vq_disable_notify(struct sluice_vq *vq);

#endif /* SLUICE_VQ_H */
