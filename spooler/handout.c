/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mail on its way to deliverers.
 *
 *	queue has mail --READY--> home deliverer (several when it is long)
 *	PULL(credit)   --> handout_peer.c: queue runnable while credit >
 *	                   transactions out
 *	WORK           --> transaction out, messages in flight
 *	OUTCOME        --> outcome.c; the slot is free after its ack
 */
#include "spooler/spooler.h"

#include "common/base/wire.h"
#include "spooler/suspects.h"

#define WORKS_PER_QUEUE 16u	/* then the next queue's turn */
#define WORKS_PER_TURN 512u
#define WORK_BYTES (48u << 10)	/* recipients in one packet */
#define EXPIRE_PER_QUEUE 500u	/* looked at, four times a second */
#define EXPIRE_PER_TICK 50000u
#define SHARE_ABOVE 1000u	/* active: offered to every deliverer */

static bool
can_work(const struct spooler *s, unsigned i)
{
	const struct deliverer_peer *d = &s->deliverers[i];

	return d->link != NULL && d->spoken && !d->dying && d->n_free > 0 &&
	    !suspects_have(s, i);
}

/* The first of the queue's deliverers, from its home on, for which fn holds;
 * -1 if none. */
static int
pick(struct spooler *s, struct queue *q, bool need_credit)
{
	for (unsigned i = 0; i < SPOOLER_DELIVERERS; i++) {
		unsigned d = (q->hh.hashv + i) % SPOOLER_DELIVERERS;

		if (can_work(s, d) && (!need_credit || q->credit[d] > q->out[d])) {
			return (int)d;
		}
	}
	return -1;
}

void
handout_wake(struct spooler *s, struct queue *q)
{
	if (q->n_active == 0 || q->suspended || !s->started_handout) {
		return;
	}
	if (pick(s, q, true) >= 0) {
		if (list_is_empty(&q->runnable)) {
			list_push_back(&s->runnable, &q->runnable);
		}
	} else if ((q->announced == 0 ||
	    q->n_active > 2 * q->told_active + 1) && list_is_empty(&q->told)) {
		list_push_back(&s->to_tell, &q->told);
	}
}

static void
tell(struct spooler *s, struct queue *q, unsigned d)
{
	struct buf *b = ipc_begin(s->deliverers[d].link, IPC_READY);

	wire_put_u32(b, q->number);
	wire_put_u32(b, q->n_active);
	wire_put_slice(b, q->domain);
	wire_put_slice(b, q->group);
	wire_put_slice(b, q->binding);
	ipc_end(s->deliverers[d].link);
	q->announced |= (uint16_t)(1u << d);
	q->known |= (uint16_t)(1u << d);
	q->told_active = q->n_active;
}

static void
tell_all(struct spooler *s)
{
	struct list_node *n;

	while ((n = list_pop_front(&s->to_tell)) != NULL) {
		struct queue *q = list_entry(n, struct queue, told);
		int home = pick(s, q, false);

		if (q->n_active == 0 || q->suspended || home < 0) {
			continue;	/* a deliverer that comes wakes it */
		}
		tell(s, q, (unsigned)home);
		for (unsigned d = 0; q->n_active > SHARE_ABOVE &&
		    d < SPOOLER_DELIVERERS; d++) {
			if ((int)d != home && can_work(s, d)) {
				tell(s, q, d);
			}
		}
	}
}

static void
lend(struct spooler *s, unsigned d, uint32_t handle)
{
	struct slab *b = s->slabs.slab[handle];
	struct buf body;

	if ((b->lent >> d & 1) != 0) {
		return;
	}
	b->lent |= 1u << d;
	buf_init(&body, 64);
	wire_put_u8(&body, b->role);
	wire_put_u8(&body, b->index);
	wire_put_u32(&body, b->incarnation);
	wire_put_u32(&body, b->number);
	wire_put_u64(&body, b->size);
	wire_put_u32(&body, handle);
	ipc_send_fd(s->deliverers[d].link, IPC_LEND_SLAB, buf_slice(&body),
	    &b->fd, 1);
	buf_fini(&body);
}

void
handout_slab_gone(void *arg, uint32_t handle, uint32_t lent)
{
	struct spooler *s = arg;

	for (unsigned d = 0; d < SPOOLER_DELIVERERS; d++) {
		struct buf *b;

		if ((lent >> d & 1) == 0 || s->deliverers[d].link == NULL) {
			continue;
		}
		b = ipc_begin(s->deliverers[d].link, IPC_LEND_SLAB_GONE);
		wire_put_u32(b, handle);
		ipc_end(s->deliverers[d].link);
	}
}

