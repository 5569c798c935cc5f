// SPDX-License-Identifier: GPL-2.0
/* The plan on Xen, in dom0: what grant tables and maptrack tables still hold. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "size.h"
#include "sluicectl.h"
#include "xen.h"
#include "xen_limits.h"
#include "xen_store.h"

#define SIZE_TOP	(512ull << 20)

struct row {
	const struct xen_domain *domain;
	struct xen_tables tables;
	uint64_t granted, mapped;	/* pages, by the devices that are attached */
};

struct table {
	struct xen_limits limits;
	struct row *row;
	unsigned int nr;
};

static struct row *row_of(const struct table *t, uint32_t id)
{
	unsigned int i;

	for (i = 0; i < t->nr; i++)
		if (t->row[i].domain->id == id)
			return &t->row[i];
	return NULL;
}

static void add_device(struct table *t, const struct xen_dev *d)
{
	struct row *backend = row_of(t, d->backend);
	struct row *frontend = row_of(t, d->frontend);

	if (!d->has_backend || !backend)
		return;
	backend->granted += xen_dev_pages(d);
	/* A domain with devices of its own can write any guest's number there. */
	if (d->has_frontend && frontend)
		frontend->mapped += xen_dev_mapped(d, &backend->tables);
}

static uint64_t left(uint64_t can, uint64_t taken)
{
	return can == UINT64_MAX ? can : can > taken ? can - taken : 0;
}

/* More destinations of @size that this domain could serve, and what stops the next one. */
static uint64_t more(const struct table *t, const struct row *r, uint64_t size,
		     const char **binds)
{
	uint64_t pages = xen_pages(size, XEN_CTRL_BYTES), most = 0;
	uint64_t grants = left(xen_grant_pages(&r->tables), r->granted);
	unsigned int i;

	/* A guest that could map it at all, of those that are there. */
	for (i = 0; i < t->nr; i++) {
		const struct row *g = &t->row[i];
		uint64_t can = left(xen_maptrack_pages(&g->tables), g->mapped);

		if (g != r && can > most)
			most = can;
	}
	*binds = "grant table";
	if (grants == UINT64_MAX)
		*binds = "not known";
	if (t->nr > 1 && most < pages && grants >= pages) {
		*binds = "maptrack of the guests";
		return 0;
	}
	return grants == UINT64_MAX ? 0 : grants / pages;
}

static void json_frames(struct json_object *to, const char *key, uint32_t frames)
{
	if (frames != XEN_UNKNOWN)
		json_number(to, key, frames);
}

static void json_pages(struct json_object *to, const char *key, uint64_t pages)
{
	if (pages != UINT64_MAX)
		json_number(to, key, pages * XEN_PAGE);
}

static struct json_object *json_row(const struct table *t, const struct row *r)
{
	struct json_object *o = json_new(), *sizes = json_new_array(), *s;
	const char *binds;
	uint64_t size;

	json_text(o, "name", r->domain->name);
	json_number(o, "id", r->domain->id);
	json_frames(o, "grant_frames", r->tables.frames);
	json_frames(o, "max_grant_frames", r->tables.max_frames);
	json_pages(o, "grant_limit_bytes", xen_grant_pages(&r->tables));
	json_pages(o, "granted_bytes", r->granted);
	json_frames(o, "max_maptrack_frames", r->tables.max_maptrack);
	json_pages(o, "map_limit_bytes", xen_maptrack_pages(&r->tables));
	json_pages(o, "mapped_bytes", r->mapped);
	for (size = 0; size <= SIZE_TOP; size = size ? size * 4 : XEN_SEGMENT_BYTES) {
		s = json_new();
		json_number(s, "size_bytes", size);
		json_number(s, "dests", more(t, r, size, &binds));
		json_text(s, "limit", binds);
		json_append(sizes, s);
	}
	json_put(o, "sizes", sizes);
	return o;
}

