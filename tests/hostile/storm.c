// SPDX-License-Identifier: GPL-2.0
/*
 * storm - rings doorbells of an ivshmem device as fast as it can, from inside of a VM
 *
 *	storm RESOURCE0 MS PEER...
 *
 * RESOURCE0 is the device's /sys/bus/pci/devices/.../resource0; the kernel needs
 * iomem=relaxed, because a driver owns it. Every PEER is rung on its first two vectors, in turn.
 */
#include <stdio.h>

#include "hostile.h"

#define DOORBELL	(12 / 4)	/* register, in words */
#define VECTORS		2

int main(int argc, char **argv)
{
	volatile uint32_t *regs;
	unsigned long rung = 0;
	uint64_t end, bytes;
	int i;

	if (argc < 4)
		errx(2, "usage: RESOURCE0 MS PEER...");
	regs = (volatile uint32_t *)map_file(argv[1], &bytes);
	end = now_ms() + number(argv[2]);
	while (now_ms() < end) {
		for (i = 3; i < argc; i++) {
			uint32_t peer = number(argv[i]);

			regs[DOORBELL] = peer << 16 | rung % VECTORS;
			rung++;
		}
	}
	printf("rung %lu times\n", rung);
	return rung ? 0 : 1;
}
