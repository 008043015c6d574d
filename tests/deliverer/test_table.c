/* SPDX-License-Identifier: Apache-2.0 */
/* Many objects in and out, growth, walking with removal. */
#include <check.h>

#include "common/base/list.h"
#include "deliverer/host_memory.h"
#include "deliverer/table.h"

#define N 5000u

struct object {
	struct table_node node;
	uint32_t number;
};

static struct slice
key_of(const uint32_t *n)
{
	return slice_make(n, sizeof *n);
}

START_TEST(in_and_out)
{
	static struct object o[N];
	struct table_node *n, *next;
	struct table t;
	size_t at = 0, seen = 0;

	table_init(&t);
	for (uint32_t i = 0; i < N; i++) {
		o[i].number = i * 7;
		table_put(&t, &o[i].node, key_of(&o[i].number));
	}
	ck_assert_uint_eq(t.n, N);
	for (uint32_t i = 0; i < N * 7; i++) {
		n = table_get(&t, key_of(&i));
		ck_assert((n != NULL) == (i % 7 == 0));
		ck_assert(n == NULL || list_entry(n, struct object,
		    node)->number == i);
	}
	for (n = table_next(&t, &at, NULL); n != NULL; n = next) {
		next = table_next(&t, &at, n);
		seen++;
		if (list_entry(n, struct object, node)->number % 2 == 0) {
			table_remove(&t, n);
		}
	}
	ck_assert_uint_eq(seen, N);
	ck_assert_uint_eq(t.n, N / 2);
	for (uint32_t i = 0; i < N; i++) {
		n = table_get(&t, key_of(&o[i].number));
		ck_assert((n != NULL) == (o[i].number % 2 == 1));
	}
	table_fini(&t);
}
END_TEST

START_TEST(hosts)
{
	static const uint8_t a[16] = { 1 }, b[16] = { 2 };
	struct host_memory m;

	host_memory_init(&m);
	ck_assert_uint_eq(host_memory_until(&m, a, 25, 10), 0);
	host_memory_fail(&m, a, 25, 100);
	host_memory_fail(&m, b, 25, 300);
	ck_assert_uint_eq(host_memory_until(&m, a, 25, 10), 100);
	ck_assert_uint_eq(host_memory_until(&m, a, 26, 10), 0);
	ck_assert_uint_eq(host_memory_until(&m, a, 25, 100), 0);
	host_memory_sweep(&m, 200);
	ck_assert_uint_eq(m.hosts.n, 1);
	ck_assert_uint_eq(host_memory_until(&m, b, 25, 200), 300);
	host_memory_clear(&m, b, 25);
	ck_assert_uint_eq(host_memory_until(&m, b, 25, 200), 0);
	host_memory_fini(&m);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("table");
	TCase *t = tcase_create("table");
	SRunner *r;
	int failed;

	tcase_add_test(t, in_and_out);
	tcase_add_test(t, hosts);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
