// SPDX-License-Identifier: GPL-2.0
/*
 * The registry: channels that providers offer and the clients that claim them.
 * Either may come first, and either may go first.
 */
#include <linux/export.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include "core.h"

/*
 * Held while a channel's workqueue is flushed, so nothing that runs there may
 * take it: client.c and peer.c do not, and clients must not register anything
 * here from their callbacks.
 */
static DEFINE_MUTEX(sluice_registry_lock);
static LIST_HEAD(sluice_channels);
static const struct sluice_client *sluice_clients[SLUICE_NR_ROLES];

static void sluice_channel_match(struct sluice_channel *ch)
{
	unsigned int role;

	lockdep_assert_held(&sluice_registry_lock);

	/* what is lost is claimed when it is there again */
	if (ch->claimed || !ch->registered || ch->lost)
		return;
	for (role = 0; role < SLUICE_NR_ROLES; role++) {
		if (!sluice_clients[role])
			continue;
		if (ch->wanted_role != role && ch->wanted_role != SLUICE_ANY_ROLE)
			continue;
		ch->client = sluice_clients[role];
		ch->role = role;
		ch->claimed = true;
		ch->stopping = false;
		sluice_event_post(ch, SLUICE_EVENT_ATTACH, NULL);
		return;
	}
}

/* First half: the peer is told, waiting requests fail, the client's end is queued. */
static void sluice_channel_detach_begin(struct sluice_channel *ch)
{
	sluice_session_stop(ch, "this side detached");
	sluice_event_post(ch, SLUICE_EVENT_DETACH, NULL);
}

static void sluice_channel_detach_end(struct sluice_channel *ch)
{
	flush_workqueue(ch->wq);
	ch->client = NULL;
	ch->claimed = false;
	ch->role = ch->wanted_role;
}

/**
 * sluice_channel_alloc() - make a channel
 * @ops: the provider; every op but limit, bus_phys and publish is required
 * @dev: parent of what the client will make; its name becomes the channel's in
 *	logs and debugfs, so it must be unique
 * @role: who may claim it
 *
 * The provider fills name, mac, max_slots, nr_doorbells, provider_data and, if it
 * knows better, want_bytes before it registers the channel.
 *
 * Context: process. Return: the channel, freed with sluice_channel_free(), or an
 * ERR_PTR.
 */
struct sluice_channel *sluice_channel_alloc(const struct sluice_provider_ops *ops,
					    struct device *dev, enum sluice_role role)
{
	struct sluice_channel *ch;

	if (!ops || !dev || role > SLUICE_ANY_ROLE || !ops->name || !ops->claim ||
	    !ops->release || !ops->segment_alloc || !ops->segment_share ||
	    !ops->segment_revoke || !ops->segment_free || !ops->segment_map ||
	    !ops->segment_unmap || !ops->doorbell)
		return ERR_PTR(-EINVAL);

	ch = kvzalloc(sizeof(*ch), GFP_KERNEL);
	if (!ch)
		return ERR_PTR(-ENOMEM);

	ch->ops = ops;
	ch->dev = dev;
	ch->role = role;
	ch->wanted_role = role;
	ch->want_bytes = U64_MAX;
	INIT_LIST_HEAD(&ch->list);
	INIT_LIST_HEAD(&ch->events);
	INIT_LIST_HEAD(&ch->requests);
	spin_lock_init(&ch->event_lock);
	mutex_init(&ch->session_lock);
	INIT_WORK(&ch->client_work, sluice_client_work);
	INIT_WORK(&ch->rx_work, sluice_rx_work);
	INIT_DELAYED_WORK(&ch->tick, sluice_tick_work);
	ratelimit_state_init(&ch->ratelimit, 60 * HZ, 3);

	ch->wq = alloc_ordered_workqueue("sluice_%s", 0, dev_name(dev));
	if (!ch->wq)
		goto err_free;
	ch->rx_wq = alloc_ordered_workqueue("sluice_rx_%s", 0, dev_name(dev));
	if (!ch->rx_wq)
		goto err_wq;
	return ch;

err_wq:
	destroy_workqueue(ch->wq);
err_free:
	kvfree(ch);
	return ERR_PTR(-ENOMEM);
}
EXPORT_SYMBOL_GPL(sluice_channel_alloc);

/* Has the provider filled it in with what can be? */
static int sluice_channel_check(struct sluice_channel *ch)
{
	if (!ch->max_slots || ch->max_slots > SLUICE_SHM_MAX_SLOTS || ch->nr_doorbells < 2)
		return -EINVAL;
	ch->nr_doorbells = min_t(u32, ch->nr_doorbells, SLUICE_SHM_MAX_DOORBELLS);
	return 0;
}

/**
 * sluice_channel_register() - offer a channel to the clients
 * @ch: filled by the provider
 *
 * A client that is there already attaches soon, in another thread.
 *
 * Context: process. Return: 0, or -EINVAL if the channel can hold no control
 * segment or has no doorbells.
 */
int sluice_channel_register(struct sluice_channel *ch)
{
	int err = sluice_channel_check(ch);

	if (err)
		return err;
	mutex_lock(&sluice_registry_lock);
	ch->registered = true;
	list_add_tail(&ch->list, &sluice_channels);
	sluice_debugfs_add(ch);
	sluice_channel_match(ch);
	mutex_unlock(&sluice_registry_lock);
	return 0;
}
EXPORT_SYMBOL_GPL(sluice_channel_register);

