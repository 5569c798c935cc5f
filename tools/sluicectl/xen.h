/* SPDX-License-Identifier: GPL-2.0 */
/*
 * sluicectl xen: the toolstack's part on Xen, in dom0.
 *
 *	xen.c		the object, its commands and their words
 *	xen_attach.c	attach
 *	xen_detach.c	detach
 *	xen_list.c	list
 *	xen_plan.c	how much fits, and what stands in the way (xen_limits.h)
 *	xen_limits.c	grant tables and maptrack, asked of Xen
 *	xen_grants.c	the grant table as the module in a domain sees it
 *	xen_store.c xen_dev.c	the xenstore (xen_store.h)
 *	xen_absent.c	instead of most of these where libxen-dev is not installed
 */
#ifndef SLUICECTL_XEN_H
#define SLUICECTL_XEN_H

#include <stdbool.h>
#include <stdint.h>

#define XEN_SEGMENT_BYTES	(2ull << 20)
/* what sluice_back begins with if nobody says another size; its own parameter is not seen here */
#define XEN_DEFAULT_SIZE	(8ull << 20)
#define XEN_MAX_SIZE		(256ull << 20)	/* unless max-size says another one */
#define XEN_WINDOW_BYTES	(2ull << 30)
#define XEN_CTRL_BYTES		(1ull << 20)	/* at most, for each queue pair */
#define XEN_CTRL_MAX		(8ull << 20)
#define XEN_PAIRS_MAX		8

struct xen_args {
	const char *backend;
	const char *frontend;
	const char *name;
	const char *mac;
	const char *size;
	const char *max_size;
	const char *pairs;
	const char *device;
	const char *timeout;
	bool force;
};

int xen_attach(const struct xen_args *args);
int xen_detach(const struct xen_args *args);
int xen_list(const struct xen_args *args);

struct json_object;

/**
 * xen_plan() - what Xen's tables still hold
 * @json: where to put it, or NULL to print
 *
 * Return: exit status; EXIT_ABSENT, without a word, where this is no control domain.
 */
int xen_plan(struct json_object *json);

/* The same of this domain alone, from sluice_xen; nothing where that is not loaded. */
void xen_grants_plan(struct json_object *json);

#endif /* SLUICECTL_XEN_H */
