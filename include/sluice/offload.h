/* SPDX-License-Identifier: GPL-2.0 */
/* What a peer may leave to us to do with a frame: checksum, segmentation. Pure code. */
#ifndef SLUICE_OFFLOAD_H
#define SLUICE_OFFLOAD_H

#include <sluice/os.h>

/*
 * Frames on the wire that one frame of the peer may become. TCP of a peer that keeps
 * to what its interface says (tso_max_segs) never asks for more.
 */
#define SLUICE_OFFLOAD_SEGMENTS	1024

/* Who is to do the work. */
enum sluice_offload_by {
	SLUICE_OFFLOAD_BY_GUEST,	/* VIRTIO_NET_F_GUEST_* */
	SLUICE_OFFLOAD_BY_HOST,		/* VIRTIO_NET_F_CSUM, VIRTIO_NET_F_HOST_* */
};

u32 sluice_offload_segments(const struct virtio_net_hdr *hdr, u32 len_bytes, u64 features,
			    enum sluice_offload_by by);

#endif /* SLUICE_OFFLOAD_H */
