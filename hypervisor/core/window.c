// SPDX-License-Identifier: GPL-2.0
/*
 * The window: which memory stands behind an offset, and in which state.
 */
#include <sluice/window.h>

#define SEGMENT_MASK	(SLUICE_SHM_SEGMENT_BYTES - 1)

/* One bit for each state that may follow. Both sides use the same table: the
 * frontend has no ALLOCATED and no VALIDATED, the backend no DRAINED.
 */
static const u16 may_follow[SLUICE_SEGMENT_NR_STATES] = {
	[SLUICE_SEGMENT_ABSENT] =
		BIT(SLUICE_SEGMENT_ALLOCATED) | BIT(SLUICE_SEGMENT_SHARED),
	[SLUICE_SEGMENT_ALLOCATED] =
		BIT(SLUICE_SEGMENT_VALIDATED) | BIT(SLUICE_SEGMENT_ABSENT),
	[SLUICE_SEGMENT_VALIDATED] =
		BIT(SLUICE_SEGMENT_SHARED) | BIT(SLUICE_SEGMENT_ABSENT),
	/* a peer that refuses it, or dies before it answers, may have mapped it */
	[SLUICE_SEGMENT_SHARED] =
		BIT(SLUICE_SEGMENT_ACTIVE) | BIT(SLUICE_SEGMENT_RETIRING) |
		BIT(SLUICE_SEGMENT_ABSENT),
	[SLUICE_SEGMENT_ACTIVE] =
		BIT(SLUICE_SEGMENT_RETIRING),
	[SLUICE_SEGMENT_RETIRING] =
		BIT(SLUICE_SEGMENT_DRAINED) | BIT(SLUICE_SEGMENT_QUIESCED) |
		BIT(SLUICE_SEGMENT_QUARANTINED),
	[SLUICE_SEGMENT_DRAINED] =
		BIT(SLUICE_SEGMENT_ABSENT) | BIT(SLUICE_SEGMENT_QUARANTINED),
	[SLUICE_SEGMENT_QUIESCED] =
		BIT(SLUICE_SEGMENT_REVOKED) | BIT(SLUICE_SEGMENT_QUARANTINED),
	[SLUICE_SEGMENT_REVOKED] =
		BIT(SLUICE_SEGMENT_ABSENT),
	/* the frames that held it are gone, or the peer is; the frontend may
	 * find the same memory offered again in the next session
	 */
	[SLUICE_SEGMENT_QUARANTINED] =
		BIT(SLUICE_SEGMENT_DRAINED) | BIT(SLUICE_SEGMENT_QUIESCED) |
		BIT(SLUICE_SEGMENT_SHARED) | BIT(SLUICE_SEGMENT_REVOKED) |
		BIT(SLUICE_SEGMENT_ABSENT),
};

