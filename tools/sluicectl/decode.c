// SPDX-License-Identifier: GPL-2.0
/* Netlink messages of the family to structures. */
#include "decode.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum kind { NONE, U32, U64, TEXT, FLAG, MAC };

/* Where an attribute goes in a structure. */
struct field {
	enum kind kind;
	size_t offset;
	size_t bytes;
};

#define FIELD(type, what, member) \
	{ what, offsetof(type, member), sizeof(((type *)0)->member) }

static const struct field dest_fields[SLUICE_A_DEST_MAX + 1] = {
	[SLUICE_A_DEST_IFINDEX]		= FIELD(struct dest, U32, ifindex),
	[SLUICE_A_DEST_NAME]		= FIELD(struct dest, TEXT, name),
	[SLUICE_A_DEST_NETDEV]		= FIELD(struct dest, TEXT, netdev),
	[SLUICE_A_DEST_PROVIDER]	= FIELD(struct dest, TEXT, provider),
	[SLUICE_A_DEST_CHANNEL]		= FIELD(struct dest, TEXT, channel),
	[SLUICE_A_DEST_STATE]		= FIELD(struct dest, U32, state),
	[SLUICE_A_DEST_BROKEN_REASON]	= FIELD(struct dest, TEXT, broken_reason),
	[SLUICE_A_DEST_SESSION_COUNT]	= FIELD(struct dest, U32, session_count),
	[SLUICE_A_DEST_MAC]		= FIELD(struct dest, MAC, mac),
	[SLUICE_A_DEST_PAIRS]		= FIELD(struct dest, U32, pairs),
	[SLUICE_A_DEST_WINDOW_BYTES]	= FIELD(struct dest, U64, window_bytes),
	[SLUICE_A_DEST_LIMIT_BYTES]	= FIELD(struct dest, U64, limit_bytes),
	[SLUICE_A_DEST_LIMIT_REASON]	= FIELD(struct dest, TEXT, limit_reason),
	[SLUICE_A_DEST_REQUESTED_BYTES]	= FIELD(struct dest, U64, requested_bytes),
	[SLUICE_A_DEST_PLUGGED_BYTES]	= FIELD(struct dest, U64, plugged_bytes),
	[SLUICE_A_DEST_SEGMENT_BYTES]	= FIELD(struct dest, U32, segment_bytes),
	[SLUICE_A_DEST_CONTROL_BYTES]	= FIELD(struct dest, U32, control_bytes),
	[SLUICE_A_DEST_RESIZING]	= FIELD(struct dest, FLAG, resizing),
	[SLUICE_A_DEST_REFUSED_REASON]	= FIELD(struct dest, TEXT, refused_reason),
	[SLUICE_A_DEST_DRAIN_TIMEOUT_MS] = FIELD(struct dest, U32, drain_timeout_ms),
	[SLUICE_A_DEST_PORT]		= FIELD(struct dest, TEXT, port),
	[SLUICE_A_DEST_QUARANTINED_BYTES] = FIELD(struct dest, U64, quarantined_bytes),
	[SLUICE_A_DEST_QUIESCE]		= FIELD(struct dest, U32, quiesce),
	[SLUICE_A_DEST_AUTO_MIN_BYTES]	= FIELD(struct dest, U64, auto_min_bytes),
	[SLUICE_A_DEST_AUTO_MAX_BYTES]	= FIELD(struct dest, U64, auto_max_bytes),
	[SLUICE_A_DEST_AUTO_WEIGHT]	= FIELD(struct dest, U32, auto_weight),
	[SLUICE_A_DEST_AUTO_REASON]	= FIELD(struct dest, TEXT, auto_reason),
};

static const struct field segment_fields[SLUICE_A_SEGMENT_MAX + 1] = {
	[SLUICE_A_SEGMENT_SLOT]		= FIELD(struct segment, U32, slot),
	[SLUICE_A_SEGMENT_STATE]	= FIELD(struct segment, U32, state),
	[SLUICE_A_SEGMENT_EPOCH]	= FIELD(struct segment, U32, epoch),
	[SLUICE_A_SEGMENT_PAGES_OUT]	= FIELD(struct segment, U32, pages_out),
	[SLUICE_A_SEGMENT_AGE_MS]	= FIELD(struct segment, U32, age_ms),
	[SLUICE_A_SEGMENT_HOLDER]	= FIELD(struct segment, TEXT, holder),
};

