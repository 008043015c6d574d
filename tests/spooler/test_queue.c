/* SPDX-License-Identifier: Apache-2.0 */
/* Index, queues and the wheel against simple models; the retry table. */
#include "spooler/queue.h"
#include "spooler/retry.h"

#include <check.h>

static struct index ix;
static struct queues qs;
static uint64_t rng = 1;

static uint32_t
rnd(uint32_t below)
{
	rng = rng * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (uint32_t)(rng >> 33) % below;
}

START_TEST(index_model)
{
	static uint32_t slot[5000];	/* by id - 1 */
	uint32_t n = 0;

	index_init(&ix);
	for (unsigned i = 0; i < 300000; i++) {
		uint32_t k = rnd(5000);
		msgid id = msgid_make(7, 1, (uint16_t)k) + 1;

		ck_assert_uint_eq(index_find(&ix, id), slot[k]);
		if (slot[k] == 0) {
			slot[k] = index_add(&ix, id);
			ck_assert_uint_ne(slot[k], 0);
			ck_assert_uint_eq(index_at(&ix, slot[k])->id, id);
			ck_assert_uint_eq(index_add(&ix, id), 0);
			n++;
		} else if (rnd(100) < (i / 30000 % 2 ? 80 : 20)) {
			index_remove(&ix, slot[k]);
			slot[k] = 0;
			n--;
		}
		ck_assert_uint_eq(index_count(&ix), n);
	}
	index_fini(&ix);
}
END_TEST

static struct queue *
make_queue(const char *domain)
{
	return queue_get(&qs, SLICE("g"), SLICE("b"), slice_of(domain));
}

static uint32_t
add(struct queue *q)
{
	static uint64_t next = 1;
	uint32_t m = index_add(&ix, next++);

	index_at(&ix, m)->queue = q->number;
	return m;
}

START_TEST(keys)
{
	struct queue *a, *b;
	static char longer[1100];

	index_init(&ix);
	queues_init(&qs, &ix, 0);
	a = make_queue("Example.COM");
	ck_assert_ptr_eq(make_queue("example.com"), a);
	ck_assert(slice_eq(a->domain, SLICE("example.com")));
	b = queue_get(&qs, SLICE("G"), SLICE("b"), SLICE("example.com"));
	ck_assert_ptr_ne(a, b);
	ck_assert(queue_is(&qs, a->number) && queue_is(&qs, b->number));
	ck_assert(!queue_is(&qs, 0) && !queue_is(&qs, 3) &&
	    !queue_is(&qs, UINT32_MAX));
	ck_assert_ptr_null(queue_get(&qs, SLICE(""), SLICE(""),
	    slice_make(longer, sizeof longer)));
}
END_TEST

START_TEST(first_in_first_out)
{
	uint32_t m[50];
	struct queue *q;

	index_init(&ix);
	queues_init(&qs, &ix, 0);
	q = make_queue("x");
	for (unsigned i = 0; i < 50; i++) {
		m[i] = add(q);
		queue_push(&qs, m[i], false);
	}
	queue_take(&qs, m[49]);		/* last, middle, first */
	queue_take(&qs, m[20]);
	queue_take(&qs, m[0]);
	queue_push(&qs, m[20], true);
	queue_push(&qs, m[0], true);
	queue_push(&qs, m[49], false);
	for (unsigned i = 0; i < 50; i++) {
		uint32_t want = i == 0 ? m[0] : i == 1 ? m[20] :
		    i <= 20 ? m[i - 1] : m[i];

		ck_assert_uint_eq(q->head, want);
		queue_take(&qs, q->head);
		queue_flight(&qs, want, MSG_FLIGHT);
		queue_flight(&qs, want, MSG_ENDING);
		ck_assert_uint_eq(q->n_flight, 1);
		queue_landed(&qs, want);
	}
	ck_assert_uint_eq(q->head, 0);
	ck_assert_uint_eq(q->tail, 0);
	ck_assert_uint_eq(qs.n_active + qs.n_flight + qs.n_delayed, 0);
}
END_TEST

static uint64_t now_us, served_us, step_us, due_us[3001];
static uint32_t n_due;

