// SPDX-License-Identifier: GPL-2.0
/*
 * Xen for sluicectl, in its process: a xenstore that is a text file, and the limits of
 * a hypervisor. Linked in instead of Xen's libraries.
 *
 * FAKE_XENSTORE names the file: one node per line, "path permissions value", as in
 * "/local/domain/1/name n0,r1 driver". A transaction that is committed writes it, so a test
 * sees what a command left behind and that it left nothing when it failed.
 *
 * FAKE_XEN holds words that change its ways: look for mode("...").
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xenctrl.h>
#include <xenhypfs.h>
#include <xenstore.h>
#include <xentoollog.h>

#define NODES	256

struct node {
	char path[128];
	char perms[32];
	char value[160];
};

struct tree {
	struct node node[NODES];
	unsigned int nr;
};

struct xs_handle {
	struct tree now, changed;
	bool in_transaction, watched;
	unsigned int commits;
	int pipe[2];
};

static bool mode(const char *word)
{
	const char *words = getenv("FAKE_XEN");

	return words && strstr(words, word);
}

/* ------------------------------------------------------------------- xenstore */

static void tree_load(struct tree *t)
{
	const char *name = getenv("FAKE_XENSTORE");
	FILE *f = name ? fopen(name, "r") : NULL;
	char line[400];

	t->nr = 0;
	while (f && fgets(line, sizeof(line), f) && t->nr < NODES) {
		struct node *n = &t->node[t->nr];

		n->value[0] = '\0';
		if (sscanf(line, "%127s %31s %159[^\n]", n->path, n->perms, n->value) >= 2)
			t->nr++;
	}
	if (f)
		fclose(f);
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct node *)a)->path, ((const struct node *)b)->path);
}

static void tree_save(struct tree *t)
{
	FILE *f = fopen(getenv("FAKE_XENSTORE"), "w");
	unsigned int i;

	if (!f)
		abort();
	qsort(t->node, t->nr, sizeof(*t->node), by_path);
	for (i = 0; i < t->nr; i++)
		fprintf(f, "%s %s %s\n", t->node[i].path, t->node[i].perms, t->node[i].value);
	fclose(f);
}

static struct tree *tree_of(struct xs_handle *h, xs_transaction_t t)
{
	if ((t != XBT_NULL) != h->in_transaction)
		abort();
	return t == XBT_NULL ? &h->now : &h->changed;
}

static struct node *find(struct tree *t, const char *path)
{
	unsigned int i;

	for (i = 0; i < t->nr; i++)
		if (!strcmp(t->node[i].path, path))
			return &t->node[i];
	return NULL;
}

/* With the folders above it; what is new inherits the permissions. */
static struct node *make(struct tree *t, const char *path)
{
	struct node *n = find(t, path), *above = NULL;
	char dir[128];
	char *end;

	if (n)
		return n;
	snprintf(dir, sizeof(dir), "%s", path);
	end = strrchr(dir, '/');
	if (end && end != dir) {
		*end = '\0';
		above = make(t, dir);
	}
	if (t->nr == NODES)
		abort();
	n = &t->node[t->nr++];
	memset(n, 0, sizeof(*n));
	snprintf(n->path, sizeof(n->path), "%s", path);
	snprintf(n->perms, sizeof(n->perms), "%s", above ? above->perms : "n0");
	return n;
}

struct xs_handle *xs_open(unsigned long flags)
{
	struct xs_handle *h;

	(void)flags;
	if (!getenv("FAKE_XENSTORE") || mode("absent")) {
		errno = ENOENT;
		return NULL;
	}
	if (mode("eperm")) {
		errno = EACCES;
		return NULL;
	}
	h = calloc(1, sizeof(*h));
	if (!h || pipe(h->pipe))
		abort();
	tree_load(&h->now);
	return h;
}

void xs_close(struct xs_handle *h)
{
	close(h->pipe[0]);
	close(h->pipe[1]);
	free(h);
}

char **xs_directory(struct xs_handle *h, xs_transaction_t t, const char *path,
		    unsigned int *num)
{
	struct tree *tree = tree_of(h, t);
	size_t len = strlen(path), total = 0;
	unsigned int i, nr = 0;
	char **list, *text;

	if (mode("domu")) {
		errno = EACCES;
		return NULL;
	}
	if (!find(tree, path)) {
		errno = ENOENT;
		return NULL;
	}
	for (i = 0; i < tree->nr; i++)
		total += strlen(tree->node[i].path) + 1;
	/* One piece, as the library's: the caller frees it at once. */
	list = malloc((tree->nr + 1) * sizeof(*list) + total);
	text = (char *)(list + tree->nr + 1);
	for (i = 0; i < tree->nr; i++) {
		const char *p = tree->node[i].path;

		if (strncmp(p, path, len) || p[len] != '/' || strchr(p + len + 1, '/'))
			continue;
		list[nr++] = strcpy(text, p + len + 1);
		text += strlen(text) + 1;
	}
	*num = nr;
	return list;
}

void *xs_read(struct xs_handle *h, xs_transaction_t t, const char *path, unsigned int *len)
{
	struct node *n = find(tree_of(h, t), path);
	char *value;

	if (!n) {
		errno = ENOENT;
		return NULL;
	}
	value = strdup(n->value);
	*len = strlen(n->value);
	/* What no line of a file can hold. */
	if (mode("control") && strstr(path, "/name") && *len)
		value[0] = '\033';
	return value;
}

