// SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause)
/* Do not edit directly, auto-generated from: */
/*	Documentation/netlink/specs/sluice.yaml */
/* YNL-GEN kernel source */

#include <net/netlink.h>
#include <net/genetlink.h>

#include "netlink_gen.h"

#include <uapi/linux/sluice.h>

/* SLUICE_CMD_DEST_GET - do */
static const struct nla_policy sluice_dest_get_nl_policy[SLUICE_A_DEST_NAME + 1] = {
	[SLUICE_A_DEST_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
	[SLUICE_A_DEST_NAME] = { .type = NLA_NUL_STRING, .len = SLUICE_NAME_MAX, },
};

/* SLUICE_CMD_DEST_SET - do */
static const struct nla_policy sluice_dest_set_nl_policy[SLUICE_A_DEST_AUTO_OFF + 1] = {
	[SLUICE_A_DEST_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
	[SLUICE_A_DEST_NAME] = { .type = NLA_NUL_STRING, .len = SLUICE_NAME_MAX, },
	[SLUICE_A_DEST_REQUESTED_BYTES] = { .type = NLA_U64, },
	[SLUICE_A_DEST_DRAIN_TIMEOUT_MS] = { .type = NLA_U32, },
	[SLUICE_A_DEST_PORT] = { .type = NLA_NUL_STRING, .len = SLUICE_PORT_NAME_MAX, },
	[SLUICE_A_DEST_QUIESCE] = NLA_POLICY_MAX(NLA_U32, 2),
	[SLUICE_A_DEST_AUTO_MIN_BYTES] = { .type = NLA_U64, },
	[SLUICE_A_DEST_AUTO_MAX_BYTES] = { .type = NLA_U64, },
	[SLUICE_A_DEST_AUTO_WEIGHT] = { .type = NLA_U32, },
	[SLUICE_A_DEST_AUTO_OFF] = { .type = NLA_FLAG, },
};

/* SLUICE_CMD_PORT_GET - do */
static const struct nla_policy sluice_port_get_nl_policy[SLUICE_A_PORT_NAME + 1] = {
	[SLUICE_A_PORT_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
	[SLUICE_A_PORT_NAME] = { .type = NLA_NUL_STRING, .len = SLUICE_PORT_NAME_MAX, },
};

/* SLUICE_CMD_BUDGET_GET - do */
static const struct nla_policy sluice_budget_get_nl_policy[SLUICE_A_BUDGET_PAD + 1] = {
};

/* SLUICE_CMD_BUDGET_SET - do */
static const struct nla_policy sluice_budget_set_nl_policy[SLUICE_A_BUDGET_NO_LIMIT + 1] = {
	[SLUICE_A_BUDGET_LIMIT_BYTES] = { .type = NLA_U64, },
	[SLUICE_A_BUDGET_NO_LIMIT] = { .type = NLA_FLAG, },
};

/* Ops table for sluice */
static const struct genl_ops sluice_nl_ops[] = {
	{
		.cmd		= SLUICE_CMD_DEST_GET,
		.doit		= sluice_nl_dest_get_doit,
		.dumpit		= sluice_nl_dest_get_dumpit,
		.policy		= sluice_dest_get_nl_policy,
		.maxattr	= SLUICE_A_DEST_NAME,
	},
	{
		.cmd		= SLUICE_CMD_DEST_SET,
		.doit		= sluice_nl_dest_set_doit,
		.policy		= sluice_dest_set_nl_policy,
		.maxattr	= SLUICE_A_DEST_AUTO_OFF,
		.flags		= GENL_ADMIN_PERM,
	},
	{
		.cmd		= SLUICE_CMD_PORT_GET,
		.doit		= sluice_nl_port_get_doit,
		.dumpit		= sluice_nl_port_get_dumpit,
		.policy		= sluice_port_get_nl_policy,
		.maxattr	= SLUICE_A_PORT_NAME,
	},
	{
		.cmd		= SLUICE_CMD_BUDGET_GET,
		.doit		= sluice_nl_budget_get_doit,
		.policy		= sluice_budget_get_nl_policy,
		.maxattr	= SLUICE_A_BUDGET_PAD,
	},
	{
		.cmd		= SLUICE_CMD_BUDGET_SET,
		.doit		= sluice_nl_budget_set_doit,
		.policy		= sluice_budget_set_nl_policy,
		.maxattr	= SLUICE_A_BUDGET_NO_LIMIT,
		.flags		= GENL_ADMIN_PERM,
	},
};

static const struct genl_multicast_group sluice_nl_mcgrps[] = {
	[SLUICE_NLGRP_EVENTS] = { "events", },
};

struct genl_family sluice_nl_family __ro_after_init = {
	.name		= SLUICE_FAMILY_NAME,
	.version	= SLUICE_FAMILY_VERSION,
	.netnsok	= true,
	.parallel_ops	= true,
	.module		= THIS_MODULE,
	.ops		= sluice_nl_ops,
	.n_ops		= ARRAY_SIZE(sluice_nl_ops),
	.mcgrps		= sluice_nl_mcgrps,
	.n_mcgrps	= ARRAY_SIZE(sluice_nl_mcgrps),
};
