/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scoreboard_mon: reads the heartbeats that workers write into the scoreboard
 * and acts on those that stopped; writes there what the supervisor thinks of
 * each worker; tells the same in the process title.  A worker can lie about
 * its own slot only: process ids and times come from the supervisor's table.
 */
#ifndef EC_SCOREBOARD_MON_H
#define EC_SCOREBOARD_MON_H

#include "common/base/base.h"
#include "supervisor/children.h"

/* Starts the round; it sets its own timer. */
void scoreboard_mon_start(struct supervisor *s);
/* Mirrors one worker's state. */
void scoreboard_mon_mirror(struct supervisor *s, const struct child *c);
/* Since this worker's last sign of life. */
uint64_t scoreboard_mon_silent_us(struct supervisor *s, const struct child *c);
void scoreboard_mon_title(struct supervisor *s);

#endif
