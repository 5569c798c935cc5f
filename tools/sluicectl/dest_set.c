// SPDX-License-Identifier: GPL-2.0
/*
 * "dest set": one message with every setting, which the kernel takes whole or not at
 * all; then, for a size, wait for the end of the resize.
 *
 * The wait reads the destination's state; events only wake it up. So a lost event, a
 * resize that ended before the first look, and a tool that is killed all do no harm.
 */
#include <errno.h>
#include <inttypes.h>
#include <libmnl/libmnl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "decode.h"
#include "dest.h"
#include "netlink.h"
#include "size.h"
#include "sluicectl.h"

#define WAIT_DEFAULT_MS	(120 * 1000)
#define LOOK_MS		500	/* backstop if no event comes */

struct setting {
	struct dest_ref ref;
	bool has_size;
	uint64_t size;
	bool has_drain;
	uint32_t drain_ms;
	const char *port;		/* NULL: as it is; "" unbinds */
	bool wait;
	uint32_t wait_ms;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
	(void)sig;
	interrupted = 1;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ull + t.tv_nsec / 1000000;
}

static int set_size(const char *value, struct setting *s)
{
	const char *wrong = size_parse(value, &s->size);

	if (wrong)
		return fail(EXIT_USAGE, "size '%s' %s", value, wrong);
	s->has_size = true;
	return EXIT_OK;
}

static int set_drain(const char *value, struct setting *s)
{
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

static int set_port(const char *value, struct setting *s)
{
	if (!strcmp(value, "none")) {
		s->port = "";
		return EXIT_OK;
	}
	if (!*value || strlen(value) > SLUICE_PORT_NAME_MAX)
		return fail(EXIT_USAGE, "port '%s' is not the name of a network interface", value);
	s->port = value;
	return EXIT_OK;
}

static int set_timeout(const char *value, struct setting *s)
{
	const char *wrong = time_parse(value, &s->wait_ms);

	if (wrong)
		return fail(EXIT_USAGE, "timeout '%s' %s", value, wrong);
	return EXIT_OK;
}

static int settings_parse(char **args, struct setting *s)
{
	static const struct {
		const char *name;
		int (*set)(const char *value, struct setting *s);
	} keys[] = {
		{ "size", set_size },
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
				    "unknown setting '%s': use size, drain-timeout, port, nowait or timeout",
				    key);
		if (seen & (1u << i))
			return fail(EXIT_USAGE, "%s is given twice", key);
		seen |= 1u << i;
		if (!*args)
			return fail(EXIT_USAGE, "%s needs a value", key);
		status = keys[i].set(*args++, s);
		if (status)
			return status;
	}
	if (!s->has_size && !s->has_drain && !s->port)
		return fail(EXIT_USAGE, "nothing to set: give size, drain-timeout or port");
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

static int request(struct nl *nl, const struct setting *s)
{
	struct nl_error error;
	struct nlmsghdr *nlh;
	int status;

	nlh = nl_begin(nl, SLUICE_CMD_DEST_SET, false);
	dest_ref_put(nlh, &s->ref);
	if (s->has_size)
		mnl_attr_put_u64(nlh, SLUICE_A_DEST_REQUESTED_BYTES, s->size);
	if (s->has_drain)
		mnl_attr_put_u32(nlh, SLUICE_A_DEST_DRAIN_TIMEOUT_MS, s->drain_ms);
	if (s->port)
		mnl_attr_put_strz(nlh, SLUICE_A_DEST_PORT, s->port);
	status = nl_talk(nl, NULL, NULL, &error);
	return status == EXIT_REFUSED ? nl_tell(&error) : status;
}

/* One line that follows the size; only on a terminal. */
static void progress(const struct dest *d, uint64_t target, uint64_t *shown)
{
	char a[SIZE_TEXT], b[SIZE_TEXT];

	if (d->plugged_bytes == *shown || !isatty(STDERR_FILENO))
		return;
	*shown = d->plugged_bytes;
	fprintf(stderr, "\r\033[K%s: %s, going to %s", d->name,
		size_format(d->plugged_bytes, a), size_format(target, b));
}

static void progress_end(uint64_t shown)
{
	if (shown != UINT64_MAX)
		fputs("\r\033[K", stderr);
}

/* -1 as long as the resize goes on, else the exit status. */
static int judge(const struct setting *s, const struct dest *d)
{
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

/* Until something happens, at most LOOK_MS. */
static void pause_for_event(struct nl *events, const sigset_t *unblocked)
{
	const struct timespec look = { 0, LOOK_MS * 1000000L };
	struct pollfd fd = { .fd = nl_fd(events), .events = POLLIN };

	if (ppoll(&fd, 1, &look, unblocked) <= 0)
		return;
	/* what they say is read from the destination itself */
	while (nl_events_receive(events) > 0)
		;
}

static int wait_resize(struct nl *nl, struct nl *events, const struct setting *s,
		       const struct dest_ref *ref, const sigset_t *unblocked)
{
	uint64_t end = now_ms() + s->wait_ms, shown = UINT64_MAX;
	char text[SIZE_TEXT];
	int status, verdict;
	struct dest d;

	for (;;) {
		status = dest_read(nl, ref, &d);
		if (status)
			return status;
		progress(&d, s->size, &shown);
		if (!d.resizing || interrupted || now_ms() >= end)
			progress_end(shown);
		verdict = judge(s, &d);
		dest_free(&d);
		if (verdict >= 0)
			return verdict;
		if (interrupted)
			return fail(EXIT_UNFINISHED, "stopped waiting; the resize goes on");
		if (now_ms() >= end)
			return fail(EXIT_UNFINISHED, "not done after %s; the resize goes on",
				    time_format(s->wait_ms, text));
		pause_for_event(events, unblocked);
	}
}

static int set_and_wait(struct nl *nl, const struct setting *s)
{
	const struct sigaction action = { .sa_handler = on_signal };
	struct dest_ref ref = { .typed = s->ref.typed };
	sigset_t blocked, unblocked;
	struct nl events;
	struct dest d;
	int status;

	status = dest_read(nl, &s->ref, &d);
	if (status)
		return status;
	ref.ifindex = d.ifindex;
	if (!ref.ifindex)
		ref.name = s->ref.name;
	status = size_check(s, &d);
	dest_free(&d);
	if (status)
		return status;
	if (!s->wait)
		return request(nl, s);

	/* before the request: nothing that follows it is missed */
	status = nl_events_open(&events, false);
	if (status)
		return status;
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGINT);
	sigprocmask(SIG_BLOCK, &blocked, &unblocked);
	sigdelset(&unblocked, SIGINT);
	sigaction(SIGINT, &action, NULL);

	status = request(nl, s);
	if (!status)
		status = wait_resize(nl, &events, s, &ref, &unblocked);
	nl_close(&events);
	return status;
}

int dest_set(char **args)
{
	struct setting s = { .wait = true, .wait_ms = WAIT_DEFAULT_MS };
	struct nl nl;
	int status;

	status = dest_ref_parse(&args, &s.ref);
	if (!status)
		status = settings_parse(args, &s);
	if (!status)
		status = nl_open(&nl);
	if (status)
		return status;
	status = s.has_size ? set_and_wait(&nl, &s) : request(&nl, &s);
	nl_close(&nl);
	return status;
}
