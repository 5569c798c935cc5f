// SPDX-License-Identifier: GPL-2.0
/*
 * The provider's ops.
 */
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/module.h>
#include "ivshmem.h"

static irqreturn_t ivshmem_irq(int irq, void *data)
{
	struct ivshmem_vector *v = data;

	sluice_channel_event(v->iv->ch, v->index);
	return IRQ_HANDLED;
}

static void ivshmem_free_irqs(struct ivshmem *iv, unsigned int nr)
{
	while (nr--)
		free_irq(iv->vector[nr].irq, &iv->vector[nr]);
}

static int ivshmem_request_irqs(struct ivshmem *iv)
{
	struct ivshmem_vector *v;
	unsigned int i;
	int err;

	for (i = 0; i < iv->nr_vectors; i++) {
		v = &iv->vector[i];
		v->iv = iv;
		v->index = i;
		v->irq = pci_irq_vector(iv->pdev, i);
		snprintf(v->name, sizeof(v->name), "sluice-%s-%u", pci_name(iv->pdev), i);
		err = request_irq(v->irq, ivshmem_irq, 0, v->name, v);
		if (err) {
			dev_err(&iv->pdev->dev, "no interrupt for vector %u (%d)\n", i, err);
			ivshmem_free_irqs(iv, i);
			return err;
		}
	}
	return 0;
}

/* As many pairs as everybody can serve, and room for them. */
static int ivshmem_claim_backend(struct ivshmem *iv, struct sluice_channel *ch)
{
	u64 most = min_t(u64, iv->map->bytes, SLUICE_SHM_CTRL_MAX);
	u32 pairs = ch->nr_doorbells - 1;
	u64 want;

	if (ch->want_pairs)
		pairs = min(pairs, ch->want_pairs);
	if (iv->host.max_pairs)
		pairs = min_t(u32, pairs, iv->host.max_pairs);
	ch->want_pairs = pairs;

	want = ch->want_ctrl_bytes ?: (u64)pairs << 20;
	want = clamp_t(u64, want, SLUICE_SHM_CTRL_MIN, most);
	ch->ctrl_bytes = round_down(want, SLUICE_SHM_PAGE);
	return 0;
}

static int ivshmem_claim(struct sluice_channel *ch, enum sluice_role role,
			 struct netlink_ext_ack *extack)
{
	struct ivshmem *iv = ch->provider_data;
	const struct sluice_shm_frontend_page *front = iv->map->va + SLUICE_SHM_FRONTEND_OFF;
	const struct sluice_shm_backend_page *back = iv->map->va + SLUICE_SHM_BACKEND_OFF;
	int err;

	ch->ctrl_va = iv->map->va;
	if (role == SLUICE_BACKEND) {
		err = ivshmem_claim_backend(iv, ch);
		if (err)
			return err;
		iv->shared_doorbell = &front->side.doorbell;
	} else {
		ch->ctrl_bytes = min_t(u64, iv->map->bytes, SLUICE_SHM_CTRL_MAX);
		iv->shared_doorbell = &back->side.doorbell;
	}
	ch->doorbell_addr = iv->position;

	iv->role = role;
	ivshmem_inuse_init(iv, role, role == SLUICE_BACKEND ?
			   DIV_ROUND_UP(ch->ctrl_bytes, SLUICE_SHM_SEGMENT_BYTES) : 0,
			   ch->max_slots);
	return ivshmem_request_irqs(iv);
}

static void ivshmem_release(struct sluice_channel *ch)
{
	struct ivshmem *iv = ch->provider_data;

	ivshmem_host_stop(iv);
	/* waits for handlers: no event after this */
	ivshmem_free_irqs(iv, iv->nr_vectors);
}

static void *ivshmem_slot_va(const struct ivshmem *iv, unsigned int slot)
{
	return iv->map->va + ((u64)slot << SLUICE_SHM_SEGMENT_SHIFT);
}

/* What an earlier life left, as soon as its last user is through with it. */
static void ivshmem_give_left(struct ivshmem *iv)
{
	unsigned int slot;

	while ((slot = ivshmem_left_next(iv)) < SLUICE_SHM_MAX_SLOTS)
		if (iv->role == SLUICE_BACKEND)
			ivshmem_host_punch(iv, slot);
}

static u64 ivshmem_limit(struct sluice_channel *ch, const char **why)
{
	struct ivshmem *iv = ch->provider_data;
	u64 window = (u64)(ch->max_slots - ch->window.ctrl_slots) << SLUICE_SHM_SEGMENT_SHIFT;
	u64 quota = ivshmem_host_quota(iv);

	if (quota < window) {
		*why = "the quota that the region server gives this destination";
		return quota;
	}
	*why = "the size of the window";
	return window;
}

/*
 * The memory is there. It is not zeroed: it has never belonged to another
 * destination, it began as zeros, and what this destination once wrote there it may
 * read again.
 */
static int ivshmem_segment_alloc(struct sluice_channel *ch, unsigned int slot,
				 const struct sluice_dma_constraint *c,
				 struct netlink_ext_ack *extack)
{
	struct ivshmem *iv = ch->provider_data;
	int err = 0;
	u64 taken;

	if (slot >= ch->max_slots || slot < ch->window.ctrl_slots)
		return -EINVAL;

