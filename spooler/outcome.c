/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What became of messages.
 *
 *	OUTCOME -> records (D, T, P; a bounce with its P) in one batch
 *	        -> durable -> gone or delayed; the work acknowledged
 *
 * An outcome that finds no room, or comes before replay knows its messages,
 * waits here; deliverers keep theirs until the acknowledgement.
 */
#include "spooler/outcome.h"

#include "spooler/engine.h"

#include "common/base/clock.h"
#include "common/base/wire.h"
#include "common/mail/esc.h"
#include "spooler/suspects.h"

struct late_outcome {
	struct list_node link;
	uint8_t deliverer;
	uint32_t incarnation;
	size_t len;
	char bytes[];
};

/* Delivered by one that died before it could say so. */
struct late_accepted {
	struct list_node link;
	msgid id;
	uint64_t work;
	uint64_t sent;
	uint8_t remote_ip[16];
};

bool
outcome_is_expired(struct spooler *s, const struct msg *m)
{
	uint64_t now = clock_wall_us(), got = (uint64_t)m->received_s * 1000000u;
	const struct queue *q = queue_at(&s->queues, m->queue);
	struct config_where w;

	/* Cheap first: hardly any message is so old. */
	if (now < got + 1000000u || (m->attempts == 0 && !q->suspended &&
	    !config_bool(worker_config(s->w), NULL,
	    OPT_NEVER_ATTEMPT_EXPIRED_MESSAGES))) {
		return false;	/* tried once, however old, where it can be */
	}
	w = spooler_where(q);
	return now - got >= config_us(worker_config(s->w), &w,
	    OPT_MESSAGE_EXPIRATION);
}

/* The message of a result, if it is in flight with this work. */
static uint32_t
find_msg(struct spooler *s, const struct work *w, msgid id)
{
	for (unsigned i = 0; w != NULL && i < w->n; i++) {
		uint32_t slot = w->msgs[i];

		if (slot != 0 && index_at(&s->index, slot)->id == id &&
		    index_at(&s->index, slot)->state == MSG_FLIGHT) {
			return slot;
		}
	}
	return 0;
}

/* Every message of the work has one result, no message has two? */
static bool
is_whole(struct spooler *s, const struct work *w, const struct outcome *o)
{
	unsigned left = 0, found = 0;

	for (unsigned i = 0; w != NULL && i < w->n; i++) {
		left += w->msgs[i] != 0 &&
		    index_at(&s->index, w->msgs[i])->state == MSG_FLIGHT;
	}
	for (unsigned i = 0; i < o->n; i++) {
		found += o->results[i].msg != 0;
		for (unsigned j = 0; j < i; j++) {
			if (o->results[i].msg != 0 &&
			    o->results[i].msg == o->results[j].msg) {
				return false;
			}
		}
	}
	return left == found;
}

static bool
is_plain(struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < 0x20 || text.ptr[i] == 0x7f ||
		    text.ptr[i] == '\\') {
			return false;	/* (char is signed: over 127 too) */
		}
	}
	return true;
}

/* A stranger's words, as an event holds them: one line of printable ASCII. */
static struct slice
clean_reply(struct outcome *o, struct slice text)
{
	size_t from = o->texts.len;

	text.len = EC_MIN(text.len, (size_t)EVENT_REPLY_MAX);
	if (is_plain(text)) {
		return text;
	}
	/* Reserved for all results at once: what was cut before must not
	 * move. */
	if (o->texts.cap == 0 && !buf_reserve(&o->texts,
	    (size_t)o->n * EVENT_REPLY_MAX)) {
		return SLICE("");
	}
	esc_add(&o->texts, text, ESC_TEXT, EVENT_REPLY_MAX);
	return slice_make(o->texts.ptr + from, o->texts.len - from);
}

static bool
read_outcome(struct spooler *s, unsigned deliverer, struct slice bytes,
    struct outcome *o)
{
	struct wire_r r = wire_reader(bytes);
	struct work *w;

