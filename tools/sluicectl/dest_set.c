// SPDX-License-Identifier: GPL-2.0
/*
 * "dest set": one message with every setting, which the kernel takes whole or not at
 * all; then, for a size, wait for the end of the resize.
 */
#include <errno.h>
#include <inttypes.h>
#include <libmnl/libmnl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "decode.h"
#include "dest.h"
#include "netlink.h"
#include "size.h"
#include "sluicectl.h"

enum automatic { AUTO_AS_IT_IS, AUTO_ON, AUTO_OFF };

struct setting {
	struct dest_ref ref;
	bool has_size;
	uint64_t size;
	bool has_drain;
	uint32_t drain_ms;
	const char *port;		/* NULL: as it is; "" unbinds */
	enum automatic automatic;
	uint64_t min, max;
	uint32_t weight;
	bool wait;
	uint32_t wait_ms;
};

static int set_size(char ***args, struct setting *s)
{
	const char *value = *(*args)++;
	const char *wrong = size_parse(value, &s->size);

	if (wrong)
		return fail(EXIT_USAGE, "size '%s' %s", value, wrong);
	s->has_size = true;
	return EXIT_OK;
}

static int set_drain(char ***args, struct setting *s)
{
	const char *value = *(*args)++;
	const char *wrong = time_parse(value, &s->drain_ms);
	char a[SIZE_TEXT], b[SIZE_TEXT];

	if (wrong)
		return fail(EXIT_USAGE, "drain-timeout '%s' %s", value, wrong);
	if (s->drain_ms < SLUICE_DRAIN_TIMEOUT_MIN ||
	    s->drain_ms > SLUICE_DRAIN_TIMEOUT_MAX)
		return fail(EXIT_USAGE, "drain-timeout '%s' must be between %s and %s", value,
			    time_format(SLUICE_DRAIN_TIMEOUT_MIN, a),
			    time_format(SLUICE_DRAIN_TIMEOUT_MAX, b));
	s->has_drain = true;
	return EXIT_OK;
}

static int set_port(char ***args, struct setting *s)
{
	const char *value = *(*args)++;

	if (!strcmp(value, "none")) {
		s->port = "";
		return EXIT_OK;
	}
	if (!*value || strlen(value) > SLUICE_PORT_NAME_MAX)
		return fail(EXIT_USAGE, "port '%s' is not the name of a network interface", value);
	s->port = value;
	return EXIT_OK;
}

static int set_timeout(char ***args, struct setting *s)
{
	const char *value = *(*args)++;
	const char *wrong = time_parse(value, &s->wait_ms);

	if (wrong)
		return fail(EXIT_USAGE, "timeout '%s' %s", value, wrong);
	if (!s->wait_ms)
		return fail(EXIT_USAGE, "timeout '%s' waits for nothing: use nowait", value);
	return EXIT_OK;
}

/* One number of "auto". */
static int set_bound(const char *key, const char *value, struct setting *s)
{
	const char *wrong;
	char *end;

	if (!value)
		return fail(EXIT_USAGE, "auto %s needs a value", key);
	if (strcmp(key, "weight")) {
		wrong = size_parse(value, strcmp(key, "min") ? &s->max : &s->min);
		return wrong ? fail(EXIT_USAGE, "auto %s '%s' %s", key, value, wrong) : EXIT_OK;
	}
	errno = 0;
	s->weight = strtoul(value, &end, 10);
	if (errno || *end || value[0] < '0' || value[0] > '9' || strlen(value) > 4 ||
	    !s->weight || s->weight > SLUICE_AUTO_WEIGHT_MAX)
		return fail(EXIT_USAGE, "auto weight '%s' must be a number from 1 to %d", value,
			    SLUICE_AUTO_WEIGHT_MAX);
	return EXIT_OK;
}

static int set_auto(char ***args, struct setting *s)
{
	static const char *const keys[] = { "min", "max", "weight" };
	char a[SIZE_TEXT], b[SIZE_TEXT];
	unsigned int seen = 0, i;
	int status;

	if (!strcmp(**args, "off")) {
		++*args;
		s->automatic = AUTO_OFF;
		return EXIT_OK;
	}
	s->weight = 1;
	while (**args) {
		for (i = 0; i < 3 && strcmp(**args, keys[i]); i++)
			;
		if (i == 3)
			break;
		if (seen & (1u << i))
			return fail(EXIT_USAGE, "auto %s is given twice", keys[i]);
		seen |= 1u << i;
		status = set_bound(keys[i], *++*args, s);
		if (status)
			return status;
		++*args;
	}
	if ((seen & 3) != 3)
		return fail(EXIT_USAGE, "auto takes min SIZE max SIZE, or off");
	if (s->min > s->max)
		return fail(EXIT_USAGE, "auto: the floor, %s, is above the ceiling, %s",
			    size_format(s->min, a), size_format(s->max, b));
	s->automatic = AUTO_ON;
	return EXIT_OK;
}

