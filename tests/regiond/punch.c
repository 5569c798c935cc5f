// SPDX-License-Identifier: GPL-2.0
/* Memory goes back to the host when the backend asks, and only then. */
#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

#define CONFIG "{ \"destinations\": [" \
	" { \"name\": \"g1\", \"socket\": \"@/g1.sock\", \"window\": \"16M\" }," \
	" { \"name\": \"g2\", \"socket\": \"@/g2.sock\", \"window\": \"16M\"," \
	"   \"control\": \"4M\" } ] }"
#define VECTORS		2
#define SLOT		((uint64_t)SLUICE_SHM_SEGMENT_BYTES)
#define NR_SLOTS	8

static uint64_t used(struct client *c)
{
	struct stat st;

	fstat(c->memfd, &st);
	return st.st_blocks * 512ull;
}

/* As the backend does it; the answer's status, or -1 if there is none */
static int request(struct client *c, uint32_t op, uint32_t first,
		   uint32_t count)
{
	struct sluice_shm_host *shared = client_host(c);
	uint32_t seq = le32toh(shared->req_seq) + 1;
	uint64_t one = 1;

	shared->req_op = htole32(op);
	shared->req_first = htole32(first);
	shared->req_count = htole32(count);
	__atomic_store_n(&shared->req_seq, htole32(seq), __ATOMIC_RELEASE);
	if (write(c->server_ring, &one, sizeof(one)) != sizeof(one))
		return -1;
	if (!client_rang(c->own[0]))
		return -1;
	if (le32toh(__atomic_load_n(&shared->done_seq,
				    __ATOMIC_ACQUIRE)) != seq)
		return -1;
	return le32toh(shared->done_status);
}

static bool slot_is(struct client *c, unsigned int slot, uint8_t value)
{
	uint64_t i;

	for (i = 0; i < SLOT; i++)
		if (c->map[slot * SLOT + i] != value)
			return false;
	return true;
}

static void fill(struct client *c)
{
	memset(c->map + SLOT, 0xa5, c->bytes - SLOT);
}

static void test_refusals(struct client *a)
{
	static const struct {
		uint32_t op, first, count;
		int status;
		const char *what;
	} bad[] = {
		{ 1, 0, 1, EPERM, "the control segment" },
		{ 1, 0, NR_SLOTS, EPERM, "the whole window" },
		{ 1, 1, 0, EINVAL, "nothing" },
		{ 1, 1, NR_SLOTS, ERANGE, "one slot too many" },
		{ 1, NR_SLOTS, 1, ERANGE, "a slot behind the window" },
		{ 1, 0xffffffff, 1, ERANGE, "the last slot there could be" },
		{ 1, 2, 0xffffffff, ERANGE, "a count that wraps round" },
		{ 1, 0x80000000, 0x80000001, ERANGE, "a sum that wraps round" },
		{ 0, 1, 1, EOPNOTSUPP, "no operation" },
		{ 77, 1, 1, EOPNOTSUPP, "an unknown operation" },
	};
	uint64_t before = used(a);
	unsigned int i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ok(request(a, bad[i].op, bad[i].first, bad[i].count) ==
		   bad[i].status && used(a) == before,
		   "refused and nothing lost: %s", bad[i].what);
}

static bool page_comes_back(struct client *c)
{
	struct sluice_shm_host *shared = client_host(c);
	unsigned int ms;

	/* written last, and read with acquire: the rest is there then */
	for (ms = 0; ms < WAIT_MS; ms++) {
		if (le32toh(__atomic_load_n(&shared->magic, __ATOMIC_ACQUIRE)) ==
		    SLUICE_SHM_HOST_MAGIC)
			return !strcmp((char *)shared->name, "g1") &&
			       shared->quota_bytes != UINT64_MAX;
		usleep(1000);
	}
	return false;
}

