// SPDX-License-Identifier: GPL-2.0
/*
 * Ports: the NIC through which a destination's frames go, and what its DMA demands
 * of their memory.
 *
 * Destinations reach their NIC through the bridge (or whatever the operator builds);
 * binding a port only says which NIC that is, so that each segment is known to be
 * in its reach before the guest may use it.
 */
#include <linux/dma-direct.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-mapping.h>
#include <linux/iommu.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include "back.h"

#define SLUICE_PORT_RANGES	(SLUICE_SHM_SEGMENT_BYTES / PAGE_SIZE)

/* The device that does the DMA of @dev, or NULL. */
static struct device *sluice_port_device(struct net_device *dev)
{
	struct device *d;

	for (d = dev->dev.parent; d; d = d->parent)
		if (d->dma_mask && *d->dma_mask)
			return d;
	return NULL;
}

/**
 * sluice_port_describe() - what a NIC demands of memory
 * @dev: its network interface
 * @c: filled in
 *
 * Return: 0, or -EOPNOTSUPP if nothing behind @dev does DMA.
 */
int sluice_port_describe(struct net_device *dev, struct sluice_dma_constraint *c)
{
	struct device *d = sluice_port_device(dev);

	if (!d)
		return -EOPNOTSUPP;
	memset(c, 0, sizeof(*c));
	c->dma_mask = dma_get_mask(d);
	if (d->bus_dma_limit)
		c->dma_mask = min(c->dma_mask, d->bus_dma_limit);
	c->min_align = 1;
	c->seg_boundary_mask = dma_get_seg_boundary(d);
	c->max_seg_bytes = dma_get_max_seg_size(d);
	c->coherent = dev_is_dma_coherent(d);
	c->iommu = device_iommu_mapped(d);
	c->numa_node = dev_to_node(d);
	/* drivers map a page of an skb at a time */
	c->element_bytes = SLUICE_SHM_PAGE;
	return 0;
}

bool sluice_port_constraint(struct sluice_dest *dest, struct sluice_dma_constraint *c)
{
	bool bound;

	mutex_lock(&dest->lock);
	bound = dest->port && !sluice_port_describe(dest->port, c);
	mutex_unlock(&dest->lock);
	return bound;
}

/*
 * Bus addresses of a segment. With an IOMMU they are what a mapping gives; without
 * one they follow from the physical ones, and asking the DMA layer would only
 * show us the swiotlb copy of memory that is out of reach.
 */
static int sluice_port_ranges(struct sluice_channel *ch, struct device *d, bool iommu, u8 *va,
			      struct sluice_bus_range *range)
{
	unsigned int nr = 0;
	dma_addr_t addr;
	struct page *page;
	phys_addr_t phys;
	u32 off;

	for (off = 0; off < SLUICE_SHM_SEGMENT_BYTES; off += PAGE_SIZE) {
		page = sluice_va_to_page(va + off);
		if (iommu) {
			addr = dma_map_page_attrs(d, page, 0, PAGE_SIZE, DMA_BIDIRECTIONAL,
						  DMA_ATTR_SKIP_CPU_SYNC | DMA_ATTR_NO_WARN);
			if (dma_mapping_error(d, addr))
				return -EIO;
			dma_unmap_page_attrs(d, addr, PAGE_SIZE, DMA_BIDIRECTIONAL,
					     DMA_ATTR_SKIP_CPU_SYNC);
		} else {
			phys = ch->ops->bus_phys ? ch->ops->bus_phys(ch, page) :
						   page_to_phys(page);
			addr = phys_to_dma(d, phys);
		}
		if (nr && range[nr - 1].addr + range[nr - 1].len_bytes == addr) {
			range[nr - 1].len_bytes += PAGE_SIZE;
			continue;
		}
		range[nr].addr = addr;
		range[nr++].len_bytes = PAGE_SIZE;
	}
	return nr;
}

