// SPDX-License-Identifier: GPL-2.0
/*
 * Growing and shrinking the region of a destination.
 *
 * One work item per destination takes every step. It never holds dest->lock while
 * it waits for the guest: the guest's own requests are served meanwhile.
 */
#include <linux/delay.h>
#include <linux/slab.h>
#include "back.h"

#define SLUICE_FAST_MS		10	/* somebody is about to give a segment back */
#define SLUICE_SLOW_MS		1000	/* quarantine */
#define SLUICE_EXIT_MS		1000u	/* a reload does not wait for the guest's sockets */

/* What the session and the operator want now; U32_MAX: leave everything as it is. */
static u32 sluice_segments_wanted(struct sluice_dest *dest)
{
	u32 want = U32_MAX;

	mutex_lock(&dest->lock);
	if (dest->session && !dest->detaching && dest->ch->features & SLUICE_SHM_F_REGION)
		want = dest->quiesce == SLUICE_QUIESCE_STATE_RUNNING ? dest->requested : 0;
	mutex_unlock(&dest->lock);
	return want;
}

static void sluice_segments_shrink(struct sluice_dest *dest, u32 want)
{
	struct sluice_window *win = sluice_win(dest);
	u32 active = sluice_segments_count(dest, SLUICE_SEGMENT_ACTIVE);
	u32 slot;

	for (slot = win->nr_slots; active > want && slot-- > win->ctrl_slots;) {
		if (sluice_segment_state(dest, slot) != SLUICE_SEGMENT_ACTIVE)
			continue;
		sluice_segment_retire(dest, slot, true);
		active--;
	}
}

/*
 * First slot from @from on without a segment, or nr_slots. @leaving: memory of other
 * segments comes back soon.
 */
static u32 sluice_segments_vacant(struct sluice_dest *dest, u32 from, bool *leaving)
{
	struct sluice_window *win = sluice_win(dest);
	u32 slot, state, vacant = win->nr_slots;

	*leaving = false;
	for (slot = win->ctrl_slots; slot < win->nr_slots; slot++) {
		state = sluice_segment_state(dest, slot);
		if (state == SLUICE_SEGMENT_ABSENT)
			vacant = slot < from ? vacant : min(vacant, slot);
		else if (state != SLUICE_SEGMENT_ACTIVE && state != SLUICE_SEGMENT_QUARANTINED)
			*leaving = true;
	}
	return vacant;
}

/* A guest that gives nothing back shall not make the driver domain lose ever more. */
static bool sluice_quarantine_full(struct sluice_dest *dest, char *text, size_t text_bytes)
{
	u32 own = sluice_segments_count(dest, SLUICE_SEGMENT_QUARANTINED);
	u32 all = atomic_read(&sluice_nr_quarantined);

	if (!own || all < sluice_quarantine_max())
		return false;
	snprintf(text, text_bytes,
		 "%u MiB are in quarantine, %u of them because of this guest: no more until they are back",
		 all * (SLUICE_SHM_SEGMENT_BYTES >> 20), own * (SLUICE_SHM_SEGMENT_BYTES >> 20));
	return true;
}

/* Return: 0, -EAGAIN to try again when memory on its way out is back, or why not. */
static int sluice_segments_grow(struct sluice_dest *dest, char *text, size_t text_bytes)
{
	u32 slot, from = 0;
	bool leaving;
	int err;

	while (sluice_segments_count(dest, SLUICE_SEGMENT_ACTIVE) < sluice_segments_wanted(dest)) {
		if (sluice_segments_wanted(dest) == U32_MAX)
			return 0;
		if (sluice_quarantine_full(dest, text, text_bytes))
			return -EDQUOT;
		slot = sluice_segments_vacant(dest, from, &leaving);
		if (slot == sluice_win(dest)->nr_slots) {
			snprintf(text, text_bytes,
				 "the window is full: segments that the guest or its sockets still hold fill its rest");
			return leaving ? -EAGAIN : -ENOSPC;
		}
		err = sluice_segment_add(dest, slot, text, text_bytes);
		/* the guest still holds pages of this slot's earlier life: another slot */
		if (err == -EBUSY) {
			from = slot + 1;
			continue;
		}
		/* what still leaves counts against the provider's memory and quota */
		if (leaving && (err == -ENOMEM || err == -EDQUOT))
			return -EAGAIN;
		if (err)
			return err;
	}
	return 0;
}

