// SPDX-License-Identifier: GPL-2.0
/*
 * A kernel for sluicectl that lives in its process: linked in, it takes the place
 * of libmnl's sockets. It knows guest1 and guest2; each look at guest1 moves its
 * region one segment towards the requested size and raises an event.
 *
 * FAKE_KERNEL holds words that change its ways: look for mode("...").
 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/sluice.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FAMILY	0x1b
#define SEGMENT	(2u << 20)
#define LIMIT	(32u << 20)

struct mnl_socket {
	int pipe[2];		/* a byte for each queued message of a listener */
	bool hears;
	char *answer[4];	/* NULL when none is left */
	size_t answer_bytes[4];
	unsigned int first, last;
	struct mnl_socket *next;
};

static struct mnl_socket *sockets;
static char event[512] __attribute__((aligned(8)));
static struct {
	uint64_t requested, plugged;
	uint32_t drain_ms;
	char port[16];
	bool resizing, refused;
	uint32_t quiesce;
	unsigned int looks;
} guest1 = { .drain_ms = 5000 };

static bool mode(const char *word)
{
	const char *words = getenv("FAKE_KERNEL");

	return words && strstr(words, word);
}

static void queue(struct mnl_socket *s, const struct nlmsghdr *nlh)
{
	unsigned int i = s->last++ % 4;

	s->answer[i] = malloc(nlh->nlmsg_len);
	s->answer_bytes[i] = nlh->nlmsg_len;
	if (s->answer[i])
		memcpy(s->answer[i], nlh, nlh->nlmsg_len);
}

static struct nlmsghdr *start(char *buf, size_t bytes, int type, unsigned int seq)
{
	struct nlmsghdr *nlh;

	memset(buf, 0, bytes);
	nlh = mnl_nlmsg_put_header(buf);
	nlh->nlmsg_type = type;
	nlh->nlmsg_seq = seq;
	return nlh;
}

static struct nlmsghdr *start_genl(char *buf, size_t bytes, int type, int cmd,
				   unsigned int seq)
{
	struct nlmsghdr *nlh = start(buf, bytes, type, seq);
	struct genlmsghdr *genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));

	genl->cmd = cmd;
	return nlh;
}

static void answer_error(struct mnl_socket *s, unsigned int seq, int code, const char *text)
{
	char buf[512] __attribute__((aligned(8)));
	struct nlmsghdr *nlh = start(buf, sizeof(buf), NLMSG_ERROR, seq);
	struct nlmsgerr *err = mnl_nlmsg_put_extra_header(nlh, sizeof(*err));

	err->error = -code;
	nlh->nlmsg_flags = NLM_F_CAPPED;
	if (text) {
		nlh->nlmsg_flags |= NLM_F_ACK_TLVS;
		mnl_attr_put_strz(nlh, NLMSGERR_ATTR_MSG, text);
	}
	queue(s, nlh);
}

static void answer_done(struct mnl_socket *s, unsigned int seq)
{
	char buf[64] __attribute__((aligned(8)));
	struct nlmsghdr *nlh = start(buf, sizeof(buf), NLMSG_DONE, seq);

	mnl_nlmsg_put_extra_header(nlh, sizeof(int));
	queue(s, nlh);
}

static void raise_event(uint32_t type, const char *text)
{
	struct mnl_socket *s;
	struct nlmsghdr *nlh;

	nlh = start_genl(event, sizeof(event), FAMILY, SLUICE_CMD_EVENT, 0);
	mnl_attr_put_u32(nlh, SLUICE_A_EVENT_TYPE, type);
	mnl_attr_put_u32(nlh, SLUICE_A_EVENT_IFINDEX, 7);
	mnl_attr_put_strz(nlh, SLUICE_A_EVENT_NAME, "guest1");
	if (text)
		mnl_attr_put_strz(nlh, SLUICE_A_EVENT_TEXT, text);
	mnl_attr_put_u64(nlh, SLUICE_A_EVENT_PLUGGED_BYTES, guest1.plugged);
	for (s = sockets; s; s = s->next)
		if (s->hears && !mode("lost") && write(s->pipe[1], "", 1) != 1)
			abort();
}

