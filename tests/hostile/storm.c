// SPDX-License-Identifier: GPL-2.0
/*
 * storm - rings doorbells of an ivshmem device as fast as it can, from inside of a VM
 *
 *	storm RESOURCE0 SECONDS PEER...
 *
 * RESOURCE0 is the device's /sys/bus/pci/devices/.../resource0; the kernel needs
 * iomem=relaxed, because a driver owns it. Every PEER is rung on its first two vectors, in turn.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#define DOORBELL	(12 / 4)	/* register, in words */
#define VECTORS		2

int main(int argc, char **argv)
{
	volatile uint32_t *regs;
	unsigned long rung = 0;
	time_t end;
	int fd, i;

	if (argc < 4) {
		fprintf(stderr, "usage: storm RESOURCE0 SECONDS PEER...\n");
		return 2;
	}
	fd = open(argv[1], O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		perror(argv[1]);
		return 2;
	}
	regs = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (regs == MAP_FAILED) {
		perror("storm: mmap");
		return 2;
	}
	end = time(NULL) + atoi(argv[2]);
	while (time(NULL) < end) {
		for (i = 3; i < argc; i++) {
			uint32_t peer = strtoul(argv[i], NULL, 0);

			regs[DOORBELL] = peer << 16 | rung % VECTORS;
			rung++;
		}
	}
	printf("rung %lu times\n", rung);
	return rung ? 0 : 1;
}
