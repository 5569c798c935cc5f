// SPDX-License-Identifier: GPL-2.0
/*
 * Waiting for what the kernel goes on to do after a request.
 *
 * The wait reads the destination's state; events only wake it up. So a lost event, an
 * end that came before the first look, and a tool that is killed all do no harm.
 */
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

#define LOOK_MS		500	/* backstop if no event comes */

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

static int wait_end(struct nl *nl, struct nl *events, const struct dest_wait *w,
		    const struct dest_ref *ref, const sigset_t *unblocked)
{
	uint64_t end = now_ms() + w->ms, shown = UINT64_MAX;
	char text[SIZE_TEXT];
	int status, verdict;
	struct dest d;

	for (;;) {
		status = dest_read(nl, ref, &d);
		if (status)
			return status;
		progress(&d, w->target, &shown);
		if (!d.resizing || interrupted || now_ms() >= end)
			progress_end(shown);
		verdict = w->judge(&d, w->arg);
		if (verdict < 0 && now_ms() >= end && w->late)
			verdict = w->late(&d, w->ms);
		dest_free(&d);
		if (verdict >= 0)
			return verdict;
		if (interrupted)
			return fail(EXIT_UNFINISHED, "stopped waiting; %s goes on", w->what);
		if (now_ms() >= end)
			return fail(EXIT_UNFINISHED, "not done after %s; %s goes on",
				    time_format(w->ms, text), w->what);
		pause_for_event(events, unblocked);
	}
}

int dest_wait(struct nl *nl, const struct dest_wait *w)
{
	const struct sigaction action = { .sa_handler = on_signal };
	struct dest_ref ref = { .typed = w->ref->typed };
	sigset_t blocked, unblocked;
	struct nl events;
	struct dest d;
	int status;

	if (!w->ms)
		return w->request(nl, w->arg);

	/* a name may come to mean another one while we wait */
	status = dest_read(nl, w->ref, &d);
	if (status)
		return status;
	ref.ifindex = d.ifindex;
	if (!ref.ifindex)
		ref.name = w->ref->name;
	dest_free(&d);

	/* before the request: nothing that follows it is missed */
	status = nl_events_open(&events, false);
	if (status)
		return status;
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGINT);
	sigprocmask(SIG_BLOCK, &blocked, &unblocked);
	sigdelset(&unblocked, SIGINT);
	sigaction(SIGINT, &action, NULL);

	status = w->request(nl, w->arg);
	if (!status)
		status = wait_end(nl, &events, w, &ref, &unblocked);
	nl_close(&events);
	return status;
}
