// SPDX-License-Identifier: GPL-2.0
/*
 * Bounce slots: division of the control area and the bitmap allocator.
 * Pure code; map.c does the copying.
 */
#include "bounce.h"

/* Less than this per pair feeds no ring of SLUICE_BOUNCE_RING_MIN. */
#define PAIR_MIN_SLOTS	112u
/* What a full ring of the stock driver's largest buffers takes. */
#define RX_SLOTS(ring)	((ring) * 9 / 4)
/* The rings' part of a pair's share at most: with a region there are few bounced frames. */
#define RINGS_PART	8u

static u32 ring_slots_of(u32 ring)
{
	u32 bytes = vring_size(ring, SLUICE_SHADOW_ALIGN);

	/* whole pages of the layout: none holds two queues */
	return DIV_ROUND_UP(bytes, SLUICE_SHM_PAGE) * (SLUICE_SHM_PAGE / SLUICE_BOUNCE_SLOT);
}

int sluice_bounce_plan(struct sluice_bounce_plan *plan, u32 ctrl_bytes, u32 pairs,
		       u32 max_ring, bool region)
{
	u32 total, share, ring, rest;

	if (ctrl_bytes < SLUICE_SHM_CTRL_MIN || ctrl_bytes > SLUICE_SHM_CTRL_MAX)
		return -EINVAL;
	if (!pairs || max_ring < SLUICE_BOUNCE_RING_MIN)
		return -EINVAL;
	total = (ctrl_bytes - SLUICE_SHM_AREA_OFF) >> SLUICE_BOUNCE_SHIFT;
	if (pairs > SLUICE_SHM_MAX_PAIRS)
		pairs = SLUICE_SHM_MAX_PAIRS;
	while (pairs > 1 && total / pairs < PAIR_MIN_SLOTS)
		pairs--;
	share = total / pairs;

	/*
	 * A receive buffer of the stock driver is one slot and grows to two
	 * (mergeable buffers of up to a page; the last one that is cut from a 32 KiB
	 * fragment gets the rest, up to four), and the driver posts as many as the
	 * ring holds: the quota must hold the ring, and be little more than half
	 * of the share. With data segments only the ring's own memory counts.
	 */
	ring = SLUICE_BOUNCE_RING_MAX;
	while (ring > SLUICE_BOUNCE_RING_MIN &&
	       (ring > max_ring || (region ? 2 * ring_slots_of(ring) > share / RINGS_PART :
				    RX_SLOTS(ring) > share * 6 / 10)))
		ring /= 2;

	plan->pairs = pairs;
	plan->ring = ring;
	plan->first = SLUICE_SHM_AREA_OFF >> SLUICE_BOUNCE_SHIFT;
	plan->ring_chunk = ring_slots_of(ring);
	plan->ring_slots = 2 * pairs * plan->ring_chunk;
	rest = total - plan->ring_slots;
	plan->rx_slots = region ? rest / 2 : RX_SLOTS(ring) * pairs;
	if (plan->rx_slots > rest - rest / 4)
		plan->rx_slots = rest - rest / 4;
	plan->tx_slots = rest - plan->rx_slots;
	return 0;
}

void sluice_bounce_zone_init(struct sluice_bounce_zone *zone, u32 first, u32 nr)
{
	memset(zone, 0, sizeof(*zone));
	zone->first = first;
	zone->nr = nr;
}

/*
 * First run of @nr free slots in [@start, @end), relative numbers, or @end.
 * No run crosses a window slot's edge.
 */
static u32 find_run(const struct sluice_bounce_zone *zone, u32 start, u32 end, u32 nr)
{
	u32 i = start, last, room, busy;

	while (i < end) {
		i = find_next_zero_bit(zone->taken, end, i);
		last = i + nr;
		if (last > end)
			break;
		room = SLUICE_BOUNCE_PER_EDGE - (zone->first + i) % SLUICE_BOUNCE_PER_EDGE;
		if (room < nr) {
			i += room;
			continue;
		}
		busy = find_next_bit(zone->taken, last, i);
		if (busy >= last)
			return i;
		i = busy + 1;
	}
	return end;
}

int sluice_bounce_get(struct sluice_bounce_zone *zone, u32 nr)
{
	u32 i;

	if (!nr || nr > zone->nr || nr > SLUICE_BOUNCE_PER_EDGE)
		goto full;
	/* next fit: a queue frees in the order in which it took, mostly */
	i = find_run(zone, zone->hint, zone->nr, nr);
	if (i == zone->nr)
		i = find_run(zone, 0, zone->nr, nr);
	if (i == zone->nr)
		goto full;
	bitmap_set(zone->taken, i, nr);
	zone->hint = i + nr < zone->nr ? i + nr : 0;
	zone->used += nr;
	if (zone->peak < zone->used)
		zone->peak = zone->used;
	return zone->first + i;
full:
	zone->full++;
	return -ENOSPC;
}

void sluice_bounce_put(struct sluice_bounce_zone *zone, u32 slot, u32 nr)
{
	bitmap_clear(zone->taken, slot - zone->first, nr);
	zone->used -= nr;
}
