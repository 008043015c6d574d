/* SPDX-License-Identifier: Apache-2.0 */
/* Sums over workers and their lives. */
#include "console/totals.h"

void
totals_init(struct totals *t)
{
	memset(t, 0, sizeof *t);
}

static void
update_slot(struct totals *t, unsigned role, unsigned index,
    const struct score_slot *slot, unsigned count)
{
	/* A new worker clears its slot first and says who it is afterwards: a
	 * number that fell is a new life too. */
	uint32_t incarnation = atomic_load(&slot->incarnation);
	bool other = incarnation != t->seen[role][index].incarnation;

	for (unsigned n = 0; n < count; n++) {
		uint64_t *last = &t->seen[role][index].last[n];
		uint64_t now = score_get(slot, n);

		if (other || now < *last) {
			t->gone[role][n] += *last;
		}
		*last = now;
	}
	t->seen[role][index].incarnation = incarnation;
}

void
totals_update(struct totals *t, const struct scoreboard *b)
{
	for (unsigned role = 0; role < ROLE_COUNT; role++) {
		unsigned count = 0;

		score_names(role, &count);
		for (unsigned i = 0; i < SCORE_PER_ROLE; i++) {
			update_slot(t, role, i, &b->slot[role][i], count);
		}
	}
}

uint64_t
totals_counter(const struct totals *t, enum ipc_role role, unsigned number)
{
	uint64_t sum = t->gone[role][number];

	for (unsigned i = 0; i < SCORE_PER_ROLE; i++) {
		sum += t->seen[role][i].last[number];
	}
	return sum;
}

uint64_t
totals_gauge(const struct scoreboard *b, enum ipc_role role, unsigned number)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < SCORE_PER_ROLE; i++) {
		if (atomic_load(&b->process[role][i].pid) != 0) {
			sum += score_get(&b->slot[role][i], number);
		}
	}
	return sum;
}
