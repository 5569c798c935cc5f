// SPDX-License-Identifier: GPL-2.0
/*
 * xen_hold DOMAIN FIRST LAST - a guest that does not let go
 *
 * Maps every grant of DOMAIN between two references that it can get, whoever they
 * were meant for in this guest, prints "held N", and keeps them until it is told to end
 * by a line (or the end) of its input. Every page that it holds is touched before
 * "held" and once more before it ends: memory that was taken away under it would end it
 * with a signal.
 *
 * Which references are ours is found out by copying a few bytes from each, hundreds in
 * one call. To try to map one that is not ours costs a mapping and its undoing each, under
 * emulation minutes for all of a table.
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

#define PAGE		4096
#define BATCH		256U
/* <xen/grant_table.h>, which only libxen-dev has */
#define COPY_SOURCE_GREF	1

static volatile uint8_t sum;

/* How many of the references from FIRST on are ours; they go to OURS. */
static uint32_t find_ours(int fd, uint32_t domain, uint32_t first, uint32_t count, uint32_t *ours)
{
	struct gntdev_grant_copy_segment segments[BATCH] = {};
	struct ioctl_gntdev_grant_copy copy = { .count = count, .segments = segments };
	static uint64_t bytes[BATCH];
	uint32_t i, nr = 0;

	for (i = 0; i < count; i++) {
		segments[i].source.foreign.ref = first + i;
		segments[i].source.foreign.domid = domain;
		segments[i].dest.virt = &bytes[i];
		segments[i].len = sizeof(bytes[i]);
		segments[i].flags = COPY_SOURCE_GREF;
	}
	if (ioctl(fd, IOCTL_GNTDEV_GRANT_COPY, &copy)) {
		perror("xen_hold: copy from grants");
		exit(1);
	}
	for (i = 0; i < count; i++)
		if (!segments[i].status)
			ours[nr++] = first + i;
	return nr;
}

/* All or none of them. */
static volatile uint8_t *map_all(int fd, uint32_t domain, const uint32_t *refs, uint32_t count)
{
	struct ioctl_gntdev_unmap_grant_ref unmap = { .count = count };
	struct ioctl_gntdev_map_grant_ref *map;
	uint32_t i;
	void *va;

	map = calloc(1, sizeof(*map) + count * sizeof(map->refs[0]));
	if (!map)
		exit(1);
	map->count = count;
	for (i = 0; i < count; i++) {
		map->refs[i].domid = domain;
		map->refs[i].ref = refs[i];
	}
	if (ioctl(fd, IOCTL_GNTDEV_MAP_GRANT_REF, map)) {
		perror("xen_hold: gntdev");
		exit(1);
	}
	va = mmap(NULL, (size_t)count * PAGE, PROT_READ, MAP_SHARED, fd, map->index);
	unmap.index = map->index;
	free(map);
	if (va != MAP_FAILED)
		return va;
	/* one of them has gone meanwhile, or is not for mapping */
	ioctl(fd, IOCTL_GNTDEV_UNMAP_GRANT_REF, &unmap);
	return NULL;
}

int main(int argc, char **argv)
{
	uint32_t domain, first, last, ref, count, found, i, nr = 0;
	volatile uint8_t **held, *va;
	uint32_t ours[BATCH];
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
	for (ref = first; ref <= last; ref += count) {
		count = last - ref + 1 < BATCH ? last - ref + 1 : BATCH;
		found = find_ours(fd, domain, ref, count, ours);
		va = found ? map_all(fd, domain, ours, found) : NULL;
		for (i = 0; i < found; i++) {
			held[nr] = va ? va + (size_t)i * PAGE : map_all(fd, domain, &ours[i], 1);
			if (held[nr])
				sum += *held[nr++];
		}
	}
	printf("held %u\n", nr);
	fflush(stdout);
	getchar();
	for (i = 0; i < nr; i++)
		sum += *held[i];
	printf("still there\n");
	return 0;
}
