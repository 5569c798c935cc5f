// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's end of a device.
 *
 * The channel exists while the control segment is mapped and the event channels
 * are bound on the other side.
 */
#include <linux/etherdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include "xen.h"

#define SXEN_RETRY_MAP_MS	5000

/* See struct sluice_provider_ops. */
int sxen_front_claim(struct sluice_channel *ch)
{
	struct sxen_front *front = ch->provider_data;

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
}

/* Two places of the region that show the same page would spoil each other's frames. */
static int sxen_refs_take(struct sxen_front *front, const u32 *ref, unsigned int nr)
{
	unsigned int i;
	int err;

	for (i = 0; i < nr; i++) {
		err = xa_insert(&front->refs, ref[i], xa_mk_value(1), GFP_KERNEL);
		if (!err)
			continue;
		while (i--)
			xa_erase(&front->refs, ref[i]);
		return err == -EBUSY ? -EINVAL : err;
	}
	return 0;
}

static void sxen_refs_drop(struct sxen_front *front, const u32 *ref, unsigned int nr)
{
	while (nr--)
		xa_erase(&front->refs, ref[nr]);
}

/* See struct sluice_provider_ops. */
int sxen_segment_map(struct sluice_channel *ch, unsigned int slot, u64 handle)
{
	struct sxen_front *front = ch->provider_data;
	domid_t domid = front->d.xdev->otherend_id;
	const char *text = "its pages cannot be mapped";
	struct sxen_map *map;
	u32 *ref;
	int err;

	if (slot >= ch->max_slots || slot < ch->window.ctrl_slots ||
	    handle < SXEN_FIRST_REF || handle >= U32_MAX)
		return -EINVAL;
	/* sockets still hold pages of its earlier life */
	if (front->segment[slot])
		return -EBUSY;
	ref = kvmalloc_array(SXEN_SEGMENT_REFS, sizeof(*ref), GFP_KERNEL);
	if (!ref)
		return -ENOMEM;
	err = sxen_refs_fetch(domid, handle, SXEN_SEGMENT_REFS, ref, &text);
	if (err)
		goto err_free;
	err = sxen_refs_take(front, ref, SXEN_SEGMENT_REFS);
	if (err) {
		text = "a grant reference belongs to another segment";
		goto err_free;
	}
	map = sxen_map_get(domid, ref, SXEN_SEGMENT_REFS, false);
	if (IS_ERR(map)) {
		err = PTR_ERR(map);
		goto err_drop;
	}
	front->segment[slot] = map;
	front->refs_of[slot] = ref;
	ch->window.slot[slot].va = map->va;
	return 0;

err_drop:
	sxen_refs_drop(front, ref, SXEN_SEGMENT_REFS);
err_free:
	dev_warn_ratelimited(&front->d.xdev->dev, "segment %u: %s (%d)\n", slot, text, err);
	kvfree(ref);
	return err;
}

static struct sxen_map *sxen_segment_forget(struct sxen_front *front, unsigned int slot)
{
	struct sxen_map *map = front->segment[slot];

	if (!map)
		return NULL;
	sxen_refs_drop(front, front->refs_of[slot], SXEN_SEGMENT_REFS);
	kvfree(front->refs_of[slot]);
	front->refs_of[slot] = NULL;
	front->segment[slot] = NULL;
	return map;
}

/* See struct sluice_provider_ops. */
int sxen_segment_unmap(struct sluice_channel *ch, unsigned int slot)
{
	struct sxen_front *front = ch->provider_data;
	int err;

	if (slot >= SLUICE_SHM_MAX_SLOTS || !front->segment[slot])
		return -ENOENT;
	ch->window.slot[slot].va = NULL;
	err = sxen_map_put(sxen_segment_forget(front, slot));
	return err;
}

