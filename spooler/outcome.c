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
#include "spooler/spooler.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/wire.h"
#include "common/mail/date.h"
#include "common/mail/esc.h"
#include "spooler/dsn.h"
#include "spooler/retry.h"

#define EXPIRED_TIME "554 5.4.7 [internal] exceeded max time without delivery"
#define EXPIRED_RETRIES \
	"554 5.4.7 [internal] exceeded max retries without delivery"
#define RECORD_ROOM 4096u	/* of one outcome record, strings and all */
#define DSN_ROOM (192u << 10)	/* of one bounce, at most */

struct late_outcome {
	struct list_node link;
	uint8_t deliverer;
	uint32_t incarnation;
	size_t len;
	char bytes[];
};

struct result {		/* one recipient's, as said or as made up by us */
	uint32_t msg;		/* index slot, 0: not ours any more */
	uint8_t kind, stage;
	uint16_t code;
	struct slice reply;
	unsigned flags;		/* event flags */
};

struct outcome {
	uint64_t work;		/* 0: no work to acknowledge */
	uint8_t deliverer;
	uint64_t sent;
	uint8_t remote_ip[16];
	uint16_t remote_port;
	struct slice remote_name;
	struct buf texts;	/* replies that had to be escaped */
	unsigned n;
	struct result results[STAGE_RCPTS];
};

struct pending {	/* of one outcome being written */
	struct spooler *s;
	struct outcome *o;
	struct txn *txn;	/* of the failed recipients */
	struct dsn_recipient failed[STAGE_RCPTS];
	struct recipient rcpt[STAGE_RCPTS];
	unsigned n_failed;
	msgid original;
	unsigned left;		/* records still to come: the last one carries
				 * the acknowledgement */
};

static void
rule_of(struct spooler *s, const struct queue *q, struct retry_rule *r)
{
	const struct config *c = worker_config(s->w);
	struct config_where w = spooler_where(q);

	r->interval_us = config_us(c, &w, OPT_RETRY_INTERVAL);
	r->max_interval_us = config_us(c, &w, OPT_MAX_RETRY_INTERVAL);
	r->expiration_us = config_us(c, &w, OPT_MESSAGE_EXPIRATION);
	r->max_retries = config_int(c, &w, OPT_MAX_RETRIES);
	r->never = config_bool(c, &w, OPT_NEVER_RETRY);
}

bool
outcome_is_expired(struct spooler *s, const struct msg *m)
{
	uint64_t now = clock_wall_us(), got = (uint64_t)m->received_s * 1000000u;
	struct config_where w;

	/* Cheap first: hardly any message is so old. */
	if (now < got + 1000000u || (m->attempts == 0 && !config_bool(
	    worker_config(s->w), NULL, OPT_NEVER_ATTEMPT_EXPIRED_MESSAGES))) {
		return false;	/* tried once, however old */
	}
	w = spooler_where(queue_at(&s->queues, m->queue));
	return now - got >= config_us(worker_config(s->w), &w,
	    OPT_MESSAGE_EXPIRATION);
}

/* The event of a result; strings are borrowed from txn and queue. */
static void
event_of(struct spooler *s, const struct outcome *o, const struct result *r,
    const struct recipient *t, struct event *e)
{
	struct msg *m = index_at(&s->index, r->msg);
	struct queue *q = queue_at(&s->queues, m->queue);
	struct txn *x = txn_at(&s->txns, m->txn);

	*e = (struct event){ .kind = r->kind, .flags = (uint8_t)r->flags,
		.stage = r->stage, .protocol = x->protocol,
		.attempts = m->attempts, .code = r->code, .id = m->id,
		.batch_id = x->batch_id, .conn_id = x->conn_id,
		.time_us = clock_wall_us(), .received_us = x->received_us,
		.size = x->size, .sent = o->sent,
		.remote_port = o->remote_port, .sender = x->sender,
		.rcpt = t->addr, .domain = q->domain, .group = q->group,
		.binding = q->binding, .reply = r->reply };
	memcpy(e->remote_ip, o->remote_ip, sizeof e->remote_ip);
	if ((m->flags & MSG_DOUBT) != 0) {
		e->flags |= EVENT_POSSIBLE_DUPLICATE;
	}
}

