// SPDX-License-Identifier: GPL-2.0
/*
 * May a NIC DMA to this memory? Decided on the addresses that the device will
 * see, before the segment is used, so that nothing is bounced behind our back.
 */
#include <sluice/constraint.h>

/* Ranges that follow each other on the bus without a gap. */
struct constraint_run {
	u64 addr;
	u64 last;		/* address of the last byte */
};

struct constraint_text {
	const char *kind;	/* of address */
	unsigned int what;
	char *text;
	size_t bytes;
};

static __printf(3, 4) int refuse(const struct constraint_text *t, int err, const char *fmt, ...)
{
	va_list args;
	int n;

	n = scnprintf(t->text, t->bytes, "segment %u: ", t->what);
	va_start(args, fmt);
	vscnprintf(t->text + n, t->bytes - n, fmt, args);
	va_end(args);
	return err;
}

static int constraint_check_mask(const struct sluice_dma_constraint *c,
				 const struct constraint_run *run,
				 const struct constraint_text *t)
{
	u64 bad;

	if (run->last <= c->dma_mask)
		return 0;
	/* the first address that is out of reach says most */
	bad = max(run->addr, c->dma_mask + 1);
	return refuse(t, -ERANGE, "%s 0x%llx above the NIC's %d-bit DMA mask", t->kind,
		      (unsigned long long)bad, (int)fls64(c->dma_mask));
}

static int constraint_check_align(const struct sluice_dma_constraint *c,
				  const struct constraint_run *run,
				  const struct constraint_text *t)
{
	u64 bits = run->addr;

	/* the second element starts one element further */
	if (run->last - run->addr >= c->element_bytes)
		bits |= c->element_bytes;
	if (!(bits & (c->min_align - 1)))
		return 0;
	return refuse(t, -EINVAL, "%s 0x%llx not aligned to the NIC's %u bytes", t->kind,
		      (unsigned long long)run->addr, c->min_align);
}

/*
 * Elements start at run->addr and every element_bytes from there. Does one of
 * them cross a multiple of the boundary? Both sizes are powers of two, so it is
 * enough to look at the first multiple when the boundary is the larger one.
 */
static int constraint_check_boundary(const struct sluice_dma_constraint *c,
				     const struct constraint_run *run,
				     const struct constraint_text *t)
{
	u64 before = run->addr | c->seg_boundary_mask;	/* last byte before the multiple */
	u64 edge;

	/* no multiple inside */
	if (before >= run->last)
		return 0;
	edge = before + 1;
	if (c->seg_boundary_mask >= c->element_bytes - 1 &&
	    !((edge - run->addr) & (c->element_bytes - 1)))
		return 0;
	return refuse(t, -EXDEV, "DMA element crosses %s 0x%llx, a boundary of the NIC", t->kind,
		      (unsigned long long)edge);
}

static int constraint_check_run(const struct sluice_dma_constraint *c,
				const struct constraint_run *run,
				const struct constraint_text *t)
{
	int err;

	err = constraint_check_mask(c, run, t);
	if (!err)
		err = constraint_check_align(c, run, t);
	if (!err)
		err = constraint_check_boundary(c, run, t);
	return err;
}

/* What no driver should say, but a broken one may. */
static int constraint_check_self(const struct sluice_dma_constraint *c,
				 const struct constraint_text *t)
{
	if (!is_power_of_2(c->element_bytes) || !is_power_of_2(c->min_align) ||
	    c->seg_boundary_mask & (c->seg_boundary_mask + 1))
		return refuse(t, -EINVAL, "the NIC's DMA constraints make no sense");
	if (c->max_seg_bytes < c->element_bytes)
		return refuse(t, -EFBIG, "slots of %u bytes, but the NIC's DMA elements have %u",
			      c->element_bytes, c->max_seg_bytes);
	return 0;
}

int sluice_constraint_check(const struct sluice_dma_constraint *c, unsigned int what,
			    const struct sluice_bus_range *range, unsigned int nr,
			    char *text, size_t text_bytes)
{
	struct constraint_text t = {
		.kind = c->iommu ? "I/O address" : "bus address",
		.what = what,
		.text = text,
		.bytes = text_bytes,
	};
	struct constraint_run run = {};
	unsigned int i;
	u64 last;
	int err;

	err = constraint_check_self(c, &t);
	if (err)
		return err;
	if (!nr)
		return refuse(&t, -EINVAL, "no memory");

	for (i = 0; i < nr; i++) {
		if (!range[i].len_bytes)
			return refuse(&t, -EINVAL, "empty range at %s 0x%llx", t.kind,
				      (unsigned long long)range[i].addr);
		if (check_add_overflow(range[i].addr, range[i].len_bytes - 1, &last))
			return refuse(&t, -EOVERFLOW, "range at %s 0x%llx wraps", t.kind,
				      (unsigned long long)range[i].addr);
		/* last + 1 may be 0: then nothing can follow it */
		if (i && run.last != U64_MAX && range[i].addr == run.last + 1) {
			run.last = last;
			continue;
		}
		if (i) {
			if (c->contiguous)
				return refuse(&t, -EXDEV, "not contiguous at %s 0x%llx", t.kind,
					      (unsigned long long)range[i].addr);
			if ((run.last - run.addr + 1) & (c->element_bytes - 1))
				return refuse(&t, -EXDEV, "a slot is split at %s 0x%llx", t.kind,
					      (unsigned long long)range[i].addr);
			err = constraint_check_run(c, &run, &t);
			if (err)
				return err;
		}
		run.addr = range[i].addr;
		run.last = last;
	}
	return constraint_check_run(c, &run, &t);
}
