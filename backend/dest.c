// SPDX-License-Identifier: GPL-2.0
/*
 * Destinations: one for each channel. The client callbacks of the core end here, all
 * in the channel's own thread except doorbells.
 */
#include <linux/module.h>
#include <linux/rtnetlink.h>
#include "back.h"

DEFINE_MUTEX(sluice_dests_lock);	/* sluice_dests */
LIST_HEAD(sluice_dests);

void sluice_dest_break(struct sluice_dest *dest, const char *reason)
{
	sluice_channel_break(dest->ch, reason);
}

/* A name is what the operator types: never twice. */
static void sluice_dest_name(struct sluice_dest *dest)
{
	const char *name = dest->ch->name[0] ? dest->ch->name : dev_name(dest->ch->dev);
	struct sluice_dest *other;

	lockdep_assert_held(&sluice_dests_lock);
	list_for_each_entry(other, &sluice_dests, list)
		if (!strcmp(other->name, name))
			name = dev_name(dest->ch->dev);
	strscpy(dest->name, name, sizeof(dest->name));
}

int sluice_dest_attach(struct sluice_channel *ch)
{
	struct sluice_dest *dest;
	struct net_device *dev;
	int err;

	dev = sluice_netdev_alloc(ch);
	if (!dev)
		return -ENOMEM;
	dest = netdev_priv(dev);
	dest->ch = ch;
	dest->dev = dev;
	dest->nr_pairs = ch->hdr.max_pairs;
	dest->rx_copybreak = SLUICE_RX_COPY_BYTES;
	mutex_init(&dest->lock);
	INIT_WORK(&dest->update_work, sluice_netdev_update);

	err = sluice_queues_alloc(dest);
	if (err)
		goto err_free;
	err = sluice_segments_init(dest);
	if (err)
		goto err_queues;

	ch->client_data = dest;
	mutex_lock(&sluice_dests_lock);
	sluice_dest_name(dest);
	list_add_tail(&dest->list, &sluice_dests);
	mutex_unlock(&sluice_dests_lock);
	err = sluice_netdev_register(dest);
	if (err)
		goto err_segments;

	mutex_lock(&dest->lock);
	sluice_port_look(dest);
	mutex_unlock(&dest->lock);
	sluice_event(dest, SLUICE_EVENT_TYPE_DEST_NEW, NULL);
	netdev_info(dev, "destination %s on %s %s, %u queue pairs, window %u MiB\n",
		    dest->name, ch->ops->name, dev_name(ch->dev), dest->nr_pairs,
		    (ch->hdr.window_slots - ch->window.ctrl_slots) *
		    (SLUICE_SHM_SEGMENT_BYTES >> 20));
	return 0;

err_segments:
	mutex_lock(&sluice_dests_lock);
	list_del(&dest->list);
	mutex_unlock(&sluice_dests_lock);
	sluice_segments_exit(dest);
err_queues:
	sluice_queues_free(dest);
err_free:
	sluice_netdev_free(dest);
	return err;
}

void sluice_dest_detach(struct sluice_channel *ch)
{
	struct sluice_dest *dest = ch->client_data;

	mutex_lock(&dest->lock);
	dest->detaching = true;
	mutex_unlock(&dest->lock);

	sluice_event(dest, SLUICE_EVENT_TYPE_DEST_GONE, NULL);
	rtnl_lock();
	mutex_lock(&sluice_dests_lock);
	list_del(&dest->list);
	mutex_unlock(&sluice_dests_lock);
	mutex_lock(&dest->lock);
	sluice_port_bind(dest, NULL, NULL);
	mutex_unlock(&dest->lock);
	rtnl_unlock();

	cancel_work_sync(&dest->update_work);
	unregister_netdev(dest->dev);
	sluice_segments_exit(dest);
	sluice_queues_free(dest);
	mutex_destroy(&dest->lock);
	sluice_netdev_free(dest);
}

void sluice_dest_up(struct sluice_channel *ch)
{
	struct sluice_dest *dest = ch->client_data;

	mutex_lock(&dest->lock);
	dest->session = true;
	dest->nr_sessions++;
	dest->broken[0] = 0;
	mutex_unlock(&dest->lock);
	sluice_event(dest, SLUICE_EVENT_TYPE_SESSION_UP, NULL);
	sluice_segments_up(dest);
}

void sluice_dest_down(struct sluice_channel *ch, const char *reason)
{
	struct sluice_dest *dest = ch->client_data;

	mutex_lock(&dest->lock);
	dest->session = false;
	sluice_vdev_reset(&dest->vdev);
	mutex_unlock(&dest->lock);

	/* a transmit that has seen its queue alive is through after this */
	synchronize_net();
	queue_work(system_unbound_wq, &dest->update_work);
	sluice_segments_down(dest);
	sluice_event(dest, SLUICE_EVENT_TYPE_SESSION_DOWN, reason);
}

void sluice_dest_message(struct sluice_channel *ch, const struct sluice_msg *msg)
{
	struct sluice_dest *dest = ch->client_data;
	struct sluice_msg resp;
	bool stale;
	u32 status;

	if (msg->msg_id == SLUICE_MSG_SEGMENT_RETIRED) {
		sluice_segments_retired(dest, &msg->segment);
		return;
	}

	mutex_lock(&dest->lock);
	status = sluice_vdev_message(&dest->vdev, msg, &resp);
	stale = dest->stale;
	dest->stale = false;
	mutex_unlock(&dest->lock);

	if (stale)
		queue_work(system_unbound_wq, &dest->update_work);
	sluice_channel_respond(ch, msg, &resp, status);
}

void sluice_dest_doorbell(struct sluice_channel *ch, unsigned int vector)
{
	sluice_queues_doorbell(ch->client_data, vector);
}

void sluice_dest_broken(struct sluice_channel *ch, const char *reason)
{
	struct sluice_dest *dest = ch->client_data;

	mutex_lock(&dest->lock);
	strscpy(dest->broken, reason, sizeof(dest->broken));
	mutex_unlock(&dest->lock);
	sluice_event(dest, SLUICE_EVENT_TYPE_BROKEN, reason);
	if (net_ratelimit())
		netdev_warn(dest->dev, "guest broke the protocol: %s. Its session is ended; look at the guest's driver\n",
			    reason);
}
