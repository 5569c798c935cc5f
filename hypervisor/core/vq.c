// SPDX-License-Identifier: GPL-2.0
/*
 * Device side of a split virtqueue.
 *
 * The driver's words are hostile: each is read once into a local variable, and
 * only that is used. What decides anything (how far we are in both rings, which
 * heads are in flight) lives in struct sluice_vq, which the peer cannot reach.
 */
#include <sluice/vq.h>
#include <sluice/vring.h>

#define VQ_DESC_ALIGN	16
#define VQ_AVAIL_ALIGN	2
#define VQ_USED_ALIGN	4

/* A descriptor's flags that we know; others are a peer that speaks something else. */
#define VQ_DESC_FLAGS	(VRING_DESC_F_NEXT | VRING_DESC_F_WRITE | VRING_DESC_F_INDIRECT)

/* Behind the rings: where each side says which index the other shall ring at. */
static __virtio16 *vq_used_event(const struct sluice_vq *vq)
{
	return &vq->shared_avail->ring[vq->num];
}

static __virtio16 *vq_avail_event(const struct sluice_vq *vq)
{
	return (__virtio16 *)&vq->shared_used->ring[vq->num];
}

static int vq_error(struct sluice_vq *vq, const char *error)
{
	vq->error = error;
	return -EPROTO;
}

int sluice_vq_init(struct sluice_vq *vq, const struct sluice_window *win, u32 num,
		   u64 desc, u64 avail, u64 used, bool event_idx)
{
	void *shared_desc, *shared_avail, *shared_used;

	/* num sizes what we read and write: 0 would index the whole ring by -1 */
	if (num < 2 || num > SLUICE_SHM_MAX_RING || !is_power_of_2(num))
		return -EINVAL;
	/* a misaligned index could not be read in one piece */
	if (desc % VQ_DESC_ALIGN || avail % VQ_AVAIL_ALIGN || used % VQ_USED_ALIGN)
		return -EINVAL;

	/* the rings plus flags, idx and the event index behind the ring */
	shared_desc = sluice_window_resolve_area(win, desc, num * sizeof(struct vring_desc));
	shared_avail = sluice_window_resolve_area(win, avail, (3 + num) * sizeof(__virtio16));
	shared_used = sluice_window_resolve_area(win, used, 3 * sizeof(__virtio16) +
						 num * sizeof(struct vring_used_elem));
	if (!shared_desc || !shared_avail || !shared_used)
		return -EINVAL;

	memset(vq, 0, sizeof(*vq));
	vq->win = win;
	vq->shared_desc = shared_desc;
	vq->shared_avail = shared_avail;
	vq->shared_used = shared_used;
	vq->num = num;
	vq->event_idx = event_idx;
	return 0;
}

/* Look at avail->idx; how many chains wait, or -EPROTO. */
static int vq_look(struct sluice_vq *vq)
{
	u16 idx, nr;

	/* pairs with the driver's barrier before it writes avail->idx: what idx
	 * counts, ring entries and descriptors, is complete
	 */
	idx = le16_to_cpu((__force __le16)sluice_load_acquire(&vq->shared_avail->idx));
	nr = idx - vq->last_avail;
	/* more than the ring holds is a broken peer, not a loop count */
	if (nr > vq->num)
		return vq_error(vq, "avail index jumped by more than the ring");
	vq->avail_snap = idx;
	return nr;
}

/**
 * sluice_vq_avail() - how many chains wait
 * @vq: the queue
 *
 * Context: as sluice_vq_pop(). Return: chains that pop would find, none of them
 * read yet; -EPROTO as sluice_vq_pop().
 */
int sluice_vq_avail(struct sluice_vq *vq)
{
	if (unlikely(vq->error))
		return -EPROTO;
	return vq_look(vq);
}

/* Copy, check and add one descriptor; 1 if another one follows it, in *@next. */
static int vq_add_desc(struct sluice_vq *vq, struct sluice_vq_chain *chain, u16 i, u16 *next)
{
	struct vring_desc *shared = &vq->shared_desc[array_index_nospec(i, vq->num)];
	u64 addr = sluice_vring_read64(&shared->addr);
	u32 len_bytes = sluice_vring_read32(&shared->len);
	u16 flags = sluice_vring_read16(&shared->flags);
	struct sluice_vq_iov *iov;

	if (flags & VRING_DESC_F_INDIRECT)
		return vq_error(vq, "indirect descriptor, which was not negotiated");
	if (flags & ~VQ_DESC_FLAGS)
		return vq_error(vq, "unknown descriptor flag");
	/* a zero length makes callers' "bytes left" loops spin or underflow */
	if (!len_bytes)
		return vq_error(vq, "descriptor of zero bytes");

	iov = &chain->iov[chain->nr_out + chain->nr_in];
	iov->va = sluice_window_resolve(vq->win, addr, len_bytes);
	if (!iov->va)
		return vq_error(vq, "descriptor outside of the region");
	iov->off = addr;
	iov->len_bytes = len_bytes;

	/* no overflow: SLUICE_VQ_MAX_IOV times 2 MiB fits in 32 bits */
	if (flags & VRING_DESC_F_WRITE) {
		chain->nr_in++;
		chain->in_bytes += len_bytes;
	} else {
		/* callers take iov[0] to iov[nr_out - 1] for the readable part */
		if (chain->nr_in)
			return vq_error(vq, "device-readable descriptor after a writable one");
		chain->nr_out++;
		chain->out_bytes += len_bytes;
	}

	if (!(flags & VRING_DESC_F_NEXT))
		return 0;
	*next = sluice_vring_read16(&shared->next);
	return 1;
}

