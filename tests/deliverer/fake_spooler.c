/* SPDX-License-Identifier: Apache-2.0 */
/* The spooler's side, as simple as can be. */
#include "tests/deliverer/fake_spooler.h"

#include <check.h>
#include <sys/mman.h>

#include "common/base/shm.h"

void
fake_spooler_init(struct fake_spooler *s, struct worker_harness *h)
{
	struct error err = { 0 };
	void *map;

	memset(s, 0, sizeof *s);
	s->h = h;
	s->down = true;
	s->slab_fd = shm_create("test-bodies", FAKE_SLAB, true, &map, &err);
	ck_assert_msg(s->slab_fd >= 0, "%s", err.text);
	s->slab = map;
}

static void
hand_out(struct fake_spooler *s)
{
	for (unsigned i = 0; i < s->n_works && !s->down; i++) {
		struct fake_work *w = &s->work[i];
		uint32_t left = 0;
		struct buf *b;

		if (w->handed || s->out[w->queue] >= s->credit[w->queue]) {
			continue;
		}
		for (unsigned j = i + 1; j < s->n_works; j++) {
			left += s->work[j].queue == w->queue;
		}
		w->handed = true;
		s->out[w->queue]++;
		b = ipc_begin(&s->link, IPC_WORK);
		wire_put_u64(b, w->number);
		wire_put_u32(b, w->queue);
		wire_put_u32(b, left);
		wire_put_u16(b, (uint16_t)i);
		wire_put_u32(b, w->flags);
		wire_put_u64(b, w->body.len);
		wire_put_u8(b, 1);
		wire_put_u32(b, s->handle);
		wire_put_u32(b, (uint32_t)(w->body.ptr - s->slab));
		wire_put_u32(b, (uint32_t)w->body.len);
		wire_put_slice(b, SLICE("from@example.com"));
		wire_put_slice(b, SLICE("env1"));
		wire_put_u16(b, (uint16_t)w->n_rcpt);
		for (unsigned r = 0; r < w->n_rcpt; r++) {
			char addr[32];

			snprintf(addr, sizeof addr, "r%u@example.net", r);
			wire_put_u64(b, w->number * 100 + r);
			wire_put_u8(b, 0);
			wire_put_slice(b, slice_of(addr));
			wire_put_slice(b, SLICE(""));
		}
		ipc_end(&s->link);
	}
}

static struct fake_work *
find(struct fake_spooler *s, uint64_t number)
{
	for (unsigned i = 0; i < s->n_works; i++) {
		if (s->work[i].number == number) {
			return &s->work[i];
		}
	}
	return NULL;
}

static void
acknowledge(struct fake_spooler *s, struct fake_work *w)
{
	struct buf *b = ipc_begin(&s->link, IPC_OUTCOME_ACK);

	wire_put_u64(b, w->number);
	ipc_end(&s->link);
	w->acked = true;
	if (s->out[w->queue] > 0) {
		s->out[w->queue]--;
	}
}

static void
on_outcome(struct fake_spooler *s, struct ipc_msg *m)
{
	struct wire_r r = wire_reader(m->body);
	struct fake_work *w = find(s, wire_u64(&r));

	ck_assert_ptr_nonnull(w);
	w->sent = wire_u64(&r);
	wire_bytes(&r, 16);
	w->port = wire_u16(&r);
	wire_slice(&r);
	w->n_results = wire_u16(&r);
	ck_assert_uint_eq(w->n_results, w->n_rcpt);
	for (unsigned i = 0; i < w->n_results; i++) {
		struct fake_result *f = &w->result[i];

		f->id = wire_u64(&r);
		f->kind = wire_u8(&r);
		f->stage = wire_u8(&r);
		f->code = wire_u16(&r);
		slice_copy(f->reply, sizeof f->reply, wire_slice(&r));
		ck_assert_uint_eq(f->id, w->number * 100 + i);
	}
	ck_assert(!r.bad && wire_left(&r) == 0);
	s->n_again += w->done;
	s->n_done += !w->done;
	w->done = true;
	w->n_outcomes++;
	if (!s->hold_acks) {
		acknowledge(s, w);
		hand_out(s);
	}
}

