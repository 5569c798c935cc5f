// SPDX-License-Identifier: GPL-2.0
/*
 * The thread that calls the client. Everything that happens to a channel goes
 * through one list and is told to the client in that order, one at a time.
 */
#include <linux/export.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <trace/events/sluice.h>
#include "core.h"

/**
 * sluice_event_post() - queue something for the client's thread
 * @ch: the channel
 * @kind: what
 * @msg: copied, for SLUICE_EVENT_MESSAGE
 *
 * Only messages can fail: the peer decides how many there are. The others come
 * at most once per session each and must not get lost, so their allocation waits.
 *
 * Context: process. Return: 0, -ENOMEM, or -ENOBUFS if the peer sent more than
 * it may have under way.
 */
int sluice_event_post(struct sluice_channel *ch, enum sluice_event_kind kind,
		      const struct sluice_msg *msg)
{
	gfp_t gfp = GFP_KERNEL;
	struct sluice_event *ev;
	int err = 0;

	if (kind != SLUICE_EVENT_MESSAGE)
		gfp |= __GFP_NOFAIL;
	ev = kmalloc(sizeof(*ev), gfp);
	if (!ev)
		return -ENOMEM;
	ev->kind = kind;
	if (msg)
		ev->msg = *msg;

	spin_lock_irq(&ch->event_lock);
	if (kind == SLUICE_EVENT_MESSAGE && ch->nr_events >= SLUICE_MAX_EVENTS) {
		err = -ENOBUFS;
	} else {
		list_add_tail(&ev->list, &ch->events);
		ch->nr_events++;
	}
	spin_unlock_irq(&ch->event_lock);

	if (err) {
		kfree(ev);
		return err;
	}
	queue_work(ch->wq, &ch->client_work);
	return 0;
}

static struct sluice_event *sluice_event_next(struct sluice_channel *ch)
{
	struct sluice_event *ev;

	spin_lock_irq(&ch->event_lock);
	ev = list_first_entry_or_null(&ch->events, struct sluice_event, list);
	if (ev) {
		list_del(&ev->list);
		ch->nr_events--;
	}
	spin_unlock_irq(&ch->event_lock);
	return ev;
}

/**
 * sluice_events_purge() - forget what is queued
 * @ch: a channel whose client has detached
 */
void sluice_events_purge(struct sluice_channel *ch)
{
	struct sluice_event *ev;

	while ((ev = sluice_event_next(ch)))
		kfree(ev);
}

/* The control segment and the doorbells, from the provider. */
static int sluice_claim(struct sluice_channel *ch)
{
	int err = ch->ops->claim(ch, ch->role, NULL);

	if (err) {
		dev_err(ch->dev, "%s: cannot set up the channel (%d)\n", ch->ops->name, err);
		return err;
	}
	ch->held = true;
	sluice_session_prepare(ch);
	return 0;
}

/* Nothing of this side runs on the control segment any more: give it back. */
static void sluice_release(struct sluice_channel *ch)
{
	if (!ch->held)
		return;
	/* running is false: neither queues itself again, and nobody else does */
	cancel_delayed_work_sync(&ch->tick);
	ch->ops->release(ch);
	cancel_work_sync(&ch->rx_work);
	ch->held = false;
	ch->ctrl_va = NULL;
}

static void sluice_bell_close(struct sluice_channel *ch)
{
	/* pairs with rcu_dereference in sluice_channel_event(): no doorbell after this */
	RCU_INIT_POINTER(ch->bell, NULL);
	synchronize_rcu();
}

static void sluice_do_attach(struct sluice_channel *ch)
{
	const struct sluice_client *client = ch->client;
	int err;

	if (ch->role == SLUICE_BACKEND) {
		if (client->want_pairs)
			ch->want_pairs = client->want_pairs;
		if (client->want_ctrl_bytes)
			ch->want_ctrl_bytes = client->want_ctrl_bytes;
	}

	if (sluice_claim(ch))
		return;
	if (ch->role == SLUICE_BACKEND) {
		err = sluice_window_init(&ch->window, ch->hdr.window_slots,
					 ch->hdr.ctrl_bytes, ch->ctrl_va);
		if (err) {
			dev_err(ch->dev, "%u slots and %u bytes of control segment make no window\n",
				ch->hdr.window_slots, ch->hdr.ctrl_bytes);
			goto err_release;
		}
	}

	err = client->attach(ch);
	if (err) {
		dev_err(ch->dev, "the %s refused the channel (%d)\n",
			ch->role == SLUICE_BACKEND ? "backend" : "frontend", err);
		goto err_release;
	}

	ch->attached = true;
	rcu_assign_pointer(ch->bell, client);
	sluice_session_begin(ch);
	return;

err_release:
	sluice_release(ch);
}

