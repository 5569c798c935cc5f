// SPDX-License-Identifier: GPL-2.0
/* Destinations: what they are, which one is meant, "dest show". */
#include "dest.h"

#include <errno.h>
#include <inttypes.h>
#include <libmnl/libmnl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "decode.h"
#include "netlink.h"
#include "output.h"
#include "size.h"
#include "sluicectl.h"

const char dest_help[] =
"Usage: sluicectl [OPTIONS] dest show [NAME | dev NETDEV]\n"
"       sluicectl dest set { NAME | dev NETDEV } SETTING...\n"
"       sluicectl dest quiesce { NAME | dev NETDEV } [nowait | timeout TIME]\n"
"       sluicectl dest resume { NAME | dev NETDEV }\n"
"\n"
"SETTING := { size SIZE | auto AUTO | drain-timeout TIME |\n"
"             port { NETDEV | none } | nowait | timeout TIME }\n"
"AUTO    := { min SIZE max SIZE [weight N] | off }\n"
"SIZE    := digits and K, M, G or T, a multiple of the segment (2M); 0 is legal\n"
"TIME    := digits and ms, s or m\n"
"\n"
"A new size is waited for; \"nowait\" does not, \"timeout\" limits the wait, and\n"
"Ctrl-C ends the wait, not the resize. \"quiesce\" moves all traffic to the control\n"
"segment and ends when nothing else of the region is in use.\n";

int dest_ref_parse(char ***args, struct dest_ref *ref)
{
	char *word = **args;

	memset(ref, 0, sizeof(*ref));
	if (!word || !*word)
		return fail(EXIT_USAGE, "name a destination (sluicectl dest show lists them)");
	++*args;
	ref->name = word;
	ref->typed = word;
	if (!strcmp(word, "dev") && **args) {
		word = *(*args)++;
		ref->name = NULL;
		ref->typed = word;
		ref->ifindex = if_nametoindex(word);
		if (!ref->ifindex)
			return fail(EXIT_REFUSED, "there is no network interface '%s'", word);
	} else if (strlen(word) > SLUICE_NAME_MAX) {
		return fail(EXIT_REFUSED, "no destination '%s': names have at most %d characters",
			    word, SLUICE_NAME_MAX);
	}
	return EXIT_OK;
}

void dest_ref_put(struct nlmsghdr *nlh, const struct dest_ref *ref)
{
	if (ref->name)
		mnl_attr_put_strz(nlh, SLUICE_A_DEST_NAME, ref->name);
	else
		mnl_attr_put_u32(nlh, SLUICE_A_DEST_IFINDEX, ref->ifindex);
}

struct reading {
	struct dest *d;
	bool found;
};

static int read_one(const struct nlmsghdr *nlh, void *arg)
{
	struct reading *r = arg;
	int err;

	if (r->found)
		return 0;
	err = dest_decode(nlh, r->d);
	r->found = !err;
	return err;
}

int dest_read(struct nl *nl, const struct dest_ref *ref, struct dest *d)
{
	struct reading r = { .d = d };
	struct nl_error error;
	struct nlmsghdr *nlh;
	int status;

	nlh = nl_begin(nl, SLUICE_CMD_DEST_GET, false);
	dest_ref_put(nlh, ref);
	status = nl_talk(nl, read_one, &r, &error);
	if (status && r.found)
		dest_free(d);
	if (status == EXIT_REFUSED && !error.text[0] &&
	    (error.code == ENOENT || error.code == ENODEV))
		return fail(EXIT_REFUSED, "no destination '%s' (sluicectl dest show lists them)",
			    ref->typed);
	if (status == EXIT_REFUSED)
		return nl_tell(&error);
	if (!status && !r.found)
		return fail(EXIT_SYSTEM, "the kernel answered nothing about '%s'", ref->typed);
	return status;
}

struct dests {
	struct dest *d;
	size_t nr;
};

static int read_next(const struct nlmsghdr *nlh, void *arg)
{
	struct dests *all = arg;
	int err;

	all->d = reallocarray(all->d, all->nr + 1, sizeof(*all->d));
	if (!all->d)
		exit(fail(EXIT_SYSTEM, "out of memory"));
	err = dest_decode(nlh, &all->d[all->nr]);
	all->nr += !err;
	return err;
}