	memset(o, 0, offsetof(struct outcome, results));
	buf_init(&o->texts, STAGE_RCPTS * EVENT_REPLY_MAX);
	o->deliverer = (uint8_t)deliverer;
	o->work = wire_u64(&r);
	o->sent = wire_u64(&r);
	wire_get(&r, o->remote_ip, sizeof o->remote_ip);
	o->remote_port = wire_u16(&r);
	o->remote_name = wire_slice(&r);
	o->n = wire_u16(&r);
	if (r.bad || o->n > STAGE_RCPTS || o->work == 0) {
		return false;
	}
	w = handout_find(s, deliverer, o->work);
	for (unsigned i = 0; i < o->n; i++) {
		struct result *t = &o->results[i];
		msgid id = wire_u64(&r);

		*t = (struct result){ 0 };
		t->kind = wire_u8(&r);
		t->stage = wire_u8(&r);
		t->code = wire_u16(&r);
		t->reply = clean_reply(o, wire_slice(&r));
		if (r.bad || (t->kind != EVENT_DELIVERY &&
		    t->kind != EVENT_TRANSIENT &&
		    t->kind != EVENT_PERMANENT)) {
			return false;
		}
		t->msg = find_msg(s, w, id);
	}
	return is_whole(s, w, o);
}

/* A held message that was settled has no envelope in memory: bring one in that
 * says what an outcome's record needs. */
static bool
envelopes_there(struct spooler *s, struct work *w)
{
	bool all = true;

	held_find(s, w);
	for (unsigned i = 0; i < w->n; i++) {
		uint32_t slot = w->msgs[i];

		if (slot != 0 && index_at(&s->index, slot)->txn == 0) {
			loader_start(s, NULL, slot);
			all = false;
		}
	}
	return all;
}

static bool
try_outcome(struct spooler *s, struct ipc_link *k, unsigned deliverer,
    struct slice bytes)
{
	struct wire_r r = wire_reader(bytes);
	uint64_t number = wire_u64(&r);
	struct work *w = handout_find(s, deliverer, number);
	struct outcome o;
	bool done = true;

	if (w == NULL && replay_has_work(s, number)) {
		handout_ack(s, deliverer, number);
		return true;	/* the spooler before us wrote it */
	}
	if (w != NULL && w->written) {
		return true;	/* said twice: acknowledged when durable */
	}
	if (w != NULL && w->ids != NULL) {
		if (!replay_is_read(s)) {
			return false;
		}
		if (w->told && replay_has_work(s, number)) {
			handout_ack(s, deliverer, number);
			return true;
		}
		if (!held_is_known(s, w) || !envelopes_there(s, w)) {
			return false;
		}
	}
	if (!read_outcome(s, deliverer, bytes, &o)) {
		if (k != NULL) {
			ipc_bad(k, "malformed OUTCOME");
		}
	} else if (outcome_has_room(s, &o)) {
		/* From here on its messages are the records'. */
		for (unsigned i = 0; w != NULL && i < w->n; i++) {
			w->msgs[i] = 0;
			w->written = true;
		}
		outcome_write(s, &o);
	} else {
		done = false;
	}
	buf_fini(&o.texts);
	return done;
}

void
outcome_message(struct spooler *s, struct ipc_link *k, struct ipc_msg *m)
{
	struct late_outcome *l;

	if (try_outcome(s, k, k->peer_index, m->body)) {
		return;
	}
	l = xmalloc(sizeof *l + m->body.len);
	l->deliverer = k->peer_index;
	l->incarnation = k->incarnation;
	l->len = m->body.len;
	memcpy(l->bytes, m->body.ptr, m->body.len);
	list_push_back(&s->late_outcomes, &l->link);
}

/* A result of our own making for one message in flight or in no list. */
static bool
make_up(struct spooler *s, uint32_t msg, uint8_t kind, const char *reply,
    unsigned flags, const struct late_accepted *by)
{
	struct outcome o = { .n = 1 };

	o.results[0] = (struct result){ .msg = msg, .kind = kind,
		.stage = by != NULL ? STAGE_CONFIRMATION :
		STAGE_NOT_CONNECTED, .code = by != NULL ? 250 : 554,
		.reply = slice_of(reply), .flags = flags };
	if (by != NULL) {
		memcpy(o.remote_ip, by->remote_ip, sizeof o.remote_ip);
		o.sent = by->sent;
		o.work = by->work;
	}
	if (!outcome_has_room(s, &o)) {
		return false;
	}
	outcome_write(s, &o);
	return true;
}

