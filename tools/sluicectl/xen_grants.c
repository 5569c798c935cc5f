// SPDX-License-Identifier: GPL-2.0
/*
 * The grant table as sluice_xen sees it, in the driver domain or the guest itself: what
 * dom0 cannot see, and no privilege is needed for. Built with or without Xen's libraries.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "size.h"
#include "xen.h"

#define SEGMENT_GRANTS	513	/* 512 pages and their list */

struct grants {
	uint64_t frames;
	uint64_t max_frames;
	uint64_t max_grants;
	uint64_t per_segment;
	uint64_t granted;
	uint64_t quarantined;
	uint64_t mapped;
};

static bool grants_read(struct grants *g)
{
	const char *file = getenv("SLUICECTL_XEN_GRANTS");	/* for the tests */
	char name[32];
	uint64_t value;
	FILE *f;

	memset(g, 0, sizeof(*g));
	f = fopen(file ? file : "/sys/module/sluice_xen/parameters/grants", "r");
	if (!f)
		return false;
	while (fscanf(f, "%31s %" SCNu64, name, &value) == 2) {
		if (!strcmp(name, "frames"))
			g->frames = value;
		else if (!strcmp(name, "max_frames"))
			g->max_frames = value;
		else if (!strcmp(name, "max_grants"))
			g->max_grants = value;
		else if (!strcmp(name, "per_segment"))
			g->per_segment = value;
		else if (!strcmp(name, "granted"))
			g->granted = value;
		else if (!strcmp(name, "quarantined"))
			g->quarantined = value;
		else if (!strcmp(name, "mapped"))
			g->mapped = value;
	}
	fclose(f);
	if (!g->per_segment)
		g->per_segment = SEGMENT_GRANTS;
	return g->max_grants;
}

void xen_grants_plan(struct json_object *json)
{
	char room_text[SIZE_TEXT];
	struct json_object *o;
	struct grants g;
	uint64_t room;

	if (!grants_read(&g))
		return;
	room = g.max_grants > g.granted ? (g.max_grants - g.granted) / g.per_segment : 0;
	room *= XEN_SEGMENT_BYTES;
	if (json) {
		o = json_new();
		json_number(o, "frames", g.frames);
		json_number(o, "max_frames", g.max_frames);
		json_number(o, "max_grants", g.max_grants);
		json_number(o, "granted", g.granted);
		json_number(o, "quarantined", g.quarantined);
		json_number(o, "mapped", g.mapped);
		json_number(o, "room_bytes", room);
		json_put(json, "grants", o);
		return;
	}
	printf("\nGrant table: at most %" PRIu64 " frames, %" PRIu64 " grants, of which sluice has %"
	       PRIu64 " (%" PRIu64 " quarantined).\nRoom for %s more in all, unless other devices need it. To lift: max_grant_frames in\nthis domain's xl configuration, gnttab_max_frames on Xen's command line.\n",
	       g.max_frames, g.max_grants, g.granted, g.quarantined,
	       size_format(room, room_text));
}
