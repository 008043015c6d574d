/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Poison: the message that a deliverer dies of, and those that only were there.
 *
 *	a deliverer crashes  what it was at work on (its stages say so) has one
 *			     death more, durably; nothing else is blamed
 *	two in a row	     a suspect: it waits here, not in its queue
 *	trial		     one suspect at one deliverer, nothing else begun
 *			     there; the other deliverers carry the mail
 *	it comes back	     with whatever outcome: it is blamed no more
 *	it kills again	     body, envelope and reason to quarantine/, then its
 *			     P record, which ends it without a bounce
 *
 * Works that wait within the deliverer are no hindrance: what has not been
 * begun cannot be why it died, and the stages tell at its death if one was.
 * Without that a suspect would wait for the slowest host there is.
 *
 * A trial that takes long is let go: the next one begins, and a death while
 * both are begun proves nothing.  The patience doubles with each death, so that
 * what kills late is found, too.  With a single deliverer trials have a fifth
 * of the time and the mail the rest.
 *
 * What kills before it is ever begun (its work waits, its route is looked up)
 * is blamed when nothing else at that deliverer was begun, and convicted after
 * UNBEGUN_DEATHS, alone at its deliverer: kill -9 by an operator while a
 * suspect waits for its host does not convict it.
 */
#include "spooler/suspects.h"

#include "common/base/log.h"

#define UNBEGUN_DEATHS 6u
#define UNBEGUN_US 250000u	/* not begun by then: others go on */
#define TRIAL_US 2000000u	/* doubled with each death above two */
#define TRIAL_DOUBLINGS 8u
#define DRAIN_US 2000000u	/* for a single deliverer to end what it began;
				 * doubled when that did not do */
#define DRAIN_MAX_US 64000000u
#define SESSION_US 1000000u	/* of a single deliverer's time */
#define REST_SHARE 4u		/* then so much longer for the mail */
#define REST_MIN_US 250000u
#define LOOKED_AT 64u		/* suspects of suspended queues, each turn */

void
suspects_add(struct spooler *s, uint32_t slot, bool front)
{
	struct suspects *c = &s->suspects;
	struct msg *m = index_at(&s->index, slot);

	queue_flight(&s->queues, slot, MSG_SUSPECT);
	m->prev = front ? 0 : c->tail;
	m->next = front ? c->head : 0;
	if (m->prev != 0) {
		index_at(&s->index, m->prev)->next = slot;
	} else {
		c->head = slot;
	}
	if (m->next != 0) {
		index_at(&s->index, m->next)->prev = slot;
	} else {
		c->tail = slot;
	}
	c->n++;
}

void
suspects_take(struct spooler *s, uint32_t slot)
{
	struct suspects *c = &s->suspects;
	struct msg *m = index_at(&s->index, slot);

	ec_assert(m->state == MSG_SUSPECT);
	if (m->prev != 0) {
		index_at(&s->index, m->prev)->next = m->next;
	} else {
		c->head = m->next;
	}
	if (m->next != 0) {
		index_at(&s->index, m->next)->prev = m->prev;
	} else {
		c->tail = m->prev;
	}
	m->prev = m->next = 0;
	c->n--;
	queue_landed(&s->queues, slot);
}

bool
suspects_have(const struct spooler *s, unsigned deliverer)
{
	return s->suspects.deliverer == (int)deliverer;
}

static enum stage_point
stage_of(struct spooler *s, const struct work *w)
{
	return stage_get(&worker_stages(s->w)->slot[w->deliverer][w->slot],
	    w->number);
}

bool
suspects_begun(struct spooler *s, unsigned deliverer, const struct work *but,
    bool or_let_go)
{
	list_each(n, tmp, &s->deliverers[deliverer].works) {
		struct work *w = list_entry(n, struct work, link);

		if (w != but && (or_let_go || !w->let_go) &&
		    stage_of(s, w) != STAGE_NOTHING) {
			return true;
		}
	}
	return false;
}

void
suspects_death(struct spooler *s, unsigned deliverer, enum death death)
{
	struct deliverer_peer *p = &s->deliverers[deliverer];
	bool any = suspects_begun(s, deliverer, NULL, true);

	list_each(n, tmp, &p->works) {
		struct work *w = list_entry(n, struct work, link);
		bool begun = stage_of(s, w) != STAGE_NOTHING;

		w->blamed = death != DEATH_LEFT && (begun || !any);
		w->alone = w->alone && death == DEATH_CRASH && (begun ?
		    !suspects_begun(s, deliverer, w, true) : p->n_works == 1);
	}
	if (suspects_have(s, deliverer)) {
		s->suspects.deliverer = -1;
		s->suspects.work = 0;
	}
}

enum suspects_verdict
suspects_judge(const struct work *w, struct msg *m, enum stage_point point)
{
	bool convicted = w->alone && m->deaths >= MSG_SUSPECTED &&
	    (point != STAGE_NOTHING || m->deaths + 1u >= UNBEGUN_DEATHS);

	if (!w->blamed) {
		return SUSPECTS_NOT_BLAMED;
	}
	m->deaths = (uint8_t)EC_MIN(m->deaths + 1u, MSG_DEATHS_MAX) &
	    MSG_DEATHS_MAX;
	return convicted ? SUSPECTS_POISON : SUSPECTS_BLAMED;
}