void
outcome_cut(struct spooler *s, uint32_t slot, const char *reply)
{
	struct outcome o = { .n = 1 };

	o.results[0] = (struct result){ .msg = slot, .kind = EVENT_TRANSIENT,
		.stage = STAGE_NOT_CONNECTED, .code = 451,
		.reply = slice_of(reply) };
	if (outcome_has_room(s, &o)) {
		outcome_write(s, &o);
	} else {
		/* It must not be handed out meanwhile: outcome_due(). */
		index_at(&s->index, slot)->flags |= MSG_END;
		queue_delay(&s->queues, slot, spooler_now(s), 1000000u);
	}
}

/* Until it is written the message stays in flight: nobody delivers it again. */
static bool
try_accepted(struct spooler *s, struct late_accepted *l)
{
	uint32_t slot = index_find(&s->index, l->id);

	if (slot == 0) {
		handout_written(s, l->work);
		return true;
	}
	if (index_at(&s->index, slot)->txn == 0) {
		loader_start(s, NULL, slot);
		return false;
	}
	return make_up(s, slot, EVENT_DELIVERY, "", 0, l);
}

void
outcome_retry_late(struct spooler *s)
{
	list_each(n, tmp, &s->late_outcomes) {
		struct late_outcome *l = list_entry(n, struct late_outcome,
		    link);
		struct deliverer_peer *p = &s->deliverers[l->deliverer];

		/* One that died: its works have ended by their stage. */
		if (p->incarnation != l->incarnation ||
		    try_outcome(s, p->link, l->deliverer,
		    slice_make(l->bytes, l->len))) {
			list_remove(n);
			free(l);
		}
	}
	list_each(n, tmp, &s->late_accepted) {
		struct late_accepted *l = list_entry(n, struct late_accepted,
		    link);

		if (try_accepted(s, l)) {
			list_remove(n);
			free(l);
		}
	}
}

bool
outcome_poison(struct spooler *s, uint32_t slot)
{
	return make_up(s, slot, EVENT_PERMANENT, OUTCOME_POISON,
	    EVENT_QUARANTINED, NULL);
}

void
outcome_end_now(struct spooler *s, uint32_t slot)
{
	struct msg *m = index_at(&s->index, slot);

	m->flags |= MSG_END;
	if (m->txn == 0 || !make_up(s, slot, EVENT_PERMANENT,
	    OUTCOME_EXPIRED_TIME, EVENT_EXPIRED, NULL)) {
		queue_delay(&s->queues, slot, spooler_now(s), 1000000u);
	}
}

void
outcome_end(struct spooler *s, uint32_t slot)
{
	struct msg *m = index_at(&s->index, slot);
	struct txn *x = handout_txn(s, m);

	m->flags |= MSG_END;
	/* Its header belongs into the bounce: bring it, then here again. */
	if (x != NULL && txn_is_resident(x)) {
		outcome_end_now(s, slot);
	} else if (x != NULL && x->loading) {
		queue_flight(&s->queues, slot, MSG_LOADING);
		m->next = x->wait_head;
		x->wait_head = slot;
	} else if (loader_start(s, x, slot)) {
		queue_flight(&s->queues, slot, MSG_LOADING);
		if (x != NULL) {
			m->next = x->wait_head;
			x->wait_head = slot;
		}
	} else {
		queue_delay(&s->queues, slot, spooler_now(s), 1000000u);
	}
}

void
outcome_due(void *arg, uint32_t slot)
{
	struct spooler *s = arg;
	struct msg *m = index_at(&s->index, slot);

	if ((m->flags & MSG_END) != 0 && m->txn != 0 &&
	    engine_answers_by(s, txn_at(&s->txns, m->txn))) {
		outcome_cut(s, slot, OUTCOME_CUT);
		return;
	}
	/* Before all have spoken a deliverer may have it. */
	if (s->started_handout && ((m->flags & MSG_END) != 0 ||
	    outcome_is_expired(s, m))) {
		outcome_end(s, slot);
		return;
	}
	handout_place(s, slot, false);
}

/* Doubt and deaths, durably: also after our own crash the log will say it, and
 * a suspect is tried alone. */
