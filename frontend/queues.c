// SPDX-License-Identifier: GPL-2.0
/*
 * The netdev's queues as a whole: virtqueues made and unmade, NAPI on and off,
 * a device reset to negotiate other features, the number of pairs.
 */
#include <linux/etherdevice.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <linux/virtio_net.h>
#include "netdev.h"
#include "xdp.h"

/* NAPI and transmit on; the virtqueues exist. */
void sluice_net_resume(struct sluice_net *net)
{
	unsigned int i;

	if (net->running)
		return;
	net->running = true;
	for (i = 0; i < net->max_pairs; i++) {
		napi_enable(&net->rxq[i].napi);
		napi_enable(&net->txq[i].napi);
		netif_tx_lock_bh(net->dev);
		net->txq[i].live = true;
		netif_tx_unlock_bh(net->dev);
		sluice_rx_start(&net->rxq[i]);
		sluice_tx_start(&net->txq[i]);
	}
	netif_tx_wake_all_queues(net->dev);
}

void sluice_net_pause(struct sluice_net *net)
{
	unsigned int i;

	if (!net->running)
		return;
	net->running = false;
	netif_tx_disable(net->dev);
	for (i = 0; i < net->max_pairs; i++) {
		struct netdev_queue *txq = netdev_get_tx_queue(net->dev, i);

		/*
		 * ndo_xdp_xmit does not look at the queue's stop bit; and a last turn of
		 * NAPI, which may have cleared it since, does not do so again.
		 */
		__netif_tx_lock_bh(txq);
		net->txq[i].live = false;
		netif_tx_stop_queue(txq);
		__netif_tx_unlock_bh(txq);
		napi_disable(&net->rxq[i].napi);
		napi_disable(&net->txq[i].napi);
		/* after NAPI, which starts them; a timer finds NAPI off */
		del_timer_sync(&net->rxq[i].retry);
		del_timer_sync(&net->txq[i].retry);
	}
}

void sluice_net_drain(struct sluice_net *net)
{
	unsigned int i;

	for (i = 0; i < net->max_pairs; i++) {
		struct netdev_queue *txq = netdev_get_tx_queue(net->dev, i);

		__netif_tx_lock_bh(txq);
		sluice_rx_drain(&net->rxq[i]);
		sluice_tx_reclaim(&net->txq[i], 0);
		__netif_tx_unlock_bh(txq);
	}
}

static int find_vqs(struct sluice_net *net)
{
	unsigned int nr = 2 * net->max_pairs, i;
	vq_callback_t **callbacks = kcalloc(nr, sizeof(*callbacks), GFP_KERNEL);
	struct virtqueue **vqs = kcalloc(nr, sizeof(*vqs), GFP_KERNEL);
	const char **names = kcalloc(nr, sizeof(*names), GFP_KERNEL);
	int err = -ENOMEM;

	if (!callbacks || !vqs || !names)
		goto out;
	for (i = 0; i < net->max_pairs; i++) {
		callbacks[2 * i] = sluice_rx_callback;
		names[2 * i] = net->rxq[i].name;
		callbacks[2 * i + 1] = sluice_tx_callback;
		names[2 * i + 1] = net->txq[i].name;
	}
	err = sluice_find_vqs(net->vdev, nr, vqs, callbacks, names);
	if (err)
		goto out;
	for (i = 0; i < net->max_pairs; i++) {
		net->rxq[i].vq = vqs[2 * i];
		net->txq[i].vq = vqs[2 * i + 1];
	}
out:
	kfree(names);
	kfree(vqs);
	kfree(callbacks);
	return err;
}

static void del_vqs(struct sluice_net *net)
{
	unsigned int i;
	void *token;

	virtio_reset_device(net->vdev);
	for (i = 0; i < net->max_pairs; i++) {
		struct sluice_rxq *rxq = &net->rxq[i];
		struct sluice_txq *txq = &net->txq[i];

		while ((token = virtqueue_detach_unused_buf(rxq->vq)))
			sluice_rx_recycle(rxq->vq, token);
		while ((token = virtqueue_detach_unused_buf(txq->vq)))
			sluice_tx_recycle(txq->vq, token);
		sluice_rx_free(rxq);
		netdev_tx_reset_queue(netdev_get_tx_queue(net->dev, i));
	}
	net->vdev->config->del_vqs(net->vdev);
	for (i = 0; i < net->max_pairs; i++) {
		net->rxq[i].vq = NULL;
		net->txq[i].vq = NULL;
	}
}

void sluice_net_take_down(struct sluice_net *net)
{
	if (!net->ready)
		return;
	sluice_net_pause(net);
	net->ready = false;
	del_vqs(net);
}

int sluice_net_bring_up(struct sluice_net *net)
{
	unsigned int i;
	int err;

	err = find_vqs(net);
	if (err)
		return err;
	for (i = 0; i < net->max_pairs; i++) {
		err = sluice_tx_alloc(&net->txq[i]);
		if (err) {
			del_vqs(net);
			return err;
		}
	}
	virtio_device_ready(net->vdev);
	net->ready = true;
	return 0;
}