static void
append_event(struct pending *p, enum journal_type type, const struct event *e,
    uint32_t what, uint32_t msg)
{
	struct journal_note note = { .what = what, .a = msg, .b = e->id };
	struct slice part;
	struct buf b;

	p->left--;
	if (p->left == 0) {
		note.c = p->o->work;
	}
	buf_init(&b, RECORD_ROOM);
	event_encode(e, &b);
	part = buf_slice(&b);
	/* Room was made sure of before. */
	ec_assert(!b.full && journal_append(p->s->journal, type, &part, 1, true,
	    &note) == JOURNAL_OK);
	buf_fini(&b);
}

/* This recipient's failure is to be told to the sender. */
static bool
wants_bounce(struct spooler *s, const struct queue *q, const struct txn *x,
    const struct recipient *t)
{
	struct config_where w = spooler_where(q);

	return x->sender.len > 0 && (x->flags & ENVELOPE_BOUNCE) == 0 &&
	    (t->notify == 0 || (t->notify & NOTIFY_FAILURE) != 0) &&
	    config_bool(worker_config(s->w), &w, OPT_GENERATE_BOUNCES);
}

static void
add_failed(struct pending *p, const struct event *e, const struct recipient *t)
{
	struct dsn_recipient *f = &p->failed[p->n_failed];

	p->rcpt[p->n_failed++] = *t;
	*f = (struct dsn_recipient){ .addr = t->addr, .orcpt = t->orcpt,
		.action = DSN_FAILED, .code = e->code, .reply = e->reply,
		.remote_name = p->o->remote_name,
		.last_attempt_us = e->time_us };
	if (p->original == MSGID_NONE) {
		p->original = e->id;
	}
}

static void
end_message(struct pending *p, const struct result *r,
    const struct recipient *t)
{
	struct spooler *s = p->s;
	struct msg *m = index_at(&s->index, r->msg);
	struct queue *q = queue_at(&s->queues, m->queue);
	struct event e;

	event_of(s, p->o, r, t, &e);
	if (r->kind == EVENT_PERMANENT) {
		if (wants_bounce(s, q, p->txn, t)) {
			e.flags |= EVENT_BOUNCED;
			add_failed(p, &e, t);
		} else if (p->txn->sender.len == 0) {
			e.flags |= EVENT_NO_BOUNCE;
			log_notice("message to %.*s failed and has the null "
			    "sender: dropped without a bounce",
			    SLICE_ARG(e.domain));
		}
	}
	append_event(p, JOURNAL_DONE, &e, NOTE_OUTCOME, r->msg);
}

static void
retry_message(struct pending *p, struct result *r, const struct recipient *t)
{
	struct spooler *s = p->s;
	struct msg *m = index_at(&s->index, r->msg);
	struct queue *q = queue_at(&s->queues, m->queue);
	struct result last = { .msg = r->msg, .kind = EVENT_PERMANENT,
		.stage = r->stage, .code = 554, .flags = EVENT_EXPIRED };
	struct retry_rule rule;
	struct event e;
	uint64_t delay;

	rule_of(s, q, &rule);
	event_of(s, p->o, r, t, &e);
	switch (retry_after(&rule, m->attempts + 1u,
	    (uint64_t)m->received_s * 1000000u, e.time_us, &delay)) {
	case RETRY_LATER:
		e.next_us = e.time_us + delay;
		append_event(p, JOURNAL_RETRY, &e, NOTE_RETRY, r->msg);
		return;
	case RETRY_EXPIRED:
		last.reply = slice_of(EXPIRED_TIME);
		break;
	case RETRY_TOO_MANY:
		last.reply = slice_of(EXPIRED_RETRIES);
		break;
	case RETRY_NEVER:
		last.reply = r->reply;
		last.code = r->code;
		last.flags = 0;
		break;
	}
	/* The attempt is logged as what it was, then the end. */
	p->left++;
	append_event(p, JOURNAL_RETRY, &e, 0, r->msg);
	end_message(p, &last, t);
}

