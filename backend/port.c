// SPDX-License-Identifier: GPL-2.0
/*
 * Ports: the NIC through which a destination's frames go, and what its DMA demands
 * of their memory.
 *
 * Destinations reach their NIC through the bridge (or whatever the operator builds);
 * binding a port says which NIC that is, and is refused unless it reaches all of the
 * region. Without a port it may be any: what one of them does not reach is copied here,
 * and counted. swiotlb would do it behind our back, or, in a driver domain without
 * memory above 4 GiB, is not there, and every such frame would be lost.
 */
#include <linux/dma-direct.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-mapping.h>
#include <linux/iommu.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include "back.h"

#define SLUICE_PORT_RANGES	(SLUICE_SHM_SEGMENT_BYTES / PAGE_SIZE)

/* The device behind a NIC's interface and what it demands of memory. */
struct sluice_nic {
	struct device *d;
	char name[IFNAMSIZ];
	struct sluice_dma_constraint c;
};

/*
 * The NIC of this kernel that reaches least of all; no device if each reaches
 * everything. Changes under rtnl. The lock comes after dest->lock.
 */
static DEFINE_MUTEX(sluice_narrowest_lock);
static struct sluice_nic sluice_narrowest;

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

/* Holds the device: sluice_nic_put(). */
static int sluice_nic_get(struct net_device *dev, struct sluice_nic *nic)
{
	int err = sluice_port_describe(dev, &nic->c);

	if (err)
		return err;
	nic->d = get_device(sluice_port_device(dev));
	strscpy(nic->name, dev->name, sizeof(nic->name));
	return 0;
}

static void sluice_nic_put(struct sluice_nic *nic)
{
	put_device(nic->d);
	nic->d = NULL;
}

