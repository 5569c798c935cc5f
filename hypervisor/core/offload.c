// SPDX-License-Identifier: GPL-2.0
/* What a peer leaves to us to do with a frame, see sluice/offload.h. Pure code. */
#include <sluice/offload.h>

/* Ethernet with two VLAN tags, IPv4 and TCP with all the options there can be */
#define HEADERS_MAX_BYTES	(14 + 2 * 4 + 60 + 60)

static const struct {
	u8 csum, tso4, tso6, ecn;
} feature[] = {
	[SLUICE_OFFLOAD_BY_GUEST] = { VIRTIO_NET_F_GUEST_CSUM, VIRTIO_NET_F_GUEST_TSO4,
				      VIRTIO_NET_F_GUEST_TSO6, VIRTIO_NET_F_GUEST_ECN },
	[SLUICE_OFFLOAD_BY_HOST] = { VIRTIO_NET_F_CSUM, VIRTIO_NET_F_HOST_TSO4,
				     VIRTIO_NET_F_HOST_TSO6, VIRTIO_NET_F_HOST_ECN },
};

static bool has(u64 features, u8 bit)
{
	return features >> bit & 1;
}

/**
 * sluice_offload_segments() - how much work a frame is, if it may be had at all
 * @hdr: what the peer says about it, in memory that is ours alone
 * @len_bytes: of the frame, without @hdr
 * @features: negotiated
 * @by: who we are
 *
 * What was not negotiated, and segments so small that a frame becomes a flood, are malformed
 * (VIRTIO 1.2, 5.1.6.2 and 5.1.6.4: such a header is not to be sent). Headers do not count, since
 * only the stack will know how long they are: as many bytes as they can have are free.
 *
 * Context: any.
 * Return: segments, 1 if there is nothing to be cut; 0 for a malformed header.
 */
u32 sluice_offload_segments(const struct virtio_net_hdr *hdr, u32 len_bytes, u64 features,
			    enum sluice_offload_by by)
{
	u32 size, segments;

	if (hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM && !has(features, feature[by].csum))
		return 0;
	switch (hdr->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_NONE:
		return hdr->gso_type == VIRTIO_NET_HDR_GSO_NONE;
	case VIRTIO_NET_HDR_GSO_TCPV4:
		if (!has(features, feature[by].tso4))
			return 0;
		break;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		if (!has(features, feature[by].tso6))
			return 0;
		break;
	default:
		return 0;
	}
	if (hdr->gso_type & VIRTIO_NET_HDR_GSO_ECN && !has(features, feature[by].ecn))
		return 0;
	if (!(hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
		return 0;

	size = le16_to_cpu((__force __le16)hdr->gso_size);
	if (!size)
		return 0;
	if (len_bytes <= HEADERS_MAX_BYTES)
		return 1;
	segments = DIV_ROUND_UP(len_bytes - HEADERS_MAX_BYTES, size);
	return segments <= SLUICE_OFFLOAD_SEGMENTS ? segments : 0;
}
