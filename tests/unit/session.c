// SPDX-License-Identifier: GPL-2.0
#include "session_pair.h"

static void init_publishes_nothing(void **unused)
{
	static const u8 zero[sizeof(shm)];

	(void)unused;
	assert_memory_equal(&shm, zero, sizeof(shm));
	assert_false(sluice_session_is_up(&a));
	assert_int_equal(poll(&a), SLUICE_SESSION_NOTHING);
	assert_int_equal(send(&a, 1), -ENOLINK);
	sluice_session_beat(&a);
	assert_memory_equal(&shm, zero, sizeof(shm));
}

static void either_side_first(void **unused)
{
	int first, idle;

	for (first = 0; first < 2; first++) {
		struct sluice_session *one = first ? &b : &a, *two = first ? &a : &b;

		setup(unused);
		start(one);
		for (idle = 0; idle < 5; idle++) {
			now += 10 * TIMEOUT;
			assert_int_equal(poll(one), SLUICE_SESSION_NOTHING);
		}
		start(two);
		assert_int_equal(poll(two), SLUICE_SESSION_NOTHING);
		assert_int_equal(poll(one), SLUICE_SESSION_UP);
		assert_int_equal(poll(two), SLUICE_SESSION_UP);
		settle();
	}
}

static void up_is_told_once(void **unused)
{
	int i;

	(void)unused;
	meet();
	for (i = 0; i < 10; i++)
		assert_int_equal(poll(&a), SLUICE_SESSION_NOTHING);
}

static void leftovers_of_an_earlier_life(void **unused)
{
	(void)unused;
	/* both crashed in the middle of a session, rings half full */
	memset(&shm, 0x5a, sizeof(shm));
	start(&a);
	assert_int_equal(poll(&a), SLUICE_SESSION_NOTHING);
	assert_int_equal(poll(&a), SLUICE_SESSION_NOTHING);
	assert_false(sluice_session_is_up(&a));
	start(&b);
	settle();
	assert_receives_nothing(&a);
	assert_receives_nothing(&b);
	assert_int_equal(send(&a, 1), 0);
	assert_receives(&b, 1);
}

static void detach_is_seen(void **unused)
{
	(void)unused;
	meet();
	sluice_session_detach(&a);
	sluice_session_detach(&a);
	assert_int_equal(shm.side[0].generation, 0);
	assert_int_equal(poll(&b), SLUICE_SESSION_DOWN);
	assert_text(b.error, "the peer detached");
	assert_int_equal(send(&b, 1), -ENOLINK);
	/* down is told once; the session waits for a restart */
	assert_int_equal(poll(&b), SLUICE_SESSION_NOTHING);
	start(&b);
	assert_int_equal(poll(&b), SLUICE_SESSION_NOTHING);
	start(&a);
	settle();
}

static void down_forgets_the_generation(void **unused)
{
	(void)unused;
	meet();
	start(&b);
	assert_int_equal(poll(&a), SLUICE_SESSION_DOWN);
	/* b polls and sees nobody; a must not come up again as it was */
	assert_int_equal(poll(&b), SLUICE_SESSION_NOTHING);
	assert_int_equal(poll(&a), SLUICE_SESSION_NOTHING);
	assert_int_equal(poll(&b), SLUICE_SESSION_NOTHING);
	assert_false(sluice_session_is_up(&a));
	assert_false(sluice_session_is_up(&b));
	start(&a);
	settle();
}

static void stale_generation_in_echo(void **unused)
{
	(void)unused;
	meet();
	/* b dies without a word and a starts twice: b's echo is of an old life */
	start(&a);
	assert_int_equal(poll(&a), SLUICE_SESSION_NOTHING);
	start(&a);
	assert_int_equal(poll(&a), SLUICE_SESSION_NOTHING);
	assert_int_equal(poll(&a), SLUICE_SESSION_NOTHING);
	assert_false(sluice_session_is_up(&a));
}

static void echo_changes(void **unused)
{
	(void)unused;
	meet();
	shm.side[1].echo = cpu_to_le32(12345);
	assert_int_equal(poll(&a), SLUICE_SESSION_DOWN);
	assert_text(a.error, "the peer left the session");
	assert_false(a.broken);
}