static void step(void)
{
	guest1.looks++;
	if (mode("interrupt") && guest1.looks == 3)
		raise(SIGINT);
	if (mode("other") && guest1.looks == 3)
		guest1.requested = 4 * SEGMENT;
	if (guest1.quiesce == SLUICE_QUIESCE_STATE_QUIESCING && !mode("stuck")) {
		if (guest1.plugged)
			guest1.plugged -= SEGMENT;
		else
			guest1.quiesce = SLUICE_QUIESCE_STATE_QUIESCED;
		raise_event(guest1.plugged ? SLUICE_EVENT_TYPE_SEGMENT_STATE :
					     SLUICE_EVENT_TYPE_QUIESCED, NULL);
		return;
	}
	if (mode("resumed") && guest1.looks == 3)
		guest1.quiesce = SLUICE_QUIESCE_STATE_RUNNING;
	if (!guest1.resizing || mode("stuck") || mode("waiting"))
		return;
	if (mode("refuse") && guest1.plugged == 2 * SEGMENT) {
		guest1.resizing = false;
		guest1.refused = true;
		raise_event(SLUICE_EVENT_TYPE_RESIZE_REFUSED, "no memory on node 0");
		return;
	}
	if (guest1.plugged < guest1.requested)
		guest1.plugged += SEGMENT;
	else if (guest1.plugged > guest1.requested)
		guest1.plugged -= SEGMENT;
	guest1.resizing = guest1.plugged != guest1.requested;
	raise_event(guest1.resizing ? SLUICE_EVENT_TYPE_SEGMENT_STATE :
				      SLUICE_EVENT_TYPE_RESIZE_DONE, NULL);
}

static void put_dest(struct mnl_socket *s, unsigned int seq, bool first, bool dump)
{
	static char buf[8192] __attribute__((aligned(8)));
	struct nlmsghdr *nlh;
	struct nlattr *nest;
	uint32_t i;

	nlh = start_genl(buf, sizeof(buf), FAMILY, SLUICE_CMD_DEST_GET, seq);
	mnl_attr_put_u32(nlh, SLUICE_A_DEST_IFINDEX, first ? 7 : 8);
	mnl_attr_put_strz(nlh, SLUICE_A_DEST_NAME, first ? "guest1" : "gu\"\\\b\xff" "est2");
	mnl_attr_put_strz(nlh, SLUICE_A_DEST_NETDEV, first ? "sl-guest1" : "sl-guest2");
	mnl_attr_put_strz(nlh, SLUICE_A_DEST_PROVIDER, "fake");
	mnl_attr_put_u32(nlh, SLUICE_A_DEST_STATE,
			 mode("newer") ? 99 : mode("waiting") ? SLUICE_DEST_STATE_WAITING :
			 SLUICE_DEST_STATE_UP);
	mnl_attr_put(nlh, SLUICE_A_DEST_MAC, mode("garbage") ? 5 : 6, "\x02\0\0\0\0\x07");
	mnl_attr_put_u64(nlh, SLUICE_A_DEST_WINDOW_BYTES, LIMIT);
	mnl_attr_put_u64(nlh, SLUICE_A_DEST_LIMIT_BYTES, first ? LIMIT : 8 * SEGMENT);
	mnl_attr_put_u64(nlh, SLUICE_A_DEST_REQUESTED_BYTES, first ? guest1.requested : 0);
	mnl_attr_put_u64(nlh, SLUICE_A_DEST_PLUGGED_BYTES, first ? guest1.plugged : 0);
	mnl_attr_put_u32(nlh, SLUICE_A_DEST_SEGMENT_BYTES, SEGMENT);
	mnl_attr_put_u32(nlh, SLUICE_A_DEST_CONTROL_BYTES, 1 << 20);
	mnl_attr_put_u32(nlh, SLUICE_A_DEST_DRAIN_TIMEOUT_MS, first ? guest1.drain_ms : 5000);
	if (first && guest1.resizing && !mode("waiting"))
		mnl_attr_put(nlh, SLUICE_A_DEST_RESIZING, 0, NULL);
	if (first && guest1.refused)
		mnl_attr_put_strz(nlh, SLUICE_A_DEST_REFUSED_REASON, "no memory on node 0");
	if (first && guest1.port[0])
		mnl_attr_put_strz(nlh, SLUICE_A_DEST_PORT, guest1.port);
	mnl_attr_put_u32(nlh, SLUICE_A_DEST_QUIESCE, first ? guest1.quiesce : 0);
	if (first && mode("auto")) {
		mnl_attr_put_u64(nlh, SLUICE_A_DEST_AUTO_MIN_BYTES, SEGMENT);
		mnl_attr_put_u64(nlh, SLUICE_A_DEST_AUTO_MAX_BYTES, 8 * SEGMENT);
		mnl_attr_put_u32(nlh, SLUICE_A_DEST_AUTO_WEIGHT, 3);
		mnl_attr_put_strz(nlh, SLUICE_A_DEST_AUTO_REASON, "2M to 4M: quiet");
	}
	nest = mnl_attr_nest_start(nlh, SLUICE_A_DEST_STATS);
	for (i = SLUICE_A_STATS_PAD + 1; i <= SLUICE_A_STATS_MAX; i++)
		mnl_attr_put_u64(nlh, i, UINT64_MAX - i);
	mnl_attr_nest_end(nlh, nest);
	for (i = 0; first && !dump && i < guest1.plugged / SEGMENT; i++) {
		nest = mnl_attr_nest_start(nlh, SLUICE_A_DEST_SEGMENT);
		mnl_attr_put_u32(nlh, SLUICE_A_SEGMENT_SLOT, 1 + i);
		mnl_attr_put_u32(nlh, SLUICE_A_SEGMENT_STATE,
				 guest1.quiesce ? SLUICE_SEGMENT_LIFE_RETIRING :
						  SLUICE_SEGMENT_LIFE_ACTIVE);
		if (guest1.quiesce)
			mnl_attr_put_strz(nlh, SLUICE_A_SEGMENT_HOLDER, "the guest");
		mnl_attr_nest_end(nlh, nest);
	}
	queue(s, nlh);
}

