// SPDX-License-Identifier: GPL-2.0
/* Nodes of the xenstore: reading what guests may have written, writing atomically. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sluicectl.h"
#include "xen_store.h"

bool xen_number(const char *text, uint64_t max, uint64_t *value)
{
	uint64_t n = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		/* No wrap: max is far from the end. */
		n = n * 10 + (uint64_t)(*text - '0');
		if (n > max)
			return false;
	}
	*value = n;
	return true;
}

void xen_backend_path(char to[XEN_PATH], const struct xen_dev *dev)
{
	snprintf(to, XEN_PATH, "/local/domain/%u/backend/sluice/%u/%u", dev->backend,
		 dev->frontend, dev->nr);
}

void xen_frontend_path(char to[XEN_PATH], const struct xen_dev *dev)
{
	snprintf(to, XEN_PATH, "/local/domain/%u/device/sluice/%u", dev->frontend, dev->nr);
}

int store_open(struct store *s)
{
	s->t = XBT_NULL;
	s->xs = xs_open(0);
	if (s->xs)
		return EXIT_OK;
	if (errno == EACCES || errno == EPERM)
		return fail(EXIT_ABSENT, "the xenstore is closed to this user: run as root in dom0");
	return fail(EXIT_ABSENT, "no xenstore here (%s): this is for Xen's dom0", strerror(errno));
}

bool store_is_toolstack(struct store *s)
{
	char **ids = NULL;
	unsigned int nr;

	s->t = XBT_NULL;
	s->xs = xs_open(0);
	if (!s->xs)
		return false;
	ids = xs_directory(s->xs, XBT_NULL, "/local/domain", &nr);
	if (!ids)
		xs_close(s->xs);
	free(ids);
	return ids;
}

void store_close(struct store *s)
{
	xs_close(s->xs);
}

int store_fail(const char *what, const char *path)
{
	if (errno == EACCES || errno == EPERM)
		return fail(EXIT_ABSENT, "this domain may not %s %s: run it as root in dom0", what,
			    path);
	if (errno == ENOSPC || errno == EDQUOT)
		return fail(EXIT_REFUSED, "cannot %s %s: the xenstore's quota is used up", what,
			    path);
	return fail(EXIT_SYSTEM, "cannot %s %s: %s", what, path, strerror(errno));
}

int store_change(struct store *s, int (*change)(struct store *s, void *arg), void *arg)
{
	unsigned int try;
	int status;

	/* Each time somebody else got through: this ends. */
	for (try = 0; try < 1000; try++) {
		s->t = xs_transaction_start(s->xs);
		if (s->t == XBT_NULL)
			return store_fail("begin a transaction in", "the xenstore");
		status = change(s, arg);
		if (status) {
			xs_transaction_end(s->xs, s->t, true);
			s->t = XBT_NULL;
			return status;
		}
		if (xs_transaction_end(s->xs, s->t, false)) {
			s->t = XBT_NULL;
			return EXIT_OK;
		}
		s->t = XBT_NULL;
		if (errno != EAGAIN)
			return store_fail("commit to", "the xenstore");
	}
	return fail(EXIT_SYSTEM, "the xenstore is changed faster than this can be committed");
}

bool store_exists(struct store *s, const char *path)
{
	unsigned int len;
	void *value = xs_read(s->xs, s->t, path, &len);

	free(value);
	return value;
}

bool store_text(struct store *s, const char *dir, const char *key, char to[XEN_TEXT])
{
	char path[XEN_PATH + 32];
	unsigned int len, i;
	char *value;

	to[0] = '\0';
	snprintf(path, sizeof(path), "%s/%s", dir, key);
	value = xs_read(s->xs, s->t, path, &len);
	if (!value)
		return false;
	if (len > XEN_TEXT - 1)
		len = XEN_TEXT - 1;
	/* A guest may have written this: nothing that a terminal obeys. */
	for (i = 0; i < len; i++)
		to[i] = value[i] >= ' ' && value[i] <= '~' ? value[i] : '?';
	to[len] = '\0';
	free(value);
	return true;
}

