/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The native half of sluice/os.h: what the pure code needs of a kernel, for unit
 * tests, sanitizers and fuzzers. Shared words are accessed with the compiler's
 * atomics, so that the thread sanitizer knows which accesses are meant to race
 * and which order they give.
 */
#ifndef SLUICE_OS_NATIVE_H
#define SLUICE_OS_NATIVE_H

#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <linux/types.h>
#include <linux/virtio_ring.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s8 s8;
typedef __s16 s16;
typedef __s32 s32;
typedef __s64 s64;

#define U8_MAX		((u8)~0U)
#define U16_MAX		((u16)~0U)
#define U32_MAX		((u32)~0U)
#define U64_MAX		((u64)~0ULL)

#define __force
#define __packed	__attribute__((packed))
#define __aligned(n)	__attribute__((aligned(n)))
#define __printf(f, a)	__attribute__((format(printf, f, a)))
#define __maybe_unused	__attribute__((unused))
#ifndef fallthrough
#define fallthrough	__attribute__((fallthrough))
#endif
#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)

#define static_assert	_Static_assert
#define BUILD_BUG_ON(x)	_Static_assert(!(x), #x)

/* Shared words */
#define READ_ONCE(x)			__atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, v)		__atomic_store_n(&(x), (v), __ATOMIC_RELAXED)
#define smp_load_acquire(p)		__atomic_load_n((p), __ATOMIC_ACQUIRE)
#define smp_store_release(p, v)		__atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define sluice_load_acquire(p)		smp_load_acquire(p)
#define sluice_store_release(p, v)	smp_store_release(p, v)
#ifdef __SANITIZE_THREAD__
/* The sanitizer does not model fences; an ordered access to a word does as well. */
static inline void sluice_mb(void)
{
	static int word;

	__atomic_exchange_n(&word, 0, __ATOMIC_SEQ_CST);
}
#else
#define sluice_mb()			__atomic_thread_fence(__ATOMIC_SEQ_CST)
#endif

#define array_index_nospec(i, n)	(i)

/* Byte order */
#define cpu_to_le16(x)	((__le16)htole16(x))
#define cpu_to_le32(x)	((__le32)htole32(x))
#define cpu_to_le64(x)	((__le64)htole64(x))
#define le16_to_cpu(x)	le16toh(x)
#define le32_to_cpu(x)	le32toh(x)
#define le64_to_cpu(x)	le64toh(x)

/* Numbers */
#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))
#define DIV_ROUND_UP(n, d)	(((n) + (d) - 1) / (d))
#define min(a, b) ({ __typeof__(a) _a = (a); __typeof__(b) _b = (b); _a < _b ? _a : _b; })
#define max(a, b) ({ __typeof__(a) _a = (a); __typeof__(b) _b = (b); _a > _b ? _a : _b; })
#define min_t(t, a, b)		min((t)(a), (t)(b))
#define max_t(t, a, b)		max((t)(a), (t)(b))
#define clamp(v, lo, hi)	min(max(v, lo), hi)
#define clamp_t(t, v, lo, hi)	clamp((t)(v), (t)(lo), (t)(hi))
#define round_up(x, y)		((((x) - 1) | ((__typeof__(x))(y) - 1)) + 1)
#define round_down(x, y)	((x) & ~((__typeof__(x))(y) - 1))
#define ALIGN(x, a)		round_up(x, a)
#define IS_ALIGNED(x, a)	(((x) & ((__typeof__(x))(a) - 1)) == 0)
/* the kernel's takes a function that swaps, or NULL */
#define sort(base, nr, size, cmp, swap_func) qsort(base, nr, size, cmp)
#define is_power_of_2(n)	((n) && !((n) & ((n) - 1)))
#define check_add_overflow(a, b, d)	__builtin_add_overflow(a, b, d)
#define check_mul_overflow(a, b, d)	__builtin_mul_overflow(a, b, d)

static inline int fls(unsigned int x)
{
	return x ? 32 - __builtin_clz(x) : 0;
}

static inline int fls64(u64 x)
{
	return x ? 64 - __builtin_clzll(x) : 0;
}

static inline int ilog2(u64 x)
{
	return fls64(x) - 1;
}

static inline u64 roundup_pow_of_two(u64 x)
{
	return x <= 1 ? 1 : 1ULL << fls64(x - 1);
}

static inline u64 rounddown_pow_of_two(u64 x)
{
	return 1ULL << ilog2(x);
}

