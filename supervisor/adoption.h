/* SPDX-License-Identifier: Apache-2.0 */
/*
 * adoption: which listener serves whose sockets while the owner is away.
 * Pure: readiness goes in, the orders that change something come out.  One
 * adopter a slot is enough; they are spread so that no listener carries all.
 *
 *	n = adoption_step(&a, ready, n_listeners, orders);
 *	for each order: SUP_ADOPT{order.slot, order.on} to listener order.to
 */
#ifndef EC_ADOPTION_H
#define EC_ADOPTION_H

#include "common/base/base.h"
#include "common/ipc/scoreboard.h"

#define ADOPTION_NONE (-1)

struct adoption {
	int adopter[SCORE_PER_ROLE];	/* of each slot, or ADOPTION_NONE */
};

struct adoption_order {
	unsigned to, slot;
	bool on;
};

void adoption_init(struct adoption *a);
/* Listener gone died: what it had adopted it has no more. */
void adoption_forget(struct adoption *a, unsigned gone);
/* At most n orders, one a slot. */
unsigned adoption_step(struct adoption *a, const bool *ready, unsigned n,
	struct adoption_order *orders_out);

#endif