static void serve_family(struct mnl_socket *s, unsigned int seq)
{
	char buf[256] __attribute__((aligned(8)));
	struct nlattr *groups, *group;
	struct nlmsghdr *nlh;

	if (mode("absent")) {
		answer_error(s, seq, ENOENT, NULL);
		return;
	}
	nlh = start_genl(buf, sizeof(buf), GENL_ID_CTRL, CTRL_CMD_NEWFAMILY, seq);
	mnl_attr_put_u16(nlh, CTRL_ATTR_FAMILY_ID, FAMILY);
	mnl_attr_put_u32(nlh, CTRL_ATTR_VERSION, mode("version2") ? 2 : 1);
	groups = mnl_attr_nest_start(nlh, CTRL_ATTR_MCAST_GROUPS);
	group = mnl_attr_nest_start(nlh, 1);
	mnl_attr_put_strz(nlh, CTRL_ATTR_MCAST_GRP_NAME, SLUICE_MCGRP_EVENTS);
	mnl_attr_put_u32(nlh, CTRL_ATTR_MCAST_GRP_ID, 5);
	mnl_attr_nest_end(nlh, group);
	mnl_attr_nest_end(nlh, groups);
	queue(s, nlh);
	answer_error(s, seq, 0, NULL);
}

/* What the real one says to a quiesce that does not fit; NULL if it does. */
static const char *refuse_quiesce(uint32_t state)
{
	if (state == SLUICE_QUIESCE_STATE_RUNNING)
		return guest1.quiesce || mode("quiet") ? NULL : "guest1 is not quiesced";
	return guest1.quiesce || mode("quiet") ? "guest1 is quiesced already" : NULL;
}

