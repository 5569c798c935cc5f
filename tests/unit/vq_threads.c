// SPDX-License-Identifier: GPL-2.0
/*
 * A virtqueue with a real driver in one thread, and the device's two halves in two
 * others, under the thread sanitizer: buffers are plain memory, so an index that
 * is published without order is reported as a race on them. Everybody sleeps when
 * there is nothing to do; a lost doorbell is a sleep that does not end.
 *
 * The driver's ring is the device's, or frontend/shadow.c stands between the two, in
 * both ways in which the transport uses it (frontend/vqs.c).
 */
#include "test.h"
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <time.h>
#include "driver.h"
#include "frontend/shadow.h"

#define NR_CHAINS	100000	/* more than 65536: both indices wrap */
#define RING		64
#define SLOT		256
#define WAIT_S		60

enum way {
	DIRECT,
	STOCK,		/* a thread of its own harvests and arms when a doorbell comes */
	OURS,		/* the driver harvests, and arms before it sleeps */
};

static struct driver d;
static struct sluice_vq vq;
static enum way way;
static bool stop;
static sem_t bell_interrupt;
static pthread_mutex_t shadow_lock = PTHREAD_MUTEX_INITIALIZER;
static struct sluice_shadow *shadow;
static void *private_ring;
static sem_t bell_driver, bell_device;
static u32 bells, kicks;

/* Popped chains on their way to the push half, as frames in a NIC are. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t some;
	struct sluice_vq_chain chain[RING];
	u32 first, nr;
	bool end;
} nic = { .lock = PTHREAD_MUTEX_INITIALIZER, .some = PTHREAD_COND_INITIALIZER };

static void wait_for(sem_t *bell, const char *who)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += WAIT_S;
	while (sem_timedwait(bell, &end))
		if (errno == ETIMEDOUT) {
			fprintf(stderr, "%s: lost doorbell\n", who);
			abort();
		}
}

/*
 * Bells that rang while we were awake would hide one that is lost later. Called
 * before the wish is written: what rings from then on counts.
 */
static void forget_bells(sem_t *bell)
{
	while (!sem_trywait(bell))
		;
}

/* Between the last look and the wish, where the other side may do anything. */
static void dawdle(u32 *seed)
{
	u32 turns = test_random(seed) % 16;

	if (!turns)
		sched_yield();
	while (turns-- > 8)
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static void check(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "%s\n", what);
		abort();
	}
}

/* The driver's side of the transport. True if the device wants a doorbell. */
static bool publish(void)
{
	bool ring = driver_publish(&d);

	if (way == DIRECT)
		return ring;
	check(ring, "the private ring must always ask for a notification");
	pthread_mutex_lock(&shadow_lock);
	ring = sluice_shadow_submit(shadow);
	if (way == STOCK)
		check(sluice_shadow_harvest(shadow) >= 0, "harvest failed");
	pthread_mutex_unlock(&shadow_lock);
	return ring;
}

static int used(u32 *id, u32 *len)
{
	int ret = driver_used(&d, id, len);

	if (ret || way != OURS || !sluice_shadow_pending(shadow))
		return ret;
	pthread_mutex_lock(&shadow_lock);
	check(sluice_shadow_harvest(shadow) > 0, "pending, but nothing to harvest");
	pthread_mutex_unlock(&shadow_lock);
	return driver_used(&d, id, len);
}

/* Before sleeping; true if there is something already. */
static bool enable_callback(u32 nr)
{
	bool some;

	if (way == DIRECT)
		return driver_enable_callback(&d);
	if (way == STOCK)	/* virtqueue_poll() */
		return le16toh(smp_load_acquire(&d.used->idx)) != d.used_seen;
	pthread_mutex_lock(&shadow_lock);
	some = sluice_shadow_arm(shadow, nr % 2);
	pthread_mutex_unlock(&shadow_lock);
	return some;
}

/* sluice_vqs_interrupt() for the stock driver. */
static void *interrupt_main(void *arg)
{
	u32 turn = 0;

	for (;; turn++) {
		while (sem_wait(&bell_interrupt))
			;
		if (READ_ONCE(stop))
			break;
		pthread_mutex_lock(&shadow_lock);
		check(sluice_shadow_harvest(shadow) >= 0, "harvest failed");
		while (sluice_shadow_arm(shadow, turn % 2))
			check(sluice_shadow_harvest(shadow) > 0, "armed on nothing");
		pthread_mutex_unlock(&shadow_lock);
		sem_post(&bell_driver);
	}
	return arg;
}

