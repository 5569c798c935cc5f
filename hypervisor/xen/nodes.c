// SPDX-License-Identifier: GPL-2.0
/*
 * What the other domain, or the toolstack, has written, and whether it makes sense.
 */
#include "nodes.h"

static int refuse(const char **text, const char *why)
{
	*text = why;
	return -EINVAL;
}

static int by_value(const void *a, const void *b)
{
	u32 x = *(const u32 *)a, y = *(const u32 *)b;

	return x < y ? -1 : x > y;
}

/*
 * True if a value stands twice; @value is sorted after it. The other domain chooses values and
 * order: sort() is a heap sort, which no order makes slow.
 */
static bool repeats(u32 *value, u32 nr)
{
	u32 i;

	sort(value, nr, sizeof(*value), by_value, NULL);
	for (i = 1; i < nr; i++)
		if (value[i] == value[i - 1])
			return true;
	return false;
}

int sxen_refs_read(const __le32 *shared, u32 nr, u32 *snap, u32 *work, const char **text)
{
	u32 i;

	if (!nr || nr > SXEN_DIRECTORY_REFS)
		return refuse(text, "impossible number of grant references");
	for (i = 0; i < nr; i++) {
		snap[i] = le32_to_cpu(READ_ONCE(shared[i]));
		if (snap[i] < SXEN_FIRST_REF || snap[i] == U32_MAX)
			return refuse(text, "a grant reference that cannot be");
	}
	memcpy(work, snap, nr * sizeof(*work));
	if (repeats(work, nr))
		return refuse(text, "a grant reference stands twice in its list");
	return 0;
}

int sxen_offer_check(u32 ctrl_bytes, u32 doorbells, const char **text)
{
	if (ctrl_bytes < SLUICE_SHM_CTRL_MIN || ctrl_bytes > SLUICE_SHM_CTRL_MAX ||
	    ctrl_bytes % SLUICE_SHM_PAGE)
		return refuse(text, "ctrl-bytes is impossible");
	if (doorbells < 2 || doorbells > SLUICE_SHM_MAX_DOORBELLS)
		return refuse(text, "doorbells is impossible");
	return 0;
}

int sxen_ports_check(const u32 *port, u32 nr, const char **text)
{
	u32 work[SLUICE_SHM_MAX_DOORBELLS], i;

	if (nr > SLUICE_SHM_MAX_DOORBELLS)
		return refuse(text, "more event channels than there can be");
	for (i = 0; i < nr; i++) {
		if (!port[i] || port[i] >= SXEN_MAX_PORTS)
			return refuse(text, "an event channel that cannot be");
		work[i] = port[i];
	}
	if (repeats(work, nr))
		return refuse(text, "an event channel stands twice");
	return 0;
}

bool sxen_name_ok(const char *name)
{
	u32 i;

	for (i = 0; name[i]; i++) {
		char c = name[i];

		if (i == 31)
			return false;
		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
		    !(c >= '0' && c <= '9') && c != '-' && c != '_' && c != '.')
			return false;
	}
	return i > 0;
}

u32 sxen_window_slots(u64 max_bytes, u32 ctrl_bytes)
{
	u32 ctrl = DIV_ROUND_UP(ctrl_bytes, SLUICE_SHM_SEGMENT_BYTES);
	u64 slots = max_bytes >> SLUICE_SHM_SEGMENT_SHIFT;

	if (max_bytes % SLUICE_SHM_SEGMENT_BYTES || slots > SLUICE_SHM_MAX_SLOTS - ctrl)
		return 0;
	return slots + ctrl;
}
