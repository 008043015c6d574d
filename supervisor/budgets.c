/* SPDX-License-Identifier: Apache-2.0 */
/* The shared tables. */
#include "supervisor/budgets.h"

#include "common/base/clock.h"

int
tables_create(struct tables *t, struct error *err_out)
{
	t->scoreboard_fd = scoreboard_create(&t->scoreboard, err_out);
	if (t->scoreboard_fd < 0) {
		return -1;
	}
	t->budget_fd = budget_create(&t->budget, err_out);
	if (t->budget_fd < 0) {
		return -1;
	}
	t->stage_fd = stage_create(&t->stages, err_out);
	if (t->stage_fd < 0) {
		return -1;
	}
	atomic_store(&t->scoreboard->started_us, clock_wall_us());
	return 0;
}

void
tables_clear_dead(struct tables *t, enum ipc_role role, unsigned index)
{
	/* Its stages stay: the spooler reads them to learn what is doubtful. */
	if (role == ROLE_DELIVERER) {
		budget_clear(t->budget, index);
	}
	atomic_store(&t->scoreboard->slot[role][index].state, SCORE_EMPTY);
}
