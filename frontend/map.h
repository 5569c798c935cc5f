/* SPDX-License-Identifier: GPL-2.0 */
/* What transport.c and its neighbours use of map.c. */
#ifndef SLUICE_MAP_H
#define SLUICE_MAP_H

#include "bounce.h"
#include "front.h"

/**
 * sluice_map_create() - mapping state for one life of the virtio device
 * @f: the frontend; its control segment is mapped. Sets f->map.
 * @plan: division of the control area
 *
 * Context: process. Return: 0 or -ENOMEM.
 */
int sluice_map_create(struct sluice_front *f, const struct sluice_bounce_plan *plan);

/**
 * sluice_map_destroy() - forget it; nothing may be mapped any more
 * @f: the frontend; f->map becomes NULL
 */
void sluice_map_destroy(struct sluice_front *f);

/**
 * sluice_map_attach() - make @dev's DMA go through this file
 * @dev: parent of the virtio device, initialised but not added
 * @mask: storage for its DMA mask, lives as long as @dev
 *
 * Return: 0, or -EOPNOTSUPP if this kernel has no DMA operations per device:
 * physical addresses would silently reach the peer.
 */
int sluice_map_attach(struct device *dev, u64 *mask);

/* Kernel address of @len bytes at a mapped bounce address, or NULL. */
void *sluice_map_va(struct sluice_map *map, dma_addr_t addr, u32 len);

#endif /* SLUICE_MAP_H */
