/* SPDX-License-Identifier: Apache-2.0 */
/*
 * follow: how far one spooler's journal has been read.  Pure.
 *
 * Positions only grow, and several events may have the same one.  A position
 * is whole, and may be acknowledged, when an event of a later one has come, or
 * when nothing has come for a while (follow_rest).  Of the last position the
 * events are counted, so that after a new start, when the spooler sends the
 * position again from its first event, those already written are passed over.
 *
 *	if (follow_take(&f, position)) { write the lines }
 *	... lines and this struct durable ...
 *	acknowledge f.whole
 */
#ifndef EC_LOGGER_FOLLOW_H
#define EC_LOGGER_FOLLOW_H

#include "common/base/base.h"

struct follow {
	uint64_t whole;	/* every event up to here was taken */
	uint64_t last;	/* the position of the last event, >= whole */
	uint32_t taken;	/* events of it taken */
	uint32_t seen;	/* events of it seen since follow_again() */
};

/* The spooler was told f->whole and starts again behind it. */
void follow_again(struct follow *f);
/* Is this event new?  Then it counts as taken. */
bool follow_take(struct follow *f, uint64_t position);
/* Nothing follows for now: the last position is whole. */
void follow_rest(struct follow *f);

#endif
