// SPDX-License-Identifier: GPL-2.0
/*
 * The window: segment states, and from a window offset to memory.
 */
#include <sluice/window.h>

#define TO(state)	BIT(SLUICE_SEGMENT_##state)

/*
 * Which steps a segment may take, for both sides in one table. Memory that the
 * peer may still touch (SHARED to QUIESCED) never becomes ABSENT on a backend
 * without REVOKED; a frontend, whose memory it is not, goes to ABSENT as soon as
 * it has unmapped.
 */
static const u16 sluice_segment_steps[SLUICE_SEGMENT_NR_STATES] = {
	/* a backend allocates; a frontend is told of memory that is shared already */
	[SLUICE_SEGMENT_ABSENT] = TO(ALLOCATED) | TO(SHARED) | TO(QUARANTINED),
	[SLUICE_SEGMENT_ALLOCATED] = TO(VALIDATED) | TO(ABSENT),
	/* sharing may fail half-way, and what was shared then cannot be taken back */
	[SLUICE_SEGMENT_VALIDATED] = TO(SHARED) | TO(ABSENT) | TO(QUARANTINED),
	/* the peer refuses it, or goes away before it answers */
	[SLUICE_SEGMENT_SHARED] = TO(ACTIVE) | TO(RETIRING) | TO(QUIESCED) | TO(REVOKED) |
				  TO(QUARANTINED),
	[SLUICE_SEGMENT_ACTIVE] = TO(RETIRING),
	/* ABSENT: a frontend whose session ended has nobody to tell DRAINED */
	[SLUICE_SEGMENT_RETIRING] = TO(DRAINED) | TO(QUIESCED) | TO(ABSENT) | TO(QUARANTINED),
	[SLUICE_SEGMENT_DRAINED] = TO(QUIESCED) | TO(ABSENT) | TO(QUARANTINED),
	[SLUICE_SEGMENT_QUIESCED] = TO(REVOKED) | TO(QUARANTINED),
	[SLUICE_SEGMENT_REVOKED] = TO(ABSENT) | TO(QUARANTINED),
	/* SHARED: a frontend gets the same memory again while it holds some pages */
	[SLUICE_SEGMENT_QUARANTINED] = TO(DRAINED) | TO(QUIESCED) | TO(REVOKED) |
				       TO(ABSENT) | TO(SHARED),
};

static const char * const sluice_segment_names[SLUICE_SEGMENT_NR_STATES] = {
	[SLUICE_SEGMENT_ABSENT] = "absent",
	[SLUICE_SEGMENT_ALLOCATED] = "allocated",
	[SLUICE_SEGMENT_VALIDATED] = "validated",
	[SLUICE_SEGMENT_SHARED] = "shared",
	[SLUICE_SEGMENT_ACTIVE] = "active",
	[SLUICE_SEGMENT_RETIRING] = "retiring",
	[SLUICE_SEGMENT_DRAINED] = "drained",
	[SLUICE_SEGMENT_QUIESCED] = "quiesced",
	[SLUICE_SEGMENT_REVOKED] = "revoked",
	[SLUICE_SEGMENT_QUARANTINED] = "quarantined",
};

/**
 * sluice_segment_may() - may a segment go from one state to the other?
 * @from: enum sluice_segment_state, any value
 * @to: enum sluice_segment_state, any value
 *
 * Context: any. Return: true if it is a step of a segment's life.
 */
bool sluice_segment_may(u32 from, u32 to)
{
	if (from >= SLUICE_SEGMENT_NR_STATES || to >= SLUICE_SEGMENT_NR_STATES)
		return false;
	return sluice_segment_steps[from] & BIT(to);
}

/**
 * sluice_segment_name() - a state's name for a person
 * @state: enum sluice_segment_state, any value
 *
 * Context: any. Return: a constant string, never NULL.
 */
const char *sluice_segment_name(u32 state)
{
	if (state >= SLUICE_SEGMENT_NR_STATES)
		return "unknown";
	return sluice_segment_names[state];
}

/**
 * sluice_window_init() - an empty window, but for its control segment
 * @win: filled in
 * @nr_slots: length in slots, control slots included
 * @ctrl_bytes: bytes of the control segment
 * @ctrl_va: where it is mapped, virtually contiguous
 *
 * Context: nobody else may use @win yet. Return: 0, or -EINVAL if these sizes
 * make no window; @win is untouched then.
 */
