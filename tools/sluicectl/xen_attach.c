// SPDX-License-Identifier: GPL-2.0
/*
 * sluicectl xen attach: one transaction writes both folders of a device, or nothing.
 *
 * A device whose backend's domain is gone is given to the new backend: its folder in the
 * guest is made anew within the transaction, so the guest's kernel never sees it gone, and
 * the interface stays with all that was set up on it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "output.h"
#include "size.h"
#include "sluicectl.h"
#include "xen.h"
#include "xen_limits.h"
#include "xen_store.h"

struct attach {
	const struct xen_args *args;
	struct xen_dev dev;
	const char *name;
	bool any_nr;
	bool again;
	char backend_name[XEN_TEXT], frontend_name[XEN_TEXT];
	struct xen_limits limits;
	struct xen_tables granting, mapping;
	bool limits_known;
};

/* ff:ff:... and 00:00:... are no interface's address, nor is a multicast one. */
static bool good_mac(const char *text)
{
	unsigned int i, digit, any = 0;

	if (strlen(text) != 17)
		return false;
	for (i = 0; i < 17; i++) {
		if (i % 3 == 2) {
			if (text[i] != ':')
				return false;
			continue;
		}
		if (text[i] >= '0' && text[i] <= '9')
			digit = text[i] - '0';
		else if ((text[i] | 0x20) >= 'a' && (text[i] | 0x20) <= 'f')
			digit = (text[i] | 0x20) - 'a' + 10;
		else
			return false;
		if (i == 1 && (digit & 1))
			return false;
		any |= digit;
	}
	return any;
}

static bool good_name(const char *text)
{
	size_t len = strlen(text);

	return len && len <= XEN_DEST_NAME &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
	       len;
}

static int parse_size(const char *what, const char *text, uint64_t max, const char *hint,
		      uint64_t *bytes)
{
	const char *wrong = size_parse(text, bytes);
	char buf[SIZE_TEXT];

	if (wrong)
		return fail(EXIT_USAGE, "%s '%s' %s", what, text, wrong);
	if (*bytes % XEN_SEGMENT_BYTES)
		return fail(EXIT_USAGE, "%s %s is not a multiple of the segment, 2M", what, text);
	if (*bytes > max)
		return fail(EXIT_USAGE, "%s %s is above %s%s", what, text, size_format(max, buf), hint);
	return EXIT_OK;
}

static int parse(struct attach *a)
{
	const struct xen_args *args = a->args;
	uint64_t max = XEN_MAX_SIZE, n;
	int status = EXIT_OK;

	a->dev.pairs = 1;
	if (args->pairs) {
		if (!xen_number(args->pairs, XEN_PAIRS_MAX, &n) || !n)
			return fail(EXIT_USAGE, "pairs '%s' must be a number from 1 to %u",
				    args->pairs, XEN_PAIRS_MAX);
		a->dev.pairs = n;
	}
	a->dev.ctrl_bytes = XEN_CTRL_BYTES * a->dev.pairs;
	if (args->max_size) {
		/* The window holds the control segment, rounded up to a segment, too. */
		max = XEN_WINDOW_BYTES - (a->dev.ctrl_bytes + XEN_SEGMENT_BYTES - 1) /
		      XEN_SEGMENT_BYTES * XEN_SEGMENT_BYTES;
		status = parse_size("max-size", args->max_size, max, "", &a->dev.max_size);
		max = a->dev.max_size;
		/* The backend would take it for nonsense, and its own default. */
		if (!status && !max)
			return fail(EXIT_USAGE, "max-size 0 leaves no room for a segment, 2M");
	}
	a->dev.size = max < XEN_DEFAULT_SIZE ? max : XEN_DEFAULT_SIZE;
	if (!status && args->size)
		status = parse_size("size", args->size, max,
				    args->max_size ? ", the max-size" : ": give a --max-size too",
				    &a->dev.size);
	if (status)
		return status;
	if (args->mac && !good_mac(args->mac))
		return fail(EXIT_USAGE, "mac '%s' is not the address of an interface, as in 52:54:00:12:34:56",
			    args->mac);
	if (args->name && !good_name(args->name))
		return fail(EXIT_USAGE, "name '%s' must be 1 to %u letters, digits, '-', '_' or '.'",
			    args->name, XEN_DEST_NAME);
	a->any_nr = !args->device;
	if (args->device) {
		if (!xen_number(args->device, 0xffff, &n))
			return fail(EXIT_USAGE, "device '%s' must be a number up to 65535",
				    args->device);
		a->dev.nr = n;
	}
	return EXIT_OK;
}

