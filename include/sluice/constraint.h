/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a NIC demands of memory it shall DMA, and whether a segment meets it.
 * Pure code over one descriptor; backend/port.c collects it from struct device.
 */
#ifndef SLUICE_CONSTRAINT_H
#define SLUICE_CONSTRAINT_H

#include <sluice/os.h>

/**
 * struct sluice_dma_constraint - one NIC's demands
 * @dma_mask: highest bus address, as a mask (DMA_BIT_MASK(32) ...)
 * @min_align: bytes, power of two, 1 if none
 * @seg_boundary_mask: a DMA element may not cross a multiple of this + 1
 * @max_seg_bytes: longest DMA element
 * @coherent: device DMA is cache coherent
 * @iommu: addresses are translated: checked addresses are the translated ones
 * @contiguous: the segment must be one bus range
 * @numa_node: node of the device, -1 if none
 * @element_bytes: what a driver maps at a time (a slot: 4096)
 */
struct sluice_dma_constraint {
	u64 dma_mask;
	u32 min_align;
	u64 seg_boundary_mask;
	u32 max_seg_bytes;
	bool coherent;
	bool iommu;
	bool contiguous;
	int numa_node;
	u32 element_bytes;
};

/* A piece of a segment that is contiguous on the bus. */
struct sluice_bus_range {
	u64 addr;
	u64 len_bytes;
};

/**
 * sluice_constraint_check() - may this memory be used for the NIC's DMA?
 * @c: the demands
 * @what: number of the segment, for the text
 * @range: bus ranges of the segment, in order
 * @nr: how many
 * @text: filled with a sentence for the person on refusal, e.g.
 *	"segment 3: bus address 0x140000000 above the NIC's 32-bit DMA mask"
 * @text_bytes: its size
 *
 * Return: 0, -ERANGE (mask), -EINVAL (alignment, empty), -EXDEV (boundary, contiguity), -EFBIG
 * (element), -EOVERFLOW (range wraps).
 */
int sluice_constraint_check(const struct sluice_dma_constraint *c, unsigned int what,
			    const struct sluice_bus_range *range, unsigned int nr,
			    char *text, size_t text_bytes);

#endif /* SLUICE_CONSTRAINT_H */
