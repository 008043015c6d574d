/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The conversation with the spooler.
 *
 *	session --store_begin--> pending (waits for window or link)
 *	        --STORE--> sent --STORED--> answered, forgotten
 *
 * When the spooler dies what it had not answered is sent again to the next one,
 * marked so: it looks whether it has it.  A client that has gone, or was told
 * 451, has its STORE sent to nobody anew.  Extents once sent are the spooler's
 * until RELEASE, or until a new spooler's KEEP list leaves them out.
 */
#include "listener/listener.h"

#include "common/base/clock.h"

#define LEASE_AHEAD_S 300u	/* a lease is renewed before its end */
#define LEASE_AGAIN_US 5000000u	/* and asked for again without an answer */

static void
lend_slab(struct listener *l, uint32_t slab, int fd, size_t size)
{
	struct buf b;

	buf_init(&b, 16);
	wire_put_u32(&b, slab);
	wire_put_u64(&b, size);
	ipc_send_fd(l->spooler, IPC_STORE_SLAB, buf_slice(&b), &fd, 1);
	buf_fini(&b);
}

void
store_slab(void *arg, uint32_t slab, int fd, size_t size)
{
	struct listener *l = arg;

	if (l->spooler != NULL) {
		lend_slab(l, slab, fd, size);
	}
}

static void
send_store(struct listener *l, struct pending_store *p)
{
	struct buf *b = ipc_begin(l->spooler, p->large ? IPC_STORE_LARGE :
	    IPC_STORE);

	wire_put_u64(b, p->seq);
	wire_put_u8(b, p->sent);
	if (p->large) {
		wire_put_u64(b, p->size);
	} else {
		wire_put_u8(b, (uint8_t)p->n);
	}
	for (unsigned i = 0; i < p->n; i++) {
		wire_put_u32(b, p->ext[i].slab);
		wire_put_u32(b, p->ext[i].offset);
		wire_put_u32(b, p->ext[i].length);
	}
	buf_add(b, p->envelope);
	ipc_end(l->spooler);
	p->sent = true;
	p->on_link = true;
	l->outstanding++;
	l->n_waiting--;
}

/* As many of those that wait as the window allows, oldest first. */
static void
send_waiting(struct listener *l)
{
	if (l->spooler == NULL || l->n_waiting == 0) {
		return;
	}
	list_each(n, tmp, &l->stores) {
		struct pending_store *p = list_entry(n, struct pending_store,
		    link);

		if (l->outstanding >= l->window || l->n_waiting == 0) {
			return;
		}
		if (!p->on_link) {
			send_store(l, p);
		}
	}
}

static void
ask_lease(struct listener *l)
{
	if (!l->asked && l->spooler != NULL) {
		l->asked = true;
		l->asked_us = loop_now_us(l->loop);
		ipc_say(l->spooler, IPC_LEASE_ASK);
	}
}

msgid
store_new_id(struct listener *l)
{
	uint32_t now = (uint32_t)(clock_wall_us() / 1000000u);
	msgid id = id_source_next(&l->ids, now);

	if (id == MSGID_NONE && l->spare.leased) {
		l->ids = l->spare;
		l->spare.leased = false;
		id = id_source_next(&l->ids, now);
	}
	if (!l->spare.leased) {
		ask_lease(l);	/* ahead of need */
	}
	return id;
}

/* Leases end together when they came together, so the spare one is renewed
 * ahead of that, however few ids were needed; and a question that the spooler
 * could not answer is put again. */
void
store_tick(struct listener *l)
{
	uint32_t now = (uint32_t)(clock_wall_us() / 1000000u);

	if (l->spare.leased && (uint64_t)now + LEASE_AHEAD_S >
	    l->spare.last_second) {
		l->spare.leased = false;
	}
	if (l->asked && loop_now_us(l->loop) - l->asked_us > LEASE_AGAIN_US) {
		l->asked = false;
	}
	if (!l->spare.leased || !l->ids.leased) {
		ask_lease(l);
	}
}

bool
store_is_waiting(const struct session *s)
{
	return s->store != NULL && !s->store->on_link;
}