static void serve_budget(struct mnl_socket *s, unsigned int seq, uint8_t cmd,
			 const struct nlattr **a)
{
	char buf[256] __attribute__((aligned(8)));
	struct nlmsghdr *nlh;

	if (cmd == SLUICE_CMD_BUDGET_SET) {
		if (a[SLUICE_A_BUDGET_LIMIT_BYTES] &&
		    mnl_attr_get_u64(a[SLUICE_A_BUDGET_LIMIT_BYTES]) < 4 * SEGMENT)
			answer_error(s, seq, ERANGE, "below the floors, which make 8M");
		else if (!a[SLUICE_A_BUDGET_LIMIT_BYTES] == !a[SLUICE_A_BUDGET_NO_LIMIT])
			answer_error(s, seq, EINVAL, "neither or both");
		else
			answer_error(s, seq, 0, NULL);
		return;
	}
	nlh = start_genl(buf, sizeof(buf), FAMILY, SLUICE_CMD_BUDGET_GET, seq);
	if (!mode("unlimited"))
		mnl_attr_put_u64(nlh, SLUICE_A_BUDGET_LIMIT_BYTES, 64 << 20);
	mnl_attr_put_u64(nlh, SLUICE_A_BUDGET_USED_BYTES, 16 << 20);
	mnl_attr_put_u64(nlh, SLUICE_A_BUDGET_FLOOR_BYTES, 8 << 20);
	mnl_attr_put_u32(nlh, SLUICE_A_BUDGET_DESTS, 2);
	mnl_attr_put_u64(nlh, SLUICE_A_BUDGET_QUARANTINED_BYTES, 2 << 20);
	mnl_attr_put_u64(nlh, SLUICE_A_BUDGET_QUARANTINE_MAX_BYTES, 256 << 20);
	queue(s, nlh);
	answer_error(s, seq, 0, NULL);
}

static void serve_set(struct mnl_socket *s, unsigned int seq, const struct nlattr **a)
{
	const struct nlattr *quiesce = a[SLUICE_A_DEST_QUIESCE];

	if (mode("eperm")) {
		answer_error(s, seq, EPERM, NULL);
	} else if (quiesce) {
		const char *why = refuse_quiesce(mnl_attr_get_u32(quiesce));

		answer_error(s, seq, why ? EINVAL : 0, why);
		if (!why && mnl_attr_get_u32(quiesce)) {
			guest1.quiesce = SLUICE_QUIESCE_STATE_QUIESCING;
			guest1.plugged = 2 * SEGMENT;
		}
	} else if (a[SLUICE_A_DEST_AUTO_MIN_BYTES] &&
		   (mnl_attr_get_u64(a[SLUICE_A_DEST_AUTO_MIN_BYTES]) != 1 << 20 ||
		    mnl_attr_get_u64(a[SLUICE_A_DEST_AUTO_MAX_BYTES]) != 64 << 20 ||
		    !mnl_attr_get_u32(a[SLUICE_A_DEST_AUTO_WEIGHT]))) {
		answer_error(s, seq, ERANGE, "not as it was typed");
	} else if (a[SLUICE_A_DEST_AUTO_OFF] && !mode("auto")) {
		answer_error(s, seq, EINVAL, "guest1 is not sized automatically");
	} else if (guest1.resizing || mode("busy")) {
		answer_error(s, seq, EBUSY, "a resize of guest1 is under way");
	} else if (a[SLUICE_A_DEST_REQUESTED_BYTES] &&
		   mnl_attr_get_u64(a[SLUICE_A_DEST_REQUESTED_BYTES]) > LIMIT) {
		answer_error(s, seq, ERANGE, "guest1 can have at most 32M");
	} else if (mode("reach")) {
		answer_error(s, seq, ERANGE, "segment 1: above the NIC's 32-bit DMA mask");
	} else {
		if (a[SLUICE_A_DEST_REQUESTED_BYTES]) {
			guest1.requested = mnl_attr_get_u64(a[SLUICE_A_DEST_REQUESTED_BYTES]);
			guest1.resizing = guest1.requested != guest1.plugged;
		}
		answer_error(s, seq, 0, NULL);
	}
}

