// SPDX-License-Identifier: GPL-2.0
/*
 * Events as they happen, one line or one JSON object each, written out at once.
 * Goes on when the module is unloaded, and hears it again when it comes back.
 */
#include <errno.h>
#include <inttypes.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "decode.h"
#include "netlink.h"
#include "output.h"
#include "size.h"
#include "sluicectl.h"

static const char monitor_help[] =
"Usage: sluicectl [-j] monitor [NAME]\n"
"\n"
"Prints events of all destinations, or of one, until it is ended.\n";

static void stamp(char buf[40])
{
	struct timespec t;
	struct tm tm;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &t);
	gmtime_r(&t.tv_sec, &tm);
	n = strftime(buf, 32, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf + n, 40 - n, ".%03uZ", (unsigned int)(t.tv_nsec / 1000000) % 1000);
}

static int flush(void)
{
	return output_finish(EXIT_OK);
}

/* About the family or this tool itself. */
static int tell(const char *event, const char *text)
{
	char time[40];

	stamp(time);
	if (opt.json) {
		struct json_object *o = json_new();

		json_text(o, "time", time);
		json_text(o, "event", event);
		json_text(o, "text", text);
		json_print(o);
	} else {
		printf("%s %s: %s\n", time, event, text);
	}
	return flush();
}

static void json_event(const struct event *e, const char *time)
{
	struct json_object *o = json_new();

	json_text(o, "time", time);
	json_enum(o, "event", event_type_name(e->type), e->type);
	json_text(o, "name", e->name);
	json_number(o, "ifindex", e->ifindex);
	if (e->has & HAS(SLUICE_A_EVENT_TEXT))
		json_text(o, "text", e->text);
	if (e->has & HAS(SLUICE_A_EVENT_REQUESTED_BYTES))
		json_number(o, "requested_bytes", e->requested_bytes);
	if (e->has & HAS(SLUICE_A_EVENT_PLUGGED_BYTES))
		json_number(o, "plugged_bytes", e->plugged_bytes);
	if (e->has & HAS(SLUICE_A_EVENT_SLOT))
		json_number(o, "slot", e->slot);
	if (e->has & HAS(SLUICE_A_EVENT_SEGMENT_STATE))
		json_enum(o, "segment_state", segment_life_name(e->segment_state),
			  e->segment_state);
	json_print(o);
}

static void print_event(const struct event *e, const char *time)
{
	char buf[16], text[SIZE_TEXT];

	printf("%s %s: %s", time, e->name, enum_text(event_type_name(e->type), e->type, buf));
	if (e->has & HAS(SLUICE_A_EVENT_SLOT))
		printf(" segment %" PRIu32, e->slot);
	if (e->has & HAS(SLUICE_A_EVENT_SEGMENT_STATE))
		printf(" %s", enum_text(segment_life_name(e->segment_state),
					e->segment_state, buf));
	if (e->has & HAS(SLUICE_A_EVENT_PLUGGED_BYTES))
		printf(" size %s", size_format(e->plugged_bytes, text));
	if (e->has & HAS(SLUICE_A_EVENT_REQUESTED_BYTES))
		printf(" requested %s", size_format(e->requested_bytes, text));
	if (e->text[0])
		printf(": %s", e->text);
	putchar('\n');
}

static int show_message(struct nl *nl, const struct nlmsghdr *nlh, const char *only)
{
	struct event e;
	char time[40];

	switch (nl_family_event(nlh)) {
	case CTRL_CMD_DELFAMILY:
		return tell("unloaded", "sluice_back is gone");
	case CTRL_CMD_NEWFAMILY:
		/* gone again already? then DELFAMILY follows */
		if (nl_events_join(nl))
			return EXIT_OK;
		return tell("loaded", "sluice_back is there");
	}
	if (nlh->nlmsg_type != nl->family || event_decode(nlh, &e))
		return EXIT_OK;
	if (only && strcmp(only, e.name))
		return EXIT_OK;
	stamp(time);
	if (opt.json)
		json_event(&e, time);
	else
		print_event(&e, time);
	return flush();
}

static int show_received(struct nl *nl, int left, const char *only)
{
	const struct nlmsghdr *nlh = (void *)nl->buf;
	int status = EXIT_OK;

	for (; !status && nl_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left))
		status = show_message(nl, nlh, only);
	return status;
}

static int monitor(const char *only)
{
	struct pollfd fds[2];
	struct nl nl;
	int status, n;

	status = nl_events_open(&nl, true);
	if (status)
		return status;
	fds[0] = (struct pollfd){ .fd = nl_fd(&nl), .events = POLLIN };
	/* whoever reads our output has gone: no event is needed to notice */
	fds[1] = (struct pollfd){ .fd = 1, .events = 0 };

	while (!status) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR) {
			status = fail(EXIT_SYSTEM, "poll: %s", strerror(errno));
			break;
		}
		if (fds[1].revents & (POLLERR | POLLNVAL))
			break;
		n = nl_events_receive(&nl);
		if (n > 0)
			status = show_received(&nl, n, only);
		else if (n == -ENOBUFS)
			status = tell("lost", "events came faster than they were read");
		else if (n < 0)
			status = fail(EXIT_SYSTEM, "netlink receive: %s", strerror(-n));
	}
	nl_close(&nl);
	return status;
}

int monitor_main(char **args)
{
	const char *name = *args;

	if (name && !strcmp(name, "help")) {
		fputs(monitor_help, stdout);
		return EXIT_OK;
	}
	if (name && args[1])
		return fail(EXIT_USAGE, "one destination at a time: what is '%s'?", args[1]);
	if (name && (!*name || strlen(name) > SLUICE_NAME_MAX))
		return fail(EXIT_USAGE, "'%s' cannot be the name of a destination", name);
	return monitor(name);
}
