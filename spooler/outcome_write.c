/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records of outcomes, and bounces: all of one outcome in one batch, so that a
 * failure is never durable without its bounce.
 */
#include "spooler/outcome.h"

#include "spooler/engine.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/wire.h"
#include "common/mail/date.h"
#include "common/mail/esc.h"
#include "spooler/dsn.h"
#include "spooler/retry.h"

#define RECORD_ROOM 4096u	/* of one outcome record, strings and all */
#define ORIGINAL_HEAD 65536u	/* read of a body in a file */
#define DSN_ROOM (192u << 10)	/* of one bounce, at most */

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
	if (!txn_is_on_disk(x)) {
		e->flags |= EVENT_UNSPOOLED;
	}
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
	if (type == JOURNAL_RETRY) {
		/* A deliverer that asks again after our restart is answered
		 * by it. */
		wire_put_u64(&b, p->o->work);
	}
	part = buf_slice(&b);
	if (b.full || journal_append(p->s->journal, type, &part, 1, true,
	    &note) != JOURNAL_OK) {
		panic("room for a record was made sure of before");
	}
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
	if (r->kind == EVENT_PERMANENT && !engine_answers_by(s, p->txn)) {
		if ((e.flags & EVENT_QUARANTINED) == 0 &&
		    wants_bounce(s, q, p->txn, t)) {
			e.flags |= EVENT_BOUNCED;
			add_failed(p, &e, t);
		} else if (p->txn->sender.len == 0 &&
		    (e.flags & EVENT_QUARANTINED) == 0) {
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

	event_of(s, p->o, r, t, &e);
	if (engine_answers_by(s, p->txn)) {
		append_event(p, JOURNAL_RETRY, &e, NOTE_PASSED, r->msg);
		return;
	}
	rule_of(s, q, &rule);
	switch (retry_after(&rule, m->attempts + 1u,
	    (uint64_t)m->received_s * 1000000u, e.time_us, &delay)) {
	case RETRY_LATER:
		e.next_us = e.time_us + delay;
		append_event(p, JOURNAL_RETRY, &e, NOTE_RETRY, r->msg);
		return;
	case RETRY_EXPIRED:
		last.reply = slice_of(OUTCOME_EXPIRED_TIME);
		break;
	case RETRY_TOO_MANY:
		last.reply = slice_of(OUTCOME_EXPIRED_RETRIES);
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
original_parts(struct spooler *s, const struct txn *x, struct slice *parts,
    char **head_out)
{
	*head_out = NULL;
	if (x->n_pieces == 0 && x->fd >= 0) {
		ssize_t n;

		/* Of a body in a file the beginning: as much as is quoted. */
		*head_out = xmalloc(ORIGINAL_HEAD);
		n = fs_read_full(s->fs, x->fd, *head_out, ORIGINAL_HEAD, 0);
		parts[0] = slice_make(*head_out, n > 0 ? (size_t)n : 0);
		return n > 0 ? 1 : 0;
	}
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

/* Many recipients with long replies: less is said of each rather than nothing
 * of all. */
static bool
build(struct pending *p, struct dsn_request *r, struct buf *b,
    struct dsn_info *info)
{
	enum dsn_result got = dsn_build(r, b, info);

	if (got == DSN_TOO_LARGE) {
		r->original = DSN_INLINE_NONE;
		got = dsn_build(r, b, info);
	}
	for (size_t max = 256; got == DSN_TOO_LARGE && max > 0; max /= 4) {
		for (unsigned i = 0; i < p->n_failed; i++) {
			p->failed[i].reply = esc_cut(p->failed[i].reply, max);
		}
		got = dsn_build(r, b, info);
	}
	while (got == DSN_TOO_LARGE && r->n_rcpt > 1) {
		r->n_rcpt /= 2;
		got = dsn_build(r, b, info);
	}
	return got == DSN_OK;
}

static void
bounce(struct pending *p)
{
	struct spooler *s = p->s;
	struct txn *x = p->txn;
	struct slice parts[TXN_MAX_PIECES];
	struct recipient to = { .id = s->own_ids[0], .addr = x->sender };
	struct envelope env = { .batch_id = s->own_ids[1],
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
	char *head;
	struct buf b;

	if (p->n_failed == 0) {
		return;
	}
	r.n_message = original_parts(s, x, parts, &head);
	buf_init(&b, DSN_ROOM - (16u << 10));
	if (!build(p, &r, &b, &info)) {
		log_error("no bounce could be made for %u recipients",
		    p->n_failed);
	} else {
		memset(s->own_ids, 0, sizeof s->own_ids);
		env.flags |= info.is_8bit ?
		    ENVELOPE_8BITMIME | ENVELOPE_8BIT_DATA : 0;
		env.flags |= info.is_utf8 ? ENVELOPE_SMTPUTF8 : 0;
		store_own(s, &env, buf_slice(&b));
		spooler_score(s, SCORE_S_BOUNCES, 1);
	}
	free(head);
	buf_fini(&b);
}

uint64_t
outcome_longest_wait(struct spooler *s, const struct msg *m)
{
	struct retry_rule r;

	rule_of(s, queue_at(&s->queues, m->queue), &r);
	return EC_MAX(r.interval_us, r.max_interval_us);
}

bool
outcome_has_room(struct spooler *s, const struct outcome *o)
{
	bool failures = false;

	for (unsigned i = 0; i < o->n; i++) {
		failures = failures || o->results[i].kind != EVENT_DELIVERY;
	}
	/* Ids before anything else: a disk that refuses a lease must not cost
	 * a bounce.  What this outcome does not need the next one uses. */
	for (unsigned i = 0; failures && i < ARRAY_LEN(s->own_ids); i++) {
		if (s->own_ids[i] == MSGID_NONE) {
			s->own_ids[i] = spooler_new_id(s);
		}
		if (s->own_ids[i] == MSGID_NONE) {
			return false;
		}
	}
	return journal_fits(s->journal, (uint64_t)o->n * 2 * RECORD_ROOM +
	    (failures ? DSN_ROOM : 0), o->n * 2 + 1, true) == JOURNAL_OK;
}

void
outcome_write(struct spooler *s, struct outcome *o)
{
	struct pending p = { .s = s, .o = o };

	for (unsigned i = 0; i < o->n; i++) {
		p.left += o->results[i].msg != 0;
	}
	if (p.left == 0 && o->work != 0) {
		/* All of it is known already: it was sent again. */
		handout_ack(s, o->deliverer, o->work);
		return;
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
}

