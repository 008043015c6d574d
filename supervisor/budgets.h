/* SPDX-License-Identifier: Apache-2.0 */
/*
 * budgets: the tables in shared memory that the supervisor makes once, hands
 * to every worker and never waits on: scoreboard, budgets, stages.
 */
#ifndef EC_BUDGETS_H
#define EC_BUDGETS_H

#include "common/base/base.h"
#include "common/base/error.h"
#include "common/ipc/budget.h"
#include "common/ipc/ipc_msgs.h"
#include "common/ipc/scoreboard.h"
#include "common/ipc/stage.h"

struct tables {
	struct scoreboard *scoreboard;
	struct budget *budget;
	struct stage_table *stages;
	int scoreboard_fd, budget_fd, stage_fd;
};

int tables_create(struct tables *t, struct error *err_out);
/* What the dead worker held is free again.  Call it once it is reaped and
 * before anyone hears of it. */
void tables_clear_dead(struct tables *t, enum ipc_role role, unsigned index);

#endif
