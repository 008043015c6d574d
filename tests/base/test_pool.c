/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/pool.h"
#include "tests/base/base_tests.h"

#include <signal.h>

#define N (3 * POOL_CHUNK)

START_TEST(gives_each_once_up_to_the_cap)
{
	struct pool p;
	uint64_t *first;

	pool_init(&p, sizeof(uint64_t), N);
	for (uint32_t i = 1; i <= N; i++) {
		ck_assert_uint_eq(pool_take(&p), i);
		*(uint64_t *)pool_at(&p, i) = i;
	}
	first = pool_at(&p, 1);
	ck_assert_uint_eq(pool_take(&p), 0);
	for (uint32_t i = 1; i <= N; i++) {
		ck_assert_uint_eq(*(uint64_t *)pool_at(&p, i), i);
	}
	pool_give(&p, 7);
	pool_give(&p, 9);
	ck_assert_uint_eq(p.used, N - 2);
	ck_assert_uint_eq(pool_take(&p), 9);
	ck_assert_uint_eq(*(uint64_t *)pool_at(&p, 9), 0);
	ck_assert_uint_eq(pool_take(&p), 7);
	ck_assert_uint_eq(pool_take(&p), 0);
	ck_assert_ptr_eq(first, pool_at(&p, 1));	/* never moved */
	pool_fini(&p);
	ck_assert_uint_eq(pool_take(&p), 1);
	pool_fini(&p);
}
END_TEST

START_TEST(index_never_given_panics)
{
	struct pool p;

	pool_init(&p, 8, 10);
	pool_take(&p);
	pool_at(&p, 2);
}
END_TEST

START_TEST(no_cap_of_zero)
{
	struct pool p;

	pool_init(&p, 4, 0);
	ck_assert_uint_eq(pool_take(&p), 0);
	pool_fini(&p);
}
END_TEST

TCase *
tcase_pool(void)
{
	TCase *t = tcase_create("pool");

	tcase_add_test(t, gives_each_once_up_to_the_cap);
	tcase_add_test_raise_signal(t, index_never_given_panics, SIGABRT);
	tcase_add_test(t, no_cap_of_zero);
	return t;
}