/* Tell how it ended, once. */
static void sluice_resize_end(struct sluice_dest *dest, const char *refused)
{
	bool was;

	mutex_lock(&dest->lock);
	was = dest->resizing;
	dest->resizing = false;
	if (refused) {
		dest->gave_up = true;
		strscpy(dest->refused, refused, sizeof(dest->refused));
	}
	mutex_unlock(&dest->lock);
	if (!was)
		return;
	if (refused && net_ratelimit())
		netdev_warn(dest->dev, "region stays at %llu MiB: %s\n",
			    sluice_segments_plugged(dest) >> 20, refused);
	sluice_event(dest, refused ? SLUICE_EVENT_TYPE_RESIZE_REFUSED :
		     SLUICE_EVENT_TYPE_RESIZE_DONE, refused);
}

static void sluice_resize_work(struct work_struct *work)
{
	struct sluice_dest *dest = container_of(to_delayed_work(work), struct sluice_dest,
						resize_work);
	char text[SLUICE_TEXT_BYTES] = "";
	enum sluice_step step;
	bool gave_up;
	u32 want;
	int err = 0;

	want = sluice_segments_wanted(dest);
	if (want != U32_MAX)
		sluice_segments_shrink(dest, want);
	step = sluice_segments_drain(dest);

	mutex_lock(&dest->lock);
	gave_up = dest->gave_up;
	mutex_unlock(&dest->lock);
	if (want != U32_MAX && !gave_up)
		err = sluice_segments_grow(dest, text, sizeof(text));

	if (err && err != -EAGAIN && err != -ENOLINK)
		sluice_resize_end(dest, text);
	/* also what a refused SEGMENT_ADD has just sent on its way out */
	if (err == -EAGAIN || atomic_read(&dest->nr_retiring))
		step = SLUICE_STEP_FAST;
	else if (!err && want != U32_MAX && step != SLUICE_STEP_FAST &&
		 want == sluice_segments_wanted(dest))
		sluice_resize_end(dest, NULL);

	sluice_quiesce_look(dest);

	mutex_lock(&dest->lock);
	if (!dest->detaching && step != SLUICE_STEP_NONE)
		queue_delayed_work(system_unbound_wq, &dest->resize_work,
				   msecs_to_jiffies(step == SLUICE_STEP_FAST ?
						    SLUICE_FAST_MS : SLUICE_SLOW_MS));
	mutex_unlock(&dest->lock);
}

/* The work shall look at what is wanted; dest->lock held. */
void sluice_resize_kick(struct sluice_dest *dest)
{
	lockdep_assert_held(&dest->lock);
	if (!dest->detaching)
		mod_delayed_work(system_unbound_wq, &dest->resize_work, 0);
}

/**
 * sluice_segments_retired() - the guest says that it has unmapped a segment
 * @dest: the destination
 * @msg: its message, private copy
 */
void sluice_segments_retired(struct sluice_dest *dest, const struct sluice_msg_segment *msg)
{
	struct sluice_window *win = sluice_win(dest);
	u32 slot = le32_to_cpu(msg->slot), state;
	bool bad = true;

	mutex_lock(&dest->lock);
	if (slot >= win->ctrl_slots && slot < win->nr_slots) {
		state = sluice_segment_state(dest, slot);
		/* the epoch stops a late word about an earlier life of the slot */
		if ((state == SLUICE_SEGMENT_RETIRING || state == SLUICE_SEGMENT_QUARANTINED) &&
		    le32_to_cpu(msg->epoch) == win->slot[slot].epoch &&
		    !dest->segment[slot].retired) {
			dest->segment[slot].retired = true;
			bad = false;
		}
	}
	sluice_resize_kick(dest);
	mutex_unlock(&dest->lock);
	if (bad)
		sluice_dest_break(dest, "SEGMENT_RETIRED for a segment that does not retire");
}

