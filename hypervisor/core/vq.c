// SPDX-License-Identifier: GPL-2.0
/*
 * Device side of a split virtqueue, VIRTIO 1.2 section 2.7.
 */
#include <sluice/vq.h>

static int broken(struct sluice_vq *vq, const char *error)
{
	vq->error = error;
	return -EPROTO;
}

static bool valid_part(u64 off, u32 align)
{
	return !(off & (align - 1));
}

/* See vq.h. */
int sluice_vq_init(struct sluice_vq *vq, const struct sluice_window *win, u32 num,
		   u64 desc, u64 avail, u64 used, bool event_idx)
{
	memset(vq, 0, sizeof(*vq));
	if (num < 2 || num > SLUICE_SHM_MAX_RING || (num & (num - 1)))
		return -EINVAL;
	if (!valid_part(desc, VRING_DESC_ALIGN_SIZE) ||
	    !valid_part(avail, VRING_AVAIL_ALIGN_SIZE) ||
	    !valid_part(used, VRING_USED_ALIGN_SIZE))
		return -EINVAL;

	/* flags and idx, the ring, the event index of the other side behind it */
	vq->shared_desc = sluice_window_resolve_area(win, desc,
						     num * sizeof(struct vring_desc));
	vq->shared_avail = sluice_window_resolve_area(win, avail,
						      (3 + num) * sizeof(__le16));
	vq->shared_used = sluice_window_resolve_area(win, used,
						     3 * sizeof(__le16) +
						     num * sizeof(struct vring_used_elem));
	if (!vq->shared_desc || !vq->shared_avail || !vq->shared_used)
		return -EINVAL;

	vq->win = win;
	vq->num = num;
	vq->event_idx = event_idx;
	return 0;
}

static __virtio16 *used_event(const struct sluice_vq *vq)
{
	return &vq->shared_avail->ring[vq->num];
}

static __virtio16 *avail_event(const struct sluice_vq *vq)
{
	return (__virtio16 *)&vq->shared_used->ring[vq->num];
}

static u16 get16(const __virtio16 *shared)
{
	return le16_to_cpu((__force __le16)READ_ONCE(*shared));
}

static void put16(__virtio16 *shared, u16 value)
{
	WRITE_ONCE(*shared, (__force __virtio16)cpu_to_le16(value));
}

/* See vq.h. */
int sluice_vq_avail(struct sluice_vq *vq)
{
	u16 idx, ready;

	if (vq->error)
		return -EPROTO;
	/* pairs with the driver's barrier between ring entry and avail->idx */
	idx = le16_to_cpu((__force __le16)sluice_load_acquire(&vq->shared_avail->idx));
	ready = idx - vq->last_avail;
	/* a jump would make us walk stale entries, up to 65535 of them */
	if (ready > vq->num)
		return broken(vq, "avail index jumps over the ring");
	vq->avail_snap = idx;
	return ready;
}

struct desc_snap {
	u64 addr;
	u32 len;
	u16 flags;
	u16 next;
};

/* One read of each field: the driver may change them while we look. */
static void desc_read(const struct sluice_vq *vq, u16 i, struct desc_snap *d)
{
	const struct vring_desc *shared = &vq->shared_desc[i];

	d->addr = le64_to_cpu((__force __le64)READ_ONCE(shared->addr));
	d->len = le32_to_cpu((__force __le32)READ_ONCE(shared->len));
	d->flags = le16_to_cpu((__force __le16)READ_ONCE(shared->flags));
	d->next = le16_to_cpu((__force __le16)READ_ONCE(shared->next));
}

