/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/scratch.h"
#include "tests/base/base_tests.h"

START_TEST(cap_and_alignment)
{
	struct scratch s;
	size_t n = 0;

	scratch_init(&s, 10000);
	for (size_t i = 1;; i++) {
		unsigned char *p = scratch_alloc(&s, i % 100);

		if (p == NULL) {
			break;
		}
		ck_assert_uint_eq((uintptr_t)p % 16, 0);
		memset(p, (int)i, i % 100);
		n++;
	}
	ck_assert_uint_gt(n, 100);
	ck_assert_uint_le(s.used, 10000);
	scratch_reset(&s);
	ck_assert_uint_eq(s.used, 0);
	ck_assert_ptr_nonnull(scratch_alloc(&s, 10000));
	ck_assert_ptr_null(scratch_alloc(&s, 1));
	ck_assert_ptr_null(scratch_alloc(&s, SIZE_MAX));
	scratch_fini(&s);
	scratch_fini(&s);
}
END_TEST

START_TEST(copies)
{
	struct scratch s;
	struct slice c;

	scratch_init(&s, 32);
	c = scratch_copy(&s, SLICE("a\0b"));
	ck_assert(slice_eq(c, SLICE("a\0b")));
	ck_assert_int_eq(c.ptr[3], '\0');
	c = scratch_copy(&s, SLICE("sixteen is too much"));
	ck_assert_ptr_null(c.ptr);
	scratch_fini(&s);
}
END_TEST

TCase *
tcase_scratch(void)
{
	TCase *t = tcase_create("scratch");

	tcase_add_test(t, cap_and_alignment);
	tcase_add_test(t, copies);
	return t;
}
