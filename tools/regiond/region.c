// SPDX-License-Identifier: GPL-2.0
/*
 * A destination's memory: a memfd that can neither shrink nor grow, and the
 * host page in it. See include/uapi/linux/sluice_shm.h for the contract.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "regiond.h"

/*
 * Peers write the page while we use it: every access is one load or store of a
 * volatile word, and nothing that decides anything is ever read back.
 */
static uint32_t load32(const __le32 *shared)
{
	return le32toh(__atomic_load_n(shared, __ATOMIC_ACQUIRE));
}

static void store32(__le32 *shared, uint32_t v)
{
	__atomic_store_n(shared, htole32(v), __ATOMIC_RELEASE);
}

#define SEALS	(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* Takes @memfd, also when it fails */
static struct region *region_of(const struct dest_spec *spec, int memfd,
				struct error *err)
{
	long page = sysconf(_SC_PAGESIZE);
	struct region *r;

	r = calloc(1, sizeof(*r));
	if (!r) {
		fail(err, "out of memory");
		goto err_close;
	}
	atomic_init(&r->refs, 1);
	r->memfd = memfd;
	r->bytes = spec->window_bytes;
	r->window_slots = spec->window_bytes >> SLUICE_SHM_SEGMENT_SHIFT;
	r->ctrl_slots = (spec->control_bytes + SLUICE_SHM_SEGMENT_BYTES - 1) >>
		SLUICE_SHM_SEGMENT_SHIFT;
	r->map_bytes = SLUICE_SHM_AREA_OFF;
	if (r->map_bytes < (size_t)page)
		r->map_bytes = page;
	r->map = mmap(NULL, r->map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
		      memfd, 0);
	if (r->map == MAP_FAILED) {
		fail(err, "mmap: %s", strerror(errno));
		goto err_free;
	}
	r->shared = (void *)((char *)r->map + SLUICE_SHM_HOST_OFF);
	return r;

err_free:
	free(r);
err_close:
	close(memfd);
	return NULL;
}

/**
 * region_new() - make the memory and publish its host page
 * @spec: size, name and limits
 * @doorbell: the server's peer id
 * @err: message
 *
 * The memory is zero and nothing is allocated but the first page. A peer cannot
 * change the size or add a seal: a shrunk file would kill the other QEMU by
 * SIGBUS.
 *
 * Return: a region with one reference, or NULL.
 */
struct region *region_new(const struct dest_spec *spec, uint32_t doorbell,
			  struct error *err)
{
	char label[64];
	struct region *r;
	int memfd;

	snprintf(label, sizeof(label), "sluice-%s", spec->name);
	memfd = memfd_create(label, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (memfd < 0) {
		fail(err, "memfd_create: %s", strerror(errno));
		return NULL;
	}
	if (ftruncate(memfd, spec->window_bytes) ||
	    fcntl(memfd, F_ADD_SEALS, SEALS)) {
		fail(err, "cannot size and seal the memory of %s: %s",
		     spec->name, strerror(errno));
		close(memfd);
		return NULL;
	}
	r = region_of(spec, memfd, err);
	if (r)
		region_publish(r, spec, doorbell, 0);
	return r;
}

/**
 * region_adopt() - the memory that a former server made
 * @spec: of the same destination
 * @memfd: taken, also when it fails
 * @err: message
 *
 * Its host page is as the peers left it: publish it.
 *
 * Return: a region with one reference, or NULL.
 */
struct region *region_adopt(const struct dest_spec *spec, int memfd,
			    struct error *err)
{
	struct stat st;

	int seals = fcntl(memfd, F_GET_SEALS);

	/* there may be more of them: the host's vm.memfd_noexec adds one */
	if (fstat(memfd, &st) || (uint64_t)st.st_size != spec->window_bytes ||
	    seals < 0 || (seals & SEALS) != SEALS) {
		fail(err, "what the service manager kept is not its memory");
		close(memfd);
		return NULL;
	}
	return region_of(spec, memfd, err);
}

void region_get(struct region *r)
{
	atomic_fetch_add(&r->refs, 1);
}

/**
 * region_put() - drop a reference
 * @r: region
 *
 * With the last one our descriptor goes; the kernel keeps the memory for as
 * long as a QEMU maps it.
 */
void region_put(struct region *r)
{
	if (atomic_fetch_sub(&r->refs, 1) != 1)
		return;
	munmap(r->map, r->map_bytes);
	close(r->memfd);
	free(r);
}

/**
 * region_publish() - write the server's half of the host page
 * @r: region
 * @spec: what to say
 * @doorbell: the server's peer id
 * @peers: how many are connected, or are about to be
 *
 * Called again before each join, at changes and while peers are there: a guest may have
 * scribbled over it, and the driver domain shall not go on with that. The answer
 * words (done_seq, done_status) are left alone.
 */
void region_publish(struct region *r, const struct dest_spec *spec,
		    uint32_t doorbell, unsigned int peers)
{
	struct sluice_shm_host *shared = r->shared;

	__atomic_store_n(&shared->version, htole16(SLUICE_SHM_HOST_VERSION),
			 __ATOMIC_RELAXED);
	__atomic_store_n(&shared->max_pairs, htole16(spec->pairs),
			 __ATOMIC_RELAXED);
	/* strncpy's padding is what the ABI asks for */
	strncpy((char *)shared->name, spec->name, sizeof(shared->name));
	memcpy(shared->mac, spec->mac, sizeof(shared->mac));
	__atomic_store_n(&shared->quota_bytes, htole64(spec->quota_bytes),
			 __ATOMIC_RELAXED);
	store32(&shared->doorbell, doorbell);
	store32(&shared->peers, peers);
	/* last: whoever sees the magic (acquire) sees the rest */
	store32(&shared->magic, SLUICE_SHM_HOST_MAGIC);
}

/**
 * region_snapshot() - one read of the backend's request
 * @r: region
 * @snap: private copy
 *
 * The sequence number is read first (acquire, pairs with the backend's release
 * of req_seq); the writer waits for the answer before it writes the next one. A
 * peer that doesn't gets a mixture of its own requests checked.
 */
void region_snapshot(const struct region *r, struct punch_request *snap)
{
	snap->seq = load32(&r->shared->req_seq);
	snap->op = load32(&r->shared->req_op);
	snap->first = load32(&r->shared->req_first);
	snap->count = load32(&r->shared->req_count);
}

/**
 * region_check() - may this request be served?
 * @r: region
 * @snap: private copy
 *
 * The control segment's length is the operator's word, not the one in the
 * peers' header.
 *
 * Return: 0, or a positive errno for done_status.
 */
int region_check(const struct region *r, const struct punch_request *snap)
{
	if (snap->op != SLUICE_SHM_HOST_PUNCH)
		return EOPNOTSUPP;
	if (!snap->count)
		return EINVAL;
	if (snap->first < r->ctrl_slots)
		return EPERM;
	/* 64 bits, so that first + count does not wrap */
	if ((uint64_t)snap->first + snap->count > r->window_slots)
		return ERANGE;
	return 0;
}

/**
 * region_answer() - publish the outcome of a request
 * @r: region
 * @seq: of the request
 * @status: 0 or a positive errno
 */
void region_answer(struct region *r, uint32_t seq, uint32_t status)
{
	store32(&r->shared->done_status, status);
	/* release: who sees the number sees its status */
	store32(&r->shared->done_seq, seq);
}

/** region_used() - bytes of the host's memory that the region takes */
uint64_t region_used(const struct region *r)
{
	struct stat st;

	return fstat(r->memfd, &st) ? 0 : (uint64_t)st.st_blocks * 512;
}
