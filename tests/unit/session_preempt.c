// SPDX-License-Identifier: GPL-2.0
/*
 * Two sides of a session, each in a fibre of its own, stopped before any access to
 * shared memory. All schedules with up to three changes of side at any such
 * place are run: what session_explore.c does call by call, word by word.
 */
#include "test.h"
#include <ucontext.h>

static void before_access(void);

#undef READ_ONCE
#undef WRITE_ONCE
#undef sluice_load_acquire
#undef sluice_store_release
#define READ_ONCE(x)		(before_access(), *(volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v)	(before_access(), *(volatile __typeof__(x) *)&(x) = (v))
#define sluice_load_acquire(p)		READ_ONCE(*(p))
#define sluice_store_release(p, v)	WRITE_ONCE(*(p), v)

#include "hypervisor/core/session.c"

#define ROUNDS		5
#define MAX_SWITCHES	3
#define NEVER		U32_MAX
#define STACK_BYTES	(64u << 10)

static struct {
	struct sluice_shm_side side[2];
	struct sluice_msg ring[2][SLUICE_SHM_MSG_RING];
} shm;

static struct sluice_session session[2];
static u32 generations[2];
static u32 restart_at[2];		/* round in which a side starts again by itself */
static bool from_session;		/* begin in a session that has carried messages */

static ucontext_t main_ctx, ctx[2];
static u8 stack[2][STACK_BYTES] __aligned(16);
static bool done[2];
static int running;			/* side, or -1 outside of the fibres */

static u32 step;			/* accesses so far */
static u32 switch_at[MAX_SWITCHES], nr_switches;
static size_t runs, delivered, downs;
static char failure[160];		/* the first; told outside of the fibres */

#define failed(fmt, ...) do {						\
	if (!failure[0])						\
		scnprintf(failure, sizeof(failure), fmt, ##__VA_ARGS__);	\
} while (0)

static void before_access(void)
{
	int from = running;

	if (running < 0)
		return;
	step++;
	if (nr_switches == MAX_SWITCHES || step != switch_at[nr_switches])
		return;
	nr_switches++;
	if (done[!from])
		return;
	running = !from;
	swapcontext(&ctx[from], &ctx[running]);
	running = from;
}

static void start(int i)
{
	sluice_session_restart(&session[i], (i ? 200 : 100) + ++generations[i]);
}

static void send_one(struct sluice_session *s)
{
	u32 stamp[3] = { s->generation, s->echo, s->tx_prod };
	struct sluice_msg msg = {
		.msg_id = SLUICE_MSG_PING,
		.msg_bytes = cpu_to_le16(SLUICE_MSG_BYTES),
	};

	memcpy(msg.payload, stamp, sizeof(stamp));
	if (sluice_session_send(s, &msg) == -EPROTO)
		failed("send: honest peer accused: %s", s->error);
}

static void receive_all(struct sluice_session *s)
{
	struct sluice_msg msg;
	u32 stamp[3], seq;
	int ret;

	for (;;) {
		seq = s->rx_cons;
		ret = sluice_session_receive(s, &msg);
		if (ret == -EPROTO)
			failed("receive: honest peer accused: %s", s->error);
		if (ret != 1)
			return;
		memcpy(stamp, msg.payload, sizeof(stamp));
		if (stamp[0] != s->echo || stamp[1] != s->generation || stamp[2] != seq)
			failed("message %u of %u to %u in session of %u with %u",
				 stamp[2], stamp[0], stamp[1], s->echo, s->generation);
		delivered++;
	}
}

static void side(int i)
{
	struct sluice_session *s = &session[i];
	u32 round;

	if (!from_session)
		start(i);
	for (round = 0; round < ROUNDS; round++) {
		if (round == restart_at[i])
			start(i);
		if (sluice_session_poll(s, 0) == SLUICE_SESSION_DOWN) {
			downs++;
			if (s->broken)
				failed("honest peer accused: %s", s->error);
			start(i);
		}
		if (!s->up)
			continue;
		send_one(s);
		receive_all(s);
	}
	done[i] = true;
	/* the other one goes on where it is, or the run is over */
	if (!done[!i]) {
		running = !i;
		setcontext(&ctx[!i]);
	}
	running = -1;
	setcontext(&main_ctx);
}

