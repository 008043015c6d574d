/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/workq.h"
#include "tests/base/base_tests.h"

#include <pthread.h>

#define N 2000

struct counted {
	struct workq_job job;
	struct workq *q;
	struct loop *loop;
	int number;
	int *order;	/* what ran, in order */
	int *n;
	bool again;
};

static pthread_t main_thread;

static void
run(struct workq_job *job)
{
	struct counted *c = container_of(job, struct counted, job);

	ck_assert(!pthread_equal(pthread_self(), main_thread));
	c->number++;
}

static void
done(struct workq_job *job)
{
	struct counted *c = container_of(job, struct counted, job);

	ck_assert(pthread_equal(pthread_self(), main_thread));
	c->order[(*c->n)++] = c->number;
	if (c->again) {
		c->again = false;
		workq_submit(c->q, job);
	}
	if (workq_pending(c->q) == 0) {
		loop_stop(c->loop);
	}
}

static void
submit_all(struct counted *jobs, struct workq *q, struct loop *l, int *order,
    int *n)
{
	for (int i = 0; i < N; i++) {
		jobs[i] = (struct counted){ .job = { .run = run, .done = done },
			.q = q, .loop = l, .number = i, .order = order,
			.n = n };
		workq_submit(q, &jobs[i].job);
	}
}

START_TEST(one_thread_keeps_order)
{
	static struct counted jobs[N];
	static int order[N];
	struct loop *l = loop_create();
	struct workq *q = workq_create(l, "test", 1);
	int n = 0;

	main_thread = pthread_self();
	submit_all(jobs, q, l, order, &n);
	ck_assert_uint_eq(workq_pending(q), N);
	loop_run(l);
	ck_assert_int_eq(n, N);
	for (int i = 0; i < N; i++) {
		ck_assert_int_eq(order[i], i + 1);
	}
	workq_destroy(&q);
	ck_assert_ptr_null(q);
	loop_destroy(&l);
}
END_TEST

START_TEST(destroy_runs_the_rest)
{
	static struct counted jobs[N];
	static int order[N + 1];
	struct loop *l = loop_create();
	struct workq *q = workq_create(l, "test", 3);
	int n = 0;

	main_thread = pthread_self();
	submit_all(jobs, q, l, order, &n);
	jobs[5].again = true;	/* a done that submits again */
	workq_destroy(&q);
	ck_assert_int_eq(n, N + 1);
	ck_assert_int_eq(jobs[5].number, 7);
	workq_destroy(&q);
	loop_destroy(&l);
}
END_TEST

TCase *
tcase_workq(void)
{
	TCase *t = tcase_create("workq");

	tcase_add_test(t, one_thread_keeps_order);
	tcase_add_test(t, destroy_runs_the_rest);
	return t;
}
