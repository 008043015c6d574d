/* SPDX-License-Identifier: Apache-2.0 */
/* A listener's side: arena, ids by lease, STORE, RELEASE and KEEP. */
#include "tests/spooler/rig.h"

#include <check.h>

#include "common/base/clock.h"

char
mail_byte(msgid batch, size_t n)
{
	uint64_t x = batch * UINT64_C(0x9e3779b97f4a7c15) +
	    n / 64 * UINT64_C(0xbf58476d1ce4e5b9);

	/* Lines of 64 bytes, so that `less` and the DSN see text. */
	return n % 64 == 62 ? '\r' : n % 64 == 63 ? '\n' :
	    (char)('a' + ((x >> (n % 8 * 7)) & 15));
}

bool
mail_is_whole(msgid batch, size_t from, struct slice bytes)
{
	for (size_t i = 0; i < bytes.len; i++) {
		if (bytes.ptr[i] != mail_byte(batch, from + i)) {
			return false;
		}
	}
	return true;
}

static void
say_slab(void *arg, uint32_t slab, int fd, size_t size)
{
	struct fake_listener *l = arg;
	struct buf b;

	if (!l->up) {
		return;
	}
	buf_init(&b, 16);
	wire_put_u32(&b, slab);
	wire_put_u64(&b, size);
	ipc_send_fd(&l->link, IPC_STORE_SLAB, buf_slice(&b), &fd, 1);
	buf_fini(&b);
}

static void
say_store(struct fake_listener *l, struct mail *m)
{
	struct envelope e = { .batch_id = m->batch, .conn_id = m->batch,
		.received_us = clock_wall_us(), .protocol = ENVELOPE_ESMTP,
		.sender = slice_of(m->sender), .n_rcpt = m->n_rcpt };
	struct recipient rcpt[RIG_RCPTS];
	struct buf *b = ipc_begin(&l->link, m->large ? IPC_STORE_LARGE :
	    IPC_STORE), env;

	for (unsigned i = 0; i < m->n_rcpt; i++) {
		rcpt[i] = (struct recipient){ .id = m->id[i],
			.addr = slice_of(m->rcpt[i]), .notify = m->notify };
	}
	e.rcpt = rcpt;
	wire_put_u64(b, m->seq);
	wire_put_u8(b, m->sent);
	if (m->large) {
		wire_put_u64(b, m->size);
	} else {
		wire_put_u8(b, (uint8_t)m->n_ext);
	}
	for (unsigned i = 0; i < m->n_ext && !m->large; i++) {
		wire_put_u32(b, m->ext[i].slab);
		wire_put_u32(b, m->ext[i].offset);
		wire_put_u32(b, m->ext[i].length);
	}
	buf_init(&env, ENVELOPE_MAX_BYTES);
	envelope_encode(&e, &env);
	buf_add(b, buf_slice(&env));
	buf_fini(&env);
	ipc_end(&l->link);
	m->sent = true;
	l->outstanding++;
}

static bool
is_mine(const struct fake_listener *l, const struct mail *m)
{
	return m->listener == l->index && m->of == l->incarnation;
}

static void
on_stored(struct fake_listener *l, struct wire_r r)
{
	uint64_t seq = wire_u64(&r);
	unsigned result = wire_u8(&r);

	ck_assert(!r.bad && result < STORE_RESULTS);
	for (unsigned i = l->rig->n_mails; i-- > 0;) {
		struct mail *m = l->rig->mail[i];

		if (is_mine(l, m) && m->seq == seq) {
			ck_assert(m->sent && !m->answered);
			m->answered = true;
			m->result = (enum store_result)result;
			if (result == STORED_REMOTE) {
				m->code = wire_u16(&r);
				slice_copy(m->reply, sizeof m->reply,
				    wire_slice(&r));
				ck_assert(!r.bad);
			}
			l->outstanding--;
			return;
		}
	}
	ck_abort_msg("STORED of an unknown seq");
}

static bool
same(struct extent a, struct extent b)
{
	return a.slab == b.slab && a.offset == b.offset;
}

/* In order, each once. */
static void
on_taken(struct fake_listener *l, struct wire_r r)
{
	msgid batch = wire_u64(&r);
	unsigned result = wire_u8(&r);
	struct mail *m = NULL;

	for (unsigned i = 0; i < l->rig->n_mails; i++) {
		if (l->rig->mail[i]->batch == batch) {
			m = l->rig->mail[i];
		}
	}
	ck_assert(m != NULL && m->large && is_mine(l, m));
	ck_assert_uint_eq(result, STORED_OK);
	while (wire_left(&r) > 0) {
		struct extent x = { .slab = wire_u32(&r) };

		x.offset = wire_u32(&r);
		x.length = wire_u32(&r);
		ck_assert(!r.bad && m->n_ext > 0 && same(x, m->ext[0]) &&
		    x.length == m->ext[0].length);
		ck_assert(arena_give(l->arena, x));
		memmove(m->ext, m->ext + 1, --m->n_ext * sizeof x);
	}
}

