// SPDX-License-Identifier: GPL-2.0
/*
 * The configuration file and the description of a destination, in JSON. The
 * file may contain comments. The same description is what the command "add"
 * carries.
 */
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <json-c/json.h>

#include "regiond.h"

#define FILE_BYTES_MAX	(1u << 20)
#define WINDOW_MAX	((uint64_t)SLUICE_SHM_MAX_SLOTS << \
			 SLUICE_SHM_SEGMENT_SHIFT)
#define PAIRS_DEFAULT	1
#define STUCK_DEFAULT	60	/* seconds */

static const char *const config_keys[] = {
	"control", "directory", "group", "total", "stuck_seconds",
	"destinations",
};

static const char *const dest_keys[] = {
	"name", "socket", "window", "control", "quota", "pairs", "mac",
	"group",
};

/* json_text() - a string's text, NULL for anything else or if it holds a NUL */
const char *json_text(struct json_object *obj)
{
	const char *text;

	if (!json_object_is_type(obj, json_type_string))
		return NULL;
	text = json_object_get_string(obj);
	if (strlen(text) != (size_t)json_object_get_string_len(obj))
		return NULL;
	return text;
}

/* A misspelt key is an error, not a default. */
int json_only_keys(struct json_object *obj, const char *what,
		   const char *const *keys, size_t nr, struct error *err)
{
	size_t i;

	json_object_object_foreach(obj, key, value) {
		(void)value;
		for (i = 0; i < nr && strcmp(key, keys[i]); i++)
			;
		if (i == nr)
			return fail(err, "%s: unknown key '%.64s'", what, key);
	}
	return 0;
}

/* json_size() - a number of bytes, or a string such as "64M" */
int json_size(struct json_object *obj, const char *what, uint64_t *bytes,
	      struct error *err)
{
	const char *text = json_text(obj);
	struct error why;

	if (text) {
		if (!parse_size(text, bytes, &why))
			return fail(err, "%s: %s", what, why.text);
		return 0;
	}
	if (!json_object_is_type(obj, json_type_int))
		return fail(err, "%s: not a size; write e.g. \"64M\"", what);
	if (json_object_get_int64(obj) < 0)
		return fail(err, "%s: size is negative", what);
	*bytes = json_object_get_int64(obj);
	return 0;
}

static int read_path(struct json_object *obj, const char *what, char *path,
		     struct error *err)
{
	const char *text = json_text(obj);

	if (!text || text[0] != '/')
		return fail(err, "%s: not an absolute path", what);
	if (strlen(text) > PATH_CHARS)
		return fail(err, "%s: longer than %zu characters", what,
			    PATH_CHARS);
	strcpy(path, text);
	return 0;
}

static int read_group(struct json_object *obj, const char *what, gid_t *gid,
		      struct error *err)
{
	const char *text = json_text(obj);
	struct group *g;

	if (!text)
		return fail(err, "%s: not a group name", what);
	g = getgrnam(text);
	if (!g)
		return fail(err, "%s: there is no group '%.64s'", what, text);
	*gid = g->gr_gid;
	return 0;
}

