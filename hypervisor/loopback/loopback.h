/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Loopback: backend and frontend in one kernel, over the same pages.
 *
 *	main.c		module, parameters, links made and removed at run time
 *	link.c		a link: two channels, their devices, doorbells
 *	segment.c	its memory
 *
 * It is the provider for tests and for a first look without a hypervisor: two
 * network namespaces take the place of the driver domain and the guest.
 */
#ifndef SLUICE_LOOPBACK_H
#define SLUICE_LOOPBACK_H

#include <linux/irq_work.h>
#include <linux/refcount.h>
#include <sluice/channel.h>

#define LOOP_MAX_LINKS	16

struct loop_link;

/**
 * struct loop_end - one side of a link
 * @link: whose
 * @dev: parent of what the client makes
 * @ch: its channel
 * @pending: doorbell vectors that the other side rang
 * @irq: delivers them, in hard interrupt context as a device would
 * @open: claimed, events may be delivered
 */
struct loop_end {
	struct loop_link *link;
	struct device dev;
	struct sluice_channel *ch;
	unsigned long pending;
	struct irq_work irq;
	bool open;
};

/**
 * struct loop_segment - memory behind a window slot
 * @page: first of its pages, each of its own (split), idle at reference count 1
 * @shared: the frontend may map it
 * @mapped: the frontend has mapped it
 * @freed: the backend gave it back while it was mapped
 */
struct loop_segment {
	struct page *page;
	bool shared;
	bool mapped;
	bool freed;
};

/**
 * struct loop_link - a pair of channels
 * @list: in main.c
 * @id: number in its name
 * @end: by enum sluice_role
 * @lock: @segment
 * @ctrl: control segment, made with the link, zeroed
 * @ctrl_bytes: its size
 * @ctrl_exact: @ctrl is from alloc_pages_exact()
 * @nr_slots: of the window
 * @segment: by window slot
 */
struct loop_link {
	struct list_head list;
	unsigned int id;
	struct loop_end end[SLUICE_NR_ROLES];
	struct mutex lock;		/* segment */
	void *ctrl;
	u32 ctrl_bytes;
	bool ctrl_exact;
	u32 nr_slots;
	struct loop_segment segment[];
};

/* link.c */
struct loop_link *loop_link_create(struct device *parent, unsigned int id, u32 window_bytes,
				   u32 ctrl_bytes, u32 pairs);
void loop_link_destroy(struct loop_link *link);

/* segment.c */
int loop_ctrl_alloc(struct loop_link *link);
void loop_ctrl_free(struct loop_link *link);
void loop_segments_unmap(struct loop_link *link);
void loop_segments_free(struct loop_link *link);
int loop_segment_alloc(struct sluice_channel *ch, unsigned int slot,
		       const struct sluice_dma_constraint *c, struct netlink_ext_ack *extack);
int loop_segment_share(struct sluice_channel *ch, unsigned int slot, u64 *handle);
int loop_segment_revoke(struct sluice_channel *ch, unsigned int slot);
void loop_segment_free(struct sluice_channel *ch, unsigned int slot);
int loop_segment_map(struct sluice_channel *ch, unsigned int slot, u64 handle);
int loop_segment_unmap(struct sluice_channel *ch, unsigned int slot);

static inline struct loop_link *loop_link_of(const struct sluice_channel *ch)
{
	struct loop_end *end = ch->provider_data;

	return end->link;
}

#endif /* SLUICE_LOOPBACK_H */
