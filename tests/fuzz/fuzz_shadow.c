// SPDX-License-Identifier: GPL-2.0
/*
 * A virtqueue whose device is the fuzzer: it writes anything into the shared ring,
 * between our calls and between our reads, while an honest driver, virtio_ring's part, works
 * on the private one. What the driver sees must be what it could have seen of an honest device.
 */
#include "fuzz.h"

/* The table and the available ring are the peer's to spoil and not ours to read. */
static void fuzz_read_allowed(const void *p);
#define shadow_after_read(p) fuzz_read_allowed(p)

#undef READ_ONCE
#define READ_ONCE(x) ({								\
	__typeof__(x) _read = *(const volatile __typeof__(x) *)&(x);		\
	shadow_after_read(&(x));						\
	fuzz_after_read(&(x), sizeof(x));					\
	_read;									\
})
#include "frontend/shadow.c"

#define MAX_NUM		64
#define RING_BYTES	2048
#define POSTED_MAX	4096

static u8 private_ring[RING_BYTES] __aligned(64);
static u8 shared_ring[RING_BYTES] __aligned(64);
static struct sluice_shadow *s;
static struct vring ring;

/* the driver's private state, as virtio_ring keeps it */
static u16 avail_idx, used_seen;
static u16 free_desc[MAX_NUM], nr_free;
static struct {
	bool given;
	u8 nr;
	u16 desc[4];
	u32 writable;
} token[MAX_NUM];
static u32 nr_given;
static u32 nr_lost;			/* given up, and not seen by the driver yet */
static u64 finished;			/* the honest device's, since the last harvest */

enum { SUBMITTED, HARVESTED, BROKEN, RANG, ARMED, REPLAYED, LOST };
static const char * const names[FUZZ_COUNTERS] = {
	"submit", "harvest", "broken", "doorbell", "arm that finds some", "replay", "lost",
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	fuzz_shared = shared_ring;
	fuzz_shared_bytes = sizeof(shared_ring);
	fuzz_names(names);
	return 0;
}

static void fuzz_read_allowed(const void *p)
{
	const u8 *at = p;

	if (at >= shared_ring && at < shared_ring + sizeof(shared_ring))
		claim(at >= (u8 *)s->shared.used);
}

static void add(u8 how)
{
	u32 nr = 1 + how % 4, writable = 0, i;
	u16 head;

	if (nr_free < nr)
		return;
	head = free_desc[nr_free - 1];
	claim(!token[head].given);
	for (i = 0; i < nr; i++) {
		u16 at = free_desc[--nr_free];
		bool write = how & 0x10 || (i && how & 0x20);
		u32 bytes = 1 + fuzz_u16() % POSTED_MAX;

		token[head].desc[i] = at;
		ring.desc[at].addr = fuzz_u8();
		ring.desc[at].len = bytes;
		ring.desc[at].flags = (write ? VRING_DESC_F_WRITE : 0) |
				      (i + 1 < nr ? VRING_DESC_F_NEXT : 0);
		ring.desc[at].next = i + 1 < nr ? free_desc[nr_free - 1] : 0;
		if (write)
			writable += bytes;
	}
	token[head].given = true;
	token[head].nr = nr;
	token[head].writable = writable;
	nr_given++;
	ring.avail->ring[avail_idx++ % ring.num] = head;
	ring.avail->idx = avail_idx;
}

/* virtqueue_get_buf() of a kernel that would stop over each of these */
static void get(void)
{
	struct vring_used_elem *elem;
	u32 i;

	claim((u16)(ring.used->idx - used_seen) <= nr_given);
	while (used_seen != ring.used->idx) {
		elem = &ring.used->ring[used_seen++ % ring.num];
		claim(elem->id < ring.num);
		claim(token[elem->id].given);
		if (elem->len == SLUICE_SHADOW_LOST && nr_lost) {
			nr_lost--;
			REACHED(LOST);
		} else {
			claim(elem->len <= token[elem->id].writable);
		}
		token[elem->id].given = false;
		nr_given--;
		for (i = 0; i < token[elem->id].nr; i++)
			free_desc[nr_free++] = token[elem->id].desc[i];
		claim(nr_free <= ring.num);
		REACHED(HARVESTED);
	}
}

