// SPDX-License-Identifier: GPL-2.0
/* The command socket and sluice-regionctl. */
#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "test.h"

#define CONFIG "{ \"directory\": \"@\", \"total\": \"64M\", \"destinations\": [" \
	" { \"name\": \"g1\", \"window\": \"16M\" } ] }"
#define VECTORS 2

static struct server s;

static void test_runtime(void)
{
	struct client a, b;
	struct stat st;

	ok(server_answers(&s, true, "g2.sock",
			  "{\"command\":\"add\",\"destination\":"
			  "{\"name\":\"g2\",\"window\":\"32M\"}}"),
	   "add a destination");
	ok(client_join(&a, in_dir("g2.sock"), VECTORS) && a.bytes == 32 << 20,
	   "connect to it");
	ok(status_number(&s, "g2", "peers") == 1, "see the peer in the status");
	ok(request_gives(&s, "{\"command\":\"remove\",\"name\":\"g2\"}",
			 "has 1 connected peer; stop them first or use --force"),
	   "it cannot be removed with a peer");
	ok(client_is_silent(&a) && status_number(&s, "g2", "peers") == 1,
	   "nothing happened to the peer");
	ok(server_answers(&s, true, "",
			  "{\"command\":\"remove\",\"name\":\"g2\","
			  "\"force\":true}") && at_end(a.sock),
	   "remove it by force");
	strcpy((char *)a.map + 4096, "still here");
	ok(!strcmp((char *)a.map + 4096, "still here"),
	   "who has mapped the memory keeps it");
	client_leave(&a);
	ok(stat(in_dir("g2.sock"), &st), "its socket is gone");

	ok(client_join(&a, in_dir("g1.sock"), VECTORS), "connect to g1");
	ok(server_answers(&s, true, "", "{\"command\":\"quota\","
			  "\"name\":\"g1\",\"quota\":\"4M\"}") &&
	   le64toh(client_host(&a)->quota_bytes) == 4 << 20,
	   "a new quota stands in the host page");
	memset(a.map + (2 << 20), 1, 8 << 20);
	ok(server_answers(&s, true, "\"over_quota\":true",
			  "{\"command\":\"status\",\"name\":\"g1\"}"),
	   "the status tells who is above his quota");
	ok(client_join(&b, in_dir("g1.sock"), VECTORS) &&
	   le64toh(client_host(&b)->quota_bytes) == 4 << 20,
	   "who joins later finds the quota");
	client_leave(&a);
	client_leave(&b);
}

static void test_errors(void)
{
	static const struct {
		const char *what, *request, *expect;
	} bad[] = {
		{ "a name that exists", "{\"command\":\"add\",\"destination\":{\"name\":\"g1\",\"window\":\"2M\"}}",
			"destination g1 exists already" },
		{ "a socket that exists", "{\"command\":\"add\",\"destination\":{\"name\":\"g9\",\"window\":\"2M\",\"socket\":\"@/g1.sock\"}}",
			"belongs to destination g1 already" },
		{ "above the total quota", "{\"command\":\"add\",\"destination\":{\"name\":\"g9\",\"window\":\"64M\"}}",
			"a window of 64M is above what is left of the total quota, 48M" },
		{ "a folder that is not there", "{\"command\":\"add\",\"destination\":{\"name\":\"g9\",\"window\":\"2M\",\"socket\":\"/nonexistent/x\"}}",
			"cannot make the socket /nonexistent/x: No such file" },
		{ "an unknown name", "{\"command\":\"remove\",\"name\":\"nobody\"}",
			"no destination 'nobody'" },
		{ "no name", "{\"command\":\"remove\"}", "needs the name" },
		{ "a negative quota", "{\"command\":\"quota\",\"name\":\"g1\",\"quota\":-2}",
			"size is negative" },
		{ "a negative quota as text", "{\"command\":\"quota\",\"name\":\"g1\",\"quota\":\"-2M\"}",
			"size '-2M' is negative" },
		{ "an odd quota", "{\"command\":\"quota\",\"name\":\"g1\",\"quota\":\"3M\"}",
			"quota 3M is not a multiple of 2M" },
		{ "a quota above the window", "{\"command\":\"quota\",\"name\":\"g1\",\"quota\":\"16M\"}",
			"quota 16M is above 14M" },
		{ "a bad unit", "{\"command\":\"quota\",\"name\":\"g1\",\"quota\":\"4X\"}",
			"unknown unit 'X' in size '4X'" },
		{ "no quota", "{\"command\":\"quota\",\"name\":\"g1\"}",
			"not a size" },
		{ "an unknown command", "{\"command\":\"dance\"}",
			"unknown command 'dance'" },
		{ "an unknown key", "{\"command\":\"status\",\"colour\":1}",
			"unknown key 'colour'" },
		{ "no command", "{}", "has no command" },
		{ "a list", "[]", "not one JSON object" },
		{ "half an object", "{\"command\":", "not one JSON object" },
		{ "garbage", "\x01\x02\xff", "not one JSON object" },
		{ "a name with a NUL", "{\"command\":\"remove\",\"name\":\"g1\\u0000x\"}",
			"needs the name" },
	};
	char request[512], *at;
	const char *from;
	unsigned int i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		from = bad[i].request;
		at = strchr(from, '@');
		if (at)
			snprintf(request, sizeof(request), "%.*s%s%s",
				 (int)(at - from), from, test_dir, at + 1);
		else
			strcpy(request, from);
		ok(request_gives(&s, request, bad[i].expect),
		   "refused with its reason: %s", bad[i].what);
	}
	ok(status_number(&s, "g1", "quota") == 4 << 20 &&
	   server_answers(&s, true, "\"windows\":16777216,",
			  "{\"command\":\"status\"}"),
	   "none of that changed anything");
}

