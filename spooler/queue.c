/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queues by key and number; the wheel of delayed messages.
 *
 * The wheel has four levels of 256 lists; a message stands in the level whose
 * slots are just fine enough for how far away it is, and moves inward when the
 * level inside has turned once.  Adding, removing and serving one message cost
 * the same whatever the number of messages or queues.
 */
#include "spooler/queue.h"

#include <bsd/stdlib.h>
#include <xxhash.h>

#undef HASH_FUNCTION
#define HASH_FUNCTION(keyptr, keylen, hashv) \
	((hashv) = (unsigned)XXH3_64bits_withSeed(keyptr, keylen, hash_seed))

/* Strangers choose the domains: the seed keeps them from choosing collisions.
 * Set once, before the first queue. */
static uint64_t hash_seed;

void
queues_init(struct queues *qs, struct index *index, uint64_t mono_us)
{
	memset(qs, 0, sizeof *qs);
	pool_init(&qs->numbers, sizeof(struct queue *), BUDGET_ROWS - 1);
	qs->index = index;
	qs->tick = mono_us / WHEEL_TICK_US;
	list_init(&qs->idle);
	if (hash_seed == 0) {
		arc4random_buf(&hash_seed, sizeof hash_seed);
	}
}

struct queue *
queue_at(const struct queues *qs, uint32_t number)
{
	struct queue *q;

	memcpy(&q, pool_at(&qs->numbers, number), sizeof q);
	return q;
}

bool
queue_is(const struct queues *qs, uint32_t number)
{
	struct queue *q;

	if (number == 0 || number >= qs->numbers.fresh) {
		return false;
	}
	q = queue_at(qs, number);
	/* A freed place holds a free-list link (a small number), never a
	 * queue's address. */
	return (uintptr_t)q > BUDGET_ROWS && q->number == number;
}

/* An empty slice may have no address, which memcpy does not take. */
static char *
put(char *to, struct slice s)
{
	if (s.len > 0) {
		memcpy(to, s.ptr, s.len);
	}
	return to + s.len;
}

static size_t
make_key(char *key, size_t size, struct slice group, struct slice binding,
    struct slice domain)
{
	size_t n = group.len + binding.len + domain.len + 2;
	char *at = key;

	if (n > size) {
		return 0;
	}
	at = put(at, group);
	*at++ = '\0';
	at = put(at, binding);
	*at++ = '\0';
	put(at, domain);
	bytes_lower(at, domain.len);
	return n;
}

struct queue *
queue_get(struct queues *qs, struct slice group, struct slice binding,
    struct slice domain)
{
	char key[1024];
	size_t n = make_key(key, sizeof key, group, binding, domain);
	struct queue *q = NULL;

	if (n == 0) {
		return NULL;
	}
	HASH_FIND(hh, qs->by_key, key, n, q);
	if (q != NULL) {
		return q;
	}
	q = xcalloc(1, sizeof *q + n);
	q->number = pool_take(&qs->numbers);
	if (q->number == 0) {
		free(q);
		return NULL;
	}
	memcpy(pool_at(&qs->numbers, q->number), &q, sizeof q);
	memcpy(q->key, key, n);
	q->key_len = (unsigned)n;
	q->group = slice_make(q->key, group.len);
	q->binding = slice_make(q->key + group.len + 1, binding.len);
	q->domain = slice_make(q->key + group.len + binding.len + 2,
	    domain.len);
	list_init(&q->runnable);
	list_init(&q->told);
	/* Empty so far: if nothing ever comes the sweep takes it. */
	list_push_back(&qs->idle, &q->idle);
	HASH_ADD_KEYPTR(hh, qs->by_key, q->key, n, q);
	return q;
}

void
queue_set_suspended(struct queues *qs, struct queue *q, bool suspended)
{
	if (q->suspended != suspended) {
		q->suspended = suspended;
		if (suspended) {
			qs->n_suspended += q->n_active;
		} else {
			qs->n_suspended -= q->n_active;
		}
	}
}

