// SPDX-License-Identifier: GPL-2.0
/*
 * The life of a data segment: from the provider's memory to the guest and back.
 *
 * Everything here runs in the destination's resize work (resize.c), or while that
 * cannot run, so a segment has one owner. What the guest says about one
 * (SEGMENT_RETIRED) is noted by the channel's thread and acted upon here.
 */
#include <linux/mm.h>
#include <trace/events/sluice.h>
#include "back.h"

#define SLUICE_ADD_TIMEOUT_MS	5000
#define SLUICE_SEGMENT_PAGES	(SLUICE_SHM_SEGMENT_BYTES / PAGE_SIZE)

atomic_t sluice_nr_quarantined = ATOMIC_INIT(0);

/* sluice_quarantine_max() - so many in quarantine are enough */
u64 sluice_quarantine_max(void)
{
	return READ_ONCE(sluice_quarantine_max_mb) / (SLUICE_SHM_SEGMENT_BYTES >> 20);
}

/**
 * sluice_segment_state() - enum sluice_segment_state of a window slot
 * @dest: the destination
 * @slot: of the window
 */
u32 sluice_segment_state(struct sluice_dest *dest, u32 slot)
{
	return READ_ONCE(sluice_win(dest)->slot[slot].state);
}

static void sluice_segment_set(struct sluice_dest *dest, u32 slot, u32 state)
{
	u32 old = sluice_segment_state(dest, slot);

	if (sluice_window_set_state(sluice_win(dest), slot, state)) {
		netdev_err(dest->dev, "segment %u: %s to %s is not a step\n", slot,
			   sluice_segment_name(old), sluice_segment_name(state));
		return;
	}
	trace_sluice_segment(netdev_name(dest->dev), slot, sluice_segment_name(state));
	WRITE_ONCE(dest->segment[slot].since, jiffies);
	sluice_patience_begin(&dest->segment[slot].overstay, get_jiffies_64());
	if (state == SLUICE_SEGMENT_RETIRING)
		atomic_inc(&dest->nr_retiring);
	if (old == SLUICE_SEGMENT_RETIRING)
		atomic_dec(&dest->nr_retiring);
	if (state == SLUICE_SEGMENT_QUARANTINED)
		atomic_inc(&sluice_nr_quarantined);
	if (old == SLUICE_SEGMENT_QUARANTINED)
		atomic_dec(&sluice_nr_quarantined);
	sluice_event_segment(dest, SLUICE_EVENT_TYPE_SEGMENT_STATE, slot, state, NULL);
}

static u32 sluice_segment_refs(struct sluice_dest *dest, u32 slot)
{
	u8 *va = sluice_win(dest)->slot[slot].va;
	u32 i, refs = 0;

	for (i = 0; va && i < SLUICE_SEGMENT_PAGES; i++)
		refs += page_ref_count(compound_head(sluice_va_to_page(va + i * PAGE_SIZE)));
	return refs;
}

/**
 * sluice_segment_pages_out() - references that frames hold to pages of a segment
 * @dest: the destination
 * @slot: of the segment
 *
 * Context: the caller knows that the segment is not freed meanwhile: dest->lock, or
 * the resize work.
 */
u32 sluice_segment_pages_out(struct sluice_dest *dest, u32 slot)
{
	u32 refs = sluice_segment_refs(dest, slot);

	return refs - min(refs, dest->segment[slot].base_refs);
}

/**
 * sluice_segment_holder() - who keeps a segment that is on its way out
 * @dest: the destination
 * @slot: of the segment
 *
 * Context: dest->lock. Return: for a person, or NULL if nobody does.
 */
const char *sluice_segment_holder(struct sluice_dest *dest, u32 slot)
{
	switch (sluice_segment_state(dest, slot)) {
	case SLUICE_SEGMENT_RETIRING:
	case SLUICE_SEGMENT_QUARANTINED:
		if (!dest->segment[slot].told)
			return "the guest, which does not read its messages";
		/* it can't answer before its frames have left, and may hold others as well */
		if (!dest->segment[slot].retired)
			return sluice_segment_pages_out(dest, slot) ?
			       "frames on their way out, and the guest, which has not answered" :
			       "the guest, which has not answered";
		fallthrough;
	case SLUICE_SEGMENT_DRAINED:
		if (sluice_segment_pages_out(dest, slot))
			return "frames on their way out of the driver domain";
		fallthrough;
	case SLUICE_SEGMENT_QUIESCED:
		return "the guest, which still maps it";
	default:
		return NULL;
	}
}

