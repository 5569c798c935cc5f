/* SPDX-License-Identifier: GPL-2.0 */
/*
 * When the two ends of a Xen device connect and part. Pure code.
 *
 * Each end looks at what the other has written into xenstore and is told the next
 * step; it takes the step, says how it went, writes its new state, and asks again
 * until nothing is left to do. So it never matters what was seen in between, which
 * end came first, or what happened before: only what stands there now.
 *
 * What makes that safe are lives. The backend chooses a new number with each control
 * segment that it offers, the frontend one with each mapping of it, and both say
 * whose life they answer (the echo). Connected means that both numbers match on
 * both ends; a state alone, which may be left over from before, means nothing.
 */
#ifndef SLUICE_XEN_MACHINE_H
#define SLUICE_XEN_MACHINE_H

#include <sluice/os.h>

/* The wire numbers of enum xenbus_state; any other number counts as SXEN_CLOSED. */
enum sxen_state {
	SXEN_UNKNOWN,
	SXEN_INITIALISING,
	SXEN_INIT_WAIT,
	SXEN_INITIALISED,
	SXEN_CONNECTED,
	SXEN_CLOSING,
	SXEN_CLOSED,
};

/**
 * struct sxen_view - what the other end has written, at one moment
 * @exists: its folder is there
 * @online: backend only: the toolstack wants this device
 * @own: state that stands in our own folder, where a toolstack may write too;
 *	SXEN_UNKNOWN if there is none
 * @state: any number
 * @life: its own, 0 if none
 * @echo: the life of ours that it answers, 0 if none
 */
struct sxen_view {
	bool exists;
	bool online;
	u32 own;
	u32 state;
	u32 life;
	u32 echo;
};

/**
 * struct sxen_side - one end
 * @state: enum sxen_state that it has published
 * @life: of what it offers (backend) or has mapped (frontend), 0 if nothing
 * @peer_life: of the other end that it is bound to (backend) or whose control
 *	segment it has mapped (frontend), 0 if none
 * @refused: life of the other end whose nodes were of no use; not tried again
 * @gone: backend: the frontend's folder went, ours was removed
 */
struct sxen_side {
	u32 state;
	u32 life;
	u32 peer_life;
	u32 refused;
	bool gone;
};

enum sxen_step {
	SXEN_STAY,		/* nothing to do until something changes */
	SXEN_SAY,		/* publish the state of the order */
	SXEN_OFFER,		/* backend: write the control segment's nodes, with a new life */
	SXEN_BIND,		/* backend: read the frontend's nodes, bind its event channels */
	SXEN_UNBIND,		/* backend: let go of them */
	SXEN_GONE,		/* backend: the guest is gone, remove our folder */
	SXEN_MAP,		/* frontend: map the control segment, offer event channels */
	SXEN_CONNECT,		/* frontend: the channel may be used */
	SXEN_LEAVE,		/* frontend: take the channel away, unmap */
};

/**
 * struct sxen_order - what to do next
 * @step: first
 * @state: then publish this one, if the step succeeded
 */
struct sxen_order {
	enum sxen_step step;
	u32 state;
};

/* @ready: there is a control segment to offer */
struct sxen_order sxen_back_next(const struct sxen_side *s, const struct sxen_view *v, bool ready);
struct sxen_order sxen_front_next(const struct sxen_side *s, const struct sxen_view *v);

/**
 * sxen_side_done() - a step was taken
 * @s: this end
 * @v: the view on which the order was given
 * @o: the order
 * @err: how it went; after a failure nothing of the step is left
 * @life: OFFER and MAP: the new life
 */
void sxen_side_done(struct sxen_side *s, const struct sxen_view *v, struct sxen_order o,
		    int err, u32 life);

#endif /* SLUICE_XEN_MACHINE_H */
