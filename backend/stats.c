// SPDX-License-Identifier: GPL-2.0
/*
 * Adding up what the queues of a destination have counted.
 */
#include "back.h"

/**
 * sluice_pair_totals() - counters of one queue pair, consistent per direction
 * @pair: the pair
 * @t: added to
 */
void sluice_pair_totals(struct sluice_pair *pair, struct sluice_totals *t)
{
	struct sluice_tx_stats *tx = &pair->tx.stats;
	struct sluice_rx_stats *rx = &pair->rx_stats;
	struct sluice_done_stats *done = &pair->done_stats;
	struct sluice_totals s;
	unsigned int start;

	do {
		start = u64_stats_fetch_begin(&tx->syncp);
		s.to_frames = u64_stats_read(&tx->frames);
		s.to_bytes = u64_stats_read(&tx->bytes);
		s.to_bounce = u64_stats_read(&tx->bounce);
		s.to_doorbells = u64_stats_read(&tx->doorbells);
		s.to_returned = u64_stats_read(&tx->returned);
		s.to_stops = u64_stats_read(&tx->stops);
		s.drop_no_buffer = u64_stats_read(&tx->drop_no_buffer);
		s.drop_too_big = u64_stats_read(&tx->drop_too_big);
		s.drop_stalled = u64_stats_read(&tx->drop_stalled);
		s.to_drop_bad = u64_stats_read(&tx->drop_bad);
		s.to_drop_down = u64_stats_read(&tx->drop_down);
	} while (u64_stats_fetch_retry(&tx->syncp, start));

	do {
		start = u64_stats_fetch_begin(&rx->syncp);
		s.from_frames = u64_stats_read(&rx->frames);
		s.from_bytes = u64_stats_read(&rx->bytes);
		s.from_bounce = u64_stats_read(&rx->bounce);
		s.from_copied = u64_stats_read(&rx->copied);
		s.from_constraint = u64_stats_read(&rx->constraint);
		s.from_drop_bad = u64_stats_read(&rx->drop_bad);
		s.from_drop_down = u64_stats_read(&rx->drop_down);
		s.drop_memory = u64_stats_read(&rx->drop_memory);
	} while (u64_stats_fetch_retry(&rx->syncp, start));

	do {
		start = u64_stats_fetch_begin(&done->syncp);
		s.from_zerocopy = u64_stats_read(&done->zerocopy);
		s.from_orphaned = u64_stats_read(&done->copied);
		s.from_doorbells = u64_stats_read(&done->doorbells);
	} while (u64_stats_fetch_retry(&done->syncp, start));

	t->to_frames += s.to_frames;
	t->to_bytes += s.to_bytes;
	t->to_bounce += s.to_bounce;
	t->to_doorbells += s.to_doorbells;
	t->to_returned += s.to_returned;
	t->to_stops += s.to_stops;
	t->drop_no_buffer += s.drop_no_buffer;
	t->drop_too_big += s.drop_too_big;
	t->drop_stalled += s.drop_stalled;
	t->to_drop_bad += s.to_drop_bad;
	t->to_drop_down += s.to_drop_down;
	t->from_frames += s.from_frames;
	t->from_bytes += s.from_bytes;
	t->from_bounce += s.from_bounce;
	t->from_copied += s.from_copied;
	t->from_constraint += s.from_constraint;
	t->from_zerocopy += s.from_zerocopy;
	t->from_orphaned += s.from_orphaned;
	t->from_doorbells += s.from_doorbells;
	t->from_drop_bad += s.from_drop_bad;
	t->from_drop_down += s.from_drop_down;
	t->drop_memory += s.drop_memory;
	t->bells += atomic64_read(&pair->bells);
}

/**
 * sluice_dest_totals() - counters of a destination since it appeared
 * @dest: the destination
 * @t: filled in
 */
void sluice_dest_totals(struct sluice_dest *dest, struct sluice_totals *t)
{
	u32 i;

	memset(t, 0, sizeof(*t));
	for (i = 0; i < dest->nr_pairs; i++)
		sluice_pair_totals(&dest->pair[i], t);
}
