/* SPDX-License-Identifier: GPL-2.0 */
/*
 * frontend/shadow.c between a driver on a private ring (driver.c) and a device on the
 * shared one: the tests' own hand, or hypervisor/core/vq.c.
 */
#ifndef SLUICE_UNIT_SHADOW_RING_H
#define SLUICE_UNIT_SHADOW_RING_H

#include "test.h"
#include "driver.h"
#include "frontend/shadow.h"

#define NUM		8
#define SHARED_OFF	DRIVER_DESC_OFF
#define DATA(n)		(DRIVER_DATA_OFF + (n) * 2048ull)
#define NEXT		VRING_DESC_F_NEXT
#define WRITE		VRING_DESC_F_WRITE

static struct driver d;
static struct sluice_shadow *s;
static u8 private_ring[4096] __aligned(64);
static u16 used_idx;		/* the device's, by hand */

static inline struct vring ring_of(u32 num)
{
	struct vring ring;

	vring_init(&ring, num, private_ring, SLUICE_SHADOW_ALIGN);
	return ring;
}

/* A device, with a new ring. */
static inline void start(bool event_idx)
{
	sluice_shadow_start(s, d.memory + SHARED_OFF, event_idx);
	used_idx = 0;
}

static inline int open_with(u32 num, bool event_idx)
{
	struct vring ring = ring_of(num);

	driver_open(&d, num, false);
	memset(private_ring, 0, sizeof(private_ring));
	d.desc = ring.desc;
	d.avail = ring.avail;
	d.used = ring.used;
	s = malloc(sizeof(*s) + num * sizeof(s->room[0]));
	if (!s)
		return -1;
	memset(s, 0xee, sizeof(*s) + num * sizeof(s->room[0]));
	s->max = num;
	if (sluice_shadow_init(s, &ring))
		return -1;
	start(event_idx);
	return 0;
}

static inline int setup(void **unused)
{
	(void)unused;
	return open_with(NUM, false);
}

static inline int setup_event(void **unused)
{
	(void)unused;
	return open_with(NUM, true);
}

static inline int teardown(void **unused)
{
	(void)unused;
	free(s);
	driver_close(&d);
	return 0;
}

/* One buffer of the driver's, submitted; its head. */
static inline u16 give(u32 len, bool write)
{
	int head = driver_add(&d, DATA(0), len, write);

	assert_true(head >= 0);
	driver_publish(&d);
	sluice_shadow_submit(s);
	return head;
}

/* The device by hand: an entry, visible after use_publish(). */
static inline void use(u32 id, u32 len)
{
	s->shared.used->ring[used_idx % s->shared.num].id = htole32(id);
	s->shared.used->ring[used_idx % s->shared.num].len = htole32(len);
	used_idx++;
}

static inline void use_publish(void)
{
	s->shared.used->idx = htole16(used_idx);
}

#define WITH(name, how)	cmocka_unit_test_setup_teardown(name, how, teardown)

#endif /* SLUICE_UNIT_SHADOW_RING_H */
