// SPDX-License-Identifier: GPL-2.0
/*
 * Messages about the device: what the backend says of it when a session
 * begins, and what it is told when the driver is ready.
 *
 * Every answer is hostile input: counts are limited by ours, nonsense is refused
 * before a driver sees it.
 */
#include <linux/etherdevice.h>
#include "map.h"
#include "transport.h"

/* What may cross to the driver; anything else was not thought about. */
#define FEATURES_PASSED (BIT_ULL(VIRTIO_F_VERSION_1) | BIT_ULL(VIRTIO_NET_F_CSUM) | \
			 BIT_ULL(VIRTIO_NET_F_GUEST_CSUM) | BIT_ULL(VIRTIO_NET_F_MTU) | \
			 BIT_ULL(VIRTIO_NET_F_MAC) | BIT_ULL(VIRTIO_NET_F_HOST_TSO4) | \
			 BIT_ULL(VIRTIO_NET_F_HOST_TSO6) | BIT_ULL(VIRTIO_NET_F_HOST_ECN) | \
			 BIT_ULL(VIRTIO_NET_F_MRG_RXBUF) | BIT_ULL(VIRTIO_NET_F_MQ) | \
			 FEATURES_GUEST_GSO)
#define FEATURES_GUEST_GSO (BIT_ULL(VIRTIO_NET_F_GUEST_TSO4) | \
			    BIT_ULL(VIRTIO_NET_F_GUEST_TSO6) | \
			    BIT_ULL(VIRTIO_NET_F_GUEST_ECN))
/* The transport's own, whatever the backend offers. */
#define FEATURES_OWN	(BIT_ULL(VIRTIO_F_ACCESS_PLATFORM) | BIT_ULL(VIRTIO_F_RING_RESET) | \
			 BIT_ULL(VIRTIO_NET_F_STATUS))

/*
 * Negotiated between the transport and the device alone: with event indices virtio_ring
 * would decide by those of its private ring when to notify.
 */
#define FEATURES_HIDDEN	BIT_ULL(VIRTIO_RING_F_EVENT_IDX)

/* Receive space for two of the largest frames with their headers, in slots. */
#define GSO_RX_SLOTS	(2 * ((65536 + 128) / SLUICE_BOUNCE_SLOT + 1))

static int ask(struct sluice_transport *t, struct sluice_msg *msg, struct sluice_msg *resp,
	       u8 id)
{
	msg->msg_id = id;
	return sluice_channel_request(t->f->ch, msg, resp, SLUICE_FRONT_TIMEOUT_MS);
}

static int fetch_info(struct sluice_transport *t, u32 *nr_vqs)
{
	struct sluice_msg msg = { }, resp;
	int err;

	err = ask(t, &msg, &resp, SLUICE_MSG_DEVICE_INFO);
	if (err)
		return err;
	if (le32_to_cpu(resp.device_info.device_id) != VIRTIO_ID_NET)
		return -ENODEV;
	*nr_vqs = le16_to_cpu(resp.device_info.nr_vqs);
	t->max_ring = le16_to_cpu(resp.device_info.max_ring);
	if (*nr_vqs < 2 || t->max_ring < SLUICE_BOUNCE_RING_MIN)
		return -ERANGE;
	return 0;
}

/* Read the whole space twice as often as needed until its generation stands still. */
static int read_config(struct sluice_transport *t, struct virtio_net_config *config)
{
	u32 generation = 0, got, offset, want;
	unsigned int tries;

	for (tries = 0; tries < 4; tries++) {
		bool stable = true;

		memset(config, 0, sizeof(*config));
		for (offset = 0; offset < sizeof(*config); offset += want) {
			struct sluice_msg msg = { }, resp;
			int err;

			want = min_t(u32, SLUICE_MSG_CONFIG_BYTES, sizeof(*config) - offset);
			msg.config.offset = cpu_to_le32(offset);
			msg.config.bytes = cpu_to_le32(want);
			err = ask(t, &msg, &resp, SLUICE_MSG_GET_CONFIG);
			if (err)
				return err;
			/* a backend with a shorter space answers what it has */
			got = min(le32_to_cpu(resp.config.bytes), want);
			memcpy((u8 *)config + offset, resp.config.data, got);
			if (offset && le32_to_cpu(resp.config.generation) != generation)
				stable = false;
			generation = le32_to_cpu(resp.config.generation);
		}
		if (stable)
			return 0;
	}
	return -EAGAIN;
}

