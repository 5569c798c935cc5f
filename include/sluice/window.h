/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The window: from a window offset to memory, by shift and index.
 *
 * Pure code. A slot is looked up in softirq while another context adds or
 * retires segments: state is read with acquire and written with release, and
 * whoever takes memory away waits for the readers (synchronize_net()) between setting
 * a state that is not readable and touching the memory.
 */
#ifndef SLUICE_WINDOW_H
#define SLUICE_WINDOW_H

#include <sluice/os.h>
#include <uapi/linux/sluice_shm.h>

/* The life of a segment, in order; see Documentation/design.md. */
enum sluice_segment_state {
	SLUICE_SEGMENT_ABSENT,
	SLUICE_SEGMENT_ALLOCATED,
	SLUICE_SEGMENT_VALIDATED,
	SLUICE_SEGMENT_SHARED,		/* the peer has been told */
	SLUICE_SEGMENT_ACTIVE,
	SLUICE_SEGMENT_RETIRING,	/* no new slots; what is in flight still resolves */
	SLUICE_SEGMENT_DRAINED,		/* frontend: every page is back */
	SLUICE_SEGMENT_QUIESCED,	/* backend: no frame and no device refers to it */
	SLUICE_SEGMENT_REVOKED,
	SLUICE_SEGMENT_QUARANTINED,
	SLUICE_SEGMENT_NR_STATES
};

struct sluice_window_slot {
	void *va;			/* kernel address of its first byte */
	u32 state;			/* enum sluice_segment_state */
	u32 epoch;
};

struct sluice_window {
	u32 nr_slots;			/* control slots included */
	u32 ctrl_slots;
	u32 ctrl_bytes;
	struct sluice_window_slot slot[SLUICE_SHM_MAX_SLOTS];
};

/* May a segment go from one state to the other? */
bool sluice_segment_may(u32 from, u32 to);
const char *sluice_segment_name(u32 state);

/* 0, or -EINVAL if the sizes make no window. Slots of the control segment
 * become ACTIVE with consecutive addresses from @ctrl_va.
 */
int sluice_window_init(struct sluice_window *win, u32 nr_slots, u32 ctrl_bytes,
		       void *ctrl_va);

/* -EINVAL if that step is not allowed; else the state is published. */
int sluice_window_set_state(struct sluice_window *win, u32 slot, u32 state);

/**
 * sluice_window_resolve() - address of a range that the peer named
 * @win: the window
 * @off: window offset, any value
 * @len: bytes, any value; 0 resolves nothing
 *
 * Context: any. Return: the address, or NULL if the range is empty, crosses the
 * edge of a slot, leaves the window or the control segment, or lies in
 * a slot that is neither ACTIVE nor RETIRING nor QUARANTINED.
 */
void *sluice_window_resolve(const struct sluice_window *win, u64 off, u32 len);

/* Like sluice_window_resolve(), but only inside the control segment's area and
 * allowed to cross slots (virtqueue parts): the control segment is contiguous.
 */
void *sluice_window_resolve_area(const struct sluice_window *win, u64 off, u32 len);

static inline u32 sluice_window_slot_of(u64 off)
{
	return off >> SLUICE_SHM_SEGMENT_SHIFT;
}

#endif /* SLUICE_WINDOW_H */
