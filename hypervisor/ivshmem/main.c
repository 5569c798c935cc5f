// SPDX-License-Identifier: GPL-2.0
/*
 * sluice_ivshmem.ko: PCI driver of QEMU's ivshmem-doorbell.
 *
 * Any ivshmem device has this PCI id. One is taken only if the region server has
 * put its host page into the memory, or if the user gave a role.
 */
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>
#include "ivshmem.h"

#define IVSHMEM_VENDOR	0x1af4
#define IVSHMEM_DEVICE	0x1110

static enum sluice_role ivshmem_role = SLUICE_ANY_ROLE;

static const char * const ivshmem_role_names[] = {
	[SLUICE_BACKEND] = "backend",
	[SLUICE_FRONTEND] = "frontend",
	[SLUICE_ANY_ROLE] = "auto",
};

static int ivshmem_role_set(const char *val, const struct kernel_param *kp)
{
	int i = sysfs_match_string(ivshmem_role_names, val);

	if (i < 0) {
		pr_err("sluice_ivshmem: role: give auto, backend or frontend\n");
		return i;
	}
	ivshmem_role = i;
	return 0;
}

static int ivshmem_role_get(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%s\n", ivshmem_role_names[ivshmem_role]);
}

static const struct kernel_param_ops ivshmem_role_ops = {
	.set = ivshmem_role_set,
	.get = ivshmem_role_get,
};

module_param_cb(role, &ivshmem_role_ops, NULL, 0644);
MODULE_PARM_DESC(role, "Of devices bound from now on: auto (who is loaded first, backend or frontend), backend, frontend");

static int ivshmem_probe_channel(struct ivshmem *iv, enum sluice_role role)
{
	struct pci_dev *pdev = iv->pdev;
	struct sluice_channel *ch;
	int err;

	ch = sluice_channel_alloc(&ivshmem_ops, &pdev->dev, role);
	if (IS_ERR(ch))
		return PTR_ERR(ch);
	ch->provider_data = iv;
	ch->max_slots = min_t(u64, iv->map->bytes >> SLUICE_SHM_SEGMENT_SHIFT,
			      SLUICE_SHM_MAX_SLOTS);
	ch->nr_doorbells = iv->nr_vectors;
	ivshmem_host_init(iv, ch);
	iv->ch = ch;

	err = sluice_channel_register(ch);
	if (err) {
		iv->ch = NULL;
		sluice_channel_free(ch);
		return err;
	}
	dev_info(&pdev->dev, "%s: %llu MiB of window, %u doorbells, peer %u\n", ch->name,
		 iv->map->bytes >> 20, iv->nr_vectors, iv->position);
	return 0;
}

static int ivshmem_probe_device(struct ivshmem *iv)
{
	struct pci_dev *pdev = iv->pdev;
	int nr;

	iv->regs = pci_iomap(pdev, 0, 0);
	if (!iv->regs)
		return -ENOMEM;

	nr = pci_alloc_irq_vectors(pdev, 2, SLUICE_SHM_MAX_DOORBELLS, PCI_IRQ_MSIX);
	if (nr < 0) {
		dev_err(&pdev->dev, "fewer than 2 doorbells (%d): use -device ivshmem-doorbell,vectors=2 or more\n",
			nr);
		goto err_regs;
	}
	iv->nr_vectors = nr;

	iv->position = readl(iv->regs + IVSHMEM_REG_POSITION);
	if (iv->position > IVSHMEM_MAX_PEER) {
		dev_err(&pdev->dev, "the region server gave this device no address\n");
		nr = -ENOTCONN;
		goto err_vectors;
	}
	return 0;

err_vectors:
	pci_free_irq_vectors(pdev);
err_regs:
	pci_iounmap(pdev, iv->regs);
	return nr;
}

static int ivshmem_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	enum sluice_role role = ivshmem_role;
	struct ivshmem *iv;
	int err;

	iv = kzalloc(sizeof(*iv), GFP_KERNEL);
	if (!iv)
		return -ENOMEM;
	iv->pdev = pdev;
	mutex_init(&iv->lock);
	pci_set_drvdata(pdev, iv);

	err = pci_enable_device(pdev);
	if (err)
		goto err_free;
	pci_set_master(pdev);
	err = pci_request_regions(pdev, "sluice_ivshmem");
	if (err)
		goto err_disable;

	iv->map = ivshmem_map_get(pdev);
	if (IS_ERR(iv->map)) {
		err = PTR_ERR(iv->map);
		goto err_regions;
	}
	if (role == SLUICE_ANY_ROLE && !ivshmem_host_present(iv->map->va)) {
		dev_info(&pdev->dev, "no host page of sluice-regiond: left alone; to use it all the same give sluice_ivshmem the parameter role=backend or role=frontend\n");
		err = -ENODEV;
		goto err_map;
	}
	err = ivshmem_probe_device(iv);
	if (err)
		goto err_map;
	err = ivshmem_probe_channel(iv, role);
	if (err)
		goto err_device;
	return 0;

err_device:
	pci_free_irq_vectors(pdev);
	pci_iounmap(pdev, iv->regs);
err_map:
	ivshmem_map_put(pdev, iv->map);
err_regions:
	pci_release_regions(pdev);
err_disable:
	pci_disable_device(pdev);
err_free:
	kfree(iv);
	return err;
}

static void ivshmem_remove(struct pci_dev *pdev)
{
	struct ivshmem *iv = pci_get_drvdata(pdev);

	sluice_channel_unregister(iv->ch);
	sluice_channel_free(iv->ch);
	pci_free_irq_vectors(pdev);
	pci_iounmap(pdev, iv->regs);
	ivshmem_map_put(pdev, iv->map);
	pci_release_regions(pdev);
	pci_disable_device(pdev);
	kfree(iv);
}

static const struct pci_device_id ivshmem_ids[] = {
	{ PCI_DEVICE(IVSHMEM_VENDOR, IVSHMEM_DEVICE) },
	{ }
};
MODULE_DEVICE_TABLE(pci, ivshmem_ids);

static struct pci_driver ivshmem_driver = {
	.name = "sluice_ivshmem",
	.id_table = ivshmem_ids,
	.probe = ivshmem_probe,
	.remove = ivshmem_remove,
};
module_pci_driver(ivshmem_driver);

MODULE_DESCRIPTION("sluice: regions of a QEMU host (ivshmem-doorbell)");
MODULE_LICENSE("GPL");
