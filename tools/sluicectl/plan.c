// SPDX-License-Identifier: GPL-2.0
/* What the destinations could still get, from the limits that are in force now. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "decode.h"
#include "dest.h"
#include "netlink.h"
#include "output.h"
#include "size.h"
#include "sluicectl.h"
#include "xen.h"

static const char plan_help[] =
"Usage: sluicectl [OPTIONS] plan\n"
"\n"
"Shows for each destination its size, its limit and the room in between, and\n"
"for some sizes how many destinations could have them and the memory it takes.\n"
"The memory itself is only taken, and can only be refused, when a size is set.\n"
"In Xen's dom0: what the grant tables of the domains leave room for.\n";

struct room {
	char name[NAME_TEXT];
	uint64_t size;
	uint64_t limit;
	uint32_t control;
	char reason[REASON_TEXT];
};

struct rooms {
	struct room *room;
	unsigned int nr;
	uint64_t segment_bytes;
	uint64_t max;
};

static void collect(const struct dest *d, void *arg)
{
	struct rooms *all = arg;
	struct room *r;

	r = reallocarray(all->room, all->nr + 1, sizeof(*r));
	if (!r)
		exit(fail(EXIT_SYSTEM, "out of memory"));
	all->room = r;
	r += all->nr++;
	memcpy(r->name, d->name, sizeof(r->name));
	memcpy(r->reason, d->limit_reason, sizeof(r->reason));
	r->size = d->plugged_bytes;
	r->limit = d->limit_bytes;
	r->control = d->control_bytes;
	if (d->segment_bytes)
		all->segment_bytes = d->segment_bytes;
	if (d->limit_bytes > all->max)
		all->max = d->limit_bytes;
}

static uint64_t room_left(const struct room *r)
{
	return r->limit > r->size ? r->limit - r->size : 0;
}

/* Destinations that could have @size, and all the memory if they had it. */
static unsigned int fitting(const struct rooms *all, uint64_t size, uint64_t *memory)
{
	unsigned int i, nr = 0;

	*memory = 0;
	for (i = 0; i < all->nr; i++) {
		if (all->room[i].limit < size)
			continue;
		nr++;
		*memory += size + all->room[i].control;
	}
	return nr;
}

static uint64_t next_size(uint64_t size, uint64_t segment_bytes)
{
	return size ? size * 4 : segment_bytes;
}

static void plan_json(const struct rooms *all, struct json_object *o)
{
	struct json_object *dests = json_new_array(), *sizes = json_new_array();
	uint64_t size, memory;
	unsigned int i;

	for (i = 0; i < all->nr; i++) {
		const struct room *r = &all->room[i];
		struct json_object *d = json_new();

		json_text(d, "name", r->name);
		json_number(d, "plugged_bytes", r->size);
		json_number(d, "limit_bytes", r->limit);
		json_number(d, "room_bytes", room_left(r));
		if (r->reason[0])
			json_text(d, "limit_reason", r->reason);
		json_append(dests, d);
	}
	for (size = 0; all->nr && size <= all->max; size = next_size(size, all->segment_bytes)) {
		struct json_object *s = json_new();

		json_number(s, "size_bytes", size);
		json_number(s, "dests", fitting(all, size, &memory));
		json_number(s, "memory_bytes", memory);
		json_append(sizes, s);
	}
	json_put(o, "dests", dests);
	json_put(o, "sizes", sizes);
}

static void plan_text(const struct rooms *all)
{
	char a[SIZE_TEXT], b[SIZE_TEXT], c[SIZE_TEXT];
	uint64_t size, memory;
	unsigned int i, nr;

	printf("%-16s %10s %10s %10s\n", "DESTINATION", "SIZE", "LIMIT", "ROOM");
	for (i = 0; i < all->nr; i++) {
		const struct room *r = &all->room[i];

		printf("%-16s %10s %10s %10s", r->name, size_format(r->size, a),
		       size_format(r->limit, b), size_format(room_left(r), c));
		printf("%s%s\n", r->reason[0] ? "  " : "", r->reason);
	}
	printf("\n%-16s %10s %10s\n", "SIZE OF EACH", "FITS", "MEMORY");
	for (size = 0; all->nr && size <= all->max; size = next_size(size, all->segment_bytes)) {
		nr = fitting(all, size, &memory);
		printf("%-16s %7u/%-2u %10s\n", size_format(size, a), nr, all->nr,
		       size_format(memory, b));
	}
}

/* Of the destinations of this machine. */
static int plan_dests(struct json_object *json)
{
	struct rooms all = { .segment_bytes = 2u << 20 };
	struct nl nl;
	int status;

	status = nl_open(&nl);
	if (status)
		return status;
	status = dest_each(&nl, collect, &all);
	nl_close(&nl);
	if (!status && json)
		plan_json(&all, json);
	else if (!status)
		plan_text(&all);
	if (!status)
		xen_grants_plan(json);
	free(all.room);
	return status;
}

/* Xen's dom0, whether this user and this build may see more of it or not. */
static bool in_dom0(void)
{
	const char *file = getenv("SLUICECTL_XEN_CAPABILITIES");	/* for the tests */
	char line[64] = "";
	FILE *f;

	f = fopen(file ? file : "/proc/xen/capabilities", "r");
	if (!f)
		return false;
	if (!fgets(line, sizeof(line), f))
		line[0] = '\0';
	fclose(f);
	return strstr(line, "control_d");
}

int plan_main(char **args)
{
	struct json_object *json = NULL;
	bool toolstack, backend;
	int status = EXIT_OK;

	if (*args && !strncmp(*args, "help", strlen(*args)) && **args) {
		fputs(plan_help, stdout);
		return EXIT_OK;
	}
	if (*args)
		return fail(EXIT_USAGE, "plan takes no argument '%s'", *args);
	if (opt.json)
		json = json_new();
	status = xen_plan(json);
	toolstack = status != EXIT_ABSENT;
	if (toolstack && status)
		goto out;
	/* dom0 need not be a driver domain itself. */
	backend = !access("/sys/module/sluice_back", F_OK);
	if (!toolstack && !backend && in_dom0()) {
		status = fail(EXIT_ABSENT, "in dom0 the plan is root's, of a sluicectl that was built where libxen-dev is");
		goto out;
	}
	backend |= !toolstack;
	if (toolstack && backend && !json)
		putchar('\n');
	status = backend ? plan_dests(json) : EXIT_OK;
out:
	if (json && !status)
		json_print(json);
	else
		json_object_put(json);
	return status;
}
