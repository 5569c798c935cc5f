// SPDX-License-Identifier: GPL-2.0
/*
 * Programs for xdp.sh, one for each answer, and one that filters, for tests/hostile. They look at
 * ICMP, and UDP, over IPv4 without options only.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>

/* linux/icmp.h and linux/in.h want headers of a C library */
#define ICMP_PROTOCOL	1
#define ICMP_REPLY	0
#define ICMP_REQUEST	8
#define UDP_PROTOCOL	17
#define UDP_REFUSED	7777

#define SEC(name)	__attribute__((section(name), used))
#define swap_bytes(x)	__builtin_bswap16(x)

static long (*bpf_redirect)(__u32 ifindex, __u64 flags) = (void *)BPF_FUNC_redirect;

struct echo {
	struct ethhdr eth;
	struct iphdr ip;
	__u8 type;
	__u8 code;
	__u16 sum;
	__u16 id;
	__u16 sequence;
	__u8 payload[48];
} __attribute__((packed));

/* The echo request in this frame, or NULL. */
static __attribute__((always_inline)) struct echo *request_of(struct xdp_md *ctx)
{
	struct echo *echo = (void *)(long)ctx->data;

	if ((void *)(echo + 1) > (void *)(long)ctx->data_end)
		return 0;
	if (echo->eth.h_proto != swap_bytes(ETH_P_IP) || echo->ip.ihl != 5 ||
	    echo->ip.protocol != ICMP_PROTOCOL || echo->type != ICMP_REQUEST)
		return 0;
	return echo;
}

SEC("xdp/pass") int pass(struct xdp_md *ctx)
{
	return XDP_PASS;
}

SEC("xdp/drop") int drop(struct xdp_md *ctx)
{
	return request_of(ctx) ? XDP_DROP : XDP_PASS;
}

/* Answers in the kernel's place, in the page where the request lies. */
SEC("xdp/tx") int tx(struct xdp_md *ctx)
{
	struct echo *echo = request_of(ctx);
	unsigned char mac[ETH_ALEN];
	__u32 addr, sum;

	if (!echo)
		return XDP_PASS;
	__builtin_memcpy(mac, echo->eth.h_dest, ETH_ALEN);
	__builtin_memcpy(echo->eth.h_dest, echo->eth.h_source, ETH_ALEN);
	__builtin_memcpy(echo->eth.h_source, mac, ETH_ALEN);
	addr = echo->ip.daddr;
	echo->ip.daddr = echo->ip.saddr;
	echo->ip.saddr = addr;
	echo->type = ICMP_REPLY;
	/* the sum of a header whose first byte has become less by 8 */
	sum = swap_bytes(echo->sum) + (ICMP_REQUEST << 8);
	echo->sum = swap_bytes((sum & 0xffff) + (sum >> 16));
	return XDP_TX;
}

/* The payload is filled with the number of the interface to go to. */
SEC("xdp/redirect") int redirect(struct xdp_md *ctx)
{
	struct echo *echo = request_of(ctx);

	return echo ? bpf_redirect(echo->payload[sizeof(echo->payload) - 1], 0) : XDP_PASS;
}

SEC("xdp/port") int port(struct xdp_md *ctx)
{
	struct {
		struct ethhdr eth;
		struct iphdr ip;
		__u16 source;
		__u16 dest;
	} __attribute__((packed)) *udp = (void *)(long)ctx->data;

	if ((void *)(udp + 1) > (void *)(long)ctx->data_end)
		return XDP_PASS;
	if (udp->eth.h_proto != swap_bytes(ETH_P_IP) || udp->ip.ihl != 5 ||
	    udp->ip.protocol != UDP_PROTOCOL)
		return XDP_PASS;
	return udp->dest == swap_bytes(UDP_REFUSED) ? XDP_DROP : XDP_PASS;
}

char _license[] SEC("license") = "GPL";
