// SPDX-License-Identifier: GPL-2.0
/* The Test Anything Protocol, as far as it is needed. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "test.h"

static unsigned int nr, nr_failed;

void ok(bool good, const char *fmt, ...)
{
	va_list ap;

	nr_failed += !good;
	printf("%sok %u - ", good ? "" : "not ", ++nr);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	puts("");
	fflush(stdout);
}

void skip(const char *why, const char *fmt, ...)
{
	va_list ap;

	printf("ok %u - ", ++nr);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf(" # SKIP %s\n", why);
	fflush(stdout);
}

/* The test itself cannot go on */
void bail(const char *fmt, ...)
{
	va_list ap;

	printf("Bail out! ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	puts("");
	fflush(stdout);
	exit(1);
}

int tap_done(void)
{
	printf("1..%u\n", nr);
	return nr_failed ? 1 : 0;
}
