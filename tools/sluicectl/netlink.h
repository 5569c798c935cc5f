/* SPDX-License-Identifier: GPL-2.0 */
/* Sockets, requests and errors of generic netlink. */
#ifndef SLUICECTL_NETLINK_H
#define SLUICECTL_NETLINK_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mnl_socket;

/* A destination with every segment of the largest window is below 128 KiB. */
#define NL_BUFFER_BYTES	(256u << 10)
#define NL_ERROR_TEXT	256

struct nl {
	struct mnl_socket *sock;
	uint16_t family;
	uint32_t events_group;
	unsigned int seq;
	unsigned char *buf;		/* NL_BUFFER_BYTES, requests and answers */
};

struct nl_error {
	int code;			/* positive errno, 0 if none */
	char text[NL_ERROR_TEXT];	/* the kernel's words, or "" */
};

/* Called for each answer; a negative errno ends the request with it. */
typedef int (*nl_callback)(const struct nlmsghdr *nlh, void *arg);

enum nl_progress { NL_MORE, NL_FINISHED };

/* Is there a whole message at @nlh, of the @left bytes that were received? */
bool nl_ok(const struct nlmsghdr *nlh, int left);

/**
 * nl_parse() - go through what one receive returned. No I/O.
 * @buf: aligned for struct nlmsghdr
 * @bytes: received
 * @seq: of the request; others are passed over
 * @callback: for each answer
 * @arg: for @callback
 * @error: filled in when finished
 */
enum nl_progress nl_parse(const void *buf, size_t bytes, unsigned int seq,
			  nl_callback callback, void *arg, struct nl_error *error);

/**
 * nl_open() - socket, and the family's number
 * @nl: nl_close() it after success only
 *
 * Return: an exit status; other than EXIT_OK it has been told.
 */
int nl_open(struct nl *nl);
void nl_close(struct nl *nl);

/* A request in nl->buf, to which attributes are added. */
struct nlmsghdr *nl_begin(struct nl *nl, uint8_t cmd, bool dump);

/**
 * nl_talk() - send what nl_begin() began, hand the answers to @callback
 * @nl: from nl_open()
 * @callback: may be NULL
 * @arg: for @callback
 * @error: what the kernel said
 *
 * Return: EXIT_OK; EXIT_REFUSED with @error for the caller to tell; or another
 * exit status that has been told.
 */
int nl_talk(struct nl *nl, nl_callback callback, void *arg, struct nl_error *error);

/* Tell a refusal; returns the exit status that belongs to it. */
int nl_tell(const struct nl_error *error);

/* nl_talk() without answers; a refusal is told. Return: an exit status. */
int nl_ask(struct nl *nl);

/**
 * nl_events_open() - a second socket that hears the family's events, and with
 * @modules also that the family comes and goes
 */
int nl_events_open(struct nl *nl, bool modules);
int nl_events_join(struct nl *nl);	/* again, after the family came back */

/**
 * nl_events_receive() - what is there; the socket does not block
 *
 * Return: bytes in nl->buf; 0 if nothing is there; -ENOBUFS if events were lost;
 * another negative errno.
 */
int nl_events_receive(struct nl *nl);
int nl_fd(const struct nl *nl);

/* CTRL_CMD_NEWFAMILY or DELFAMILY about the family "sluice", else 0. */
int nl_family_event(const struct nlmsghdr *nlh);

#endif /* SLUICECTL_NETLINK_H */
