// SPDX-License-Identifier: GPL-2.0
/*
 * Automatic sizing: takes the samples, divides the budget, asks for the sizes. What is
 * wanted is decided in autosize.c.
 *
 * One work item for all destinations, while any is sized automatically. Locks:
 * sluice_dests_lock for the budget and who takes part, dest->lock for each.
 */
#include <linux/slab.h>
#include <net/genetlink.h>
#include <uapi/linux/sluice.h>
#include "back.h"
#include "netlink_gen.h"

#define SLUICE_NO_BUDGET	U64_MAX

static u64 sluice_budget = SLUICE_NO_BUDGET;	/* segments, sluice_dests_lock */

static void sluice_auto_work(struct work_struct *work);
static DECLARE_DELAYED_WORK(sluice_auto_tick, sluice_auto_work);

/* Nothing of its region is in use, until it is resumed or a guest comes that knows regions. */
static bool sluice_auto_idle(struct sluice_dest *dest)
{
	return dest->quiesce != SLUICE_QUIESCE_STATE_RUNNING || !dest->session ||
	       !(dest->ch->features & SLUICE_SHM_F_REGION);
}

static void sluice_auto_sample(struct sluice_dest *dest, struct sluice_auto_sample *s)
{
	struct sluice_totals t;

	sluice_dest_totals(dest, &t);
	s->now_ms = ktime_to_ms(ktime_get());
	s->frames = t.to_frames + t.from_frames;
	s->bytes = t.to_bytes + t.from_bytes;
	s->bounced = t.to_bounce + t.from_bounce;
	s->size = sluice_segments_count(dest, SLUICE_SEGMENT_ACTIVE);
	s->fixed = !dest->running || dest->resizing || dest->detaching || sluice_auto_idle(dest);
}

/* Nobody wants less: what could not be had is no longer asked for. */
static bool sluice_auto_refused(struct sluice_dest *dest, u32 grant)
{
	return dest->gave_up && grant < dest->requested &&
	       grant == sluice_segments_count(dest, SLUICE_SEGMENT_ACTIVE);
}

/*
 * Ask for what was granted, as far as the provider allows and @room, what the others leave
 * of the budget now, is enough: they may have to give theirs back first. An idle region
 * will be made with the size that was asked for last: it must fit by then.
 */
static void sluice_auto_apply(struct sluice_dest *dest, u32 grant, u64 room)
{
	u32 size = dest->requested, seg_mib = SLUICE_SHM_SEGMENT_BYTES >> 20;
	bool idle = sluice_auto_idle(dest);
	const char *why, *limit_why = NULL;
	u32 limit = U32_MAX;

	if (!idle)
		limit = sluice_limit(dest, &limit_why) >> SLUICE_SHM_SEGMENT_SHIFT;
	grant = min(grant, limit);
	if (grant > size)
		grant = size + min_t(u64, grant - size, room);
	if (idle) {
		why = "floor, ceiling and budget, for when it is in use again";
		/* what sluice_auto_explain() is to know then */
		if (grant < size)
			dest->autosize.held = SLUICE_AUTO_HELD_BUDGET;
	} else {
		why = sluice_auto_explain(&dest->autosize, size, grant, limit, limit_why);
	}
	if (grant == size)
		return;
	if (!why)
		why = sluice_auto_refused(dest, grant) ? "more was refused" : dest->auto_why;
	snprintf(dest->auto_reason, sizeof(dest->auto_reason), "%uM to %uM: %s",
		 size * seg_mib, grant * seg_mib, why);
	if (idle)
		dest->requested = grant;
	else if (sluice_dest_resize(dest, (u64)grant << SLUICE_SHM_SEGMENT_SHIFT, NULL))
		return;
	sluice_event(dest, SLUICE_EVENT_TYPE_AUTO, dest->auto_reason);
}

/* Slots with memory, whatever state it is in. */
static u32 sluice_auto_footprint(struct sluice_dest *dest)
{
	u32 taken = sluice_data_slots(dest) - sluice_segments_count(dest, SLUICE_SEGMENT_ABSENT);

	return max(taken, dest->requested);
}

static unsigned int sluice_auto_count(void)
{
	struct sluice_dest *dest;
	unsigned int nr = 0;

	lockdep_assert_held(&sluice_dests_lock);
	list_for_each_entry(dest, &sluice_dests, list)
		nr += dest->auto_on;
	return nr;
}