/**
 * sluice_peer_fetch_config() - read the configuration space anew
 * @t: the transport
 *
 * Of a device that a driver knows only link state and MTU may change.
 *
 * Context: process, the channel's client context. Return: 0 or an error.
 */
int sluice_peer_fetch_config(struct sluice_transport *t)
{
	struct virtio_net_config config;
	u16 mtu;
	int err;

	err = read_config(t, &config);
	if (err)
		return err;
	mtu = le16_to_cpu((__force __le16)config.mtu);
	spin_lock(&t->config_lock);
	if (t->features & BIT_ULL(VIRTIO_NET_F_MTU) && mtu >= ETH_MIN_MTU)
		t->config.mtu = config.mtu;
	t->backend_link = !(t->offered & BIT_ULL(VIRTIO_NET_F_STATUS)) ||
			  (le16_to_cpu((__force __le16)config.status) & VIRTIO_NET_S_LINK_UP);
	t->generation++;
	spin_unlock(&t->config_lock);
	return 0;
}

static u32 wanted_pairs(struct sluice_transport *t, u32 nr_vqs, u32 config_pairs)
{
	const struct sluice_channel *ch = t->f->ch;
	u32 pairs = min3(ch->hdr.max_pairs, nr_vqs / 2, config_pairs);

	/* vector 0 is not a queue's */
	pairs = min3(pairs, ch->hdr.nr_doorbells - 1, ch->nr_doorbells - 1);
	return clamp_t(u32, pairs, 1, SLUICE_SHM_MAX_PAIRS);
}

static void check_config(struct sluice_transport *t, struct virtio_net_config *config,
			 u64 *features)
{
	u16 mtu = le16_to_cpu((__force __le16)config->mtu);

	if (!(*features & BIT_ULL(VIRTIO_NET_F_MAC)) || !is_valid_ether_addr(config->mac)) {
		*features &= ~BIT_ULL(VIRTIO_NET_F_MAC);
		if (is_valid_ether_addr(t->f->ch->mac)) {
			memcpy(config->mac, t->f->ch->mac, ETH_ALEN);
			*features |= BIT_ULL(VIRTIO_NET_F_MAC);
		}
	}
	if (mtu < ETH_MIN_MTU)
		*features &= ~BIT_ULL(VIRTIO_NET_F_MTU);

	/* a frame that can never fit what the driver can post must not be sent to it */
	if (!(*features & BIT_ULL(VIRTIO_NET_F_MRG_RXBUF)) ||
	    t->offer.rx_slots / t->offer.pairs < GSO_RX_SLOTS ||
	    (sluice_front_stock && t->offer.ring < GSO_RX_SLOTS))
		*features &= ~FEATURES_GUEST_GSO;
}

/**
 * sluice_peer_fetch() - what the backend offers
 * @t: filled in: offered, features, offer, config
 *
 * Context: process, the channel's client context. Return: 0; -ENOLINK if the session
 * ended; or another error, with a log line.
 */
