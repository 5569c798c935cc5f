// SPDX-License-Identifier: GPL-2.0
/*
 * sluice.ko: the core between providers and clients.
 */
#include <linux/module.h>
#include <linux/moduleparam.h>
#include "core.h"

#define SLUICE_PEER_TIMEOUT_MIN	1000	/* four ticks */
#define SLUICE_PEER_TIMEOUT_MAX	600000

unsigned int sluice_peer_timeout_ms = 5000;

static int sluice_peer_timeout_set(const char *val, const struct kernel_param *kp)
{
	unsigned int ms;
	int err;

	err = kstrtouint(val, 0, &ms);
	if (err)
		return err;
	if (ms < SLUICE_PEER_TIMEOUT_MIN || ms > SLUICE_PEER_TIMEOUT_MAX) {
		pr_err("sluice: peer_timeout_ms=%u: give %u to %u\n", ms,
		       SLUICE_PEER_TIMEOUT_MIN, SLUICE_PEER_TIMEOUT_MAX);
		return -ERANGE;
	}
	WRITE_ONCE(*(unsigned int *)kp->arg, ms);
	return 0;
}

static const struct kernel_param_ops sluice_peer_timeout_ops = {
	.set = sluice_peer_timeout_set,
	.get = param_get_uint,
};

module_param_cb(peer_timeout_ms, &sluice_peer_timeout_ops, &sluice_peer_timeout_ms, 0644);
MODULE_PARM_DESC(peer_timeout_ms,
		 "Silence in ms after which a peer counts as dead, 1000 to 600000 (5000)");

static int __init sluice_init(void)
{
	sluice_debugfs_init();
	return 0;
}

/* Every channel and client is a module that uses our symbols: none is left here. */
static void __exit sluice_exit(void)
{
	sluice_debugfs_exit();
}

module_init(sluice_init);
module_exit(sluice_exit);

MODULE_DESCRIPTION("sluice: shared memory networking between a driver domain and its guests, core");
MODULE_LICENSE("GPL");
