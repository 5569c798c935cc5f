// SPDX-License-Identifier: GPL-2.0
/* Sockets, requests and errors of generic netlink. */
#include "netlink.h"

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/sluice.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "decode.h"
#include "sluicectl.h"

/* The kernel's sentence, which follows the request (or its header alone). */
static void error_text(const struct nlmsghdr *nlh, size_t fixed_bytes,
		       struct nl_error *error)
{
	size_t bytes = mnl_nlmsg_get_payload_len(nlh);
	const struct nlmsgerr *msg = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr;
	size_t skip = fixed_bytes;

	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (nlh->nlmsg_type == NLMSG_ERROR && !(nlh->nlmsg_flags & NLM_F_CAPPED)) {
		if (msg->msg.nlmsg_len < MNL_NLMSG_HDRLEN ||
		    msg->msg.nlmsg_len > bytes)
			return;
		skip += msg->msg.nlmsg_len - MNL_NLMSG_HDRLEN;
	}
	if (MNL_ALIGN(skip) >= bytes)
		return;
	mnl_attr_for_each(attr, nlh, skip)
		if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG)
			text_clean(error->text, sizeof(error->text),
				   mnl_attr_get_payload(attr),
				   mnl_attr_get_payload_len(attr));
}

bool nl_ok(const struct nlmsghdr *nlh, int left)
{
	/* mnl_nlmsg_ok() takes a length above INT_MAX for a small one */
	return left >= 0 && mnl_nlmsg_ok(nlh, left) && nlh->nlmsg_len <= (unsigned int)left;
}

enum nl_progress nl_parse(const void *buf, size_t bytes, unsigned int seq,
			  nl_callback callback, void *arg, struct nl_error *error)
{
	const struct nlmsghdr *nlh = buf;
	int left = bytes;
	int code;

	error->code = 0;
	error->text[0] = '\0';
	for (; nl_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
		if (nlh->nlmsg_seq != seq)
			continue;
		if (nlh->nlmsg_type >= NLMSG_MIN_TYPE) {
			code = callback ? callback(nlh, arg) : 0;
			if (code < 0) {
				error->code = -code;
				return NL_FINISHED;
			}
			continue;
		}
		if (nlh->nlmsg_type != NLMSG_ERROR && nlh->nlmsg_type != NLMSG_DONE)
			continue;
		code = 0;
		if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(code))
			memcpy(&code, mnl_nlmsg_get_payload(nlh), sizeof(code));
		/* INT_MIN has no positive counterpart */
		error->code = code < 0 && code > -4096 ? -code : code ? EPROTO : 0;
		if (nlh->nlmsg_type == NLMSG_DONE)
			error_text(nlh, sizeof(code), error);
		else if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(struct nlmsgerr))
			error_text(nlh, sizeof(struct nlmsgerr), error);
		return NL_FINISHED;
	}
	return NL_MORE;
}

static int socket_open(struct nl *nl, int flags)
{
	int one = 1;

	memset(nl, 0, sizeof(*nl));
	nl->buf = malloc(NL_BUFFER_BYTES);
	if (!nl->buf)
		return fail(EXIT_SYSTEM, "out of memory");
	nl->sock = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC | flags);
	if (!nl->sock || mnl_socket_bind(nl->sock, 0, MNL_SOCKET_AUTOPID) < 0) {
		fail(EXIT_SYSTEM, "generic netlink: %s", strerror(errno));
		nl_close(nl);
		return EXIT_SYSTEM;
	}
	/* Better messages; without them an errno must do. */
	mnl_socket_setsockopt(nl->sock, NETLINK_EXT_ACK, &one, sizeof(one));
	mnl_socket_setsockopt(nl->sock, NETLINK_CAP_ACK, &one, sizeof(one));
	mnl_socket_setsockopt(nl->sock, NETLINK_GET_STRICT_CHK, &one, sizeof(one));
	nl->seq = time(NULL);
	return EXIT_OK;
}

