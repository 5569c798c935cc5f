// SPDX-License-Identifier: GPL-2.0
/*
 * The network interface of a destination in the driver domain. Frames sent on it
 * go to the guest, frames of the guest arrive on it: bridge, tc, nftables and tcpdump
 * see an ordinary Ethernet device. It stays from attach to detach, whatever the
 * guest does; the carrier tells whether the guest is there.
 */
#include <linux/jhash.h>
#include <linux/module.h>
#include <linux/rtnetlink.h>
#include <linux/utsname.h>
#include <sluice/offload.h>
#include "back.h"

#define SLUICE_NETDEV_PREFIX	"sl-"

static int sluice_netdev_open(struct net_device *dev)
{
	netif_tx_start_all_queues(dev);
	return 0;
}

static int sluice_netdev_stop(struct net_device *dev)
{
	netif_tx_disable(dev);
	return 0;
}

/* What the guest did not agree to take, the stack does before it calls us. */
static netdev_features_t sluice_netdev_fix_features(struct net_device *dev,
						    netdev_features_t features)
{
	struct sluice_dest *dest = netdev_priv(dev);
	u64 has = READ_ONCE(dest->features);

	if (!(has & BIT_ULL(VIRTIO_NET_F_GUEST_CSUM)))
		features &= ~(NETIF_F_HW_CSUM | NETIF_F_ALL_TSO);
	if (!(has & BIT_ULL(VIRTIO_NET_F_GUEST_TSO4)))
		features &= ~NETIF_F_TSO;
	if (!(has & BIT_ULL(VIRTIO_NET_F_GUEST_TSO6)))
		features &= ~NETIF_F_TSO6;
	if (!(has & BIT_ULL(VIRTIO_NET_F_GUEST_ECN)))
		features &= ~NETIF_F_TSO_ECN;
	return features;
}

static int sluice_netdev_change_mtu(struct net_device *dev, int mtu)
{
	struct sluice_msg msg = { .msg_id = SLUICE_MSG_EVENT_CONFIG };
	struct sluice_dest *dest = netdev_priv(dev);
	bool tell;

	WRITE_ONCE(dev->mtu, mtu);
	mutex_lock(&dest->lock);
	dest->vdev.config.mtu = __cpu_to_virtio16(true, mtu);
	sluice_vdev_config_changed(&dest->vdev);
	tell = dest->session && !dest->detaching;
	mutex_unlock(&dest->lock);
	/* a guest that misses it reads the new value when it starts next */
	if (tell)
		sluice_channel_send(dest->ch, &msg);
	return 0;
}

static void sluice_netdev_stats64(struct net_device *dev, struct rtnl_link_stats64 *st)
{
	struct sluice_dest *dest = netdev_priv(dev);
	struct sluice_totals t;

	sluice_dest_totals(dest, &t);
	st->tx_packets = t.to_frames;
	st->tx_bytes = t.to_bytes;
	st->tx_dropped = t.drop_no_buffer + t.drop_too_big + t.drop_stalled + t.to_drop_bad +
			 t.to_drop_down;
	st->rx_packets = t.from_frames;
	st->rx_bytes = t.from_bytes;
	st->rx_dropped = t.from_drop_down + t.drop_memory;
	st->rx_errors = t.from_drop_bad;
	st->rx_frame_errors = t.from_drop_bad;
}

static const struct net_device_ops sluice_netdev_ops = {
	.ndo_open = sluice_netdev_open,
	.ndo_stop = sluice_netdev_stop,
	.ndo_start_xmit = sluice_tx_xmit,
	.ndo_fix_features = sluice_netdev_fix_features,
	.ndo_change_mtu = sluice_netdev_change_mtu,
	.ndo_get_stats64 = sluice_netdev_stats64,
	.ndo_set_mac_address = eth_mac_addr,
	.ndo_validate_addr = eth_validate_addr,
	.ndo_features_check = passthru_features_check,
};

bool sluice_netdev_is_ours(const struct net_device *dev)
{
	return dev->netdev_ops == &sluice_netdev_ops;
}

static const struct device_type sluice_netdev_type = {
	.name = "sluice",
};

/* The same address after every reload, another one on another machine. */
static void sluice_netdev_mac(const struct sluice_dest *dest, u32 seed, u8 *mac)
{
	u32 a = jhash(dest->name, strlen(dest->name), seed);
	u32 b;

	a = jhash(init_utsname()->nodename, strlen(init_utsname()->nodename), a);
	b = jhash_2words(a, seed, 0x51u);
	memcpy(mac, &a, 4);
	memcpy(mac + 4, &b, 2);
	mac[0] &= ~1;	/* unicast */
	mac[0] |= 2;	/* locally administered */
}