static void harvest(void)
{
	bool broken = s->error;
	u16 before = ring.used->idx;
	int ret = sluice_shadow_harvest(s);

	finished = 0;
	claim(ret == -EPROTO || (ret >= 0 && ret <= (int)nr_given));
	claim((ret == -EPROTO) == !!s->error);
	claim(!broken || ret == -EPROTO);
	if (ret >= 0)
		claim((u16)(ring.used->idx - before) == ret);
	if (ret == -EPROTO && !broken)
		REACHED(BROKEN);
}

/* One buffer finished, as an honest device does. */
static void use(u8 which)
{
	struct vring_used_elem *elem = &s->shared.used->ring[s->shared.used->idx % ring.num];
	u16 i;

	for (i = 0; i < ring.num; i++) {
		u16 id = (i + which) % ring.num;

		if (!s->room[id] || finished & BIT_ULL(id))
			continue;
		finished |= BIT_ULL(id);
		elem->id = id;
		elem->len = which & 1 ? s->room[id] - 1 : 0;
		s->shared.used->idx++;
		return;
	}
}

/* The device is gone, and another comes. */
static void next_session(bool give_up)
{
	u32 unseen = (u16)(ring.used->idx - used_seen);
	bool racy = fuzz_racy;

	fuzz_racy = false;
	fuzz_bytes(shared_ring, 64);
	if (give_up) {
		nr_lost += sluice_shadow_give_up(s);
		/* some is over, and no more than what was given */
		claim((u16)(ring.used->idx - used_seen) == nr_given);
		claim(!sluice_shadow_give_up(s));
	}
	sluice_shadow_start(s, shared_ring, fuzz_u8() & 1);
	finished = 0;
	claim(give_up ? !s->shared.avail->idx : s->shared.avail->idx + unseen <= nr_given);
	if (s->shared.avail->idx)
		REACHED(REPLAYED);
	fuzz_racy = racy;
}

static bool start(void)
{
	static const u32 nums[] = { 2, 4, 8, 16, 64, 3, 0, 128 };
	u8 flags = fuzz_u8();
	u32 i;

	fuzz_racy = false;
	memset(private_ring, 0, sizeof(private_ring));
	fuzz_bytes(shared_ring, 64);	/* of an earlier session */
	vring_init(&ring, MAX_NUM, private_ring, SLUICE_SHADOW_ALIGN);
	ring.num = nums[flags & 7];
	if (ring.num <= MAX_NUM && is_power_of_2(ring.num))
		vring_init(&ring, ring.num, private_ring, SLUICE_SHADOW_ALIGN);
	s = realloc(s, sizeof(*s) + MAX_NUM * sizeof(s->room[0]));
	claim(s);
	s->max = MAX_NUM;
	if (sluice_shadow_init(s, &ring))
		return false;
	sluice_shadow_start(s, shared_ring, flags & 8);
	fuzz_racy = flags & 0x10;
	avail_idx = 0;
	used_seen = 0;
	nr_given = 0;
	nr_lost = 0;
	finished = 0;
	nr_free = 0;
	for (i = 0; i < ring.num; i++) {
		free_desc[nr_free++] = i;
		token[i].given = false;
	}
	return true;
}

int LLVMFuzzerTestOneInput(const u8 *input, size_t bytes)
{
	fuzz_data = input;
	fuzz_left = bytes;
	fuzz_reads = 0;
	memset(shared_ring, 0, sizeof(shared_ring));
	if (!start())
		return 0;

	while (fuzz_left) {
		u8 op = fuzz_u8(), arg = op >> 3;
		u16 at;

		switch (op & 7) {
		case 0:
			at = fuzz_u16() % RING_BYTES;
			fuzz_bytes(shared_ring + at, min_t(u32, 1 + arg, RING_BYTES - at));
			break;
		case 1:
			add(arg);
			break;
		case 2:
			if (sluice_shadow_submit(s))
				REACHED(RANG);
			if (s->avail_idx == avail_idx)
				REACHED(SUBMITTED);
			break;
		case 3:
			use(arg);
			break;
		case 4:
			harvest();
			break;
		case 5:
			get();
			break;
		case 6:
			if (arg & 4)
				sluice_shadow_disarm(s);
			else if (sluice_shadow_arm(s, arg & 1))
				REACHED(ARMED);
			break;
		case 7:
			sluice_shadow_pending(s);
			if (arg == 31 && !start())	/* a new ring */
				return 0;
			if (arg == 30 || arg == 29)
				next_session(arg == 30);
			break;
		}
	}
	return 0;
}
