// SPDX-License-Identifier: GPL-2.0
/*
 * A destination: a listening socket, a region and at most two peers.
 *
 * Everything that a client can make us do or hold is bounded: two peers, and a rate of
 * connections (listener.c).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "regiond.h"

#define PUBLISH_EVERY_MS 500u	/* the host page, while somebody could have spoilt it */

/*
 * Descriptors that a destination may take: open ones (socket, memfd, per peer 9
 * vectors, a doorbell and its socket) and those in messages that nobody reads.
 */
#define FDS_PER_DEST	256u
#define FDS_SPARE	64u

static struct destination *destinations;

struct destination *destination_first(void)
{
	return destinations;
}

struct destination *destination_find(const char *name)
{
	struct destination *d;

	for (d = destinations; d; d = d->next)
		if (!strcmp(d->spec.name, name))
			return d;
	return NULL;
}

/** destination_total() - bytes that all windows could ever fill */
uint64_t destination_total(void)
{
	struct destination *d;
	uint64_t bytes = 0;

	for (d = destinations; d; d = d->next)
		bytes += d->spec.window_bytes;
	return bytes;
}

/** destination_may_log() - one line a second of what a client can provoke */
bool destination_may_log(struct destination *d)
{
	if (d->last_log && loop_now() - d->last_log < 1000)
		return false;
	d->last_log = loop_now();
	return true;
}

static struct peer *other_peer(const struct destination *d,
			       const struct peer *p)
{
	unsigned int i;

	for (i = 0; i < MAX_PEERS; i++)
		if (d->peers[i] && d->peers[i] != p)
			return d->peers[i];
	return NULL;
}

/* @joining: peers to come that are not in the table yet */
static void publish(struct destination *d, unsigned int joining)
{
	unsigned int i;

	for (i = 0; i < MAX_PEERS; i++)
		joining += !!d->peers[i];
	region_publish(d->region, &d->spec, SERVER_ID, joining);
}

/* Why a message could not be sent; NULL if the client had just gone */
static const char *send_failure(void)
{
	switch (errno) {
	case EPIPE:
	case ECONNRESET:
		return NULL;
	case EAGAIN:
		return "does not read its messages";
	default:
		return strerror(errno);
	}
}

/*
 * With nobody left, the next pair gets new, zeroed memory: the guest that comes
 * may be another one, and a QEMU that closed its socket may still map the old.
 */
static int renew_region(struct destination *d)
{
	struct error err;
	struct region *r;

	r = region_new(&d->spec, SERVER_ID, &err);
	d->region_stale = !r;
	if (!r) {
		say("%s: no new memory: %s", d->spec.name, err.text);
		return -1;
	}
	if (d->punch) {
		punch_abandon(d->punch);
		d->punch = NULL;
	}
	region_put(d->region);
	d->region = r;
	handover_new_memory(d);
	return 0;
}

static unsigned int forget_peer(struct peer *p)
{
	struct destination *d = p->dest;
	unsigned int i;

	for (i = 0; i < MAX_PEERS && d->peers[i] != p; i++)
		;
	d->peers[i] = NULL;
	return i;
}

/* Last of all, so that a server that dies before leaves it to the next one. */
static void peer_is_history(struct destination *d, unsigned int i, bool kept)
{
	if (kept)
		handover_drop_peer(d, d->saved->peers[i]);
	d->saved->peers[i] = 0;
}

/**
 * destination_drop() - a peer left, or has to
 * @p: peer; gone afterwards
 * @why: what it did wrong, NULL if it just left
 *
 * The one that stays is told, and dropped in turn if it does not listen.
 */
void destination_drop(struct peer *p, const char *why)
{
	struct destination *d = p->dest;
	bool kept = p->kept, told;
	uint32_t id = p->id;
	struct peer *other;
	unsigned int i;

	i = forget_peer(p);
	if (why) {
		say("%s: peer %u (pid %d) dropped: %s", d->spec.name, id,
		    (int)p->pid, why);
		d->saved->nr_dropped++;
	} else {
		say("%s: peer %u (pid %d) left", d->spec.name, id,
		    (int)p->pid);
		d->saved->nr_left++;
	}
	/* What it asked for must not meet its successor's use of the slots. */
	if (d->punch && d->punch_peer == id)
		punch_cancel(d->punch);
	/* whoever keeps a copy: for it, and for the next server, this is the end */
	shutdown(p->sock.fd, SHUT_RDWR);
	peer_free(p);

	other = other_peer(d, NULL);
	if (!other) {
		peer_is_history(d, i, kept);
		renew_region(d);
		return;
	}
	/* the memory that the one who left had in use is free now */
	publish(d, 0);
	told = !peer_tell_left(other, id);
	why = told ? NULL : send_failure();
	peer_is_history(d, i, kept);
	if (!told)
		destination_drop(other, why);
}