static void sluice_auto_round(struct sluice_auto_share *share)
{
	u64 held = 0, taken = 0, room;
	char why[SLUICE_AUTO_TEXT_BYTES];
	struct sluice_auto_sample s;
	struct sluice_dest *dest;
	unsigned int nr = 0;

	list_for_each_entry(dest, &sluice_dests, list) {
		if (!dest->auto_on)
			continue;
		mutex_lock(&dest->lock);
		sluice_auto_sample(dest, &s);
		if (sluice_auto_look(&dest->autosize, &s, why, sizeof(why)))
			strscpy(dest->auto_why, why, sizeof(dest->auto_why));
		share[nr].min = dest->autosize.min;
		share[nr].wish = clamp(s.fixed ? dest->requested : dest->autosize.wish,
				       share[nr].min, dest->autosize.max);
		share[nr++].weight = dest->autosize.weight;
		held += sluice_segments_count(dest, SLUICE_SEGMENT_QUARANTINED);
		taken += sluice_auto_footprint(dest);
		mutex_unlock(&dest->lock);
	}
	sluice_auto_divide(share, nr, sluice_budget - min(held, sluice_budget));

	nr = 0;
	list_for_each_entry(dest, &sluice_dests, list) {
		if (!dest->auto_on)
			continue;
		mutex_lock(&dest->lock);
		sluice_auto_sample(dest, &s);
		room = sluice_budget - min(taken, sluice_budget);
		if (!s.fixed || (sluice_auto_idle(dest) && !dest->detaching)) {
			taken -= sluice_auto_footprint(dest);
			sluice_auto_apply(dest, share[nr].grant, room);
			taken += sluice_auto_footprint(dest);
		}
		nr++;
		mutex_unlock(&dest->lock);
	}
}

static void sluice_auto_work(struct work_struct *work)
{
	struct sluice_auto_share *share;
	unsigned int nr;

	mutex_lock(&sluice_dests_lock);
	nr = sluice_auto_count();
	if (!nr)
		goto out;
	share = kvcalloc(nr, sizeof(*share), GFP_KERNEL);
	/* no memory: not the time to take more, and the next look comes soon */
	if (share)
		sluice_auto_round(share);
	kvfree(share);
	queue_delayed_work(system_unbound_wq, &sluice_auto_tick,
			   msecs_to_jiffies(SLUICE_AUTO_TICK_MS));
out:
	mutex_unlock(&sluice_dests_lock);
}

/* No destination is left that would begin again. */
void sluice_auto_exit(void)
{
	cancel_delayed_work_sync(&sluice_auto_tick);
}

/* Floors of all but @but, in segments. */
static u64 sluice_auto_floors(const struct sluice_dest *but)
{
	struct sluice_dest *dest;
	u64 floors = 0;

	lockdep_assert_held(&sluice_dests_lock);
	list_for_each_entry(dest, &sluice_dests, list)
		if (dest->auto_on && dest != but)
			floors += dest->autosize.min;
	return floors;
}

/**
 * sluice_auto_check() - may a destination be sized like this?
 * @dest: the destination, dest->lock and sluice_dests_lock held
 * @c: what was asked for; filled in with whole segments
 * @extack: why not
 *
 * Return: 0, -EINVAL, or -ERANGE (window, weight, budget).
 */
int sluice_auto_check(struct sluice_dest *dest, struct sluice_auto_config *c,
		      struct netlink_ext_ack *extack)
{
	u32 window = sluice_data_slots(dest);
	u32 seg_mib = SLUICE_SHM_SEGMENT_BYTES >> 20;
	u64 low, high, floors;

	if (c->min_bytes > c->max_bytes) {
		sluice_extack(extack, "floor above ceiling: %lluK and %lluK",
			      c->min_bytes >> 10, c->max_bytes >> 10);
		return -EINVAL;
	}
	if (!c->weight || c->weight > SLUICE_AUTO_WEIGHT_MAX) {
		sluice_extack(extack, "weight must be 1 to %u", SLUICE_AUTO_WEIGHT_MAX);
		return -ERANGE;
	}
	low = (c->min_bytes >> SLUICE_SHM_SEGMENT_SHIFT) +
	      !!(c->min_bytes & (SLUICE_SHM_SEGMENT_BYTES - 1));
	high = min_t(u64, c->max_bytes >> SLUICE_SHM_SEGMENT_SHIFT, window);
	if (low > window) {
		sluice_extack(extack,
			      "a floor of %lluM does not fit into the window of %s: at most %uM",
			      low * seg_mib, dest->name, window * seg_mib);
		return -ERANGE;
	}
	if (low > high) {
		sluice_extack(extack, "no multiple of %uM lies between floor and ceiling", seg_mib);
		return -EINVAL;
	}
	floors = sluice_auto_floors(dest) + low;
	if (floors > sluice_budget) {
		sluice_extack(extack, "with this floor all floors make %lluM, the budget is %lluM",
			      floors * seg_mib, sluice_budget * seg_mib);
		return -ERANGE;
	}
	c->min = low;
	c->max = high;
	return 0;
}

