// SPDX-License-Identifier: GPL-2.0
/*
 * sluice_front: the guest's side. Module parameters, and init in order.
 */
#include <linux/module.h>
#include "transport.h"

/* driver=virtio_net: the devices are offered to the kernel's own driver */
bool sluice_front_stock;

static int driver_set(const char *val, const struct kernel_param *kp)
{
	if (sysfs_streq(val, "front"))
		sluice_front_stock = false;
	else if (sysfs_streq(val, "virtio_net"))
		sluice_front_stock = true;
	else
		goto bad;
	return 0;
bad:
	pr_err("sluice_front: driver=%s: must be \"front\" or \"virtio_net\"\n", val);
	return -EINVAL;
}

static int driver_get(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%s\n", sluice_front_stock ? "virtio_net" : "front");
}

static const struct kernel_param_ops driver_ops = {
	.set = driver_set,
	.get = driver_get,
};

module_param_cb(driver, &driver_ops, NULL, 0444);
MODULE_PARM_DESC(driver, "network driver: front (zero copy, default) or virtio_net (the kernel's own, every buffer bounced)");

static int __init front_init(void)
{
	int err;

	if (sluice_front_stock) {
		/* a driver that knows nothing of data segments */
		sluice_front_client.refuse_features = SLUICE_SHM_F_REGION;
	} else {
		err = register_virtio_driver(&sluice_net_driver);
		if (err)
			return err;
	}
	err = sluice_client_register(&sluice_front_client);
	if (err && !sluice_front_stock)
		unregister_virtio_driver(&sluice_net_driver);
	return err;
}

static void __exit front_exit(void)
{
	sluice_client_unregister(&sluice_front_client);
	sluice_transport_wait();
	if (!sluice_front_stock)
		unregister_virtio_driver(&sluice_net_driver);
}

module_init(front_init);
module_exit(front_exit);

MODULE_LICENSE("GPL");
MODULE_AUTHOR("sluice developers");
MODULE_DESCRIPTION("sluice frontend: virtio network device over memory shared with a driver domain");
