// SPDX-License-Identifier: GPL-2.0
/*
 * The event loop: one epoll set and a short list of timers.
 */
#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "regiond.h"

static int epfd = -1;
static struct timer *timers;	/* sorted by due */

int loop_init(void)
{
	epfd = epoll_create1(EPOLL_CLOEXEC);
	return epfd < 0 ? -1 : 0;
}

void loop_free(void)
{
	close(epfd);
	epfd = -1;
}

/**
 * loop_add() - start to watch w->fd
 * @w: caller's; must stay until loop_remove()
 * @events: EPOLL*
 *
 * Return: 0 or -1 with errno.
 */
int loop_add(struct watch *w, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };

	return epoll_ctl(epfd, EPOLL_CTL_ADD, w->fd, &ev);
}

void loop_change(struct watch *w, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };

	epoll_ctl(epfd, EPOLL_CTL_MOD, w->fd, &ev);
}

/*
 * Explicitly, before the close: clients hold copies of our eventfds, so a
 * close alone would leave them in the set and report a watch that is freed.
 */
void loop_remove(struct watch *w)
{
	epoll_ctl(epfd, EPOLL_CTL_DEL, w->fd, NULL);
}

/** loop_now() - milliseconds since some time before the start */
uint64_t loop_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void timer_cancel(struct timer *t)
{
	struct timer **pos;

	if (!t->armed)
		return;
	for (pos = &timers; *pos != t; pos = &(*pos)->next)
		;
	*pos = t->next;
	t->armed = false;
}

/**
 * timer_arm() - call t->expired once, @ms from now
 * @t: armed or not
 * @ms: delay
 */
void timer_arm(struct timer *t, unsigned int ms)
{
	struct timer **pos;

	timer_cancel(t);
	t->due = loop_now() + ms;
	for (pos = &timers; *pos && (*pos)->due <= t->due;
	     pos = &(*pos)->next)
		;
	t->next = *pos;
	*pos = t;
	t->armed = true;
}

static void run_timers(void)
{
	uint64_t now = loop_now();
	struct timer *t;

	while (timers && timers->due <= now) {
		t = timers;
		timer_cancel(t);
		t->expired(t);
	}
}

static int next_timeout(void)
{
	uint64_t now = loop_now();

	if (!timers)
		return -1;
	return timers->due <= now ? 0 : (int)(timers->due - now);
}

/**
 * loop_run() - serve until *stop
 * @stop: set by a signal handler or a command
 *
 * One event per wait: epoll hands ready descriptors out in turn, so it is
 * fair, and no event can be left over for a watch that a callback has freed.
 */
void loop_run(const volatile sig_atomic_t *stop)
{
	struct epoll_event ev;
	struct watch *w;
	sigset_t none;

	sigemptyset(&none);
	while (!*stop) {
		/* signals are only delivered here, so none is missed */
		if (epoll_pwait(epfd, &ev, 1, next_timeout(), &none) == 1) {
			w = ev.data.ptr;
			w->ready(w, ev.events);
		}
		run_timers();
	}
}