static bool sluice_bounce_only(struct sluice_dest *dest)
{
	return dest->session && !(dest->ch->features & SLUICE_SHM_F_REGION);
}

/**
 * sluice_limit() - how large the region of a destination may become now
 * @dest: the destination
 * @why: set to what keeps it below the window, if something does
 *
 * Return: bytes of data segments.
 */
u64 sluice_limit(struct sluice_dest *dest, const char **why)
{
	u64 limit = (u64)sluice_data_slots(dest) << SLUICE_SHM_SEGMENT_SHIFT;

	*why = NULL;
	if (sluice_bounce_only(dest)) {
		*why = "the guest uses bounce memory only; load sluice_front driver=front there";
		return 0;
	}
	if (dest->ch->ops->limit)
		limit = min(limit, dest->ch->ops->limit(dest->ch, why));
	return limit;
}

/**
 * sluice_dest_resize() - ask for another size of the region
 * @dest: the destination, dest->lock held
 * @bytes: of all data segments
 * @extack: why not
 *
 * Returns when the request is known to be possible; an event tells the end. Without
 * a guest it is kept until one comes.
 *
 * Return: 0, -EINVAL, -ERANGE (window), -EDQUOT (provider), -EBUSY, -ENODEV,
 * -EOPNOTSUPP (the guest's driver knows no regions).
 */
int sluice_dest_resize(struct sluice_dest *dest, u64 bytes, struct netlink_ext_ack *extack)
{
	u64 limit = (u64)sluice_data_slots(dest) << SLUICE_SHM_SEGMENT_SHIFT;
	const char *why;

	lockdep_assert_held(&dest->lock);
	if (dest->detaching) {
		sluice_extack(extack, "%s is going away", dest->name);
		return -ENODEV;
	}
	if (dest->quiesce != SLUICE_QUIESCE_STATE_RUNNING) {
		sluice_extack(extack, "%s is %s; resume it first", dest->name,
			      dest->quiesce == SLUICE_QUIESCE_STATE_QUIESCED ?
			      "quiesced" : "quiescing");
		return -EBUSY;
	}
	if (bytes & (SLUICE_SHM_SEGMENT_BYTES - 1)) {
		sluice_extack(extack, "size must be a multiple of %u MiB; next are %lluM and %lluM",
			      SLUICE_SHM_SEGMENT_BYTES >> 20,
			      (bytes >> SLUICE_SHM_SEGMENT_SHIFT) * 2,
			      ((bytes >> SLUICE_SHM_SEGMENT_SHIFT) + 1) * 2);
		return -EINVAL;
	}
	if (bytes > limit) {
		sluice_extack(extack, "%lluM does not fit into the window of %s: at most %lluM",
			      bytes >> 20, dest->name, limit >> 20);
		return -ERANGE;
	}
	limit = sluice_limit(dest, &why);
	if (bytes > limit) {
		sluice_extack(extack, "%lluM refused, at most %lluM: %s", bytes >> 20,
			      limit >> 20, why ?: "provider's limit");
		return sluice_bounce_only(dest) ? -EOPNOTSUPP : -EDQUOT;
	}
	if (dest->resizing) {
		sluice_extack(extack, "a resize of %s to %uM is under way, wait for its end",
			      dest->name, dest->requested * 2);
		return -EBUSY;
	}

	dest->requested = bytes >> SLUICE_SHM_SEGMENT_SHIFT;
	dest->gave_up = false;
	dest->refused[0] = 0;
	dest->resizing = dest->session && dest->ch->features & SLUICE_SHM_F_REGION;
	if (dest->resizing)
		sluice_resize_kick(dest);
	return 0;
}