static int by_name(const void *a, const void *b)
{
	return strverscmp(((const struct dest *)a)->name, ((const struct dest *)b)->name);
}

/* The kernel has them in the order in which they came. */
int dest_each(struct nl *nl, void (*one)(const struct dest *d, void *arg), void *arg)
{
	struct dests all = { 0 };
	struct nl_error error;
	int status;
	size_t i;

	nl_begin(nl, SLUICE_CMD_DEST_GET, true);
	status = nl_talk(nl, read_next, &all, &error);
	if (all.nr)
		qsort(all.d, all.nr, sizeof(*all.d), by_name);
	for (i = 0; i < all.nr; i++) {
		one(&all.d[i], arg);
		dest_free(&all.d[i]);
	}
	free(all.d);
	return status == EXIT_REFUSED ? nl_tell(&error) : status;
}

static void mac_format(const uint8_t *mac, char buf[18])
{
	snprintf(buf, 18, "%02x:%02x:%02x:%02x:%02x:%02x",
		 mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

static struct json_object *json_segments(const struct dest *d)
{
	struct json_object *list = json_new_array();
	unsigned int i;

	for (i = 0; i < d->nr_segments; i++) {
		const struct segment *s = &d->segments[i];
		struct json_object *o = json_new();

		json_number(o, "slot", s->slot);
		json_enum(o, "state", segment_life_name(s->state), s->state);
		json_number(o, "epoch", s->epoch);
		json_number(o, "pages_out", s->pages_out);
		json_number(o, "age_ms", s->age_ms);
		if (s->holder[0])
			json_text(o, "holder", s->holder);
		json_append(list, o);
	}
	return list;
}

static struct json_object *json_stats(const struct dest *d)
{
	struct json_object *o = json_new();
	unsigned int attr;

	for (attr = 0; attr <= SLUICE_A_STATS_MAX; attr++)
		if (d->has_stats & HAS(attr))
			json_number(o, stats_name(attr), d->stats[attr]);
	return o;
}

#define TEXT_IF(attr, key, member) do {			\
		if (d->has & HAS(SLUICE_A_DEST_##attr))	\
			json_text(o, key, d->member);	\
	} while (0)
#define NUMBER_IF(attr, key, member) do {		\
		if (d->has & HAS(SLUICE_A_DEST_##attr))	\
			json_number(o, key, d->member);	\
	} while (0)

static struct json_object *json_dest(const struct dest *d)
{
	struct json_object *o = json_new();
	char mac[18];

	json_text(o, "name", d->name);
	NUMBER_IF(IFINDEX, "ifindex", ifindex);
	TEXT_IF(NETDEV, "netdev", netdev);
	TEXT_IF(PROVIDER, "provider", provider);
	TEXT_IF(CHANNEL, "channel", channel);
	json_enum(o, "state", dest_state_name(d->state), d->state);
	TEXT_IF(BROKEN_REASON, "broken_reason", broken_reason);
	NUMBER_IF(SESSION_COUNT, "session_count", session_count);
	if (d->has & HAS(SLUICE_A_DEST_MAC)) {
		mac_format(d->mac, mac);
		json_text(o, "mac", mac);
	}
	NUMBER_IF(PAIRS, "pairs", pairs);
	NUMBER_IF(REQUESTED_BYTES, "requested_bytes", requested_bytes);
	NUMBER_IF(PLUGGED_BYTES, "plugged_bytes", plugged_bytes);
	NUMBER_IF(LIMIT_BYTES, "limit_bytes", limit_bytes);
	TEXT_IF(LIMIT_REASON, "limit_reason", limit_reason);
	NUMBER_IF(WINDOW_BYTES, "window_bytes", window_bytes);
	NUMBER_IF(SEGMENT_BYTES, "segment_bytes", segment_bytes);
	NUMBER_IF(CONTROL_BYTES, "control_bytes", control_bytes);
	NUMBER_IF(QUARANTINED_BYTES, "quarantined_bytes", quarantined_bytes);
	json_flag(o, "resizing", d->resizing);
	TEXT_IF(REFUSED_REASON, "refused_reason", refused_reason);
	NUMBER_IF(DRAIN_TIMEOUT_MS, "drain_timeout_ms", drain_timeout_ms);
	TEXT_IF(PORT, "port", port);
	if (d->has & HAS(SLUICE_A_DEST_QUIESCE))
		json_enum(o, "quiesce", quiesce_state_name(d->quiesce), d->quiesce);
	NUMBER_IF(AUTO_MIN_BYTES, "auto_min_bytes", auto_min_bytes);
	NUMBER_IF(AUTO_MAX_BYTES, "auto_max_bytes", auto_max_bytes);
	NUMBER_IF(AUTO_WEIGHT, "auto_weight", auto_weight);
	TEXT_IF(AUTO_REASON, "auto_reason", auto_reason);
	if (opt.stats) {
		json_put(o, "stats", json_stats(d));
		json_put(o, "segments", json_segments(d));
	}
	return o;
}

static void print_stats(const struct dest *d)
{
	static const struct {
		const char *title;
		const char *prefix;
		unsigned int first, last;
	} rows[] = {
		{ "to guest", "to_guest_",
		  SLUICE_A_STATS_TO_GUEST_FRAMES, SLUICE_A_STATS_TO_GUEST_BOUNCE },
		{ "from guest", "from_guest_",
		  SLUICE_A_STATS_FROM_GUEST_FRAMES, SLUICE_A_STATS_FROM_GUEST_COPIED },
		{ "doorbells", "doorbells_",
		  SLUICE_A_STATS_DOORBELLS_SENT, SLUICE_A_STATS_DOORBELLS_RECEIVED },
		{ "dropped", "drop_",
		  SLUICE_A_STATS_DROP_NO_BUFFER, SLUICE_A_STATS_DROP_NO_MEMORY },
		{ "reach", "",
		  SLUICE_A_STATS_BOUNCE_CONSTRAINT, SLUICE_A_STATS_BOUNCE_CONSTRAINT },
		{ "segments", "",
		  SLUICE_A_STATS_REFUSED_SEGMENTS, SLUICE_A_STATS_QUARANTINED },
	};
	unsigned int i, attr;

	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		printf("    %-10s", rows[i].title);
		for (attr = rows[i].first; attr <= rows[i].last; attr++)
			if (d->has_stats & HAS(attr))
				printf("  %s %" PRIu64,
				       stats_name(attr) + strlen(rows[i].prefix),
				       d->stats[attr]);
		putchar('\n');
	}
}

/* Neighbours in the same state, with no page out, make one line. */
static void print_segments(const struct dest *d)
{
	char buf[16], age[SIZE_TEXT];
	unsigned int i, next;

	for (i = 0; i < d->nr_segments; i = next) {
		const struct segment *s = &d->segments[i];

		for (next = i + 1; next < d->nr_segments; next++)
			if (d->segments[next].state != s->state ||
			    strcmp(d->segments[next].holder, s->holder) ||
			    d->segments[next].slot != s->slot + (next - i) ||
			    d->segments[next].pages_out || s->pages_out)
				break;
		if (next > i + 1)
			printf("    segments %" PRIu32 "-%" PRIu32, s->slot,
			       d->segments[next - 1].slot);
		else
			printf("    segment %" PRIu32, s->slot);
		printf(" %s", enum_text(segment_life_name(s->state), s->state, buf));
		if (next == i + 1)
			printf(" epoch %" PRIu32 " pages-out %" PRIu32 " for %s",
			       s->epoch, s->pages_out, time_format(s->age_ms, age));
		if (s->holder[0])
			printf(", held by %s", s->holder);
		putchar('\n');
	}
}

/* How many are in which state, for those who do not look at each one. */
static void print_states(const struct dest *d)
{
	unsigned int i, state, nr, seen = 0;

	for (state = 0; state <= SLUICE_SEGMENT_LIFE_MAX; state++) {
		for (nr = 0, i = 0; i < d->nr_segments; i++)
			nr += d->segments[i].state == state;
		if (nr)
			printf("%s %u %s", seen++ ? "," : "    segments", nr,
			       segment_life_name(state));
	}
	if (seen)
		putchar('\n');
}

static void print_auto(const struct dest *d)
{
	char a[SIZE_TEXT], b[SIZE_TEXT], buf[16];

	if (d->has & HAS(SLUICE_A_DEST_AUTO_MAX_BYTES))
		printf("    auto min %s max %s weight %" PRIu32 "%s%s\n",
		       size_format(d->auto_min_bytes, a), size_format(d->auto_max_bytes, b),
		       d->auto_weight, d->auto_reason[0] ? ", last " : "", d->auto_reason);
	if (d->quiesce != SLUICE_QUIESCE_STATE_RUNNING)
		printf("    %s: traffic goes through the control segment\n",
		       enum_text(quiesce_state_name(d->quiesce), d->quiesce, buf));
}

static void print_dest(const struct dest *d)
{
	char a[SIZE_TEXT], b[SIZE_TEXT], buf[16], mac[18];

	printf("%s: state %s", d->name, enum_text(dest_state_name(d->state), d->state, buf));
	printf(" size %s", size_format(d->plugged_bytes, a));
	if (d->requested_bytes != d->plugged_bytes)
		printf(" requested %s", size_format(d->requested_bytes, b));
	printf(" limit %s", size_format(d->limit_bytes, a));
	if (d->resizing)
		printf(" resizing");
	printf("\n   ");
	if (d->netdev[0])
		printf(" netdev %s", d->netdev);
	if (d->provider[0])
		printf(" provider %s", d->provider);
	if (d->channel[0])
		printf(" channel %s", d->channel);
	if (d->port[0])
		printf(" port %s", d->port);
	if (d->has & HAS(SLUICE_A_DEST_MAC)) {
		mac_format(d->mac, mac);
		printf(" mac %s", mac);
	}
	printf(" pairs %" PRIu32 "\n", d->pairs);
	printf("    window %s segment %s", size_format(d->window_bytes, a),
	       size_format(d->segment_bytes, b));
	printf(" control %s", size_format(d->control_bytes, a));
	if (d->quarantined_bytes)
		printf(" quarantined %s", size_format(d->quarantined_bytes, a));
	printf(" drain-timeout %s sessions %" PRIu32 "\n",
	       time_format(d->drain_timeout_ms, a), d->session_count);
	print_auto(d);
	if (d->broken_reason[0])
		printf("    broken: %s\n", d->broken_reason);
	if (d->refused_reason[0])
		printf("    last resize: %s\n", d->refused_reason);
	if (d->limit_reason[0])
		printf("    limit: %s\n", d->limit_reason);
	if (opt.stats) {
		print_stats(d);
		print_segments(d);
	} else {
		print_states(d);
	}
}

struct showing {
	struct json_object *list;	/* NULL: as text */
	bool any;
};

static void show_one(const struct dest *d, void *arg)
{
	struct showing *showing = arg;

	showing->any = true;
	if (showing->list)
		json_append(showing->list, json_dest(d));
	else
		print_dest(d);
}

static int dest_show(char **args)
{
	struct showing showing = { 0 };
	struct dest_ref ref;
	struct nl nl;
	struct dest d;
	bool one = *args;
	int status;

	if (one) {
		status = dest_ref_parse(&args, &ref);
		if (status)
			return status;
		if (*args)
			return fail(EXIT_USAGE, "one destination at a time: what is '%s'?", *args);
	}
	status = nl_open(&nl);
	if (status)
		return status;
	showing.list = list_begin();
	if (one) {
		status = dest_read(&nl, &ref, &d);
		if (!status) {
			show_one(&d, &showing);
			dest_free(&d);
		}
	} else {
		status = dest_each(&nl, show_one, &showing);
	}
	nl_close(&nl);
	/* the backend is there, or that would have been told; a provider may not be */
	if (!status && !showing.any && !showing.list)
		fputs("note: no destinations here: is sluice_ivshmem or sluice_xen loaded?\n",
		      stderr);
	return list_end(showing.list, status);
}

int dest_main(char **args)
{
	static const struct verb verbs[] = {
		{ "show", dest_show },
		{ "list", dest_show },
		{ "set",  dest_set },
		{ "quiesce", dest_quiesce },
		{ "resume", dest_resume },
		{ "help", NULL },
		{ NULL,   NULL },
	};

	return object_run(verbs, args, dest_help);
}
