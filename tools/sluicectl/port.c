// SPDX-License-Identifier: GPL-2.0
/* Ports: the NICs that destinations are bound to, and what they demand of memory. */
#include <errno.h>
#include <inttypes.h>
#include <libmnl/libmnl.h>
#include <stdio.h>
#include <string.h>

#include "decode.h"
#include "netlink.h"
#include "output.h"
#include "size.h"
#include "sluicectl.h"

static const char port_help[] =
"Usage: sluicectl [OPTIONS] port show [NETDEV]\n"
"\n"
"A destination is bound with: sluicectl dest set NAME port NETDEV\n";

/* As text: most readers of JSON keep 53 bits of a number. */
static void json_mask(struct json_object *to, const char *key, uint64_t mask)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%" PRIx64, mask);
	json_text(to, key, text);
}

static struct json_object *json_port(const struct port *p)
{
	struct json_object *o = json_new(), *dests = json_new_array();
	unsigned int i;

	json_text(o, "name", p->name);
	json_number(o, "ifindex", p->ifindex);
	json_mask(o, "dma_mask", p->dma_mask);
	json_mask(o, "seg_boundary", p->seg_boundary);
	json_number(o, "max_seg_bytes", p->max_seg_bytes);
	json_number(o, "min_align", p->min_align);
	if (p->has & HAS(SLUICE_A_PORT_NUMA_NODE))
		json_signed(o, "numa_node", p->numa_node);
	json_flag(o, "iommu", p->iommu);
	json_flag(o, "coherent", p->coherent);
	for (i = 0; i < p->nr_dests; i++)
		json_append(dests, json_object_new_string(p->dests[i]));
	json_put(o, "dests", dests);
	return o;
}

static void print_port(const struct port *p)
{
	char text[SIZE_TEXT];
	unsigned int i;

	printf("%s: dma-mask 0x%" PRIx64 " seg-boundary 0x%" PRIx64, p->name, p->dma_mask,
	       p->seg_boundary);
	printf(" max-seg %s align %" PRIu32, size_format(p->max_seg_bytes, text), p->min_align);
	if (p->has & HAS(SLUICE_A_PORT_NUMA_NODE) && p->numa_node >= 0)
		printf(" numa-node %" PRId32, p->numa_node);
	printf(" %siommu %scoherent\n", p->iommu ? "" : "no-", p->coherent ? "" : "non-");
	printf("    destinations");
	for (i = 0; i < p->nr_dests; i++)
		printf(" %s", p->dests[i]);
	printf("%s\n", p->nr_dests ? "" : " none");
}

static int show_one(const struct nlmsghdr *nlh, void *list)
{
	struct port p;
	int err = port_decode(nlh, &p);

	if (err)
		return err;
	if (list)
		json_append(list, json_port(&p));
	else
		print_port(&p);
	port_free(&p);
	return 0;
}

static int port_show(char **args)
{
	struct json_object *list;
	const char *name = *args;
	struct nl_error error;
	struct nlmsghdr *nlh;
	struct nl nl;
	int status;

	if (name && (!*name || strlen(name) > SLUICE_PORT_NAME_MAX))
		return fail(EXIT_USAGE, "port '%s' is not the name of a network interface", name);
	if (name && args[1])
		return fail(EXIT_USAGE, "one port at a time: what is '%s'?", args[1]);
	status = nl_open(&nl);
	if (status)
		return status;
	list = list_begin();
	nlh = nl_begin(&nl, SLUICE_CMD_PORT_GET, !name);
	if (name)
		mnl_attr_put_strz(nlh, SLUICE_A_PORT_NAME, name);
	status = nl_talk(&nl, show_one, list, &error);
	if (status == EXIT_REFUSED && name && !error.text[0] &&
	    (error.code == ENOENT || error.code == ENODEV))
		fail(EXIT_REFUSED, "no port '%s' (sluicectl port show lists them)", name);
	else if (status == EXIT_REFUSED)
		status = nl_tell(&error);
	nl_close(&nl);
	return list_end(list, status);
}

int port_main(char **args)
{
	static const struct verb verbs[] = {
		{ "show", port_show },
		{ "list", port_show },
		{ "help", NULL },
		{ NULL,   NULL },
	};

	return object_run(verbs, args, port_help);
}
