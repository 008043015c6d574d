/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Works that deliverers had before our start.
 *
 *	WORK_HELD   they go on with it: its messages are in flight
 *	OUTCOME     in the hello: said to the spooler before us; written by it,
 *	            or to be written by us
 *
 * Links come in any order and replay takes its time, so a message, its work
 * and the slab that its body stands in may each be known first.  Until all
 * deliverers have spoken and KEEP has told a listener what is still read, no
 * extent is given back to it by name: its sweep frees what is not kept.
 */
#include "spooler/spooler.h"

#include "common/base/clock.h"

/* The extent is held from now on if its slab is known. */
static void
find_slab(struct spooler *s, struct held_piece *h)
{
	struct piece x = h->at;

	x.handle = slabs_find(&s->slabs, h->role, h->index, h->incarnation,
	    h->slab);
	if (x.handle != 0 && slabs_at(&s->slabs, x) != NULL) {
		slabs_hold(&s->slabs, x);
		h->at = x;
	}
}

static bool
read_pieces(struct spooler *s, struct work *w, struct wire_r *r)
{
	unsigned n = wire_u8(r);

	w->pieces = xcalloc(n, sizeof *w->pieces);
	for (unsigned i = 0; i < n; i++) {
		struct held_piece h = { .role = wire_u8(r) };

		h.index = wire_u8(r);
		h.incarnation = wire_u32(r);
		h.slab = wire_u32(r);
		h.at.offset = wire_u32(r);
		h.at.length = wire_u32(r);
		if (r->bad) {
			return false;
		}
		find_slab(s, &h);
		w->pieces[w->n_pieces++] = h;
	}
	return true;
}

/* Out of its queue or the wheel: it is at a deliverer. */
static uint32_t
put_in_flight(struct spooler *s, msgid id)
{
	uint32_t slot = index_find(&s->index, id);
	struct msg *m = slot == 0 ? NULL : index_at(&s->index, slot);

	if (m == NULL || m->queue == 0) {
		return 0;	/* held_place() will do it, if it is ours */
	}
	if (m->state != MSG_ACTIVE && m->state != MSG_DELAYED &&
	    m->state != MSG_SUSPECT) {
		return 0;
	}
	handout_withdraw(s, slot);
	queue_flight(&s->queues, slot, MSG_FLIGHT);
	return slot;
}

static struct work *
make_work(struct spooler *s, unsigned deliverer, uint64_t number, uint16_t n)
{
	struct deliverer_peer *p = &s->deliverers[deliverer];
	struct work *w = xcalloc(1, sizeof *w);

	w->number = number;
	w->slot = (uint16_t)(number & (STAGE_SLOTS - 1));
	w->deliverer = (uint8_t)deliverer;
	w->n = n;
	w->ids = xcalloc(n, sizeof *w->ids);
	w->msgs = xcalloc(n, sizeof *w->msgs);
	p->by_slot[w->slot] = w;
	list_push_back(&p->works, &w->link);
	p->n_works++;
	/* No number of ours may be one of those. */
	if (number >> WORK_SLOT_BITS < s->next_work * 2) {
		s->next_work = EC_MAX(s->next_work,
		    (number >> WORK_SLOT_BITS) + 1);
	}
	return w;
}

static void
add_id(struct spooler *s, struct work *w, unsigned i, msgid id)
{
	uint32_t h;

	w->ids[i] = id;
	w->msgs[i] = put_in_flight(s, id);
	h = id == MSGID_NONE || replay_is_over(s) ? 0 :
	    index_add(&s->held, id);
	if (h != 0) {
		struct msg *e = index_at(&s->held, h);

		e->queue = w->deliverer;
		e->due = w->slot;
		e->rcpt_at = i;
	}
}

static bool
can_have(struct spooler *s, unsigned deliverer, uint64_t number, unsigned n)
{
	return n > 0 && n <= STAGE_RCPTS && number != 0 &&
	    s->deliverers[deliverer].by_slot[number &
	    (STAGE_SLOTS - 1)] == NULL;
}

