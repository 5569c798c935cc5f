// SPDX-License-Identifier: GPL-2.0
/*
 * Every order in which two sides can start, stop, die, sleep, send and receive,
 * call by call, from every state that can be reached with a limited number of
 * generations and messages. In each state:
 *
 *	- a message is delivered only in the session it was sent in, in order
 *	- nobody is accused who did nothing wrong
 *	- if both sides from now on just poll, they meet
 */
#include "test.h"
#include <sluice/session.h>

#define TIMEOUT		1000
#define MAX_GENERATIONS	3	/* per side */
#define MAX_MESSAGES	2	/* per side and session */
#define HASH_BITS	22

struct side {
	u32 generation, echo, tx_prod, rx_cons;
	u32 up;
	u32 used_generations;
	/* published */
	u32 shm_generation, shm_echo, shm_prod, shm_cons;
	struct {
		u32 generation, echo, seq;
	} msg[MAX_MESSAGES];
};

struct world {
	struct side side[2];
};

static struct {
	struct sluice_shm_side side[2];
	struct sluice_msg ring[2][SLUICE_SHM_MSG_RING];
} shm;

static struct sluice_session session[2];

static struct world *found;		/* all states, in the order they were found */
static size_t nr_found, max_found;
static u32 table[1u << HASH_BITS];	/* index + 1 into found */
static size_t nr_delivered, nr_down, nr_both_up;

static void load(const struct world *w)
{
	int i, m;

	for (i = 0; i < 2; i++) {
		const struct side *p = &w->side[i];

		sluice_session_init(&session[i], &shm.side[i], shm.ring[i], &shm.side[!i],
				    shm.ring[!i], TIMEOUT);
		session[i].generation = p->generation;
		session[i].echo = p->echo;
		session[i].tx_prod = p->tx_prod;
		session[i].rx_cons = p->rx_cons;
		session[i].up = p->up;
		shm.side[i].generation = cpu_to_le32(p->shm_generation);
		shm.side[i].echo = cpu_to_le32(p->shm_echo);
		shm.side[i].msg_prod = cpu_to_le32(p->shm_prod);
		shm.side[i].msg_cons = cpu_to_le32(p->shm_cons);
		for (m = 0; m < MAX_MESSAGES; m++)
			memcpy(shm.ring[i][m].payload, &p->msg[m], sizeof(p->msg[m]));
	}
}

static void save(struct world *w, const struct world *from)
{
	int i, m;

	memset(w, 0, sizeof(*w));
	for (i = 0; i < 2; i++) {
		struct side *p = &w->side[i];

		p->generation = session[i].generation;
		p->echo = session[i].echo;
		p->tx_prod = session[i].tx_prod;
		p->rx_cons = session[i].rx_cons;
		p->up = session[i].up;
		p->used_generations = from->side[i].used_generations;
		p->shm_generation = le32_to_cpu(shm.side[i].generation);
		p->shm_echo = le32_to_cpu(shm.side[i].echo);
		p->shm_prod = le32_to_cpu(shm.side[i].msg_prod);
		p->shm_cons = le32_to_cpu(shm.side[i].msg_cons);
		for (m = 0; m < MAX_MESSAGES; m++)
			memcpy(&p->msg[m], shm.ring[i][m].payload, sizeof(p->msg[m]));
	}
}

static void remember(const struct world *w)
{
	const u8 *p = (const u8 *)w;
	u64 hash = 14695981039346656037ull;
	size_t i, at;

	for (i = 0; i < sizeof(*w); i++)
		hash = (hash ^ p[i]) * 1099511628211ull;
	for (at = hash >> (64 - HASH_BITS); table[at]; at = (at + 1) % (1u << HASH_BITS))
		if (!memcmp(&found[table[at] - 1], w, sizeof(*w)))
			return;
	if (nr_found == max_found) {
		max_found = max_found ? 2 * max_found : 4096;
		found = realloc(found, max_found * sizeof(*found));
		assert_non_null(found);
	}
	assert_true(nr_found < (1u << HASH_BITS) * 3 / 4);
	found[nr_found++] = *w;
	table[at] = nr_found;
}

