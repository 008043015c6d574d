/* SPDX-License-Identifier: Apache-2.0 */
#include "common/mail/esc.h"
#include "tests/mail/format_tests.h"

static void
expect(struct buf *b, const char *want)
{
	ck_assert_msg(slice_eq(buf_slice(b), slice_of(want)),
	    "got <%.*s>, want <%s>", SLICE_ARG(buf_slice(b)), want);
	buf_clear(b);
}

START_TEST(every_byte_in_every_style)
{
	static const unsigned styles[] = { ESC_TEXT, ESC_LOCAL, ESC_HEADER };
	struct buf b, back;

	buf_init(&b, 100);
	buf_init(&back, 100);
	for (size_t k = 0; k < ARRAY_LEN(styles); k++) {
		for (int c = 0; c < 256; c++) {
			char byte = (char)c;

			buf_clear(&b);
			buf_clear(&back);
			ck_assert(esc_add(&b, slice_make(&byte, 1), styles[k],
			    ESC_NO_MAX));
			ck_assert(b.len == 1 || b.len == 2 || b.len == 4);
			ck_assert(b.len > 1 || b.ptr[0] == byte);
			for (size_t i = 0; i < b.len; i++) {
				ck_assert_int_ge(b.ptr[i], ' ');
				ck_assert_int_le(b.ptr[i], '~');
			}
			ck_assert(esc_undo(&back, buf_slice(&b)));
			ck_assert_uint_eq(back.len, 1);
			ck_assert_int_eq(back.ptr[0], byte);
			if (styles[k] == ESC_HEADER && c != '\\') {
				ck_assert((b.len > 1) == (c <= ' ' || c >= 127
				    || strchr("\"(),;<>", c) != NULL));
			}
		}
	}
	buf_fini(&b);
	buf_fini(&back);
}
END_TEST

START_TEST(shapes)
{
	struct buf b;

	buf_init(&b, 1000);
	esc_add(&b, SLICE("a b\r\n\\\x1b\xc3\xa4@"), ESC_TEXT, ESC_NO_MAX);
	expect(&b, "a b\\x0D\\x0A\\\\\\x1B\\xC3\\xA4@");
	esc_add(&b, SLICE("\"a@b\\\\\""), ESC_LOCAL, ESC_NO_MAX);
	expect(&b, "\"a\\@b\\\\\\\\\"");
	esc_add(&b, SLICE("x) by evil"), ESC_HEADER, ESC_NO_MAX);
	expect(&b, "x\\x29\\x20by\\x20evil");
	esc_add(&b, SLICE("a\\x0A\n"), ESC_AGAIN, ESC_NO_MAX);
	expect(&b, "a\\x0A\\x0A");
	esc_add(&b, SLICE("\xc3\xa4\xff\xc2\x80\xe2\x80\xae"),
	    ESC_TEXT | ESC_KEEP_UTF8, ESC_NO_MAX);
	expect(&b, "\xc3\xa4\\xFF\\xC2\\x80\\xE2\\x80\\xAE");
	buf_fini(&b);
}
END_TEST

START_TEST(caps)
{
	struct slice s = SLICE("ab\ncd\\ef");	/* ab\x0Acd\\ef: 12 */
	struct buf whole, b;
	char out[16];

	buf_init(&whole, 100);
	ck_assert(esc_add(&whole, s, ESC_TEXT, 12));
	ck_assert_uint_eq(whole.len, 12);
	for (size_t max = 0; max < 16; max++) {
		struct slice cut = esc_cut(buf_slice(&whole), max);
		bool was_cut;
		size_t n;

		/* max_bytes cuts between escapes and says so. */
		buf_init(&b, 100);
		ck_assert(esc_add(&b, s, ESC_TEXT, max) == (max >= 12));
		ck_assert(slice_eq(buf_slice(&b), cut));
		ck_assert(!b.full);
		buf_fini(&b);
		/* The cap of the buf adds nothing. */
		buf_init(&b, max);
		ck_assert(esc_add(&b, s, ESC_TEXT, ESC_NO_MAX) == (max >= 12));
		ck_assert_uint_eq(b.len, max >= 12 ? 12 : 0);
		ck_assert(b.full == (max < 12));
		buf_fini(&b);
		n = esc_write(out, max, s, ESC_TEXT, &was_cut);
		ck_assert(slice_eq(slice_make(out, n), cut));
		ck_assert(was_cut == (max < 12));
		/* What was cut can still be undone. */
		buf_init(&b, 100);
		ck_assert(esc_undo(&b, cut));
		ck_assert(slice_starts(s, buf_slice(&b)));
		buf_fini(&b);
	}
	buf_fini(&whole);
}
END_TEST

START_TEST(undo_refuses)
{
	static const char *const bad[] = { "\\", "a\\", "\\x", "\\x0", "\\xG0",
		"\\x0G", "\\n", "\n", "a\xc3", "\\X0A", "ok\\x4" };
	struct buf b;

	buf_init(&b, 4);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		buf_clear(&b);
		buf_putc(&b, 'k');
		ck_assert_msg(!esc_undo(&b, slice_of(bad[i])), "%s", bad[i]);
		ck_assert_uint_eq(b.len, 1);
	}
	buf_clear(&b);
	ck_assert(!esc_undo(&b, SLICE("abcde")));
	ck_assert_uint_eq(b.len, 0);
	ck_assert(b.full);
	buf_clear(&b);
	ck_assert(esc_undo(&b, SLICE("\\x0a\\x0A")));
	expect(&b, "\n\n");
	buf_fini(&b);
}
END_TEST

