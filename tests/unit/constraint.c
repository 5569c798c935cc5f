// SPDX-License-Identifier: GPL-2.0
#include "test.h"
#include <sluice/constraint.h>

#define KIB	(1ull << 10)
#define MIB	(1ull << 20)
#define GIB	(1ull << 30)
#define SEG	(2 * MIB)

/* The NICs */
#define NIC(mask_bits, ...) {							\
	.dma_mask = DMA_BIT_MASK(mask_bits), .min_align = 1,			\
	.seg_boundary_mask = U64_MAX, .max_seg_bytes = 65536, .coherent = true,	\
	.numa_node = -1, .element_bytes = 4096, ##__VA_ARGS__ }

/* e1000e, igb: 64 bits; a DMA element does not cross 4 GiB */
static const struct sluice_dma_constraint nic64 = NIC(64, .seg_boundary_mask = U32_MAX);
static const struct sluice_dma_constraint nic64_iommu = NIC(64, .iommu = true);
/* rtl8139, e1000 on a 32-bit bus */
static const struct sluice_dma_constraint nic32 = NIC(32, .seg_boundary_mask = U32_MAX);
static const struct sluice_dma_constraint nic32_iommu = NIC(32, .iommu = true);
/* 28-bit: b44 has 30, some embedded ones less */
static const struct sluice_dma_constraint nic28 = NIC(28);
static const struct sluice_dma_constraint nic40 = NIC(40);
/* maps whole frames of 16 KiB and cannot cross 64 KiB */
static const struct sluice_dma_constraint nic16k =
	NIC(64, .seg_boundary_mask = 0xffff, .element_bytes = 16384);
/* one bus range or nothing */
static const struct sluice_dma_constraint nic_contiguous = NIC(64, .contiguous = true);
static const struct sluice_dma_constraint nic_align = NIC(64, .min_align = 256);
static const struct sluice_dma_constraint nic_align64k = NIC(64, .min_align = 65536);
/* elements shorter than a slot */
static const struct sluice_dma_constraint nic_short = NIC(64, .max_seg_bytes = 2048);
static const struct sluice_dma_constraint nic_exact = NIC(64, .max_seg_bytes = 4096);
/* the boundary is smaller than a slot: every slot crosses it */
static const struct sluice_dma_constraint nic_tiny_boundary = NIC(64, .seg_boundary_mask = 2047);
static const struct sluice_dma_constraint nic_page_boundary = NIC(64, .seg_boundary_mask = 4095);
/* constraints that no device has */
static const struct sluice_dma_constraint nic_odd_align = NIC(64, .min_align = 3);
static const struct sluice_dma_constraint nic_no_align = NIC(64, .min_align = 0);
static const struct sluice_dma_constraint nic_odd_boundary = NIC(64, .seg_boundary_mask = 0xfff0);
static const struct sluice_dma_constraint nic_no_element = NIC(64, .element_bytes = 0);
static const struct sluice_dma_constraint nic_odd_element = NIC(64, .element_bytes = 1500);
static const struct sluice_dma_constraint nic_no_segment = NIC(64, .max_seg_bytes = 0);

#define R(...)	{ __VA_ARGS__ }

