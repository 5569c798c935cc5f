// SPDX-License-Identifier: GPL-2.0
/*
 * sluice_front: the life of the netdev. It is an ordinary driver of a
 * virtio-net device without a control virtqueue; what makes it ours is where the
 * buffers come from (slots.c).
 *
 * A lost session takes the carrier and what was in flight; the virtqueues and the netdev
 * stay, with its name, addresses and settings, for the next one.
 */
#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/module.h>
#include <linux/rtnetlink.h>
#include <linux/virtio_net.h>
#include <sluice/offload.h>
#include "netdev.h"
#include "xdp.h"

static bool link_is_up(struct sluice_net *net)
{
	u16 status = VIRTIO_NET_S_LINK_UP;

	if (virtio_has_feature(net->vdev, VIRTIO_NET_F_STATUS))
		virtio_cread(net->vdev, struct virtio_net_config, status, &status);
	return status & VIRTIO_NET_S_LINK_UP;
}

/* RTNL. Receive buffers are posted while the link is up: then the backend knows the queues. */
static void update_link(struct sluice_net *net)
{
	unsigned int lost = READ_ONCE(net->f->sessions_lost), i;

	if (!link_is_up(net)) {
		netif_carrier_off(net->dev);
		return;
	}
	/* a session that was lost and found again before we came here counts as well */
	if (netif_carrier_ok(net->dev) && net->sessions_lost == lost)
		return;
	netif_carrier_on(net->dev);
	if (!net->running)
		return;
	for (i = 0; i < net->pairs; i++)
		sluice_rx_start(&net->rxq[i]);
	/* behind a new backend, the bridge there has to learn where we are */
	if (net->sessions_lost != lost)
		__netdev_notify_peers(net->dev);
	net->sessions_lost = lost;
}

/* The backend's word is a limit, within ours. RTNL, or not yet registered. */
static void update_mtu(struct sluice_net *net)
{
	struct net_device *dev = net->dev;
	u16 mtu;

	if (!virtio_has_feature(net->vdev, VIRTIO_NET_F_MTU))
		return;
	virtio_cread(net->vdev, struct virtio_net_config, mtu, &mtu);
	if (mtu < dev->min_mtu)
		return;
	dev->max_mtu = min_t(unsigned int, mtu, SLUICE_NET_MAX_MTU);
	/* longer frames would be dropped on the other side */
	if (dev->mtu <= dev->max_mtu)
		return;
	if (dev->reg_state == NETREG_REGISTERED)
		dev_set_mtu(dev, dev->max_mtu);
	else
		dev->mtu = dev->max_mtu;
}

static void config_work(struct work_struct *work)
{
	struct sluice_net *net = container_of(work, struct sluice_net, config_work);

	rtnl_lock();
	/* memory was short, perhaps: a new session is as good a moment as any */
	if (net->ready || !sluice_net_restart(net)) {
		update_mtu(net);
		update_link(net);
		if (!net->running)
			sluice_net_drain(net);
	}
	rtnl_unlock();
}

static void config_changed(struct virtio_device *vdev)
{
	struct sluice_net *net = vdev->priv;

	schedule_work(&net->config_work);
}

static int net_open(struct net_device *dev)
{
	struct sluice_net *net = netdev_priv(dev);

	if (!net->ready)
		return -ENETDOWN;
	netif_tx_start_all_queues(dev);
	sluice_net_resume(net);
	update_link(net);
	return 0;
}

static int net_stop(struct net_device *dev)
{
	sluice_net_pause(netdev_priv(dev));
	return 0;
}

static void net_get_stats64(struct net_device *dev, struct rtnl_link_stats64 *st)
{
	struct sluice_net *net = netdev_priv(dev);
	u64 rx[SLUICE_RX_NR_COUNTS], tx[SLUICE_TX_NR_COUNTS];
	unsigned int i;

	for (i = 0; i < net->max_pairs; i++) {
		sluice_net_rx_counts(&net->rxq[i], rx);
		sluice_net_tx_counts(&net->txq[i], tx);
		st->rx_packets += rx[SLUICE_RX_PACKETS];
		st->rx_bytes += rx[SLUICE_RX_BYTES];
		st->rx_length_errors += rx[SLUICE_RX_BAD_LENGTH];
		st->rx_frame_errors += rx[SLUICE_RX_BAD_HEADER];
		st->rx_errors += rx[SLUICE_RX_BAD_LENGTH] + rx[SLUICE_RX_BAD_HEADER];
		st->rx_dropped += rx[SLUICE_RX_NO_MEMORY] + rx[SLUICE_RX_XDP_ERROR] +
				  rx[SLUICE_RX_XDP_DROP];
		st->tx_packets += tx[SLUICE_TX_PACKETS];
		st->tx_bytes += tx[SLUICE_TX_BYTES];
		st->tx_dropped += tx[SLUICE_TX_TOO_BIG] + tx[SLUICE_TX_BAD_FRAME] +
				  tx[SLUICE_TX_XDP_DROPS] + tx[SLUICE_TX_LOST];
	}
}

