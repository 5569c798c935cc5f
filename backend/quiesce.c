// SPDX-License-Identifier: GPL-2.0
/*
 * Emptying a region for somebody who must unmap it: live migration, dirty tracking,
 * memory that is to be unplugged. Traffic goes on through the control segment.
 *
 *	RUNNING --quiesce--> QUIESCING --last segment ABSENT--> QUIESCED
 *	   ^                     |                                 |
 *	   +-------resume--------+---------------------------------+
 *
 * It outlives sessions: a guest that comes meanwhile gets no segments.
 */
#include "back.h"

/**
 * sluice_quiesce_check() - may it be asked for now?
 * @dest: the destination, dest->lock held
 * @state: enum sluice_quiesce_state: QUIESCED to begin, RUNNING to end
 * @extack: why not
 *
 * Return: 0, -EINVAL, -EALREADY.
 */
int sluice_quiesce_check(struct sluice_dest *dest, u32 state, struct netlink_ext_ack *extack)
{
	lockdep_assert_held(&dest->lock);
	if (state == SLUICE_QUIESCE_STATE_RUNNING) {
		if (dest->quiesce != SLUICE_QUIESCE_STATE_RUNNING)
			return 0;
		sluice_extack(extack, "%s is not quiesced", dest->name);
		return -EINVAL;
	}
	if (state != SLUICE_QUIESCE_STATE_QUIESCED) {
		sluice_extack(extack, "quiesce must be %u or %u", SLUICE_QUIESCE_STATE_RUNNING,
			      SLUICE_QUIESCE_STATE_QUIESCED);
		return -EINVAL;
	}
	if (dest->quiesce == SLUICE_QUIESCE_STATE_RUNNING)
		return 0;
	sluice_extack(extack, dest->quiesce == SLUICE_QUIESCE_STATE_QUIESCED ?
		      "%s is quiesced already" :
		      "%s is quiescing already; the event 'quiesced' tells its end", dest->name);
	return -EALREADY;
}

/**
 * sluice_quiesce_set() - begin or end
 * @dest: the destination, dest->lock held
 * @state: as sluice_quiesce_check() allowed
 */
void sluice_quiesce_set(struct sluice_dest *dest, u32 state)
{
	bool region = dest->session && dest->ch->features & SLUICE_SHM_F_REGION;

	lockdep_assert_held(&dest->lock);
	if (state == SLUICE_QUIESCE_STATE_RUNNING) {
		dest->quiesce = SLUICE_QUIESCE_STATE_RUNNING;
		dest->gave_up = false;
		dest->refused[0] = 0;
		dest->resizing = region;
		sluice_event(dest, SLUICE_EVENT_TYPE_RESUMED, NULL);
	} else {
		dest->quiesce = SLUICE_QUIESCE_STATE_QUIESCING;
		if (dest->resizing) {
			dest->resizing = false;
			strscpy(dest->refused, "quiesced before the resize had ended",
				sizeof(dest->refused));
			sluice_event(dest, SLUICE_EVENT_TYPE_RESIZE_REFUSED, dest->refused);
		}
	}
	sluice_resize_kick(dest);
}

/**
 * sluice_quiesce_look() - is the region empty now?
 * @dest: the destination; resize work
 */
void sluice_quiesce_look(struct sluice_dest *dest)
{
	bool done;

	mutex_lock(&dest->lock);
	done = dest->quiesce == SLUICE_QUIESCE_STATE_QUIESCING &&
	       sluice_segments_count(dest, SLUICE_SEGMENT_ABSENT) ==
	       sluice_data_slots(dest);
	if (done)
		dest->quiesce = SLUICE_QUIESCE_STATE_QUIESCED;
	mutex_unlock(&dest->lock);
	if (done)
		sluice_event(dest, SLUICE_EVENT_TYPE_QUIESCED, NULL);
}
