/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A virtqueue in two copies, so that the peer can write into none that we trust.
 * Pure code.
 *
 * The kernel's virtio_ring believes what stands in its ring: it walks a chain by the
 * flags in the descriptor table when it takes a buffer back, and stops the machine if
 * the numbers do not come out. So it gets a ring of its own in private memory, and what
 * has to cross goes by hand between that one and the ring that is shared:
 *
 *	submit		new entries of the private available ring, with their
 *			descriptors, to the shared one; whether to ring is decided there
 *	harvest		new entries of the shared used ring, each read once and
 *			checked against what is in flight, to the private one
 *	arm		asks the device for a doorbell, in the shared ring
 *
 * The driver's ring outlives sessions. Each begins with an empty shared ring, into which
 * goes again what an earlier device had and did not finish; or that is given up, and
 * the driver gets it back. So the two count their entries from different points.
 *
 * Of shared memory nothing is read but what only the device writes: used->idx and the
 * used entries, used->flags, and the event index behind them. Descriptors and
 * available ring are written, never read back.
 *
 * The caller serialises all calls on one queue. virtio_ring may work on its end
 * of the private ring meanwhile: to it this code is the device.
 */
#ifndef SLUICE_SHADOW_H
#define SLUICE_SHADOW_H

#include <sluice/os.h>
#include <uapi/linux/sluice_shm.h>

#define SLUICE_SHADOW_ALIGN	64	/* of the shared used ring */
#define SLUICE_SHADOW_LOST	U32_MAX	/* used length of what was given up */

/**
 * struct sluice_shadow - both rings of a virtqueue, and how far we are
 * @ring: the driver's ring, private
 * @shared: the ring that the device has
 * @max: entries that @room has
 * @event_idx: VIRTIO_F_EVENT_IDX was negotiated with the device; the driver never sees it
 * @avail_idx: next entry of the driver's available ring to submit
 * @used_idx: next entry of the driver's used ring to write
 * @shared_avail: next entry of the shared available ring to write
 * @shared_used: next entry of the shared used ring to harvest
 * @error: what the peer did; the queue is not used any more then
 * @room: by head: bytes that the device may write there, plus 1; 0 if the device
 *	does not have it
 */
struct sluice_shadow {
	struct vring ring;
	struct vring shared;
	u32 max;
	bool event_idx;
	u16 avail_idx;
	u16 used_idx;
	u16 shared_avail;
	u16 shared_used;
	const char *error;
	u32 room[];
};

/**
 * sluice_shadow_init() - begin with a new ring of the driver's
 * @s: @s->max is set
 * @ring: nothing of it has been submitted yet
 *
 * Return: 0, or -EINVAL if @ring's size is no power of two from 2 to @s->max.
 */
int sluice_shadow_init(struct sluice_shadow *s, const struct vring *ring);

/**
 * sluice_shadow_start() - begin with a new shared ring
 * @s: the queue
 * @shared_va: where the shared ring shall lie, laid out by vring_init() with
 *	SLUICE_SHADOW_ALIGN; the device does not use it now
 * @event_idx: see struct sluice_shadow
 *
 * What an earlier device did not finish is in it on return, and the doorbell is armed.
 */
void sluice_shadow_start(struct sluice_shadow *s, void *shared_va, bool event_idx);

/**
 * sluice_shadow_give_up() - give the driver back what no device will finish
 * @s: the queue; the device does not use it any more
 *
 * That is all it has added and not got back, submitted or not. Each has the length
 * SLUICE_SHADOW_LOST, which a device cannot give.
 *
 * Return: how many.
 */
u32 sluice_shadow_give_up(struct sluice_shadow *s);

/**
 * sluice_shadow_submit() - give the device what the driver has added
 * @s: the queue
 *
 * Return: true if the device wants the doorbell.
 */
bool sluice_shadow_submit(struct sluice_shadow *s);

/**
 * sluice_shadow_harvest() - give the driver what the device has finished
 * @s: the queue
 *
 * Return: how many, or -EPROTO with @s->error set if the peer broke the protocol.
 * Then nothing from the bad entry on reaches the driver, until the next
 * sluice_shadow_start().
 */
int sluice_shadow_harvest(struct sluice_shadow *s);

/**
 * sluice_shadow_pending() - is there something to harvest?
 * @s: the queue
 *
 * A hint, which needs no serialisation. False once the queue is broken.
 */
bool sluice_shadow_pending(const struct sluice_shadow *s);

/**
 * sluice_shadow_arm() - ask for a doorbell
 * @s: the queue
 * @delayed: not for the next entry, but when most of what is in flight is done
 *
 * Return: true if that is there already: harvest, and arm again, instead of sleeping.
 */
bool sluice_shadow_arm(struct sluice_shadow *s, bool delayed);

/**
 * sluice_shadow_disarm() - no doorbells wanted while we look ourselves
 * @s: the queue
 *
 * A hint: doorbells may still come.
 */
void sluice_shadow_disarm(struct sluice_shadow *s);

#endif /* SLUICE_SHADOW_H */
