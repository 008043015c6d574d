/* SPDX-License-Identifier: Apache-2.0 */
/* A deliverer's side: PULL, WORK, OUTCOME; what it holds it says again. */
#include "tests/spooler/rig.h"

#include <check.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "common/base/shm.h"

static struct lent *
lent_of(struct fake_deliverer *d, uint32_t handle)
{
	for (unsigned i = 0; i < RIG_SLABS; i++) {
		if (d->lent[i].map != NULL && !d->lent[i].gone &&
		    d->lent[i].handle == handle) {
			return &d->lent[i];
		}
	}
	return NULL;
}

static void
on_lend(struct fake_deliverer *d, struct ipc_msg *m)
{
	struct wire_r r = wire_reader(m->body);
	struct lent s = { .role = wire_u8(&r) };
	struct error err = { 0 };
	int fd = ipc_take_fd(m);

	s.index = wire_u8(&r);
	s.incarnation = wire_u32(&r);
	s.number = wire_u32(&r);
	s.size = wire_u64(&r);
	s.handle = wire_u32(&r);
	ck_assert(!r.bad && fd >= 0);
	ck_assert_ptr_null(lent_of(d, s.handle));
	s.map = shm_map(fd, s.size, false, true, &err);
	ck_assert_msg(s.map != NULL, "%s", err.text);
	close(fd);
	for (unsigned i = 0; i < RIG_SLABS; i++) {
		if (d->lent[i].map == NULL) {
			d->lent[i] = s;
			return;
		}
	}
	ck_abort_msg("too many slabs");
}

/* Nothing may stand here but what the listener wrote, or a bounce of ours. */
static void
check_body(struct fake_deliverer *d, const struct job *j)
{
	struct mail *m = rig_mail_of(d->rig, j->id[0]);
	size_t at = 0;

	if (j->map != NULL) {
		ck_assert(m != NULL && m->size == j->size);
		ck_assert(mail_is_whole(m->batch, 0, slice_make(j->map,
		    j->size)));
		return;
	}

	for (unsigned i = 0; i < j->n_pieces; i++) {
		struct slice s = j->piece[i].bytes;

		ck_assert(m == NULL || mail_is_whole(m->batch, at, s));
		at += s.len;
	}
	ck_assert_uint_eq(at, j->size);
	ck_assert(m == NULL || m->size == j->size);
}

static void
read_pieces(struct fake_deliverer *d, struct job *j, struct wire_r *r)
{
	unsigned n = wire_u8(r);

	ck_assert_uint_le(n, ARRAY_LEN(j->piece));
	for (unsigned i = 0; i < n; i++) {
		struct lent *s = lent_of(d, wire_u32(r));
		struct held_piece *h = &j->piece[i].at;

		ck_assert_ptr_nonnull(s);
		h->at.offset = wire_u32(r);
		h->at.length = wire_u32(r);
		ck_assert((uint64_t)h->at.offset + h->at.length <= s->size);
		h->role = s->role;
		h->index = s->index;
		h->incarnation = s->incarnation;
		h->slab = s->number;
		j->piece[i].bytes = slice_make(s->map + h->at.offset,
		    h->at.length);
	}
	j->n_pieces = n;
}