bool
store_is_ready(const struct listener *l)
{
	return l->ids.leased && l->spooler != NULL;
}

/* Encodes the session's envelope behind the pending store's extents. */
static struct pending_store *
make_pending(struct session *s)
{
	struct envelope e = { .batch_id = s->batch_id, .conn_id = s->conn_id,
		.received_us = clock_wall_us(), .peer_port = s->peer_port,
		.local_port = s->local_port, .protocol = s->sm.esmtp ?
		ENVELOPE_ESMTP : ENVELOPE_SMTP, .flags = s->env_flags,
		.sender = s->sender, .envid = s->envid, .n_rcpt = s->n_rcpt,
		.rcpt = s->rcpt };
	struct pending_store *p;
	unsigned n_ext = s->body.large ? 0 : s->body.n;
	size_t ext_bytes = n_ext * sizeof(struct extent);
	struct buf b;

	memcpy(e.peer_ip, s->peer_ip, sizeof e.peer_ip);
	memcpy(e.local_ip, s->local_ip, sizeof e.local_ip);
	if (s->body.dot.eight_bit) {
		e.flags |= ENVELOPE_8BIT_DATA;
	}
	buf_init(&b, ENVELOPE_MAX_BYTES);
	envelope_encode(&e, &b);
	if (b.full) {
		buf_fini(&b);
		return NULL;	/* RCPT counts the bytes: does not happen */
	}
	p = xcalloc(1, sizeof *p + ext_bytes + b.len);
	p->ext = (struct extent *)(p + 1);
	p->n = n_ext;
	p->large = s->body.large;
	p->batch = s->batch_id;
	memcpy(p->ext, s->body.ext, ext_bytes);
	memcpy((char *)p->ext + ext_bytes, b.ptr, b.len);
	p->envelope = slice_make((char *)p->ext + ext_bytes, b.len);
	buf_fini(&b);
	return p;
}

bool
store_begin(struct session *s, uint64_t size)
{
	struct listener *l = s->l;
	struct pending_store *p = make_pending(s);

	if (p == NULL) {
		return false;
	}
	p->seq = ++l->next_seq;
	p->session = s;
	p->size = size;
	s->store = p;
	list_push_back(&l->stores, &p->link);
	l->n_waiting++;
	body_hand_over(s);
	/* Alone it need not be looked for. */
	if (l->n_waiting > 1) {
		send_waiting(l);
	} else if (l->spooler != NULL && l->outstanding < l->window) {
		send_store(l, p);
	}
	score_set(worker_score(l->w), SCORE_L_STORING, l->outstanding);
	return true;
}

static void
give_extents(struct listener *l, struct pending_store *p)
{
	for (unsigned i = 0; i < p->n; i++) {
		ec_assert(arena_give(l->arena, p->ext[i]));
	}
}

/* Its body waits at the spooler for a STORE_LARGE that does not come. */
static void
abort_large(struct listener *l, const struct pending_store *p)
{
	struct buf *b;

	if (p->large && l->spooler != NULL) {
		b = ipc_begin(l->spooler, IPC_LARGE_ABORT);
		wire_put_u64(b, p->batch);
		ipc_end(l->spooler);
	}
}

void
store_forget(struct session *s)
{
	struct pending_store *p = s->store;

	if (p == NULL) {
		return;
	}
	s->store = NULL;
	p->session = NULL;
	if (!p->on_link) {
		/* Nobody has it now, and nobody shall: its client will send
		 * it again.  What an earlier spooler may still lend out is
		 * swept by KEEP. */
		if (!p->sent) {
			give_extents(s->l, p);
			abort_large(s->l, p);
		}
		list_remove(&p->link);
		s->l->n_waiting--;
		free(p);
	}
}

static struct pending_store *
find(struct listener *l, uint64_t seq)
{
	list_each(n, tmp, &l->stores) {
		struct pending_store *p = list_entry(n, struct pending_store,
		    link);

		if (p->seq == seq) {
			return p;
		}
	}
	return NULL;
}

