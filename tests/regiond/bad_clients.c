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
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "test.h"

#define CONFIG "{ \"stuck_seconds\": 1, \"destinations\": [" \
	" { \"name\": \"g1\", \"socket\": \"@/g1.sock\", \"window\": \"4M\"," \
	"   \"pairs\": 8 }," \
	" { \"name\": \"g2\", \"socket\": \"@/g2.sock\", \"window\": \"4M\" } ] }"
#define LINGER_S	40
/* of listener.c: connections that it takes, be it to refuse them */
#define AT_ONCE		16
#define ONE_PER_MS	50
#define RATE_MS		2000
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

	if (!client_join(&a, in_dir("g1.sock"), G1_VECTORS))
		bail("cannot join");
	ok(send(a.sock, "junk", 4, MSG_NOSIGNAL) < 0 && errno == EPIPE,
	   "a client cannot send");
	client_leave(&a);
	status_becomes(&s, "g1", "peers", 0);
	g2_undisturbed("garbage");
}

/* A socket whose last close() takes LINGER_S: its other end reads nothing. */
static int lingering(int *other)
{
	struct linger linger = { .l_onoff = 1, .l_linger = LINGER_S };
	struct sockaddr_in addr = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	static char junk[1 << 16];
	socklen_t len = sizeof(addr);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(listener, (struct sockaddr *)&addr, len) ||
	    getsockname(listener, (struct sockaddr *)&addr, &len) ||
	    listen(listener, 1) ||
	    connect(fd, (struct sockaddr *)&addr, len) ||
	    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)))
		bail("no TCP over loopback: %s", strerror(errno));
	*other = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	close(listener);
	while (send(fd, junk, sizeof(junk), MSG_DONTWAIT) > 0)
		;
	return fd;
}

static bool send_fd(int sock, int fd)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov = { .iov_base = "x", .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	return sendmsg(sock, &msg, MSG_NOSIGNAL) == 1;
}

static void test_slow_to_close(void)
{
	long before = status_number(&s, "g1", "refused");
	struct timespec from, to;
	struct client a;
	int sock, fd, other;
	bool sent;

	fd = lingering(&other);
	/* so that it is there before the server looks */
	kill(s.pid, SIGSTOP);
	sock = dial(in_dir("g1.sock"));
	sent = send_fd(sock, fd);
	close(fd);
	clock_gettime(CLOCK_MONOTONIC, &from);
	kill(s.pid, SIGCONT);
	ok(sent && status_becomes(&s, "g1", "refused", before + 1) &&
	   client_join(&a, in_dir("g1.sock"), G1_VECTORS),
	   "who has sent what takes long to close is refused");
	client_leave(&a);
	status_becomes(&s, "g1", "peers", 0);
	g2_undisturbed("what takes long to close");
	clock_gettime(CLOCK_MONOTONIC, &to);
	ok(to.tv_sec - from.tv_sec < LINGER_S / 2, "and nobody waits for it");
	close(sock);
	close(other);
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
	long refused, most;
	unsigned int i;
	bool good = true;
	uint64_t from;

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
	from = now_ms();
	refused = status_number(&s, "g1", "refused");
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
	/* so long that all that may come at once are few among them */
	while (now_ms() - from < RATE_MS)
		usleep(10000);
	refused = status_number(&s, "g1", "refused") - refused;
	most = AT_ONCE + (now_ms() - from) / ONE_PER_MS + 1;
	ok(refused <= most, "g1 has refused %ld of them, at most %ld", refused,
	   most);
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
	test_slow_to_close();
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
