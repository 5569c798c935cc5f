// SPDX-License-Identifier: GPL-2.0
/*
 * sluice.ko: the core between providers and clients.
 */
#include <linux/module.h>
#include <linux/moduleparam.h>
#include "core.h"

/**
 * struct sluice_ms_param - a module parameter in milliseconds
 * @value: what is in force
 * @min: least
 * @max: most
 */
struct sluice_ms_param {
	unsigned int *value;
	unsigned int min;
	unsigned int max;
};

unsigned int sluice_peer_timeout_ms = 5000;
unsigned int sluice_backoff_max_ms = 64000;

static int sluice_ms_set(const char *val, const struct kernel_param *kp)
{
	const struct sluice_ms_param *p = kp->arg;
	unsigned int ms;
	int err;

	err = kstrtouint(val, 0, &ms);
	if (err)
		return err;
	if (ms < p->min || ms > p->max) {
		pr_err("sluice: %s=%u: give %u to %u\n", kp->name, ms, p->min, p->max);
		return -ERANGE;
	}
	WRITE_ONCE(*p->value, ms);
	return 0;
}

static int sluice_ms_get(char *buf, const struct kernel_param *kp)
{
	const struct sluice_ms_param *p = kp->arg;

	return sysfs_emit(buf, "%u\n", READ_ONCE(*p->value));
}

static const struct kernel_param_ops sluice_ms_ops = {
	.set = sluice_ms_set,
	.get = sluice_ms_get,
};

/* four ticks at least */
static struct sluice_ms_param sluice_peer_timeout = { &sluice_peer_timeout_ms, 1000, 600000 };

module_param_cb(peer_timeout_ms, &sluice_ms_ops, &sluice_peer_timeout, 0644);
MODULE_PARM_DESC(peer_timeout_ms,
		 "Silence in ms after which a peer counts as dead, 1000 to 600000 (5000)");

static struct sluice_ms_param sluice_backoff_max = { &sluice_backoff_max_ms, 1000, 600000 };

module_param_cb(backoff_max_ms, &sluice_ms_ops, &sluice_backoff_max, 0644);
MODULE_PARM_DESC(backoff_max_ms,
		 "Longest pause in ms before a peer that broke the protocol again and again gets another session, 1000 to 600000 (64000)");

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