/* The original's header for the bounce, as far as it is in memory. */
static size_t
original_parts(struct spooler *s, const struct txn *x, struct slice *parts)
{
	for (unsigned i = 0; i < x->n_pieces; i++) {
		parts[i] = slice_make(slabs_at(&s->slabs, x->pieces[i]),
		    x->pieces[i].length);
	}
	return x->n_pieces;
}

/* Our own mail: into our own arena, then into the same batch. */
static bool
store_own(struct spooler *s, const struct envelope *env, struct slice body)
{
	struct journal_note note = { .what = NOTE_DSN };
	struct piece pieces[TXN_MAX_PIECES];
	struct slice parts[3];
	uint32_t env_len, none = 0;
	unsigned n = 0;
	struct txn *x;
	struct buf b;

	buf_init(&b, ENVELOPE_MAX_BYTES);
	envelope_encode(env, &b);
	ec_assert(!b.full);
	env_len = (uint32_t)b.len;
	parts[0] = slice_make(&env_len, sizeof env_len);
	parts[1] = buf_slice(&b);
	parts[2] = body;
	x = txn_create(&s->txns, env, buf_slice(&b), body.len);
	for (size_t at = 0; at < body.len && n < TXN_MAX_PIECES; n++) {
		struct extent e;
		size_t k;

		if (!arena_take(s->slabs.own, body.len - at, &none, &e)) {
			break;
		}
		k = EC_MIN((size_t)e.length, body.len - at);
		memcpy(arena_at(s->slabs.own, e), body.ptr + at, k);
		at += k;
		pieces[n] = (struct piece){ slabs_find(&s->slabs, ROLE_SPOOLER,
		    0, s->slabs.own_incarnation, e.slab), e.offset,
		    (uint32_t)k };
		slabs_hold(&s->slabs, pieces[n]);
		if (at == body.len) {
			txn_set_pieces(x, pieces, n + 1);
		}
	}
	if (x->n_pieces == 0) {
		/* No memory: the journal has it, a reader brings it. */
		while (n-- > 0) {
			slabs_release(&s->slabs, pieces[n]);
		}
	}
	note.a = x->slot;
	ec_assert(journal_append(s->journal, JOURNAL_MESSAGE, parts, 3, true,
	    &note) == JOURNAL_OK);
	buf_fini(&b);
	return true;
}

static void
bounce(struct pending *p)
{
	struct spooler *s = p->s;
	struct txn *x = p->txn;
	struct slice parts[TXN_MAX_PIECES];
	struct recipient to = { .id = spooler_new_id(s), .addr = x->sender };
	struct envelope env = { .batch_id = spooler_new_id(s),
		.conn_id = MSGID_NONE, .received_us = clock_wall_us(),
		.protocol = ENVELOPE_INTERNAL, .flags = ENVELOPE_BOUNCE,
		.n_rcpt = 1, .rcpt = &to };
	struct dsn_request r = { .reporting_mta = s->set.hostname,
		.mailer_daemon = s->set.mailer_daemon, .sender = x->sender,
		.envid = x->envid, .id = to.id, .original_id = p->original,
		.arrival_us = x->received_us, .now_us = env.received_us,
		.offset_minutes = date_local_offset(env.received_us),
		.rcpt = p->failed, .n_rcpt = p->n_failed,
		.original = (enum dsn_inline)config_int(worker_config(s->w),
		    NULL, OPT_BOUNCES_INLINE_ORIGINAL),
		.message = parts, .message_size = x->size };
	struct dsn_info info;
	struct buf b;

	if (p->n_failed == 0) {
		return;
	}
	r.n_message = original_parts(s, x, parts);
	buf_init(&b, DSN_ROOM - (16u << 10));
	if (to.id == MSGID_NONE || env.batch_id == MSGID_NONE ||
	    dsn_build(&r, &b, &info) != DSN_OK) {
		log_error("no bounce could be made for %u recipients",
		    p->n_failed);
	} else {
		env.flags |= info.is_8bit ?
		    ENVELOPE_8BITMIME | ENVELOPE_8BIT_DATA : 0;
		env.flags |= info.is_utf8 ? ENVELOPE_SMTPUTF8 : 0;
		store_own(s, &env, buf_slice(&b));
		spooler_score(s, SCORE_S_BOUNCES, 1);
	}
	buf_fini(&b);
}