/* Ids go round, so that one comes again only after thousands of joins. */
static uint32_t take_id(struct destination *d)
{
	struct peer *other = other_peer(d, NULL);
	uint32_t id;

	do {
		id = d->saved->next_id;
		d->saved->next_id = id == LAST_ID ? FIRST_ID : id + 1;
	} while (other && other->id == id);
	return id;
}

/* A guest that scribbles over our page gets no other quota or name for longer than this. */
static void publish_again(struct timer *t)
{
	struct destination *d =
		(struct destination *)((char *)t -
				       offsetof(struct destination, publish));

	publish(d, 0);
	if (other_peer(d, NULL))
		timer_arm(&d->publish, PUBLISH_EVERY_MS);
}

static void join(struct destination *d, int fd)
{
	struct peer *p, *other;
	struct error err;
	unsigned int i;

	/* It only looked whether somebody listens: the peers need not know. */
	if (socket_is_gone(fd)) {
		close(fd);
		return;
	}
	/*
	 * A driver domain that was killed and came back: the end of its first
	 * life may still wait in the queue behind the start of its second.
	 */
	for (i = 0; i < MAX_PEERS; i++)
		if (d->peers[i] && socket_is_gone(d->peers[i]->sock.fd))
			destination_drop(d->peers[i], NULL);
	for (i = 0; i < MAX_PEERS && d->peers[i]; i++)
		;
	if (i == MAX_PEERS) {
		d->saved->nr_refused++;
		if (destination_may_log(d))
			say("%s: connection refused: %u peers are already there",
			    d->spec.name, MAX_PEERS);
		peer_refuse(fd, EBUSY);
		return;
	}

	other = other_peer(d, NULL);
	if (!other && d->region_stale && renew_region(d)) {
		d->saved->nr_refused++;
		peer_refuse(fd, ENOMEM);
		return;
	}
	p = peer_new(d, fd, &err);
	if (!p) {
		d->saved->nr_refused++;
		say("%s: connection refused: %s", d->spec.name, err.text);
		peer_refuse(fd, EMFILE);
		return;
	}
	p->id = take_id(d);
	d->saved->peers[i] = p->id;
	publish(d, 1);
	if (peer_handshake(p, other)) {
		/* nobody knows of it yet */
		say("%s: handshake failed: %s", d->spec.name, strerror(errno));
		d->saved->nr_refused++;
		d->saved->peers[i] = 0;
		peer_free(p);
		publish(d, 0);
		return;
	}
	d->peers[i] = p;
	timer_arm(&d->publish, PUBLISH_EVERY_MS);
	d->saved->nr_joined++;
	say("%s: peer %u joined (pid %d, uid %u)", d->spec.name, p->id,
	    (int)p->pid, (unsigned int)p->uid);
	if (other && peer_introduce(other, p))
		destination_drop(other, send_failure());
	/* it may have gone with the other */
	if (d->peers[i])
		handover_put_peer(d->peers[i]);
}

static void client_joined(struct listener *l, int fd)
{
	join((struct destination *)((char *)l -
				    offsetof(struct destination, listener)), fd);
}

static void client_refused(struct listener *l)
{
	struct destination *d =
		(struct destination *)((char *)l -
				       offsetof(struct destination, listener));

	d->saved->nr_refused++;
	if (destination_may_log(d))
		say("%s: connection refused: it sent data, which an ivshmem client never does",
		    d->spec.name);
}

static int check_limits(const struct dest_spec *spec, const struct config *cfg,
			struct error *err)
{
	uint64_t total = destination_total();
	struct destination *d;
	char a[24], b[24];
	struct rlimit lim;
	unsigned int nr = 0;

	if (destination_find(spec->name))
		return fail(err, "destination %s exists already", spec->name);
	for (d = destinations; d; d = d->next) {
		nr++;
		if (!strcmp(d->spec.socket, spec->socket))
			return fail(err, "socket %s belongs to destination %s already",
				    spec->socket, d->spec.name);
	}
	if (cfg->total_bytes && (total > cfg->total_bytes ||
				 spec->window_bytes > cfg->total_bytes - total)) {
		format_size(spec->window_bytes, a);
		format_size(total > cfg->total_bytes ?
			    0 : cfg->total_bytes - total, b);
		return fail(err, "destination %s: a window of %s is above what is left of the total quota, %s",
			    spec->name, a, b);
	}
	if (!getrlimit(RLIMIT_NOFILE, &lim) &&
	    lim.rlim_cur != RLIM_INFINITY &&
	    lim.rlim_cur < FDS_SPARE + (rlim_t)FDS_PER_DEST * (nr + 1))
		return fail(err, "destination %s: %u destinations need a limit of %u open files, it is %llu; raise LimitNOFILE or ulimit -n",
			    spec->name, nr + 1,
			    FDS_SPARE + FDS_PER_DEST * (nr + 1),
			    (unsigned long long)lim.rlim_cur);
	return 0;
}

