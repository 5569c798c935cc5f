// SPDX-License-Identifier: GPL-2.0
/*
 * Messages, sizes and addresses as people write them, and listening sockets.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/sockios.h>

#include "regiond.h"

#define MAX_CLOSING	64u	/* threads that close */

/**
 * fail() - keep the one message that the user gets to see
 * @err: where to
 * @fmt: what went wrong and what to do
 *
 * Return: -1, so that a caller can return the call.
 */
int fail(struct error *err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return -1;
}

/**
 * say() - one line to the log
 * @fmt: without the newline
 */
void say(const char *fmt, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	fprintf(stderr, "sluice-regiond: %s\n", line);
}

/**
 * parse_size() - a number of bytes: digits, then K, M, G or T (powers of 1024)
 * @text: what the user wrote
 * @bytes: result
 * @err: message
 *
 * Return: false if @text is anything else, or too large for 63 bits.
 */
bool parse_size(const char *text, uint64_t *bytes, struct error *err)
{
	static const char units[] = "KMGT";
	unsigned int shift = 0;
	const char *unit;
	uint64_t value;
	char *end;

	if (text[0] == '-')
		return fail(err, "size '%s' is negative", text), false;
	if (text[0] < '0' || text[0] > '9')
		return fail(err, "'%s' is not a size; write e.g. 64M",
			    text), false;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (*end) {
		unit = strchr(units, *end);
		if (!unit || (end[1] && strcmp(end + 1, "iB") &&
			      strcmp(end + 1, "B")))
			return fail(err, "unknown unit '%s' in size '%s'; use K, M, G or T",
				    end, text), false;
		shift = 10 * (unit - units + 1);
	}
	if (errno || value > (uint64_t)INT64_MAX >> shift)
		return fail(err, "size '%s' is too large", text), false;

	*bytes = value << shift;
	return true;
}

/**
 * parse_mac() - six bytes in hex, separated by colons
 * @text: what the user wrote
 * @mac: result
 *
 * Return: false if it is not that, or is a group address or all zero.
 */
bool parse_mac(const char *text, uint8_t mac[6])
{
	unsigned int v[6];
	int n = 0, i;

	if (strlen(text) != 17 ||
	    strspn(text, "0123456789abcdefABCDEF:") != 17 ||
	    sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &v[0], &v[1], &v[2],
		   &v[3], &v[4], &v[5], &n) != 6 || n != 17)
		return false;
	for (i = 0; i < 6; i++)
		mac[i] = v[i];
	return !(mac[0] & 1) &&
		(mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5]);
}

/**
 * format_size() - the shortest exact form, "64M" for 67108864
 * @bytes: number
 * @text: result
 */
void format_size(uint64_t bytes, char text[24])
{
	static const char units[] = { 0, 'K', 'M', 'G', 'T' };
	unsigned int u = 0;

	while (bytes && !(bytes & 1023) && u + 1 < sizeof(units)) {
		bytes >>= 10;
		u++;
	}
	snprintf(text, 24, "%llu%.1s", (unsigned long long)bytes, &units[u]);
}

/** socket_is_gone() - has the other end closed, seen by an event or not? */
bool socket_is_gone(int fd)
{
	struct pollfd pfd = { .fd = fd };

	return poll(&pfd, 1, 0) == 1 && (pfd.revents & (POLLHUP | POLLERR));
}

/**
 * socket_only_sends() - let the other end send nothing from now on
 * @fd: of a new client
 *
 * What it sends can be a descriptor whose last close() takes as long as it likes, a TCP
 * socket with SO_LINGER for one, and would take it from whoever closes this one: the server
 * in its loop, the service manager that keeps a copy.
 *
 * Return: false if something is there already; close_elsewhere().
 */
bool socket_only_sends(int fd)
{
	int bytes = 0;

	return !shutdown(fd, SHUT_RD) && !ioctl(fd, SIOCINQ, &bytes) && !bytes;
}

static atomic_uint nr_closing;

static void *close_thread(void *arg)
{
	close((int)(intptr_t)arg);
	atomic_fetch_sub(&nr_closing, 1);
	return NULL;
}

/**
 * close_elsewhere() - close what may take long to close, in a thread
 * @fd: taken on success
 *
 * Return: 0, or -1 if so many are under way that it has to wait.
 */
int close_elsewhere(int fd)
{
	pthread_attr_t attr;
	pthread_t thread;
	int ret;

	if (atomic_fetch_add(&nr_closing, 1) >= MAX_CLOSING) {
		atomic_fetch_sub(&nr_closing, 1);
		return -1;
	}
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 << 10);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	ret = pthread_create(&thread, &attr, close_thread,
			     (void *)(intptr_t)fd);
	pthread_attr_destroy(&attr);
	if (!ret)
		return 0;
	atomic_fetch_sub(&nr_closing, 1);
	return -1;
}

/* A socket file that nobody listens on any more is in the way of nobody. */
static int remove_stale(const struct sockaddr_un *addr, int type,
			struct error *err)
{
	struct stat st;
	int fd, ret;

	if (lstat(addr->sun_path, &st))
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return fail(err, "%s exists and is not a socket; remove it or choose another path",
			    addr->sun_path);

	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail(err, "socket: %s", strerror(errno));
	ret = connect(fd, (const struct sockaddr *)addr, sizeof(*addr));
	if (ret)
		ret = errno;
	close(fd);

	/* EAGAIN: its queue is full, so it lives; EPROTOTYPE: of another type */
	if (ret != ECONNREFUSED)
		return fail(err, "%s is in use by another server%s%s",
			    addr->sun_path, ret ? ": " : "",
			    ret ? strerror(ret) : "");
	if (unlink(addr->sun_path) && errno != ENOENT)
		return fail(err, "cannot remove the stale socket %s: %s",
			    addr->sun_path, strerror(errno));
	return 0;
}

/**
 * listen_unix() - listen on a socket file that only its owner can connect to
 * @path: where; a stale socket file there is replaced, a live one is refused
 * @type: SOCK_STREAM or SOCK_SEQPACKET
 * @backlog: connections that may wait
 * @group: that may connect as well, or NO_GROUP
 * @err: message
 *
 * Return: file descriptor, non-blocking, or -1.
 */
int listen_unix(const char *path, int type, int backlog, gid_t group,
		struct error *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	mode_t mask;
	int fd, ret;

	if (strlen(path) > PATH_CHARS)
		return fail(err, "socket path %s is longer than %zu characters",
			    path, PATH_CHARS);
	strcpy(addr.sun_path, path);
	if (remove_stale(&addr, type, err))
		return -1;

	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail(err, "socket: %s", strerror(errno));

	mask = umask(0177);
	ret = bind(fd, (const struct sockaddr *)&addr, sizeof(addr));
	umask(mask);
	if (ret) {
		fail(err, "cannot make the socket %s: %s", path,
		     strerror(errno));
		goto err_close;
	}
	if (group != NO_GROUP &&
	    (chown(path, -1, group) || chmod(path, 0660))) {
		fail(err, "cannot give %s to group %u: %s", path,
		     (unsigned int)group, strerror(errno));
		goto err_unlink;
	}
	if (listen(fd, backlog)) {
		fail(err, "listen on %s: %s", path, strerror(errno));
		goto err_unlink;
	}
	return fd;

err_unlink:
	unlink(path);
err_close:
	close(fd);
	return -1;
}
