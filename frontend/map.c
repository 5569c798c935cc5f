// SPDX-License-Identifier: GPL-2.0
/*
 * From a page to a window offset, or to a copy of it in a bounce slot: the only
 * place where bounce lives on the guest's side. dma.c has virtio_ring come here.
 *
 * A page of one of this frontend's data segments maps to its window offset at no
 * cost. Any other page, another frontend's region pages too, since each frontend has
 * a table of its own, is copied to bounce slots of the control area.
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
 *
 * The control segment may go and come back at another place while the virtio device, and
 * what its driver has mapped, stays (sluice_channel_lose()). Meanwhile the slots are in
 * ordinary memory, so that a driver that maps, syncs or unmaps notices nothing: what it has
 * received and not looked at yet is there, and what it sends waits for the next session.
 */
#include <linux/dma-mapping.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <linux/xarray.h>
#include "map.h"

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
	void __rcu *ctrl_va;	/* of slot 0; copies from and to slots are RCU read sections */
	void *away;		/* the same, while the control segment is lost; else NULL */
	struct xarray pages;	/* pfn -> window offset >> PAGE_SHIFT */
	struct map_stats __percpu *stats;
	struct bounce_pool rx, tx;
	u32 nr_slots;
	struct bounce_map table[];	/* by slot number */
};

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

/* Not to be used any more after rcu_read_unlock(): map_move() waits for that. */
static void *slot_va(struct sluice_map *map, u32 slot)
{
	return rcu_dereference(map->ctrl_va) + ((unsigned long)slot << SLUICE_BOUNCE_SHIFT);
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

	rcu_read_lock();
	if (dir == DMA_FROM_DEVICE) {
		memset(slot_va(map, slot), 0, bytes);
	} else if (!(attrs & DMA_ATTR_SKIP_CPU_SYNC)) {
		memcpy(slot_va(map, slot), va, bytes);
		this_cpu_add(map->stats->bytes_out, bytes);
	}
	rcu_read_unlock();
	return slot_addr(slot);
}

dma_addr_t sluice_map_page(struct sluice_map *map, struct page *page, unsigned long offset,
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
 * The mapping that holds all @bytes from @addr, NULL if none does, and how far @addr is inside
 * it. No lock: who asks owns the mapping, so its table entry is stable.
 */
static struct bounce_map *mapping_of(struct sluice_map *map, dma_addr_t addr, size_t bytes,
				     size_t *inside)
{
	u32 start = map->table[addr >> SLUICE_BOUNCE_SHIFT].start;
	struct bounce_map *entry = &map->table[start];

	*inside = addr - slot_addr(start);
	if (!entry->va || *inside > entry->bytes || bytes > entry->bytes - *inside)
		return NULL;
	return entry;
}

void sluice_map_sync(struct sluice_map *map, dma_addr_t addr, size_t bytes, bool to_device)
{
	struct bounce_map *entry;
	void *slot;
	size_t inside;

	if (!pool_of_addr(map, addr))
		return;
	entry = mapping_of(map, addr, bytes, &inside);
	if (!entry) {
		this_cpu_inc(map->stats->bad);
		return;
	}
	rcu_read_lock();
	slot = slot_va(map, entry - map->table);
	if (to_device) {
		memcpy(slot + inside, entry->va + inside, bytes);
		this_cpu_add(map->stats->bytes_out, bytes);
	} else {
		memcpy(entry->va + inside, slot + inside, bytes);
		this_cpu_add(map->stats->bytes_in, bytes);
	}
	rcu_read_unlock();
}

void sluice_map_unmap(struct sluice_map *map, dma_addr_t addr, size_t bytes,
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
		sluice_map_sync(map, addr, bytes, false);
	spin_lock_irqsave(&pool->lock, flags);
	entry->va = NULL;
	sluice_bounce_put(&pool->zone, slot, sluice_bounce_slots(bytes));
	spin_unlock_irqrestore(&pool->lock, flags);
}

size_t sluice_map_max_bytes(const struct sluice_map *map)
{
	if (!map)
		return SLUICE_SHM_SEGMENT_BYTES;
	/* a run that can be found in a zone that is in use */
	return (min(map->tx.zone.nr, map->rx.zone.nr) / 4) << SLUICE_BOUNCE_SHIFT;
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
	RCU_INIT_POINTER(map->ctrl_va, (void __force __rcu *)f->ch->ctrl_va);
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
	kvfree(map->away);
	kvfree(map);
}

/* Every mapping of one direction, to the memory that @to is slot 0 of. */
static void move_pool(struct sluice_map *map, struct bounce_pool *pool, void *from, void *to)
{
	u32 end = pool->zone.first + pool->zone.nr, slot;
	unsigned long flags, off;

	for (slot = pool->zone.first; slot < end; slot++) {
		const struct bounce_map *entry = &map->table[slot];

		off = (unsigned long)slot << SLUICE_BOUNCE_SHIFT;
		spin_lock_irqsave(&pool->lock, flags);
		/* mapped until we unlock: the original is there */
		if (entry->va)
			memcpy(to + off, from ? from + off : entry->va, entry->bytes);
		spin_unlock_irqrestore(&pool->lock, flags);
	}
}

/*
 * The slots move, while there is no session and the driver goes on. The device writes
 * nothing, so what it has written can be copied in advance. What the driver sends it
 * may map until it sees the new place, so that is copied once more, from where it was
 * mapped. (A buffer to be filled that it maps in between may show the peer's own older bytes.)
 */
static void map_move(struct sluice_map *map, void *to)
{
	void *from = rcu_dereference_protected(map->ctrl_va, true);

	move_pool(map, &map->rx, from, to);
	move_pool(map, &map->tx, from, to);
	/* pairs with rcu_dereference() in slot_va(): the copies are complete */
	rcu_assign_pointer(map->ctrl_va, (void __force __rcu *)to);
	/* who has seen the old place is done with it, and has its mapping in the table */
	synchronize_rcu();
	move_pool(map, &map->tx, NULL, to);
}

int sluice_map_lose(struct sluice_front *f)
{
	struct sluice_map *map = f->map;
	void *to;

	if (!map || map->away)
		return 0;
	to = kvzalloc((size_t)map->nr_slots << SLUICE_BOUNCE_SHIFT, GFP_KERNEL);
	if (!to)
		return -ENOMEM;
	map_move(map, to);
	map->away = to;
	return 0;
}

void sluice_map_regain(struct sluice_front *f)
{
	struct sluice_map *map = f->map;

	if (!map || !map->away)
		return;
	map_move(map, f->ch->ctrl_va);
	kvfree(map->away);
	map->away = NULL;
}

bool sluice_map_is_away(const struct sluice_front *f)
{
	return f->map && f->map->away;
}

void *sluice_map_va(struct sluice_map *map, dma_addr_t addr, u32 len)
{
	struct bounce_map *entry;
	size_t inside;

	if (!pool_of_addr(map, addr))
		return NULL;
	entry = mapping_of(map, addr, len, &inside);
	if (!entry)
		return NULL;
	/* where the driver wrote it: the slot is the peer's to change, and may be on its way */
	if (entry->dir == DMA_TO_DEVICE)
		return entry->va + inside;
	return slot_va(map, entry - map->table) + inside;
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