static u32 word_of(u32 nr, u32 i)
{
	return nr * 2654435761u + i;
}

static void *driver_main(void *arg)
{
	u32 sent = 0, done = 0, seed = 5, id, len, i, want;
	u32 number[RING];
	int head;

	while (done < NR_CHAINS) {
		/*
		 * Often one chain at a time: both sides fall asleep around each,
		 * and nothing that follows makes up for a lost doorbell.
		 */
		u32 room = done / 500 % 4 ? RING : 1;
		bool added = false;

		while (sent < NR_CHAINS && sent - done < room) {
			u64 off = DRIVER_DATA_OFF + d.free_head[d.nr_free - 1] * (u64)SLOT;
			u32 *buf = (u32 *)(d.memory + off);

			for (i = 0; i < 8; i++)
				buf[i] = word_of(sent, i);
			head = driver_add(&d, off, SLOT, true);
			number[head] = sent++;
			added = true;
			/* small and large batches */
			if (sent % 7 == 0)
				break;
		}
		if (added && publish()) {
			kicks++;
			sem_post(&bell_device);
		}
		while (used(&id, &len)) {
			check(id < RING, "used id out of range");
			want = number[id];
			check(len == want % SLOT, "wrong used length");
			for (i = 0; i < 8; i++)
				check(((u32 *)(d.memory + DRIVER_DATA_OFF + id * SLOT))[i] ==
				      ~word_of(want, i), "wrong data in used buffer");
			driver_put(&d, id);
			done++;
		}
		/* sleep only if there is nothing to add and nothing came meanwhile */
		if (done == NR_CHAINS || (sent < NR_CHAINS && sent - done < room))
			continue;
		forget_bells(&bell_driver);
		dawdle(&seed);
		if (!enable_callback(done))
			wait_for(&bell_driver, "driver");
	}
	return arg;
}

static void *pop_main(void *arg)
{
	struct sluice_vq_chain chain;
	u32 nr = 0, seed = 7, i;
	int ret;

	while (nr < NR_CHAINS) {
		sluice_vq_disable_notify(&vq);
		while ((ret = sluice_vq_pop(&vq, &chain)) == 1) {
			u32 *buf = chain.iov[0].va;

			check(chain.nr_in == 1 && chain.in_bytes == SLOT, "wrong chain");
			for (i = 0; i < 8; i++)
				check(buf[i] == word_of(nr, i), "wrong data in chain");
			pthread_mutex_lock(&nic.lock);
			nic.chain[(nic.first + nic.nr++) % RING] = chain;
			pthread_cond_signal(&nic.some);
			pthread_mutex_unlock(&nic.lock);
			nr++;
		}
		check(ret == 0, vq.error ?: "pop failed");
		if (nr == NR_CHAINS)
			break;
		forget_bells(&bell_device);
		dawdle(&seed);
		if (!sluice_vq_enable_notify(&vq))
			wait_for(&bell_device, "device");
	}
	pthread_mutex_lock(&nic.lock);
	nic.end = true;
	pthread_cond_signal(&nic.some);
	pthread_mutex_unlock(&nic.lock);
	return arg;
}

static void ring_driver(void)
{
	bells++;
	sem_post(way == STOCK ? &bell_interrupt : &bell_driver);
}

static void *push_main(void *arg)
{
	struct sluice_vq_chain chain;
	u32 nr = 0, i;

	for (;;) {
		pthread_mutex_lock(&nic.lock);
		if (!nic.nr) {
			/* nothing left: now the driver must hear of what was pushed */
			pthread_mutex_unlock(&nic.lock);
			if (sluice_vq_publish(&vq))
				ring_driver();
			pthread_mutex_lock(&nic.lock);
			while (!nic.nr && !nic.end)
				pthread_cond_wait(&nic.some, &nic.lock);
			if (!nic.nr) {
				pthread_mutex_unlock(&nic.lock);
				break;
			}
		}
		chain = nic.chain[nic.first];
		nic.first = (nic.first + 1) % RING;
		nic.nr--;
		pthread_mutex_unlock(&nic.lock);

		for (i = 0; i < 8; i++)
			((u32 *)chain.iov[0].va)[i] = ~word_of(nr, i);
		sluice_vq_push(&vq, chain.head, nr % SLOT);
		nr++;
		if (nr % 16 == 0 && sluice_vq_publish(&vq))
			ring_driver();
	}
	check(nr == NR_CHAINS, "chains lost inside of the device");
	return arg;
}

