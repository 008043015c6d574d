/* SPDX-License-Identifier: Apache-2.0 */
/* READY, PULL, WORK, OUTCOME, lent memory; a new spooler. */
#include "deliverer/spool_client.h"

#include <sys/mman.h>

#include "common/base/fdio.h"
#include "common/base/log.h"
#include "common/base/shm.h"
#include "deliverer/conn_pool.h"
#include "deliverer/deliverer.h"
#include "deliverer/lane.h"

#define SLAB_MAX_BYTES (1ull << 32)	/* offsets have 32 bits */
#define FREE_WORK_BYTES 16384u	/* a free work keeps no larger buffers */

void
spool_client_init(struct spool_client *s)
{
	*s = (struct spool_client){ .link = NULL };
	table_init(&s->works);
	table_init(&s->slabs);
	list_init(&s->free_works);
}

static void
slab_drop(struct slab *s)
{
	if (s->gone && s->refs == 0) {
		munmap((void *)(uintptr_t)s->map, s->size);
		free(s);
	}
}

static void
on_lend(struct deliverer *d, struct ipc_link *k, struct ipc_msg *m)
{
	struct wire_r r = wire_reader(m->body);
	struct slab s = { 0 }, *own;
	struct error err = { 0 };
	uint64_t size;
	int fd = ipc_take_fd(m);

	s.role = wire_u8(&r);
	s.index = wire_u8(&r);
	s.incarnation = wire_u32(&r);
	s.number = wire_u32(&r);
	size = wire_u64(&r);
	s.handle = wire_u32(&r);
	if (r.bad || wire_left(&r) > 0 || fd < 0 || size == 0 ||
	    size > SLAB_MAX_BYTES || table_get(&d->spool.slabs,
	    slice_make(&s.handle, sizeof s.handle)) != NULL) {
		fdio_close(&fd);
		worker_bad_peer(d->worker, k, "malformed LEND_SLAB");
		return;
	}
	s.size = (size_t)size;
	s.map = shm_map(fd, s.size, false, true, &err);
	fdio_close(&fd);
	if (s.map == NULL) {
		worker_bad_peer(d->worker, k, err.text);
		return;
	}
	own = xmalloc(sizeof *own);
	*own = s;
	table_put(&d->spool.slabs, &own->node, slice_make(&own->handle,
	    sizeof own->handle));
}

static void
on_lend_gone(struct deliverer *d, struct ipc_link *k, struct wire_r r)
{
	uint32_t handle = wire_u32(&r);
	struct table_node *n = table_get(&d->spool.slabs, slice_make(&handle,
	    sizeof handle));
	struct slab *s;

	if (r.bad || n == NULL) {
		worker_bad_peer(d->worker, k, "malformed LEND_SLAB_GONE");
		return;
	}
	s = list_entry(n, struct slab, node);
	table_remove(&d->spool.slabs, n);
	s->gone = true;
	slab_drop(s);
}

static struct lane *
queue_of(const struct spool_client *s, uint32_t number)
{
	return number < s->cap_queues ? s->queues[number] : NULL;
}

static void
set_queue(struct spool_client *s, uint32_t number, struct lane *q)
{
	if (number >= s->cap_queues) {
		uint32_t cap = EC_MAX(s->cap_queues, 64u);

		while (cap <= number) {
			cap *= 2;
		}
		s->queues = xrealloc(s->queues, cap * sizeof(struct lane *));
		memset(s->queues + s->cap_queues, 0,
		    (cap - s->cap_queues) * sizeof(struct lane *));
		s->cap_queues = cap;
	}
	s->queues[number] = q;
}

static void
on_ready(struct deliverer *d, struct ipc_link *k, struct wire_r r)
{
	uint32_t number = wire_u32(&r), active = wire_u32(&r);
	struct slice domain = wire_slice(&r), group = wire_slice(&r);
	struct slice binding = wire_slice(&r);
	struct lane *q;

	/* Row 0 is the server's, so no queue has that number. */
	if (r.bad || wire_left(&r) > 0 || number == 0 ||
	    number >= BUDGET_ROWS || domain.len > LANE_NAME_MAX ||
	    group.len > LANE_NAME_MAX || binding.len > LANE_NAME_MAX) {
		worker_bad_peer(d->worker, k, "malformed READY");
		return;
	}
	q = queue_of(&d->spool, number);
	if (q == NULL) {
		q = lane_get(d, domain, group, binding);
		if (q->number != 0) {
			worker_bad_peer(d->worker, k,
			    "READY names one queue by two numbers");
			return;
		}
		set_queue(&d->spool, number, q);
		lane_named(d, q, number);
	}
	lane_ready(d, q, active);
}

