// SPDX-License-Identifier: GPL-2.0
/*
 * sluice_xen.ko: both ends of the xenbus device type "sluice".
 */
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <asm/xen/hypercall.h>
#include <xen/page.h>
#include <xen/xen.h>
#include "xen.h"

#define SXEN_STORE_RETRY_MS	1000
#define SXEN_CALM_MS		100
/* More looks in a row than any way from one rest to the next takes. */
#define SXEN_LOOKS		16

/* Steps wait while the machine is frozen for suspend: nothing is mapped then. */
struct workqueue_struct *sxen_wq;

/**
 * sxen_dev_init() - what both ends have
 * @d: zeroed, but for its lock
 * @xdev: the device
 * @role: which end
 * @step: of the work
 */
void sxen_dev_init(struct sxen_dev *d, struct xenbus_device *xdev, enum sluice_role role,
		   work_func_t step)
{
	d->xdev = xdev;
	d->role = role;
	INIT_DELAYED_WORK(&d->step, step);
	ratelimit_state_init(&d->ratelimit, DEFAULT_RATELIMIT_INTERVAL, DEFAULT_RATELIMIT_BURST);
	sxen_bell_init(&d->bell, xdev);
}

/**
 * sxen_dev_kick() - something may have changed
 * @d: our end
 * @delay_ms: look then, or earlier if somebody else says so
 *
 * Never while the device has to be calm.
 */
void sxen_dev_kick(struct sxen_dev *d, unsigned int delay_ms)
{
	unsigned long calm = READ_ONCE(d->calm), now = jiffies;

	if (delay_ms)
		queue_delayed_work(sxen_wq, &d->step, msecs_to_jiffies(delay_ms));
	else
		mod_delayed_work(sxen_wq, &d->step, time_before(now, calm) ? calm - now : 0);
}

/**
 * sxen_dev_calm() - a pause before the next step
 * @d: our end, locked
 *
 * An other end that comes and goes all the time gets no more of the CPU, nor of the lock, for
 * which who takes the device away waits in the one thread of all watches.
 */
void sxen_dev_calm(struct sxen_dev *d)
{
	lockdep_assert_held(&d->lock);
	WRITE_ONCE(d->calm, jiffies + msecs_to_jiffies(SXEN_CALM_MS));
	sxen_dev_kick(d, SXEN_CALM_MS);
}

/**
 * sxen_warn() - into the log, what another domain can make us say as often as it likes
 * @d: our end
 * @fmt: as for printk(), with the new line
 */
void sxen_warn(struct sxen_dev *d, const char *fmt, ...)
{
	struct va_format vaf = { .fmt = fmt };
	va_list args;

	if (!__ratelimit(&d->ratelimit))
		return;
	va_start(args, fmt);
	vaf.va = &args;
	dev_warn(&d->xdev->dev, "%pV", &vaf);
	va_end(args);
}

/**
 * sxen_watch_once() - will_handle of our watches: one event at a time
 * @watch: that has fired
 * @path: unused
 * @token: unused
 *
 * Who may write the node could make events faster than they are handled, until this kernel
 * has no memory left. Handlers read what stands there then: the one that waits does for all.
 *
 * Return: true if the event shall be queued.
 */
bool sxen_watch_once(struct xenbus_watch *watch, const char *path, const char *token)
{
	return !watch->nr_pending;
}

/**
 * sxen_dev_look() - before each step: what does the other end say?
 * @d: our end, locked; @looks is 0 before the first
 * @v: filled in
 *
 * Return: false if there shall be no step now.
 */
bool sxen_dev_look(struct sxen_dev *d, struct sxen_view *v)
{
	int err;

	lockdep_assert_held(&d->lock);
	if (d->leaving)
		return false;
	/* it says something else each time: that would never end */
	if (d->looks++ == SXEN_LOOKS) {
		sxen_dev_calm(d);
		return false;
	}
	err = sxen_view_read(d, v);
	if (!err)
		return true;
	sxen_warn(d, "xenstore does not answer (%d)\n", err);
	sxen_dev_kick(d, SXEN_STORE_RETRY_MS);
	return false;
}

/**
 * sxen_refs_total() - how many grants this domain can ever have
 */
