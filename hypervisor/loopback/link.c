// SPDX-License-Identifier: GPL-2.0
/*
 * A link: two channels over the same memory.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include "loopback.h"

static int loop_claim(struct sluice_channel *ch, enum sluice_role role,
		      struct netlink_ext_ack *extack)
{
	struct loop_end *end = ch->provider_data;

	ch->ctrl_va = end->link->ctrl;
	ch->ctrl_bytes = end->link->ctrl_bytes;
	WRITE_ONCE(end->open, true);
	return 0;
}

static void loop_release(struct sluice_channel *ch)
{
	struct loop_end *end = ch->provider_data;

	WRITE_ONCE(end->open, false);
	/* the other side may have queued it a moment before */
	irq_work_sync(&end->irq);
	if (ch->role == SLUICE_FRONTEND)
		loop_segments_unmap(end->link);
	else
		loop_segments_free(end->link);
}

/*
 * Never calls the other side from here: it may hold the very locks that its own
 * doorbell needs, and two sides that answer each other would recurse.
 */
static void loop_doorbell(struct sluice_channel *ch, unsigned int vector)
{
	struct loop_end *end = ch->provider_data;
	struct loop_end *other = &end->link->end[end == &end->link->end[SLUICE_BACKEND] ?
						 SLUICE_FRONTEND : SLUICE_BACKEND];

	if (vector >= ch->nr_doorbells || !READ_ONCE(other->open))
		return;
	set_bit(vector, &other->pending);
	irq_work_queue(&other->irq);
}

static void loop_irq(struct irq_work *work)
{
	struct loop_end *end = container_of(work, struct loop_end, irq);
	unsigned long pending = xchg(&end->pending, 0);
	unsigned int vector;

	if (!READ_ONCE(end->open))
		return;
	for_each_set_bit(vector, &pending, SLUICE_SHM_MAX_DOORBELLS)
		sluice_channel_event(end->ch, vector);
}

static const struct sluice_provider_ops loop_ops = {
	.name = "loopback",
	.owner = THIS_MODULE,
	.claim = loop_claim,
	.release = loop_release,
	.segment_alloc = loop_segment_alloc,
	.segment_share = loop_segment_share,
	.segment_revoke = loop_segment_revoke,
	.segment_free = loop_segment_free,
	.segment_map = loop_segment_map,
	.segment_unmap = loop_segment_unmap,
	.doorbell = loop_doorbell,
};

static void loop_dev_release(struct device *dev)
{
	/* embedded in the link, which outlives both devices */
}

static int loop_end_init(struct loop_link *link, struct device *parent,
			 enum sluice_role role, u32 pairs)
{
	struct loop_end *end = &link->end[role];
	struct sluice_channel *ch;
	int err;

	end->link = link;
	init_irq_work(&end->irq, loop_irq);
	device_initialize(&end->dev);
	end->dev.parent = parent;
	end->dev.release = loop_dev_release;
	err = dev_set_name(&end->dev, "loop%u-%s", link->id,
			   role == SLUICE_BACKEND ? "backend" : "frontend");
	if (err)
		goto err_put;
	err = device_add(&end->dev);
	if (err)
		goto err_put;

	ch = sluice_channel_alloc(&loop_ops, &end->dev, role);
	if (IS_ERR(ch)) {
		err = PTR_ERR(ch);
		goto err_del;
	}
	snprintf(ch->name, sizeof(ch->name), "loop%u", link->id);
	ch->max_slots = link->nr_slots;
	ch->nr_doorbells = 1 + pairs;
	ch->want_pairs = pairs;
	ch->want_ctrl_bytes = link->ctrl_bytes;
	ch->provider_data = end;
	end->ch = ch;
	return 0;

err_del:
	device_del(&end->dev);
err_put:
	put_device(&end->dev);
	return err;
}

static void loop_end_exit(struct loop_end *end)
{
	if (!end->ch)
		return;
	/* nobody rings any more: both channels are unregistered */
	irq_work_sync(&end->irq);
	sluice_channel_free(end->ch);
	end->ch = NULL;
	device_unregister(&end->dev);
}

/**
 * loop_link_create() - make a link and offer its two channels
 * @parent: of its devices
 * @id: number in its name
 * @window_bytes: of data segments, a multiple of the segment size
 * @ctrl_bytes: of control segment
 * @pairs: queue pairs for which there are doorbells
 *
 * Return: the link or an ERR_PTR.
 */
struct loop_link *loop_link_create(struct device *parent, unsigned int id, u32 window_bytes,
				   u32 ctrl_bytes, u32 pairs)
{
	u32 ctrl_slots = DIV_ROUND_UP(ctrl_bytes, SLUICE_SHM_SEGMENT_BYTES);
	u32 nr_slots = ctrl_slots + window_bytes / SLUICE_SHM_SEGMENT_BYTES;
	struct loop_link *link;
	int err;

	link = kvzalloc(struct_size(link, segment, nr_slots), GFP_KERNEL);
	if (!link)
		return ERR_PTR(-ENOMEM);
	link->id = id;
	link->nr_slots = nr_slots;
	link->ctrl_bytes = ctrl_bytes;
	mutex_init(&link->lock);
	INIT_LIST_HEAD(&link->list);

	err = loop_ctrl_alloc(link);
	if (err)
		goto err_free;
	err = loop_end_init(link, parent, SLUICE_BACKEND, pairs);
	if (err)
		goto err_ctrl;
	err = loop_end_init(link, parent, SLUICE_FRONTEND, pairs);
	if (err)
		goto err_back;

	err = sluice_channel_register(link->end[SLUICE_BACKEND].ch);
	if (err)
		goto err_front;
	err = sluice_channel_register(link->end[SLUICE_FRONTEND].ch);
	if (err)
		goto err_unregister;
	return link;

err_unregister:
	sluice_channel_unregister(link->end[SLUICE_BACKEND].ch);
err_front:
	loop_end_exit(&link->end[SLUICE_FRONTEND]);
err_back:
	loop_end_exit(&link->end[SLUICE_BACKEND]);
err_ctrl:
	loop_ctrl_free(link);
err_free:
	kvfree(link);
	return ERR_PTR(err);
}

/**
 * loop_link_destroy() - take a link away, clients included
 * @link: the link
 */
void loop_link_destroy(struct loop_link *link)
{
	sluice_channel_unregister(link->end[SLUICE_FRONTEND].ch);
	sluice_channel_unregister(link->end[SLUICE_BACKEND].ch);
	loop_end_exit(&link->end[SLUICE_FRONTEND]);
	loop_end_exit(&link->end[SLUICE_BACKEND]);
	/* both released: nothing is mapped, and what sockets hold stays with them */
	loop_segments_free(link);
	loop_ctrl_free(link);
	mutex_destroy(&link->lock);
	kvfree(link);
}
