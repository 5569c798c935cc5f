/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SLUICE_FRONT_XDP_H
#define SLUICE_FRONT_XDP_H

#include <linux/bpf.h>
#include <linux/if_vlan.h>
#include "netdev.h"

/* What XDP can't live with: frames of several buffers, checksums left open. */
#define SLUICE_XDP_FEATURES_OFF	(BIT_ULL(VIRTIO_NET_F_GUEST_CSUM) | \
				 BIT_ULL(VIRTIO_NET_F_GUEST_TSO4) | \
				 BIT_ULL(VIRTIO_NET_F_GUEST_TSO6) | \
				 BIT_ULL(VIRTIO_NET_F_GUEST_ECN))

/* Where in a page a buffer starts with XDP attached, and its length. */
#define SLUICE_XDP_RX_OFF	XDP_PACKET_HEADROOM
#define SLUICE_XDP_RX_BYTES	((unsigned int)SKB_WITH_OVERHEAD(PAGE_SIZE) - SLUICE_XDP_RX_OFF)
#define SLUICE_XDP_MAX_MTU	3400	/* checked against the above at build time */

/* Run the program on a received frame. True: pass it up, @frame, @region, @off and @len are
 * adjusted; false: the page is taken care of.
 */
bool sluice_xdp_run(struct sluice_rxq *q, struct bpf_prog *prog, struct page **frame,
		    bool *region, unsigned int *off, unsigned int *len, unsigned int *flush);
/* End of a poll that set bits in @flush. */
void sluice_xdp_flush(struct sluice_rxq *q, unsigned int flush);
int sluice_xdp_xmit(struct net_device *dev, int nr, struct xdp_frame **frames, u32 flags);
int sluice_xdp_bpf(struct net_device *dev, struct netdev_bpf *bpf);

#endif /* SLUICE_FRONT_XDP_H */