/**
 * sluice_segments_init() - a destination without segments
 * @dest: with its channel
 *
 * Return: 0 or -ENOMEM.
 */
int sluice_segments_init(struct sluice_dest *dest)
{
	u64 want = dest->ch->want_bytes;

	dest->segment = kvcalloc(sluice_win(dest)->nr_slots, sizeof(*dest->segment), GFP_KERNEL);
	if (!dest->segment)
		return -ENOMEM;
	INIT_DELAYED_WORK(&dest->resize_work, sluice_resize_work);
	dest->drain_ms = SLUICE_DRAIN_DEFAULT_MS;
	if (want == U64_MAX)
		want = (u64)sluice_default_size_mb << 20;
	dest->requested = min_t(u64, want >> SLUICE_SHM_SEGMENT_SHIFT, sluice_data_slots(dest));
	return 0;
}

/* A session begins: what the operator asked for is made again. */
void sluice_segments_up(struct sluice_dest *dest)
{
	mutex_lock(&dest->lock);
	dest->gave_up = false;
	dest->refused[0] = 0;
	dest->resizing = dest->requested && dest->ch->features & SLUICE_SHM_F_REGION &&
			 dest->quiesce == SLUICE_QUIESCE_STATE_RUNNING;
	sluice_resize_kick(dest);
	mutex_unlock(&dest->lock);
}

/* It ended, no queue runs: whatever the guest had mapped, it has no more business with. */
void sluice_segments_down(struct sluice_dest *dest)
{
	struct sluice_window *win = sluice_win(dest);
	u32 slot;

	/* a request that waits for the guest fails at once: the session is over */
	cancel_delayed_work_sync(&dest->resize_work);

	for (slot = win->ctrl_slots; slot < win->nr_slots; slot++) {
		switch (sluice_segment_state(dest, slot)) {
		case SLUICE_SEGMENT_SHARED:
		case SLUICE_SEGMENT_ACTIVE:
			sluice_segment_retire(dest, slot, false);
			break;
		case SLUICE_SEGMENT_RETIRING:
		case SLUICE_SEGMENT_QUARANTINED:
			/* the next session's guest knows nothing of it */
			dest->segment[slot].told = true;
			dest->segment[slot].retired = true;
			break;
		}
	}
	mutex_lock(&dest->lock);
	dest->resizing = false;
	sluice_resize_kick(dest);
	mutex_unlock(&dest->lock);
}

/*
 * The channel goes. Frames on their way out get the time they need; what then still
 * is not confirmed back is left to the provider to leak safely.
 */
void sluice_segments_exit(struct sluice_dest *dest)
{
	struct sluice_window *win = sluice_win(dest);
	unsigned long end = jiffies + msecs_to_jiffies(min(dest->drain_ms, SLUICE_EXIT_MS));
	u32 slot, state;

	cancel_delayed_work_sync(&dest->resize_work);
	while (sluice_segments_drain(dest) != SLUICE_STEP_NONE && time_before(jiffies, end))
		msleep(SLUICE_FAST_MS);

	for (slot = win->ctrl_slots; slot < win->nr_slots; slot++) {
		state = sluice_segment_state(dest, slot);
		if (state == SLUICE_SEGMENT_ABSENT)
			continue;
		if (state == SLUICE_SEGMENT_QUARANTINED)
			atomic_dec(&sluice_nr_quarantined);
		netdev_warn(dest->dev, "segment %u: %s while the channel goes; its memory is left to %s\n",
			    slot, sluice_segment_name(state), dest->ch->ops->name);
		dest->ch->ops->segment_free(dest->ch, slot);
	}
	kvfree(dest->segment);
	dest->segment = NULL;
}
