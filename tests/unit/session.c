// SPDX-License-Identifier: GPL-2.0
#include "test.h"
#include <sluice/session.h>

#define TIMEOUT	1000
#define RING	SLUICE_SHM_MSG_RING

static struct {
	struct sluice_shm_side side[2];
	struct sluice_msg ring[2][RING];
} shm;

static struct sluice_session a, b;
static u64 now;
static u32 generations;

static int setup(void **unused)
{
	(void)unused;
	/* what an earlier life may have left */
	memset(&shm, 0, sizeof(shm));
	sluice_session_init(&a, &shm.side[0], shm.ring[0], &shm.side[1], shm.ring[1], TIMEOUT);
	sluice_session_init(&b, &shm.side[1], shm.ring[1], &shm.side[0], shm.ring[0], TIMEOUT);
	now = 5000;
	generations = 100;
	return 0;
}

static void start(struct sluice_session *s)
{
	sluice_session_restart(s, ++generations);
}

static enum sluice_session_event poll(struct sluice_session *s)
{
	return sluice_session_poll(s, now);
}

/* Both keep polling, and start again when told so. */
static void settle(void)
{
	int i;

	for (i = 0; i < 8; i++) {
		if (poll(&a) == SLUICE_SESSION_DOWN)
			start(&a);
		if (poll(&b) == SLUICE_SESSION_DOWN)
			start(&b);
	}
	assert_true(sluice_session_is_up(&a));
	assert_true(sluice_session_is_up(&b));
	assert_int_equal(a.echo, b.generation);
	assert_int_equal(b.echo, a.generation);
}

/* Two sides that are up. */
static void meet(void)
{
	start(&a);
	start(&b);
	settle();
}

static struct sluice_msg message(u16 token)
{
	return (struct sluice_msg){
		.msg_id = SLUICE_MSG_PING,
		.token = cpu_to_le16(token),
		.msg_bytes = cpu_to_le16(SLUICE_MSG_BYTES),
	};
}

static int send(struct sluice_session *s, u16 token)
{
	struct sluice_msg msg = message(token);

	return sluice_session_send(s, &msg);
}

static void assert_receives(struct sluice_session *s, u16 token)
{
	struct sluice_msg msg;

	assert_int_equal(sluice_session_receive(s, &msg), 1);
	assert_int_equal(le16_to_cpu(msg.token), token);
}

static void assert_receives_nothing(struct sluice_session *s)
{
	struct sluice_msg msg;

	assert_int_equal(sluice_session_receive(s, &msg), 0);
}

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

static void messages_both_ways(void **unused)
{
	u32 i;

	(void)unused;
	meet();
	for (i = 0; i < 70000; i++) {
		assert_int_equal(send(&a, i), 0);
		if (i % 3 == 0)
			assert_int_equal(send(&b, ~i), 0);
		assert_receives(&b, i);
		if (i % 3 == 0)
			assert_receives(&a, ~i);
	}
	assert_receives_nothing(&a);
	assert_receives_nothing(&b);
}

static void indices_wrap(void **unused)
{
	u32 i;

	(void)unused;
	meet();
	/* as after four billion messages */
	a.tx_prod = U32_MAX - 5;
	b.rx_cons = U32_MAX - 5;
	shm.side[0].msg_prod = cpu_to_le32(a.tx_prod);
	shm.side[1].msg_cons = cpu_to_le32(b.rx_cons);
	for (i = 0; i < RING; i++)
		assert_int_equal(send(&a, i), 0);
	assert_int_equal(send(&a, i), -EAGAIN);
	for (i = 0; i < RING; i++)
		assert_receives(&b, i);
	assert_receives_nothing(&b);
}

static void full_ring(void **unused)
{
	u32 i;

	(void)unused;
	meet();
	for (i = 0; i < RING; i++)
		assert_int_equal(send(&a, i), 0);
	assert_int_equal(send(&a, 999), -EAGAIN);
	assert_int_equal(send(&a, 999), -EAGAIN);
	assert_receives(&b, 0);
	assert_int_equal(send(&a, RING), 0);
	assert_int_equal(send(&a, 999), -EAGAIN);
	for (i = 1; i <= RING; i++)
		assert_receives(&b, i);
	assert_receives_nothing(&b);
}

static void message_is_a_private_copy(void **unused)
{
	struct sluice_msg sent = message(7), got;

	(void)unused;
	memset(sent.payload, 0xab, sizeof(sent.payload));
	meet();
	assert_int_equal(sluice_session_send(&a, &sent), 0);
	assert_int_equal(sluice_session_receive(&b, &got), 1);
	memset(shm.ring, 0xff, sizeof(shm.ring));
	assert_memory_equal(&sent, &got, sizeof(got));
}

