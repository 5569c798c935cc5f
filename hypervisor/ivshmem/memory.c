// SPDX-License-Identifier: GPL-2.0
/*
 * BAR 2 as memory with struct pages.
 *
 * Frames of the region travel through the stack as page references, and
 * memunmap_pages() does not wait for them: unmapping under a frame in some
 * socket's queue is an Oops later. So the end of a mapping waits for the pages
 * to be idle (reference count 1), and where that takes too long the mapping is
 * kept, and used again if the same BAR comes back.
 */
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/numa.h>
#include <linux/slab.h>
#include "ivshmem.h"

#define IVSHMEM_BAR		2
#define IVSHMEM_IDLE_WAIT_MS	10000

static DEFINE_MUTEX(ivshmem_kept_lock);		/* ivshmem_kept */
static LIST_HEAD(ivshmem_kept);

/**
 * ivshmem_busy_pages() - pages that somebody besides the mapping holds
 * @va: first byte
 * @bytes: length
 */
unsigned long ivshmem_busy_pages(const void *va, u64 bytes)
{
	struct page *page = virt_to_page(va);
	unsigned long i, busy = 0;

	for (i = 0; i < bytes >> PAGE_SHIFT; i++) {
		if (page_ref_count(page + i) != 1)
			busy++;
		if (!(i % 4096))
			cond_resched();
	}
	return busy;
}

static int ivshmem_bar_check(struct pci_dev *pdev, phys_addr_t start, u64 bytes)
{
	struct device *dev = &pdev->dev;

	if (!(pci_resource_flags(pdev, IVSHMEM_BAR) & IORESOURCE_MEM) || !bytes) {
		dev_err(dev, "no shared memory (BAR 2): this is not an ivshmem device with memory\n");
		return -ENODEV;
	}
	if (!start || (pci_resource_flags(pdev, IVSHMEM_BAR) & IORESOURCE_UNSET)) {
		dev_err(dev, "BAR 2 (%llu MiB) has no address: put the device behind -device pcie-root-port,pref64-reserve=1G\n",
			bytes >> 20);
		return -ENOSPC;
	}
	if (bytes % SLUICE_SHM_SEGMENT_BYTES || start % SLUICE_SHM_SEGMENT_BYTES) {
		dev_err(dev, "BAR 2 (%llu KiB at %pa) is not made of whole 2 MiB: give the region a size of 2 MiB or more\n",
			bytes >> 10, &start);
		return -EINVAL;
	}
	if (start < SZ_4G)
		dev_warn(dev, "BAR 2 lies below 4 GiB, where it may be uncached and slow: put the device behind -device pcie-root-port,pref64-reserve=1G\n");
	return 0;
}

static struct ivshmem_map *ivshmem_kept_take(phys_addr_t start, u64 bytes)
{
	struct ivshmem_map *map, *found = NULL;

	mutex_lock(&ivshmem_kept_lock);
	list_for_each_entry(map, &ivshmem_kept, list) {
		if (map->pgmap.range.start != start || map->bytes != bytes)
			continue;
		list_del(&map->list);
		found = map;
		break;
	}
	mutex_unlock(&ivshmem_kept_lock);
	return found;
}

/**
 * ivshmem_map_get() - map BAR 2
 * @pdev: enabled device whose regions are requested
 *
 * Return: the mapping, or an ERR_PTR after a message that says why.
 */
struct ivshmem_map *ivshmem_map_get(struct pci_dev *pdev)
{
	phys_addr_t start = pci_resource_start(pdev, IVSHMEM_BAR);
	u64 bytes = pci_resource_len(pdev, IVSHMEM_BAR);
	struct dev_pagemap *other;
	struct ivshmem_map *map;
	void *va;
	int err;

	err = ivshmem_bar_check(pdev, start, bytes);
	if (err)
		return ERR_PTR(err);

	map = ivshmem_kept_take(start, bytes);
	if (map) {
		dev_info(&pdev->dev, "took up the mapping that was kept\n");
		return map;
	}

	/* kept by an earlier life of this module; mapping twice is not possible */
	other = get_dev_pagemap(PHYS_PFN(start), NULL);
	if (other) {
		put_dev_pagemap(other);
		dev_err(&pdev->dev, "BAR 2 is still mapped from before, because frames in it were in use: reboot this machine\n");
		return ERR_PTR(-EBUSY);
	}

	map = kzalloc(sizeof(*map), GFP_KERNEL);
	if (!map)
		return ERR_PTR(-ENOMEM);
	map->bytes = bytes;
	map->pgmap.type = MEMORY_DEVICE_GENERIC;
	map->pgmap.range.start = start;
	map->pgmap.range.end = start + bytes - 1;
	map->pgmap.nr_range = 1;
	va = memremap_pages(&map->pgmap, dev_to_node(&pdev->dev) == NUMA_NO_NODE ?
			    numa_mem_id() : dev_to_node(&pdev->dev));
	if (IS_ERR(va)) {
		dev_err(&pdev->dev, "cannot map %llu MiB of BAR 2 with struct pages (%ld)\n",
			bytes >> 20, PTR_ERR(va));
		kfree(map);
		return ERR_CAST(va);
	}
	map->va = va;
	return map;
}

/**
 * ivshmem_map_put() - unmap BAR 2 when its pages are back
 * @pdev: the device
 * @map: the mapping
 *
 * Waits up to 10 s for frames that sockets hold; then the mapping is kept on
 * purpose, for the device's next life or until reboot.
 */
void ivshmem_map_put(struct pci_dev *pdev, struct ivshmem_map *map)
{
	unsigned long give_up = jiffies + msecs_to_jiffies(IVSHMEM_IDLE_WAIT_MS);
	unsigned long busy;

	while ((busy = ivshmem_busy_pages(map->va, map->bytes))) {
		if (time_after(jiffies, give_up)) {
			dev_warn(&pdev->dev, "%lu pages of the region are still in use: its mapping is kept, close the sockets that hold frames and bind the device again\n",
				 busy);
			mutex_lock(&ivshmem_kept_lock);
			list_add(&map->list, &ivshmem_kept);
			mutex_unlock(&ivshmem_kept_lock);
			return;
		}
		msleep(20);
	}
	memunmap_pages(&map->pgmap);
	kfree(map);
}
