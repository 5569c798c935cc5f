// SPDX-License-Identifier: GPL-2.0
/* The tracepoints of all modules live here, as this one is always there. */
#include <linux/export.h>
#include <sluice/channel.h>

#define CREATE_TRACE_POINTS
#include <trace/events/sluice.h>

EXPORT_TRACEPOINT_SYMBOL_GPL(sluice_pages);
EXPORT_TRACEPOINT_SYMBOL_GPL(sluice_segment);
EXPORT_TRACEPOINT_SYMBOL_GPL(sluice_ring);

/**
 * sluice_trace_ring() - sluice_channel_ring() is traced
 * @ch: the channel
 * @vector: of the peer
 */
void sluice_trace_ring(struct sluice_channel *ch, unsigned int vector)
{
	trace_sluice_ring(dev_name(ch->dev), vector);
}
EXPORT_SYMBOL_GPL(sluice_trace_ring);
