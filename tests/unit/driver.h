/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The driver side of a split virtqueue, as VIRTIO 1.2 2.7 tells it: the other end
 * of hypervisor/core/vq.c in the tests. Written from the specification alone.
 */
#ifndef SLUICE_UNIT_DRIVER_H
#define SLUICE_UNIT_DRIVER_H

#include <sluice/vq.h>

#define DRIVER_CTRL_BYTES	(512u << 10)
#define DRIVER_DESC_OFF		0x4000
#define DRIVER_AVAIL_OFF	0x8000
#define DRIVER_USED_OFF		0xa000
#define DRIVER_DATA_OFF		0x10000
#define DRIVER_DATA_SLOTS	2	/* data segments behind the control segment */

struct driver {
	u8 *memory;			/* the whole window, 2 MiB per slot */
	struct sluice_window win;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	u32 num;
	bool event_idx;
	u16 avail_idx;			/* private; published by driver_publish() */
	u16 avail_published;
	u16 used_seen;
	u16 nr_free;
	u16 free_head[SLUICE_SHM_MAX_RING];
};

struct driver_buf {
	u64 off;
	u32 len;
	bool write;
};

/* Memory, a window and an empty ring. Slot 1 is ACTIVE, slot 2 is ABSENT. */
void driver_open(struct driver *d, u32 num, bool event_idx);
void driver_close(struct driver *d);
int driver_connect(struct driver *d, struct sluice_vq *vq);

void driver_desc(struct driver *d, u16 i, u64 off, u32 len, u16 flags, u16 next);
/* Put @head into the ring, whatever it is; visible after driver_publish(). */
void driver_offer(struct driver *d, u16 head);
/* True if the device wants a doorbell. */
bool driver_publish(struct driver *d);
/* One buffer of one descriptor, in a free one; -1 if none is free. */
int driver_add(struct driver *d, u64 off, u32 len, bool write);
/* 1 with the next used entry, 0 if there is none. */
int driver_used(struct driver *d, u32 *id, u32 *len);
void driver_put(struct driver *d, u16 head);
/* Ask for a doorbell; true if used entries are there already. */
bool driver_enable_callback(struct driver *d);

#endif /* SLUICE_UNIT_DRIVER_H */
