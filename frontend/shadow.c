// SPDX-License-Identifier: GPL-2.0
/* A virtqueue in two copies: what crosses between them. Pure code. */
#include <sluice/vring.h>
#include "shadow.h"

static int shadow_error(struct sluice_shadow *s, const char *error)
{
	/* sluice_shadow_pending() looks without a lock */
	WRITE_ONCE(s->error, error);
	return -EPROTO;
}

/* Behind the rings: where each side says which index the other shall ring at. */
static __virtio16 *shadow_used_event(const struct sluice_shadow *s)
{
	return &s->shared.avail->ring[s->shared.num];
}

static __virtio16 *shadow_avail_event(const struct sluice_shadow *s)
{
	return (__virtio16 *)&s->shared.used->ring[s->shared.num];
}

/* What the driver wrote, as it is for the device: both are little endian. */
static u16 shadow_own16(__virtio16 val)
{
	return le16_to_cpu((__force __le16)val);
}

int sluice_shadow_init(struct sluice_shadow *s, const struct vring *ring)
{
	if (ring->num < 2 || ring->num > s->max || !is_power_of_2(ring->num))
		return -EINVAL;
	s->ring = *ring;
	memset(s->room, 0, s->max * sizeof(s->room[0]));
	s->avail_idx = 0;
	s->used_idx = 0;
	return 0;
}

/* Copy a chain to the same places of the shared table; bytes that the device may write. */
static u32 shadow_copy_chain(struct sluice_shadow *s, u16 head)
{
	u32 mask = s->ring.num - 1, writable = 0, n;
	u16 i = head;

	/* the driver's table is private: the bound is against a mistake of our own */
	for (n = 0; n <= mask; n++) {
		const struct vring_desc *desc = &s->ring.desc[i & mask];
		struct vring_desc *shared = &s->shared.desc[i & mask];
		u16 flags = shadow_own16(desc->flags);

		WRITE_ONCE(shared->addr, desc->addr);
		WRITE_ONCE(shared->len, desc->len);
		WRITE_ONCE(shared->flags, desc->flags);
		WRITE_ONCE(shared->next, desc->next);
		if (flags & VRING_DESC_F_WRITE)
			writable += le32_to_cpu((__force __le32)desc->len);
		if (!(flags & VRING_DESC_F_NEXT))
			break;
		i = shadow_own16(desc->next);
	}
	return writable;
}

/* A chain that the device does not have yet, seen by it with the next publish. */
static void shadow_offer(struct sluice_shadow *s, u16 head)
{
	s->room[head] = shadow_copy_chain(s, head) + 1;
	sluice_vring_write16(&s->shared.avail->ring[s->shared_avail & (s->ring.num - 1)], head);
	s->shared_avail++;
}

static void shadow_publish(struct sluice_shadow *s)
{
	/* pairs with the device's acquire in vq_look(): entries and descriptors are out */
	sluice_store_release(&s->shared.avail->idx,
			     (__force __virtio16)cpu_to_le16(s->shared_avail));
}

void sluice_shadow_start(struct sluice_shadow *s, void *shared_va, bool event_idx)
{
	u16 head;

	vring_init(&s->shared, s->ring.num, shared_va, SLUICE_SHADOW_ALIGN);
	memset(shared_va, 0, vring_size(s->ring.num, SLUICE_SHADOW_ALIGN));
	s->event_idx = event_idx;
	s->shared_avail = 0;
	WRITE_ONCE(s->shared_used, 0);
	WRITE_ONCE(s->error, NULL);
	for (head = 0; head < s->ring.num; head++)
		if (s->room[head])
			shadow_offer(s, head);
	shadow_publish(s);
}

/* The driver's next head; false if it has added nothing since. */
static bool shadow_next(struct sluice_shadow *s, u16 *head)
{
	u16 mask = s->ring.num - 1;

	/* pairs with virtio_ring's barrier before it writes avail->idx: what idx counts
	 * is complete
	 */
	if (s->avail_idx == shadow_own16(sluice_load_acquire(&s->ring.avail->idx)))
		return false;
	*head = shadow_own16(s->ring.avail->ring[s->avail_idx & mask]) & mask;
	s->avail_idx++;
	return true;
}

bool sluice_shadow_submit(struct sluice_shadow *s)
{
	u16 old = s->shared_avail, head;

	if (unlikely(s->error))
		return false;
	while (shadow_next(s, &head))
		shadow_offer(s, head);
	if (s->shared_avail == old)
		return false;
	shadow_publish(s);
	/* pairs with the device's barrier between asking for a doorbell and its last look
	 * at avail->idx (sluice_vq_enable_notify()): one of us sees the other's write
	 */
	sluice_mb();
	if (!s->event_idx)
		return !(sluice_vring_read16(&s->shared.used->flags) & VRING_USED_F_NO_NOTIFY);
	/* any answer is harmless: at worst the peer rings itself, or sleeps on */
	return vring_need_event(sluice_vring_read16(shadow_avail_event(s)), s->shared_avail, old);
}

