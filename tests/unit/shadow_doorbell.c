// SPDX-License-Identifier: GPL-2.0
/*
 * When each end of a shadowed ring is told, and that all of it comes through.
 */
#include "shadow_ring.h"

static void doorbell_by_flag(void **unused)
{
	(void)unused;
	driver_add(&d, DATA(0), 64, true);
	driver_publish(&d);
	assert_true(sluice_shadow_submit(s));
	s->shared.used->flags = htole16(VRING_USED_F_NO_NOTIFY);
	driver_add(&d, DATA(0), 64, true);
	driver_publish(&d);
	assert_false(sluice_shadow_submit(s));
	/* the driver must be asked each time, whatever the device says */
	assert_int_equal(d.used->flags, 0);

	assert_int_equal(s->shared.avail->flags, 0);
	sluice_shadow_disarm(s);
	assert_int_equal(le16toh(s->shared.avail->flags), VRING_AVAIL_F_NO_INTERRUPT);
	assert_false(sluice_shadow_arm(s, false));
	assert_int_equal(s->shared.avail->flags, 0);
	use(NUM - 1, 1);
	use_publish();
	assert_true(sluice_shadow_arm(s, true));
	assert_int_equal(sluice_shadow_harvest(s), 1);
	assert_false(sluice_shadow_arm(s, false));
}

static void doorbell_by_event_index(void **unused)
{
	__virtio16 *avail_event = (__virtio16 *)&s->shared.used->ring[NUM];
	__virtio16 *used_event = &s->shared.avail->ring[NUM];
	int i;

	(void)unused;
	/* asks at index 2: the third */
	*avail_event = htole16(2);
	for (i = 0; i < 5; i++) {
		driver_add(&d, DATA(0), 64, true);
		driver_publish(&d);
		assert_int_equal(sluice_shadow_submit(s), i == 2);
	}
	assert_int_equal(*used_event, 0);	/* armed from the start */
	for (i = 0; i < 2; i++)
		use(NUM - 1 - i, 1);
	use_publish();
	assert_true(sluice_shadow_arm(s, false));
	assert_int_equal(sluice_shadow_harvest(s), 2);
	assert_false(sluice_shadow_arm(s, false));
	assert_int_equal(le16toh(*used_event), 2);
	/* three in flight: when two more are done, not at the third */
	assert_false(sluice_shadow_arm(s, true));
	assert_int_equal(le16toh(*used_event), 4);
	for (i = 2; i < 4; i++)
		use(NUM - 1 - i, 1);
	use_publish();
	assert_false(sluice_shadow_arm(s, true));
	use(NUM - 5, 1);
	use_publish();
	assert_true(sluice_shadow_arm(s, true));
	assert_int_equal(sluice_shadow_harvest(s), 3);
	/* nothing in flight: the very next */
	assert_false(sluice_shadow_arm(s, true));
	assert_int_equal(le16toh(*used_event), 5);
	sluice_shadow_disarm(s);
	assert_int_equal(s->shared.avail->flags, 0);
}

static void connect(struct sluice_vq *vq)
{
	assert_int_equal(sluice_vq_init(vq, &d.win, NUM, SHARED_OFF,
					(u8 *)s->shared.avail - d.memory,
					(u8 *)s->shared.used - d.memory, true), 0);
}

/*
 * Chains of all kinds, in and out of order, from one session to the next, until both
 * indices have wrapped. None is lost, and none comes twice.
 */
static void round_trips(void **unused)
{
	static struct sluice_vq_chain chain[NUM];
	static u16 next_of[NUM];
	static u32 want[NUM];
	u32 seed = 3, flying = 0, done = 0, given_up = 0, sessions = 0, id, len, i;
	struct sluice_vq vq;

	(void)unused;
	connect(&vq);
	while (done < 140000) {
		if (!(test_random(&seed) % 64)) {
			if (test_random(&seed) % 2)
				given_up += sluice_shadow_give_up(s);
			start(true);
			connect(&vq);
			flying = 0;
			sessions++;
		}
		while (d.nr_free && test_random(&seed) % 8) {
			u32 nr = 1 + test_random(&seed) % min(d.nr_free, 3);
			u16 head = d.free_head[d.nr_free - 1], at = head;
			u32 writable = 0;

			for (i = 0; i < nr; i++) {
				bool write = i || test_random(&seed) % 2;
				u16 next = i + 1 < nr ? d.free_head[d.nr_free - 2] : 0;
				u32 bytes = 1 + test_random(&seed) % 2048;

				d.nr_free--;
				driver_desc(&d, at, DATA(at), bytes, (write ? WRITE : 0) |
					    (i + 1 < nr ? NEXT : 0), next);
				next_of[at] = i + 1 < nr ? next : NUM;
				if (write)
					writable += bytes;
				at = next;
			}
			want[head] = writable;
			driver_offer(&d, head);
		}
		driver_publish(&d);
		sluice_shadow_submit(s);
		while (sluice_vq_pop(&vq, &chain[flying]) == 1) {
			assert_int_equal(chain[flying].in_bytes, want[chain[flying].head]);
			flying++;
		}
		assert_null(vq.error);
		while (flying && test_random(&seed) % 4) {
			i = test_random(&seed) % flying;
			sluice_vq_push(&vq, chain[i].head, chain[i].in_bytes);
			chain[i] = chain[--flying];
		}
		sluice_vq_publish(&vq);
		assert_true(sluice_shadow_harvest(s) >= 0);
		while (driver_used(&d, &id, &len)) {
			if (len == SLUICE_SHADOW_LOST)
				given_up--;
			else
				assert_int_equal(len, want[id]);
			want[id] = U32_MAX - 1;	/* not twice */
			done++;
			for (i = id; i < NUM; i = next_of[i])
				driver_put(&d, i);
		}
	}
	assert_null(s->error);
	assert_int_equal(given_up, 0);
	assert_true(sessions > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(doorbell_by_flag, setup),
		WITH(doorbell_by_event_index, setup_event),
		WITH(round_trips, setup_event),
	};

	return cmocka_run_group_tests_name("shadow_doorbell", tests, NULL, NULL);
}
