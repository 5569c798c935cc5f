/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Bounce slots: which bytes of the control area are whose. Pure code.
 *
 * The control area is cut into slots of SLUICE_BOUNCE_SLOT bytes, numbered by
 * window offset. Three zones share it, so that none can starve another:
 *
 *	ring	shared virtqueues, a chunk for each
 *	rx	buffers that the device writes
 *	tx	buffers that the device reads
 *
 * Without a quota for each direction, receive buffers take every slot, no
 * ACK can leave, and nothing ever frees a receive buffer again.
 *
 * A run of slots never crosses the edge of a window slot, since a descriptor
 * may not (uapi/linux/sluice_shm.h). All state is private to the frontend.
 */
#ifndef SLUICE_BOUNCE_H
#define SLUICE_BOUNCE_H

#include <sluice/os.h>
#include <uapi/linux/sluice_shm.h>
#include "shadow.h"

#define SLUICE_BOUNCE_SHIFT	11
#define SLUICE_BOUNCE_SLOT	(1u << SLUICE_BOUNCE_SHIFT)
#define SLUICE_BOUNCE_MAX	(SLUICE_SHM_CTRL_MAX >> SLUICE_BOUNCE_SHIFT)
#define SLUICE_BOUNCE_PER_EDGE	(SLUICE_SHM_SEGMENT_BYTES >> SLUICE_BOUNCE_SHIFT)
#define SLUICE_BOUNCE_RING_MIN	32u
#define SLUICE_BOUNCE_RING_MAX	1024u

/**
 * struct sluice_bounce_zone - slots for one purpose
 * @first: number of the first slot: its window offset >> SLUICE_BOUNCE_SHIFT
 * @nr: slots
 * @used: slots taken now
 * @peak: most slots ever taken
 * @hint: where the next search starts, relative to @first
 * @full: requests that were refused
 * @taken: one bit for each slot
 *
 * The caller serialises calls on one zone.
 */
struct sluice_bounce_zone {
	u32 first;
	u32 nr;
	u32 used;
	u32 peak;
	u32 hint;
	u64 full;
	unsigned long taken[BITS_TO_LONGS(SLUICE_BOUNCE_MAX)];
};

/**
 * struct sluice_bounce_plan - how the control area is divided
 * @pairs: queue pairs that it can feed
 * @ring: descriptors of each virtqueue
 * @ring_chunk: slots of one virtqueue: number i starts at slot @first + i * @ring_chunk
 * @first: number of the first slot of the area
 * @ring_slots: slots of the ring zone
 * @rx_slots: of the receive zone
 * @tx_slots: of the transmit zone
 */
struct sluice_bounce_plan {
	u32 pairs;
	u32 ring;
	u32 ring_chunk;
	u32 first;
	u32 ring_slots;
	u32 rx_slots;
	u32 tx_slots;
};

/**
 * sluice_bounce_plan() - divide a control area between queue pairs
 * @plan: filled in
 * @ctrl_bytes: the control segment's size
 * @pairs: queue pairs wanted; fewer are planned if the area is small
 * @max_ring: largest virtqueue that the backend takes
 * @region: receive buffers normally come from data segments, so the ring need
 *	not be limited by the receive quota
 *
 * Return: 0, or -EINVAL if not even one pair fits.
 */
int sluice_bounce_plan(struct sluice_bounce_plan *plan, u32 ctrl_bytes, u32 pairs,
		       u32 max_ring, bool region);

/**
 * sluice_bounce_zone_init() - an empty zone
 * @zone: filled in
 * @first: number of its first slot
 * @nr: slots, at most SLUICE_BOUNCE_MAX
 */
void sluice_bounce_zone_init(struct sluice_bounce_zone *zone, u32 first, u32 nr);

/**
 * sluice_bounce_get() - take consecutive slots
 * @zone: where
 * @nr: how many
 *
 * Return: number of the first one, or -ENOSPC (counted).
 */
int sluice_bounce_get(struct sluice_bounce_zone *zone, u32 nr);

/**
 * sluice_bounce_put() - give back what sluice_bounce_get() returned
 * @zone: where
 * @slot: its return value
 * @nr: the same number as then
 */
void sluice_bounce_put(struct sluice_bounce_zone *zone, u32 slot, u32 nr);

/* Slots that a mapping of @bytes needs. */
static inline u32 sluice_bounce_slots(size_t bytes)
{
	return (bytes + SLUICE_BOUNCE_SLOT - 1) >> SLUICE_BOUNCE_SHIFT;
}

static inline bool sluice_bounce_owns(const struct sluice_bounce_zone *zone, u64 off)
{
	u64 slot = off >> SLUICE_BOUNCE_SHIFT;

	return slot >= zone->first && slot < zone->first + zone->nr;
}

#endif /* SLUICE_BOUNCE_H */
