// SPDX-License-Identifier: GPL-2.0
/*
 * One connected QEMU, and the ivshmem-server protocol spoken to it: little
 * endian 64-bit numbers, some with a file descriptor. A client never answers.
 *
 *	0		protocol version
 *	id		of this client
 *	-1 + fd		the memory
 *	id + fd		next vector of the peer with that id; the client's own last
 *	id		that peer has left
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/sockios.h>

#include "regiond.h"

/*
 * A client that never reads may keep this much queued. The handshake takes 3
 * messages and 9 per peer, each counted as about 1 KiB by the kernel; more is
 * needed only while a peer comes and goes faster than the client reads. Each
 * queued message holds a descriptor that counts against our limit.
 */
#define QUEUE_BYTES	(32 << 10)	/* the kernel doubles it */

static int send_number(int sock, int64_t number, int fd)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	int64_t wire = htole64(number);
	struct iovec iov = { .iov_base = &wire, .iov_len = sizeof(wire) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cmsg;
	ssize_t ret;

	if (fd >= 0) {
		msg.msg_control = control.buf;
		msg.msg_controllen = sizeof(control.buf);
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	}
	do {
		ret = sendmsg(sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (ret < 0 && errno == EINTR);
	/* a unix socket takes 8 bytes whole or not at all */
	return ret == sizeof(wire) ? 0 : -1;
}

/**
 * peer_refuse() - turn a client away and close its socket
 * @fd: socket
 * @reason: positive errno
 *
 * A QEMU that sees its socket closed inside the handshake spins for ever. One
 * that is told of another protocol version says so and exits; the number it
 * prints is our reason.
 */
void peer_refuse(int fd, int reason)
{
	send_number(fd, -(int64_t)reason, -1);
	close(fd);
}

/* Only an end is watched for: it cannot send, see socket_only_sends(). */
static void sock_ready(struct watch *w, uint32_t events)
{
	(void)events;
	destination_drop((struct peer *)((char *)w -
					 offsetof(struct peer, sock)), NULL);
}

/*
 * The peer rings the server. One-shot, and rearmed a moment later: a guest that
 * rings without end costs a thousand wakeups a second, not a processor.
 */
static void ring_ready(struct watch *w, uint32_t events)
{
	struct peer *p = (struct peer *)((char *)w -
					 offsetof(struct peer, ring));
	uint64_t count = 0;
	struct iovec iov = { .iov_base = &count, .iov_len = sizeof(count) };

	(void)events;
	/*
	 * RWF_NOWAIT, not O_NONBLOCK: the client holds the same open file and can
	 * clear that flag, and steal the count before we read.
	 */
	if (preadv2(w->fd, &iov, 1, -1, RWF_NOWAIT) == sizeof(count))
		p->rings += count;
	timer_arm(&p->ring_rest, 1);
	request_rang(p);
}

static void ring_rested(struct timer *t)
{
	struct peer *p = (struct peer *)((char *)t -
					 offsetof(struct peer, ring_rest));

	loop_change(&p->ring, EPOLLIN | EPOLLONESHOT);
}

static void peer_stuck(struct timer *t)
{
	struct peer *p = (struct peer *)((char *)t -
					 offsetof(struct peer, stuck));

	if (peer_has_unread(p))
		destination_drop(p, "does not read its messages");
}

/** peer_fds_close() - all that are open */
void peer_fds_close(const struct peer_fds *fds)
{
	unsigned int i;

	if (fds->sock >= 0)
		close(fds->sock);
	if (fds->ring >= 0)
		close(fds->ring);
	for (i = 0; i < fds->nr_vectors; i++)
		if (fds->vectors[i] >= 0)
			close(fds->vectors[i]);
}

/**
 * peer_adopt() - a peer whose descriptors are there already
 * @d: where it is connected
 * @id: of the peer
 * @fds: the peer's, if that succeeds
 * @err: message
 *
 * Return: a peer that is watched, to which nothing was sent, or NULL.
 */
struct peer *peer_adopt(struct destination *d, uint32_t id,
			const struct peer_fds *fds, struct error *err)
{
	struct ucred cred = { .pid = 0, .uid = -1 };
	socklen_t len = sizeof(cred);
	int size = QUEUE_BYTES;
	struct peer *p;

	p = calloc(1, sizeof(*p));
	if (!p) {
		fail(err, "out of memory");
		return NULL;
	}
	p->dest = d;
	p->id = id;
	p->ring.fd = fds->ring;
	p->ring.ready = ring_ready;
	p->ring_rest.expired = ring_rested;
	p->stuck.expired = peer_stuck;
	p->keep.expired = handover_stayed;
	p->sock.fd = fds->sock;
	p->sock.ready = sock_ready;
	p->nr_vectors = fds->nr_vectors;
	memcpy(p->vectors, fds->vectors, sizeof(p->vectors));

	setsockopt(p->sock.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (!getsockopt(p->sock.fd, SOL_SOCKET, SO_PEERCRED, &cred, &len)) {
		p->pid = cred.pid;
		p->uid = cred.uid;
	}
	if (loop_add(&p->ring, EPOLLIN | EPOLLONESHOT))
		goto err;
	if (!loop_add(&p->sock, 0))
		return p;
	loop_remove(&p->ring);
err:
	fail(err, "epoll: %s", strerror(errno));
	free(p);
	return NULL;
}

/**
 * peer_new() - take a client's socket
 * @d: where it connected
 * @fd: its socket; the peer's only on success
 * @err: message
 *
 * Return: a peer with its eventfds, to which nothing was sent, or NULL.
 */
struct peer *peer_new(struct destination *d, int fd, struct error *err)
{
	struct peer_fds fds = { .sock = -1 };
	struct peer *p;

	fds.ring = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fds.ring < 0)
		goto err;
	for (; fds.nr_vectors < d->spec.pairs + 1; fds.nr_vectors++) {
		fds.vectors[fds.nr_vectors] = eventfd(0, EFD_CLOEXEC |
							 EFD_NONBLOCK);
		if (fds.vectors[fds.nr_vectors] < 0)
			goto err;
	}
	fds.sock = fd;
	p = peer_adopt(d, 0, &fds, err);
	if (p)
		return p;
	fds.sock = -1;
	peer_fds_close(&fds);
	return NULL;
err:
	fail(err, "no descriptors for a client: %s", strerror(errno));
	peer_fds_close(&fds);
	return NULL;
}

/**
 * peer_introduce() - tell a client of another one
 * @p: who is told
 * @other: who came
 *
 * Return: 0, or -1 if it cannot take it: drop it.
 */
int peer_introduce(struct peer *p, const struct peer *other)
{
	unsigned int i;

	for (i = 0; i < other->nr_vectors; i++)
		if (send_number(p->sock.fd, other->id, other->vectors[i]))
			return -1;
	return 0;
}

/**
 * peer_handshake() - send the whole handshake, at once
 * @p: new peer with its id set
 * @other: who is already there, or NULL
 *
 * Return: 0, or -1 with errno if the kernel has no room for it. The client was
 * then told something that ends its handshake with an error.
 */
int peer_handshake(struct peer *p, const struct peer *other)
{
	int fd = p->sock.fd, saved;

	if (send_number(fd, 0, -1) || send_number(fd, p->id, -1) ||
	    send_number(fd, -1, p->dest->region->memfd) ||
	    /* the server, as if it was a peer with one vector */
	    send_number(fd, SERVER_ID, p->ring.fd) ||
	    (other && peer_introduce(p, other)) || peer_introduce(p, p)) {
		saved = errno;
		send_number(fd, -(int64_t)EBUSY, -1);
		errno = saved;
		return -1;
	}
	timer_arm(&p->stuck, p->dest->stuck_ms);
	return 0;
}

int peer_tell_left(struct peer *p, uint32_t id)
{
	return send_number(p->sock.fd, id, -1);
}

/** peer_has_unread() - are messages queued that the client has not read? */
bool peer_has_unread(const struct peer *p)
{
	int bytes = 0;

	return !ioctl(p->sock.fd, SIOCOUTQ, &bytes) && bytes > 0;
}

/**
 * peer_free() - close everything of a client
 * @p: peer that no list knows any more
 */
void peer_free(struct peer *p)
{
	timer_cancel(&p->stuck);
	timer_cancel(&p->keep);
	timer_cancel(&p->ring_rest);
	loop_remove(&p->ring);
	loop_remove(&p->sock);
	close(p->ring.fd);
	close(p->sock.fd);
	while (p->nr_vectors)
		close(p->vectors[--p->nr_vectors]);
	free(p);
}
