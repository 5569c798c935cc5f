// SPDX-License-Identifier: GPL-2.0
/* Messages of the family: right ones, short ones, unknown and wrong attributes. */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <stdlib.h>
#include <string.h>

#include "decode.h"
#include "netlink.h"
#include "sluicectl.h"
#include "tap.h"

struct options opt;

int fail(int status, const char *fmt, ...)
{
	(void)fmt;
	return status;
}

static char buf[1 << 16] __attribute__((aligned(8)));

static struct nlmsghdr *message(unsigned int seq)
{
	struct nlmsghdr *nlh;

	memset(buf, 0, sizeof(buf));
	nlh = mnl_nlmsg_put_header(buf);
	nlh->nlmsg_type = 0x1b;
	nlh->nlmsg_seq = seq;
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct genlmsghdr));
	return nlh;
}

static void test_dest(void)
{
	struct nlmsghdr *nlh = message(1);
	struct nlattr *nest;
	struct dest d;
	uint32_t i;
	int err;

	mnl_attr_put_u32(nlh, SLUICE_A_DEST_IFINDEX, 7);
	mnl_attr_put_strz(nlh, SLUICE_A_DEST_NAME, "guest1");
	mnl_attr_put_str(nlh, SLUICE_A_DEST_PROVIDER, "loop\033[2Jb\xc3\xa4" "ck");
	mnl_attr_put(nlh, SLUICE_A_DEST_MAC, 6, "\x02\0\0\0\0\x01");
	mnl_attr_put_u64(nlh, SLUICE_A_DEST_PLUGGED_BYTES, 6ull << 32);
	mnl_attr_put(nlh, SLUICE_A_DEST_RESIZING, 0, NULL);
	mnl_attr_put(nlh, SLUICE_A_DEST_PAD, 0, NULL);
	mnl_attr_put_u32(nlh, SLUICE_A_DEST_MAX + 7, 99);
	mnl_attr_put_u32(nlh, 1000, 99);
	for (i = 0; i < 1024; i++) {
		nest = mnl_attr_nest_start(nlh, SLUICE_A_DEST_SEGMENT);
		mnl_attr_put_u32(nlh, SLUICE_A_SEGMENT_SLOT, i);
		mnl_attr_put_u32(nlh, SLUICE_A_SEGMENT_STATE, i % 10);
		mnl_attr_put_u32(nlh, 17, i);
		mnl_attr_nest_end(nlh, nest);
	}
	nest = mnl_attr_nest_start(nlh, SLUICE_A_DEST_STATS);
	mnl_attr_put_u64(nlh, SLUICE_A_STATS_DROP_DOWN, 5);
	mnl_attr_put_u64(nlh, SLUICE_A_STATS_MAX + 1, 6);
	mnl_attr_nest_end(nlh, nest);

	err = dest_decode(nlh, &d);
	tap(!err, "a destination is decoded");
	if (err)
		return;
	tap(d.ifindex == 7 && !strcmp(d.name, "guest1"), "ifindex and name");
	tap(!strcmp(d.provider, "loop?[2Jb??ck"), "text is printable: %s", d.provider);
	tap(d.plugged_bytes == 6ull << 32 && d.resizing, "64-bit number and flag");
	tap(d.has & HAS(SLUICE_A_DEST_MAC) && d.mac[5] == 1, "address");
	tap(!(d.has & HAS(SLUICE_A_DEST_PORT)) && !d.port[0], "an absent attribute is known to be");
	tap(d.nr_segments == 1024, "1024 segments");
	for (i = 0; i < d.nr_segments; i++)
		if (d.segments[i].slot != i || d.segments[i].state != i % 10)
			break;
	tap(i == 1024, "each segment is right (%u)", i);
	tap(d.has_stats == HAS(SLUICE_A_STATS_DROP_DOWN) &&
	    d.stats[SLUICE_A_STATS_DROP_DOWN] == 5, "counters, unknown ones passed over");
	dest_free(&d);
	tap(!d.segments && !d.nr_segments, "freed");
}

static void test_wrong(void)
{
	struct nlmsghdr *nlh = message(1);
	struct nlattr *nest;
	struct event e;
	struct dest d;
	struct port p;
	char name[300];

	nlh->nlmsg_len = MNL_NLMSG_HDRLEN + 2;
	tap(dest_decode(nlh, &d) == -EBADMSG && port_decode(nlh, &p) == -EBADMSG &&
	    event_decode(nlh, &e) == -EBADMSG, "a message without its header");

	nlh = message(1);
	mnl_attr_put_u16(nlh, SLUICE_A_DEST_IFINDEX, 7);
	tap(dest_decode(nlh, &d) == -EBADMSG, "a short number");

	nlh = message(1);
	mnl_attr_put_u64(nlh, SLUICE_A_EVENT_TYPE, 7);
	tap(event_decode(nlh, &e) == -EBADMSG, "a long number");

	nlh = message(1);
	nest = mnl_attr_nest_start(nlh, SLUICE_A_DEST_SEGMENT);
	mnl_attr_put_u32(nlh, SLUICE_A_SEGMENT_SLOT, 1);
	mnl_attr_nest_end(nlh, nest);
	nest = mnl_attr_nest_start(nlh, SLUICE_A_DEST_STATS);
	mnl_attr_put_u32(nlh, SLUICE_A_STATS_DROP_DOWN, 5);
	mnl_attr_nest_end(nlh, nest);
	tap(dest_decode(nlh, &d) == -EBADMSG && !d.segments, "a short counter, nothing leaks");

	nlh = message(1);
	memset(name, 'x', sizeof(name));
	mnl_attr_put(nlh, SLUICE_A_PORT_NAME, sizeof(name), name);
	mnl_attr_put(nlh, SLUICE_A_PORT_DEST, sizeof(name), name);
	mnl_attr_put(nlh, SLUICE_A_PORT_DEST, 0, NULL);
	tap(!port_decode(nlh, &p), "text without an end");
	tap(strlen(p.name) == NAME_TEXT - 1 && p.nr_dests == 2 &&
	    strlen(p.dests[0]) == NAME_TEXT - 1 && !p.dests[1][0], "is cut");
	port_free(&p);
}