u64 sxen_refs_total(void)
{
	struct gnttab_get_version v = { .dom = DOMID_SELF };
	unsigned int per_frame = XEN_PAGE_SIZE / sizeof(struct grant_entry_v1);

	if (!HYPERVISOR_grant_table_op(GNTTABOP_get_version, &v, 1) && v.version == 2)
		per_frame = XEN_PAGE_SIZE / sizeof(union grant_entry_v2);
	return (u64)gnttab_max_grant_frames() * per_frame;
}

static int sxen_claim(struct sluice_channel *ch, enum sluice_role role,
		      struct netlink_ext_ack *extack)
{
	return role == SLUICE_BACKEND ? sxen_back_claim(ch) : sxen_front_claim(ch);
}

static void sxen_release(struct sluice_channel *ch)
{
	if (ch->role == SLUICE_BACKEND)
		sxen_back_release(ch);
	else
		sxen_front_release(ch);
}

static void sxen_doorbell(struct sluice_channel *ch, unsigned int vector)
{
	struct sxen_dev *d = ch->provider_data;

	sxen_bell_ring(&d->bell, vector);
}

/* A PV domain's pages lie elsewhere in the machine than it thinks. */
static phys_addr_t sxen_bus_phys(struct sluice_channel *ch, struct page *page)
{
	return (phys_addr_t)xen_page_to_gfn(page) << XEN_PAGE_SHIFT;
}

const struct sluice_provider_ops sxen_ops = {
	.name = "xen",
	.owner = THIS_MODULE,
	.claim = sxen_claim,
	.release = sxen_release,
	.segment_alloc = sxen_segment_alloc,
	.segment_share = sxen_segment_share,
	.segment_revoke = sxen_segment_revoke,
	.segment_free = sxen_segment_free,
	.segment_map = sxen_segment_map,
	.segment_unmap = sxen_segment_unmap,
	.doorbell = sxen_doorbell,
	.limit = sxen_segments_limit,
	.bus_phys = sxen_bus_phys,
};

/* For tools that plan: one "name value" per line. */
static int sxen_grants_get(char *buf, const struct kernel_param *kp)
{
	struct gnttab_query_size q = { .dom = DOMID_SELF };
	u64 total = sxen_refs_total();

	if (HYPERVISOR_grant_table_op(GNTTABOP_query_size, &q, 1) || q.status != GNTST_okay)
		memset(&q, 0, sizeof(q));
	return sysfs_emit(buf,
			  "frames %u\nmax_frames %u\nmax_grants %llu\nper_segment %u\ngranted %lu\nquarantined %lu\nmapped %lu\n",
			  q.nr_frames, q.max_nr_frames, total, SXEN_SEGMENT_REFS + 1,
			  sxen_grants_live(), sxen_grants_quarantined(), sxen_map_pages());
}

static const struct kernel_param_ops sxen_grants_ops = {
	.get = sxen_grants_get,
};

module_param_cb(grants, &sxen_grants_ops, NULL, 0444);
MODULE_PARM_DESC(grants, "Read: grant table of this domain, and what sluice has of it");

static int __init sxen_init(void)
{
	int err;

	if (!xen_domain())
		return -ENODEV;
	if (PAGE_SIZE != XEN_PAGE_SIZE) {
		pr_err("sluice_xen: needs a kernel with pages of 4 KiB, as Xen's grants have\n");
		return -EOPNOTSUPP;
	}
	sxen_wq = alloc_workqueue("sluice_xen", WQ_UNBOUND | WQ_FREEZABLE, 0);
	if (!sxen_wq)
		return -ENOMEM;
	err = sxen_back_register();
	if (err)
		goto err_wq;
	err = sxen_front_register();
	if (err)
		goto err_back;
	return 0;

err_back:
	sxen_back_unregister();
err_wq:
	destroy_workqueue(sxen_wq);
	return err;
}

static void __exit sxen_exit(void)
{
	sxen_front_unregister();
	sxen_back_unregister();
	destroy_workqueue(sxen_wq);
	sxen_map_exit();
	sxen_grants_exit();
}

module_init(sxen_init);
module_exit(sxen_exit);

MODULE_ALIAS("xen-backend:sluice");
MODULE_ALIAS("xen:sluice");
MODULE_DESCRIPTION("sluice: regions granted by a Xen driver domain");
MODULE_LICENSE("GPL");
