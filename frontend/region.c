// SPDX-License-Identifier: GPL-2.0
/*
 * Data segments of the frontend: they come with SEGMENT_ADD, go with
 * SEGMENT_RETIRE, and outlive a session while the network stack holds pages.
 *
 *	NONE --ADD--> ACTIVE --RETIRE--> RETIRING --every page home--> NONE
 *	                 \                  /             (SEGMENT_RETIRED is sent)
 *	                  session down
 *	                       \
 *	                      ORPHAN --every page home--> NONE   (nobody is told)
 *	                         \--ADD, same memory----> ACTIVE (held pages count as busy)
 *
 * Pages come home by themselves: posted buffers because the backend returns
 * those of a retiring segment unused, transmitted ones when the backend is done,
 * received ones when the last reader drops them. The last takes as long as the
 * reader likes, so it is polled with a growing interval; the backend
 * quarantines the segment if it runs out of patience. (What the kernel puts off for the
 * processor that received it, skb_attempt_defer_free(), is let go when that one polls: it does
 * for the posted buffers that come back.)
 */
#include <linux/slab.h>
#include <trace/events/sluice.h>
#include "front.h"
#include "slots.h"

#define POLL_MIN_MS	4
#define POLL_MAX_MS	500
#define EXIT_WAIT_MS	3000

enum life {
	LIFE_NONE,
	LIFE_ACTIVE,
	LIFE_RETIRING,
	LIFE_ORPHAN,
	LIFE_STUCK,		/* the provider could not unmap it: never touched again */
};

struct segment {
	u32 epoch;		/* last one seen in this session */
	u32 life;
};

/**
 * struct sluice_region - data segments of one channel
 * @f: the frontend
 * @lock: all below; may sleep
 * @poll: looks after segments on their way out
 * @interval_ms: until the next look
 * @seg: by window slot
 */
struct sluice_region {
	struct sluice_front *f;
	struct mutex lock;		/* all below */
	struct delayed_work poll;
	unsigned int interval_ms;
	struct segment seg[SLUICE_SHM_MAX_SLOTS];
};

static void poll_soon(struct sluice_region *r)
{
	r->interval_ms = POLL_MIN_MS;
	mod_delayed_work(system_wq, &r->poll, msecs_to_jiffies(r->interval_ms));
}

static struct sluice_window_slot *window_slot(struct sluice_region *r, unsigned int slot)
{
	return &r->f->ch->window.slot[slot];
}

/* The frontend's part of a segment's life in the words of sluice/window.h. */
static void set_state(struct sluice_region *r, unsigned int slot, u32 state)
{
	trace_sluice_segment(dev_name(&r->f->dev), slot, sluice_segment_name(state));
	if (sluice_window_set_state(&r->f->ch->window, slot, state))
		dev_dbg(&r->f->dev, "segment %u: no way to state %s\n", slot,
			sluice_segment_name(state));
}

/* Every page is home or given up on: take the segment out of the tables. */
static void forget(struct sluice_region *r, unsigned int slot)
{
	if (r->seg[slot].life == LIFE_RETIRING)
		sluice_map_del_segment(r->f, slot);
	sluice_slots_del(r->f->slots, slot);
}

static void tell_retired(struct sluice_region *r, unsigned int slot)
{
	struct sluice_msg msg = {
		.msg_id = SLUICE_MSG_SEGMENT_RETIRED,
		.segment.slot = cpu_to_le32(slot),
		.segment.epoch = cpu_to_le32(r->seg[slot].epoch),
	};
	int err = sluice_channel_send(r->f->ch, &msg);

	/* a session that ended meanwhile has freed the backend of waiting */
	if (err && err != -ENOLINK)
		sluice_channel_break(r->f->ch, "backend does not read its messages");
}

/* True if the segment is gone. */
static bool try_finish(struct sluice_region *r, unsigned int slot)
{
	bool tell = r->seg[slot].life == LIFE_RETIRING;
	struct sluice_channel *ch = r->f->ch;
	int err;

	if (sluice_slots_missing(r->f->slots, slot))
		return false;
	set_state(r, slot, SLUICE_SEGMENT_DRAINED);
	forget(r, slot);
	err = ch->ops->segment_unmap(ch, slot);
	if (err) {
		dev_warn(&r->f->dev, "segment %u: %s cannot unmap it (%d); kept\n", slot,
			 ch->ops->name, err);
		r->seg[slot].life = LIFE_STUCK;
		set_state(r, slot, SLUICE_SEGMENT_QUARANTINED);
		return true;
	}
	r->seg[slot].life = LIFE_NONE;
	window_slot(r, slot)->va = NULL;
	set_state(r, slot, SLUICE_SEGMENT_ABSENT);
	if (tell)
		tell_retired(r, slot);
	return true;
}