static void restart_empties_the_rings(void **unused)
{
	int i;

	(void)unused;
	meet();
	for (i = 0; i < 5; i++) {
		assert_int_equal(send(&a, 100 + i), 0);
		assert_int_equal(send(&b, 200 + i), 0);
	}
	start(&b);
	settle();
	assert_receives_nothing(&a);
	assert_receives_nothing(&b);
	assert_int_equal(send(&a, 1), 0);
	assert_receives(&b, 1);
}

/* Between the peer's reset of its indices and our next poll lies no crime. */
static void restart_is_no_crime(void **unused)
{
	struct sluice_msg msg;
	int i, half;

	for (half = 0; half < 2; half++) {
		setup(unused);
		start(&a);
		start(&b);
		settle();
		for (i = 0; i < 5; i++) {
			assert_int_equal(send(&b, i), 0);
			assert_receives(&a, i);
			assert_int_equal(send(&a, i), 0);
			assert_receives(&b, i);
		}
		if (half)
			sluice_session_detach(&b);
		else
			start(&b);
		/* msg_prod and msg_cons of b jumped back to 0 */
		assert_int_not_equal(send(&a, 9), -EPROTO);
		assert_int_equal(sluice_session_receive(&a, &msg), 0);
		assert_false(a.broken);
		assert_int_equal(poll(&a), SLUICE_SESSION_DOWN);
		assert_false(a.broken);
		assert_text(a.error, half ? "the peer detached" : "the peer started again");
	}
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

/* Peer's moves that no restart explains */
static void corrupt_prod(void **unused)
{
	static const u32 bad[] = { RING + 1, 1000, 1u << 31, U32_MAX };
	struct sluice_msg msg;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		setup(unused);
		start(&a);
		start(&b);
		settle();
		shm.side[1].msg_prod = cpu_to_le32(bad[i]);
		assert_int_equal(sluice_session_receive(&a, &msg), -EPROTO);
		assert_text(a.error, "msg_prod jumped by more than the ring");
		assert_true(a.broken);
		/* it stays so until the restart */
		shm.side[1].msg_prod = 0;
		assert_int_equal(sluice_session_receive(&a, &msg), -EPROTO);
		assert_int_equal(send(&a, 1), -EPROTO);
		assert_int_equal(poll(&a), SLUICE_SESSION_DOWN);
		assert_true(a.broken);
		start(&a);
		assert_false(a.broken);
		settle();
	}
}

static void corrupt_cons(void **unused)
{
	static const u32 bad[] = { 2, 1000, 1u << 31, U32_MAX - RING, U32_MAX };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		setup(unused);
		start(&a);
		start(&b);
		settle();
		assert_int_equal(send(&a, 1), 0);
		shm.side[1].msg_cons = cpu_to_le32(bad[i]);
		/* U32_MAX looks like two messages under way: no harm yet */
		if (1 - bad[i] <= RING)
			continue;
		assert_int_equal(send(&a, 1), -EPROTO);
		assert_text(a.error, "msg_cons is nonsense");
		assert_true(a.broken);
		assert_int_equal(poll(&a), SLUICE_SESSION_DOWN);
	}
}

static void corrupt_messages(void **unused)
{
	static const struct {
		size_t at;
		u8 value;
		const char *error;
	} t[] = {
		{ offsetof(struct sluice_msg, type), 2, "message of an unknown type" },
		{ offsetof(struct sluice_msg, type), 0x81, "message of an unknown type" },
		{ offsetof(struct sluice_msg, msg_bytes), 63, "message of a wrong length" },
		{ offsetof(struct sluice_msg, msg_bytes), 0, "message of a wrong length" },
		{ offsetof(struct sluice_msg, msg_bytes) + 1, 1, "message of a wrong length" },
		{ offsetof(struct sluice_msg, dev_num), 1, "message with reserved fields set" },
		{ offsetof(struct sluice_msg, reserved), 1, "message with reserved fields set" },
	};
	struct sluice_msg msg;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		setup(unused);
		start(&a);
		start(&b);
		settle();
		assert_int_equal(send(&b, 1), 0);
		((u8 *)&shm.ring[1][0])[t[i].at] = t[i].value;
		assert_int_equal(sluice_session_receive(&a, &msg), -EPROTO);
		assert_text(a.error, t[i].error);
		assert_true(a.broken);
	}
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

#define T(f)	cmocka_unit_test_setup(f, setup)

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
		T(beat_says_all_again),
		T(init_publishes_nothing), T(either_side_first), T(up_is_told_once),
		T(leftovers_of_an_earlier_life), T(messages_both_ways), T(indices_wrap),
		T(full_ring), T(message_is_a_private_copy), T(restart_empties_the_rings),
		T(restart_is_no_crime), T(detach_is_seen), T(down_forgets_the_generation),
		T(stale_generation_in_echo), T(echo_changes), T(silence), T(both_stood_still),
		T(paused_peer_comes_back), T(corrupt_prod), T(corrupt_cons),
		T(corrupt_messages), T(own_record_overwritten),
	};

	return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