/* The driver on a ring of its own, the device on that of the shared memory. */
static void connect(bool event_idx)
{
	struct vring ring;

	if (way == DIRECT) {
		assert_int_equal(driver_connect(&d, &vq), 0);
		return;
	}
	private_ring = aligned_alloc(4096, 4096);
	assert_non_null(private_ring);
	memset(private_ring, 0, 4096);
	vring_init(&ring, RING, private_ring, SLUICE_SHADOW_ALIGN);
	d.desc = ring.desc;
	d.avail = ring.avail;
	d.used = ring.used;
	shadow = calloc(1, sizeof(*shadow) + RING * sizeof(shadow->room[0]));
	assert_non_null(shadow);
	shadow->max = RING;
	assert_int_equal(sluice_shadow_init(shadow, &ring), 0);
	sluice_shadow_start(shadow, d.memory + DRIVER_DESC_OFF, event_idx);
	assert_int_equal(sluice_vq_init(&vq, &d.win, RING, DRIVER_DESC_OFF,
					(u8 *)shadow->shared.avail - d.memory,
					(u8 *)shadow->shared.used - d.memory, event_idx), 0);
}

static void run(enum way how, bool event_idx)
{
	pthread_t thread[4];
	int i;

	way = how;
	stop = false;
	driver_open(&d, RING, way == DIRECT && event_idx);
	connect(event_idx);
	sem_init(&bell_driver, 0, 0);
	sem_init(&bell_device, 0, 0);
	sem_init(&bell_interrupt, 0, 0);
	nic.first = 0;
	nic.nr = 0;
	nic.end = false;
	bells = 0;
	kicks = 0;
	assert_int_equal(pthread_create(&thread[0], NULL, driver_main, NULL), 0);
	assert_int_equal(pthread_create(&thread[1], NULL, pop_main, NULL), 0);
	assert_int_equal(pthread_create(&thread[2], NULL, push_main, NULL), 0);
	assert_int_equal(pthread_create(&thread[3], NULL, interrupt_main, NULL), 0);
	for (i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	WRITE_ONCE(stop, true);
	sem_post(&bell_interrupt);
	pthread_join(thread[3], NULL);
	printf("# %u chains, %u kicks, %u bells\n", NR_CHAINS, kicks, bells);
	assert_int_equal(vq.used_idx, (u16)NR_CHAINS);
	assert_int_equal(bitmap_weight(vq.in_flight, RING), 0);
	if (way != DIRECT) {
		assert_int_equal(shadow->used_idx, (u16)NR_CHAINS);
		free(shadow);
		free(private_ring);
	}
	driver_close(&d);
}

#define THREADS(name, how, event_idx)			\
static void name(void **unused)				\
{							\
	(void)unused;					\
	run(how, event_idx);				\
}

THREADS(driver_and_device, DIRECT, false)
THREADS(driver_and_device_with_event_index, DIRECT, true)
THREADS(stock_driver_behind_shadow, STOCK, false)
THREADS(stock_driver_behind_shadow_with_event_index, STOCK, true)
THREADS(our_driver_behind_shadow, OURS, false)
THREADS(our_driver_behind_shadow_with_event_index, OURS, true)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(driver_and_device),
		cmocka_unit_test(driver_and_device_with_event_index),
		cmocka_unit_test(stock_driver_behind_shadow),
		cmocka_unit_test(stock_driver_behind_shadow_with_event_index),
		cmocka_unit_test(our_driver_behind_shadow),
		cmocka_unit_test(our_driver_behind_shadow_with_event_index),
	};

	return cmocka_run_group_tests_name("vq_threads", tests, NULL, NULL);
}
