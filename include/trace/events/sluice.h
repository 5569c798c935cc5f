/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What happens too often for an event of the netlink family:
 *
 *	sluice_ring	we rang a vector of the peer
 *	sluice_bell	the peer rang one of ours
 *	sluice_segment	a segment takes a step of its life, on this side
 *	sluice_pages	a queue asks for region pages, and gets that many
 *
 *	echo 1 >/sys/kernel/tracing/events/sluice/enable
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM sluice

#if !defined(_TRACE_SLUICE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_SLUICE_H

#include <linux/string.h>
#include <linux/tracepoint.h>

#define SLUICE_TRACE_NAME	32

DECLARE_EVENT_CLASS(sluice_doorbell,
		    TP_PROTO(const char *name, unsigned int vector),
		    TP_ARGS(name, vector),
		    TP_STRUCT__entry(__array(char, name, SLUICE_TRACE_NAME)
				     __field(unsigned int, vector)),
		    TP_fast_assign(strscpy(__entry->name, name, SLUICE_TRACE_NAME);
				   __entry->vector = vector;),
		    TP_printk("%s vector %u", __entry->name, __entry->vector)
);

DEFINE_EVENT(sluice_doorbell, sluice_ring,
	     TP_PROTO(const char *name, unsigned int vector),
	     TP_ARGS(name, vector)
);

DEFINE_EVENT(sluice_doorbell, sluice_bell,
	     TP_PROTO(const char *name, unsigned int vector),
	     TP_ARGS(name, vector)
);

TRACE_EVENT(sluice_segment,
	    TP_PROTO(const char *name, unsigned int slot, const char *state),
	    TP_ARGS(name, slot, state),
	    TP_STRUCT__entry(__array(char, name, SLUICE_TRACE_NAME)
			     __field(unsigned int, slot)
			     __array(char, state, SLUICE_TRACE_NAME)),
	    TP_fast_assign(strscpy(__entry->name, name, SLUICE_TRACE_NAME);
			   __entry->slot = slot;
			   strscpy(__entry->state, state, SLUICE_TRACE_NAME);),
	    TP_printk("%s slot %u %s", __entry->name, __entry->slot, __entry->state)
);

TRACE_EVENT(sluice_pages,
	    TP_PROTO(const char *name, const char *queue, unsigned int want, unsigned int got),
	    TP_ARGS(name, queue, want, got),
	    TP_STRUCT__entry(__array(char, name, SLUICE_TRACE_NAME)
			     __array(char, queue, SLUICE_TRACE_NAME)
			     __field(unsigned int, want)
			     __field(unsigned int, got)),
	    TP_fast_assign(strscpy(__entry->name, name, SLUICE_TRACE_NAME);
			   strscpy(__entry->queue, queue, SLUICE_TRACE_NAME);
			   __entry->want = want;
			   __entry->got = got;),
	    TP_printk("%s %s want %u got %u", __entry->name, __entry->queue, __entry->want,
		      __entry->got)
);

#endif /* _TRACE_SLUICE_H */

#include <trace/define_trace.h>