static int chain_read(struct sluice_vq *vq, struct sluice_vq_chain *chain)
{
	u16 i = chain->head;

	for (;;) {
		u32 n = chain->nr_out + chain->nr_in;
		struct sluice_vq_iov *iov;
		struct desc_snap d;

		/* bounds a loop in the chain, too */
		if (n == SLUICE_VQ_MAX_IOV)
			return broken(vq, "descriptor chain too long or a loop");
		desc_read(vq, i, &d);
		if (d.flags & ~(VRING_DESC_F_NEXT | VRING_DESC_F_WRITE))
			return broken(vq, "descriptor flag that was not negotiated");

		iov = &chain->iov[n];
		iov->off = d.addr;
		iov->len_bytes = d.len;
		iov->va = sluice_window_resolve(vq->win, d.addr, d.len);
		if (!iov->va)
			return broken(vq, "descriptor outside of the region");

		/* at most SLUICE_VQ_MAX_IOV * 2 MiB: no overflow */
		if (d.flags & VRING_DESC_F_WRITE) {
			chain->nr_in++;
			chain->in_bytes += d.len;
		} else {
			if (chain->nr_in)
				return broken(vq, "readable descriptor after a writable one");
			chain->nr_out++;
			chain->out_bytes += d.len;
		}
		if (!(d.flags & VRING_DESC_F_NEXT))
			return 1;
		if (d.next >= vq->num)
			return broken(vq, "next descriptor outside of the table");
		i = d.next;
	}
}

/* See vq.h. */
int sluice_vq_pop(struct sluice_vq *vq, struct sluice_vq_chain *chain)
{
	u16 head;
	int ready;

	if (vq->error)
		return -EPROTO;
	if (vq->avail_snap == vq->last_avail) {
		ready = sluice_vq_avail(vq);
		if (ready <= 0)
			return ready;
	}
	head = get16(&vq->shared_avail->ring[vq->last_avail & (vq->num - 1)]);
	if (head >= vq->num)
		return broken(vq, "available head outside of the table");
	/* the same buffer twice would be completed, and so freed, twice */
	if (test_bit(head, vq->in_flight))
		return broken(vq, "available head is in flight already");

	chain->head = head;
	chain->nr_out = 0;
	chain->nr_in = 0;
	chain->out_bytes = 0;
	chain->in_bytes = 0;
	ready = chain_read(vq, chain);
	if (ready < 0)
		return ready;
	/* atomic: push, under another lock, may clear a neighbour's bit */
	set_bit(head, vq->in_flight);
	vq->last_avail++;
	return 1;
}

/* See vq.h. */
void sluice_vq_push(struct sluice_vq *vq, u16 head, u32 len_bytes)
{
	struct vring_used_elem *shared;

	shared = &vq->shared_used->ring[vq->used_idx & (vq->num - 1)];
	WRITE_ONCE(shared->id, (__force __virtio32)cpu_to_le32(head));
	WRITE_ONCE(shared->len, (__force __virtio32)cpu_to_le32(len_bytes));
	clear_bit(head, vq->in_flight);
	vq->used_idx++;
}

/* See vq.h. */
bool sluice_vq_publish(struct sluice_vq *vq)
{
	u16 old = vq->signalled, new = vq->used_idx, event;
	bool valid = vq->signalled_valid;

	if (vq->used_published == new)
		return false;
	/* pairs with the driver's read barrier between used->idx and the entry */
	sluice_store_release(&vq->shared_used->idx,
			     (__force __virtio16)cpu_to_le16(new));
	vq->used_published = new;

	/*
	 * Index before flag: pairs with the driver's full barrier between enabling
	 * callbacks and looking at the index again. Without either, both sides
	 * miss each other and sleep.
	 */
	sluice_mb();
	if (!vq->event_idx)
		return !(get16(&vq->shared_avail->flags) & VRING_AVAIL_F_NO_INTERRUPT);

	vq->signalled = new;
	vq->signalled_valid = true;
	event = get16(used_event(vq));
	return !valid || vring_need_event(event, new, old);
}

/* See vq.h. */
bool sluice_vq_enable_notify(struct sluice_vq *vq)
{
	if (vq->event_idx)
		put16(avail_event(vq), vq->last_avail);
	else
		put16(&vq->shared_used->flags, 0);
	/* flag before index: pairs with the driver's barrier before it reads our
	 * event index or flags
	 */
	sluice_mb();
	/* a broken queue has to be looked at, too */
	return sluice_vq_avail(vq) != 0;
}

/* See vq.h. */
void sluice_vq_disable_notify(struct sluice_vq *vq)
{
	/* with an event index, one that lies behind is as good */
	if (!vq->event_idx)
		put16(&vq->shared_used->flags, VRING_USED_F_NO_NOTIFY);
}
