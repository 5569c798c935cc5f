// SPDX-License-Identifier: GPL-2.0
/*
 * Clients that misbehave on g1. Each time: what becomes of them, that the pair
 * on g2 hears nothing, and that g2 is served.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

#define CONFIG "{ \"stuck_seconds\": 1, \"destinations\": [" \
	" { \"name\": \"g1\", \"socket\": \"@/g1.sock\", \"window\": \"4M\"," \
	"   \"pairs\": 8 }," \
	" { \"name\": \"g2\", \"socket\": \"@/g2.sock\", \"window\": \"4M\" } ] }"
#define G1_VECTORS	9
#define G2_VECTORS	2

static struct server s;
static struct client x, y;	/* the pair on g2 that nothing may disturb */

static void g2_undisturbed(const char *by)
{
	bool good = status_number(&s, "g2", "peers") == 2 &&
		client_is_silent(&x) && client_is_silent(&y) &&
		write(x.other[1], &(uint64_t){ 1 }, 8) == 8 &&
		client_rang(y.own[1]);

	ok(good, "g2 is undisturbed by %s", by);
}

static void test_third(void)
{
	struct client a, b;
	int64_t number = 0;
	int fd, sock;

	if (!client_join(&a, in_dir("g1.sock"), G1_VECTORS) ||
	    !client_join(&b, in_dir("g1.sock"), G1_VECTORS) ||
	    !client_sees_join(&a, G1_VECTORS))
		bail("cannot join");
	sock = dial(in_dir("g1.sock"));
	ok(read_message(sock, &number, &fd) == 1 && number == -EBUSY &&
	   fd < 0 && at_end(sock),
	   "a third client is told a version that it cannot speak");
	close(sock);
	ok(status_number(&s, "g1", "refused") == 1 &&
	   client_is_silent(&a) && client_is_silent(&b),
	   "the two others hear nothing of it");
	client_leave(&b);
	ok(client_sees_leave(&a, b.id) &&
	   client_join(&b, in_dir("g1.sock"), G1_VECTORS),
	   "when one has left the place is free");
	client_sees_join(&a, G1_VECTORS);
	g2_undisturbed("a third client");
	client_leave(&a);
	client_leave(&b);
	status_becomes(&s, "g1", "peers", 0);
}

static void test_garbage(void)
{
	struct client a;
	char junk[300];

	if (!client_join(&a, in_dir("g1.sock"), G1_VECTORS))
		bail("cannot join");
	memset(junk, 0xee, sizeof(junk));
	ok(send(a.sock, junk, sizeof(junk), MSG_NOSIGNAL) > 0 &&
	   at_end(a.sock), "a client that sends bytes is dropped");
	ok(status_becomes(&s, "g1", "dropped", 1), "and counted");
	client_leave(&a);
	g2_undisturbed("garbage");
}

/* Connected, asked nothing, read nothing: the handshake waits in its socket */
static void test_never_reads(void)
{
	long before = status_number(&s, "g1", "dropped");
	int sock = dial(in_dir("g1.sock"));

	ok(status_becomes(&s, "g1", "peers", 1),
	   "a client that reads nothing counts as present");
	ok(status_becomes(&s, "g1", "dropped", before + 1),
	   "until it is given up");
	close(sock);
	g2_undisturbed("a client that never reads");
}

static void test_half_handshake(void)
{
	int sock = dial(in_dir("g1.sock"));
	struct client a;
	int64_t number;
	int fd;

	ok(read_message(sock, &number, &fd) == 1 && !number,
	   "a client reads half a handshake");
	close(sock);
	ok(status_becomes(&s, "g1", "peers", 0) &&
	   client_join(&a, in_dir("g1.sock"), G1_VECTORS),
	   "and hangs up: the next one is served");
	client_leave(&a);
	status_becomes(&s, "g1", "peers", 0);
	g2_undisturbed("half a handshake");
}

