// SPDX-License-Identifier: GPL-2.0
/*
 * An ivshmem client, written from QEMU's docs/specs/ivshmem-spec.
 */
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "test.h"

/* Connect and nothing else; blocks while the server's queue is full. */
int dial(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(addr.sun_path, path);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		close(fd);
		return -1;
	}
	return fd;
}

/* 1: a message, 0: the server closed, -1: nothing in time, -2: not a message */
static int read_within(int sock, int64_t *number, int *fd, int ms)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct pollfd pfd = { .fd = sock, .events = POLLIN };
	int64_t wire;
	struct iovec iov = { .iov_base = &wire, .iov_len = sizeof(wire) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	struct cmsghdr *cmsg;
	ssize_t n;

	*fd = -1;
	if (poll(&pfd, 1, ms) != 1)
		return -1;
	n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return 0;
	if (n != sizeof(wire) || (msg.msg_flags & MSG_CTRUNC))
		return -2;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (cmsg && cmsg->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(cmsg), sizeof(*fd));
	*number = le64toh(wire);
	return 1;
}

int read_message(int sock, int64_t *number, int *fd)
{
	return read_within(sock, number, fd, WAIT_MS);
}

bool at_end(int sock)
{
	int64_t number;
	int fd;

	return read_message(sock, &number, &fd) == 0;
}

static bool take_vector(struct client *c, int64_t id, int fd)
{
	if (fd < 0)
		return false;
	if (id == SERVER_PEER) {
		c->server_ring = fd;
		return true;
	}
	if (id == c->id) {
		if (c->nr_own == MAX_VECTORS)
			return false;
		c->own[c->nr_own++] = fd;
		return true;
	}
	if (id != c->other_id) {
		while (c->nr_other)
			close(c->other[--c->nr_other]);
		c->other_id = id;
	}
	if (c->nr_other == MAX_VECTORS)
		return false;
	c->other[c->nr_other++] = fd;
	return true;
}

/*
 * The whole handshake: version, id and memory in this order, then vectors of
 * others, then our own.
 */
bool client_join(struct client *c, const char *path, int vectors)
{
	int64_t number;
	struct stat st;
	int fd;

	memset(c, 0, sizeof(*c));
	c->other_id = -1;
	c->server_ring = -1;
	c->memfd = -1;
	c->map = MAP_FAILED;
	c->sock = dial(path);
	if (c->sock < 0)
		return false;
	if (read_message(c->sock, &number, &fd) != 1 || number || fd >= 0)
		return false;
	if (read_message(c->sock, &c->id, &fd) != 1 || c->id < 0 ||
	    c->id > 0xffff || fd >= 0)
		return false;
	if (read_message(c->sock, &number, &c->memfd) != 1 || number != -1 ||
	    c->memfd < 0 || fstat(c->memfd, &st))
		return false;
	c->order_ok = true;
	while (c->nr_own < vectors) {
		if (read_message(c->sock, &number, &fd) != 1)
			return false;
		if (c->nr_own && number != c->id)
			c->order_ok = false;
		if (!take_vector(c, number, fd))
			return false;
	}
	c->bytes = st.st_size;
	c->map = mmap(NULL, c->bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
		      c->memfd, 0);
	return c->map != MAP_FAILED;
}

bool client_sees_join(struct client *c, int vectors)
{
	int64_t number;
	int fd, i;

	for (i = 0; i < vectors; i++)
		if (read_message(c->sock, &number, &fd) != 1 ||
		    number == c->id || !take_vector(c, number, fd))
			return false;
	return c->nr_other == vectors;
}

bool client_sees_leave(struct client *c, int64_t id)
{
	int64_t number;
	int fd;

	return read_message(c->sock, &number, &fd) == 1 && number == id &&
		fd < 0;
}

/* Nothing has arrived; call it after the server has answered a later request */
bool client_is_silent(struct client *c)
{
	struct pollfd pfd = { .fd = c->sock, .events = POLLIN };

	return poll(&pfd, 1, 0) == 0;
}

/* Take in whatever has arrived; false if the server has closed */
bool client_catch_up(struct client *c)
{
	int64_t number;
	int fd, ret;

	while ((ret = read_within(c->sock, &number, &fd, 0)) == 1) {
		if (fd >= 0) {
			take_vector(c, number, fd);
		} else if (number == c->other_id) {
			while (c->nr_other)
				close(c->other[--c->nr_other]);
			c->other_id = -1;
		}
	}
	return ret == -1;
}

/* Was this eventfd rung, or will it be? */
bool client_rang(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	uint64_t count;

	return poll(&pfd, 1, WAIT_MS) == 1 &&
		read(fd, &count, sizeof(count)) == sizeof(count);
}

void client_leave(struct client *c)
{
	if (c->map != MAP_FAILED)
		munmap(c->map, c->bytes);
	if (c->memfd >= 0)
		close(c->memfd);
	if (c->server_ring >= 0)
		close(c->server_ring);
	while (c->nr_own)
		close(c->own[--c->nr_own]);
	while (c->nr_other)
		close(c->other[--c->nr_other]);
	if (c->sock >= 0)
		close(c->sock);
}

struct sluice_shm_host *client_host(struct client *c)
{
	return (void *)(c->map + SLUICE_SHM_HOST_OFF);
}
