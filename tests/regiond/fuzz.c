// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzz target: the first byte chooses the configuration file, a request in the
 * host page or the command socket, the rest is what would be read there. The destinations behind the commands
 * are stand-ins; what reaches them must hold to the limits.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "regiond.h"

static struct region region = {
	.memfd = -1, .ctrl_slots = 1, .window_slots = 2,
};
static struct saved saved;
static struct destination dest = {
	.spec = { .name = "g1", .socket = "/run/g1", .pairs = 1,
		  .window_bytes = 4 << 20, .control_bytes = 2 << 20,
		  .quota_bytes = 2 << 20 },
	.region = &region,
	.saved = &saved,
};
static struct config cfg = {
	.directory = "/run", .group = NO_GROUP, .stuck_ms = 1000,
};

static void check(const struct dest_spec *spec)
{
	uint64_t w = spec->window_bytes;
	uint64_t ctrl = (spec->control_bytes + SLUICE_SHM_SEGMENT_BYTES - 1) &
		~(uint64_t)(SLUICE_SHM_SEGMENT_BYTES - 1);

	if (w < SLUICE_SHM_SEGMENT_BYTES || (w & (w - 1)) ||
	    w >> SLUICE_SHM_SEGMENT_SHIFT > SLUICE_SHM_MAX_SLOTS ||
	    !spec->control_bytes || ctrl > w || spec->quota_bytes > w - ctrl ||
	    spec->pairs < 1 || spec->pairs > SLUICE_SHM_MAX_PAIRS ||
	    !spec->name[0] || strchr(spec->name, '/') || (spec->mac[0] & 1) ||
	    spec->socket[0] != '/')
		abort();
}

/* A request that passes lies behind the control segment, inside the window. */
static void check_request(const uint8_t *data, size_t size)
{
	struct region r = { .memfd = -1 };
	struct punch_request req;
	uint64_t slot;

	if (size < sizeof(req) + 2)
		return;
	memcpy(&req, data, sizeof(req));
	r.window_slots = 1u << (data[sizeof(req)] % 11);
	r.ctrl_slots = 1 + data[sizeof(req) + 1] % 4;
	if (region_check(&r, &req))
		return;
	if (req.op != SLUICE_SHM_HOST_PUNCH || !req.count ||
	    req.count > SLUICE_SHM_MAX_SLOTS)
		abort();
	for (slot = req.first; slot < (uint64_t)req.first + req.count; slot++)
		if (slot < r.ctrl_slots || slot >= r.window_slots)
			abort();
}

struct destination *destination_first(void)
{
	return &dest;
}

struct destination *destination_find(const char *name)
{
	return strcmp(name, "g1") ? NULL : &dest;
}

uint64_t destination_total(void)
{
	return dest.spec.window_bytes;
}

int destination_add(const struct dest_spec *spec, const struct config *c,
		    struct error *err)
{
	(void)c;
	(void)err;
	check(spec);
	return 0;
}

int destination_remove(struct destination *d, bool force, struct error *err)
{
	(void)d;
	return force ? 0 : fail(err, "peers");
}

int destination_set_quota(struct destination *d, uint64_t quota_bytes,
			  struct error *err)
{
	struct dest_spec spec = d->spec;

	if (quota_check(&d->spec, quota_bytes, err))
		return -1;
	spec.quota_bytes = quota_bytes;
	check(&spec);
	return 0;
}

bool peer_has_unread(const struct peer *p)
{
	(void)p;
	return false;
}

int loop_add(struct watch *w, uint32_t events)
{
	(void)w;
	(void)events;
	return -1;
}

void loop_remove(struct watch *w)
{
	(void)w;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static volatile sig_atomic_t stop;
	struct error err;

	(void)argc;
	(void)argv;
	/* binds nothing: only the limits are wanted */
	strcpy(cfg.control, "/nonexistent/ctl");
	command_init(&cfg, &stop, &err);
	/* the server's log would be most of the work */
	if (!freopen("/dev/null", "w", stdout))
		abort();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct json_object *answer;
	struct config c;
	struct error err;
	size_t i;

	if (!size)
		return 0;
	if (data[0] == 'p') {
		check_request(data + 1, size - 1);
	} else if (data[0] == 'c') {
		if (!config_parse(&c, (const char *)data + 1, size - 1, "f",
				  &err))
			for (i = 0; i < c.nr_dests; i++)
				check(&c.dests[i]);
		config_free(&c);
	} else {
		answer = command_run((const char *)data + 1, size - 1);
		json_object_put(answer);
	}
	return 0;
}