static void
queue_check_idle(struct queues *qs, struct queue *q)
{
	if (q->n_active + q->n_delayed + q->n_flight > 0) {
		list_remove(&q->idle);
	} else if (list_is_empty(&q->idle)) {
		q->empty_us = 0;	/* stamped by the next sweep */
		list_push_back(&qs->idle, &q->idle);
	}
}

void
queue_push(struct queues *qs, uint32_t msg, bool front)
{
	struct msg *m = index_at(qs->index, msg);
	struct queue *q = queue_at(qs, m->queue);

	m->state = MSG_ACTIVE;
	m->prev = front ? 0 : q->tail;
	m->next = front ? q->head : 0;
	if (m->prev != 0) {
		index_at(qs->index, m->prev)->next = msg;
	} else {
		q->head = msg;
	}
	if (m->next != 0) {
		index_at(qs->index, m->next)->prev = msg;
	} else {
		q->tail = msg;
	}
	q->n_active++;
	qs->n_active++;
	qs->n_suspended += q->suspended;
	queue_check_idle(qs, q);
}

void
queue_take(struct queues *qs, uint32_t msg)
{
	struct msg *m = index_at(qs->index, msg);
	struct queue *q = queue_at(qs, m->queue);

	ec_assert(m->state == MSG_ACTIVE);
	if (m->prev != 0) {
		index_at(qs->index, m->prev)->next = m->next;
	} else {
		q->head = m->next;
	}
	if (m->next != 0) {
		index_at(qs->index, m->next)->prev = m->prev;
	} else {
		q->tail = m->prev;
	}
	m->prev = m->next = 0;
	m->state = MSG_NEW;
	q->n_active--;
	qs->n_active--;
	qs->n_suspended -= q->suspended;
	queue_check_idle(qs, q);
}

/* Which list a message due at this tick stands in. */
static uint32_t
wheel_place(const struct queues *qs, uint64_t due)
{
	uint64_t away = due > qs->tick ? due - qs->tick : 0;

	for (unsigned level = 0; level < WHEEL_LEVELS - 1; level++) {
		if (away < UINT64_C(1) << (WHEEL_BITS * (level + 1))) {
			return level * WHEEL_SLOTS + (uint32_t)
			    (due >> (WHEEL_BITS * level) & (WHEEL_SLOTS - 1));
		}
	}
	away = EC_MIN(due, qs->tick + (UINT64_C(255) << (WHEEL_BITS * 3)));
	return (WHEEL_LEVELS - 1) * WHEEL_SLOTS +
	    (uint32_t)(away >> (WHEEL_BITS * 3) & (WHEEL_SLOTS - 1));
}

static void
wheel_add(struct queues *qs, uint32_t msg, uint64_t due)
{
	struct msg *m = index_at(qs->index, msg);
	uint32_t at = wheel_place(qs, due);

	m->due = (uint32_t)due;
	m->prev = WHEEL_HEAD | at;
	m->next = qs->wheel[at];
	if (m->next != 0) {
		index_at(qs->index, m->next)->prev = msg;
	}
	qs->wheel[at] = msg;
}

static void
wheel_del(struct queues *qs, uint32_t msg)
{
	struct msg *m = index_at(qs->index, msg);

	if ((m->prev & WHEEL_HEAD) != 0) {
		qs->wheel[m->prev & ~WHEEL_HEAD] = m->next;
	} else {
		index_at(qs->index, m->prev)->next = m->next;
	}
	if (m->next != 0) {
		index_at(qs->index, m->next)->prev = m->prev;
	}
	m->prev = m->next = 0;
}

void
queue_delay(struct queues *qs, uint32_t msg, uint64_t mono_us,
    uint64_t delay_us)
{
	struct msg *m = index_at(qs->index, msg);
	struct queue *q = queue_at(qs, m->queue);

	m->state = MSG_DELAYED;
	/* Never before its time: the tick after.  The caller's time may be
	 * older than the last serving: not into a list served already. */
	wheel_add(qs, msg, EC_MAX((mono_us + delay_us) / WHEEL_TICK_US,
	    qs->tick) + 1);
	q->n_delayed++;
	qs->n_delayed++;
	queue_check_idle(qs, q);
}

