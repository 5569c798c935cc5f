// SPDX-License-Identifier: GPL-2.0
/*
 * Which slots the frontend has in use, and which it may begin to use.
 *
 * Both sides map the whole window for as long as they live, so nothing but a word of
 * the guest tells when it is through with a slot. Within a session that word is
 * SEGMENT_RETIRED. A session may end without it while both sides live: sockets of
 * the guest then hold frames that it has acknowledged, and giving their memory back to
 * the host would turn them into zeros. So each side keeps a map in the provider
 * page (struct sluice_shm_ivshmem).
 *
 * A peer that lies about its map keeps its own memory from being freed, or
 * loses what it still has use for: both are its own loss only.
 */
#include <linux/module.h>
#include "ivshmem.h"

#define IVSHMEM_WORD_BITS	32

static struct sluice_shm_ivshmem *ivshmem_page(const struct ivshmem *iv)
{
	return iv->map->va + SLUICE_SHM_PROVIDER_OFF;
}

static bool ivshmem_bit(const __le32 *shared, unsigned int slot)
{
	u32 word = le32_to_cpu(READ_ONCE(shared[slot / IVSHMEM_WORD_BITS]));

	return word & BIT(slot % IVSHMEM_WORD_BITS);
}

/* What is written comes from the private map, never from what is read there. */
static void ivshmem_own_publish(struct ivshmem *iv, unsigned int slot)
{
	unsigned int first = round_down(slot, IVSHMEM_WORD_BITS), i;
	u32 word = 0;

	for (i = 0; i < IVSHMEM_WORD_BITS; i++)
		if (test_bit(first + i, iv->own))
			word |= BIT(i);
	WRITE_ONCE(iv->shared_own[slot / IVSHMEM_WORD_BITS], cpu_to_le32(word));
}

static void ivshmem_own_set(struct ivshmem *iv, unsigned int slot, bool set)
{
	lockdep_assert_held(&iv->lock);
	__assign_bit(slot, iv->own, set);
	ivshmem_own_publish(iv, slot);
	/*
	 * Our word is out before we look at the peer's: of two that set theirs at the
	 * same time at least one sees the other. Pairs with itself on the other side.
	 */
	sluice_mb();
}

static bool ivshmem_busy(const struct ivshmem *iv, unsigned int slot)
{
	return ivshmem_busy_pages(iv->map->va + ((u64)slot << SLUICE_SHM_SEGMENT_SHIFT),
				  SLUICE_SHM_SEGMENT_BYTES);
}

/**
 * ivshmem_inuse_init() - begin a life as backend or frontend
 * @iv: the device
 * @role: which
 * @first: data slot; a frontend, which has not read the header yet, gives 0
 * @nr_slots: of the window
 *
 * A frontend may find pages that sockets still hold from an earlier life.
 */
void ivshmem_inuse_init(struct ivshmem *iv, enum sluice_role role, unsigned int first,
			unsigned int nr_slots)
{
	struct sluice_shm_ivshmem *page = ivshmem_page(iv);
	unsigned int slot;

	BUILD_BUG_ON(sizeof(*page) > SLUICE_SHM_PAGE);
	mutex_lock(&iv->lock);
	iv->shared_own = role == SLUICE_BACKEND ? page->shared : page->mapped;
	bitmap_zero(iv->taken, SLUICE_SHM_MAX_SLOTS);
	bitmap_zero(iv->revoked, SLUICE_SHM_MAX_SLOTS);
	bitmap_zero(iv->own, SLUICE_SHM_MAX_SLOTS);
	bitmap_zero(iv->left, SLUICE_SHM_MAX_SLOTS);
	for (slot = first; slot < nr_slots; slot++) {
		if (role == SLUICE_BACKEND) {
			/* of a backend before us: to be given back when it is through */
			if (ivshmem_mapped(iv, slot))
				__set_bit(slot, iv->left);
		} else if (ivshmem_busy(iv, slot)) {
			__set_bit(slot, iv->own);
			__set_bit(slot, iv->left);
		}
	}
	mutex_unlock(&iv->lock);
	ivshmem_inuse_publish(iv);
}

/**
 * ivshmem_inuse_publish() - say this side's map again
 * @iv: the device
 *
 * What the peer, or a stray write, has spoilt would keep slots from being used.
 */
void ivshmem_inuse_publish(struct ivshmem *iv)
{
	unsigned int slot;

	mutex_lock(&iv->lock);
	for (slot = 0; slot < SLUICE_SHM_MAX_SLOTS; slot += IVSHMEM_WORD_BITS)
		ivshmem_own_publish(iv, slot);
	mutex_unlock(&iv->lock);
}

/**
 * ivshmem_mapped() - backend: does the guest use this slot?
 * @iv: the device
 * @slot: of the window
 *
 * A guest whose machine is gone, as the region server sees it, uses nothing.
 */
bool ivshmem_mapped(const struct ivshmem *iv, unsigned int slot)
{
	return ivshmem_bit(ivshmem_page(iv)->mapped, slot) && !ivshmem_host_alone(iv);
}

/**
 * ivshmem_share() - backend: the frontend may begin to use it
 * @iv: the device, lock held
 * @slot: of the window
 */
void ivshmem_share(struct ivshmem *iv, unsigned int slot)
{
	ivshmem_own_set(iv, slot, true);
}

/**
 * ivshmem_unshare() - backend: it may no more
 * @iv: the device, lock held
 * @slot: of the window
 *
 * Return: 0, or -EBUSY while it has it in use.
 */
int ivshmem_unshare(struct ivshmem *iv, unsigned int slot)
{
	ivshmem_own_set(iv, slot, false);
	return ivshmem_mapped(iv, slot) ? -EBUSY : 0;
}

/**
 * ivshmem_use() - frontend: begin to use a slot
 * @iv: the device, lock held
 * @slot: of the window
 *
 * Return: 0, or -ENOENT if the backend has taken it back meanwhile.
 */
int ivshmem_use(struct ivshmem *iv, unsigned int slot)
{
	ivshmem_own_set(iv, slot, true);
	if (ivshmem_bit(ivshmem_page(iv)->shared, slot))
		return 0;
	ivshmem_own_set(iv, slot, false);
	return -ENOENT;
}

/**
 * ivshmem_unuse() - frontend: every page of it is back
 * @iv: the device, lock held
 * @slot: of the window
 */
void ivshmem_unuse(struct ivshmem *iv, unsigned int slot)
{
	ivshmem_own_set(iv, slot, false);
}

/**
 * ivshmem_left_next() - a slot of an earlier life that nobody uses any more
 * @iv: the device
 *
 * Return: its number, each one once, or SLUICE_SHM_MAX_SLOTS. A frontend's is
 * no longer in its map then; a backend gives it back to the host.
 */
unsigned int ivshmem_left_next(struct ivshmem *iv)
{
	unsigned int slot, found = SLUICE_SHM_MAX_SLOTS;

	mutex_lock(&iv->lock);
	for_each_set_bit(slot, iv->left, SLUICE_SHM_MAX_SLOTS) {
		if (iv->role == SLUICE_BACKEND ? ivshmem_mapped(iv, slot) : ivshmem_busy(iv, slot))
			continue;
		__clear_bit(slot, iv->left);
		if (iv->role == SLUICE_FRONTEND)
			ivshmem_own_set(iv, slot, false);
		found = slot;
		break;
	}
	mutex_unlock(&iv->lock);
	return found;
}
