// SPDX-License-Identifier: GPL-2.0
/*
 * Virtio device state machine: the frontend's requests, checked and served.
 */
#include "vdev.h"

#define VDEV_BIT(b)	(1ull << (b))

/*
 * A feature that makes no sense without another one (VIRTIO 1.2 5.1.3.1). Not
 * listed: MQ needs CTRL_VQ only between the driver and its transport, which answers
 * the control virtqueue itself; across the channel SET_PAIRS stands for it.
 */
static const struct {
	u8 bit;
	u8 needs;
} vdev_needs[] = {
	{ VIRTIO_NET_F_HOST_TSO4, VIRTIO_NET_F_CSUM },
	{ VIRTIO_NET_F_HOST_TSO6, VIRTIO_NET_F_CSUM },
	{ VIRTIO_NET_F_HOST_ECN, VIRTIO_NET_F_CSUM },
	{ VIRTIO_NET_F_GUEST_TSO4, VIRTIO_NET_F_GUEST_CSUM },
	{ VIRTIO_NET_F_GUEST_TSO6, VIRTIO_NET_F_GUEST_CSUM },
	{ VIRTIO_NET_F_GUEST_ECN, VIRTIO_NET_F_GUEST_CSUM },
};

#define VDEV_STATUS_KNOWN (VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | \
			   VIRTIO_CONFIG_S_DRIVER_OK | VIRTIO_CONFIG_S_FEATURES_OK | \
			   VIRTIO_CONFIG_S_NEEDS_RESET | VIRTIO_CONFIG_S_FAILED)

int sluice_vdev_init(struct sluice_vdev *v)
{
	if (!v->ops || !v->win || !v->max_pairs || v->max_pairs > SLUICE_SHM_MAX_PAIRS ||
	    v->max_ring < 2 || v->max_ring > SLUICE_SHM_MAX_RING)
		return -EINVAL;
	v->running = false;
	sluice_vdev_reset(v);
	return 0;
}

void sluice_vdev_reset(struct sluice_vdev *v)
{
	if (v->running) {
		v->running = false;
		v->ops->stop(v);
	}
	v->accepted = 0;
	v->status = 0;
	v->pairs = 1;
	memset(v->vq, 0, sizeof(v->vq));
}

static bool vdev_features_fit(const struct sluice_vdev *v)
{
	const u64 must = VDEV_BIT(VIRTIO_F_VERSION_1) | VDEV_BIT(VIRTIO_F_ACCESS_PLATFORM);
	unsigned int i;

	/*
	 * Without ACCESS_PLATFORM the driver would write its physical addresses
	 * where we expect window offsets.
	 */
	if ((v->accepted & must) != must)
		return false;
	for (i = 0; i < ARRAY_SIZE(vdev_needs); i++)
		if ((v->accepted & VDEV_BIT(vdev_needs[i].bit)) &&
		    !(v->accepted & VDEV_BIT(vdev_needs[i].needs)))
			return false;
	return true;
}

static u32 vdev_set_features(struct sluice_vdev *v, const struct sluice_msg_features *req)
{
	u64 features = le64_to_cpu(req->features);

	if (!(v->status & VIRTIO_CONFIG_S_DRIVER) || v->status & VIRTIO_CONFIG_S_FEATURES_OK)
		return SLUICE_ESTATE;
	/* a bit that was never offered would switch on code that is not prepared */
	if (features & ~v->offered)
		return SLUICE_EINVAL;
	v->accepted = features;
	return SLUICE_OK;
}

static u32 vdev_get_config(const struct sluice_vdev *v, const struct sluice_msg_config *req,
			   struct sluice_msg_config *resp)
{
	u32 offset = le32_to_cpu(req->offset);
	u32 bytes = le32_to_cpu(req->bytes);

	/* offset + bytes as given may wrap: compare without adding */
	if (!bytes || bytes > SLUICE_MSG_CONFIG_BYTES || offset >= sizeof(v->config) ||
	    bytes > sizeof(v->config) - offset)
		return SLUICE_EINVAL;
	resp->offset = req->offset;
	resp->bytes = req->bytes;
	resp->generation = cpu_to_le32(v->config_generation);
	memcpy(resp->data, (const u8 *)&v->config + offset, bytes);
	return SLUICE_OK;
}

static u32 vdev_set_status(struct sluice_vdev *v, u32 status)
{
	if (!status) {
		sluice_vdev_reset(v);
		return SLUICE_OK;
	}
	/* a driver may add bits, and take them back only by a reset (2.1.1) */
	if (status & ~VDEV_STATUS_KNOWN ||
	    (v->status & ~status & ~VIRTIO_CONFIG_S_NEEDS_RESET))
		return SLUICE_EINVAL;
	/* ours to set, not the driver's */
	status &= ~VIRTIO_CONFIG_S_NEEDS_RESET;
	status |= v->status & VIRTIO_CONFIG_S_NEEDS_RESET;

	if ((status & ~v->status) & VIRTIO_CONFIG_S_FEATURES_OK && !vdev_features_fit(v))
		status &= ~VIRTIO_CONFIG_S_FEATURES_OK;	/* the driver looks whether it stuck */

	if ((status & ~v->status) & VIRTIO_CONFIG_S_DRIVER_OK) {
		if (!(status & VIRTIO_CONFIG_S_FEATURES_OK) ||
		    status & (VIRTIO_CONFIG_S_NEEDS_RESET | VIRTIO_CONFIG_S_FAILED))
			return SLUICE_ESTATE;
		if (v->ops->start(v)) {
			v->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
			return SLUICE_EIO;
		}
		v->running = true;
	}
	v->status = status;
	return SLUICE_OK;
}

