// SPDX-License-Identifier: GPL-2.0
/*
 * Giving memory back: a thread per running request, at most one request per
 * destination at a time.
 *
 * A thread, because two of its steps may take as long as a client likes:
 * fallocate() waits for the file's lock, which every client holding the memfd
 * can take, and the write to an eventfd blocks when a client has filled the
 * counter and cleared O_NONBLOCK, a flag that all copies of a descriptor share.
 * The first ends by itself; the second is the only place where the thread can
 * be cancelled.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "regiond.h"

/* Slots per fallocate(): between them a cancelled request stops. */
#define PUNCH_STEP	16u

struct punch {
	atomic_uint refs;	/* the loop's and the thread's */
	atomic_bool cancelled;
	struct region *region;
	struct punch_request req;
	int doorbell_fd;	/* of the peer that asked, our own copy */
	int finished_fd;
	struct watch *finished;
	pthread_t thread;
	atomic_int status;	/* valid once finished_fd is readable */
};

static void punch_put(struct punch *p)
{
	if (atomic_fetch_sub(&p->refs, 1) != 1)
		return;
	region_put(p->region);
	close(p->doorbell_fd);
	close(p->finished_fd);
	free(p);
}

static int punch_slots(struct punch *p)
{
	uint32_t slot = p->req.first, left = p->req.count, n;
	int ret;

	for (; left; slot += n, left -= n) {
		if (atomic_load(&p->cancelled))
			return ECANCELED;
		n = left < PUNCH_STEP ? left : PUNCH_STEP;
		do {
			ret = fallocate(p->region->memfd,
					FALLOC_FL_PUNCH_HOLE |
					FALLOC_FL_KEEP_SIZE,
					(off_t)slot << SLUICE_SHM_SEGMENT_SHIFT,
					(off_t)n << SLUICE_SHM_SEGMENT_SHIFT);
		} while (ret && errno == EINTR &&
			 !atomic_load(&p->cancelled));
		if (ret)
			return errno;
	}
	return 0;
}

static void tell_finished(void *arg)
{
	struct punch *p = arg;
	uint64_t one = 1;

	/* ours alone, so neither full nor blocking */
	if (write(p->finished_fd, &one, sizeof(one)) != sizeof(one))
		abort();
	punch_put(p);
}

static void *punch_thread(void *arg)
{
	struct punch *p = arg;
	uint64_t one = 1;
	ssize_t ret;
	int status;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	status = region_check(p->region, &p->req);
	if (!status)
		status = punch_slots(p);
	region_answer(p->region, p->req.seq, status);
	atomic_store(&p->status, status);

	pthread_cleanup_push(tell_finished, p);
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
	/* EAGAIN is a full counter: it rings anyway */
	ret = write(p->doorbell_fd, &one, sizeof(one));
	(void)ret;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	/* after the ring: a client that blocks it gets no second thread */
	pthread_cleanup_pop(1);
	return NULL;
}

/**
 * punch_start() - check and serve one request, answer it and ring who asked
 * @r: region; the punch takes a reference of its own
 * @snap: private copy of the request, unchecked
 * @doorbell_fd: vector 0 of the peer that asked; copied
 * @finished: its fd is set; becomes readable at the end
 *
 * Return: the running punch, or NULL if there was no memory, thread or
 * descriptor for it. The loop ends it by punch_finish() or punch_abandon().
 */
struct punch *punch_start(struct region *r, const struct punch_request *snap,
			  int doorbell_fd, struct watch *finished)
{
	pthread_attr_t attr;
	struct punch *p;
	int ret;

	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	atomic_init(&p->refs, 2);
	atomic_init(&p->cancelled, false);
	atomic_init(&p->status, 0);
	p->req = *snap;
	p->region = r;
	p->finished = finished;
	p->doorbell_fd = fcntl(doorbell_fd, F_DUPFD_CLOEXEC, 0);
	if (p->doorbell_fd < 0)
		goto err_free;
	p->finished_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (p->finished_fd < 0)
		goto err_doorbell;
	finished->fd = p->finished_fd;
	if (loop_add(finished, EPOLLIN))
		goto err_finished;

	region_get(r);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 256 << 10);
	/* signals are blocked everywhere but in the loop's wait: inherited */
	ret = pthread_create(&p->thread, &attr, punch_thread, p);
	pthread_attr_destroy(&attr);
	if (ret)
		goto err_region;
	return p;

err_region:
	region_put(r);
	loop_remove(finished);
err_finished:
	close(p->finished_fd);
err_doorbell:
	close(p->doorbell_fd);
err_free:
	free(p);
	return NULL;
}

/**
 * punch_finish() - take the result; @p is gone afterwards
 * @p: its descriptor became readable
 * @seq: of the request
 * @slots: slots given back
 *
 * Return: 0 or a positive errno.
 */
int punch_finish(struct punch *p, uint32_t *seq, uint64_t *slots)
{
	int status = atomic_load(&p->status);

	pthread_join(p->thread, NULL);
	*seq = p->req.seq;
	*slots = status ? 0 : p->req.count;
	loop_remove(p->finished);
	punch_put(p);
	return status;
}

/**
 * punch_cancel() - stop soon and answer ECANCELED, unless already done
 * @p: running punch; still ends by punch_finish() or punch_abandon()
 */
void punch_cancel(struct punch *p)
{
	atomic_store(&p->cancelled, true);
	/* the doorbell may be one that blocks for ever */
	pthread_cancel(p->thread);
}

/**
 * punch_abandon() - cancel, and don't wait for the end
 * @p: running punch; gone for the loop afterwards
 *
 * For a region that nobody will use again.
 */
void punch_abandon(struct punch *p)
{
	punch_cancel(p);
	pthread_detach(p->thread);
	loop_remove(p->finished);
	punch_put(p);
}
