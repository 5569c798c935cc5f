// SPDX-License-Identifier: GPL-2.0
/*
 * IP fragments. The stack keeps one for up to 30 s (ipfrag_time) in the hope that
 * the others come, longer than a backend waits for a segment that it takes back. So
 * their pages must not be the region's: whoever loses a fragment of each datagram,
 * which is anybody on the wire, could keep all of it.
 */
#include <linux/if_vlan.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include "netdev.h"

#define FRAGMENT_VLANS	2

static bool fragment4(const struct sk_buff *skb, unsigned int off)
{
	const struct iphdr *iph;
	struct iphdr copy;

	iph = skb_header_pointer(skb, off, sizeof(copy), &copy);
	return iph && ip_is_fragment(iph);
}

static bool fragment6(const struct sk_buff *skb, unsigned int off)
{
	const struct ipv6hdr *ip6;
	struct ipv6hdr copy;
	__be16 frag_off = 0;
	u8 nexthdr;

	ip6 = skb_header_pointer(skb, off, sizeof(copy), &copy);
	if (!ip6)
		return false;
	nexthdr = ip6->nexthdr;
	if (!ipv6_ext_hdr(nexthdr))
		return false;
	ipv6_skip_exthdr(skb, off + sizeof(*ip6), &nexthdr, &frag_off);
	/* offset or "more": one that is whole by itself does not wait for others */
	return frag_off & htons(IP6_OFFSET | IP6_MF);
}

/**
 * sluice_rx_is_fragment() - will the stack keep this frame until others have come?
 * @skb: frame after eth_type_trans()
 *
 * What it reads from a shared page may change afterwards. That would cost the one who
 * changes it, the backend, the pages of that frame for a while.
 */
bool sluice_rx_is_fragment(const struct sk_buff *skb)
{
	const struct vlan_hdr *vlan;
	__be16 proto = skb->protocol;
	struct vlan_hdr copy;
	unsigned int off;

	for (off = 0; eth_type_vlan(proto) && off < FRAGMENT_VLANS * VLAN_HLEN; off += VLAN_HLEN) {
		vlan = skb_header_pointer(skb, off, sizeof(copy), &copy);
		if (!vlan)
			return false;
		proto = vlan->h_vlan_encapsulated_proto;
	}
	if (proto == htons(ETH_P_IP))
		return fragment4(skb, off);
	if (proto == htons(ETH_P_IPV6))
		return fragment6(skb, off);
	return false;
}
