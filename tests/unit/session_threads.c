// SPDX-License-Identifier: GPL-2.0
/*
 * Two sides of a session in two threads that send, receive, start again and go
 * away whenever they like, under the thread sanitizer. Each message comes with
 * plain memory beside the ring: order that the rings do not give is a race there.
 */
#include "test.h"
#include <pthread.h>
#include <sched.h>
#include <sluice/session.h>

#define RING		SLUICE_SHM_MSG_RING
#define NR_TURNS	60000
#define MIN_RECEIVED	1000
#define MIN_UPS		50
#define MAX_TURNS	(200 * NR_TURNS)

static struct {
	struct sluice_shm_side side[2];
	struct sluice_msg ring[2][RING];
} shm;

/* Message n of a session has entry n % RING, written before send, read after receive. */
static struct {
	u32 generation, echo, seq;
} beside[2][RING];

static struct sluice_session session[2];
static u32 stop;	/* sides that have had their turns */
static struct count {
	u32 sent, received, downs, ups, full;
} count[2];

static void check(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "%s\n", what);
		abort();
	}
}

static void send_one(int i)
{
	struct sluice_session *s = &session[i];
	u32 cons = le32_to_cpu(sluice_load_acquire(&shm.side[!i].msg_cons));
	struct sluice_msg msg = {
		.msg_id = SLUICE_MSG_PING,
		.token = cpu_to_le16(s->tx_prod),
		.msg_bytes = cpu_to_le16(SLUICE_MSG_BYTES),
	};
	u32 at = s->tx_prod % RING;
	int ret;

	/*
	 * The memory beside the ring is free when the message's place is. In the
	 * middle of a peer's restart only sluice_session_send() can tell, so a place
	 * that looks odd is not touched.
	 */
	if (s->tx_prod - cons >= RING) {
		ret = sluice_session_send(s, &msg);
		check(ret != -EPROTO, s->error ?: "honest peer accused");
		count[i].full += ret == -EAGAIN;
		/* the receiver recognises a message without anything beside it */
		return;
	}
	beside[i][at].generation = s->generation;
	beside[i][at].echo = s->echo;
	beside[i][at].seq = s->tx_prod;
	/* the status field carries "something is beside it" */
	msg.status = cpu_to_le32(1);
	ret = sluice_session_send(s, &msg);
	check(ret != -EPROTO, s->error ?: "honest peer accused");
	count[i].sent += !ret;
}

static void receive_one(int i)
{
	struct sluice_session *s = &session[i];
	u32 seq = s->rx_cons;
	struct sluice_msg msg;
	int ret;

	ret = sluice_session_receive(s, &msg);
	check(ret != -EPROTO, s->error ?: "honest peer accused");
	if (ret != 1)
		return;
	check(le16_to_cpu(msg.token) == (u16)seq, "message out of order");
	count[i].received++;
}

/* Before the receive releases the place: what is beside the message. */
static void look_beside(int i)
{
	struct sluice_session *s = &session[i];
	u32 prod = le32_to_cpu(sluice_load_acquire(&shm.side[!i].msg_prod));
	u32 at = s->rx_cons % RING;

	if (prod == s->rx_cons || prod - s->rx_cons > RING)
		return;
	if (le32_to_cpu(READ_ONCE(shm.ring[!i][at].status)) != 1)
		return;
	check(beside[!i][at].generation == s->echo, "message of another peer's session");
	check(beside[!i][at].echo == s->generation, "message to another session of ours");
	check(beside[!i][at].seq == s->rx_cons, "another message's memory");
}

static void start(int i, u32 *generation)
{
	*generation += 2;
	sluice_session_restart(&session[i], *generation);
}

static bool turn(int i, u32 *seed, u32 *generation)
{
	struct sluice_session *s = &session[i];
	enum sluice_session_event event;

	sluice_session_beat(s);
	event = sluice_session_poll(s, 0);
	count[i].ups += event == SLUICE_SESSION_UP;
	if (event == SLUICE_SESSION_DOWN) {
		count[i].downs++;
		check(!s->broken, s->error ?: "honest peer accused");
	}
	if (!s->generation)
		start(i, generation);
	if (!s->up)
		return false;
	switch (test_random(seed) % 8) {
	case 0 ... 3:
		send_one(i);
		break;
	default:
		look_beside(i);
		receive_one(i);
	}
	return true;
}

/* On a busy machine the two threads meet less often: then it takes more turns. */
static bool enough(int i, u32 turns)
{
	if (turns >= MAX_TURNS)
		return true;
	return turns >= NR_TURNS && count[i].received > MIN_RECEIVED &&
	       count[i].ups > MIN_UPS;
}

static void *side_main(void *arg)
{
	int i = arg == &session[1];
	u32 seed = 17 + i, generation = 1000 + i, n = 0, idle = 0;

	start(i, &generation);
	while (!enough(i, n)) {
		bool up = turn(i, &seed, &generation);

		n += up;
		/* a peer that is through with its turns still polls: it must come up */
		idle = up ? 0 : idle + 1;
		check(idle < 200000000, "the sides do not meet");
		if (!up) {
			sched_yield();
			continue;
		}
		switch (test_random(&seed) % 512) {
		case 0:
			start(i, &generation);
			break;
		case 1:
			sluice_session_detach(&session[i]);
			break;
		}
	}
	/* keep answering until the other one has had its turns */
	__atomic_fetch_add(&stop, 1, __ATOMIC_RELAXED);
	while (READ_ONCE(stop) < 2)
		if (!turn(i, &seed, &generation))
			sched_yield();
	return arg;
}

static void two_sides(void **unused)
{
	pthread_t thread[2];
	int i;

	(void)unused;
	/* leftovers of an earlier life */
	memset(&shm, 0x33, sizeof(shm));
	for (i = 0; i < 2; i++)
		sluice_session_init(&session[i], &shm.side[i], shm.ring[i], &shm.side[!i],
				    shm.ring[!i], 1000);
	for (i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, side_main, &session[i]), 0);
	for (i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	for (i = 0; i < 2; i++) {
		printf("# side %d: %u sent, %u received, %u times up, %u down, %u full\n", i,
		       count[i].sent, count[i].received, count[i].ups, count[i].downs,
		       count[i].full);
		assert_true(count[i].received > MIN_RECEIVED);
		assert_true(count[i].ups > MIN_UPS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_sides),
	};

	return cmocka_run_group_tests_name("session_threads", tests, NULL, NULL);
}
