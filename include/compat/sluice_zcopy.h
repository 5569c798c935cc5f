/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How a driver that lends pages to an skb is told that they are back: a callback in
 * struct ubuf_info up to 6.9, a table of operations from 6.10 on.
 */
#ifndef SLUICE_COMPAT_ZCOPY_H
#define SLUICE_COMPAT_ZCOPY_H

#include <linux/skbuff.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 10, 0)

#define DEFINE_SLUICE_ZCOPY(name, fn) \
	static const struct ubuf_info_ops name = { .complete = fn }

static inline void sluice_zcopy_init(struct ubuf_info *uarg, const struct ubuf_info_ops *ops)
{
	uarg->ops = ops;
	uarg->flags = SKBFL_ZEROCOPY_FRAG | SKBFL_DONT_ORPHAN;
	refcount_set(&uarg->refcnt, 1);
}

#else

struct sluice_zcopy_ops {
	void (*complete)(struct sk_buff *skb, struct ubuf_info *uarg, bool success);
};

#define DEFINE_SLUICE_ZCOPY(name, fn) \
	static const struct sluice_zcopy_ops name = { .complete = fn }

static inline void sluice_zcopy_init(struct ubuf_info *uarg, const struct sluice_zcopy_ops *ops)
{
	uarg->callback = ops->complete;
	uarg->flags = SKBFL_ZEROCOPY_FRAG | SKBFL_DONT_ORPHAN;
	refcount_set(&uarg->refcnt, 1);
}

#endif

#endif /* SLUICE_COMPAT_ZCOPY_H */
