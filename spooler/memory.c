/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spool_Engine = memory (_Unsafe_Spool, suppress_spool): mail is answered at
 * once and stands nowhere but in the arena of its listener.
 *
 *	STORE -> STORED, queues; RECEIVED for the log
 *	      -> delivered, bounced: gone
 *	      -> num_retries attempts failed, or we are leaving: "spilled": a
 *	         message record of those recipients, durable, and from there
 *	         on as with the journal
 *
 * The body is the only copy, so it is never dropped; when half of the arena is
 * held, or a message is large, it goes the journal's road from the start and is
 * answered when it is durable.
 *
 * After a crash records of such mail say nothing of the spool: RECEIVED and
 * events are marked so.  A spilled message's attempts are told by a state
 * record behind it; a crash between the two costs one early attempt.
 */
#include "spooler/engine.h"

#include "common/base/log.h"
#include "common/base/wire.h"

#define LEAVING_US 10000000u	/* for room in the journal, then it is lost */

struct memory {
	struct list_node txns;	/* in memory only, by txn.settle */
	struct list_node due;	/* of them, to be spilled */
	uint64_t leaving_us;	/* since when; 0: we stay */
};

static int64_t
num_retries(struct spooler *s)
{
	const struct config *c = worker_config(s->w);
	struct config_where w = { .scope = config_first(c, NULL,
	    SCOPE_SUPPRESS_SPOOL) };

	return w.scope == NULL ? 0 : config_int(c, &w, OPT_NUM_RETRIES);
}

static bool
must_be_written(struct spooler *s, const struct txn *x)
{
	return x->size > config_size(worker_config(s->w), NULL,
	    OPT_LARGE_MESSAGE_THRESHOLD) || (x->n_pieces > 0 &&
	    slabs_held_bytes(&s->slabs, x->pieces[0]) >
	    s->set.arena_bytes / 2);
}

static enum journal_room
accept_memory(struct spooler *s, struct txn *x,
    const struct journal_note *note, bool resent)
{
	enum journal_room room;

	if (must_be_written(s, x)) {
		return intake_append(s, x, false, note);
	}
	room = journal_fits(s->journal, x->env_len + 16, 1, false);
	if (room != JOURNAL_OK) {
		return room;
	}
	/* Who had no answer before the crash is told by this one. */
	if (!resent || !replay_has_received(s, x->batch_id)) {
		intake_say_received(s, x, RECEIVED_UNSPOOLED);
	}
	list_push_back(&s->memory->txns, &x->settle);
	intake_admit(s, x, 0);
	intake_answer(s, note, x->refs > 0 ? STORED_OK : STORED_FAILED);
	spooler_score(s, SCORE_S_RECEIVED, x->refs);
	txn_put(&s->txns, x);
	return JOURNAL_OK;
}

/* Those of its messages that are to be written now; the count.  One whose
 * outcome is on its way to the disk stands before the record that we would
 * write: it is left out, and comes back by retried_memory() if it stays. */
static uint32_t
choose(struct spooler *s, const struct txn *x, struct envelope *env)
{
	int64_t most = num_retries(s);
	uint32_t n = 0;

	for (uint32_t i = 0; i < env->n_rcpt; i++) {
		uint32_t slot = index_find(&s->index, env->rcpt[i].id);
		const struct msg *m = slot == 0 ? NULL :
		    index_at(&s->index, slot);

		if (m != NULL && m->txn == x->slot && m->state != MSG_ENDING &&
		    (s->memory->leaving_us != 0 || m->attempts >= most)) {
			env->rcpt[n++] = env->rcpt[i];
		}
	}
	return n;
}

/* The new transaction's record: its envelope, the body of x. */
static bool
append(struct spooler *s, struct txn *y, struct txn *x)
{
	struct journal_note note = { .what = NOTE_SPILLED, .a = y->slot,
		.b = x->slot };
	struct slice parts[TXN_MAX_PIECES + 2];
	uint32_t env_len = y->env_len;
	int n = 0;

	parts[n++] = slice_make(&env_len, sizeof env_len);
	parts[n++] = slice_make(y->env, y->env_len);
	for (unsigned i = 0; i < x->n_pieces; i++) {
		parts[n++] = slice_make(slabs_at(&s->slabs, x->pieces[i]),
		    x->pieces[i].length);
	}
	return journal_append(s->journal, JOURNAL_MESSAGE, parts, n, true,
	    &note) == JOURNAL_OK;
}

/* False if there is no room now. */
static bool
spill(struct spooler *s, struct txn *x)
{
	struct scratch scratch;
	struct envelope env;
	struct txn *y;
	struct buf b;
	bool ok = true;

	scratch_init(&scratch, 1 << 20);
	ec_assert(envelope_decode(slice_make(x->env, x->env_len), &scratch,
	    &env));
	env.n_rcpt = choose(s, x, &env);
	if (env.n_rcpt > 0) {
		env.flags |= ENVELOPE_LOGGED;
		buf_init(&b, ENVELOPE_MAX_BYTES);
		envelope_encode(&env, &b);
		ec_assert(!b.full);
		y = txn_create(&s->txns, &env, buf_slice(&b), x->size);
		buf_fini(&b);
		ok = append(s, y, x);
		if (ok) {
			x->spilling = true;
			x->holds++;
		} else {
			txn_put(&s->txns, y);
		}
	}
	scratch_fini(&scratch);
	return ok;
}