static bool name_ok(const char *name)
{
	static const char first[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	size_t len = strlen(name);

	return len && len <= NAME_CHARS && strchr(first, name[0]) &&
		strspn(name, "abcdefghijklmnopqrstuvwxyz"
		       "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == len;
}

static int window_check(const struct dest_spec *spec, struct error *err)
{
	char text[24];

	format_size(spec->window_bytes, text);
	if (spec->window_bytes & (spec->window_bytes - 1))
		return fail(err, "destination %s: window %s is not a power of two",
			    spec->name, text);
	if (spec->window_bytes < SLUICE_SHM_SEGMENT_BYTES)
		return fail(err, "destination %s: window %s is below 2M",
			    spec->name, text);
	if (spec->window_bytes > WINDOW_MAX)
		return fail(err, "destination %s: window %s is above 2G",
			    spec->name, text);
	return 0;
}

/* Slots of the window that data segments may take, in bytes */
static uint64_t data_bytes(const struct dest_spec *spec)
{
	uint64_t mask = SLUICE_SHM_SEGMENT_BYTES - 1;

	return spec->window_bytes - ((spec->control_bytes + mask) & ~mask);
}

/**
 * quota_check() - may this be a destination's quota?
 * @spec: whose window is checked already
 * @quota_bytes: candidate
 * @err: message
 *
 * Return: 0 or -1.
 */
int quota_check(const struct dest_spec *spec, uint64_t quota_bytes,
		struct error *err)
{
	char a[24], b[24];

	format_size(quota_bytes, a);
	if (quota_bytes & (SLUICE_SHM_SEGMENT_BYTES - 1))
		return fail(err, "destination %s: quota %s is not a multiple of 2M",
			    spec->name, a);
	format_size(data_bytes(spec), b);
	if (quota_bytes > data_bytes(spec))
		return fail(err, "destination %s: quota %s is above %s, what the window holds beside the control segment",
			    spec->name, a, b);
	return 0;
}

static int read_sizes(struct dest_spec *spec, struct json_object *obj,
		      struct error *err)
{
	struct json_object *v;
	char what[96];

	snprintf(what, sizeof(what), "destination %s: window", spec->name);
	if (!json_object_object_get_ex(obj, "window", &v))
		return fail(err, "%s is missing; write e.g. \"window\": \"64M\"",
			    what);
	if (json_size(v, what, &spec->window_bytes, err) ||
	    window_check(spec, err))
		return -1;

	spec->control_bytes = SLUICE_SHM_SEGMENT_BYTES;
	if (json_object_object_get_ex(obj, "control", &v)) {
		snprintf(what, sizeof(what), "destination %s: control",
			 spec->name);
		if (json_size(v, what, &spec->control_bytes, err))
			return -1;
		if (spec->control_bytes < SLUICE_SHM_CTRL_MIN ||
		    spec->control_bytes > SLUICE_SHM_CTRL_MAX ||
		    spec->control_bytes % SLUICE_SHM_PAGE)
			return fail(err, "%s: not between 256K and 8M in steps of 4K",
				    what);
		if (spec->control_bytes > spec->window_bytes)
			return fail(err, "%s: above the window", what);
	}

	spec->quota_bytes = data_bytes(spec);
	if (json_object_object_get_ex(obj, "quota", &v)) {
		snprintf(what, sizeof(what), "destination %s: quota",
			 spec->name);
		if (json_size(v, what, &spec->quota_bytes, err) ||
		    quota_check(spec, spec->quota_bytes, err))
			return -1;
	}
	return 0;
}

static int default_socket(struct dest_spec *spec, const struct config *cfg,
			  struct error *err)
{
	int n;

	if (!cfg->directory[0])
		return fail(err, "destination %s: socket is missing, and no directory is configured",
			    spec->name);
	n = snprintf(spec->socket, sizeof(spec->socket), "%s/%s.sock",
		     cfg->directory, spec->name);
	if (n < 0 || (size_t)n >= sizeof(spec->socket))
		return fail(err, "destination %s: %s/%s.sock is longer than %zu characters",
			    spec->name, cfg->directory, spec->name, PATH_CHARS);
	return 0;
}

/**
 * dest_spec_read() - decode and check the description of a destination
 * @spec: result, complete with defaults
 * @obj: JSON
 * @cfg: for the defaults
 * @err: message
 *
 * Return: 0 or -1.
 */
int dest_spec_read(struct dest_spec *spec, struct json_object *obj,
		   const struct config *cfg, struct error *err)
{
	struct json_object *v = NULL;
	const char *text;
	char what[96];

	memset(spec, 0, sizeof(*spec));
	spec->group = cfg->group;
	spec->pairs = PAIRS_DEFAULT;

	if (!json_object_is_type(obj, json_type_object))
		return fail(err, "a destination is not an object");
	json_object_object_get_ex(obj, "name", &v);
	text = json_text(v);
	if (!text)
		return fail(err, "a destination has no name");
	if (!name_ok(text))
		return fail(err, "destination name '%.64s' is not 1 to %d letters, digits, '.', '_' or '-', beginning with a letter or digit",
			    text, NAME_CHARS);
	strcpy(spec->name, text);

	snprintf(what, sizeof(what), "destination %s", spec->name);
	if (json_only_keys(obj, what, dest_keys, ARRAY_SIZE(dest_keys), err) ||
	    read_sizes(spec, obj, err))
		return -1;

	if (json_object_object_get_ex(obj, "pairs", &v)) {
		if (!json_object_is_type(v, json_type_int) ||
		    json_object_get_int64(v) < 1 ||
		    json_object_get_int64(v) > SLUICE_SHM_MAX_PAIRS)
			return fail(err, "%s: pairs is not a number from 1 to %d",
				    what, SLUICE_SHM_MAX_PAIRS);
		spec->pairs = json_object_get_int(v);
	}
	if (json_object_object_get_ex(obj, "mac", &v)) {
		text = json_text(v);
		if (!text || !parse_mac(text, spec->mac))
			return fail(err, "%s: mac '%.64s' is not a station's address such as 02:00:00:00:00:01",
				    what, text ? text : "");
	}
	if (json_object_object_get_ex(obj, "group", &v)) {
		snprintf(what, sizeof(what), "destination %s: group",
			 spec->name);
		if (read_group(v, what, &spec->group, err))
			return -1;
	}
	if (json_object_object_get_ex(obj, "socket", &v)) {
		snprintf(what, sizeof(what), "destination %s: socket",
			 spec->name);
		return read_path(v, what, spec->socket, err);
	}
	return default_socket(spec, cfg, err);
}

static int read_dests(struct config *cfg, struct json_object *list,
		      struct error *err)
{
	size_t i, nr;

	if (!json_object_is_type(list, json_type_array))
		return fail(err, "destinations: not a list");
	nr = json_object_array_length(list);
	cfg->dests = calloc(nr ? nr : 1, sizeof(*cfg->dests));
	if (!cfg->dests)
		return fail(err, "out of memory");
	cfg->nr_dests = nr;
	for (i = 0; i < nr; i++)
		if (dest_spec_read(&cfg->dests[i],
				   json_object_array_get_idx(list, i), cfg,
				   err))
			return -1;
	return 0;
}

static int read_root(struct config *cfg, struct json_object *root,
		     struct error *err)
{
	struct json_object *v;

	if (!json_object_is_type(root, json_type_object))
		return fail(err, "not an object in braces");
	if (json_only_keys(root, "configuration", config_keys,
			   ARRAY_SIZE(config_keys), err))
		return -1;
	if (json_object_object_get_ex(root, "directory", &v) &&
	    read_path(v, "directory", cfg->directory, err))
		return -1;
	if (json_object_object_get_ex(root, "control", &v) &&
	    read_path(v, "control", cfg->control, err))
		return -1;
	if (json_object_object_get_ex(root, "group", &v) &&
	    read_group(v, "group", &cfg->group, err))
		return -1;
	if (json_object_object_get_ex(root, "total", &v) &&
	    json_size(v, "total", &cfg->total_bytes, err))
		return -1;
	if (json_object_object_get_ex(root, "stuck_seconds", &v)) {
		if (!json_object_is_type(v, json_type_int) ||
		    json_object_get_int64(v) < 1 ||
		    json_object_get_int64(v) > 86400)
			return fail(err, "stuck_seconds is not a number from 1 to 86400");
		cfg->stuck_ms = 1000 * json_object_get_int(v);
	}
	if (json_object_object_get_ex(root, "destinations", &v))
		return read_dests(cfg, v, err);
	return 0;
}

static char *read_file(const char *path, size_t *len, struct error *err)
{
	FILE *f = fopen(path, "re");
	char *text;

	if (!f) {
		fail(err, "%s: %s", path, strerror(errno));
		return NULL;
	}
	text = malloc(FILE_BYTES_MAX + 1);
	if (!text) {
		fail(err, "out of memory");
		goto out;
	}
	*len = fread(text, 1, FILE_BYTES_MAX + 1, f);
	if (ferror(f) || *len > FILE_BYTES_MAX) {
		fail(err, "%s: %s", path, ferror(f) ? strerror(errno) :
		     "longer than 1 MiB");
		free(text);
		text = NULL;
	}
out:
	fclose(f);
	return text;
}

static unsigned int line_of(const char *text, size_t at)
{
	unsigned int line = 1;
	size_t i;

	for (i = 0; i < at; i++)
		line += text[i] == '\n';
	return line;
}

static void config_init(struct config *cfg)
{
	memset(cfg, 0, sizeof(*cfg));
	cfg->group = NO_GROUP;
	cfg->stuck_ms = 1000 * STUCK_DEFAULT;
}

/**
 * config_parse() - decode and check a configuration
 * @cfg: result; config_free() it, on failure as well
 * @text: JSON with comments
 * @len: of @text
 * @path: for the messages
 * @err: message with the file's name and, for a syntax error, the line
 *
 * Return: 0 or -1.
 */
int config_parse(struct config *cfg, const char *text, size_t len,
		 const char *path, struct error *err)
{
	struct json_tokener *tok = json_tokener_new();
	struct json_object *root;
	enum json_tokener_error e;
	struct error why;
	size_t end;
	int ret = -1;

	config_init(cfg);
	if (!tok)
		return fail(err, "out of memory");

	root = json_tokener_parse_ex(tok, text, len);
	e = json_tokener_get_error(tok);
	end = json_tokener_get_parse_end(tok);
	if (e != json_tokener_success) {
		fail(err, "%s:%u: %s", path, line_of(text, end),
		     e == json_tokener_continue ? "the file ends too early" :
		     json_tokener_error_desc(e));
		goto out;
	}
	while (end < len && text[end] && strchr(" \t\r\n", text[end]))
		end++;
	if (end < len) {
		fail(err, "%s:%u: text after the closing brace", path,
		     line_of(text, end));
		goto out;
	}
	ret = read_root(cfg, root, &why);
	if (ret)
		fail(err, "%s: %.*s", path, 200, why.text);
out:
	json_object_put(root);
	json_tokener_free(tok);
	return ret;
}

/**
 * config_load() - read the configuration file
 * @cfg: result; config_free() it, on failure as well
 * @path: file, or NULL for an empty configuration
 * @err: message
 *
 * Return: 0 or -1.
 */
int config_load(struct config *cfg, const char *path, struct error *err)
{
	char *text;
	size_t len;
	int ret;

	config_init(cfg);
	if (!path)
		return 0;
	text = read_file(path, &len, err);
	if (!text)
		return -1;
	ret = config_parse(cfg, text, len, path, err);
	free(text);
	return ret;
}

void config_free(struct config *cfg)
{
	free(cfg->dests);
	cfg->dests = NULL;
	cfg->nr_dests = 0;
}