/**
 * sluice_auto_set() - begin or end to size a destination automatically
 * @dest: the destination, dest->lock and sluice_dests_lock held
 * @c: checked by sluice_auto_check(), or NULL to end
 */
void sluice_auto_set(struct sluice_dest *dest, const struct sluice_auto_config *c)
{
	bool idle = sluice_auto_idle(dest);

	lockdep_assert_held(&sluice_dests_lock);
	lockdep_assert_held(&dest->lock);
	dest->auto_on = c;
	dest->auto_reason[0] = 0;
	strscpy(dest->auto_why, "floor and ceiling were set", sizeof(dest->auto_why));
	if (!c)
		return;
	sluice_auto_init(&dest->autosize, c->min, c->max, c->weight, idle ? dest->requested :
			 sluice_segments_count(dest, SLUICE_SEGMENT_ACTIVE));
	/* at once: it may be resumed, or a guest may come, before the next look */
	if (idle)
		sluice_auto_apply(dest, min(dest->requested, c->max), 0);
	/* whatever was cut there, it was not by the budget */
	dest->autosize.held = SLUICE_AUTO_HELD_NOT;
	queue_delayed_work(system_unbound_wq, &sluice_auto_tick, 0);
}

static int sluice_nl_put_budget(struct sk_buff *skb)
{
	struct sluice_dest *dest;
	u64 used = 0;

	list_for_each_entry(dest, &sluice_dests, list) {
		mutex_lock(&dest->lock);
		if (dest->auto_on)
			used += sluice_auto_footprint(dest);
		mutex_unlock(&dest->lock);
	}
#define SLUICE_PUT(attr, segments) \
	nla_put_u64_64bit(skb, SLUICE_A_BUDGET_##attr, \
			  (u64)(segments) << SLUICE_SHM_SEGMENT_SHIFT, SLUICE_A_BUDGET_PAD)
	if ((sluice_budget != SLUICE_NO_BUDGET && SLUICE_PUT(LIMIT_BYTES, sluice_budget)) ||
	    SLUICE_PUT(FLOOR_BYTES, sluice_auto_floors(NULL)) || SLUICE_PUT(USED_BYTES, used) ||
	    nla_put_u32(skb, SLUICE_A_BUDGET_DESTS, sluice_auto_count()) ||
	    SLUICE_PUT(QUARANTINED_BYTES, atomic_read(&sluice_nr_quarantined)) ||
	    SLUICE_PUT(QUARANTINE_MAX_BYTES, sluice_quarantine_max()))
		return -EMSGSIZE;
#undef SLUICE_PUT
	return 0;
}

int sluice_nl_budget_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct sk_buff *msg = genlmsg_new(NLMSG_GOODSIZE, GFP_KERNEL);
	void *hdr;
	int err;

	if (!msg)
		return -ENOMEM;
	hdr = genlmsg_put_reply(msg, info, &sluice_nl_family, 0, SLUICE_CMD_BUDGET_GET);
	if (!hdr) {
		nlmsg_free(msg);
		return -EMSGSIZE;
	}
	mutex_lock(&sluice_dests_lock);
	err = sluice_nl_put_budget(msg);
	mutex_unlock(&sluice_dests_lock);
	if (err) {
		nlmsg_free(msg);
		return err;
	}
	genlmsg_end(msg, hdr);
	return genlmsg_reply(msg, info);
}

int sluice_nl_budget_set_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *limit = info->attrs[SLUICE_A_BUDGET_LIMIT_BYTES];
	bool none = info->attrs[SLUICE_A_BUDGET_NO_LIMIT];
	u32 seg_mib = SLUICE_SHM_SEGMENT_BYTES >> 20;
	u64 budget = SLUICE_NO_BUDGET, floors;
	int err = 0;

	if (!limit == !none) {
		NL_SET_ERR_MSG(info->extack, "say what the limit is, or that there is none");
		return -EINVAL;
	}
	if (limit)
		budget = nla_get_u64(limit) >> SLUICE_SHM_SEGMENT_SHIFT;
	mutex_lock(&sluice_dests_lock);
	floors = sluice_auto_floors(NULL);
	if (budget < floors) {
		sluice_extack(info->extack,
			      "a budget of %lluM is below the floors, which make %lluM: give at least that, in whole segments of %uM, or lower a floor",
			      budget * seg_mib, floors * seg_mib, seg_mib);
		err = -ERANGE;
	} else {
		sluice_budget = budget;
	}
	mutex_unlock(&sluice_dests_lock);
	return err;
}
