/* SPDX-License-Identifier: Apache-2.0 */
/*
 * summary: the server in some twenty lines, and its workers one by one, from
 * the scoreboard.  Rates are over the last minute, or since the console
 * started.  Pure but for reading shared memory; times are arguments.
 */
#ifndef EC_SUMMARY_H
#define EC_SUMMARY_H

#include "console/answer.h"
#include "console/rates.h"
#include "console/totals.h"

struct summary {
	struct totals totals;
	struct rates delivered, received, questions;
};

void summary_init(struct summary *s);
/* Each second. */
void summary_sample(struct summary *s, const struct scoreboard *b,
	uint64_t mono_us);
void summary_answer(struct summary *s, const struct scoreboard *b,
	uint64_t wall_us, const struct request *how, struct buf *out);
/* One row per worker. */
void summary_workers(const struct scoreboard *b, const struct request *how,
	struct buf *out);

#endif