static void
on_stored(struct listener *l, struct ipc_link *k, struct ipc_msg *m)
{
	static const enum smtp_event answers[STORE_RESULTS] = {
		[STORED_OK] = SMTP_EV_STORED, [STORED_FULL] = SMTP_EV_NO_ROOM,
		[STORED_FAILED] = SMTP_EV_LOST,
		[STORED_TOO_BIG] = SMTP_EV_TOO_LARGE,
	};
	struct wire_r r = wire_reader(m->body);
	uint64_t seq = wire_u64(&r);
	unsigned result = wire_u8(&r);
	struct pending_store *p = find(l, seq);
	unsigned code = result == STORED_REMOTE ? wire_u16(&r) : 0;
	struct slice text = result == STORED_REMOTE ? wire_slice(&r) :
	    SLICE("");
	struct session *s;

	if (r.bad || result >= STORE_RESULTS || p == NULL || !p->on_link ||
	    (result == STORED_REMOTE && (code < 200 || code > 599))) {
		ipc_bad(k, "malformed STORED");
		return;
	}
	l->outstanding--;
	s = p->session;
	list_remove(&p->link);
	free(p);
	if (s != NULL) {
		s->store = NULL;
		if (result == STORED_REMOTE) {
			session_answered(s, code, text);
		} else {
			session_stored(s, answers[result]);
		}
	}
	send_waiting(l);
}