static const struct {
	const char *bytes;
	size_t want;
} utf8[] = {
	{ "\xc3\xa4", 2 }, { "\xe2\x82\xac", 3 }, { "\xf0\x9f\x98\x80", 4 },
	{ "\xf4\x8f\xbf\xbf", 4 }, { "a", 0 }, { "", 0 }, { "\xc3", 0 },
	{ "\xc0\x80", 0 }, { "\xc1\xbf", 0 }, { "\xe0\x9f\xbf", 0 },
	{ "\xed\xa0\x80", 0 }, { "\xf4\x90\x80\x80", 0 }, { "\xf5\x80", 0 },
	{ "\xf0\x8f\xbf\xbf", 0 }, { "\x80", 0 }, { "\xc2\x9f", 0 },
	{ "\xc2\xa0", 2 }, { "\xe2\x82", 0 }, { "\xe2\x82\x41", 0 },
	{ "\xe2\x80\xa8", 0 }, { "\xe2\x81\xa9", 0 }, { "\xe2\x80\xaf", 3 },
};

START_TEST(utf8_forms)
{
	struct slice s = slice_of(utf8[_i].bytes);
	bool ascii;

	ck_assert_uint_eq(esc_utf8_len(s), utf8[_i].want);
	ck_assert(esc_is_utf8(SLICE("abc"), &ascii) && ascii);
	ck_assert(esc_is_utf8(SLICE("a\xc3\xa4" "b"), &ascii) && !ascii);
	ck_assert(!esc_is_utf8(SLICE("a\xc3"), NULL));
}
END_TEST

static const struct {
	const char *reply, *want;
} replies[] = {
	{ "250 OK\r\n", "250 OK" },
	{ "550-5.1.1 No such user\r\n550 5.1.1 here\r\n",
	    "550 5.1.1 No such user here" },
	{ "550-5.1.1 a\r\n550-5.7.1 b\r\n550 c", "550 5.1.1 a 5.7.1 b c" },
	{ "550-a\n551 b", "550 a 551 b" },
	{ "550-\r\n550 \r\n", "550" },
	{ "421", "421" },
	{ "554 5.4.7 [internal] exceeded max time without delivery",
	    "554 5.4.7 [internal] exceeded max time without delivery" },
	{ "no code\r\nat all", "no code at all" },
	{ "550  two  blanks \r\n", "550 two  blanks" },
	{ "550 a\x01" "b\\c\rd", "550 a\\x01b\\\\c d" },
	{ "550x y\r\n550-z", "550x y 550-z" },
	{ "5501 y", "5501 y" },
	{ "550-5.1.1\r\n550 5.1.1", "550 5.1.1" },
	{ "\r\n550 x", "550 x" },
	{ "", "" },
};

START_TEST(folds_replies)
{
	struct slice r = slice_of(replies[_i].reply);
	struct buf b;

	buf_init(&b, 200);
	ck_assert(esc_fold_reply(&b, r, ESC_NO_MAX));
	expect(&b, replies[_i].want);
	for (size_t max = 0; max < 80; max++) {
		size_t want = strlen(replies[_i].want);

		ck_assert(esc_fold_reply(&b, r, max) == (max >= want));
		ck_assert_uint_le(b.len, max);
		ck_assert(!b.full);
		ck_assert(slice_starts(slice_of(replies[_i].want),
		    buf_slice(&b)));
		b.len = 0;
	}
	buf_fini(&b);
	buf_init(&b, 3);
	if (strlen(replies[_i].want) > 3) {
		ck_assert(!esc_fold_reply(&b, r, ESC_NO_MAX));
		ck_assert_uint_eq(b.len, 0);
		ck_assert(b.full);
	}
	buf_fini(&b);
}
END_TEST

START_TEST(xtext)
{
	static const char *const bad[] = { "+", "+4", "+4g", "+2b", "a=b", "a b",
		"\x7f", "\xc3", "\n", "+G0" };
	struct buf b, back;
	char all[256];

	buf_init(&b, 1000);
	buf_init(&back, 1000);
	esc_xtext_encode(&b, SLICE("a+b=c d~"));
	expect(&b, "a+2Bb+3Dc+20d~");
	for (int c = 0; c < 256; c++) {
		all[c] = (char)c;
	}
	ck_assert(esc_xtext_encode(&b, slice_make(all, 256)));
	ck_assert(esc_xtext_is_valid(buf_slice(&b)));
	ck_assert(esc_xtext_decode(&back, buf_slice(&b)));
	ck_assert(slice_eq(buf_slice(&back), slice_make(all, 256)));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		buf_clear(&back);
		ck_assert_msg(!esc_xtext_is_valid(slice_of(bad[i])), "%s",
		    bad[i]);
		ck_assert(!esc_xtext_decode(&back, slice_of(bad[i])));
		ck_assert_uint_eq(back.len, 0);
	}
	ck_assert(esc_xtext_is_valid(SLICE("")));
	buf_fini(&b);
	buf_init(&b, 4);
	ck_assert(!esc_xtext_encode(&b, SLICE("ab ")));
	ck_assert_uint_eq(b.len, 0);
	ck_assert(!esc_xtext_decode(&b, SLICE("abcde")));
	ck_assert_uint_eq(b.len, 0);
	buf_fini(&b);
	buf_fini(&back);
}
END_TEST

TCase *
tcase_esc(void)
{
	TCase *t = tcase_create("esc");

	tcase_add_test(t, every_byte_in_every_style);
	tcase_add_test(t, shapes);
	tcase_add_test(t, caps);
	tcase_add_test(t, undo_refuses);
	tcase_add_loop_test(t, utf8_forms, 0, (int)ARRAY_LEN(utf8));
	tcase_add_loop_test(t, folds_replies, 0, (int)ARRAY_LEN(replies));
	tcase_add_test(t, xtext);
	return t;
}
