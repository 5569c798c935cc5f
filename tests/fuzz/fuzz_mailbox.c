// SPDX-License-Identifier: GPL-2.0
/*
 * The mailbox in the host page, whose every word the guest writes, between two reads
 * of ours too. A server that the guest cannot stop answers what it is asked.
 */
#include "fuzz.h"
#include "hypervisor/ivshmem/mailbox.c"

#define MAX_AGAIN	3

static struct sluice_shm_host page;
static struct ivshmem_mailbox m;

enum { ASKED, DONE, REFUSED, FORGED, OVERWRITTEN, RECOVERED };
static const char * const names[FUZZ_COUNTERS] = {
	"ask", "done", "refused", "forged status", "overwritten", "recovered",
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	fuzz_shared = (u8 *)&page;
	fuzz_shared_bytes = sizeof(page);
	fuzz_names(names);
	return 0;
}

static enum ivshmem_mailbox_answer look(void)
{
	u32 status = 0;
	enum ivshmem_mailbox_answer answer = ivshmem_mailbox_look(&m, &page, &status);

	if (answer == IVSHMEM_MAILBOX_OVERWRITTEN)
		REACHED(OVERWRITTEN);
	if (answer != IVSHMEM_MAILBOX_DONE)
		return answer;
	/* it goes to a log as an error number */
	claim(status < 4096 || status == IVSHMEM_MAILBOX_FORGED);
	REACHED(DONE);
	if (status == IVSHMEM_MAILBOX_FORGED)
		REACHED(FORGED);
	else if (status)
		REACHED(REFUSED);
	return answer;
}

static void serve(u32 status)
{
	page.done_status = cpu_to_le32(status);
	page.done_seq = page.req_seq;
}

/* The guest stops: a few new requests are enough, whatever it has left behind. */
static void recovers(void)
{
	unsigned int tries;

	fuzz_racy = false;
	for (tries = 0; look() != IVSHMEM_MAILBOX_DONE; tries++) {
		claim(tries < MAX_AGAIN);
		ivshmem_mailbox_again(&m, &page);
		claim(le32_to_cpu(page.req_first) == m.slot);
		claim(le32_to_cpu(page.req_count) == 1);
		serve(0);
	}
	REACHED(RECOVERED);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t bytes)
{
	fuzz_data = data;
	fuzz_left = bytes;
	memset(&page, 0, sizeof(page));
	fuzz_racy = fuzz_u8() & 1;
	page.req_seq = cpu_to_le32(fuzz_u32());
	ivshmem_mailbox_init(&m, &page);

	while (fuzz_left) {
		ivshmem_mailbox_ask(&m, &page, fuzz_u8());
		REACHED(ASKED);
		while (fuzz_left && look() != IVSHMEM_MAILBOX_DONE) {
			switch (fuzz_u8() % 6) {
			case 0:
				page.done_seq = cpu_to_le32(fuzz_u32());
				break;
			case 1:
				page.req_seq = cpu_to_le32(m.seq + fuzz_u8());
				break;
			case 2:
				page.done_seq = cpu_to_le32(m.seq - fuzz_u8());
				break;
			case 3:
				ivshmem_mailbox_again(&m, &page);
				break;
			case 4:
				serve(fuzz_u32());
				break;
			default:
				serve(fuzz_u8());
			}
		}
		if (!fuzz_left)
			break;
	}
	recovers();
	return 0;
}
