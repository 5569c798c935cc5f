/* SPDX-License-Identifier: GPL-2.0 */
/* Modules may read the count of UDP tunnels up to 6.14; later there may always be one. */
#ifndef SLUICE_COMPAT_UDP_H
#define SLUICE_COMPAT_UDP_H

#include_next <net/udp.h>
#include <linux/version.h>

/*
 * Does a socket hand what UDP carries to another protocol? VXLAN, WireGuard, ESP, ... each tell
 * UDP so, over IPv6 too: see udp_tunnel_encap_enable().
 */
static inline bool sluice_udp_tunnels(void)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 15, 0)
	return static_branch_unlikely(&udp_encap_needed_key);
#else
	return true;
#endif
}

#endif /* SLUICE_COMPAT_UDP_H */