int sluice_peer_fetch(struct sluice_transport *t)
{
	struct sluice_msg msg = { }, resp;
	struct virtio_net_config config;
	const char *what;
	u32 nr_vqs, pairs;
	u64 features;
	int err;

	what = "device information";
	err = fetch_info(t, &nr_vqs);
	if (err)
		goto err;
	what = "features";
	err = ask(t, &msg, &resp, SLUICE_MSG_GET_FEATURES);
	if (err)
		goto err;
	t->offered = le64_to_cpu(resp.features.features);
	features = t->offered & FEATURES_PASSED;
	if (!(features & BIT_ULL(VIRTIO_F_VERSION_1))) {
		err = -EOPNOTSUPP;
		goto err;
	}
	what = "configuration";
	err = read_config(t, &config);
	if (err)
		goto err;

	pairs = 1;
	if (features & BIT_ULL(VIRTIO_NET_F_MQ))
		pairs = le16_to_cpu((__force __le16)config.max_virtqueue_pairs);
	pairs = wanted_pairs(t, nr_vqs, pairs);
	what = "control segment";
	err = sluice_bounce_plan(&t->offer, t->f->ch->hdr.ctrl_bytes, pairs, t->max_ring,
				 !sluice_front_stock);
	if (err)
		goto err;
	pairs = t->offer.pairs;
	config.max_virtqueue_pairs = (__force __virtio16)cpu_to_le16(pairs);
	if (pairs > 1)	/* its requests are answered by ctrlq.c */
		features |= BIT_ULL(VIRTIO_NET_F_CTRL_VQ);
	else
		features &= ~BIT_ULL(VIRTIO_NET_F_MQ);
	check_config(t, &config, &features);
	t->features = features | FEATURES_OWN;

	spin_lock(&t->config_lock);
	t->backend_link = !(t->offered & BIT_ULL(VIRTIO_NET_F_STATUS)) ||
			  (le16_to_cpu((__force __le16)config.status) & VIRTIO_NET_S_LINK_UP);
	t->config = config;
	t->generation++;
	spin_unlock(&t->config_lock);
	return 0;
err:
	if (err != -ENOLINK)
		dev_err(&t->f->dev, "backend's %s cannot be used: %pe\n", what, ERR_PTR(err));
	return err;
}

static int set_status(struct sluice_transport *t, u8 status, u8 *answer)
{
	struct sluice_msg msg = { }, resp;
	int err;

	msg.device_status.status = cpu_to_le32(status);
	err = ask(t, &msg, &resp, SLUICE_MSG_SET_STATUS);
	if (!err && answer)
		*answer = le32_to_cpu(resp.device_status.status);
	return err;
}

/**
 * sluice_peer_set_vq() - tell the backend where a virtqueue is
 * @t: the transport, locked
 * @index: of the queue
 *
 * Of what the driver has put into its own ring the shared one then has what an
 * earlier backend did not finish.
 *
 * Context: process. Return: 0 or an error.
 */
int sluice_peer_set_vq(struct sluice_transport *t, unsigned int index)
{
	struct sluice_msg msg = { }, resp;

	sluice_vqs_connect(t, index, &msg.vqueue);
	return ask(t, &msg, &resp, SLUICE_MSG_SET_VQUEUE);
}

/* The order of VIRTIO 1.2 3.1.1. */
static int tell_device(struct sluice_transport *t, const char **what)
{
	u8 status = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER, answer = 0;
	struct sluice_msg msg = { }, resp;
	unsigned int i;
	int err;

	t->dirty = true;
	*what = "the driver";
	err = set_status(t, status, NULL);
	if (err)
		return err;
	*what = "the features";
	msg.features.features = cpu_to_le64((t->f->vdev->features | FEATURES_HIDDEN) & t->offered);
	err = ask(t, &msg, &resp, SLUICE_MSG_SET_FEATURES);
	if (err)
		return err;
	status |= VIRTIO_CONFIG_S_FEATURES_OK;
	err = set_status(t, status, &answer);
	if (err)
		return err;
	if (!(answer & VIRTIO_CONFIG_S_FEATURES_OK))
		return -EOPNOTSUPP;
	*what = "a virtqueue";
	for (i = 0; i < SLUICE_SHM_MAX_VQS; i++) {
		if (!t->vq[i].vq)	/* stable: whoever changes it holds t->lock */
			continue;
		err = sluice_peer_set_vq(t, i);
		if (err)
			return err;
	}
	*what = "the status";
	return set_status(t, status | VIRTIO_CONFIG_S_DRIVER_OK, NULL);
}

