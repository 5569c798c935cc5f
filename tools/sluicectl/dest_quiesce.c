// SPDX-License-Identifier: GPL-2.0
/*
 * "dest quiesce" and "dest resume": for live migration, dirty tracking and memory
 * that is to be unplugged.
 */
#include <libmnl/libmnl.h>
#include <stdio.h>
#include <string.h>

#include "decode.h"
#include "dest.h"
#include "netlink.h"
#include "size.h"
#include "sluicectl.h"

struct quiesce {
	struct dest_ref ref;
	uint32_t state;		/* enum sluice_quiesce_state */
};

static int request(struct nl *nl, const void *arg)
{
	const struct quiesce *q = arg;
	struct nlmsghdr *nlh = nl_begin(nl, SLUICE_CMD_DEST_SET, false);

	dest_ref_put(nlh, &q->ref);
	mnl_attr_put_u32(nlh, SLUICE_A_DEST_QUIESCE, q->state);
	return nl_ask(nl);
}

/* -1 as long as something of the region is in use, else the exit status. */
static int judge(const struct dest *d, const void *arg)
{
	(void)arg;
	if (d->quiesce == SLUICE_QUIESCE_STATE_QUIESCED)
		return EXIT_OK;
	if (d->quiesce == SLUICE_QUIESCE_STATE_RUNNING)
		return fail(EXIT_UNFINISHED, "another command has resumed %s meanwhile", d->name);
	return -1;
}

/* It is not over, so say who is in the way. */
static int late(const struct dest *d, uint32_t ms)
{
	char text[SIZE_TEXT];
	unsigned int i;

	for (i = 0; i < d->nr_segments; i++)
		if (d->segments[i].holder[0])
			return fail(EXIT_UNFINISHED,
				    "not empty after %s: segment %u is held by %s; quiescing goes on",
				    time_format(ms, text), d->segments[i].slot,
				    d->segments[i].holder);
	return -1;
}

int dest_quiesce(char **args)
{
	struct quiesce q = { .state = SLUICE_QUIESCE_STATE_QUIESCED };
	struct dest_wait wait = {
		.ref = &q.ref,
		.what = "quiescing",
		.ms = DEST_WAIT_DEFAULT_MS,
		.request = request,
		.judge = judge,
		.late = late,
		.arg = &q,
	};
	const char *wrong;
	struct nl nl;
	int status;

	status = dest_ref_parse(&args, &q.ref);
	if (status)
		return status;
	if (*args && !strcmp(*args, "nowait")) {
		wait.ms = 0;
		args++;
	} else if (*args && !strcmp(*args, "timeout")) {
		if (!args[1])
			return fail(EXIT_USAGE, "timeout needs a value");
		wrong = time_parse(args[1], &wait.ms);
		if (wrong)
			return fail(EXIT_USAGE, "timeout '%s' %s", args[1], wrong);
		if (!wait.ms)
			return fail(EXIT_USAGE, "timeout '%s' waits for nothing: use nowait",
				    args[1]);
		args += 2;
	}
	if (*args)
		return fail(EXIT_USAGE, "quiesce takes nowait or timeout TIME: what is '%s'?",
			    *args);
	status = nl_open(&nl);
	if (status)
		return status;
	status = dest_wait(&nl, &wait);
	nl_close(&nl);
	return status;
}

int dest_resume(char **args)
{
	struct quiesce q = { .state = SLUICE_QUIESCE_STATE_RUNNING };
	struct nl nl;
	int status;

	status = dest_ref_parse(&args, &q.ref);
	if (status)
		return status;
	if (*args)
		return fail(EXIT_USAGE, "resume takes nothing: what is '%s'?", *args);
	status = nl_open(&nl);
	if (status)
		return status;
	status = request(&nl, &q);
	nl_close(&nl);
	return status;
}
