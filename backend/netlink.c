// SPDX-License-Identifier: GPL-2.0
/*
 * Generic netlink: showing and changing destinations and ports.
 */
#include <linux/rtnetlink.h>
#include <net/genetlink.h>
#include <uapi/linux/sluice.h>
#include "back.h"
#include "netlink_gen.h"

/* Why there is no session; NULL if there is one, or no reason why not. */
static const char *sluice_nl_broken(const struct sluice_dest *dest)
{
	const char *refused = sluice_channel_refused(dest->ch);

	if (dest->session)
		return NULL;
	return refused ?: dest->broken[0] ? dest->broken : NULL;
}

static u32 sluice_nl_state(const struct sluice_dest *dest)
{
	if (dest->detaching)
		return SLUICE_DEST_STATE_DETACHING;
	if (dest->session)
		return dest->running ? SLUICE_DEST_STATE_UP : SLUICE_DEST_STATE_CONNECTING;
	return sluice_nl_broken(dest) ? SLUICE_DEST_STATE_BROKEN : SLUICE_DEST_STATE_WAITING;
}

static int sluice_nl_put_stats(struct sk_buff *skb, struct sluice_dest *dest)
{
	struct sluice_totals t;
	struct nlattr *nest;

	sluice_dest_totals(dest, &t);
	nest = nla_nest_start(skb, SLUICE_A_DEST_STATS);
	if (!nest)
		return -EMSGSIZE;

#define SLUICE_PUT(attr, value) \
	nla_put_u64_64bit(skb, SLUICE_A_STATS_##attr, value, SLUICE_A_STATS_PAD)
	if (SLUICE_PUT(TO_GUEST_FRAMES, t.to_frames) ||
	    SLUICE_PUT(TO_GUEST_BYTES, t.to_bytes) ||
	    SLUICE_PUT(TO_GUEST_BOUNCE, t.to_bounce) ||
	    SLUICE_PUT(FROM_GUEST_FRAMES, t.from_frames) ||
	    SLUICE_PUT(FROM_GUEST_BYTES, t.from_bytes) ||
	    SLUICE_PUT(FROM_GUEST_BOUNCE, t.from_bounce) ||
	    SLUICE_PUT(FROM_GUEST_ZEROCOPY, t.from_zerocopy) ||
	    SLUICE_PUT(FROM_GUEST_COPIED, t.from_copied + t.from_orphaned) ||
	    SLUICE_PUT(DOORBELLS_SENT, t.to_doorbells + t.from_doorbells) ||
	    SLUICE_PUT(DOORBELLS_RECEIVED, t.bells) ||
	    SLUICE_PUT(DROP_NO_BUFFER, t.drop_no_buffer) ||
	    SLUICE_PUT(DROP_TOO_BIG, t.drop_too_big) ||
	    SLUICE_PUT(DROP_STALLED, t.drop_stalled) ||
	    SLUICE_PUT(DROP_BAD_FRAME, t.from_drop_bad + t.to_drop_bad) ||
	    SLUICE_PUT(DROP_DOWN, t.to_drop_down + t.from_drop_down) ||
	    SLUICE_PUT(DROP_NO_MEMORY, t.drop_memory) ||
	    SLUICE_PUT(BOUNCE_CONSTRAINT, t.from_constraint) ||
	    SLUICE_PUT(REFUSED_SEGMENTS, dest->refused_count) ||
	    SLUICE_PUT(QUARANTINED, dest->quarantine_count)) {
		nla_nest_cancel(skb, nest);
		return -EMSGSIZE;
	}
#undef SLUICE_PUT
	nla_nest_end(skb, nest);
	return 0;
}

static int sluice_nl_put_segment(struct sk_buff *skb, struct sluice_dest *dest, u32 slot,
				 u32 state)
{
	unsigned long age = jiffies - READ_ONCE(dest->segment[slot].since);
	struct nlattr *nest = nla_nest_start(skb, SLUICE_A_DEST_SEGMENT);
	const char *holder = sluice_segment_holder(dest, slot);
	u32 pages_out = 0;

	if (!nest)
		return -EMSGSIZE;
	/* before that the count of an idle one is not known */
	if (state != SLUICE_SEGMENT_ALLOCATED)
		pages_out = sluice_segment_pages_out(dest, slot);
	if (nla_put_u32(skb, SLUICE_A_SEGMENT_SLOT, slot) ||
	    nla_put_u32(skb, SLUICE_A_SEGMENT_STATE, state) ||
	    nla_put_u32(skb, SLUICE_A_SEGMENT_EPOCH, dest->ch->window.slot[slot].epoch) ||
	    nla_put_u32(skb, SLUICE_A_SEGMENT_PAGES_OUT, pages_out) ||
	    (holder && nla_put_string(skb, SLUICE_A_SEGMENT_HOLDER, holder)) ||
	    nla_put_u32(skb, SLUICE_A_SEGMENT_AGE_MS, jiffies_to_msecs(age))) {
		nla_nest_cancel(skb, nest);
		return -EMSGSIZE;
	}
	nla_nest_end(skb, nest);
	return 0;
}

static int sluice_nl_put_segments(struct sk_buff *skb, struct sluice_dest *dest, u64 *quarantined)
{
	struct sluice_window *win = &dest->ch->window;
	u32 slot, state;

	for (slot = win->ctrl_slots; slot < win->nr_slots; slot++) {
		state = sluice_segment_state(dest, slot);
		if (state == SLUICE_SEGMENT_QUARANTINED)
			*quarantined += SLUICE_SHM_SEGMENT_BYTES;
		if (state != SLUICE_SEGMENT_ABSENT && skb &&
		    sluice_nl_put_segment(skb, dest, slot, state))
			return -EMSGSIZE;
	}
	return 0;
}

static int sluice_nl_put_sizes(struct sk_buff *skb, struct sluice_dest *dest)
{
	u64 window = (u64)sluice_data_slots(dest) << SLUICE_SHM_SEGMENT_SHIFT;
	u64 limit, quarantined = 0;
	const char *why;

	limit = sluice_limit(dest, &why);
	sluice_nl_put_segments(NULL, dest, &quarantined);

#define SLUICE_PUT(attr, value) \
	nla_put_u64_64bit(skb, SLUICE_A_DEST_##attr, value, SLUICE_A_DEST_PAD)
	if (SLUICE_PUT(WINDOW_BYTES, window) || SLUICE_PUT(LIMIT_BYTES, limit) ||
	    (limit < window && why && nla_put_string(skb, SLUICE_A_DEST_LIMIT_REASON, why)) ||
	    SLUICE_PUT(REQUESTED_BYTES, (u64)dest->requested << SLUICE_SHM_SEGMENT_SHIFT) ||
	    SLUICE_PUT(PLUGGED_BYTES, sluice_segments_plugged(dest)) ||
	    SLUICE_PUT(QUARANTINED_BYTES, quarantined) ||
	    nla_put_u32(skb, SLUICE_A_DEST_SEGMENT_BYTES, SLUICE_SHM_SEGMENT_BYTES) ||
	    nla_put_u32(skb, SLUICE_A_DEST_CONTROL_BYTES, dest->ch->ctrl_bytes) ||
	    (dest->resizing && nla_put_flag(skb, SLUICE_A_DEST_RESIZING)) ||
	    (dest->refused[0] &&
	     nla_put_string(skb, SLUICE_A_DEST_REFUSED_REASON, dest->refused)) ||
	    nla_put_u32(skb, SLUICE_A_DEST_DRAIN_TIMEOUT_MS, dest->drain_ms))
		return -EMSGSIZE;
#undef SLUICE_PUT
	return 0;
}

static int sluice_nl_put_auto(struct sk_buff *skb, struct sluice_dest *dest)
{
	const struct sluice_auto *a = &dest->autosize;

	if (nla_put_u32(skb, SLUICE_A_DEST_QUIESCE, dest->quiesce))
		return -EMSGSIZE;
	if (!dest->auto_on)
		return 0;
	if (nla_put_u64_64bit(skb, SLUICE_A_DEST_AUTO_MIN_BYTES,
			      (u64)a->min << SLUICE_SHM_SEGMENT_SHIFT, SLUICE_A_DEST_PAD) ||
	    nla_put_u64_64bit(skb, SLUICE_A_DEST_AUTO_MAX_BYTES,
			      (u64)a->max << SLUICE_SHM_SEGMENT_SHIFT, SLUICE_A_DEST_PAD) ||
	    nla_put_u32(skb, SLUICE_A_DEST_AUTO_WEIGHT, a->weight) ||
	    (dest->auto_reason[0] &&
	     nla_put_string(skb, SLUICE_A_DEST_AUTO_REASON, dest->auto_reason)))
		return -EMSGSIZE;
	return 0;
}

static int sluice_nl_put_dest(struct sk_buff *skb, struct sluice_dest *dest, bool segments)
{
	const char *broken;
	u64 quarantined = 0;
	int err = -EMSGSIZE;

	mutex_lock(&dest->lock);
	broken = sluice_nl_broken(dest);
	if (nla_put_u32(skb, SLUICE_A_DEST_IFINDEX, dest->dev->ifindex) ||
	    nla_put_string(skb, SLUICE_A_DEST_NAME, dest->name) ||
	    nla_put_string(skb, SLUICE_A_DEST_NETDEV, dest->dev->name) ||
	    nla_put_string(skb, SLUICE_A_DEST_PROVIDER, dest->ch->ops->name) ||
	    nla_put_string(skb, SLUICE_A_DEST_CHANNEL, dev_name(dest->ch->dev)) ||
	    nla_put_u32(skb, SLUICE_A_DEST_STATE, sluice_nl_state(dest)) ||
	    (broken && nla_put_string(skb, SLUICE_A_DEST_BROKEN_REASON, broken)) ||
	    nla_put_u32(skb, SLUICE_A_DEST_SESSION_COUNT, dest->nr_sessions) ||
	    nla_put(skb, SLUICE_A_DEST_MAC, ETH_ALEN, dest->vdev.config.mac) ||
	    nla_put_u32(skb, SLUICE_A_DEST_PAIRS, dest->nr_pairs) ||
	    (dest->port && nla_put_string(skb, SLUICE_A_DEST_PORT, dest->port->name)) ||
	    sluice_nl_put_sizes(skb, dest) || sluice_nl_put_auto(skb, dest) ||
	    (segments && sluice_nl_put_segments(skb, dest, &quarantined)) ||
	    sluice_nl_put_stats(skb, dest))
		goto out;
	err = 0;
out:
	mutex_unlock(&dest->lock);
	return err;
}

static int sluice_nl_fill_dest(struct sk_buff *skb, struct sluice_dest *dest, u32 portid, u32 seq,
			       int flags, bool segments)
{
	void *hdr = genlmsg_put(skb, portid, seq, &sluice_nl_family, flags, SLUICE_CMD_DEST_GET);

	if (!hdr)
		return -EMSGSIZE;
	if (sluice_nl_put_dest(skb, dest, segments)) {
		genlmsg_cancel(skb, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);
	return 0;
}

static bool sluice_nl_visible(const struct sluice_dest *dest, const struct net *net)
{
	return dest->dev->reg_state == NETREG_REGISTERED && net_eq(dev_net(dest->dev), net);
}

/* By name, ifindex, or both; sluice_dests_lock held. */
static struct sluice_dest *sluice_nl_find(struct genl_info *info)
{
	struct nlattr *name = info->attrs[SLUICE_A_DEST_NAME];
	struct nlattr *ifindex = info->attrs[SLUICE_A_DEST_IFINDEX];
	struct sluice_dest *dest;

	if (!name && !ifindex) {
		NL_SET_ERR_MSG(info->extack, "say which destination: name or ifindex");
		return ERR_PTR(-EINVAL);
	}
	list_for_each_entry(dest, &sluice_dests, list) {
		if (!sluice_nl_visible(dest, genl_info_net(info)))
			continue;
		if (name && nla_strcmp(name, dest->name) && nla_strcmp(name, dest->dev->name))
			continue;
		if (ifindex && nla_get_u32(ifindex) != dest->dev->ifindex)
			continue;
		return dest;
	}
	if (name)
		sluice_extack(info->extack, "no destination %.*s (sluicectl dest show lists them)",
			      nla_len(name), (char *)nla_data(name));
	else
		sluice_extack(info->extack, "no destination has ifindex %u",
			      nla_get_u32(ifindex));
	return ERR_PTR(-ENODEV);
}

int sluice_nl_dest_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct sluice_dest *dest;
	struct sk_buff *msg;
	int err;

	mutex_lock(&sluice_dests_lock);
	dest = sluice_nl_find(info);
	if (IS_ERR(dest)) {
		err = PTR_ERR(dest);
		goto out;
	}
	msg = genlmsg_new(NLMSG_GOODSIZE + dest->ch->window.nr_slots * 112, GFP_KERNEL);
	if (!msg) {
		err = -ENOMEM;
		goto out;
	}
	err = sluice_nl_fill_dest(msg, dest, info->snd_portid, info->snd_seq, 0, true);
	if (err)
		nlmsg_free(msg);
	else
		err = genlmsg_reply(msg, info);
out:
	mutex_unlock(&sluice_dests_lock);
	return err;
}

int sluice_nl_dest_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	u32 portid = NETLINK_CB(cb->skb).portid, seq = cb->nlh->nlmsg_seq;
	struct sluice_dest *dest;
	long at = 0;
	int err = 0;

	mutex_lock(&sluice_dests_lock);
	list_for_each_entry(dest, &sluice_dests, list) {
		if (at++ < cb->args[0] || !sluice_nl_visible(dest, sock_net(skb->sk)))
			continue;
		err = sluice_nl_fill_dest(skb, dest, portid, seq, NLM_F_MULTI, true);
		/* too many segments for any message: dest-get of this one has them */
		if (err && !skb->len)
			err = sluice_nl_fill_dest(skb, dest, portid, seq, NLM_F_MULTI, false);
		if (err) {
			at--;
			break;
		}
	}
	cb->args[0] = at;
	mutex_unlock(&sluice_dests_lock);
	return skb->len ?: err;
}

static int sluice_nl_set_port(struct sluice_dest *dest, struct genl_info *info)
{
	struct nlattr *attr = info->attrs[SLUICE_A_DEST_PORT];
	char name[IFNAMSIZ] = "";
	struct net_device *nic;

	if (!attr)
		return 0;
	nla_strscpy(name, attr, sizeof(name));
	if (!name[0])
		return sluice_port_bind(dest, NULL, info->extack);
	nic = __dev_get_by_name(genl_info_net(info), name);
	if (!nic) {
		sluice_extack(info->extack, "no interface %s here", name);
		return -ENODEV;
	}
	return sluice_port_bind(dest, nic, info->extack);
}

/* What of automatic sizing is asked for, and whether it goes. */
static int sluice_nl_check_auto(struct sluice_dest *dest, struct genl_info *info,
				struct sluice_auto_config *c)
{
	struct nlattr *weight = info->attrs[SLUICE_A_DEST_AUTO_WEIGHT];
	struct nlattr *min = info->attrs[SLUICE_A_DEST_AUTO_MIN_BYTES];
	struct nlattr *max = info->attrs[SLUICE_A_DEST_AUTO_MAX_BYTES];
	bool off = info->attrs[SLUICE_A_DEST_AUTO_OFF];

	if (!min && !max && !weight) {
		if (off && !dest->auto_on) {
			sluice_extack(info->extack, "%s is not sized automatically", dest->name);
			return -EINVAL;
		}
		if (!off && dest->auto_on && info->attrs[SLUICE_A_DEST_REQUESTED_BYTES]) {
			sluice_extack(info->extack,
				      "%s is sized automatically; turn that off to give it a size",
				      dest->name);
			return -EBUSY;
		}
		return 0;
	}
	if (!min || !max || off || info->attrs[SLUICE_A_DEST_REQUESTED_BYTES]) {
		NL_SET_ERR_MSG(info->extack,
			       "automatic sizing takes a floor and a ceiling, and no size besides");
		return -EINVAL;
	}
	c->min_bytes = nla_get_u64(min);
	c->max_bytes = nla_get_u64(max);
	c->weight = weight ? nla_get_u32(weight) : 1;
	return sluice_auto_check(dest, c, info->extack);
}

/* Everything that can be refused without trying it. */
static int sluice_nl_check_set(struct sluice_dest *dest, struct genl_info *info,
			       struct sluice_auto_config *c)
{
	struct nlattr *drain = info->attrs[SLUICE_A_DEST_DRAIN_TIMEOUT_MS];
	struct nlattr *quiesce = info->attrs[SLUICE_A_DEST_QUIESCE];
	int err;

	if (drain && (nla_get_u32(drain) < SLUICE_DRAIN_TIMEOUT_MIN ||
		      nla_get_u32(drain) > SLUICE_DRAIN_TIMEOUT_MAX)) {
		sluice_extack(info->extack, "drain timeout must be %u to %u ms",
			      SLUICE_DRAIN_TIMEOUT_MIN, SLUICE_DRAIN_TIMEOUT_MAX);
		return -ERANGE;
	}
	err = sluice_nl_check_auto(dest, info, c);
	if (err || !quiesce)
		return err;
	if (info->attrs[SLUICE_A_DEST_REQUESTED_BYTES]) {
		NL_SET_ERR_MSG(info->extack, "one of quiesce and size at a time");
		return -EINVAL;
	}
	return sluice_quiesce_check(dest, nla_get_u32(quiesce), info->extack);
}

static int sluice_nl_set(struct sluice_dest *dest, struct genl_info *info)
{
	struct nlattr *drain = info->attrs[SLUICE_A_DEST_DRAIN_TIMEOUT_MS];
	struct nlattr *size = info->attrs[SLUICE_A_DEST_REQUESTED_BYTES];
	struct nlattr *quiesce = info->attrs[SLUICE_A_DEST_QUIESCE];
	struct net_device *old_port = dest->port;
	struct sluice_auto_config c = {};
	int err;

	err = sluice_nl_check_set(dest, info, &c);
	if (err)
		return err;
	/* kept while a refused size may still bring it back */
	dev_hold(old_port);
	err = sluice_nl_set_port(dest, info);
	if (!err && size) {
		err = sluice_dest_resize(dest, nla_get_u64(size), info->extack);
		if (err && dest->port != old_port)
			sluice_port_bind(dest, old_port, NULL);
	}
	dev_put(old_port);
	if (err)
		return err;
	if (drain)
		WRITE_ONCE(dest->drain_ms, nla_get_u32(drain));
	if (c.weight)
		sluice_auto_set(dest, &c);
	else if (info->attrs[SLUICE_A_DEST_AUTO_OFF])
		sluice_auto_set(dest, NULL);
	if (quiesce)
		sluice_quiesce_set(dest, nla_get_u32(quiesce));
	return 0;
}

int sluice_nl_dest_set_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct sluice_dest *dest;
	int err;

	/* a NIC found under rtnl cannot have sent its last notification yet */
	rtnl_lock();
	mutex_lock(&sluice_dests_lock);
	dest = sluice_nl_find(info);
	if (IS_ERR(dest)) {
		err = PTR_ERR(dest);
	} else {
		mutex_lock(&dest->lock);
		err = sluice_nl_set(dest, info);
		mutex_unlock(&dest->lock);
	}
	mutex_unlock(&sluice_dests_lock);
	rtnl_unlock();
	return err;
}

