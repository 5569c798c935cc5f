// SPDX-License-Identifier: GPL-2.0
/* Each mistake in the configuration: one message, no server. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

#define DEST(keys) "{ \"directory\": \"@\", \"destinations\": [ { " keys " } ] }"
#define G1 "\"name\": \"g1\", \"window\": \"4M\""

static const struct {
	const char *what, *json, *expect;
} bad[] = {
	{ "nothing at all", "", "config.json:1: the file ends too early" },
	{ "a syntax error", "{\n\n \"directory\" 1\n}", "config.json:3: " },
	{ "an early end", "{\n \"destinations\": [\n", "config.json:3: the file ends too early" },
	{ "two objects", "{}\n{}", "config.json:2: text after the closing brace" },
	{ "a list", "[]", "not an object in braces" },
	{ "an unknown key", "{ \"dir\": \"@\" }", "unknown key 'dir'" },
	{ "a relative path", "{ \"directory\": \"run\" }", "directory: not an absolute path" },
	{ "destinations that are no list", "{ \"destinations\": {} }", "destinations: not a list" },
	{ "a destination that is a string", "{ \"destinations\": [ \"g1\" ] }", "a destination is not an object" },
	{ "no name", DEST("\"window\": \"4M\""), "a destination has no name" },
	{ "an empty name", DEST("\"name\": \"\""), "destination name '' is not" },
	{ "a path as name", DEST("\"name\": \"../x\""), "destination name '../x' is not" },
	{ "a long name", DEST("\"name\": \"a2345678901234567890123456789012\""), "is not 1 to 31 letters" },
	{ "no window", DEST("\"name\": \"g1\""), "destination g1: window is missing" },
	{ "a window of three", DEST("\"name\": \"g1\", \"window\": \"3M\""), "destination g1: window 3M is not a power of two" },
	{ "a small window", DEST("\"name\": \"g1\", \"window\": \"1M\""), "window 1M is below 2M" },
	{ "no window to speak of", DEST("\"name\": \"g1\", \"window\": 0"), "window 0 is below 2M" },
	{ "a large window", DEST("\"name\": \"g1\", \"window\": \"4G\""), "window 4G is above 2G" },
	{ "a huge window", DEST("\"name\": \"g1\", \"window\": \"99999999999999999999\""), "is too large" },
	{ "a window that overflows", DEST("\"name\": \"g1\", \"window\": \"8388608T\""), "is too large" },
	{ "a negative window", DEST("\"name\": \"g1\", \"window\": \"-4M\""), "size '-4M' is negative" },
	{ "a negative number", DEST("\"name\": \"g1\", \"window\": -1"), "size is negative" },
	{ "a bad unit", DEST("\"name\": \"g1\", \"window\": \"4Q\""), "unknown unit 'Q' in size '4Q'" },
	{ "a word as size", DEST("\"name\": \"g1\", \"window\": \"big\""), "'big' is not a size" },
	{ "a fraction", DEST("\"name\": \"g1\", \"window\": 4.5"), "window: not a size" },
	{ "no pairs", DEST(G1 ", \"pairs\": 0"), "pairs is not a number from 1 to 8" },
	{ "too many pairs", DEST(G1 ", \"pairs\": 9"), "pairs is not a number from 1 to 8" },
	{ "a quota above the window", DEST(G1 ", \"quota\": \"4M\""), "quota 4M is above 2M" },
	{ "an odd quota", DEST(G1 ", \"quota\": \"1M\""), "quota 1M is not a multiple of 2M" },
	{ "a control segment above the window", DEST(G1 ", \"control\": \"8M\""), "control: above the window" },
	{ "a tiny control segment", DEST(G1 ", \"control\": \"64K\""), "control: not between 256K and 8M" },
	{ "a multicast address", DEST(G1 ", \"mac\": \"01:00:00:00:00:01\""), "mac '01:00:00:00:00:01' is not a station's address" },
	{ "a short address", DEST(G1 ", \"mac\": \"02:00\""), "mac '02:00' is not" },
	{ "no group of that name", DEST(G1 ", \"group\": \"nogroupofthatname\""), "there is no group 'nogroupofthatname'" },
	{ "a long socket path", DEST(G1 ", \"socket\": \"/tmp/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\""), "socket: longer than 107 characters" },
	{ "no socket", "{ \"destinations\": [ { " G1 " } ] }", "socket is missing, and no directory is configured" },
	{ "an unknown key in a destination", DEST(G1 ", \"wndow\": 1"), "destination g1: unknown key 'wndow'" },
	{ "a name twice", "{ \"directory\": \"@\", \"destinations\": [ { " G1 " }, { " G1 " } ] }", "destination g1 exists already" },
	{ "windows above the total", "{ \"directory\": \"@\", \"total\": \"6M\", \"destinations\": [ { " G1 " }, { \"name\": \"g2\", \"window\": \"4M\" } ] }", "destination g2: a window of 4M is above what is left of the total quota, 2M" },
	{ "no time to read", "{ \"stuck_seconds\": 0 }", "stuck_seconds is not a number" },
};

static bool leftovers(void)
{
	struct stat st;

	return !stat(in_dir("g1.sock"), &st) || !stat(in_dir("g2.sock"), &st) ||
		!stat(in_dir("ctl.sock"), &st);
}

/* One line, and it names the tool and the trouble */
static bool one_message(struct server *s, const char *expect)
{
	char *newline = strchr(s->log, '\n');

	if (newline && !newline[1] && strstr(s->log, expect) &&
	    !strncmp(s->log, "sluice-regiond: ", 16))
		return true;
	printf("# said: %s\n", s->log);
	return false;
}

void test_config(void)
{
	struct server s;
	unsigned int i;
	int started;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		started = server_start(&s, bad[i].json);
		ok(started && server_wait(&s) == 1 &&
		   one_message(&s, bad[i].expect) && !leftovers(),
		   "refused with its reason: %s", bad[i].what);
	}

	started = server_start(&s, "/* a comment */ { \"directory\": \"@\",\n"
			       "// another\n \"destinations\": [ { " G1 " } ] }");
	ok(!started && server_stop(&s) == 0, "comments are fine");
	started = server_start_limited(&s, DEST(G1), 300);
	ok(started && server_wait(&s) == 1 &&
	   one_message(&s, "raise LimitNOFILE"),
	   "too low a limit of files is told");
}
