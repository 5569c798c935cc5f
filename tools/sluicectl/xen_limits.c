// SPDX-License-Identifier: GPL-2.0
/* Grant tables and maptrack, asked of the hypervisor. */
#include <glob.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xenctrl.h>
#include <xenhypfs.h>
#include <xentoollog.h>

#include "xen.h"
#include "xen_limits.h"

#define RESERVED_GRANTS	8	/* the first ones: console, xenstore */

static uint32_t parameter(xenhypfs_handle *fs, const char *path)
{
	unsigned long n;
	char *text, *end;

	text = fs ? xenhypfs_read(fs, path) : NULL;
	if (!text)
		return XEN_UNKNOWN;
	n = strtoul(text, &end, 10);
	if (end == text || n >= XEN_UNKNOWN)
		n = XEN_UNKNOWN;
	free(text);
	return n;
}

bool xen_limits_open(struct xen_limits *l)
{
	/* Failing is an answer here, not something to print. */
	xentoollog_logger_stdiostream *quiet = xtl_createlogger_stdiostream(stderr, XTL_CRITICAL,
									   0);
	xenhypfs_handle *fs;

	l->xc = xc_interface_open((xentoollog_logger *)quiet, (xentoollog_logger *)quiet, 0);
	if (!l->xc) {
		xtl_logger_destroy((xentoollog_logger *)quiet);
		return false;
	}
	fs = xenhypfs_open((xentoollog_logger *)quiet, 0);
	l->log = (xentoollog_logger *)quiet;
	l->max_frames = parameter(fs, "/params/gnttab_max_frames");
	l->max_maptrack = parameter(fs, "/params/gnttab_max_maptrack_frames");
	if (fs)
		xenhypfs_close(fs);
	return true;
}

void xen_limits_close(struct xen_limits *l)
{
	if (l->xc)
		xc_interface_close(l->xc);
	xtl_logger_destroy(l->log);
	l->xc = NULL;
	l->log = NULL;
}

/* Xen does not tell this limit of a domain; what xl gave it stands in xl's own notes. */
static uint32_t maptrack_of(uint32_t domid, uint32_t otherwise)
{
	struct json_object *top, *info, *n;
	char pattern[96];
	glob_t found;

	snprintf(pattern, sizeof(pattern), "/var/lib/xen/userdata-d.%u.*.libxl-json", domid);
	if (glob(pattern, 0, NULL, &found))
		return otherwise;
	top = json_object_from_file(found.gl_pathv[0]);
	globfree(&found);
	if (top && json_object_object_get_ex(top, "b_info", &info) &&
	    json_object_object_get_ex(info, "max_maptrack_frames", &n) &&
	    json_object_get_int64(n) >= 0 && json_object_get_int64(n) < XEN_UNKNOWN)
		otherwise = json_object_get_int64(n);
	json_object_put(top);
	return otherwise;
}

void xen_limits_of(const struct xen_limits *l, uint32_t domid, struct xen_tables *t)
{
	struct gnttab_query_size query = { .dom = domid };

	*t = (struct xen_tables){ XEN_UNKNOWN, XEN_UNKNOWN, 512, XEN_UNKNOWN };
	if (!xc_gnttab_query_size(l->xc, &query) && query.status == GNTST_okay) {
		t->frames = query.nr_frames;
		t->max_frames = query.max_nr_frames;
	}
	if (xc_gnttab_get_version(l->xc, domid) == 2)
		t->per_frame = 256;
	t->max_maptrack = maptrack_of(domid, l->max_maptrack);
}

uint64_t xen_pages(uint64_t size, uint64_t ctrl_bytes)
{
	uint64_t ctrl = (ctrl_bytes + XEN_PAGE - 1) / XEN_PAGE;

	/* With each segment goes a page, its list; a page of the directory lists 1024. */
	return size / XEN_PAGE + size / XEN_SEGMENT_BYTES + ctrl + (ctrl + 1023) / 1024;
}

uint64_t xen_grant_pages(const struct xen_tables *t)
{
	if (t->max_frames == XEN_UNKNOWN)
		return UINT64_MAX;
	if (!t->max_frames)
		return 0;
	return (uint64_t)t->max_frames * t->per_frame - RESERVED_GRANTS;
}

uint64_t xen_maptrack_pages(const struct xen_tables *t)
{
	if (t->max_maptrack == XEN_UNKNOWN)
		return UINT64_MAX;
	return (uint64_t)t->max_maptrack * XEN_MAPTRACK_PER_FRAME;
}