static bool
can_judge(const struct deliverer_peer *p)
{
	return p->link != NULL && p->spoken && !p->dying && p->n_free > 0;
}

static bool
is_only_one(const struct spooler *s, int deliverer)
{
	for (int d = 0; d < (int)SPOOLER_DELIVERERS; d++) {
		if (d != deliverer && can_judge(&s->deliverers[d])) {
			return false;
		}
	}
	return true;
}

/* The deliverer is everybody's again. */
static void
adjourn(struct spooler *s)
{
	struct suspects *c = &s->suspects;
	uint64_t now = spooler_now(s);
	bool only = is_only_one(s, c->deliverer);
	struct queue *q, *tmp;

	c->rest_until_us = now + EC_MAX(only ? (now - c->since_us) *
	    REST_SHARE : 0, (uint64_t)REST_MIN_US);
	c->deliverer = -1;
	c->work = 0;
	HASH_ITER(hh, s->queues.by_key, q, tmp) {
		handout_wake(s, q);
	}
}

/* The deliverer with the least in hand. */
static void
convene(struct spooler *s)
{
	struct suspects *c = &s->suspects;

	for (int d = 0; d < (int)SPOOLER_DELIVERERS; d++) {
		if (can_judge(&s->deliverers[d]) && (c->deliverer < 0 ||
		    s->deliverers[d].n_works <
		    s->deliverers[c->deliverer].n_works)) {
			c->deliverer = d;
		}
	}
	c->since_us = spooler_now(s);
	c->first_us = 0;
}

/* The first that may go now, out of the list; 0 none.  One that is past its
 * time ends here. */
static uint32_t
next_one(struct spooler *s)
{
	struct suspects *c = &s->suspects;

	for (unsigned i = 0; i < LOOKED_AT && c->head != 0; i++) {
		uint32_t slot = c->head;
		struct msg *m = index_at(&s->index, slot);

		suspects_take(s, slot);
		if (outcome_is_expired(s, m)) {
			outcome_end(s, slot);
		} else if (queue_at(&s->queues, m->queue)->suspended) {
			suspects_add(s, slot, false);
		} else {
			return slot;
		}
	}
	return 0;
}

static uint64_t
patience(const struct msg *m)
{
	unsigned more = m->deaths > MSG_SUSPECTED ? m->deaths - MSG_SUSPECTED :
	    0;

	return (uint64_t)TRIAL_US << EC_MIN(more, TRIAL_DOUBLINGS);
}

static void
begin_trial(struct spooler *s)
{
	struct suspects *c = &s->suspects;
	uint32_t slot = next_one(s);
	struct work *w;

	if (slot == 0) {
		adjourn(s);
		return;
	}
	w = handout_alone(s, slot, (unsigned)c->deliverer);
	if (w != NULL) {
		w->alone = true;
		c->work = w->number;
		c->began_us = spooler_now(s);
		c->first_us = c->first_us == 0 ? c->began_us : c->first_us;
		c->drain_us = DRAIN_US;
		c->patience_us = patience(index_at(&s->index, slot));
	}
}

/* Is the trial over?  One that takes long is let go. */
static bool
trial_is_over(struct spooler *s)
{
	struct suspects *c = &s->suspects;
	struct work *w = handout_find(s, (unsigned)c->deliverer, c->work);
	uint64_t took = spooler_now(s) - c->began_us;

	if (w == NULL) {
		return true;
	}
	if (took < UNBEGUN_US || (took < c->patience_us &&
	    stage_of(s, w) != STAGE_NOTHING)) {
		return false;
	}
	w->alone = false;
	w->let_go = true;
	return true;
}

void
suspects_run(struct spooler *s)
{
	struct suspects *c = &s->suspects;
	uint64_t now = spooler_now(s);
	bool only;

	if (c->deliverer < 0) {
		/* What the deaths said of them is durable first. */
		if (c->n == 0 || now < c->rest_until_us ||
		    !list_is_empty(&s->orphans)) {
			return;
		}
		convene(s);
	}
	if (c->deliverer < 0) {
		return;
	}
	if (c->work != 0 && !trial_is_over(s)) {
		return;
	}
	c->work = 0;
	only = is_only_one(s, c->deliverer);
	if (c->n == 0 || !can_judge(&s->deliverers[c->deliverer]) ||
	    (only && c->first_us != 0 && now - c->first_us > SESSION_US)) {
		adjourn(s);
	} else if (!suspects_begun(s, (unsigned)c->deliverer, NULL, false)) {
		/* Another deliverer may have died meanwhile. */
		if (list_is_empty(&s->orphans)) {
			begin_trial(s);
		}
	} else if (only && now - c->since_us >= EC_MAX(c->drain_us,
	    (uint64_t)DRAIN_US)) {
		c->drain_us = EC_MIN(EC_MAX(c->drain_us, (uint64_t)DRAIN_US) *
		    2, (uint64_t)DRAIN_MAX_US);
		adjourn(s);
	}
}
