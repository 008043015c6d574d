/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies over Large_Message_Threshold.  What has come is said to the spooler
 * (LARGE_DATA), which writes it to a file and gives the extents back
 * (LARGE_TAKEN): they are filled again.  So a body has a few extents however
 * large it is, and a disk that is slow holds its client back: with no extent at
 * hand the socket is not read.
 *
 *	ext:	[ lent ... | filled ] + spare
 *
 * Extents lent to a spooler that dies stay out until the next one has said
 * what it keeps (store_client.c), as those of a STORE do.
 */
#include "listener/listener.h"

#include "common/base/log.h"

static void
say_batch(struct session *s, enum ipc_type type)
{
	struct buf *b = ipc_begin(s->l->spooler, type);

	wire_put_u64(b, s->batch_id);
	ipc_end(s->l->spooler);
}

void
large_send(struct session *s)
{
	struct body *b = &s->body;
	struct buf *out;

	if (b->lent == b->n || b->broken) {
		return;
	}
	out = ipc_begin(s->l->spooler, IPC_LARGE_DATA);
	wire_put_u64(out, s->batch_id);
	for (; b->lent < b->n; b->lent++) {
		const struct extent *x = &b->ext[b->lent];

		wire_put_u32(out, x->slab);
		wire_put_u32(out, x->offset);
		wire_put_u32(out, x->length);
		b->sent += x->length;
	}
	ipc_end(s->l->spooler);
	b->room = 0;
}

static void
give(struct session *s, const struct extent *x, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		ec_assert(arena_give(s->l->arena, x[i]));
	}
}

/* All of it that is ours. */
static void
let_go(struct session *s)
{
	struct body *b = &s->body;

	give(s, b->ext + b->lent, b->n - b->lent);
	give(s, b->spare, b->n_spare);
	b->n = b->lent = b->n_spare = 0;
	b->room = 0;
	b->waits = false;
	list_remove(&s->in_large);
}

/* Its client is told when its dot has come. */
static void
break_off(struct session *s)
{
	let_go(s);
	s->body.broken = true;
	s->body.discard = true;
}

void
large_begin(struct session *s)
{
	s->body.large = true;
	list_push_back(&s->l->larges, &s->in_large);
	if (s->l->spooler == NULL) {
		break_off(s);
	} else {
		large_send(s);
	}
}

bool
large_grow(struct session *s)
{
	struct body *b = &s->body;
	struct extent x;

	if (b->broken) {
		return false;
	}
	large_send(s);
	if (b->n_spare > 0) {
		x = b->spare[--b->n_spare];
	} else if (b->n >= LARGE_WINDOWS || !arena_take(s->l->arena,
	    ARENA_BLOCK_BYTES, &b->reserved, &x)) {
		return false;
	}
	b->room = x.length;
	x.length = 0;
	b->ext[b->n++] = x;
	return true;
}

size_t
large_room(struct session *s, size_t want)
{
	struct body *b = &s->body;
	size_t sum = b->room;

	for (unsigned i = 0; i < b->n_spare; i++) {
		sum += b->spare[i].length;
	}
	while (sum < want && b->n + b->n_spare < LARGE_WINDOWS) {
		struct extent *x = &b->spare[b->n_spare];

		if (!arena_take(s->l->arena, ARENA_BLOCK_BYTES, &b->reserved,
		    x)) {
			break;
		}
		sum += x->length;
		b->n_spare++;
	}
	return sum;
}

void
large_drop(struct session *s)
{
	if (!s->body.broken) {
		say_batch(s, IPC_LARGE_ABORT);
		let_go(s);
	}
	s->body.large = s->body.broken = false;
}

void
large_hand_over(struct session *s)
{
	ec_assert(s->body.broken || s->body.lent == s->body.n);
	if (!s->body.broken) {
		let_go(s);
	}
	s->body.large = s->body.broken = false;
}

void
large_give_up(struct session *s)
{
	say_batch(s, IPC_LARGE_ABORT);
	break_off(s);
	session_go_on(s);
}

void
large_link_down(struct listener *l)
{
	struct list_node *n;

	while ((n = list_first(&l->larges)) != NULL) {
		struct session *s = list_entry(n, struct session, in_large);
		bool waited = s->body.waits;

		break_off(s);
		if (waited) {
			session_go_on(s);
		}
	}
}

static struct session *
find(struct listener *l, msgid batch)
{
	list_each(n, tmp, &l->larges) {
		struct session *s = list_entry(n, struct session, in_large);

		if (s->batch_id == batch) {
			return s;
		}
	}
	return NULL;
}

/* The oldest extent lent has come back: to be filled again, if few are. */
static bool
take_back(struct session *s, struct extent x)
{
	struct body *b = &s->body;

	if (b->lent == 0 || b->ext[0].slab != x.slab ||
	    b->ext[0].offset != x.offset) {
		return false;
	}
	memmove(b->ext, b->ext + 1, (b->n - 1) * sizeof x);
	b->n--;
	b->lent--;
	if (b->n + b->n_spare < LARGE_WINDOWS) {
		x.length = (uint32_t)arena_capacity(s->l->arena, x);
		b->spare[b->n_spare++] = x;
		return true;
	}
	return arena_give(s->l->arena, x);
}

void
large_taken(struct listener *l, struct ipc_link *k, struct ipc_msg *m)
{
	struct wire_r r = wire_reader(m->body);
	msgid batch = wire_u64(&r);
	unsigned result = wire_u8(&r);
	struct session *s = r.bad ? NULL : find(l, batch);

	while (!r.bad && wire_left(&r) > 0) {
		struct extent x = { .slab = wire_u32(&r) };

		x.offset = wire_u32(&r);
		x.length = wire_u32(&r);
		if (r.bad || !(s != NULL ? take_back(s, x) :
		    arena_give(l->arena, x))) {
			r.bad = true;
		}
	}
	if (r.bad || result >= STORE_RESULTS) {
		ipc_bad(k, "malformed LARGE_TAKEN");
		return;
	}
	if (s != NULL && (s->body.waits || result == STORED_FULL)) {
		s->body.full = result == STORED_FULL;
		session_go_on(s);
	}
}