static void
on_message(void *arg, struct ipc_link *k, struct ipc_msg *m)
{
	struct fake_spooler *s = arg;
	struct wire_r r = wire_reader(m->body);
	uint32_t queue;

	(void)k;
	if (m->type == IPC_PULL) {
		queue = wire_u32(&r);
		ck_assert_uint_lt(queue, FAKE_QUEUES);
		s->credit[queue] = wire_u32(&r);
		s->n_pulls++;
		ck_assert(!r.bad && wire_left(&r) == 0);
		hand_out(s);
	} else if (m->type == IPC_OUTCOME) {
		on_outcome(s, m);
	} else if (m->type == IPC_WORK_HELLO) {
		s->hello = true;
	} else if (m->type == IPC_WORK_HELD) {
		uint64_t number = wire_u64(&r);
		uint16_t slot = wire_u16(&r);
		struct fake_work *w = find(s, number);

		ck_assert_ptr_nonnull(w);
		ck_assert(w->handed && !w->done);
		ck_assert_uint_eq(slot, (unsigned)(w - s->work));
		ck_assert_uint_eq(wire_u16(&r), w->n_rcpt);
		for (unsigned i = 0; i < w->n_rcpt; i++) {
			ck_assert_uint_eq(wire_u64(&r), number * 100 + i);
		}
		ck_assert_uint_eq(wire_u8(&r), 1);
		ck_assert_uint_eq(wire_u8(&r), ROLE_LISTENER);
		ck_assert_uint_eq(wire_u8(&r), 3);
		ck_assert_uint_eq(wire_u32(&r), 77);
		ck_assert_uint_eq(wire_u32(&r), 5);
		ck_assert_uint_eq(wire_u32(&r),
		    (uint32_t)(w->body.ptr - s->slab));
		ck_assert_uint_eq(wire_u32(&r), w->body.len);
		ck_assert(!r.bad && wire_left(&r) == 0);
		s->n_held++;
	} else if (m->type == IPC_WORK_HELLO_END) {
		s->hello_end = true;
	}
}

static void
on_down(void *arg, struct ipc_link *k, const char *reason)
{
	struct fake_spooler *s = arg;

	(void)reason;
	ipc_link_close(k);
	s->down = true;
}

void
fake_spooler_up(struct fake_spooler *s, uint32_t handle)
{
	struct error err = { 0 };
	struct buf b;

	ck_assert_msg(worker_harness_link(s->h, &s->link, ROLE_SPOOLER, 0,
	    on_message, on_down, s, &err) == 0, "%s", err.text);
	s->down = false;
	s->handle = handle;
	memset(s->credit, 0, sizeof s->credit);
	memset(s->out, 0, sizeof s->out);
	buf_init(&b, 64);
	wire_put_u8(&b, ROLE_LISTENER);
	wire_put_u8(&b, 3);
	wire_put_u32(&b, 77);
	wire_put_u32(&b, 5);
	wire_put_u64(&b, FAKE_SLAB);
	wire_put_u32(&b, handle);
	ipc_send_fd(&s->link, IPC_LEND_SLAB, buf_slice(&b), &s->slab_fd, 1);
	buf_fini(&b);
}

void
fake_spooler_down(struct fake_spooler *s)
{
	if (!s->down) {
		ipc_link_close(&s->link);
		s->down = true;
	}
	s->hello = s->hello_end = false;
}

void
fake_spooler_fini(struct fake_spooler *s)
{
	fake_spooler_down(s);
	munmap(s->slab, FAKE_SLAB);
	close(s->slab_fd);
}

struct fake_work *
fake_spooler_add(struct fake_spooler *s, uint32_t queue, unsigned n_rcpt,
    struct slice body)
{
	struct fake_work *w = &s->work[s->n_works];

	ck_assert_uint_lt(s->n_works, FAKE_WORKS);
	ck_assert_uint_le(s->slab_used + body.len, FAKE_SLAB);
	*w = (struct fake_work){ .number = 1000 + s->n_works, .queue = queue,
		.n_rcpt = n_rcpt };
	memcpy(s->slab + s->slab_used, body.ptr, body.len);
	w->body = slice_make(s->slab + s->slab_used, body.len);
	s->slab_used += body.len;
	s->n_works++;
	return w;
}

void
fake_spooler_ready(struct fake_spooler *s, uint32_t queue, const char *domain)
{
	uint32_t active = 0;
	struct buf *b;

	for (unsigned i = 0; i < s->n_works; i++) {
		active += s->work[i].queue == queue && !s->work[i].handed;
	}
	b = ipc_begin(&s->link, IPC_READY);
	wire_put_u32(b, queue);
	wire_put_u32(b, active);
	wire_put_slice(b, slice_of(domain));
	wire_put_slice(b, SLICE("default"));
	wire_put_slice(b, SLICE("default"));
	ipc_end(&s->link);
}

void
fake_spooler_push(struct fake_spooler *s)
{
	hand_out(s);
}

bool
fake_spooler_all_done(void *arg)
{
	struct fake_spooler *s = arg;

	return s->n_done == s->n_works;
}

bool
fake_spooler_all_acked(void *arg)
{
	struct fake_spooler *s = arg;

	for (unsigned i = 0; i < s->n_works; i++) {
		if (!s->work[i].acked) {
			return false;
		}
	}
	return true;
}
