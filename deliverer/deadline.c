/* SPDX-License-Identifier: Apache-2.0 */
/* Timer wheel with lazy moves. */
#include "deliverer/deadline.h"

void
deadline_wheel_init(struct deadline_wheel *w, uint64_t now_us)
{
	for (size_t i = 0; i < DEADLINE_SLOTS; i++) {
		list_init(&w->slot[i]);
	}
	w->tick = now_us / DEADLINE_TICK_US;
	w->n = 0;
}

void
deadline_init(struct deadline *d)
{
	*d = (struct deadline){ .at_us = 0 };
	list_init(&d->link);
}

/* The slot whose coming round is the first at which at_us has passed, or the
 * farthest one. */
static void
insert(struct deadline_wheel *w, struct deadline *d)
{
	uint64_t tick = d->at_us / DEADLINE_TICK_US + 1;

	tick = EC_MAX(tick, w->tick);
	tick = EC_MIN(tick, w->tick + DEADLINE_SLOTS - 1);
	d->tick = tick;
	list_push_back(&w->slot[tick % DEADLINE_SLOTS], &d->link);
}

void
deadline_set(struct deadline_wheel *w, struct deadline *d, uint64_t at_us)
{
	bool in = !list_is_empty(&d->link);

	d->at_us = at_us;
	if (in && at_us / DEADLINE_TICK_US + 1 >= d->tick) {
		return;
	}
	if (in) {
		list_remove(&d->link);
	} else {
		w->n++;
	}
	insert(w, d);
}

void
deadline_stop(struct deadline_wheel *w, struct deadline *d)
{
	if (!list_is_empty(&d->link)) {
		list_remove(&d->link);
		w->n--;
	}
	d->at_us = 0;
}

struct deadline *
deadline_next(struct deadline_wheel *w, uint64_t now_us)
{
	uint64_t now = now_us / DEADLINE_TICK_US;

	if (w->n == 0) {
		w->tick = EC_MAX(w->tick, now);
		return NULL;
	}
	while (w->tick <= now) {
		struct list_node *n =
		    list_first(&w->slot[w->tick % DEADLINE_SLOTS]);
		struct deadline *d;

		if (n == NULL) {
			w->tick++;
			continue;
		}
		d = list_entry(n, struct deadline, link);
		list_remove(n);
		if (d->at_us / DEADLINE_TICK_US < w->tick) {
			w->n--;
			return d;
		}
		insert(w, d);
	}
	return NULL;
}
