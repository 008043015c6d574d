/* SPDX-License-Identifier: Apache-2.0 */
/* Clocks, chance, the loop and helper threads of a world. */
#include "tests/crash/world.h"

#include <time.h>

#define TIMERS 16u

struct loop {
	struct loop_timer *timer[TIMERS];	/* that are set */
	uint64_t at[TIMERS];
	unsigned n;
	struct list_node hooks, queues;
};

struct workq {
	struct list_node link, queued, ran;
	size_t pending;
};

/* The machine's; and the functions that stand in for the system's have no
 * argument for them. */
static uint64_t mono_us = UINT64_C(1000000000);
static uint64_t wall_us = UINT64_C(1800000000000000);
static uint64_t dice = 1;

uint64_t
world_wall_us(void)
{
	return wall_us;
}

void
world_pass(uint64_t us)
{
	mono_us += us;
	wall_us += us;
}

void
world_seed(uint64_t seed)
{
	dice = seed;
}

uint64_t
world_random(void)
{
	uint64_t x = dice += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

int __wrap_clock_gettime(clockid_t which, struct timespec *t);
uint32_t __wrap_arc4random(void);

int
__wrap_clock_gettime(clockid_t which, struct timespec *t)
{
	uint64_t us = which == CLOCK_REALTIME ? wall_us : mono_us;

	t->tv_sec = (time_t)(us / 1000000u);
	t->tv_nsec = (long)(us % 1000000u) * 1000;
	return 0;
}

uint32_t
__wrap_arc4random(void)
{
	return (uint32_t)world_random();
}

/* The loop. */

uint64_t
loop_now_us(const struct loop *l)
{
	(void)l;
	return mono_us;
}

uint64_t
loop_refresh_us(struct loop *l)
{
	(void)l;
	return mono_us;
}

void
loop_again(struct loop *l)
{
	(void)l;	/* it never waits */
}

void
loop_timer_init(struct loop_timer *t, struct loop *l, loop_fn fn, void *arg)
{
	*t = (struct loop_timer){ .loop = l, .fn = fn, .arg = arg };
}

bool
loop_timer_is_set(const struct loop_timer *t)
{
	for (unsigned i = 0; i < t->loop->n; i++) {
		if (t->loop->timer[i] == t) {
			return true;
		}
	}
	return false;
}

void
loop_timer_stop(struct loop_timer *t)
{
	struct loop *l = t->loop;

	for (unsigned i = 0; i < l->n; i++) {
		if (l->timer[i] == t) {
			l->n--;
			l->timer[i] = l->timer[l->n];
			l->at[i] = l->at[l->n];
			return;
		}
	}
}

void
loop_timer_set(struct loop_timer *t, uint64_t us)
{
	struct loop *l = t->loop;

	loop_timer_stop(t);
	ec_assert(l->n < TIMERS);
	l->timer[l->n] = t;
	l->at[l->n++] = mono_us + us;
}

void
loop_on_turn_end(struct loop *l, struct loop_hook *h, loop_fn fn, void *arg)
{
	h->fn = fn;
	h->arg = arg;
	list_push_front(&l->hooks, &h->link);	/* the last comer is first */
}

void
loop_hook_stop(struct loop_hook *h)
{
	list_remove(&h->link);
}

static void
run_timers(struct loop *l)
{
	struct loop_timer *due[TIMERS];
	unsigned n = 0;

	for (unsigned i = 0; i < l->n; i++) {
		if (l->at[i] <= mono_us) {
			due[n++] = l->timer[i];
		}
	}
	for (unsigned i = 0; i < n; i++) {
		if (loop_timer_is_set(due[i])) {
			loop_timer_stop(due[i]);
			due[i]->fn(due[i]->arg);
		}
	}
}

/* Helper threads. */

struct workq *
workq_create(struct loop *l, const char *name, int n_threads)
{
	struct workq *q = xcalloc(1, sizeof *q);

	(void)name;
	(void)n_threads;
	list_init(&q->queued);
	list_init(&q->ran);
	list_push_back(&l->queues, &q->link);
	return q;
}

void
workq_submit(struct workq *q, struct workq_job *job)
{
	list_push_back(&q->queued, &job->link);
	q->pending++;
}

size_t
workq_pending(const struct workq *q)
{
	return q->pending;
}

static void
run_one(struct workq *q)
{
	struct list_node *n = list_pop_front(&q->queued);
	struct workq_job *job = list_entry(n, struct workq_job, link);

	job->run(job);
	list_push_back(&q->ran, &job->link);
}

static void
end_one(struct workq *q)
{
	struct list_node *n = list_pop_front(&q->ran);
	struct workq_job *job = list_entry(n, struct workq_job, link);

	q->pending--;
	job->done(job);
}

void
workq_finish(struct workq *q)
{
	while (q->pending > 0) {
		if (!list_is_empty(&q->ran)) {
			end_one(q);
		} else {
			run_one(q);
		}
	}
}

void
workq_destroy(struct workq **q)
{
	workq_finish(*q);
	list_remove(&(*q)->link);
	free(*q);
	*q = NULL;
}

static void
run_jobs(struct world *w)
{
	list_each(n, tmp, &w->loop->queues) {
		struct workq *q = list_entry(n, struct workq, link);

		if (w->quick) {
			for (size_t k = q->pending; k > 0; k--) {
				if (list_is_empty(&q->ran)) {
					run_one(q);
				}
				end_one(q);
			}
			continue;
		}
		if (!list_is_empty(&q->ran) && (world_random() & 1) != 0) {
			end_one(q);
		}
		if (!list_is_empty(&q->queued) && (world_random() & 1) != 0) {
			run_one(q);
		}
	}
}

void
world_loop_begin(struct world *w)
{
	w->loop = xcalloc(1, sizeof *w->loop);
	list_init(&w->loop->hooks);
	list_init(&w->loop->queues);
}

void
world_loop_turn(struct world *w)
{
	run_timers(w->loop);
	list_each(n, tmp, &w->loop->hooks) {
		struct loop_hook *h = list_entry(n, struct loop_hook, link);

		h->fn(h->arg);
	}
	run_jobs(w);
}

bool
world_loop_is_idle(const struct world *w)
{
	list_each(n, tmp, &w->loop->queues) {
		if (list_entry(n, struct workq, link)->pending > 0) {
			return false;
		}
	}
	return true;
}
