// SPDX-License-Identifier: GPL-2.0
/*
 * The virtio device on a channel: its life, and the callbacks of the client.
 *
 *	attach		parent device with its DMA operations
 *	first up	what the backend offers -> virtio device -> a driver binds
 *	down		no link; the driver gets back what was in flight
 *	lose		bounce slots move out of the control segment
 *	up again	they move into the new one; the backend is told of the same
 *			virtqueues -> link
 *	detach		the virtio device goes
 *
 * While there is no session the device stays, so that the netdev keeps its
 * addresses. A backend that comes back with less than the driver uses gets a new device.
 */
#include <linux/idr.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include "map.h"
#include "transport.h"

static DEFINE_IDA(front_ida);

/* Devices whose release function, code of this module, is still to run. */
static atomic_t nr_devices = ATOMIC_INIT(0);
static DECLARE_WAIT_QUEUE_HEAD(devices_gone);

static void front_release(struct device *dev)
{
	struct sluice_front *f = container_of(dev, struct sluice_front, dev);

	kfree(f->transport);
	kfree(f);
	if (atomic_dec_and_test(&nr_devices))
		wake_up(&devices_gone);
}

static void vdev_release(struct device *dev)
{
	kfree(dev_to_virtio(dev));
	if (atomic_dec_and_test(&nr_devices))
		wake_up(&devices_gone);
}

/**
 * sluice_transport_wait() - until no device of this module is left
 *
 * Context: process, after the client has been unregistered.
 */
void sluice_transport_wait(void)
{
	wait_event(devices_gone, !atomic_read(&nr_devices));
}

void sluice_transport_changed(struct sluice_transport *t)
{
	lockdep_assert_held(&t->lock);
	WRITE_ONCE(t->f->link, t->up && t->told && READ_ONCE(t->backend_link));
	if (t->f->vdev)
		virtio_config_changed(t->f->vdev);
}

static int vdev_register(struct sluice_front *f)
{
	struct sluice_transport *t = f->transport;
	struct virtio_device *vdev;
	int err;

	t->plan = t->offer;
	err = sluice_map_create(f, &t->plan);
	if (err)
		return err;
	vdev = kzalloc(sizeof(*vdev), GFP_KERNEL);
	if (!vdev) {
		sluice_map_destroy(f);
		return -ENOMEM;
	}
	f->nr_pairs = t->plan.pairs;
	vdev->id.device = sluice_front_stock ? VIRTIO_ID_NET : SLUICE_FRONT_VIRTIO_ID;
	vdev->id.vendor = SLUICE_FRONT_VENDOR;
	vdev->config = &sluice_config_ops;
	vdev->dev.parent = &f->dev;
	vdev->dev.release = vdev_release;
	atomic_inc(&nr_devices);

	mutex_lock(&t->lock);
	f->vdev = vdev;
	mutex_unlock(&t->lock);
	err = register_virtio_device(vdev);
	if (err) {
		mutex_lock(&t->lock);
		f->vdev = NULL;
		mutex_unlock(&t->lock);
		put_device(&vdev->dev);
		sluice_map_destroy(f);
		return err;
	}
	return 0;
}

/* Our own driver is always there: if it did not bind, its probe failed. */
static bool vdev_orphan(struct sluice_front *f)
{
	bool bound;

	if (sluice_front_stock)
		return false;
	device_lock(&f->vdev->dev);
	bound = f->vdev->dev.driver;
	device_unlock(&f->vdev->dev);
	return !bound;
}

static void vdev_unregister(struct sluice_front *f)
{
	struct sluice_transport *t = f->transport;
	struct virtio_device *vdev = f->vdev;

	if (!vdev)
		return;
	get_device(&vdev->dev);
	unregister_virtio_device(vdev);
	mutex_lock(&t->lock);
	f->vdev = NULL;
	mutex_unlock(&t->lock);
	cancel_work_sync(&t->push);
	cancel_delayed_work_sync(&t->backstop);
	put_device(&vdev->dev);
	sluice_map_destroy(f);
}

static int front_attach(struct sluice_channel *ch)
{
	struct sluice_transport *t;
	struct sluice_front *f;
	unsigned int i;
	int id, err;

	if (ch->ctrl_bytes < SLUICE_SHM_CTRL_MIN || ch->nr_doorbells < 2)
		return -EINVAL;
	f = kzalloc(sizeof(*f), GFP_KERNEL);
	t = kzalloc(sizeof(*t), GFP_KERNEL);
	id = ida_alloc(&front_ida, GFP_KERNEL);
	if (!f || !t || id < 0) {
		err = id < 0 ? id : -ENOMEM;
		goto err_free;
	}
	f->ch = ch;
	f->transport = t;
	f->id = id;
	t->f = f;
	t->told_pairs = 1;
	t->pairs = 1;
	mutex_init(&t->lock);
	spin_lock_init(&t->config_lock);
	spin_lock_init(&t->ctrlq.lock);
	for (i = 0; i < ARRAY_SIZE(t->vq); i++)
		spin_lock_init(&t->vq[i].lock);
	INIT_WORK(&t->push, sluice_peer_push);
	INIT_DELAYED_WORK(&t->backstop, sluice_vqs_backstop);

	device_initialize(&f->dev);
	atomic_inc(&nr_devices);
	f->dev.parent = ch->dev;
	f->dev.release = front_release;
	err = dev_set_name(&f->dev, "sluice-front%d", id);
	if (err)
		goto err_put;
	err = sluice_dma_attach(&f->dev, &f->dma_mask);
	if (err) {
		dev_err(ch->dev, "this kernel has no DMA operations per device (CONFIG_ARCH_HAS_DMA_OPS)\n");
		goto err_put;
	}
	err = device_add(&f->dev);
	if (err)
		goto err_put;
	if (!sluice_front_stock) {
		err = sluice_region_init(f);
		if (err)
			goto err_del;
	}
	WRITE_ONCE(ch->client_data, f);
	return 0;

err_del:
	device_del(&f->dev);
err_put:
	ida_free(&front_ida, id);
	put_device(&f->dev);
	return err;
err_free:
	if (id >= 0)
		ida_free(&front_ida, id);
	kfree(t);
	kfree(f);
	return err;
}

