/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listeners' mail on its way into the journal.
 *
 *	STORE -> checked, held -> appended -> durable -> admitted, STORED(ok)
 *	               |              '-> batch failed -> STORED(failed)
 *	               '-> no room now: waits here (credits bound how many)
 *
 * A STORE that is sent again after our restart is answered from what replay
 * found; a new one never waits for replay.
 */
#include "spooler/engine.h"
#include "spooler/intake.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/wire.h"

#define ADDRESS_BYTES_MAX 512u

static void
answer_as(struct spooler *s, unsigned listener, uint32_t incarnation,
    uint64_t seq, enum store_result result, unsigned code, struct slice text)
{
	struct listener_peer *p = &s->listeners[listener];
	struct buf *b;

	/* Who sent it may be dead: then its client has seen no answer. */
	if (p->link == NULL || p->incarnation != incarnation) {
		return;
	}
	p->unanswered -= p->unanswered > 0;
	b = ipc_begin(p->link, IPC_STORED);
	wire_put_u64(b, seq);
	wire_put_u8(b, (uint8_t)result);
	if (result == STORED_REMOTE) {
		wire_put_u16(b, (uint16_t)code);
		wire_put_slice(b, text);
	}
	ipc_end(p->link);
}

static void
answer(struct spooler *s, unsigned listener, uint32_t incarnation, uint64_t seq,
    enum store_result result)
{
	answer_as(s, listener, incarnation, seq, result, 0, SLICE(""));
}

void
intake_answer(struct spooler *s, const struct journal_note *n,
    enum store_result result)
{
	answer(s, (unsigned)(n->c >> 32), (uint32_t)n->c, n->b, result);
}

void
intake_answer_as(struct spooler *s, const struct journal_note *n,
    const struct event *e)
{
	unsigned hundreds = e->kind == EVENT_DELIVERY ? 2 :
	    e->kind == EVENT_PERMANENT ? 5 : 4;
	unsigned code = e->code / 100 == hundreds && e->code != 421 ? e->code :
	    hundreds == 2 ? 250 : hundreds == 5 ? 554 : 451;

	answer_as(s, (unsigned)(n->c >> 32), (uint32_t)n->c, n->b,
	    STORED_REMOTE, code, e->reply);
}

/* Reads the extents of a STORE into held pieces; the count or -1. */
static int
take_pieces(struct spooler *s, const struct listener_peer *p, unsigned index,
    struct wire_r *r, struct piece *pieces, uint64_t *size_out)
{
	unsigned n = wire_u8(r);

	*size_out = 0;
	for (unsigned i = 0; i < n; i++) {
		uint32_t slab = wire_u32(r);
		struct piece x = { 0 };

		x.offset = wire_u32(r);
		x.length = wire_u32(r);
		x.handle = slabs_find(&s->slabs, ROLE_LISTENER, index,
		    p->incarnation, slab);
		if (r->bad || x.length == 0 ||
		    slabs_at(&s->slabs, x) == NULL) {
			return -1;
		}
		pieces[i] = x;
		*size_out += x.length;
	}
	return r->bad ? -1 : (int)n;
}

/* Its body is in a file: the record names it by the batch. */
static enum journal_room
append_large(struct spooler *s, struct txn *x, const struct journal_note *note)
{
	uint32_t env_len = x->env_len;
	struct slice parts[3] = { slice_make(&x->size, sizeof x->size),
		slice_make(&env_len, sizeof env_len),
		slice_make(x->env, x->env_len) };

	return journal_append(s->journal, JOURNAL_LARGE, parts, 3, false,
	    note);
}

enum journal_room
intake_append(struct spooler *s, const struct txn *x, bool important,
    const struct journal_note *note)
{
	struct slice parts[TXN_MAX_PIECES + 2];
	uint32_t env_len = x->env_len;
	int n = 0;

	parts[n++] = slice_make(&env_len, sizeof env_len);
	parts[n++] = slice_make(x->env, x->env_len);
	for (unsigned i = 0; i < x->n_pieces; i++) {
		parts[n++] = slice_make(slabs_at(&s->slabs, x->pieces[i]),
		    x->pieces[i].length);
	}
	return journal_append(s->journal, JOURNAL_MESSAGE, parts, n, important,
	    note);
}

