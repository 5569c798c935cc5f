// SPDX-License-Identifier: GPL-2.0
#include "session_pair.h"

struct session_shm shm;
struct sluice_session a, b;
u64 now;
static u32 generations;

int setup(void **unused)
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

void start(struct sluice_session *s)
{
	sluice_session_restart(s, ++generations);
}

enum sluice_session_event poll(struct sluice_session *s)
{
	return sluice_session_poll(s, now);
}

void settle(void)
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

void meet(void)
{
	start(&a);
	start(&b);
	settle();
}

struct sluice_msg message(u16 token)
{
	return (struct sluice_msg){
		.msg_id = SLUICE_MSG_PING,
		.token = cpu_to_le16(token),
		.msg_bytes = cpu_to_le16(SLUICE_MSG_BYTES),
	};
}

int send(struct sluice_session *s, u16 token)
{
	struct sluice_msg msg = message(token);

	return sluice_session_send(s, &msg);
}

void assert_receives(struct sluice_session *s, u16 token)
{
	struct sluice_msg msg;

	assert_int_equal(sluice_session_receive(s, &msg), 1);
	assert_int_equal(le16_to_cpu(msg.token), token);
}

void assert_receives_nothing(struct sluice_session *s)
{
	struct sluice_msg msg;

	assert_int_equal(sluice_session_receive(s, &msg), 0);
}
