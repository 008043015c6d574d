/* SPDX-License-Identifier: Apache-2.0 */
/* The line splitter, whole and at every split point. */
#include "common/mail/smtp_line.h"

#include <check.h>

struct expect {
	enum smtp_line_status status;
	const char *line;
};

static const struct {
	struct slice in;
	size_t max;
	struct expect out[6];	/* ends with MORE */
	size_t left;		/* bytes that stay unconsumed at the end */
} cases[] = {
	{ { "", 0 }, 64, { { SMTP_LINE_MORE } }, 0 },
	{ { "NOOP\r\nQUIT\r\n", 12 }, 64,
	    { { SMTP_LINE_OK, "NOOP" }, { SMTP_LINE_OK, "QUIT" } }, 0 },
	{ { "\r\nQU", 4 }, 64, { { SMTP_LINE_OK, "" } }, 2 },
	{ { "NO\nOP\r\n", 7 }, 64, { { SMTP_LINE_BARE_LF, "NO\nOP" } }, 0 },
	{ { "QUIT\n", 5 }, 64, { { SMTP_LINE_MORE } }, 5 },
	{ { "NO\rOP\r\n", 7 }, 64, { { SMTP_LINE_BARE_CR, "NO\rOP" } }, 0 },
	{ { "NOOP\r\r\n", 7 }, 64, { { SMTP_LINE_BARE_CR, "NOOP\r" } }, 0 },
	{ { "\n\r\nX\r\n", 6 }, 64,
	    { { SMTP_LINE_BARE_LF, "\n" }, { SMTP_LINE_OK, "X" } }, 0 },
	/* Exactly max with CRLF; then one more. */
	{ { "123456\r\n1234567\r\nX\r\n", 20 }, 8,
	    { { SMTP_LINE_OK, "123456" }, { SMTP_LINE_TOO_LONG, "1234567" },
	    { SMTP_LINE_OK, "X" } }, 0 },
	{ { "0123456789abcdef\n\r\r\nX\r\n", 23 }, 8,
	    { { SMTP_LINE_TOO_LONG, "0123456" }, { SMTP_LINE_OK, "X" } }, 0 },
	{ { "0123456789abcde\r", 16 }, 8,
	    { { SMTP_LINE_TOO_LONG, "0123456" } }, 1 },
};

/* The first `at` bytes, then all. */
static void
run_case(size_t k, size_t at)
{
	struct slice in = cases[k].in, line;
	struct smtp_line l;
	size_t from = 0, to = at, i = 0, used;
	enum smtp_line_status st;

	smtp_line_init(&l, cases[k].max);
	for (;;) {
		st = smtp_line_next(&l, slice_make(in.ptr + from, to - from),
		    &used, &line);
		from += used;
		if (st == SMTP_LINE_MORE && to < in.len) {
			to = in.len;
			continue;
		}
		ck_assert_int_eq(st, cases[k].out[i].status);
		if (st == SMTP_LINE_MORE) {
			break;
		}
		ck_assert(slice_eq(line, slice_of(cases[k].out[i].line)));
		i++;
	}
	ck_assert_uint_eq(in.len - from, cases[k].left);
}

START_TEST(every_split)
{
	for (size_t at = 0; at <= cases[_i].in.len; at++) {
		run_case((size_t)_i, at);
	}
}
END_TEST

START_TEST(nul)
{
	struct slice line;
	struct smtp_line l;
	size_t used;

	smtp_line_init(&l, SMTP_LINE_DEFAULT_MAX);
	ck_assert_int_eq(smtp_line_next(&l, slice_make("A\0B\r\n", 5), &used,
	    &line), SMTP_LINE_NUL);
	ck_assert_uint_eq(used, 5);
	ck_assert_uint_eq(line.len, 3);
}
END_TEST

/* The slice points into the caller's buffer: nothing was copied. */
START_TEST(zero_copy)
{
	static const char in[] = "RSET\r\nQUIT\r\n";
	struct slice line;
	struct smtp_line l;
	size_t used;

	smtp_line_init(&l, 64);
	smtp_line_next(&l, SLICE(in), &used, &line);
	ck_assert_ptr_eq(line.ptr, in);
	smtp_line_next(&l, slice_skip(SLICE(in), used), &used, &line);
	ck_assert_ptr_eq(line.ptr, in + 6);
}
END_TEST

/* An endless line is reported once and takes no memory. */
START_TEST(endless)
{
	char block[64];
	struct slice line;
	struct smtp_line l;
	size_t used, n = 0;
	int reports = 0;

	memset(block, 'a', sizeof(block));
	smtp_line_init(&l, 32);
	for (int i = 0; i < 1000; i++) {
		struct slice in = slice_make(block, sizeof(block));

		while (smtp_line_next(&l, in, &used, &line) ==
		    SMTP_LINE_TOO_LONG) {
			in = slice_skip(in, used);
			reports++;
			n += used;
		}
		n += used;
	}
	ck_assert_int_eq(reports, 1);
	ck_assert_uint_eq(n, 64000);
	ck_assert_int_eq(smtp_line_next(&l, SLICE("\r\nQUIT\r\n"), &used,
	    &line), SMTP_LINE_OK);
	ck_assert(slice_eq(line, SLICE("QUIT")));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("smtp_line");
	TCase *t = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_loop_test(t, every_split, 0, (int)ARRAY_LEN(cases));
	tcase_add_test(t, nul);
	tcase_add_test(t, zero_copy);
	tcase_add_test(t, endless);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
