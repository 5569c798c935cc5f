// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include "driver.h"

void driver_open(struct driver *d, u32 num, bool event_idx)
{
	size_t bytes = (size_t)(1 + DRIVER_DATA_SLOTS) << SLUICE_SHM_SEGMENT_SHIFT;
	u32 i;

	memset(d, 0, sizeof(*d));
	d->memory = aligned_alloc(SLUICE_SHM_PAGE, bytes);
	if (!d->memory)
		abort();
	memset(d->memory, 0, DRIVER_CTRL_BYTES);
	if (sluice_window_init(&d->win, 1 + DRIVER_DATA_SLOTS, DRIVER_CTRL_BYTES, d->memory))
		abort();
	d->win.slot[1].va = d->memory + SLUICE_SHM_SEGMENT_BYTES;
	if (sluice_window_set_state(&d->win, 1, SLUICE_SEGMENT_SHARED) ||
	    sluice_window_set_state(&d->win, 1, SLUICE_SEGMENT_ACTIVE))
		abort();

	d->desc = (void *)(d->memory + DRIVER_DESC_OFF);
	d->avail = (void *)(d->memory + DRIVER_AVAIL_OFF);
	d->used = (void *)(d->memory + DRIVER_USED_OFF);
	d->num = num;
	d->event_idx = event_idx;
	for (i = 0; i < num; i++)
		d->free_head[i] = i;
	d->nr_free = num;
}

void driver_close(struct driver *d)
{
	free(d->memory);
	d->memory = NULL;
}

int driver_connect(struct driver *d, struct sluice_vq *vq)
{
	return sluice_vq_init(vq, &d->win, d->num, DRIVER_DESC_OFF, DRIVER_AVAIL_OFF,
			      DRIVER_USED_OFF, d->event_idx);
}

void driver_desc(struct driver *d, u16 i, u64 off, u32 len, u16 flags, u16 next)
{
	WRITE_ONCE(d->desc[i].addr, htole64(off));
	WRITE_ONCE(d->desc[i].len, htole32(len));
	WRITE_ONCE(d->desc[i].flags, htole16(flags));
	WRITE_ONCE(d->desc[i].next, htole16(next));
}

void driver_offer(struct driver *d, u16 head)
{
	WRITE_ONCE(d->avail->ring[d->avail_idx % d->num], htole16(head));
	d->avail_idx++;
}

bool driver_publish(struct driver *d)
{
	u16 old = d->avail_published;
	u16 event;

	d->avail_published = d->avail_idx;
	smp_store_release(&d->avail->idx, htole16(d->avail_idx));
	/* index before the device's wish; pairs with sluice_vq_enable_notify() */
	sluice_mb();
	if (!d->event_idx)
		return !(le16toh(READ_ONCE(d->used->flags)) & VRING_USED_F_NO_NOTIFY);
	event = le16toh(READ_ONCE(*(__virtio16 *)&d->used->ring[d->num]));
	return vring_need_event(event, d->avail_idx, old);
}

int driver_add(struct driver *d, u64 off, u32 len, bool write)
{
	u16 head;

	if (!d->nr_free)
		return -1;
	head = d->free_head[--d->nr_free];
	driver_desc(d, head, off, len, write ? VRING_DESC_F_WRITE : 0, 0);
	driver_offer(d, head);
	return head;
}

int driver_used(struct driver *d, u32 *id, u32 *len)
{
	struct vring_used_elem *elem;

	/* pairs with the release in sluice_vq_publish() */
	if (le16toh(smp_load_acquire(&d->used->idx)) == d->used_seen)
		return 0;
	elem = &d->used->ring[d->used_seen % d->num];
	*id = le32toh(READ_ONCE(elem->id));
	*len = le32toh(READ_ONCE(elem->len));
	d->used_seen++;
	return 1;
}

void driver_put(struct driver *d, u16 head)
{
	if (d->nr_free >= d->num)
		abort();
	d->free_head[d->nr_free++] = head;
}

bool driver_enable_callback(struct driver *d)
{
	if (d->event_idx)
		WRITE_ONCE(d->avail->ring[d->num], htole16(d->used_seen));
	else
		WRITE_ONCE(d->avail->flags, 0);
	/* wish before the index; pairs with sluice_vq_publish() */
	sluice_mb();
	return le16toh(READ_ONCE(d->used->idx)) != d->used_seen;
}