static void
on_keep_end(struct fake_listener *l)
{
	ck_assert(!l->keep_ended);
	l->keep_ended = true;
	for (size_t i = 0; i < l->n_old; i++) {
		bool kept = false;

		for (size_t j = 0; j < l->n_kept; j++) {
			kept = kept || same(l->old[i], l->kept[j]);
		}
		if (!kept && arena_is_out(l->arena, l->old[i])) {
			ck_assert(arena_give(l->arena, l->old[i]));
		}
	}
	l->n_old = l->n_kept = 0;
}

static void
on_message(void *arg, struct ipc_link *k, struct ipc_msg *m)
{
	struct fake_listener *l = arg;
	struct wire_r r = wire_reader(m->body);

	(void)k;
	if (m->type == IPC_STORED) {
		on_stored(l, r);
	} else if (m->type == IPC_LARGE_TAKEN) {
		on_taken(l, r);
	} else if (m->type == IPC_STORE_CREDIT) {
		l->window = wire_u32(&r);
	} else if (m->type == IPC_LEASE) {
		uint16_t allocator = wire_u16(&r);
		uint32_t first = wire_u32(&r), last = wire_u32(&r);

		ck_assert(!r.bad);
		id_source_lease(l->ids.leased ? &l->spare : &l->ids,
		    allocator, first, last);
	} else if (m->type == IPC_KEEP_END) {
		on_keep_end(l);
	} else {
		ck_assert(m->type == IPC_RELEASE || m->type == IPC_KEEP);
		while (wire_left(&r) > 0) {
			struct extent x = { .slab = wire_u32(&r) };

			x.offset = wire_u32(&r);
			x.length = wire_u32(&r);
			ck_assert(!r.bad && arena_is_out(l->arena, x));
			if (m->type == IPC_RELEASE) {
				ck_assert(arena_give(l->arena, x));
			} else {
				l->kept = xrealloc(l->kept, (l->n_kept + 1) *
				    sizeof x);
				l->kept[l->n_kept++] = x;
			}
		}
	}
}

static void
on_down(void *arg, struct ipc_link *k, const char *why)
{
	struct fake_listener *l = arg;

	(void)why;
	ipc_link_close(k);
	l->up = false;
}

static void
note_old(void *arg, struct extent x)
{
	struct fake_listener *l = arg;

	for (unsigned i = 0; i < l->rig->n_mails; i++) {
		struct mail *m = l->rig->mail[i];

		for (unsigned j = 0; is_mine(l, m) && !m->answered &&
		    !m->large && j < m->n_ext; j++) {
			if (same(m->ext[j], x)) {
				return;
			}
		}
	}
	l->old = xrealloc(l->old, (l->n_old + 1) * sizeof x);
	l->old[l->n_old++] = x;
}

static bool
has_lease(void *arg)
{
	struct fake_listener *l = arg;

	return l->ids.leased && l->window > 0;
}

void
listener_link(struct fake_listener *l)
{
	struct buf *b;

	rig_connect(l->rig, &l->link, ROLE_LISTENER, l->index, l->incarnation,
	    on_message, on_down, l);
	l->up = true;
	l->outstanding = l->window = 0;
	l->keep_ended = false;
	b = ipc_begin(&l->link, IPC_STORE_HELLO);
	wire_put_u32(b, l->incarnation);
	ipc_end(&l->link);
	arena_each_slab(l->arena, say_slab, l);
	l->n_old = l->n_kept = 0;
	arena_each_out(l->arena, note_old, l);
	for (unsigned i = 0; i < l->rig->n_mails; i++) {
		struct mail *m = l->rig->mail[i];

		if (is_mine(l, m) && m->sent && !m->answered) {
			say_store(l, m);
		}
	}
	ipc_say(&l->link, IPC_STORE_HELLO_END);
	rig_until(l->rig, has_lease, l);
}

void
listener_unlink(struct fake_listener *l)
{
	if (l->up) {
		ipc_link_close(&l->link);
		l->up = false;
	}
}

void
listener_open(struct rig *r, unsigned i)
{
	struct fake_listener *l = &r->listener[i];

	*l = (struct fake_listener){ .rig = r, .index = i, .incarnation = 1 };
	l->arena = arena_create("test-listener", ARENA_SLAB_BYTES * 2,
	    say_slab, l);
	listener_link(l);
}

void
listener_close(struct fake_listener *l)
{
	listener_unlink(l);
	arena_destroy(&l->arena);
	free(l->old);
	free(l->kept);
	l->old = l->kept = NULL;
}