void
queue_undelay(struct queues *qs, uint32_t msg)
{
	struct msg *m = index_at(qs->index, msg);
	struct queue *q = queue_at(qs, m->queue);

	ec_assert(m->state == MSG_DELAYED);
	wheel_del(qs, msg);
	m->state = MSG_NEW;
	q->n_delayed--;
	qs->n_delayed--;
	queue_check_idle(qs, q);
}

void
queue_flight(struct queues *qs, uint32_t msg, enum msg_state state)
{
	struct msg *m = index_at(qs->index, msg);
	struct queue *q = queue_at(qs, m->queue);

	if (m->state != MSG_FLIGHT && m->state != MSG_LOADING &&
	    m->state != MSG_ENDING && m->state != MSG_SUSPECT) {
		q->n_flight++;
		qs->n_flight++;
	}
	m->state = (uint8_t)state;
	queue_check_idle(qs, q);
}

void
queue_landed(struct queues *qs, uint32_t msg)
{
	struct msg *m = index_at(qs->index, msg);
	struct queue *q = queue_at(qs, m->queue);

	ec_assert(m->state == MSG_FLIGHT || m->state == MSG_LOADING ||
	    m->state == MSG_ENDING || m->state == MSG_SUSPECT);
	m->state = MSG_NEW;
	q->n_flight--;
	qs->n_flight--;
	queue_check_idle(qs, q);
}

/* A level has turned once: its next slot moves inward. */
static void
cascade(struct queues *qs, unsigned level)
{
	uint32_t at = level * WHEEL_SLOTS +
	    (uint32_t)(qs->tick >> (WHEEL_BITS * level) & (WHEEL_SLOTS - 1));
	uint32_t msg = qs->wheel[at];

	qs->wheel[at] = 0;
	while (msg != 0) {
		struct msg *m = index_at(qs->index, msg);
		uint32_t next = m->next;

		wheel_add(qs, msg, EC_MAX((uint64_t)m->due, qs->tick));
		msg = next;
	}
}

void
queues_due(struct queues *qs, uint64_t mono_us,
    void (*fn)(void *arg, uint32_t msg), void *arg)
{
	uint64_t until = mono_us / WHEEL_TICK_US;

	if (qs->n_delayed == 0) {
		qs->tick = EC_MAX(qs->tick, until);
		return;
	}
	while (qs->tick < until) {
		uint32_t *slot;

		qs->tick++;
		for (unsigned level = 1; level < WHEEL_LEVELS && (qs->tick &
		    ((UINT64_C(1) << (WHEEL_BITS * level)) - 1)) == 0;
		    level++) {
			cascade(qs, level);
		}
		slot = &qs->wheel[qs->tick & (WHEEL_SLOTS - 1)];
		while (*slot != 0) {
			uint32_t msg = *slot;

			queue_undelay(qs, msg);
			fn(arg, msg);
		}
	}
}

uint64_t
queues_next_us(const struct queues *qs, uint64_t mono_us)
{
	uint64_t next = (qs->tick + 1) * WHEEL_TICK_US;

	if (qs->n_delayed == 0) {
		return UINT64_MAX;
	}
	return next > mono_us ? next - mono_us : 0;
}

void
queues_sweep(struct queues *qs, uint64_t mono_us, uint64_t idle_us,
    void (*fn)(void *arg, struct queue *q), void *arg)
{
	if (qs->entering) {
		return;
	}
	list_each(n, tmp, &qs->idle) {
		struct queue *q = list_entry(n, struct queue, idle);

		if (q->empty_us == 0) {
			q->empty_us = mono_us;
		}
		if (mono_us - q->empty_us < idle_us) {
			continue;
		}
		fn(arg, q);
		list_remove(&q->idle);
		list_remove(&q->runnable);
		list_remove(&q->told);
		HASH_DEL(qs->by_key, q);
		memset(pool_at(&qs->numbers, q->number), 0, sizeof q);
		pool_give(&qs->numbers, q->number);
		free(q);
	}
}