/**
 * sluice_channel_unregister() - take a channel away
 * @ch: the channel
 *
 * Waits until the client has let go of it and the provider's release op has run.
 *
 * Context: process, sleeps for as long as the client needs to end its use.
 */
void sluice_channel_unregister(struct sluice_channel *ch)
{
	mutex_lock(&sluice_registry_lock);
	if (ch->registered) {
		ch->registered = false;
		list_del_init(&ch->list);
		if (ch->claimed) {
			sluice_channel_detach_begin(ch);
			sluice_channel_detach_end(ch);
		}
		sluice_debugfs_del(ch);
	}
	mutex_unlock(&sluice_registry_lock);
}
EXPORT_SYMBOL_GPL(sluice_channel_unregister);

/**
 * sluice_channel_lose() - the control segment goes away, the channel stays
 * @ch: the channel; nothing happens if it is lost already
 * @reason: for a person
 *
 * The session ends, requests that wait fail, the client hears of it (down, lose) and
 * stays attached: what it has made of the channel waits for the next session. Then
 * the provider's release op runs. On return nobody touches the control segment, and no
 * data segment is used but for what the network stack holds; those the client still
 * unmaps by and by. A client that comes meanwhile attaches after sluice_channel_regain().
 *
 * Context: process, sleeps for as long as the client needs. Not from the ops.
 */
void sluice_channel_lose(struct sluice_channel *ch, const char *reason)
{
	mutex_lock(&sluice_registry_lock);
	if (!ch->registered || ch->lost)
		goto out;
	ch->lost = true;
	if (ch->claimed) {
		sluice_session_stop(ch, reason);
		sluice_event_post(ch, SLUICE_EVENT_LOSE, NULL);
		flush_workqueue(ch->wq);
	}
out:
	mutex_unlock(&sluice_registry_lock);
}
EXPORT_SYMBOL_GPL(sluice_channel_lose);

/**
 * sluice_channel_regain() - there is a control segment again
 * @ch: the channel, lost; the provider may have changed max_slots and nr_doorbells
 *
 * The provider's claim op runs soon, in another thread, and a session begins. The
 * memory may be at another place, of another size and of another peer.
 *
 * Context: process. Return: 0, or -EINVAL as sluice_channel_register(), or if the channel
 * is not lost; then it stays as it is.
 */
int sluice_channel_regain(struct sluice_channel *ch)
{
	int err = -EINVAL;

	mutex_lock(&sluice_registry_lock);
	if (!ch->registered || !ch->lost)
		goto out;
	err = sluice_channel_check(ch);
	if (err)
		goto out;
	ch->lost = false;
	if (ch->claimed) {
		/* before the event: a detach that comes after this one says so again */
		WRITE_ONCE(ch->stopping, false);
		sluice_event_post(ch, SLUICE_EVENT_REGAIN, NULL);
	} else {
		sluice_channel_match(ch);
	}
out:
	mutex_unlock(&sluice_registry_lock);
	return err;
}
EXPORT_SYMBOL_GPL(sluice_channel_regain);

/**
 * sluice_channel_free() - free a channel that is not registered (any more)
 * @ch: the channel; the provider calls sluice_channel_event() no more
 */
void sluice_channel_free(struct sluice_channel *ch)
{
	if (IS_ERR_OR_NULL(ch))
		return;
	/* a doorbell that rang after detach may still have its work queued */
	cancel_work_sync(&ch->rx_work);
	destroy_workqueue(ch->rx_wq);
	destroy_workqueue(ch->wq);
	sluice_events_purge(ch);
	mutex_destroy(&ch->session_lock);
	kvfree(ch);
}
EXPORT_SYMBOL_GPL(sluice_channel_free);

/**
 * sluice_client_register() - the backend or frontend module is there
 * @client: constant until unregistered
 *
 * Attaches to every channel of its role, now and later, each in the channel's thread.
 *
 * Context: process. Return: 0, -EINVAL, or -EBUSY if the role is taken.
 */
int sluice_client_register(const struct sluice_client *client)
{
	struct sluice_channel *ch;
	int err = 0;

	if (client->role >= SLUICE_NR_ROLES || !client->attach || !client->detach ||
	    !client->up || !client->down || !client->message || !client->doorbell)
		return -EINVAL;

	mutex_lock(&sluice_registry_lock);
	if (sluice_clients[client->role]) {
		err = -EBUSY;
		goto out;
	}
	sluice_clients[client->role] = client;
	list_for_each_entry(ch, &sluice_channels, list)
		sluice_channel_match(ch);
out:
	mutex_unlock(&sluice_registry_lock);
	return err;
}
EXPORT_SYMBOL_GPL(sluice_client_register);

/**
 * sluice_client_unregister() - the module goes
 * @client: as registered
 *
 * Returns when no callback of it runs or will run again.
 */
void sluice_client_unregister(const struct sluice_client *client)
{
	struct sluice_channel *ch;

	mutex_lock(&sluice_registry_lock);
	if (sluice_clients[client->role] != client)
		goto out;
	sluice_clients[client->role] = NULL;
	/* all together first, so that many channels take the time of the slowest */
	list_for_each_entry(ch, &sluice_channels, list)
		if (ch->claimed && ch->client == client)
			sluice_channel_detach_begin(ch);
	list_for_each_entry(ch, &sluice_channels, list)
		if (ch->claimed && ch->client == client)
			sluice_channel_detach_end(ch);
out:
	mutex_unlock(&sluice_registry_lock);
}
EXPORT_SYMBOL_GPL(sluice_client_unregister);