void
intake_say_received(struct spooler *s, const struct txn *x, uint32_t flags)
{
	struct journal_note none = { .what = 0 };
	uint32_t env_len = x->env_len;
	struct slice parts[] = { slice_make(&env_len, sizeof env_len),
		slice_make(x->env, x->env_len),
		slice_make(&x->size, sizeof x->size),
		slice_make(&flags, sizeof flags) };

	ec_assert(journal_append(s->journal, JOURNAL_RECEIVED, parts,
	    (int)ARRAY_LEN(parts), true, &none) == JOURNAL_OK);
}

void
intake_refuse(struct spooler *s, const struct late_store *l,
    enum store_result result)
{
	answer(s, l->listener, l->incarnation, l->seq, result);
	txn_put(&s->txns, txn_at(&s->txns, l->txn));
}

/* A deliverer may have had it from the spooler before us and read its extents
 * still: those go back with that work, the others now. */
static void
drop_answered(struct spooler *s, struct txn *x)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < x->n_pieces; i++) {
		if (held_reads(s, x->pieces[i])) {
			slabs_unhold(&s->slabs, x->pieces[i]);
		} else {
			x->pieces[kept++] = x->pieces[i];
		}
	}
	x->n_pieces = (uint16_t)kept;
	txn_put(&s->txns, x);
}

/* Which those are is known when KEEP has been said. */
static void
keep_answered(struct spooler *s, const struct late_store *l)
{
	const struct listener_peer *p = &s->listeners[l->listener];
	struct late_store *kept;

	if (p->kept || p->incarnation != l->incarnation) {
		drop_answered(s, txn_at(&s->txns, l->txn));
		return;
	}
	kept = xmalloc(sizeof *kept);
	*kept = *l;
	list_push_back(&s->answered, &kept->link);
}

/* While settling makes room a sender waits for its reply rather than for its
 * own next try. */
static bool
waits_for_room(struct spooler *s, const struct late_store *l)
{
	static struct log_rate rate;	/* one per place, as log_limited asks */

	if (!settle_makes_room(s) ||
	    spooler_now(s) - l->came_us >= s->set.room_wait_us) {
		return false;
	}
	log_limited(&rate, EC_WARNING, "the journal is full: senders wait for "
	    "their 250 while mail settles (more Journal_Size lasts longer)");
	return true;
}

/* True if it need not wait any longer. */
static bool
try_store(struct spooler *s, struct late_store *l)
{
	const struct listener_peer *p = &s->listeners[l->listener];
	struct txn *x = txn_at(&s->txns, l->txn);
	struct journal_note note = { .what = NOTE_STORE, .a = l->txn,
		.b = l->seq, .c = (uint64_t)l->listener << 32 |
		l->incarnation };

	if (l->resent) {
		if (!replay_is_read(s)) {
			return false;
		}
		if (s->engine->by_remote || replay_has_batch(s, x->batch_id)) {
			answer(s, l->listener, l->incarnation, l->seq,
			    s->engine->by_remote ? STORED_FAILED : STORED_OK);
			keep_answered(s, l);
			return true;
		}
	}
	if (p->incarnation != l->incarnation || p->dead) {
		/* Its client got no 250, and will send it again. */
		intake_refuse(s, l, STORED_FAILED);
		return true;
	}
	if (l->large && !x->large) {
		/* The spooler before us had its body, and is gone with it. */
		intake_refuse(s, l, STORED_FAILED);
		return true;
	}
	if (x->large && s->engine->by_remote) {
		/* The next host cannot be asked before all of it is here. */
		intake_refuse(s, l, STORED_TOO_BIG);
		return true;
	}
	switch (x->large ? append_large(s, x, &note) :
	    s->engine->accept(s, x, &note, l->resent)) {
	case JOURNAL_OK:
		return true;
	case JOURNAL_BUSY:
		return false;
	case JOURNAL_FULL:
		if (waits_for_room(s, l)) {
			return false;
		}
		intake_refuse(s, l, STORED_FULL);
		return true;
	}
	return true;
}

