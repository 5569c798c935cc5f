/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Netlink messages of the family to structures. No I/O.
 *
 * A message may come from a newer or an older kernel: unknown attributes are
 * passed over, an absent one leaves its field zero and its bit of @has clear, one of
 * the wrong length makes the message invalid. Texts are made of printable ASCII
 * here: names are a guest's or an operator's words and go to terminals and JSON.
 */
#ifndef SLUICECTL_DECODE_H
#define SLUICECTL_DECODE_H

#include <linux/netlink.h>
#include <linux/sluice.h>
#include <stdbool.h>
#include <stdint.h>

#define NAME_TEXT	64
#define REASON_TEXT	256

#define HAS(attr)	(1ull << (attr))

struct segment {
	uint32_t slot;
	uint32_t state;
	uint32_t epoch;
	uint32_t pages_out;
	uint32_t age_ms;
	char holder[NAME_TEXT];
};

struct dest {
	uint64_t has;			/* HAS(SLUICE_A_DEST_*) */
	uint32_t ifindex;
	char name[NAME_TEXT];
	char netdev[NAME_TEXT];
	char provider[NAME_TEXT];
	char channel[NAME_TEXT];
	uint32_t state;
	char broken_reason[REASON_TEXT];
	uint32_t session_count;
	uint8_t mac[6];
	uint32_t pairs;
	uint64_t window_bytes;
	uint64_t limit_bytes;
	char limit_reason[REASON_TEXT];
	uint64_t requested_bytes;
	uint64_t plugged_bytes;
	uint32_t segment_bytes;
	uint32_t control_bytes;
	bool resizing;
	char refused_reason[REASON_TEXT];
	uint32_t drain_timeout_ms;
	char port[NAME_TEXT];
	uint64_t quarantined_bytes;
	uint32_t quiesce;
	uint64_t auto_min_bytes;
	uint64_t auto_max_bytes;
	uint32_t auto_weight;
	char auto_reason[REASON_TEXT];
	uint64_t has_stats;		/* HAS(SLUICE_A_STATS_*) */
	uint64_t stats[SLUICE_A_STATS_MAX + 1];
	unsigned int nr_segments;
	struct segment *segments;	/* dest_free() */
};

struct port {
	uint64_t has;			/* HAS(SLUICE_A_PORT_*) */
	uint32_t ifindex;
	char name[NAME_TEXT];
	uint64_t dma_mask;
	uint64_t seg_boundary;
	uint32_t max_seg_bytes;
	uint32_t min_align;
	int32_t numa_node;
	bool iommu;
	bool coherent;
	unsigned int nr_dests;
	char (*dests)[NAME_TEXT];	/* port_free() */
};

struct budget {
	uint64_t has;			/* HAS(SLUICE_A_BUDGET_*) */
	uint64_t limit_bytes;
	uint64_t floor_bytes;
	uint64_t used_bytes;
	uint32_t dests;
	uint64_t quarantined_bytes;
	uint64_t quarantine_max_bytes;
};

struct event {
	uint64_t has;			/* HAS(SLUICE_A_EVENT_*) */
	uint32_t type;
	uint32_t ifindex;
	char name[NAME_TEXT];
	char text[REASON_TEXT];
	uint64_t requested_bytes;
	uint64_t plugged_bytes;
	uint32_t slot;
	uint32_t segment_state;
};

/* Each returns 0, or -EBADMSG or -ENOMEM with nothing to free. */
int dest_decode(const struct nlmsghdr *nlh, struct dest *d);
void dest_free(struct dest *d);
int port_decode(const struct nlmsghdr *nlh, struct port *p);
void port_free(struct port *p);
int budget_decode(const struct nlmsghdr *nlh, struct budget *b);
int event_decode(const struct nlmsghdr *nlh, struct event *e);

/**
 * text_clean() - printable ASCII, NUL terminated
 * @dst: result of at most @dst_bytes, other characters replaced by '?'
 * @dst_bytes: its size, not 0
 * @src: ends at a NUL or after @src_bytes
 * @src_bytes: readable bytes at @src
 */
void text_clean(char *dst, unsigned int dst_bytes, const char *src,
		unsigned int src_bytes);

/* Names of numbers; a number of a newer kernel gets NULL. */
const char *dest_state_name(uint32_t state);
const char *segment_life_name(uint32_t state);
const char *quiesce_state_name(uint32_t state);
const char *event_type_name(uint32_t type);
const char *stats_name(unsigned int attr);	/* as in JSON, to_guest_frames */

#endif /* SLUICECTL_DECODE_H */
