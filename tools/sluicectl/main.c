// SPDX-License-Identifier: GPL-2.0
/* sluicectl: show and change the destinations of sluice's backend. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "output.h"
#include "sluicectl.h"

struct options opt;

static const char help[] =
"Usage: sluicectl [OPTIONS] OBJECT { COMMAND | help }\n"
"\n"
"  dest show [NAME | dev NETDEV]     destinations: one guest interface each\n"
"  dest set NAME size SIZE           resize the region of a destination\n"
"  dest set NAME auto { min SIZE max SIZE | off }  let the load decide\n"
"  dest quiesce NAME                 empty the region, so that it can be unmapped\n"
"  dest resume NAME                  and fill it again\n"
"  dest set NAME drain-timeout TIME  how long a guest may take to give memory back\n"
"  dest set NAME port { NETDEV | none }  the NIC whose limits the memory must meet\n"
"  port show [NETDEV]                NICs and what they demand of memory\n"
"  budget show, budget set SIZE      what all automatic regions may take\n"
"  plan                              what the destinations could still get\n"
"  monitor [NAME]                    events as they happen\n"
"  xen { attach | detach | list }    on Xen, in dom0: guests' interfaces\n"
"  help\n"
"\n"
"Options:\n"
"  -j, --json        machine readable, see sluicectl(8)\n"
"  -p, --pretty      JSON with line breaks\n"
"  -s, --statistics  counters, and the segments of one destination\n"
"  -V, --version\n"
"  -h, --help\n";

int fail(int status, const char *fmt, ...)
{
	va_list args;

	fflush(stdout);
	fputs("error: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	return status;
}

const struct verb *verb_find(const struct verb *table, const char *word,
			     const char *what)
{
	const struct verb *v, *found = NULL;
	size_t len = strlen(word);
	bool ambiguous = false;
	char list[160] = "";

	for (v = table; v->name; v++) {
		if (!strcmp(v->name, word))
			return v;
		if (len && !strncmp(v->name, word, len)) {
			if (found && found->run != v->run)
				ambiguous = true;
			found = v;
		}
	}
	if (found && !ambiguous)
		return found;

	for (v = table; v->name; v++) {
		if (ambiguous && strncmp(v->name, word, len))
			continue;
		if (list[0])
			strncat(list, ", ", sizeof(list) - strlen(list) - 1);
		strncat(list, v->name, sizeof(list) - strlen(list) - 1);
	}
	if (ambiguous)
		fail(EXIT_USAGE, "%s '%s' is ambiguous: %s", what, word, list);
	else
		fail(EXIT_USAGE, "unknown %s '%s': use %s", what, word, list);
	return NULL;
}

int object_run(const struct verb *table, char **args, const char *help)
{
	const struct verb *verb;

	if (!*args)
		return table->run(args);
	verb = verb_find(table, *args, "command");
	if (!verb)
		return EXIT_USAGE;
	if (verb->run)
		return verb->run(args + 1);
	fputs(help, stdout);
	return EXIT_OK;
}

static int help_main(char **args)
{
	(void)args;
	fputs(help, stdout);
	return EXIT_OK;
}

static const struct verb objects[] = {
	{ "dest",    dest_main },
	{ "port",    port_main },
	{ "plan",    plan_main },
	{ "budget",  budget_main },
	{ "monitor", monitor_main },
	{ "xen",     xen_main },
	{ "help",    help_main },
	{ NULL,      NULL },
};

static const struct {
	const char *name;
	char letter;
} option_names[] = {
	{ "json",	'j' },
	{ "pretty",	'p' },
	{ "statistics",	's' },
	{ "version",	'V' },
	{ "help",	'h' },
};

static bool help_wanted;

/* -1 to go on, else an exit status. */
static int option(char letter, const char *typed)
{
	switch (letter) {
	case 'j':
		opt.json = true;
		return -1;
	case 'p':
		opt.pretty = true;
		return -1;
	case 's':
		opt.stats = true;
		return -1;
	case 'V':
		puts("sluicectl " SLUICECTL_VERSION);
		return EXIT_OK;
	case 'h':
		help_wanted = true;
		return -1;
	}
	return fail(EXIT_USAGE, "unknown option '%s' (see sluicectl --help)", typed);
}

static int option_word(const char *word)
{
	const char *p;
	int status = -1;
	size_t i;

	if (word[1] != '-') {
		for (p = word + 1; *p && status < 0; p++)
			status = option(*p, word);
		return status;
	}
	for (i = 0; i < sizeof(option_names) / sizeof(*option_names); i++)
		if (!strcmp(word + 2, option_names[i].name))
			return option(option_names[i].letter, word);
	return option('?', word);
}

static bool option_known(const char *word)
{
	size_t i;

	if (word[1] != '-')
		return true;
	for (i = 0; i < sizeof(option_names) / sizeof(*option_names); i++)
		if (!strcmp(word + 2, option_names[i].name))
			return true;
	return false;
}

/*
 * Takes the options out of the words. They may stand anywhere before "--", as in
 * "monitor -j"; but "-1" is a (wrong) value, not an option, which getopt() would not know.
 */
static int options_parse(char **words)
{
	char **to = words, **first = words;
	bool literal = false;
	int status;

	for (; *words; words++) {
		const char *word = *words;

		if (literal || word[0] != '-' || !word[1] ||
		    (word[1] >= '0' && word[1] <= '9')) {
			*to++ = *words;
		} else if (!strcmp(word, "--")) {
			literal = true;
		} else if (to > first && !strcmp(*first, "xen") && !option_known(word)) {
			*to++ = *words; /* its own settings are written --backend DOMAIN */
		} else {
			status = option_word(word);
			if (status >= 0)
				return status;
		}
	}
	*to = NULL;
	return -1;
}

int main(int argc, char **argv)
{
	const struct verb *object;
	char help_word[] = "help", *help_words[] = { help_word, NULL };
	char **words = argv + (argc > 0);
	int status;

	status = options_parse(words);
	if (status >= 0)
		return output_finish(status);
	if (!*words && help_wanted)
		return output_finish(help_main(NULL));
	if (!*words) {
		fputs(help, stderr);
		return EXIT_USAGE;
	}
	object = verb_find(objects, *words, "object");
	if (!object)
		return EXIT_USAGE;
	/* "xen attach --help" asks about xen */
	return output_finish(object->run(help_wanted ? help_words : words + 1));
}
