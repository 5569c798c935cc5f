// SPDX-License-Identifier: GPL-2.0
/*
 * poke - writes into a destination's shared memory, from outside of its VMs
 *
 *	poke FILE set OFFSET BYTES VALUE MS		little endian, again and again for MS
 *	poke FILE count OFFSET BYTES VALUE MS		the same, one more each time
 *	poke FILE add OFFSET BYTES VALUE
 *	poke FILE get OFFSET BYTES
 *	poke FILE fill OFFSET BYTES SEED MS		random bytes, all over and other ones each time
 *	poke FILE flip OFFSET BYTES SEED MS PER_MS	random words at random places
 *	poke FILE flood OFFSET BYTES PROD MS		a ring full of PINGs each ms
 *	poke FILE message OFFSET BYTES PROD ID A B	one more, with two words
 *	poke FILE waver OFFSET BYTES A B MS		wherever there is A or B, big endian words, it
 *							becomes the other one, and so on
 *
 * FILE is /proc/PID/fd/N of the region server. OFFSET and BYTES as C writes numbers.
 * Every value depends on the seed only, so a failure can be played again.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hostile.h"

static volatile unsigned char *mem;
static uint64_t mem_bytes;
static uint64_t state;

static uint64_t random64(void)
{
	state += 0x9e3779b97f4a7c15ull;		/* splitmix64 */
	uint64_t z = state;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

/* The word is written in one piece, as a peer would: the victim may be reading it. */
static void store(uint64_t at, uint64_t bytes, uint64_t val)
{
	if (at % bytes)
		errx(2, "%#jx is not aligned", (uintmax_t)at);
	switch (bytes) {
	case 1:
		*(volatile uint8_t *)(mem + at) = val;
		break;
	case 2:
		*(volatile uint16_t *)(mem + at) = val;
		break;
	case 4:
		*(volatile uint32_t *)(mem + at) = val;
		break;
	case 8:
		*(volatile uint64_t *)(mem + at) = val;
		break;
	default:
		errx(2, "words have 1, 2, 4 or 8 bytes");
	}
}

static uint64_t load(uint64_t at, uint64_t bytes)
{
	uint64_t val = 0;

	while (bytes--)
		val = val << 8 | mem[at + bytes];
	return val;
}

static void hold(uint64_t at, uint64_t bytes, uint64_t val, uint64_t step, uint64_t ms)
{
	uint64_t end = now_ms() + ms;

	do {
		store(at, bytes, val);
		val += step;
		usleep(200);
	} while (now_ms() < end);
}

/* Small numbers and powers of two get further than noise that fails the first check. */
static uint32_t nasty(void)
{
	uint64_t r = random64();

	switch (r >> 60) {
	case 0 ... 3:
		return r & 0xff;
	case 4 ... 6:
		return 1u << (r & 31);
	case 7:
		return UINT32_MAX - (r & 0xff);
	case 8 ... 10:
		return (r & 0x3ff) << 16 | (r >> 16 & 0x3ff);
	default:
		return r;
	}
}

static void flip(uint64_t off, uint64_t bytes, uint64_t ms, uint64_t per_ms)
{
	uint64_t end = now_ms() + ms, i;

	do {
		for (i = 0; i < per_ms; i++)
			store(off + random64() % (bytes / 4) * 4, 4, nasty());
		usleep(1000);
	} while (now_ms() < end);
}

static void fill(uint64_t off, uint64_t bytes, uint64_t ms)
{
	uint64_t end = now_ms() + ms, i;

	do {
		for (i = 0; i < bytes; i += 8)
			store(off + i, 8, random64());
		usleep(1000);
	} while (now_ms() < end);
}

/* struct sluice_msg: a request without payload */
static void compose(uint64_t at, uint8_t id, uint16_t token)
{
	memset((void *)(mem + at), 0, 64);
	mem[at + 1] = id;
	store(at + 4, 2, token);
	store(at + 6, 2, 64);		/* length */
}

