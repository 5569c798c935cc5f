// SPDX-License-Identifier: GPL-2.0
#include "session_pair.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(messages_both_ways), T(indices_wrap), T(full_ring),
		T(message_is_a_private_copy), T(restart_empties_the_rings),
		T(restart_is_no_crime), T(corrupt_prod), T(corrupt_cons), T(corrupt_messages),
	};

	return cmocka_run_group_tests_name("session_rings", tests, NULL, NULL);
}
