// SPDX-License-Identifier: GPL-2.0
/*
 * From a page to a window offset, or to a copy of it in a bounce slot: the only
 * place where bounce lives on the guest's side.
 *
 * The DMA operations of the virtio device's parent. A page of one of this
 * frontend's data segments maps to its window offset at no cost. Any other page,
 * another frontend's region pages too, since each frontend has a table of its own,
 * is copied to bounce slots of the control area.
 *
 * What a bounce slot may show to the peer: the slots belong to one destination and
 * are shared for as long as the session lives, so whatever was in one has been
 * shared with exactly this peer before. For buffers that the device
 * writes the slots are zeroed when taken, so that a device that writes less than it
 * says delivers zeros, not the payload of an older frame.
 *
 * What the peer may do to us: everything that decides (table, sizes, original
 * addresses) is private. Slots are copied, never parsed, so a peer that keeps writing
 * after the unmap only spoils bytes of the next frame that it carries itself.
 */
#include <linux/dma-map-ops.h>
#include <linux/dma-mapping.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <linux/xarray.h>
#include "map.h"

/*
 * "Bus addresses" of the memory of virtqueues, which is private (shadow.h): above any
 * window offset, so that a peer that is told one by mistake refuses it.
 */
#define PRIVATE_BASE	BIT_ULL(62)

struct bounce_map {
	void *va;		/* original, NULL if no mapping starts here */
	u32 bytes;
	u32 start;		/* slot where the mapping that covers this one starts */
	enum dma_data_direction dir;
};

struct map_stats {
	u64 region;
	u64 bytes_in;
	u64 bytes_out;
	u64 bad;
};

struct bounce_pool {
	spinlock_t lock;	/* zone, table entries of its slots, count */
	struct sluice_bounce_zone zone;
	u64 count;		/* mappings made */
	bool told;
};

struct sluice_map {
	struct device *dev;
	void *ctrl_va;
	struct xarray pages;	/* pfn -> window offset >> PAGE_SHIFT */
	struct map_stats __percpu *stats;
	struct bounce_pool rx, tx;
	u32 nr_slots;
	struct bounce_map table[];	/* by slot number */
};

static struct sluice_map *map_of(struct device *dev)
{
	return container_of(dev, struct sluice_front, dev)->map;
}

/* What only the device reads is transmit; all that it may write is receive. */
static struct bounce_pool *pool_of_dir(struct sluice_map *map, enum dma_data_direction dir)
{
	return dir == DMA_TO_DEVICE ? &map->tx : &map->rx;
}

static struct bounce_pool *pool_of_addr(struct sluice_map *map, dma_addr_t addr)
{
	if (sluice_bounce_owns(&map->rx.zone, addr))
		return &map->rx;
	if (sluice_bounce_owns(&map->tx.zone, addr))
		return &map->tx;
	return NULL;
}

static void *slot_va(struct sluice_map *map, u32 slot)
{
	return map->ctrl_va + ((unsigned long)slot << SLUICE_BOUNCE_SHIFT);
}

static dma_addr_t slot_addr(u32 slot)
{
	return (dma_addr_t)slot << SLUICE_BOUNCE_SHIFT;
}

/* Window offset of a range that lies in this frontend's data segments, or -1. */
static s64 map_region(struct sluice_map *map, struct page *page, unsigned long offset,
		      size_t bytes)
{
	unsigned long pfn = page_to_pfn(page) + (offset >> PAGE_SHIFT);
	unsigned long in = offset_in_page(offset);
	unsigned long nr = PFN_UP(in + bytes);
	unsigned long first, i;
	void *entry;

	entry = xa_load(&map->pages, pfn);
	if (!entry)
		return -1;
	first = xa_to_value(entry);
	/* Neighbours in memory need not be neighbours in the window, nor in it at all. */
	for (i = 1; i < nr; i++) {
		entry = xa_load(&map->pages, pfn + i);
		if (!entry || xa_to_value(entry) != first + i)
			return -1;
	}
	if (first >> (SLUICE_SHM_SEGMENT_SHIFT - PAGE_SHIFT) !=
	    (first + nr - 1) >> (SLUICE_SHM_SEGMENT_SHIFT - PAGE_SHIFT))
		return -1;
	return ((s64)first << PAGE_SHIFT) + in;
}

