// SPDX-License-Identifier: GPL-2.0
/*
 * Event channels: one per doorbell. The frontend makes them, the backend binds.
 *
 * A domain that is told of an event hears no other on that channel until it says that it
 * has handled it (EOI). That is said from a tasklet, which runs after the network's
 * softirq that the event has started: a peer that rings faster than we poll only
 * slows itself. One that rings faster than any traffic explains is reported to the
 * kernel's event code as spurious, which makes it wait longer each time.
 */
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <xen/events.h>
#include "xen.h"

/* Events on one channel within a jiffy above which they count as a storm. */
#define SXEN_STORM	200

static irqreturn_t sxen_irq(int irq, void *data)
{
	struct sxen_vector *v = data;
	struct sluice_channel *ch;

	rcu_read_lock();
	/* pairs with the release in sxen_bell_open() */
	ch = rcu_dereference(v->bell->ch);
	if (ch)
		sluice_channel_event(ch, v->index);
	rcu_read_unlock();
	tasklet_schedule(&v->eoi);
	return IRQ_HANDLED;
}

static void sxen_eoi(struct tasklet_struct *t)
{
	struct sxen_vector *v = from_tasklet(v, t, eoi);
	unsigned int flags = 0;

	if (time_after(jiffies, v->window)) {
		v->window = jiffies;
		v->count = 0;
	}
	if (++v->count > SXEN_STORM)
		flags = XEN_EOI_FLAG_SPURIOUS;
	xen_irq_lateeoi(v->irq, flags);
}

/**
 * sxen_bell_init() - no event channels yet
 * @bell: of a device
 * @xdev: the device
 */
void sxen_bell_init(struct sxen_bell *bell, struct xenbus_device *xdev)
{
	unsigned int i;

	bell->xdev = xdev;
	for (i = 0; i < ARRAY_SIZE(bell->vector); i++) {
		struct sxen_vector *v = &bell->vector[i];

		v->bell = bell;
		v->index = i;
		tasklet_setup(&v->eoi, sxen_eoi);
		snprintf(v->name, sizeof(v->name), "%s-%u", dev_name(&xdev->dev), i);
	}
}

static int sxen_bell_one(struct sxen_vector *v, int irq)
{
	if (irq < 0)
		return irq;
	v->window = jiffies;
	v->count = 0;
	/* the handler may run before: its EOI comes from the tasklet, which looks at it then */
	WRITE_ONCE(v->irq, irq);
	v->bell->nr = v->index + 1;
	return 0;
}

/**
 * sxen_bell_offer() - frontend: make event channels that the backend can bind
 * @bell: without any
 * @nr: how many
 *
 * Return: 0 or an errno, and there are none.
 */
int sxen_bell_offer(struct sxen_bell *bell, unsigned int nr)
{
	struct sxen_vector *v;
	unsigned int i;
	int err;

	for (i = 0; i < nr; i++) {
		v = &bell->vector[i];
		err = xenbus_alloc_evtchn(bell->xdev, &v->port);
		if (err)
			goto err_unbind;
		/* nobody knows the port yet: no event comes before irq is set */
		err = sxen_bell_one(v, bind_evtchn_to_irqhandler_lateeoi(v->port, sxen_irq, 0,
									 v->name, v));
		if (err) {
			xenbus_free_evtchn(bell->xdev, v->port);
			goto err_unbind;
		}
	}
	return 0;

err_unbind:
	sxen_bell_unbind(bell);
	return err;
}

/**
 * sxen_bell_bind() - backend: bind the frontend's event channels
 * @bell: without any
 * @port: the frontend's
 * @nr: how many
 *
 * Return: 0 or an errno, and none is bound.
 */
int sxen_bell_bind(struct sxen_bell *bell, const u32 *port, unsigned int nr)
{
	struct sxen_vector *v;
	unsigned int i;
	int irq, err;

	for (i = 0; i < nr; i++) {
		v = &bell->vector[i];
		/* disabled until irq is set: the first event comes at once */
		tasklet_disable(&v->eoi);
		irq = bind_interdomain_evtchn_to_irqhandler_lateeoi(bell->xdev, port[i], sxen_irq,
								    0, v->name, v);
		err = sxen_bell_one(v, irq);
		tasklet_enable(&v->eoi);
		if (err) {
			sxen_bell_unbind(bell);
			return err;
		}
	}
	return 0;
}

/**
 * sxen_bell_unbind() - let go of all event channels
 * @bell: of a device
 *
 * Context: process.
 */
void sxen_bell_unbind(struct sxen_bell *bell)
{
	int irq[SLUICE_SHM_MAX_DOORBELLS];
	struct sxen_vector *v;
	unsigned int i;

	if (!bell->nr)
		return;
	for (i = 0; i < bell->nr; i++) {
		v = &bell->vector[i];
		irq[i] = v->irq;
		/* waits for the handler; then the last EOI, which needs the irq */
		disable_irq(irq[i]);
		tasklet_kill(&v->eoi);
		WRITE_ONCE(v->irq, 0);
	}
	/* who rings has seen 0, or is done */
	synchronize_rcu();
	for (i = 0; i < bell->nr; i++)
		unbind_from_irqhandler(irq[i], &bell->vector[i]);
	bell->nr = 0;
}

/**
 * sxen_bell_open() - events reach this channel
 * @bell: of its device
 * @ch: claimed
 */
void sxen_bell_open(struct sxen_bell *bell, struct sluice_channel *ch)
{
	rcu_assign_pointer(bell->ch, ch);
}

/**
 * sxen_bell_close() - events reach nobody
 * @bell: of a device
 *
 * Waits for handlers: no event after this.
 */
void sxen_bell_close(struct sxen_bell *bell)
{
	RCU_INIT_POINTER(bell->ch, NULL);
	synchronize_rcu();
}

/**
 * sxen_bell_ring() - ring the peer
 * @bell: of a device
 * @vector: any number
 *
 * Context: any.
 */
void sxen_bell_ring(struct sxen_bell *bell, unsigned int vector)
{
	int irq;

	if (vector >= ARRAY_SIZE(bell->vector))
		return;
	/* pairs with synchronize_rcu() in sxen_bell_unbind() */
	rcu_read_lock();
	irq = READ_ONCE(bell->vector[vector].irq);
	if (irq)
		notify_remote_via_irq(irq);
	rcu_read_unlock();
}