/* Records of what becomes of it have room for these. */
static bool
addresses_are_sane(const struct envelope *e)
{
	bool sane = e->sender.len <= ADDRESS_BYTES_MAX;

	for (uint32_t i = 0; i < e->n_rcpt; i++) {
		sane = sane && e->rcpt[i].addr.len <= ADDRESS_BYTES_MAX;
	}
	return sane;
}

void
intake_try(struct spooler *s, const struct late_store *l)
{
	struct late_store *waits = xmalloc(sizeof *waits);

	*waits = *l;
	waits->came_us = spooler_now(s);
	/* Behind those that wait, or a stream of small ones starves a big
	 * one. */
	if ((l->resent || list_is_empty(&s->late_stores)) &&
	    try_store(s, waits)) {
		free(waits);
		return;
	}
	list_push_back(&s->late_stores, &waits->link);
}

/* The envelope of a STORE of either kind; NULL: malformed. */
static struct txn *
read_envelope(struct spooler *s, struct slice encoded, uint64_t size)
{
	struct scratch scratch;
	struct envelope env;
	struct txn *x = NULL;

	scratch_init(&scratch, 1 << 20);
	if (encoded.len <= ENVELOPE_MAX_BYTES &&
	    envelope_decode(encoded, &scratch, &env) &&
	    addresses_are_sane(&env) &&
	    (env.n_rcpt == 1 || !s->engine->by_remote)) {
		x = txn_create(&s->txns, &env, encoded, size);
	}
	scratch_fini(&scratch);
	return x;
}

static void
on_store_large(struct spooler *s, struct ipc_link *k, struct ipc_msg *m)
{
	struct listener_peer *p = &s->listeners[k->peer_index];
	struct wire_r r = wire_reader(m->body);
	struct late_store l = { .listener = k->peer_index,
		.incarnation = p->incarnation, .large = true };
	uint64_t size;
	struct txn *x;

	if (p->unanswered >= STORE_WINDOW) {
		ipc_bad(k, "STORE beyond its credit of %u", STORE_WINDOW);
		return;
	}
	l.seq = wire_u64(&r);
	l.resent = wire_u8(&r) != 0;
	size = wire_u64(&r);
	x = !p->said_hello || r.bad || size == 0 ? NULL : read_envelope(s,
	    slice_make(r.p, wire_left(&r)), size);
	if (x == NULL) {
		ipc_bad(k, "malformed STORE_LARGE");
		return;
	}
	p->unanswered++;
	l.txn = x->slot;
	if (!large_store(s, &l)) {
		intake_try(s, &l);
	}
}

static void
on_store(struct spooler *s, struct ipc_link *k, struct ipc_msg *m)
{
	struct listener_peer *p = &s->listeners[k->peer_index];
	struct wire_r r = wire_reader(m->body);
	struct piece pieces[TXN_MAX_PIECES];
	struct late_store l = { .listener = k->peer_index,
		.incarnation = p->incarnation };
	struct slice encoded;
	struct txn *x;
	uint64_t size;
	int n;

	if (p->unanswered >= STORE_WINDOW) {
		/* What it was told last may not have reached it yet: it is
		 * held to the largest window there is. */
		ipc_bad(k, "STORE beyond its credit of %u", STORE_WINDOW);
		return;
	}
	l.seq = wire_u64(&r);
	l.resent = wire_u8(&r) != 0;
	n = take_pieces(s, p, k->peer_index, &r, pieces, &size);
	encoded = slice_make(r.p, wire_left(&r));
	x = !p->said_hello || r.bad || n < 0 ? NULL :
	    read_envelope(s, encoded, size);
	if (x == NULL) {
		ipc_bad(k, "malformed STORE");
		return;
	}
	p->unanswered++;
	for (int i = 0; i < n; i++) {
		slabs_hold(&s->slabs, pieces[i]);
	}
	txn_set_pieces(x, pieces, (unsigned)n);
	l.txn = x->slot;
	if (size + encoded.len + 64 > journal_payload_max(s->journal)) {
		intake_refuse(s, &l, STORED_TOO_BIG);
		return;
	}
	intake_try(s, &l);
}

void
intake_retry(struct spooler *s)
{
	list_each(n, tmp, &s->late_stores) {
		struct late_store *l = list_entry(n, struct late_store, link);

		if (try_store(s, l)) {
			list_remove(n);
			free(l);
		} else if (!l->resent) {
			break;
		}
	}
}

