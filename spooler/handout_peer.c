/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deliverers: their links, what they say, their deaths.
 *
 *	link up -> WORK_HELD..., WORK_HELLO_END -> spoken: may be given work
 *	PULL    -> credit of a queue
 *	dead    -> its works end by their stage, once replay knows the messages
 *
 * After our restart deliverers first list what they hold; nothing is handed
 * out before all have spoken and the journal is read, so none of it twice.
 */
#include "spooler/spooler.h"

#include "common/base/wire.h"
#include "spooler/suspects.h"

static void
on_pull(struct spooler *s, struct ipc_link *k, struct ipc_msg *m)
{
	struct wire_r r = wire_reader(m->body);
	uint32_t number = wire_u32(&r), credit = wire_u32(&r);
	unsigned d = k->peer_index;
	struct queue *q;

	if (r.bad) {
		ipc_bad(k, "malformed PULL");
		return;
	}
	if (!queue_is(&s->queues, number)) {
		return;		/* it was forgotten meanwhile */
	}
	q = queue_at(&s->queues, number);
	if ((q->known >> d & 1) == 0) {
		return;		/* and its number means another one now, which
				 * this deliverer has not heard of */
	}
	q->credit[d] = (uint16_t)EC_MIN(credit, (uint32_t)UINT16_MAX);
	if (credit == 0) {
		q->announced &= (uint16_t)~(1u << d);
	}
	handout_wake(s, q);
}

/* Slots without a work; none was given since its hello. */
static void
find_free_slots(struct deliverer_peer *p)
{
	p->n_free = 0;
	for (unsigned i = STAGE_SLOTS; i-- > 0;) {
		if (p->by_slot[i] == NULL) {
			p->free_slots[p->n_free++] = (uint16_t)i;
		}
	}
}

static void
on_hello_end(struct spooler *s, unsigned d)
{
	struct deliverer_peer *p = &s->deliverers[d];
	struct queue *q, *tmp;

	p->spoken = true;
	find_free_slots(p);
	handout_check_spoken(s);
	HASH_ITER(hh, s->queues.by_key, q, tmp) {
		handout_wake(s, q);
	}
}

void
handout_check_spoken(struct spooler *s)
{
	struct scoreboard *b = worker_scoreboard(s->w);
	unsigned n = atomic_load(&b->n_workers[ROLE_DELIVERER]);
	struct queue *q, *tmp;

	if (s->started_handout || !replay_is_read(s)) {
		return;
	}
	for (unsigned d = 0; d < n && d < SPOOLER_DELIVERERS; d++) {
		if (!s->deliverers[d].spoken && atomic_load(
		    &b->process[ROLE_DELIVERER][d].pid) != 0) {
			return;		/* it runs and may hold something */
		}
	}
	/* What nobody speaks of was with one that died as the spooler before us
	 * did. */
	held_leftovers(s);
	for (unsigned d = 0; d < SPOOLER_DELIVERERS; d++) {
		if (s->deliverers[d].spoken) {
			find_free_slots(&s->deliverers[d]);
		}
	}
	s->started_handout = true;
	handout_orphans(s);
	intake_keep(s);
	HASH_ITER(hh, s->queues.by_key, q, tmp) {
		handout_wake(s, q);
	}
}

void
handout_message(struct spooler *s, struct ipc_link *k, struct ipc_msg *m)
{
	struct deliverer_peer *p = &s->deliverers[k->peer_index];

	if (p->link != k) {
		return;		/* another stands there now */
	}
	if (m->type == IPC_OUTCOME) {
		if (!p->spoken) {
			held_outcome(s, k->peer_index, m->body);
		}
		outcome_message(s, k, m);
	} else if (m->type == IPC_PULL) {
		on_pull(s, k, m);
	} else if (m->type == IPC_WORK_HELD && !p->spoken) {
		if (!held_message(s, k, m)) {
			ipc_bad(k, "malformed WORK_HELD");
		}
	} else if (m->type == IPC_WORK_HELLO_END && !p->spoken) {
		on_hello_end(s, k->peer_index);
	} else if (m->type != IPC_WORK_HELLO) {
		ipc_bad(k, "unexpected %s", ipc_type_name(m->type));
	}
}

void
handout_link_up(struct spooler *s, struct ipc_link *k)
{
	struct deliverer_peer *p = &s->deliverers[k->peer_index];

	if (p->incarnation != 0 && p->incarnation != k->incarnation) {
		/* A new one stands there: the old one is surely gone. */
		p->link = NULL;
		handout_dead(s, k->peer_index, p->incarnation, DEATH_UNSEEN);
	}
	p->link = k;
	p->incarnation = k->incarnation;
	p->spoken = false;
	p->n_free = 0;
}

/* What it has stays in flight until its death is confirmed or it is back. */
void
handout_link_down(struct spooler *s, struct ipc_link *k)
{
	struct deliverer_peer *p = &s->deliverers[k->peer_index];

	if (p->link != k) {
		return;
	}
	p->link = NULL;
	if (p->dying) {
		handout_dead(s, k->peer_index, p->incarnation, p->death);
	}
}

void
handout_dead(struct spooler *s, unsigned d, uint32_t incarnation,
    enum death death)
{
	struct deliverer_peer *p = &s->deliverers[d];
	struct list_node *n;
	struct queue *q, *tmp;

	if (d >= SPOOLER_DELIVERERS || p->incarnation != incarnation) {
		return;
	}
	if (p->link != NULL) {
		/* Outcomes may still stand in the socket: they count, and
		 * spare the next host a copy.  Its end takes the link down. */
		p->dying = true;
		p->death = death;
		return;
	}
	p->dying = false;
	p->spoken = false;
	p->n_free = 0;
	p->incarnation = 0;
	for (uint32_t h = 1; h < s->slabs.n; h++) {
		if (s->slabs.slab[h] != NULL) {
			s->slabs.slab[h]->lent &= ~(1u << d);
		}
	}
	HASH_ITER(hh, s->queues.by_key, q, tmp) {
		q->credit[d] = 0;
		q->out[d] = 0;
		q->announced &= (uint16_t)~(1u << d);
		q->known &= (uint16_t)~(1u << d);
	}
	suspects_death(s, d, death);
	while ((n = list_pop_front(&p->works)) != NULL) {
		list_push_back(&s->orphans, n);
	}
	handout_orphans(s);
	HASH_ITER(hh, s->queues.by_key, q, tmp) {
		handout_wake(s, q);
	}
	handout_check_spoken(s);
}

void
handout_written(struct spooler *s, uint64_t number)
{
	for (unsigned d = 0; d < SPOOLER_DELIVERERS; d++) {
		struct work *w = handout_find(s, d, number);

		if (w != NULL && w->judged && --w->writing == 0) {
			handout_end(s, w);
			return;
		}
	}
}

void
handout_orphans(struct spooler *s)
{
	list_each(n, tmp, &s->orphans) {
		struct work *w = list_entry(n, struct work, link);

		/* Its messages may still be on the way in from disk. */
		if (w->judged || !held_is_known(s, w)) {
			continue;
		}
		w->judged = true;
		/* It ends when all are judged, and what it said itself before
		 * its death is durable. */
		w->writing += 1 + w->written;
		outcome_orphan(s, w);
		handout_release(s, w);
		handout_written(s, w->number);
	}
}