/* Open to be read and not to be written. */
static void
map_file(struct job *j, struct ipc_msg *m)
{
	int fd = ipc_take_fd(m);

	ck_assert(fd >= 0 && j->n_pieces == 0);
	ck_assert_int_eq(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	j->map = mmap(NULL, j->size, PROT_READ, MAP_SHARED, fd, 0);
	ck_assert_ptr_ne(j->map, MAP_FAILED);
	close(fd);
}

/* Its host has it, or may have it. */
static void
note_copy(struct fake_deliverer *d, msgid id, bool sure)
{
	struct mail *m = rig_mail_of(d->rig, id);

	for (unsigned i = 0; m != NULL && i < m->n_rcpt; i++) {
		if (m->id[i] == id && sure) {
			m->delivered |= 1u << i;
		} else if (m->id[i] == id) {
			m->doubtful |= 1u << i;
		}
	}
}

static bool
has_copy(struct fake_deliverer *d, msgid id)
{
	struct mail *m = rig_mail_of(d->rig, id);

	for (unsigned i = 0; m != NULL && i < m->n_rcpt; i++) {
		if (m->id[i] == id) {
			return (m->delivered >> i & 1) != 0;
		}
	}
	return false;
}

static void
set_stage(struct fake_deliverer *d, struct job *j, enum stage_point point,
    const char *kinds)
{
	struct stage_slot *t = &d->rig->h.stages->slot[d->index][j->slot];

	memset(t->accepted, 0, sizeof t->accepted);
	memset(t->remote_ip, 7, sizeof t->remote_ip);
	t->sent = j->size;
	for (unsigned i = 0; i < j->n; i++) {
		if (kinds[i] == 'D') {
			t->accepted[i / 8] |= (uint8_t)(1u << i % 8);
			if (point == STAGE_DOT || point == STAGE_ACCEPTED) {
				note_copy(d, j->id[i],
				    point == STAGE_ACCEPTED);
			}
		}
	}
	stage_set(t, j->number, point);
}

static void
on_work(struct fake_deliverer *d, struct ipc_msg *m)
{
	struct wire_r r = wire_reader(m->body);
	struct job *j = xcalloc(1, sizeof *j);
	bool known = false, twice = false;

	j->number = wire_u64(&r);
	j->queue = wire_u32(&r);
	wire_u32(&r);
	j->slot = wire_u16(&r);
	j->flags = wire_u32(&r);
	j->size = wire_u64(&r);
	read_pieces(d, j, &r);
	if (m->type == IPC_WORK_FILE) {
		map_file(j, m);
	}
	slice_copy(j->sender, sizeof j->sender, wire_slice(&r));
	wire_slice(&r);
	j->n = wire_u16(&r);
	ck_assert(!r.bad && j->n > 0 && j->n <= STAGE_RCPTS);
	for (unsigned i = 0; i < j->n; i++) {
		j->id[i] = wire_u64(&r);
		wire_u8(&r);
		slice_copy(j->rcpt[i], sizeof j->rcpt[i], wire_slice(&r));
		wire_slice(&r);
		/* At one deliverer, once. */
		for (unsigned o = 0; o < d->rig->n_deliverers; o++) {
			twice = twice || deliverer_job(
			    &d->rig->deliverer[o], j->id[i]) != NULL;
		}
		twice = twice || has_copy(d, j->id[i]);
	}
	ck_assert(!r.bad && wire_left(&r) == 0);
	ck_assert_msg(!twice, "handed out twice: %llx to deliverer %u as work "
	    "%llu; the log has T %u, D %u of it", (unsigned long long)j->id[0],
	    d->index, (unsigned long long)j->number, logger_count(d->rig,
	    j->id[0], 'T'), logger_count(d->rig, j->id[0], 'D'));
	for (unsigned i = 0; i < d->n_queues; i++) {
		known = known || d->queues[i] == j->queue;
	}
	ck_assert_msg(known, "WORK of an unknown queue");
	buf_init(&j->outcome, IPC_PACKET_MAX);
	list_push_back(&d->jobs, &j->link);
	d->n_jobs++;
	d->n_works++;
	check_body(d, j);
	stage_set(&d->rig->h.stages->slot[d->index][j->slot], j->number,
	    STAGE_NOTHING);
	if (d->on_work != NULL) {
		d->on_work(d, j);
	}
}

static void
job_free(struct fake_deliverer *d, struct job *j)
{
	list_remove(&j->link);
	buf_fini(&j->outcome);
	if (j->map != NULL) {
		munmap(j->map, j->size);
	}
	free(j);
	d->n_jobs--;
}

static void
say_pull(struct fake_deliverer *d, uint32_t queue)
{
	struct buf *b = ipc_begin(&d->link, IPC_PULL);

	wire_put_u32(b, queue);
	wire_put_u32(b, d->credit);
	ipc_end(&d->link);
}

static void
on_ready(struct fake_deliverer *d, struct wire_r r)
{
	uint32_t queue = wire_u32(&r);

	for (unsigned i = 0; i < d->n_queues; i++) {
		if (d->queues[i] == queue) {
			return;
		}
	}
	ck_assert_uint_lt(d->n_queues, ARRAY_LEN(d->queues));
	d->queues[d->n_queues++] = queue;
	if (d->credit > 0) {
		say_pull(d, queue);
	}
}

static void
on_ack(struct fake_deliverer *d, uint64_t number)
{
	list_each(n, tmp, &d->jobs) {
		struct job *j = list_entry(n, struct job, link);

		if (j->number == number) {
			ck_assert(j->told);
			job_free(d, j);
			return;
		}
	}
}

static void
on_gone(struct fake_deliverer *d, uint32_t queue)
{
	for (unsigned i = 0; i < d->n_queues; i++) {
		if (d->queues[i] == queue) {
			d->queues[i] = d->queues[--d->n_queues];
			return;
		}
	}
}

static void
on_message(void *arg, struct ipc_link *k, struct ipc_msg *m)
{
	struct fake_deliverer *d = arg;
	struct wire_r r = wire_reader(m->body);

	(void)k;
	if (m->type == IPC_LEND_SLAB) {
		on_lend(d, m);
	} else if (m->type == IPC_WORK || m->type == IPC_WORK_FILE) {
		on_work(d, m);
	} else if (m->type == IPC_READY) {
		on_ready(d, r);
	} else if (m->type == IPC_OUTCOME_ACK) {
		on_ack(d, wire_u64(&r));
	} else if (m->type == IPC_QUEUE_GONE) {
		on_gone(d, wire_u32(&r));
	} else {
		struct lent *s = lent_of(d, wire_u32(&r));

		ck_assert_int_eq(m->type, IPC_LEND_SLAB_GONE);
		ck_assert_ptr_nonnull(s);
		s->gone = true;	/* its bytes may be in use: see close */
	}
}

static void
on_down(void *arg, struct ipc_link *k, const char *why)
{
	struct fake_deliverer *d = arg;

	(void)why;
	ipc_link_close(k);
	d->up = false;
}

static void
say_held(struct fake_deliverer *d, const struct job *j)
{
	struct buf *b = ipc_begin(&d->link, IPC_WORK_HELD);

	wire_put_u64(b, j->number);
	wire_put_u16(b, j->slot);
	wire_put_u16(b, (uint16_t)j->n);
	for (unsigned i = 0; i < j->n; i++) {
		wire_put_u64(b, j->id[i]);
	}
	wire_put_u8(b, (uint8_t)j->n_pieces);
	for (unsigned i = 0; i < j->n_pieces; i++) {
		const struct held_piece *h = &j->piece[i].at;

		wire_put_u8(b, h->role);
		wire_put_u8(b, h->index);
		wire_put_u32(b, h->incarnation);
		wire_put_u32(b, h->slab);
		wire_put_u32(b, h->at.offset);
		wire_put_u32(b, h->at.length);
	}
	ipc_end(&d->link);
}

static void
say_outcome(struct fake_deliverer *d, const struct job *j)
{
	struct buf *b = ipc_begin(&d->link, IPC_OUTCOME);

	buf_add(b, buf_slice(&j->outcome));
	ipc_end(&d->link);
}

void
deliverer_link(struct fake_deliverer *d)
{
	struct buf *b;

	rig_connect(d->rig, &d->link, ROLE_DELIVERER, d->index, d->incarnation,
	    on_message, on_down, d);
	d->up = true;
	d->n_queues = 0;
	for (unsigned i = 0; i < RIG_SLABS; i++) {
		d->lent[i].gone = true;	/* handles were the other spooler's */
	}
	b = ipc_begin(&d->link, IPC_WORK_HELLO);
	wire_put_u32(b, d->incarnation);
	ipc_end(&d->link);
	list_each(n, tmp, &d->jobs) {
		struct job *j = list_entry(n, struct job, link);

		if (j->told) {
			say_outcome(d, j);
		} else {
			say_held(d, j);
		}
	}
	ipc_say(&d->link, IPC_WORK_HELLO_END);
}

void
deliverer_unlink(struct fake_deliverer *d)
{
	if (d->up) {
		ipc_link_close(&d->link);
		d->up = false;
	}
}

void
deliverer_open(struct rig *r, unsigned i, uint32_t credit)
{
	struct fake_deliverer *d = &r->deliverer[i];

	memset(d, 0, sizeof *d);
	d->rig = r;
	d->index = i;
	d->incarnation = 1;
	d->credit = credit;
	list_init(&d->jobs);
	deliverer_link(d);
}

void
deliverer_close(struct fake_deliverer *d)
{
	deliverer_unlink(d);
	while (!list_is_empty(&d->jobs)) {
		job_free(d, deliverer_first(d));
	}
	for (unsigned i = 0; i < RIG_SLABS; i++) {
		if (d->lent[i].map != NULL) {
			munmap(d->lent[i].map, d->lent[i].size);
			d->lent[i].map = NULL;
		}
	}
}

static void
say_dead(struct rig *r, unsigned index, uint32_t incarnation, bool crashed)
{
	struct buf *b = ipc_begin(&r->h.control, IPC_SUP_PEER_DEAD);

	wire_put_u8(b, ROLE_DELIVERER);
	wire_put_u8(b, (uint8_t)index);
	wire_put_u32(b, incarnation);
	wire_put_u8(b, crashed);
	ipc_end(&r->h.control);
}

void
deliverer_leave(struct fake_deliverer *d)
{
	uint32_t was = d->incarnation;

	deliverer_close(d);
	d->incarnation = was + 1;
	say_dead(d->rig, d->index, was, false);
	deliverer_link(d);
}

void
deliverer_die(struct fake_deliverer *d, bool told_first)
{
	uint32_t was = d->incarnation;

	deliverer_close(d);
	d->incarnation = was + 1;
	if (told_first) {
		say_dead(d->rig, d->index, was, true);
	}
	deliverer_link(d);
	if (!told_first) {
		say_dead(d->rig, d->index, was, true);
	}
}

struct job *
deliverer_first(struct fake_deliverer *d)
{
	struct list_node *n = list_first(&d->jobs);

	return n == NULL ? NULL : list_entry(n, struct job, link);
}

struct job *
deliverer_job(struct fake_deliverer *d, msgid id)
{
	if (d->jobs.next == NULL) {
		return NULL;
	}
	list_each(n, tmp, &d->jobs) {
		struct job *j = list_entry(n, struct job, link);

		for (unsigned i = 0; !j->told && i < j->n; i++) {
			if (j->id[i] == id) {
				return j;
			}
		}
	}
	return NULL;
}

void
job_outcome(struct fake_deliverer *d, struct job *j, const char *kinds)
{
	static const uint8_t ip[16] = { [10] = 0xff, [11] = 0xff, 192, 0, 2, 1 };
	struct buf *b = &j->outcome;

	ck_assert(!j->told);
	ck_assert_uint_eq(strlen(kinds), j->n);
	wire_put_u64(b, j->number);
	wire_put_u64(b, j->size);
	buf_append(b, ip, sizeof ip);
	wire_put_u16(b, 25);
	wire_put_slice(b, SLICE("mx.example.net"));
	wire_put_u16(b, (uint16_t)j->n);
	for (unsigned i = 0; i < j->n; i++) {
		char k = kinds[i];

		wire_put_u64(b, j->id[i]);
		wire_put_u8(b, (uint8_t)k);
		wire_put_u8(b, STAGE_CONFIRMATION);
		wire_put_u16(b, k == 'D' ? 250 : k == 'T' ? 451 : 550);
		wire_put_slice(b, k == 'D' ? SLICE("") : k == 'T' ?
		    SLICE("451 4.2.0 later") : SLICE("550 5.1.1 nobody"));
	}
	set_stage(d, j, strchr(kinds, 'D') != NULL ? STAGE_ACCEPTED :
	    STAGE_REFUSED, kinds);
	/* It needs the bytes no more. */
	j->n_pieces = 0;
	j->told = true;
	if (d->up) {
		say_outcome(d, j);
	}
}

void
job_stage(struct fake_deliverer *d, struct job *j, enum stage_point point)
{
	char kinds[STAGE_RCPTS + 1] = "";

	memset(kinds, 'D', j->n);
	set_stage(d, j, point, kinds);
}

void
job_stage_of(struct fake_deliverer *d, struct job *j, enum stage_point point,
    const char *kinds)
{
	set_stage(d, j, point, kinds);
}

static void
all_of(struct fake_deliverer *d, struct job *j, char kind)
{
	char kinds[STAGE_RCPTS + 1] = "";

	memset(kinds, kind, j->n);
	job_outcome(d, j, kinds);
}

void
job_deliver(struct fake_deliverer *d, struct job *j)
{
	all_of(d, j, 'D');
}

void
job_defer(struct fake_deliverer *d, struct job *j)
{
	all_of(d, j, 'T');
}

void
job_refuse(struct fake_deliverer *d, struct job *j)
{
	all_of(d, j, 'P');
}
