/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/slice.h"
#include "tests/base/base_tests.h"

static const struct slice none = { NULL, 0 };

static void
expect(struct slice got, const char *want)
{
	ck_assert_uint_eq(got.len, strlen(want));
	ck_assert(slice_eq(got, slice_of(want)));
}

START_TEST(compares)
{
	ck_assert(slice_eq(none, SLICE("")));
	ck_assert(slice_eq_nocase(none, none));
	ck_assert(!slice_eq(SLICE("a"), SLICE("A")));
	ck_assert(slice_eq_nocase(SLICE("aBc"), SLICE("AbC")));
	ck_assert(!slice_eq_nocase(SLICE("abc"), SLICE("abcd")));
	ck_assert(!slice_eq(SLICE("a\0b"), SLICE("a\0c")));
	ck_assert(slice_starts(SLICE("abc"), none));
	ck_assert(slice_starts(SLICE("abc"), SLICE("ab")));
	ck_assert(!slice_starts(SLICE("ab"), SLICE("abc")));
	ck_assert(slice_starts_nocase(SLICE("MAIL FROM:"), SLICE("mail ")));
	ck_assert(!slice_starts_nocase(none, SLICE("x")));
	ck_assert(slice_ends_nocase(SLICE("x.Example"), SLICE(".eXAMPLE")));
	ck_assert(!slice_ends_nocase(SLICE("ple"), SLICE("example")));
	ck_assert(slice_ends_nocase(none, none));
}
END_TEST

START_TEST(trims_and_cuts)
{
	struct slice s = SLICE("a@b@");

	expect(slice_trim(SLICE(" \t a b\t ")), "a b");
	expect(slice_trim(SLICE(" \t ")), "");
	expect(slice_trim(none), "");
	expect(slice_skip(SLICE("abc"), 2), "c");
	expect(slice_skip(SLICE("abc"), 9), "");
	ck_assert_ptr_null(slice_skip(none, 1).ptr);
	expect(slice_cut(&s, '@'), "a");
	expect(slice_cut(&s, '@'), "b");
	expect(s, "");
	expect(slice_cut(&s, '@'), "");
	s = SLICE("plain");
	expect(slice_cut(&s, '@'), "plain");
	ck_assert_uint_eq(s.len, 0);
	ck_assert_int_eq(slice_find(SLICE("abca"), 'a'), 0);
	ck_assert_int_eq(slice_rfind(SLICE("abca"), 'a'), 3);
	ck_assert_int_eq(slice_find(SLICE("abca"), 'x'), -1);
	ck_assert_int_eq(slice_rfind(none, 'x'), -1);
	ck_assert_int_eq(slice_find(none, '\0'), -1);
}
END_TEST

START_TEST(copies)
{
	char d[4] = "???";
	char *p;

	ck_assert(slice_copy(d, sizeof d, SLICE("abc")));
	ck_assert_str_eq(d, "abc");
	ck_assert(!slice_copy(d, sizeof d, SLICE("abcd")));
	ck_assert_str_eq(d, "abc");
	ck_assert(!slice_copy(d, 1, SLICE("x")));
	ck_assert_str_eq(d, "");
	d[0] = '!';
	ck_assert(!slice_copy(d, 0, SLICE("x")));
	ck_assert_int_eq(d[0], '!');
	ck_assert(slice_copy(d, sizeof d, none));
	p = slice_dup(SLICE("abc"));
	ck_assert_str_eq(p, "abc");
	free(p);
}
END_TEST

START_TEST(lowers_ascii_only)
{
	for (int c = 0; c < 256; c++) {
		char b = (char)c;

		bytes_lower(&b, 1);
		ck_assert_int_eq((unsigned char)b,
		    c >= 'A' && c <= 'Z' ? c + 32 : c);
	}
}
END_TEST

TCase *
tcase_slice(void)
{
	TCase *t = tcase_create("slice");

	tcase_add_test(t, compares);
	tcase_add_test(t, trims_and_cuts);
	tcase_add_test(t, copies);
	tcase_add_test(t, lowers_ascii_only);
	return t;
}