bool
held_message(struct spooler *s, struct ipc_link *k, struct ipc_msg *m)
{
	struct wire_r r = wire_reader(m->body);
	uint64_t number = wire_u64(&r);
	uint16_t slot = wire_u16(&r), n = wire_u16(&r);
	struct work *w;

	if (r.bad || (number & (STAGE_SLOTS - 1)) != slot ||
	    !can_have(s, k->peer_index, number, n) ||
	    wire_left(&r) < n * sizeof(msgid)) {
		return false;
	}
	w = make_work(s, k->peer_index, number, n);
	for (unsigned i = 0; i < n; i++) {
		add_id(s, w, i, wire_u64(&r));
	}
	return read_pieces(s, w, &r);
}

void
held_outcome(struct spooler *s, unsigned deliverer, struct slice body)
{
	struct wire_r r = wire_reader(body);
	uint64_t number = wire_u64(&r);
	msgid ids[STAGE_RCPTS];
	unsigned n;
	struct work *w;

	wire_bytes(&r, 8 + 16 + 2);
	wire_slice(&r);
	n = wire_u16(&r);
	if (r.bad || !can_have(s, deliverer, number, n) ||
	    replay_has_work(s, number)) {
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		ids[i] = wire_u64(&r);
		wire_bytes(&r, 1 + 1 + 2);
		wire_slice(&r);
	}
	if (r.bad) {
		return;		/* outcome.c says so */
	}
	w = make_work(s, deliverer, number, (uint16_t)n);
	w->told = true;
	for (unsigned i = 0; i < n; i++) {
		add_id(s, w, i, ids[i]);
	}
}

struct leftover {		/* a work that only the stage table names */
	uint64_t number;
	unsigned deliverer, slot;
};

static int
newest_first(const void *a, const void *b)
{
	const struct leftover *x = a, *y = b;

	return x->number > y->number ? -1 : x->number < y->number;
}

/* A younger work has this message: it was judged by its stage once and handed
 * out again, and all of us died before that was durable. */
static bool
is_taken(struct spooler *s, msgid id)
{
	uint32_t slot = index_find(&s->index, id);
	struct msg *m = slot == 0 ? NULL : index_at(&s->index, slot);

	return index_find(&s->held, id) != 0 || (m != NULL && m->queue != 0 &&
	    m->state != MSG_ACTIVE && m->state != MSG_DELAYED &&
	    m->state != MSG_SUSPECT);
}

static void
take_leftover(struct spooler *s, const struct leftover *l)
{
	struct stage_table *t = worker_stages(s->w);
	const struct stage_ids *m = stage_work_ids(t, l->deliverer, l->slot);
	struct work *w;

	if (m == NULL || (l->number & (STAGE_SLOTS - 1)) != l->slot ||
	    !can_have(s, l->deliverer, l->number, (unsigned)m->n) ||
	    replay_has_work(s, l->number)) {
		stage_work_clear(t, l->deliverer, l->slot);
		return;
	}
	w = make_work(s, l->deliverer, l->number, (uint16_t)m->n);
	w->blamed = stage_get(&t->slot[l->deliverer][l->slot], l->number) !=
	    STAGE_NOTHING;
	for (unsigned i = 0; i < w->n; i++) {
		if (!is_taken(s, m->id[i])) {
			add_id(s, w, i, m->id[i]);
		} else {
			outcome_still_doubtful(s, w, i, m->id[i]);
		}
	}
	list_remove(&w->link);
	list_push_back(&s->orphans, &w->link);
}

void
held_leftovers(struct spooler *s)
{
	struct stage_table *t = worker_stages(s->w);
	struct leftover *all = NULL;
	size_t n = 0, cap = 0;

	for (unsigned i = 0; i < SPOOLER_DELIVERERS * STAGE_SLOTS; i++) {
		struct leftover l = { .deliverer = i / STAGE_SLOTS,
			.slot = i % STAGE_SLOTS };
		struct work *w = s->deliverers[l.deliverer].by_slot[l.slot];

		l.number = stage_work(t, l.deliverer, l.slot);
		if (l.number == 0 || (w != NULL && w->number == l.number)) {
			continue;
		}
		if (n == cap) {
			cap = cap * 2 + 64;
			all = xrealloc(all, cap * sizeof *all);
		}
		all[n++] = l;
	}
	if (n > 0) {
		qsort(all, n, sizeof *all, newest_first);
	}
	for (size_t i = 0; i < n; i++) {
		take_leftover(s, &all[i]);
	}
	free(all);
}