void
txn_in_journal(struct spooler *s, struct txn *x, uint32_t epoch,
    uint64_t payload_at)
{
	x->epoch = epoch;
	x->body_at = payload_at + sizeof(uint32_t) + x->env_len;
	journal_pin(s->journal, epoch);
}

void
txn_left_journal(struct spooler *s, struct txn *x)
{
	uint32_t epoch = x->epoch;

	/* First, as its segment's end makes room, which may begin a round. */
	x->epoch = 0;
	list_remove(&x->settle);
	journal_unpin(s->journal, epoch);
}

void
intake_admit(struct spooler *s, struct txn *x, uint64_t lsn)
{
	struct scratch scratch;
	struct envelope env;

	(void)lsn;
	scratch_init(&scratch, 1 << 20);
	ec_assert(envelope_decode(slice_make(x->env, x->env_len), &scratch,
	    &env));
	for (uint32_t i = 0; i < env.n_rcpt; i++) {
		struct recipient *t = &env.rcpt[i];
		struct queue *q = spooler_queue(s, env.group, env.binding,
		    spooler_domain(t->addr));
		uint32_t slot = index_add(&s->index, t->id);
		struct msg *m;

		if (slot == 0) {
			log_critical("message not queued: its id is taken; it "
			    "stays in the journal");
			if (x->epoch != 0) {
				journal_pin(s->journal, x->epoch);
			}
			continue;
		}
		m = index_at(&s->index, slot);
		m->txn = x->slot;
		m->rcpt_at = (uint32_t)(t->addr.ptr - x->env) - 11u;
		m->received_s = (uint32_t)(x->received_us / 1000000u);
		x->refs++;
		x->unsettled += x->epoch != 0;
		if (x->epoch != 0 && list_is_empty(&x->settle)) {
			x->settle_us = spooler_now(s);
			list_push_back(&s->settle_order, &x->settle);
		}
		if (q == NULL) {
			s->unqueued = true;	/* intake_second() tries again */
			continue;
		}
		m->queue = q->number;
		held_place(s, slot);
	}
	scratch_fini(&scratch);
}

/* Mail that found all queue numbers taken: some are given back by and by. */
static void
queue_again(struct spooler *s)
{
	static struct log_rate rate;

	log_limited(&rate, EC_CRITICAL, "more than %u queues: mail for more "
	    "domains waits until some are empty", BUDGET_ROWS - 1);
	s->unqueued = false;
	for (uint32_t i = 1; i < s->index.msgs.fresh; i++) {
		struct msg *m = index_at(&s->index, i);
		struct txn *x;
		struct recipient t;
		struct queue *q;

		if (m->queue != 0 || m->txn == 0 ||
		    index_find(&s->index, m->id) != i) {
			continue;
		}
		x = txn_at(&s->txns, m->txn);
		ec_assert(txn_recipient(x, m->rcpt_at, &t));
		q = spooler_queue(s, x->group, x->binding,
		    spooler_domain(t.addr));
		if (q == NULL) {
			s->unqueued = true;
			return;
		}
		m->queue = q->number;
		held_place(s, i);
	}
}

/* The arena is a cache: half of it is for mail on its way out, the other for
 * mail coming in.  Beyond that the newest bodies wait in the journal alone. */
bool
intake_relieve(struct spooler *s, struct txn *x)
{
	if (x->n_pieces == 0 || slabs_held_bytes(&s->slabs, x->pieces[0]) <=
	    s->set.arena_bytes / 2) {
		return false;
	}
	txn_drop_pieces(&s->txns, x);
	return true;
}

void
intake_stored(struct spooler *s, const struct journal_note *n)
{
	struct txn *x = txn_at(&s->txns, n->a);

	if (!n->ok) {
		intake_answer(s, n, STORED_FAILED);
		txn_put(&s->txns, x);
		return;
	}
	intake_answer(s, n, STORED_OK);
	txn_in_journal(s, x, n->epoch, n->offset);
	intake_admit(s, x, n->lsn);
	spooler_score(s, SCORE_S_RECEIVED, x->refs);
	if (x->refs == 0) {
		journal_unpin(s->journal, x->epoch);
		x->large = false;	/* what stays in the journal needs it */
		txn_put(&s->txns, x);
		return;
	}
	intake_relieve(s, x);
}