static int settings_parse(char **args, struct setting *s)
{
	static const struct {
		const char *name;
		int (*set)(char ***args, struct setting *s);
	} keys[] = {
		{ "size", set_size },
		{ "auto", set_auto },
		{ "drain-timeout", set_drain },
		{ "port", set_port },
		{ "timeout", set_timeout },
	};
	const size_t nr = sizeof(keys) / sizeof(*keys);
	unsigned int seen = 0;
	int status;
	size_t i;

	while (*args) {
		const char *key = *args++;

		if (!strcmp(key, "nowait")) {
			s->wait = false;
			continue;
		}
		for (i = 0; i < nr; i++)
			if (!strcmp(key, keys[i].name))
				break;
		if (i == nr)
			return fail(EXIT_USAGE,
				    "unknown setting '%s': use size, auto, drain-timeout, port, nowait or timeout",
				    key);
		if (seen & (1u << i))
			return fail(EXIT_USAGE, "%s is given twice", key);
		seen |= 1u << i;
		if (!*args)
			return fail(EXIT_USAGE, "%s needs a value", key);
		status = keys[i].set(&args, s);
		if (status)
			return status;
	}
	if (!s->has_size && !s->has_drain && !s->port && !s->automatic)
		return fail(EXIT_USAGE, "nothing to set: give size, auto, drain-timeout or port");
	if (s->has_size && s->automatic == AUTO_ON)
		return fail(EXIT_USAGE, "give either a size or auto");
	return EXIT_OK;
}

/* The kernel checks again; here the message can say what would do. */
static int size_check(const struct setting *s, const struct dest *d)
{
	char size[SIZE_TEXT], segment[SIZE_TEXT], low[SIZE_TEXT], high[SIZE_TEXT];
	uint64_t over = d->segment_bytes ? s->size % d->segment_bytes : 0;

	if (!over)
		return EXIT_OK;
	return fail(EXIT_USAGE, "size %s is not a multiple of the segment, %s: use %s or %s",
		    size_format(s->size, size), size_format(d->segment_bytes, segment),
		    size_format(s->size - over, low),
		    size_format(s->size - over + d->segment_bytes, high));
}

/* -1 as long as the resize goes on, else the exit status. */
static int judge(const struct dest *d, const void *arg)
{
	const struct setting *s = arg;
	char a[SIZE_TEXT], b[SIZE_TEXT];

	if (d->requested_bytes != s->size)
		return fail(EXIT_UNFINISHED, "another command has asked for %s meanwhile",
			    size_format(d->requested_bytes, a));
	if (d->resizing)
		return -1;
	if (d->plugged_bytes == s->size)
		return EXIT_OK;
	if (d->refused_reason[0])
		return fail(EXIT_REFUSED, "%s stays at %s: %s", d->name,
			    size_format(d->plugged_bytes, a), d->refused_reason);
	if (d->state == SLUICE_DEST_STATE_UP)
		return -1;
	fprintf(stderr, "note: no guest uses %s now: it gets %s when it connects\n",
		d->name, size_format(s->size, b));
	return EXIT_OK;
}

static int request(struct nl *nl, const void *arg)
{
	const struct setting *s = arg;
	struct nlmsghdr *nlh = nl_begin(nl, SLUICE_CMD_DEST_SET, false);

	dest_ref_put(nlh, &s->ref);
	if (s->has_size)
		mnl_attr_put_u64(nlh, SLUICE_A_DEST_REQUESTED_BYTES, s->size);
	if (s->has_drain)
		mnl_attr_put_u32(nlh, SLUICE_A_DEST_DRAIN_TIMEOUT_MS, s->drain_ms);
	if (s->port)
		mnl_attr_put_strz(nlh, SLUICE_A_DEST_PORT, s->port);
	if (s->automatic == AUTO_OFF)
		mnl_attr_put(nlh, SLUICE_A_DEST_AUTO_OFF, 0, NULL);
	if (s->automatic == AUTO_ON) {
		mnl_attr_put_u64(nlh, SLUICE_A_DEST_AUTO_MIN_BYTES, s->min);
		mnl_attr_put_u64(nlh, SLUICE_A_DEST_AUTO_MAX_BYTES, s->max);
		mnl_attr_put_u32(nlh, SLUICE_A_DEST_AUTO_WEIGHT, s->weight);
	}
	return nl_ask(nl);
}

static int set_size_and_wait(struct nl *nl, const struct setting *s)
{
	const struct dest_wait wait = {
		.ref = &s->ref,
		.what = "the resize",
		.target = s->size,
		.ms = s->wait ? s->wait_ms : 0,
		.request = request,
		.judge = judge,
		.arg = s,
	};
	struct dest d;
	int status;

	status = dest_read(nl, &s->ref, &d);
	if (status)
		return status;
	status = size_check(s, &d);
	dest_free(&d);
	return status ? status : dest_wait(nl, &wait);
}

int dest_set(char **args)
{
	struct setting s = { .wait = true, .wait_ms = DEST_WAIT_DEFAULT_MS };
	struct nl nl;
	int status;

	status = dest_ref_parse(&args, &s.ref);
	if (!status)
		status = settings_parse(args, &s);
	if (!status)
		status = nl_open(&nl);
	if (status)
		return status;
	status = s.has_size ? set_size_and_wait(&nl, &s) : request(&nl, &s);
	nl_close(&nl);
	return status;
}