static void serve(struct mnl_socket *s, const struct nlmsghdr *nlh)
{
	const struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *a[SLUICE_A_DEST_MAX + 1] = { NULL }, *attr;
	unsigned int seq = nlh->nlmsg_seq;

	if (nlh->nlmsg_type == GENL_ID_CTRL) {
		serve_family(s, seq);
		return;
	}
	mnl_attr_for_each(attr, nlh, sizeof(*genl))
		if (mnl_attr_get_type(attr) <= SLUICE_A_DEST_MAX)
			a[mnl_attr_get_type(attr)] = attr;
	if (genl->cmd == SLUICE_CMD_PORT_GET) {
		answer_done(s, seq);
		return;
	}
	if (genl->cmd == SLUICE_CMD_BUDGET_GET || genl->cmd == SLUICE_CMD_BUDGET_SET) {
		serve_budget(s, seq, genl->cmd, a);
		return;
	}
	if ((nlh->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP) {
		/* the one that came first, not the one whose name does */
		if (!mode("empty")) {
			put_dest(s, seq, false, true);
			put_dest(s, seq, true, true);
		}
		answer_done(s, seq);
		return;
	}
	if (!(a[SLUICE_A_DEST_NAME] && !strcmp(mnl_attr_get_str(a[SLUICE_A_DEST_NAME]), "guest1")) &&
	    !(a[SLUICE_A_DEST_IFINDEX] && mnl_attr_get_u32(a[SLUICE_A_DEST_IFINDEX]) == 7)) {
		answer_error(s, seq, ENODEV, mode("mute") ? NULL : "no such destination");
	} else if (genl->cmd == SLUICE_CMD_DEST_SET) {
		serve_set(s, seq, a);
	} else {
		step();
		put_dest(s, seq, true, false);
		answer_error(s, seq, 0, NULL);
	}
}

struct mnl_socket *mnl_socket_open2(int bus, int flags)
{
	struct mnl_socket *s = calloc(1, sizeof(*s));

	(void)bus;
	(void)flags;
	if (!s || pipe(s->pipe))
		abort();
	s->next = sockets;
	sockets = s;
	return s;
}

int mnl_socket_bind(struct mnl_socket *s, unsigned int groups, pid_t pid)
{
	(void)s;
	(void)groups;
	(void)pid;
	return 0;
}

int mnl_socket_setsockopt(const struct mnl_socket *s, int type, void *buf, socklen_t len)
{
	(void)buf;
	(void)len;
	if (type == NETLINK_ADD_MEMBERSHIP)
		((struct mnl_socket *)s)->hears = true;
	return 0;
}

int mnl_socket_get_fd(const struct mnl_socket *s)
{
	return s->pipe[0];
}

ssize_t mnl_socket_sendto(const struct mnl_socket *s, const void *buf, size_t len)
{
	serve((struct mnl_socket *)s, buf);
	return len;
}

ssize_t mnl_socket_recvfrom(const struct mnl_socket *socket, void *buf, size_t bufsiz)
{
	struct mnl_socket *s = (struct mnl_socket *)socket;
	struct pollfd fd = { .fd = s->pipe[0], .events = POLLIN };
	unsigned int i;
	size_t bytes;
	char byte;

	if (s->first == s->last) {
		if (!s->hears || poll(&fd, 1, 0) <= 0 || read(s->pipe[0], &byte, 1) != 1) {
			errno = EAGAIN;
			return -1;
		}
		bytes = ((struct nlmsghdr *)event)->nlmsg_len;
		memcpy(buf, event, bytes);
		return bytes;
	}
	i = s->first++ % 4;
	bytes = s->answer_bytes[i];
	if (bytes > bufsiz)
		abort();
	memcpy(buf, s->answer[i], bytes);
	free(s->answer[i]);
	s->answer[i] = NULL;
	return bytes;
}

int mnl_socket_close(struct mnl_socket *s)
{
	struct mnl_socket **at = &sockets;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	for (; s->first != s->last; s->first++)
		free(s->answer[s->first % 4]);
	close(s->pipe[0]);
	close(s->pipe[1]);
	free(s);
	return 0;
}
