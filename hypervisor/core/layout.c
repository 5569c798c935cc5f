// SPDX-License-Identifier: GPL-2.0
/*
 * The header of the backend page: written by a backend, believed by nobody.
 */
#include <sluice/session.h>

static int refuse(const char **error, const char *text, int err)
{
	*error = text;
	return err;
}

/**
 * sluice_header_read() - take and check a private copy of the header
 * @shared: start of the backend page
 * @mapped_bytes: what the provider has mapped from the start of the window for
 *	the control segment
 * @snap: the copy, valid on success only
 * @error: what is wrong and what to do
 *
 * Context: any. Return: 0, -EPROTO, or -EPROTONOSUPPORT for another ABI.
 */
int sluice_header_read(const struct sluice_shm_header *shared, u64 mapped_bytes,
		       struct sluice_shm_header_snap *snap, const char **error)
{
	struct sluice_shm_header_snap h;

	if (le32_to_cpu(READ_ONCE(shared->magic)) != SLUICE_SHM_MAGIC)
		return refuse(error, "no sluice header: is a backend attached to this memory?",
			      -EPROTO);
	if (le16_to_cpu(READ_ONCE(shared->abi_major)) != SLUICE_SHM_ABI_MAJOR)
		return refuse(error,
			      "backend speaks another ABI: load matching modules on both sides",
			      -EPROTONOSUPPORT);
	h.abi_minor = le16_to_cpu(READ_ONCE(shared->abi_minor));
	if (h.abi_minor > SLUICE_SHM_ABI_MINOR)
		h.abi_minor = SLUICE_SHM_ABI_MINOR;
	/* a later minor version may append to the header, never take away */
	if (le16_to_cpu(READ_ONCE(shared->header_bytes)) < sizeof(*shared))
		return refuse(error, "header is too short", -EPROTO);
	if (READ_ONCE(shared->segment_shift) != SLUICE_SHM_SEGMENT_SHIFT)
		return refuse(error, "segment size is not 2 MiB", -EPROTO);

	h.window_slots = le32_to_cpu(READ_ONCE(shared->window_slots));
	h.ctrl_slots = le32_to_cpu(READ_ONCE(shared->ctrl_slots));
	h.ctrl_bytes = le32_to_cpu(READ_ONCE(shared->ctrl_bytes));
	h.max_pairs = le16_to_cpu(READ_ONCE(shared->max_pairs));
	h.nr_doorbells = le16_to_cpu(READ_ONCE(shared->nr_doorbells));
	h.features = le32_to_cpu(READ_ONCE(shared->features));

	if (h.ctrl_bytes < SLUICE_SHM_CTRL_MIN || h.ctrl_bytes > SLUICE_SHM_CTRL_MAX ||
	    h.ctrl_bytes % SLUICE_SHM_PAGE)
		return refuse(error, "size of the control segment is out of range", -EPROTO);
	/* else we would touch memory that the provider did not map */
	if (h.ctrl_bytes > mapped_bytes)
		return refuse(error, "control segment is larger than the shared memory", -EPROTO);
	if (h.ctrl_slots != (h.ctrl_bytes + SLUICE_SHM_SEGMENT_BYTES - 1) >>
			    SLUICE_SHM_SEGMENT_SHIFT)
		return refuse(error, "slots of the control segment do not match its size",
			      -EPROTO);
	if (h.window_slots < h.ctrl_slots || h.window_slots > SLUICE_SHM_MAX_SLOTS)
		return refuse(error, "size of the window is out of range", -EPROTO);
	if (!h.max_pairs || h.max_pairs > SLUICE_SHM_MAX_PAIRS)
		return refuse(error, "number of queue pairs is out of range", -EPROTO);
	if (h.nr_doorbells < 2 || h.nr_doorbells > SLUICE_SHM_MAX_DOORBELLS)
		return refuse(error, "number of doorbells is out of range", -EPROTO);
	/* unknown feature bits are the newer side's: they are not used */
	h.features &= SLUICE_SHM_F_REGION;

	*snap = h;
	return 0;
}

/**
 * sluice_header_write() - publish what a backend offers
 * @shared: start of the backend page
 * @snap: contents; abi_minor is ignored, ours is written
 *
 * To be called before the backend's generation is published.
 *
 * Context: any.
 */
void sluice_header_write(struct sluice_shm_header *shared,
			 const struct sluice_shm_header_snap *snap)
{
	memset(shared, 0, sizeof(*shared));
	WRITE_ONCE(shared->abi_major, cpu_to_le16(SLUICE_SHM_ABI_MAJOR));
	WRITE_ONCE(shared->abi_minor, cpu_to_le16(SLUICE_SHM_ABI_MINOR));
	WRITE_ONCE(shared->header_bytes, cpu_to_le16(sizeof(*shared)));
	WRITE_ONCE(shared->segment_shift, SLUICE_SHM_SEGMENT_SHIFT);
	WRITE_ONCE(shared->window_slots, cpu_to_le32(snap->window_slots));
	WRITE_ONCE(shared->ctrl_slots, cpu_to_le32(snap->ctrl_slots));
	WRITE_ONCE(shared->ctrl_bytes, cpu_to_le32(snap->ctrl_bytes));
	WRITE_ONCE(shared->max_pairs, cpu_to_le16(snap->max_pairs));
	WRITE_ONCE(shared->nr_doorbells, cpu_to_le16(snap->nr_doorbells));
	WRITE_ONCE(shared->features, cpu_to_le32(snap->features));
	/* pairs with nothing by itself: the session's generation follows with
	 * release; the magic is last so that a torn header has none
	 */
	sluice_store_release(&shared->magic, cpu_to_le32(SLUICE_SHM_MAGIC));
}
