// SPDX-License-Identifier: GPL-2.0
/*
 * xen_hold DOMAIN FIRST LAST - a guest that does not let go
 *
 * Maps every grant of DOMAIN between two references that it can get, whoever they
 * were meant for in this guest, prints "held N", and keeps them until it is told to end
 * by a line (or the end) of its input. Every page that it holds is touched before
 * "held" and once more before it ends: memory that was taken away under it would end it
 * with a signal.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

/* what the kernel's header leaves to its user */
typedef uint32_t grant_ref_t;
typedef uint16_t domid_t;
#include <xen/gntdev.h>

#define PAGE	4096

static volatile uint8_t sum;

static volatile uint8_t *map_one(int fd, uint32_t domain, uint32_t ref)
{
	struct ioctl_gntdev_map_grant_ref map = {
		.count = 1,
		.refs[0] = { .domid = domain, .ref = ref },
	};
	struct ioctl_gntdev_unmap_grant_ref unmap = { .count = 1 };
	void *va;

	if (ioctl(fd, IOCTL_GNTDEV_MAP_GRANT_REF, &map)) {
		perror("xen_hold: gntdev");
		exit(1);
	}
	va = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, map.index);
	if (va != MAP_FAILED)
		return va;
	/* not granted to us */
	unmap.index = map.index;
	ioctl(fd, IOCTL_GNTDEV_UNMAP_GRANT_REF, &unmap);
	return NULL;
}

int main(int argc, char **argv)
{
	uint32_t domain, first, last, ref, nr = 0, i;
	volatile uint8_t **held;
	int fd;

	if (argc != 4) {
		fprintf(stderr, "Usage: xen_hold DOMAIN FIRST LAST\n");
		return 2;
	}
	domain = strtoul(argv[1], NULL, 0);
	first = strtoul(argv[2], NULL, 0);
	last = strtoul(argv[3], NULL, 0);
	fd = open("/dev/xen/gntdev", O_RDWR);
	if (fd < 0) {
		perror("xen_hold: /dev/xen/gntdev");
		return 1;
	}
	held = calloc(last - first + 1, sizeof(*held));
	if (!held)
		return 1;
	for (ref = first; ref <= last; ref++) {
		held[nr] = map_one(fd, domain, ref);
		if (held[nr])
			sum += *held[nr++];
	}
	printf("held %u\n", nr);
	fflush(stdout);
	getchar();
	for (i = 0; i < nr; i++)
		sum += *held[i];
	printf("still there\n");
	return 0;
}