void sluice_net_set_rx_layout(struct sluice_net *net, bool xdp)
{
	net->rx_off = xdp ? SLUICE_XDP_RX_OFF : 0;
	net->rx_bytes = xdp ? SLUICE_XDP_RX_BYTES : SLUICE_NET_RX_BYTES;
}

static int negotiate(struct virtio_device *vdev)
{
	int err;

	virtio_add_status(vdev, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	virtio_add_status(vdev, VIRTIO_CONFIG_S_DRIVER);
	err = vdev->config->finalize_features(vdev);
	if (err)
		return err;
	virtio_add_status(vdev, VIRTIO_CONFIG_S_FEATURES_OK);
	if (!(vdev->config->get_status(vdev) & VIRTIO_CONFIG_S_FEATURES_OK))
		return -ENODEV;
	return 0;
}

int sluice_net_restart(struct sluice_net *net)
{
	int err;

	ASSERT_RTNL();
	virtio_reset_device(net->vdev);
	err = negotiate(net->vdev) ?: sluice_net_bring_up(net);
	if (err) {
		virtio_add_status(net->vdev, VIRTIO_CONFIG_S_FAILED);
		netif_device_detach(net->dev);
		netif_carrier_off(net->dev);
		return err;
	}
	sluice_net_set_pairs(net, net->pairs);
	if (netif_running(net->dev))
		sluice_net_resume(net);
	netif_device_attach(net->dev);
	return 0;
}

int sluice_net_renegotiate(struct sluice_net *net, netdev_features_t features,
			   struct bpf_prog *prog)
{
	u64 before = net->vdev->features, after = net->all_features;
	struct bpf_prog *old = rtnl_dereference(net->prog);
	int err;

	ASSERT_RTNL();
	if (!(features & NETIF_F_GRO_HW))
		after &= ~SLUICE_NET_GUEST_GSO;
	if (prog)
		after &= ~SLUICE_XDP_FEATURES_OFF;
	if (after == before && !prog == !old) {
		rcu_assign_pointer(net->prog, prog);
		return 0;
	}
	sluice_net_take_down(net);
	net->vdev->features = after;
	rcu_assign_pointer(net->prog, prog);
	sluice_net_set_rx_layout(net, prog);
	err = sluice_net_restart(net);
	if (err) {
		net->vdev->features = before;
		rcu_assign_pointer(net->prog, old);
		sluice_net_set_rx_layout(net, old);
	}
	return err;
}

int sluice_net_set_pairs(struct sluice_net *net, u16 pairs)
{
	struct net_device *dev = net->dev;
	unsigned int i;
	int err;

	ASSERT_RTNL();
	if (net->ready && net->max_pairs > 1) {
		err = sluice_front_set_pairs(net->vdev, pairs);
		if (err)
			return err;
	}
	err = netif_set_real_num_tx_queues(dev, pairs);
	if (err)
		return err;
	err = netif_set_real_num_rx_queues(dev, pairs);
	if (err)
		return err;
	WRITE_ONCE(net->pairs, pairs);
	if (net->running)
		for (i = 0; i < pairs; i++)
			sluice_rx_start(&net->rxq[i]);
	return 0;
}

void sluice_net_free_queues(struct sluice_net *net)
{
	unsigned int i;

	for (i = 0; net->rxq && net->txq && i < net->max_pairs; i++) {
		if (xdp_rxq_info_is_reg(&net->rxq[i].xdp))
			xdp_rxq_info_unreg(&net->rxq[i].xdp);
		netif_napi_del(&net->rxq[i].napi);
		netif_napi_del(&net->txq[i].napi);
		sluice_tx_free(&net->txq[i]);
	}
	kfree(net->rxq);
	kfree(net->txq);
}

int sluice_net_alloc_queues(struct sluice_net *net)
{
	unsigned int i;
	int err;

	net->rxq = kcalloc(net->max_pairs, sizeof(*net->rxq), GFP_KERNEL);
	net->txq = kcalloc(net->max_pairs, sizeof(*net->txq), GFP_KERNEL);
	if (!net->rxq || !net->txq)
		return -ENOMEM;
	for (i = 0; i < net->max_pairs; i++) {
		struct sluice_rxq *rxq = &net->rxq[i];
		struct sluice_txq *txq = &net->txq[i];

		rxq->net = net;
		rxq->index = i;
		snprintf(rxq->name, sizeof(rxq->name), "input.%u", i);
		sluice_rx_init(rxq);
		txq->net = net;
		txq->index = i;
		snprintf(txq->name, sizeof(txq->name), "output.%u", i);
		sluice_tx_init(txq);
	}
	for (i = 0; i < net->max_pairs; i++) {
		struct sluice_rxq *rxq = &net->rxq[i];

		err = xdp_rxq_info_reg(&rxq->xdp, net->dev, i, rxq->napi.napi_id);
		if (err)
			return err;
		err = xdp_rxq_info_reg_mem_model(&rxq->xdp, MEM_TYPE_PAGE_SHARED, NULL);
		if (err)
			return err;
	}
	return 0;
}