/* To the driver, with the next shadow_deliver(). */
static void shadow_use(struct sluice_shadow *s, u32 id, u32 len)
{
	struct vring_used_elem *elem = &s->ring.used->ring[s->used_idx & (s->ring.num - 1)];

	s->room[id] = 0;
	elem->id = (__force __virtio32)cpu_to_le32(id);
	elem->len = (__force __virtio32)cpu_to_le32(len);
	s->used_idx++;
}

static void shadow_deliver(struct sluice_shadow *s)
{
	/* pairs with virtio_ring's barrier after it reads used->idx, perhaps on another
	 * processor: the entries are complete. From here on it may reuse the heads.
	 */
	sluice_store_release(&s->ring.used->idx, (__force __virtio16)cpu_to_le16(s->used_idx));
}

u32 sluice_shadow_give_up(struct sluice_shadow *s)
{
	u16 before = s->used_idx, head;

	while (shadow_next(s, &head))
		s->room[head] = 1;
	for (head = 0; head < s->ring.num; head++)
		if (s->room[head])
			shadow_use(s, head, SLUICE_SHADOW_LOST);
	shadow_deliver(s);
	return (u16)(s->used_idx - before);
}

/* One entry of the shared used ring. */
static int shadow_take(struct sluice_shadow *s)
{
	u16 at = s->shared_used & (s->ring.num - 1);
	const struct vring_used_elem *shared = &s->shared.used->ring[at];
	u32 id = sluice_vring_read32(&shared->id);
	u32 len = sluice_vring_read32(&shared->len);

	/* virtio_ring would index its state by it */
	if (id >= s->ring.num)
		return shadow_error(s, "used id outside of the descriptor table");
	id = array_index_nospec(id, s->ring.num);
	/* given back twice, or never given: its buffer belongs to somebody else by now */
	if (!s->room[id])
		return shadow_error(s, "used id that is not in flight");
	/* drivers take it for the length of what they received */
	if (len >= s->room[id])
		return shadow_error(s, "used length beyond what was posted");
	shadow_use(s, id, len);
	WRITE_ONCE(s->shared_used, s->shared_used + 1);
	return 0;
}

int sluice_shadow_harvest(struct sluice_shadow *s)
{
	u16 idx, nr, i;

	if (unlikely(s->error))
		return -EPROTO;
	/* pairs with the device's release in sluice_vq_publish(): entries, and the bytes
	 * in the buffers, are complete
	 */
	idx = shadow_own16(sluice_load_acquire(&s->shared.used->idx));
	nr = idx - s->shared_used;
	if (!nr)
		return 0;
	/* more than the ring holds is a broken peer, not a loop count */
	if (nr > s->ring.num)
		return shadow_error(s, "used index jumped by more than the ring");
	for (i = 0; i < nr; i++)
		if (shadow_take(s))
			break;
	shadow_deliver(s);
	return i < nr ? -EPROTO : nr;
}

bool sluice_shadow_pending(const struct sluice_shadow *s)
{
	return sluice_vring_read16(&s->shared.used->idx) != READ_ONCE(s->shared_used) &&
	       !READ_ONCE(s->error);
}

bool sluice_shadow_arm(struct sluice_shadow *s, bool delayed)
{
	u16 delay = 0;

	if (unlikely(s->error))
		return false;
	if (s->event_idx) {
		/*
		 * As virtqueue_enable_cb_delayed(). Never more than is in flight: the
		 * device would ring for something that does not come.
		 */
		if (delayed)
			delay = (u16)(s->shared_avail - s->shared_used) * 3 / 4;
		sluice_vring_write16(shadow_used_event(s), s->shared_used + delay);
	} else {
		sluice_vring_write16(&s->shared.avail->flags, 0);
	}
	/* pairs with the device's barrier between publishing used->idx and reading what
	 * we just wrote (sluice_vq_publish()): one of us sees the other's write
	 */
	sluice_mb();
	return (u16)(sluice_vring_read16(&s->shared.used->idx) - s->shared_used) > delay;
}

void sluice_shadow_disarm(struct sluice_shadow *s)
{
	/* with event indices the one in the past already says so */
	if (!s->event_idx)
		sluice_vring_write16(&s->shared.avail->flags, VRING_AVAIL_F_NO_INTERRUPT);
}
