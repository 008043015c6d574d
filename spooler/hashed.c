/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spool_Engine = hashed: both files of a message are durable before its 250,
 * and its body is never in the journal.
 *
 *	STORE -> waits -> round: BEGUN (its ids), durable
 *	               -> thread: data, links, .meta, one sync for all of them
 *	               -> journal: RECEIVED (the log's R), SETTLED, durable
 *	               -> queues, STORED
 *
 * What comes while a round is on its way gathers for the next one, whose BEGUN
 * shares a batch with the SETTLED before it: so a round costs two syncs.  BEGUN
 * is there for a crash: files of its ids that no SETTLED confirms may be in any
 * state, and are removed.
 *
 * A round that fails on disk is answered so, and its files go.
 */
#include "spooler/engine.h"

#include "common/base/log.h"
#include "common/base/wire.h"

#define ROUND_MESSAGES 512u	/* or one transaction of more */
#define ROUND_ENVELOPES (1u << 20)
#define BEGUN_ROOM ((ENVELOPE_MAX_BYTES + ROUND_MESSAGES) * 8)

struct waiting {
	struct list_node link;
	struct journal_note note;
};

struct hashed_item {		/* a message */
	uint32_t msg;
	struct meta meta;	/* strings in the txn's envelope */
};

struct hashed_txn {
	struct journal_note note;
	uint32_t txn;
	unsigned first, n;	/* of the round's items */
	struct slice *parts;	/* its body, held */
	unsigned n_parts;
};

struct hashed_round {
	struct workq_job job;
	struct spooler *s;
	struct hashed_txn *txns;
	struct hashed_item *items;
	unsigned n_txns, n_items, cap_items;
	size_t envelopes;	/* bytes */
	uint32_t epoch;		/* of BEGUN: pinned */
	bool bad;
	struct error err;
};

struct hashed {
	struct list_node waiting;
	unsigned n_waiting;
	struct hashed_round *round;	/* up to its SETTLED being appended */
	bool written;			/* it only waits for room in the
					 * journal */
};

static void
round_free(struct hashed_round *r)
{
	for (unsigned i = 0; i < r->n_txns; i++) {
		free(r->txns[i].parts);
	}
	free(r->txns);
	free(r->items);
	free(r);
}

static int
write_data(struct hashed_round *r, const struct hashed_txn *t, msgid id,
    struct store_dirty *d)
{
	return store_write_data(&r->s->store, id, t->parts, t->n_parts, d,
	    &r->err);
}

static int
write_one(struct hashed_round *r, const struct hashed_txn *t,
    const struct hashed_item *it, msgid *linked, struct store_dirty *d)
{
	struct store *st = &r->s->store;
	msgid id = it->meta.rcpt.id;

	if (*linked == MSGID_NONE) {
		*linked = id;
		if (write_data(r, t, id, d) < 0) {
			return -1;
		}
	} else if (store_link_data(st, *linked, id, d) < 0) {
		if (errno != EMLINK) {
			return error_sys(&r->err, "cannot link a spool file");
		}
		if (write_data(r, t, id, d) < 0) {
			return -1;
		}
		*linked = id;
	}
	return store_write_meta(st, &it->meta, d, &r->err);
}

static void
round_run(struct workq_job *job)
{
	struct hashed_round *r = container_of(job, struct hashed_round, job);
	struct store_dirty dirty = { { false } };

	for (unsigned i = 0; i < r->n_txns; i++) {
		const struct hashed_txn *t = &r->txns[i];
		msgid linked = MSGID_NONE;

		for (unsigned j = 0; j < t->n && !r->bad; j++) {
			r->bad = write_one(r, t, &r->items[t->first + j],
			    &linked, &dirty) < 0;
		}
	}
	r->bad = r->bad || store_sync(&r->s->store, &dirty, &r->err) < 0;
}

/* The queue may have been forgotten since it was last looked for. */
static struct queue *
queue_of(struct spooler *s, const struct hashed_item *it)
{
	return spooler_queue(s, it->meta.env.group, it->meta.env.binding,
	    spooler_domain(it->meta.rcpt.addr));
}

static void
forget_items(struct spooler *s, struct hashed_round *r, struct hashed_txn *t)
{
	struct txn *x = txn_at(&s->txns, t->txn);

	for (unsigned i = 0; i < t->n; i++) {
		index_remove(&s->index, r->items[t->first + i].msg);
		x->refs--;
	}
}

/* Its messages enter the index, not yet a queue.  False if one cannot. */
static bool
add_items(struct spooler *s, struct hashed_round *r, struct hashed_txn *t)
{
	struct txn *x = txn_at(&s->txns, t->txn);
	struct scratch scratch;
	struct envelope env;
	bool ok = true;

	scratch_init(&scratch, 1 << 20);
	ec_assert(envelope_decode(slice_make(x->env, x->env_len), &scratch,
	    &env));
	t->first = r->n_items;
	if (r->n_items + env.n_rcpt > r->cap_items) {
		r->cap_items = r->cap_items * 2 + env.n_rcpt;
		r->items = xrealloc(r->items, r->cap_items *
		    sizeof *r->items);
	}
	for (uint32_t i = 0; i < env.n_rcpt && ok; i++) {
		struct hashed_item *it = &r->items[r->n_items];
		uint32_t slot = index_add(&s->index, env.rcpt[i].id);
		struct queue *q;
		struct msg *m;

		if (slot == 0) {
			log_critical("message refused: its id is taken");
			ok = false;
			break;
		}
		m = index_at(&s->index, slot);
		m->txn = x->slot;
		m->rcpt_at = (uint32_t)(env.rcpt[i].addr.ptr - x->env) - 11u;
		m->received_s = (uint32_t)(x->received_us / 1000000u);
		x->refs++;
		*it = (struct hashed_item){ .msg = slot, .meta = { .env = env,
			.rcpt = env.rcpt[i], .size = x->size } };
		q = queue_of(s, it);
		m->queue = q != NULL ? q->number : 0;
		ok = q != NULL;
		r->n_items++;
		t->n++;
	}
	scratch_fini(&scratch);
	if (!ok) {
		forget_items(s, r, t);
		r->n_items = t->first;
	}
	return ok;
}

static void
add_txn(struct spooler *s, struct hashed_round *r,
    const struct journal_note *note)
{
	struct hashed_txn *t = &r->txns[r->n_txns];
	struct txn *x = txn_at(&s->txns, note->a);

	*t = (struct hashed_txn){ .note = *note, .txn = note->a };
	if (!add_items(s, r, t)) {
		intake_answer(s, note, STORED_FAILED);
		txn_put(&s->txns, x);
		return;
	}
	x->holds++;
	t->n_parts = x->n_pieces;
	t->parts = xcalloc(EC_MAX(t->n_parts, 1u), sizeof *t->parts);
	for (unsigned i = 0; i < t->n_parts; i++) {
		t->parts[i] = slice_make(slabs_at(&s->slabs, x->pieces[i]),
		    x->pieces[i].length);
	}
	r->envelopes += x->env_len;
	r->n_txns++;
}

static void
say_begun(struct spooler *s, struct hashed_round *r)
{
	struct journal_note note = { .what = NOTE_BEGUN,
		.b = (uint64_t)(uintptr_t)r };
	struct slice part;
	struct buf ids;

	buf_init(&ids, BEGUN_ROOM);
	for (unsigned i = 0; i < r->n_items; i++) {
		wire_put_u64(&ids, r->items[i].meta.rcpt.id);
	}
	part = buf_slice(&ids);
	ec_assert(!ids.full && journal_append(s->journal, JOURNAL_BEGUN, &part,
	    1, true, &note) == JOURNAL_OK);
	buf_fini(&ids);
}

/* What waits becomes the next round, if the journal can take its ids. */
static void
begin(struct spooler *s)
{
	struct hashed *h = s->hashed;
	struct hashed_round *r;
	struct list_node *n;

	if (h->round != NULL || h->n_waiting == 0 || journal_fits(s->journal,
	    BEGUN_ROOM, 1, true) != JOURNAL_OK) {
		return;
	}
	r = xcalloc(1, sizeof *r);
	r->s = s;
	r->job.run = round_run;
	r->txns = xcalloc(EC_MIN(h->n_waiting, ROUND_MESSAGES),
	    sizeof *r->txns);
	while (r->n_txns < ROUND_MESSAGES && r->n_items < ROUND_MESSAGES &&
	    r->envelopes < ROUND_ENVELOPES &&
	    (n = list_pop_front(&h->waiting)) != NULL) {
		struct waiting *w = list_entry(n, struct waiting, link);

		h->n_waiting--;
		add_txn(s, r, &w->note);
		free(w);
	}
	if (r->n_txns == 0) {
		round_free(r);
		return;
	}
	h->round = r;
	say_begun(s, r);
}

/* Nobody is to find what was written of it. */
static void
fail(struct spooler *s, struct hashed_round *r)
{
	static struct log_rate rate;
	bool full = r->err.sys_errno == ENOSPC || r->err.sys_errno == EDQUOT;

	log_limited(&rate, EC_ERROR, "spooling %u messages: %s; their clients "
	    "are told to try again", r->n_items, r->err.text);
	for (unsigned i = 0; i < r->n_txns; i++) {
		struct hashed_txn *t = &r->txns[i];
		struct txn *x = txn_at(&s->txns, t->txn);

		forget_items(s, r, t);
		for (unsigned j = 0; j < t->n; j++) {
			msgid id = r->items[t->first + j].meta.rcpt.id;

			/* A listing on its way may have seen its files. */
			replay_note_end(s, id, r->epoch);
			settle_remove_begun(s, id, r->epoch);
		}
		intake_answer(s, &t->note, full ? STORED_FULL : STORED_FAILED);
		x->holds--;
		txn_put(&s->txns, x);
	}
	journal_unpin(s->journal, r->epoch);
	s->hashed->round = NULL;
	round_free(r);
}

/* The round's items as SETTLED has them. */
static void
put_settled(struct spooler *s, struct hashed_round *r, struct buf *b)
{
	uint32_t last = 0;

	for (unsigned i = 0; i < r->n_items; i++) {
		struct msg *m = index_at(&s->index, r->items[i].msg);
		struct queue *q = queue_of(s, &r->items[i]);
		struct checkpoint_item c;

		/* None only if all numbers were taken just now: the message
		 * keeps the one it was found under. */
		if (q == NULL) {
			q = queue_at(&s->queues, m->queue);
		}
		m->queue = q->number;
		if (q->number != last) {
			last = q->number;
			checkpoint_item_of_queue(q, &c);
			checkpoint_item_encode(&c, b);
		}
		checkpoint_item_of(m, &c);
		checkpoint_item_encode(&c, b);
	}
}

/* False if there is no room yet. */
static bool
append(struct spooler *s, struct hashed_round *r)
{
	struct journal_note note = { .what = NOTE_HASHED,
		.b = (uint64_t)(uintptr_t)r };
	struct slice part;
	struct buf b;
	bool fits;

	/* At most: a queue and a message each. */
	buf_init(&b, (size_t)r->n_items * 2 * CHECKPOINT_ITEM_MAX);
	put_settled(s, r, &b);
	ec_assert(!b.full);
	fits = journal_fits(s->journal, b.len + r->envelopes +
	    (uint64_t)r->n_txns * 16, r->n_txns + 1, true) == JOURNAL_OK;
	if (fits) {
		for (unsigned i = 0; i < r->n_txns; i++) {
			intake_say_received(s, txn_at(&s->txns,
			    r->txns[i].txn), 0);
		}
		part = buf_slice(&b);
		ec_assert(journal_append(s->journal, JOURNAL_SETTLED, &part, 1,
		    true, &note) == JOURNAL_OK);
	}
	buf_fini(&b);
	return fits;
}

static void
hashed_room(struct spooler *s)
{
	struct hashed *h = s->hashed;

	if (h->written && append(s, h->round)) {
		h->written = false;
		h->round = NULL;	/* its note has it */
	}
	begin(s);
}

static void
round_done(struct workq_job *job)
{
	struct hashed_round *r = container_of(job, struct hashed_round, job);
	struct spooler *s = r->s;

	if (r->bad) {
		fail(s, r);
	} else {
		s->hashed->written = true;
	}
	hashed_room(s);
}

void
hashed_begun(struct spooler *s, const struct journal_note *n)
{
	struct hashed_round *r = (struct hashed_round *)(uintptr_t)n->b;

	r->epoch = n->epoch;
	journal_pin(s->journal, r->epoch);
	r->job.done = round_done;
	settle_submit(s, &r->job);
}

static void
admit(struct spooler *s, struct hashed_item *it, uint32_t epoch)
{
	struct msg *m = index_at(&s->index, it->msg);
	struct queue *q = queue_of(s, it);

	m->flags |= MSG_FILES;	/* replay, if it still looks, has them */
	index_set_settled(&s->index, m);
	checkpoint_note(s, m, epoch);
	if (q != NULL) {
		m->queue = q->number;
	}
	queue_push(&s->queues, it->msg, false);
	handout_wake(s, queue_at(&s->queues, m->queue));
}

void
hashed_durable(struct spooler *s, const struct journal_note *n)
{
	struct hashed_round *r = (struct hashed_round *)(uintptr_t)n->b;

	for (unsigned i = 0; i < r->n_txns; i++) {
		struct hashed_txn *t = &r->txns[i];
		struct txn *x = txn_at(&s->txns, t->txn);

		x->file = r->items[t->first].meta.rcpt.id;
		for (unsigned j = 0; j < t->n; j++) {
			admit(s, &r->items[t->first + j], n->epoch);
		}
		intake_answer(s, &t->note, STORED_OK);
		spooler_score(s, SCORE_S_RECEIVED, t->n);
		x->holds--;
		if (intake_relieve(s, x)) {
			/* Its files have all of it. */
			for (unsigned j = 0; j < t->n; j++) {
				index_at(&s->index, r->items[t->first + j]
				    .msg)->txn = 0;
				x->refs--;
			}
		}
		txn_put(&s->txns, x);
	}
	journal_unpin(s->journal, r->epoch);
	round_free(r);
}

static enum journal_room
accept_hashed(struct spooler *s, struct txn *x,
    const struct journal_note *note, bool resent)
{
	struct hashed *h = s->hashed;
	enum journal_room room = journal_fits(s->journal, BEGUN_ROOM +
	    x->env_len * 2, 3, false);
	struct waiting *w;

	/* Files under its ids may still have to go. */
	if (resent && !replay_is_swept(s)) {
		return JOURNAL_BUSY;
	}
	if (room != JOURNAL_OK) {
		return room;
	}
	w = xmalloc(sizeof *w);
	w->note = *note;
	list_push_back(&h->waiting, &w->link);
	h->n_waiting++;
	begin(s);
	return JOURNAL_OK;
}

struct hashed *
hashed_create(struct spooler *s)
{
	struct hashed *h = xcalloc(1, sizeof *h);

	(void)s;
	list_init(&h->waiting);
	return h;
}

const struct engine engine_hashed = {
	.name = "hashed",
	.accept = accept_hashed,
	.room = hashed_room,
};