void
listener_die(struct fake_listener *l)
{
	struct rig *r = l->rig;
	uint32_t was = l->incarnation;
	unsigned index = l->index;
	struct buf *b;

	for (unsigned i = 0; i < r->n_mails; i++) {
		if (is_mine(l, r->mail[i]) && !r->mail[i]->answered) {
			r->mail[i]->answered = true;	/* nobody heard it */
			r->mail[i]->result = STORED_FAILED;
		}
	}
	listener_close(l);
	b = ipc_begin(&r->h.control, IPC_SUP_PEER_DEAD);
	wire_put_u8(b, ROLE_LISTENER);
	wire_put_u8(b, (uint8_t)index);
	wire_put_u32(b, was);
	wire_put_u8(b, 1);
	ipc_end(&r->h.control);
	*l = (struct fake_listener){ .rig = r, .index = index,
		.incarnation = was + 1 };
	l->arena = arena_create("test-listener", ARENA_SLAB_BYTES * 2,
	    say_slab, l);
	listener_link(l);
}

static msgid
new_id(struct fake_listener *l)
{
	uint32_t now = (uint32_t)(clock_wall_us() / 1000000u);
	msgid id = id_source_next(&l->ids, now);

	ck_assert(id != MSGID_NONE);
	ck_assert_ptr_null(rig_mail_of(l->rig, id));
	return id;
}

static void
make_body(struct fake_listener *l, struct mail *m)
{
	uint32_t none = 0;

	for (size_t at = 0; at < m->size; m->n_ext++) {
		struct extent *x = &m->ext[m->n_ext];
		char *p;

		ck_assert_uint_lt(m->n_ext, ARRAY_LEN(m->ext));
		ck_assert(arena_take(l->arena, m->size - at, &none, x));
		x->length = (uint32_t)EC_MIN((size_t)x->length, m->size - at);
		p = arena_at(l->arena, *x);
		for (size_t i = 0; i < x->length; i++) {
			p[i] = mail_byte(m->batch, at + i);
		}
		at += x->length;
	}
}

static struct mail *
new_mail(struct rig *r, unsigned listener, const char *sender, unsigned n,
    const char *const *rcpts, size_t size)
{
	struct fake_listener *l = &r->listener[listener];
	struct mail *m = xcalloc(1, sizeof *m);

	ck_assert_uint_lt(r->n_mails, RIG_MAILS);
	ck_assert_uint_le(n, RIG_RCPTS);
	m->rig = r;
	m->listener = listener;
	m->of = l->incarnation;
	m->seq = ++l->next_seq;
	m->batch = new_id(l);
	m->n_rcpt = n;
	m->size = size;
	snprintf(m->sender, sizeof m->sender, "%s", sender);
	for (unsigned i = 0; i < n; i++) {
		m->id[i] = new_id(l);
		snprintf(m->rcpt[i], sizeof m->rcpt[i], "%s", rcpts[i]);
	}
	make_body(l, m);
	r->mail[r->n_mails++] = m;
	return m;
}

struct mail *
rig_store(struct rig *r, unsigned listener, const char *sender, unsigned n,
    const char *const *rcpts, size_t size)
{
	struct mail *m = new_mail(r, listener, sender, n, rcpts, size);

	say_store(&r->listener[listener], m);
	return m;
}

/* Two extents a message, and what is left. */
struct mail *
rig_large(struct rig *r, unsigned listener, const char *sender, unsigned n,
    const char *const *rcpts, size_t size)
{
	struct mail *m = new_mail(r, listener, sender, n, rcpts, size);
	struct ipc_link *k = &r->listener[listener].link;

	m->large = true;
	for (unsigned i = 0; i < m->n_ext; i += 2) {
		struct buf *b = ipc_begin(k, IPC_LARGE_DATA);

		wire_put_u64(b, m->batch);
		for (unsigned j = i; j < EC_MIN(i + 2, m->n_ext); j++) {
			wire_put_u32(b, m->ext[j].slab);
			wire_put_u32(b, m->ext[j].offset);
			wire_put_u32(b, m->ext[j].length);
		}
		ipc_end(k);
	}
	return m;
}

void
rig_large_store(struct mail *m)
{
	say_store(&m->rig->listener[m->listener], m);
}

void
rig_large_abort(struct mail *m)
{
	struct ipc_link *k = &m->rig->listener[m->listener].link;
	struct buf *b = ipc_begin(k, IPC_LARGE_ABORT);

	wire_put_u64(b, m->batch);
	ipc_end(k);
}

bool
mail_is_taken(void *mail)
{
	return ((struct mail *)mail)->n_ext == 0;
}

struct mail *
rig_mail_of(struct rig *r, msgid id)
{
	for (unsigned i = r->n_mails; i-- > 0;) {
		for (unsigned j = 0; j < r->mail[i]->n_rcpt; j++) {
			if (r->mail[i]->id[j] == id) {
				return r->mail[i];
			}
		}
	}
	return NULL;
}

bool
mail_is_answered(void *mail)
{
	return ((struct mail *)mail)->answered;
}

bool
listener_is_empty(void *listener)
{
	return arena_used_bytes(((struct fake_listener *)listener)->arena) == 0;
}
