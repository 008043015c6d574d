/* SPDX-License-Identifier: Apache-2.0 */
/*
 * budget: the table of limits that all deliverers share, in memory the
 * supervisor makes.  A row is a rate (one GCRA word, compare-and-swap: never
 * more than the rate in any window) and a concurrency (one counter per
 * deliverer: add to your own, then look at the sum; the supervisor zeroes a
 * dead one's).  No locks, no other invariant.
 *
 * Row 0 is the whole server.  A queue's row has the queue's number.
 */
#ifndef EC_BUDGET_H
#define EC_BUDGET_H

#include "common/base/base.h"
#include "common/base/error.h"

#include <stdatomic.h>

#define BUDGET_MAGIC 0x65634247u
#define BUDGET_VERSION 1u
#define BUDGET_ROWS (1u << 18)
#define BUDGET_DELIVERERS 16u
#define BUDGET_SERVER 0u

struct budget_row {
	_Atomic uint64_t next_us;	/* GCRA: theoretical arrival time, monotonic */
	_Atomic uint64_t connect_next_us;	/* the same for connects */
	_Atomic uint16_t used[BUDGET_DELIVERERS];
	uint64_t spare[2];
};
_Static_assert(sizeof(struct budget_row) == 64, "rows are shared memory");

struct budget {
	uint32_t magic, version, rows, zero;
	uint64_t spare[6];
	struct budget_row row[BUDGET_ROWS];
};

int budget_create(struct budget **out, struct error *err_out);
struct budget *budget_map(int fd, struct error *err_out);

/* One more of deliverer who in this row if that keeps the sum within limit. */
bool budget_take(struct budget *b, uint32_t row, unsigned who, uint32_t limit);
void budget_give(struct budget *b, uint32_t row, unsigned who);
uint32_t budget_used(const struct budget *b, uint32_t row);
/* All that a dead deliverer held.  The supervisor's call. */
void budget_clear(struct budget *b, unsigned who);
/* GCRA on one word: may one more go at now_us, given one per interval_us with
 * burst ahead?  0 = yes and taken, else microseconds to wait. */
uint64_t budget_rate(_Atomic uint64_t *next_us, uint64_t now_us,
	uint64_t interval_us, uint32_t burst);

#endif
