// SPDX-License-Identifier: GPL-2.0
/*
 * ethtool -i -g -G -l -L -S and --set-tunable of the guest's netdev; -k and -K need nothing
 * here.
 */
#include <linux/ethtool.h>
#include <linux/rtnetlink.h>
#include <linux/virtio_net.h>
#include "netdev.h"

/* In the order of enum sluice_rx_count. */
static const char rx_names[][ETH_GSTRING_LEN] = {
	"packets", "bytes", "region", "bounce", "copybreak", "copied", "returned",
	"exhausted", "ran_low", "drop_no_memory", "drop_bad_length", "drop_bad_header", "kicks",
	"xdp_pass", "xdp_drop", "xdp_tx", "xdp_redirect", "xdp_error",
};

/* In the order of enum sluice_tx_count. */
static const char tx_names[][ETH_GSTRING_LEN] = {
	"packets", "bytes", "region_direct", "region_copied", "bounce", "exhausted",
	"retiring", "stopped", "drop_too_big", "drop_bad_frame", "drop_session_lost",
	"kicks", "xdp_frames", "xdp_drops", "timeouts",
};

static_assert(ARRAY_SIZE(rx_names) == SLUICE_RX_NR_COUNTS);
static_assert(ARRAY_SIZE(tx_names) == SLUICE_TX_NR_COUNTS);

/* The region's and the bounce slots' own, in the order of get_shared(). */
static const char shared_names[][ETH_GSTRING_LEN] = {
	"region_segments", "region_segments_retiring", "region_pages", "region_pages_free",
	"region_pages_waiting", "map_region", "map_bounce_rx", "map_bounce_tx",
	"bounce_full_rx", "bounce_full_tx", "bounce_bytes_in", "bounce_bytes_out",
	"bounce_slots", "bounce_slots_used", "bounce_slots_peak",
};

void sluice_net_rx_counts(struct sluice_rxq *q, u64 *count)
{
	unsigned int start, i;

	do {
		start = u64_stats_fetch_begin(&q->syncp);
		for (i = 0; i < SLUICE_RX_NR_COUNTS; i++)
			count[i] = u64_stats_read(&q->count[i]);
	} while (u64_stats_fetch_retry(&q->syncp, start));
}

void sluice_net_tx_counts(struct sluice_txq *q, u64 *count)
{
	unsigned int start, i;

	do {
		start = u64_stats_fetch_begin(&q->syncp);
		for (i = 0; i < SLUICE_TX_NR_COUNTS; i++)
			count[i] = u64_stats_read(&q->count[i]);
	} while (u64_stats_fetch_retry(&q->syncp, start));
}

static void get_shared(struct sluice_net *net, u64 *data)
{
	struct sluice_bounce_stats bounce = {};
	struct sluice_slots_stats slots;
	unsigned int i = 0;

	sluice_slots_stats(net->slots, &slots);
	sluice_front_bounce_stats(net->vdev, &bounce);
	data[i++] = slots.segments;
	data[i++] = slots.retiring;
	data[i++] = slots.total;
	data[i++] = slots.nr_free;
	data[i++] = slots.nr_wait;
	data[i++] = bounce.map_region;
	data[i++] = bounce.map_bounce_rx;
	data[i++] = bounce.map_bounce_tx;
	data[i++] = bounce.full_rx;
	data[i++] = bounce.full_tx;
	data[i++] = bounce.bytes_in;
	data[i++] = bounce.bytes_out;
	data[i++] = bounce.slots_total;
	data[i++] = bounce.slots_used;
	data[i++] = bounce.slots_peak;
}

static int get_sset_count(struct net_device *dev, int sset)
{
	struct sluice_net *net = netdev_priv(dev);

	if (sset != ETH_SS_STATS)
		return -EOPNOTSUPP;
	/* sums, the shared part, then each queue: constant while the netdev lives */
	return (1 + net->max_pairs) * (SLUICE_RX_NR_COUNTS + SLUICE_TX_NR_COUNTS) +
	       ARRAY_SIZE(shared_names);
}