int sluice_window_init(struct sluice_window *win, u32 nr_slots, u32 ctrl_bytes,
		       void *ctrl_va)
{
	u32 ctrl_slots, i;

	if (!ctrl_va || ctrl_bytes < SLUICE_SHM_CTRL_MIN || ctrl_bytes > SLUICE_SHM_CTRL_MAX ||
	    ctrl_bytes % SLUICE_SHM_PAGE)
		return -EINVAL;
	ctrl_slots = DIV_ROUND_UP(ctrl_bytes, SLUICE_SHM_SEGMENT_BYTES);
	if (nr_slots < ctrl_slots || nr_slots > SLUICE_SHM_MAX_SLOTS)
		return -EINVAL;

	memset(win, 0, sizeof(*win));
	win->nr_slots = nr_slots;
	win->ctrl_slots = ctrl_slots;
	win->ctrl_bytes = ctrl_bytes;
	for (i = 0; i < ctrl_slots; i++) {
		win->slot[i].va = (u8 *)ctrl_va + (size_t)i * SLUICE_SHM_SEGMENT_BYTES;
		win->slot[i].state = SLUICE_SEGMENT_ACTIVE;
	}
	return 0;
}

/**
 * sluice_window_set_state() - take a segment one step further
 * @win: the window
 * @slot: its window slot; the control segment's state never changes
 * @state: the next state
 *
 * What the caller wrote before (the slot's address) is visible to whoever sees the
 * state. The caller serialises the steps of one slot.
 *
 * Return: 0, or -EINVAL if that step is not allowed.
 */
int sluice_window_set_state(struct sluice_window *win, u32 slot, u32 state)
{
	if (slot < win->ctrl_slots || slot >= win->nr_slots)
		return -EINVAL;
	if (!sluice_segment_may(win->slot[slot].state, state))
		return -EINVAL;
	/* pairs with the acquire in sluice_window_resolve() */
	smp_store_release(&win->slot[slot].state, state);
	return 0;
}

void *sluice_window_resolve(const struct sluice_window *win, u64 off, u32 len)
{
	u64 slot = off >> SLUICE_SHM_SEGMENT_SHIFT;
	u32 in = off & (SLUICE_SHM_SEGMENT_BYTES - 1);
	const struct sluice_window_slot *ws;
	u32 state;
	u8 *va;

	/* an offset that leaves the window would index past slot[] */
	if (slot >= win->nr_slots)
		return NULL;
	/* a range that crosses the edge would reach whatever is mapped behind the slot */
	if (!len || len > SLUICE_SHM_SEGMENT_BYTES - in)
		return NULL;
	if (slot < win->ctrl_slots) {
		/* headers, side records and message rings are not buffers, and
		 * memory past ctrl_bytes may not exist
		 */
		if (off < SLUICE_SHM_AREA_OFF || off + len > win->ctrl_bytes)
			return NULL;
	}
	/* the peer chose slot: no speculative look past the table either */
	ws = &win->slot[array_index_nospec(slot, win->nr_slots)];
	/* pairs with the release in sluice_window_set_state() */
	state = smp_load_acquire(&ws->state);
	/*
	 * A segment that has left, or has not arrived, may have no memory behind it. A
	 * quarantined one has: what the guest posted before it heard of the end is valid.
	 */
	if (state != SLUICE_SEGMENT_ACTIVE && state != SLUICE_SEGMENT_RETIRING &&
	    state != SLUICE_SEGMENT_QUARANTINED)
		return NULL;
	va = READ_ONCE(ws->va);
	return va ? va + in : NULL;
}

/**
 * sluice_window_resolve_area() - address of a range inside the control area
 * @win: the window
 * @off: window offset, any value
 * @len: bytes, any value; 0 resolves nothing
 *
 * Context: any. Return: the address, or NULL if any byte of the range is
 * not in the control segment behind the pages of the two sides.
 */
void *sluice_window_resolve_area(const struct sluice_window *win, u64 off, u32 len)
{
	/* off and len are the peer's: compare without adding, a sum may wrap */
	if (!len || off < SLUICE_SHM_AREA_OFF || off >= win->ctrl_bytes ||
	    len > win->ctrl_bytes - off)
		return NULL;
	return (u8 *)win->slot[0].va + off;
}
