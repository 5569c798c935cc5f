/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ivshmem: memory of the QEMU host, seen as a PCI device by the driver domain and
 * by one guest.
 *
 *	main.c		module, PCI driver
 *	memory.c	BAR 2 and its struct pages
 *	channel.c	the provider's ops: segments, doorbells
 *	inuse.c		which slots each side has in use
 *	host.c		the host page: what the region server says and does
 *	mailbox.c	requests to it (pure)
 *
 * BAR 2 is the window: slot n lies at n << SLUICE_SHM_SEGMENT_SHIFT. Both
 * machines can write all of it at any time, so sharing and revoking are
 * agreements; what protects others is that the memory belongs to this destination alone.
 */
#ifndef SLUICE_IVSHMEM_H
#define SLUICE_IVSHMEM_H

#include <linux/memremap.h>
#include <linux/pci.h>
#include <linux/workqueue.h>
#include <sluice/channel.h>
#include "mailbox.h"

/* Registers in BAR 0, see docs/specs/ivshmem-spec of QEMU */
#define IVSHMEM_REG_POSITION	8
#define IVSHMEM_REG_DOORBELL	12
#define IVSHMEM_MAX_PEER	0xffff

/**
 * struct ivshmem_map - struct pages of one BAR 2
 * @list: of the mappings that had to be kept, memory.c
 * @pgmap: as given to memremap_pages()
 * @va: kernel address
 * @bytes: length
 *
 * Lives on when its device goes while somebody still holds a page.
 */
struct ivshmem_map {
	struct list_head list;
	struct dev_pagemap pgmap;
	void *va;
	u64 bytes;
};

/**
 * struct ivshmem_vector - one MSI-X vector
 * @iv: whose
 * @index: doorbell number
 * @irq: Linux interrupt
 * @name: for /proc/interrupts
 */
struct ivshmem_vector {
	struct ivshmem *iv;
	unsigned int index;
	int irq;
	char name[40];
};

/**
 * struct ivshmem_host - what the host page says, validated copies
 * @present: there is a region server that knows sluice
 * @max_pairs: limit of queue pairs, 0 if none
 * @doorbell: its address
 * @lock: one request at a time; all below
 * @mailbox: requests
 * @owed: slots whose memory is to be given back and that nobody uses
 * @late: the last request was not answered in time
 * @retry: asks again while @late
 * @retry_ms: until then
 */
struct ivshmem_host {
	bool present;
	u16 max_pairs;
	u32 doorbell;
	struct mutex lock;		/* all below */
	struct ivshmem_mailbox mailbox;
	DECLARE_BITMAP(owed, SLUICE_SHM_MAX_SLOTS);
	bool late;
	struct delayed_work retry;
	unsigned int retry_ms;
};

/**
 * struct ivshmem - one device
 * @pdev: the PCI device
 * @regs: BAR 0
 * @map: BAR 2
 * @position: our address on the device
 * @nr_vectors: MSI-X vectors
 * @vector: of them
 * @ch: the channel
 * @shared_doorbell: where the peer publishes its address, NULL while unclaimed
 * @host: the region server
 * @lock: all below
 * @role: of this life
 * @taken: slots with a segment
 * @revoked: backend: slots whose end was confirmed
 * @own: this side's map in the provider page, see inuse.c
 * @shared_own: where it is published
 * @left: slots of an earlier life that are not given back yet
 */
struct ivshmem {
	struct pci_dev *pdev;
	void __iomem *regs;
	struct ivshmem_map *map;
	u32 position;
	unsigned int nr_vectors;
	struct ivshmem_vector vector[SLUICE_SHM_MAX_DOORBELLS];
	struct sluice_channel *ch;
	const __le32 *shared_doorbell;
	struct ivshmem_host host;
	struct mutex lock;		/* all below */
	enum sluice_role role;
	DECLARE_BITMAP(taken, SLUICE_SHM_MAX_SLOTS);
	DECLARE_BITMAP(revoked, SLUICE_SHM_MAX_SLOTS);
	DECLARE_BITMAP(own, SLUICE_SHM_MAX_SLOTS);
	DECLARE_BITMAP(left, SLUICE_SHM_MAX_SLOTS);
	__le32 *shared_own;
};

/* memory.c */
struct ivshmem_map *ivshmem_map_get(struct pci_dev *pdev);
void ivshmem_map_put(struct pci_dev *pdev, struct ivshmem_map *map);
unsigned long ivshmem_busy_pages(const void *va, u64 bytes);

/* host.c */
void ivshmem_host_init(struct ivshmem *iv, struct sluice_channel *ch);
u64 ivshmem_host_quota(const struct ivshmem *iv);
void ivshmem_host_punch(struct ivshmem *iv, unsigned int slot);
int ivshmem_host_take(struct ivshmem *iv, unsigned int slot);
void ivshmem_host_stop(struct ivshmem *iv);
bool ivshmem_host_present(const void *va);
bool ivshmem_host_alone(const struct ivshmem *iv);

/* inuse.c */
void ivshmem_inuse_init(struct ivshmem *iv, enum sluice_role role, unsigned int first,
			unsigned int nr_slots);
void ivshmem_inuse_publish(struct ivshmem *iv);
bool ivshmem_mapped(const struct ivshmem *iv, unsigned int slot);
void ivshmem_share(struct ivshmem *iv, unsigned int slot);
int ivshmem_unshare(struct ivshmem *iv, unsigned int slot);
int ivshmem_use(struct ivshmem *iv, unsigned int slot);
void ivshmem_unuse(struct ivshmem *iv, unsigned int slot);
unsigned int ivshmem_left_next(struct ivshmem *iv);

/* channel.c */
extern const struct sluice_provider_ops ivshmem_ops;
void ivshmem_ring(const struct ivshmem *iv, u32 peer, unsigned int vector);

#endif /* SLUICE_IVSHMEM_H */