static void sluice_segment_free(struct sluice_dest *dest, u32 slot)
{
	/* pages-out of netlink looks at the pages under this lock */
	mutex_lock(&dest->lock);
	dest->ch->ops->segment_free(dest->ch, slot);
	sluice_port_forget(dest, slot);
	sluice_win(dest)->slot[slot].va = NULL;
	sluice_segment_set(dest, slot, SLUICE_SEGMENT_ABSENT);
	mutex_unlock(&dest->lock);
}

static void sluice_segments_sweep(struct sluice_dest *dest)
{
	u32 i;

	for (i = 0; i < dest->nr_pairs; i++)
		sluice_tx_sweep(&dest->pair[i]);
}

/*
 * A guest that does not read its ring for a while has not heard it, and must hear it
 * later: else the segment would stay with it for as long as the session stands.
 */
static void sluice_segment_tell(struct sluice_dest *dest, u32 slot)
{
	struct sluice_msg msg = { .msg_id = SLUICE_MSG_SEGMENT_RETIRE };

	/* one wait for a full ring is enough in each round */
	dest->segment[slot].told = false;
	if (dest->deaf)
		return;
	msg.segment.slot = cpu_to_le32(slot);
	msg.segment.epoch = cpu_to_le32(sluice_win(dest)->slot[slot].epoch);
	/* without a session its end is coming, and retires everything */
	dest->deaf = sluice_channel_send(dest->ch, &msg) == -ETIMEDOUT;
	dest->segment[slot].told = !dest->deaf;
}

/**
 * sluice_segment_retire() - an ACTIVE segment starts its way out
 * @dest: the destination
 * @slot: of the segment
 * @tell: the guest has it; else it never had, or is gone
 */
void sluice_segment_retire(struct sluice_dest *dest, u32 slot, bool tell)
{
	sluice_segment_set(dest, slot, SLUICE_SEGMENT_RETIRING);
	dest->segment[slot].told = true;
	if (!tell) {
		dest->segment[slot].retired = true;
		return;
	}
	/* first, so that the guest does not post again what it gets back now */
	sluice_segment_tell(dest, slot);
	/* pairs with the look at the state in tx.c, under tx->lock: none is stashed after it */
	sluice_segments_sweep(dest);
}

static void sluice_segment_quarantine(struct sluice_dest *dest, u32 slot, const char *who)
{
	char text[SLUICE_TEXT_BYTES];

	sluice_segment_set(dest, slot, SLUICE_SEGMENT_QUARANTINED);
	if (dest->segment[slot].overdue)
		return;
	dest->segment[slot].overdue = true;
	mutex_lock(&dest->lock);
	dest->quarantine_count++;
	mutex_unlock(&dest->lock);
	snprintf(text, sizeof(text),
		 "segment %u: %s still holds it after %u ms. It is kept and freed when given back; restart the guest's interface if it stays",
		 slot, who, dest->drain_ms);
	sluice_event_segment(dest, SLUICE_EVENT_TYPE_QUARANTINED, slot,
			     SLUICE_SEGMENT_QUARANTINED, text);
	if (net_ratelimit())
		netdev_warn(dest->dev, "%s\n", text);
}

static bool sluice_segment_late(struct sluice_dest *dest, u32 slot)
{
	return sluice_patience_over(&dest->segment[slot].overstay, get_jiffies_64(),
				    msecs_to_jiffies(READ_ONCE(dest->drain_ms)));
}

static bool sluice_segment_retired(struct sluice_dest *dest, u32 slot)
{
	bool retired;

	mutex_lock(&dest->lock);
	retired = dest->segment[slot].retired;
	mutex_unlock(&dest->lock);
	return retired;
}