/* Calls fn for each extent that a held work reads until it says true. */
static bool
each_piece(const struct spooler *s, bool (*fn)(void *arg, struct held_piece *),
    void *arg)
{
	for (unsigned d = 0; d <= SPOOLER_DELIVERERS; d++) {
		const struct list_node *head = d < SPOOLER_DELIVERERS ?
		    &s->deliverers[d].works : &s->orphans;

		list_each(n, tmp, head) {
			struct work *w = list_entry(n, struct work, link);

			for (unsigned i = 0; i < w->n_pieces; i++) {
				if (fn(arg, &w->pieces[i])) {
					return true;
				}
			}
		}
	}
	return false;
}

static bool
look_for_slab(void *arg, struct held_piece *h)
{
	if (h->at.handle == 0) {
		find_slab(arg, h);
	}
	return false;
}

void
held_slab(struct spooler *s, uint32_t handle)
{
	(void)handle;
	each_piece(s, look_for_slab, s);
}

static bool
is_same(void *arg, struct held_piece *h)
{
	const struct piece *p = arg;

	return h->at.handle == p->handle && h->at.offset == p->offset;
}

bool
held_reads(const struct spooler *s, struct piece p)
{
	return each_piece(s, is_same, &p);
}

void
held_release(struct spooler *s, struct work *w)
{
	for (unsigned i = 0; i < w->n_pieces; i++) {
		struct held_piece *h = &w->pieces[i];
		struct listener_peer *p = h->role == ROLE_LISTENER &&
		    h->index < SPOOLER_LISTENERS ? &s->listeners[h->index] :
		    NULL;

		struct piece at = h->at;

		if (at.handle == 0) {
			continue;
		}
		h->at.handle = 0;
		/* Recipients of one body are in several works: the last one
		 * gives it back.  Before KEEP the listener's sweep does that,
		 * as KEEP does not name it. */
		if (p != NULL && p->incarnation == h->incarnation && p->kept &&
		    !held_reads(s, at)) {
			slabs_release(&s->slabs, at);
		} else {
			slabs_unhold(&s->slabs, at);
		}
	}
	w->n_pieces = 0;
}

bool
held_is_known(struct spooler *s, const struct work *w)
{
	bool all = true;

	/* Each is asked, so that all are looked for at once. */
	for (unsigned i = 0; w->ids != NULL && i < w->n; i++) {
		all = replay_knows(s, w->ids[i]) && all;
	}
	return all;
}

void
held_find(struct spooler *s, struct work *w)
{
	for (unsigned i = 0; w->ids != NULL && i < w->n; i++) {
		w->msgs[i] = index_find(&s->index, w->ids[i]);
	}
}

/* The work that this message is part of, if it is still there. */
static struct work *
work_of(struct spooler *s, msgid id, uint32_t *place)
{
	uint32_t h = index_find(&s->held, id);
	struct msg *e = h == 0 ? NULL : index_at(&s->held, h);
	struct work *w = e == NULL ? NULL :
	    s->deliverers[e->queue].by_slot[e->due];

	if (w == NULL || w->ids == NULL || e->rcpt_at >= w->n ||
	    w->ids[e->rcpt_at] != id ||
	    (w->told && replay_has_work(s, w->number))) {
		return NULL;
	}
	*place = e->rcpt_at;
	return w;
}

void
held_place(struct spooler *s, uint32_t slot)
{
	struct msg *m = index_at(&s->index, slot);
	uint64_t now = clock_wall_us();
	uint32_t place;
	struct work *w = work_of(s, m->id, &place);

	if (w != NULL) {
		queue_flight(&s->queues, slot, MSG_FLIGHT);
		w->msgs[place] = slot;
	} else if (m->next_us > now) {
		/* A clock set back must not make it wait for years. */
		queue_delay(&s->queues, slot, spooler_now(s),
		    EC_MIN(m->next_us - now, outcome_longest_wait(s, m)));
	} else {
		handout_place(s, slot, false);
	}
}
