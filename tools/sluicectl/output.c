// SPDX-License-Identifier: GPL-2.0
/* JSON and text on standard output. */
#include "output.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sluicectl.h"

static struct json_object *need(struct json_object *o)
{
	if (!o)
		exit(fail(EXIT_SYSTEM, "out of memory"));
	return o;
}

struct json_object *json_new(void)
{
	return need(json_object_new_object());
}

struct json_object *json_new_array(void)
{
	return need(json_object_new_array());
}

void json_put(struct json_object *to, const char *key, struct json_object *value)
{
	if (json_object_object_add(to, key, need(value)))
		need(NULL);
}

void json_append(struct json_object *to, struct json_object *value)
{
	if (json_object_array_add(to, need(value)))
		need(NULL);
}

void json_number(struct json_object *to, const char *key, uint64_t value)
{
	json_put(to, key, json_object_new_uint64(value));
}

void json_signed(struct json_object *to, const char *key, int64_t value)
{
	json_put(to, key, json_object_new_int64(value));
}

void json_text(struct json_object *to, const char *key, const char *value)
{
	json_put(to, key, json_object_new_string(value));
}

void json_flag(struct json_object *to, const char *key, bool value)
{
	json_put(to, key, json_object_new_boolean(value));
}

const char *enum_text(const char *name, uint32_t value, char buf[16])
{
	if (name)
		return name;
	snprintf(buf, 16, "%" PRIu32, value);
	return buf;
}

void json_enum(struct json_object *to, const char *key, const char *name,
	       uint32_t value)
{
	char buf[16];

	json_text(to, key, enum_text(name, value, buf));
}

struct json_object *list_begin(void)
{
	return opt.json ? json_new_array() : NULL;
}

int list_end(struct json_object *list, int status)
{
	if (list && !status)
		json_print(list);
	else if (list)
		json_object_put(list);
	return status;
}

void json_print(struct json_object *value)
{
	int flags = JSON_C_TO_STRING_NOSLASHESCAPE |
		(opt.pretty ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED :
			      JSON_C_TO_STRING_PLAIN);
	const char *text = json_object_to_json_string_ext(value, flags);

	if (!text)
		need(NULL);
	puts(text);
	json_object_put(value);
}

int output_finish(int status)
{
	if (!fflush(stdout) && !ferror(stdout))
		return status;
	return fail(EXIT_SYSTEM, "cannot write the output: %s", strerror(errno));
}
