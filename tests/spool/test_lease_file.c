/* SPDX-License-Identifier: Apache-2.0 */
/* The lease file: what is written is read; every changed bit is noticed. */
#include "common/spool/lease_file.h"

#include <check.h>

static const struct lease_file f = { 0x1122334455667788u, 1795457444u, 7u };

START_TEST(round_trip)
{
	struct lease_file back;
	struct buf b;

	buf_init(&b, LEASE_FILE_BYTES);
	lease_file_encode(&f, &b);
	ck_assert(!b.full);
	ck_assert_uint_eq(b.len, LEASE_FILE_BYTES);
	ck_assert(lease_file_decode(buf_slice(&b), &back));
	ck_assert_uint_eq(back.next, f.next);
	ck_assert_uint_eq(back.last_second, f.last_second);
	ck_assert_uint_eq(back.wrap_second, f.wrap_second);
	buf_fini(&b);
}
END_TEST

START_TEST(damage)
{
	struct lease_file back;
	struct buf b;

	buf_init(&b, LEASE_FILE_BYTES + 1);
	lease_file_encode(&f, &b);
	for (size_t i = 0; i < LEASE_FILE_BYTES * 8; i++) {
		b.ptr[i / 8] ^= (char)(1 << i % 8);
		ck_assert(!lease_file_decode(buf_slice(&b), &back));
		b.ptr[i / 8] ^= (char)(1 << i % 8);
	}
	for (size_t n = 0; n < LEASE_FILE_BYTES; n++) {
		ck_assert(!lease_file_decode(slice_make(b.ptr, n), &back));
	}
	buf_putc(&b, 'x');
	ck_assert(!lease_file_decode(buf_slice(&b), &back));
	buf_fini(&b);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("lease_file");
	TCase *t = tcase_create("all");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, round_trip);
	tcase_add_test(t, damage);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
