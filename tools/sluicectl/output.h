/* SPDX-License-Identifier: GPL-2.0 */
/* JSON and text on standard output. */
#ifndef SLUICECTL_OUTPUT_H
#define SLUICECTL_OUTPUT_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

/* Members of an object; they end the program when memory does. */
struct json_object *json_new(void);
struct json_object *json_new_array(void);
void json_number(struct json_object *to, const char *key, uint64_t value);
void json_signed(struct json_object *to, const char *key, int64_t value);
void json_text(struct json_object *to, const char *key, const char *value);
void json_flag(struct json_object *to, const char *key, bool value);
void json_put(struct json_object *to, const char *key, struct json_object *value);
void json_append(struct json_object *to, struct json_object *value);
/* The name of @value if there is one, else the number as text. */
void json_enum(struct json_object *to, const char *key, const char *name,
	       uint32_t value);

/* Prints as opt.pretty says, a line feed after it, and gives @value up. */
void json_print(struct json_object *value);

/**
 * list_begin() - what a "show" collects its objects in
 *
 * Return: an array, or NULL if text was asked for.
 */
struct json_object *list_begin(void);

/**
 * list_end() - print it, unless something failed: a reader of JSON gets all or nothing
 * @list: from list_begin(), given up
 * @status: so far
 *
 * Return: @status.
 */
int list_end(struct json_object *list, int status);

/* Name, or the number if a newer kernel says one without a name here. */
const char *enum_text(const char *name, uint32_t value, char buf[16]);

/**
 * output_finish() - what was printed must have arrived
 * @status: so far
 *
 * Return: @status, or EXIT_SYSTEM after telling that it could not be written.
 */
int output_finish(int status);

#endif /* SLUICECTL_OUTPUT_H */