/* Bits; set_bit() and clear_bit() are atomic as in the kernel. */
#define BIT(n)			(1UL << (n))
#define BIT_ULL(n)		(1ULL << (n))
#define GENMASK_ULL(h, l)	((~0ULL << (l)) & (~0ULL >> (63 - (h))))
#define DMA_BIT_MASK(n)		((n) == 64 ? ~0ULL : (1ULL << (n)) - 1)
#define BITS_PER_LONG		((unsigned int)(CHAR_BIT * sizeof(long)))
#define BITS_TO_LONGS(n)	DIV_ROUND_UP(n, (unsigned int)(CHAR_BIT * sizeof(long)))
#define DECLARE_BITMAP(name, n)	unsigned long name[BITS_TO_LONGS(n)]

static inline void set_bit(unsigned long n, unsigned long *map)
{
	__atomic_fetch_or(&map[n / BITS_PER_LONG], BIT(n % BITS_PER_LONG), __ATOMIC_RELAXED);
}

static inline void clear_bit(unsigned long n, unsigned long *map)
{
	__atomic_fetch_and(&map[n / BITS_PER_LONG], ~BIT(n % BITS_PER_LONG), __ATOMIC_RELAXED);
}

static inline bool test_bit(unsigned long n, const unsigned long *map)
{
	return __atomic_load_n(&map[n / BITS_PER_LONG], __ATOMIC_RELAXED) &
	       BIT(n % BITS_PER_LONG);
}

static inline void __set_bit(unsigned long n, unsigned long *map)
{
	map[n / BITS_PER_LONG] |= BIT(n % BITS_PER_LONG);
}

static inline void __clear_bit(unsigned long n, unsigned long *map)
{
	map[n / BITS_PER_LONG] &= ~BIT(n % BITS_PER_LONG);
}

static inline void bitmap_zero(unsigned long *map, unsigned int nr)
{
	memset(map, 0, BITS_TO_LONGS(nr) * sizeof(long));
}

static inline void bitmap_set(unsigned long *map, unsigned int start, unsigned int nr)
{
	while (nr--)
		__set_bit(start++, map);
}

static inline void bitmap_clear(unsigned long *map, unsigned int start, unsigned int nr)
{
	while (nr--)
		__clear_bit(start++, map);
}

static inline unsigned long find_next_bit(const unsigned long *map, unsigned long nr,
					  unsigned long start)
{
	while (start < nr && !test_bit(start, map))
		start++;
	return start < nr ? start : nr;
}

static inline unsigned long find_next_zero_bit(const unsigned long *map, unsigned long nr,
					       unsigned long start)
{
	while (start < nr && test_bit(start, map))
		start++;
	return start < nr ? start : nr;
}

static inline unsigned long find_last_bit(const unsigned long *map, unsigned long nr)
{
	unsigned long i = nr;

	while (i && !test_bit(i - 1, map))
		i--;
	return i ? i - 1 : nr;
}

#define find_first_bit(map, nr)		find_next_bit(map, nr, 0)
#define find_first_zero_bit(map, nr)	find_next_zero_bit(map, nr, 0)
#define for_each_set_bit(bit, map, nr)						\
	for ((bit) = find_first_bit(map, nr); (bit) < (nr);			\
	     (bit) = find_next_bit(map, nr, (bit) + 1))

static inline unsigned int bitmap_weight(const unsigned long *map, unsigned int nr)
{
	unsigned int i, n = 0;

	for (i = 0; i < nr; i++)
		n += test_bit(i, map);
	return n;
}

static inline unsigned long bitmap_find_next_zero_area(unsigned long *map, unsigned long nr,
						       unsigned long start, unsigned int want,
						       unsigned long align_mask)
{
	unsigned long i;

	for (;;) {
		start = find_next_zero_bit(map, nr, start);
		start = (start + align_mask) & ~align_mask;
		if (start + want > nr)
			return start + want;
		i = find_next_bit(map, start + want, start);
		if (i >= start + want)
			return start;
		start = i + 1;
	}
}

/* Text */
static inline __printf(3, 0)
int vscnprintf(char *buf, size_t bytes, const char *fmt, va_list args)
{
	int n;

	if (!bytes)
		return 0;
	n = vsnprintf(buf, bytes, fmt, args);
	return n < (int)bytes ? n : (int)bytes - 1;
}

static inline __printf(3, 4)
int scnprintf(char *buf, size_t bytes, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vscnprintf(buf, bytes, fmt, args);
	va_end(args);
	return n;
}

static inline ssize_t strscpy(char *dst, const char *src, size_t bytes)
{
	size_t n = strnlen(src, bytes);

	if (!bytes)
		return -E2BIG;
	if (n == bytes) {
		memcpy(dst, src, bytes - 1);
		dst[bytes - 1] = 0;
		return -E2BIG;
	}
	memcpy(dst, src, n + 1);
	return n;
}

#endif /* SLUICE_OS_NATIVE_H */