static enum journal_room
room_for(struct spooler *s, unsigned n)
{
	return journal_fits(s->journal, (uint64_t)n * 2 * RECORD_ROOM +
	    DSN_ROOM, n * 2 + 1, true);
}

/* Writes all records of an outcome; false if there is no room now. */
static bool
write_outcome(struct spooler *s, struct outcome *o)
{
	struct pending p = { .s = s, .o = o };

	if (room_for(s, o->n) != JOURNAL_OK) {
		return false;
	}
	for (unsigned i = 0; i < o->n; i++) {
		p.left += o->results[i].msg != 0;
	}
	if (p.left == 0 && o->work != 0) {
		/* All of it is known already: it was sent again. */
		handout_ack(s, o->deliverer, o->work);
		return true;
	}
	for (unsigned i = 0; i < o->n; i++) {
		struct result *r = &o->results[i];
		struct recipient t;
		struct msg *m;

		if (r->msg == 0) {
			continue;
		}
		m = index_at(&s->index, r->msg);
		p.txn = txn_at(&s->txns, m->txn);
		ec_assert(txn_recipient(p.txn, m->rcpt_at, &t));
		queue_flight(&s->queues, r->msg, MSG_ENDING);
		if (r->kind == EVENT_TRANSIENT) {
			retry_message(&p, r, &t);
		} else {
			end_message(&p, r, &t);
		}
	}
	bounce(&p);
	return true;
}

/* The message of a result, if it is in flight with this work. */
static uint32_t
find_msg(struct spooler *s, struct work *w, msgid id)
{
	for (unsigned i = 0; w != NULL && i < w->n; i++) {
		uint32_t slot = w->msgs[i];

		if (slot != 0 && index_at(&s->index, slot)->id == id &&
		    index_at(&s->index, slot)->state == MSG_FLIGHT) {
			w->msgs[i] = 0;
			return slot;
		}
	}
	return 0;
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

		*t = (struct result){ .kind = wire_u8(&r),
			.stage = wire_u8(&r), .code = wire_u16(&r),
			.reply = wire_slice(&r) };
		t->reply = clean_reply(o, t->reply);
		if (r.bad || (t->kind != EVENT_DELIVERY &&
		    t->kind != EVENT_TRANSIENT &&
		    t->kind != EVENT_PERMANENT)) {
			return false;
		}
		t->msg = find_msg(s, w, id);
	}
	return true;
}

/* A held message that was settled has no envelope in memory: bring one in that
 * says what an outcome's record needs. */
static bool
envelopes_there(struct spooler *s, struct slice bytes, unsigned deliverer)
{
	struct wire_r r = wire_reader(bytes);
	struct work *w = handout_find(s, deliverer, wire_u64(&r));
	bool all = true;

	for (unsigned i = 0; w != NULL && w->ids != NULL && i < w->n; i++) {
		uint32_t slot = index_find(&s->index, w->ids[i]);

		w->msgs[i] = slot;
		if (slot != 0 && index_at(&s->index, slot)->txn == 0) {
			loader_start(s, NULL, slot);
			all = false;
		}
	}
	return all;
}

/* How many results an OUTCOME says it has; more than allowed is found when it
 * is read. */
static unsigned
results_in(struct slice bytes)
{
	struct wire_r r = wire_reader(slice_skip(bytes, 8 + 8 + 16 + 2));

	unsigned n;

	wire_slice(&r);
	n = wire_u16(&r);
	return EC_MIN(n, STAGE_RCPTS);
}

static bool
try_outcome(struct spooler *s, struct ipc_link *k, unsigned deliverer,
    struct slice bytes)
{
	struct outcome o;