static int sxen_front_map_ctrl(struct sxen_front *front, u32 bytes)
{
	struct xenbus_device *xdev = front->d.xdev;
	u32 nr = bytes / SLUICE_SHM_PAGE, done, some, dir;
	const char *text = "the control segment cannot be mapped";
	struct sxen_map *map;
	char node[32];
	u32 *ref;
	int err = 0;

	ref = kvmalloc_array(nr, sizeof(*ref), GFP_KERNEL);
	if (!ref)
		return -ENOMEM;
	for (done = 0; done < nr; done += some) {
		some = min_t(u32, nr - done, SXEN_DIRECTORY_REFS);
		snprintf(node, sizeof(node), "ctrl-ref%u", done / (u32)SXEN_DIRECTORY_REFS);
		if (!sxen_read_u32(xdev->otherend, node, &dir) || dir < SXEN_FIRST_REF) {
			text = "no grant of the control segment's list in xenstore";
			err = -EINVAL;
			goto out;
		}
		err = sxen_refs_fetch(xdev->otherend_id, dir, some, ref + done, &text);
		if (err)
			goto out;
	}
	err = sxen_refs_take(front, ref, nr);
	if (err) {
		text = "a grant reference stands twice in its list";
		goto out;
	}
	map = sxen_map_get(xdev->otherend_id, ref, nr, false);
	sxen_refs_drop(front, ref, nr);
	if (IS_ERR(map))
		err = PTR_ERR(map);
	else
		front->ctrl = map;
out:
	if (err)
		sxen_write_error(xdev, text);
	kvfree(ref);
	return err;
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
	struct xenbus_device *xdev = front->d.xdev;
	const char *text = NULL;
	u32 bytes = 0;
	int err;

	front->doorbells = 0;
	sxen_read_u32(xdev->otherend, "ctrl-bytes", &bytes);
	sxen_read_u32(xdev->otherend, "doorbells", &front->doorbells);
	err = sxen_offer_check(bytes, front->doorbells, &text);
	if (err) {
		sxen_write_error(xdev, text);
		return err;
	}
	err = sxen_front_map_ctrl(front, bytes);
	if (err)
		return err;
	err = sxen_bell_offer(&front->d.bell, front->doorbells);
	if (err)
		goto err_unmap;
	err = sxen_front_write_ports(front);
	if (err)
		goto err_unbind;
	sxen_write_error(xdev, NULL);
	return 0;

err_unbind:
	sxen_bell_unbind(&front->d.bell);
err_unmap:
	sxen_map_put(front->ctrl);
	front->ctrl = NULL;
	return err;
}

static int sxen_front_connect(struct sxen_front *front)
{
	struct xenbus_device *xdev = front->d.xdev;
	struct sluice_channel *ch;
	int err;

	ch = sluice_channel_alloc(&sxen_ops, &xdev->dev, SLUICE_FRONTEND);
	if (IS_ERR(ch))
		return PTR_ERR(ch);
	ch->provider_data = front;
	ch->max_slots = SLUICE_SHM_MAX_SLOTS;
	ch->nr_doorbells = front->doorbells;
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

/* On return the backend can end every grant, but for those of frames in sockets. */
static void sxen_front_leave(struct sxen_front *front)
{
	unsigned int i;

	if (front->d.ch)
		sluice_channel_unregister(front->d.ch);
	sxen_bell_unbind(&front->d.bell);
	sluice_channel_free(front->d.ch);
	front->d.ch = NULL;
	for (i = 0; i < SLUICE_SHM_MAX_SLOTS; i++)
		sxen_map_orphan(sxen_segment_forget(front, i));
	sxen_map_put(front->ctrl);
	front->ctrl = NULL;
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

static int sxen_front_probe(struct xenbus_device *xdev, const struct xenbus_device_id *id)
{
	struct sxen_front *front;

	front = kvzalloc(sizeof(*front), GFP_KERNEL);
	if (!front)
		return -ENOMEM;
	mutex_init(&front->d.lock);
	sxen_dev_init(&front->d, xdev, SLUICE_FRONTEND, sxen_front_step);
	xa_init(&front->refs);
	sxen_read_mac(xdev->nodename, front->mac);
	dev_set_drvdata(&xdev->dev, front);
	/* what an earlier life left in xenstore is over */
	front->d.side.state = SXEN_CLOSED;
	sxen_write_side(&front->d);
	sxen_dev_kick(&front->d, 0);
	return 0;
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

static void sxen_front_remove(struct xenbus_device *xdev)
{
	struct sxen_front *front = dev_get_drvdata(&xdev->dev);

	mutex_lock(&front->d.lock);
	front->d.leaving = true;
	mutex_unlock(&front->d.lock);
	cancel_delayed_work_sync(&front->d.step);
	dev_set_drvdata(&xdev->dev, NULL);
	mutex_lock(&front->d.lock);
	sxen_front_quit(front);
	mutex_unlock(&front->d.lock);
	xa_destroy(&front->refs);
	mutex_destroy(&front->d.lock);
	kvfree(front);
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
