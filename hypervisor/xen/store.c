// SPDX-License-Identifier: GPL-2.0
/*
 * Reading and writing xenstore. Whatever stands in the other end's folder is
 * hostile: numbers are parsed as numbers, and the pure code judges them.
 */
#include <linux/etherdevice.h>
#include <linux/module.h>
#include <linux/random.h>
#include <linux/slab.h>
#include "xen.h"

#define SXEN_VIEW_TRIES		5

/**
 * sxen_new_life() - a number that was not used before
 */
u32 sxen_new_life(void)
{
	u32 life;

	do {
		life = get_random_u32();
	} while (!life);
	return life;
}

static bool sxen_parse(const char *text, u64 *value)
{
	return !kstrtou64(text, 10, value);
}

static bool sxen_read_in(struct xenbus_transaction t, const char *path, const char *node,
			 u64 *value)
{
	char *text = xenbus_read(t, path, node, NULL);
	bool ok;

	if (IS_ERR(text))
		return false;
	ok = sxen_parse(text, value);
	kfree(text);
	return ok;
}

static u32 sxen_read_word(struct xenbus_transaction t, const char *path, const char *node)
{
	u64 value;

	if (!sxen_read_in(t, path, node, &value) || value > U32_MAX)
		return 0;
	return value;
}

/* Does a folder exist? 1, 0, or an errno if nobody could say. */
static int sxen_exists(struct xenbus_transaction t, const char *path)
{
	char *text = xenbus_read(t, path, "", NULL);
	int err;

	if (!IS_ERR(text)) {
		kfree(text);
		return 1;
	}
	/* xenstore does not tell what is not there from what we may not know */
	err = PTR_ERR(text);
	return err == -ENOENT || err == -EACCES ? 0 : err;
}

/**
 * sxen_view_read() - what the other end has written, at one moment
 * @d: our end
 * @v: filled in
 *
 * Also tells the bus what really stands in our folder, so that it writes what differs.
 *
 * Return: 0, or an errno if xenstore did not answer: nothing may be concluded then.
 */
int sxen_view_read(struct sxen_dev *d, struct sxen_view *v)
{
	struct xenbus_device *xdev = d->xdev;
	struct xenbus_transaction t;
	unsigned int tries;
	int err, there = 0;
	u64 online;

	for (tries = 0; tries < SXEN_VIEW_TRIES; tries++) {
		memset(v, 0, sizeof(*v));
		err = xenbus_transaction_start(&t);
		if (err)
			return err;
		there = sxen_exists(t, d->otherend);
		v->exists = there > 0;
		v->own = sxen_read_word(t, xdev->nodename, "state");
		v->state = sxen_read_word(t, d->otherend, "state");
		v->life = sxen_read_word(t, d->otherend, "life");
		v->echo = sxen_read_word(t, d->otherend, "peer-life");
		/* nodes written by hand may lack it */
		v->online = !sxen_read_in(t, xdev->nodename, "online", &online) || online;
		/* -EAGAIN: somebody wrote meanwhile, read again to have it all of one moment */
		err = xenbus_transaction_end(t, 0);
		if (err != -EAGAIN)
			break;
	}
	if (there < 0)
		return there;
	if (err && err != -EAGAIN)
		return err;
	if (v->own)
		xdev->state = v->own;
	return 0;
}

/**
 * sxen_read_u64() - a number
 * @path: folder
 * @node: name in it
 * @value: filled in
 *
 * Return: false if it is not there or no number.
 */
bool sxen_read_u64(const char *path, const char *node, u64 *value)
{
	return sxen_read_in(XBT_NIL, path, node, value);
}

bool sxen_read_u32(const char *path, const char *node, u32 *value)
{
	u64 wide;

	if (!sxen_read_u64(path, node, &wide) || wide > U32_MAX)
		return false;
	*value = wide;
	return true;
}

bool sxen_read_mac(const char *path, u8 *mac)
{
	char *text = xenbus_read(XBT_NIL, path, "mac", NULL);
	u8 snap[ETH_ALEN];
	bool ok;

	if (IS_ERR(text))
		return false;
	ok = strlen(text) == 3 * ETH_ALEN - 1 && mac_pton(text, snap) && is_valid_ether_addr(snap);
	if (ok)
		ether_addr_copy(mac, snap);
	kfree(text);
	return ok;
}

bool sxen_read_name(const char *path, char *name, size_t bytes)
{
	char *text = xenbus_read(XBT_NIL, path, "name", NULL);
	bool ok;

	if (IS_ERR(text))
		return false;
	ok = sxen_name_ok(text);
	if (ok)
		strscpy(name, text, bytes);
	kfree(text);
	return ok;
}

int sxen_write_u32(struct xenbus_device *xdev, const char *node, u32 value)
{
	return xenbus_printf(XBT_NIL, xdev->nodename, node, "%u", value);
}

/**
 * sxen_write_error() - a sentence for who looks into xenstore, and into the log
 * @d: our end
 * @text: why, or NULL to take the last one away
 */
void sxen_write_error(struct sxen_dev *d, const char *text)
{
	struct xenbus_device *xdev = d->xdev;

	if (text) {
		sxen_warn(d, "%s\n", text);
		xenbus_write(XBT_NIL, xdev->nodename, "error", text);
	} else if (xenbus_exists(XBT_NIL, xdev->nodename, "error")) {
		xenbus_rm(XBT_NIL, xdev->nodename, "error");
	}
}

/**
 * sxen_write_shared() - how much of the window is shared now, for who plans
 * @d: the backend's end
 * @bytes: of data segments
 *
 * A folder that is gone is not made again. Return: 0 or an errno.
 */
int sxen_write_shared(struct sxen_dev *d, u64 bytes)
{
	struct xenbus_device *xdev = d->xdev;
	struct xenbus_transaction t;
	bool there;
	int err;

	do {
		err = xenbus_transaction_start(&t);
		if (err)
			return err;
		there = xenbus_exists(t, xdev->nodename, "state");
		if (there)
			err = xenbus_printf(t, xdev->nodename, "shared-bytes", "%llu", bytes);
		if (!there || err) {
			xenbus_transaction_end(t, 1);
			return err ?: -ENOENT;
		}
		err = xenbus_transaction_end(t, 0);
	} while (err == -EAGAIN);
	return err;
}

/**
 * sxen_write_side() - publish lives, then the state, in that order
 * @d: our end
 *
 * The other end hears of the state, and then finds the lives. A folder that is gone
 * is not made again.
 */
void sxen_write_side(struct sxen_dev *d)
{
	struct xenbus_device *xdev = d->xdev;
	struct xenbus_transaction t;
	bool there;
	int err;

	do {
		if (xenbus_transaction_start(&t))
			return;
		there = xenbus_exists(t, xdev->nodename, "state");
		if (there) {
			xenbus_printf(t, xdev->nodename, "life", "%u", d->side.life);
			xenbus_printf(t, xdev->nodename, "peer-life", "%u", d->side.peer_life);
		}
		err = xenbus_transaction_end(t, !there);
	} while (err == -EAGAIN);
	if (!there)
		return;
	/*
	 * Written even if it stands there already, left over from a kernel before this one or
	 * by who else may write: it is the only node that the other end watches.
	 */
	xdev->state = (enum xenbus_state)SXEN_UNKNOWN;
	xenbus_switch_state(xdev, d->side.state);
}
