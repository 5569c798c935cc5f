// SPDX-License-Identifier: GPL-2.0
/*
 * Memory of a link.
 *
 * Both sides see the same struct pages. Every page belongs to itself (a segment is
 * split after allocation) and is idle at reference count 1: that one is ours.
 * Giving memory back means dropping our reference, so a page that a socket
 * still holds stays with that socket and is never reused under it.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/vmalloc.h>
#include "loopback.h"

#define LOOP_SEGMENT_ORDER	(SLUICE_SHM_SEGMENT_SHIFT - PAGE_SHIFT)
#define LOOP_SEGMENT_PAGES	BIT(LOOP_SEGMENT_ORDER)

/* Longest piece that the page allocator gives: above it, virtually contiguous. */
#define LOOP_CTRL_EXACT_MAX	(4u << 20)

int loop_ctrl_alloc(struct loop_link *link)
{
	gfp_t gfp = GFP_KERNEL | __GFP_ZERO;

	if (link->ctrl_bytes <= LOOP_CTRL_EXACT_MAX) {
		link->ctrl = alloc_pages_exact(link->ctrl_bytes,
					       gfp | __GFP_NOWARN | __GFP_NORETRY);
		link->ctrl_exact = link->ctrl;
	}
	if (!link->ctrl)
		link->ctrl = vzalloc(link->ctrl_bytes);
	return link->ctrl ? 0 : -ENOMEM;
}

void loop_ctrl_free(struct loop_link *link)
{
	if (!link->ctrl)
		return;
	if (link->ctrl_exact)
		free_pages_exact(link->ctrl, link->ctrl_bytes);
	else
		vfree(link->ctrl);
	link->ctrl = NULL;
}

static bool loop_segment_idle(const struct loop_segment *seg)
{
	unsigned int i;

	for (i = 0; i < LOOP_SEGMENT_PAGES; i++)
		if (page_ref_count(seg->page + i) != 1)
			return false;
	return true;
}

static void loop_segment_put(struct loop_segment *seg)
{
	unsigned int i;

	if (!seg->page)
		return;
	for (i = 0; i < LOOP_SEGMENT_PAGES; i++)
		put_page(seg->page + i);
	memset(seg, 0, sizeof(*seg));
}

/* The backend is done with it; while the other side maps it, it waits for that. */
static void loop_segment_release(struct loop_segment *seg)
{
	seg->shared = false;
	if (seg->mapped)
		seg->freed = true;
	else
		loop_segment_put(seg);
}

static void loop_segment_drop(struct loop_segment *seg)
{
	seg->mapped = false;
	if (seg->freed)
		loop_segment_put(seg);
}

int loop_segment_alloc(struct sluice_channel *ch, unsigned int slot,
		       const struct sluice_dma_constraint *c, struct netlink_ext_ack *extack)
{
	gfp_t gfp = GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN | __GFP_RETRY_MAYFAIL;
	struct loop_link *link = loop_link_of(ch);
	int node = c ? c->numa_node : NUMA_NO_NODE;
	struct page *page;
	int err = 0;

	if (slot >= link->nr_slots || slot < ch->window.ctrl_slots)
		return -EINVAL;
	/* an IOMMU maps any page for the device */
	if (c && !c->iommu) {
		if (c->dma_mask < DMA_BIT_MASK(32))
			gfp |= GFP_DMA;
		else if (c->dma_mask < DMA_BIT_MASK(64))
			gfp |= GFP_DMA32;
	}

	mutex_lock(&link->lock);
	if (link->segment[slot].page) {
		err = -EBUSY;
		goto out;
	}
	page = alloc_pages_node(node, gfp, LOOP_SEGMENT_ORDER);
	if (!page) {
		NL_SET_ERR_MSG(extack, "no 2 MiB of contiguous memory left for a segment");
		err = -ENOMEM;
		goto out;
	}
	split_page(page, LOOP_SEGMENT_ORDER);
	link->segment[slot].page = page;
	ch->window.slot[slot].va = page_address(page);
out:
	mutex_unlock(&link->lock);
	return err;
}

int loop_segment_share(struct sluice_channel *ch, unsigned int slot, u64 *handle)
{
	struct loop_link *link = loop_link_of(ch);
	int err = 0;

	if (slot >= link->nr_slots)
		return -EINVAL;
	mutex_lock(&link->lock);
	if (!link->segment[slot].page)
		err = -ENOENT;
	else
		link->segment[slot].shared = true;
	mutex_unlock(&link->lock);
	*handle = slot;
	return err;
}

/*
 * Confirmed when the frontend has unmapped it and no page is held by anybody, on
 * either side: in one kernel the reference counts tell the whole truth.
 */
int loop_segment_revoke(struct sluice_channel *ch, unsigned int slot)
{
	struct loop_link *link = loop_link_of(ch);
	struct loop_segment *seg;
	int err = 0;

	if (slot >= link->nr_slots)
		return -EINVAL;
	mutex_lock(&link->lock);
	seg = &link->segment[slot];
	seg->shared = false;
	if (seg->page && (seg->mapped || !loop_segment_idle(seg)))
		err = -EBUSY;
	mutex_unlock(&link->lock);
	return err;
}

void loop_segment_free(struct sluice_channel *ch, unsigned int slot)
{
	struct loop_link *link = loop_link_of(ch);
	struct loop_segment *seg;

	if (slot >= link->nr_slots)
		return;
	mutex_lock(&link->lock);
	seg = &link->segment[slot];
	ch->window.slot[slot].va = NULL;
	loop_segment_release(seg);
	mutex_unlock(&link->lock);
}

int loop_segment_map(struct sluice_channel *ch, unsigned int slot, u64 handle)
{
	struct loop_link *link = loop_link_of(ch);
	struct loop_segment *seg;
	int err = 0;

	if (slot >= link->nr_slots || handle != slot)
		return -EINVAL;
	mutex_lock(&link->lock);
	seg = &link->segment[slot];
	if (!seg->page || !seg->shared) {
		err = -ENOENT;
	} else if (seg->mapped) {
		err = -EBUSY;
	} else {
		seg->mapped = true;
		ch->window.slot[slot].va = page_address(seg->page);
	}
	mutex_unlock(&link->lock);
	return err;
}

int loop_segment_unmap(struct sluice_channel *ch, unsigned int slot)
{
	struct loop_link *link = loop_link_of(ch);
	int err = 0;

	if (slot >= link->nr_slots)
		return -EINVAL;
	mutex_lock(&link->lock);
	if (!link->segment[slot].mapped) {
		err = -ENOENT;
	} else {
		ch->window.slot[slot].va = NULL;
		loop_segment_drop(&link->segment[slot]);
	}
	mutex_unlock(&link->lock);
	return err;
}

/* The frontend went: what it left mapped is unmapped, as when a machine dies. */
void loop_segments_unmap(struct loop_link *link)
{
	unsigned int i;

	mutex_lock(&link->lock);
	for (i = 0; i < link->nr_slots; i++)
		if (link->segment[i].mapped)
			loop_segment_drop(&link->segment[i]);
	mutex_unlock(&link->lock);
}

/* The backend went, or the link. */
void loop_segments_free(struct loop_link *link)
{
	unsigned int i;

	mutex_lock(&link->lock);
	for (i = 0; i < link->nr_slots; i++)
		loop_segment_release(&link->segment[i]);
	mutex_unlock(&link->lock);
}