static void net_tx_timeout(struct net_device *dev, unsigned int index)
{
	struct sluice_net *net = netdev_priv(dev);
	struct sluice_txq *q = &net->txq[index];

	netdev_warn_once(dev, "transmit queue %u: the backend has completed nothing for %u ms\n",
			 index, jiffies_to_msecs(dev->watchdog_timeo));
	if (!net->running)
		return;
	/* a lost doorbell, most likely */
	__netif_tx_lock_bh(netdev_get_tx_queue(dev, index));
	sluice_tx_add(q, SLUICE_TX_TIMEOUTS, 1);
	if (q->live)
		sluice_vqs_ring(q->vq);
	__netif_tx_unlock_bh(netdev_get_tx_queue(dev, index));
	local_bh_disable();
	napi_schedule(&q->napi);
	local_bh_enable();
}

static int net_change_mtu(struct net_device *dev, int mtu)
{
	struct sluice_net *net = netdev_priv(dev);

	if (rtnl_dereference(net->prog) && mtu > SLUICE_XDP_MAX_MTU) {
		netdev_info(dev, "MTU is limited to %u while an XDP program is attached\n",
			    SLUICE_XDP_MAX_MTU);
		return -EINVAL;
	}
	dev->mtu = mtu;
	return 0;
}

/* GRO_HW is the device's licence to send GSO frames: negotiated, not a switch. */
static int net_set_features(struct net_device *dev, netdev_features_t features)
{
	struct sluice_net *net = netdev_priv(dev);
	struct bpf_prog *prog = rtnl_dereference(net->prog);

	if (!((dev->features ^ features) & NETIF_F_GRO_HW))
		return 0;
	return sluice_net_renegotiate(net, features, prog);
}

static netdev_features_t net_fix_features(struct net_device *dev, netdev_features_t features)
{
	struct sluice_net *net = netdev_priv(dev);

	/* an XDP program and frames of several buffers exclude each other */
	if (rcu_access_pointer(net->prog))
		features &= ~NETIF_F_GRO_HW;
	return features;
}

static const struct net_device_ops net_ops = {
	.ndo_open		= net_open,
	.ndo_stop		= net_stop,
	.ndo_start_xmit		= sluice_tx_xmit,
	.ndo_features_check	= sluice_tx_features_check,
	.ndo_set_mac_address	= eth_mac_addr,
	.ndo_validate_addr	= eth_validate_addr,
	.ndo_change_mtu		= net_change_mtu,
	.ndo_get_stats64	= net_get_stats64,
	.ndo_tx_timeout		= net_tx_timeout,
	.ndo_set_features	= net_set_features,
	.ndo_fix_features	= net_fix_features,
	.ndo_bpf		= sluice_xdp_bpf,
	.ndo_xdp_xmit		= sluice_xdp_xmit,
};

static void set_features(struct net_device *dev, struct virtio_device *vdev)
{
	netdev_features_t tso = 0;

	dev->features = NETIF_F_HIGHDMA | NETIF_F_SG;
	dev->hw_features = NETIF_F_SG;
	if (virtio_has_feature(vdev, VIRTIO_NET_F_CSUM)) {
		dev->hw_features |= NETIF_F_HW_CSUM;
		if (virtio_has_feature(vdev, VIRTIO_NET_F_HOST_TSO4))
			tso |= NETIF_F_TSO;
		if (virtio_has_feature(vdev, VIRTIO_NET_F_HOST_TSO6))
			tso |= NETIF_F_TSO6;
		if (tso && virtio_has_feature(vdev, VIRTIO_NET_F_HOST_ECN))
			tso |= NETIF_F_TSO_ECN;
	}
	dev->hw_features |= tso;
	if (virtio_has_feature(vdev, VIRTIO_NET_F_GUEST_CSUM))
		dev->hw_features |= NETIF_F_RXCSUM;
	if (vdev->features & SLUICE_NET_GUEST_GSO)
		dev->hw_features |= NETIF_F_GRO_HW;
	dev->features |= dev->hw_features;
	dev->vlan_features = dev->features & ~NETIF_F_GRO_HW;
}

static void set_addresses(struct net_device *dev, struct virtio_device *vdev)
{
	u8 mac[ETH_ALEN];

	if (virtio_has_feature(vdev, VIRTIO_NET_F_MAC)) {
		virtio_cread_bytes(vdev, offsetof(struct virtio_net_config, mac), mac,
				   sizeof(mac));
		if (is_valid_ether_addr(mac))
			eth_hw_addr_set(dev, mac);
	}
	if (!is_valid_ether_addr(dev->dev_addr))
		eth_hw_addr_random(dev);
	dev->min_mtu = ETH_MIN_MTU;
	dev->max_mtu = SLUICE_NET_MAX_MTU;
	update_mtu(netdev_priv(dev));
}