/* How many segments are still on their way out. */
static unsigned int finish_all(struct sluice_region *r)
{
	unsigned int slot, left = 0;

	for (slot = 0; slot < SLUICE_SHM_MAX_SLOTS; slot++)
		if ((r->seg[slot].life == LIFE_RETIRING || r->seg[slot].life == LIFE_ORPHAN) &&
		    !try_finish(r, slot))
			left++;
	return left;
}

static void region_poll(struct work_struct *work)
{
	struct sluice_region *r = container_of(to_delayed_work(work), struct sluice_region, poll);

	mutex_lock(&r->lock);
	if (finish_all(r)) {
		r->interval_ms = min_t(unsigned int, 2 * r->interval_ms, POLL_MAX_MS);
		schedule_delayed_work(&r->poll, msecs_to_jiffies(r->interval_ms));
	}
	mutex_unlock(&r->lock);
}

/* First life of this memory, as far as this side knows. */
static u32 add_fresh(struct sluice_region *r, unsigned int slot, u64 handle)
{
	struct sluice_channel *ch = r->f->ch;
	int err;

	err = ch->ops->segment_map(ch, slot, handle);
	if (err) {
		dev_warn_ratelimited(&r->f->dev, "segment %u: %s cannot map it (%d)\n", slot,
				     ch->ops->name, err);
		return err == -ENOMEM ? SLUICE_ENOMEM : SLUICE_EIO;
	}
	err = sluice_map_add_segment(r->f, slot);
	if (err)
		goto err_unmap;
	err = sluice_slots_add(r->f->slots, slot, window_slot(r, slot)->va);
	if (err)
		goto err_map;
	return SLUICE_OK;

err_map:
	sluice_map_del_segment(r->f, slot);
err_unmap:
	dev_warn_ratelimited(&r->f->dev, "segment %u: not usable (%d)\n", slot, err);
	if (ch->ops->segment_unmap(ch, slot)) {
		r->seg[slot].life = LIFE_STUCK;
		set_state(r, slot, SLUICE_SEGMENT_SHARED);
		set_state(r, slot, SLUICE_SEGMENT_RETIRING);
		set_state(r, slot, SLUICE_SEGMENT_QUARANTINED);
	} else {
		window_slot(r, slot)->va = NULL;
	}
	return err == -ENOMEM ? SLUICE_ENOMEM : SLUICE_EIO;
}

/*
 * The stack still holds pages of the slot's earlier life. A provider whose slot
 * always is the same memory (ivshmem) maps it to the same address, and those
 * pages just are busy; any other refuses, and the backend has to take another
 * slot or try again.
 */
static u32 add_again(struct sluice_region *r, unsigned int slot, u64 handle)
{
	struct sluice_window_slot *ws = window_slot(r, slot);
	struct sluice_channel *ch = r->f->ch;
	void *va = ws->va;

	if (ch->ops->segment_map(ch, slot, handle))
		return SLUICE_ESTATE;
	if (ws->va != va) {
		ch->ops->segment_unmap(ch, slot);
		ws->va = va;
		return SLUICE_ESTATE;
	}
	if (sluice_map_add_segment(r->f, slot))
		return SLUICE_ENOMEM;
	sluice_slots_revive(r->f->slots, slot);
	return SLUICE_OK;
}

static u32 segment_add(struct sluice_region *r, u32 slot, u32 epoch, u64 handle)
{
	struct sluice_window *win = &r->f->ch->window;
	u32 status;

	/* a slot of the control segment would let the backend pull the rings away */
	if (slot < win->ctrl_slots || slot >= win->nr_slots || slot >= SLUICE_SHM_MAX_SLOTS)
		return SLUICE_EINVAL;
	/* a reused epoch would let an old RETIRED end a new life */
	if (!epoch || epoch == r->seg[slot].epoch)
		return SLUICE_EINVAL;
	if (r->seg[slot].life == LIFE_ACTIVE || r->seg[slot].life == LIFE_RETIRING)
		return SLUICE_ESTATE;
	r->seg[slot].epoch = epoch;
	switch (r->seg[slot].life) {
	case LIFE_NONE:
		status = add_fresh(r, slot, handle);
		break;
	case LIFE_ORPHAN:
		if (try_finish(r, slot)) {
			if (r->seg[slot].life != LIFE_NONE)
				return SLUICE_EIO;
			status = add_fresh(r, slot, handle);
		} else {
			status = add_again(r, slot, handle);
		}
		break;
	default:
		return SLUICE_ESTATE;
	}
	if (status != SLUICE_OK)
		return status;
	r->seg[slot].life = LIFE_ACTIVE;
	window_slot(r, slot)->epoch = epoch;
	set_state(r, slot, SLUICE_SEGMENT_SHARED);
	set_state(r, slot, SLUICE_SEGMENT_ACTIVE);
	return SLUICE_OK;
}