static void side0(void)
{
	side(0);
}

static void side1(void)
{
	side(1);
}

static void prepare(void)
{
	int i;

	memset(&shm, 0, sizeof(shm));
	step = 0;
	nr_switches = 0;
	for (i = 0; i < 2; i++) {
		sluice_session_init(&session[i], &shm.side[i], shm.ring[i], &shm.side[!i],
				    shm.ring[!i], 1000);
		generations[i] = 0;
		done[i] = false;
		getcontext(&ctx[i]);
		ctx[i].uc_stack.ss_sp = stack[i];
		ctx[i].uc_stack.ss_size = sizeof(stack[i]);
		ctx[i].uc_link = NULL;
		makecontext(&ctx[i], i ? side1 : side0, 0);
	}
}

/* Two messages each way: an index that jumps back is seen as such. */
static void begin_session(void)
{
	int i, round;

	running = -1;
	start(0);
	start(1);
	for (round = 0; round < 5; round++) {
		for (i = 0; i < 2; i++) {
			sluice_session_poll(&session[i], 0);
			if (session[i].up && session[i].tx_prod < 2)
				send_one(&session[i]);
			if (session[i].up)
				receive_all(&session[i]);
		}
	}
	if (session[0].rx_cons != 2 || session[1].rx_cons != 2)
		failed("no session to begin with");
}

/* One schedule; how many accesses it had. */
static u32 run(int first)
{
	int i, round;

	prepare();
	if (from_session)
		begin_session();
	running = first;
	swapcontext(&main_ctx, &ctx[first]);
	runs++;

	/* whatever happened, they meet */
	for (round = 0; round < 8; round++)
		for (i = 0; i < 2; i++)
			if (sluice_session_poll(&session[i], 0) == SLUICE_SESSION_DOWN)
				start(i);
	if (!session[0].up || !session[1].up)
		failed("they did not meet");
	if (failure[0])
		fail_msg("switches at %u %u %u, side %d first: %s", switch_at[0], switch_at[1],
			 switch_at[2], first, failure);
	return step;
}

static void schedules(u32 from, int depth, int first)
{
	u32 at, steps;

	steps = run(first);
	if (depth == MAX_SWITCHES)
		return;
	for (at = from; at <= steps; at++) {
		switch_at[depth] = at;
		schedules(at + 1, depth + 1, first);
	}
	switch_at[depth] = NEVER;
}

/*
 * With one side's script at an end before the other begins they hardly meet, so
 * each variant lets the first switch fall anywhere.
 */
static void explore(bool session_first, u32 restart0, u32 restart1)
{
	int i;

	from_session = session_first;
	restart_at[0] = restart0;
	restart_at[1] = restart1;
	for (i = 0; i < MAX_SWITCHES; i++)
		switch_at[i] = NEVER;
	schedules(1, 0, 0);
	schedules(1, 0, 1);
}

static void nobody_restarts(void **unused)
{
	(void)unused;
	explore(false, NEVER, NEVER);
}

static void one_restarts(void **unused)
{
	(void)unused;
	explore(false, 3, NEVER);
}

static void both_restart(void **unused)
{
	(void)unused;
	explore(false, 3, 3);
}

static void one_restarts_in_a_session(void **unused)
{
	(void)unused;
	explore(true, 1, NEVER);
}

static void both_restart_in_a_session(void **unused)
{
	(void)unused;
	explore(true, 1, 1);
}

static void both_restart_one_late(void **unused)
{
	(void)unused;
	explore(true, 1, 3);
	printf("# %zu schedules, %zu messages delivered, %zu times down\n", runs, delivered,
	       downs);
	assert_true(runs > 10000 && delivered > 1000 && downs > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_restarts),
		cmocka_unit_test(one_restarts),
		cmocka_unit_test(both_restart),
		cmocka_unit_test(one_restarts_in_a_session),
		cmocka_unit_test(both_restart_in_a_session),
		cmocka_unit_test(both_restart_one_late),
	};

	running = -1;
	return cmocka_run_group_tests_name("session_preempt", tests, NULL, NULL);
}