static void test_size_limit(void)
{
	static char big[8000];

	memset(big, ' ', sizeof(big) - 1);
	ok(request_gives(&s, big, "longer than 4096 bytes"),
	   "a request that is too long is refused");
}

/* Clients that connect and say nothing don't keep the others out. */
static void test_idle_clients(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fds[40], i, nr = 0;

	strcpy(addr.sun_path, s.ctl);
	for (i = 0; i < 40; i++) {
		fds[i] = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
		nr += !connect(fds[i], (struct sockaddr *)&addr, sizeof(addr));
	}
	ok(nr == 40 && status_number(&s, "g1", "window") == 16 << 20,
	   "40 idle command clients keep nobody out");
	for (i = 0; i < 40; i++)
		close(fds[i]);
}

static bool ctl(int status, const char *expect, const char *args)
{
	char out[4096];
	int got = run_ctl(&s, out, sizeof(out), args);

	if (got == status && strstr(out, expect))
		return true;
	printf("# %s: status %d, %s\n", args, got, out);
	return false;
}

static void test_ctl(void)
{
	ok(ctl(0, "windows 16M of total 64M", "status"), "status");
	ok(ctl(0, "\"windows\":16777216", "-j status"), "status as JSON");
	ok(ctl(0, "", "add g3 window 16M pairs 4 quota 8M mac 02:00:00:00:00:03"),
	   "add");
	ok(ctl(0, "g3: window 16M quota 8M used 4K pairs 4 mac 02:00:00:00:00:03",
	       "status g3"), "status of one");
	ok(ctl(0, "ivshmem-doorbell,chardev=sluice-g3,vectors=5", "qemu g3"),
	   "options for QEMU");
	ok(ctl(0, "", "quota g3 6M") && ctl(0, "quota 6M", "status g3"),
	   "quota");
	ok(ctl(1, "exists already", "add g3 window 2M"), "add it again");
	ok(ctl(1, "window 3M is not a power of two", "add g4 window 3M"),
	   "add a wrong size");
	ok(ctl(1, "unknown key 'windw'", "add g4 windw 4M"), "add a wrong key");
	ok(ctl(2, "a value is missing", "add g4 window"), "add half a pair");
	ok(ctl(2, "given twice", "add g4 window 2M window 4M"),
	   "add a key twice");
	ok(ctl(1, "pairs is not a number from 1 to 8",
	       "add g4 window 4M pairs 9"), "add too many pairs");
	ok(ctl(0, "", "remove g3") && ctl(1, "no destination 'g3'",
					  "status g3"), "remove");
	ok(ctl(2, "the only option is --force", "remove g1 --hard"),
	   "a wrong option");
	ok(ctl(2, "usage:", ""), "no command");
	ok(ctl(2, "unknown command", "frobnicate"), "an unknown command");
	ok(ctl(0, "usage:", "--help"), "help");
}

void test_control(void)
{
	struct stat st;

	if (server_start(&s, CONFIG))
		bail("the server does not start:\n%s", s.log);
	ok(!stat(s.ctl, &st) && (st.st_mode & 0777) == 0600,
	   "only its owner can use the command socket");
	test_runtime();
	test_errors();
	test_size_limit();
	test_idle_clients();
	test_ctl();
	ok(ctl(0, "", "quit") && server_wait(&s) == 0,
	   "quit ends the server cleanly");
	ok(ctl(1, "no sluice-regiond listens there", "status"),
	   "the tool says when there is no server");
}
