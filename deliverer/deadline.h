/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deadline: a timer wheel for very many deadlines that hardly ever pass.  An
 * object moves in the wheel only when its new deadline is earlier than the
 * slot it stands in; a later one is noticed when that slot comes round.  So a
 * session that sets a deadline at each command costs one store.
 *
 *	deadline_set(&wheel, &conn->deadline, now_us + timeout_us);
 *	while ((d = deadline_next(&wheel, now_us)) != NULL) { ... }
 *
 * Pure: time is an argument.  Deadlines are kept to DEADLINE_TICK_US.
 */
#ifndef EC_DEADLINE_H
#define EC_DEADLINE_H

#include "common/base/base.h"
#include "common/base/list.h"

#define DEADLINE_TICK_US 50000u
#define DEADLINE_SLOTS 1024u	/* 51 s; what is later comes round again */

struct deadline {
	struct list_node link;
	uint64_t at_us;		/* 0: none */
	uint64_t tick;		/* it stands in that tick's slot */
};

struct deadline_wheel {
	struct list_node slot[DEADLINE_SLOTS];
	uint64_t tick;		/* slots of earlier ticks are empty */
	size_t n;		/* objects in the wheel */
};

void deadline_wheel_init(struct deadline_wheel *w, uint64_t now_us);
void deadline_init(struct deadline *d);
void deadline_set(struct deadline_wheel *w, struct deadline *d, uint64_t at_us);
/* Takes it out of the wheel. */
void deadline_stop(struct deadline_wheel *w, struct deadline *d);
/* One whose time has come, no longer in the wheel; NULL when there is none. */
struct deadline *deadline_next(struct deadline_wheel *w, uint64_t now_us);

#endif