void nl_close(struct nl *nl)
{
	if (nl->sock)
		mnl_socket_close(nl->sock);
	free(nl->buf);
	memset(nl, 0, sizeof(*nl));
}

static struct nlmsghdr *begin(struct nl *nl, uint16_t type, uint8_t cmd,
			      uint8_t version, uint16_t flags)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(nl->buf);
	struct genlmsghdr *genl;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nlh->nlmsg_seq = ++nl->seq;
	genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));
	genl->cmd = cmd;
	genl->version = version;
	return nlh;
}

struct nlmsghdr *nl_begin(struct nl *nl, uint8_t cmd, bool dump)
{
	return begin(nl, nl->family, cmd, SLUICE_FAMILY_VERSION,
		     dump ? NLM_F_DUMP : NLM_F_ACK);
}

int nl_talk(struct nl *nl, nl_callback callback, void *arg, struct nl_error *error)
{
	const struct nlmsghdr *nlh = (void *)nl->buf;
	ssize_t n;

	if (mnl_socket_sendto(nl->sock, nlh, nlh->nlmsg_len) < 0)
		return fail(EXIT_SYSTEM, "netlink send: %s", strerror(errno));
	for (;;) {
		n = mnl_socket_recvfrom(nl->sock, nl->buf, NL_BUFFER_BYTES);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(EXIT_SYSTEM, "netlink receive: %s", strerror(errno));
		if (nl_parse(nl->buf, n, nl->seq, callback, arg, error) == NL_FINISHED)
			return error->code ? EXIT_REFUSED : EXIT_OK;
	}
}

int nl_tell(const struct nl_error *error)
{
	switch (error->code) {
	case EPERM:
	case EACCES:
		if (!error->text[0])
			return fail(EXIT_ABSENT, "needs CAP_NET_ADMIN: run as root");
		break;
	case ENOENT:
		/* a family that went away between two requests */
		if (!error->text[0])
			return fail(EXIT_ABSENT, "sluice_back is not loaded: modprobe sluice_back, in the driver domain");
		break;
	case EOPNOTSUPP:
		if (!error->text[0])
			return fail(EXIT_REFUSED, "this sluice_back does not know that command");
		break;
	case EBADMSG:
		return fail(EXIT_SYSTEM, "the kernel's answer makes no sense to this sluicectl");
	case ENOMEM:
		if (!error->text[0])
			return fail(EXIT_SYSTEM, "out of memory");
		break;
	}
	return fail(EXIT_REFUSED, "%s", error->text[0] ? error->text : strerror(error->code));
}

int nl_ask(struct nl *nl)
{
	struct nl_error error;
	int status = nl_talk(nl, NULL, NULL, &error);

	return status == EXIT_REFUSED ? nl_tell(&error) : status;
}

/* What the controller says about the family. */
struct family {
	uint16_t id;
	uint32_t version;
	uint32_t events_group;
};

static void group_read(const struct nlattr *nest, const char *wanted, uint32_t *id)
{
	const char *name = NULL;
	const struct nlattr *attr;
	uint32_t number = 0;

	mnl_attr_for_each_nested(attr, nest) {
		if (mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GRP_NAME &&
		    mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
			name = mnl_attr_get_str(attr);
		if (mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GRP_ID &&
		    mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
			number = mnl_attr_get_u32(attr);
	}
	if (name && !strcmp(name, wanted))
		*id = number;
}

static int family_read(const struct nlmsghdr *nlh, void *arg)
{
	const struct nlattr *attr, *group;
	struct family *family = arg;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(struct genlmsghdr))
		return -EBADMSG;
	mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr)) {
		switch (mnl_attr_get_type(attr)) {
		case CTRL_ATTR_FAMILY_ID:
			if (mnl_attr_validate(attr, MNL_TYPE_U16) < 0)
				return -EBADMSG;
			family->id = mnl_attr_get_u16(attr);
			break;
		case CTRL_ATTR_VERSION:
			if (mnl_attr_validate(attr, MNL_TYPE_U32) < 0)
				return -EBADMSG;
			family->version = mnl_attr_get_u32(attr);
			break;
		case CTRL_ATTR_MCAST_GROUPS:
			mnl_attr_for_each_nested(group, attr)
				group_read(group, SLUICE_MCGRP_EVENTS,
					   &family->events_group);
			break;
		}
	}
	return 0;
}