/* Both sides number their generations apart, so that a mix-up shows. */
static u32 new_generation(int i, u32 nr)
{
	return (i ? 200 : 100) + nr;
}

static int send(int i)
{
	struct sluice_session *s = &session[i];
	u32 stamp[3] = { s->generation, s->echo, s->tx_prod };
	struct sluice_msg msg = {
		.msg_id = SLUICE_MSG_PING,
		.msg_bytes = cpu_to_le16(SLUICE_MSG_BYTES),
	};

	memcpy(msg.payload, stamp, sizeof(stamp));
	return sluice_session_send(s, &msg);
}

static void receive(int i)
{
	struct sluice_session *s = &session[i];
	u32 seq = s->rx_cons, stamp[3];
	struct sluice_msg msg;
	int ret;

	/* what does not change is not saved */
	if (s->rx_cons < MAX_MESSAGES)
		shm.ring[!i][s->rx_cons].msg_bytes = cpu_to_le16(SLUICE_MSG_BYTES);
	ret = sluice_session_receive(s, &msg);
	assert_int_not_equal(ret, -EPROTO);
	if (ret != 1)
		return;
	memcpy(stamp, msg.payload, sizeof(stamp));
	assert_int_equal(stamp[0], s->echo);
	assert_int_equal(stamp[1], s->generation);
	assert_int_equal(stamp[2], seq);
	nr_delivered++;
}

enum action { POLL, POLL_LATE, RESTART, DETACH, SEND, RECEIVE, NR_ACTIONS };

/* False if it is not possible in this state. */
static bool act(struct world *w, int i, enum action action)
{
	struct sluice_session *s = &session[i];
	int ret;

	switch (action) {
	case POLL:
	case POLL_LATE:
		s->silence.waited = action == POLL ? 0 : TIMEOUT + 1;
		nr_down += sluice_session_poll(s, 0) == SLUICE_SESSION_DOWN;
		/* time is not part of the state: all is late or nothing */
		sluice_patience_begin(&s->silence, 0);
		assert_false(s->broken);
		return true;
	case RESTART:
		if (w->side[i].used_generations == MAX_GENERATIONS)
			return false;
		sluice_session_restart(s, new_generation(i, ++w->side[i].used_generations));
		return true;
	case DETACH:
		sluice_session_detach(s);
		return true;
	case SEND:
		if (s->tx_prod >= MAX_MESSAGES)
			return false;
		ret = send(i);
		assert_int_not_equal(ret, -EPROTO);
		assert_int_not_equal(ret, -EAGAIN);
		return ret == 0;
	case RECEIVE:
		receive(i);
		return true;
	default:
		return false;
	}
}

static void assert_they_meet(void)
{
	u32 nr = 50;
	int round, i;

	for (round = 0; round < 6; round++) {
		for (i = 0; i < 2; i++) {
			sluice_session_poll(&session[i], 0);
			sluice_patience_begin(&session[i].silence, 0);
			if (!session[i].generation)
				sluice_session_restart(&session[i], new_generation(i, ++nr));
		}
	}
	assert_true(session[0].up && session[1].up);
	assert_int_equal(session[0].echo, session[1].generation);
	assert_int_equal(session[1].echo, session[0].generation);
}

static void all_interleavings(void **unused)
{
	struct world w = {}, next;
	size_t at;
	int i, action;

	(void)unused;
	remember(&w);
	for (at = 0; at < nr_found; at++) {
		for (i = 0; i < 2; i++) {
			for (action = 0; action < NR_ACTIONS; action++) {
				w = found[at];
				load(&w);
				if (!act(&w, i, action))
					continue;
				save(&next, &w);
				remember(&next);
			}
		}
		load(&found[at]);
		nr_both_up += session[0].up && session[1].up;
		assert_they_meet();
	}
	printf("# %zu states, %zu with both up, %zu messages delivered, %zu times down\n",
	       nr_found, nr_both_up, nr_delivered, nr_down);
	assert_true(nr_found > 10000 && nr_both_up && nr_delivered && nr_down);
	free(found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_interleavings),
	};

	return cmocka_run_group_tests_name("session_explore", tests, NULL, NULL);
}
