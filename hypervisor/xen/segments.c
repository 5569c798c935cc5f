// SPDX-License-Identifier: GPL-2.0
/*
 * Data segments of the driver domain: 512 pages, granted one by one, and one page
 * more that lists the references and is granted read-only. Its reference is the
 * handle that travels in SEGMENT_ADD.
 */
#include <linux/dma-mapping.h>
#include <linux/module.h>
#include "xen.h"

/* Grants that are left to other drivers of this domain. */
#define SXEN_REFS_OTHERS	1024

/* A resize is many segments, and xenstore is slow: told once for those of this time. */
#define SXEN_TELL_MS		500

#define SXEN_FULL	"raise max_grant_frames of the driver domain (xl) or gnttab_max_frames (Xen)"

static struct sxen_segment *sxen_segment_of(struct sluice_channel *ch, unsigned int slot)
{
	struct sxen_back *back = ch->provider_data;

	if (slot >= ch->max_slots || slot < ch->window.ctrl_slots)
		return NULL;
	return &back->segment[slot];
}

/* Segments that can still be granted. */
static u64 sxen_segments_room(void)
{
	u64 total = sxen_refs_total(), used = sxen_grants_live() + SXEN_REFS_OTHERS;

	return total > used ? (total - used) / (SXEN_SEGMENT_REFS + 1) : 0;
}

/* See struct sluice_provider_ops. */
u64 sxen_segments_limit(struct sluice_channel *ch, const char **why)
{
	struct sxen_back *back = ch->provider_data;
	u64 window = ch->max_slots - ch->window.ctrl_slots;
	u64 room = sxen_segments_room();
	unsigned int i;

	mutex_lock(&back->segment_lock);
	for (i = 0; i < SLUICE_SHM_MAX_SLOTS; i++)
		if (back->segment[i].data)
			room++;
	mutex_unlock(&back->segment_lock);
	*why = room < window ? "its grant table is full: " SXEN_FULL : "the size of the window";
	return min(room, window) << SLUICE_SHM_SEGMENT_SHIFT;
}

static gfp_t sxen_segment_zone(const struct sluice_dma_constraint *c)
{
	/* an IOMMU maps any page for the device */
	if (!c || c->iommu || c->dma_mask >= DMA_BIT_MASK(64))
		return 0;
	return c->dma_mask < DMA_BIT_MASK(32) ? GFP_DMA : GFP_DMA32;
}

/* See struct sluice_provider_ops. */
int sxen_segment_alloc(struct sluice_channel *ch, unsigned int slot,
		       const struct sluice_dma_constraint *c, struct netlink_ext_ack *extack)
{
	struct sxen_segment *seg = sxen_segment_of(ch, slot);
	struct sxen_back *back = ch->provider_data;
	int err = 0;

	if (!seg)
		return -EINVAL;
	mutex_lock(&back->segment_lock);
	if (seg->data) {
		err = -EBUSY;
	} else if (!sxen_segments_room()) {
		NL_SET_ERR_MSG(extack, "no grants left: " SXEN_FULL);
		err = -EDQUOT;
	} else {
		seg->data = sxen_grants_alloc(back->d.xdev->otherend_id, SXEN_SEGMENT_REFS,
					      sxen_segment_zone(c),
					      c ? c->numa_node : NUMA_NO_NODE);
		if (seg->data) {
			ch->window.slot[slot].va = seg->data->va;
		} else {
			NL_SET_ERR_MSG(extack, "no memory left in the driver domain for a segment");
			err = -ENOMEM;
		}
	}
	mutex_unlock(&back->segment_lock);
	return err;
}

/* See struct sluice_provider_ops. */
int sxen_segment_share(struct sluice_channel *ch, unsigned int slot, u64 *handle)
{
	struct sxen_segment *seg = sxen_segment_of(ch, slot);
	struct sxen_back *back = ch->provider_data;
	__le32 *shared;
	unsigned int i;
	int err;

	if (!seg)
		return -EINVAL;
	mutex_lock(&back->segment_lock);
	err = -ENOENT;
	if (!seg->data || seg->list)
		goto out;
	err = -ENOMEM;
	seg->list = sxen_grants_alloc(back->d.xdev->otherend_id, 1, 0, NUMA_NO_NODE);
	if (!seg->list)
		goto out;
	err = sxen_grants_share(seg->data, false);
	if (!err) {
		shared = seg->list->va;
		for (i = 0; i < seg->data->nr; i++)
			WRITE_ONCE(shared[i], cpu_to_le32(seg->data->ref[i]));
		err = sxen_grants_share(seg->list, true);
	}
	if (!err)
		*handle = seg->list->ref[0];
out:
	mutex_unlock(&back->segment_lock);
	sxen_dev_kick(&back->d, SXEN_TELL_MS);
	return err;
}

/* See struct sluice_provider_ops. */
int sxen_segment_revoke(struct sluice_channel *ch, unsigned int slot)
{
	struct sxen_segment *seg = sxen_segment_of(ch, slot);
	struct sxen_back *back = ch->provider_data;
	unsigned int left = 0;

	if (!seg)
		return -EINVAL;
	mutex_lock(&back->segment_lock);
	/* the list first: what it names cannot be found again */
	if (seg->list)
		left += sxen_grants_end(seg->list);
	if (seg->data)
		left += sxen_grants_end(seg->data);
	mutex_unlock(&back->segment_lock);
	return left ? -EBUSY : 0;
}

static void sxen_segment_drop(struct sxen_segment *seg)
{
	sxen_grants_free(seg->list);
	sxen_grants_free(seg->data);
	seg->list = NULL;
	seg->data = NULL;
}

/* See struct sluice_provider_ops. */
void sxen_segment_free(struct sluice_channel *ch, unsigned int slot)
{
	struct sxen_segment *seg = sxen_segment_of(ch, slot);
	struct sxen_back *back = ch->provider_data;

	if (!seg)
		return;
	mutex_lock(&back->segment_lock);
	ch->window.slot[slot].va = NULL;
	sxen_segment_drop(seg);
	mutex_unlock(&back->segment_lock);
	sxen_dev_kick(&back->d, SXEN_TELL_MS);
}

/**
 * sxen_segments_shared() - bytes of data segments that take grants now
 * @back: the driver domain's end
 */
u64 sxen_segments_shared(struct sxen_back *back)
{
	u64 bytes = 0;
	unsigned int i;

	mutex_lock(&back->segment_lock);
	for (i = 0; i < SLUICE_SHM_MAX_SLOTS; i++)
		if (back->segment[i].list)
			bytes += SLUICE_SHM_SEGMENT_BYTES;
	mutex_unlock(&back->segment_lock);
	return bytes;
}

/**
 * sxen_segments_exit() - the device goes
 * @back: without a client
 */
void sxen_segments_exit(struct sxen_back *back)
{
	unsigned int i;

	mutex_lock(&back->segment_lock);
	for (i = 0; i < SLUICE_SHM_MAX_SLOTS; i++)
		sxen_segment_drop(&back->segment[i]);
	mutex_unlock(&back->segment_lock);
}
