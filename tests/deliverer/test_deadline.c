/* SPDX-License-Identifier: Apache-2.0 */
/* Deadlines pass in time, and lazily moved ones are not lost. */
#include <check.h>

#include "deliverer/deadline.h"

#define N 300u

static uint32_t seed = 12345;

static uint32_t
draw(uint32_t below)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % below;
}

/* Random sets, moves and stops; each comes once, never early, and at most
 * two ticks late. */
START_TEST(random_walk)
{
	static struct deadline d[N];
	struct deadline_wheel w;
	uint64_t now = 7777777;
	unsigned fired = 0, set = 0, early = 0, late = 0;

	deadline_wheel_init(&w, now);
	for (unsigned i = 0; i < N; i++) {
		deadline_init(&d[i]);
	}
	for (unsigned round = 0; round < 20000; round++) {
		struct deadline *due;
		struct deadline *x = &d[draw(N)];

		if (draw(10) == 0) {
			deadline_stop(&w, x);
		} else if (draw(3) == 0) {
			deadline_set(&w, x, now + draw(draw(5) == 0 ?
			    300000000 : 3000000));
			set++;
		}
		now += draw(60000);
		while ((due = deadline_next(&w, now)) != NULL) {
			early += due->at_us > now;
			due->at_us = 0;
			fired++;
		}
		for (unsigned i = 0; i < N; i++) {
			late += d[i].at_us != 0 && d[i].at_us +
			    2 * DEADLINE_TICK_US <= now;
		}
	}
	ck_assert_uint_eq(early, 0);
	ck_assert_uint_eq(late, 0);
	ck_assert_uint_gt(fired, 1000);
	ck_assert_uint_le(fired, set);
	for (unsigned i = 0; i < N; i++) {
		deadline_stop(&w, &d[i]);
	}
	ck_assert_uint_eq(w.n, 0);
}
END_TEST

/* An idle deadline earlier than the slot moves; a later one does not. */
START_TEST(lazy)
{
	struct deadline_wheel w;
	struct deadline d;
	uint64_t tick;

	deadline_wheel_init(&w, 0);
	deadline_init(&d);
	deadline_set(&w, &d, 5000000);
	tick = d.tick;
	deadline_set(&w, &d, 20000000);
	ck_assert_uint_eq(d.tick, tick);
	ck_assert_ptr_null(deadline_next(&w, 6000000));
	ck_assert_uint_gt(d.tick, tick);
	deadline_set(&w, &d, 7000000);
	ck_assert_ptr_eq(deadline_next(&w, 7100000), &d);
	ck_assert_ptr_null(deadline_next(&w, 9000000000));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("deadline");
	TCase *t = tcase_create("deadline");
	SRunner *r;
	int failed;

	tcase_add_test(t, random_walk);
	tcase_add_test(t, lazy);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
