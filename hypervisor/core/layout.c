// SPDX-License-Identifier: GPL-2.0
/*
 * The header of the backend page: what a frontend believes of it.
 */
#include <sluice/session.h>

static int header_error(const char **error, int err, const char *text)
{
	*error = text;
	return err;
}

/* What makes the rest readable at all. */
static int header_check_abi(const struct sluice_shm_header *shared, u16 *abi_minor,
			    const char **error)
{
	u32 magic = le32_to_cpu(READ_ONCE(shared->magic));
	u16 abi_major = le16_to_cpu(READ_ONCE(shared->abi_major));
	u16 header_bytes = le16_to_cpu(READ_ONCE(shared->header_bytes));
	u8 segment_shift = READ_ONCE(shared->segment_shift);

	if (magic != SLUICE_SHM_MAGIC)
		return header_error(error, -EPROTO, "no sluice header in this memory");
	if (abi_major != SLUICE_SHM_ABI_MAJOR)
		return header_error(error, -EPROTONOSUPPORT, "backend speaks another ABI version");
	if (header_bytes != sizeof(*shared))
		return header_error(error, -EPROTO, "wrong header size");
	if (segment_shift != SLUICE_SHM_SEGMENT_SHIFT)
		return header_error(error, -EPROTO, "wrong segment size");
	*abi_minor = min_t(u16, le16_to_cpu(READ_ONCE(shared->abi_minor)), SLUICE_SHM_ABI_MINOR);
	return 0;
}

/* Sizes that lead outside of what is mapped, or to nothing at all. */
static int header_check_sizes(const struct sluice_shm_header_snap *snap, u64 mapped_bytes,
			      const char **error)
{
	if (snap->ctrl_bytes < SLUICE_SHM_CTRL_MIN || snap->ctrl_bytes > SLUICE_SHM_CTRL_MAX ||
	    snap->ctrl_bytes % SLUICE_SHM_PAGE)
		return header_error(error, -EPROTO, "impossible control segment size");
	/* we would read and write behind the end of the mapping */
	if (snap->ctrl_bytes > mapped_bytes)
		return header_error(error, -EPROTO,
				    "control segment larger than the memory that is there");
	if (snap->ctrl_slots != DIV_ROUND_UP(snap->ctrl_bytes, SLUICE_SHM_SEGMENT_BYTES))
		return header_error(error, -EPROTO, "control slots do not match its size");
	if (snap->window_slots < snap->ctrl_slots || snap->window_slots > SLUICE_SHM_MAX_SLOTS)
		return header_error(error, -EPROTO, "impossible window size");
	if (!snap->max_pairs || snap->max_pairs > SLUICE_SHM_MAX_PAIRS)
		return header_error(error, -EPROTO, "impossible number of queue pairs");
	/* vector 1 + pair is ours to ring: each pair needs one, and 0 is the control's */
	if (snap->nr_doorbells > SLUICE_SHM_MAX_DOORBELLS ||
	    snap->nr_doorbells < 1 + snap->max_pairs)
		return header_error(error, -EPROTO, "impossible number of doorbells");
	return 0;
}

/**
 * sluice_header_read() - private copy of the backend's header, checked
 * @shared: in the control segment
 * @mapped_bytes: how much of the control segment is mapped here
 * @snap: filled in on success, zeroed else; abi_minor is the one to speak
 * @error: on failure what is wrong, a constant string
 *
 * Every field is read once. Features unknown to us are masked out.
 *
 * Return: 0, -EPROTONOSUPPORT (other ABI), -EPROTO (anything else).
 */
int sluice_header_read(const struct sluice_shm_header *shared, u64 mapped_bytes,
		       struct sluice_shm_header_snap *snap, const char **error)
{
	int err;

	memset(snap, 0, sizeof(*snap));
	err = header_check_abi(shared, &snap->abi_minor, error);
	if (err)
		return err;

	snap->window_slots = le32_to_cpu(READ_ONCE(shared->window_slots));
	snap->ctrl_slots = le32_to_cpu(READ_ONCE(shared->ctrl_slots));
	snap->ctrl_bytes = le32_to_cpu(READ_ONCE(shared->ctrl_bytes));
	snap->max_pairs = le16_to_cpu(READ_ONCE(shared->max_pairs));
	snap->nr_doorbells = le16_to_cpu(READ_ONCE(shared->nr_doorbells));
	/* bits that we do not know are a newer backend's: not used */
	snap->features = le32_to_cpu(READ_ONCE(shared->features)) & SLUICE_SHM_F_REGION;
	err = header_check_sizes(snap, mapped_bytes, error);
	if (err)
		memset(snap, 0, sizeof(*snap));
	return err;
}

/**
 * sluice_header_write() - publish the backend's header
 * @shared: in the control segment
 * @snap: what to say; abi_minor is replaced by ours
 *
 * Call before the backend's generation is published, whose release makes the
 * header visible as a whole.
 */
void sluice_header_write(struct sluice_shm_header *shared,
			 const struct sluice_shm_header_snap *snap)
{
	unsigned int i;

	WRITE_ONCE(shared->magic, cpu_to_le32(SLUICE_SHM_MAGIC));
	WRITE_ONCE(shared->abi_major, cpu_to_le16(SLUICE_SHM_ABI_MAJOR));
	WRITE_ONCE(shared->abi_minor, cpu_to_le16(SLUICE_SHM_ABI_MINOR));
	WRITE_ONCE(shared->header_bytes, cpu_to_le16(sizeof(*shared)));
	WRITE_ONCE(shared->segment_shift, SLUICE_SHM_SEGMENT_SHIFT);
	WRITE_ONCE(shared->reserved0, 0);
	WRITE_ONCE(shared->window_slots, cpu_to_le32(snap->window_slots));
	WRITE_ONCE(shared->ctrl_slots, cpu_to_le32(snap->ctrl_slots));
	WRITE_ONCE(shared->ctrl_bytes, cpu_to_le32(snap->ctrl_bytes));
	WRITE_ONCE(shared->max_pairs, cpu_to_le16(snap->max_pairs));
	WRITE_ONCE(shared->nr_doorbells, cpu_to_le16(snap->nr_doorbells));
	WRITE_ONCE(shared->features, cpu_to_le32(snap->features));
	for (i = 0; i < ARRAY_SIZE(shared->reserved); i++)
		WRITE_ONCE(shared->reserved[i], 0);
}
