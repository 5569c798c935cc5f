/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the fuzz targets share: taking the input apart, and a peer that changes
 * shared memory between two reads.
 *
 * A target includes this, says where its shared memory is, and then includes the
 * .c file under test: every READ_ONCE() of that is a place where the peer may act.
 */
#ifndef SLUICE_FUZZ_H
#define SLUICE_FUZZ_H

#include <stdlib.h>
#include <sluice/os.h>

static const u8 *fuzz_data;
static size_t fuzz_left;

static inline u8 fuzz_u8(void)
{
	if (!fuzz_left)
		return 0;
	fuzz_left--;
	return *fuzz_data++;
}

static inline u16 fuzz_u16(void)
{
	u16 low = fuzz_u8();

	return low | fuzz_u8() << 8;
}

static inline u32 fuzz_u32(void)
{
	u32 low = fuzz_u16();

	return low | (u32)fuzz_u16() << 16;
}

static inline void fuzz_bytes(u8 *to, size_t nr)
{
	size_t n = nr < fuzz_left ? nr : fuzz_left;

	memcpy(to, fuzz_data, n);
	fuzz_data += n;
	fuzz_left -= n;
}

/* A claim that does not hold is a finding. */
#define claim(x) do {								\
	if (!(x)) {								\
		fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #x);	\
		abort();							\
	}									\
} while (0)

/* Memory that the peer writes, and whether it does so between our reads. */
static u8 *fuzz_shared;
static size_t fuzz_shared_bytes;
static bool fuzz_racy;
static unsigned int fuzz_reads;

static inline void fuzz_after_read(const void *p, size_t bytes)
{
	u8 *at = (u8 *)p;

	if (at < fuzz_shared || at >= fuzz_shared + fuzz_shared_bytes)
		return;
	claim(bytes <= 8 && !((uintptr_t)p % bytes));
	/* who reads a word twice gets another one the second time */
	if (fuzz_racy && ++fuzz_reads % 4 == 0)
		fuzz_bytes(at, bytes);
}

#undef READ_ONCE
#undef sluice_load_acquire
#define READ_ONCE(x) ({								\
	__typeof__(x) _read = *(const volatile __typeof__(x) *)&(x);		\
	fuzz_after_read(&(x), sizeof(x));					\
	_read;									\
})
#define sluice_load_acquire(p)	READ_ONCE(*(p))

/* How often a target got somewhere; told at the end, zero fails the run. */
#define FUZZ_COUNTERS	8
static struct {
	const char *name;
	unsigned long count;
} fuzz_count[FUZZ_COUNTERS];

static void fuzz_told(void)
{
	int i;

	for (i = 0; i < FUZZ_COUNTERS; i++)
		if (fuzz_count[i].name)
			fprintf(stderr, "reached %s: %lu\n", fuzz_count[i].name,
				fuzz_count[i].count);
}

#define REACHED(i)	(fuzz_count[i].count++)

static inline void fuzz_names(const char * const *names)
{
	int i;

	for (i = 0; i < FUZZ_COUNTERS && names[i]; i++)
		fuzz_count[i].name = names[i];
	atexit(fuzz_told);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t bytes);
int LLVMFuzzerInitialize(int *argc, char ***argv);

#endif /* SLUICE_FUZZ_H */
