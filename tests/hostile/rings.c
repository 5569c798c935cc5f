// SPDX-License-Identifier: GPL-2.0
/*
 * rings - plays a device that lies, in the virtqueues of a guest, from outside of its VM
 *
 *	rings FILE INDEX MAX NUM loop		every descriptor is followed by itself, but for
 *						the newest, which the device may not have read
 *	rings FILE INDEX MAX NUM used ID LEN NR	finishes NR times: head ID with LEN bytes
 *	rings FILE INDEX MAX NUM jump BY	moves the used index
 *	rings FILE INDEX MAX NUM garbage MS SEED random words all over the ring
 *
 * FILE is /proc/PID/fd/N of the region server, INDEX the virtqueue's number, MAX its
 * largest size, which says where it lies, NUM its size. ID may be "posted": the head that
 * the guest has made available last. The layout is that of frontend/vqs.c.
 */
#include <linux/virtio_ring.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hostile.h"

#define AREA		0x4000
#define ALIGN_USED	64
#define PAGE		4096

static struct vring ring;
static unsigned char *start;
static size_t ring_bytes;

static void attach(const char *path, uint64_t index, uint64_t max, uint64_t num)
{
	uint64_t chunk, off, bytes;
	unsigned char *mem;

	if (index > 15 || !num || num > max || max > 1024)
		errx(2, "no such ring");
	chunk = (vring_size(max, ALIGN_USED) + PAGE - 1) / PAGE * PAGE;
	off = AREA + index * chunk;
	ring_bytes = vring_size(num, ALIGN_USED);
	mem = map_file(path, &bytes);
	if (off + ring_bytes > bytes)
		errx(2, "outside of the memory");
	start = mem + off;
	vring_init(&ring, num, start, ALIGN_USED);
}

static void loop(void)
{
	uint16_t avail = *(volatile uint16_t *)&ring.avail->idx;
	unsigned char spare[1024] = { 0 };
	unsigned int i;

	for (i = 1; i <= ring.num / 4; i++)
		spare[ring.avail->ring[(uint16_t)(avail - i) % ring.num] % ring.num] = 1;
	for (i = 0; i < ring.num; i++) {
		if (spare[i])
			continue;
		*(volatile uint16_t *)&ring.desc[i].next = i;
		*(volatile uint16_t *)&ring.desc[i].flags |= VRING_DESC_F_NEXT;
	}
}

static void use(const char *text, uint32_t len, uint64_t nr)
{
	uint16_t avail = *(volatile uint16_t *)&ring.avail->idx;
	uint16_t used = *(volatile uint16_t *)&ring.used->idx;
	uint32_t id;

	if (!strcmp(text, "posted"))
		id = ring.avail->ring[(uint16_t)(avail - 1) % ring.num];
	else
		id = number(text);
	printf("avail %u, used %u, id %u\n", avail, used, id);
	while (nr--) {
		ring.used->ring[used % ring.num].id = id;
		ring.used->ring[used % ring.num].len = len;
		used++;
	}
	__atomic_store_n(&ring.used->idx, used, __ATOMIC_RELEASE);
}

/* Small numbers get further than noise that fails the first check. */
static void garbage(uint64_t ms, unsigned int seed)
{
	uint64_t end = now_ms() + ms;
	unsigned int i;

	srandom(seed);
	do {
		for (i = 0; i < 20; i++) {
			size_t at = random() % (ring_bytes / 2) * 2;
			uint16_t val = random() % 4 ? random() % (2 * ring.num) : random();

			*(volatile uint16_t *)(start + at) = val;
		}
		usleep(1000);
	} while (now_ms() < end);
}

int main(int argc, char **argv)
{
	if (argc < 6)
		errx(2, "usage: FILE INDEX MAX NUM loop|used|jump|garbage ...");
	attach(argv[1], number(argv[2]), number(argv[3]), number(argv[4]));
	if (!strcmp(argv[5], "loop") && argc == 6) {
		loop();
	} else if (!strcmp(argv[5], "used") && argc == 9) {
		use(argv[6], number(argv[7]), number(argv[8]));
	} else if (!strcmp(argv[5], "jump") && argc == 7) {
		ring.used->idx += number(argv[6]);
	} else if (!strcmp(argv[5], "garbage") && argc == 8) {
		garbage(number(argv[6]), number(argv[7]));
	} else {
		errx(2, "'%s' is not known like this", argv[5]);
	}
	return 0;
}