static void
on_due(void *arg, uint32_t msg)
{
	struct msg *m = index_at(&ix, msg);

	ck_assert_ptr_eq(arg, &qs);
	ck_assert_int_eq(m->state, MSG_NEW);
	ck_assert_msg(now_us >= due_us[msg], "early by %llu",
	    (unsigned long long)(due_us[msg] - now_us));
	ck_assert_msg(now_us - due_us[msg] <= step_us + 200000 + WHEEL_TICK_US,
	    "late by %llu", (unsigned long long)(now_us - due_us[msg]));
	n_due++;
	queue_push(&qs, msg, false);
}

static uint64_t
some_delay(void)
{
	static const uint64_t spans[] = { 300000, 30000000, 7000000000,
		3600000000u * 40, 3600000000u * 24 * 25 };
	/* Just around the turning points of the levels, too. */
	uint64_t edge = (UINT64_C(1) << (WHEEL_BITS * (1 + rnd(3)))) *
	    WHEEL_TICK_US;
	uint64_t far, any;

	if (rnd(3) == 0) {
		return edge + rnd(600000) - 300000;
	}
	/* One by one: the same numbers from every compiler. */
	far = (uint64_t)rnd(1 << 30) << 20;
	any = far | rnd(1 << 20);
	return any % spans[rnd(ARRAY_LEN(spans))];
}

START_TEST(wheel)
{
	struct queue *q;
	uint32_t n = 3000, delayed = 0;

	index_init(&ix);
	now_us = 987654321;
	queues_init(&qs, &ix, now_us);
	q = make_queue("x");
	for (uint32_t i = 0; i < n; i++) {
		queue_push(&qs, add(q), false);
	}
	ck_assert_uint_eq(queues_next_us(&qs, now_us), UINT64_MAX);
	for (unsigned turn = 0; turn < 4000; turn++) {
		/* The time a caller has may be that of the turn before. */
		uint64_t told = rnd(2) ? now_us : EC_MAX(served_us, 1u);

		for (unsigned k = rnd(4); k > 0 && q->head != 0; k--) {
			uint64_t delay = some_delay();
			uint32_t m = q->head;

			queue_take(&qs, m);
			queue_delay(&qs, m, told, delay);
			due_us[m] = told + delay;
			/* What is due already is due from now on. */
			due_us[m] = EC_MAX(due_us[m], now_us);
			if (rnd(20) == 0) {
				queue_undelay(&qs, m);
				queue_push(&qs, m, true);
			}
		}
		delayed = q->n_delayed;
		ck_assert_uint_eq(delayed + q->n_active, n);
		ck_assert_uint_eq(qs.n_delayed, delayed);
		served_us = now_us;
		step_us = turn % 200 == 0 ? 3600000000u * rnd(9) :
		    turn % 10 == 0 ? rnd(400000000) : rnd(200000);
		if (delayed > 0) {
			ck_assert_uint_le(queues_next_us(&qs, now_us),
			    WHEEL_TICK_US);
		}
		now_us += step_us;
		n_due = 0;
		queues_due(&qs, now_us, on_due, &qs);
		ck_assert_uint_eq(q->n_delayed, delayed - n_due);
	}
	/* In the end all come. */
	step_us = UINT64_C(3600000000) * 24 * 40;
	now_us += step_us;
	queues_due(&qs, now_us, on_due, &qs);
	ck_assert_uint_eq(qs.n_delayed, 0);
	ck_assert_uint_eq(qs.n_active, n);
}
END_TEST

static unsigned n_swept;

static void
on_sweep(void *arg, struct queue *q)
{
	(void)arg;
	ck_assert(queue_is(&qs, q->number));
	n_swept++;
}