static void message(uint64_t off, uint64_t bytes, uint64_t prod, uint64_t id, const uint32_t *word)
{
	uint64_t nr = load(prod, 4);
	uint64_t at = off + nr % (bytes / 64) * 64;

	compose(at, id, 0);
	store(at + 16, 4, word[0]);
	store(at + 20, 4, word[1]);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	store(prod, 4, nr + 1);
}

/* Every message is right, and as many are said to be there as the ring has. */
static void flood(uint64_t off, uint64_t bytes, uint64_t prod, uint64_t ms)
{
	uint64_t end = now_ms() + ms, i;

	for (i = 0; i < bytes; i += 64)
		compose(off + i, 0x83, i / 64);		/* SLUICE_MSG_PING */
	do {
		store(prod, 4, load(prod, 4) + bytes / 64 - 1);
		usleep(1000);
	} while (now_ms() < end);
}

/* As a header has it, behind 14 bytes of Ethernet. */
typedef uint32_t __attribute__((aligned(2))) net_word;

static void waver(uint64_t off, uint64_t bytes, net_word a, net_word b, uint64_t ms)
{
	uint64_t end = now_ms() + ms, now, next_look = 0, nr = 0, at, i;
	volatile net_word *place[16384], *p;

	while ((now = now_ms()) < end) {
		if (now >= next_look) {
			for (nr = 0, at = off; at + 4 <= off + bytes && nr < 16384; at += 2) {
				p = (volatile net_word *)(mem + at);
				if (*p == a || *p == b)
					place[nr++] = p;
			}
			next_look = now_ms() + 20;
		}
		for (i = 0; i < nr; i++) {
			if (*place[i] == a)
				*place[i] = b;
			else if (*place[i] == b)
				*place[i] = a;
		}
	}
}

static void usage(void)
{
	fprintf(stderr, "usage: poke FILE set OFFSET BYTES VALUE MS | count OFFSET BYTES VALUE MS |\n"
		"       add OFFSET BYTES VALUE | get OFFSET BYTES | fill OFFSET BYTES SEED MS |\n"
		"       flip OFFSET BYTES SEED MS PER_MS | flood OFFSET BYTES PROD MS |\n"
		"       message OFFSET BYTES PROD ID A B | waver OFFSET BYTES A B MS\n");
	exit(2);
}

int main(int argc, char **argv)
{
	uint64_t off, bytes;
	const char *what;

	if (argc < 5)
		usage();
	what = argv[2];
	off = number(argv[3]);
	bytes = number(argv[4]);

	mem = map_file(argv[1], &mem_bytes);
	if (!bytes || off > mem_bytes || bytes > mem_bytes - off)
		errx(2, "outside of the memory");

	if (!strcmp(what, "set") && argc == 7) {
		hold(off, bytes, number(argv[5]), 0, number(argv[6]));
	} else if (!strcmp(what, "count") && argc == 7) {
		hold(off, bytes, number(argv[5]), 1, number(argv[6]));
	} else if (!strcmp(what, "add") && argc == 6) {
		store(off, bytes, load(off, bytes) + number(argv[5]));
	} else if (!strcmp(what, "get") && argc == 5) {
		printf("%ju\n", (uintmax_t)load(off, bytes));
	} else if (!strcmp(what, "fill") && argc == 7 && bytes % 8 == 0) {
		state = number(argv[5]);
		fill(off, bytes, number(argv[6]));
	} else if (!strcmp(what, "flip") && argc == 8 && bytes >= 4 && off % 4 == 0) {
		state = number(argv[5]);
		flip(off, bytes, number(argv[6]), number(argv[7]));
	} else if (!strcmp(what, "flood") && argc == 7 && bytes % 64 == 0) {
		flood(off, bytes, number(argv[5]), number(argv[6]));
	} else if (!strcmp(what, "message") && argc == 9 && bytes % 64 == 0) {
		uint32_t word[] = { number(argv[7]), number(argv[8]) };

		message(off, bytes, number(argv[5]), number(argv[6]), word);
	} else if (!strcmp(what, "waver") && argc == 8 && off % 2 == 0) {
		waver(off, bytes, htonl(number(argv[5])), htonl(number(argv[6])),
		      number(argv[7]));
	} else {
		usage();
	}
	return 0;
}
