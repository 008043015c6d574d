/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/crash/peers.h"

#include <xxhash.h>

#include "tests/support/crashfs.h"

static void
say_buf(struct peers *p, struct ipc_link *k, enum ipc_type type, struct buf *b)
{
	world_say(p->w, k, type, buf_slice(b), -1);
	buf_fini(b);
}

static void
say_slab(void *arg, uint32_t slab, int fd, size_t size)
{
	struct peers *p = arg;
	struct buf b;

	buf_init(&b, 16);
	wire_put_u32(&b, slab);
	wire_put_u64(&b, size);
	world_say(p->w, &p->w->listener, IPC_STORE_SLAB, buf_slice(&b), fd);
	buf_fini(&b);
}

/* The listener. */

static void
say_store(struct peers *p, struct letter *m)
{
	struct envelope e = { .batch_id = m->batch, .conn_id = m->batch,
		.received_us = world_wall_us(), .protocol = ENVELOPE_ESMTP,
		.sender = slice_of(m->sender), .n_rcpt = m->n };
	struct recipient rcpt[LEDGER_RCPTS];
	struct buf b, env;

	for (unsigned i = 0; i < m->n; i++) {
		rcpt[i] = (struct recipient){ .id = m->r[i].id,
			.addr = slice_of(m->r[i].addr) };
	}
	e.rcpt = rcpt;
	buf_init(&b, 1 << 16);
	wire_put_u64(&b, m->seq);
	wire_put_u8(&b, 0);
	wire_put_u8(&b, (uint8_t)m->n_ext);
	for (unsigned i = 0; i < m->n_ext; i++) {
		wire_put_u32(&b, m->ext[i].slab);
		wire_put_u32(&b, m->ext[i].offset);
		wire_put_u32(&b, m->ext[i].length);
	}
	buf_init(&env, ENVELOPE_MAX_BYTES);
	envelope_encode(&e, &env);
	buf_add(&b, buf_slice(&env));
	buf_fini(&env);
	say_buf(p, &p->w->listener, IPC_STORE, &b);
}

/* Lines of text that no other letter has. */
static void
make_body(struct peers *p, struct letter *m)
{
	char *whole = xmalloc(m->size);
	uint32_t none = 0;

	for (size_t i = 0; i < m->size; i++) {
		uint64_t x = m->batch + i / 64 * UINT64_C(0x9e3779b97f4a7c15);

		whole[i] = i % 64 == 62 ? '\r' : i % 64 == 63 ? '\n' :
		    (char)('a' + (x >> (i % 13) & 15));
	}
	m->body_hash = XXH3_64bits(whole, m->size);
	for (size_t at = 0; at < m->size;) {
		struct extent *x = &m->ext[m->n_ext++];

		ec_assert(m->n_ext <= ARRAY_LEN(m->ext));
		ec_assert(arena_take(p->arena, m->size - at, &none, x));
		x->length = (uint32_t)EC_MIN((size_t)x->length, m->size - at);
		memcpy(arena_at(p->arena, *x), whole + at, x->length);
		at += x->length;
	}
	free(whole);
}

bool
peers_store(struct peers *p, unsigned n_rcpt, size_t size)
{
	uint32_t now = (uint32_t)(world_wall_us() / 1000000u);
	struct ledger *l = p->l;
	msgid ids[LEDGER_RCPTS + 1];
	struct letter *m;

	for (unsigned i = 0; i <= n_rcpt; i++) {
		ids[i] = id_source_next(&p->ids, now);
		if (ids[i] == MSGID_NONE) {
			return false;
		}
	}
	m = ledger_new(l);
	m->batch = ids[n_rcpt];
	m->n = n_rcpt;
	m->size = size;
	m->seq = p->next_seq++;
	snprintf(m->sender, sizeof m->sender, "s%u@sender%u.example", l->n - 1,
	    l->n % 3);
	for (unsigned i = 0; i < n_rcpt; i++) {
		m->r[i].id = ids[i];
		snprintf(m->r[i].addr, sizeof m->r[i].addr,
		    "r%u.%u@rcpt%u.example", l->n - 1, i,
		    (unsigned)(world_random() % 4));
	}
	make_body(p, m);
	say_store(p, m);
	return true;
}

static void
on_stored(struct peers *p, struct wire_r r)
{
	uint64_t seq = wire_u64(&r);
	unsigned result = wire_u8(&r);

	for (unsigned i = p->l->n; i-- > 0;) {
		struct letter *m = &p->l->letter[i];

		if (!m->own && !m->dropped && !m->answered && m->seq == seq) {
			m->answered = true;
			m->stored = result == STORED_OK;
			p->l->version++;
			if (!m->stored) {
				for (unsigned k = 0; k < m->n_ext; k++) {
					/* Given back by RELEASE. */
					m->ext[k].length = 0;
				}
			}
			return;
		}
	}
	ledger_fault(p->l, FAULT_CHANGED, "STORED of an unknown letter");
}