static void
write_state(struct spooler *s, struct work *w, uint32_t slot)
{
	struct msg *m = index_at(&s->index, slot);
	struct journal_note note = { .what = NOTE_STATE, .a = slot,
		.b = m->id, .c = w->number };
	struct slice part;
	struct buf b;

	if (m->txn != 0 && !txn_is_on_disk(txn_at(&s->txns, m->txn))) {
		return;		/* after our crash there is nothing to say it of */
	}
	buf_init(&b, 64);
	wire_put_u64(&b, m->id);
	wire_put_u16(&b, m->attempts);
	wire_put_u16(&b, m->flags & MSG_DOUBT);
	wire_put_u32(&b, m->deaths);
	wire_put_u64(&b, m->next_us);
	part = buf_slice(&b);
	w->writing += journal_append(s->journal, JOURNAL_STATE, &part, 1, true,
	    &note) == JOURNAL_OK;
	buf_fini(&b);
}

static void
set_doubt(struct spooler *s, uint32_t slot)
{
	index_at(&s->index, slot)->flags |= MSG_DOUBT;
	spooler_score(s, SCORE_S_POSSIBLE_DUPLICATES, 1);
}

/* Its transaction may have to be read, and the journal may be full just now. */
static void
was_accepted(struct spooler *s, struct work *w, msgid id,
    const struct stage_slot *t)
{
	struct late_accepted *l = xcalloc(1, sizeof *l);

	w->writing++;
	l->work = w->number;
	l->id = id;
	l->sent = t->sent;
	memcpy(l->remote_ip, t->remote_ip, sizeof l->remote_ip);
	if (try_accepted(s, l)) {
		free(l);
	} else {
		list_push_back(&s->late_accepted, &l->link);
	}
}

static bool
was_sent_to(const struct stage_slot *t, unsigned i)
{
	return (t->accepted[i / 8] >> (i % 8) & 1) != 0;
}

void
outcome_still_doubtful(struct spooler *s, struct work *w, unsigned i, msgid id)
{
	const struct stage_slot *t =
	    &worker_stages(s->w)->slot[w->deliverer][w->slot];
	uint32_t slot = index_find(&s->index, id);

	if (slot != 0 && stage_get(t, w->number) == STAGE_DOT &&
	    was_sent_to(t, i)) {
		set_doubt(s, slot);
		write_state(s, w, slot);
	}
}

/* In flight at a death, and not known to be delivered. */
static void
orphan(struct spooler *s, struct work *w, unsigned i, uint32_t slot)
{
	struct stage_table *table = worker_stages(s->w);
	const struct stage_slot *t = &table->slot[w->deliverer][w->slot];
	enum stage_point point = stage_get(t, w->number);
	bool doubtful = point == STAGE_DOT && was_sent_to(t, i);
	struct msg *m = index_at(&s->index, slot);
	enum suspects_verdict verdict;

	if (doubtful) {
		set_doubt(s, slot);
	}
	if (m->txn != 0 && engine_answers_by(s, txn_at(&s->txns, m->txn))) {
		stage_work_drop(table, w->deliverer, w->slot, i);
		queue_landed(&s->queues, slot);
		outcome_cut(s, slot, OUTCOME_CUT);
		return;
	}
	verdict = suspects_judge(w, m, point);
	if (doubtful || verdict != SUSPECTS_NOT_BLAMED) {
		write_state(s, w, slot);
	} else {
		stage_work_drop(table, w->deliverer, w->slot, i);
	}
	if (verdict == SUSPECTS_POISON) {
		poison_convict(s, slot);
		return;
	}
	queue_landed(&s->queues, slot);
	handout_place(s, slot, true);
}

void
outcome_orphan(struct spooler *s, struct work *w)
{
	const struct stage_slot *t =
	    &worker_stages(s->w)->slot[w->deliverer][w->slot];
	enum stage_point point = stage_get(t, w->number);

	held_find(s, w);
	for (unsigned i = w->n; i-- > 0;) {	/* to the front: last first */
		bool was_sent = was_sent_to(t, i);
		uint32_t slot = w->msgs[i];

		w->msgs[i] = 0;
		if (slot == 0 ||
		    index_at(&s->index, slot)->state != MSG_FLIGHT) {
			continue;
		}
		if (point == STAGE_ACCEPTED && was_sent) {
			was_accepted(s, w, index_at(&s->index, slot)->id, t);
			continue;
		}
		orphan(s, w, i, slot);
	}
}

