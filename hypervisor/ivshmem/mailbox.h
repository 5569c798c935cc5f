/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The mailbox of the host page: one request at a time to the region server. Pure code.
 *
 * The guest can write all of it at any time. A false answer can only cost that
 * guest: the memory is its own. What must not happen is that it leaves us waiting for
 * an answer that was overwritten, so a request can be made again, under a new number,
 * as often as it takes. The server serves one at a time: the answer to the last of
 * them says that no earlier one is still being worked on.
 */
#ifndef SLUICE_IVSHMEM_MAILBOX_H
#define SLUICE_IVSHMEM_MAILBOX_H

#include <sluice/os.h>
#include <uapi/linux/sluice_shm.h>

#define IVSHMEM_MAILBOX_FORGED	U32_MAX	/* status that is no error number */

enum ivshmem_mailbox_answer {
	IVSHMEM_MAILBOX_NONE,		/* not yet */
	IVSHMEM_MAILBOX_DONE,
	IVSHMEM_MAILBOX_OVERWRITTEN,	/* there stands what the server never wrote */
};

/**
 * struct ivshmem_mailbox - our side of it, private
 * @seq: number of the last request
 * @first: number of the first one of those made for @slot since it was asked
 * @before: what stood in done_seq when @seq was made
 * @slot: window slot that they ask to punch
 */
struct ivshmem_mailbox {
	u32 seq;
	u32 first;
	u32 before;
	u32 slot;
};

void ivshmem_mailbox_init(struct ivshmem_mailbox *m, const struct sluice_shm_host *shared);
void ivshmem_mailbox_ask(struct ivshmem_mailbox *m, struct sluice_shm_host *shared, u32 slot);
void ivshmem_mailbox_again(struct ivshmem_mailbox *m, struct sluice_shm_host *shared);
enum ivshmem_mailbox_answer ivshmem_mailbox_look(const struct ivshmem_mailbox *m,
						 const struct sluice_shm_host *shared,
						 u32 *status);

#endif /* SLUICE_IVSHMEM_MAILBOX_H */
