// SPDX-License-Identifier: GPL-2.0
/* A server that dies, and the next one, to which its parent hands what was open. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

#define CONFIG_OF(window) "{ \"directory\": \"@\", \"destinations\": [" \
	" { \"name\": \"g1\", \"window\": \"" window "\" } ] }"
#define CONFIG CONFIG_OF("8M")
#define VECTORS 2
#define DEATHS_UNDER_JOINS 25
#define MANY 12
#define PEER_ENTRIES (2 + VECTORS)	/* in the store */

static struct server s;
static struct client a, b;

static bool dies(void)
{
	pid_t pid = server_pid(&s);

	return pid && !kill(pid, SIGKILL) && server_is_next(&s, pid);
}

/* While the parent stands still, nobody serves: what happens meanwhile nobody sees. */
static pid_t dies_unseen(void)
{
	pid_t pid = server_pid(&s);

	kill(s.pid, SIGSTOP);
	kill(pid, SIGKILL);
	while (server_pid(&s))
		;
	return pid;
}

static bool comes_back(pid_t before)
{
	return !kill(s.pid, SIGCONT) && server_is_next(&s, before);
}

static bool rings(int from, int to)
{
	return write(from, &(uint64_t){ 1 }, 8) == 8 && client_rang(to);
}

/* As the driver domain does, and waits for the server to ring back */
static uint32_t request(struct client *c, uint32_t seq, uint32_t slot)
{
	struct sluice_shm_host *host = client_host(c);

	host->req_op = SLUICE_SHM_HOST_PUNCH;
	host->req_first = slot;
	host->req_count = 1;
	__atomic_store_n(&host->req_seq, seq, __ATOMIC_RELEASE);
	if (!rings(c->server_ring, c->own[0]) ||
	    __atomic_load_n(&host->done_seq, __ATOMIC_ACQUIRE) != seq)
		return -1;
	return host->done_status;
}

static void test_kill(void)
{
	struct client c;

	strcpy((char *)a.map + (4 << 20), "alive");
	/* it answers before it counts */
	ok(request(&a, 1, 1) == 0 && status_becomes(&s, "g1", "punches", 1),
	   "the server serves");
	ok(dies() && server_says(&s, "was ended by signal 9"),
	   "it is killed, and another one is there");
	ok(status_number(&s, "g1", "peers") == 2 &&
	   status_number(&s, "g1", "joined") == 2 &&
	   status_number(&s, "g1", "punches") == 1 &&
	   status_number(&s, "g1", "handovers") == 1,
	   "which knows the peers and what was counted");
	ok(client_is_silent(&a) && client_is_silent(&b), "they notice nothing");
	ok(request(&a, 2, 1) == 0 && request(&b, 3, 1) == 0,
	   "it serves each of them");
	ok(!client_join(&c, in_dir("g1.sock"), VECTORS), "a third is refused");
	client_leave(&c);
	client_leave(&b);
	ok(client_sees_leave(&a, b.id), "one leaves, the other is told");
	ok(client_join(&b, in_dir("g1.sock"), VECTORS) &&
	   client_sees_join(&a, VECTORS) && b.id > a.id + 1 &&
	   b.other_id == a.id && a.other_id == b.id &&
	   !strcmp((char *)b.map + (4 << 20), "alive") &&
	   rings(a.other[1], b.own[1]) && rings(b.other[1], a.own[1]),
	   "its successor meets it in the same memory");
	ok(dies() && dies() && status_number(&s, "g1", "peers") == 2 &&
	   request(&b, 4, 1) == 0, "twice more");
}

static void test_unseen(void)
{
	struct sluice_shm_host *host = client_host(&a);
	pid_t before = dies_unseen();

	host->req_first = 2;
	__atomic_store_n(&host->req_seq, 5, __ATOMIC_RELEASE);
	ok(write(a.server_ring, &(uint64_t){ 1 }, 8) == 8 &&
	   comes_back(before) && client_rang(a.own[0]) &&
	   __atomic_load_n(&host->done_seq, __ATOMIC_ACQUIRE) == 5,
	   "a request that nobody was there to hear is served by the next");

	before = dies_unseen();
	client_leave(&b);
	ok(comes_back(before) && client_sees_leave(&a, b.id) &&
	   status_becomes(&s, "g1", "peers", 1),
	   "so is told who left meanwhile");

	before = dies_unseen();
	client_leave(&a);
	ok(comes_back(before) && status_becomes(&s, "g1", "peers", 0) &&
	   client_join(&a, in_dir("g1.sock"), VECTORS) &&
	   !a.map[4 << 20] && client_join(&b, in_dir("g1.sock"), VECTORS) &&
	   client_sees_join(&a, VECTORS),
	   "with all of them gone the next pair gets zeroed memory");
	client_leave(&a);
	client_leave(&b);
	ok(status_becomes(&s, "g1", "peers", 0) && dies() &&
	   client_join(&a, in_dir("g1.sock"), VECTORS) &&
	   client_join(&b, in_dir("g1.sock"), VECTORS) &&
	   client_sees_join(&a, VECTORS), "a death without peers");
}

