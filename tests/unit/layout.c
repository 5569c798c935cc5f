// SPDX-License-Identifier: GPL-2.0
#include "test.h"
#include <sluice/session.h>
#include <sluice/window.h>

#define MIB	(1u << 20)

static struct sluice_shm_header shared;
static struct sluice_shm_header_snap snap;
static const char *error;

static const struct sluice_shm_header_snap good = {
	.window_slots = 33,
	.ctrl_slots = 1,
	.ctrl_bytes = 2 * MIB,
	.max_pairs = 2,
	.nr_doorbells = 3,
	.features = SLUICE_SHM_F_REGION,
};

static int setup(void **unused)
{
	(void)unused;
	memset(&shared, 0xa5, sizeof(shared));
	sluice_header_write(&shared, &good);
	memset(&snap, 0x5a, sizeof(snap));
	error = NULL;
	return 0;
}

static void assert_refused(u64 mapped_bytes, int err, const char *text)
{
	static const struct sluice_shm_header_snap zero;

	memset(&snap, 0x5a, sizeof(snap));
	error = NULL;
	assert_int_equal(sluice_header_read(&shared, mapped_bytes, &snap, &error), err);
	assert_text(error, text);
	/* nothing of a refused header is left to be used by mistake */
	assert_memory_equal(&snap, &zero, sizeof(snap));
}

static void write_then_read(void **unused)
{
	(void)unused;
	assert_int_equal(sluice_header_read(&shared, 2 * MIB, &snap, &error), 0);
	assert_int_equal(snap.window_slots, 33);
	assert_int_equal(snap.ctrl_slots, 1);
	assert_int_equal(snap.ctrl_bytes, 2 * MIB);
	assert_int_equal(snap.max_pairs, 2);
	assert_int_equal(snap.nr_doorbells, 3);
	assert_int_equal(snap.features, SLUICE_SHM_F_REGION);
	assert_int_equal(snap.abi_minor, SLUICE_SHM_ABI_MINOR);
	assert_int_equal(le32_to_cpu(shared.magic), SLUICE_SHM_MAGIC);
}

static void another_abi(void **unused)
{
	(void)unused;
	shared.abi_major = cpu_to_le16(SLUICE_SHM_ABI_MAJOR + 1);
	assert_refused(2 * MIB, -EPROTONOSUPPORT, "backend speaks another ABI version");
	shared.abi_major = 0;
	assert_refused(2 * MIB, -EPROTONOSUPPORT, "backend speaks another ABI version");
	/* no sluice at all is told apart from another sluice */
	shared.magic = cpu_to_le32(1);
	assert_refused(2 * MIB, -EPROTO, "no sluice header in this memory");
}

static void a_newer_minor_is_spoken_down(void **unused)
{
	(void)unused;
	shared.abi_minor = cpu_to_le16(SLUICE_SHM_ABI_MINOR + 7);
	shared.features = cpu_to_le32(U32_MAX);
	memset(shared.reserved, 0xff, sizeof(shared.reserved));
	assert_int_equal(sluice_header_read(&shared, 2 * MIB, &snap, &error), 0);
	assert_int_equal(snap.abi_minor, SLUICE_SHM_ABI_MINOR);
	assert_int_equal(snap.features, SLUICE_SHM_F_REGION);
}

static void zeroed_page(void **unused)
{
	(void)unused;
	memset(&shared, 0, sizeof(shared));
	assert_refused(2 * MIB, -EPROTO, "no sluice header in this memory");
}

