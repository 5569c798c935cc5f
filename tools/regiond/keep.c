// SPDX-License-Identifier: GPL-2.0
/*
 * sluice-regiond --keep: a small parent that keeps what the server puts into its store,
 * and starts it again when it dies. What systemd is for a unit with
 * FileDescriptorStoreMax= and Restart=on-failure, by the same protocol (store.c), for who
 * has no systemd.
 *
 * It touches no memory of a peer, and reads nothing but what its own child says.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "regiond.h"

#define FIRST_FD	3
#define MAX_KEPT	2048u	/* their names have to fit into one variable of 128 KiB */
#define AGAIN_MS	1000u	/* from one start to the next */
#define STOP_MS		10000u	/* that a server has to end in an orderly way */
#define MAX_TEXT	256	/* of a message */
#define MAX_HEARD	64	/* messages, before anything else is looked at */
#define NOTIFY_DIR	"/tmp/sluice-regiond.XXXXXX"
#define MAX_FDS		253	/* of a message: SCM_MAX_FD in the kernel */

struct kept {
	char name[STORE_NAME_CHARS];
	int fd;
};

static struct kept kept[MAX_KEPT];
static unsigned int nr_kept;
static char notify_dir[sizeof(NOTIFY_DIR)];
static struct sockaddr_un notify_addr;
static int notify_fd = -1;
static int signal_fd = -1;
static pid_t child;
static bool was_ready;		/* one of them */
static bool stopping;
static uint64_t stop_due;	/* then it is killed */

/*
 * A name that nobody else can open, and only until the server has connected: what somebody
 * else sent would have to be closed here, and that can take as long as he likes.
 */
static int listen_for_child(void)
{
	int one = 1;

	strcpy(notify_dir, NOTIFY_DIR);
	if (!mkdtemp(notify_dir))
		return -1;
	notify_addr.sun_family = AF_UNIX;
	snprintf(notify_addr.sun_path, sizeof(notify_addr.sun_path),
		 "%s/notify", notify_dir);
	notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (notify_fd >= 0 &&
	    !setsockopt(notify_fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)) &&
	    !bind(notify_fd, (struct sockaddr *)&notify_addr,
		  sizeof(notify_addr)))
		return 0;
	rmdir(notify_dir);
	return -1;
}

static void hide(void)
{
	if (!notify_addr.sun_path[0])
		return;
	unlink(notify_addr.sun_path);
	rmdir(notify_dir);
	notify_addr.sun_path[0] = 0;
}

static void stop_listening(void)
{
	hide();
	if (notify_fd >= 0)
		close(notify_fd);
	notify_fd = -1;
}

static void keep(const char *name, int fd)
{
	if (nr_kept == MAX_KEPT) {
		say("%s is not kept: %u descriptors are", name, MAX_KEPT);
		close(fd);
		return;
	}
	snprintf(kept[nr_kept].name, STORE_NAME_CHARS, "%s", name);
	kept[nr_kept++].fd = fd;
}

static void keep_no_longer(const char *name)
{
	unsigned int i = 0;

	while (i < nr_kept) {
		if (strcmp(kept[i].name, name)) {
			i++;
			continue;
		}
		close(kept[i].fd);
		kept[i] = kept[--nr_kept];
	}
}

/* @fd: -1 if none came along; taken */
static void obey(char *text, int fd)
{
	const char *name = "";
	bool put = false, drop = false;
	char *line, *rest = text;

	while ((line = strsep(&rest, "\n"))) {
		if (!strcmp(line, "READY=1")) {
			was_ready = true;
			hide();
		}
		put |= !strcmp(line, "FDSTORE=1");
		drop |= !strcmp(line, "FDSTOREREMOVE=1");
		if (!strncmp(line, "FDNAME=", 7))
			name = line + 7;
	}
	if (drop)
		keep_no_longer(name);
	if (put && fd >= 0)
		keep(name, fd);
	else if (fd >= 0)
		close(fd);
}

/* Descriptors of a message: the first, others are closed */
static int take_fds(const struct cmsghdr *cmsg)
{
	size_t i, n = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	int fd, first = -1;

	for (i = 0; i < n; i++) {
		memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(fd), sizeof(fd));
		if (first < 0)
			first = fd;
		else
			close(fd);
	}
	return first;
}