static int sluice_nl_fill_port(struct sk_buff *skb, struct net_device *nic, u32 portid, u32 seq,
			       int flags)
{
	struct sluice_dma_constraint c;
	struct sluice_dest *dest;
	void *hdr;

	if (sluice_port_describe(nic, &c))
		return -EOPNOTSUPP;
	hdr = genlmsg_put(skb, portid, seq, &sluice_nl_family, flags, SLUICE_CMD_PORT_GET);
	if (!hdr)
		return -EMSGSIZE;
	if (nla_put_u32(skb, SLUICE_A_PORT_IFINDEX, nic->ifindex) ||
	    nla_put_string(skb, SLUICE_A_PORT_NAME, nic->name) ||
	    nla_put_u64_64bit(skb, SLUICE_A_PORT_DMA_MASK, c.dma_mask, SLUICE_A_PORT_PAD) ||
	    nla_put_u64_64bit(skb, SLUICE_A_PORT_SEG_BOUNDARY, c.seg_boundary_mask,
			      SLUICE_A_PORT_PAD) ||
	    nla_put_u32(skb, SLUICE_A_PORT_MAX_SEG_BYTES, c.max_seg_bytes) ||
	    nla_put_u32(skb, SLUICE_A_PORT_MIN_ALIGN, c.min_align) ||
	    nla_put_s32(skb, SLUICE_A_PORT_NUMA_NODE, c.numa_node) ||
	    (c.iommu && nla_put_flag(skb, SLUICE_A_PORT_IOMMU)) ||
	    (c.coherent && nla_put_flag(skb, SLUICE_A_PORT_COHERENT)))
		goto cancel;
	list_for_each_entry(dest, &sluice_dests, list)
		if (READ_ONCE(dest->port) == nic &&
		    nla_put_string(skb, SLUICE_A_PORT_DEST, dest->name))
			goto cancel;
	genlmsg_end(skb, hdr);
	return 0;
cancel:
	genlmsg_cancel(skb, hdr);
	return -EMSGSIZE;
}

