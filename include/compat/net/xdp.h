/* SPDX-License-Identifier: GPL-2.0 */
/* Since 6.3 a netdev says which XDP actions it knows. */
#ifndef SLUICE_COMPAT_XDP_H
#define SLUICE_COMPAT_XDP_H

#include_next <net/xdp.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
#define sluice_xdp_set_features(dev) do { } while (0)
#else
#define sluice_xdp_set_features(dev) \
	xdp_set_features_flag(dev, NETDEV_XDP_ACT_BASIC | NETDEV_XDP_ACT_REDIRECT | \
				   NETDEV_XDP_ACT_NDO_XMIT)
#endif

#endif /* SLUICE_COMPAT_XDP_H */
