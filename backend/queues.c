// SPDX-License-Identifier: GPL-2.0
/*
 * Starting and stopping the queues of a destination, and what calls them: NAPI,
 * doorbells, and a slow timer for doorbells that got lost.
 */
#include <linux/slab.h>
#include "back.h"

#define SLUICE_BACKSTOP_JIFFIES	max(HZ / 10, 1)

static struct sluice_dest *sluice_dest_of(struct sluice_vdev *v)
{
	return container_of(v, struct sluice_dest, vdev);
}

static int sluice_pair_poll(struct napi_struct *napi, int budget)
{
	struct sluice_pair *pair = container_of(napi, struct sluice_pair, napi);
	int work = 0;

	sluice_tx_poll(pair);
	if (budget)
		work = sluice_rx_poll(pair, budget);
	if (work < budget)
		napi_complete_done(napi, work);
	return work;
}

/* Any context. Only interrupt returns and local_bh_enable() run softirqs. */
static void sluice_pair_schedule(struct sluice_pair *pair)
{
	if (!READ_ONCE(pair->napi_on))
		return;
	if (in_hardirq() || irqs_disabled()) {
		napi_schedule(&pair->napi);
		return;
	}
	local_bh_disable();
	napi_schedule(&pair->napi);
	local_bh_enable();
}

void sluice_queues_doorbell(struct sluice_dest *dest, unsigned int vector)
{
	struct sluice_pair *pair;

	if (!vector || vector > dest->nr_pairs)
		return;
	pair = &dest->pair[vector - 1];
	atomic64_inc(&pair->bells);
	sluice_pair_schedule(pair);
}

static void sluice_queues_backstop(struct timer_list *t)
{
	struct sluice_dest *dest = container_of(t, struct sluice_dest, backstop);
	u32 i;

	for (i = 0; i < dest->nr_pairs; i++)
		sluice_pair_schedule(&dest->pair[i]);
	mod_timer(&dest->backstop, jiffies + SLUICE_BACKSTOP_JIFFIES);
}

static void sluice_pair_on(struct sluice_pair *pair)
{
	napi_enable(&pair->napi);
	WRITE_ONCE(pair->napi_on, true);
	sluice_pair_schedule(pair);
}

static void sluice_pair_off(struct sluice_pair *pair)
{
	/* a doorbell that does not see this yet finds NAPI disabled: no effect */
	WRITE_ONCE(pair->napi_on, false);
	napi_disable(&pair->napi);
}

static int sluice_queues_vq_start(struct sluice_vdev *v, u32 index)
{
	struct sluice_dest *dest = sluice_dest_of(v);
	struct sluice_pair *pair = &dest->pair[index / 2];
	struct sluice_ring *ring;

	if (!(index & 1))
		return sluice_tx_start(pair, &v->vq[index]);

	ring = sluice_rx_start(pair, &v->vq[index]);
	if (IS_ERR(ring))
		return PTR_ERR(ring);
	if (pair->napi_on) {
		sluice_pair_off(pair);
		pair->ring = ring;
		sluice_pair_on(pair);
	} else {
		pair->ring = ring;
	}
	return 0;
}

static void sluice_queues_vq_stop(struct sluice_vdev *v, u32 index)
{
	struct sluice_dest *dest = sluice_dest_of(v);
	struct sluice_pair *pair = &dest->pair[index / 2];
	bool on = pair->napi_on;

	if (!(index & 1)) {
		sluice_tx_stop(pair);
		return;
	}
	if (on)
		sluice_pair_off(pair);
	sluice_rx_stop(pair->ring);
	pair->ring = NULL;
	if (on)
		sluice_pair_on(pair);
}

static void sluice_queues_stop(struct sluice_vdev *v)
{
	struct sluice_dest *dest = sluice_dest_of(v);
	u32 i;

	dest->running = false;
	dest->stale = true;
	/* or the stack would go on filling queues that only drop */
	netif_carrier_off(dest->dev);
	del_timer_sync(&dest->backstop);
	for (i = 0; i < dest->nr_pairs; i++)
		if (dest->pair[i].napi_on)
			sluice_pair_off(&dest->pair[i]);
	for (i = 0; i < dest->nr_pairs; i++) {
		sluice_tx_stop(&dest->pair[i]);
		sluice_rx_stop(dest->pair[i].ring);
		dest->pair[i].ring = NULL;
	}
	WRITE_ONCE(dest->features, 0);
}

static int sluice_queues_start(struct sluice_vdev *v)
{
	struct sluice_dest *dest = sluice_dest_of(v);
	u32 i;
	int err;

	/* before the first queue: they look at it */
	WRITE_ONCE(dest->features, v->accepted);
	for (i = 0; i < 2 * dest->nr_pairs; i++) {
		if (!v->vq[i].set)
			continue;
		err = sluice_queues_vq_start(v, i);
		if (err) {
			sluice_queues_stop(v);
			return err;
		}
	}
	for (i = 0; i < dest->nr_pairs; i++)
		sluice_pair_on(&dest->pair[i]);
	mod_timer(&dest->backstop, jiffies + SLUICE_BACKSTOP_JIFFIES);
	dest->running = true;
	dest->stale = true;
	return 0;
}

static int sluice_queues_set_pairs(struct sluice_vdev *v, u32 pairs)
{
	sluice_dest_of(v)->stale = true;
	return 0;
}

const struct sluice_vdev_ops sluice_queues_ops = {
	.start = sluice_queues_start,
	.stop = sluice_queues_stop,
	.vq_start = sluice_queues_vq_start,
	.vq_stop = sluice_queues_vq_stop,
	.set_pairs = sluice_queues_set_pairs,
};

/**
 * sluice_queues_alloc() - queue pairs of a new destination, not running
 * @dest: with dev and nr_pairs set
 *
 * Return: 0 or -ENOMEM.
 */
int sluice_queues_alloc(struct sluice_dest *dest)
{
	struct sluice_aloft *aloft;
	struct sluice_pair *pair;
	u32 i;

	dest->pair = kvcalloc(dest->nr_pairs, sizeof(*pair), GFP_KERNEL);
	if (!dest->pair)
		return -ENOMEM;
	timer_setup(&dest->backstop, sluice_queues_backstop, 0);
	for (i = 0; i < dest->nr_pairs; i++) {
		aloft = sluice_aloft_alloc();
		if (!aloft)
			goto err;
		pair = &dest->pair[i];
		pair->aloft = aloft;
		pair->dest = dest;
		pair->index = i;
		spin_lock_init(&pair->tx.lock);
		u64_stats_init(&pair->tx.stats.syncp);
		u64_stats_init(&pair->rx_stats.syncp);
		u64_stats_init(&pair->done_stats.syncp);
		netif_napi_add(dest->dev, &pair->napi, sluice_pair_poll);
	}
	return 0;

err:
	sluice_queues_free(dest);
	return -ENOMEM;
}

/* The device is reset: no queue runs. */
void sluice_queues_free(struct sluice_dest *dest)
{
	u32 i;

	if (!dest->pair)
		return;
	for (i = 0; i < dest->nr_pairs && dest->pair[i].aloft; i++) {
		netif_napi_del(&dest->pair[i].napi);
		sluice_aloft_put(dest->pair[i].aloft);
	}
	kvfree(dest->pair);
	dest->pair = NULL;
}