static struct work *
work_new(struct spooler *s, unsigned d, struct queue *q, struct txn *x)
{
	struct deliverer_peer *p = &s->deliverers[d];
	struct work *w = xcalloc(1, sizeof *w);

	w->slot = p->free_slots[--p->n_free];
	w->number = s->next_work++ << WORK_SLOT_BITS | w->slot;
	w->deliverer = (uint8_t)d;
	w->queue = q->number;
	w->txn = x->slot;
	w->msgs = xmalloc(s->set.max_batch * sizeof *w->msgs);
	p->by_slot[w->slot] = w;
	list_push_back(&p->works, &w->link);
	p->n_works++;
	q->out[d]++;
	x->holds++;
	return w;
}

static void
put_work(struct spooler *s, const struct work *w, const struct queue *q,
    const struct txn *x, struct buf *b)
{
	wire_put_u64(b, w->number);
	wire_put_u32(b, q->number);
	wire_put_u32(b, q->n_active);
	wire_put_u16(b, w->slot);
	wire_put_u32(b, x->flags);
	wire_put_u64(b, x->size);
	wire_put_u8(b, (uint8_t)x->n_pieces);
	for (unsigned i = 0; i < x->n_pieces; i++) {
		wire_put_u32(b, x->pieces[i].handle);
		wire_put_u32(b, x->pieces[i].offset);
		wire_put_u32(b, x->pieces[i].length);
	}
	wire_put_slice(b, x->sender);
	wire_put_slice(b, x->envid);
	wire_put_u16(b, w->n);
	for (unsigned i = 0; i < w->n; i++) {
		struct recipient t;

		ec_assert(txn_recipient(x, index_at(&s->index,
		    w->msgs[i])->rcpt_at, &t));
		wire_put_u64(b, t.id);
		wire_put_u8(b, t.notify);
		wire_put_slice(b, t.addr);
		wire_put_slice(b, t.orcpt);
	}
}

/* Says the WORK whose messages are chosen. */
static void
say_work(struct spooler *s, struct work *w, struct queue *q, struct txn *x)
{
	struct ipc_link *k = s->deliverers[w->deliverer].link;
	struct buf apart;

	q->told_active = q->n_active;
	if (x->n_pieces == 0 && x->fd >= 0) {
		buf_init(&apart, IPC_BODY_MAX);
		put_work(s, w, q, x, &apart);
		ec_assert(!apart.full);
		ipc_send_fd(k, IPC_WORK_FILE, buf_slice(&apart), &x->fd, 1);
		buf_fini(&apart);
		return;
	}
	for (unsigned i = 0; i < x->n_pieces; i++) {
		lend(s, w->deliverer, x->pieces[i].handle);
	}
	put_work(s, w, q, x, ipc_begin(k, IPC_WORK));
	ipc_end(k);
}

/* The head of the queue and those of the same body behind it. */
static void
give_work(struct spooler *s, struct queue *q, unsigned d, struct txn *x)
{
	struct work *w = work_new(s, d, q, x);
	size_t bytes = 0;

	msgid ids[STAGE_RCPTS];

	while (q->head != 0 && w->n < s->set.max_batch) {
		struct msg *m = index_at(&s->index, q->head);
		uint32_t slot = q->head;
		struct recipient t;

		if (m->txn != x->slot || !txn_recipient(x, m->rcpt_at, &t) ||
		    (w->n > 0 && bytes + t.addr.len + t.orcpt.len + 16 >
		    WORK_BYTES)) {
			break;
		}
		bytes += t.addr.len + t.orcpt.len + 16;
		queue_take(&s->queues, slot);
		queue_flight(&s->queues, slot, MSG_FLIGHT);
		ids[w->n] = t.id;
		w->msgs[w->n++] = slot;
	}
	/* First this, or a death of all of us makes its stage mean nothing. */
	stage_work_set(worker_stages(s->w), d, w->slot, w->number, ids, w->n);
	say_work(s, w, q, x);
}

void
handout_place(struct spooler *s, uint32_t slot, bool front)
{
	struct msg *m = index_at(&s->index, slot);

	if (m->deaths >= MSG_SUSPECTED) {
		suspects_add(s, slot, front);
	} else {
		queue_push(&s->queues, slot, front);
		handout_wake(s, queue_at(&s->queues, m->queue));
	}
}

/* Its body is not in memory: it waits until a reader brought it. */
static bool
load_apart(struct spooler *s, uint32_t slot, struct txn *x)
{
	if ((x == NULL || !x->loading) && !loader_start(s, x, slot)) {
		return false;
	}
	queue_flight(&s->queues, slot, MSG_LOADING);
	if (x != NULL) {
		index_at(&s->index, slot)->next = x->wait_head;
		x->wait_head = slot;
	}
	return true;
}