static void
on_queue_gone(struct deliverer *d, struct ipc_link *k, struct wire_r r)
{
	uint32_t number = wire_u32(&r);
	struct lane *q = r.bad ? NULL : queue_of(&d->spool, number);

	if (q == NULL) {
		/* It went before it was ever ready here. */
		return;
	}
	(void)k;
	d->spool.queues[number] = NULL;
	lane_unnamed(d, q, true);
}

/* If reading it ends us, that is known. */
static void
about_to_read(struct deliverer *d, struct slice body)
{
	struct wire_r r = wire_reader(body);
	uint64_t number = wire_u64(&r);

	if (!r.bad) {
		stage_set(&d->stages[number & (STAGE_SLOTS - 1)], number,
		    STAGE_BEGUN);
	}
}

static void
on_work(struct deliverer *d, struct ipc_link *k, struct ipc_msg *m)
{
	struct spool_client *s = &d->spool;
	struct list_node *n = list_pop_front(&s->free_works);
	struct work *w = n != NULL ? list_entry(n, struct work, link) :
	    work_create();
	struct work_head head;
	int fd = m->type == IPC_WORK_FILE ? ipc_take_fd(m) : -1;
	enum work_status st;
	struct lane *q;

	about_to_read(d, m->body);
	st = m->type == IPC_WORK_FILE && fd < 0 ? WORK_NO_FILE :
	    work_decode(w, m->body, fd, &s->slabs, &head);
	if (st != WORK_OK) {
		fdio_close(&fd);
		list_push_front(&s->free_works, &w->link);
		worker_bad_peer(d->worker, k, work_status_text(st));
		return;
	}
	q = queue_of(s, head.queue);
	if (q == NULL || table_get(&s->works, slice_make(&w->number,
	    sizeof w->number)) != NULL) {
		for (size_t i = 0; i < w->n_extents; i++) {
			w->extent[i].slab->refs--;
		}
		work_close_file(w);
		list_push_front(&s->free_works, &w->link);
		worker_bad_peer(d->worker, k, q == NULL ?
		    "WORK of an unknown queue" : "the same WORK twice");
		return;
	}
	table_put(&s->works, &w->node, slice_make(&w->number,
	    sizeof w->number));
	s->n_held++;
	w->queue = q;
	spool_stage(d, w, STAGE_NOTHING, NULL);
	lane_work(d, q, w, head.left);
}

/* For the next one.  Few are large, and all might become so in time. */
static void
keep_work(struct spool_client *s, struct work *w)
{
	if (w->bytes.cap + w->outcome.cap + w->mail.texts.cap >
	    FREE_WORK_BYTES) {
		work_destroy(&w);
	} else {
		list_push_front(&s->free_works, &w->link);
	}
}

static void
on_ack(struct deliverer *d, struct ipc_link *k, struct wire_r r)
{
	uint64_t number = wire_u64(&r);
	struct table_node *n = table_get(&d->spool.works, slice_make(&number,
	    sizeof number));
	struct work *w = n == NULL ? NULL : list_entry(n, struct work, node);

	if (r.bad || (w != NULL && w->state != WORK_TOLD)) {
		worker_bad_peer(d->worker, k, "OUTCOME_ACK of no outcome");
		return;
	}
	if (w == NULL) {
		return;		/* told to two spoolers, known by both */
	}
	table_remove(&d->spool.works, n);
	keep_work(&d->spool, w);
	d->spool.n_told--;
}

void
spool_message(struct deliverer *d, struct ipc_link *k, struct ipc_msg *m)
{
	struct wire_r r = wire_reader(m->body);

	if (m->type == IPC_WORK || m->type == IPC_WORK_FILE) {
		on_work(d, k, m);
	} else if (m->type == IPC_OUTCOME_ACK) {
		on_ack(d, k, r);
	} else if (m->type == IPC_READY) {
		on_ready(d, k, r);
	} else if (m->type == IPC_LEND_SLAB) {
		on_lend(d, k, m);
	} else if (m->type == IPC_LEND_SLAB_GONE) {
		on_lend_gone(d, k, r);
	} else if (m->type == IPC_QUEUE_GONE) {
		on_queue_gone(d, k, r);
	}
}