static const struct {
	const char *name;
	const struct sluice_dma_constraint *c;
	unsigned int nr;
	struct sluice_bus_range range[3];
	int err;
	const char *text;
} cases[] = {
	/* the mask */
	{ "64-bit NIC, low memory", &nic64, 1, R({ 16 * MIB, SEG }), 0, NULL },
	{ "64-bit NIC, high memory", &nic64, 1, R({ 5 * GIB, SEG }), 0, NULL },
	{ "64-bit NIC, last page of all", &nic64, 1, R({ 0 - SEG, SEG }), 0, NULL },
	{ "32-bit NIC, last segment below 4 GiB", &nic32, 1, R({ 4 * GIB - SEG, SEG }), 0, NULL },
	{ "32-bit NIC, above 4 GiB", &nic32, 1, R({ 5 * GIB, SEG }), -ERANGE,
	  "segment 3: bus address 0x140000000 above the NIC's 32-bit DMA mask" },
	{ "32-bit NIC, first byte above", &nic32, 1, R({ 4 * GIB, SEG }), -ERANGE,
	  "segment 3: bus address 0x100000000 above the NIC's 32-bit DMA mask" },
	{ "32-bit NIC, tail above", &nic32, 1, R({ 4 * GIB - SEG + 4096, SEG }), -ERANGE,
	  "segment 3: bus address 0x100000000 above the NIC's 32-bit DMA mask" },
	{ "32-bit NIC, one byte above", &nic32, 1, R({ 4 * GIB - SEG + 1, SEG }), -ERANGE,
	  "segment 3: bus address 0x100000000 above the NIC's 32-bit DMA mask" },
	{ "32-bit NIC, second range above", &nic32, 2, R({ MIB, MIB }, { 8 * GIB, MIB }), -ERANGE,
	  "segment 3: bus address 0x200000000 above the NIC's 32-bit DMA mask" },
	{ "28-bit NIC, below 256 MiB", &nic28, 1, R({ 256 * MIB - SEG, SEG }), 0, NULL },
	{ "28-bit NIC, above 256 MiB", &nic28, 1, R({ 256 * MIB, SEG }), -ERANGE,
	  "segment 3: bus address 0x10000000 above the NIC's 28-bit DMA mask" },
	{ "40-bit NIC, 1 TiB", &nic40, 1, R({ 1ull << 40, SEG }), -ERANGE,
	  "segment 3: bus address 0x10000000000 above the NIC's 40-bit DMA mask" },
	/* with an IOMMU the translated addresses count */
	{ "32-bit NIC behind IOMMU, low I/O address", &nic32_iommu, 1, R({ 0xfe000000, SEG }), 0,
	  NULL },
	{ "32-bit NIC behind IOMMU, high I/O address", &nic32_iommu, 1, R({ 4 * GIB, SEG }),
	  -ERANGE, "segment 3: I/O address 0x100000000 above the NIC's 32-bit DMA mask" },
	{ "64-bit NIC behind IOMMU", &nic64_iommu, 1, R({ 1ull << 47, SEG }), 0, NULL },
	/* boundary of 4 GiB */
	{ "segment across 4 GiB, slots do not", &nic64, 1, R({ 4 * GIB - MIB, SEG }), 0, NULL },
	{ "slot across 4 GiB", &nic64, 1, R({ 4 * GIB - MIB - 2048, SEG }), -EXDEV,
	  "segment 3: DMA element crosses bus address 0x100000000, a boundary of the NIC" },
	{ "no boundary", &nic64_iommu, 1, R({ 4 * GIB - MIB - 2048, SEG }), 0, NULL },
	{ "ranges that join at the boundary", &nic64, 2,
	  R({ 4 * GIB - MIB, MIB }, { 4 * GIB, MIB }), 0, NULL },
	{ "ranges that join, slot across 4 GiB", &nic64, 2,
	  R({ 4 * GIB - MIB - 2048, MIB }, { 4 * GIB - 2048, MIB }), -EXDEV,
	  "segment 3: DMA element crosses bus address 0x100000000, a boundary of the NIC" },
	{ "16 KiB elements, 64 KiB boundary, aligned", &nic16k, 1, R({ GIB, SEG }), 0, NULL },
	{ "16 KiB elements, 64 KiB boundary, off by a page", &nic16k, 1, R({ GIB + 4096, SEG }),
	  -EXDEV, "segment 3: DMA element crosses bus address 0x40010000, a boundary of the NIC" },
	{ "boundary smaller than a slot", &nic_tiny_boundary, 1, R({ GIB, SEG }), -EXDEV,
	  "segment 3: DMA element crosses bus address 0x40000800, a boundary of the NIC" },
	{ "boundary of a slot", &nic_page_boundary, 1, R({ GIB, SEG }), 0, NULL },
	{ "boundary of a slot, misaligned", &nic_page_boundary, 1, R({ GIB + 512, SEG }), -EXDEV,
	  "segment 3: DMA element crosses bus address 0x40001000, a boundary of the NIC" },
	{ "boundary at the very end", &nic64, 1, R({ 4 * GIB - SEG, SEG }), 0, NULL },
	/* contiguity */
	{ "scattered pages", &nic64, 3, R({ GIB, MIB }, { 3 * GIB, 4096 }, { 9 * GIB, MIB }), 0,
	  NULL },
	{ "scattered, but must be one", &nic_contiguous, 2, R({ GIB, MIB }, { 3 * GIB, MIB }),
	  -EXDEV, "segment 3: not contiguous at bus address 0xc0000000" },
	{ "one hole", &nic_contiguous, 2, R({ GIB, MIB }, { GIB + MIB + 4096, MIB }), -EXDEV,
	  "segment 3: not contiguous at bus address 0x40101000" },
	{ "overlapping is not contiguous", &nic_contiguous, 2, R({ GIB, MIB }, { GIB, MIB }),
	  -EXDEV, "segment 3: not contiguous at bus address 0x40000000" },
	{ "backwards", &nic_contiguous, 2, R({ GIB + MIB, MIB }, { GIB, MIB }), -EXDEV,
	  "segment 3: not contiguous at bus address 0x40000000" },
	{ "three that join", &nic_contiguous, 3,
	  R({ GIB, MIB }, { GIB + MIB, 4096 }, { GIB + MIB + 4096, MIB - 4096 }), 0, NULL },
	{ "slot split between ranges", &nic64, 2, R({ GIB, 6144 }, { 3 * GIB, 2048 }), -EXDEV,
	  "segment 3: a slot is split at bus address 0xc0000000" },
	/* alignment */
	{ "aligned", &nic_align, 1, R({ GIB + 256, SEG }), 0, NULL },
	{ "misaligned", &nic_align, 1, R({ GIB + 128, SEG }), -EINVAL,
	  "segment 3: bus address 0x40000080 not aligned to the NIC's 256 bytes" },
	{ "slots closer than the alignment", &nic_align64k, 1, R({ GIB, SEG }), -EINVAL,
	  "segment 3: bus address 0x40000000 not aligned to the NIC's 65536 bytes" },
	{ "a single slot, aligned", &nic_align64k, 1, R({ GIB, 4096 }), 0, NULL },
	/* elements */
	{ "element too short", &nic_short, 1, R({ GIB, SEG }), -EFBIG,
	  "segment 3: slots of 4096 bytes, but the NIC's DMA elements have 2048" },
	{ "element of a slot", &nic_exact, 1, R({ GIB, SEG }), 0, NULL },
	{ "element of zero", &nic_no_segment, 1, R({ GIB, SEG }), -EFBIG,
	  "segment 3: slots of 4096 bytes, but the NIC's DMA elements have 0" },
	/* nonsense */
	{ "no range", &nic64, 0, R({ 0, 0 }), -EINVAL, "segment 3: no memory" },
	{ "empty range", &nic64, 2, R({ GIB, MIB }, { 2 * GIB, 0 }), -EINVAL,
	  "segment 3: empty range at bus address 0x80000000" },
	{ "range wraps", &nic64, 1, R({ 0 - MIB, SEG }), -EOVERFLOW,
	  "segment 3: range at bus address 0xfffffffffff00000 wraps" },
	{ "range wraps by all", &nic64, 1, R({ 4096, U64_MAX }), -EOVERFLOW,
	  "segment 3: range at bus address 0x1000 wraps" },
	{ "ranges that would join behind the end", &nic_contiguous, 2,
	  R({ 0 - MIB, MIB }, { 0, MIB }), -EXDEV,
	  "segment 3: not contiguous at bus address 0x0" },
	{ "alignment of 3", &nic_odd_align, 1, R({ GIB, SEG }), -EINVAL,
	  "segment 3: the NIC's DMA constraints make no sense" },
	{ "alignment of 0", &nic_no_align, 1, R({ GIB, SEG }), -EINVAL,
	  "segment 3: the NIC's DMA constraints make no sense" },
	{ "boundary with holes", &nic_odd_boundary, 1, R({ GIB, SEG }), -EINVAL,
	  "segment 3: the NIC's DMA constraints make no sense" },
	{ "element of no bytes", &nic_no_element, 1, R({ GIB, SEG }), -EINVAL,
	  "segment 3: the NIC's DMA constraints make no sense" },
	{ "element of 1500", &nic_odd_element, 1, R({ GIB, SEG }), -EINVAL,
	  "segment 3: the NIC's DMA constraints make no sense" },
};