static const char * const names[SLUICE_SEGMENT_NR_STATES] = {
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
 * sluice_segment_may() - is this step part of a segment's life?
 * @from: state now
 * @to: state wanted
 *
 * Context: any. Return: true if it is.
 */
bool sluice_segment_may(u32 from, u32 to)
{
	if (from >= SLUICE_SEGMENT_NR_STATES || to >= SLUICE_SEGMENT_NR_STATES)
		return false;
	return may_follow[from] & BIT(to);
}

/**
 * sluice_segment_name() - a state's name for a person
 * @state: any value
 *
 * Context: any. Return: a constant string.
 */
const char *sluice_segment_name(u32 state)
{
	return state < SLUICE_SEGMENT_NR_STATES ? names[state] : "invalid";
}

/**
 * sluice_window_init() - an empty window with its control segment
 * @win: filled in
 * @nr_slots: slots, control segment included
 * @ctrl_bytes: of the control segment
 * @ctrl_va: its address; slots of the control segment are consecutive from there
 *
 * Context: any; nobody resolves in @win meanwhile. Return: 0, or -EINVAL if the
 * sizes make no window.
 */
int sluice_window_init(struct sluice_window *win, u32 nr_slots, u32 ctrl_bytes,
		       void *ctrl_va)
{
	u32 ctrl_slots, i;

	if (!ctrl_va || ctrl_bytes < SLUICE_SHM_CTRL_MIN ||
	    ctrl_bytes > SLUICE_SHM_CTRL_MAX || ctrl_bytes % SLUICE_SHM_PAGE)
		return -EINVAL;
	ctrl_slots = (ctrl_bytes + SEGMENT_MASK) >> SLUICE_SHM_SEGMENT_SHIFT;
	if (nr_slots < ctrl_slots || nr_slots > SLUICE_SHM_MAX_SLOTS)
		return -EINVAL;

	memset(win, 0, sizeof(*win));
	win->nr_slots = nr_slots;
	win->ctrl_slots = ctrl_slots;
	win->ctrl_bytes = ctrl_bytes;
	for (i = 0; i < ctrl_slots; i++) {
		win->slot[i].va = (u8 *)ctrl_va + ((size_t)i << SLUICE_SHM_SEGMENT_SHIFT);
		win->slot[i].state = SLUICE_SEGMENT_ACTIVE;
	}
	return 0;
}

/**
 * sluice_window_set_state() - move a segment to its next state
 * @win: the window
 * @slot: of a data segment
 * @state: wanted state
 *
 * The caller serialises the writers of one slot. va must be set before a state
 * that resolves is published, and stay until readers of the last such state are
 * gone.
 *
 * Context: any. Return: 0, or -EINVAL if there is no such data segment or the
 * step is not part of its life; nothing is changed then.
 */
int sluice_window_set_state(struct sluice_window *win, u32 slot, u32 state)
{
	struct sluice_window_slot *s;

	if (slot < win->ctrl_slots || slot >= win->nr_slots)
		return -EINVAL;
	s = &win->slot[slot];
	if (!sluice_segment_may(READ_ONCE(s->state), state))
		return -EINVAL;
	/* pairs with the acquire in sluice_window_resolve(): va before state */
	smp_store_release(&s->state, state);
	return 0;
}

/**
 * sluice_window_resolve() - address of a range that the peer named
 * @win: the window
 * @off: window offset, any value
 * @len: bytes, any value
 *
 * Stops descriptors that point outside of the window, into the pages of the
 * control protocol, over the edge of a segment or into a retired one.
 *
 * Context: any. Return: the address or NULL.
 */
void *sluice_window_resolve(const struct sluice_window *win, u64 off, u32 len)
{
	u64 index = off >> SLUICE_SHM_SEGMENT_SHIFT;
	u32 at = off & SEGMENT_MASK;
	const struct sluice_window_slot *s;
	u32 state;
	u8 *va;

	if (!len || len > SLUICE_SHM_SEGMENT_BYTES - at || index >= win->nr_slots)
		return NULL;
	if (index < win->ctrl_slots &&
	    (off < SLUICE_SHM_AREA_OFF || off + len > win->ctrl_bytes))
		return NULL;
	s = &win->slot[index];
	/* pairs with the release in sluice_window_set_state() */
	state = smp_load_acquire(&s->state);
	if (state != SLUICE_SEGMENT_ACTIVE && state != SLUICE_SEGMENT_RETIRING)
		return NULL;
	va = READ_ONCE(s->va);
	return va ? va + at : NULL;
}

/**
 * sluice_window_resolve_area() - address of a virtqueue part
 * @win: the window
 * @off: window offset, any value
 * @len: bytes, any value
 *
 * Context: any. Return: the address, or NULL if the range is empty or not wholly
 * inside the control segment's area.
 */
void *sluice_window_resolve_area(const struct sluice_window *win, u64 off, u32 len)
{
	if (!len || off < SLUICE_SHM_AREA_OFF || off >= win->ctrl_bytes ||
	    len > win->ctrl_bytes - off)
		return NULL;
	return (u8 *)win->slot[0].va + off;
}