static void
give_lease(struct spooler *s, struct ipc_link *k)
{
	static struct log_rate rate;
	uint32_t now = (uint32_t)(clock_wall_us() / 1000000u), first, last;
	uint16_t allocator;
	struct error err;
	struct buf *b;

	if (lease_take(&s->lease, now, &allocator, &first, &last, &err) < 0) {
		/* It asked once and waits; its clients get 451 meanwhile. */
		log_limited(&rate, EC_ERROR, "no id lease for listener/%u: %s",
		    k->peer_index, err.text);
		s->listeners[k->peer_index].wants_leases++;
		return;
	}
	b = ipc_begin(k, IPC_LEASE);
	wire_put_u16(b, allocator);
	wire_put_u32(b, first);
	wire_put_u32(b, last);
	ipc_end(k);
}

/* Half of it for each doubling of the mail that waits to go, so that taking in
 * never starves sending; what is suspended waits for people, not for us. */
static uint32_t
window_now(const struct spooler *s)
{
	uint64_t waiting = s->queues.n_active - s->queues.n_suspended;
	uint32_t window = STORE_WINDOW;

	for (uint64_t n = STORE_BACKLOG; waiting > n &&
	    window > STORE_WINDOW_MIN; n *= 2) {
		window /= 2;
	}
	return window;
}

static void
tell_window(struct spooler *s, struct listener_peer *p)
{
	uint32_t window = window_now(s);
	struct buf *b;

	if (p->link != NULL && p->said_hello && p->window != window) {
		p->window = window;
		b = ipc_begin(p->link, IPC_STORE_CREDIT);
		wire_put_u32(b, window);
		ipc_end(p->link);
	}
}

void
intake_second(struct spooler *s)
{
	for (unsigned i = 0; i < SPOOLER_LISTENERS; i++) {
		struct listener_peer *p = &s->listeners[i];
		unsigned n = p->wants_leases;

		tell_window(s, p);
		p->wants_leases = 0;
		while (p->link != NULL && n-- > 0) {
			give_lease(s, p->link);
		}
	}
	intake_retry(s);
	intake_keep(s);
	if (s->unqueued && replay_is_over(s)) {
		queue_again(s);
	}
}

static void
on_slab(struct spooler *s, struct ipc_link *k, struct ipc_msg *m)
{
	struct wire_r r = wire_reader(m->body);
	uint32_t number = wire_u32(&r);
	uint64_t size = wire_u64(&r);
	int fd = ipc_take_fd(m);
	struct error err = { 0 };
	uint32_t handle;

	if (r.bad || fd < 0) {
		ipc_bad(k, "malformed STORE_SLAB");
		return;
	}
	handle = slabs_add(&s->slabs, ROLE_LISTENER, k->peer_index,
	    s->listeners[k->peer_index].incarnation, number, size, fd, &err);
	if (handle == 0) {
		ipc_bad(k, "bad slab: %s", err.text);
	} else {
		held_slab(s, handle);
	}
}

static void
on_hello(struct spooler *s, struct ipc_link *k, struct ipc_msg *m)
{
	struct listener_peer *p = &s->listeners[k->peer_index];
	struct wire_r r = wire_reader(m->body);

	p->incarnation = wire_u32(&r);
	p->said_hello = true;
	if (r.bad || p->incarnation != k->incarnation) {
		ipc_bad(k, "malformed STORE_HELLO");
		return;
	}
	tell_window(s, p);
	give_lease(s, k);
}

/* Says which of a listener's extents works from before a restart still read. */
static void
keep_for(struct spooler *s, unsigned index)
{
	struct listener_peer *p = &s->listeners[index];

	/* Those of dead ones, too: each gives back by name what it names. */
	for (unsigned d = 0; d <= SPOOLER_DELIVERERS; d++) {
		const struct list_node *works = d < SPOOLER_DELIVERERS ?
		    &s->deliverers[d].works : &s->orphans;

		list_each(n, tmp, works) {
			struct work *w = list_entry(n, struct work, link);

			for (unsigned i = 0; i < w->n_pieces; i++) {
				struct held_piece *h = &w->pieces[i];
				struct buf *out;

				if (h->at.handle == 0 ||
				    h->role != ROLE_LISTENER ||
				    h->index != index ||
				    h->incarnation != p->incarnation) {
					continue;
				}
				out = ipc_begin(p->link, IPC_KEEP);
				wire_put_u32(out, h->slab);
				wire_put_u32(out, h->at.offset);
				wire_put_u32(out, h->at.length);
				ipc_end(p->link);
			}
		}
	}
	ipc_say(p->link, IPC_KEEP_END);
	p->kept = true;
}