/* Lies in the half of the page that is the server's change nothing for it. */
static void test_scribbled_page(struct client *a)
{
	struct sluice_shm_host *shared = client_host(a);
	struct client b;

	memset(shared, 0xff, offsetof(struct sluice_shm_host, req_seq));
	ok(request(a, 1, 1, NR_SLOTS) == ERANGE &&
	   request(a, 1, 0, 1) == EPERM,
	   "a scribbled host page does not widen the bounds");
	ok(page_comes_back(a), "the server says its page again by itself");
	memset(shared, 0xff, offsetof(struct sluice_shm_host, req_seq));
	ok(client_join(&b, in_dir("g1.sock"), VECTORS) &&
	   le32toh(client_host(&b)->magic) == SLUICE_SHM_HOST_MAGIC &&
	   !strcmp((char *)client_host(&b)->name, "g1"),
	   "who joins finds the host page as it should be");
	client_sees_join(a, VECTORS);

	/* the header's idea of the control segment does not count either */
	memset(a->map, 0, 128);
	ok(request(&b, 1, 0, 1) == EPERM,
	   "the control segment is the operator's, not the header's");
	ok(request(&b, 1, 1, 1) == 0 && client_is_silent(a),
	   "who asks is who gets rung");
	client_leave(&b);
	client_sees_leave(a, b.id);
}

/*
 * The server is told that there is a count to read, and finds it gone: with
 * O_NONBLOCK cleared by the client a plain read would sleep for ever.
 */
static void test_stolen_count(struct server *s, struct client *a)
{
	uint64_t count = 1;
	struct iovec iov = { .iov_base = &count, .iov_len = sizeof(count) };
	unsigned int i;
	pid_t thief;

	fcntl(a->server_ring, F_SETFL, 0);
	thief = fork();
	if (!thief)
		for (;;)
			preadv2(a->server_ring, &iov, 1, -1, RWF_NOWAIT);
	/* slowly: the next count would wake a server that sleeps on this one */
	for (i = 0; i < 500; i++)
		if (write(a->server_ring, &count, sizeof(count)) < 0 ||
		    poll(NULL, 0, 2) || status_number(s, "g1", "peers") != 1)
			break;
	kill(thief, SIGKILL);
	waitpid(thief, NULL, 0);
	ok(i == 500 && status_number(s, "g1", "peers") == 1 &&
	   request(a, 1, 1, 1) == 0, "stolen counts disturb nobody");
}

static int idle;	/* threads of a server that does nothing */

static int nr_threads(struct server *s)
{
	char path[64];
	struct dirent *e;
	int n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)s->pid);
	d = opendir(path);
	if (!d)
		bail("no %s", path);
	while ((e = readdir(d)))
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static bool threads_become(struct server *s, int n)
{
	int i;

	/* each turn waits for an answer of the server */
	for (i = 0; i < 20000; i++) {
		if (nr_threads(s) == n)
			return true;
		if (status_number(s, "g2", "window") < 0)
			return false;
	}
	return false;
}

/*
 * A client shares the flags of its descriptors with the server and can fill a
 * counter: whoever writes to it then sleeps until the client likes.
 */
static void block_doorbell(struct server *s, struct client *c)
{
	uint64_t full = 0xfffffffffffffffeull;
	struct pollfd pfd = { .fd = c->own[0], .events = POLLOUT };

	/* the thread of an earlier request is not the one to be seen below */
	threads_become(s, idle);
	fcntl(c->own[0], F_SETFL, 0);
	if (poll(&pfd, 1, 0) != 1 || (pfd.events = POLLIN, poll(&pfd, 1, 0)))
		bail("a doorbell rings that should not");
	pfd.events = POLLOUT;
	fcntl(c->server_ring, F_SETFL, 0);
	ok(write(c->own[0], &full, sizeof(full)) == sizeof(full) &&
	   poll(&pfd, 1, 0) == 0, "a client blocks its own doorbell");
	client_host(c)->req_seq = htole32(le32toh(client_host(c)->req_seq) + 1);
	ok(write(c->server_ring, &(uint64_t){ 1 }, 8) == 8 &&
	   threads_become(s, idle + 1), "and makes a request: one thread hangs");
}

