// SPDX-License-Identifier: GPL-2.0
/*
 * The driver domain's end of a device.
 *
 * The channel lives as long as the device. The control segment is made when a client
 * claims the channel and lives on when the client goes: a reload of the client is a
 * new session over the same memory, of which the guest's Xen part notices
 * nothing.
 */
#include <linux/etherdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include "xen.h"

#define SXEN_DEFAULT_WINDOW	(256ull << 20)
#define SXEN_RETRY_OFFER_MS	5000

static void sxen_ctrl_free(struct sxen_back *back)
{
	sxen_grants_free(back->ctrl);
	sxen_grants_free(back->directory);
	back->ctrl = NULL;
	back->directory = NULL;
	/* the frontend sees that its mapping is of no use any more, and lets go of it */
	back->d.side.life = 0;
}

static int sxen_ctrl_make(struct sxen_back *back, u32 bytes)
{
	domid_t domid = back->d.xdev->otherend_id;
	unsigned int nr = bytes / SLUICE_SHM_PAGE, i;
	__le32 *shared;

	back->ctrl = sxen_grants_alloc(domid, nr, 0, NUMA_NO_NODE);
	back->directory = sxen_grants_alloc(domid, DIV_ROUND_UP(nr, SXEN_DIRECTORY_REFS), 0,
					    NUMA_NO_NODE);
	if (!back->ctrl || !back->directory) {
		sxen_ctrl_free(back);
		return -ENOMEM;
	}
	if (sxen_grants_share(back->ctrl, false) || sxen_grants_share(back->directory, true)) {
		dev_err(&back->d.xdev->dev, "no grants left for a control segment: raise max_grant_frames of this domain (xl) or gnttab_max_frames (Xen)\n");
		sxen_ctrl_free(back);
		return -ENOSPC;
	}
	shared = back->directory->va;
	for (i = 0; i < nr; i++)
		WRITE_ONCE(shared[i], cpu_to_le32(back->ctrl->ref[i]));
	return 0;
}

/* See struct sluice_provider_ops. */
int sxen_back_claim(struct sluice_channel *ch)
{
	struct sxen_back *back = ch->provider_data;
	u32 pairs, bytes;
	int err = 0;

	pairs = clamp_t(u32, ch->want_pairs ?: 1, 1, min(back->max_pairs, ch->nr_doorbells - 1));
	bytes = clamp_t(u32, ch->want_ctrl_bytes ?: pairs << 20, SLUICE_SHM_CTRL_MIN,
			SLUICE_SHM_CTRL_MAX);
	bytes = round_down(bytes, SLUICE_SHM_PAGE);

	mutex_lock(&back->d.lock);
	if (back->ctrl && (back->ctrl->nr != bytes / SLUICE_SHM_PAGE || back->ctrl_pairs != pairs))
		sxen_ctrl_free(back);
	if (!back->ctrl)
		err = sxen_ctrl_make(back, bytes);
	if (!err) {
		back->ctrl_pairs = pairs;
		ch->want_pairs = pairs;
		ch->ctrl_va = back->ctrl->va;
		ch->ctrl_bytes = bytes;
		ch->max_slots = sxen_window_slots(back->window, bytes);
		sxen_bell_open(&back->d.bell, ch);
	}
	mutex_unlock(&back->d.lock);
	sxen_dev_kick(&back->d, 0);
	return err;
}

/* See struct sluice_provider_ops. */
void sxen_back_release(struct sluice_channel *ch)
{
	struct sxen_back *back = ch->provider_data;

	mutex_lock(&back->d.lock);
	sxen_bell_close(&back->d.bell);
	mutex_unlock(&back->d.lock);
}

