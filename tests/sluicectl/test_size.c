// SPDX-License-Identifier: GPL-2.0
/* Sizes and times: what is read, what is refused, and that writing reads back. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "size.h"
#include "tap.h"

static const struct {
	const char *text;
	uint64_t bytes;
	const char *wrong;	/* a part of the message, NULL if right */
} sizes[] = {
	{ "0", 0, NULL },
	{ "0G", 0, NULL },
	{ "1", 1, NULL },
	{ "7B", 7, NULL },
	{ "512K", 512 << 10, NULL },
	{ "512k", 512 << 10, NULL },
	{ "512KiB", 512 << 10, NULL },
	{ "2M", 2 << 20, NULL },
	{ "2mib", 2 << 20, NULL },
	{ "1G", 1 << 30, NULL },
	{ "3T", 3ull << 40, NULL },
	{ "016M", 16 << 20, NULL },
	{ "18446744073709551615", UINT64_MAX, NULL },
	{ "16777215T", 16777215ull << 40, NULL },
	{ "16777216T", 0, "too big" },
	{ "18446744073709551616", 0, "too big" },
	{ "99999999999999999999999G", 0, "too big" },
	{ "18446744073709551615K", 0, "too big" },
	{ "-1", 0, "negative" },
	{ "-2M", 0, "negative" },
	{ "", 0, "digit" },
	{ " 2M", 0, "digit" },
	{ "+2M", 0, "digit" },
	{ "M", 0, "digit" },
	{ "two", 0, "digit" },
	{ "0x10", 0, "unit" },
	{ "2MB", 0, "unit" },
	{ "2X", 0, "unit" },
	{ "2M ", 0, "unit" },
	{ "2 M", 0, "unit" },
	{ "2MM", 0, "unit" },
	{ "1.5M", 0, "whole" },
	{ "1,5M", 0, "whole" },
	{ "1e6", 0, "unit" },
};

static const struct {
	const char *text;
	uint32_t ms;
	const char *wrong;
} times[] = {
	{ "0s", 0, NULL },
	{ "5s", 5000, NULL },
	{ "250ms", 250, NULL },
	{ "10m", 600000, NULL },
	{ "4294967295ms", UINT32_MAX, NULL },
	{ "4294967296ms", 0, "too big" },
	{ "4294968s", 0, "too big" },
	{ "5", 0, "needs a unit" },
	{ "5h", 0, "unknown unit" },
	{ "5S", 0, "unknown unit" },
	{ "-5s", 0, "negative" },
	{ "", 0, "digit" },
};

static const uint64_t back[] = {
	0, 1, 1023, 1024, 1025, 2 << 20, (2 << 20) + 1, 1536 << 20, 1ull << 30,
	1ull << 40, 1ull << 50, UINT64_MAX, UINT64_MAX - 1023,
};

static bool as_expected(const char *got, const char *expected)
{
	return expected ? got && strstr(got, expected) : !got;
}

int main(void)
{
	char text[SIZE_TEXT];
	uint64_t bytes;
	uint32_t ms, i;

	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		uint64_t expected = sizes[i].wrong ? 42 : sizes[i].bytes;
		const char *wrong;

		bytes = 42;
		wrong = size_parse(sizes[i].text, &bytes);
		tap(as_expected(wrong, sizes[i].wrong) && bytes == expected,
		    "size '%s': %s, %" PRIu64, sizes[i].text, wrong ? wrong : "right", bytes);
	}
	for (i = 0; i < sizeof(times) / sizeof(*times); i++) {
		uint32_t expected = times[i].wrong ? 42 : times[i].ms;
		const char *wrong;

		ms = 42;
		wrong = time_parse(times[i].text, &ms);
		tap(as_expected(wrong, times[i].wrong) && ms == expected,
		    "time '%s': %s, %" PRIu32, times[i].text, wrong ? wrong : "right", ms);
	}
	for (i = 0; i < sizeof(back) / sizeof(*back); i++) {
		bytes = ~back[i];
		size_format(back[i], text);
		tap(!size_parse(text, &bytes) && bytes == back[i],
		    "%" PRIu64 " bytes is written %s and reads back", back[i], text);
		ms = ~(uint32_t)back[i];
		time_format(back[i], text);
		tap(!time_parse(text, &ms) && ms == (uint32_t)back[i],
		    "%" PRIu32 " ms is written %s and reads back", (uint32_t)back[i], text);
	}
	return tap_end();
}
