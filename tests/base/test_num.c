/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/num.h"
#include "tests/base/base_tests.h"

static const struct {
	const char *text;
	bool ok;
	uint64_t value;
} rows[] = {
	{ "0", true, 0 }, { "007", true, 7 }, { "42", true, 42 },
	{ "18446744073709551615", true, UINT64_MAX },
	{ "18446744073709551616", false, 0 },
	{ "99999999999999999999", false, 0 },
	{ "", false, 0 }, { "-1", false, 0 }, { "+1", false, 0 },
	{ " 1", false, 0 }, { "1 ", false, 0 }, { "0x1", false, 0 },
	{ "1.0", false, 0 }, { "/", false, 0 }, { ":", false, 0 },
};

START_TEST(parses)
{
	uint64_t v = 77;

	ck_assert(num_parse_u64(slice_of(rows[_i].text), &v) == rows[_i].ok);
	ck_assert_uint_eq(v, rows[_i].ok ? rows[_i].value : 77);
}
END_TEST

START_TEST(bounds)
{
	uint64_t v = 77;
	size_t n;

	ck_assert(num_parse_max(SLICE("25"), 25, &v));
	ck_assert_uint_eq(v, 25);
	ck_assert(!num_parse_max(SLICE("26"), 25, &v));
	ck_assert_uint_eq(v, 25);
	ck_assert(num_add(SIZE_MAX - 1, 1, &n));
	ck_assert(!num_add(SIZE_MAX, 1, &n));
	ck_assert(num_mul(SIZE_MAX, 1, &n));
	ck_assert(!num_mul(SIZE_MAX / 2, 3, &n));
	ck_assert_uint_eq(num_round_up(0, 4096), 0);
	ck_assert_uint_eq(num_round_up(1, 4096), 4096);
	ck_assert_uint_eq(num_round_up(4096, 4096), 4096);
}
END_TEST

TCase *
tcase_num(void)
{
	TCase *t = tcase_create("num");

	tcase_add_loop_test(t, parses, 0, (int)ARRAY_LEN(rows));
	tcase_add_test(t, bounds);
	return t;
}
