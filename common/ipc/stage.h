/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stage: how far each transaction in flight has come, in memory the supervisor
 * makes, written by its deliverer and read by the spooler once the deliverer
 * is confirmed dead.  So of a dead deliverer's work only what was between its
 * final dot and the reply is doubtful.
 *
 * The spooler chooses the slot and names it in WORK; the slot is the
 * deliverer's until the outcome is acknowledged.
 *
 * Which messages a slot speaks of stands beside it, written by the spooler
 * before the WORK and wiped with the acknowledgement: so when both die, a new
 * spooler knows what the stages left behind mean.  It holds them against the
 * journal: a work whose outcome is written there counts no more.
 */
#ifndef EC_STAGE_H
#define EC_STAGE_H

#include "common/base/base.h"
#include "common/base/error.h"
#include "common/ipc/budget.h"

#include <stdatomic.h>

#define STAGE_MAGIC 0x65635354u
#define STAGE_VERSION 2u
#define STAGE_SLOTS 8192u	/* transactions in flight at one deliverer */
#define STAGE_RCPTS 256u	/* recipients in one transaction at most */

enum stage_point {
	STAGE_NOTHING,		/* no dot was sent: safe to send again */
	STAGE_DOT,		/* the final dot left us, no reply yet: doubtful */
	STAGE_ACCEPTED,		/* 2xx after the dot for those in accepted[] */
	STAGE_REFUSED,		/* 4xx or 5xx after the dot: not delivered */
	STAGE_BEGUN,		/* no dot was sent, but the deliverer is at work
				 * on it: it may be why it died */
};

struct stage_slot {
	_Atomic uint64_t word;		/* work number << 3 | enum stage_point */
	uint8_t remote_ip[16];
	uint8_t accepted[STAGE_RCPTS / 8];	/* recipients that RCPT accepted */
	uint64_t sent;			/* body bytes */
};
_Static_assert(sizeof(struct stage_slot) == 64, "slots are shared memory");

struct stage_ids {		/* of the messages of one work, in its order */
	uint64_t n;
	uint64_t id[STAGE_RCPTS];
};

struct stage_table {
	uint32_t magic, version, slots, zero;
	uint64_t spare[6];
	struct stage_slot slot[BUDGET_DELIVERERS][STAGE_SLOTS];
	/* The spooler's: the work in each slot, 0 none.  Apart from the ids,
	 * so that looking through it makes no pages of those, which are many
	 * and hardly ever used. */
	_Atomic uint64_t work[BUDGET_DELIVERERS][STAGE_SLOTS];
	struct stage_ids ids[BUDGET_DELIVERERS][STAGE_SLOTS];
};

int stage_create(struct stage_table **out, struct error *err_out);
struct stage_table *stage_map(int fd, struct error *err_out);

/* The deliverer's: everything else in the slot first, then the word. */
static inline void
stage_set(struct stage_slot *s, uint64_t work, enum stage_point point)
{
	atomic_store_explicit(&s->word, work << 3 | (uint64_t)point,
	    memory_order_release);
}

/* The spooler's, of a dead deliverer: nothing was set for this work if the
 * slot still holds another's. */
static inline enum stage_point
stage_get(const struct stage_slot *s, uint64_t work)
{
	uint64_t w = atomic_load_explicit(&s->word, memory_order_acquire);

	return w >> 3 == work ? (enum stage_point)(w & 7) : STAGE_NOTHING;
}

/* The spooler's: these messages are handed out in this slot; none are. */
void stage_work_set(struct stage_table *t, unsigned deliverer, unsigned slot,
	uint64_t work, const uint64_t *ids, unsigned n);
void stage_work_clear(struct stage_table *t, unsigned deliverer, unsigned slot);
/* The i-th of its messages is the work's no more: its id becomes 0. */
void stage_work_drop(struct stage_table *t, unsigned deliverer, unsigned slot,
	unsigned i);
/* The work that stands there, 0: none. */
uint64_t stage_work(const struct stage_table *t, unsigned deliverer,
	unsigned slot);
/* The messages of that work; NULL if what stands there cannot be. */
const struct stage_ids *stage_work_ids(const struct stage_table *t,
	unsigned deliverer, unsigned slot);

#endif