static void segment_retire(struct sluice_region *r, u32 slot, u32 epoch)
{
	if (slot >= SLUICE_SHM_MAX_SLOTS || !epoch || r->seg[slot].epoch != epoch) {
		sluice_channel_break(r->f->ch, "backend retires a segment that it never added");
		return;
	}
	/* a backend that did not wait for our refusal of the ADD */
	if (r->seg[slot].life != LIFE_ACTIVE && r->seg[slot].life != LIFE_RETIRING) {
		tell_retired(r, slot);
		return;
	}
	if (r->seg[slot].life == LIFE_ACTIVE) {
		sluice_slots_retire(r->f->slots, slot);
		r->seg[slot].life = LIFE_RETIRING;
		set_state(r, slot, SLUICE_SEGMENT_RETIRING);
	}
	poll_soon(r);
}

void sluice_region_message(struct sluice_front *f, const struct sluice_msg *msg)
{
	struct sluice_region *r = f->region;
	u32 slot = le32_to_cpu(msg->segment.slot);
	u32 epoch = le32_to_cpu(msg->segment.epoch);
	struct sluice_msg resp = { .segment = msg->segment };
	u32 status;

	mutex_lock(&r->lock);
	switch (msg->msg_id) {
	case SLUICE_MSG_SEGMENT_ADD:
		status = segment_add(r, slot, epoch, le64_to_cpu(msg->segment.handle));
		sluice_channel_respond(f->ch, msg, &resp, status);
		break;
	case SLUICE_MSG_SEGMENT_RETIRE:
		segment_retire(r, slot, epoch);
		break;
	}
	mutex_unlock(&r->lock);
}

void sluice_region_down(struct sluice_front *f)
{
	struct sluice_region *r = f->region;
	unsigned int slot;

	mutex_lock(&r->lock);
	for (slot = 0; slot < SLUICE_SHM_MAX_SLOTS; slot++) {
		r->seg[slot].epoch = 0;
		if (r->seg[slot].life != LIFE_ACTIVE && r->seg[slot].life != LIFE_RETIRING)
			continue;
		sluice_slots_retire(f->slots, slot);
		/* the next session's backend does not know these offsets */
		sluice_map_del_segment(f, slot);
		r->seg[slot].life = LIFE_ORPHAN;
		set_state(r, slot, SLUICE_SEGMENT_RETIRING);
		if (!try_finish(r, slot))
			set_state(r, slot, SLUICE_SEGMENT_QUARANTINED);
	}
	poll_soon(r);
	mutex_unlock(&r->lock);
}

int sluice_region_init(struct sluice_front *f)
{
	struct sluice_region *r = kvzalloc(sizeof(*r), GFP_KERNEL);

	if (!r)
		return -ENOMEM;
	f->slots = sluice_slots_alloc();
	if (!f->slots) {
		kvfree(r);
		return -ENOMEM;
	}
	r->f = f;
	mutex_init(&r->lock);
	INIT_DELAYED_WORK(&r->poll, region_poll);
	f->region = r;
	return 0;
}

/* Last call for pages: a mapping that the stack still uses must not go. */
static void give_up(struct sluice_region *r)
{
	unsigned int slot, pages = 0, segments = 0;

	for (slot = 0; slot < SLUICE_SHM_MAX_SLOTS; slot++) {
		if (r->seg[slot].life != LIFE_ORPHAN)
			continue;
		pages += sluice_slots_missing(r->f->slots, slot);
		segments++;
		forget(r, slot);
		set_state(r, slot, SLUICE_SEGMENT_QUARANTINED);
	}
	if (segments)
		dev_warn(&r->f->dev,
			 "%u pages of %u segments are still held by the network stack; they stay mapped. Close the sockets that hold received data\n",
			 pages, segments);
}

void sluice_region_exit(struct sluice_front *f)
{
	unsigned long end = jiffies + msecs_to_jiffies(EXIT_WAIT_MS);
	struct sluice_region *r = f->region;

	if (!r)
		return;
	sluice_region_down(f);
	cancel_delayed_work_sync(&r->poll);
	mutex_lock(&r->lock);
	while (finish_all(r) && time_before(jiffies, end))
		fsleep(POLL_MIN_MS * USEC_PER_MSEC);
	give_up(r);
	mutex_unlock(&r->lock);
	sluice_slots_free(f->slots);
	f->slots = NULL;
	f->region = NULL;
	kvfree(r);
}
