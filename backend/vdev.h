/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The virtio network device that one destination shows its guest: status,
 * features, configuration space and the places of the virtqueues. Pure code.
 *
 * It decodes the frontend's requests, decides whether they are possible now, and
 * tells its owner through the ops what to do. Every field of a request is the
 * peer's: nothing of it is kept before it has been checked.
 *
 * The caller serialises everything on one device.
 */
#ifndef SLUICE_BACKEND_VDEV_H
#define SLUICE_BACKEND_VDEV_H

#include <sluice/os.h>
#include <sluice/vq.h>
#include <sluice/window.h>
#include <uapi/linux/sluice_shm.h>

struct sluice_vdev;

/**
 * struct sluice_vdev_vq - what the driver said about one virtqueue
 * @set: SET_VQUEUE was accepted and no reset came since
 * @num: descriptors
 * @desc: window offset of the descriptor table
 * @avail: of the available ring
 * @used: of the used ring
 */
struct sluice_vdev_vq {
	bool set;
	u32 num;
	u64 desc;
	u64 avail;
	u64 used;
};

/**
 * struct sluice_vdev_ops - what the device asks of its owner
 * @start: the driver is ready (DRIVER_OK): serve every virtqueue that is set. On
 *	failure nothing is served and the device needs a reset.
 * @stop: undo @start; called only after a @start that succeeded
 * @vq_start: serve one more virtqueue while the device runs
 * @vq_stop: stop serving one while the device runs; on return nothing of it is in use
 * @set_pairs: the driver receives on the first @pairs pairs from now on
 */
struct sluice_vdev_ops {
	int (*start)(struct sluice_vdev *v);
	void (*stop)(struct sluice_vdev *v);
	int (*vq_start)(struct sluice_vdev *v, u32 index);
	void (*vq_stop)(struct sluice_vdev *v, u32 index);
	int (*set_pairs)(struct sluice_vdev *v, u32 pairs);
};

/**
 * struct sluice_vdev - one virtio network device
 * @ops: the owner
 * @win: the channel's window; virtqueue addresses are checked against it
 * @offered: feature bits that the driver may choose from
 * @config: configuration space; change it with sluice_vdev_config_changed()
 * @config_generation: changes with the content of @config
 * @max_pairs: queue pairs, 1 to SLUICE_SHM_MAX_PAIRS
 * @max_ring: descriptors a virtqueue may have
 * @accepted: feature bits the driver chose
 * @status: VIRTIO_CONFIG_S_*
 * @pairs: pairs the driver receives on
 * @running: between a successful start and stop
 * @vq: the virtqueues
 */
struct sluice_vdev {
	const struct sluice_vdev_ops *ops;
	const struct sluice_window *win;
	u64 offered;
	struct virtio_net_config config;
	u32 config_generation;
	u32 max_pairs;
	u32 max_ring;

	u64 accepted;
	u32 status;
	u32 pairs;
	bool running;
	struct sluice_vdev_vq vq[SLUICE_SHM_MAX_VQS];
};

/**
 * sluice_vdev_init() - a device as it is after reset
 * @v: the device; ops, win, offered, config, max_pairs, max_ring filled in
 *
 * Return: 0, or -EINVAL if these make no device.
 */
int sluice_vdev_init(struct sluice_vdev *v);

/**
 * sluice_vdev_reset() - stop and forget everything the driver said
 * @v: the device
 */
void sluice_vdev_reset(struct sluice_vdev *v);

/**
 * sluice_vdev_message() - serve one request of the driver
 * @v: the device
 * @req: private copy of the request
 * @resp: payload of the response; zeroed first, so that nothing of ours leaks
 *
 * Return: enum sluice_msg_status for the response.
 */
u32 sluice_vdev_message(struct sluice_vdev *v, const struct sluice_msg *req,
			struct sluice_msg *resp);

/* The owner changed @v->config: the next GET_CONFIG shows another generation. */
static inline void sluice_vdev_config_changed(struct sluice_vdev *v)
{
	v->config_generation++;
}

static inline bool sluice_vdev_has(const struct sluice_vdev *v, unsigned int bit)
{
	return v->accepted & (1ull << bit);
}

#endif /* SLUICE_BACKEND_VDEV_H */