	if (!replay_is_over(s) || !envelopes_there(s, bytes, deliverer) ||
	    room_for(s, results_in(bytes)) != JOURNAL_OK) {
		return false;
	}
	if (!read_outcome(s, deliverer, bytes, &o)) {
		ipc_bad(k, "malformed OUTCOME");
	} else {
		ec_assert(write_outcome(s, &o));
	}
	buf_fini(&o.texts);
	return true;
}

void
outcome_message(struct spooler *s, struct ipc_link *k, struct ipc_msg *m)
{
	struct late_outcome *l;

	if (list_is_empty(&s->late_outcomes) &&
	    try_outcome(s, k, k->peer_index, m->body)) {
		return;
	}
	l = xmalloc(sizeof *l + m->body.len);
	l->deliverer = k->peer_index;
	l->incarnation = k->incarnation;
	l->len = m->body.len;
	memcpy(l->bytes, m->body.ptr, m->body.len);
	list_push_back(&s->late_outcomes, &l->link);
}

void
outcome_retry_late(struct spooler *s)
{
	list_each(n, tmp, &s->late_outcomes) {
		struct late_outcome *l = list_entry(n, struct late_outcome,
		    link);
		struct deliverer_peer *p = &s->deliverers[l->deliverer];

		/* One that died: its works were settled by their stage. */
		if (p->incarnation == l->incarnation && p->link != NULL &&
		    !try_outcome(s, p->link, l->deliverer,
		    slice_make(l->bytes, l->len))) {
			return;
		}
		list_remove(n);
		free(l);
	}
}

/* A result of our own making for one message in no list. */
static bool
make_up(struct spooler *s, uint32_t msg, uint8_t kind, const char *reply,
    unsigned flags, const uint8_t *remote_ip)
{
	struct outcome o = { .n = 1 };

	o.results[0] = (struct result){ .msg = msg, .kind = kind,
		.stage = remote_ip != NULL ? STAGE_CONFIRMATION :
		STAGE_NOT_CONNECTED, .code = 554,
		.reply = slice_of(reply), .flags = flags };
	if (remote_ip != NULL) {
		memcpy(o.remote_ip, remote_ip, sizeof o.remote_ip);
		o.results[0].code = 250;
	}
	return write_outcome(s, &o);
}