static void
on_lease(struct peers *p, struct wire_r r)
{
	uint16_t allocator = wire_u16(&r);
	uint32_t first = wire_u32(&r), last = wire_u32(&r);

	ledger_lease(p->l, allocator, first, last);
	id_source_lease(&p->ids, allocator, first, last);
}

static void
on_listener(struct peers *p, enum ipc_type type, struct wire_r r)
{
	if (type == IPC_STORED) {
		on_stored(p, r);
	} else if (type == IPC_LEASE) {
		on_lease(p, r);
	} else if (type == IPC_RELEASE) {
		while (wire_left(&r) > 0) {
			struct extent x = { .slab = wire_u32(&r) };

			x.offset = wire_u32(&r);
			x.length = wire_u32(&r);
			ec_assert(arena_give(p->arena, x));
		}
	}
}

/* The deliverer. */

static void
say_pull(struct peers *p, uint32_t queue)
{
	struct buf b;

	buf_init(&b, 16);
	wire_put_u32(&b, queue);
	wire_put_u32(&b, 4);
	say_buf(p, &p->w->deliverer, IPC_PULL, &b);
}

/* The bytes as they stand in the spooler's own mappings. */
static uint64_t
hash_pieces(struct peers *p, struct wire_r *r, uint64_t *size_out)
{
	XXH3_state_t *state = XXH3_createState();
	unsigned n = wire_u8(r);
	uint64_t hash;

	*size_out = 0;
	ec_assert(state != NULL);
	XXH3_64bits_reset(state);
	for (unsigned i = 0; i < n; i++) {
		struct piece x = { .handle = wire_u32(r) };
		const char *at;

		x.offset = wire_u32(r);
		x.length = wire_u32(r);
		at = slabs_at(&p->w->s->slabs, x);
		if (at != NULL) {
			XXH3_64bits_update(state, at, x.length);
			*size_out += x.length;
		}
	}
	hash = XXH3_64bits_digest(state);
	XXH3_freeState(state);
	return hash;
}

static void
hand_out(struct peers *p, struct held *h, unsigned i, uint64_t hash,
    uint64_t size)
{
	struct letter *m;
	struct rcpt *r = ledger_find(p->l, h->id[i], &m);

	if (r == NULL) {
		return;		/* a bounce that the logger reads of later */
	}
	if (r->final) {
		ledger_fault(p->l, FAULT_RESURRECTED, "%s has ended (%c) and "
		    "is handed out again", r->addr, r->said);
	}
	if (p->deliver_all && ++r->copies > 1) {
		ledger_fault(p->l, FAULT_TWICE, "%s", r->addr);
	}
	if (size != m->size || (m->body_hash != 0 && hash != m->body_hash)) {
		ledger_fault(p->l, FAULT_CHANGED, "the body of %s is another: "
		    "%llu bytes, not %zu", r->addr, (unsigned long long)size,
		    m->size);
	}
}

static void
on_work(struct peers *p, struct wire_r r)
{
	struct held *h = &p->held[p->n_held];
	uint64_t hash, size, said;

	ec_assert(p->n_held < PEERS_WORKS);
	memset(h, 0, sizeof *h);
	h->number = wire_u64(&r);
	wire_u32(&r);		/* queue, left, slot, flags */
	wire_u32(&r);
	wire_u16(&r);
	wire_u32(&r);
	said = wire_u64(&r);
	hash = hash_pieces(p, &r, &size);
	wire_slice(&r);		/* sender, envid */
	wire_slice(&r);
	h->n = wire_u16(&r);
	ec_assert(h->n > 0 && h->n <= LEDGER_RCPTS);
	p->n_held++;
	for (unsigned i = 0; i < h->n; i++) {
		h->id[i] = wire_u64(&r);
		wire_u8(&r);
		wire_slice(&r);
		wire_slice(&r);
		hand_out(p, h, i, hash, said == size ? size : UINT64_MAX);
	}
	ec_assert(!r.bad);
	if (p->deliver_all) {
		peers_outcome(p, h, "DDD");
	}
}

