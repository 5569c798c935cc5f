// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's end of a device.
 *
 * The channel exists from the first connection to the end of the device. Without a
 * connection it is lost (sluice_channel_lose()): the network device waits, with all that
 * was set up on it, for the next one. That may be to another domain: when a driver domain
 * has died, the toolstack names the next one in our folder.
 */
#include <linux/etherdevice.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/slab.h>
#include "xen.h"

#define SXEN_RETRY_MAP_MS	5000

/* See struct sluice_provider_ops. */
int sxen_front_claim(struct sluice_channel *ch)
{
	struct sxen_front *front = ch->provider_data;

	/* one that went while there was no control segment */
	if (!sluice_channel_kept(ch))
		sxen_mapped_orphan(front);
	ch->ctrl_va = front->ctrl->va;
	ch->ctrl_bytes = front->ctrl->nr * SLUICE_SHM_PAGE;
	sxen_bell_open(&front->d.bell, ch);
	return 0;
}

/* See struct sluice_provider_ops. */
void sxen_front_release(struct sluice_channel *ch)
{
	struct sxen_front *front = ch->provider_data;

	sxen_bell_close(&front->d.bell);
	if (!sluice_channel_kept(ch))
		sxen_mapped_orphan(front);
}

static int sxen_front_write_ports(struct sxen_front *front)
{
	char node[32];
	unsigned int i;
	int err = 0;

	for (i = 0; !err && i < front->doorbells; i++) {
		snprintf(node, sizeof(node), "event-channel-%u", i);
		err = sxen_write_u32(front->d.xdev, node, front->d.bell.vector[i].port);
	}
	return err;
}

static int sxen_front_map(struct sxen_front *front)
{
	const char *text = NULL;
	u32 bytes = 0;
	int err;

	front->doorbells = 0;
	sxen_read_u32(front->d.otherend, "ctrl-bytes", &bytes);
	sxen_read_u32(front->d.otherend, "doorbells", &front->doorbells);
	err = sxen_offer_check(bytes, front->doorbells, &text);
	if (err) {
		sxen_write_error(&front->d, text);
		return err;
	}
	err = sxen_mapped_ctrl(front, bytes);
	if (err)
		return err;
	err = sxen_bell_offer(&front->d.bell, front->doorbells);
	if (err)
		goto err_unmap;
	err = sxen_front_write_ports(front);
	if (err)
		goto err_unbind;
	sxen_write_error(&front->d, NULL);
	return 0;

err_unbind:
	sxen_bell_unbind(&front->d.bell);
err_unmap:
	sxen_map_put(front->ctrl);
	front->ctrl = NULL;
	return err;
}

/* The channel and what the client has made of it end. */
static void sxen_front_drop(struct sxen_front *front)
{
	struct sxen_dev *d = &front->d;

	if (!d->ch)
		return;
	sluice_channel_unregister(d->ch);
	sluice_channel_free(d->ch);
	d->ch = NULL;
	sxen_mapped_orphan(front);
}

/* A network device that was made for other queues, or bounce slots, could not use it. */
static bool sxen_front_fits(const struct sxen_front *front)
{
	const struct sluice_channel *ch = front->d.ch;

	return ch->nr_doorbells == front->doorbells &&
	       front->ctrl_bytes == front->ctrl->nr * SLUICE_SHM_PAGE;
}

static int sxen_front_connect(struct sxen_front *front)
{
	struct xenbus_device *xdev = front->d.xdev;
	struct sluice_channel *ch;
	int err;

	if (front->d.ch && sxen_front_fits(front))
		return sluice_channel_regain(front->d.ch);
	if (front->d.ch)
		sxen_warn(&front->d, "another control segment than before: network device made anew\n");
	sxen_front_drop(front);
	ch = sluice_channel_alloc(&sxen_ops, &xdev->dev, SLUICE_FRONTEND);
	if (IS_ERR(ch))
		return PTR_ERR(ch);
	ch->provider_data = front;
	ch->max_slots = SLUICE_SHM_MAX_SLOTS;
	ch->nr_doorbells = front->doorbells;
	front->ctrl_bytes = front->ctrl->nr * SLUICE_SHM_PAGE;
	strscpy(ch->name, dev_name(&xdev->dev), sizeof(ch->name));
	ether_addr_copy(ch->mac, front->mac);
	front->d.ch = ch;
	err = sluice_channel_register(ch);
	if (err) {
		front->d.ch = NULL;
		sluice_channel_free(ch);
	}
	return err;
}