static u16 nr_pairs(struct virtio_device *vdev)
{
	u16 max = 1;

	if (virtio_has_feature(vdev, VIRTIO_NET_F_MQ))
		virtio_cread(vdev, struct virtio_net_config, max_virtqueue_pairs, &max);
	return clamp_t(unsigned int, max, 1,
		       min_t(unsigned int, num_online_cpus(), SLUICE_SHM_MAX_PAIRS));
}

static int net_validate(struct virtio_device *vdev)
{
	if (!virtio_has_feature(vdev, VIRTIO_F_VERSION_1) ||
	    !virtio_has_feature(vdev, VIRTIO_NET_F_MRG_RXBUF)) {
		dev_err(&vdev->dev, "backend offers no mergeable buffers: not a sluice backend\n");
		return -EINVAL;
	}
	return 0;
}

static int net_probe(struct virtio_device *vdev)
{
	struct sluice_net *net;
	struct net_device *dev;
	int err;

	BUILD_BUG_ON(SLUICE_XDP_MAX_MTU + ETH_HLEN + VLAN_HLEN + SLUICE_NET_HDR_BYTES >
		     SLUICE_XDP_RX_BYTES);
	dev = alloc_etherdev_mqs(sizeof(*net), SLUICE_SHM_MAX_PAIRS, SLUICE_SHM_MAX_PAIRS);
	if (!dev)
		return -ENOMEM;
	SET_NETDEV_DEV(dev, &vdev->dev);
	net = netdev_priv(dev);
	net->dev = dev;
	net->vdev = vdev;
	net->f = sluice_front_of(vdev);
	net->slots = net->f->slots;
	net->max_pairs = nr_pairs(vdev);
	net->pairs = net->max_pairs;
	net->all_features = vdev->features;
	net->sessions_lost = READ_ONCE(net->f->sessions_lost);
	INIT_WORK(&net->config_work, config_work);
	sluice_net_set_rx_layout(net, false);
	net->rx_copybreak = SLUICE_NET_COPYBREAK;
	vdev->priv = net;

	dev->netdev_ops = &net_ops;
	dev->ethtool_ops = &sluice_net_ethtool_ops;
	dev->needed_headroom = SLUICE_NET_HDR_BYTES;
	/*
	 * Longer than the core's patience with a silent peer (5 s unless set): a backend that
	 * has died takes the link away, it is no lost doorbell. Nor is a pause of the whole host.
	 */
	dev->watchdog_timeo = 30 * HZ;
	netif_set_tso_max_segs(dev, SLUICE_OFFLOAD_SEGMENTS);
	set_features(dev, vdev);
	set_addresses(dev, vdev);
	sluice_xdp_set_features(dev);

	err = sluice_net_alloc_queues(net);
	if (err)
		goto err_queues;
	err = sluice_net_bring_up(net);
	if (err)
		goto err_queues;
	netif_carrier_off(dev);
	rtnl_lock();
	err = sluice_net_set_pairs(net, net->max_pairs);
	if (!err)
		err = register_netdevice(dev);
	if (!err)
		update_link(net);
	rtnl_unlock();
	if (err)
		goto err_up;
	return 0;

err_up:
	sluice_net_take_down(net);
err_queues:
	sluice_net_free_queues(net);
	free_netdev(dev);
	return err;
}

static void net_remove(struct virtio_device *vdev)
{
	struct sluice_net *net = vdev->priv;

	unregister_netdev(net->dev);
	cancel_work_sync(&net->config_work);
	sluice_net_take_down(net);
	sluice_net_free_queues(net);
	free_netdev(net->dev);
}

static const struct virtio_device_id net_ids[] = {
	{ SLUICE_FRONT_VIRTIO_ID, VIRTIO_DEV_ANY_ID },
	{ 0 },
};
MODULE_DEVICE_TABLE(virtio, net_ids);

static const unsigned int net_features[] = {
	VIRTIO_NET_F_MAC, VIRTIO_NET_F_STATUS, VIRTIO_NET_F_MTU, VIRTIO_NET_F_MRG_RXBUF,
	VIRTIO_NET_F_CSUM, VIRTIO_NET_F_GUEST_CSUM,
	VIRTIO_NET_F_HOST_TSO4, VIRTIO_NET_F_HOST_TSO6, VIRTIO_NET_F_HOST_ECN,
	VIRTIO_NET_F_GUEST_TSO4, VIRTIO_NET_F_GUEST_TSO6, VIRTIO_NET_F_GUEST_ECN,
	VIRTIO_NET_F_MQ,
};

struct virtio_driver sluice_net_driver = {
	.driver.name		= "sluice_front",
	.driver.owner		= THIS_MODULE,
	.id_table		= net_ids,
	.feature_table		= net_features,
	.feature_table_size	= ARRAY_SIZE(net_features),
	.validate		= net_validate,
	.probe			= net_probe,
	.remove			= net_remove,
	.config_changed		= config_changed,
};
