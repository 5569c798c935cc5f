// SPDX-License-Identifier: GPL-2.0
/*
 * A service manager's descriptor store: what the server puts there, and handed out to the
 * next one, whole or not.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "test.h"

#define FIRST_FD 3
#define FAR_FD 512

void store_open(struct store *st)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	memset(st, 0, sizeof(*st));
	st->sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	strcpy(addr.sun_path, in_dir("notify"));
	if (st->sock < 0 ||
	    bind(st->sock, (struct sockaddr *)&addr, sizeof(addr)))
		bail("cannot be a manager");
}

/* All entries with @part in their names */
void store_lose(struct store *st, const char *part)
{
	int i;

	for (i = st->nr - 1; i >= 0; i--) {
		if (!strstr(st->kept[i].name, part))
			continue;
		close(st->kept[i].fd);
		st->kept[i] = st->kept[--st->nr];
	}
}

static void obey(struct store *st, char *text, int fd)
{
	const char *name = "";
	bool put = false, drop = false;
	char *line, *rest = text;

	while ((line = strsep(&rest, "\n"))) {
		st->ready |= !strcmp(line, "READY=1");
		put |= !strcmp(line, "FDSTORE=1");
		drop |= !strcmp(line, "FDSTOREREMOVE=1");
		if (!strncmp(line, "FDNAME=", 7))
			name = line + 7;
	}
	if (drop)
		store_lose(st, name);
	if (!put)
		return;
	if (fd < 0 || st->nr == STORE_ENTRIES)
		bail("%s cannot be kept", name);
	st->nr_puts += !!strstr(name, "/sock");
	snprintf(st->kept[st->nr].name, sizeof(st->kept[0].name), "%s", name);
	st->kept[st->nr++].fd = fd;
}

/* All that has been said until now */
void store_hear(struct store *st)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	char text[256];
	struct iovec iov = { .iov_base = text, .iov_len = sizeof(text) - 1 };
	struct cmsghdr *cmsg;
	ssize_t n;
	int fd;

	for (;;) {
		struct msghdr msg = {
			.msg_iov = &iov, .msg_iovlen = 1,
			.msg_control = control.buf,
			.msg_controllen = sizeof(control.buf),
		};

		n = recvmsg(st->sock, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		if (n < 0)
			return;
		text[n] = 0;
		fd = -1;
		cmsg = CMSG_FIRSTHDR(&msg);
		if (cmsg && cmsg->cmsg_type == SCM_RIGHTS)
			memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
		obey(st, text, fd);
	}
}

/* It has come, or comes, to hold so many */
bool store_holds(struct store *st, int nr)
{
	struct pollfd pfd = { .fd = st->sock, .events = POLLIN };

	do {
		store_hear(st);
		if (st->nr == nr)
			return true;
	} while (poll(&pfd, 1, WAIT_MS) == 1);
	printf("# %d in the store, not %d\n", st->nr, nr);
	return false;
}

/* In the child that becomes the server */
void store_hand_out(const struct store *st)
{
	char names[STORE_ENTRIES * 64] = "", number[16], *end = names;
	int i;

	setenv("NOTIFY_SOCKET", in_dir("notify"), 1);
	if (!st->nr)
		return;
	/* first out of each other's way */
	for (i = 0; i < st->nr; i++)
		if (dup2(st->kept[i].fd, FAR_FD + i) < 0)
			_exit(126);
	for (i = 0; i < st->nr; i++) {
		dup2(FAR_FD + i, FIRST_FD + i);
		close(FAR_FD + i);
		end += sprintf(end, "%s:", st->kept[i].name);
	}
	end[-1] = 0;
	setenv("LISTEN_FDNAMES", names, 1);
	sprintf(number, "%d", st->nr);
	setenv("LISTEN_FDS", number, 1);
	sprintf(number, "%d", (int)getpid());
	setenv("LISTEN_PID", number, 1);
}

void store_close(struct store *st)
{
	while (st->nr)
		close(st->kept[--st->nr].fd);
	close(st->sock);
	unlink(in_dir("notify"));
}
