/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SLUICE_UNIT_TEST_H
#define SLUICE_UNIT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <sluice/os.h>

/* A text that differs names both in the output. */
#define assert_text(got, want)	assert_string_equal((got) ? (got) : "(none)", want)

/* Pseudo random numbers that are the same in each run. */
static inline u32 test_random(u32 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

#endif /* SLUICE_UNIT_TEST_H */
