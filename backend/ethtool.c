// SPDX-License-Identifier: GPL-2.0
/*
 * ethtool on a destination's interface: -i, -l, -S.
 */
#include <linux/ethtool.h>
#include "back.h"

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

const struct ethtool_ops sluice_ethtool_ops = {
	.get_drvinfo = sluice_get_drvinfo,
	.get_link = ethtool_op_get_link,
	.get_channels = sluice_get_channels,
	.get_ts_info = ethtool_op_get_ts_info,
};
