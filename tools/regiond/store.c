// SPDX-License-Identifier: GPL-2.0
/*
 * The descriptor store of the service manager, which outlives the server: what is put
 * there is open in the next one. systemd has it for a unit with FileDescriptorStoreMax=,
 * keep.c for who has no systemd.
 *
 * The protocol is systemd's (sd_notify(3), sd_listen_fds(3)), which says that it is stable
 * and meant to be spoken without its library: datagrams to $NOTIFY_SOCKET, and at the start
 * descriptors from 3 on with their names in $LISTEN_FDNAMES.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "regiond.h"

#define FIRST_FD	3
#define MAX_WAITING	1024u	/* messages, of which some hold a descriptor */

struct inherited {
	struct inherited *next;
	int fd;
	char name[];
};

/* A message that the manager had no room for */
struct waiting {
	struct waiting *next;
	int fd;
	char text[];
};

static struct inherited *inherited;
static struct watch manager = { .fd = -1 };	/* socket to it; -1: there is none */
static struct waiting *waiting, **last_waiting = &waiting;
static unsigned int nr_waiting;
static bool said_full;	/* since the line was empty */

static int dial_manager(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	size_t len = path ? strlen(path) : 0;
	int fd;

	if (!len || len > PATH_CHARS || (path[0] != '/' && path[0] != '@'))
		return -1;
	memcpy(addr.sun_path, path, len);
	if (addr.sun_path[0] == '@')
		addr.sun_path[0] = 0;	/* abstract */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)&addr,
		    offsetof(struct sockaddr_un, sun_path) + len)) {
		say("cannot talk to the service manager at %s: %s", path,
		    strerror(errno));
		close(fd);
		return -1;
	}
	return fd;
}

static int try_to_send(const char *text, int fd)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov = { .iov_base = (void *)text, .iov_len = strlen(text) };
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
		ret = sendmsg(manager.fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (ret < 0 && errno == EINTR);
	return ret < 0 ? -1 : 0;
}

/* In order: what was put and dropped must not end the other way round. */
static void wait_in_line(const char *text, int fd)
{
	size_t len = strlen(text) + 1;
	struct waiting *w;

	w = nr_waiting < MAX_WAITING ? malloc(sizeof(*w) + len) : NULL;
	if (!w) {
		if (!said_full)
			say("the service manager does not listen: the next server will miss some of what this one has");
		said_full = true;
		return;
	}
	memcpy(w->text, text, len);
	/* the caller may close its own before */
	w->fd = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
	w->next = NULL;
	*last_waiting = w;
	last_waiting = &w->next;
	if (!nr_waiting++)
		loop_add(&manager, EPOLLOUT);
}

static void leave_line(void)
{
	struct waiting *w = waiting;

	waiting = w->next;
	if (!waiting)
		last_waiting = &waiting;
	if (!--nr_waiting) {
		loop_remove(&manager);
		said_full = false;
	}
	if (w->fd >= 0)
		close(w->fd);
	free(w);
}

static void manager_has_room(struct watch *w, uint32_t events)
{
	(void)w;
	(void)events;
	while (waiting) {
		if (try_to_send(waiting->text, waiting->fd) && errno == EAGAIN)
			return;
		leave_line();
	}
}

static int tell_manager(const char *text, int fd)
{
	if (manager.fd < 0)
		return -1;
	if (waiting || (try_to_send(text, fd) && errno == EAGAIN))
		wait_in_line(text, fd);
	return 0;
}

static void inherit(int fd, const char *name, size_t len)
{
	struct inherited *h = malloc(sizeof(*h) + len + 1);

	if (!h) {
		close(fd);
		return;
	}
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	memcpy(h->name, name, len);
	h->name[len] = 0;
	h->fd = fd;
	h->next = inherited;
	inherited = h;
}

/**
 * store_init() - find the service manager, and what it kept of a former server
 *
 * Nothing happens without a manager: then every store_put() fails, quietly. One that has
 * no room gets its messages later, in their order.
 */
void store_init(void)
{
	const char *pid = getenv("LISTEN_PID");
	const char *fds = getenv("LISTEN_FDS");
	const char *names = getenv("LISTEN_FDNAMES");
	int i, n = 0;
	size_t len;

	manager.ready = manager_has_room;
	manager.fd = dial_manager(getenv("NOTIFY_SOCKET"));
	/* of a parent's environment, meant for the parent */
	if (pid && fds && strtol(pid, NULL, 10) == getpid())
		n = strtol(fds, NULL, 10);
	for (i = 0; i < n; i++) {
		len = names ? strcspn(names, ":") : 0;
		inherit(FIRST_FD + i, names ? names : "", len);
		if (names)
			names = names[len] ? names + len + 1 : NULL;
	}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
}

/** store_ready() - tell the manager that connections are served */
void store_ready(void)
{
	tell_manager("READY=1", -1);
}

/**
 * store_put() - have a copy of a descriptor kept
 * @name: no ':' and no control characters in it; not in the store yet
 * @fd: stays the caller's
 *
 * Return: 0, or -1 if nobody keeps it.
 */
int store_put(const char *name, int fd)
{
	char text[STORE_NAME_CHARS + 64];

	/*
	 * Unpolled: a manager that polls forgets what hangs up. The next server must
	 * see that itself, to tell the peer that stayed.
	 */
	snprintf(text, sizeof(text), "FDSTORE=1\nFDNAME=%s\nFDPOLL=0", name);
	return tell_manager(text, fd);
}

/** store_drop() - have it kept no longer */
void store_drop(const char *name)
{
	char text[STORE_NAME_CHARS + 64];

	snprintf(text, sizeof(text), "FDSTOREREMOVE=1\nFDNAME=%s", name);
	tell_manager(text, -1);
}

/**
 * store_take() - a descriptor that a former server put there
 * @name: as it was put
 *
 * It stays in the store until store_drop().
 *
 * Return: descriptor, the caller's, or -1.
 */
int store_take(const char *name)
{
	struct inherited **pos, *h;
	int fd;

	for (pos = &inherited; *pos; pos = &(*pos)->next)
		if (!strcmp((*pos)->name, name))
			break;
	h = *pos;
	if (!h)
		return -1;
	fd = h->fd;
	*pos = h->next;
	free(h);
	return fd;
}

/**
 * store_find() - something that nobody has taken
 * @suffix: end of its name
 * @fd: result, the store's
 *
 * Return: its name, valid until it is taken, or NULL.
 */
const char *store_find(const char *suffix, int *fd)
{
	size_t len, tail = strlen(suffix);
	struct inherited *h;

	for (h = inherited; h; h = h->next) {
		len = strlen(h->name);
		if (len > tail && !strcmp(h->name + len - tail, suffix)) {
			*fd = h->fd;
			return h->name;
		}
	}
	return NULL;
}

/**
 * store_drop_rest() - what nobody has taken is not kept
 * @prefix: of the names, "" for all
 *
 * Before anything is put there by the same names.
 */
void store_drop_rest(const char *prefix)
{
	struct inherited **pos = &inherited, *h;

	while ((h = *pos)) {
		if (strncmp(h->name, prefix, strlen(prefix))) {
			pos = &h->next;
			continue;
		}
		*pos = h->next;
		store_drop(h->name);
		close(h->fd);
		free(h);
	}
}

/** store_free() - the server ends; the manager keeps what it has */
void store_free(void)
{
	struct inherited *h;

	while (inherited) {
		h = inherited;
		inherited = h->next;
		close(h->fd);
		free(h);
	}
	if (manager.fd < 0)
		return;
	while (waiting)
		leave_line();
	close(manager.fd);
	manager.fd = -1;
}