START_TEST(sweep)
{
	struct queue *busy, *idle, *never;
	uint32_t number, m;

	index_init(&ix);
	queues_init(&qs, &ix, 0);
	busy = make_queue("busy");
	idle = make_queue("idle");
	never = make_queue("never");	/* got, but nothing put into it */
	number = never->number;
	m = add(busy);
	queue_push(&qs, m, false);
	m = add(idle);
	queue_push(&qs, m, false);
	queue_take(&qs, m);
	/* Messages that replay has read name a queue before they stand in
	 * it: however long that takes, it stays. */
	qs.entering = true;
	queues_sweep(&qs, 100, 500, on_sweep, NULL);
	queues_sweep(&qs, 900, 500, on_sweep, NULL);
	ck_assert_uint_eq(n_swept, 0);
	qs.entering = false;
	queues_sweep(&qs, 1000, 500, on_sweep, NULL);
	queues_sweep(&qs, 1499, 500, on_sweep, NULL);
	ck_assert_uint_eq(n_swept, 0);
	queue_push(&qs, m, false);	/* in use again, then empty again */
	queue_take(&qs, m);
	queues_sweep(&qs, 1500, 500, on_sweep, NULL);
	ck_assert_uint_eq(n_swept, 1);
	ck_assert(!queue_is(&qs, number));
	queues_sweep(&qs, 2000, 500, on_sweep, NULL);
	ck_assert_uint_eq(n_swept, 2);
	ck_assert(queue_is(&qs, busy->number));
	ck_assert_ptr_eq(make_queue("busy"), busy);
	/* Numbers are used again. */
	ck_assert_uint_le(make_queue("next")->number, 3);
}
END_TEST

#define MIN UINT64_C(60000000)
static const struct {
	struct retry_rule rule;
	uint32_t attempts;
	uint64_t age;
	enum retry_verdict verdict;
	uint64_t delay;
} retries[] = {
	{ { MIN, 10 * MIN, 1000 * MIN, -1, false }, 1, 0, RETRY_LATER, MIN },
	{ { MIN, 10 * MIN, 1000 * MIN, -1, false }, 2, 1, RETRY_LATER, 2 * MIN },
	{ { MIN, 10 * MIN, 1000 * MIN, -1, false }, 4, 1, RETRY_LATER, 8 * MIN },
	{ { MIN, 10 * MIN, 1000 * MIN, -1, false }, 5, 1, RETRY_LATER,
	    10 * MIN },
	{ { MIN, 10 * MIN, 1000 * MIN, -1, false }, UINT32_MAX, 1, RETRY_LATER,
	    10 * MIN },
	{ { 9 * MIN, MIN, 1000 * MIN, -1, false }, 3, 1, RETRY_LATER, 9 * MIN },
	{ { MIN, 10 * MIN, 1000 * MIN, -1, false }, 9, 997 * MIN, RETRY_LATER,
	    3 * MIN },
	{ { MIN, 10 * MIN, 1000 * MIN, -1, false }, 9, 1000 * MIN,
	    RETRY_EXPIRED, 0 },
	{ { MIN, 10 * MIN, 1000 * MIN, 2, false }, 2, 1, RETRY_LATER, 2 * MIN },
	{ { MIN, 10 * MIN, 1000 * MIN, 2, false }, 3, 1, RETRY_TOO_MANY, 0 },
	{ { MIN, 10 * MIN, 1000 * MIN, 0, false }, 1, 1, RETRY_TOO_MANY, 0 },
	{ { MIN, 10 * MIN, 1000 * MIN, -1, true }, 1, 1, RETRY_NEVER, 0 },
	{ { 0, 0, 1000 * MIN, -1, false }, 7, 1, RETRY_LATER, 0 },
	/* received in the future: a clock set back */
	{ { MIN, 10 * MIN, 1000 * MIN, -1, false }, 1, (uint64_t)-5 * MIN,
	    RETRY_LATER, MIN },
};

START_TEST(retry)
{
	uint64_t delay, received = 5000 * MIN;

	ck_assert_int_eq(retry_after(&retries[_i].rule, retries[_i].attempts,
	    received, received + retries[_i].age, &delay), retries[_i].verdict);
	ck_assert_uint_eq(delay, retries[_i].delay);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("queue");
	TCase *t = tcase_create("queue");
	SRunner *r;
	int failed;

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 30);
	tcase_add_test(t, index_model);
	tcase_add_test(t, keys);
	tcase_add_test(t, first_in_first_out);
	tcase_add_test(t, wheel);
	tcase_add_test(t, sweep);
	tcase_add_loop_test(t, retry, 0, (int)ARRAY_LEN(retries));
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
