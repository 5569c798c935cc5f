// SPDX-License-Identifier: GPL-2.0
/*
 * The host page, through which the region server speaks to us.
 *
 * On ivshmem the other machine can write this page too. What it could gain is
 * bounded: the name and limits are of its own destination, and the mailbox only
 * gives memory of that same destination back to the host.
 */
#include <linux/ctype.h>
#include <linux/delay.h>
#include <linux/etherdevice.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include "ivshmem.h"

#define IVSHMEM_HOST_WAIT_MS	1000

static struct sluice_shm_host *ivshmem_host_page(const struct ivshmem *iv)
{
	return iv->map->va + SLUICE_SHM_HOST_OFF;
}

/**
 * ivshmem_host_present() - is there a region server that knows sluice?
 * @va: BAR 2
 *
 * It writes the page before it lets anybody connect.
 */
bool ivshmem_host_present(const void *va)
{
	const struct sluice_shm_host *shared = va + SLUICE_SHM_HOST_OFF;

	/* pairs with the region server's release of the magic */
	return le32_to_cpu(sluice_load_acquire(&shared->magic)) == SLUICE_SHM_HOST_MAGIC &&
	       le16_to_cpu(READ_ONCE(shared->version)) == SLUICE_SHM_HOST_VERSION;
}

/* The name ends in logs, netlink answers and interface names: printable, no '/'. */
static bool ivshmem_name_copy(char *snap, const u8 *shared)
{
	unsigned int i;
	u8 c;

	for (i = 0; i < SLUICE_NAME_BYTES; i++) {
		c = READ_ONCE(shared[i]);
		snap[i] = c;
		if (!c)
			return i > 0;
		if (!isalnum(c) && c != '-' && c != '_' && c != '.')
			return false;
	}
	return false;		/* no NUL */
}

/**
 * ivshmem_host_init() - read the host page once
 * @iv: device with @iv->map set
 * @ch: gets name, mac and limits
 */
void ivshmem_host_init(struct ivshmem *iv, struct sluice_channel *ch)
{
	struct sluice_shm_host *shared = ivshmem_host_page(iv);
	char name[SLUICE_NAME_BYTES];
	u8 mac[ETH_ALEN];
	unsigned int i;

	BUILD_BUG_ON(sizeof(shared->name) != SLUICE_NAME_BYTES);

	mutex_init(&iv->host.lock);
	strscpy(ch->name, pci_name(iv->pdev), sizeof(ch->name));
	iv->host.present = ivshmem_host_present(iv->map->va);
	if (!iv->host.present)
		return;

	if (ivshmem_name_copy(name, shared->name))
		strscpy(ch->name, name, sizeof(ch->name));
	else
		dev_warn(&iv->pdev->dev, "the host page has no valid name: called %s\n", ch->name);
	for (i = 0; i < ETH_ALEN; i++)
		mac[i] = READ_ONCE(shared->mac[i]);
	if (is_valid_ether_addr(mac))
		ether_addr_copy(ch->mac, mac);
	iv->host.max_pairs = le16_to_cpu(READ_ONCE(shared->max_pairs));
	/* go on from what an earlier driver asked: the server compares for change */
	iv->host.seq = le32_to_cpu(READ_ONCE(shared->req_seq));
}

/**
 * ivshmem_host_quota() - bytes of data segments that the operator allows now
 * @iv: the device
 */
u64 ivshmem_host_quota(const struct ivshmem *iv)
{
	if (!iv->host.present)
		return U64_MAX;
	return le64_to_cpu(READ_ONCE(ivshmem_host_page(iv)->quota_bytes));
}

/**
 * ivshmem_host_alone() - has the other machine gone?
 * @iv: the device
 *
 * Return: true if the region server sees nobody but us. A guest that writes
 * there fools the owner of its own memory, which is itself.
 */
bool ivshmem_host_alone(const struct ivshmem *iv)
{
	return iv->host.present && le32_to_cpu(READ_ONCE(ivshmem_host_page(iv)->peers)) == 1;
}

static bool ivshmem_host_answered(const struct ivshmem *iv)
{
	/* pairs with the region server's release of done_seq, after done_status */
	return le32_to_cpu(sluice_load_acquire(&ivshmem_host_page(iv)->done_seq)) == iv->host.seq;
}

/**
 * ivshmem_host_punch() - give the memory of a slot back to the host
 * @iv: the device
 * @slot: window slot that nobody uses
 *
 * Waits at most a second. A host that does not answer costs that once: until it
 * has caught up it is not asked again, and the memory simply stays allocated
 * there until the slot is used or freed another time.
 *
 * Context: process.
 */
void ivshmem_host_punch(struct ivshmem *iv, unsigned int slot)
{
	struct sluice_shm_host *shared = ivshmem_host_page(iv);
	unsigned long give_up;
	u32 peer;

	if (!iv->host.present)
		return;

	mutex_lock(&iv->host.lock);
	/* the mailbox has room for one: never overwrite a request under way */
	if (iv->host.stuck && !ivshmem_host_answered(iv))
		goto out;
	iv->host.stuck = false;

	WRITE_ONCE(shared->req_op, cpu_to_le32(SLUICE_SHM_HOST_PUNCH));
	WRITE_ONCE(shared->req_first, cpu_to_le32(slot));
	WRITE_ONCE(shared->req_count, cpu_to_le32(1));
	/* pairs with the region server's acquire of req_seq: the request is complete */
	sluice_store_release(&shared->req_seq, cpu_to_le32(++iv->host.seq));
	peer = le32_to_cpu(READ_ONCE(shared->doorbell));
	ivshmem_ring(iv, peer, 0);

	give_up = jiffies + msecs_to_jiffies(IVSHMEM_HOST_WAIT_MS);
	while (!ivshmem_host_answered(iv)) {
		if (time_after(jiffies, give_up)) {
			iv->host.stuck = true;
			dev_warn_ratelimited(&iv->pdev->dev, "the region server does not answer: memory of retired segments stays allocated on the host\n");
			goto out;
		}
		usleep_range(200, 1000);
	}
	if (READ_ONCE(shared->done_status))
		dev_warn_ratelimited(&iv->pdev->dev, "the region server could not free slot %u (error %u)\n",
				     slot, le32_to_cpu(READ_ONCE(shared->done_status)));
out:
	mutex_unlock(&iv->host.lock);
}
