// SPDX-License-Identifier: GPL-2.0
/*
 * What the next server needs to go on where this one ended, by whatever death: of each
 * destination a page of notes, the memory, and of each peer its socket and eventfds. All
 * of it lies in the service manager's store under these names:
 *
 *	DESTINATION/state	struct saved, which no peer ever gets
 *	DESTINATION/X.N/memory	the Nth
 *	DESTINATION/X.ID/sock
 *	DESTINATION/X.ID/ring	by which the peer rings the server
 *	DESTINATION/X.ID/0 ...	its vectors
 *
 * X is another number for each struct saved, so that what one destination left behind is
 * not taken for that of a later one with its name.
 *
 * A peer is put there when it and the other one know of each other. So one that is all
 * there needs to be told nothing, and of any other the one that stayed is told that it left.
 * The memory goes there with the first of them: without a peer it is nobody's.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "regiond.h"

#define SAVED_LAYOUT	1u	/* of struct saved and the names above */
#define KEEP_PER_S	4u	/* peers of one destination that are put at once */

/* @nr: of a peer or of the memory, 0: of neither */
static void name_of(char name[STORE_NAME_CHARS], const struct destination *d,
		    uint32_t nr, const char *what)
{
	if (nr)
		snprintf(name, STORE_NAME_CHARS, "%.31s/%x.%u/%.11s",
			 d->spec.name, d->saved->mark, nr, what);
	else
		snprintf(name, STORE_NAME_CHARS, "%.31s/%.11s", d->spec.name,
			 what);
}

static int put(const struct destination *d, uint32_t nr, const char *what, int fd)
{
	char name[STORE_NAME_CHARS];

	name_of(name, d, nr, what);
	return store_put(name, fd);
}

static int take(const struct destination *d, uint32_t nr, const char *what)
{
	char name[STORE_NAME_CHARS];

	name_of(name, d, nr, what);
	return store_take(name);
}

static void drop(const struct destination *d, uint32_t nr, const char *what)
{
	char name[STORE_NAME_CHARS];

	name_of(name, d, nr, what);
	store_drop(name);
}

static char *vector_name(unsigned int i, char text[12])
{
	snprintf(text, 12, "%u", i);
	return text;
}

static struct saved *map_saved(int fd)
{
	void *map = mmap(NULL, sizeof(struct saved), PROT_READ | PROT_WRITE,
			 MAP_SHARED, fd, 0);

	return map == MAP_FAILED ? NULL : map;
}

/* Notes of a former server, if this one can read them */
static struct saved *read_saved(int fd)
{
	struct saved *saved;
	struct stat st;

	if (fstat(fd, &st) || st.st_size != sizeof(*saved))
		return NULL;
	saved = map_saved(fd);
	if (saved && saved->layout == SAVED_LAYOUT)
		return saved;
	if (saved)
		munmap(saved, sizeof(*saved));
	return NULL;
}

