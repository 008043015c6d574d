/* SPDX-License-Identifier: Apache-2.0 */
/* Transactions in memory. */
#include "spooler/txn.h"

#include "common/base/fdio.h"
#include "common/base/wire.h"

void
txns_init(struct txns *t, struct slabs *slabs)
{
	pool_init(&t->pool, sizeof(struct txn *), UINT32_MAX - 1);
	t->slabs = slabs;
}

/* The same bytes stand elsewhere in memory now. */
static struct slice
moved(struct slice s, struct slice from, const char *to)
{
	if (s.len == 0) {
		return slice_make(to, 0);
	}
	ec_assert(s.ptr >= from.ptr && s.ptr + s.len <= from.ptr + from.len);
	return slice_make(to + (s.ptr - from.ptr), s.len);
}

static bool
stands_in(struct slice s, struct slice in)
{
	uintptr_t at = (uintptr_t)s.ptr, from = (uintptr_t)in.ptr;

	return s.len == 0 || (at >= from && at - from <= in.len - s.len);
}

struct txn *
txn_create(struct txns *t, const struct envelope *e, struct slice encoded,
    uint64_t size)
{
	struct txn *x = xcalloc(1, sizeof *x);
	struct scratch scratch;
	struct envelope read;

	scratch_init(&scratch, 1 << 20);
	if (!stands_in(e->sender, encoded) || !stands_in(e->envid, encoded) ||
	    !stands_in(e->group, encoded) || !stands_in(e->binding, encoded)) {
		/* Its strings stand where it was made, not in what it became:
		 * a bounce, or one read from .meta. */
		ec_assert(envelope_decode(encoded, &scratch, &read));
		e = &read;
	}
	x->slot = pool_take(&t->pool);
	ec_assert(x->slot != 0);
	memcpy(pool_at(&t->pool, x->slot), &x, sizeof x);
	x->env = xmalloc(encoded.len);
	memcpy(x->env, encoded.ptr, encoded.len);
	x->env_len = (uint32_t)encoded.len;
	x->batch_id = e->batch_id;
	x->conn_id = e->conn_id;
	x->received_us = e->received_us;
	x->flags = e->flags;
	x->protocol = e->protocol;
	x->size = size;
	x->fd = -1;
	x->sender = moved(e->sender, encoded, x->env);
	x->envid = moved(e->envid, encoded, x->env);
	x->group = moved(e->group, encoded, x->env);
	x->binding = moved(e->binding, encoded, x->env);
	x->pieces = x->inline_pieces;
	list_init(&x->settle);
	scratch_fini(&scratch);
	return x;
}

struct txn *
txn_at(const struct txns *t, uint32_t slot)
{
	struct txn *x;

	memcpy(&x, pool_at(&t->pool, slot), sizeof x);
	return x;
}

void
txn_set_pieces(struct txn *x, const struct piece *pieces, unsigned n)
{
	ec_assert(x->n_pieces == 0 && n <= TXN_MAX_PIECES);
	if (n > TXN_INLINE_PIECES) {
		x->pieces = xmalloc(n * sizeof *x->pieces);
	}
	if (n > 0) {
		memcpy(x->pieces, pieces, n * sizeof *pieces);
	}
	x->n_pieces = (uint16_t)n;
}

void
txn_drop_pieces(struct txns *t, struct txn *x)
{
	if (x->holds > 0) {
		return;
	}
	for (unsigned i = 0; i < x->n_pieces; i++) {
		slabs_release(t->slabs, x->pieces[i]);
	}
	if (x->pieces != x->inline_pieces) {
		free(x->pieces);
		x->pieces = x->inline_pieces;
	}
	x->n_pieces = 0;
	fdio_close(&x->fd);
}

bool
txn_put(struct txns *t, struct txn *x)
{
	if (x->refs > 0 || x->holds > 0 || x->loading) {
		return false;
	}
	ec_assert(x->unsettled == 0);
	txn_drop_pieces(t, x);
	if (x->large) {
		t->on_large(t->arg, x->batch_id);
	}
	list_remove(&x->settle);
	/* A free slot holds a link of 4 bytes, never an address. */
	memset(pool_at(&t->pool, x->slot), 0, sizeof x);
	pool_give(&t->pool, x->slot);
	free(x->env);
	free(x);
	return true;
}

bool
txn_recipient(const struct txn *x, uint32_t at, struct recipient *out)
{
	struct wire_r r;

	if (at >= x->env_len) {
		return false;
	}
	r = wire_reader(slice_make(x->env + at, x->env_len - at));
	out->id = wire_u64(&r);
	out->notify = wire_u8(&r);
	out->addr = wire_slice(&r);
	out->orcpt = wire_slice(&r);
	return !r.bad;
}