/* What somebody else sent would have to be closed by the parent. */
static void test_hidden(void)
{
	char env[4096], path[128], *found;
	struct stat st;
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/environ", (int)server_pid(&s));
	f = fopen(path, "re");
	n = f ? fread(env, 1, sizeof(env) - 1, f) : 0;
	if (f)
		fclose(f);
	env[n] = 0;
	found = memmem(env, n, "NOTIFY_SOCKET=/", 15);
	if (!found)
		bail("the server has no NOTIFY_SOCKET");
	snprintf(path, sizeof(path), "%s", found + 14);
	ok(stat(path, &st), "nobody else can speak to the parent");
	*strrchr(path, '/') = 0;
	ok(stat(path, &st), "and nothing of that is left");
}

static void test_commands(void)
{
	struct client c;
	char out[1024];

	ok(run_ctl(&s, out, sizeof(out), "add g2 window 4M pairs 2") == 0 &&
	   run_ctl(&s, out, sizeof(out), "quota g2 2M") == 0 &&
	   run_ctl(&s, out, sizeof(out), "add g3 window 4M") == 0 &&
	   run_ctl(&s, out, sizeof(out), "remove g3") == 0 &&
	   client_join(&c, in_dir("g2.sock"), 3) &&
	   status_becomes(&s, "g2", "peers", 1) && dies() &&
	   status_number(&s, "g2", "peers") == 1 &&
	   status_number(&s, "g2", "quota") == 2 << 20 &&
	   status_number(&s, "g3", "window") == -1 && client_is_silent(&c),
	   "what was added by command is there again, what was removed is not");
	ok(run_ctl(&s, out, sizeof(out), "remove g2 --force") == 0 &&
	   at_end(c.sock) && dies() &&
	   status_number(&s, "g2", "window") == -1,
	   "removed with a peer it is forgotten");
	client_leave(&c);
	ok(run_ctl(&s, out, sizeof(out),
		   "add g4 window 4M socket /nowhere/g4.sock") == 1 && dies() &&
	   status_number(&s, "g4", "window") == -1,
	   "nor is there what could not be added");
}

static void test_new_shape(void)
{
	server_configure(CONFIG_OF("16M"));
	ok(dies() && server_says(&s, "has another size than before") &&
	   at_end(a.sock) && at_end(b.sock),
	   "a destination of another size lets its peers go");
	client_leave(&a);
	client_leave(&b);
	ok(client_join(&a, in_dir("g1.sock"), VECTORS) &&
	   a.bytes == 16 << 20, "and serves the next");
	server_configure("{");
	kill(server_pid(&s), SIGKILL);
	ok(server_says(&s, "config.json") && client_is_silent(&a),
	   "a configuration that is no good loses nothing");
	server_configure(CONFIG_OF("16M"));
	ok(server_is_next(&s, 0) && status_number(&s, "g1", "peers") == 1,
	   "mended, the server goes on");
	client_leave(&a);
}

static pid_t killer(unsigned int usec)
{
	pid_t victim = server_pid(&s), pid = fork();

	if (!pid) {
		usleep(usec);
		kill(victim, SIGKILL);
		_exit(0);
	}
	waitpid(pid, NULL, WNOHANG);
	return victim;
}

static bool in_step(struct client *x, struct client *y, bool together)
{
	return together ? x->other_id == y->id && x->nr_other == VECTORS :
		x->other_id == -1;
}

/* What each client knows of the other must come to be what is. */
static bool settle(bool *joined_a, bool *joined_b)
{
	bool together, right = false;
	int tries;

	for (tries = 0; tries < WAIT_MS / 10 && !right; tries++) {
		if (*joined_a && !client_catch_up(&a)) {
			client_leave(&a);
			*joined_a = false;
		}
		if (*joined_b && !client_catch_up(&b)) {
			client_leave(&b);
			*joined_b = false;
		}
		together = *joined_a && *joined_b;
		right = status_number(&s, "g1", "peers") ==
				*joined_a + *joined_b &&
			(!*joined_a || in_step(&a, &b, together)) &&
			(!*joined_b || in_step(&b, &a, together));
		if (!right)
			usleep(10000);
	}
	if (right && together)
		right = rings(a.other[1], b.own[1]) &&
			rings(b.other[0], a.own[0]) && a.bytes == b.bytes &&
			request(&a, client_host(&a)->req_seq + 1, 1) == 0;
	return right;
}

