// SPDX-License-Identifier: GPL-2.0
/*
 * The DMA operations of the virtio device's parent: whatever virtio_ring maps goes
 * through map.c.
 */
#include <linux/dma-map-ops.h>
#include <linux/dma-mapping.h>
#include <linux/scatterlist.h>
#include "map.h"

/*
 * "Bus addresses" of the memory of virtqueues, which is private (shadow.h): above any
 * window offset, so that a peer that is told one by mistake refuses it.
 */
#define PRIVATE_BASE	BIT_ULL(62)

static struct sluice_map *map_of(struct device *dev)
{
	return container_of(dev, struct sluice_front, dev)->map;
}

/*
 * virtqueue memory: ordinary memory of this machine. What the peer has of a virtqueue
 * lies in the control area, and virtio_ring never sees it.
 */
static void *op_alloc(struct device *dev, size_t bytes, dma_addr_t *addr, gfp_t gfp,
		      unsigned long attrs)
{
	void *va = alloc_pages_exact(bytes, gfp | __GFP_ZERO);

	if (va)
		*addr = PRIVATE_BASE | virt_to_phys(va);
	return va;
}

static void op_free(struct device *dev, size_t bytes, void *va, dma_addr_t addr,
		    unsigned long attrs)
{
	free_pages_exact(va, bytes);
}

static dma_addr_t op_map_page(struct device *dev, struct page *page, unsigned long offset,
			      size_t bytes, enum dma_data_direction dir, unsigned long attrs)
{
	return sluice_map_page(map_of(dev), page, offset, bytes, dir, attrs);
}

static void op_unmap_page(struct device *dev, dma_addr_t addr, size_t bytes,
			  enum dma_data_direction dir, unsigned long attrs)
{
	sluice_map_unmap(map_of(dev), addr, bytes, dir, attrs);
}

static void op_unmap_sg(struct device *dev, struct scatterlist *sgl, int nents,
			enum dma_data_direction dir, unsigned long attrs)
{
	struct scatterlist *sg;
	int i;

	for_each_sg(sgl, sg, nents, i)
		sluice_map_unmap(map_of(dev), sg_dma_address(sg), sg_dma_len(sg), dir, attrs);
}

static int op_map_sg(struct device *dev, struct scatterlist *sgl, int nents,
		     enum dma_data_direction dir, unsigned long attrs)
{
	struct scatterlist *sg;
	int i;

	for_each_sg(sgl, sg, nents, i) {
		sg->dma_address = sluice_map_page(map_of(dev), sg_page(sg), sg->offset, sg->length,
						  dir, attrs);
		if (sg->dma_address == DMA_MAPPING_ERROR) {
			op_unmap_sg(dev, sgl, i, dir, attrs | DMA_ATTR_SKIP_CPU_SYNC);
			return -ENOMEM;
		}
		sg_dma_len(sg) = sg->length;
	}
	return nents;
}

static void op_sync_for_cpu(struct device *dev, dma_addr_t addr, size_t bytes,
			    enum dma_data_direction dir)
{
	if (dir != DMA_TO_DEVICE)
		sluice_map_sync(map_of(dev), addr, bytes, false);
}

static void op_sync_for_device(struct device *dev, dma_addr_t addr, size_t bytes,
			       enum dma_data_direction dir)
{
	if (dir != DMA_FROM_DEVICE)
		sluice_map_sync(map_of(dev), addr, bytes, true);
}

static void op_sync_sg_for_cpu(struct device *dev, struct scatterlist *sgl, int nents,
			       enum dma_data_direction dir)
{
	struct scatterlist *sg;
	int i;

	for_each_sg(sgl, sg, nents, i)
		op_sync_for_cpu(dev, sg_dma_address(sg), sg_dma_len(sg), dir);
}

static void op_sync_sg_for_device(struct device *dev, struct scatterlist *sgl, int nents,
				  enum dma_data_direction dir)
{
	struct scatterlist *sg;
	int i;

	for_each_sg(sgl, sg, nents, i)
		op_sync_for_device(dev, sg_dma_address(sg), sg_dma_len(sg), dir);
}

static int op_supported(struct device *dev, u64 mask)
{
	return mask >= ((u64)SLUICE_SHM_MAX_SLOTS << SLUICE_SHM_SEGMENT_SHIFT) - 1;
}

static size_t op_max_mapping_size(struct device *dev)
{
	return sluice_map_max_bytes(map_of(dev));
}

static const struct dma_map_ops front_dma_ops = {
	.alloc = op_alloc,
	.free = op_free,
	.map_page = op_map_page,
	.unmap_page = op_unmap_page,
	.map_sg = op_map_sg,
	.unmap_sg = op_unmap_sg,
	.sync_single_for_cpu = op_sync_for_cpu,
	.sync_single_for_device = op_sync_for_device,
	.sync_sg_for_cpu = op_sync_sg_for_cpu,
	.sync_sg_for_device = op_sync_sg_for_device,
	.dma_supported = op_supported,
	.max_mapping_size = op_max_mapping_size,
};

int sluice_dma_attach(struct device *dev, u64 *mask)
{
	/*
	 * In this order: setting the mask decides whether syncs may be skipped, by
	 * the operations that are set then.
	 */
	dev->dma_mask = mask;
	set_dma_ops(dev, &front_dma_ops);
	if (get_dma_ops(dev) != &front_dma_ops)
		return -EOPNOTSUPP;
	return dma_set_mask_and_coherent(dev, DMA_BIT_MASK(64));
}