static int sxen_back_offer(struct sxen_back *back)
{
	struct xenbus_device *xdev = back->d.xdev;
	char node[32];
	unsigned int i;
	int err;

	err = sxen_write_u32(xdev, "ctrl-bytes", back->ctrl->nr * SLUICE_SHM_PAGE);
	if (!err)
		err = sxen_write_u32(xdev, "doorbells", 1 + back->ctrl_pairs);
	for (i = 0; !err && i < back->directory->nr; i++) {
		snprintf(node, sizeof(node), "ctrl-ref%u", i);
		err = sxen_write_u32(xdev, node, back->directory->ref[i]);
	}
	if (err)
		dev_err(&xdev->dev, "cannot write into xenstore (%d): do this domain's nodes belong to it?\n",
			err);
	return err;
}

static int sxen_back_bind(struct sxen_back *back)
{
	u32 port[SLUICE_SHM_MAX_DOORBELLS], i, nr = 1 + back->ctrl_pairs;
	const char *text = NULL;
	struct sluice_channel *ch;
	char node[32];
	int err;

	for (i = 0; i < nr; i++) {
		snprintf(node, sizeof(node), "event-channel-%u", i);
		if (!sxen_read_u32(back->d.otherend, node, &port[i]))
			port[i] = 0;
	}
	err = sxen_ports_check(port, nr, &text);
	if (!err) {
		text = "an event channel cannot be bound";
		err = sxen_bell_bind(&back->d.bell, port, nr);
	}
	if (err) {
		sxen_write_error(&back->d, text);
		return err;
	}
	sxen_write_error(&back->d, NULL);
	/* the peer's page may have changed before there was a way to tell */
	ch = rcu_dereference_protected(back->d.bell.ch, lockdep_is_held(&back->d.lock));
	if (ch)
		sluice_channel_event(ch, 0);
	return 0;
}

static void sxen_back_unbind(struct sxen_back *back)
{
	struct sluice_channel *ch;

	sxen_bell_unbind(&back->d.bell);
	ch = rcu_dereference_protected(back->d.bell.ch, lockdep_is_held(&back->d.lock));
	if (ch && sluice_channel_is_up(ch))
		sluice_channel_peer_gone(ch);
}

/* The watch on them takes the device away. */
static void sxen_back_remove_nodes(struct xenbus_device *xdev)
{
	struct xenbus_transaction t;
	char *above, **entry;
	unsigned int nr;
	bool empty;
	int err;

	above = kasprintf(GFP_KERNEL, "%.*s",
			  (int)(strrchr(xdev->nodename, '/') - xdev->nodename), xdev->nodename);
	err = xenbus_rm(XBT_NIL, xdev->nodename, "");
	/* the toolstack may have been faster */
	if (err && err != -ENOENT)
		dev_warn(&xdev->dev, "cannot remove %s (%d): the toolstack has to\n",
			 xdev->nodename, err);
	if (err || !above)
		goto out;
	/* the folder of the guest, if this was its last device: the toolstack may make the next */
	do {
		if (xenbus_transaction_start(&t))
			break;
		entry = xenbus_directory(t, above, "", &nr);
		empty = !IS_ERR(entry) && !nr;
		if (!IS_ERR(entry))
			kfree(entry);
		if (empty)
			xenbus_rm(t, above, "");
		err = xenbus_transaction_end(t, !empty);
	} while (err == -EAGAIN);
out:
	kfree(above);
}

/* Take a step; false if it is better to wait before the next one. */
static bool sxen_back_take(struct sxen_back *back, const struct sxen_view *v, struct sxen_order o)
{
	struct sxen_dev *d = &back->d;
	u32 life = 0;
	int err = 0;

	switch (o.step) {
	case SXEN_OFFER:
		life = sxen_new_life();
		err = sxen_back_offer(back);
		break;
	case SXEN_BIND:
		err = sxen_back_bind(back);
		break;
	case SXEN_UNBIND:
		sxen_back_unbind(back);
		break;
	case SXEN_GONE:
		dev_info(&d->xdev->dev, "the guest is gone\n");
		break;
	default:
		break;
	}
	sxen_side_done(&d->side, v, o, err, life);
	if (!err && o.step != SXEN_GONE)
		sxen_write_side(d);
	switch (o.step) {
	case SXEN_GONE:
		sxen_back_remove_nodes(d->xdev);
		return false;
	case SXEN_OFFER:
		if (err)
			sxen_dev_kick(d, SXEN_RETRY_OFFER_MS);
		return !err;
	case SXEN_UNBIND:
		sxen_dev_calm(d);
		return false;
	default:
		return true;
	}
}

