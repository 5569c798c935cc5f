// SPDX-License-Identifier: GPL-2.0
/*
 * A virtqueue whose driver is the fuzzer: it writes anything into the rings,
 * between our calls and between our reads, and makes us pop, push and notify.
 */
#include "fuzz.h"
#include "hypervisor/core/window.c"
#include "hypervisor/core/vq.c"

#define CTRL_BYTES	SLUICE_SHM_CTRL_MIN
#define RINGS_OFF	0x4000
#define RINGS_BYTES	0x1000
#define SEG		SLUICE_SHM_SEGMENT_BYTES

/* Each part ends where the sanitizer sees a byte too many. */
static u8 ctrl[CTRL_BYTES] __aligned(4096);
static u8 data[SEG] __aligned(4096);
static struct sluice_window win;
static struct sluice_vq vq;

static u16 out[SLUICE_SHM_MAX_RING];	/* heads popped and not pushed */
static u32 nr_out;

enum { POPPED, PUSHED, WHOLE_CHAINS, BROKEN, BELLS };
static const char * const names[FUZZ_COUNTERS] = {
	"pop", "push", "chain of several", "broken", "bell",
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	fuzz_shared = ctrl;
	fuzz_shared_bytes = sizeof(ctrl);
	fuzz_names(names);
	return 0;
}

static void touch(const struct sluice_vq_iov *iov)
{
	volatile u8 *va = iov->va;

	claim(iov->len_bytes && iov->len_bytes <= SEG);
	if (va >= ctrl && va < ctrl + sizeof(ctrl)) {
		claim(va >= ctrl + SLUICE_SHM_AREA_OFF);
		claim(va + iov->len_bytes <= ctrl + sizeof(ctrl));
		claim(iov->off == (u64)(va - ctrl));
	} else {
		claim(va >= data && va + iov->len_bytes <= data + sizeof(data));
		claim(iov->off == (u64)SEG + (va - data));
		/* what may not be resolved must not come out of it */
		claim(win.slot[1].state == SLUICE_SEGMENT_ACTIVE ||
		      win.slot[1].state == SLUICE_SEGMENT_RETIRING ||
		      win.slot[1].state == SLUICE_SEGMENT_QUARANTINED);
	}
	(void)va[0];
	(void)va[iov->len_bytes - 1];
}

static void pop(void)
{
	struct sluice_vq_chain chain;
	u32 i, out_bytes = 0, in_bytes = 0;
	bool broken = vq.error;
	int ret;

	memset(&chain, 0xee, sizeof(chain));
	ret = sluice_vq_pop(&vq, &chain);
	claim(ret == 1 || ret == 0 || ret == -EPROTO);
	claim((ret == -EPROTO) == !!vq.error);
	claim(!broken || ret == -EPROTO);
	if (ret == -EPROTO && !broken)
		REACHED(BROKEN);
	if (ret != 1)
		return;
	REACHED(POPPED);
	claim(chain.head < vq.num);
	claim(chain.nr_out + chain.nr_in >= 1);
	claim(chain.nr_out + chain.nr_in <= SLUICE_VQ_MAX_IOV);
	if (chain.nr_out + chain.nr_in > 1)
		REACHED(WHOLE_CHAINS);
	for (i = 0; i < (u32)chain.nr_out + chain.nr_in; i++) {
		touch(&chain.iov[i]);
		if (i < chain.nr_out)
			out_bytes += chain.iov[i].len_bytes;
		else
			in_bytes += chain.iov[i].len_bytes;
	}
	claim(out_bytes == chain.out_bytes && in_bytes == chain.in_bytes);
	for (i = 0; i < nr_out; i++)
		claim(out[i] != chain.head);
	claim(nr_out < vq.num);
	out[nr_out++] = chain.head;
}

static void push(void)
{
	u16 used = vq.used_idx;
	u32 i;

	if (!nr_out)
		return;
	i = fuzz_u8() % nr_out;
	sluice_vq_push(&vq, out[i], fuzz_u32());
	claim((u16)(vq.used_idx - used) == 1);
	out[i] = out[--nr_out];
	REACHED(PUSHED);
}

static void publish(void)
{
	if (sluice_vq_publish(&vq))
		REACHED(BELLS);
	/* our index is ours, whatever stands in memory */
	claim(vq.used_published == vq.used_idx);
}

static bool connect(void)
{
	static const u32 nums[] = { 2, 4, 8, 16, 64, 1024, 0, 3 };
	u8 flags = fuzz_u8();
	u32 num = nums[flags & 7];
	u64 desc = RINGS_OFF, avail = RINGS_OFF + 0x400, used = RINGS_OFF + 0x800;

	if (flags & 0x10) {
		/* places of the fuzzer's choice: misaligned, overlapping, outside */
		desc = (u64)fuzz_u16() << (fuzz_u8() & 31);
		avail = fuzz_u32();
		used = fuzz_u32();
	}
	nr_out = 0;
	fuzz_racy = flags & 0x40;
	return !sluice_vq_init(&vq, &win, num, desc, avail, used, flags & 0x20);
}

int LLVMFuzzerTestOneInput(const u8 *input, size_t bytes)
{
	fuzz_data = input;
	fuzz_left = bytes;
	fuzz_racy = false;
	fuzz_reads = 0;
	memset(ctrl + RINGS_OFF, 0, RINGS_BYTES);
	claim(!sluice_window_init(&win, 3, CTRL_BYTES, ctrl));
	win.slot[1].va = data;
	claim(!sluice_window_set_state(&win, 1, SLUICE_SEGMENT_SHARED));
	claim(!sluice_window_set_state(&win, 1, SLUICE_SEGMENT_ACTIVE));
	if (!connect())
		return 0;

	while (fuzz_left) {
		u8 op = fuzz_u8();
		u16 at;

		switch (op & 7) {
		case 0:
			at = fuzz_u16() % RINGS_BYTES;
			fuzz_bytes(ctrl + RINGS_OFF + at, min_t(u32, 1 + (op >> 3),
								RINGS_BYTES - at));
			break;
		case 1:
			/* one more in the ring, as an honest driver does */
			*(u16 *)(ctrl + RINGS_OFF + 0x402) += op >> 3;
			break;
		case 2:
			pop();
			break;
		case 3:
			push();
			break;
		case 4:
			publish();
			break;
		case 5:
			sluice_vq_enable_notify(&vq);
			break;
		case 6:
			if (op >> 3)
				sluice_vq_avail(&vq);
			else
				sluice_vq_disable_notify(&vq);
			break;
		case 7:
			sluice_window_set_state(&win, 1, op >> 3);
			break;
		}
	}
	return 0;
}
