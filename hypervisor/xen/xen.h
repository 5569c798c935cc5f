/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Xen: memory that a driver domain grants to one guest, event channels as doorbells.
 *
 *	main.c		module, the ops, numbers of the grant table
 *	machine.c	when the two ends connect and part (pure)
 *	nodes.c		what the other end writes, checked (pure)
 *	store.c		reading and writing xenstore
 *	back.c		the driver domain's end: xenbus driver, control segment
 *	segments.c	the driver domain's data segments
 *	front.c		the guest's end: xenbus driver
 *	mapped.c	what the guest's end has mapped: control segment, data segments
 *	grant.c		pages granted to a domain, and their end
 *	map.c		grants of a domain mapped here, with struct pages
 *	bell.c		event channels
 *
 * Documentation/xen.md says who writes what into xenstore.
 */
#ifndef SLUICE_XEN_H
#define SLUICE_XEN_H

#include <linux/interrupt.h>
#include <linux/ratelimit.h>
#include <linux/xarray.h>
#include <sluice/channel.h>
#include <xen/grant_table.h>
#include <xen/xenbus.h>
#include "machine.h"
#include "nodes.h"

/**
 * struct sxen_grants - pages of ours that another domain may map
 * @list: of those that nobody here wants any more, grant.c
 * @domid: who
 * @nr: pages
 * @nr_live: grants that have not been ended
 * @shared: grants were made
 * @va: the pages' kernel address, virtually contiguous
 * @mapped: @va is from vmap()
 * @page: each one on its own (split), idle at reference count 1
 * @ref: its grant, INVALID_GRANT_REF if it has none (any more)
 */
struct sxen_grants {
	struct list_head list;
	domid_t domid;
	unsigned int nr;
	unsigned int nr_live;
	bool shared;
	void *va;
	bool mapped;
	struct page **page;
	grant_ref_t *ref;
};

/**
 * struct sxen_map - pages of another domain, mapped here
 * @list: of those whose pages the network stack still holds, map.c
 * @domid: whose
 * @nr: pages
 * @va: kernel address, contiguous also in struct pages
 * @readonly: as mapped
 * @page: for the grant table's calls
 * @handle: for the unmap
 */
struct sxen_map {
	struct list_head list;
	domid_t domid;
	unsigned int nr;
	void *va;
	bool readonly;
	struct page **page;
	grant_handle_t *handle;
};

struct sxen_bell;

/**
 * struct sxen_vector - one event channel
 * @bell: of which it is a part
 * @index: doorbell number
 * @irq: 0 if not bound
 * @port: ours
 * @eoi: tells Xen that the event was handled, after the softirqs that it caused
 * @window: jiffies in which @count events came
 * @count: events in @window
 * @name: for /proc/interrupts
 */
struct sxen_vector {
	struct sxen_bell *bell;
	unsigned int index;
	int irq;
	evtchn_port_t port;
	struct tasklet_struct eoi;
	unsigned long window;
	unsigned int count;
	char name[40];
};

/**
 * struct sxen_bell - the event channels of a device
 * @xdev: the device
 * @ch: who hears events while it is not NULL
 * @nr: vectors bound
 * @vector: of them
 */
struct sxen_bell {
	struct xenbus_device *xdev;
	struct sluice_channel __rcu *ch;
	unsigned int nr;
	struct sxen_vector vector[SLUICE_SHM_MAX_DOORBELLS];
};

/**
 * struct sxen_dev - what both ends have
 * @xdev: the device
 * @otherend: folder of the other end; a frontend's may change
 * @role: which end
 * @ch: backend: from probe to remove; frontend: from the first connection to remove
 * @lock: @side, @otherend, and all that the steps change
 * @side: state machine
 * @step: looks at the other end and takes the next step
 * @leaving: no steps any more
 * @calm: jiffies before which there are none
 * @looks: at the other end, without a pause
 * @ratelimit: of what the other end can make us say: it hides nothing of another one
 * @bell: event channels
 */
struct sxen_dev {
	struct xenbus_device *xdev;
	const char *otherend;
	enum sluice_role role;
	struct sluice_channel *ch;
	struct mutex lock;		/* side, otherend, all that steps change */
	struct sxen_side side;
	struct delayed_work step;
	bool leaving;
	unsigned long calm;
	unsigned int looks;
	struct ratelimit_state ratelimit;
	struct sxen_bell bell;
};

/**
 * struct sxen_segment - a data segment of the backend
 * @data: its pages
 * @list: the page with their references, granted read-only; NULL before share
 */
struct sxen_segment {
	struct sxen_grants *data;
	struct sxen_grants *list;
};

/**
 * struct sxen_back - the driver domain's end of a device
 * @d: common
 * @online_watch: the toolstack takes the device away
 * @max_pairs: limit of the toolstack
 * @window: bytes of data segments that it allows at most
 * @ctrl: control segment; lives on while no client has the channel
 * @directory: references of @ctrl
 * @ctrl_pairs: queue pairs for which it was made
 * @segment_lock: @segment
 * @segment: by window slot
 * @told_bytes: of data segments shared, as xenstore has it
 */
struct sxen_back {
	struct sxen_dev d;
	struct xenbus_watch online_watch;
	u32 max_pairs;
	u64 window;
	struct sxen_grants *ctrl;
	struct sxen_grants *directory;
	u32 ctrl_pairs;
	struct mutex segment_lock;	/* segment */
	struct sxen_segment segment[SLUICE_SHM_MAX_SLOTS];
	u64 told_bytes;
};