/* A failure is no harm: the next change tells it. */
static void sxen_back_tell(struct sxen_back *back)
{
	u64 bytes = sxen_segments_shared(back);

	if (bytes != back->told_bytes && !sxen_write_shared(&back->d, bytes))
		back->told_bytes = bytes;
}

static void sxen_back_step(struct work_struct *work)
{
	struct sxen_back *back = container_of(to_delayed_work(work), struct sxen_back, d.step);
	struct sxen_dev *d = &back->d;
	struct sxen_order o;
	struct sxen_view v;

	mutex_lock(&d->lock);
	d->looks = 0;
	while (sxen_dev_look(d, &v)) {
		o = sxen_back_next(&d->side, &v, back->ctrl);
		if (o.step == SXEN_STAY || !sxen_back_take(back, &v, o))
			break;
	}
	if (!d->leaving)
		sxen_back_tell(back);
	mutex_unlock(&d->lock);
}

static void sxen_back_changed(struct xenbus_device *xdev, enum xenbus_state state)
{
	struct sxen_back *back = dev_get_drvdata(&xdev->dev);

	if (back)
		sxen_dev_kick(&back->d, 0);
}

static void sxen_back_online_changed(struct xenbus_watch *watch, const char *path,
				     const char *token)
{
	struct sxen_back *back = container_of(watch, struct sxen_back, online_watch);

	sxen_dev_kick(&back->d, 0);
}

/* What the toolstack says about this destination; nonsense is told and not used. */
static void sxen_back_settings(struct sxen_back *back, struct sluice_channel *ch)
{
	const char *path = back->d.xdev->nodename;
	struct device *dev = &back->d.xdev->dev;
	u64 size;

	if (!sxen_read_name(path, ch->name, sizeof(ch->name)))
		snprintf(ch->name, sizeof(ch->name), "xen-%d-%s", back->d.xdev->otherend_id,
			 strrchr(path, '/') + 1);
	sxen_read_mac(path, ch->mac);

	back->max_pairs = SLUICE_SHM_MAX_PAIRS;
	if (sxen_read_u32(path, "pairs", &ch->want_pairs)) {
		if (ch->want_pairs < 1 || ch->want_pairs > SLUICE_SHM_MAX_PAIRS) {
			dev_warn(dev, "pairs %u is not 1 to %u: 1 taken\n", ch->want_pairs,
				 SLUICE_SHM_MAX_PAIRS);
			ch->want_pairs = 1;
		}
		back->max_pairs = ch->want_pairs;
	}
	ch->nr_doorbells = 1 + back->max_pairs;

	back->window = SXEN_DEFAULT_WINDOW;
	sxen_read_u64(path, "max-size", &back->window);
	/* the claim knows how much of it the control segment really takes */
	ch->max_slots = sxen_window_slots(back->window, SLUICE_SHM_CTRL_MAX);
	if (!ch->max_slots) {
		dev_warn(dev, "max-size %llu is no multiple of 2 MiB, or above 2 GiB less the control segment: %llu taken\n",
			 back->window, SXEN_DEFAULT_WINDOW);
		back->window = SXEN_DEFAULT_WINDOW;
		ch->max_slots = sxen_window_slots(back->window, SLUICE_SHM_CTRL_MAX);
	}
	if (!sxen_read_u64(path, "size", &size))
		return;
	if (size % SLUICE_SHM_SEGMENT_BYTES)
		dev_warn(dev, "size %llu is no multiple of 2 MiB: not used\n", size);
	else
		ch->want_bytes = size;
}