static void sluice_do_down(struct sluice_channel *ch, bool broken)
{
	const struct sluice_client *client = ch->client;
	char reason[SLUICE_REASON_BYTES];

	mutex_lock(&ch->session_lock);
	strscpy(reason, ch->reason, sizeof(reason));
	mutex_unlock(&ch->session_lock);

	if (ch->client_up) {
		if (broken && client->broken)
			client->broken(ch, reason);
		client->down(ch, reason);
		ch->client_up = false;
	}
	sluice_session_again(ch);
}

static void sluice_do_detach(struct sluice_channel *ch)
{
	const struct sluice_client *client = ch->client;

	if (!ch->attached)
		return;

	if (ch->client_up) {
		client->down(ch, "this side detaches");
		ch->client_up = false;
	}

	sluice_bell_close(ch);
	client->detach(ch);
	ch->attached = false;
	sluice_release(ch);
	ch->client_data = NULL;
	sluice_events_purge(ch);
}

static void sluice_do_lose(struct sluice_channel *ch)
{
	const struct sluice_client *client = ch->client;
	char reason[SLUICE_REASON_BYTES];

	if (!ch->attached || !ch->held)
		return;
	if (ch->client_up) {
		mutex_lock(&ch->session_lock);
		strscpy(reason, ch->reason, sizeof(reason));
		mutex_unlock(&ch->session_lock);
		client->down(ch, reason);
		ch->client_up = false;
	}
	sluice_bell_close(ch);
	if (client->lose)
		client->lose(ch);
	sluice_release(ch);
}

static void sluice_do_regain(struct sluice_channel *ch)
{
	/* a client that could not use what there was before is asked again */
	if (!ch->attached) {
		sluice_do_attach(ch);
		return;
	}
	if (sluice_claim(ch))
		return;
	rcu_assign_pointer(ch->bell, ch->client);
	sluice_session_begin(ch);
}

/**
 * sluice_client_work() - tell the client what happened
 * @work: sluice_channel.client_work
 */
void sluice_client_work(struct work_struct *work)
{
	struct sluice_channel *ch = container_of(work, struct sluice_channel, client_work);
	struct sluice_event *ev;

	while ((ev = sluice_event_next(ch))) {
		switch (ev->kind) {
		case SLUICE_EVENT_ATTACH:
			sluice_do_attach(ch);
			break;
		case SLUICE_EVENT_UP:
			if (!READ_ONCE(ch->stopping)) {
				ch->client_up = true;
				ch->client->up(ch);
			}
			break;
		case SLUICE_EVENT_MESSAGE:
			/* what a session that is over wanted matters no more */
			if (ch->client_up && sluice_channel_is_up(ch))
				ch->client->message(ch, &ev->msg);
			break;
		case SLUICE_EVENT_DOWN:
		case SLUICE_EVENT_BROKEN:
			sluice_do_down(ch, ev->kind == SLUICE_EVENT_BROKEN);
			break;
		case SLUICE_EVENT_LOSE:
			sluice_do_lose(ch);
			break;
		case SLUICE_EVENT_REGAIN:
			sluice_do_regain(ch);
			break;
		case SLUICE_EVENT_DETACH:
			sluice_do_detach(ch);
			break;
		}
		kfree(ev);
		cond_resched();
	}
}

/**
 * sluice_channel_event() - the peer rang a doorbell
 * @ch: the channel
 * @vector: which; 0 means messages and the side record
 *
 * Context: any. Between the provider's claim and release.
 */
void sluice_channel_event(struct sluice_channel *ch, unsigned int vector)
{
	const struct sluice_client *client;

	if (unlikely(READ_ONCE(ch->silent)))
		return;

	trace_sluice_bell(dev_name(ch->dev), vector);
	if (!vector) {
		queue_work(ch->rx_wq, &ch->rx_work);
		return;
	}

	rcu_read_lock();
	/* pairs with rcu_assign_pointer in sluice_do_attach() */
	client = rcu_dereference(ch->bell);
	if (client)
		client->doorbell(ch, vector);
	rcu_read_unlock();
}
EXPORT_SYMBOL_GPL(sluice_channel_event);

/**
 * sluice_va_to_page() - page of a kernel address of segment memory
 * @va: in the direct map, vmalloc space or memory of memremap_pages()
 *
 * Context: any. Return: the page.
 */
struct page *sluice_va_to_page(const void *va)
{
	if (is_vmalloc_addr(va))
		return vmalloc_to_page(va);
	return virt_to_page(va);
}
EXPORT_SYMBOL_GPL(sluice_va_to_page);