static int family_find(struct nl *nl)
{
	struct family family = { 0 };
	struct nl_error error;
	struct nlmsghdr *nlh;
	int status;

	nlh = begin(nl, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1, NLM_F_ACK);
	mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, SLUICE_FAMILY_NAME);
	status = nl_talk(nl, family_read, &family, &error);
	if (status == EXIT_REFUSED) {
		if (error.code == ENOENT)
			error.text[0] = '\0';
		return nl_tell(&error);
	}
	if (status)
		return status;
	if (family.version != SLUICE_FAMILY_VERSION)
		return fail(EXIT_ABSENT,
			    "sluice_back speaks version %u of the control interface, this sluicectl version %u: install the one that belongs to the module",
			    family.version, SLUICE_FAMILY_VERSION);
	nl->family = family.id;
	nl->events_group = family.events_group;
	return EXIT_OK;
}

int nl_open(struct nl *nl)
{
	int status = socket_open(nl, 0);

	if (status)
		return status;
	status = family_find(nl);
	if (status)
		nl_close(nl);
	return status;
}

static int group_join(struct nl *nl, uint32_t group)
{
	if (mnl_socket_setsockopt(nl->sock, NETLINK_ADD_MEMBERSHIP, &group,
				  sizeof(group)) < 0)
		return fail(EXIT_SYSTEM, "cannot hear events: %s", strerror(errno));
	return EXIT_OK;
}

/* "notify" of the controller: families that come and go. */
static int controller_join(struct nl *nl)
{
	uint32_t group = GENL_ID_CTRL;	/* the kernel has reserved this number for it */

	return group_join(nl, group);
}

int nl_events_join(struct nl *nl)
{
	struct nl asking;
	int status = nl_open(&asking);	/* not on the socket that hears events */

	if (status)
		return status;
	nl->family = asking.family;
	nl->events_group = asking.events_group;
	nl_close(&asking);
	return group_join(nl, nl->events_group);
}

int nl_events_open(struct nl *nl, bool modules)
{
	int status = socket_open(nl, SOCK_NONBLOCK);

	if (status)
		return status;
	if (modules)
		status = controller_join(nl);
	if (!status)
		status = nl_events_join(nl);
	if (status)
		nl_close(nl);
	return status;
}

int nl_events_receive(struct nl *nl)
{
	ssize_t n = mnl_socket_recvfrom(nl->sock, nl->buf, NL_BUFFER_BYTES);

	if (n >= 0)
		return n;
	return errno == EAGAIN || errno == EINTR ? 0 : -errno;
}

int nl_fd(const struct nl *nl)
{
	return mnl_socket_get_fd(nl->sock);
}

int nl_family_event(const struct nlmsghdr *nlh)
{
	const struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr;

	if (nlh->nlmsg_type != GENL_ID_CTRL ||
	    mnl_nlmsg_get_payload_len(nlh) < sizeof(*genl))
		return 0;
	if (genl->cmd != CTRL_CMD_NEWFAMILY && genl->cmd != CTRL_CMD_DELFAMILY)
		return 0;
	mnl_attr_for_each(attr, nlh, sizeof(*genl))
		if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_NAME &&
		    mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0 &&
		    !strcmp(mnl_attr_get_str(attr), SLUICE_FAMILY_NAME))
			return genl->cmd;
	return 0;
}
