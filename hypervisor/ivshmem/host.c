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

#define IVSHMEM_HOST_WAIT_MS		1000	/* for an answer */
#define IVSHMEM_HOST_TRIES		4	/* new requests in that time */
#define IVSHMEM_HOST_RETRY_MIN_MS	1000u
#define IVSHMEM_HOST_RETRY_MAX_MS	64000u

static void ivshmem_host_retry(struct work_struct *work);

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
	INIT_DELAYED_WORK(&iv->host.retry, ivshmem_host_retry);
	iv->host.retry_ms = IVSHMEM_HOST_RETRY_MIN_MS;
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
	iv->host.doorbell = le32_to_cpu(READ_ONCE(shared->doorbell));
	ivshmem_mailbox_init(&iv->host.mailbox, shared);
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

static void ivshmem_host_ring(struct ivshmem *iv)
{
	u32 now = le32_to_cpu(READ_ONCE(ivshmem_host_page(iv)->doorbell));

	ivshmem_ring(iv, iv->host.doorbell, 0);
	/* it changes only by the hand of the guest, unless it was false when we read it */
	if (now != iv->host.doorbell)
		ivshmem_ring(iv, now, 0);
}

static void ivshmem_host_again(struct ivshmem *iv)
{
	ivshmem_mailbox_again(&iv->host.mailbox, ivshmem_host_page(iv));
	ivshmem_host_ring(iv);
}

static enum ivshmem_mailbox_answer ivshmem_host_look(struct ivshmem *iv)
{
	const struct ivshmem_mailbox *m = &iv->host.mailbox;
	struct device *dev = &iv->pdev->dev;
	enum ivshmem_mailbox_answer answer;
	u32 status = 0;

	answer = ivshmem_mailbox_look(m, ivshmem_host_page(iv), &status);
	if (status == IVSHMEM_MAILBOX_FORGED)
		dev_warn_ratelimited(dev, "what the region server said of slot %u was overwritten, by the guest\n",
				     m->slot);
	else if (status)
		dev_warn_ratelimited(dev, "the region server could not free slot %u (error %u)\n",
				     m->slot, status);
	return answer;
}

/* True: answered, the mailbox is free. */
static bool ivshmem_host_wait(struct ivshmem *iv)
{
	unsigned long give_up = jiffies + msecs_to_jiffies(IVSHMEM_HOST_WAIT_MS);
	enum ivshmem_mailbox_answer answer;
	unsigned int tries = 0;

	while ((answer = ivshmem_host_look(iv)) != IVSHMEM_MAILBOX_DONE) {
		/* not as often as the guest likes to overwrite it */
		if (answer == IVSHMEM_MAILBOX_OVERWRITTEN && tries++ < IVSHMEM_HOST_TRIES) {
			dev_warn_ratelimited(&iv->pdev->dev, "the answer of the region server was overwritten, by the guest: asking again\n");
			ivshmem_host_again(iv);
		}
		if (time_after(jiffies, give_up))
			return false;
		usleep_range(200, 1000);
	}
	return true;
}

/* Everything that is owed, or as far as the server answers. */
static void ivshmem_host_serve(struct ivshmem *iv)
{
	struct ivshmem_host *host = &iv->host;
	unsigned int slot;

	lockdep_assert_held(&host->lock);
	if (host->late) {
		/* a slow one may have answered meanwhile */
		if (ivshmem_host_look(iv) != IVSHMEM_MAILBOX_DONE) {
			ivshmem_host_again(iv);
			if (!ivshmem_host_wait(iv))
				goto late;
		}
		host->late = false;
		dev_info(&iv->pdev->dev, "the region server answers again\n");
	}
	for_each_set_bit(slot, host->owed, SLUICE_SHM_MAX_SLOTS) {
		__clear_bit(slot, host->owed);
		ivshmem_mailbox_ask(&host->mailbox, ivshmem_host_page(iv), slot);
		ivshmem_host_ring(iv);
		if (!ivshmem_host_wait(iv))
			goto late;
	}
	host->retry_ms = IVSHMEM_HOST_RETRY_MIN_MS;
	return;

late:
	if (!host->late)
		dev_warn_ratelimited(&iv->pdev->dev, "the region server does not answer: memory of retired segments stays allocated on the host until it does; is sluice-regiond alive?\n");
	host->late = true;
	schedule_delayed_work(&host->retry, msecs_to_jiffies(host->retry_ms));
	host->retry_ms = min(2 * host->retry_ms, IVSHMEM_HOST_RETRY_MAX_MS);
}

static void ivshmem_host_retry(struct work_struct *work)
{
	struct ivshmem *iv = container_of(to_delayed_work(work), struct ivshmem, host.retry);

	mutex_lock(&iv->host.lock);
	ivshmem_host_serve(iv);
	mutex_unlock(&iv->host.lock);
}

/**
 * ivshmem_host_punch() - give the memory of a slot back to the host
 * @iv: the device
 * @slot: window slot that nobody uses
 *
 * Waits at most a second. A host that does not answer costs that once: from then on
 * it is asked in the background, again and again, and the memory stays allocated
 * there until it answers or the slot is used another time.
 *
 * Context: process.
 */
void ivshmem_host_punch(struct ivshmem *iv, unsigned int slot)
{
	struct ivshmem_host *host = &iv->host;

	if (!host->present)
		return;

	mutex_lock(&host->lock);
	__set_bit(slot, host->owed);
	if (!host->late)
		ivshmem_host_serve(iv);
	else	/* nothing if it waits already */
		schedule_delayed_work(&host->retry, msecs_to_jiffies(host->retry_ms));
	mutex_unlock(&host->lock);
}

/**
 * ivshmem_host_take() - a slot shall be used again
 * @iv: the device
 * @slot: window slot
 *
 * Return: 0, or -EBUSY if the region server was asked to punch just that one and
 * may still do it, under the frames that would be in it by then.
 */
int ivshmem_host_take(struct ivshmem *iv, unsigned int slot)
{
	struct ivshmem_host *host = &iv->host;
	int err = 0;

	mutex_lock(&host->lock);
	if (host->late && host->mailbox.slot == slot)
		err = -EBUSY;
	else
		__clear_bit(slot, host->owed);
	mutex_unlock(&host->lock);
	return err;
}

/**
 * ivshmem_host_stop() - ask no more; what is owed stays so
 * @iv: the device, of which no segment is in use
 */
void ivshmem_host_stop(struct ivshmem *iv)
{
	cancel_delayed_work_sync(&iv->host.retry);
}
