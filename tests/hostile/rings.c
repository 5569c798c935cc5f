// SPDX-License-Identifier: GPL-2.0
/*
 * rings - plays a device, or a driver, that lies in the virtqueues of a guest, from outside
 *
 *	rings FILE INDEX MAX NUM loop		every descriptor is followed by itself, but for
 *						the newest, which the device may not have read
 *	rings FILE INDEX MAX NUM used ID LEN NR	finishes NR times: head ID with LEN bytes
 *	rings FILE INDEX MAX NUM jump BY	moves the used index
 *	rings FILE INDEX MAX NUM garbage MS SEED random words all over the ring
 *	rings FILE INDEX MAX NUM ahead BY		moves the index of what is available
 *	rings FILE INDEX MAX NUM chain HEAD FLAGS NEXT ADDR LEN NR
 *						makes one descriptor available, NR times
 *	rings FILE INDEX MAX NUM frame MAC ADDR NR
 *						the same with a datagram of MAC to all
 *	rings FILE INDEX MAX NUM flood MAC ADDR BYTES SIZE
 *						a TCP frame to be cut into segments of SIZE
 *
 * FILE is /proc/PID/fd/N of the region server, INDEX the virtqueue's number, MAX its
 * largest size, which says where it lies, NUM its size. ID may be "posted": the head that
 * the guest has made available last. The layout is that of frontend/vqs.c.
 */
#include <arpa/inet.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hostile.h"

#define AREA		0x4000
#define ALIGN_USED	64
#define PAGE		4096
#define FRAME		1400

/* As a frame lies in the region. */
struct packet {
	struct virtio_net_hdr_mrg_rxbuf net;
	struct ether_header eth;
	struct iphdr ip;
	union {
		struct udphdr udp;
		struct tcphdr tcp;
	};
} __attribute__((packed));

static struct vring ring;
static unsigned char *mem;
static uint64_t mem_bytes;
static unsigned char *start;
static size_t ring_bytes;

static void attach(const char *path, uint64_t index, uint64_t max, uint64_t num)
{
	uint64_t chunk, off;

	if (index > 15 || !num || num > max || max > 1024)
		errx(2, "no such ring");
	chunk = (vring_size(max, ALIGN_USED) + PAGE - 1) / PAGE * PAGE;
	off = AREA + index * chunk;
	ring_bytes = vring_size(num, ALIGN_USED);
	mem = map_file(path, &mem_bytes);
	if (off + ring_bytes > mem_bytes)
		errx(2, "outside of the memory");
	start = mem + off;
	vring_init(&ring, num, start, ALIGN_USED);
}

static void loop(void)
{
	uint16_t avail = *(volatile uint16_t *)&ring.avail->idx;
	unsigned char spare[1024] = { 0 };
	unsigned int i;

	for (i = 1; i <= ring.num / 4; i++)
		spare[ring.avail->ring[(uint16_t)(avail - i) % ring.num] % ring.num] = 1;
	for (i = 0; i < ring.num; i++) {
		if (spare[i])
			continue;
		*(volatile uint16_t *)&ring.desc[i].next = i;
		*(volatile uint16_t *)&ring.desc[i].flags |= VRING_DESC_F_NEXT;
	}
}

static void use(const char *text, uint32_t len, uint64_t nr)
{
	uint16_t avail = *(volatile uint16_t *)&ring.avail->idx;
	uint16_t used = *(volatile uint16_t *)&ring.used->idx;
	uint32_t id;

	if (!strcmp(text, "posted"))
		id = ring.avail->ring[(uint16_t)(avail - 1) % ring.num];
	else
		id = number(text);
	printf("avail %u, used %u, id %u\n", avail, used, id);
	while (nr--) {
		ring.used->ring[used % ring.num].id = id;
		ring.used->ring[used % ring.num].len = len;
		used++;
	}
	__atomic_store_n(&ring.used->idx, used, __ATOMIC_RELEASE);
}

static void offer(uint16_t head, uint64_t nr)
{
	uint16_t avail = *(volatile uint16_t *)&ring.avail->idx;

	while (nr--)
		ring.avail->ring[avail++ % ring.num] = head;
	__atomic_store_n(&ring.avail->idx, avail, __ATOMIC_RELEASE);
}

static void chain(uint64_t head, uint64_t flags, uint64_t next, uint64_t addr, uint64_t len,
		  uint64_t nr)
{
	struct vring_desc *desc = &ring.desc[head % ring.num];

	desc->addr = addr;
	desc->len = len;
	desc->flags = flags;
	desc->next = next;
	offer(head, nr);
}