bool xs_write(struct xs_handle *h, xs_transaction_t t, const char *path, const void *data,
	      unsigned int len)
{
	struct node *n;

	if (mode("denied") || mode("quota")) {
		errno = mode("denied") ? EACCES : ENOSPC;
		return false;
	}
	/* The tool has no business outside of a transaction. */
	if (t == XBT_NULL)
		abort();
	n = make(tree_of(h, t), path);
	if (len >= sizeof(n->value))
		abort();
	memcpy(n->value, data, len);
	n->value[len] = '\0';
	return true;
}

bool xs_mkdir(struct xs_handle *h, xs_transaction_t t, const char *path)
{
	make(tree_of(h, t), path);
	return true;
}

bool xs_rm(struct xs_handle *h, xs_transaction_t t, const char *path)
{
	struct tree *tree = tree_of(h, t);
	size_t len = strlen(path);
	unsigned int i, to = 0, before = tree->nr;

	for (i = 0; i < tree->nr; i++) {
		const char *p = tree->node[i].path;

		if (strncmp(p, path, len) || (p[len] && p[len] != '/'))
			tree->node[to++] = tree->node[i];
	}
	tree->nr = to;
	errno = ENOENT;
	return to != before;
}

bool xs_set_permissions(struct xs_handle *h, xs_transaction_t t, const char *path,
			struct xs_permissions *perms, unsigned int num_perms)
{
	struct node *n = find(tree_of(h, t), path);
	unsigned int i, at = 0;

	if (!n) {
		errno = ENOENT;
		return false;
	}
	for (i = 0; i < num_perms; i++)
		at += snprintf(n->perms + at, sizeof(n->perms) - at, "%s%c%u", i ? "," : "",
			       "nrwb"[perms[i].perms & 3], perms[i].id);
	return true;
}

xs_transaction_t xs_transaction_start(struct xs_handle *h)
{
	if (h->in_transaction)
		abort();
	h->in_transaction = true;
	tree_load(&h->now);
	h->changed = h->now;
	return 1;
}

/* The kernel of the driver domain lets go when it is asked to. */
static void backend_answers(struct xs_handle *h)
{
	unsigned int i;

	for (i = 0; i < h->now.nr; i++) {
		struct node *n = &h->now.node[i];
		size_t len = strlen(n->path);

		if (strstr(n->path, "/backend/sluice/") && len > 6 &&
		    !strcmp(n->path + len - 6, "/state") && !strcmp(n->value, "5"))
			strcpy(n->value, "6");
	}
	if (h->watched && write(h->pipe[1], "", 1) != 1)
		abort();
}

bool xs_transaction_end(struct xs_handle *h, xs_transaction_t t, bool abandon)
{
	(void)t;
	h->in_transaction = false;
	if (abandon)
		return true;
	if (mode("conflict") && h->commits++ < 3) {
		errno = EAGAIN;
		return false;
	}
	h->now = h->changed;
	if (!mode("mute"))
		backend_answers(h);
	tree_save(&h->now);
	return true;
}

bool xs_watch(struct xs_handle *h, const char *path, const char *token)
{
	(void)path;
	(void)token;
	h->watched = true;
	return true;
}

int xs_fileno(struct xs_handle *h)
{
	return h->pipe[0];
}

char **xs_check_watch(struct xs_handle *h)
{
	char c;

	if (read(h->pipe[0], &c, 1) != 1)
		abort();
	errno = EAGAIN;
	return NULL;
}

/* ----------------------------------------------------------------- hypervisor */

static char handle;

xc_interface *xc_interface_open(xentoollog_logger *logger, xentoollog_logger *dombuild_logger,
				unsigned int open_flags)
{
	(void)logger;
	(void)dombuild_logger;
	(void)open_flags;
	return getenv("FAKE_XENSTORE") && !mode("no-hypervisor") ? (xc_interface *)&handle : NULL;
}

int xc_interface_close(xc_interface *xch)
{
	(void)xch;
	return 0;
}

int xc_gnttab_query_size(xc_interface *xch, struct gnttab_query_size *query)
{
	(void)xch;
	query->nr_frames = 4;
	query->max_nr_frames = mode("small") ? 2 : 64;
	query->status = GNTST_okay;
	return 0;
}

int xc_gnttab_get_version(xc_interface *xch, uint32_t domid)
{
	(void)xch;
	(void)domid;
	return mode("version2") ? 2 : 1;
}

xenhypfs_handle *xenhypfs_open(xentoollog_logger *logger, unsigned int open_flags)
{
	(void)logger;
	(void)open_flags;
	return mode("no-hypfs") ? NULL : (xenhypfs_handle *)&handle;
}

int xenhypfs_close(xenhypfs_handle *fshdl)
{
	(void)fshdl;
	return 0;
}

char *xenhypfs_read(xenhypfs_handle *fshdl, const char *path)
{
	(void)fshdl;
	if (strstr(path, "maptrack"))
		return strdup(mode("no-maptrack") ? "0" : "1024");
	return strdup("64");
}

xentoollog_logger_stdiostream *xtl_createlogger_stdiostream(FILE *f,
							    xentoollog_level min_level,
							    unsigned int flags)
{
	(void)f;
	(void)min_level;
	(void)flags;
	return (xentoollog_logger_stdiostream *)&handle;
}

void xtl_logger_destroy(struct xentoollog_logger *logger)
{
	(void)logger;
}