static void
say_state(struct spooler *s, uint32_t slot)
{
	const struct msg *m = index_at(&s->index, slot);
	struct journal_note note = { .what = NOTE_STATE, .a = slot,
		.b = m->id };
	struct slice part;
	struct buf b;

	buf_init(&b, 64);
	wire_put_u64(&b, m->id);
	wire_put_u16(&b, m->attempts);
	wire_put_u16(&b, m->flags & MSG_DOUBT);
	wire_put_u32(&b, m->deaths);
	wire_put_u64(&b, m->next_us);
	part = buf_slice(&b);
	if (journal_append(s->journal, JOURNAL_STATE, &part, 1, true,
	    &note) != JOURNAL_OK) {
		log_notice("no room for the attempts of a message: after a "
		    "crash it would be tried early");
	}
	buf_fini(&b);
}

/* Its messages, as far as they have not left meanwhile, are y's now. */
static void
take_over(struct spooler *s, struct txn *y, struct txn *x)
{
	struct scratch scratch;
	struct envelope env;

	scratch_init(&scratch, 1 << 20);
	ec_assert(envelope_decode(slice_make(y->env, y->env_len), &scratch,
	    &env));
	for (uint32_t i = 0; i < env.n_rcpt; i++) {
		uint32_t slot = index_find(&s->index, env.rcpt[i].id);
		struct msg *m = slot == 0 ? NULL : index_at(&s->index, slot);

		if (m == NULL || m->txn != x->slot) {
			continue;
		}
		m->txn = y->slot;
		m->rcpt_at = (uint32_t)(env.rcpt[i].addr.ptr - y->env) - 11u;
		x->refs--;
		y->refs++;
		y->unsettled++;
		if (m->state != MSG_ENDING && (m->attempts > 0 ||
		    (m->flags & MSG_DOUBT) != 0)) {
			say_state(s, slot);
		}
	}
	scratch_fini(&scratch);
}

void
memory_spilled(struct spooler *s, const struct journal_note *n)
{
	struct txn *y = txn_at(&s->txns, n->a);
	struct txn *x = txn_at(&s->txns, (uint32_t)n->b);

	txn_in_journal(s, y, n->epoch, n->offset);
	take_over(s, y, x);
	if (y->refs == 0) {
		journal_unpin(s->journal, y->epoch);
		y->epoch = 0;
		txn_put(&s->txns, y);
	} else {
		y->settle_us = spooler_now(s);
		list_push_back(&s->settle_order, &y->settle);
	}
	x->spilling = false;
	x->holds--;
	if (!txn_put(&s->txns, x) && x->refs > 0) {
		/* Some may have come due while this was written. */
		list_remove(&x->settle);
		list_push_back(&s->memory->due, &x->settle);
	}
}

static void
room_memory(struct spooler *s)
{
	list_each(n, tmp, &s->memory->due) {
		struct txn *x = list_entry(n, struct txn, settle);

		if (!x->spilling) {
			if (!spill(s, x)) {
				return;
			}
			list_remove(&x->settle);
			list_push_back(&s->memory->txns, &x->settle);
		}
	}
}

static void
retried_memory(struct spooler *s, struct msg *m, struct txn *x)
{
	if (m->attempts >= num_retries(s)) {
		list_remove(&x->settle);
		list_push_back(&s->memory->due, &x->settle);
	}
}

static bool
drained_memory(struct spooler *s)
{
	struct memory *t = s->memory;
	struct list_node *n;
	bool late;

	t->leaving_us = t->leaving_us != 0 ? t->leaving_us : spooler_now(s);
	/* (Also what was on its way to the disk when it was asked before.) */
	while ((n = list_pop_front(&t->txns)) != NULL) {
		list_push_back(&t->due, n);
	}
	room_memory(s);
	if (list_is_empty(&t->txns) && list_is_empty(&t->due)) {
		return true;
	}
	late = spooler_now(s) - t->leaving_us > LEAVING_US;
	if (late) {
		log_critical("Spool_Engine = memory: the journal has no room "
		    "for all mail that was in memory; the rest is lost");
	}
	return late;
}

int
memory_start(struct spooler *s, struct error *err_out)
{
	const struct config *c = worker_config(s->w);

	if (!config_bool(c, NULL, OPT_UNSAFE_SPOOL)) {
		return error_set(err_out, ERROR_CONFIG, "Spool_Engine = memory "
		    "loses mail in a crash: set _Unsafe_Spool = true if that "
		    "is meant, else remove it");
	}
	if (config_first(c, NULL, SCOPE_SUPPRESS_SPOOL) == NULL) {
		return error_set(err_out, ERROR_CONFIG, "Spool_Engine = memory "
		    "needs suppress_spool { num_retries = N }: after so many "
		    "failed attempts mail is written to the disk");
	}
	s->memory = xcalloc(1, sizeof *s->memory);
	list_init(&s->memory->txns);
	list_init(&s->memory->due);
	log_warning("Spool_Engine is memory: mail is answered before it is on "
	    "disk, up to %lld failed attempts later; a crash loses it",
	    (long long)num_retries(s));
	return 0;
}

const struct engine engine_memory = {
	.name = "memory",
	.accept = accept_memory,
	.room = room_memory,
	.retried = retried_memory,
	.drained = drained_memory,
};