static int sluice_port_fits(struct sluice_dest *dest, struct net_device *nic, u32 slot,
			    char *text, size_t text_bytes)
{
	u8 *va = dest->ch->window.slot[slot].va;
	struct sluice_dma_constraint c;
	struct sluice_bus_range *range;
	int nr, err;

	err = sluice_port_describe(nic, &c);
	if (err) {
		snprintf(text, text_bytes, "%s: no device that does DMA is behind it", nic->name);
		return err;
	}
	range = kvcalloc(SLUICE_PORT_RANGES, sizeof(*range), GFP_KERNEL);
	if (!range)
		return -ENOMEM;
	nr = sluice_port_ranges(dest->ch, sluice_port_device(nic), c.iommu, va, range);
	if (nr < 0) {
		snprintf(text, text_bytes, "segment %u: %s's IOMMU cannot map it", slot, nic->name);
		err = nr;
	} else {
		err = sluice_constraint_check(&c, slot, range, nr, text, text_bytes);
	}
	kvfree(range);
	return err;
}

/**
 * sluice_port_check() - can the destination's port DMA this segment?
 * @dest: the destination
 * @slot: window slot of a segment that has memory
 * @text: why not
 * @text_bytes: its size
 *
 * Return: 0, also without a port; else an errno.
 */
int sluice_port_check(struct sluice_dest *dest, u32 slot, char *text, size_t text_bytes)
{
	int err = 0;

	mutex_lock(&dest->lock);
	if (dest->port)
		err = sluice_port_fits(dest, dest->port, slot, text, text_bytes);
	mutex_unlock(&dest->lock);
	return err;
}

/**
 * sluice_port_bind() - say which NIC a destination's frames go to
 * @dest: the destination, dest->lock and rtnl held
 * @nic: its interface, or NULL to unbind
 * @extack: which segment it cannot reach, and why
 *
 * Return: 0, or an errno and nothing changed.
 */
int sluice_port_bind(struct sluice_dest *dest, struct net_device *nic,
		     struct netlink_ext_ack *extack)
{
	struct sluice_window *win = &dest->ch->window;
	char text[SLUICE_TEXT_BYTES] = "";
	struct sluice_dma_constraint c;
	u32 slot;
	int err;

	ASSERT_RTNL();
	lockdep_assert_held(&dest->lock);
	if (nic) {
		if (sluice_port_describe(nic, &c)) {
			sluice_extack(extack,
				      "%s has no device that does DMA; give a NIC's interface",
				      nic->name);
			return -EOPNOTSUPP;
		}
		for (slot = win->ctrl_slots; slot < win->nr_slots; slot++) {
			if (sluice_segment_state(dest, slot) != SLUICE_SEGMENT_ACTIVE)
				continue;
			err = sluice_port_fits(dest, nic, slot, text, sizeof(text));
			if (err) {
				sluice_extack(extack, "%s", text);
				return err;
			}
		}
		dev_hold(nic);
	}
	if (dest->port)
		dev_put(dest->port);
	dest->port = nic;
	return 0;
}

/* A NIC that goes away would wait for our reference for ever. */
static int sluice_port_event(struct notifier_block *nb, unsigned long event, void *ptr)
{
	struct net_device *dev = netdev_notifier_info_to_dev(ptr);
	struct sluice_dest *dest;

	if (event != NETDEV_UNREGISTER)
		return NOTIFY_DONE;
	mutex_lock(&sluice_dests_lock);
	list_for_each_entry(dest, &sluice_dests, list) {
		mutex_lock(&dest->lock);
		if (dest->port == dev)
			sluice_port_bind(dest, NULL, NULL);
		mutex_unlock(&dest->lock);
	}
	mutex_unlock(&sluice_dests_lock);
	return NOTIFY_DONE;
}

static struct notifier_block sluice_port_nb = {
	.notifier_call = sluice_port_event,
};

int sluice_port_init(void)
{
	return register_netdevice_notifier(&sluice_port_nb);
}

void sluice_port_exit(void)
{
	unregister_netdevice_notifier(&sluice_port_nb);
}