static void one_case(void **state)
{
	size_t i = (size_t)*state;
	char text[96] = "";
	int err;

	err = sluice_constraint_check(cases[i].c, 3, cases[i].range, cases[i].nr, text,
				      sizeof(text));
	assert_string_equal(text, cases[i].text ?: "");
	assert_int_equal(err, cases[i].err);
}

static void text_is_cut_not_overrun(void **unused)
{
	char text[96];
	size_t bytes;

	(void)unused;
	for (bytes = 0; bytes < sizeof(text); bytes++) {
		memset(text, '#', sizeof(text));
		assert_int_equal(sluice_constraint_check(&nic32, 1023, &cases[4].range[0], 1, text,
							 bytes), -ERANGE);
		assert_int_equal(text[bytes], '#');
		if (bytes)
			assert_non_null(memchr(text, 0, bytes));
	}
}

/* The definition, slot by slot, against the arithmetic. */
static bool slot_by_slot(const struct sluice_dma_constraint *c, u64 addr, u64 len)
{
	u64 at, end, piece;

	for (at = addr; at - addr < len; at += piece) {
		piece = min((u64)c->element_bytes, len - (at - addr));
		end = at + piece - 1;
		if (end > c->dma_mask || at % c->min_align ||
		    (at & ~c->seg_boundary_mask) != (end & ~c->seg_boundary_mask))
			return false;
	}
	return true;
}

