/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The frontend module: what its files know of each other.
 *
 *	transport.c	the virtio device on a channel: its life, the client's callbacks
 *	config.c	virtio_config_ops: features, config space, status
 *	vqs.c		virtqueues: memory, notification both ways, reset of one
 *	shadow.c	a virtqueue in two copies: the driver's, private, and the peer's (pure)
 *	peer.c		what the backend says of the device, and is told
 *	ctrlq.c		control virtqueue, answered on this side
 *	map.c		page -> window offset, or bounce
 *	dma.c		the DMA operations that lead there
 *	bounce.c	bounce slots in the control area (pure bitmap allocator)
 *	region.c	SEGMENT_ADD / RETIRE; fills the slot allocator, drains it
 *	slots.c		free pages of all data segments
 *	netdev.c queues.c rx.c tx.c xdp.c ethtool.c	sluice_front, our virtio-net driver
 *	main.c		module, client registration
 *
 * transport.c presents the device under VIRTIO_ID_NET (driver=virtio_net: the
 * kernel's own driver binds) or under SLUICE_FRONT_VIRTIO_ID (driver=front).
 */
#ifndef SLUICE_FRONT_H
#define SLUICE_FRONT_H

#include <linux/virtio.h>
#include <linux/virtio_net.h>
#include <sluice/channel.h>

#define SLUICE_FRONT_VIRTIO_ID	0x534c	/* private: so that only our netdev driver matches */
#define SLUICE_FRONT_VENDOR	0x43554c53

struct sluice_slots;
struct sluice_transport;
struct sluice_map;
struct sluice_region;

/**
 * struct sluice_front - one channel as seen by the guest
 * @ch: the channel
 * @dev: parent of the virtio device; carries the DMA operations
 * @vdev: the virtio device, NULL before the first session
 * @map: mapping state and bounce slots (map.c)
 * @region: data segments (region.c)
 * @slots: free pages (slots.c)
 * @link: the backend is there; netdev drivers see it as VIRTIO_NET_S_LINK_UP
 * @sessions_lost: a driver that finds it changed has another backend before it
 * @nr_pairs: queue pairs that the control area can feed
 * @id: number in the device's name
 * @transport: transport.c's own
 *
 * When a session ends, link is down, and buffers come back from the virtqueues with
 * the length SLUICE_SHADOW_LOST. Nothing else happens to the driver: what it adds
 * from then on waits for the next session.
 */
struct sluice_front {
	struct sluice_channel *ch;
	struct device dev;
	u64 dma_mask;
	struct virtio_device *vdev;
	struct sluice_map *map;
	struct sluice_region *region;
	struct sluice_slots *slots;
	bool link;
	unsigned int sessions_lost;
	u16 nr_pairs;
	int id;
	struct sluice_transport *transport;
};

static inline struct sluice_front *sluice_front_of(struct virtio_device *vdev)
{
	return container_of(vdev->dev.parent, struct sluice_front, dev);
}

/* transport.c, for netdev.c */
/* Receive on the first @pairs pairs only, soon. */
int sluice_front_set_pairs(struct virtio_device *vdev, u16 pairs);
/* Ordinary pages that may be posted for receive before the bounce quota is used up, per pair. */
unsigned int sluice_front_bounce_rx_pages(struct virtio_device *vdev);
/* Bounce counters for ethtool -S. */
struct sluice_bounce_stats {
	u64 map_region;			/* mapped without a copy */
	u64 map_bounce_rx;
	u64 map_bounce_tx;
	u64 full_rx;			/* refused: receive quota used up */
	u64 full_tx;
	u64 bytes_in;			/* copied out of bounce slots */
	u64 bytes_out;
	u32 slots_total;
	u32 slots_used;
	u32 slots_peak;
};

void sluice_front_bounce_stats(struct virtio_device *vdev, struct sluice_bounce_stats *st);

/*
 * vqs.c, for netdev.c: our driver takes what the backend has finished when it wants to, and
 * asks for the callback itself, in place of virtio_ring's calls. Whoever harvests must arm
 * before he leaves, or see to it that somebody does: the doorbell for what was
 * harvested may come to nothing. Any context.
 */
/* Something new for virtqueue_get_buf()? */
bool sluice_vqs_harvest(struct virtqueue *vq);
/* Tell the backend of what was added; true if that took a doorbell. */
bool sluice_vqs_kick(struct virtqueue *vq);
/* Call back when the next buffer is done; @delayed: when most are. True: some are already. */
bool sluice_vqs_arm(struct virtqueue *vq, bool delayed);
/* Ring, in case a doorbell was lost. */
void sluice_vqs_ring(struct virtqueue *vq);

/* map.c, for region.c: this segment's pages map to its window offsets. */
int sluice_map_add_segment(struct sluice_front *f, unsigned int slot);
void sluice_map_del_segment(struct sluice_front *f, unsigned int slot);

/* region.c, for transport.c; all from the channel's client context, may sleep */
int sluice_region_init(struct sluice_front *f);
void sluice_region_exit(struct sluice_front *f);	/* vqs are gone; drains or quarantines */
void sluice_region_message(struct sluice_front *f, const struct sluice_msg *msg);
/* The session ended: hand out no page any more. Called before the driver gives its
 * buffers back, so it must not wait for pages; drain in the background.
 */
void sluice_region_down(struct sluice_front *f);

/* slots.c, for rx.c and tx.c: any context up to softirq */
/* A free page with only the region's own reference, or NULL. */
struct page *sluice_slots_get(struct sluice_slots *s);
/* The driver is done with it; the stack may still hold references. */
void sluice_slots_put(struct sluice_slots *s, struct page *page);
/* Is @page a region page of this frontend? */
bool sluice_slots_owns(struct sluice_slots *s, const struct page *page);
/* Pages in total, and free or reusable as far as known. */
unsigned int sluice_slots_total(struct sluice_slots *s);
/* May @page be posted again, or is its segment retiring? */
bool sluice_slots_active(struct sluice_slots *s, const struct page *page);

extern struct virtio_driver sluice_net_driver;		/* netdev.c */
extern struct sluice_client sluice_front_client;	/* transport.c */
extern bool sluice_front_stock;				/* main.c: driver=virtio_net */

#endif /* SLUICE_FRONT_H */
