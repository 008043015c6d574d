/* SPDX-License-Identifier: Apache-2.0 */
/* STORE in, STORED and RELEASE out; what breaks the protocol fails the test. */
#include "tests/listener/fake_spooler.h"

#include <check.h>
#include <sys/mman.h>

#include "common/base/clock.h"
#include "common/base/shm.h"
#include "common/mail/envelope.h"

void
fake_spooler_init(struct fake_spooler *s, struct worker_harness *h)
{
	*s = (struct fake_spooler){ .h = h, .answer = STORED_OK,
		.lease_seconds = 3600, .window = 64, .allocator = 100 };
}

void
fake_spooler_lease(struct fake_spooler *s)
{
	uint32_t now = (uint32_t)(clock_wall_us() / 1000000u);
	struct buf *b = ipc_begin(&s->link, IPC_LEASE);

	wire_put_u16(b, s->allocator++);
	wire_put_u32(b, now);
	wire_put_u32(b, now + s->lease_seconds);
	ipc_end(&s->link);
}

static void
put_extents(struct fake_spooler *s, unsigned i, enum ipc_type type)
{
	struct fake_store *t = &s->store[i];
	struct buf *b = ipc_begin(&s->link, type);

	for (unsigned k = 0; k < t->n; k++) {
		wire_put_u32(b, t->ext[k].slab);
		wire_put_u32(b, t->ext[k].offset);
		wire_put_u32(b, t->ext[k].length);
	}
	ipc_end(&s->link);
}

void
fake_spooler_release(struct fake_spooler *s, unsigned i)
{
	ck_assert(s->store[i].held);
	s->store[i].held = false;
	put_extents(s, i, IPC_RELEASE);
}

void
fake_spooler_keep(struct fake_spooler *s, unsigned i)
{
	ck_assert(s->store[i].held);
	put_extents(s, i, IPC_KEEP);
}

void
fake_spooler_keep_end(struct fake_spooler *s)
{
	ipc_say(&s->link, IPC_KEEP_END);
}

void
fake_spooler_answer(struct fake_spooler *s, unsigned i, unsigned result)
{
	struct fake_store *t = &s->store[i];
	struct buf *b = ipc_begin(&s->link, IPC_STORED);

	ck_assert(!t->answered && t->life == s->life);
	wire_put_u64(b, t->seq);
	wire_put_u8(b, (uint8_t)result);
	ipc_end(&s->link);
	t->answered = true;
	t->durable = result == STORED_OK;
	s->outstanding--;
	if (!s->hold) {
		fake_spooler_release(s, i);
	}
}

/* The slabs as one text. */
static void
copy_body(struct fake_spooler *s, struct fake_store *t, struct wire_r *r)
{
	t->ext = xcalloc(t->n + 1, sizeof *t->ext);
	buf_init(&t->body, 64u << 20);
	for (unsigned i = 0; i < t->n; i++) {
		struct extent x = { .slab = wire_u32(r) };

		x.offset = wire_u32(r);
		x.length = wire_u32(r);
		ck_assert(!r->bad && x.slab < FAKE_SLABS &&
		    s->slab[x.slab] != NULL && x.length > 0 &&
		    x.offset <= ARENA_SLAB_BYTES - x.length);
		buf_append(&t->body, s->slab[x.slab] + x.offset, x.length);
		t->ext[i] = x;
	}
}

void
fake_spooler_taken(struct fake_spooler *s, unsigned large)
{
	struct fake_large *g = &s->large[large];
	struct buf *b = ipc_begin(&s->link, IPC_LARGE_TAKEN);

	wire_put_u64(b, g->batch);
	wire_put_u8(b, (uint8_t)s->large_result);
	for (unsigned i = 0; i < g->n; i++) {
		wire_put_u32(b, g->ext[i].slab);
		wire_put_u32(b, g->ext[i].offset);
		wire_put_u32(b, g->ext[i].length);
	}
	ipc_end(&s->link);
	g->n = 0;
}

