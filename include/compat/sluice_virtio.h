/* SPDX-License-Identifier: GPL-2.0 */
/*
 * virtio's kernel interface across versions, in the shape of the newest.
 */
#ifndef SLUICE_COMPAT_VIRTIO_H
#define SLUICE_COMPAT_VIRTIO_H

#include <linux/slab.h>
#include <linux/version.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

/*
 * SLUICE_FIND_VQS(op, impl) defines @op, of the type that
 * virtio_config_ops.find_vqs has, around
 *	int impl(struct virtio_device *vdev, unsigned int nvqs,
 *		 struct virtqueue *vqs[], struct virtqueue_info info[])
 * Before 6.11 names, callbacks and contexts came as three arrays.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)

#define SLUICE_FIND_VQS(op, impl)						\
static int op(struct virtio_device *vdev, unsigned int nvqs,			\
		struct virtqueue *vqs[], struct virtqueue_info info[],		\
		struct irq_affinity *desc)					\
{										\
	return impl(vdev, nvqs, vqs, info);					\
}

#else

struct virtqueue_info {
	const char *name;
	vq_callback_t *callback;
	bool ctx;
};

#define SLUICE_FIND_VQS(op, impl)						\
static int op(struct virtio_device *vdev, unsigned int nvqs,			\
		struct virtqueue *vqs[], vq_callback_t *callbacks[],		\
		const char * const names[], const bool *ctx,			\
		struct irq_affinity *desc)					\
{										\
	struct virtqueue_info *info;						\
	unsigned int i;								\
	int err;								\
										\
	info = kcalloc(nvqs, sizeof(*info), GFP_KERNEL);			\
	if (!info)								\
		return -ENOMEM;							\
	for (i = 0; i < nvqs; i++) {						\
		info[i].name = names[i];					\
		info[i].callback = callbacks[i];				\
		info[i].ctx = ctx && ctx[i];					\
	}									\
	err = impl(vdev, nvqs, vqs, info);					\
	kfree(info);								\
	return err;								\
}

#endif

#endif /* SLUICE_COMPAT_VIRTIO_H */
