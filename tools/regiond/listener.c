// SPDX-License-Identifier: GPL-2.0
/*
 * Where the QEMUs of one destination connect.
 *
 * At most so many connections a time: a destination that is flooded stops listening for a
 * moment, and the others don't notice.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "regiond.h"

#define BACKLOG		8
#define ACCEPT_BURST	16u	/* connections at once ... */
#define ACCEPT_EVERY_MS	50u	/* ... and one more each so many ms */
#define ERROR_REST_MS	100u	/* no descriptor is free: the client waits in the queue */
#define TAINTED_REST_MS	1000u

static void rest(struct listener *l, unsigned int ms)
{
	loop_change(&l->watch, 0);
	timer_arm(&l->rest, ms);
}

/* One that cannot be closed yet keeps out only those who come the same way. */
static void close_tainted(struct listener *l)
{
	if (l->tainted >= 0 && close_elsewhere(l->tainted))
		rest(l, TAINTED_REST_MS);
	else
		l->tainted = -1;
}

static void rested(struct timer *t)
{
	struct listener *l =
		(struct listener *)((char *)t -
				    offsetof(struct listener, rest));

	loop_change(&l->watch, EPOLLIN);
	close_tainted(l);
}

static void ready(struct watch *w, uint32_t events)
{
	struct listener *l =
		(struct listener *)((char *)w -
				    offsetof(struct listener, watch));
	uint64_t earned = (loop_now() - l->refill) / ACCEPT_EVERY_MS;
	int fd;

	(void)events;
	l->refill += earned * ACCEPT_EVERY_MS;
	l->tokens = earned > ACCEPT_BURST - l->tokens ?
		ACCEPT_BURST : l->tokens + earned;
	if (!l->tokens) {
		rest(l, ACCEPT_EVERY_MS);
		return;
	}

	fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0) {
		/* EMFILE and the like leave the client in the queue */
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
			rest(l, ERROR_REST_MS);
		return;
	}
	l->tokens--;
	if (socket_only_sends(fd)) {
		l->joined(l, fd);
		return;
	}
	l->refused(l);
	l->tainted = fd;
	close_tainted(l);
}

/**
 * listener_open() - let clients connect
 * @l: all zero, but for both callbacks
 * @path: socket file to make
 * @group: that may connect, besides the owner; NO_GROUP: nobody else
 * @err: message
 *
 * Return: 0 or -1, then nothing is left of it.
 */
int listener_open(struct listener *l, const char *path, gid_t group,
		  struct error *err)
{
	l->tainted = -1;
	l->tokens = ACCEPT_BURST;
	l->refill = loop_now();
	l->watch.ready = ready;
	l->rest.expired = rested;
	l->watch.fd = listen_unix(path, SOCK_STREAM, BACKLOG, group, err);
	if (l->watch.fd < 0)
		return -1;
	if (!loop_add(&l->watch, EPOLLIN))
		return 0;
	fail(err, "epoll: %s", strerror(errno));
	close(l->watch.fd);
	unlink(path);
	return -1;
}

/**
 * listener_close() - nobody may connect any more
 * @l: opened
 * @path: its socket file
 */
void listener_close(struct listener *l, const char *path)
{
	unlink(path);
	timer_cancel(&l->rest);
	loop_remove(&l->watch);
	/* clients wait in it that nobody has looked at */
	if (close_elsewhere(l->watch.fd))
		close(l->watch.fd);
	if (l->tainted >= 0 && close_elsewhere(l->tainted))
		close(l->tainted);
}
