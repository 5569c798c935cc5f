// SPDX-License-Identifier: GPL-2.0
/* sluicectl xen detach: ask the backend to let go, wait for it, remove both folders. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "size.h"
#include "sluicectl.h"
#include "xen.h"
#include "xen_store.h"

#define STATE_CLOSING	"5"
#define STATE_CLOSED	6

static int choose(struct store *s, const struct xen_args *args, uint64_t n,
		  struct xen_dev *dev)
{
	uint32_t backend = 0, frontend = 0;
	struct xen_domains all = { 0 };
	struct xen_dev *devs = NULL;
	unsigned int i, nr, found = 0;
	int status;

	status = store_domains(s, &all);
	/* By its id also a domain that is gone: something of it may be left. */
	if (!status)
		status = xen_domain_find(&all, "frontend", args->frontend, true, &frontend);
	if (!status && args->backend)
		status = xen_domain_find(&all, "backend", args->backend, true, &backend);
	if (!status)
		status = store_devices(s, &all, &devs, &nr);
	free(all.domain);
	if (status)
		return status;
	for (i = 0; i < nr; i++) {
		if (devs[i].frontend != frontend || (args->device && devs[i].nr != n) ||
		    (args->backend && devs[i].backend != backend))
			continue;
		*dev = devs[i];
		found++;
	}
	free(devs);
	if (!found)
		return fail(EXIT_REFUSED, "%s has no such device: sluicectl xen list",
			    args->frontend);
	if (found > 1)
		return fail(EXIT_REFUSED, "%s has %u of them: say which --device", args->frontend,
			    found);
	return EXIT_OK;
}

static int ask(struct store *s, void *arg)
{
	struct xen_dev *dev = arg;
	char path[XEN_PATH];
	int status;

	xen_backend_path(path, dev);
	/* It may have removed it itself meanwhile; nothing is written into the void. */
	dev->has_backend = store_exists(s, path);
	if (!dev->has_backend)
		return EXIT_OK;
	status = store_write(s, path, "online", "0");
	if (!status && store_number(s, path, "state", 0) != STATE_CLOSED)
		status = store_write(s, path, "state", STATE_CLOSING);
	return status;
}

static bool let_go(struct store *s, const struct xen_dev *dev)
{
	char path[XEN_PATH];

	if (!dev->has_backend)
		return true;
	snprintf(path, sizeof(path), "/local/domain/%u", dev->backend);
	if (!store_exists(s, path))
		return true;
	xen_backend_path(path, dev);
	return !store_exists(s, path) || store_number(s, path, "state", 0) == STATE_CLOSED;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Until a watch fires or @ms are over; a second at most, for what is not watched. */
static void pause_watching(struct store *s, int64_t ms)
{
	struct pollfd fd = { .fd = xs_fileno(s->xs), .events = POLLIN };

	/* Which one it was does not matter; an incomplete message comes again. */
	if (poll(&fd, 1, ms > 1000 ? 1000 : (int)ms) > 0)
		free(xs_check_watch(s->xs));
}

static int wait_for_backend(struct store *s, const struct xen_dev *dev, uint32_t timeout_ms)
{
	int64_t end = now_ms() + timeout_ms, left;
	char path[XEN_PATH];

	xen_backend_path(path, dev);
	if (!xs_watch(s->xs, path, "detach"))
		return store_fail("watch", path);
	while (!let_go(s, dev)) {
		left = end - now_ms();
		if (left <= 0)
			return fail(EXIT_UNFINISHED, "the backend has not let go of it yet (is sluice_xen loaded in domain %u?): try again, or --force",
				    dev->backend);
		pause_watching(s, left);
	}
	return EXIT_OK;
}

/*
 * Does the guest's folder belong to the device of another backend? It may have been handed
 * over meanwhile, or never was of this one, which can make any folder of its own.
 */
static bool other_backend(struct store *s, const struct xen_dev *dev)
{
	struct xen_dev other = *dev;
	char path[XEN_PATH];
	uint64_t id;

	xen_frontend_path(path, dev);
	id = store_number(s, path, "backend-id", dev->backend);
	if (id == dev->backend || id > XEN_DOMID_MAX)
		return false;
	/* The guest may name whom it likes: it takes both of them. */
	other.backend = id;
	xen_backend_path(path, &other);
	return store_exists(s, path);
}

/* The folders, and those above that nothing else is in. */
static int clear(struct store *s, void *arg)
{
	const struct xen_dev *dev = arg;
	int status = EXIT_OK;
	char path[XEN_PATH];

	xen_frontend_path(path, dev);
	if (!other_backend(s, dev))
		status = store_remove(s, path);
	snprintf(path, sizeof(path), "/local/domain/%u/device/sluice", dev->frontend);
	if (!status)
		status = store_remove_empty(s, path);
	xen_backend_path(path, dev);
	if (!status)
		status = store_remove(s, path);
	snprintf(path, sizeof(path), "/local/domain/%u/backend/sluice/%u", dev->backend,
		 dev->frontend);
	if (!status)
		status = store_remove_empty(s, path);
	return status;
}

int xen_detach(const struct xen_args *args)
{
	uint32_t timeout_ms = 10000;
	const char *wrong = NULL;
	struct xen_dev dev;
	uint64_t n = 0;
	struct store s;
	int status;

	if (args->device && !xen_number(args->device, 0xffffff, &n))
		return fail(EXIT_USAGE, "device '%s' must be a number", args->device);
	if (args->timeout)
		wrong = time_parse(args->timeout, &timeout_ms);
	if (wrong)
		return fail(EXIT_USAGE, "timeout '%s' %s", args->timeout, wrong);
	status = store_open(&s);
	if (status)
		return status;
	status = choose(&s, args, n, &dev);
	if (!status)
		status = store_change(&s, ask, &dev);
	if (!status && !args->force)
		status = wait_for_backend(&s, &dev, timeout_ms);
	if (!status)
		status = store_change(&s, clear, &dev);
	store_close(&s);
	return status;
}