/* Nothing resolves in it any more. Has everybody here let go, and does the provider confirm? */
static enum sluice_step sluice_segment_drained(struct sluice_dest *dest, u32 slot)
{
	bool late = sluice_segment_late(dest, slot) || dest->segment[slot].overdue;

	if (sluice_segment_state(dest, slot) == SLUICE_SEGMENT_DRAINED) {
		if (sluice_segment_pages_out(dest, slot)) {
			if (!late)
				return SLUICE_STEP_FAST;
			sluice_segment_quarantine(dest, slot, "a frame on its way out");
			return SLUICE_STEP_SLOW;
		}
		sluice_segment_set(dest, slot, SLUICE_SEGMENT_QUIESCED);
	}
	if (dest->ch->ops->segment_revoke(dest->ch, slot)) {
		if (!late)
			return SLUICE_STEP_FAST;
		sluice_segment_quarantine(dest, slot, "the guest");
		return SLUICE_STEP_SLOW;
	}
	sluice_segment_set(dest, slot, SLUICE_SEGMENT_REVOKED);
	sluice_segment_free(dest, slot);
	if (dest->segment[slot].overdue)
		sluice_event_segment(dest, SLUICE_EVENT_TYPE_RELEASED, slot,
				     SLUICE_SEGMENT_ABSENT, NULL);
	return SLUICE_STEP_NONE;
}

/*
 * One step of a segment that the guest still has. A quarantined one goes on to
 * resolve: frames that the guest has posted before it heard of the end are as good as
 * others, and their memory is kept anyway.
 *
 * Return: true if it is DRAINED now, and nobody has waited for those who resolved in it.
 */
static bool sluice_segment_leaving(struct sluice_dest *dest, u32 slot, enum sluice_step *step)
{
	bool quarantined = sluice_segment_state(dest, slot) == SLUICE_SEGMENT_QUARANTINED;

	if (!dest->segment[slot].told)
		sluice_segment_tell(dest, slot);
	/* look before the last step is tried again: it would make two events each time */
	if (sluice_segment_retired(dest, slot) &&
	    !(quarantined && (sluice_segment_pages_out(dest, slot) ||
			      dest->ch->ops->segment_revoke(dest->ch, slot)))) {
		sluice_segment_set(dest, slot, SLUICE_SEGMENT_DRAINED);
		return true;
	}
	if (!quarantined && sluice_segment_late(dest, slot)) {
		sluice_segment_quarantine(dest, slot, "the guest");
		quarantined = true;
	}
	*step = max(*step, quarantined ? SLUICE_STEP_SLOW : SLUICE_STEP_FAST);
	return false;
}

/**
 * sluice_segments_drain() - take every segment on its way out as far as it goes
 * @dest: the destination
 *
 * Return: when it is worth to call again.
 */
enum sluice_step sluice_segments_drain(struct sluice_dest *dest)
{
	struct sluice_window *win = sluice_win(dest);
	enum sluice_step step = SLUICE_STEP_NONE;
	bool drained = false;
	u32 slot, state;

	dest->deaf = false;
	if (atomic_read(&dest->nr_retiring))
		sluice_segments_sweep(dest);

	for (slot = win->ctrl_slots; slot < win->nr_slots; slot++) {
		state = sluice_segment_state(dest, slot);
		if (state == SLUICE_SEGMENT_RETIRING || state == SLUICE_SEGMENT_QUARANTINED)
			drained |= sluice_segment_leaving(dest, slot, &step);
	}
	/* who resolved an offset before the state changed has taken its page references */
	if (drained)
		synchronize_net();

	for (slot = win->ctrl_slots; slot < win->nr_slots; slot++) {
		state = sluice_segment_state(dest, slot);
		if (state == SLUICE_SEGMENT_DRAINED || state == SLUICE_SEGMENT_QUIESCED)
			step = max(step, sluice_segment_drained(dest, slot));
	}
	return step;
}