void
outcome_forget(struct spooler *s, uint32_t slot, uint32_t done_epoch)
{
	struct msg *m = index_at(&s->index, slot);
	struct txn *x = m->txn != 0 ? txn_at(&s->txns, m->txn) : NULL;
	msgid id = m->id;

	queue_landed(&s->queues, slot);
	replay_note_end(s, id, done_epoch);
	if ((m->flags & MSG_SETTLED) != 0) {
		checkpoint_note(s, m, done_epoch);
	}
	if (((m->flags & (MSG_SETTLED | MSG_FILES)) != 0 ||
	    replay_may_find(s, x)) && (m->flags & MSG_SETTLING) == 0) {
		settle_remove(s, id, done_epoch);
	}
	if (x != NULL) {
		if ((m->flags & MSG_SETTLED) == 0 && x->unsettled > 0 &&
		    --x->unsettled == 0) {
			txn_left_journal(s, x);
		}
		x->refs--;
		m->txn = 0;
		txn_put(&s->txns, x);
	}
	if ((m->flags & MSG_SETTLING) != 0) {
		/* The settler ends it: its files must go first. */
		m->flags |= MSG_GONE;
		m->due = done_epoch;
		journal_pin(s->journal, done_epoch);
		return;
	}
	index_remove(&s->index, slot);
}

static void
retry_durable(struct spooler *s, const struct journal_note *n)
{
	struct msg *m = index_at(&s->index, n->a);
	struct event e;
	uint64_t now = clock_wall_us();

	ec_assert(event_decode(slice_make(n->payload, n->length), &e));
	m->attempts = (uint16_t)EC_MIN(m->attempts + 1u, UINT16_MAX);
	m->next_us = e.next_us;
	m->flags &= (uint8_t)~MSG_DOUBT;
	m->deaths = 0;
	if ((m->flags & MSG_SETTLED) != 0) {
		checkpoint_note(s, m, n->epoch);
	}
	queue_landed(&s->queues, n->a);
	queue_delay(&s->queues, n->a, spooler_now(s),
	    e.next_us > now ? e.next_us - now : 0);
	spooler_score(s, SCORE_S_TRANSIENT, 1);
	if (m->txn != 0) {
		struct txn *x = txn_at(&s->txns, m->txn);

		/* Not wanted for a while; the disk has it. */
		if (txn_is_on_disk(x)) {
			txn_drop_pieces(&s->txns, x);
		} else if (s->engine->retried != NULL) {
			s->engine->retried(s, m, x);
		}
		if ((m->flags & MSG_SETTLED) != 0 && x->holds == 0) {
			m->txn = 0;
			x->refs--;
			txn_put(&s->txns, x);
		}
	}
}

/* Who waits for it is told before the message goes. */
static void
tell_end(struct spooler *s, const struct journal_note *n)
{
	const struct msg *m = index_at(&s->index, n->a);
	struct txn *x = m->txn != 0 ? txn_at(&s->txns, m->txn) : NULL;
	struct event e;

	if (x != NULL && engine_answers_by(s, x)) {
		ec_assert(event_decode(slice_make(n->payload, n->length),
		    &e));
		s->engine->ended(s, x, &e);
	}
}

void
outcome_durable(struct spooler *s, const struct journal_note *n)
{
	unsigned deliverer = SPOOLER_DELIVERERS;
	uint64_t work = n->c;
	bool delivered;

	/* Read before the message goes. */
	ec_assert(n->ok);
	delivered = n->length > 1 && n->payload[1] == EVENT_DELIVERY;
	if (n->what != NOTE_DSN) {
		ec_assert(index_at(&s->index, n->a)->id == n->b);
	}
	if (work != 0) {
		/* The body is read no more; release before forgetting so that
		 * its memory goes in the same turn. */
		for (unsigned d = 0; d < SPOOLER_DELIVERERS; d++) {
			struct work *w = handout_find(s, d, work);

			if (w != NULL && !w->judged) {
				handout_release(s, w);
				deliverer = d;
				break;
			}
		}
	}
	if (n->what == NOTE_RETRY) {
		retry_durable(s, n);
	} else {
		spooler_score(s, n->what == NOTE_PASSED ? SCORE_S_TRANSIENT :
		    delivered ? SCORE_S_DELIVERED : SCORE_S_PERMANENT, 1);
		tell_end(s, n);
		outcome_forget(s, n->a, n->epoch);
	}
	if (work != 0 && deliverer < SPOOLER_DELIVERERS) {
		handout_ack(s, deliverer, work);
	} else if (work != 0) {
		handout_written(s, work);
	}
}
