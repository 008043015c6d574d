/* SPDX-License-Identifier: Apache-2.0 */
/*
 * totals: sums over all workers of a role from the scoreboard.  Gauges are
 * those of running workers.  A counter starts from nothing when its worker is
 * started again, so what a worker had reached when it was last looked at is
 * kept: totals never fall while the console lives.
 *
 * totals_update() is called each second and before an answer.
 */
#ifndef EC_TOTALS_H
#define EC_TOTALS_H

#include "common/ipc/scoreboard.h"

struct totals {
	struct {
		uint32_t incarnation;
		uint64_t last[SCORE_NUMBERS];
	} seen[ROLE_COUNT][SCORE_PER_ROLE];
	uint64_t gone[ROLE_COUNT][SCORE_NUMBERS];	/* of earlier lives */
};

void totals_init(struct totals *t);
void totals_update(struct totals *t, const struct scoreboard *b);
uint64_t totals_counter(const struct totals *t, enum ipc_role role,
	unsigned number);
uint64_t totals_gauge(const struct scoreboard *b, enum ipc_role role,
	unsigned number);

#endif