static void get_strings(struct net_device *dev, u32 sset, u8 *data)
{
	struct sluice_net *net = netdev_priv(dev);
	unsigned int q, i;

	if (sset != ETH_SS_STATS)
		return;
	for (i = 0; i < SLUICE_RX_NR_COUNTS; i++)
		ethtool_sprintf(&data, "rx_%s", rx_names[i]);
	for (i = 0; i < SLUICE_TX_NR_COUNTS; i++)
		ethtool_sprintf(&data, "tx_%s", tx_names[i]);
	for (i = 0; i < ARRAY_SIZE(shared_names); i++)
		ethtool_sprintf(&data, "%s", shared_names[i]);
	for (q = 0; q < net->max_pairs; q++) {
		for (i = 0; i < SLUICE_RX_NR_COUNTS; i++)
			ethtool_sprintf(&data, "rx_queue_%u_%s", q, rx_names[i]);
		for (i = 0; i < SLUICE_TX_NR_COUNTS; i++)
			ethtool_sprintf(&data, "tx_queue_%u_%s", q, tx_names[i]);
	}
}

static void get_stats(struct net_device *dev, struct ethtool_stats *stats, u64 *data)
{
	const unsigned int both = SLUICE_RX_NR_COUNTS + SLUICE_TX_NR_COUNTS;
	struct sluice_net *net = netdev_priv(dev);
	u64 *sum = data, *each;
	unsigned int q, i;

	memset(sum, 0, both * sizeof(*sum));
	get_shared(net, data + both);
	each = data + both + ARRAY_SIZE(shared_names);
	for (q = 0; q < net->max_pairs; q++, each += both) {
		sluice_net_rx_counts(&net->rxq[q], each);
		sluice_net_tx_counts(&net->txq[q], each + SLUICE_RX_NR_COUNTS);
		for (i = 0; i < both; i++)
			sum[i] += each[i];
	}
}

static void get_drvinfo(struct net_device *dev, struct ethtool_drvinfo *info)
{
	struct sluice_net *net = netdev_priv(dev);

	strscpy(info->driver, "sluice_front", sizeof(info->driver));
	strscpy(info->bus_info, dev_name(net->vdev->dev.parent), sizeof(info->bus_info));
	snprintf(info->fw_version, sizeof(info->fw_version), "ABI %u.%u over %s",
		 SLUICE_SHM_ABI_MAJOR, SLUICE_SHM_ABI_MINOR, net->f->ch->ops->name);
}

static void get_ringparam(struct net_device *dev, struct ethtool_ringparam *ring,
			  struct kernel_ethtool_ringparam *kernel_ring,
			  struct netlink_ext_ack *extack)
{
	struct sluice_net *net = netdev_priv(dev);

	ring->rx_max_pending = net->rxq[0].vq->num_max;
	ring->tx_max_pending = net->txq[0].vq->num_max;
	ring->rx_pending = virtqueue_get_vring_size(net->rxq[0].vq);
	ring->tx_pending = virtqueue_get_vring_size(net->txq[0].vq);
}

static int resize(struct sluice_net *net, u32 rx, u32 tx)
{
	unsigned int i;
	int err;

	for (i = 0; i < net->max_pairs; i++) {
		if (rx != virtqueue_get_vring_size(net->rxq[i].vq)) {
			err = sluice_virtqueue_resize(net->rxq[i].vq, rx, sluice_rx_recycle);
			if (err)
				return err;
		}
		if (tx != virtqueue_get_vring_size(net->txq[i].vq)) {
			err = sluice_virtqueue_resize(net->txq[i].vq, tx, sluice_tx_recycle);
			if (err)
				return err;
			netdev_tx_reset_queue(netdev_get_tx_queue(net->dev, i));
			err = sluice_tx_alloc(&net->txq[i]);
			if (err)
				return err;
		}
	}
	return 0;
}