static const struct field port_fields[SLUICE_A_PORT_MAX + 1] = {
	[SLUICE_A_PORT_IFINDEX]		= FIELD(struct port, U32, ifindex),
	[SLUICE_A_PORT_NAME]		= FIELD(struct port, TEXT, name),
	[SLUICE_A_PORT_DMA_MASK]	= FIELD(struct port, U64, dma_mask),
	[SLUICE_A_PORT_SEG_BOUNDARY]	= FIELD(struct port, U64, seg_boundary),
	[SLUICE_A_PORT_MAX_SEG_BYTES]	= FIELD(struct port, U32, max_seg_bytes),
	[SLUICE_A_PORT_MIN_ALIGN]	= FIELD(struct port, U32, min_align),
	[SLUICE_A_PORT_NUMA_NODE]	= FIELD(struct port, U32, numa_node),
	[SLUICE_A_PORT_IOMMU]		= FIELD(struct port, FLAG, iommu),
	[SLUICE_A_PORT_COHERENT]	= FIELD(struct port, FLAG, coherent),
};

static const struct field budget_fields[SLUICE_A_BUDGET_MAX + 1] = {
	[SLUICE_A_BUDGET_LIMIT_BYTES]	= FIELD(struct budget, U64, limit_bytes),
	[SLUICE_A_BUDGET_FLOOR_BYTES]	= FIELD(struct budget, U64, floor_bytes),
	[SLUICE_A_BUDGET_USED_BYTES]	= FIELD(struct budget, U64, used_bytes),
	[SLUICE_A_BUDGET_DESTS]		= FIELD(struct budget, U32, dests),
	[SLUICE_A_BUDGET_QUARANTINED_BYTES] = FIELD(struct budget, U64, quarantined_bytes),
	[SLUICE_A_BUDGET_QUARANTINE_MAX_BYTES] =
		FIELD(struct budget, U64, quarantine_max_bytes),
};

static const struct field event_fields[SLUICE_A_EVENT_MAX + 1] = {
	[SLUICE_A_EVENT_TYPE]		= FIELD(struct event, U32, type),
	[SLUICE_A_EVENT_IFINDEX]	= FIELD(struct event, U32, ifindex),
	[SLUICE_A_EVENT_NAME]		= FIELD(struct event, TEXT, name),
	[SLUICE_A_EVENT_TEXT]		= FIELD(struct event, TEXT, text),
	[SLUICE_A_EVENT_REQUESTED_BYTES] = FIELD(struct event, U64, requested_bytes),
	[SLUICE_A_EVENT_PLUGGED_BYTES]	= FIELD(struct event, U64, plugged_bytes),
	[SLUICE_A_EVENT_SLOT]		= FIELD(struct event, U32, slot),
	[SLUICE_A_EVENT_SEGMENT_STATE]	= FIELD(struct event, U32, segment_state),
};

void text_clean(char *dst, unsigned int dst_bytes, const char *src,
		unsigned int src_bytes)
{
	unsigned int i;

	for (i = 0; i + 1 < dst_bytes && i < src_bytes && src[i]; i++)
		dst[i] = src[i] >= ' ' && src[i] <= '~' ? src[i] : '?';
	dst[i] = '\0';
}

/* 0 if @attr was stored, 1 if the table does not know it, or -EBADMSG. */
static int field_store(const struct field *fields, unsigned int max,
		       const struct nlattr *attr, void *object, uint64_t *has)
{
	unsigned int type = mnl_attr_get_type(attr);
	unsigned int len = mnl_attr_get_payload_len(attr);
	const void *data = mnl_attr_get_payload(attr);
	const struct field *f;
	char *to;

	if (type > max || fields[type].kind == NONE)
		return 1;
	f = &fields[type];
	to = (char *)object + f->offset;

	switch (f->kind) {
	case FLAG:
		*(bool *)to = true;
		break;
	case TEXT:
		text_clean(to, f->bytes, data, len);
		break;
	default:
		if (len != f->bytes)
			return -EBADMSG;
		memcpy(to, data, len);
	}
	*has |= HAS(type);
	return 0;
}

static int segment_decode(const struct nlattr *nest, struct dest *d)
{
	struct segment s = { 0 }, *grown;
	const struct nlattr *attr;
	uint64_t has = 0;
	int err;

	mnl_attr_for_each_nested(attr, nest) {
		err = field_store(segment_fields, SLUICE_A_SEGMENT_MAX, attr, &s, &has);
		if (err < 0)
			return err;
	}
	/* doubled whenever a power of two is full */
	if (!(d->nr_segments & (d->nr_segments - 1))) {
		size_t nr = d->nr_segments ? 2 * (size_t)d->nr_segments : 1;

		grown = reallocarray(d->segments, nr, sizeof(s));
		if (!grown)
			return -ENOMEM;
		d->segments = grown;
	}
	d->segments[d->nr_segments++] = s;
	return 0;
}