static struct fake_large *
large_of(struct fake_spooler *s, msgid batch)
{
	for (unsigned i = 0; i < s->n_large; i++) {
		if (s->large[i].batch == batch &&
		    s->large[i].life == s->life) {
			return &s->large[i];
		}
	}
	return NULL;
}

static void
on_large_data(struct fake_spooler *s, struct ipc_msg *m)
{
	struct wire_r r = wire_reader(m->body);
	msgid batch = wire_u64(&r);
	struct fake_large *g = large_of(s, batch);

	if (g == NULL) {
		ck_assert(s->n_large < FAKE_LARGES && batch != MSGID_NONE);
		g = &s->large[s->n_large++];
		*g = (struct fake_large){ .batch = batch, .life = s->life };
		buf_init(&g->body, 64u << 20);
	}
	ck_assert(!g->stored && !g->aborted && wire_left(&r) > 0);
	while (wire_left(&r) > 0) {
		struct extent x = { .slab = wire_u32(&r) };

		x.offset = wire_u32(&r);
		x.length = wire_u32(&r);
		ck_assert(!r.bad && x.slab < FAKE_SLABS &&
		    s->slab[x.slab] != NULL && x.length > 0 &&
		    x.offset <= ARENA_SLAB_BYTES - x.length &&
		    g->n < ARRAY_LEN(g->ext));
		buf_append(&g->body, s->slab[x.slab] + x.offset, x.length);
		g->ext[g->n++] = x;
	}
	s->most_lent = EC_MAX(s->most_lent, g->n);
	if (!s->large_hold) {
		fake_spooler_taken(s, (unsigned)(g - s->large));
	}
}

static void
on_large_abort(struct fake_spooler *s, struct ipc_msg *m)
{
	struct wire_r r = wire_reader(m->body);
	struct fake_large *g = large_of(s, wire_u64(&r));

	ck_assert(g != NULL && !g->stored && !g->aborted &&
	    wire_left(&r) == 0);
	g->aborted = true;
	if (g->n > 0) {
		fake_spooler_taken(s, (unsigned)(g - s->large));
	}
}

/* Its body, which this life has whole or (sent again) not at all. */
static void
take_large(struct fake_spooler *s, struct fake_store *t, uint64_t size,
    msgid batch)
{
	struct fake_large *g = large_of(s, batch);

	buf_init(&t->body, 64u << 20);
	t->ext = NULL;
	t->n = 0;
	ck_assert(g != NULL || t->resent);
	if (g != NULL) {
		ck_assert(!g->stored && !g->aborted &&
		    g->body.len == size);
		g->stored = true;
		buf_add(&t->body, buf_slice(&g->body));
	}
}

static void
on_store(struct fake_spooler *s, struct ipc_msg *m)
{
	uint64_t size = 0;
	struct wire_r r = wire_reader(m->body);
	struct fake_store *t = &s->store[s->n];
	struct scratch scratch;
	struct envelope e;
	bool known = false;

	ck_assert(s->hello && s->n < FAKE_STORES);
	*t = (struct fake_store){ .life = s->life, .held = true,
		.seq = wire_u64(&r) };
	t->resent = wire_u8(&r) != 0;
	t->large = m->type == IPC_STORE_LARGE;
	if (t->large) {
		size = wire_u64(&r);
	} else {
		t->n = wire_u8(&r);
	}
	/* Before the end of the hello: what an earlier life left over. */
	ck_assert(s->hello_end != t->resent);
	if (!t->large) {
		copy_body(s, t, &r);
	}
	scratch_init(&scratch, 1 << 20);
	ck_assert(envelope_decode(slice_make(r.p, wire_left(&r)), &scratch,
	    &e));
	t->batch = e.batch_id;
	if (t->large) {
		take_large(s, t, size, t->batch);
	}
	t->id = e.rcpt[0].id;
	t->n_rcpt = e.n_rcpt;
	slice_copy(t->sender, sizeof t->sender, e.sender);
	scratch_fini(&scratch);
	for (unsigned i = 0; i < s->n; i++) {
		known |= s->store[i].batch == t->batch;
	}
	/* No id twice; what was said to the dead may be unknown. */
	ck_assert(!known || t->resent);
	s->outstanding++;
	s->most = EC_MAX(s->most, s->outstanding);
	ck_assert(t->resent || s->outstanding <= s->window);
	s->n++;
	if (s->answer != ANSWER_NONE) {
		fake_spooler_answer(s, s->n - 1, s->answer);
	}
}