static int new_saved(struct destination *d, struct error *err)
{
	int fd = memfd_create("sluice-regiond", MFD_CLOEXEC);
	uint32_t mark;

	if (getrandom(&mark, sizeof(mark), 0) != sizeof(mark))
		mark = loop_now();
	if (fd < 0 || ftruncate(fd, sizeof(*d->saved)))
		goto err;
	d->saved = map_saved(fd);
	if (!d->saved)
		goto err;
	d->saved->layout = SAVED_LAYOUT;
	d->saved->mark = mark;
	d->saved->spec = d->spec;
	d->saved->next_id = FIRST_ID;
	/* one that a manager missed to drop would be taken first */
	drop(d, 0, "state");
	put(d, 0, "state", fd);
	close(fd);
	return 0;
err:
	fail(err, "no memory for the notes on %s: %s", d->spec.name,
	     strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

/* What QEMUs already map and count on cannot change under them. */
static bool same_shape(const struct dest_spec *a, const struct dest_spec *b)
{
	return a->window_bytes == b->window_bytes &&
		a->control_bytes == b->control_bytes && a->pairs == b->pairs;
}

static struct peer *take_peer(struct destination *d, uint32_t id)
{
	struct peer_fds fds = { .sock = take(d, id, "sock"),
				.ring = take(d, id, "ring") };
	bool complete = fds.sock >= 0 && fds.ring >= 0;
	struct peer *p = NULL;
	struct error err;
	char text[12];
	int fd;

	for (; fds.nr_vectors < d->spec.pairs + 1; fds.nr_vectors++) {
		fd = take(d, id, vector_name(fds.nr_vectors, text));
		fds.vectors[fds.nr_vectors] = fd;
		complete &= fd >= 0;
	}
	if (complete) {
		p = peer_adopt(d, id, &fds, &err);
		if (!p)
			say("%s: peer %u is not taken over: %s", d->spec.name,
			    id, err.text);
	}
	if (p) {
		p->kept = true;
		return p;
	}
	peer_fds_close(&fds);
	handover_drop_peer(d, id);
	return NULL;
}

static void take_peers(struct destination *d)
{
	unsigned int i, nr = 0;
	struct error err;
	int memory;

	memory = take(d, d->saved->nr_memory, "memory");
	d->memory_kept = memory >= 0;
	if (memory >= 0)
		d->region = region_adopt(&d->spec, memory, &err);
	if (memory >= 0 && !d->region)
		say("%s: %s", d->spec.name, err.text);
	for (i = 0; d->region && i < MAX_PEERS; i++) {
		if (d->saved->peers[i])
			d->peers[i] = take_peer(d, d->saved->peers[i]);
		nr += !!d->peers[i];
	}
	if (nr) {
		d->saved->nr_handovers++;
		say("%s: taken over with %u peer%s", d->spec.name, nr,
		    nr == 1 ? "" : "s");
		return;
	}
	/* a guest that comes now may be another one */
	if (d->region)
		region_put(d->region);
	d->region = NULL;
	memset(d->saved->peers, 0, sizeof(d->saved->peers));
}

/**
 * handover_begin() - take a destination over, as far as a former server left it
 * @d: new; gets @saved, and of a former server @region and @peers
 * @err: message
 *
 * A peer in @saved that is not among @peers has left meanwhile.
 *
 * Return: 0 or -1; @region may be NULL in either case.
 */
int handover_begin(struct destination *d, struct error *err)
{
	int fd = take(d, 0, "state");
	char prefix[NAME_CHARS + 2];

	if (fd >= 0) {
		d->saved = read_saved(fd);
		close(fd);
		if (d->saved && same_shape(&d->saved->spec, &d->spec)) {
			d->saved->spec = d->spec;
			take_peers(d);
			return 0;
		}
		say("%s: %s; its peers have to be plugged again", d->spec.name,
		    d->saved ? "has another size than before" :
		    "was served by another version");
		handover_end(d);
		drop(d, 0, "state");
	}
	snprintf(prefix, sizeof(prefix), "%s/", d->spec.name);
	store_drop_rest(prefix);
	return new_saved(d, err);
}

/** handover_end() - the notes are not needed any more by this server */
void handover_end(struct destination *d)
{
	if (d->saved)
		munmap(d->saved, sizeof(*d->saved));
	d->saved = NULL;
}

/**
 * handover_added() - a destination that no configuration knows, but a command made
 * @spec: result
 *
 * Return: false if there are no more. What is found stays until handover_begin() or
 * handover_refuse().
 */
bool handover_added(struct dest_spec *spec)
{
	char dest[STORE_NAME_CHARS];
	struct saved *saved;
	const char *name;
	bool good;
	int fd;

	while ((name = store_find("/state", &fd))) {
		saved = read_saved(fd);
		good = saved && saved->spec.by_command;
		if (good)
			*spec = saved->spec;
		if (saved)
			munmap(saved, sizeof(*saved));
		if (good)
			return true;
		snprintf(dest, sizeof(dest), "%.*s", (int)strcspn(name, "/"),
			 name);
		say("%s: is not served any more", dest);
		handover_refuse(dest);
	}
	return false;
}

/** handover_refuse() - a destination is not taken over, unless it is served already */
void handover_refuse(const char *dest)
{
	char prefix[NAME_CHARS + 2], name[STORE_NAME_CHARS];
	int fd;

	snprintf(name, sizeof(name), "%.31s/state", dest);
	fd = store_take(name);
	if (fd >= 0)
		close(fd);
	/* what bears the name now is its own */
	if (destination_find(dest))
		return;
	store_drop(name);
	snprintf(prefix, sizeof(prefix), "%.31s/", dest);
	store_drop_rest(prefix);
}

/** handover_new_memory() - the destination has memory that nobody knows yet */
void handover_new_memory(struct destination *d)
{
	if (d->memory_kept)
		drop(d, d->saved->nr_memory, "memory");
	d->memory_kept = false;
	d->saved->nr_memory++;
	d->saved->last_seq = 0;
}

static void put_peer(struct peer *p)
{
	struct destination *d = p->dest;
	char text[12];
	unsigned int i;

	if (!d->memory_kept)
		d->memory_kept = !put(d, d->saved->nr_memory, "memory",
				      d->region->memfd);
	p->kept = d->memory_kept && !put(d, p->id, "sock", p->sock.fd);
	if (!p->kept)
		return;
	put(d, p->id, "ring", p->ring.fd);
	for (i = 0; i < p->nr_vectors; i++)
		put(d, p->id, vector_name(i, text), p->vectors[i]);
}

/**
 * handover_put_peer() - a peer has been told everything, and so has the other one
 * @p: peer
 *
 * Now, or a second later if too many came in this one and if it is still there: who comes
 * and goes in a loop must not keep the manager busy, nor the other peer out.
 */
void handover_put_peer(struct peer *p)
{
	struct destination *d = p->dest;

	if (loop_now() - d->keep_second >= 1000) {
		d->keep_second = loop_now();
		d->nr_kept = 0;
	}
	if (d->nr_kept < KEEP_PER_S) {
		d->nr_kept++;
		put_peer(p);
	} else {
		timer_arm(&p->keep, 1000);
	}
}

/** handover_stayed() - the second is over */
void handover_stayed(struct timer *t)
{
	put_peer((struct peer *)((char *)t - offsetof(struct peer, keep)));
}

/** handover_drop_peer() - a peer has left, and the other one knows it */
void handover_drop_peer(const struct destination *d, uint32_t id)
{
	char text[12];
	unsigned int i;

	drop(d, id, "sock");
	drop(d, id, "ring");
	for (i = 0; i < d->spec.pairs + 1; i++)
		drop(d, id, vector_name(i, text));
}

/** handover_forget() - a destination is not served any more */
void handover_forget(struct destination *d)
{
	unsigned int i;

	for (i = 0; i < MAX_PEERS; i++)
		if (d->saved->peers[i])
			handover_drop_peer(d, d->saved->peers[i]);
	if (d->memory_kept)
		drop(d, d->saved->nr_memory, "memory");
	drop(d, 0, "state");
}
