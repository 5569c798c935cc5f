// SPDX-License-Identifier: GPL-2.0
/* sluicectl xen list: what is attached, as both folders of the xenstore say. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "size.h"
#include "sluicectl.h"
#include "xen.h"
#include "xen_store.h"

/* enum xenbus_state; 0 where there is no such folder. */
static const char *state_name(uint32_t state)
{
	static const char * const names[] = {
		"absent", "initialising", "init-wait", "initialised", "connected", "closing",
		"closed", "reconfiguring", "reconfigured",
	};

	return state < sizeof(names) / sizeof(*names) ? names[state] : NULL;
}

static const char *domain_text(const struct xen_domains *all, uint32_t id, char buf[16])
{
	const struct xen_domain *d = xen_domain_by_id(all, id);

	if (d)
		return d->name;
	if (id == UINT32_MAX)
		return "?";
	snprintf(buf, 16, "%u", id);
	return buf;
}

/* One side alone does nothing: who is gone, or was never written. */
static const char *problem(const struct xen_domains *all, const struct xen_dev *d)
{
	if (d->error[0])
		return d->error;
	if (!d->has_backend && d->backend != UINT32_MAX && !xen_domain_by_id(all, d->backend))
		return "the backend is gone: attach it to another one, or detach it";
	if (!d->has_backend)
		return "no folder of the backend: detach it";
	if (!xen_domain_by_id(all, d->frontend))
		return "the guest is gone";
	if (!d->has_frontend)
		return "no folder of the frontend: detach it";
	return "";
}

/* Whose turn it is: mostly a module that nobody has loaded. For people only. */
static const char *hint(const struct xen_dev *d)
{
	if (d->backend_state == 1)
		return "waits for sluice_xen and sluice_back in the driver domain";
	if (d->backend_state == 6)
		return "closed by the driver domain: load sluice_xen there, or detach";
	if (d->backend_state == 2 && (d->frontend_state == 1 || d->frontend_state == 6))
		return "waits for sluice_xen and sluice_front in the guest";
	return "";
}

static struct json_object *json_dev(const struct xen_domains *all, const struct xen_dev *d)
{
	const struct xen_domain *b = xen_domain_by_id(all, d->backend);
	const struct xen_domain *f = xen_domain_by_id(all, d->frontend);
	struct json_object *o = json_new();

	if (d->name[0])
		json_text(o, "name", d->name);
	if (b)
		json_text(o, "backend", b->name);
	if (d->backend != UINT32_MAX)
		json_number(o, "backend_id", d->backend);
	if (f)
		json_text(o, "frontend", f->name);
	json_number(o, "frontend_id", d->frontend);
	json_number(o, "device", d->nr);
	if (d->mac[0])
		json_text(o, "mac", d->mac);
	if (d->has_backend) {
		json_number(o, "pairs", d->pairs);
		json_number(o, "size_bytes", d->size);
		json_number(o, "shared_bytes", d->shared);
		json_number(o, "max_bytes", d->max_size ? d->max_size : XEN_MAX_SIZE);
		json_number(o, "control_bytes", d->ctrl_bytes);
	}
	json_enum(o, "backend_state", state_name(d->backend_state), d->backend_state);
	json_enum(o, "frontend_state", state_name(d->frontend_state), d->frontend_state);
	if (problem(all, d)[0])
		json_text(o, "error", problem(all, d));
	return o;
}

static void print_dev(const struct xen_domains *all, const struct xen_dev *d)
{
	char shared[SIZE_TEXT], max[SIZE_TEXT], b[16], f[16], bs[16], fs[16];
	const char *text = problem(all, d);

	if (!text[0])
		text = hint(d);

	printf("%-16s %-14s %-14s %3u %7s %7s %-17s %s/%s%s%s\n", d->name[0] ? d->name : "-",
	       domain_text(all, d->backend, b), domain_text(all, d->frontend, f), d->nr,
	       d->has_backend ? size_format(d->shared, shared) : "-",
	       d->has_backend ? size_format(d->max_size ? d->max_size : XEN_MAX_SIZE, max) : "-",
	       d->mac[0] ? d->mac : "-",
	       enum_text(state_name(d->backend_state), d->backend_state, bs),
	       enum_text(state_name(d->frontend_state), d->frontend_state, fs),
	       text[0] ? "  " : "", text);
}

int xen_list(const struct xen_args *args)
{
	struct json_object *array;
	struct xen_domains all = { 0 };
	struct xen_dev *devs = NULL;
	unsigned int i, nr = 0;
	struct store s;
	int status;

	(void)args;
	status = store_open(&s);
	if (status)
		return status;
	status = store_domains(&s, &all);
	if (!status)
		status = store_devices(&s, &all, &devs, &nr);
	if (!status && opt.json) {
		array = json_new_array();
		for (i = 0; i < nr; i++)
			json_append(array, json_dev(&all, &devs[i]));
		json_print(array);
	} else if (!status) {
		printf("%-16s %-14s %-14s %3s %7s %7s %-17s %s\n", "DESTINATION", "BACKEND",
		       "FRONTEND", "DEV", "SHARED", "MAX", "MAC", "STATE backend/frontend");
		for (i = 0; i < nr; i++)
			print_dev(&all, &devs[i]);
	}
	free(devs);
	free(all.domain);
	store_close(&s);
	return status;
}