static uint16_t checksum(const void *data, size_t bytes)
{
	const unsigned char *p = data;
	uint32_t sum = 0;
	size_t i;

	for (i = 0; i < bytes; i += 2)
		sum += p[i] << 8 | p[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons(~sum);
}

/* From MAC to all, between addresses that nobody has (RFC 5737), with @bytes behind Ethernet. */
static struct packet *packet(const char *mac, uint64_t addr, uint8_t proto, uint64_t bytes)
{
	struct packet *p = (void *)(mem + addr);
	unsigned int i;

	if (bytes < sizeof(p->ip) + sizeof(p->tcp) || bytes > IP_MAXPACKET ||
	    addr > mem_bytes || mem_bytes - addr < sizeof(*p) + bytes)
		errx(2, "outside of the memory, or no frame");
	memset(p, 0, sizeof(*p) + bytes);
	memset(p->eth.ether_dhost, 0xff, ETH_ALEN);
	for (i = 0; i < ETH_ALEN; i++)
		p->eth.ether_shost[i] = strtoul(mac + 3 * i, NULL, 16);
	p->eth.ether_type = htons(ETHERTYPE_IP);
	p->ip.version = 4;
	p->ip.ihl = sizeof(p->ip) / 4;
	p->ip.tot_len = htons(bytes);
	p->ip.ttl = 64;
	p->ip.protocol = proto;
	p->ip.saddr = inet_addr("192.0.2.1");
	p->ip.daddr = inet_addr("192.0.2.2");
	p->ip.check = checksum(&p->ip, sizeof(p->ip));
	return p;
}

/* Right in every respect: it is lent, and so in flight for a while. */
static void frame(const char *mac, uint64_t addr, uint64_t nr)
{
	struct packet *p = packet(mac, addr, IPPROTO_UDP, FRAME - sizeof(p->eth));

	p->udp.dest = htons(9);
	p->udp.len = htons(FRAME - sizeof(p->eth) - sizeof(p->ip));
	chain(ring.num - 1, 0, 0, addr, sizeof(p->net) + FRAME, nr);
}

static void flood(const char *mac, uint64_t addr, uint64_t bytes, uint64_t size)
{
	struct packet *p = packet(mac, addr, IPPROTO_TCP, bytes - sizeof(p->eth));

	p->tcp.dest = htons(9);
	p->tcp.doff = sizeof(p->tcp) / 4;
	p->tcp.ack = 1;
	p->net.hdr.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	p->net.hdr.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	p->net.hdr.hdr_len = sizeof(p->eth) + sizeof(p->ip) + sizeof(p->tcp);
	p->net.hdr.gso_size = size;
	p->net.hdr.csum_start = sizeof(p->eth) + sizeof(p->ip);
	p->net.hdr.csum_offset = offsetof(struct tcphdr, check);
	chain(ring.num - 1, 0, 0, addr, sizeof(p->net) + bytes, 1);
}

/* Small numbers get further than noise that fails the first check. */
static void garbage(uint64_t ms, unsigned int seed)
{
	uint64_t end = now_ms() + ms;
	unsigned int i;

	srandom(seed);
	do {
		for (i = 0; i < 20; i++) {
			size_t at = random() % (ring_bytes / 2) * 2;
			uint16_t val = random() % 4 ? random() % (2 * ring.num) : random();

			*(volatile uint16_t *)(start + at) = val;
		}
		usleep(1000);
	} while (now_ms() < end);
}

int main(int argc, char **argv)
{
	if (argc < 6)
		errx(2, "usage: FILE INDEX MAX NUM loop|used|jump|garbage|ahead|chain|frame|flood ...");
	attach(argv[1], number(argv[2]), number(argv[3]), number(argv[4]));
	if (!strcmp(argv[5], "loop") && argc == 6) {
		loop();
	} else if (!strcmp(argv[5], "used") && argc == 9) {
		use(argv[6], number(argv[7]), number(argv[8]));
	} else if (!strcmp(argv[5], "jump") && argc == 7) {
		ring.used->idx += number(argv[6]);
	} else if (!strcmp(argv[5], "garbage") && argc == 8) {
		garbage(number(argv[6]), number(argv[7]));
	} else if (!strcmp(argv[5], "ahead") && argc == 7) {
		ring.avail->idx += number(argv[6]);
	} else if (!strcmp(argv[5], "chain") && argc == 12) {
		chain(number(argv[6]), number(argv[7]), number(argv[8]), number(argv[9]),
		      number(argv[10]), number(argv[11]));
	} else if (!strcmp(argv[5], "frame") && argc == 9 && strlen(argv[6]) == 17) {
		frame(argv[6], number(argv[7]), number(argv[8]));
	} else if (!strcmp(argv[5], "flood") && argc == 10 && strlen(argv[6]) == 17) {
		flood(argv[6], number(argv[7]), number(argv[8]), number(argv[9]));
	} else {
		errx(2, "'%s' is not known like this", argv[5]);
	}
	return 0;
}