static void front_detach(struct sluice_channel *ch)
{
	struct sluice_front *f = ch->client_data;

	vdev_unregister(f);
	if (!sluice_front_stock)
		sluice_region_exit(f);
	WRITE_ONCE(ch->client_data, NULL);
	synchronize_rcu();	/* doorbells */
	ida_free(&front_ida, f->id);
	device_unregister(&f->dev);
}

/* May the driver that has negotiated with an earlier backend stay? */
static bool device_fits(const struct sluice_front *f)
{
	const struct sluice_transport *t = f->transport;

	return !(f->vdev->features & ~t->features) && !memcmp(&t->plan, &t->offer, sizeof(t->plan));
}

static void front_up(struct sluice_channel *ch)
{
	struct sluice_front *f = ch->client_data;
	struct sluice_transport *t = f->transport;
	int err;

	mutex_lock(&t->lock);
	t->up = true;
	mutex_unlock(&t->lock);

	err = sluice_peer_fetch(t);
	if (err) {
		sluice_channel_break(ch, "it offers no device that can be used");
		return;
	}
	if (f->vdev && !device_fits(f)) {
		dev_info_ratelimited(&f->dev, "the backend offers another device than before: network device made anew\n");
		vdev_unregister(f);
	}
	if (f->vdev) {
		mutex_lock(&t->lock);
		sluice_map_regain(f);
		mutex_unlock(&t->lock);
		queue_work(system_unbound_wq, &t->push);
		return;
	}
	err = vdev_register(f);
	if (!err && vdev_orphan(f)) {
		vdev_unregister(f);
		err = -ENODEV;
	}
	if (err) {
		dev_err(&f->dev, "cannot make the virtio device: %pe\n", ERR_PTR(err));
		/* the next session tries again, after a pause that grows */
		sluice_channel_break(ch, "no network device could be made for it");
	}
}

static void front_down(struct sluice_channel *ch, const char *reason)
{
	struct sluice_front *f = ch->client_data;
	struct sluice_transport *t = f->transport;

	mutex_lock(&t->lock);
	t->up = false;
	WRITE_ONCE(t->live, false);
	sluice_peer_reset(t);
	mutex_unlock(&t->lock);
	sluice_vqs_quiesce(t);
	cancel_work_sync(&t->push);
	cancel_delayed_work_sync(&t->backstop);

	if (!sluice_front_stock) {
		sluice_region_down(f);
		/* a driver that has taken one of its pages just before has added it now */
		synchronize_rcu();
	}
	mutex_lock(&t->lock);
	if (t->status & VIRTIO_CONFIG_S_DRIVER_OK)
		sluice_vqs_give_up(t);
	WRITE_ONCE(f->sessions_lost, f->sessions_lost + 1);
	sluice_transport_changed(t);
	mutex_unlock(&t->lock);
}

/* Of what lies in the control segment the rings are not used since down. */
static void front_lose(struct sluice_channel *ch)
{
	struct sluice_front *f = ch->client_data;

	/* who has seen a queue on just before has looked at its ring now */
	synchronize_rcu();
	if (!sluice_map_lose(f))
		return;
	dev_err(&f->dev, "no memory to keep the network device until the backend is back: made anew then\n");
	vdev_unregister(f);
}

static void front_message(struct sluice_channel *ch, const struct sluice_msg *msg)
{
	struct sluice_front *f = ch->client_data;
	struct sluice_transport *t = f->transport;
	struct sluice_msg resp = { };

	switch (msg->msg_id) {
	case SLUICE_MSG_EVENT_CONFIG:
		if (sluice_peer_fetch_config(t))
			break;
		mutex_lock(&t->lock);
		sluice_transport_changed(t);
		mutex_unlock(&t->lock);
		break;
	case SLUICE_MSG_SEGMENT_ADD:
	case SLUICE_MSG_SEGMENT_RETIRE:
		if (!sluice_front_stock) {
			sluice_region_message(f, msg);
			break;
		}
		fallthrough;	/* SLUICE_SHM_F_REGION was not accepted */
	default:
		sluice_channel_respond(ch, msg, &resp, SLUICE_ENOSUPP);
	}
}

static void front_doorbell(struct sluice_channel *ch, unsigned int vector)
{
	struct sluice_front *f;

	rcu_read_lock();	/* pairs with synchronize_rcu() in front_detach() */
	f = READ_ONCE(ch->client_data);
	/* any vector may ring, also one that has no queue */
	if (f && vector && vector <= SLUICE_SHM_MAX_PAIRS)
		sluice_vqs_interrupt(f->transport, vector - 1);
	rcu_read_unlock();
}

struct sluice_client sluice_front_client = {
	.role = SLUICE_FRONTEND,
	.owner = THIS_MODULE,
	.attach = front_attach,
	.detach = front_detach,
	.up = front_up,
	.down = front_down,
	.lose = front_lose,
	.message = front_message,
	.doorbell = front_doorbell,
};