static void test_killed(void)
{
	struct client a, b;
	int64_t victim;
	int fds[2];
	char byte;
	pid_t pid;

	if (!client_join(&a, in_dir("g1.sock"), G1_VECTORS) || pipe(fds))
		bail("cannot join");
	pid = fork();
	if (!pid) {
		if (!client_join(&b, in_dir("g1.sock"), G1_VECTORS) ||
		    write(fds[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(fds[1]);
	if (read(fds[0], &byte, 1) != 1 || !client_sees_join(&a, G1_VECTORS))
		bail("the victim did not join");
	close(fds[0]);
	victim = a.other_id;
	kill(pid, SIGKILL);
	ok(client_sees_leave(&a, victim), "a killed client has left");
	waitpid(pid, NULL, 0);
	ok(client_join(&b, in_dir("g1.sock"), G1_VECTORS) &&
	   b.other_id == a.id, "and its place is free");
	client_leave(&a);
	client_leave(&b);
	status_becomes(&s, "g1", "peers", 0);
	g2_undisturbed("a killed client");
}

/*
 * The successor of a killed one is in the queue before the server has seen the
 * end of the first.
 */
static void test_overtaken(void)
{
	struct client a, b, c;
	int64_t number;
	int sock, fd;
	long before;

	if (!client_join(&a, in_dir("g1.sock"), G1_VECTORS) ||
	    !client_join(&b, in_dir("g1.sock"), G1_VECTORS) ||
	    !client_sees_join(&a, G1_VECTORS))
		bail("cannot join");
	kill(s.pid, SIGSTOP);
	sock = dial(in_dir("g1.sock"));
	client_leave(&b);
	kill(s.pid, SIGCONT);
	ok(read_message(sock, &number, &fd) == 1 && !number &&
	   client_sees_leave(&a, b.id) && client_sees_join(&a, G1_VECTORS),
	   "a successor that overtakes the end of its predecessor is served");
	close(sock);
	ok(client_sees_leave(&a, a.other_id), "and its own end is seen");

	/* as a probe for a stale socket does */
	before = status_number(&s, "g1", "refused");
	kill(s.pid, SIGSTOP);
	close(dial(in_dir("g1.sock")));
	kill(s.pid, SIGCONT);
	ok(client_join(&c, in_dir("g1.sock"), G1_VECTORS) &&
	   client_sees_join(&a, G1_VECTORS) && a.other_id == c.id &&
	   client_is_silent(&a) &&
	   status_number(&s, "g1", "refused") == before,
	   "one that was gone before it was served is not announced");
	client_leave(&a);
	client_leave(&c);
	status_becomes(&s, "g1", "peers", 0);
	g2_undisturbed("any of that");
}

/*
 * One that never reads stays, while the other comes and goes: what waits for
 * the first one is bounded, and then it is out.
 */
static void test_slow_with_churn(void)
{
	long before;
	struct client a;
	int sock, i;

	status_becomes(&s, "g1", "peers", 0);
	before = status_number(&s, "g1", "dropped");
	sock = dial(in_dir("g1.sock"));
	status_becomes(&s, "g1", "peers", 1);
	for (i = 0; i < 1000; i++) {
		if (status_number(&s, "g1", "dropped") > before)
			break;
		if (!client_join(&a, in_dir("g1.sock"), G1_VECTORS))
			break;
		client_leave(&a);
	}
	/* a handful: what is queued holds descriptors of ours */
	ok(status_becomes(&s, "g1", "dropped", before + 1) && i < 15,
	   "a slow client is dropped when its queue is full (%d joins)", i);
	close(sock);
	status_becomes(&s, "g1", "peers", 0);
	g2_undisturbed("a slow client");
}

/* Many processes connect as fast as they can, for as long as the test looks. */
static void test_flood(void)
{
	struct client a, b;
	pid_t pids[4];
	unsigned int i;
	bool good = true;

	if (!client_join(&a, in_dir("g1.sock"), G1_VECTORS) ||
	    !client_join(&b, in_dir("g1.sock"), G1_VECTORS) ||
	    !client_sees_join(&a, G1_VECTORS))
		bail("cannot join");
	for (i = 0; i < 4; i++) {
		pids[i] = fork();
		if (pids[i])
			continue;
		/* our copies would keep the sockets of x and y open */
		close_range(3, ~0u, 0);
		for (;;)
			close(dial(in_dir("g1.sock")));
	}
	ok(server_says(&s, "connection refused"), "a flood is refused");
	client_leave(&x);
	client_leave(&y);
	for (i = 0; i < 20 && good; i++) {
		good = status_becomes(&s, "g2", "peers", 0) &&
			client_join(&x, in_dir("g2.sock"), G2_VECTORS) &&
			client_join(&y, in_dir("g2.sock"), G2_VECTORS) &&
			client_sees_join(&x, G2_VECTORS);
		if (i < 19) {
			client_leave(&x);
			client_leave(&y);
		}
	}
	ok(good, "20 pairs come and go on g2 meanwhile");
	ok(status_number(&s, "g1", "peers") == 2 && client_is_silent(&a) &&
	   client_is_silent(&b), "the pair on g1 hears nothing of the flood");
	for (i = 0; i < 4; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
	client_leave(&b);
	ok(client_sees_leave(&a, b.id) &&
	   client_join(&b, in_dir("g1.sock"), G1_VECTORS) &&
	   client_sees_join(&a, G1_VECTORS),
	   "after the flood g1 is served as before");
	client_leave(&a);
	client_leave(&b);
	status_becomes(&s, "g1", "peers", 0);
	g2_undisturbed("a flood");
}

static long open_files(pid_t pid)
{
	char cmd[64];
	long n = -1;
	FILE *f;

	snprintf(cmd, sizeof(cmd), "ls /proc/%d/fd | wc -l", (int)pid);
	f = popen(cmd, "re");
	if (!f || fscanf(f, "%ld", &n) != 1)
		bail("cannot count files");
	pclose(f);
	return n;
}

/* The server closes what a client had when it next looks, not when the client goes. */
static bool open_files_become(pid_t pid, long files)
{
	long seen = -1;
	int i;

	for (i = 0; i < WAIT_MS / 20; i++) {
		seen = open_files(pid);
		if (seen == files)
			return true;
		poll(NULL, 0, 20);
	}
	printf("# %ld files are open, not %ld\n", seen, files);
	return false;
}

void test_bad_clients(void)
{
	long files;

	if (server_start(&s, CONFIG))
		bail("the server does not start:\n%s", s.log);
	files = open_files(s.pid);
	if (!client_join(&x, in_dir("g2.sock"), G2_VECTORS) ||
	    !client_join(&y, in_dir("g2.sock"), G2_VECTORS) ||
	    !client_sees_join(&x, G2_VECTORS))
		bail("cannot join");
	test_third();
	test_garbage();
	test_never_reads();
	test_half_handshake();
	test_killed();
	test_overtaken();
	test_slow_with_churn();
	test_flood();
	client_leave(&x);
	client_leave(&y);
	status_becomes(&s, "g2", "peers", 0);
	ok(open_files_become(s.pid, files), "no descriptor was lost in all that");
	ok(server_stop(&s) == 0, "the server ends cleanly");
}