static int vq_read_chain(struct sluice_vq *vq, struct sluice_vq_chain *chain, u16 head)
{
	unsigned int max = min_t(unsigned int, vq->num, SLUICE_VQ_MAX_IOV);
	unsigned int n;
	u16 i = head;
	int more;

	chain->head = head;
	chain->nr_out = 0;
	chain->nr_in = 0;
	chain->out_bytes = 0;
	chain->in_bytes = 0;

	/* the bound is what ends a chain that loops */
	for (n = 0; n < max; n++) {
		if (i >= vq->num)
			return vq_error(vq, "next descriptor outside of the table");
		more = vq_add_desc(vq, chain, i, &i);
		if (more <= 0)
			return more;
	}
	return vq_error(vq, "descriptor chain loops or is too long");
}

int sluice_vq_pop(struct sluice_vq *vq, struct sluice_vq_chain *chain)
{
	u16 head;
	int ret;

	if (unlikely(vq->error))
		return -EPROTO;
	if (vq->last_avail == vq->avail_snap) {
		ret = vq_look(vq);
		if (ret <= 0)
			return ret;
	}

	head = sluice_vring_read16(&vq->shared_avail->ring[vq->last_avail & (vq->num - 1)]);
	if (head >= vq->num)
		return vq_error(vq, "head outside of the descriptor table");
	/* the same head twice: we would complete, and the driver free, one buffer
	 * twice; it also lets more chains be in flight than used entries exist
	 */
	if (test_bit(head, vq->in_flight))
		return vq_error(vq, "head is in flight already");

	ret = vq_read_chain(vq, chain, head);
	if (ret)
		return ret;

	/* atomic: sluice_vq_push() clears bits of the same word under another lock */
	set_bit(head, vq->in_flight);
	vq->last_avail++;
	return 1;
}

/**
 * sluice_vq_push() - give a chain back
 * @vq: the queue
 * @head: from the chain, once for each sluice_vq_pop(); anything else is ignored
 * @len_bytes: bytes written into the device-writable part, from its start
 *
 * Context: the push half's lock. The driver sees it after sluice_vq_publish().
 */
void sluice_vq_push(struct sluice_vq *vq, u16 head, u32 len_bytes)
{
	struct vring_used_elem *shared;

	/* our own mistake must not become an id that the driver never gave us */
	if (head >= vq->num || !test_bit(head, vq->in_flight))
		return;
	shared = &vq->shared_used->ring[vq->used_idx & (vq->num - 1)];
	sluice_vring_write32(&shared->id, head);
	sluice_vring_write32(&shared->len, len_bytes);
	vq->used_idx++;
	/*
	 * Before the index is published: the driver may make the head available
	 * again as soon as it sees that, and sluice_vq_pop() must find it free.
	 */
	clear_bit(head, vq->in_flight);
}

/**
 * sluice_vq_publish() - make all pushed chains visible
 * @vq: the queue
 *
 * Context: the push half's lock. Return: true if the driver wants the doorbell.
 */
bool sluice_vq_publish(struct sluice_vq *vq)
{
	u16 new = vq->used_idx;
	u16 old = vq->signalled;
	bool valid = vq->signalled_valid;

	if (new == vq->used_published)
		return false;
	vq->used_published = new;
	/* pairs with the driver's barrier after it reads used->idx: the entries
	 * and the bytes in the buffers are complete
	 */
	sluice_store_release(&vq->shared_used->idx, (__force __virtio16)cpu_to_le16(new));
	/* pairs with the driver's barrier between asking for a doorbell and its
	 * last look at used->idx: one of us sees the other's write
	 */
	sluice_mb();

	if (!vq->event_idx)
		return !(sluice_vring_read16(&vq->shared_avail->flags) &
			 VRING_AVAIL_F_NO_INTERRUPT);

	vq->signalled = new;
	vq->signalled_valid = true;
	if (!valid)
		return true;
	return vring_need_event(sluice_vring_read16(vq_used_event(vq)), new, old);
}

/**
 * sluice_vq_enable_notify() - ask the driver for a doorbell when it adds chains
 * @vq: the queue
 *
 * Context: the pop half's lock. Return: true if some are there already, or if the
 * queue is broken, which sluice_vq_pop() will tell: look again instead of sleeping.
 */
bool sluice_vq_enable_notify(struct sluice_vq *vq)
{
	if (vq->event_idx)
		sluice_vring_write16(vq_avail_event(vq), vq->last_avail);
	else
		sluice_vring_write16(&vq->shared_used->flags, 0);
	/* pairs with the driver's barrier between publishing avail->idx and
	 * reading what we just wrote: one of us sees the other's write
	 */
	sluice_mb();
	return sluice_vq_avail(vq) != 0;
}

/**
 * sluice_vq_disable_notify() - no doorbells wanted while we look ourselves
 * @vq: the queue
 *
 * A hint: doorbells may still arrive. Context: the pop half's lock.
 */
void sluice_vq_disable_notify(struct sluice_vq *vq)
{
	/* with event indices the one in the past already says so */
	if (!vq->event_idx)
		sluice_vring_write16(&vq->shared_used->flags, VRING_USED_F_NO_NOTIFY);
}