void
outcome_end(struct spooler *s, uint32_t slot)
{
	struct msg *m = index_at(&s->index, slot);
	struct txn *x = handout_txn(s, m);

	m->flags |= MSG_END;
	if (x != NULL && txn_is_resident(x) && make_up(s, slot,
	    EVENT_PERMANENT, EXPIRED_TIME, EVENT_EXPIRED, NULL)) {
		return;
	}
	/* Its header belongs into the bounce: bring it, then here again. */
	if (x != NULL && txn_is_resident(x)) {
		queue_delay(&s->queues, slot, spooler_now(s), 1000000u);
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

	if ((m->flags & MSG_END) != 0 || outcome_is_expired(s, m)) {
		outcome_end(s, slot);
		return;
	}
	queue_push(&s->queues, slot, false);
	handout_wake(s, queue_at(&s->queues, m->queue));
}

/* Marked durably, so that also after our own crash the log will say it. */
static void
set_doubt(struct spooler *s, uint32_t slot)
{
	struct msg *m = index_at(&s->index, slot);
	struct journal_note note = { .what = NOTE_STATE, .a = slot,
		.b = m->id };
	struct slice part;
	struct buf b;

	m->flags |= MSG_DOUBT;
	spooler_score(s, SCORE_S_POSSIBLE_DUPLICATES, 1);
	buf_init(&b, 64);
	wire_put_u64(&b, m->id);
	wire_put_u16(&b, m->attempts);
	wire_put_u16(&b, MSG_DOUBT);
	wire_put_u32(&b, 0);
	wire_put_u64(&b, m->next_us);
	part = buf_slice(&b);
	journal_append(s->journal, JOURNAL_STATE, &part, 1, true, &note);
	buf_fini(&b);
}

void
outcome_orphan(struct spooler *s, struct work *w)
{
	const struct stage_slot *t =
	    &worker_stages(s->w)->slot[w->deliverer][w->slot];
	enum stage_point point = stage_get(t, w->number);

	for (unsigned i = 0; i < w->n; i++) {
		uint32_t slot = w->msgs[i];
		struct msg *m;

		if (slot == 0 ||
		    index_at(&s->index, slot)->state != MSG_FLIGHT) {
			continue;
		}
		m = index_at(&s->index, slot);
		w->msgs[i] = 0;
		queue_landed(&s->queues, slot);
		if (point == STAGE_ACCEPTED && m->txn != 0 &&
		    (t->accepted[i / 8] >> (i % 8) & 1) != 0 &&
		    make_up(s, slot, EVENT_DELIVERY, "", 0, t->remote_ip)) {
			continue;
		}
		if (point == STAGE_DOT &&
		    (t->accepted[i / 8] >> (i % 8) & 1) != 0) {
			set_doubt(s, slot);
		}
		queue_push(&s->queues, slot, true);
	}
}

void
outcome_forget(struct spooler *s, uint32_t slot, uint32_t done_epoch)
{
	struct msg *m = index_at(&s->index, slot);
	struct txn *x = m->txn != 0 ? txn_at(&s->txns, m->txn) : NULL;
	msgid id = m->id;

	queue_landed(&s->queues, slot);
	if ((m->flags & MSG_SETTLED) != 0) {
		if (m->state_epoch != 0) {
			journal_unpin(s->journal, m->state_epoch, PIN_STATE);
		}
		settle_remove(s, id, done_epoch);
	}
	if (x != NULL) {
		if ((m->flags & MSG_SETTLED) == 0 && --x->unsettled == 0) {
			journal_unpin(s->journal, x->epoch, PIN_RECORD);
			x->epoch = 0;
		}
		x->refs--;
		m->txn = 0;
		txn_put(&s->txns, x);
	}
	if ((m->flags & MSG_SETTLING) != 0) {
		/* The settler ends it: its files must go first. */
		m->flags |= MSG_GONE;
		m->state_epoch = done_epoch;
		journal_pin(s->journal, done_epoch, PIN_RECORD);
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
	if ((m->flags & MSG_SETTLED) != 0) {
		journal_pin(s->journal, n->epoch, PIN_STATE);
		if (m->state_epoch != 0) {
			journal_unpin(s->journal, m->state_epoch, PIN_STATE);
		}
		m->state_epoch = n->epoch;
	}
	queue_landed(&s->queues, n->a);
	queue_delay(&s->queues, n->a, spooler_now(s),
	    e.next_us > now ? e.next_us - now : 0);
	spooler_score(s, SCORE_S_TRANSIENT, 1);
	if (m->txn != 0) {
		struct txn *x = txn_at(&s->txns, m->txn);

		/* Not wanted for a while; the disk has it. */
		txn_drop_pieces(&s->txns, x);
		if ((m->flags & MSG_SETTLED) != 0 && x->holds == 0) {
			m->txn = 0;
			x->refs--;
			txn_put(&s->txns, x);
		}
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
	if (n->what == NOTE_RETRY || n->what == NOTE_OUTCOME) {
		ec_assert(index_at(&s->index, n->a)->id == n->b);
	}
	if (work != 0) {
		/* The body is read no more; release before forgetting so that
		 * its memory goes in the same turn. */
		for (unsigned d = 0; d < SPOOLER_DELIVERERS; d++) {
			struct work *w = handout_find(s, d, work);

			if (w != NULL) {
				handout_release(s, w);
				deliverer = d;
				break;
			}
		}
	}
	if (n->what == NOTE_RETRY) {
		retry_durable(s, n);
	} else if (n->what == NOTE_OUTCOME) {
		spooler_score(s, delivered ? SCORE_S_DELIVERED :
		    SCORE_S_PERMANENT, 1);
		outcome_forget(s, n->a, n->epoch);
	}
	if (work != 0 && deliverer < SPOOLER_DELIVERERS) {
		handout_ack(s, deliverer, work);
	}
}
