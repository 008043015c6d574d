/* SPDX-License-Identifier: Apache-2.0 */
/*
 * suspects: messages that were in work at two deliverers' deaths in a row wait
 * in a list of their own and are tried one at a time (suspects.c); the one
 * that kills again goes to quarantine (poison.c).  Part of the spooler's
 * context; the loop's thread only.
 *
 *	suspects_death(s, d, death);	before its works become orphans
 *	suspects_judge(w, m, point);	for each message of such a work
 *	suspects_add(s, slot, front);	instead of queue_push()
 *	suspects_run(s);		each turn
 */
#ifndef EC_SUSPECTS_H
#define EC_SUSPECTS_H

#include "spooler/spooler.h"

enum suspects_verdict {
	SUSPECTS_NOT_BLAMED,
	SUSPECTS_BLAMED,	/* one death more, to be made durable */
	SUSPECTS_POISON,	/* the same, and it was alone */
};

/* Instead of its queue's list; from any state that is in no list. */
void suspects_add(struct spooler *s, uint32_t slot, bool front);
/* Out of that list, in no other. */
void suspects_take(struct spooler *s, uint32_t slot);
/* Is this deliverer kept for them? */
bool suspects_have(const struct spooler *s, unsigned deliverer);
/* Has it begun any work but this one?  Suspects that took long, too? */
bool suspects_begun(struct spooler *s, unsigned deliverer,
	const struct work *but, bool or_let_go);
/* It is dead: which of its works may be why? */
void suspects_death(struct spooler *s, unsigned deliverer, enum death death);
/* Counts the death of its work's deliverer. */
enum suspects_verdict suspects_judge(const struct work *w, struct msg *m,
	enum stage_point point);
void suspects_run(struct spooler *s);

/* Its body is in memory, its work not yet released: copies to quarantine, then
 * the record that ends it. */
void poison_convict(struct spooler *s, uint32_t slot);
/* Often: what could not be written is tried again. */
void poison_tick(struct spooler *s);
struct poison *poison_create(struct spooler *s);
void poison_destroy(struct poison **p);

#endif