/* Both domains as they are now: an id that is looked up here is used at once. */
static int find_domains(struct attach *a, const struct xen_domains *all)
{
	int status;

	status = xen_domain_find(all, "backend", a->args->backend, false, &a->dev.backend);
	if (!status)
		status = xen_domain_find(all, "frontend", a->args->frontend, false,
					 &a->dev.frontend);
	if (status)
		return status;
	if (a->dev.backend == a->dev.frontend)
		return fail(EXIT_USAGE, "backend and frontend are the same domain, %u",
			    a->dev.backend);
	memcpy(a->backend_name, xen_domain_by_id(all, a->dev.backend)->name, XEN_TEXT);
	memcpy(a->frontend_name, xen_domain_by_id(all, a->dev.frontend)->name, XEN_TEXT);
	a->name = a->args->name ? a->args->name : a->frontend_name;
	if (!good_name(a->name))
		return fail(EXIT_USAGE, "a destination cannot be called '%s': give it a --name",
			    a->name);
	return EXIT_OK;
}

/* Both tables must hold this device beside those that are there. */
static int check_room(struct attach *a, const struct xen_dev *devs, unsigned int nr)
{
	uint64_t granted = xen_dev_pages(&a->dev), mapped = granted, can;
	struct xen_tables others;
	char need[SIZE_TEXT], limit[SIZE_TEXT];
	unsigned int i;

	if (!a->limits_known)
		return EXIT_OK;
	for (i = 0; i < nr; i++) {
		if (devs[i].backend == a->dev.backend && devs[i].has_backend)
			granted += xen_dev_pages(&devs[i]);
		/* A domain with devices of its own can write any guest's number there. */
		if (devs[i].frontend != a->dev.frontend || !devs[i].has_backend ||
		    !devs[i].has_frontend)
			continue;
		xen_limits_of(&a->limits, devs[i].backend, &others);
		mapped += xen_dev_mapped(&devs[i], &others);
	}
	can = xen_grant_pages(&a->granting);
	if (granted > can)
		return fail(EXIT_REFUSED, "%s would have to share %s with its guests, and its grant table of %u frames holds %s: raise max_grant_frames in its xl configuration, and gnttab_max_frames of Xen's command line if that is above it",
			    a->backend_name, size_format(granted * XEN_PAGE, need),
			    a->granting.max_frames, size_format(can * XEN_PAGE, limit));
	can = xen_maptrack_pages(&a->mapping);
	if (mapped > can)
		return fail(EXIT_REFUSED, "%s would have to map %s, and its maptrack table of %u frames holds %s: raise max_maptrack_frames in its xl configuration, and gnttab_max_maptrack_frames of Xen's command line if that is above it",
			    a->frontend_name, size_format(mapped * XEN_PAGE, need),
			    a->mapping.max_maptrack, size_format(can * XEN_PAGE, limit));
	return EXIT_OK;
}

/* The guest still has it, the domain that it got it from is gone. */
static bool left_over(const struct attach *a, const struct xen_domains *all,
		      const struct xen_dev *d)
{
	return d->frontend == a->dev.frontend && d->has_frontend && !d->has_backend &&
	       d->backend != UINT32_MAX &&
	       !xen_domain_by_id(all, d->backend) && (a->any_nr || d->nr == a->dev.nr) &&
	       (!a->args->mac || !d->mac[0] || !strcasecmp(a->args->mac, d->mac));
}

static int check_free(struct attach *a, const struct xen_domains *all,
		      const struct xen_dev *devs, unsigned int nr)
{
	unsigned int i;

	a->again = false;
	for (i = 0; i < nr && !a->again; i++)
		a->again = left_over(a, all, &devs[i]);
	if (a->again) {
		a->dev.nr = devs[i - 1].nr;
		a->dev.frontend_state = devs[i - 1].frontend_state;
		goto name;
	}
	if (a->any_nr)
		a->dev.nr = 0;
again:
	for (i = 0; i < nr; i++) {
		if (devs[i].nr != a->dev.nr || devs[i].frontend != a->dev.frontend)
			continue;
		if (!a->any_nr)
			return fail(EXIT_REFUSED, "%s has a device %u already: sluicectl xen list",
				    a->frontend_name, a->dev.nr);
		a->dev.nr++;
		goto again;
	}
name:
	for (i = 0; i < nr; i++) {
		/* What a guest that is gone has left goes away by itself. */
		if (devs[i].backend == a->dev.backend && !strcmp(devs[i].name, a->name) &&
		    xen_domain_by_id(all, devs[i].frontend))
			return fail(EXIT_REFUSED, "%s has a destination '%s' already: choose another --name",
				    a->backend_name, a->name);
	}
	return EXIT_OK;
}

static int write_number(struct store *s, const char *dir, const char *key, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	return store_write(s, dir, key, text);
}

