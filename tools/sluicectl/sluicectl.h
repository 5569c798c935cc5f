/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of sluicectl share: options, exit codes, verbs, names.
 *
 *	main.c		options, objects
 *	dest.c		dest show
 *	dest_set.c	dest set
 *	dest_quiesce.c	dest quiesce, dest resume
 *	dest_wait.c	waiting for what the kernel goes on to do
 *	port.c plan.c budget.c monitor.c	the other objects
 *	xen*.c		Xen's toolstack (xen.h)
 *	decode.c	netlink messages to structures (decode.h)
 *	netlink.c	sockets, requests, errors (netlink.h)
 *	output.c	JSON and text
 *	size.c		sizes and times (size.h)
 */
#ifndef SLUICECTL_H
#define SLUICECTL_H

#include <stdbool.h>
#include <stdint.h>

#define SLUICECTL_VERSION	"0.1" /* as in dkms.conf */

/* Exit status; documented in sluicectl(8). */
enum {
	EXIT_OK		= 0,
	EXIT_USAGE	= 1,	/* the command line says nothing that can be asked */
	EXIT_REFUSED	= 2,	/* the kernel refused, nothing changed */
	EXIT_ABSENT	= 3,	/* no kernel module, or no privilege */
	EXIT_UNFINISHED	= 4,	/* stopped waiting; the resize goes on */
	EXIT_SYSTEM	= 5,	/* a system call or the output failed */
};

struct options {
	bool json;
	bool pretty;
	bool stats;
};

extern struct options opt;

/**
 * struct verb - a word of the command line and what it does
 * @name: may be shortened as long as no other verb of the table begins alike
 * @run: gets the arguments after the verb, NULL terminated; returns an exit status.
 *	NULL: print the help, see object_run()
 */
struct verb {
	const char *name;
	int (*run)(char **args);
};

/**
 * verb_find() - look up a word that may be shortened
 * @table: ends with a NULL name; two entries may name the same function
 * @word: as typed
 * @what: "object", "command": for the message
 *
 * Return: the entry, or NULL after telling what is wrong.
 */
const struct verb *verb_find(const struct verb *table, const char *word,
			     const char *what);

/**
 * object_run() - the command of an object
 * @table: as for verb_find(); the first one is what no command means
 * @args: arguments after the object
 * @help: printed for the entry without a function
 *
 * Return: an exit status.
 */
int object_run(const struct verb *table, char **args, const char *help);

/* "error: <text>" to stderr; returns @status. */
int fail(int status, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

int dest_main(char **args);
int dest_set(char **args);
int dest_quiesce(char **args);
int dest_resume(char **args);
int port_main(char **args);
int plan_main(char **args);
int budget_main(char **args);
int monitor_main(char **args);
int xen_main(char **args);

extern const char dest_help[];

#endif /* SLUICECTL_H */
