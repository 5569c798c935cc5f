/* SPDX-License-Identifier: GPL-2.0 */
/* What transport.c and its neighbours use of map.c and dma.c. */
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
 * sluice_map_lose() - the control segment goes: bounce slots move to ordinary memory
 * @f: the frontend; its queues are quiesced, its driver may go on
 *
 * On return nothing refers to the control segment. What the driver has mapped
 * stays mapped.
 *
 * Context: process. Return: 0, or -ENOMEM, and nothing has changed.
 */
int sluice_map_lose(struct sluice_front *f);

/**
 * sluice_map_regain() - bounce slots move to the channel's control segment
 * @f: the frontend, in a session with a plan as before, its queues not connected yet
 *
 * Nothing happens unless they are away. The caller holds the transport's lock, as who
 * asks sluice_map_is_away() and connects the queues.
 *
 * Context: process.
 */
void sluice_map_regain(struct sluice_front *f);

/* Is the control segment gone, or has the map not followed to the new one? */
bool sluice_map_is_away(const struct sluice_front *f);

/**
 * sluice_map_page() - what the peer is told of a part of a page
 * @map: of the frontend
 * @page: the page, or the first of several
 * @offset: of the part; may be more than a page
 * @bytes: 1 to SLUICE_SHM_SEGMENT_BYTES
 * @dir: who writes it
 * @attrs: DMA_ATTR_SKIP_CPU_SYNC: copy nothing
 *
 * Context: any. Return: its window offset, that of a bounce slot, or
 * DMA_MAPPING_ERROR if there is no slot.
 */
dma_addr_t sluice_map_page(struct sluice_map *map, struct page *page, unsigned long offset,
			   size_t bytes, enum dma_data_direction dir, unsigned long attrs);

/**
 * sluice_map_unmap() - the end of a mapping; what the device wrote is copied back
 * @map: of the frontend
 * @addr: as sluice_map_page() returned it
 * @bytes: as given to it
 * @dir: as given to it
 * @attrs: DMA_ATTR_SKIP_CPU_SYNC: copy nothing
 *
 * Context: any.
 */
void sluice_map_unmap(struct sluice_map *map, dma_addr_t addr, size_t bytes,
		      enum dma_data_direction dir, unsigned long attrs);

/* Copy a part of a mapping, to the device or back; @addr may point inside it. Context: any. */
void sluice_map_sync(struct sluice_map *map, dma_addr_t addr, size_t bytes, bool to_device);

/* The most that one mapping may have; @map may be NULL. */
size_t sluice_map_max_bytes(const struct sluice_map *map);

/*
 * Kernel address of @len bytes at a mapped bounce address, or NULL; in an RCU read section. Of what
 * the device reads that is the original, otherwise the slot.
 */
void *sluice_map_va(struct sluice_map *map, dma_addr_t addr, u32 len);

/**
 * sluice_dma_attach() - make @dev's DMA go through this map (dma.c)
 * @dev: parent of the virtio device, initialised but not added
 * @mask: storage for its DMA mask, lives as long as @dev
 *
 * Return: 0, or -EOPNOTSUPP if this kernel has no DMA operations per device:
 * physical addresses would silently reach the peer.
 */
int sluice_dma_attach(struct device *dev, u64 *mask);

#endif /* SLUICE_MAP_H */