static int tell_pairs(struct sluice_transport *t)
{
	struct sluice_msg msg = { }, resp;
	u16 pairs = READ_ONCE(t->pairs);
	int err;

	if (pairs == t->told_pairs || !(t->f->vdev->features & BIT_ULL(VIRTIO_NET_F_MQ)))
		return 0;
	msg.pairs.pairs = cpu_to_le32(pairs);
	err = ask(t, &msg, &resp, SLUICE_MSG_SET_PAIRS);
	if (!err)
		t->told_pairs = pairs;
	return err;
}

static void start(struct sluice_transport *t)
{
	unsigned int i;

	t->told = true;
	WRITE_ONCE(t->live, true);
	sluice_transport_changed(t);
	for (i = 0; i < ARRAY_SIZE(t->vq); i++)
		sluice_vqs_start(t, i);
	mod_delayed_work(system_wq, &t->backstop, 0);
}

/**
 * sluice_peer_push() - tell the backend what it does not know yet
 * @work: t->push
 */
void sluice_peer_push(struct work_struct *work)
{
	struct sluice_transport *t = container_of(work, struct sluice_transport, push);
	const char *what = "the number of pairs";
	int err = 0;

	mutex_lock(&t->lock);
	/* front_up() pushes again when the bounce slots are where the backend looks */
	if (!t->up || !(t->status & VIRTIO_CONFIG_S_DRIVER_OK) || sluice_map_is_away(t->f))
		goto out;
	if (!t->told) {
		err = tell_device(t, &what);
		if (err)
			goto out;
		start(t);
	}
	err = tell_pairs(t);
out:
	if (err && err != -ENOLINK) {
		dev_err_ratelimited(&t->f->dev, "backend refuses %s: %pe\n", what, ERR_PTR(err));
		sluice_channel_break(t->f->ch, "it refuses the device that it offered");
	}
	mutex_unlock(&t->lock);
}

/**
 * sluice_peer_reset() - make the backend stop
 * @t: the transport, locked
 *
 * On return the backend has confirmed, or the session is ended; the device of
 * this life is never used again by a backend that keeps the protocol.
 */
void sluice_peer_reset(struct sluice_transport *t)
{
	int err;

	if (!t->dirty)
		return;
	t->dirty = false;
	t->told = false;
	t->told_pairs = 1;
	WRITE_ONCE(t->f->link, false);
	if (!t->up)
		return;
	err = set_status(t, 0, NULL);
	if (err && err != -ENOLINK)
		sluice_channel_break(t->f->ch, "no answer to the reset of the device");
}

/**
 * sluice_peer_reset_vq() - make the backend stop using one queue
 * @t: the transport, locked
 * @index: the queue
 */
void sluice_peer_reset_vq(struct sluice_transport *t, unsigned int index)
{
	struct sluice_msg msg = { }, resp;
	int err;

	if (!t->told || !t->up)
		return;
	msg.vqueue.index = cpu_to_le32(index);
	err = ask(t, &msg, &resp, SLUICE_MSG_RESET_VQUEUE);
	if (err && err != -ENOLINK)
		sluice_channel_break(t->f->ch, "no answer to the reset of a virtqueue");
}

/**
 * sluice_front_set_pairs() - receive on the first pairs only
 * @vdev: the virtio device
 * @pairs: how many; 1 to the device's maximum
 *
 * The backend is told soon, or when it comes: the caller holds RTNL, which a
 * backend in the same kernel may need to obey. Until then frames arrive
 * on other pairs as well.
 *
 * Context: process. Return: 0 or -EINVAL.
 */
int sluice_front_set_pairs(struct virtio_device *vdev, u16 pairs)
{
	struct sluice_transport *t = sluice_transport_of(vdev);

	if (!pairs || pairs > t->f->nr_pairs)
		return -EINVAL;
	WRITE_ONCE(t->pairs, pairs);
	queue_work(system_unbound_wq, &t->push);
	return 0;
}