/* Nothing of the other domain stays mapped, but for frames in sockets. */
static void sxen_front_leave(struct sxen_front *front)
{
	if (front->d.ch)
		sluice_channel_lose(front->d.ch, "the driver domain went away");
	sxen_bell_unbind(&front->d.bell);
	sxen_mapped_lose(front);
}

static bool sxen_front_take(struct sxen_front *front, const struct sxen_view *v,
			    struct sxen_order o)
{
	struct sxen_dev *d = &front->d;
	u32 life = 0;
	int err = 0;

	switch (o.step) {
	case SXEN_MAP:
		life = sxen_new_life();
		err = sxen_front_map(front);
		break;
	case SXEN_CONNECT:
		err = sxen_front_connect(front);
		break;
	case SXEN_LEAVE:
		sxen_front_leave(front);
		break;
	default:
		break;
	}
	sxen_side_done(&d->side, v, o, err, life);
	if (!err)
		sxen_write_side(d);
	if (o.step == SXEN_MAP && err == -ENOMEM) {
		/* that may change without the backend doing anything */
		d->side.refused = 0;
		sxen_dev_kick(d, SXEN_RETRY_MAP_MS);
		return false;
	}
	return true;
}

static void sxen_front_step(struct work_struct *work)
{
	struct sxen_front *front = container_of(to_delayed_work(work), struct sxen_front, d.step);
	struct sxen_dev *d = &front->d;
	struct sxen_order o;
	struct sxen_view v;

	mutex_lock(&d->lock);
	d->looks = 0;
	while (sxen_dev_look(d, &v)) {
		o = sxen_front_next(&d->side, &v);
		if (o.step == SXEN_STAY || !sxen_front_take(front, &v, o))
			break;
	}
	mutex_unlock(&d->lock);
}

static void sxen_front_changed(struct xenbus_device *xdev, enum xenbus_state state)
{
	struct sxen_front *front = dev_get_drvdata(&xdev->dev);

	if (front)
		sxen_dev_kick(&front->d, 0);
}

/* Nothing of the other domain stays mapped, and it is told. */
static void sxen_front_quit(struct sxen_front *front)
{
	lockdep_assert_held(&front->d.lock);
	sxen_front_leave(front);
	memset(&front->d.side, 0, sizeof(front->d.side));
	front->d.side.state = SXEN_CLOSED;
	sxen_write_side(&front->d);
}

static void sxen_front_unwatch(struct xenbus_watch *watch)
{
	if (!watch->node)
		return;
	unregister_xenbus_watch(watch);
	kfree(watch->node);
	watch->node = NULL;
}

/* State of a backend that the bus does not know; what the bus does for the one it knows. */
static void sxen_front_other_changed(struct xenbus_watch *watch, const char *path,
				     const char *token)
{
	struct sxen_front *front = container_of(watch, struct sxen_front, other_watch);
	u32 state;

	/* a machine that shuts down waits for this; otherend changes only in this thread */
	if (system_state > SYSTEM_RUNNING) {
		if (sxen_read_u32(front->d.otherend, "state", &state) && state == SXEN_CLOSING)
			xenbus_frontend_closed(front->d.xdev);
		return;
	}
	sxen_dev_kick(&front->d, 0);
}

/*
 * The toolstack names another backend. The bus has read the name of the first one, and looks
 * there for as long as we are bound: the others we watch ourselves.
 *
 * In the thread of all watches: the only one that may unregister one while a remove
 * waits for it. It stands still until the client has let go of the old memory.
 */
static void sxen_front_backend_changed(struct xenbus_watch *watch, const char *path,
				       const char *token)
{
	struct sxen_front *front = container_of(watch, struct sxen_front, backend_watch);
	struct xenbus_device *xdev = front->d.xdev;
	struct sxen_dev *d = &front->d;
	char *otherend = NULL;
	int domid;

	/*
	 * Without both the device is about to go. They are written in one transaction but read one
	 * after the other: if they do not belong together, the event of the later brings us here
	 * again, so it does not do to compare the folder alone.
	 */
	if (xenbus_gather(XBT_NIL, xdev->nodename, "backend-id", "%i", &domid,
			  "backend", NULL, &otherend, NULL) ||
	    domid < 0 || domid >= DOMID_FIRST_RESERVED ||
	    (domid == xdev->otherend_id && !strcmp(otherend, d->otherend))) {
		kfree(otherend);
		/* a folder that was made anew lacks what we had said there */
		sxen_dev_kick(d, 0);
		return;
	}
	dev_info(&xdev->dev, "the backend is domain %d now\n", domid);
	mutex_lock(&d->lock);
	sxen_front_unwatch(&front->other_watch);
	sxen_front_quit(front);
	kfree(d->otherend);
	d->otherend = otherend;
	xdev->otherend_id = domid;
	if (xenbus_watch_pathfmt(xdev, &front->other_watch, sxen_watch_once,
				 sxen_front_other_changed, "%s/state", otherend))
		front->other_watch.node = NULL;
	mutex_unlock(&d->lock);
	sxen_dev_kick(d, 0);
}

