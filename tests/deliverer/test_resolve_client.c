/* SPDX-License-Identifier: Apache-2.0 */
/* Questions without a resolver. */
#include "deliverer/resolve_client.h"

#include <check.h>

static unsigned n_called;

static void
on_answer(void *arg)
{
	(void)arg;
	n_called++;
}

/* However many questions are overdue, all are given up on at once. */
START_TEST(all_overdue_questions_end)
{
	struct loop *loop = loop_create();
	struct resolve_client rc;
	struct resolve_wait wait[200];
	struct dest *d[200];

	resolve_client_init(&rc, loop);
	for (unsigned i = 0; i < 200; i++) {
		char name[32];

		snprintf(name, sizeof name, "d%u.example", i);
		d[i] = resolve_ask(&rc, RESOLVE_MX, slice_of(name));
		ck_assert(d[i]->pending);
		resolve_wait(d[i], &wait[i], on_answer, NULL);
		if (i < 150) {
			d[i]->asked_us -= RESOLVE_DEADLINE_US + 1;
		}
	}
	resolve_tick(&rc);
	ck_assert_uint_eq(n_called, 150);
	ck_assert_uint_eq(rc.asked.n, 50);
	for (unsigned i = 0; i < 200; i++) {
		ck_assert(d[i]->pending == (i >= 150));
		ck_assert(i >= 150 || d[i]->status == RESOLVE_TEMPORARY);
		resolve_wait_stop(&wait[i]);
		resolve_release(&rc, &d[i]);
	}
	resolve_client_fini(&rc);
	loop_destroy(&loop);
}
END_TEST

static struct dest *asked_again;

static void
on_answer_ask(void *arg)
{
	struct dest *more = resolve_ask(arg, RESOLVE_MX,
	    SLICE("more.example"));

	n_called++;
	ck_assert(asked_again == NULL || more == asked_again);
	asked_again = more;
}

/* Who is called may ask more. */
START_TEST(a_waiter_may_ask)
{
	struct loop *loop = loop_create();
	struct resolve_client rc;
	struct resolve_wait wait;
	struct dest *d;

	resolve_client_init(&rc, loop);
	d = resolve_ask(&rc, RESOLVE_HOST, SLICE("Old.Example"));
	resolve_wait(d, &wait, on_answer_ask, &rc);
	d->asked_us -= RESOLVE_DEADLINE_US + 1;
	resolve_tick(&rc);
	ck_assert_uint_eq(n_called, 1);
	ck_assert(!d->pending && asked_again->pending);
	ck_assert_uint_eq(rc.asked.n, 1);
	resolve_client_fini(&rc);
	loop_destroy(&loop);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("resolve_client");
	TCase *t = tcase_create("deadline");

	tcase_add_test(t, all_overdue_questions_end);
	tcase_add_test(t, a_waiter_may_ask);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	SRunner *r = srunner_create(suite());
	int failed;

	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
