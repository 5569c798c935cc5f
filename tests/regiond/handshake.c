// SPDX-License-Identifier: GPL-2.0
/* What a client gets when it connects, and what the other one hears of it. */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

#define CONFIG "{ \"destinations\": [ { \"name\": \"g1\"," \
	" \"socket\": \"@/g1.sock\", \"window\": \"16M\", \"pairs\": 2," \
	" \"quota\": \"8M\", \"mac\": \"02:00:00:00:00:0a\" } ] }"
#define VECTORS 3

static bool host_page_good(struct client *c)
{
	static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 10 };
	struct sluice_shm_host *h = client_host(c);

	return le32toh(h->magic) == SLUICE_SHM_HOST_MAGIC &&
		le16toh(h->version) == SLUICE_SHM_HOST_VERSION &&
		le16toh(h->max_pairs) == 2 &&
		!strcmp((char *)h->name, "g1") &&
		!memcmp(h->mac, mac, 6) &&
		le64toh(h->quota_bytes) == 8 << 20 &&
		le32toh(h->doorbell) == SERVER_PEER;
}

static uint32_t host_peers(struct client *c)
{
	return le32toh(client_host(c)->peers);
}

static void test_memory(struct client *a)
{
	int seals = fcntl(a->memfd, F_GET_SEALS);

	ok(a->bytes == 16 << 20, "the memory has the window's size");
	ok(seals == (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL),
	   "the memory is sealed against another size and other seals");
	ok(ftruncate(a->memfd, 4096) && errno == EPERM,
	   "a client cannot shrink it");
	ok(ftruncate(a->memfd, 1 << 30) && errno == EPERM,
	   "a client cannot make it larger");
	ok(fcntl(a->memfd, F_ADD_SEALS, F_SEAL_WRITE) && errno == EPERM,
	   "a client cannot seal it against writing");
	ok(host_page_good(a), "the host page holds what is configured");
	ok(!le32toh(client_host(a)->done_seq), "no request is answered yet");
}

void test_handshake(void)
{
	struct client a, b, c;
	struct server s;
	struct stat st;
	int64_t old;

	if (server_start(&s, CONFIG))
		bail("the server does not start:\n%s", s.log);
	ok(!stat(in_dir("g1.sock"), &st) && (st.st_mode & 0777) == 0600,
	   "only its owner can connect to the socket");

	ok(client_join(&a, in_dir("g1.sock"), VECTORS),
	   "first client gets a whole handshake");
	ok(a.order_ok && a.server_ring >= 0 && a.other_id == -1,
	   "it knows the server as a peer and nobody else");
	ok(host_peers(&a) == 1, "the host page says that it is alone");
	test_memory(&a);

	ok(client_join(&b, in_dir("g1.sock"), VECTORS),
	   "second client gets a whole handshake");
	ok(b.order_ok && b.other_id == a.id && b.nr_other == VECTORS &&
	   b.id != a.id && b.id != SERVER_PEER,
	   "it is told of the first before its own vectors");
	ok(client_sees_join(&a, VECTORS) && a.other_id == b.id,
	   "the first is told of the second");
	ok(host_peers(&b) == 2, "the host page says that there are two");

	strcpy((char *)a.map + (4 << 20), "hello");
	ok(!strcmp((char *)b.map + (4 << 20), "hello"),
	   "both see the same memory");
	ok(write(a.other[1], &(uint64_t){ 1 }, 8) == 8 &&
	   client_rang(b.own[1]), "the first rings the second");
	ok(write(b.other[2], &(uint64_t){ 1 }, 8) == 8 &&
	   client_rang(a.own[2]), "the second rings the first");

	old = b.id;
	client_leave(&b);
	ok(client_sees_leave(&a, old), "the first hears that the second left");
	ok(host_peers(&a) == 1, "and reads that it is alone again");
	ok(client_join(&c, in_dir("g1.sock"), VECTORS) &&
	   c.id != old && c.other_id == a.id,
	   "who comes next gets a fresh id");
	ok(client_sees_join(&a, VECTORS), "and is introduced");
	ok(!strcmp((char *)c.map + (4 << 20), "hello"),
	   "the memory stays while one of the pair stays");

	client_leave(&a);
	client_leave(&c);
	ok(status_becomes(&s, "g1", "peers", 0), "both have left");
	ok(client_join(&a, in_dir("g1.sock"), VECTORS) &&
	   !a.map[4 << 20] && host_page_good(&a),
	   "the next pair gets new memory, zeroed");
	client_leave(&a);

	ok(server_stop(&s) == 0, "the server ends cleanly");
	ok(stat(in_dir("g1.sock"), &st) && stat(s.ctl, &st),
	   "and removes its sockets");
}