/* Whose demands count for a destination; none is all right, and leaves no device. */
static void sluice_nic_of(struct sluice_dest *dest, struct sluice_nic *nic)
{
	nic->d = NULL;
	lockdep_assert_held(&dest->lock);
	if (dest->port) {
		sluice_nic_get(dest->port, nic);
		return;
	}
	mutex_lock(&sluice_narrowest_lock);
	*nic = sluice_narrowest;
	get_device(nic->d);
	mutex_unlock(&sluice_narrowest_lock);
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
static int sluice_port_fits(struct sluice_dest *dest, const struct sluice_nic *nic, u32 slot,
			    char *text, size_t text_bytes)
{
	const struct sluice_window *win = sluice_win(dest);
	struct sluice_bus_range *range;
	int nr, err;

	range = kvcalloc(SLUICE_PORT_RANGES, sizeof(*range), GFP_KERNEL);
	if (!range) {
		snprintf(text, text_bytes, "no memory for a look at segment %u", slot);
		return -ENOMEM;
	}
	nr = sluice_port_ranges(dest->ch, nic->d, nic->c.iommu, win->slot[slot].va,
				sluice_port_slot_bytes(win, slot), range);
	if (nr < 0) {
		snprintf(text, text_bytes, "segment %u: %s's IOMMU cannot map it", slot, nic->name);
		err = nr;
	} else {
		err = sluice_constraint_check(&nic->c, slot, range, nr, text, text_bytes);
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

/* The end of each refusal: what to do. */
static const char sluice_port_advice[] =
	"take a NIC that reaches it, or none as port: such frames are copied then";

/* Who reads it knows why frames are copied, and that it costs no more than that. */
static void sluice_port_tell(struct sluice_dest *dest, u32 slot, const char *why, const char *nic)
{
	char text[SLUICE_TEXT_BYTES];

	snprintf(text, sizeof(text), "%s (%s); frames in it are copied first", why, nic);
	sluice_event_segment(dest, SLUICE_EVENT_TYPE_SEGMENT_STATE, slot,
			     sluice_segment_state(dest, slot), text);
	if (dest->nr_beyond == 1)
		netdev_warn(dest->dev, "%s, as in others that it does not reach; if %s's go through another NIC, make that its port\n",
			    text, dest->name);
}

/**
 * sluice_port_check() - can the destination's port DMA this segment?
 * @dest: the destination
 * @slot: window slot of a segment that has memory
 * @text: why not
 * @text_bytes: its size
 *
 * Without a port, a segment that some NIC cannot reach is used for bounce only: frames
 * of the guest in it are copied before any NIC sees them. A port refuses it. The provider
 * has had the port's constraint when it looked for memory; to ask again would bring no other.
 *
 * Return: 0, also for a segment that is for bounce only; else an errno.
 */
int sluice_port_check(struct sluice_dest *dest, u32 slot, char *text, size_t text_bytes)
{
	char why[SLUICE_TEXT_BYTES];
	struct sluice_nic nic;
	int err = 0;

	mutex_lock(&dest->lock);
	sluice_nic_of(dest, &nic);
	if (nic.d)
		err = sluice_port_fits(dest, &nic, slot, why, sizeof(why));
	if (err && err != -ENOMEM && !dest->port) {
		sluice_port_mark(dest, slot, true);
		sluice_port_tell(dest, slot, why, nic.name);
		err = 0;
	} else if (err == -ENOMEM) {
		strscpy(text, why, text_bytes);
	} else if (err) {
		dest->refused_count++;
		snprintf(text, text_bytes, "%s; %s", why, sluice_port_advice);
	}
	sluice_nic_put(&nic);
	mutex_unlock(&dest->lock);
	return err;
}

/* All that has memory, the control segment too: its bounce slots hold frames. */
static bool sluice_port_has_memory(struct sluice_dest *dest, u32 slot)
{
	return sluice_segment_state(dest, slot) != SLUICE_SEGMENT_ABSENT &&
	       sluice_win(dest)->slot[slot].va;
}

/**
 * sluice_port_look() - which slots of a destination without a port are out of reach
 * @dest: the destination, dest->lock held
 *
 * When it appears, loses its port, and when a NIC comes or goes.
 */
void sluice_port_look(struct sluice_dest *dest)
{
	struct sluice_window *win = sluice_win(dest);
	char why[SLUICE_TEXT_BYTES];
	struct sluice_nic nic;
	bool beyond, was;
	u32 slot;

	sluice_nic_of(dest, &nic);
	for (slot = 0; slot < win->nr_slots; slot++) {
		if (!sluice_port_has_memory(dest, slot))
			continue;
		was = dest->segment[slot].beyond;
		/* without the memory for a look it is copied, which is always right */
		beyond = nic.d && sluice_port_fits(dest, &nic, slot, why, sizeof(why));
		sluice_port_mark(dest, slot, beyond);
		if (beyond && !was)
			sluice_port_tell(dest, slot, why, nic.name);
	}
	sluice_nic_put(&nic);
}

/* Does a NIC reach all there is? */
static int sluice_port_reach(struct sluice_dest *dest, struct net_device *dev,
			     struct netlink_ext_ack *extack)
{
	struct sluice_window *win = sluice_win(dest);
	char text[SLUICE_TEXT_BYTES];
	struct sluice_nic nic;
	int err = 0;
	u32 slot;

	if (sluice_nic_get(dev, &nic)) {
		sluice_extack(extack, "%s has no device that does DMA; give a NIC's interface",
			      dev->name);
		return -EOPNOTSUPP;
	}
	for (slot = 0; !err && slot < win->nr_slots; slot++)
		if (sluice_port_has_memory(dest, slot))
			err = sluice_port_fits(dest, &nic, slot, text, sizeof(text));
	if (err == -ENOMEM)
		sluice_extack(extack, "no memory to look at %s's segments", dest->name);
	else if (err)
		sluice_extack(extack, "%s; %s", text, sluice_port_advice);
	sluice_nic_put(&nic);
	return err;
}

/**
 * sluice_port_bind() - say which NIC a destination's frames go to
 * @dest: the destination, dest->lock and rtnl held
 * @nic: its interface, or NULL to unbind
 * @extack: why not, such as which segment it cannot reach
 *
 * Return: 0, or an errno and nothing changed.
 */
int sluice_port_bind(struct sluice_dest *dest, struct net_device *nic,
		     struct netlink_ext_ack *extack)
{
	u32 slot;
	int err;

	ASSERT_RTNL();
	lockdep_assert_held(&dest->lock);
	if (nic) {
		err = sluice_port_reach(dest, nic, extack);
		if (err)
			return err;
		dev_hold(nic);
		for (slot = 0; slot < sluice_win(dest)->nr_slots; slot++)
			sluice_port_mark(dest, slot, false);
	}
	if (dest->port)
		dev_put(dest->port);
	dest->port = nic;
	if (!nic)
		sluice_port_look(dest);
	return 0;
}

static bool sluice_nic_narrower(const struct sluice_nic *a, const struct sluice_nic *b)
{
	/* an IOMMU reaches everything for it */
	if (a->c.iommu || a->c.dma_mask == DMA_BIT_MASK(64))
		return false;
	return !b->d || a->c.dma_mask < b->c.dma_mask;
}

/* Of all that are there but @gone; rtnl held. Is it another now? */
static bool sluice_narrowest_find(const struct net_device *gone)
{
	struct sluice_nic found = {}, nic;
	struct net_device *dev;
	struct net *net;
	bool other;

	ASSERT_RTNL();
	for_each_net(net) {
		for_each_netdev(net, dev) {
			if (dev == gone || sluice_netdev_is_ours(dev) || sluice_nic_get(dev, &nic))
				continue;
			if (sluice_nic_narrower(&nic, &found))
				swap(nic, found);
			sluice_nic_put(&nic);
		}
	}
	mutex_lock(&sluice_narrowest_lock);
	other = found.d != sluice_narrowest.d;
	swap(found, sluice_narrowest);
	mutex_unlock(&sluice_narrowest_lock);
	sluice_nic_put(&found);
	return other;
}

/* A NIC that goes away would wait for our reference for ever. */
static int sluice_port_event(struct notifier_block *nb, unsigned long event, void *ptr)
{
	struct net_device *dev = netdev_notifier_info_to_dev(ptr);
	struct sluice_dest *dest;
	bool other;

	if (event != NETDEV_REGISTER && event != NETDEV_UNREGISTER && event != NETDEV_CHANGENAME)
		return NOTIFY_DONE;
	if (sluice_netdev_is_ours(dev))
		return NOTIFY_DONE;
	other = sluice_narrowest_find(event == NETDEV_UNREGISTER ? dev : NULL);
	mutex_lock(&sluice_dests_lock);
	list_for_each_entry(dest, &sluice_dests, list) {
		mutex_lock(&dest->lock);
		if (event == NETDEV_UNREGISTER && dest->port == dev)
			sluice_port_bind(dest, NULL, NULL);
		else if (other && !dest->port)
			sluice_port_look(dest);
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
	/* tells of all that are there, too */
	return register_netdevice_notifier(&sluice_port_nb);
}

void sluice_port_exit(void)
{
	unregister_netdevice_notifier(&sluice_port_nb);
	sluice_nic_put(&sluice_narrowest);
}
