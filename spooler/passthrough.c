/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spool_Engine = passthrough: the client's answer is the next host's own, and
 * nothing is stored.
 *
 *	STORE (one recipient) -> queue -> a deliverer -> OUTCOME
 *	      -> its line for the log, durable -> STORED with code and text
 *
 * Every outcome is an end: nothing is tried again and nothing bounces, since
 * the client still has its mail.  What no deliverer takes in
 * Passthrough_Timeout, and what a deliverer's death cut off, is answered 451;
 * when the next host may have had it the log says so, and the client will send
 * it again.  A STORE that a spooler before us left unanswered is refused, too.
 */
#include "spooler/engine.h"

#include "common/base/wire.h"

#define TOO_LATE "451 4.4.1 [internal] no host took it in time"

struct passing {
	struct list_node link;	/* oldest first */
	struct journal_note note;
	msgid id;
	uint64_t deadline_us;
};

struct passthrough {
	struct list_node passing;
	struct passing **by_txn;	/* slot -> who waits for it */
	uint32_t cap;
};

static void
remember(struct passthrough *t, struct passing *p)
{
	if (p->note.a >= t->cap) {
		uint32_t cap = p->note.a * 2 + 64;

		t->by_txn = xrealloc(t->by_txn, cap * sizeof *t->by_txn);
		memset(t->by_txn + t->cap, 0, (cap - t->cap) *
		    sizeof *t->by_txn);
		t->cap = cap;
	}
	t->by_txn[p->note.a] = p;
	list_push_back(&t->passing, &p->link);
}

static enum journal_room
accept_passthrough(struct spooler *s, struct txn *x,
    const struct journal_note *note, bool resent)
{
	enum journal_room room = journal_fits(s->journal, x->env_len + 16, 1,
	    false);
	struct recipient first;
	struct passing *p;

	(void)resent;	/* those are answered before */
	if (room != JOURNAL_OK) {
		return room;
	}
	intake_say_received(s, x, RECEIVED_UNSPOOLED);
	intake_admit(s, x, 0);
	if (x->refs == 0) {	/* its id is taken */
		intake_answer(s, note, STORED_FAILED);
		txn_put(&s->txns, x);
		return JOURNAL_OK;
	}
	ec_assert(txn_recipient(x, (uint32_t)envelope_first_recipient(
	    slice_make(x->env, x->env_len)), &first));
	p = xcalloc(1, sizeof *p);
	p->note = *note;
	p->id = first.id;
	p->deadline_us = spooler_now(s) + config_us(worker_config(s->w), NULL,
	    OPT_PASSTHROUGH_TIMEOUT);
	remember(s->passthrough, p);
	spooler_score(s, SCORE_S_RECEIVED, 1);
	return JOURNAL_OK;
}

static void
ended_passthrough(struct spooler *s, struct txn *x, const struct event *e)
{
	struct passthrough *t = s->passthrough;
	struct passing *p = x->slot < t->cap ? t->by_txn[x->slot] : NULL;

	if (p != NULL) {
		t->by_txn[x->slot] = NULL;
		intake_answer_as(s, &p->note, e);
		list_remove(&p->link);
		free(p);
	}
}

/* Those at a deliverer have their own timeouts. */
static void
room_passthrough(struct spooler *s)
{
	list_each(n, tmp, &s->passthrough->passing) {
		struct passing *p = list_entry(n, struct passing, link);
		uint32_t slot = index_find(&s->index, p->id);
		const struct msg *m = slot == 0 ? NULL :
		    index_at(&s->index, slot);

		if (p->deadline_us > spooler_now(s)) {
			return;
		}
		if (m != NULL && (m->state == MSG_ACTIVE ||
		    m->state == MSG_DELAYED)) {
			handout_withdraw(s, slot);
			outcome_cut(s, slot, TOO_LATE);
		}
	}
}

void
passthrough_start(struct spooler *s)
{
	s->passthrough = xcalloc(1, sizeof *s->passthrough);
	list_init(&s->passthrough->passing);
}

const struct engine engine_passthrough = {
	.name = "passthrough",
	.by_remote = true,
	.accept = accept_passthrough,
	.room = room_passthrough,
	.ended = ended_passthrough,
};