	ivshmem_give_left(iv);
	mutex_lock(&iv->lock);
	taken = (u64)bitmap_weight(iv->taken, SLUICE_SHM_MAX_SLOTS) << SLUICE_SHM_SEGMENT_SHIFT;
	if (test_bit(slot, iv->taken) || ivshmem_mapped(iv, slot) ||
	    ivshmem_busy_pages(ivshmem_slot_va(iv, slot), SLUICE_SHM_SEGMENT_BYTES)) {
		/* in use, or frames of an earlier life are still in a queue here or there */
		err = -EBUSY;
	} else if (taken + SLUICE_SHM_SEGMENT_BYTES > ivshmem_host_quota(iv)) {
		NL_SET_ERR_MSG(extack, "above the region server's quota of this destination");
		err = -EDQUOT;
	} else {
		err = ivshmem_host_take(iv, slot);
	}
	if (!err) {
		__set_bit(slot, iv->taken);
		__clear_bit(slot, iv->revoked);
		__clear_bit(slot, iv->left);
		ch->window.slot[slot].va = ivshmem_slot_va(iv, slot);
	}
	mutex_unlock(&iv->lock);
	return err;
}

static int ivshmem_segment_share(struct sluice_channel *ch, unsigned int slot, u64 *handle)
{
	struct ivshmem *iv = ch->provider_data;

	if (slot >= ch->max_slots)
		return -EINVAL;
	mutex_lock(&iv->lock);
	ivshmem_share(iv, slot);
	mutex_unlock(&iv->lock);
	*handle = slot;
	return 0;
}

/*
 * The guest's mapping of the BAR cannot be taken away and need not be: nobody
 * else will ever get this memory. What can be confirmed is that nothing on this
 * side still refers to it, no frame in a queue and no device, and that by its own word
 * the guest does not either.
 */
static int ivshmem_segment_revoke(struct sluice_channel *ch, unsigned int slot)
{
	struct ivshmem *iv = ch->provider_data;
	int err;

	if (slot >= ch->max_slots || slot < ch->window.ctrl_slots)
		return -EINVAL;
	mutex_lock(&iv->lock);
	err = ivshmem_unshare(iv, slot);
	if (!err && ivshmem_busy_pages(ivshmem_slot_va(iv, slot), SLUICE_SHM_SEGMENT_BYTES))
		err = -EBUSY;
	if (!err)
		__set_bit(slot, iv->revoked);
	mutex_unlock(&iv->lock);
	return err;
}

static void ivshmem_segment_free(struct sluice_channel *ch, unsigned int slot)
{
	struct ivshmem *iv = ch->provider_data;
	bool punch;

	if (slot >= ch->max_slots || slot < ch->window.ctrl_slots)
		return;
	mutex_lock(&iv->lock);
	/* not revoked: a frame may still be in it, leave its bytes alone */
	punch = test_bit(slot, iv->taken) && test_bit(slot, iv->revoked);
	__clear_bit(slot, iv->taken);
	__clear_bit(slot, iv->left);
	ch->window.slot[slot].va = NULL;
	mutex_unlock(&iv->lock);
	if (punch)
		ivshmem_host_punch(iv, slot);
	ivshmem_give_left(iv);
}

static int ivshmem_segment_map(struct sluice_channel *ch, unsigned int slot, u64 handle)
{
	struct ivshmem *iv = ch->provider_data;
	int err;

	if (slot >= ch->max_slots || slot < ch->window.ctrl_slots || handle != slot)
		return -EINVAL;
	ivshmem_give_left(iv);
	/* frames of an earlier session in it: not now */
	if (ivshmem_busy_pages(ivshmem_slot_va(iv, slot), SLUICE_SHM_SEGMENT_BYTES))
		return -EBUSY;
	mutex_lock(&iv->lock);
	err = ivshmem_use(iv, slot);
	mutex_unlock(&iv->lock);
	if (err)
		return err;
	ch->window.slot[slot].va = ivshmem_slot_va(iv, slot);
	return 0;
}

static int ivshmem_segment_unmap(struct sluice_channel *ch, unsigned int slot)
{
	struct ivshmem *iv = ch->provider_data;

	if (slot >= ch->max_slots)
		return -EINVAL;
	ch->window.slot[slot].va = NULL;
	mutex_lock(&iv->lock);
	ivshmem_unuse(iv, slot);
	mutex_unlock(&iv->lock);
	ivshmem_give_left(iv);
	return 0;
}

/**
 * ivshmem_ring() - ring a doorbell of a peer
 * @iv: the device
 * @peer: its address; one that is not there hears nothing
 * @vector: which
 *
 * Context: any.
 */
void ivshmem_ring(const struct ivshmem *iv, u32 peer, unsigned int vector)
{
	/* too large an address would carry into nothing useful: not a peer */
	if (peer > IVSHMEM_MAX_PEER || peer == iv->position)
		return;
	writel(peer << 16 | vector, iv->regs + IVSHMEM_REG_DOORBELL);
}

static void ivshmem_doorbell(struct sluice_channel *ch, unsigned int vector)
{
	const struct ivshmem *iv = ch->provider_data;

	if (vector >= SLUICE_SHM_MAX_DOORBELLS)
		return;
	/*
	 * One read of what the peer says its address is. A false one rings
	 * another listener of this same destination, or none.
	 */
	ivshmem_ring(iv, le32_to_cpu(READ_ONCE(*iv->shared_doorbell)), vector);
}

static void ivshmem_publish(struct sluice_channel *ch)
{
	ivshmem_inuse_publish(ch->provider_data);
}

const struct sluice_provider_ops ivshmem_ops = {
	.name = "ivshmem",
	.owner = THIS_MODULE,
	.claim = ivshmem_claim,
	.release = ivshmem_release,
	.segment_alloc = ivshmem_segment_alloc,
	.segment_share = ivshmem_segment_share,
	.segment_revoke = ivshmem_segment_revoke,
	.segment_free = ivshmem_segment_free,
	.segment_map = ivshmem_segment_map,
	.segment_unmap = ivshmem_segment_unmap,
	.doorbell = ivshmem_doorbell,
	.limit = ivshmem_limit,
	.publish = ivshmem_publish,
};