static void plan_json(const struct table *t, struct json_object *to)
{
	struct json_object *o = json_new(), *rows = json_new_array();
	unsigned int i;

	json_frames(o, "gnttab_max_frames", t->limits.max_frames);
	json_frames(o, "gnttab_max_maptrack_frames", t->limits.max_maptrack);
	for (i = 0; i < t->nr; i++)
		json_append(rows, json_row(t, &t->row[i]));
	json_put(o, "domains", rows);
	json_put(to, "xen", o);
}

static const char *pages_text(uint64_t pages, char buf[SIZE_TEXT])
{
	return pages == UINT64_MAX ? "?" : size_format(pages * XEN_PAGE, buf);
}

static const char *frames_text(uint32_t frames, char buf[16])
{
	return enum_text(frames == XEN_UNKNOWN ? "?" : NULL, frames, buf);
}

static void plan_text(const struct table *t)
{
	char a[SIZE_TEXT], b[SIZE_TEXT], c[SIZE_TEXT], d[SIZE_TEXT], f[16], g[16];
	const char *binds;
	unsigned int i;
	uint64_t size;

	printf("%-16s %8s %10s %10s %8s %10s %10s\n", "DOMAIN", "GRANT", "CAN SHARE", "SHARES",
	       "MAPTRACK", "CAN MAP", "MAPS");
	for (i = 0; i < t->nr; i++) {
		const struct row *r = &t->row[i];

		printf("%-16s %8s %10s %10s %8s %10s %10s\n", r->domain->name,
		       frames_text(r->tables.max_frames, f),
		       pages_text(xen_grant_pages(&r->tables), a), pages_text(r->granted, b),
		       frames_text(r->tables.max_maptrack, g),
		       pages_text(xen_maptrack_pages(&r->tables), c), pages_text(r->mapped, d));
	}
	printf("\nMore destinations of each size, by the domain that would serve them:\n%-16s",
	       "SIZE OF EACH");
	for (size = 0; size <= SIZE_TOP; size = size ? size * 4 : XEN_SEGMENT_BYTES)
		printf(" %6s", size_format(size, a));
	printf("  BOUND BY\n");
	for (i = 0; i < t->nr; i++) {
		printf("%-16s", t->row[i].domain->name);
		for (size = 0; size <= SIZE_TOP; size = size ? size * 4 : XEN_SEGMENT_BYTES)
			printf(" %6llu", (unsigned long long)more(t, &t->row[i], size, &binds));
		printf("  %s\n", binds);
	}
	printf("\nTo lift: max_grant_frames (who shares) and max_maptrack_frames (who maps) in a domain's\n"
	       "xl configuration; above %s and %s also gnttab_max_frames and gnttab_max_maptrack_frames\n"
	       "on Xen's command line.\n", frames_text(t->limits.max_frames, f),
	       frames_text(t->limits.max_maptrack, g));
}

int xen_plan(struct json_object *json)
{
	struct xen_domains all = { 0 };
	struct table t = { 0 };
	struct xen_dev *devs = NULL;
	unsigned int i, nr = 0;
	struct store s;
	int status;

	if (!xen_limits_open(&t.limits))
		return EXIT_ABSENT;
	if (!store_is_toolstack(&s)) {
		xen_limits_close(&t.limits);
		return EXIT_ABSENT;
	}
	status = store_domains(&s, &all);
	if (!status)
		status = store_devices(&s, &all, &devs, &nr);
	if (!status) {
		t.row = calloc(all.nr + 1, sizeof(*t.row));
		if (!t.row)
			exit(fail(EXIT_SYSTEM, "out of memory"));
		t.nr = all.nr;
		for (i = 0; i < all.nr; i++) {
			t.row[i].domain = &all.domain[i];
			xen_limits_of(&t.limits, all.domain[i].id, &t.row[i].tables);
		}
		for (i = 0; i < nr; i++)
			add_device(&t, &devs[i]);
		if (json)
			plan_json(&t, json);
		else
			plan_text(&t);
	}
	free(t.row);
	free(devs);
	free(all.domain);
	store_close(&s);
	xen_limits_close(&t.limits);
	return status;
}
