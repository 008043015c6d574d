/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/crc.h"
#include "tests/base/base_tests.h"

START_TEST(known_values)
{
	char zeros[32] = { 0 }, ones[32];

	/* RFC 3720 appendix B.4. */
	memset(ones, 0xff, sizeof ones);
	ck_assert_uint_eq(crc32c(0, zeros, 32), 0x8a9136aau);
	ck_assert_uint_eq(crc32c(0, ones, 32), 0x62a8ab43u);
	ck_assert_uint_eq(crc32c(0, "123456789", 9), 0xe3069283u);
	ck_assert_uint_eq(crc32c(0, "", 0), 0);
}
END_TEST

START_TEST(both_forms_agree_at_any_split)
{
	uint8_t b[67];
	uint32_t whole;

	for (size_t i = 0; i < sizeof b; i++) {
		b[i] = (uint8_t)(i * 37 + 11);
	}
	whole = crc32c(5, b, sizeof b);
	ck_assert_uint_ne(whole, crc32c(6, b, sizeof b));
	for (size_t i = 0; i <= sizeof b; i++) {
		ck_assert_uint_eq(crc32c(crc32c(5, b, i), b + i,
		    sizeof b - i), whole);
		ck_assert_uint_eq(crc32c_table(crc32c_table(5, b, i), b + i,
		    sizeof b - i), whole);
	}
}
END_TEST

TCase *
tcase_crc(void)
{
	TCase *t = tcase_create("crc");

	tcase_add_test(t, known_values);
	tcase_add_test(t, both_forms_agree_at_any_split);
	return t;
}
