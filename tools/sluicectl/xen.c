// SPDX-License-Identifier: GPL-2.0
/* The object "xen": which commands there are and which words they take. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "sluicectl.h"
#include "xen.h"

static const char xen_help[] =
"Usage: sluicectl [OPTIONS] xen COMMAND      (in dom0)\n"
"\n"
"  attach --backend DOMAIN --frontend DOMAIN [--name NAME] [--mac MAC] [--size SIZE]\n"
"         [--max-size SIZE] [--pairs N] [--device N]\n"
"                    a network interface of the frontend domain, served by the driver\n"
"                    domain, for which it is the destination NAME\n"
"  detach --frontend DOMAIN [--backend DOMAIN] [--device N] [--timeout TIME] [--force]\n"
"                    take it away again\n"
"  list              what is attached, and its state\n"
"  help\n"
"\n"
"DOMAIN is a name or an id. The dashes may be left out. What grant tables leave\n"
"room for: sluicectl plan.\n";

enum {
	FOR_ATTACH = 1,
	FOR_DETACH = 2,
};

static const struct {
	const char *word;
	size_t offset;
	unsigned int where;
} settings[] = {
	{ "backend",  offsetof(struct xen_args, backend),  FOR_ATTACH | FOR_DETACH },
	{ "frontend", offsetof(struct xen_args, frontend), FOR_ATTACH | FOR_DETACH },
	{ "device",   offsetof(struct xen_args, device),   FOR_ATTACH | FOR_DETACH },
	{ "name",     offsetof(struct xen_args, name),     FOR_ATTACH },
	{ "mac",      offsetof(struct xen_args, mac),      FOR_ATTACH },
	{ "size",     offsetof(struct xen_args, size),     FOR_ATTACH },
	{ "max-size", offsetof(struct xen_args, max_size), FOR_ATTACH },
	{ "pairs",    offsetof(struct xen_args, pairs),    FOR_ATTACH },
	{ "timeout",  offsetof(struct xen_args, timeout),  FOR_DETACH },
};

#define NR_SETTINGS	(sizeof(settings) / sizeof(*settings))

/* "--size 8M" and "--size=8M" are the same. */
static bool same_word(const char *known, const char *word, const char *equals)
{
	size_t len = equals ? (size_t)(equals - word) : strlen(word);

	return strlen(known) == len && !strncmp(known, word, len);
}

static int parse(char **words, unsigned int where, struct xen_args *args)
{
	const char **value, *word;
	char *equals;
	size_t i;

	memset(args, 0, sizeof(*args));
	for (; *words; words++) {
		word = *words;
		equals = NULL;
		if (!strncmp(word, "--", 2)) {
			word += 2;
			equals = strchr(word, '=');
		}
		if (where == FOR_DETACH && !strcmp(word, "force")) {
			args->force = true;
			continue;
		}
		for (i = 0; i < NR_SETTINGS; i++)
			if ((settings[i].where & where) && same_word(settings[i].word, word, equals))
				break;
		if (i == NR_SETTINGS)
			return fail(EXIT_USAGE, "unknown word '%s': see sluicectl xen help",
				    *words);
		value = (const char **)((char *)args + settings[i].offset);
		if (*value)
			return fail(EXIT_USAGE, "%s is given twice", settings[i].word);
		if (!equals && !words[1])
			return fail(EXIT_USAGE, "%s needs a value", settings[i].word);
		*value = equals ? equals + 1 : *++words;
	}
	return EXIT_OK;
}

static int attach(char **words)
{
	struct xen_args args;
	int status = parse(words, FOR_ATTACH, &args);

	if (status)
		return status;
	if (!args.backend || !args.frontend)
		return fail(EXIT_USAGE, "attach needs --backend and --frontend");
	return xen_attach(&args);
}

static int detach(char **words)
{
	struct xen_args args;
	int status = parse(words, FOR_DETACH, &args);

	if (status)
		return status;
	if (!args.frontend)
		return fail(EXIT_USAGE, "detach needs --frontend");
	return xen_detach(&args);
}

static int list(char **words)
{
	struct xen_args args = { 0 };

	if (*words)
		return fail(EXIT_USAGE, "list takes no argument '%s'", *words);
	return xen_list(&args);
}

int xen_main(char **args)
{
	static const struct verb verbs[] = {
		{ "attach", attach },
		{ "detach", detach },
		{ "list",   list },
		{ "show",   list },
		{ "help",   NULL },
		{ NULL,     NULL },
	};

	if (!*args)
		return list(args);
	return object_run(verbs, args, xen_help);
}