uint64_t store_number(struct store *s, const char *dir, const char *key, uint64_t missing)
{
	char text[XEN_TEXT];
	uint64_t value;

	if (!store_text(s, dir, key, text) || !xen_number(text, UINT64_MAX / 100, &value))
		return missing;
	return value;
}

int store_write(struct store *s, const char *dir, const char *key, const char *value)
{
	char path[XEN_PATH + 32];

	snprintf(path, sizeof(path), "%s/%s", dir, key);
	if (!xs_write(s->xs, s->t, path, value, strlen(value)))
		return store_fail("write", path);
	return EXIT_OK;
}

int store_folder(struct store *s, const char *path, uint32_t owner, uint32_t reader)
{
	/* The first entry names the owner and what all others may do: nothing. */
	struct xs_permissions perms[2] = {
		{ .id = owner, .perms = XS_PERM_NONE },
		{ .id = reader, .perms = XS_PERM_READ },
	};

	if (!xs_mkdir(s->xs, s->t, path))
		return store_fail("make", path);
	if (!xs_set_permissions(s->xs, s->t, path, perms, owner == reader ? 1 : 2))
		return store_fail("set the permissions of", path);
	return EXIT_OK;
}

int store_remove(struct store *s, const char *path)
{
	if (!xs_rm(s->xs, s->t, path) && errno != ENOENT)
		return store_fail("remove", path);
	return EXIT_OK;
}

int store_remove_empty(struct store *s, const char *path)
{
	unsigned int nr = 0;
	char **names = xs_directory(s->xs, s->t, path, &nr);

	free(names);
	if (!names)
		return errno == ENOENT ? EXIT_OK : store_fail("read", path);
	return nr ? EXIT_OK : store_remove(s, path);
}

int store_domains(struct store *s, struct xen_domains *all)
{
	char dir[XEN_PATH];
	unsigned int i, nr;
	uint64_t id;
	char **ids;

	memset(all, 0, sizeof(*all));
	ids = xs_directory(s->xs, s->t, "/local/domain", &nr);
	if (!ids)
		return store_fail("read", "/local/domain");
	all->domain = calloc(nr + 1, sizeof(*all->domain));
	if (!all->domain)
		exit(fail(EXIT_SYSTEM, "out of memory"));
	for (i = 0; i < nr; i++) {
		struct xen_domain *d = &all->domain[all->nr];

		if (!xen_number(ids[i], XEN_DOMID_MAX, &id))
			continue;
		d->id = id;
		snprintf(dir, sizeof(dir), "/local/domain/%u", d->id);
		if (!store_text(s, dir, "name", d->name) || !d->name[0])
			snprintf(d->name, sizeof(d->name), "%u", d->id);
		all->nr++;
	}
	free(ids);
	return EXIT_OK;
}

const struct xen_domain *xen_domain_by_id(const struct xen_domains *all, uint32_t id)
{
	unsigned int i;

	for (i = 0; i < all->nr; i++)
		if (all->domain[i].id == id)
			return &all->domain[i];
	return NULL;
}

int xen_domain_find(const struct xen_domains *all, const char *what, const char *word,
		    bool any_id, uint32_t *id)
{
	char list[256] = "";
	unsigned int i;
	uint64_t n;

	/* As xl does: what looks like an id is one. */
	if (xen_number(word, XEN_DOMID_MAX, &n)) {
		*id = n;
		if (any_id || xen_domain_by_id(all, *id))
			return EXIT_OK;
	}
	for (i = 0; i < all->nr; i++) {
		if (!strcmp(all->domain[i].name, word)) {
			*id = all->domain[i].id;
			return EXIT_OK;
		}
		if (list[0])
			strncat(list, ", ", sizeof(list) - strlen(list) - 1);
		strncat(list, all->domain[i].name, sizeof(list) - strlen(list) - 1);
	}
	return fail(EXIT_REFUSED, "%s: no domain '%s'; there are: %s", what, word, list);
}