struct work *
handout_alone(struct spooler *s, uint32_t slot, unsigned d)
{
	struct msg *m = index_at(&s->index, slot);
	struct queue *q = queue_at(&s->queues, m->queue);
	struct txn *x = handout_txn(s, m);
	msgid id = m->id;
	struct work *w;

	if (x == NULL || !txn_is_resident(x)) {
		if (!load_apart(s, slot, x)) {
			suspects_add(s, slot, true);
		}
		return NULL;
	}
	if ((q->known >> d & 1) == 0) {
		tell(s, q, d);
	}
	w = work_new(s, d, q, x);
	queue_flight(&s->queues, slot, MSG_FLIGHT);
	w->msgs[w->n++] = slot;
	stage_work_set(worker_stages(s->w), d, w->slot, w->number, &id, 1);
	say_work(s, w, q, x);
	return w;
}

/* The head's body is not in memory: it waits apart while a reader works.
 * False when no reader is free. */
static bool
load_head(struct spooler *s, struct queue *q, struct txn *x)
{
	uint32_t slot = q->head;

	queue_take(&s->queues, slot);
	if (!load_apart(s, slot, x)) {
		queue_push(&s->queues, slot, true);
		return false;
	}
	return true;
}

struct txn *
handout_txn(struct spooler *s, struct msg *m)
{
	struct txn *x = m->txn != 0 ? txn_at(&s->txns, m->txn) : NULL;

	if (x != NULL && !txn_is_resident(x) && x->epoch == 0 && !x->loading) {
		/* Settled meanwhile, and its body has left memory: the files
		 * have all of it. */
		m->txn = 0;
		x->refs--;
		txn_put(&s->txns, x);
		x = NULL;
	}
	return x;
}

/* As much of one queue as credit and fairness allow; true if more is left that
 * could go now. */
static bool
run_queue(struct spooler *s, struct queue *q, unsigned *budget)
{
	for (unsigned i = 0; i < WORKS_PER_QUEUE && *budget > 0; i++) {
		int d = pick(s, q, true);
		struct txn *x;
		struct msg *m;

		if (q->head == 0 || q->suspended || d < 0) {
			return false;
		}
		m = index_at(&s->index, q->head);
		x = handout_txn(s, m);
		if (outcome_is_expired(s, m)) {
			uint32_t slot = q->head;

			queue_take(&s->queues, slot);
			outcome_end(s, slot);
		} else if (x == NULL || !txn_is_resident(x)) {
			if (!load_head(s, q, x)) {
				list_push_back(&s->load_wait, &q->runnable);
				return false;
			}
		} else {
			give_work(s, q, (unsigned)d, x);
		}
		(*budget)--;
	}
	return q->head != 0;
}

void
handout_reader_free(struct spooler *s)
{
	struct list_node *n;

	while ((n = list_pop_front(&s->load_wait)) != NULL) {
		list_push_back(&s->runnable, n);
	}
}

void
handout_run(struct spooler *s)
{
	unsigned budget = WORKS_PER_TURN;
	struct list_node again, *n;

	if (!s->started_handout) {
		return;
	}
	suspects_run(s);
	list_init(&again);
	while (budget > 0 && (n = list_pop_front(&s->runnable)) != NULL) {
		struct queue *q = list_entry(n, struct queue, runnable);

		if (run_queue(s, q, &budget)) {
			list_push_back(&again, &q->runnable);
		}
	}
	while ((n = list_pop_front(&again)) != NULL) {
		list_push_back(&s->runnable, n);
	}
	if (!list_is_empty(&s->runnable)) {
		loop_again(s->loop);
	}
	tell_all(s);
}

/* The next messages of a suspended queue; where it stopped is kept. */
static void
expire_some(struct spooler *s, struct queue *q, unsigned *budget)
{
	uint32_t slot = q->looked_at;

	/* That one may have left the list meanwhile. */
	if (slot == 0 || slot >= s->index.msgs.fresh ||
	    index_at(&s->index, slot)->state != MSG_ACTIVE ||
	    index_at(&s->index, slot)->queue != q->number) {
		slot = q->head;
	}
	for (; slot != 0 && *budget > 0; (*budget)--) {
		struct msg *m = index_at(&s->index, slot);
		uint32_t next = m->next;

		if (outcome_is_expired(s, m)) {
			queue_take(&s->queues, slot);
			outcome_end(s, slot);
		}
		slot = next;
	}
	q->looked_at = slot;
}