static void
on_hello(struct fake_spooler *s)
{
	struct buf *b = ipc_begin(&s->link, IPC_STORE_CREDIT);

	s->hello = true;
	wire_put_u32(b, s->window);
	ipc_end(&s->link);
	if (!s->no_lease) {
		fake_spooler_lease(s);
	}
}

static void
on_slab(struct fake_spooler *s, struct ipc_msg *m)
{
	struct wire_r r = wire_reader(m->body);
	uint32_t number = wire_u32(&r);
	uint64_t size = wire_u64(&r);
	int fd = ipc_take_fd(m);
	struct error err = { 0 };

	ck_assert(!r.bad && fd >= 0 && number < FAKE_SLABS &&
	    size == ARENA_SLAB_BYTES && s->slab[number] == NULL);
	s->slab[number] = shm_map(fd, (size_t)size, false, true, &err);
	ck_assert_msg(s->slab[number] != NULL, "%s", err.text);
	close(fd);
}

static void
on_message(void *arg, struct ipc_link *k, struct ipc_msg *m)
{
	struct fake_spooler *s = arg;

	(void)k;
	if (m->type == IPC_STORE || m->type == IPC_STORE_LARGE) {
		on_store(s, m);
	} else if (m->type == IPC_LARGE_DATA) {
		on_large_data(s, m);
	} else if (m->type == IPC_LARGE_ABORT) {
		on_large_abort(s, m);
	} else if (m->type == IPC_STORE_HELLO) {
		on_hello(s);
	} else if (m->type == IPC_STORE_HELLO_END) {
		s->hello_end = true;
		if (!s->no_keep_end) {
			fake_spooler_keep_end(s);
		}
	} else if (m->type == IPC_STORE_SLAB) {
		on_slab(s, m);
	} else if (m->type == IPC_LEASE_ASK) {
		s->asked++;
		if (!s->no_lease) {
			fake_spooler_lease(s);
		}
	} else {
		ck_abort_msg("unexpected %s", ipc_type_name(m->type));
	}
}

static void
on_down(void *arg, struct ipc_link *k, const char *reason)
{
	struct fake_spooler *s = arg;

	(void)reason;
	s->up = false;
	s->cut = true;
	ipc_link_close(k);
}

void
fake_spooler_up(struct fake_spooler *s)
{
	struct error err = { 0 };

	s->life++;
	s->hello = s->hello_end = false;
	s->outstanding = 0;
	ck_assert_msg(worker_harness_link(s->h, &s->link, ROLE_SPOOLER, 0,
	    on_message, on_down, s, &err) == 0, "%s", err.text);
	s->up = true;
}

static void
unmap(struct fake_spooler *s)
{
	for (unsigned i = 0; i < FAKE_SLABS; i++) {
		if (s->slab[i] != NULL) {
			munmap(s->slab[i], ARENA_SLAB_BYTES);
			s->slab[i] = NULL;
		}
	}
}

void
fake_spooler_down(struct fake_spooler *s)
{
	if (s->up) {
		ipc_link_close(&s->link);
		s->up = false;
	}
	/* What it did not answer is the listener's again. */
	for (unsigned i = 0; i < s->n; i++) {
		s->store[i].held &= s->store[i].answered;
	}
	unmap(s);
}

void
fake_spooler_fini(struct fake_spooler *s)
{
	fake_spooler_down(s);
	for (unsigned i = 0; i < s->n; i++) {
		free(s->store[i].ext);
		buf_fini(&s->store[i].body);
	}
	for (unsigned i = 0; i < s->n_large; i++) {
		buf_fini(&s->large[i].body);
	}
}
