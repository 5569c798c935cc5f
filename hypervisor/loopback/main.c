// SPDX-License-Identifier: GPL-2.0
/*
 * sluice_loopback.ko: links inside one kernel.
 *
 * Links can be made and removed while the module is loaded:
 *	echo 7 > /sys/devices/sluice_loopback/new_link		makes loop7
 *	echo 7 > /sys/devices/sluice_loopback/delete_link	removes it
 */
#include <linux/device.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include "loopback.h"

static unsigned int links = 2;
module_param(links, uint, 0444);
MODULE_PARM_DESC(links, "Links made at load time, 0 to 16 (2)");

static unsigned int window = 64;
module_param(window, uint, 0444);
MODULE_PARM_DESC(window, "MiB of data segments that a link may have, even, 2 to 2032 (64)");

static unsigned int pairs = 1;
module_param(pairs, uint, 0444);
MODULE_PARM_DESC(pairs, "Queue pairs per link, 1 to 8 (1)");

static unsigned int ctrl_kb;
module_param(ctrl_kb, uint, 0444);
MODULE_PARM_DESC(ctrl_kb, "KiB of control segment per link, 256 to 8192 (1024 per pair)");

static DEFINE_MUTEX(loop_lock);		/* loop_links */
static LIST_HEAD(loop_links);
static struct device *loop_root;

static int loop_add(unsigned int id)
{
	struct loop_link *link, *l;

	lockdep_assert_held(&loop_lock);

	list_for_each_entry(l, &loop_links, list)
		if (l->id == id)
			return -EEXIST;
	link = loop_link_create(loop_root, id, window << 20, ctrl_kb << 10, pairs);
	if (IS_ERR(link))
		return PTR_ERR(link);
	list_add_tail(&link->list, &loop_links);
	return 0;
}

static ssize_t new_link_store(struct device *dev, struct device_attribute *attr,
			      const char *buf, size_t count)
{
	unsigned int id;
	int err;

	err = kstrtouint(buf, 0, &id);
	if (err)
		return err;
	if (id >= LOOP_MAX_LINKS)
		return -ERANGE;
	mutex_lock(&loop_lock);
	err = loop_add(id);
	mutex_unlock(&loop_lock);
	return err ?: count;
}
static DEVICE_ATTR_WO(new_link);

static ssize_t delete_link_store(struct device *dev, struct device_attribute *attr,
				 const char *buf, size_t count)
{
	struct loop_link *link;
	unsigned int id;
	int err;

	err = kstrtouint(buf, 0, &id);
	if (err)
		return err;
	err = -ENOENT;
	mutex_lock(&loop_lock);
	list_for_each_entry(link, &loop_links, list) {
		if (link->id != id)
			continue;
		list_del(&link->list);
		loop_link_destroy(link);
		err = 0;
		break;
	}
	mutex_unlock(&loop_lock);
	return err ?: count;
}
static DEVICE_ATTR_WO(delete_link);

static struct attribute *loop_attrs[] = {
	&dev_attr_new_link.attr,
	&dev_attr_delete_link.attr,
	NULL
};

static const struct attribute_group loop_group = {
	.attrs = loop_attrs,
};

static int loop_check_parameters(void)
{
	u32 slots;

	if (links > LOOP_MAX_LINKS) {
		pr_err("sluice_loopback: links=%u: give 0 to %u\n", links, LOOP_MAX_LINKS);
		return -ERANGE;
	}
	if (pairs < 1 || pairs > SLUICE_SHM_MAX_PAIRS) {
		pr_err("sluice_loopback: pairs=%u: give 1 to %u\n", pairs, SLUICE_SHM_MAX_PAIRS);
		return -ERANGE;
	}
	if (!ctrl_kb)
		ctrl_kb = 1024 * pairs;
	if (ctrl_kb < SLUICE_SHM_CTRL_MIN >> 10 || ctrl_kb > SLUICE_SHM_CTRL_MAX >> 10 ||
	    (ctrl_kb << 10) % max_t(unsigned long, PAGE_SIZE, SLUICE_SHM_PAGE)) {
		pr_err("sluice_loopback: ctrl_kb=%u: give %u to %u, in whole pages\n", ctrl_kb,
		       SLUICE_SHM_CTRL_MIN >> 10, SLUICE_SHM_CTRL_MAX >> 10);
		return -ERANGE;
	}
	slots = SLUICE_SHM_MAX_SLOTS - DIV_ROUND_UP(ctrl_kb << 10, SLUICE_SHM_SEGMENT_BYTES);
	if (window < 2 || window % 2 || window > 2 * slots) {
		pr_err("sluice_loopback: window=%u: give an even number from 2 to %u\n", window,
		       2 * slots);
		return -ERANGE;
	}
	return 0;
}

static void loop_remove_all(void)
{
	struct loop_link *link, *next;

	mutex_lock(&loop_lock);
	list_for_each_entry_safe(link, next, &loop_links, list) {
		list_del(&link->list);
		loop_link_destroy(link);
	}
	mutex_unlock(&loop_lock);
}

static int __init loop_init(void)
{
	unsigned int i;
	int err;

	err = loop_check_parameters();
	if (err)
		return err;

	loop_root = root_device_register("sluice_loopback");
	if (IS_ERR(loop_root))
		return PTR_ERR(loop_root);
	err = sysfs_create_group(&loop_root->kobj, &loop_group);
	if (err)
		goto err_root;

	mutex_lock(&loop_lock);
	for (i = 0; i < links && !err; i++)
		err = loop_add(i);
	mutex_unlock(&loop_lock);
	if (err)
		goto err_links;
	return 0;

err_links:
	sysfs_remove_group(&loop_root->kobj, &loop_group);
	loop_remove_all();
err_root:
	root_device_unregister(loop_root);
	return err;
}

static void __exit loop_exit(void)
{
	/* first: it waits for writers, then no new link can appear */
	sysfs_remove_group(&loop_root->kobj, &loop_group);
	loop_remove_all();
	root_device_unregister(loop_root);
}

module_init(loop_init);
module_exit(loop_exit);

MODULE_DESCRIPTION("sluice: links inside one kernel");
MODULE_LICENSE("GPL");