static u32 vdev_get_vqueue(const struct sluice_vdev *v, const struct sluice_msg_vqueue *req,
			   struct sluice_msg_vqueue *resp)
{
	u32 index = le32_to_cpu(req->index);

	if (index >= 2 * v->max_pairs)
		return SLUICE_EINVAL;
	resp->index = req->index;
	resp->ring = cpu_to_le32(v->max_ring);
	return SLUICE_OK;
}

static u32 vdev_set_vqueue(struct sluice_vdev *v, const struct sluice_msg_vqueue *req)
{
	struct sluice_vdev_vq vq = {
		.set = true,
		.num = le32_to_cpu(req->ring),
		.desc = le64_to_cpu(req->desc),
		.avail = le64_to_cpu(req->avail),
		.used = le64_to_cpu(req->used),
	};
	u32 index = le32_to_cpu(req->index);
	struct sluice_vq probe;

	if (index >= 2 * v->max_pairs || vq.num > v->max_ring)
		return SLUICE_EINVAL;
	if (!(v->status & VIRTIO_CONFIG_S_FEATURES_OK) || v->vq[index].set)
		return SLUICE_ESTATE;
	/* a queue that appears while the device runs has gone through RESET_VQUEUE */
	if (v->running && !sluice_vdev_has(v, VIRTIO_F_RING_RESET))
		return SLUICE_ESTATE;
	if (sluice_vq_init(&probe, v->win, vq.num, vq.desc, vq.avail, vq.used,
			   sluice_vdev_has(v, VIRTIO_RING_F_EVENT_IDX)))
		return SLUICE_EINVAL;

	v->vq[index] = vq;
	if (v->running && v->ops->vq_start(v, index)) {
		v->vq[index].set = false;
		return SLUICE_ENOMEM;
	}
	return SLUICE_OK;
}

static u32 vdev_reset_vqueue(struct sluice_vdev *v, const struct sluice_msg_vqueue *req)
{
	u32 index = le32_to_cpu(req->index);

	if (index >= 2 * v->max_pairs)
		return SLUICE_EINVAL;
	if (!v->vq[index].set || !sluice_vdev_has(v, VIRTIO_F_RING_RESET))
		return SLUICE_ESTATE;
	if (v->running)
		v->ops->vq_stop(v, index);
	memset(&v->vq[index], 0, sizeof(v->vq[index]));
	return SLUICE_OK;
}

static u32 vdev_set_pairs(struct sluice_vdev *v, const struct sluice_msg_pairs *req)
{
	u32 pairs = le32_to_cpu(req->pairs);
	u32 i;

	if (!pairs || pairs > v->max_pairs)
		return SLUICE_EINVAL;
	if (!v->running || (pairs > 1 && !sluice_vdev_has(v, VIRTIO_NET_F_MQ)))
		return SLUICE_ESTATE;
	/* frames for a pair whose receive queue does not exist would be lost */
	for (i = 0; i < pairs; i++)
		if (!v->vq[2 * i].set)
			return SLUICE_ESTATE;
	if (v->ops->set_pairs(v, pairs))
		return SLUICE_EIO;
	v->pairs = pairs;
	return SLUICE_OK;
}

u32 sluice_vdev_message(struct sluice_vdev *v, const struct sluice_msg *req,
			struct sluice_msg *resp)
{
	u32 status;

	memset(resp, 0, sizeof(*resp));

	switch (req->msg_id) {
	case SLUICE_MSG_DEVICE_INFO:
		resp->device_info.device_id = cpu_to_le32(VIRTIO_ID_NET);
		resp->device_info.vendor_id = cpu_to_le32(SLUICE_SHM_MAGIC);
		resp->device_info.config_bytes = cpu_to_le32(sizeof(v->config));
		resp->device_info.nr_vqs = cpu_to_le16(2 * v->max_pairs);
		resp->device_info.max_ring = cpu_to_le16(v->max_ring);
		return SLUICE_OK;
	case SLUICE_MSG_GET_FEATURES:
		resp->features.features = cpu_to_le64(v->offered);
		return SLUICE_OK;
	case SLUICE_MSG_SET_FEATURES:
		return vdev_set_features(v, &req->features);
	case SLUICE_MSG_GET_CONFIG:
		return vdev_get_config(v, &req->config, &resp->config);
	case SLUICE_MSG_SET_CONFIG:
		/* a VERSION_1 driver has no field of virtio_net_config to write */
		return SLUICE_ENOSUPP;
	case SLUICE_MSG_GET_STATUS:
		resp->device_status.status = cpu_to_le32(v->status);
		return SLUICE_OK;
	case SLUICE_MSG_SET_STATUS:
		status = vdev_set_status(v, le32_to_cpu(req->device_status.status));
		resp->device_status.status = cpu_to_le32(v->status);
		return status;
	case SLUICE_MSG_GET_VQUEUE:
		return vdev_get_vqueue(v, &req->vqueue, &resp->vqueue);
	case SLUICE_MSG_SET_VQUEUE:
		return vdev_set_vqueue(v, &req->vqueue);
	case SLUICE_MSG_RESET_VQUEUE:
		return vdev_reset_vqueue(v, &req->vqueue);
	case SLUICE_MSG_GET_SHM:
		resp->shm.window_slots = cpu_to_le32(v->win->nr_slots);
		return SLUICE_OK;
	case SLUICE_MSG_SET_PAIRS:
		return vdev_set_pairs(v, &req->pairs);
	default:
		return SLUICE_ENOSUPP;
	}
}
