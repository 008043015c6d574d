/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process_state: what the supervisor thinks of a worker, as it stands in
 * scoreboard->process[role][index].state.  The supervisor writes it, the
 * console shows it.
 */
#ifndef EC_PROCESS_STATE_H
#define EC_PROCESS_STATE_H

#include "common/base/base.h"

#define PROCESS_STATE_LIST(X) \
	X(DEAD, "down")		/* does not run and nothing is timed */ \
	X(STARTING, "starting")	/* runs, we wait for its SUP_READY */ \
	X(READY, "ready")	/* does its work */ \
	X(DRAINING, "leaving")	/* was told to go, we wait for its exit */ \
	X(BACKOFF, "waiting")	/* died, is started again when the time comes */

enum process_state {
#define X(id, text) PROCESS_##id,
	PROCESS_STATE_LIST(X)
#undef X
	PROCESS_STATES
};

static inline const char *
process_state_name(unsigned state)
{
	static const char *const names[PROCESS_STATES] = {
#define X(id, text) [PROCESS_##id] = text,
		PROCESS_STATE_LIST(X)
#undef X
	};

	return state < PROCESS_STATES ? names[state] : "unknown";
}

#endif
