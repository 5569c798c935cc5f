// SPDX-License-Identifier: GPL-2.0
/* Sockets that are in the way, and servers that die. */
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

#define CONFIG "{ \"directory\": \"@\", \"destinations\": [" \
	" { \"name\": \"g1\", \"window\": \"4M\" } ] }"
#define VECTORS 2

/* systemd's protocol: a datagram, when connections are served */
static void test_notify(void)
{
	struct store store;
	struct client a;
	struct server s;
	bool started;

	store_open(&store);
	started = server_start_after(&s, CONFIG, &store) == 0;
	ok(started && store_holds(&store, 1) &&
	   client_join(&a, in_dir("g1.sock"), VECTORS) &&
	   store_holds(&store, 6) && store.ready,
	   "systemd is told when the server is ready");
	client_leave(&a);
	ok(server_stop(&s) == 0, "the server ends cleanly");
	store_close(&store);
}

static void test_group(void)
{
	struct server s;
	struct stat st;

	if (getuid()) {
		skip("not root", "a group may connect");
		return;
	}
	ok(server_start(&s, "{ \"directory\": \"@\", \"destinations\": ["
			" { \"name\": \"g1\", \"window\": \"4M\","
			" \"group\": \"daemon\" } ] }") == 0 &&
	   !stat(in_dir("g1.sock"), &st) && (st.st_mode & 0777) == 0660 &&
	   st.st_gid == getgrnam("daemon")->gr_gid &&
	   !stat(s.ctl, &st) && (st.st_mode & 0777) == 0600,
	   "a group may connect to its destination, not to the command socket");
	ok(server_stop(&s) == 0, "the server ends cleanly");
}

void test_lifecycle(void)
{
	struct server s, second;
	struct client a, b, c;
	struct stat st;

	if (server_start(&s, CONFIG))
		bail("the server does not start:\n%s", s.log);
	if (!client_join(&a, in_dir("g1.sock"), VECTORS) ||
	    !client_join(&b, in_dir("g1.sock"), VECTORS) ||
	    !client_sees_join(&a, VECTORS))
		bail("cannot join");
	ok(server_start(&second, CONFIG) && server_wait(&second) == 1 &&
	   strstr(second.log, "is in use by another server"),
	   "a second server on the same sockets gives up");
	ok(!stat(in_dir("g1.sock"), &st) &&
	   status_number(&s, "g1", "peers") == 2 &&
	   status_number(&s, "g1", "refused") == 0 && client_is_silent(&a),
	   "and disturbs nothing");

	kill(s.pid, SIGKILL);
	ok(server_wait(&s) == 1000 + SIGKILL && !stat(in_dir("g1.sock"), &st),
	   "a killed server leaves its sockets");
	strcpy((char *)a.map + 4096, "alive");
	ok(!strcmp((char *)b.map + 4096, "alive") &&
	   write(a.other[1], &(uint64_t){ 1 }, 8) == 8 &&
	   client_rang(b.own[1]), "the peers go on without it");

	ok(server_start(&s, CONFIG) == 0, "the next server takes them over");
	ok(client_join(&c, in_dir("g1.sock"), VECTORS) &&
	   c.other_id == -1 && !c.map[4096],
	   "and starts with new memory and no peers");
	client_leave(&a);
	client_leave(&b);
	client_leave(&c);
	ok(server_stop(&s) == 0, "the server ends cleanly");

	if (mknod(in_dir("g1.sock"), S_IFREG | 0600, 0))
		bail("cannot make a file");
	ok(server_start(&s, CONFIG) && server_wait(&s) == 1 &&
	   strstr(s.log, "exists and is not a socket"),
	   "a file that is not a socket is left alone");
	ok(!stat(in_dir("g1.sock"), &st) && S_ISREG(st.st_mode),
	   "and still there");
	unlink(in_dir("g1.sock"));
	test_notify();
	test_group();
}
