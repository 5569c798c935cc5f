/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How long something has been waited for. Pure code.
 *
 * Where nobody looked for long, our side stood still, and perhaps whoever is waited for with
 * it: a host that was suspended, or had other work. So a time without a look counts for a
 * quarter of the limit at most, and no limit is reached in less than four looks.
 */
#ifndef SLUICE_PATIENCE_H
#define SLUICE_PATIENCE_H

#include <sluice/os.h>

/* In any unit of time, the same in all calls. The caller serialises them. */
struct sluice_patience {
	u64 looked;	/* when, the last time */
	u64 waited;	/* as far as it counts */
};

static inline void sluice_patience_begin(struct sluice_patience *p, u64 now)
{
	p->looked = now;
	p->waited = 0;
}

/* A look: has it been waited for longer than @limit? @now is monotonic. */
static inline bool sluice_patience_over(struct sluice_patience *p, u64 now, u64 limit)
{
	p->waited += min_t(u64, now - p->looked, max_t(u64, limit / 4, 1));
	p->looked = now;
	return p->waited > limit;
}

#endif /* SLUICE_PATIENCE_H */
