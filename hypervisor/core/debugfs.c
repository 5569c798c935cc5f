// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/kernel/debug/sluice/<channel>/: what the core knows of a channel.
 *
 *	state	dump for a person
 *	silent	write 1 and this side plays dead: no heartbeat, no doorbells, deaf;
 *		0 and it is back, as a machine that was paused. For tests of the peer.
 */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include "core.h"

static struct dentry *sluice_debugfs_root;

static const char *sluice_role_name(enum sluice_role role)
{
	switch (role) {
	case SLUICE_BACKEND:
		return "backend";
	case SLUICE_FRONTEND:
		return "frontend";
	default:
		return "any";
	}
}

static void sluice_state_window(struct seq_file *m, const struct sluice_channel *ch)
{
	unsigned int count[SLUICE_SEGMENT_NR_STATES] = {};
	const struct sluice_window *win = &ch->window;
	u32 i, state;

	for (i = win->ctrl_slots; i < min_t(u32, win->nr_slots, SLUICE_SHM_MAX_SLOTS); i++) {
		state = READ_ONCE(win->slot[i].state);
		if (state < SLUICE_SEGMENT_NR_STATES)
			count[state]++;
	}
	seq_printf(m, "window: %u slots, %u of them control (%u bytes)\n", win->nr_slots,
		   win->ctrl_slots, win->ctrl_bytes);
	for (i = 0; i < SLUICE_SEGMENT_NR_STATES; i++)
		if (count[i])
			seq_printf(m, "  %s: %u\n", sluice_segment_name(i), count[i]);
}

static void sluice_state_session(struct seq_file *m, struct sluice_channel *ch)
{
	const struct sluice_session *s = &ch->session;
	u64 now = sluice_now_ms();

	if (!ch->running) {
		seq_printf(m, "session: none, %s\n",
			   ch->lost ? "the other end's memory is gone" : "no client");
		return;
	}
	seq_printf(m, "session: %s\n", sluice_session_is_up(s) ? "up" :
		   ch->restart ? "waits before it starts again" :
		   s->generation ? "waits for the peer" : "the client ends the last one");
	if (sluice_session_is_up(s)) {
		seq_printf(m, "up for: %llu ms\n", now - ch->up_ms);
		seq_printf(m, "heartbeat age: %llu ms (dead at %u)\n",
			   s->silence.waited + now - s->silence.looked, s->timeout_ms);
		seq_printf(m, "features: %#x\n", ch->features);
	}
	if (ch->reason[0])
		seq_printf(m, "last reason: %s\n", ch->reason);
	seq_printf(m, "generation: own %08x, peer %08x\n", s->generation, s->echo);
	seq_printf(m, "messages: sent %u, received %u\n", s->tx_prod, s->rx_cons);
	seq_printf(m, "header: %u pairs, %u doorbells, %u slots, control %u bytes, features %#x\n",
		   ch->hdr.max_pairs, ch->hdr.nr_doorbells, ch->hdr.window_slots,
		   ch->hdr.ctrl_bytes, ch->hdr.features);
}

static int sluice_state_show(struct seq_file *m, void *v)
{
	struct sluice_channel *ch = m->private;

	seq_printf(m, "provider: %s\n", ch->ops->name);
	seq_printf(m, "name: %s\n", ch->name);

	mutex_lock(&ch->session_lock);
	seq_printf(m, "role: %s\n", sluice_role_name(ch->role));
	seq_printf(m, "claimed: %s\n", ch->claimed ? "yes" : "no");
	sluice_state_session(m, ch);
	seq_printf(m, "sessions: %llu up, %llu down, %llu broken by the peer\n", ch->nr_ups,
		   ch->nr_downs, ch->nr_broken);
	seq_printf(m, "stray responses: %llu\n", ch->nr_stray);
	seq_printf(m, "silent: %d\n", ch->silent);
	sluice_state_window(m, ch);
	mutex_unlock(&ch->session_lock);

	spin_lock_irq(&ch->event_lock);
	seq_printf(m, "events waiting for the client: %u\n", ch->nr_events);
	spin_unlock_irq(&ch->event_lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(sluice_state);

static int sluice_silent_get(void *data, u64 *val)
{
	struct sluice_channel *ch = data;

	*val = READ_ONCE(ch->silent);
	return 0;
}

static int sluice_silent_set(void *data, u64 val)
{
	struct sluice_channel *ch = data;

	if (val > 1)
		return -EINVAL;
	mutex_lock(&ch->session_lock);
	WRITE_ONCE(ch->silent, val);
	mutex_unlock(&ch->session_lock);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(sluice_silent_fops, sluice_silent_get, sluice_silent_set, "%llu\n");

void sluice_debugfs_add(struct sluice_channel *ch)
{
	ch->debugfs = debugfs_create_dir(dev_name(ch->dev), sluice_debugfs_root);
	debugfs_create_file("state", 0400, ch->debugfs, ch, &sluice_state_fops);
	debugfs_create_file_unsafe("silent", 0600, ch->debugfs, ch, &sluice_silent_fops);
}

void sluice_debugfs_del(struct sluice_channel *ch)
{
	debugfs_remove_recursive(ch->debugfs);
	ch->debugfs = NULL;
}

void sluice_debugfs_init(void)
{
	sluice_debugfs_root = debugfs_create_dir("sluice", NULL);
}

void sluice_debugfs_exit(void)
{
	debugfs_remove_recursive(sluice_debugfs_root);
}
