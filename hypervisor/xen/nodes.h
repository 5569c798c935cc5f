/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the other domain, or the toolstack, has written, and whether it makes sense.
 * Pure code.
 */
#ifndef SLUICE_XEN_NODES_H
#define SLUICE_XEN_NODES_H

#include <sluice/os.h>
#include <uapi/linux/sluice_shm.h>

#define SXEN_DIRECTORY_REFS	(SLUICE_SHM_PAGE / 4)	/* references in a page of them */
#define SXEN_MAX_DIRECTORIES	(SLUICE_SHM_CTRL_MAX / SLUICE_SHM_PAGE / SXEN_DIRECTORY_REFS)
#define SXEN_SEGMENT_REFS	(SLUICE_SHM_SEGMENT_BYTES / SLUICE_SHM_PAGE)

/* The hypervisor's own grants of a domain come first: never anybody's memory. */
#define SXEN_FIRST_REF		8
/* Highest number of ports that any Xen has (FIFO), and port 0 is none */
#define SXEN_MAX_PORTS		131072

/**
 * sxen_refs_read() - private copy of a list of grant references, checked
 * @shared: list in a page that the other domain writes
 * @nr: how many, at most SXEN_DIRECTORY_REFS
 * @snap: the copy
 * @work: room for another one
 * @text: what is wrong, constant
 *
 * Each word is read once. A reference that stands there twice would show the
 * same page at two places of the region.
 *
 * Return: 0 or -EINVAL.
 */
int sxen_refs_read(const __le32 *shared, u32 nr, u32 *snap, u32 *work, const char **text);

/* Is what the backend offers possible? 0, or -EINVAL and @text. */
int sxen_offer_check(u32 ctrl_bytes, u32 doorbells, const char **text);

/* Are these event channels? 0, or -EINVAL and @text. */
int sxen_ports_check(const u32 *port, u32 nr, const char **text);

/* A name that may stand in logs and interface names. */
bool sxen_name_ok(const char *name);

/**
 * sxen_window_slots() - how long a window the toolstack asks for
 * @max_bytes: data bytes it named
 * @ctrl_bytes: the largest control segment
 *
 * Return: slots, control included, or 0 if that cannot be.
 */
u32 sxen_window_slots(u64 max_bytes, u32 ctrl_bytes);

#endif /* SLUICE_XEN_NODES_H */