static void test_any_moment(void)
{
	bool joined_a = false, joined_b = false, right = true;
	unsigned int round;
	pid_t victim;

	for (round = 0; round < DEATHS_UNDER_JOINS && right; round++) {
		victim = killer(round * 97 % 4000);
		if (joined_b)
			client_leave(&b);
		if (joined_a && round % 3 == 0) {
			client_leave(&a);
			joined_a = false;
		}
		if (!joined_a) {
			joined_a = client_join(&a, in_dir("g1.sock"), VECTORS);
			if (!joined_a)
				client_leave(&a);
		}
		joined_b = client_join(&b, in_dir("g1.sock"), VECTORS);
		if (!joined_b)
			client_leave(&b);
		right = server_is_next(&s, victim) && settle(&joined_a, &joined_b);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
	ok(right, "%u deaths while clients come and go", round);
	if (!right)
		printf("# peers %ld, a: %d id %d other %d, b: %d id %d other %d\n%s\n",
		       status_number(&s, "g1", "peers"), joined_a, (int)a.id,
		       (int)a.other_id, joined_b, (int)b.id, (int)b.other_id,
		       s.log);
	if (joined_a)
		client_leave(&a);
	if (joined_b)
		client_leave(&b);
}

static void test_ends(void)
{
	struct stat st;

	ok(server_stop(&s) == 0 && stat(in_dir("g1.sock"), &st) &&
	   stat(s.ctl, &st), "SIGTERM to the parent ends both");
	ok(server_start_kept(&s, "{") && server_wait(&s) == 1,
	   "a first server that does not start is not started again");
	ok(server_start_kept(&s, CONFIG) == 0 &&
	   server_answers(&s, true, "", "{\"command\":\"quit\"}") &&
	   server_wait(&s) == 0, "nor is one that was told to quit");
	if (server_start_kept(&s, CONFIG))
		bail("the server does not start:\n%s", s.log);
	kill(s.pid, SIGKILL);
	/* the log ends when both have ended */
	ok(server_wait(&s) == 1000 + SIGKILL &&
	   stat(in_dir("g1.sock"), &st),
	   "a parent that is killed takes the server along");
}

/* Who connects in a loop must not keep systemd busy. */
static void test_flood(void)
{
	struct client c[MANY];
	struct store store;
	bool joined = true;
	int i;

	store_open(&store);
	if (server_start_after(&s, CONFIG, &store))
		bail("the server does not start:\n%s", s.log);
	for (i = 0; i < MANY; i++) {
		joined &= client_join(&c[i], in_dir("g1.sock"), VECTORS);
		client_leave(&c[i]);
		store_hear(&store);
	}
	ok(joined && store.nr_puts > 0 && store.nr_puts <= 8,
	   "of %u clients in a row %d were kept", MANY, store.nr_puts);
	ok(status_becomes(&s, "g1", "peers", 0) && store_holds(&store, 1),
	   "none of them stays in the store");
	ok(server_answers(&s, false, "exists already",
			  "{\"command\":\"add\",\"destination\":{\"name\":\"g1\",\"window\":\"2M\"}}") &&
	   server_answers(&s, false, "No such file",
			  "{\"command\":\"add\",\"destination\":{\"name\":\"g9\",\"window\":\"2M\",\"socket\":\"/nonexistent/x\"}}") &&
	   store_holds(&store, 1),
	   "nor does a destination that could not be added");
	/* the manager has a copy of its socket, and does not hear that it shall go */
	ok(client_join(&a, in_dir("g1.sock"), VECTORS) &&
	   store_holds(&store, 2 + PEER_ENTRIES) &&
	   server_answers(&s, true, "",
			  "{\"command\":\"remove\",\"name\":\"g1\",\"force\":true}") &&
	   at_end(a.sock), "who is sent away sees it, whoever keeps a copy");
	client_leave(&a);
	store_close(&store);
	ok(server_stop(&s) == 0, "the server ends cleanly, unheard");
}

static bool both_are_served(void)
{
	return status_number(&s, "g1", "peers") == 2 && client_is_silent(&a) &&
		client_is_silent(&b) && request(&a, 1, 1) == 0 &&
		request(&b, 2, 1) == 0;
}

static bool one_is_served(struct client *lost, struct client *left)
{
	struct client c;
	bool right;

	right = at_end(lost->sock) && client_sees_leave(left, lost->id) &&
		status_number(&s, "g1", "peers") == 1 &&
		client_join(&c, in_dir("g1.sock"), VECTORS) &&
		client_sees_join(left, VECTORS) && c.other_id == left->id &&
		!strcmp((char *)c.map + (4 << 20), "alive");
	if (right)
		client_leave(&c);
	return right && client_sees_leave(left, c.id);
}

static bool nobody_is_served(struct store *store)
{
	struct client c;
	bool right;

	right = at_end(a.sock) && at_end(b.sock) &&
		store_holds(store, 1) &&
		status_number(&s, "g1", "peers") == 0 &&
		client_join(&c, in_dir("g1.sock"), VECTORS) &&
		c.other_id == -1 && !c.map[4 << 20];
	if (right)
		client_leave(&c);
	return right;
}

/*
 * Where the server died between two messages the store is in between, too.
 * @survivors: how many peers must still be served without the entries @part
 */
static void test_incomplete(const char *part, int survivors)
{
	struct store store;
	bool right = false;
	char text[32];

	store_open(&store);
	if (server_start_after(&s, CONFIG, &store) ||
	    !client_join(&a, in_dir("g1.sock"), VECTORS) ||
	    !client_join(&b, in_dir("g1.sock"), VECTORS) ||
	    !client_sees_join(&a, VECTORS) ||
	    !store_holds(&store, 2 + 2 * PEER_ENTRIES))
		bail("no server with two peers:\n%s", s.log);
	strcpy((char *)a.map + (4 << 20), "alive");
	kill(s.pid, SIGKILL);
	server_wait(&s);

	/* of the first peer, where it is not of all */
	snprintf(text, sizeof(text), part, (int)a.id);
	if (*text)
		store_lose(&store, text);
	if (server_start_after(&s, CONFIG, &store))
		bail("the next server does not start:\n%s", s.log);
	/* it has said by now what is not to be kept */
	store_hear(&store);
	if (survivors == 2)
		right = both_are_served();
	else if (survivors == 1)
		right = one_is_served(&a, &b);
	else
		right = nobody_is_served(&store);
	ok(right && status_becomes(&s, "g1", "peers", survivors) &&
	   store_holds(&store, survivors ? 2 + survivors * PEER_ENTRIES : 1),
	   "what was kept without \"%s\" serves %d", text, survivors);
	ok(server_stop(&s) == 0, "the server ends cleanly");
	client_leave(&a);
	client_leave(&b);
	store_close(&store);
}

/* What another version kept is not taken for this one's. */
static void test_foreign(void)
{
	struct store store;
	unsigned int i;

	store_open(&store);
	if (server_start_after(&s, CONFIG, &store) ||
	    !client_join(&a, in_dir("g1.sock"), VECTORS) ||
	    !store_holds(&store, 2 + PEER_ENTRIES))
		bail("no server with a peer:\n%s", s.log);
	kill(s.pid, SIGKILL);
	server_wait(&s);
	for (i = 0; i < (unsigned int)store.nr; i++)
		if (strstr(store.kept[i].name, "/state") &&
		    ftruncate(store.kept[i].fd, 64))
			bail("cannot truncate");
	ok(!server_start_after(&s, CONFIG, &store) &&
	   server_says(&s, "was served by another version") &&
	   store_holds(&store, 1) && at_end(a.sock),
	   "what another version has left is not used");
	ok(server_stop(&s) == 0, "the server ends cleanly");
	client_leave(&a);
	store_close(&store);
}

void test_handover(void)
{
	if (server_start_kept(&s, CONFIG))
		bail("the server does not start:\n%s", s.log);
	if (!client_join(&a, in_dir("g1.sock"), VECTORS) ||
	    !client_join(&b, in_dir("g1.sock"), VECTORS) ||
	    !client_sees_join(&a, VECTORS))
		bail("cannot join");
	test_kill();
	test_unseen();
	test_hidden();
	test_commands();
	test_new_shape();
	test_any_moment();
	test_ends();
	test_flood();
	test_incomplete("", 2);
	test_incomplete("g1/state", 0);
	test_incomplete("/memory", 0);
	test_incomplete(".%d/sock", 1);
	test_incomplete(".%d/ring", 1);
	test_incomplete(".%d/0", 1);
	test_incomplete(".%d/1", 1);
	test_incomplete("/sock", 0);
	test_foreign();
}