static void test_blocking_doorbell(struct server *s, struct client *a)
{
	struct client b, c;

	/* now, as a sanitizer may add one when the first thread is made */
	idle = nr_threads(s);
	block_doorbell(s, a);
	client_host(a)->req_seq = htole32(0x2000);
	ok(write(a->server_ring, &(uint64_t){ 1 }, 8) == 8 &&
	   client_join(&b, in_dir("g2.sock"), VECTORS),
	   "it makes another one; the server still answers others");
	memset(b.map + 2 * SLOT, 1, SLOT);
	ok(request(&b, 1, 2, 1) == 0 && threads_become(s, idle + 1),
	   "another destination is still served, and no second thread hangs");
	client_leave(&b);
	ok(client_rang(a->own[0]) && status_becomes(s, "g1", "punches", 7) &&
	   client_rang(a->own[0]) && threads_become(s, idle),
	   "when it reads its counter all goes on");

	if (!client_join(&c, in_dir("g1.sock"), VECTORS) ||
	    !client_sees_join(a, VECTORS))
		bail("cannot join");
	block_doorbell(s, a);
	client_leave(a);
	ok(client_sees_leave(&c, a->id) && threads_become(s, idle) &&
	   request(&c, 1, 1, 1) == 0,
	   "if it leaves instead its peer is served again");
	block_doorbell(s, &c);
	client_leave(&c);
	ok(threads_become(s, idle), "if nobody stays the thread ends as well");
}

/* The server takes the rings in bulk and stays awake for others. */
static void test_ring_storm(struct server *s, struct client *a)
{
	uint64_t one = 1;
	unsigned int i;

	for (i = 0; i < 20000; i++)
		if (write(a->server_ring, &one, sizeof(one)) != sizeof(one))
			break;
	ok(i == 20000 && status_becomes(s, "g1", "peers", 1) &&
	   request(a, 1, 1, 1) == 0, "20000 rings disturb nobody");
}

void test_punch(void)
{
	struct client a, b;
	struct server s;
	uint64_t before;

	if (server_start(&s, CONFIG))
		bail("the server does not start:\n%s", s.log);
	if (!client_join(&a, in_dir("g1.sock"), VECTORS))
		bail("cannot join");

	ok(used(&a) < SLOT, "an untouched window takes next to no memory");
	fill(&a);
	before = used(&a);
	ok(before >= 7 * SLOT, "a written window takes its size");
	ok(request(&a, 1, 3, 2) == 0, "a request for two slots is answered");
	ok(used(&a) == before - 2 * SLOT, "the host has the memory back");
	ok(slot_is(&a, 2, 0xa5) && slot_is(&a, 5, 0xa5),
	   "the slots beside them keep their contents");
	ok(slot_is(&a, 3, 0) && slot_is(&a, 4, 0), "the two read as zero");
	fill(&a);
	test_refusals(&a);
	ok(request(&a, 1, 1, NR_SLOTS - 1) == 0 && used(&a) < SLOT,
	   "all data slots at once");
	ok(status_becomes(&s, "g1", "punches", 2) &&
	   status_number(&s, "g1", "punched") == (long)(9 * SLOT) &&
	   status_number(&s, "g1", "punch_errors") == 10,
	   "the status counts all of that");
	ok(status_number(&s, "g1", "used") == (long)used(&a),
	   "the status tells the memory in use");

	test_scribbled_page(&a);
	test_ring_storm(&s, &a);
	test_stolen_count(&s, &a);
	/* the last one is counted: its thread has ended */
	ok(status_becomes(&s, "g1", "punches", 5), "all requests have ended");
	test_blocking_doorbell(&s, &a);

	if (!client_join(&b, in_dir("g2.sock"), VECTORS))
		bail("cannot join");
	ok(request(&b, 1, 1, 1) == EPERM && request(&b, 1, 2, 1) == 0,
	   "a longer control segment is kept whole");
	client_leave(&b);
	ok(server_stop(&s) == 0, "the server ends cleanly");
}
