// SPDX-License-Identifier: GPL-2.0
/* Anything as an answer of the kernel: libFuzzer, with ASan and UBSan. */
#include <stdlib.h>
#include <string.h>

#include "decode.h"
#include "netlink.h"
#include "sluicectl.h"

struct options opt;

int fail(int status, const char *fmt, ...)
{
	(void)fmt;
	return status;
}

static int decode_all(const struct nlmsghdr *nlh, void *arg)
{
	struct event e;
	struct dest d;
	struct port p;

	(void)arg;
	if (!dest_decode(nlh, &d))
		dest_free(&d);
	if (!port_decode(nlh, &p))
		port_free(&p);
	event_decode(nlh, &e);
	nl_family_event(nlh);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct nl_error error;
	void *copy;

	/* netlink pads messages; an exact copy lets ASan see one byte too many */
	bytes &= ~(size_t)3;
	copy = malloc(bytes ? bytes : 1);
	if (!copy)
		return 0;
	memcpy(copy, data, bytes);
	nl_parse(copy, bytes, 0, decode_all, NULL, &error);
	free(copy);
	return 0;
}