/* One message of the child; false if there is none */
static bool hear(void)
{
	union {
		char buf[CMSG_SPACE(sizeof(int) * MAX_FDS) +
			 CMSG_SPACE(sizeof(struct ucred))];
		struct cmsghdr align;
	} control;
	char text[MAX_TEXT];
	struct iovec iov = { .iov_base = text, .iov_len = sizeof(text) - 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	struct ucred cred = { .pid = 0 };
	struct cmsghdr *cmsg;
	ssize_t n;
	int fd = -1;

	n = recvmsg(notify_fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return errno == EINTR;
	for (cmsg = CMSG_FIRSTHDR(&msg); cmsg; cmsg = CMSG_NXTHDR(&msg, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET)
			continue;
		if (cmsg->cmsg_type == SCM_RIGHTS)
			fd = take_fds(cmsg);
		else if (cmsg->cmsg_type == SCM_CREDENTIALS)
			memcpy(&cred, CMSG_DATA(cmsg), sizeof(cred));
	}
	text[n] = 0;
	if (cred.pid == child && child)
		obey(text, fd);
	else if (fd >= 0)
		close(fd);
	return true;
}

/* From FIRST_FD on, in the order of the table; first out of each other's way */
static int hand_out(void)
{
	static char names[MAX_KEPT * STORE_NAME_CHARS];
	char number[16], *end = names;
	unsigned int i;
	int fd;

	for (i = 0; i < nr_kept; i++) {
		fd = fcntl(kept[i].fd, F_DUPFD_CLOEXEC, FIRST_FD + nr_kept);
		if (fd < 0)
			return -1;
		kept[i].fd = fd;
	}
	for (i = 0; i < nr_kept; i++) {
		if (dup2(kept[i].fd, FIRST_FD + i) < 0)
			return -1;
		end = stpcpy(end, kept[i].name);
		*end++ = ':';
	}
	if (!nr_kept)
		return 0;
	end[-1] = 0;
	snprintf(number, sizeof(number), "%u", nr_kept);
	if (setenv("LISTEN_FDS", number, 1) ||
	    setenv("LISTEN_FDNAMES", names, 1))
		return -1;
	snprintf(number, sizeof(number), "%d", (int)getpid());
	return setenv("LISTEN_PID", number, 1);
}

static void become_server(pid_t parent, const char *config,
			  const char *control)
{
	char *argv[6] = { "sluice-regiond" };
	unsigned int n = 1;
	sigset_t none;

	/* it shall not serve on unkept, in the way of the next --keep */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(1);
	if (config) {
		argv[n++] = "-c";
		argv[n++] = (char *)config;
	}
	if (control) {
		argv[n++] = "-s";
		argv[n++] = (char *)control;
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (!hand_out() && !setenv("NOTIFY_SOCKET", notify_addr.sun_path, 1))
		execv("/proc/self/exe", argv);
	say("cannot start the server: %s", strerror(errno));
	_exit(1);
}

static int start(const char *config, const char *control)
{
	pid_t self = getpid();

	if (listen_for_child()) {
		say("cannot make a socket for the server: %s", strerror(errno));
		return -1;
	}
	child = fork();
	if (!child)
		become_server(self, config, control);
	if (child < 0) {
		child = 0;
		say("fork: %s", strerror(errno));
		stop_listening();
		return -1;
	}
	return 0;
}

/* True: there is no reason to start it again, @status is what to exit with. */
static bool child_ended(int *status)
{
	int how;

	if (!child || waitpid(child, &how, WNOHANG) != child)
		return false;
	/* what it said before it died is there already */
	while (hear())
		;
	stop_listening();
	child = 0;
	*status = WIFEXITED(how) ? WEXITSTATUS(how) : 1;
	/* so early that it did not know the signal yet */
	if (stopping && WIFSIGNALED(how) && WTERMSIG(how) == SIGTERM)
		*status = 0;
	if (stopping || !*status || !was_ready)
		return true;
	if (WIFSIGNALED(how))
		say("the server was ended by signal %d (%s): starting it again",
		    WTERMSIG(how), strsignal(WTERMSIG(how)));
	else
		say("the server ended with status %d: starting it again",
		    *status);
	return false;
}

static void read_signal(void)
{
	struct signalfd_siginfo info;

	if (read(signal_fd, &info, sizeof(info)) != sizeof(info) ||
	    info.ssi_signo == SIGCHLD)
		return;
	if (!stopping)
		stop_due = loop_now() + STOP_MS;
	stopping = true;
	if (child)
		kill(child, SIGTERM);
}

static int init(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	/* what this says may go to a pipe that has ended */
	signal(SIGPIPE, SIG_IGN);
	signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return signal_fd < 0 ? -1 : 0;
}

/**
 * keep_run() - run the server as a child, again and again
 * @config: its configuration file, or NULL
 * @control: its command socket, or NULL
 *
 * A first one that does not come up is not tried again: somebody looks. Later ones are,
 * once a second, since giving up would cost the connections.
 *
 * Return: exit status.
 */
int keep_run(const char *config, const char *control)
{
	uint64_t due = loop_now(), now;
	struct pollfd pfds[2];
	int status = 1, wait_ms, i;

	if (init()) {
		say("cannot keep a server: %s", strerror(errno));
		return 1;
	}
	for (;;) {
		now = loop_now();
		wait_ms = -1;
		if (!child && stopping) {
			status = 0;
			break;
		}
		if (!child && now >= due) {
			due = now + AGAIN_MS;
			if (start(config, control) && !was_ready)
				break;
		}
		if (!child)
			wait_ms = due - now;
		if (child && stopping) {
			if (now >= stop_due)
				kill(child, SIGKILL);
			wait_ms = now < stop_due ? stop_due - now : AGAIN_MS;
		}
		pfds[0] = (struct pollfd){ .fd = signal_fd, .events = POLLIN };
		/* -1 while there is no child: then it is not looked at */
		pfds[1] = (struct pollfd){ .fd = notify_fd, .events = POLLIN };
		poll(pfds, 2, wait_ms);
		for (i = 0; i < MAX_HEARD && notify_fd >= 0 && hear(); i++)
			;
		read_signal();
		if (child_ended(&status))
			break;
	}
	stop_listening();
	while (nr_kept)
		keep_no_longer(kept[0].name);
	close(signal_fd);
	return status;
}
