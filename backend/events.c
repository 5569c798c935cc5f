// SPDX-License-Identifier: GPL-2.0
/*
 * What is told to people: events, and the sentences of refusals.
 */
#include <net/genetlink.h>
#include <uapi/linux/sluice.h>
#include "back.h"
#include "netlink_gen.h"

/* Texts of refusals live until the answer has been sent; more are never under way. */
#define SLUICE_NR_TEXTS	32

static char sluice_texts[SLUICE_NR_TEXTS][SLUICE_TEXT_BYTES];
static atomic_t sluice_next_text = ATOMIC_INIT(0);

/**
 * sluice_extack() - tell the person why
 * @extack: of the request, may be NULL
 * @fmt: sentence
 */
void sluice_extack(struct netlink_ext_ack *extack, const char *fmt, ...)
{
	char *text;
	va_list args;

	if (!extack)
		return;
	text = sluice_texts[(u32)atomic_inc_return(&sluice_next_text) % SLUICE_NR_TEXTS];
	va_start(args, fmt);
	vsnprintf(text, SLUICE_TEXT_BYTES, fmt, args);
	va_end(args);
	extack->_msg = text;
}

static void sluice_event_send(struct sluice_dest *dest, u32 type, const char *text, bool segment,
			      u32 slot, u32 state)
{
	struct sk_buff *skb;
	struct net *net;
	void *hdr;

	if (dest->dev->reg_state != NETREG_REGISTERED)
		return;
	/* the namespace may be on its way out, and take the interface out of itself */
	rcu_read_lock();
	net = maybe_get_net(dev_net(dest->dev));
	rcu_read_unlock();
	if (!net)
		return;
	skb = genlmsg_new(NLMSG_GOODSIZE, GFP_KERNEL);
	if (!skb)
		goto put;
	hdr = genlmsg_put(skb, 0, 0, &sluice_nl_family, 0, SLUICE_CMD_EVENT);
	if (!hdr)
		goto free;
	if (nla_put_u32(skb, SLUICE_A_EVENT_TYPE, type) ||
	    nla_put_u32(skb, SLUICE_A_EVENT_IFINDEX, dest->dev->ifindex) ||
	    nla_put_string(skb, SLUICE_A_EVENT_NAME, dest->name) ||
	    (text && text[0] && nla_put_string(skb, SLUICE_A_EVENT_TEXT, text)) ||
	    nla_put_u64_64bit(skb, SLUICE_A_EVENT_REQUESTED_BYTES,
			      (u64)READ_ONCE(dest->requested) << SLUICE_SHM_SEGMENT_SHIFT,
			      SLUICE_A_EVENT_PAD) ||
	    nla_put_u64_64bit(skb, SLUICE_A_EVENT_PLUGGED_BYTES, sluice_segments_plugged(dest),
			      SLUICE_A_EVENT_PAD) ||
	    (segment && (nla_put_u32(skb, SLUICE_A_EVENT_SLOT, slot) ||
			 nla_put_u32(skb, SLUICE_A_EVENT_SEGMENT_STATE, state))))
		goto free;
	genlmsg_end(skb, hdr);
	/* nobody listening is no error */
	genlmsg_multicast_netns(&sluice_nl_family, net, skb, 0, SLUICE_NLGRP_EVENTS, GFP_KERNEL);
	goto put;
free:
	nlmsg_free(skb);
put:
	put_net(net);
}

/**
 * sluice_event() - tell listeners in the destination's network namespace
 * @dest: the destination
 * @type: enum sluice_event_type
 * @text: for a person, or NULL
 *
 * Context: process.
 */
void sluice_event(struct sluice_dest *dest, u32 type, const char *text)
{
	sluice_event_send(dest, type, text, false, 0, 0);
}

/**
 * sluice_event_segment() - the same about one segment
 * @dest: the destination
 * @type: enum sluice_event_type
 * @slot: window slot
 * @state: its state now
 * @text: for a person, or NULL
 */
void sluice_event_segment(struct sluice_dest *dest, u32 type, u32 slot, u32 state,
			  const char *text)
{
	sluice_event_send(dest, type, text, true, slot, state);
}
