/* SPDX-License-Identifier: GPL-2.0 */
/* Since 6.11 virtio_find_vqs() takes names and callbacks in one array. */
#ifndef SLUICE_COMPAT_VIRTIO_CONFIG_H
#define SLUICE_COMPAT_VIRTIO_CONFIG_H

#include_next <linux/virtio_config.h>
#include <linux/slab.h>
#include <linux/version.h>

static inline int sluice_find_vqs(struct virtio_device *vdev, unsigned int nvqs,
				  struct virtqueue *vqs[], vq_callback_t *callbacks[],
				  const char * const names[])
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 11, 0)
	return virtio_find_vqs(vdev, nvqs, vqs, callbacks, names, NULL);
#else
	struct virtqueue_info *info = kcalloc(nvqs, sizeof(*info), GFP_KERNEL);
	unsigned int i;
	int err;

	if (!info)
		return -ENOMEM;
	for (i = 0; i < nvqs; i++) {
		info[i].name = names[i];
		info[i].callback = callbacks[i];
	}
	err = virtio_find_vqs(vdev, nvqs, vqs, info, NULL);
	kfree(info);
	return err;
#endif
}

/*
 * Since 6.13, and in later stable releases before it, virtqueue_resize() takes a second
 * callback. Which one this kernel has is asked of its type, not of its version.
 */
typedef void sluice_vq_recycle_t(struct virtqueue *vq, void *token);
typedef int sluice_vq_resize3_t(struct virtqueue *vq, u32 num, sluice_vq_recycle_t *recycle);
typedef int sluice_vq_resize4_t(struct virtqueue *vq, u32 num, sluice_vq_recycle_t *recycle,
				void (*done)(struct virtqueue *vq));

static inline int sluice_virtqueue_resize(struct virtqueue *vq, u32 num,
					  sluice_vq_recycle_t *recycle)
{
	void *fn = virtqueue_resize;

	if (__builtin_types_compatible_p(typeof(&virtqueue_resize), sluice_vq_resize4_t *))
		return ((sluice_vq_resize4_t *)fn)(vq, num, recycle, NULL);
	return ((sluice_vq_resize3_t *)fn)(vq, num, recycle);
}

#endif /* SLUICE_COMPAT_VIRTIO_CONFIG_H */
