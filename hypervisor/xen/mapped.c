// SPDX-License-Identifier: GPL-2.0
/*
 * What the guest's end has mapped of the other domain: control segment and data
 * segments.
 *
 * Data segments are mapped and unmapped by the client. While the network stack holds
 * pages of one that may be after the backend has gone, and while another one is there: its
 * slot stays taken until then, its references do not count any more, since they may be those
 * of another domain by now.
 */
#include <linux/module.h>
#include <linux/slab.h>
#include "xen.h"

/* Two places of the region that show the same page would spoil each other's frames. */
static int sxen_refs_take(struct sxen_front *front, const u32 *ref, unsigned int nr)
{
	unsigned int i;
	int err;

	for (i = 0; i < nr; i++) {
		err = xa_insert(&front->refs, ref[i], xa_mk_value(1), GFP_KERNEL);
		if (!err)
			continue;
		while (i--)
			xa_erase(&front->refs, ref[i]);
		return err == -EBUSY ? -EINVAL : err;
	}
	return 0;
}

static void sxen_refs_drop(struct sxen_front *front, const u32 *ref, unsigned int nr)
{
	while (nr--)
		xa_erase(&front->refs, ref[nr]);
}

/* See struct sluice_provider_ops. */
int sxen_segment_map(struct sluice_channel *ch, unsigned int slot, u64 handle)
{
	struct sxen_front *front = ch->provider_data;
	domid_t domid = front->d.xdev->otherend_id;
	const char *text = "its pages cannot be mapped";
	struct sxen_map *map;
	u32 *ref;
	int err;

	if (slot >= ch->max_slots || slot < ch->window.ctrl_slots ||
	    handle < SXEN_FIRST_REF || handle >= U32_MAX)
		return -EINVAL;
	/* sockets still hold pages of its earlier life */
	if (READ_ONCE(front->segment[slot]))
		return -EBUSY;
	ref = kvmalloc_array(SXEN_SEGMENT_REFS, sizeof(*ref), GFP_KERNEL);
	if (!ref)
		return -ENOMEM;
	err = sxen_refs_fetch(domid, handle, SXEN_SEGMENT_REFS, ref, &text);
	if (err)
		goto err_free;
	err = sxen_refs_take(front, ref, SXEN_SEGMENT_REFS);
	if (err) {
		text = "a grant reference belongs to another segment";
		goto err_free;
	}
	map = sxen_map_get(domid, ref, SXEN_SEGMENT_REFS, false);
	if (IS_ERR(map)) {
		err = PTR_ERR(map);
		goto err_drop;
	}
	mutex_lock(&front->segment_lock);
	WRITE_ONCE(front->segment[slot], map);
	front->refs_of[slot] = ref;
	mutex_unlock(&front->segment_lock);
	ch->window.slot[slot].va = map->va;
	return 0;

err_drop:
	sxen_refs_drop(front, ref, SXEN_SEGMENT_REFS);
err_free:
	sxen_warn(&front->d, "segment %u: %s (%d)\n", slot, text, err);
	kvfree(ref);
	return err;
}

/* Its references may be mapped again. */
static void sxen_segment_drop_refs(struct sxen_front *front, unsigned int slot)
{
	lockdep_assert_held(&front->segment_lock);
	if (!front->refs_of[slot])
		return;
	sxen_refs_drop(front, front->refs_of[slot], SXEN_SEGMENT_REFS);
	kvfree(front->refs_of[slot]);
	front->refs_of[slot] = NULL;
}

static struct sxen_map *sxen_segment_forget(struct sxen_front *front, unsigned int slot)
{
	struct sxen_map *map;

	mutex_lock(&front->segment_lock);
	map = front->segment[slot];
	sxen_segment_drop_refs(front, slot);
	WRITE_ONCE(front->segment[slot], NULL);
	mutex_unlock(&front->segment_lock);
	return map;
}

/* See struct sluice_provider_ops. */
int sxen_segment_unmap(struct sluice_channel *ch, unsigned int slot)
{
	struct sxen_front *front = ch->provider_data;
	struct sxen_map *map;

	if (slot >= SLUICE_SHM_MAX_SLOTS)
		return -ENOENT;
	map = sxen_segment_forget(front, slot);
	if (!map)
		return -ENOENT;
	ch->window.slot[slot].va = NULL;
	return sxen_map_put(map);
}

/**
 * sxen_mapped_ctrl() - map the control segment that the backend offers
 * @front: the guest's end, without one
 * @bytes: its size, checked
 *
 * Return: 0, or an errno that xenstore and log tell of.
 */
int sxen_mapped_ctrl(struct sxen_front *front, u32 bytes)
{
	struct xenbus_device *xdev = front->d.xdev;
	u32 nr = bytes / SLUICE_SHM_PAGE, done, some, dir;
	const char *text = "the control segment cannot be mapped";
	struct sxen_map *map;
	char node[32];
	u32 *ref;
	int err = 0;

	ref = kvmalloc_array(nr, sizeof(*ref), GFP_KERNEL);
	if (!ref)
		return -ENOMEM;
	for (done = 0; done < nr; done += some) {
		some = min_t(u32, nr - done, SXEN_DIRECTORY_REFS);
		snprintf(node, sizeof(node), "ctrl-ref%u", done / (u32)SXEN_DIRECTORY_REFS);
		if (!sxen_read_u32(front->d.otherend, node, &dir) || dir < SXEN_FIRST_REF) {
			text = "no grant of the control segment's list in xenstore";
			err = -EINVAL;
			goto out;
		}
		err = sxen_refs_fetch(xdev->otherend_id, dir, some, ref + done, &text);
		if (err)
			goto out;
	}
	err = sxen_refs_take(front, ref, nr);
	if (err) {
		text = "a grant reference stands twice in its list";
		goto out;
	}
	map = sxen_map_get(xdev->otherend_id, ref, nr, false);
	sxen_refs_drop(front, ref, nr);
	if (IS_ERR(map))
		err = PTR_ERR(map);
	else
		front->ctrl = map;
out:
	if (err)
		sxen_write_error(&front->d, text);
	kvfree(ref);
	return err;
}

/**
 * sxen_mapped_lose() - the backend is gone
 * @front: the guest's end, its channel lost
 *
 * On return the backend can end every grant, but for those of frames in sockets, which
 * the client unmaps when they are read.
 */
void sxen_mapped_lose(struct sxen_front *front)
{
	unsigned int i;

	mutex_lock(&front->segment_lock);
	for (i = 0; i < SLUICE_SHM_MAX_SLOTS; i++)
		sxen_segment_drop_refs(front, i);
	mutex_unlock(&front->segment_lock);
	sxen_map_put(front->ctrl);
	front->ctrl = NULL;
}

/**
 * sxen_mapped_orphan() - nobody is left to unmap what is mapped of data segments
 * @front: the guest's end
 */
void sxen_mapped_orphan(struct sxen_front *front)
{
	unsigned int i;

	for (i = 0; i < SLUICE_SHM_MAX_SLOTS; i++)
		sxen_map_orphan(sxen_segment_forget(front, i));
}
