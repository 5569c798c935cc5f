// SPDX-License-Identifier: GPL-2.0
/* Devices of sluice in the xenstore: which there are and what their nodes say. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sluicectl.h"
#include "xen.h"
#include "xen_limits.h"
#include "xen_store.h"

struct list {
	struct xen_dev *dev;
	unsigned int nr;
};

static struct xen_dev *list_add(struct list *list, uint32_t backend, uint32_t frontend,
				uint32_t nr)
{
	struct xen_dev *d = reallocarray(list->dev, list->nr + 1, sizeof(*d));

	if (!d)
		exit(fail(EXIT_SYSTEM, "out of memory"));
	list->dev = d;
	d += list->nr++;
	memset(d, 0, sizeof(*d));
	d->backend = backend;
	d->frontend = frontend;
	d->nr = nr;
	return d;
}

static struct xen_dev *list_find(const struct list *list, uint32_t backend, uint32_t frontend,
				 uint32_t nr)
{
	unsigned int i;

	for (i = 0; i < list->nr; i++) {
		struct xen_dev *d = &list->dev[i];

		if (d->backend == backend && d->frontend == frontend && d->nr == nr)
			return d;
	}
	return NULL;
}

uint64_t xen_dev_pages(const struct xen_dev *d)
{
	uint64_t ctrl = d->ctrl_bytes, data = d->shared ? d->shared : d->size;

	if (!ctrl)
		ctrl = XEN_CTRL_BYTES * (d->pairs && d->pairs <= XEN_PAIRS_MAX ? d->pairs : 1);
	/* The driver domain writes what it likes; more than this no kernel offers or maps. */
	if (ctrl > XEN_CTRL_MAX)
		ctrl = XEN_CTRL_MAX;
	if (data > XEN_WINDOW_BYTES)
		data = XEN_WINDOW_BYTES;
	return xen_pages(data, ctrl);
}

uint64_t xen_dev_mapped(const struct xen_dev *d, const struct xen_tables *granting)
{
	uint64_t pages = xen_dev_pages(d), can = xen_grant_pages(granting);

	return pages < can ? pages : can;
}

static void read_backend(struct store *s, struct xen_dev *d)
{
	char path[XEN_PATH];

	xen_backend_path(path, d);
	d->has_backend = true;
	store_text(s, path, "name", d->name);
	store_text(s, path, "mac", d->mac);
	store_text(s, path, "error", d->error);
	d->shared = store_number(s, path, "shared-bytes", 0);
	d->max_size = store_number(s, path, "max-size", 0);
	d->size = XEN_DEFAULT_SIZE;
	if (d->max_size && d->max_size < d->size)
		d->size = d->max_size;
	d->size = store_number(s, path, "size", d->size);
	d->ctrl_bytes = store_number(s, path, "ctrl-bytes", 0);
	d->pairs = store_number(s, path, "pairs", 1);
	d->backend_state = store_number(s, path, "state", 0);
}

static void read_frontend(struct store *s, struct xen_dev *d)
{
	char path[XEN_PATH], error[XEN_TEXT];

	xen_frontend_path(path, d);
	d->has_frontend = true;
	d->frontend_state = store_number(s, path, "state", 0);
	if (!d->mac[0])
		store_text(s, path, "mac", d->mac);
	if (store_text(s, path, "error", error) && !d->error[0])
		memcpy(d->error, error, sizeof(error));
}

/* The numbers among the names in a folder; an absent folder is an empty one. */
static int numbers_in(struct store *s, const char *path, uint32_t **numbers, unsigned int *nr)
{
	unsigned int i, nr_names;
	char **names;
	uint64_t n;

	*numbers = NULL;
	*nr = 0;
	names = xs_directory(s->xs, s->t, path, &nr_names);
	if (!names)
		return errno == ENOENT ? EXIT_OK : store_fail("read", path);
	*numbers = calloc(nr_names + 1, sizeof(**numbers));
	if (!*numbers)
		exit(fail(EXIT_SYSTEM, "out of memory"));
	for (i = 0; i < nr_names; i++)
		if (xen_number(names[i], 0xffffff, &n))
			(*numbers)[(*nr)++] = n;
	free(names);
	return EXIT_OK;
}

static int add_backend_of(struct store *s, struct list *list, uint32_t backend,
			  uint32_t frontend)
{
	uint32_t *numbers;
	char path[XEN_PATH];
	unsigned int i, nr;
	int status;

	snprintf(path, sizeof(path), "/local/domain/%u/backend/sluice/%u", backend, frontend);
	status = numbers_in(s, path, &numbers, &nr);
	for (i = 0; i < nr; i++)
		read_backend(s, list_add(list, backend, frontend, numbers[i]));
	free(numbers);
	return status;
}

static int add_backends(struct store *s, struct list *list, uint32_t backend)
{
	uint32_t *numbers;
	char path[XEN_PATH];
	unsigned int i, nr;
	int status;

	snprintf(path, sizeof(path), "/local/domain/%u/backend/sluice", backend);
	status = numbers_in(s, path, &numbers, &nr);
	for (i = 0; !status && i < nr; i++)
		status = add_backend_of(s, list, backend, numbers[i]);
	free(numbers);
	return status;
}

static int add_frontends(struct store *s, struct list *list, uint32_t frontend)
{
	uint32_t *numbers;
	struct xen_dev *d;
	char path[XEN_PATH];
	unsigned int i, nr;
	uint32_t backend;
	int status;

	snprintf(path, sizeof(path), "/local/domain/%u/device/sluice", frontend);
	status = numbers_in(s, path, &numbers, &nr);
	for (i = 0; i < nr; i++) {
		snprintf(path, sizeof(path), "/local/domain/%u/device/sluice/%u", frontend,
			 numbers[i]);
		/* The guest owns this node: it may name a backend that knows nothing of it. */
		backend = store_number(s, path, "backend-id", UINT32_MAX);
		d = list_find(list, backend, frontend, numbers[i]);
		read_frontend(s, d ? d : list_add(list, backend, frontend, numbers[i]));
	}
	free(numbers);
	return status;
}

int store_devices(struct store *s, const struct xen_domains *all, struct xen_dev **devs,
		  unsigned int *nr)
{
	struct list list = { 0 };
	int status = EXIT_OK;
	unsigned int i;

	for (i = 0; !status && i < all->nr; i++)
		status = add_backends(s, &list, all->domain[i].id);
	for (i = 0; !status && i < all->nr; i++)
		status = add_frontends(s, &list, all->domain[i].id);
	if (status) {
		free(list.dev);
		list = (struct list){ 0 };
	}
	*devs = list.dev;
	*nr = list.nr;
	return status;
}