/**
 * struct sxen_front - the guest's end of a device
 * @d: common
 * @backend_watch: the toolstack names another backend
 * @other_watch: state of a backend that is not the one the bus knows
 * @mac: given by the toolstack, zero if not
 * @ctrl: the control segment, NULL while there is none
 * @ctrl_bytes: its size when the channel was made
 * @doorbells: that the backend wants
 * @refs: every reference of the backend that is mapped here
 * @segment_lock: @segment, @refs_of: the client unmaps in a thread of its own
 * @segment: by window slot, while the client has it mapped
 * @refs_of: by window slot, to forget them in @refs; NULL for what an earlier backend left
 */
struct sxen_front {
	struct sxen_dev d;
	struct xenbus_watch backend_watch;
	struct xenbus_watch other_watch;
	u8 mac[ETH_ALEN];
	struct sxen_map *ctrl;
	u32 ctrl_bytes;
	u32 doorbells;
	struct xarray refs;
	struct mutex segment_lock;	/* segment, refs_of */
	struct sxen_map *segment[SLUICE_SHM_MAX_SLOTS];
	u32 *refs_of[SLUICE_SHM_MAX_SLOTS];
};

/* main.c */
extern const struct sluice_provider_ops sxen_ops;
extern struct workqueue_struct *sxen_wq;
void sxen_dev_init(struct sxen_dev *d, struct xenbus_device *xdev, enum sluice_role role,
		   work_func_t step);
void sxen_dev_kick(struct sxen_dev *d, unsigned int delay_ms);
void sxen_dev_calm(struct sxen_dev *d);
__printf(2, 3) void sxen_warn(struct sxen_dev *d, const char *fmt, ...);
bool sxen_dev_look(struct sxen_dev *d, struct sxen_view *v);
bool sxen_watch_once(struct xenbus_watch *watch, const char *path, const char *token);
u64 sxen_refs_total(void);

/* store.c */
u32 sxen_new_life(void);
int sxen_view_read(struct sxen_dev *d, struct sxen_view *v);
bool sxen_read_u64(const char *path, const char *node, u64 *value);
bool sxen_read_u32(const char *path, const char *node, u32 *value);
bool sxen_read_mac(const char *path, u8 *mac);
bool sxen_read_name(const char *path, char *name, size_t bytes);
int sxen_write_u32(struct xenbus_device *xdev, const char *node, u32 value);
void sxen_write_error(struct sxen_dev *d, const char *text);
void sxen_write_side(struct sxen_dev *d);
int sxen_write_shared(struct sxen_dev *d, u64 bytes);

/* grant.c */
struct sxen_grants *sxen_grants_alloc(domid_t domid, unsigned int nr, gfp_t gfp, int node);
int sxen_grants_share(struct sxen_grants *g, bool readonly);
unsigned int sxen_grants_end(struct sxen_grants *g);
void sxen_grants_free(struct sxen_grants *g);
unsigned long sxen_grants_live(void);
unsigned long sxen_grants_quarantined(void);
void sxen_grants_exit(void);

/* map.c */
struct sxen_map *sxen_map_get(domid_t domid, const u32 *ref, unsigned int nr, bool readonly);
bool sxen_map_idle(const struct sxen_map *map);
int sxen_map_put(struct sxen_map *map);
void sxen_map_orphan(struct sxen_map *map);
int sxen_refs_fetch(domid_t domid, u32 dir_ref, u32 nr, u32 *snap, const char **text);
unsigned long sxen_map_pages(void);
void sxen_map_exit(void);

/* bell.c */
void sxen_bell_init(struct sxen_bell *bell, struct xenbus_device *xdev);
int sxen_bell_offer(struct sxen_bell *bell, unsigned int nr);
int sxen_bell_bind(struct sxen_bell *bell, const u32 *port, unsigned int nr);
void sxen_bell_unbind(struct sxen_bell *bell);
void sxen_bell_open(struct sxen_bell *bell, struct sluice_channel *ch);
void sxen_bell_close(struct sxen_bell *bell);
void sxen_bell_ring(struct sxen_bell *bell, unsigned int vector);

/* back.c */
int sxen_back_claim(struct sluice_channel *ch);
void sxen_back_release(struct sluice_channel *ch);
int sxen_back_register(void);
void sxen_back_unregister(void);

/* segments.c */
int sxen_segment_alloc(struct sluice_channel *ch, unsigned int slot,
		       const struct sluice_dma_constraint *c, struct netlink_ext_ack *extack);
int sxen_segment_share(struct sluice_channel *ch, unsigned int slot, u64 *handle);
int sxen_segment_revoke(struct sluice_channel *ch, unsigned int slot);
void sxen_segment_free(struct sluice_channel *ch, unsigned int slot);
u64 sxen_segments_limit(struct sluice_channel *ch, const char **why);
u64 sxen_segments_shared(struct sxen_back *back);
void sxen_segments_exit(struct sxen_back *back);

/* front.c */
int sxen_front_claim(struct sluice_channel *ch);
void sxen_front_release(struct sluice_channel *ch);
int sxen_front_register(void);
void sxen_front_unregister(void);

/* mapped.c */
int sxen_segment_map(struct sluice_channel *ch, unsigned int slot, u64 handle);
int sxen_segment_unmap(struct sluice_channel *ch, unsigned int slot);
int sxen_mapped_ctrl(struct sxen_front *front, u32 bytes);
void sxen_mapped_lose(struct sxen_front *front);
void sxen_mapped_orphan(struct sxen_front *front);

#endif /* SLUICE_XEN_H */
