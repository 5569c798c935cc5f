// SPDX-License-Identifier: GPL-2.0
/*
 * Does this memory meet what a NIC demands of memory it shall DMA?
 *
 * The addresses are the real bus addresses: after DMA mapping, and on Xen after
 * translation to machine addresses. See Documentation/core-api/dma-api.rst of the
 * kernel for masks and boundaries.
 */
#include <sluice/constraint.h>

static unsigned int mask_bits(u64 mask)
{
	unsigned int bits = 0;

	for (; mask; mask >>= 1)
		bits++;
	return bits;
}

/* First element of the range that crosses a multiple of boundary_mask + 1. */
static bool crosses_boundary(const struct sluice_dma_constraint *c,
			     const struct sluice_bus_range *r, u64 element)
{
	u64 boundary = c->seg_boundary_mask + 1;
	u64 last = r->addr + r->len_bytes - 1;
	u64 edge;

	/* an all-ones mask is no boundary */
	if (!boundary)
		return false;
	if ((r->addr & ~c->seg_boundary_mask) == (last & ~c->seg_boundary_mask))
		return false;
	if (!element || element >= r->len_bytes)
		return true;
	/*
	 * The range crosses, but the driver maps an element at a time: it is
	 * enough that no element does, that is, each edge lies between elements.
	 * Edges are equally far apart, so if that distance is a multiple of the
	 * element, the first one decides for all.
	 */
	edge = (r->addr | c->seg_boundary_mask) + 1;
	return boundary % element || (edge - r->addr) % element;
}

/* See constraint.h. */
int sluice_constraint_check(const struct sluice_dma_constraint *c, unsigned int what,
			    const struct sluice_bus_range *range, unsigned int nr,
			    char *text, size_t text_bytes)
{
	u64 element = c->element_bytes;
	unsigned int i;

	if (!nr) {
		snprintf(text, text_bytes, "segment %u: has no bus address", what);
		return -EINVAL;
	}
	if (c->contiguous && nr > 1) {
		snprintf(text, text_bytes,
			 "segment %u: in %u pieces on the bus, the NIC needs one", what, nr);
		return -EXDEV;
	}
	for (i = 0; i < nr; i++) {
		const struct sluice_bus_range *r = &range[i];
		u64 last = r->addr + r->len_bytes - 1;
		u64 piece = r->len_bytes;

		if (!r->len_bytes) {
			snprintf(text, text_bytes, "segment %u: empty bus range", what);
			return -EINVAL;
		}
		if (last < r->addr) {
			snprintf(text, text_bytes,
				 "segment %u: bus address 0x%llx and length 0x%llx wrap around",
				 what, (unsigned long long)r->addr,
				 (unsigned long long)r->len_bytes);
			return -EOVERFLOW;
		}
		if (last & ~c->dma_mask) {
			snprintf(text, text_bytes,
				 "segment %u: bus address 0x%llx above the NIC's %u-bit DMA mask",
				 what, (unsigned long long)last, mask_bits(c->dma_mask));
			return -ERANGE;
		}
		if (c->min_align > 1 && (r->addr & (c->min_align - 1))) {
			snprintf(text, text_bytes,
				 "segment %u: bus address 0x%llx not aligned to %u bytes",
				 what, (unsigned long long)r->addr, c->min_align);
			return -EINVAL;
		}
		if (crosses_boundary(c, r, element)) {
			snprintf(text, text_bytes,
				 "segment %u: bus range 0x%llx-0x%llx crosses the NIC's boundary of 0x%llx",
				 what, (unsigned long long)r->addr, (unsigned long long)last,
				 (unsigned long long)c->seg_boundary_mask + 1);
			return -EXDEV;
		}
		if (element && element < piece)
			piece = element;
		if (c->max_seg_bytes && piece > c->max_seg_bytes) {
			snprintf(text, text_bytes,
				 "segment %u: pieces of %llu bytes, the NIC takes %u at a time",
				 what, (unsigned long long)piece, c->max_seg_bytes);
			return -EFBIG;
		}
	}
	return 0;
}