void
spool_pull(struct deliverer *d, const struct lane *q, uint32_t credit)
{
	struct buf *b;

	if (d->spool.link == NULL || q->number == 0) {
		return;
	}
	b = ipc_begin(d->spool.link, IPC_PULL);
	wire_put_u32(b, q->number);
	wire_put_u32(b, credit);
	ipc_end(d->spool.link);
}

static void
say_outcome(struct ipc_link *k, const struct work *w)
{
	struct buf *b = ipc_begin(k, IPC_OUTCOME);

	buf_add(b, buf_slice(&w->outcome));
	ipc_end(k);
}

static void
count_results(struct deliverer *d, const struct work *w, uint64_t sent)
{
	uint64_t delivered = 0, transient = 0, permanent = 0;

	for (uint32_t i = 0; i < w->mail.n_rcpt; i++) {
		unsigned kind = w->mail.rcpt[i].result.kind;

		delivered += kind == EVENT_DELIVERY;
		transient += kind == EVENT_TRANSIENT;
		permanent += kind == EVENT_PERMANENT;
	}
	score_add(d->score, SCORE_D_DELIVERED, delivered);
	score_add(d->score, SCORE_D_TRANSIENT, transient);
	score_add(d->score, SCORE_D_PERMANENT, permanent);
	score_add(d->score, SCORE_D_BYTES, sent);
}

void
spool_outcome(struct deliverer *d, struct work *w,
    const struct work_remote *remote)
{
	ec_assert(w->state != WORK_TOLD);
	work_encode_outcome(w, remote);
	count_results(d, w, remote->sent);
	for (size_t i = 0; i < w->n_extents; i++) {
		w->extent[i].slab->refs--;
		slab_drop(w->extent[i].slab);
	}
	w->n_extents = 0;
	work_close_file(w);
	w->state = WORK_TOLD;
	d->spool.n_held--;
	d->spool.n_told++;
	lane_work_ended(d, w->queue);
	w->queue = NULL;
	if (d->spool.link != NULL) {
		say_outcome(d->spool.link, w);
	}
}

void
spool_stage(struct deliverer *d, const struct work *w, enum stage_point point,
    const struct work_remote *remote)
{
	struct stage_slot *s = &d->stages[w->slot];

	if (point == STAGE_DOT) {
		memset(s->accepted, 0, sizeof s->accepted);
		for (uint32_t i = 0; i < w->mail.n_rcpt; i++) {
			if (w->mail.rcpt[i].accepted) {
				s->accepted[i / 8] |= (uint8_t)(1u << i % 8);
			}
		}
		memcpy(s->remote_ip, remote->ip, sizeof s->remote_ip);
		s->sent = remote->sent;
	}
	stage_set(s, w->number, point);
}

void
spool_waits(struct deliverer *d, const struct work *w)
{
	if (stage_get(&d->stages[w->slot], w->number) == STAGE_BEGUN) {
		spool_stage(d, w, STAGE_NOTHING, NULL);
	}
}

void
spool_link_up(struct deliverer *d, struct ipc_link *k)
{
	struct table_node *n = NULL;
	struct buf *b;
	size_t at = 0;

	d->spool.link = k;
	b = ipc_begin(k, IPC_WORK_HELLO);
	wire_put_u32(b, worker_incarnation(d->worker));
	ipc_end(k);
	while ((n = table_next(&d->spool.works, &at, n)) != NULL) {
		struct work *w = list_entry(n, struct work, node);

		if (w->state == WORK_TOLD) {
			say_outcome(k, w);
			continue;
		}
		b = ipc_begin(k, IPC_WORK_HELD);
		work_encode_held(w, b);
		ipc_end(k);
	}
	ipc_say(k, IPC_WORK_HELLO_END);
}

/* Numbers and handles were that spooler's; bytes that works use stay. */
void
spool_link_down(struct deliverer *d)
{
	struct spool_client *s = &d->spool;
	struct table_node *n, *next;
	size_t at = 0;

	s->link = NULL;
	for (uint32_t i = 0; i < s->cap_queues; i++) {
		if (s->queues[i] != NULL) {
			struct lane *q = s->queues[i];

			s->queues[i] = NULL;
			lane_unnamed(d, q, false);
		}
	}
	for (n = table_next(&s->slabs, &at, NULL); n != NULL; n = next) {
		struct slab *slab = list_entry(n, struct slab, node);

		next = table_next(&s->slabs, &at, n);
		table_remove(&s->slabs, n);
		slab->gone = true;
		slab_drop(slab);
	}
}