void
handout_expire(struct spooler *s)
{
	unsigned budget = EXPIRE_PER_TICK;
	struct queue *q, *tmp;

	if (s->queues.n_suspended == 0 || !s->started_handout) {
		return;
	}
	HASH_ITER(hh, s->queues.by_key, q, tmp) {
		unsigned own = EXPIRE_PER_QUEUE;

		if (q->suspended && q->n_active > 0 && budget >= own) {
			budget -= own;
			expire_some(s, q, &own);
			budget += own;
		}
	}
}

void
handout_release(struct spooler *s, struct work *w)
{
	struct txn *x;

	held_release(s, w);
	if (w->txn != 0) {
		x = txn_at(&s->txns, w->txn);
		w->txn = 0;
		x->holds--;
		txn_put(&s->txns, x);
	}
}

void
handout_end(struct spooler *s, struct work *w)
{
	struct deliverer_peer *p = &s->deliverers[w->deliverer];
	struct stage_table *t = worker_stages(s->w);

	handout_release(s, w);
	if (stage_work(t, w->deliverer, w->slot) == w->number) {
		stage_work_clear(t, w->deliverer, w->slot);
	}
	if (w->queue != 0 && queue_is(&s->queues, w->queue)) {
		struct queue *q = queue_at(&s->queues, w->queue);

		if (q->out[w->deliverer] > 0) {
			q->out[w->deliverer]--;
		}
		handout_wake(s, q);
	}
	list_remove(&w->link);
	p->n_works--;
	p->by_slot[w->slot] = NULL;
	if (p->spoken) {	/* else its hello's end counts the free ones */
		p->free_slots[p->n_free++] = w->slot;
	}
	free(w->pieces);
	free(w->ids);
	free(w->msgs);
	free(w);
}

struct work *
handout_find(struct spooler *s, unsigned deliverer, uint64_t number)
{
	struct work *w = s->deliverers[deliverer].by_slot[number &
	    (STAGE_SLOTS - 1)];

	return w != NULL && w->number == number ? w : NULL;
}

void
handout_ack(struct spooler *s, unsigned deliverer, uint64_t number)
{
	struct deliverer_peer *p = &s->deliverers[deliverer];
	struct work *w = handout_find(s, deliverer, number);

	if (p->link != NULL) {
		struct buf *b = ipc_begin(p->link, IPC_OUTCOME_ACK);

		wire_put_u64(b, number);
		ipc_end(p->link);
	}
	if (w != NULL) {
		handout_end(s, w);
	}
}

void
handout_withdraw(struct spooler *s, uint32_t slot)
{
	switch ((enum msg_state)index_at(&s->index, slot)->state) {
	case MSG_ACTIVE:
		queue_take(&s->queues, slot);
		break;
	case MSG_DELAYED:
		queue_undelay(&s->queues, slot);
		break;
	case MSG_SUSPECT:
		suspects_take(s, slot);
		break;
	case MSG_FLIGHT:
	case MSG_LOADING:
	case MSG_ENDING:
		queue_landed(&s->queues, slot);
		break;
	case MSG_NEW:
	case MSG_FREE:
	case MSG_STATES:
		break;
	}
}

void
handout_loaded(struct spooler *s, struct txn *x, bool ok)
{
	uint32_t slot = x->wait_head;

	/* Who waits is in no list but this one, and stays in it. */
	x->wait_head = 0;
	x->holds++;	/* it outlives this loop */
	while (slot != 0) {
		struct msg *m = index_at(&s->index, slot);
		uint32_t next = m->next, queue = m->queue;

		m->next = 0;
		ec_assert(m->state == MSG_LOADING);
		queue_landed(&s->queues, slot);
		if ((m->flags & MSG_END) != 0) {
			outcome_end_now(s, slot);
		} else if (!ok) {
			/* Not an attempt: memory or disk was short. */
			queue_delay(&s->queues, slot, spooler_now(s), 1000000u);
		} else {
			handout_place(s, slot, true);
		}
		handout_wake(s, queue_at(&s->queues, queue));
		slot = next;
	}
	x->holds--;
	txn_put(&s->txns, x);
}

void
handout_forget_queue(void *arg, struct queue *q)
{
	struct spooler *s = arg;

	for (unsigned d = 0; d < SPOOLER_DELIVERERS; d++) {
		struct ipc_link *k = s->deliverers[d].link;

		if (k != NULL && s->deliverers[d].spoken) {
			struct buf *b = ipc_begin(k, IPC_QUEUE_GONE);

			wire_put_u32(b, q->number);
			ipc_end(k);
		}
	}
}