void
peers_outcome(struct peers *p, struct held *h, const char *kinds)
{
	static const uint8_t ip[16] = { [10] = 0xff, [11] = 0xff, 192, 0, 2, 1 };
	struct buf b;

	buf_init(&b, 1 << 16);
	wire_put_u64(&b, h->number);
	wire_put_u64(&b, 1);
	buf_append(&b, ip, sizeof ip);
	wire_put_u16(&b, 25);
	wire_put_slice(&b, SLICE("mx.example.net"));
	wire_put_u16(&b, (uint16_t)h->n);
	for (unsigned i = 0; i < h->n; i++) {
		struct letter *m;
		struct rcpt *r = ledger_find(p->l, h->id[i], &m);

		h->kind[i] = kinds[i];
		wire_put_u64(&b, h->id[i]);
		wire_put_u8(&b, (uint8_t)kinds[i]);
		wire_put_u8(&b, STAGE_CONFIRMATION);
		wire_put_u16(&b, kinds[i] == 'D' ? 250 : kinds[i] == 'T' ?
		    451 : 550);
		wire_put_slice(&b, SLICE("said the host"));
		if (r == NULL) {
			continue;
		}
		if (kinds[i] == 'T') {
			r->t_said = true;
		} else {
			r->said = kinds[i];
		}
	}
	h->said = true;
	say_buf(p, &p->w->deliverer, IPC_OUTCOME, &b);
}

static void
on_ack(struct peers *p, uint64_t number)
{
	for (unsigned i = 0; i < p->n_held; i++) {
		struct held *h = &p->held[i];

		if (h->number != number) {
			continue;
		}
		for (unsigned k = 0; k < h->n; k++) {
			struct letter *m;
			struct rcpt *r = ledger_find(p->l, h->id[k], &m);

			if (r != NULL && h->kind[k] != 'T') {
				ledger_end_durable(p->l, r);
			}
		}
		p->held[i] = p->held[--p->n_held];
		return;
	}
}

static void
on_deliverer(struct peers *p, enum ipc_type type, struct wire_r r)
{
	if (type == IPC_WORK) {
		on_work(p, r);
	} else if (type == IPC_READY) {
		say_pull(p, wire_u32(&r));
	} else if (type == IPC_OUTCOME_ACK) {
		on_ack(p, wire_u64(&r));
	}
}

/* The logger. */

void
peers_log_ack(struct peers *p)
{
	struct buf b;

	ledger_log_durable(p->l);
	buf_init(&b, 16);
	wire_put_u64(&b, p->l->acked);
	say_buf(p, &p->w->logger, IPC_LOG_ACK, &b);
}

static void
hear(void *arg, struct ipc_link *k, enum ipc_type type, struct slice body)
{
	struct peers *p = arg;
	struct wire_r r = wire_reader(body);
	struct event e;

	if (k == &p->w->listener) {
		on_listener(p, type, r);
	} else if (k == &p->w->deliverer) {
		on_deliverer(p, type, r);
	} else if (type == IPC_LOG_EVENT) {
		uint64_t position = wire_u64(&r);

		if (event_decode(slice_make(r.p, wire_left(&r)), &e)) {
			ledger_event(p->l, position, &e);
		} else {
			ledger_fault(p->l, FAULT_CHANGED, "malformed event");
		}
	}
}

static void
hello(struct peers *p, struct ipc_link *k, enum ipc_type type, uint64_t value,
    unsigned bits)
{
	struct buf b;

	buf_init(&b, 16);
	if (bits == 64) {
		wire_put_u64(&b, value);
	} else {
		wire_put_u32(&b, (uint32_t)value);
	}
	say_buf(p, k, type, &b);
}

void
peers_start(struct peers *p, struct world *w, struct ledger *l)
{
	uint32_t incarnation = p->incarnation + 1;

	if (p->arena != NULL) {
		arena_destroy(&p->arena);
	}
	*p = (struct peers){ .w = w, .l = l, .incarnation = incarnation,
		.next_seq = 1, .deliver_all = p->deliver_all };
	w->hear = hear;
	w->hear_arg = p;
	world_link(w, &w->logger, ROLE_LOGGER, incarnation);
	hello(p, &w->logger, IPC_LOG_HELLO, l->acked, 64);
	world_link(w, &w->listener, ROLE_LISTENER, incarnation);
	hello(p, &w->listener, IPC_STORE_HELLO, incarnation, 32);
	world_say(w, &w->listener, IPC_STORE_HELLO_END, SLICE(""), -1);
	p->arena = arena_create("crash-listener", ARENA_SLAB_BYTES * 2,
	    say_slab, p);
	world_link(w, &w->deliverer, ROLE_DELIVERER, incarnation);
	hello(p, &w->deliverer, IPC_WORK_HELLO, incarnation, 32);
	world_say(w, &w->deliverer, IPC_WORK_HELLO_END, SLICE(""), -1);
}