static void wrong_sizes(void **unused)
{
	static const struct {
		u32 window_slots, ctrl_slots, ctrl_bytes, pairs, doorbells;
		u64 mapped_bytes;
		const char *error;
	} t[] = {
		{ 2, 1, SLUICE_SHM_CTRL_MIN, 1, 2, SLUICE_SHM_CTRL_MIN, NULL },
		{ 1024, 4, SLUICE_SHM_CTRL_MAX, 8, 9, SLUICE_SHM_CTRL_MAX, NULL },
		{ 1, 1, MIB, 1, 9, MIB, NULL },
		{ 33, 1, 0, 1, 2, 4 * MIB, "impossible control segment size" },
		{ 33, 1, SLUICE_SHM_CTRL_MIN - 4096, 1, 2, 4 * MIB, "impossible control segment size" },
		{ 33, 5, SLUICE_SHM_CTRL_MAX + 4096, 1, 2, U64_MAX, "impossible control segment size" },
		{ 33, 1, U32_MAX, 1, 2, U64_MAX, "impossible control segment size" },
		{ 33, 1, MIB + 8, 1, 2, 4 * MIB, "impossible control segment size" },
		{ 33, 1, 2 * MIB, 1, 2, 2 * MIB - 1,
		  "control segment larger than the memory that is there" },
		{ 33, 1, 2 * MIB, 1, 2, 0, "control segment larger than the memory that is there" },
		{ 33, 0, 2 * MIB, 1, 2, 4 * MIB, "control slots do not match its size" },
		{ 33, 2, 2 * MIB, 1, 2, 4 * MIB, "control slots do not match its size" },
		{ 33, 1, 2 * MIB + 4096, 1, 2, 4 * MIB, "control slots do not match its size" },
		{ 0, 1, 2 * MIB, 1, 2, 4 * MIB, "impossible window size" },
		{ 1, 2, 4 * MIB, 1, 2, 4 * MIB, "impossible window size" },
		{ 1025, 1, 2 * MIB, 1, 2, 4 * MIB, "impossible window size" },
		{ U32_MAX, 1, 2 * MIB, 1, 2, 4 * MIB, "impossible window size" },
		{ 33, 1, 2 * MIB, 0, 2, 4 * MIB, "impossible number of queue pairs" },
		{ 33, 1, 2 * MIB, 9, 9, 4 * MIB, "impossible number of queue pairs" },
		{ 33, 1, 2 * MIB, 65535, 9, 4 * MIB, "impossible number of queue pairs" },
		{ 33, 1, 2 * MIB, 1, 0, 4 * MIB, "impossible number of doorbells" },
		{ 33, 1, 2 * MIB, 1, 1, 4 * MIB, "impossible number of doorbells" },
		{ 33, 1, 2 * MIB, 4, 4, 4 * MIB, "impossible number of doorbells" },
		{ 33, 1, 2 * MIB, 1, 10, 4 * MIB, "impossible number of doorbells" },
		{ 33, 1, 2 * MIB, 1, 65535, 4 * MIB, "impossible number of doorbells" },
	};
	size_t i;

	(void)unused;
	for (i = 0; i < ARRAY_SIZE(t); i++) {
		shared.window_slots = cpu_to_le32(t[i].window_slots);
		shared.ctrl_slots = cpu_to_le32(t[i].ctrl_slots);
		shared.ctrl_bytes = cpu_to_le32(t[i].ctrl_bytes);
		shared.max_pairs = cpu_to_le16(t[i].pairs);
		shared.nr_doorbells = cpu_to_le16(t[i].doorbells);
		if (t[i].error)
			assert_refused(t[i].mapped_bytes, -EPROTO, t[i].error);
		else
			assert_int_equal(sluice_header_read(&shared, t[i].mapped_bytes, &snap,
							    &error), 0);
	}
}

static void wrong_format(void **unused)
{
	(void)unused;
	shared.header_bytes = cpu_to_le16(sizeof(shared) - 1);
	assert_refused(2 * MIB, -EPROTO, "wrong header size");
	shared.header_bytes = cpu_to_le16(4096);
	assert_refused(2 * MIB, -EPROTO, "wrong header size");
	setup(NULL);
	shared.segment_shift = 20;
	assert_refused(2 * MIB, -EPROTO, "wrong segment size");
	shared.segment_shift = 255;
	assert_refused(2 * MIB, -EPROTO, "wrong segment size");
}

/* What is accepted makes a window, whatever bit of the header flips. */
static void what_is_accepted_makes_a_window(void **unused)
{
	static struct sluice_window win;
	u32 bit, seed = 7, accepted = 0, refused = 0;
	u8 *bytes = (u8 *)&shared;

	for (bit = 0; bit < 100000; bit++) {
		setup(unused);
		bytes[test_random(&seed) % sizeof(shared)] ^= 1u << (test_random(&seed) % 8);
		if (bit % 2)
			bytes[test_random(&seed) % sizeof(shared)] = test_random(&seed);
		if (sluice_header_read(&shared, 4 * MIB, &snap, &error)) {
			refused++;
			continue;
		}
		accepted++;
		assert_true(snap.ctrl_bytes <= 4 * MIB);
		assert_in_range(snap.max_pairs, 1, SLUICE_SHM_MAX_PAIRS);
		assert_in_range(snap.nr_doorbells, 1 + snap.max_pairs, SLUICE_SHM_MAX_DOORBELLS);
		assert_int_equal(sluice_window_init(&win, snap.window_slots, snap.ctrl_bytes,
						    bytes), 0);
		assert_int_equal(win.ctrl_slots, snap.ctrl_slots);
	}
	assert_true(accepted > 1000 && refused > 1000);
}

#define T(f)	cmocka_unit_test_setup(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(write_then_read), T(another_abi), T(a_newer_minor_is_spoken_down),
		T(zeroed_page), T(wrong_sizes), T(wrong_format),
		T(what_is_accepted_makes_a_window),
	};

	return cmocka_run_group_tests_name("layout", tests, NULL, NULL);
}
