// SPDX-License-Identifier: GPL-2.0
/*
 * The frontend's bounce slots: the sizes come from a header that the peer wrote,
 * the order of get and put from the traffic.
 */
#include "fuzz.h"
#include "frontend/bounce.c"

#define MAX_TAKEN	256

static struct sluice_bounce_zone zone;
static u8 owner[SLUICE_BOUNCE_MAX];
static struct {
	u32 slot, nr;
} taken[MAX_TAKEN];
static u32 nr_taken;

enum { PLANNED, REFUSED, GOT, FULL, PUT };
static const char * const names[FUZZ_COUNTERS] = {
	"plan", "no plan", "get", "full", "put",
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	fuzz_names(names);
	return 0;
}

static bool plan(void)
{
	struct sluice_bounce_plan p;
	u8 flags = fuzz_u8();
	u32 ctrl_bytes = flags & 1 ? fuzz_u32() : (u32)fuzz_u16() << 12;
	u32 pairs = flags & 2 ? fuzz_u32() : 1 + (flags >> 5);
	u32 max_ring = flags & 4 ? fuzz_u32() : 16u << (flags >> 5);
	u32 end, ring_slots;

	/* what sluice_header_read() lets through */
	if (ctrl_bytes < SLUICE_SHM_CTRL_MIN || ctrl_bytes > SLUICE_SHM_CTRL_MAX ||
	    ctrl_bytes % SLUICE_SHM_PAGE || !pairs || pairs > SLUICE_SHM_MAX_PAIRS ||
	    max_ring > SLUICE_SHM_MAX_RING || max_ring < 2)
		return false;
	if (sluice_bounce_plan(&p, ctrl_bytes, pairs, max_ring, flags & 8)) {
		REACHED(REFUSED);
		return false;
	}
	REACHED(PLANNED);
	end = ctrl_bytes >> SLUICE_BOUNCE_SHIFT;
	claim(p.pairs >= 1 && p.pairs <= pairs && p.ring <= max_ring && p.ring >= 2);
	claim(p.first >= SLUICE_SHM_AREA_OFF >> SLUICE_BOUNCE_SHIFT);
	claim(p.first + p.ring_slots + p.rx_slots + p.tx_slots <= end);
	claim(p.rx_slots && p.tx_slots && p.ring_chunk);
	ring_slots = p.ring_chunk * 2 * p.pairs;
	claim(p.ring_slots >= ring_slots);
	if (flags & 16)
		sluice_bounce_zone_init(&zone, p.first + p.ring_slots + p.rx_slots, p.tx_slots);
	else
		sluice_bounce_zone_init(&zone, p.first + p.ring_slots, p.rx_slots);
	return true;
}

static void get(u32 nr)
{
	int slot = sluice_bounce_get(&zone, nr);
	u32 i;

	claim(slot >= 0 || slot == -ENOSPC);
	if (slot < 0) {
		REACHED(FULL);
		return;
	}
	REACHED(GOT);
	claim((u32)slot >= zone.first && slot + nr <= zone.first + zone.nr);
	/* never over the edge of a window slot */
	claim(slot / SLUICE_BOUNCE_PER_EDGE == (slot + nr - 1) / SLUICE_BOUNCE_PER_EDGE);
	for (i = 0; i < nr; i++) {
		claim(!owner[slot + i]);
		owner[slot + i] = 1;
	}
	taken[nr_taken].slot = slot;
	taken[nr_taken++].nr = nr;
}

static void put(u32 which)
{
	u32 slot, nr;

	if (!nr_taken)
		return;
	which %= nr_taken;
	slot = taken[which].slot;
	nr = taken[which].nr;
	taken[which] = taken[--nr_taken];
	memset(owner + slot, 0, nr);
	sluice_bounce_put(&zone, slot, nr);
	REACHED(PUT);
}

int LLVMFuzzerTestOneInput(const u8 *input, size_t bytes)
{
	fuzz_data = input;
	fuzz_left = bytes;
	memset(owner, 0, sizeof(owner));
	nr_taken = 0;
	if (!plan())
		return 0;
	while (fuzz_left) {
		u8 op = fuzz_u8();

		if (op & 1 && nr_taken < MAX_TAKEN)
			get(1 + (op >> 1) % 64);
		else
			put(op >> 1);
	}
	while (nr_taken)
		put(0);
	/* all came back */
	claim(zone.used == 0);
	claim(bitmap_weight(zone.taken, SLUICE_BOUNCE_MAX) == 0);
	return 0;
}
