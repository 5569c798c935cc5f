/* SPDX-License-Identifier: GPL-2.0 */
/* Test lines of the test anything protocol. */
#ifndef TAP_H
#define TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

static int tap_nr, tap_failed;

static inline __attribute__((format(printf, 2, 3)))
void tap(bool ok, const char *fmt, ...)
{
	va_list args;

	tap_failed += !ok;
	printf("%sok %d - ", ok ? "" : "not ", ++tap_nr);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
}

static inline int tap_end(void)
{
	printf("1..%d\n", tap_nr);
	return tap_failed ? 1 : 0;
}

#endif /* TAP_H */
