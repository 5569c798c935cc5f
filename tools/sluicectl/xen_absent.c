// SPDX-License-Identifier: GPL-2.0
/* Built where Xen's libraries are not installed. */
#include "sluicectl.h"
#include "xen.h"

int xen_main(char **args)
{
	(void)args;
	return fail(EXIT_ABSENT, "this sluicectl was built without Xen: install libxen-dev and build it again");
}

int xen_plan(struct json_object *json)
{
	(void)json;
	return EXIT_ABSENT;
}