static int count(const struct nlmsghdr *nlh, void *arg)
{
	(void)nlh;
	++*(int *)arg;
	return 0;
}

static int refuse(const struct nlmsghdr *nlh, void *arg)
{
	(void)nlh;
	(void)arg;
	return -EBADMSG;
}

static void test_parse(void)
{
	struct nl_error error;
	struct nlmsgerr *err;
	struct nlmsghdr *nlh;
	int seen = 0;

	nlh = message(3);
	tap(nl_parse(buf, nlh->nlmsg_len, 3, count, &seen, &error) == NL_MORE && seen == 1,
	    "an answer goes to the callback");
	tap(nl_parse(buf, nlh->nlmsg_len, 4, count, &seen, &error) == NL_MORE && seen == 1,
	    "an answer to another request does not");
	tap(nl_parse(buf, nlh->nlmsg_len - 1, 3, count, &seen, &error) == NL_MORE && seen == 1,
	    "a cut message is not looked at");
	tap(nl_parse(buf, nlh->nlmsg_len, 3, refuse, NULL, &error) == NL_FINISHED &&
	    error.code == EBADMSG, "the callback can end it");

	memset(buf, 0, sizeof(buf));
	nlh = mnl_nlmsg_put_header(buf);
	nlh->nlmsg_type = NLMSG_ERROR;
	nlh->nlmsg_seq = 3;
	nlh->nlmsg_flags = NLM_F_CAPPED | NLM_F_ACK_TLVS;
	err = mnl_nlmsg_put_extra_header(nlh, sizeof(*err));
	err->error = -ERANGE;
	mnl_attr_put_strz(nlh, NLMSGERR_ATTR_MSG, "too much");
	tap(nl_parse(buf, nlh->nlmsg_len, 3, NULL, NULL, &error) == NL_FINISHED &&
	    error.code == ERANGE && !strcmp(error.text, "too much"), "an error with its text");

	nlh->nlmsg_flags = NLM_F_ACK_TLVS;
	err->msg.nlmsg_len = 1 << 20;
	tap(nl_parse(buf, nlh->nlmsg_len, 3, NULL, NULL, &error) == NL_FINISHED &&
	    error.code == ERANGE && !error.text[0], "a lie about the length of the request");
	err->msg.nlmsg_len = MNL_NLMSG_HDRLEN;
	tap(nl_parse(buf, nlh->nlmsg_len, 3, NULL, NULL, &error) == NL_FINISHED &&
	    !strcmp(error.text, "too much"), "a request without payload before the text");

	err->error = 0x80000000;
	tap(nl_parse(buf, nlh->nlmsg_len, 3, NULL, NULL, &error) == NL_FINISHED &&
	    error.code > 0, "an errno without a counterpart");
	err->error = 0;
	tap(nl_parse(buf, nlh->nlmsg_len, 3, NULL, NULL, &error) == NL_FINISHED &&
	    !error.code, "an acknowledgment");
}

static void test_names(void)
{
	uint32_t i;

	for (i = 0; i <= SLUICE_DEST_STATE_MAX; i++)
		if (!dest_state_name(i))
			break;
	tap(i > SLUICE_DEST_STATE_MAX && !dest_state_name(i), "every state has a name");
	for (i = 0; i <= SLUICE_SEGMENT_LIFE_MAX; i++)
		if (!segment_life_name(i))
			break;
	tap(i > SLUICE_SEGMENT_LIFE_MAX && !segment_life_name(i),
	    "every segment state has a name");
	for (i = 0; i <= SLUICE_EVENT_TYPE_MAX; i++)
		if (!event_type_name(i))
			break;
	tap(i > SLUICE_EVENT_TYPE_MAX && !event_type_name(i), "every event has a name");
	for (i = SLUICE_A_STATS_PAD + 1; i <= SLUICE_A_STATS_MAX; i++)
		if (!stats_name(i))
			break;
	tap(i > SLUICE_A_STATS_MAX && !stats_name(i), "every counter has a name");
}

int main(void)
{
	test_dest();
	test_wrong();
	test_parse();
	test_names();
	return tap_end();
}
