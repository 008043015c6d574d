/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/list.h"
#include "tests/base/base_tests.h"

struct item {
	int n;
	struct list_node link;
};

START_TEST(order_and_removal)
{
	struct list_node head;
	struct item it[5];
	int sum = 0, last = -1;

	list_init(&head);
	ck_assert(list_is_empty(&head));
	ck_assert_ptr_null(list_first(&head));
	ck_assert_ptr_null(list_pop_front(&head));
	for (int i = 1; i < 5; i++) {
		it[i].n = i;
		list_push_back(&head, &it[i].link);
	}
	it[0].n = 0;
	list_push_front(&head, &it[0].link);
	list_each(n, tmp, &head) {
		struct item *i = list_entry(n, struct item, link);

		ck_assert_int_gt(i->n, last);
		last = i->n;
		sum += i->n;
		if (i->n % 2 == 1) {
			list_remove(n);
			list_remove(n);	/* harmless */
		}
	}
	ck_assert_int_eq(sum, 10);
	ck_assert_ptr_eq(list_pop_front(&head), &it[0].link);
	ck_assert_ptr_eq(list_pop_front(&head), &it[2].link);
	ck_assert_ptr_eq(list_first(&head), &it[4].link);
	list_insert_before(&it[4].link, &it[3].link);
	ck_assert_ptr_eq(list_first(&head), &it[3].link);
}
END_TEST

TCase *
tcase_list(void)
{
	TCase *t = tcase_create("list");

	tcase_add_test(t, order_and_removal);
	return t;
}