int sluice_nl_port_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *name = info->attrs[SLUICE_A_PORT_NAME];
	struct nlattr *ifindex = info->attrs[SLUICE_A_PORT_IFINDEX];
	struct net_device *nic = NULL;
	char text[IFNAMSIZ] = "";
	struct sk_buff *msg;
	int err;

	if (!name && !ifindex) {
		NL_SET_ERR_MSG(info->extack,
			       "say which port: name or ifindex of a NIC's interface");
		return -EINVAL;
	}
	msg = genlmsg_new(NLMSG_GOODSIZE, GFP_KERNEL);
	if (!msg)
		return -ENOMEM;

	rtnl_lock();
	mutex_lock(&sluice_dests_lock);
	if (name) {
		nla_strscpy(text, name, sizeof(text));
		nic = __dev_get_by_name(genl_info_net(info), text);
	} else {
		nic = __dev_get_by_index(genl_info_net(info), nla_get_u32(ifindex));
	}
	err = -ENODEV;
	if (!nic)
		NL_SET_ERR_MSG(info->extack, "no such interface");
	else
		err = sluice_nl_fill_port(msg, nic, info->snd_portid, info->snd_seq, 0);
	if (err == -EOPNOTSUPP)
		sluice_extack(info->extack, "%s has no device that does DMA", nic->name);
	mutex_unlock(&sluice_dests_lock);
	rtnl_unlock();

	if (err) {
		nlmsg_free(msg);
		return err;
	}
	return genlmsg_reply(msg, info);
}

/* Every interface that a destination could be bound to. */
int sluice_nl_port_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	u32 portid = NETLINK_CB(cb->skb).portid, seq = cb->nlh->nlmsg_seq;
	struct net_device *nic;
	long at = 0;
	int err = 0;

	rtnl_lock();
	mutex_lock(&sluice_dests_lock);
	for_each_netdev(sock_net(skb->sk), nic) {
		if (at++ < cb->args[0] || sluice_netdev_is_ours(nic))
			continue;
		err = sluice_nl_fill_port(skb, nic, portid, seq, NLM_F_MULTI);
		if (err == -EMSGSIZE) {
			at--;
			break;
		}
		err = 0;
	}
	cb->args[0] = at;
	mutex_unlock(&sluice_dests_lock);
	rtnl_unlock();
	return skb->len ?: err;
}
