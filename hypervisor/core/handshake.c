// SPDX-License-Identifier: GPL-2.0
/*
 * What the two sides tell each other on their pages before a session can be up: the
 * backend's header, the frontend's answer, and the window that follows from them.
 * All under the channel's session_lock.
 */
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include "core.h"

static void sluice_refuse(struct sluice_channel *ch, u32 generation, const char *text,
			  unsigned int abi)
{
	if (ch->refused == text && ch->refused_generation == generation)
		return;
	WRITE_ONCE(ch->refused, text);
	ch->refused_generation = generation;
	strscpy(ch->reason, text, sizeof(ch->reason));
	if (!__ratelimit(&ch->ratelimit))
		return;
	if (abi != SLUICE_SHM_ABI_MAJOR)
		dev_warn(ch->dev, "no session: the %s speaks ABI %u, this module ABI %u: load matching modules on both sides\n",
			 ch->role == SLUICE_BACKEND ? "frontend" : "backend", abi,
			 SLUICE_SHM_ABI_MAJOR);
	else
		dev_warn(ch->dev, "no session: %s: the backend's header is damaged or not sluice's; load sluice_back again in the driver domain\n",
			 text);
}

/* What the backend offers, cut down to what this end of the channel has. */
static bool sluice_header_accept(struct sluice_channel *ch, u32 generation)
{
	struct sluice_shm_backend_page *shared = sluice_backend_page(ch);
	struct sluice_shm_header_snap snap;
	const char *text = NULL;
	int err;

	err = sluice_header_read(&shared->header, ch->ctrl_bytes, &snap, &text);
	if (err == -EPROTONOSUPPORT) {
		/* read again only to tell the person, decides nothing */
		sluice_refuse(ch, generation, text,
			      le16_to_cpu(READ_ONCE(shared->header.abi_major)));
		return false;
	}
	if (err) {
		sluice_refuse(ch, generation, text ?: "unreadable header", SLUICE_SHM_ABI_MAJOR);
		return false;
	}
	/* a header that promises more than the device has would lead us off its end */
	if (snap.window_slots > ch->max_slots) {
		sluice_refuse(ch, generation, "window larger than the memory that is there",
			      SLUICE_SHM_ABI_MAJOR);
		return false;
	}
	snap.nr_doorbells = min(snap.nr_doorbells, ch->nr_doorbells);
	snap.max_pairs = min(snap.max_pairs, snap.nr_doorbells - 1);
	if (!snap.max_pairs) {
		sluice_refuse(ch, generation, "no doorbell for a queue pair",
			      SLUICE_SHM_ABI_MAJOR);
		return false;
	}
	ch->hdr = snap;
	ch->features = snap.features & SLUICE_FEATURES & ~ch->client->refuse_features;
	/* before our echo, which is what the backend waits for */
	WRITE_ONCE(sluice_frontend_page(ch)->features, cpu_to_le32(ch->features));
	return true;
}

static bool sluice_frontend_accept(struct sluice_channel *ch, u32 generation)
{
	struct sluice_shm_frontend_page *shared = sluice_frontend_page(ch);
	u16 abi = le16_to_cpu(READ_ONCE(shared->abi_major));

	if (abi != SLUICE_SHM_ABI_MAJOR) {
		sluice_refuse(ch, generation, "the frontend speaks another ABI", abi);
		return false;
	}
	return true;
}

/**
 * sluice_peer_accept() - does the peer's page make sense?
 * @ch: the channel
 *
 * It must before a session can be up. It is constant while the peer's generation
 * stands, so it is read once per generation.
 *
 * Return: false if not, and the reason has been told.
 */
bool sluice_peer_accept(struct sluice_channel *ch)
{
	u32 generation;
	bool ok;

	/* pairs with the release of the peer's generation: its page is complete */
	generation = le32_to_cpu(sluice_load_acquire(&ch->session.shared_peer->generation));
	if (!generation) {
		/* nobody is there, who could be refused */
		WRITE_ONCE(ch->refused, NULL);
		return true;
	}
	if (generation == ch->seen_generation)
		return true;
	ok = ch->role == SLUICE_BACKEND ? sluice_frontend_accept(ch, generation) :
					  sluice_header_accept(ch, generation);
	if (!ok)
		return false;
	ch->seen_generation = generation;
	WRITE_ONCE(ch->refused, NULL);
	return true;
}

/**
 * sluice_window_again() - the window of a frontend's new session
 * @ch: the channel, with a header that was accepted
 *
 * Empty but for the control segment and for what an earlier session left in
 * quarantine: those slots stay taken.
 *
 * Context: process. Return: 0, -ENOMEM, -EINVAL, or -EBUSY for a control segment
 * that lies over a quarantined slot.
 */
int sluice_window_again(struct sluice_channel *ch)
{
	struct sluice_window *win = &ch->window;
	struct sluice_window_slot *old;
	u32 nr_old = min_t(u32, win->nr_slots, SLUICE_SHM_MAX_SLOTS);
	u32 i;
	int err;

	old = kvmalloc(sizeof(win->slot), GFP_KERNEL);
	if (!old)
		return -ENOMEM;
	memcpy(old, win->slot, sizeof(win->slot));
	err = sluice_window_init(win, ch->hdr.window_slots, ch->hdr.ctrl_bytes, ch->ctrl_va);
	for (i = 0; !err && i < nr_old; i++) {
		if (old[i].state != SLUICE_SEGMENT_QUARANTINED)
			continue;
		/* a peer that lays its control segment over it gets no session */
		if (i < win->ctrl_slots)
			err = -EBUSY;
		else
			win->slot[i] = old[i];
	}
	kvfree(old);
	return err;
}

/**
 * sluice_page_publish() - write what is constant on our page
 * @ch: the channel
 *
 * Again with each tick, because the peer can write there: what it, or a stray
 * write, has spoilt would refuse every later session.
 */
void sluice_page_publish(struct sluice_channel *ch)
{
	struct sluice_shm_frontend_page *front = sluice_frontend_page(ch);

	if (ch->ops->publish)
		ch->ops->publish(ch);
	/* read by the peer only after a generation, whose release comes later */
	WRITE_ONCE(ch->session.shared_own->doorbell, cpu_to_le32(ch->doorbell_addr));
	if (ch->role == SLUICE_BACKEND) {
		sluice_header_write(&sluice_backend_page(ch)->header, &ch->hdr);
		return;
	}
	WRITE_ONCE(front->abi_major, cpu_to_le16(SLUICE_SHM_ABI_MAJOR));
	WRITE_ONCE(front->abi_minor, cpu_to_le16(SLUICE_SHM_ABI_MINOR));
	WRITE_ONCE(front->features, cpu_to_le32(ch->features));
}