static void tell_full(struct sluice_map *map, struct bounce_pool *pool)
{
	/* a race prints it twice, which does no harm */
	if (READ_ONCE(pool->told))
		return;
	WRITE_ONCE(pool->told, true);
	dev_notice(map->dev, "%s bounce slots used up (%u of 2 KiB); a larger control or data region helps; counted from now on\n",
		   pool == &map->tx ? "transmit" : "receive", pool->zone.nr);
}

static dma_addr_t map_bounce(struct sluice_map *map, void *va, size_t bytes,
			     enum dma_data_direction dir, unsigned long attrs)
{
	struct bounce_pool *pool = pool_of_dir(map, dir);
	u32 nr = sluice_bounce_slots(bytes), i;
	unsigned long flags;
	int slot;

	spin_lock_irqsave(&pool->lock, flags);
	slot = sluice_bounce_get(&pool->zone, nr);
	if (slot >= 0) {
		for (i = 0; i < nr; i++)
			map->table[slot + i].start = slot;
		map->table[slot].va = va;
		map->table[slot].bytes = bytes;
		map->table[slot].dir = dir;
		pool->count++;
	}
	spin_unlock_irqrestore(&pool->lock, flags);
	if (slot < 0) {
		tell_full(map, pool);
		return DMA_MAPPING_ERROR;
	}

	if (dir == DMA_FROM_DEVICE) {
		memset(slot_va(map, slot), 0, bytes);
	} else if (!(attrs & DMA_ATTR_SKIP_CPU_SYNC)) {
		memcpy(slot_va(map, slot), va, bytes);
		this_cpu_add(map->stats->bytes_out, bytes);
	}
	return slot_addr(slot);
}

static dma_addr_t map_page(struct sluice_map *map, struct page *page, unsigned long offset,
			   size_t bytes, enum dma_data_direction dir, unsigned long attrs)
{
	s64 off;

	if (!bytes || bytes > SLUICE_SHM_SEGMENT_BYTES)
		return DMA_MAPPING_ERROR;
	off = map_region(map, page, offset, bytes);
	if (off >= 0) {
		this_cpu_inc(map->stats->region);
		return off;
	}
	if (PageHighMem(page))	/* no address to copy from; 64-bit has none */
		return DMA_MAPPING_ERROR;
	return map_bounce(map, page_address(page) + offset, bytes, dir, attrs);
}

/*
 * Copy a part of a mapping; @addr may point inside it. No lock: the caller owns
 * the mapping, so its table entry is stable.
 */
static void sync_part(struct sluice_map *map, dma_addr_t addr, size_t bytes, bool to_device)
{
	struct bounce_map *entry;
	size_t inside;
	u32 start;

	if (!pool_of_addr(map, addr))
		return;
	start = map->table[addr >> SLUICE_BOUNCE_SHIFT].start;
	entry = &map->table[start];
	inside = addr - slot_addr(start);
	if (!entry->va || inside > entry->bytes || bytes > entry->bytes - inside) {
		this_cpu_inc(map->stats->bad);
		return;
	}
	if (to_device) {
		memcpy(slot_va(map, start) + inside, entry->va + inside, bytes);
		this_cpu_add(map->stats->bytes_out, bytes);
	} else {
		memcpy(entry->va + inside, slot_va(map, start) + inside, bytes);
		this_cpu_add(map->stats->bytes_in, bytes);
	}
}

static void unmap(struct sluice_map *map, dma_addr_t addr, size_t bytes,
		  enum dma_data_direction dir, unsigned long attrs)
{
	struct bounce_pool *pool = pool_of_addr(map, addr);
	struct bounce_map *entry;
	unsigned long flags;
	u32 slot;

	if (!pool)
		return;		/* a region page */
	slot = addr >> SLUICE_BOUNCE_SHIFT;
	entry = &map->table[slot];
	if (!entry->va || addr != slot_addr(slot) || bytes != entry->bytes) {
		this_cpu_inc(map->stats->bad);	/* the driver's bug: leak, not corrupt */
		return;
	}
	if (!(attrs & DMA_ATTR_SKIP_CPU_SYNC) && dir != DMA_TO_DEVICE)
		sync_part(map, addr, bytes, false);
	spin_lock_irqsave(&pool->lock, flags);
	entry->va = NULL;
	sluice_bounce_put(&pool->zone, slot, sluice_bounce_slots(bytes));
	spin_unlock_irqrestore(&pool->lock, flags);
}