static int stats_decode(const struct nlattr *nest, struct dest *d)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, nest) {
		unsigned int type = mnl_attr_get_type(attr);

		if (type > SLUICE_A_STATS_MAX || type == SLUICE_A_STATS_PAD)
			continue;
		if (mnl_attr_get_payload_len(attr) != sizeof(uint64_t))
			return -EBADMSG;
		memcpy(&d->stats[type], mnl_attr_get_payload(attr), sizeof(uint64_t));
		d->has_stats |= HAS(type);
	}
	return 0;
}

static bool long_enough(const struct nlmsghdr *nlh)
{
	return nlh->nlmsg_len >= MNL_NLMSG_HDRLEN + sizeof(struct genlmsghdr);
}

int dest_decode(const struct nlmsghdr *nlh, struct dest *d)
{
	const struct nlattr *attr;
	int err;

	memset(d, 0, sizeof(*d));
	if (!long_enough(nlh))
		return -EBADMSG;
	mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr)) {
		switch (mnl_attr_get_type(attr)) {
		case SLUICE_A_DEST_SEGMENT:
			err = segment_decode(attr, d);
			break;
		case SLUICE_A_DEST_STATS:
			err = stats_decode(attr, d);
			break;
		default:
			err = field_store(dest_fields, SLUICE_A_DEST_MAX, attr,
					  d, &d->has);
		}
		if (err < 0) {
			dest_free(d);
			return err;
		}
	}
	return 0;
}

void dest_free(struct dest *d)
{
	free(d->segments);
	memset(d, 0, sizeof(*d));
}

int port_decode(const struct nlmsghdr *nlh, struct port *p)
{
	const struct nlattr *attr;
	char (*grown)[NAME_TEXT];
	int err;

	memset(p, 0, sizeof(*p));
	if (!long_enough(nlh))
		return -EBADMSG;
	mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr)) {
		if (mnl_attr_get_type(attr) != SLUICE_A_PORT_DEST) {
			err = field_store(port_fields, SLUICE_A_PORT_MAX, attr,
					  p, &p->has);
			if (err < 0)
				goto err_free;
			continue;
		}
		err = -ENOMEM;
		grown = reallocarray(p->dests, p->nr_dests + 1, sizeof(*grown));
		if (!grown)
			goto err_free;
		p->dests = grown;
		text_clean(grown[p->nr_dests++], NAME_TEXT,
			   mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr));
	}
	return 0;

err_free:
	port_free(p);
	return err;
}

void port_free(struct port *p)
{
	free(p->dests);
	memset(p, 0, sizeof(*p));
}

/* A message whose attributes are all in one table. */
static int flat_decode(const struct nlmsghdr *nlh, const struct field *fields, unsigned int max,
		       void *object, size_t bytes, uint64_t *has)
{
	const struct nlattr *attr;

	memset(object, 0, bytes);
	if (!long_enough(nlh))
		return -EBADMSG;
	mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr))
		if (field_store(fields, max, attr, object, has) < 0)
			return -EBADMSG;
	return 0;
}

int budget_decode(const struct nlmsghdr *nlh, struct budget *b)
{
	return flat_decode(nlh, budget_fields, SLUICE_A_BUDGET_MAX, b, sizeof(*b), &b->has);
}

int event_decode(const struct nlmsghdr *nlh, struct event *e)
{
	return flat_decode(nlh, event_fields, SLUICE_A_EVENT_MAX, e, sizeof(*e), &e->has);
}

static const char *name_of(const char *const *names, size_t nr, uint32_t value)
{
	return value < nr ? names[value] : NULL;
}

#define NAME_OF(names, value) \
	name_of(names, sizeof(names) / sizeof(*(names)), value)

const char *dest_state_name(uint32_t state)
{
	static const char *const names[] = {
		[SLUICE_DEST_STATE_WAITING]	= "waiting",
		[SLUICE_DEST_STATE_CONNECTING]	= "connecting",
		[SLUICE_DEST_STATE_UP]		= "up",
		[SLUICE_DEST_STATE_BROKEN]	= "broken",
		[SLUICE_DEST_STATE_DETACHING]	= "detaching",
	};

	return NAME_OF(names, state);
}

