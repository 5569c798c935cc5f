// SPDX-License-Identifier: GPL-2.0
/*
 * Ports: the NIC through which a destination's frames go, and what its DMA demands
 * of their memory.
 *
 * Destinations reach their NIC through the bridge (or whatever the operator builds);
 * binding a port says which NIC that is, so that of each segment it is known, before
 * the guest may use it, whether the NIC reaches it. What it does not reach is copied
 * here, and counted, instead of by swiotlb behind our back.
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
			      u32 bytes, struct sluice_bus_range *range)
{
	unsigned int nr = 0;
	dma_addr_t addr;
	struct page *page;
	phys_addr_t phys;
	u32 off;

	for (off = 0; off < bytes; off += PAGE_SIZE) {
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

/* The last slot of the control segment need not be there to its end. */
static u32 sluice_port_slot_bytes(const struct sluice_window *win, u32 slot)
{
	if (slot >= win->ctrl_slots)
		return SLUICE_SHM_SEGMENT_BYTES;
	return min_t(u32, SLUICE_SHM_SEGMENT_BYTES,
		     win->ctrl_bytes - slot * SLUICE_SHM_SEGMENT_BYTES);
}

/* Return: 0, -ENOMEM, or another errno if the NIC cannot reach all of a slot. */
static int sluice_port_fits(struct sluice_dest *dest, struct net_device *nic, u32 slot,
			    char *text, size_t text_bytes)
{
	const struct sluice_window *win = sluice_win(dest);
	struct sluice_dma_constraint c;
	struct sluice_bus_range *range;
	int nr, err;

	err = sluice_port_describe(nic, &c);
	if (err) {
		snprintf(text, text_bytes, "%s: no device that does DMA is behind it", nic->name);
		return err;
	}
	range = kvcalloc(SLUICE_PORT_RANGES, sizeof(*range), GFP_KERNEL);
	if (!range) {
		snprintf(text, text_bytes, "no memory for a look at segment %u", slot);
		return -ENOMEM;
	}
	nr = sluice_port_ranges(dest->ch, sluice_port_device(nic), c.iommu, win->slot[slot].va,
				sluice_port_slot_bytes(win, slot), range);
	if (nr < 0) {
		snprintf(text, text_bytes, "segment %u: %s's IOMMU cannot map it", slot, nic->name);
		err = nr;
	} else {
		err = sluice_constraint_check(&c, slot, range, nr, text, text_bytes);
	}
	kvfree(range);
	return err;
}

static void sluice_port_mark(struct sluice_dest *dest, u32 slot, bool beyond)
{
	lockdep_assert_held(&dest->lock);
	if (dest->segment[slot].beyond == beyond)
		return;
	WRITE_ONCE(dest->segment[slot].beyond, beyond);
	WRITE_ONCE(dest->nr_beyond, dest->nr_beyond + (beyond ? 1 : -1));
	if (beyond && slot >= dest->ch->window.ctrl_slots)
		dest->refused_count++;
}

/**
 * sluice_port_forget() - a segment's memory goes
 * @dest: the destination, dest->lock held
 * @slot: window slot
 */
void sluice_port_forget(struct sluice_dest *dest, u32 slot)
{
	sluice_port_mark(dest, slot, false);
}

/* Who reads it knows why frames are copied, and that it costs no more than that. */
static void sluice_port_tell(struct sluice_dest *dest, u32 slot, const char *why)
{
	char text[SLUICE_TEXT_BYTES];

	snprintf(text, sizeof(text), "%s; frames in it are copied first", why);
	sluice_event_segment(dest, SLUICE_EVENT_TYPE_SEGMENT_STATE, slot,
			     sluice_segment_state(dest, slot), text);
	if (net_ratelimit())
		netdev_warn(dest->dev, "%s\n", text);
}

/**
 * sluice_port_check() - can the destination's port DMA this segment?
 * @dest: the destination
 * @slot: window slot of a segment that has memory
 * @text: why not
 * @text_bytes: its size
 *
 * A segment that it cannot reach is used for bounce only: frames of the guest in it
 * are copied before the NIC sees them. The provider has had the constraint when
 * it looked for memory; to ask again would bring no other.
 *
 * Return: 0, also without a port and for a segment out of reach; else an errno.
 */
int sluice_port_check(struct sluice_dest *dest, u32 slot, char *text, size_t text_bytes)
{
	int err = 0;

	mutex_lock(&dest->lock);
	if (dest->port)
		err = sluice_port_fits(dest, dest->port, slot, text, text_bytes);
	if (err && err != -ENOMEM) {
		sluice_port_mark(dest, slot, true);
		sluice_port_tell(dest, slot, text);
		err = 0;
	}
	mutex_unlock(&dest->lock);
	return err;
}

/* All that has memory, the control segment too: its bounce slots hold frames. */
static bool sluice_port_has_memory(struct sluice_dest *dest, u32 slot)
{
	return sluice_segment_state(dest, slot) != SLUICE_SEGMENT_ABSENT &&
	       sluice_win(dest)->slot[slot].va;
}

/* Which slots are out of the NIC's reach; the first reason is for the user. */
static int sluice_port_reach(struct sluice_dest *dest, struct net_device *nic,
			     unsigned long *beyond, struct netlink_ext_ack *extack)
{
	struct sluice_window *win = sluice_win(dest);
	char text[SLUICE_TEXT_BYTES], more[SLUICE_TEXT_BYTES];
	u32 slot, nr = 0;
	int err;

	for (slot = 0; slot < win->nr_slots; slot++) {
		if (!sluice_port_has_memory(dest, slot))
			continue;
		err = sluice_port_fits(dest, nic, slot, nr ? more : text, sizeof(text));
		if (err == -ENOMEM) {
			sluice_extack(extack, "no memory to look at %s's segments",
				      dest->name);
			return err;
		}
		if (!err)
			continue;
		__set_bit(slot, beyond);
		nr++;
	}
	if (nr)
		sluice_extack(extack, "%s; frames in it%s are copied first", text,
			      nr > 1 ? " and in others" : "");
	return 0;
}

/**
 * sluice_port_bind() - say which NIC a destination's frames go to
 * @dest: the destination, dest->lock and rtnl held
 * @nic: its interface, or NULL to unbind
 * @extack: why not; or, as a warning, which segment it cannot reach
 *
 * Return: 0, or an errno and nothing changed.
 */
int sluice_port_bind(struct sluice_dest *dest, struct net_device *nic,
		     struct netlink_ext_ack *extack)
{
	DECLARE_BITMAP(beyond, SLUICE_SHM_MAX_SLOTS) = {};
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
		err = sluice_port_reach(dest, nic, beyond, extack);
		if (err)
			return err;
		dev_hold(nic);
	}
	for (slot = 0; slot < sluice_win(dest)->nr_slots; slot++)
		sluice_port_mark(dest, slot, test_bit(slot, beyond));
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
