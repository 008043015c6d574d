/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/buf.h"
#include "tests/base/base_tests.h"

START_TEST(cap_holds)
{
	struct buf b;

	buf_init(&b, 5);
	ck_assert(buf_puts(&b, "abc"));
	ck_assert(!buf_puts(&b, "def"));
	ck_assert(b.full);
	ck_assert(slice_eq(buf_slice(&b), SLICE("abc")));
	ck_assert(buf_add(&b, SLICE("de")));
	ck_assert(b.full);	/* sticky until the clear */
	ck_assert(!buf_putc(&b, 'x'));
	buf_clear(&b);
	ck_assert(!b.full);
	ck_assert(buf_printf(&b, "%d", 12345));
	ck_assert(!b.full);
	ck_assert(!buf_printf(&b, "%s", "x"));
	ck_assert(slice_eq(buf_slice(&b), SLICE("12345")));
	buf_fini(&b);
	ck_assert_uint_eq(b.max, 5);
	ck_assert(buf_putc(&b, 'y'));
	buf_fini(&b);
}
END_TEST

START_TEST(overflow_is_refused)
{
	struct buf b;

	buf_init(&b, SIZE_MAX);
	ck_assert(buf_putc(&b, 'a'));
	ck_assert(!buf_reserve(&b, SIZE_MAX));
	ck_assert(b.full);
	ck_assert_uint_eq(b.len, 1);
	buf_fini(&b);
}
END_TEST

START_TEST(grows_and_consumes)
{
	struct buf b;

	buf_init(&b, 100000);
	for (int i = 0; i < 10000; i++) {
		ck_assert(buf_printf(&b, "%04d", i));
	}
	ck_assert_uint_eq(b.len, 40000);
	buf_consume(&b, 4 * 9999);
	ck_assert(slice_eq(buf_slice(&b), SLICE("9999")));
	buf_consume(&b, 99);
	ck_assert_uint_eq(b.len, 0);
	ck_assert(buf_append(&b, NULL, 0));
	buf_fini(&b);
}
END_TEST

TCase *
tcase_buf(void)
{
	TCase *t = tcase_create("buf");

	tcase_add_test(t, cap_holds);
	tcase_add_test(t, overflow_is_refused);
	tcase_add_test(t, grows_and_consumes);
	return t;
}
