// SPDX-License-Identifier: GPL-2.0
/*
 * virtio_config_ops of a sluice frontend: answered from this side's copy of the
 * device, so that no driver waits for a backend that may be gone.
 */
#include "map.h"
#include "transport.h"

static void config_get(struct virtio_device *vdev, unsigned int offset, void *buf,
		       unsigned int len)
{
	struct sluice_transport *t = sluice_transport_of(vdev);
	struct virtio_net_config snap;

	spin_lock(&t->config_lock);
	snap = t->config;
	spin_unlock(&t->config_lock);
	snap.status = cpu_to_virtio16(vdev, READ_ONCE(t->f->link) ? VIRTIO_NET_S_LINK_UP : 0);

	memset(buf, 0, len);
	if (offset < sizeof(snap))
		memcpy(buf, (u8 *)&snap + offset, min_t(size_t, len, sizeof(snap) - offset));
}

static void config_set(struct virtio_device *vdev, unsigned int offset, const void *buf,
		       unsigned int len)
{
	/* A VIRTIO 1.2 network device's configuration is read-only for the driver. */
}

static u32 config_generation(struct virtio_device *vdev)
{
	return READ_ONCE(sluice_transport_of(vdev)->generation);
}

static u8 config_get_status(struct virtio_device *vdev)
{
	return READ_ONCE(sluice_transport_of(vdev)->status);
}

static void config_set_status(struct virtio_device *vdev, u8 status)
{
	struct sluice_transport *t = sluice_transport_of(vdev);

	mutex_lock(&t->lock);
	WRITE_ONCE(t->status, status);
	mutex_unlock(&t->lock);
	/*
	 * The driver may hold RTNL here, and in a kernel that is both frontend and
	 * backend the answer may need it: tell the backend from a work item.
	 */
	if (status & VIRTIO_CONFIG_S_DRIVER_OK)
		queue_work(system_unbound_wq, &t->push);
}

static void config_reset(struct virtio_device *vdev)
{
	struct sluice_transport *t = sluice_transport_of(vdev);

	mutex_lock(&t->lock);
	WRITE_ONCE(t->live, false);
	sluice_vqs_quiesce(t);
	sluice_peer_reset(t);
	WRITE_ONCE(t->status, 0);
	WRITE_ONCE(t->pairs, 1);
	mutex_unlock(&t->lock);
}

static u64 config_get_features(struct virtio_device *vdev)
{
	return sluice_transport_of(vdev)->features;
}

static int config_finalize_features(struct virtio_device *vdev)
{
	bool ring_reset = __virtio_test_bit(vdev, VIRTIO_F_RING_RESET);

	/* drops what virtio_ring does not know, RING_RESET is the transport's own */
	vring_transport_features(vdev);
	if (ring_reset)
		__virtio_set_bit(vdev, VIRTIO_F_RING_RESET);
	/* never offered; here against a driver that does not look */
	__virtio_clear_bit(vdev, VIRTIO_F_RING_PACKED);
	__virtio_clear_bit(vdev, VIRTIO_RING_F_INDIRECT_DESC);

	if (!__virtio_test_bit(vdev, VIRTIO_F_VERSION_1) ||
	    !__virtio_test_bit(vdev, VIRTIO_F_ACCESS_PLATFORM)) {
		dev_err(&vdev->dev, "the driver must accept VERSION_1 and ACCESS_PLATFORM\n");
		return -EINVAL;
	}
	return 0;
}

static const char *config_bus_name(struct virtio_device *vdev)
{
	return dev_name(vdev->dev.parent);
}

/*
 * Region 0: the control segment, if it is one physical range. Data segments
 * come and go, which this interface cannot say: sluice_front gets them from region.c.
 */
static bool config_get_shm_region(struct virtio_device *vdev, struct virtio_shm_region *region,
				  u8 id)
{
	struct sluice_transport *t = sluice_transport_of(vdev);
	struct sluice_channel *ch = t->f->ch;
	unsigned long first, i;
	bool ok = false;

	if (id)
		return false;
	mutex_lock(&t->lock);
	/* without a session there may be none */
	if (!t->up)
		goto out;
	first = page_to_pfn(sluice_va_to_page(ch->ctrl_va));
	for (i = 1; i < ch->ctrl_bytes >> PAGE_SHIFT; i++)
		if (page_to_pfn(sluice_va_to_page(ch->ctrl_va + (i << PAGE_SHIFT))) != first + i)
			goto out;
	region->addr = PFN_PHYS(first);
	region->len = ch->ctrl_bytes;
	ok = true;
out:
	mutex_unlock(&t->lock);
	return ok;
}

SLUICE_FIND_VQS(config_find_vqs, sluice_vqs_find)

const struct virtio_config_ops sluice_config_ops = {
	.get = config_get,
	.set = config_set,
	.generation = config_generation,
	.get_status = config_get_status,
	.set_status = config_set_status,
	.reset = config_reset,
	.find_vqs = config_find_vqs,
	.del_vqs = sluice_vqs_del,
	.get_features = config_get_features,
	.finalize_features = config_finalize_features,
	.bus_name = config_bus_name,
	.get_shm_region = config_get_shm_region,
	.disable_vq_and_reset = sluice_vqs_disable,
	.enable_vq_after_reset = sluice_vqs_enable,
};