static void agrees_with_the_definition(void **unused)
{
	u32 seed = 4711, i, good = 0, bad = 0;
	char text[96];

	(void)unused;
	for (i = 0; i < 200000; i++) {
		struct sluice_dma_constraint c = NIC(64);
		struct sluice_bus_range r;
		bool want;
		int err;

		c.element_bytes = 64u << (test_random(&seed) % 5);
		c.min_align = 1u << (test_random(&seed) % 9);
		c.seg_boundary_mask = (32ull << (test_random(&seed) % 10)) - 1;
		c.dma_mask = DMA_BIT_MASK(16 + test_random(&seed) % 3);
		r.addr = test_random(&seed) % 0x12000 & ~((1ull << (test_random(&seed) % 12)) - 1);
		r.len_bytes = 1 + test_random(&seed) % 9000;
		want = slot_by_slot(&c, r.addr, r.len_bytes);
		err = sluice_constraint_check(&c, 0, &r, 1, text, sizeof(text));
		if ((err == 0) != want)
			fail_msg("0x%llx + 0x%llx: element %u align %u boundary 0x%llx: %d",
				 (unsigned long long)r.addr, (unsigned long long)r.len_bytes,
				 c.element_bytes, c.min_align,
				 (unsigned long long)c.seg_boundary_mask, err);
		good += want;
		bad += !want;
	}
	assert_true(good > 1000 && bad > 1000);
}

int main(void)
{
	struct CMUnitTest tests[ARRAY_SIZE(cases) + 2] = {
		cmocka_unit_test(text_is_cut_not_overrun),
		cmocka_unit_test(agrees_with_the_definition),
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		tests[i + 2] = (struct CMUnitTest){
			.name = cases[i].name,
			.test_func = one_case,
			.initial_state = (void *)i,
		};
	return cmocka_run_group_tests_name("constraint", tests, NULL, NULL);
}