static u64 sluice_netdev_offer(const struct sluice_dest *dest)
{
	u64 offer = BIT_ULL(VIRTIO_F_VERSION_1) | BIT_ULL(VIRTIO_F_ACCESS_PLATFORM) |
		    BIT_ULL(VIRTIO_F_RING_RESET) | BIT_ULL(VIRTIO_RING_F_EVENT_IDX) |
		    BIT_ULL(VIRTIO_NET_F_MAC) | BIT_ULL(VIRTIO_NET_F_STATUS) |
		    BIT_ULL(VIRTIO_NET_F_MTU) | BIT_ULL(VIRTIO_NET_F_MRG_RXBUF) |
		    BIT_ULL(VIRTIO_NET_F_CSUM) | BIT_ULL(VIRTIO_NET_F_GUEST_CSUM) |
		    BIT_ULL(VIRTIO_NET_F_HOST_TSO4) | BIT_ULL(VIRTIO_NET_F_HOST_TSO6) |
		    BIT_ULL(VIRTIO_NET_F_HOST_ECN) | BIT_ULL(VIRTIO_NET_F_GUEST_TSO4) |
		    BIT_ULL(VIRTIO_NET_F_GUEST_TSO6) | BIT_ULL(VIRTIO_NET_F_GUEST_ECN);

	if (dest->nr_pairs > 1)
		offer |= BIT_ULL(VIRTIO_NET_F_MQ) | BIT_ULL(VIRTIO_NET_F_CTRL_VQ);
	return offer;
}

/**
 * sluice_netdev_alloc() - the net device of a new destination, with the destination in it
 * @ch: its channel
 *
 * Return: the device, not registered, or NULL.
 */
struct net_device *sluice_netdev_alloc(struct sluice_channel *ch)
{
	struct net_device *dev;

	dev = alloc_etherdev_mqs(sizeof(struct sluice_dest), ch->hdr.max_pairs,
				 ch->hdr.max_pairs);
	if (!dev)
		return NULL;
	SET_NETDEV_DEV(dev, ch->dev);
	SET_NETDEV_DEVTYPE(dev, &sluice_netdev_type);
	dev->netdev_ops = &sluice_netdev_ops;
	dev->ethtool_ops = &sluice_ethtool_ops;
	dev->hw_features = NETIF_F_SG | NETIF_F_HW_CSUM | NETIF_F_TSO | NETIF_F_TSO6 |
			   NETIF_F_TSO_ECN;
	/* frames that other guests segmented: the guest checks them, as we would */
	dev->features = dev->hw_features | NETIF_F_HIGHDMA | NETIF_F_FRAGLIST |
			NETIF_F_GSO_ROBUST;
	dev->vlan_features = dev->hw_features;
	dev->min_mtu = ETH_MIN_MTU;
	dev->max_mtu = SLUICE_MTU_MAX;
	dev->needs_free_netdev = false;
	netif_set_tso_max_segs(dev, SLUICE_OFFLOAD_SEGMENTS);
	return dev;
}

/**
 * sluice_netdev_register() - make it visible
 * @dest: with name, channel, queues and vdev memory
 *
 * Fills what the virtio device offers. The interface is called sl-<name> if that is
 * free and short enough, else sluice<number>.
 *
 * Return: 0 or an errno.
 */
int sluice_netdev_register(struct sluice_dest *dest)
{
	struct net_device *dev = dest->dev;
	struct sluice_vdev *v = &dest->vdev;
	u8 mac[ETH_ALEN];
	int err;

	sluice_netdev_mac(dest, 0x6261636bu, mac);
	eth_hw_addr_set(dev, mac);

	v->ops = &sluice_queues_ops;
	v->win = &dest->ch->window;
	v->offered = sluice_netdev_offer(dest);
	v->max_pairs = dest->nr_pairs;
	v->max_ring = SLUICE_SHM_MAX_RING;
	v->config.status = __cpu_to_virtio16(true, VIRTIO_NET_S_LINK_UP);
	v->config.max_virtqueue_pairs = __cpu_to_virtio16(true, dest->nr_pairs);
	v->config.mtu = __cpu_to_virtio16(true, dev->mtu);
	if (is_valid_ether_addr(dest->ch->mac))
		ether_addr_copy(v->config.mac, dest->ch->mac);
	else
		sluice_netdev_mac(dest, 0x66726f6eu, v->config.mac);
	err = sluice_vdev_init(v);
	if (err)
		return err;

	netif_carrier_off(dev);
	snprintf(dev->name, IFNAMSIZ, SLUICE_NETDEV_PREFIX "%.12s", dest->name);
	err = dev_valid_name(dev->name) && !strchr(dev->name, '%') ? register_netdev(dev) : -EINVAL;
	if (err == -EEXIST || err == -EINVAL) {
		strscpy(dev->name, "sluice%d", IFNAMSIZ);
		err = register_netdev(dev);
	}
	return err;
}

/*
 * In a work item of its own: a frontend in this kernel may hold rtnl while it waits
 * for our channel's thread to answer.
 */
void sluice_netdev_update(struct work_struct *work)
{
	struct sluice_dest *dest = container_of(work, struct sluice_dest, update_work);
	struct net_device *dev = dest->dev;
	bool running;
	u32 pairs;

	rtnl_lock();
	mutex_lock(&dest->lock);
	running = dest->running;
	pairs = dest->vdev.pairs;
	mutex_unlock(&dest->lock);

	/* what has changed since has queued this work again */
	netdev_update_features(dev);
	if (running && (netif_set_real_num_tx_queues(dev, pairs) ||
			netif_set_real_num_rx_queues(dev, pairs)))
		netdev_warn(dev, "cannot use %u queues\n", pairs);

	/* under the lock, or a device that stops meanwhile would keep its carrier */
	mutex_lock(&dest->lock);
	if (dest->running)
		netif_carrier_on(dev);
	mutex_unlock(&dest->lock);
	rtnl_unlock();
}

/* The device is gone for everybody after this; the destination's memory too. */
void sluice_netdev_free(struct sluice_dest *dest)
{
	free_netdev(dest->dev);
}