static int
by_place(const void *a, const void *b)
{
	const struct extent *x = a, *y = b;

	if (x->slab != y->slab) {
		return x->slab < y->slab ? -1 : 1;
	}
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* This extent has a user: the sweep must leave it. */
static void
spare_extent(struct listener *l, struct extent x)
{
	struct extent *e = l->n_old == 0 ? NULL :
	    bsearch(&x, l->old, l->n_old, sizeof x, by_place);

	if (e != NULL) {
		e->length = 0;
	}
}

static void
on_release(struct listener *l, struct ipc_link *k, struct ipc_msg *m)
{
	struct wire_r r = wire_reader(m->body);

	while (!r.bad && wire_left(&r) > 0) {
		struct extent x = { .slab = wire_u32(&r) };

		x.offset = wire_u32(&r);
		x.length = wire_u32(&r);
		if (r.bad || !arena_give(l->arena, x)) {
			ipc_bad(k, "RELEASE of an extent that is not out");
			return;
		}
		/* From here on it may be out for a new message. */
		spare_extent(l, x);
	}
}

static void
on_keep(struct listener *l, struct ipc_link *k, struct ipc_msg *m)
{
	struct wire_r r = wire_reader(m->body);

	while (!r.bad && wire_left(&r) > 0) {
		struct extent x = { .slab = wire_u32(&r) };

		x.offset = wire_u32(&r);
		x.length = wire_u32(&r);
		if (r.bad || !arena_is_out(l->arena, x)) {
			ipc_bad(k, "KEEP of an extent that is not out");
			return;
		}
		spare_extent(l, x);
	}
}

static void
sweep_end(struct listener *l)
{
	free(l->old);
	l->old = NULL;
	l->n_old = l->cap_old = 0;
	l->sweeping = false;
}

/* Free is what was lent when the link came up and is neither kept nor released
 * since. */
static void
on_keep_end(struct listener *l)
{
	for (size_t i = 0; i < l->n_old; i++) {
		if (l->old[i].length > 0) {
			ec_assert(arena_give(l->arena, l->old[i]));
		}
	}
	sweep_end(l);
}

static void
note_old(void *arg, struct extent x)
{
	struct listener *l = arg;

	if (l->n_old == l->cap_old) {
		l->cap_old = l->cap_old * 2 + 256;
		l->old = xrealloc(l->old, l->cap_old * sizeof x);
	}
	l->old[l->n_old++] = x;
}

/* All that is out but for what sessions still receive and what STOREs without
 * an answer hold: a dead spooler's, and its deliverers'. */
static void
sweep_begin(struct listener *l)
{
	sweep_end(l);
	l->sweeping = true;
	arena_each_out(l->arena, note_old, l);	/* in the order of by_place */
	list_each(n, tmp, &l->sessions) {
		struct session *s = list_entry(n, struct session, link);

		for (unsigned i = 0; i < s->body.n; i++) {
			spare_extent(l, s->body.ext[i]);
		}
		for (unsigned i = 0; i < s->body.n_spare; i++) {
			spare_extent(l, s->body.spare[i]);
		}
	}
	list_each(n, tmp, &l->stores) {
		struct pending_store *p = list_entry(n, struct pending_store,
		    link);

		for (unsigned i = 0; i < p->n; i++) {
			spare_extent(l, p->ext[i]);
		}
	}
}

static void
on_lease(struct listener *l, struct ipc_link *k, struct ipc_msg *m)
{
	struct wire_r r = wire_reader(m->body);
	uint16_t allocator = wire_u16(&r);
	uint32_t first = wire_u32(&r), last = wire_u32(&r);

	if (r.bad || last < first) {
		ipc_bad(k, "malformed LEASE");
		return;
	}
	l->asked = false;
	id_source_lease(l->ids.leased ? &l->spare : &l->ids, allocator, first,
	    last);
	if (!l->spare.leased) {
		ask_lease(l);
	}
	endpoint_update(l);
}

void
store_message(struct listener *l, struct ipc_link *k, struct ipc_msg *m)
{
	struct wire_r r = wire_reader(m->body);

	if (m->type == IPC_STORED) {
		on_stored(l, k, m);
	} else if (m->type == IPC_LARGE_TAKEN) {
		large_taken(l, k, m);
	} else if (m->type == IPC_RELEASE) {
		on_release(l, k, m);
	} else if (m->type == IPC_STORE_CREDIT) {
		l->window = wire_u32(&r);
		send_waiting(l);
	} else if (m->type == IPC_LEASE) {
		on_lease(l, k, m);
	} else if (m->type == IPC_KEEP && l->sweeping) {
		on_keep(l, k, m);
	} else if (m->type == IPC_KEEP_END && l->sweeping) {
		on_keep_end(l);
	} else {
		ipc_bad(k, "unexpected %s", ipc_type_name(m->type));
	}
}

/* A client that hung up while there was no spooler has no 250, and will send
 * its message again: nobody shall have it twice from us. */
static void
forget_the_gone(struct listener *l)
{
	list_each(n, tmp, &l->sessions) {
		struct session *s = list_entry(n, struct session, link);

		if (store_is_waiting(s) && session_is_gone(s)) {
			store_forget(s);
			session_stored(s, SMTP_EV_LOST);
		}
	}
}

void
store_link_up(struct listener *l, struct ipc_link *k)
{
	struct buf *b;

	forget_the_gone(l);
	l->spooler = k;
	l->outstanding = 0;
	l->asked = true;	/* a lease comes with the hello */
	l->asked_us = loop_now_us(l->loop);
	b = ipc_begin(k, IPC_STORE_HELLO);
	wire_put_u32(b, worker_incarnation(l->w));
	ipc_end(k);
	arena_each_slab(l->arena, store_slab, l);
	sweep_begin(l);
	/* What an earlier one did not answer goes first, whole. */
	list_each(n, tmp, &l->stores) {
		struct pending_store *p = list_entry(n, struct pending_store,
		    link);

		if (p->sent) {
			send_store(l, p);
		}
	}
	ipc_say(k, IPC_STORE_HELLO_END);
	l->window = 0;	/* until it says how many */
}

void
store_link_down(struct listener *l)
{
	l->spooler = NULL;
	l->outstanding = 0;
	large_link_down(l);	/* its sessions may go on to new STOREs */
	l->n_waiting = 0;
	list_each(n, tmp, &l->stores) {
		struct pending_store *p = list_entry(n, struct pending_store,
		    link);
		struct session *s;

		p->on_link = false;
		if (p->session == NULL) {
			/* Its client is gone: nobody waits for the answer. */
			list_remove(n);
			free(p);
		} else if (l->passthrough && p->sent) {
			/* How it went nobody can say any more. */
			s = p->session;
			list_remove(n);
			free(p);
			s->store = NULL;
			session_stored(s, SMTP_EV_LOST);
		} else {
			l->n_waiting++;
		}
	}
}