static void free_peers(struct destination *d)
{
	unsigned int i;

	for (i = 0; i < MAX_PEERS; i++)
		if (d->peers[i])
			peer_free(d->peers[i]);
}

/* Who is not there was not told, or not heard, by a server that died over it. */
static void resume(struct destination *d)
{
	struct peer *other;
	unsigned int i;

	if (!other_peer(d, NULL))
		return;
	publish(d, 0);
	timer_arm(&d->publish, PUBLISH_EVERY_MS);
	for (i = 0; i < MAX_PEERS; i++) {
		if (d->peers[i]) {
			timer_arm(&d->peers[i]->stuck, d->stuck_ms);
			continue;
		}
		other = other_peer(d, NULL);
		if (!other || !d->saved->peers[i])
			continue;
		say("%s: peer %u left while no server ran", d->spec.name,
		    d->saved->peers[i]);
		if (peer_tell_left(other, d->saved->peers[i]))
			destination_drop(other, send_failure());
		d->saved->nr_left++;
		d->saved->peers[i] = 0;
	}
}

/**
 * destination_add() - make a destination and listen for its peers
 * @spec: checked by dest_spec_read(); copied
 * @cfg: limits
 * @err: message
 *
 * What a former server left of it goes on.
 *
 * Return: 0 or -1, then nothing has changed.
 */
int destination_add(const struct dest_spec *spec, const struct config *cfg,
		    struct error *err)
{
	struct destination *d, **pos;

	if (check_limits(spec, cfg, err))
		return -1;
	d = calloc(1, sizeof(*d));
	if (!d)
		return fail(err, "out of memory");
	d->spec = *spec;
	d->stuck_ms = cfg->stuck_ms;
	d->listener.joined = client_joined;
	d->listener.refused = client_refused;
	d->publish.expired = publish_again;
	request_init(d);

	if (handover_begin(d, err))
		goto err_free;
	if (!d->region) {
		d->region = region_new(&d->spec, SERVER_ID, err);
		if (!d->region)
			goto err_saved;
		handover_new_memory(d);
	}
	if (listener_open(&d->listener, d->spec.socket, d->spec.group, err))
		goto err_region;
	for (pos = &destinations; *pos; pos = &(*pos)->next)
		;
	*pos = d;
	resume(d);
	return 0;

err_region:
	free_peers(d);
	region_put(d->region);
err_saved:
	/* one of the configuration may be served by the next server, when that is mended */
	if (d->spec.by_command)
		handover_forget(d);
	handover_end(d);
err_free:
	free(d);
	return -1;
}

/* The next server may go on with it, unless it is forgotten. */
static void stop_serving(struct destination *d)
{
	struct destination **pos;

	for (pos = &destinations; *pos != d; pos = &(*pos)->next)
		;
	*pos = d->next;
	listener_close(&d->listener, d->spec.socket);
	timer_cancel(&d->publish);
	free_peers(d);
	if (d->punch)
		punch_abandon(d->punch);
	region_put(d->region);
	handover_end(d);
	free(d);
}

/**
 * destination_remove() - stop serving a destination
 * @d: destination; gone on success
 * @force: even if peers are connected; they keep the memory and each other
 * @err: message
 *
 * Return: 0 or -1.
 */
int destination_remove(struct destination *d, bool force, struct error *err)
{
	unsigned int i, nr = 0;

	for (i = 0; i < MAX_PEERS; i++)
		nr += !!d->peers[i];
	if (nr && !force)
		return fail(err, "destination %s has %u connected peer%s; stop them first or use --force",
			    d->spec.name, nr, nr == 1 ? "" : "s");
	handover_forget(d);
	for (i = 0; i < MAX_PEERS; i++)
		if (d->peers[i])
			shutdown(d->peers[i]->sock.fd, SHUT_RDWR);
	stop_serving(d);
	return 0;
}

/**
 * destination_set_quota() - tell the backend another limit
 * @d: destination
 * @quota_bytes: new limit
 * @err: message
 *
 * Return: 0 or -1.
 */
int destination_set_quota(struct destination *d, uint64_t quota_bytes,
			  struct error *err)
{
	if (quota_check(&d->spec, quota_bytes, err))
		return -1;
	d->spec.quota_bytes = quota_bytes;
	d->saved->spec = d->spec;
	publish(d, 0);
	return 0;
}

/** destination_stop_all() - the server ends */
void destination_stop_all(void)
{
	while (destinations)
		stop_serving(destinations);
}