/*
 * virtqueue memory: ordinary memory of this machine. What the peer has of a virtqueue
 * lies in the control area, and virtio_ring never sees it.
 */
static void *ring_alloc(size_t bytes, dma_addr_t *addr, gfp_t gfp)
{
	void *va = alloc_pages_exact(bytes, gfp | __GFP_ZERO);

	if (va)
		*addr = PRIVATE_BASE | virt_to_phys(va);
	return va;
}

/* the same as struct dma_map_ops */
static void *op_alloc(struct device *dev, size_t bytes, dma_addr_t *addr, gfp_t gfp,
		      unsigned long attrs)
{
	return ring_alloc(bytes, addr, gfp);
}

static void op_free(struct device *dev, size_t bytes, void *va, dma_addr_t addr,
		    unsigned long attrs)
{
	free_pages_exact(va, bytes);
}

static dma_addr_t op_map_page(struct device *dev, struct page *page, unsigned long offset,
			      size_t bytes, enum dma_data_direction dir, unsigned long attrs)
{
	return map_page(map_of(dev), page, offset, bytes, dir, attrs);
}

static void op_unmap_page(struct device *dev, dma_addr_t addr, size_t bytes,
			  enum dma_data_direction dir, unsigned long attrs)
{
	unmap(map_of(dev), addr, bytes, dir, attrs);
}

static void op_unmap_sg(struct device *dev, struct scatterlist *sgl, int nents,
			enum dma_data_direction dir, unsigned long attrs)
{
	struct scatterlist *sg;
	int i;

	for_each_sg(sgl, sg, nents, i)
		unmap(map_of(dev), sg_dma_address(sg), sg_dma_len(sg), dir, attrs);
}

static int op_map_sg(struct device *dev, struct scatterlist *sgl, int nents,
		     enum dma_data_direction dir, unsigned long attrs)
{
	struct scatterlist *sg;
	int i;