/* Memory, what the NIC says of it, and the provider's sharing; nothing is kept on failure. */
static int sluice_segment_prepare(struct sluice_dest *dest, u32 slot, u64 *handle,
				  char *text, size_t text_bytes)
{
	struct sluice_channel *ch = dest->ch;
	struct sluice_dma_constraint c;
	struct netlink_ext_ack extack = {};
	bool bound;
	int err;

	bound = sluice_port_constraint(dest, &c);
	err = ch->ops->segment_alloc(ch, slot, bound ? &c : NULL, &extack);
	if (err) {
		snprintf(text, text_bytes, "segment %u: %s (%d)", slot,
			 extack._msg ?: "the provider has no memory", err);
		return err;
	}
	sluice_segment_set(dest, slot, SLUICE_SEGMENT_ALLOCATED);
	dest->segment[slot].base_refs = sluice_segment_refs(dest, slot);

	err = sluice_port_check(dest, slot, text, text_bytes);
	if (err)
		goto free;
	sluice_segment_set(dest, slot, SLUICE_SEGMENT_VALIDATED);

	err = ch->ops->segment_share(ch, slot, handle);
	if (err) {
		snprintf(text, text_bytes, "segment %u: cannot be shared (%d)", slot, err);
		goto free;
	}
	return 0;
free:
	sluice_segment_free(dest, slot);
	return err;
}

/**
 * sluice_segment_add() - give the guest one more segment
 * @dest: the destination
 * @slot: a window slot that is ABSENT
 * @text: filled with a sentence on failure
 * @text_bytes: its size
 *
 * Waits for the guest's answer. Return: 0, -ENOLINK if the session ended, or an errno
 * of the provider or the guest.
 */
int sluice_segment_add(struct sluice_dest *dest, u32 slot, char *text, size_t text_bytes)
{
	struct sluice_msg msg = { .msg_id = SLUICE_MSG_SEGMENT_ADD };
	struct sluice_msg resp;
	u64 handle = 0;
	int err;

	err = sluice_segment_prepare(dest, slot, &handle, text, text_bytes);
	if (err)
		return err;

	if (!++dest->epoch)
		dest->epoch = 1;
	mutex_lock(&dest->lock);
	sluice_win(dest)->slot[slot].epoch = dest->epoch;
	dest->segment[slot].answered = false;
	dest->segment[slot].retired = false;
	dest->segment[slot].overdue = false;
	mutex_unlock(&dest->lock);
	sluice_segment_set(dest, slot, SLUICE_SEGMENT_SHARED);
	/* the guest may post buffers in it before we see its answer */
	sluice_segment_set(dest, slot, SLUICE_SEGMENT_ACTIVE);

	msg.segment.slot = cpu_to_le32(slot);
	msg.segment.epoch = cpu_to_le32(dest->epoch);
	msg.segment.handle = cpu_to_le64(handle);
	err = sluice_channel_request(dest->ch, &msg, &resp, SLUICE_ADD_TIMEOUT_MS);
	if (!err) {
		WRITE_ONCE(dest->segment[slot].answered, true);
		return 0;
	}
	if (err == -ENOLINK)
		return err;	/* sluice_segments_down() comes and retires it */
	snprintf(text, text_bytes, err == -ETIMEDOUT ?
		 "segment %u: the guest did not answer in time (%d); is its driver alive?" :
		 "segment %u: the guest refused it (%d); see its kernel log", slot, err);
	/* a guest that refused has not mapped it; one that is late may have */
	sluice_segment_retire(dest, slot, err == -ETIMEDOUT);
	return err;
}

/**
 * sluice_segments_count() - how many segments are in a state
 * @dest: the destination
 * @state: enum sluice_segment_state
 */
u32 sluice_segments_count(struct sluice_dest *dest, u32 state)
{
	struct sluice_window *win = sluice_win(dest);
	u32 slot, nr = 0;

	for (slot = win->ctrl_slots; slot < win->nr_slots; slot++)
		if (sluice_segment_state(dest, slot) == state)
			nr++;
	return nr;
}

/**
 * sluice_segments_plugged() - bytes of data segments in use
 * @dest: the destination
 */
u64 sluice_segments_plugged(struct sluice_dest *dest)
{
	return (u64)sluice_segments_count(dest, SLUICE_SEGMENT_ACTIVE) *
	       SLUICE_SHM_SEGMENT_BYTES;
}