static int set_ringparam(struct net_device *dev, struct ethtool_ringparam *ring,
			 struct kernel_ethtool_ringparam *kernel_ring,
			 struct netlink_ext_ack *extack)
{
	struct sluice_net *net = netdev_priv(dev);
	u32 rx, tx;
	int err;

	if (ring->rx_mini_pending || ring->rx_jumbo_pending)
		return -EINVAL;
	if (ring->rx_pending < SLUICE_NET_MIN_RING || ring->tx_pending < SLUICE_NET_MIN_RING) {
		NL_SET_ERR_MSG_MOD(extack, "a ring needs at least "
				   __stringify(SLUICE_NET_MIN_RING) " descriptors");
		return -EINVAL;
	}
	rx = roundup_pow_of_two(ring->rx_pending);
	tx = roundup_pow_of_two(ring->tx_pending);
	if (rx > net->rxq[0].vq->num_max || tx > net->txq[0].vq->num_max) {
		NL_SET_ERR_MSG_MOD(extack, "rings are powers of two; the next one is too long");
		return -EINVAL;
	}
	if (!virtio_has_feature(net->vdev, VIRTIO_F_RING_RESET)) {
		NL_SET_ERR_MSG_MOD(extack, "the backend cannot reset a single queue");
		return -EOPNOTSUPP;
	}
	sluice_net_pause(net);
	err = resize(net, rx, tx);
	if (netif_running(dev))
		sluice_net_resume(net);
	return err;
}

static void get_channels(struct net_device *dev, struct ethtool_channels *ch)
{
	struct sluice_net *net = netdev_priv(dev);

	ch->max_combined = net->max_pairs;
	ch->combined_count = net->pairs;
}

static int set_channels(struct net_device *dev, struct ethtool_channels *ch)
{
	struct sluice_net *net = netdev_priv(dev);

	if (ch->rx_count || ch->tx_count || ch->other_count)
		return -EINVAL;
	/* ethtool has checked 1 to max_combined */
	return sluice_net_set_pairs(net, ch->combined_count);
}

static int get_link_ksettings(struct net_device *dev, struct ethtool_link_ksettings *ks)
{
	ks->base.speed = SPEED_UNKNOWN;		/* memory has none */
	ks->base.duplex = DUPLEX_FULL;
	ks->base.port = PORT_OTHER;
	return 0;
}

static int get_tunable(struct net_device *dev, const struct ethtool_tunable *tuna, void *data)
{
	struct sluice_net *net = netdev_priv(dev);

	if (tuna->id != ETHTOOL_RX_COPYBREAK)
		return -EOPNOTSUPP;
	*(u32 *)data = net->rx_copybreak;
	return 0;
}

/* A page or more: nothing stays where the backend can write it. */
static int set_tunable(struct net_device *dev, const struct ethtool_tunable *tuna, const void *data)
{
	struct sluice_net *net = netdev_priv(dev);
	u32 bytes;

	if (tuna->id != ETHTOOL_RX_COPYBREAK)
		return -EOPNOTSUPP;
	bytes = *(const u32 *)data;
	if (bytes < SLUICE_NET_COPYBREAK) {
		netdev_err(dev, "rx-copybreak: frames up to %u bytes are always copied\n",
			   SLUICE_NET_COPYBREAK);
		return -EINVAL;
	}
	WRITE_ONCE(net->rx_copybreak, bytes);
	return 0;
}

const struct ethtool_ops sluice_net_ethtool_ops = {
	.get_drvinfo		= get_drvinfo,
	.get_link		= ethtool_op_get_link,
	.get_link_ksettings	= get_link_ksettings,
	.get_ringparam		= get_ringparam,
	.set_ringparam		= set_ringparam,
	.get_channels		= get_channels,
	.set_channels		= set_channels,
	.get_sset_count		= get_sset_count,
	.get_strings		= get_strings,
	.get_ethtool_stats	= get_stats,
	.get_tunable		= get_tunable,
	.set_tunable		= set_tunable,
	.get_ts_info		= ethtool_op_get_ts_info,
};
