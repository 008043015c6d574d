/* SPDX-License-Identifier: Apache-2.0 */
/*
 * adoption: which listener serves whose sockets besides their owner, because
 * the owner is away, silent, or clearly busier than a neighbour.  Pure: what
 * was seen goes in, the orders that change something come out.  One adopter a
 * slot is enough; they are spread so that no listener carries all.
 *
 *	adoption_look(&a, seen, n);		about once a second
 *	n = adoption_step(&a, ready, n, orders);	then, and at each change
 *	for each order: SUP_ADOPT{order.slot, order.on} to listener order.to
 *
 * An absent owner is helped at once, a silent one at the first look that finds
 * it so, a busier one after ADOPTION_LOOKS_ON looks in a row; help for an owner
 * that is there ends after ADOPTION_LOOKS_OFF looks well below what began it.
 * Who needs help himself helps others only if nobody else is left.
 */
#ifndef EC_ADOPTION_H
#define EC_ADOPTION_H

#include "common/base/base.h"
#include "common/ipc/scoreboard.h"

#define ADOPTION_NONE (-1)
#define ADOPTION_ORDERS_MAX (2 * SCORE_PER_ROLE)

#define ADOPTION_SILENT_US 3000000u	/* heartbeats come each second */
#define ADOPTION_LOOKS_ON 2u
#define ADOPTION_LOOKS_OFF 5u
/* Clearly busier than the least busy neighbour: so many connections that wait
 * to be accepted, and 4 times his; or so many sessions more than twice his. */
#define ADOPTION_WAITING 16u
#define ADOPTION_SESSIONS 64u

struct adoption_seen {		/* of one listener */
	bool ready;
	uint64_t silent_us;	/* since its last heartbeat */
	uint64_t sessions;
	uint64_t waiting;	/* in the backlogs of its slot */
};

struct adoption {
	int adopter[SCORE_PER_ROLE];	/* of each slot, or ADOPTION_NONE */
	/* As of the last looks. */
	bool pressed[SCORE_PER_ROLE];	/* there, but needs help */
	unsigned streak[SCORE_PER_ROLE];	/* looks that say otherwise */
	uint64_t sessions[SCORE_PER_ROLE];
};

struct adoption_order {
	unsigned to, slot;
	bool on;
};

void adoption_init(struct adoption *a);
/* Listener gone died: what it had adopted it has no more. */
void adoption_forget(struct adoption *a, unsigned gone);
void adoption_look(struct adoption *a, const struct adoption_seen *seen,
	unsigned n);
/* At most ADOPTION_ORDERS_MAX orders; "off" comes before "on" for a slot. */
unsigned adoption_step(struct adoption *a, const bool *ready, unsigned n,
	struct adoption_order *orders_out);

#endif