	for_each_sg(sgl, sg, nents, i) {
		sg->dma_address = map_page(map_of(dev), sg_page(sg), sg->offset, sg->length,
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
		sync_part(map_of(dev), addr, bytes, false);
}

static void op_sync_for_device(struct device *dev, dma_addr_t addr, size_t bytes,
			       enum dma_data_direction dir)
{
	if (dir != DMA_FROM_DEVICE)
		sync_part(map_of(dev), addr, bytes, true);
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
	struct sluice_map *map = map_of(dev);

	if (!map)
		return SLUICE_SHM_SEGMENT_BYTES;
	/* a run that can be found in a zone that is in use */
	return (min(map->tx.zone.nr, map->rx.zone.nr) / 4) << SLUICE_BOUNCE_SHIFT;
}

static const struct dma_map_ops map_dma_ops = {
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

int sluice_map_attach(struct device *dev, u64 *mask)
{
	/*
	 * In this order: setting the mask decides whether syncs may be skipped, by
	 * the operations that are set then.
	 */
	dev->dma_mask = mask;
	set_dma_ops(dev, &map_dma_ops);
	if (get_dma_ops(dev) != &map_dma_ops)
		return -EOPNOTSUPP;
	return dma_set_mask_and_coherent(dev, DMA_BIT_MASK(64));
}

static void pool_init(struct bounce_pool *pool, u32 *slot, u32 nr)
{
	spin_lock_init(&pool->lock);
	sluice_bounce_zone_init(&pool->zone, *slot, nr);
	*slot += nr;
}

int sluice_map_create(struct sluice_front *f, const struct sluice_bounce_plan *plan)
{
	u32 slot = plan->first + plan->ring_slots;
	struct sluice_map *map;
	u32 nr_slots;

	nr_slots = slot + plan->rx_slots + plan->tx_slots;
	map = kvzalloc(struct_size(map, table, nr_slots), GFP_KERNEL);
	if (!map)
		return -ENOMEM;
	map->stats = alloc_percpu(struct map_stats);
	if (!map->stats) {
		kvfree(map);
		return -ENOMEM;
	}
	map->dev = &f->dev;
	map->ctrl_va = f->ch->ctrl_va;
	map->nr_slots = nr_slots;
	xa_init(&map->pages);
	pool_init(&map->rx, &slot, plan->rx_slots);
	pool_init(&map->tx, &slot, plan->tx_slots);
	f->map = map;
	return 0;
}

void sluice_map_destroy(struct sluice_front *f)
{
	struct sluice_map *map = f->map;

	if (!map)
		return;
	f->map = NULL;
	xa_destroy(&map->pages);
	free_percpu(map->stats);
	kvfree(map);
}

void *sluice_map_va(struct sluice_map *map, dma_addr_t addr, u32 len)
{
	struct bounce_map *entry;
	size_t inside;
	u32 start;

	if (!pool_of_addr(map, addr))
		return NULL;
	start = map->table[addr >> SLUICE_BOUNCE_SHIFT].start;
	entry = &map->table[start];
	inside = addr - slot_addr(start);
	if (!entry->va || inside > entry->bytes || len > entry->bytes - inside)
		return NULL;
	return slot_va(map, start) + inside;
}

/**
 * sluice_map_add_segment() - this segment's pages map to their window offsets
 * @f: the frontend
 * @slot: window slot; its memory is mapped
 *
 * Context: process. Return: 0, -ENOMEM, -ENODEV without a virtio device.
 */
int sluice_map_add_segment(struct sluice_front *f, unsigned int slot)
{
	unsigned long first = (unsigned long)slot << (SLUICE_SHM_SEGMENT_SHIFT - PAGE_SHIFT);
	void *va = f->ch->window.slot[slot].va;
	struct sluice_map *map = f->map;
	unsigned long i;
	int err;

	if (!map)
		return -ENODEV;
	/* page by page: a provider's pages need not be one physical range (Xen) */
	for (i = 0; i < SLUICE_SHM_SEGMENT_BYTES >> PAGE_SHIFT; i++) {
		struct page *page = sluice_va_to_page(va + (i << PAGE_SHIFT));

		err = xa_err(xa_store(&map->pages, page_to_pfn(page),
				      xa_mk_value(first + i), GFP_KERNEL));
		if (err) {
			sluice_map_del_segment(f, slot);
			return err;
		}
	}
	return 0;
}

/**
 * sluice_map_del_segment() - from now on its pages are bounced
 * @f: the frontend
 * @slot: window slot; its memory is still mapped, no descriptor refers to it
 *
 * Context: process.
 */
void sluice_map_del_segment(struct sluice_front *f, unsigned int slot)
{
	void *va = f->ch->window.slot[slot].va;
	struct sluice_map *map = f->map;
	unsigned long i;

	if (!map || !va)
		return;
	for (i = 0; i < SLUICE_SHM_SEGMENT_BYTES >> PAGE_SHIFT; i++)
		xa_erase(&map->pages, page_to_pfn(sluice_va_to_page(va + (i << PAGE_SHIFT))));
}

unsigned int sluice_front_bounce_rx_pages(struct virtio_device *vdev)
{
	struct sluice_front *f = sluice_front_of(vdev);

	return f->map->rx.zone.nr * SLUICE_BOUNCE_SLOT / PAGE_SIZE / f->nr_pairs;
}

void sluice_front_bounce_stats(struct virtio_device *vdev, struct sluice_bounce_stats *st)
{
	struct sluice_map *map = sluice_front_of(vdev)->map;
	int cpu;

	memset(st, 0, sizeof(*st));
	for_each_possible_cpu(cpu) {
		const struct map_stats *part = per_cpu_ptr(map->stats, cpu);

		st->map_region += READ_ONCE(part->region);
		st->bytes_in += READ_ONCE(part->bytes_in);
		st->bytes_out += READ_ONCE(part->bytes_out);
	}
	st->map_bounce_rx = READ_ONCE(map->rx.count);
	st->map_bounce_tx = READ_ONCE(map->tx.count);
	st->full_rx = READ_ONCE(map->rx.zone.full);
	st->full_tx = READ_ONCE(map->tx.zone.full);
	st->slots_total = map->rx.zone.nr + map->tx.zone.nr;
	st->slots_used = READ_ONCE(map->rx.zone.used) + READ_ONCE(map->tx.zone.used);
	st->slots_peak = READ_ONCE(map->rx.zone.peak) + READ_ONCE(map->tx.zone.peak);
}
