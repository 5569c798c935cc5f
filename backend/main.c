// SPDX-License-Identifier: GPL-2.0
/*
 * sluice_back.ko: the driver domain's half. One network interface per destination.
 */
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <net/genetlink.h>
#include "back.h"
#include "netlink_gen.h"

unsigned int sluice_default_size_mb = 8;
module_param_named(default_size_mb, sluice_default_size_mb, uint, 0644);
MODULE_PARM_DESC(default_size_mb,
		 "Region size in MiB that a new destination asks for, rounded down to segments of 2 (8)");

unsigned int sluice_flying_max_kb = 4096;

static int sluice_flying_set(const char *val, const struct kernel_param *kp)
{
	unsigned int kb;
	int err;

	err = kstrtouint(val, 0, &kb);
	if (err)
		return err;
	/* a queue must be able to hold a GSO frame, and a sum must fit 32 bits */
	if (kb < 128 || kb > 1048576)
		return -ERANGE;
	WRITE_ONCE(*(unsigned int *)kp->arg, kb);
	return 0;
}

static const struct kernel_param_ops sluice_flying_ops = {
	.set = sluice_flying_set,
	.get = param_get_uint,
};
module_param_cb(flying_max_kb, &sluice_flying_ops, &sluice_flying_max_kb, 0644);
MODULE_PARM_DESC(flying_max_kb,
		 "KiB of a guest's payload that may be on its way out per queue pair, 128 to 1048576 (4096)");

unsigned int sluice_quarantine_max_mb = 256;
module_param_named(quarantine_max_mb, sluice_quarantine_max_mb, uint, 0644);
MODULE_PARM_DESC(quarantine_max_mb,
		 "MiB in quarantine from which on destinations that have a part in it get no new segments (256)");

static unsigned int pairs = 1;
module_param(pairs, uint, 0444);
MODULE_PARM_DESC(pairs, "Queue pairs to offer to each guest, 1 to 8, if the provider can (1)");

static struct sluice_client sluice_back_client = {
	.role = SLUICE_BACKEND,
	.owner = THIS_MODULE,
	.attach = sluice_dest_attach,
	.detach = sluice_dest_detach,
	.up = sluice_dest_up,
	.down = sluice_dest_down,
	.message = sluice_dest_message,
	.doorbell = sluice_dest_doorbell,
	.broken = sluice_dest_broken,
};

static int __init sluice_back_init(void)
{
	int err;

	if (!pairs || pairs > SLUICE_SHM_MAX_PAIRS) {
		pr_err("sluice_back: pairs=%u: give 1 to %u\n", pairs, SLUICE_SHM_MAX_PAIRS);
		return -EINVAL;
	}
	sluice_back_client.want_pairs = pairs;

	err = genl_register_family(&sluice_nl_family);
	if (err)
		return err;
	err = sluice_port_init();
	if (err)
		goto err_genl;
	err = sluice_client_register(&sluice_back_client);
	if (err) {
		pr_err("sluice_back: the core has a backend already (%d)\n", err);
		goto err_port;
	}
	return 0;

err_port:
	sluice_port_exit();
err_genl:
	genl_unregister_family(&sluice_nl_family);
	return err;
}

static void __exit sluice_back_exit(void)
{
	/* every destination is gone after this, and with them every event */
	sluice_client_unregister(&sluice_back_client);
	sluice_auto_exit();
	sluice_port_exit();
	genl_unregister_family(&sluice_nl_family);
	/* frames of former guests that a NIC still has call back into this module */
	sluice_rx_wait();
}

module_init(sluice_back_init);
module_exit(sluice_back_exit);

MODULE_DESCRIPTION("sluice: backend, one network interface per guest");
MODULE_LICENSE("GPL");
