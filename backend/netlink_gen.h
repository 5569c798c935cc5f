/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */
/* Do not edit directly, auto-generated from: */
/*	Documentation/netlink/specs/sluice.yaml */
/* YNL-GEN kernel header */

#ifndef _LINUX_SLUICE_GEN_H
#define _LINUX_SLUICE_GEN_H

#include <net/netlink.h>
#include <net/genetlink.h>

#include <uapi/linux/sluice.h>

int sluice_nl_dest_get_doit(struct sk_buff *skb, struct genl_info *info);
int sluice_nl_dest_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int sluice_nl_dest_set_doit(struct sk_buff *skb, struct genl_info *info);
int sluice_nl_port_get_doit(struct sk_buff *skb, struct genl_info *info);
int sluice_nl_port_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int sluice_nl_budget_get_doit(struct sk_buff *skb, struct genl_info *info);
int sluice_nl_budget_set_doit(struct sk_buff *skb, struct genl_info *info);

enum {
	SLUICE_NLGRP_EVENTS,
};

extern struct genl_family sluice_nl_family;

#endif /* _LINUX_SLUICE_GEN_H */