static int sxen_back_probe(struct xenbus_device *xdev, const struct xenbus_device_id *id)
{
	struct sluice_channel *ch;
	struct sxen_back *back;
	int err;

	back = kvzalloc(sizeof(*back), GFP_KERNEL);
	if (!back)
		return -ENOMEM;
	mutex_init(&back->d.lock);
	sxen_dev_init(&back->d, xdev, SLUICE_BACKEND, sxen_back_step);
	back->d.otherend = xdev->otherend;
	mutex_init(&back->segment_lock);
	ch = sluice_channel_alloc(&sxen_ops, &xdev->dev, SLUICE_BACKEND);
	if (IS_ERR(ch)) {
		err = PTR_ERR(ch);
		goto err_free;
	}
	ch->provider_data = back;
	back->d.ch = ch;
	sxen_back_settings(back, ch);
	dev_set_drvdata(&xdev->dev, back);

	back->d.side.state = SXEN_INITIALISING;
	sxen_write_side(&back->d);
	err = xenbus_watch_pathfmt(xdev, &back->online_watch, sxen_watch_once,
				   sxen_back_online_changed, "%s/online", xdev->nodename);
	if (err)
		goto err_channel;
	err = sluice_channel_register(ch);
	if (err)
		goto err_watch;
	dev_info(&xdev->dev, "%s: guest %d, at most %llu MiB\n", ch->name, xdev->otherend_id,
		 back->window >> 20);
	return 0;

err_watch:
	unregister_xenbus_watch(&back->online_watch);
	kfree(back->online_watch.node);
	cancel_delayed_work_sync(&back->d.step);
err_channel:
	dev_set_drvdata(&xdev->dev, NULL);
	sluice_channel_free(ch);
err_free:
	kvfree(back);
	return err;
}

static void sxen_back_remove(struct xenbus_device *xdev)
{
	struct sxen_back *back = dev_get_drvdata(&xdev->dev);
	struct sxen_dev *d = &back->d;

	unregister_xenbus_watch(&back->online_watch);
	kfree(back->online_watch.node);
	mutex_lock(&d->lock);
	d->leaving = true;
	mutex_unlock(&d->lock);
	cancel_delayed_work_sync(&d->step);

	/* says goodbye to the guest, while there is a way */
	sluice_channel_unregister(d->ch);
	/* the client's release may have kicked it once more */
	cancel_delayed_work_sync(&d->step);
	dev_set_drvdata(&xdev->dev, NULL);
	mutex_lock(&d->lock);
	sxen_bell_unbind(&d->bell);
	sxen_segments_exit(back);
	sxen_back_tell(back);
	sxen_ctrl_free(back);
	d->side.peer_life = 0;
	d->side.state = SXEN_CLOSING;
	sxen_write_side(d);
	mutex_unlock(&d->lock);
	sluice_channel_free(d->ch);
	mutex_destroy(&back->segment_lock);
	mutex_destroy(&d->lock);
	kvfree(back);
}

static const struct xenbus_device_id sxen_back_ids[] = {
	{ "sluice" },
	{ "" }
};

static struct xenbus_driver sxen_back_driver = {
	.name = "sluice-back",
	.ids = sxen_back_ids,
	.allow_rebind = true,
	.probe = sxen_back_probe,
	.remove = sxen_back_remove,
	.otherend_changed = sxen_back_changed,
};

/*
 * Without an owner: a device that is bound does not keep the module, whose exit
 * unbinds it.
 */
int sxen_back_register(void)
{
	return __xenbus_register_backend(&sxen_back_driver, NULL, KBUILD_MODNAME);
}

void sxen_back_unregister(void)
{
	xenbus_unregister_driver(&sxen_back_driver);
}
