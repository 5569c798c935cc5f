/* SPDX-License-Identifier: GPL-2.0 */
/* What "dest show", "dest set" and "plan" share. */
#ifndef SLUICECTL_DEST_H
#define SLUICECTL_DEST_H

#include <linux/netlink.h>
#include <stdint.h>

struct dest;
struct nl;

/* A destination as the user named it. */
struct dest_ref {
	const char *name;	/* or NULL: by ifindex */
	uint32_t ifindex;
	const char *typed;	/* for messages */
};

/**
 * dest_ref_parse() - NAME, or "dev" NETDEV
 * @args: moved behind what was used
 * @ref: points into the arguments
 *
 * Return: EXIT_OK, or an exit status that has been told.
 */
int dest_ref_parse(char ***args, struct dest_ref *ref);

/* The attribute that chooses @ref. */
void dest_ref_put(struct nlmsghdr *nlh, const struct dest_ref *ref);

/**
 * dest_read() - ask for one destination
 * @nl: from nl_open()
 * @ref: which
 * @d: result, dest_free() it after EXIT_OK only
 *
 * Return: EXIT_OK, or an exit status that has been told.
 */
int dest_read(struct nl *nl, const struct dest_ref *ref, struct dest *d);

/**
 * dest_each() - ask for all destinations, in the order of their names
 * @nl: from nl_open()
 * @one: called for each; keeps nothing of it
 * @arg: for @one
 *
 * Return: EXIT_OK, or an exit status that has been told.
 */
int dest_each(struct nl *nl, void (*one)(const struct dest *d, void *arg), void *arg);

#define DEST_WAIT_DEFAULT_MS	(120 * 1000)

/**
 * struct dest_wait - a request whose end is waited for
 * @ref: which destination
 * @what: what goes on if the wait ends early, "the resize"
 * @target: size to show beside the present one
 * @ms: at most so long; 0: only request
 * @request: sends it; returns an exit status
 * @judge: -1 to go on, else the exit status, which has been told
 * @late: the same when time is over, may be NULL
 * @arg: for @request and @judge
 */
struct dest_wait {
	const struct dest_ref *ref;
	const char *what;
	uint64_t target;
	uint32_t ms;
	int (*request)(struct nl *nl, const void *arg);
	int (*judge)(const struct dest *d, const void *arg);
	int (*late)(const struct dest *d, uint32_t ms);
	const void *arg;
};

/* Return: an exit status; other than EXIT_OK it has been told. */
int dest_wait(struct nl *nl, const struct dest_wait *w);

#endif /* SLUICECTL_DEST_H */