static void sxen_front_free(struct sxen_front *front)
{
	kfree(front->d.otherend);
	xa_destroy(&front->refs);
	mutex_destroy(&front->segment_lock);
	mutex_destroy(&front->d.lock);
	kvfree(front);
}

static int sxen_front_probe(struct xenbus_device *xdev, const struct xenbus_device_id *id)
{
	struct sxen_front *front;
	int err = -ENOMEM;

	front = kvzalloc(sizeof(*front), GFP_KERNEL);
	if (!front)
		return -ENOMEM;
	mutex_init(&front->d.lock);
	mutex_init(&front->segment_lock);
	sxen_dev_init(&front->d, xdev, SLUICE_FRONTEND, sxen_front_step);
	xa_init(&front->refs);
	front->d.otherend = kstrdup(xdev->otherend, GFP_KERNEL);
	if (!front->d.otherend)
		goto err_free;
	sxen_read_mac(xdev->nodename, front->mac);
	dev_set_drvdata(&xdev->dev, front);
	/* what an earlier life left in xenstore is over */
	front->d.side.state = SXEN_CLOSED;
	sxen_write_side(&front->d);
	err = xenbus_watch_pathfmt(xdev, &front->backend_watch, sxen_watch_once,
				   sxen_front_backend_changed, "%s/backend", xdev->nodename);
	if (err)
		goto err_drvdata;
	sxen_dev_kick(&front->d, 0);
	return 0;

err_drvdata:
	dev_set_drvdata(&xdev->dev, NULL);
err_free:
	sxen_front_free(front);
	return err;
}

static void sxen_front_remove(struct xenbus_device *xdev)
{
	struct sxen_front *front = dev_get_drvdata(&xdev->dev);

	mutex_lock(&front->d.lock);
	front->d.leaving = true;
	mutex_unlock(&front->d.lock);
	/* in this order: the first may make the second anew */
	sxen_front_unwatch(&front->backend_watch);
	sxen_front_unwatch(&front->other_watch);
	cancel_delayed_work_sync(&front->d.step);
	dev_set_drvdata(&xdev->dev, NULL);
	mutex_lock(&front->d.lock);
	sxen_front_drop(front);
	sxen_front_quit(front);
	mutex_unlock(&front->d.lock);
	sxen_front_free(front);
}

/*
 * Another driver domain's memory is not there after the machine has moved: let go of
 * all before. The steps are frozen; when they thaw, here or there, they connect again.
 */
static int sxen_front_suspend(struct xenbus_device *xdev)
{
	struct sxen_front *front = dev_get_drvdata(&xdev->dev);

	mutex_lock(&front->d.lock);
	sxen_front_quit(front);
	mutex_unlock(&front->d.lock);
	return 0;
}

static int sxen_front_resume(struct xenbus_device *xdev)
{
	struct sxen_front *front = dev_get_drvdata(&xdev->dev);

	mutex_lock(&front->d.lock);
	sxen_write_side(&front->d);
	mutex_unlock(&front->d.lock);
	sxen_dev_kick(&front->d, 0);
	return 0;
}

static const struct xenbus_device_id sxen_front_ids[] = {
	{ "sluice" },
	{ "" }
};

static struct xenbus_driver sxen_front_driver = {
	.name = "sluice-front",
	.ids = sxen_front_ids,
	.allow_rebind = true,
	.not_essential = true,
	.probe = sxen_front_probe,
	.remove = sxen_front_remove,
	.suspend = sxen_front_suspend,
	.resume = sxen_front_resume,
	.otherend_changed = sxen_front_changed,
};

/* Without an owner, as the other end. */
int sxen_front_register(void)
{
	return __xenbus_register_frontend(&sxen_front_driver, NULL, KBUILD_MODNAME);
}

void sxen_front_unregister(void)
{
	xenbus_unregister_driver(&sxen_front_driver);
}
