// SPDX-License-Identifier: GPL-2.0
/*
 * udpcheck - numbered UDP datagrams whose every byte is known
 *
 *	udpcheck recv PORT SECONDS		until a last one comes, or so long
 *	udpcheck send ADDR PORT COUNT BYTES PER_SECOND
 *
 * recv prints "received N lost N wrong N twice N gap N ms late N", the longest time between
 * two of them and how often it was more than 50 ms, and fails unless all came, each once,
 * each byte as it was sent. A file over TCP would hide what TCP repaired.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define MAX_BYTES	65000
#define MAX_COUNT	10000000u
#define LAST_REPEATS	20
#define LATEST_US	50000
#define GAP_US		50000

struct head {
	uint32_t nr;		/* big endian, as all here */
	uint32_t count;
	uint32_t len_bytes;
};

static unsigned char buf[MAX_BYTES];
static unsigned char expected[MAX_BYTES];

static void die(const char *what)
{
	fprintf(stderr, "udpcheck: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* Bytes that depend on the number, so that an old or foreign one shows. */
static void fill(unsigned char *to, uint32_t nr, uint32_t count, uint32_t len)
{
	struct head h = { htonl(nr), htonl(count), htonl(len) };
	uint32_t x = nr * 2654435761u + 1;
	size_t i;

	for (i = 0; i < len; i++) {
		x = x * 1664525u + 1013904223u;
		to[i] = x >> 24;
	}
	memcpy(to, &h, sizeof(h));
}

static unsigned long now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000ul + now.tv_nsec / 1000;
}

static int receive(int port, int seconds)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct timeval quiet = { .tv_sec = 1 };
	unsigned long received = 0, wrong = 0, twice = 0;
	unsigned long at, last = 0, gap = 0, late = 0;
	int fd, off = 0, room = 8 << 20;
	time_t end = time(NULL) + seconds;
	uint32_t count = 0, nr, len;
	unsigned char *seen;
	struct head h;
	ssize_t n;

	seen = calloc(1, MAX_COUNT);
	fd = socket(AF_INET6, SOCK_DGRAM, 0);
	if (!seen || fd < 0 ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &quiet, sizeof(quiet)) ||
	    bind(fd, (void *)&any, sizeof(any)))
		die("socket");
	/* Losses in our own socket would tell nothing: root may ask for more. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));

	while (time(NULL) < end) {
		n = recv(fd, buf, sizeof(buf), 0);
		if (n < 0) {
			if (errno != EAGAIN && errno != EINTR)
				die("recv");
			continue;
		}
		if ((size_t)n < sizeof(h)) {
			wrong++;
			continue;
		}
		memcpy(&h, buf, sizeof(h));
		nr = ntohl(h.nr);
		len = ntohl(h.len_bytes);
		if (nr == UINT32_MAX) {	/* the sender's goodbye */
			count = ntohl(h.count);
			break;
		}
		fill(expected, nr, ntohl(h.count), n);
		if (len != n || nr >= MAX_COUNT || memcmp(buf, expected, n)) {
			wrong++;
			continue;
		}
		at = now_us();
		if (last && at - last > gap)
			gap = at - last;
		late += last && at - last > GAP_US;
		last = at;
		twice += seen[nr];
		received += !seen[nr];
		seen[nr] = 1;
	}
	if (!count) {
		printf("received %lu, and no end\n", received);
		return 1;
	}
	printf("received %lu lost %lu wrong %lu twice %lu gap %lu ms late %lu\n", received,
	       count - received, wrong, twice, gap / 1000, late);
	return received != count || wrong || twice;
}

static void send_one(int fd, size_t len)
{
	while (send(fd, buf, len, 0) < 0)
		if (errno != EINTR && errno != ENOBUFS && errno != ECONNREFUSED)
			die("send");
}

static int transmit(const char *addr, const char *port, uint32_t count,
		    uint32_t len, double rate)
{
	struct addrinfo hint = { .ai_socktype = SOCK_DGRAM }, *to;
	unsigned long due, now;
	uint32_t nr;
	int fd, i;

	if (getaddrinfo(addr, port, &hint, &to))
		die("address");
	fd = socket(to->ai_family, SOCK_DGRAM, 0);
	if (fd < 0 || connect(fd, to->ai_addr, to->ai_addrlen))
		die("connect");
	due = now_us();
	for (nr = 0; nr < count; nr++) {
		while ((now = now_us()) < due)
			usleep(due - now);
		/* What a machine that stood still has missed is not sent at once. */
		if (now - due > LATEST_US)
			due = now;
		due += 1e6 / rate;
		fill(buf, nr, count, len);
		send_one(fd, len);
	}
	/* The goodbye may be lost like any other, and must not overtake. */
	for (i = 0; i < LAST_REPEATS; i++) {
		usleep(100000);
		fill(buf, UINT32_MAX, count, sizeof(struct head));
		send_one(fd, sizeof(struct head));
	}
	return 0;
}

int main(int argc, char **argv)
{
	uint32_t count, len;
	double rate;

	if (argc == 4 && !strcmp(argv[1], "recv"))
		return receive(atoi(argv[2]), atoi(argv[3]));
	if (argc == 7 && !strcmp(argv[1], "send")) {
		count = strtoul(argv[4], NULL, 10);
		len = strtoul(argv[5], NULL, 10);
		rate = strtod(argv[6], NULL);
		if (count && count <= MAX_COUNT && rate > 0 && len <= MAX_BYTES &&
		    len >= sizeof(struct head))
			return transmit(argv[2], argv[3], count, len, rate);
	}
	fprintf(stderr, "usage: udpcheck recv PORT SECONDS\n"
		"       udpcheck send ADDR PORT COUNT BYTES PER_SECOND\n");
	return 2;
}
