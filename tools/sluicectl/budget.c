// SPDX-License-Identifier: GPL-2.0
/* The budget: memory that all regions which are sized automatically share. */
#include <inttypes.h>
#include <libmnl/libmnl.h>
#include <stdio.h>
#include <string.h>

#include "decode.h"
#include "netlink.h"
#include "output.h"
#include "size.h"
#include "sluicectl.h"

static const char budget_help[] =
"Usage: sluicectl [OPTIONS] budget show\n"
"       sluicectl budget set { SIZE | none }\n"
"\n"
"What the destinations with \"auto\" may take together. If it is short, each gets its\n"
"floor and a part of the rest by its weight.\n";

static int read_budget(const struct nlmsghdr *nlh, void *arg)
{
	return budget_decode(nlh, arg);
}

static void print_budget(const struct budget *b)
{
	char limit[SIZE_TEXT] = "none", used[SIZE_TEXT], floor[SIZE_TEXT];

	if (b->has & HAS(SLUICE_A_BUDGET_LIMIT_BYTES))
		size_format(b->limit_bytes, limit);
	printf("budget %s used %s floors %s destinations %" PRIu32 "\n", limit,
	       size_format(b->used_bytes, used), size_format(b->floor_bytes, floor), b->dests);
	printf("    quarantined %s of at most %s\n", size_format(b->quarantined_bytes, used),
	       size_format(b->quarantine_max_bytes, limit));
}

static void json_budget(const struct budget *b)
{
	struct json_object *o = json_new();

	if (b->has & HAS(SLUICE_A_BUDGET_LIMIT_BYTES))
		json_number(o, "limit_bytes", b->limit_bytes);
	json_number(o, "used_bytes", b->used_bytes);
	json_number(o, "floor_bytes", b->floor_bytes);
	json_number(o, "dests", b->dests);
	json_number(o, "quarantined_bytes", b->quarantined_bytes);
	json_number(o, "quarantine_max_bytes", b->quarantine_max_bytes);
	json_print(o);
}

static int budget_show(char **args)
{
	struct budget b = { 0 };
	struct nl_error error;
	struct nl nl;
	int status;

	if (*args)
		return fail(EXIT_USAGE, "there is one budget: what is '%s'?", *args);
	status = nl_open(&nl);
	if (status)
		return status;
	nl_begin(&nl, SLUICE_CMD_BUDGET_GET, false);
	status = nl_talk(&nl, read_budget, &b, &error);
	nl_close(&nl);
	if (status)
		return status == EXIT_REFUSED ? nl_tell(&error) : status;
	if (opt.json)
		json_budget(&b);
	else
		print_budget(&b);
	return EXIT_OK;
}

static int budget_set(char **args)
{
	const char *value = *args, *wrong;
	struct nlmsghdr *nlh;
	uint64_t bytes = 0;
	struct nl nl;
	int status;

	if (!value)
		return fail(EXIT_USAGE, "budget set needs a size, or none");
	if (args[1])
		return fail(EXIT_USAGE, "there is one budget: what is '%s'?", args[1]);
	if (strcmp(value, "none")) {
		wrong = size_parse(value, &bytes);
		if (wrong)
			return fail(EXIT_USAGE, "budget '%s' %s", value, wrong);
	}
	status = nl_open(&nl);
	if (status)
		return status;
	nlh = nl_begin(&nl, SLUICE_CMD_BUDGET_SET, false);
	if (strcmp(value, "none"))
		mnl_attr_put_u64(nlh, SLUICE_A_BUDGET_LIMIT_BYTES, bytes);
	else
		mnl_attr_put(nlh, SLUICE_A_BUDGET_NO_LIMIT, 0, NULL);
	status = nl_ask(&nl);
	nl_close(&nl);
	return status;
}

int budget_main(char **args)
{
	static const struct verb verbs[] = {
		{ "show", budget_show },
		{ "set",  budget_set },
		{ "help", NULL },
		{ NULL,   NULL },
	};

	return object_run(verbs, args, budget_help);
}