/* The driver domain owns the way to its folder, so that it can remove what it empties. */
static int backend_folders(struct store *s, const struct xen_dev *d, const char *path)
{
	char above[XEN_PATH];
	int status = EXIT_OK;

	snprintf(above, sizeof(above), "/local/domain/%u/backend/sluice", d->backend);
	if (!store_exists(s, above))
		status = store_folder(s, above, d->backend, d->backend);
	snprintf(above, sizeof(above), "/local/domain/%u/backend/sluice/%u", d->backend,
		 d->frontend);
	/* The guest goes through it to its own device. */
	if (!status)
		status = store_folder(s, above, d->backend, d->frontend);
	if (!status)
		status = store_folder(s, path, d->backend, d->frontend);
	return status;
}

/*
 * Newer kernels take Initialising in the folder of a device that they have in use for
 * another device: what is handed over is Closed, unless nobody there has ever looked at it.
 */
static const char *first_state(const struct attach *a)
{
	return a->again && a->dev.frontend_state > 1 ? "6" : "1";
}

static int write_nodes(struct store *s, const struct attach *a)
{
	char be[XEN_PATH], fe[XEN_PATH];
	const struct xen_dev *d = &a->dev;
	int bad;

	xen_backend_path(be, d);
	xen_frontend_path(fe, d);
	bad = backend_folders(s, d, be);
	/* what is in it is open to the domain that is gone, and not to the new one */
	if (!bad && a->again)
		bad = store_remove(s, fe);
	if (!bad)
		bad = store_folder(s, fe, d->frontend, d->backend);
	if (!bad)
		bad = store_write(s, be, "frontend", fe);
	if (!bad)
		bad = write_number(s, be, "frontend-id", d->frontend);
	if (!bad)
		bad = store_write(s, be, "online", "1");
	if (!bad)
		bad = store_write(s, be, "name", a->name);
	if (!bad && a->args->mac)
		bad = store_write(s, be, "mac", a->args->mac);
	if (!bad && a->args->size)
		bad = write_number(s, be, "size", d->size);
	if (!bad && a->args->max_size)
		bad = write_number(s, be, "max-size", d->max_size);
	if (!bad && a->args->pairs)
		bad = write_number(s, be, "pairs", d->pairs);
	if (!bad)
		bad = store_write(s, fe, "backend", be);
	if (!bad)
		bad = write_number(s, fe, "backend-id", d->backend);
	if (!bad && a->args->mac)
		bad = store_write(s, fe, "mac", a->args->mac);
	if (!bad)
		bad = store_write(s, be, "state", "1");
	if (!bad)
		bad = store_write(s, fe, "state", first_state(a));
	return bad;
}

/* All looks are inside the transaction: it fails if one of them is no longer true. */
static int change(struct store *s, void *arg)
{
	struct xen_domains all = { 0 };
	struct xen_dev *devs = NULL;
	struct attach *a = arg;
	unsigned int nr = 0;
	int status;

	status = store_domains(s, &all);
	if (!status)
		status = find_domains(a, &all);
	if (!status)
		status = store_devices(s, &all, &devs, &nr);
	if (!status)
		status = check_free(a, &all, devs, nr);
	if (!status)
		status = check_room(a, devs, nr);
	if (!status)
		status = write_nodes(s, a);
	free(devs);
	free(all.domain);
	return status;
}

/* The tables of both domains, before the transaction: they do not change. */
static int ask_limits(struct store *s, struct attach *a)
{
	struct xen_domains all = { 0 };
	int status;

	status = store_domains(s, &all);
	if (!status)
		status = find_domains(a, &all);
	free(all.domain);
	if (status)
		return status;
	a->limits_known = xen_limits_open(&a->limits);
	if (a->limits_known) {
		xen_limits_of(&a->limits, a->dev.backend, &a->granting);
		xen_limits_of(&a->limits, a->dev.frontend, &a->mapping);
	}
	return EXIT_OK;
}

int xen_attach(const struct xen_args *args)
{
	struct attach a = { .args = args };
	struct store s;
	int status;

	status = parse(&a);
	if (status)
		return status;
	status = store_open(&s);
	if (status)
		return status;
	status = ask_limits(&s, &a);
	if (!status)
		status = store_change(&s, change, &a);
	if (!status && opt.json) {
		struct json_object *o = json_new();

		json_text(o, "name", a.name);
		json_number(o, "backend_id", a.dev.backend);
		json_number(o, "frontend_id", a.dev.frontend);
		json_number(o, "device", a.dev.nr);
		json_print(o);
	}
	if (a.limits_known)
		xen_limits_close(&a.limits);
	store_close(&s);
	return status;
}