/* Its peer shows nothing for longer than the timeout. */
static void fall_silent(struct sluice_session *s)
{
	int i;

	for (i = 0; i < 4; i++) {
		now += TIMEOUT / 4;
		assert_int_equal(poll(s), SLUICE_SESSION_NOTHING);
	}
	now += 1;
	assert_int_equal(poll(s), SLUICE_SESSION_DOWN);
	assert_text(s->error, "the peer is silent");
	assert_false(s->broken);
}

static void silence(void **unused)
{
	int i;

	(void)unused;
	meet();
	for (i = 0; i < 20; i++) {
		now += TIMEOUT / 2;
		sluice_session_beat(&b);
		assert_int_equal(poll(&a), SLUICE_SESSION_NOTHING);
	}
	fall_silent(&a);
}

/* A host that was suspended: who looks first must not take the other for dead. */
static void both_stood_still(void **unused)
{
	int i;

	(void)unused;
	meet();
	for (i = 0; i < 5; i++) {
		now += 100 * TIMEOUT;
		assert_int_equal(poll(&a), SLUICE_SESSION_NOTHING);
		assert_int_equal(poll(&b), SLUICE_SESSION_NOTHING);
		sluice_session_beat(&a);
		sluice_session_beat(&b);
	}
	/* but who never comes back is found out, in as many looks as ever */
	assert_int_equal(poll(&a), SLUICE_SESSION_NOTHING);
	for (i = 0; i < 4; i++) {
		now += TIMEOUT;
		assert_int_equal(poll(&a), SLUICE_SESSION_NOTHING);
	}
	now += TIMEOUT;
	assert_int_equal(poll(&a), SLUICE_SESSION_DOWN);
	assert_text(a.error, "the peer is silent");
}

static void paused_peer_comes_back(void **unused)
{
	struct sluice_msg msg;

	(void)unused;
	meet();
	assert_int_equal(send(&b, 77), 0);
	/* b sleeps; a gives up and starts again, several times */
	fall_silent(&a);
	start(&a);
	assert_int_equal(poll(&a), SLUICE_SESSION_NOTHING);
	start(&a);
	assert_int_equal(poll(&a), SLUICE_SESSION_NOTHING);
	/* b wakes up in the middle of what it did */
	assert_int_equal(send(&b, 78), 0);
	assert_int_equal(sluice_session_receive(&b, &msg), 0);
	assert_int_equal(sluice_session_receive(&a, &msg), -ENOLINK);
	assert_int_equal(poll(&a), SLUICE_SESSION_NOTHING);
	assert_false(sluice_session_is_up(&a));
	assert_int_equal(poll(&b), SLUICE_SESSION_DOWN);
	start(&b);
	settle();
	assert_receives_nothing(&a);
}

/* On ivshmem the peer can write our record, too: we never believe what stands there. */
static void own_record_overwritten(void **unused)
{
	u32 i;

	(void)unused;
	meet();
	for (i = 0; i < 100; i++) {
		shm.side[0].msg_prod = cpu_to_le32(i * 77);
		shm.side[0].msg_cons = cpu_to_le32(i * 99);
		shm.side[0].echo = 0;
		shm.side[0].heartbeat = 0;
		assert_int_equal(poll(&a), SLUICE_SESSION_NOTHING);
		assert_receives_nothing(&a);
		if (i < RING)
			assert_int_equal(send(&a, i), 0);
	}
	assert_int_equal(send(&a, i), -EAGAIN);
	assert_int_equal(le32_to_cpu(shm.side[0].msg_prod), 99 * 77);
}

/* A peer writes into our record while we wait for it: the next beat says it again. */
static void beat_says_all_again(void **unused)
{
	__le32 *word = (__le32 *)&shm.side[0];
	unsigned int i;

	(void)unused;
	for (i = 0; i < offsetof(struct sluice_shm_side, reserved) / sizeof(*word); i++) {
		start(&a);
		start(&b);
		poll(&a);
		word[i] = cpu_to_le32(0xdeadbeef);
		poll(&b);
		sluice_session_beat(&a);
		sluice_session_beat(&b);
		settle();
		assert_false(a.broken);
		assert_false(b.broken);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(init_publishes_nothing), T(either_side_first), T(up_is_told_once),
		T(leftovers_of_an_earlier_life), T(detach_is_seen),
		T(down_forgets_the_generation), T(stale_generation_in_echo), T(echo_changes),
		T(silence), T(both_stood_still), T(paused_peer_comes_back),
		T(own_record_overwritten), T(beat_says_all_again),
	};

	return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