const char *segment_life_name(uint32_t state)
{
	static const char *const names[] = {
		[SLUICE_SEGMENT_LIFE_ABSENT]	= "absent",
		[SLUICE_SEGMENT_LIFE_ALLOCATED]	= "allocated",
		[SLUICE_SEGMENT_LIFE_VALIDATED]	= "validated",
		[SLUICE_SEGMENT_LIFE_SHARED]	= "shared",
		[SLUICE_SEGMENT_LIFE_ACTIVE]	= "active",
		[SLUICE_SEGMENT_LIFE_RETIRING]	= "retiring",
		[SLUICE_SEGMENT_LIFE_DRAINED]	= "drained",
		[SLUICE_SEGMENT_LIFE_QUIESCED]	= "quiesced",
		[SLUICE_SEGMENT_LIFE_REVOKED]	= "revoked",
		[SLUICE_SEGMENT_LIFE_QUARANTINED] = "quarantined",
	};

	return NAME_OF(names, state);
}

const char *quiesce_state_name(uint32_t state)
{
	static const char *const names[] = {
		[SLUICE_QUIESCE_STATE_RUNNING]	 = "running",
		[SLUICE_QUIESCE_STATE_QUIESCING] = "quiescing",
		[SLUICE_QUIESCE_STATE_QUIESCED]	 = "quiesced",
	};

	return NAME_OF(names, state);
}

const char *event_type_name(uint32_t type)
{
	static const char *const names[] = {
		[SLUICE_EVENT_TYPE_DEST_NEW]	= "dest-new",
		[SLUICE_EVENT_TYPE_DEST_GONE]	= "dest-gone",
		[SLUICE_EVENT_TYPE_SESSION_UP]	= "session-up",
		[SLUICE_EVENT_TYPE_SESSION_DOWN] = "session-down",
		[SLUICE_EVENT_TYPE_BROKEN]	= "broken",
		[SLUICE_EVENT_TYPE_RESIZE_DONE]	= "resize-done",
		[SLUICE_EVENT_TYPE_RESIZE_REFUSED] = "resize-refused",
		[SLUICE_EVENT_TYPE_SEGMENT_STATE] = "segment-state",
		[SLUICE_EVENT_TYPE_QUARANTINED]	= "quarantined",
		[SLUICE_EVENT_TYPE_RELEASED]	= "released",
		[SLUICE_EVENT_TYPE_AUTO]	= "auto",
		[SLUICE_EVENT_TYPE_QUIESCED]	= "quiesced",
		[SLUICE_EVENT_TYPE_RESUMED]	= "resumed",
	};

	return NAME_OF(names, type);
}

const char *stats_name(unsigned int attr)
{
	static const char *const names[] = {
		[SLUICE_A_STATS_TO_GUEST_FRAMES]	= "to_guest_frames",
		[SLUICE_A_STATS_TO_GUEST_BYTES]		= "to_guest_bytes",
		[SLUICE_A_STATS_TO_GUEST_BOUNCE]	= "to_guest_bounce",
		[SLUICE_A_STATS_FROM_GUEST_FRAMES]	= "from_guest_frames",
		[SLUICE_A_STATS_FROM_GUEST_BYTES]	= "from_guest_bytes",
		[SLUICE_A_STATS_FROM_GUEST_BOUNCE]	= "from_guest_bounce",
		[SLUICE_A_STATS_FROM_GUEST_ZEROCOPY]	= "from_guest_zerocopy",
		[SLUICE_A_STATS_FROM_GUEST_COPIED]	= "from_guest_copied",
		[SLUICE_A_STATS_DOORBELLS_SENT]		= "doorbells_sent",
		[SLUICE_A_STATS_DOORBELLS_RECEIVED]	= "doorbells_received",
		[SLUICE_A_STATS_DROP_NO_BUFFER]		= "drop_no_buffer",
		[SLUICE_A_STATS_DROP_TOO_BIG]		= "drop_too_big",
		[SLUICE_A_STATS_DROP_STALLED]		= "drop_stalled",
		[SLUICE_A_STATS_DROP_BAD_FRAME]		= "drop_bad_frame",
		[SLUICE_A_STATS_DROP_DOWN]		= "drop_down",
		[SLUICE_A_STATS_DROP_NO_MEMORY]		= "drop_no_memory",
		[SLUICE_A_STATS_BOUNCE_CONSTRAINT]	= "bounce_constraint",
		[SLUICE_A_STATS_REFUSED_SEGMENTS]	= "refused_segments",
		[SLUICE_A_STATS_QUARANTINED]		= "quarantined",
	};

	return NAME_OF(names, attr);
}
