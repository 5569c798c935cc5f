// SPDX-License-Identifier: GPL-2.0
/*
 * Requests to the region server, and their answers.
 */
#include "mailbox.h"

#define IVSHMEM_MAILBOX_MAX_ERRNO	4095

/**
 * ivshmem_mailbox_init() - go on from what an earlier driver asked
 * @m: filled in
 * @shared: the host page
 *
 * The server compares for change, so any number will do to start from.
 */
void ivshmem_mailbox_init(struct ivshmem_mailbox *m, const struct sluice_shm_host *shared)
{
	memset(m, 0, sizeof(*m));
	m->seq = le32_to_cpu(READ_ONCE(shared->req_seq));
	m->first = m->seq;
}

static void ivshmem_mailbox_post(struct ivshmem_mailbox *m, struct sluice_shm_host *shared)
{
	m->before = le32_to_cpu(READ_ONCE(shared->done_seq));
	/* an answer that stands there before the question is none */
	if (++m->seq == m->before)
		m->seq++;
	WRITE_ONCE(shared->req_op, cpu_to_le32(SLUICE_SHM_HOST_PUNCH));
	WRITE_ONCE(shared->req_first, cpu_to_le32(m->slot));
	WRITE_ONCE(shared->req_count, cpu_to_le32(1));
	/* pairs with the region server's acquire of req_seq: the request is complete */
	sluice_store_release(&shared->req_seq, cpu_to_le32(m->seq));
}

/**
 * ivshmem_mailbox_ask() - ask for the memory of a slot to be given back
 * @m: whose last request is answered
 * @shared: the host page
 * @slot: window slot that nobody uses
 *
 * The caller rings the server, after this and after ivshmem_mailbox_again().
 */
void ivshmem_mailbox_ask(struct ivshmem_mailbox *m, struct sluice_shm_host *shared, u32 slot)
{
	m->slot = slot;
	ivshmem_mailbox_post(m, shared);
	m->first = m->seq;
}

/**
 * ivshmem_mailbox_again() - ask for the same slot under a new number
 * @m: whose last request is not answered
 * @shared: the host page
 *
 * Only ever the same slot: the server may still come to the earlier request, and
 * must not find another slot in it that is in use by then.
 */
void ivshmem_mailbox_again(struct ivshmem_mailbox *m, struct sluice_shm_host *shared)
{
	ivshmem_mailbox_post(m, shared);
}

/**
 * ivshmem_mailbox_look() - is the last request answered?
 * @m: the mailbox
 * @shared: the host page
 * @status: for DONE 0, an errno of the server or IVSHMEM_MAILBOX_FORGED
 */
enum ivshmem_mailbox_answer ivshmem_mailbox_look(const struct ivshmem_mailbox *m,
						 const struct sluice_shm_host *shared,
						 u32 *status)
{
	u32 done;

	/* pairs with the region server's release of done_seq, after done_status */
	done = le32_to_cpu(sluice_load_acquire(&shared->done_seq));
	if (done == m->seq) {
		*status = le32_to_cpu(READ_ONCE(shared->done_status));
		/* goes to the log as an error number: it must be one */
		if (*status > IVSHMEM_MAILBOX_MAX_ERRNO)
			*status = IVSHMEM_MAILBOX_FORGED;
		return IVSHMEM_MAILBOX_DONE;
	}
	/* the server has just come to an earlier request for this slot, or to none of ours */
	if (done - m->first < m->seq - m->first || done == m->before)
		return IVSHMEM_MAILBOX_NONE;
	return IVSHMEM_MAILBOX_OVERWRITTEN;
}
