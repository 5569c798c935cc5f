/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What Xen lets a domain share and map. A driver domain grants every page of its
 * destinations out of its grant table, whose size in frames is limited; a guest needs an
 * entry of its maptrack table for each page it maps, limited too. Both limits come
 * from the domain's xl configuration, and have a default on Xen's command line.
 */
#ifndef SLUICECTL_XEN_LIMITS_H
#define SLUICECTL_XEN_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

struct xc_interface_core;
struct xentoollog_logger;

#define XEN_PAGE		4096u
#define XEN_UNKNOWN		UINT32_MAX
#define XEN_MAPTRACK_PER_FRAME	256u	/* entries of 16 bytes */

struct xen_limits {
	struct xc_interface_core *xc;
	struct xentoollog_logger *log;
	uint32_t max_frames;		/* Xen's own gnttab_max_frames, or XEN_UNKNOWN */
	uint32_t max_maptrack;		/* gnttab_max_maptrack_frames, or XEN_UNKNOWN */
};

/* Of one domain. A number is XEN_UNKNOWN if Xen does not tell. */
struct xen_tables {
	uint32_t frames;		/* of the grant table, in use now */
	uint32_t max_frames;
	uint32_t per_frame;		/* entries: 512, or 256 with version 2 */
	uint32_t max_maptrack;		/* frames */
};

/* False where the hypervisor cannot be asked: no control domain, or no privilege. */
bool xen_limits_open(struct xen_limits *l);
void xen_limits_close(struct xen_limits *l);
void xen_limits_of(const struct xen_limits *l, uint32_t domid, struct xen_tables *t);

/* Pages that a destination takes: segments and their lists, control segment, its directory. */
uint64_t xen_pages(uint64_t size, uint64_t ctrl_bytes);
/* Pages that the domain can share, or map; UINT64_MAX if that is unknown. */
uint64_t xen_grant_pages(const struct xen_tables *t);
uint64_t xen_maptrack_pages(const struct xen_tables *t);

#endif /* SLUICECTL_XEN_LIMITS_H */
