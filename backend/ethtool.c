// SPDX-License-Identifier: GPL-2.0
/*
 * ethtool on a destination's interface: -i, -l, -g, -S and --set-tunable.
 */
#include <linux/ethtool.h>
#include "back.h"

/* "to" is towards the guest, as in netlink's statistics. */
static const struct {
	char name[ETH_GSTRING_LEN - 4];
	size_t offset;
} sluice_stats[] = {
#define SLUICE_STAT(name) { #name, offsetof(struct sluice_totals, name) }
	SLUICE_STAT(to_frames),
	SLUICE_STAT(to_bytes),
	SLUICE_STAT(to_bounce),
	SLUICE_STAT(to_doorbells),
	SLUICE_STAT(to_returned),
	SLUICE_STAT(to_stops),
	SLUICE_STAT(to_drop_bad),
	SLUICE_STAT(to_drop_down),
	SLUICE_STAT(drop_no_buffer),
	SLUICE_STAT(drop_too_big),
	SLUICE_STAT(drop_stalled),
	SLUICE_STAT(from_frames),
	SLUICE_STAT(from_bytes),
	SLUICE_STAT(from_bounce),
	SLUICE_STAT(from_copied),
	SLUICE_STAT(from_constraint),
	SLUICE_STAT(from_zerocopy),
	SLUICE_STAT(from_orphaned),
	SLUICE_STAT(from_doorbells),
	SLUICE_STAT(from_drop_bad),
	SLUICE_STAT(from_drop_down),
	SLUICE_STAT(drop_memory),
	SLUICE_STAT(bells),
#undef SLUICE_STAT
};

static void sluice_get_drvinfo(struct net_device *dev, struct ethtool_drvinfo *info)
{
	struct sluice_dest *dest = netdev_priv(dev);

	strscpy(info->driver, "sluice_back", sizeof(info->driver));
	strscpy(info->bus_info, dev_name(dest->ch->dev), sizeof(info->bus_info));
	snprintf(info->fw_version, sizeof(info->fw_version), "%s, ABI %u.%u",
		 dest->ch->ops->name, SLUICE_SHM_ABI_MAJOR, SLUICE_SHM_ABI_MINOR);
}

/* The guest decides how many it receives on. */
static void sluice_get_channels(struct net_device *dev, struct ethtool_channels *c)
{
	struct sluice_dest *dest = netdev_priv(dev);

	c->max_combined = dest->nr_pairs;
	c->combined_count = dev->real_num_tx_queues;
}

/* The guest makes the rings: this only shows their size. Named from our side. */
static void sluice_get_ringparam(struct net_device *dev, struct ethtool_ringparam *r,
				 struct kernel_ethtool_ringparam *kr,
				 struct netlink_ext_ack *extack)
{
	struct sluice_dest *dest = netdev_priv(dev);

	r->rx_max_pending = SLUICE_SHM_MAX_RING;
	r->tx_max_pending = SLUICE_SHM_MAX_RING;
	mutex_lock(&dest->lock);
	r->rx_pending = dest->vdev.vq[1].num;
	r->tx_pending = dest->vdev.vq[0].num;
	mutex_unlock(&dest->lock);
}

static int sluice_get_sset_count(struct net_device *dev, int set)
{
	struct sluice_dest *dest = netdev_priv(dev);

	if (set != ETH_SS_STATS)
		return -EOPNOTSUPP;
	return ARRAY_SIZE(sluice_stats) * (1 + dest->nr_pairs);
}

static void sluice_get_strings(struct net_device *dev, u32 set, u8 *data)
{
	struct sluice_dest *dest = netdev_priv(dev);
	unsigned int i, q;

	if (set != ETH_SS_STATS)
		return;
	for (i = 0; i < ARRAY_SIZE(sluice_stats); i++)
		ethtool_sprintf(&data, "%s", sluice_stats[i].name);
	for (q = 0; q < dest->nr_pairs; q++)
		for (i = 0; i < ARRAY_SIZE(sluice_stats); i++)
			ethtool_sprintf(&data, "q%u_%s", q, sluice_stats[i].name);
}

static void sluice_put_stats(const struct sluice_totals *t, u64 *data)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sluice_stats); i++)
		data[i] = *(const u64 *)((const u8 *)t + sluice_stats[i].offset);
}

static void sluice_get_stats(struct net_device *dev, struct ethtool_stats *stats, u64 *data)
{
	struct sluice_dest *dest = netdev_priv(dev);
	struct sluice_totals t;
	u32 q;

	sluice_dest_totals(dest, &t);
	sluice_put_stats(&t, data);
	for (q = 0; q < dest->nr_pairs; q++) {
		memset(&t, 0, sizeof(t));
		sluice_pair_totals(&dest->pair[q], &t);
		data += ARRAY_SIZE(sluice_stats);
		sluice_put_stats(&t, data);
	}
}

static int sluice_get_tunable(struct net_device *dev, const struct ethtool_tunable *tuna,
			      void *data)
{
	struct sluice_dest *dest = netdev_priv(dev);

	if (tuna->id != ETHTOOL_RX_COPYBREAK)
		return -EOPNOTSUPP;
	*(u32 *)data = dest->rx_copybreak;
	return 0;
}

/* 65535: nothing goes on that the guest can still write. */
static int sluice_set_tunable(struct net_device *dev, const struct ethtool_tunable *tuna,
			      const void *data)
{
	struct sluice_dest *dest = netdev_priv(dev);
	u32 bytes;

	if (tuna->id != ETHTOOL_RX_COPYBREAK)
		return -EOPNOTSUPP;
	bytes = *(const u32 *)data;
	if (bytes < SLUICE_RX_COPY_BYTES) {
		netdev_err(dev, "rx-copybreak: frames up to %u bytes are always copied\n",
			   SLUICE_RX_COPY_BYTES);
		return -EINVAL;
	}
	WRITE_ONCE(dest->rx_copybreak, bytes);
	return 0;
}

const struct ethtool_ops sluice_ethtool_ops = {
	.get_drvinfo = sluice_get_drvinfo,
	.get_link = ethtool_op_get_link,
	.get_channels = sluice_get_channels,
	.get_ringparam = sluice_get_ringparam,
	.get_sset_count = sluice_get_sset_count,
	.get_strings = sluice_get_strings,
	.get_ethtool_stats = sluice_get_stats,
	.get_tunable = sluice_get_tunable,
	.set_tunable = sluice_set_tunable,
	.get_ts_info = ethtool_op_get_ts_info,
};