void
intake_keep(struct spooler *s)
{
	for (unsigned i = 0; i < SPOOLER_LISTENERS; i++) {
		struct listener_peer *p = &s->listeners[i];

		if (p->link != NULL && p->said_end && !p->kept &&
		    s->started_handout) {
			keep_for(s, i);
		}
	}
	list_each(n, tmp, &s->answered) {
		struct late_store *l = list_entry(n, struct late_store, link);
		struct listener_peer *p = &s->listeners[l->listener];

		if (p->kept || p->incarnation != l->incarnation ||
		    p->link == NULL) {
			list_remove(n);
			drop_answered(s, txn_at(&s->txns, l->txn));
			free(l);
		}
	}
}

void
intake_message(struct spooler *s, struct ipc_link *k, struct ipc_msg *m)
{
	struct wire_r r = wire_reader(m->body);

	if (m->type == IPC_STORE) {
		on_store(s, k, m);
	} else if (m->type == IPC_LARGE_DATA) {
		large_data(s, k, m);
	} else if (m->type == IPC_STORE_LARGE) {
		on_store_large(s, k, m);
	} else if (m->type == IPC_LARGE_ABORT) {
		large_abort(s, k, m);
	} else if (m->type == IPC_STORE_SLAB) {
		on_slab(s, k, m);
	} else if (m->type == IPC_STORE_SLAB_GONE) {
		slabs_bury(&s->slabs, ROLE_LISTENER, k->peer_index,
		    s->listeners[k->peer_index].incarnation, wire_u32(&r));
	} else if (m->type == IPC_STORE_HELLO) {
		on_hello(s, k, m);
	} else if (m->type == IPC_STORE_HELLO_END) {
		s->listeners[k->peer_index].said_end = true;
		intake_keep(s);
	} else if (m->type == IPC_LEASE_ASK) {
		give_lease(s, k);
	} else {
		ipc_bad(k, "unexpected %s", ipc_type_name(m->type));
	}
}

void
intake_link_up(struct spooler *s, struct ipc_link *k)
{
	s->listeners[k->peer_index] = (struct listener_peer){ .link = k,
		.incarnation = k->incarnation };
}

void
intake_link_down(struct spooler *s, struct ipc_link *k)
{
	struct listener_peer *p = &s->listeners[k->peer_index];

	if (p->link != k) {
		return;
	}
	p->link = NULL;
	large_listener_gone(s, k->peer_index);
	if (p->dead) {
		/* Slabs that it told of in words read after its death. */
		slabs_bury(&s->slabs, ROLE_LISTENER, k->peer_index,
		    p->incarnation, UINT32_MAX);
	}
}

/* Nobody can write its memory any more.  What is committed is in the journal:
 * pieces that no deliverer reads are dropped so that the memory goes. */
void
intake_dead(struct spooler *s, unsigned index, uint32_t incarnation)
{
	for (uint32_t i = 1; i < s->txns.pool.fresh; i++) {
		struct txn *x = txn_at(&s->txns, i);
		struct slab *b;

		if ((uintptr_t)x <= UINT32_MAX || x->slot != i ||
		    x->n_pieces == 0 || x->holds > 0 || !txn_is_on_disk(x)) {
			continue;
		}
		b = s->slabs.slab[x->pieces[0].handle];
		if (b != NULL && b->role == ROLE_LISTENER &&
		    b->index == index && b->incarnation == incarnation) {
			txn_drop_pieces(&s->txns, x);
		}
	}
	slabs_bury(&s->slabs, ROLE_LISTENER, index, incarnation, UINT32_MAX);
	if (index < SPOOLER_LISTENERS &&
	    s->listeners[index].incarnation == incarnation) {
		s->listeners[index].dead = true;
	}
}
