// SPDX-License-Identifier: GPL-2.0
/* Sizes and times as people write them. */
#include "size.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit size_units[] = {
	{ "",    1 },
	{ "B",   1 },
	{ "K",   1ull << 10 },
	{ "KiB", 1ull << 10 },
	{ "M",   1ull << 20 },
	{ "MiB", 1ull << 20 },
	{ "G",   1ull << 30 },
	{ "GiB", 1ull << 30 },
	{ "T",   1ull << 40 },
	{ "TiB", 1ull << 40 },
	{ NULL,  0 },
};

static const struct unit time_units[] = {
	{ "ms", 1 },
	{ "s",  1000 },
	{ "m",  60 * 1000 },
	{ NULL, 0 },
};

/* Digits by hand: strtoull() takes blanks and a minus sign for granted. */
static const char *parse(const char *text, const struct unit *units,
			 bool any_case, uint64_t max, uint64_t *result)
{
	const struct unit *unit;
	uint64_t value = 0;
	const char *p = text;

	if (*text == '-')
		return "must not be negative";
	if (*text < '0' || *text > '9')
		return "must begin with a digit";
	for (; *p >= '0' && *p <= '9'; p++) {
		uint64_t digit = *p - '0';

		if (value > (UINT64_MAX - digit) / 10)
			return "is too big";
		value = value * 10 + digit;
	}
	if (*p == '.' || *p == ',')
		return "must be a whole number";

	for (unit = units; unit->name; unit++)
		if (any_case ? !strcasecmp(p, unit->name) : !strcmp(p, unit->name))
			break;
	if (!unit->name)
		return any_case ? "has an unknown unit: use K, M, G or T" :
			*p ? "has an unknown unit: use ms, s or m" :
			     "needs a unit: ms, s or m";
	if (value > max / unit->factor)
		return "is too big";
	*result = value * unit->factor;
	return NULL;
}

const char *size_parse(const char *text, uint64_t *bytes)
{
	return parse(text, size_units, true, UINT64_MAX, bytes);
}

const char *time_parse(const char *text, uint32_t *ms)
{
	uint64_t value = 0;
	const char *wrong = parse(text, time_units, false, UINT32_MAX, &value);

	if (!wrong)
		*ms = value;
	return wrong;
}

const char *size_format(uint64_t bytes, char buf[SIZE_TEXT])
{
	static const char letter[] = "KMGT";
	int i = -1;

	while (bytes && bytes % 1024 == 0 && letter[i + 1]) {
		bytes /= 1024;
		i++;
	}
	if (i < 0)
		snprintf(buf, SIZE_TEXT, "%" PRIu64, bytes);
	else
		snprintf(buf, SIZE_TEXT, "%" PRIu64 "%c", bytes, letter[i]);
	return buf;
}

const char *time_format(uint32_t ms, char buf[SIZE_TEXT])
{
	if (ms && ms % 60000 == 0)
		snprintf(buf, SIZE_TEXT, "%" PRIu32 "m", ms / 60000);
	else if (ms % 1000 == 0)
		snprintf(buf, SIZE_TEXT, "%" PRIu32 "s", ms / 1000);
	else
		snprintf(buf, SIZE_TEXT, "%" PRIu32 "ms", ms);
	return buf;
}
