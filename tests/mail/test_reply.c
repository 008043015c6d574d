/* SPDX-License-Identifier: Apache-2.0 */
/* Replies: foreign ones whole and byte by byte, ours built and read back. */
#include "common/mail/reply.h"

#include <check.h>

static const struct {
	const char *in;
	enum reply_status status;
	unsigned code;
	const char *enhanced;	/* "" none */
	const char *folded;
	size_t left;
} cases[] = {
	{ "250 2.1.0 ok\r\n", REPLY_OK, 250, "2.1.0", "250 2.1.0 ok", 0 },
	{ "250 ok\r\n354 go\r\n", REPLY_OK, 250, "", "250 ok", 8 },
	{ "250 ok\n", REPLY_OK, 250, "", "250 ok", 0 },
	{ "220\r\n", REPLY_OK, 220, "", "220", 0 },
	{ "220\n", REPLY_OK, 220, "", "220", 0 },
	{ "220 \r\n", REPLY_OK, 220, "", "220", 0 },
	{ "550-5.1.1 no such\r\n550-5.1.1 user\r\n550 5.1.1 here\r\n",
	    REPLY_OK, 550, "5.1.1", "550 5.1.1 no such user here", 0 },
	{ "550-5.1.1 a\r\n550 5.2.1 b\r\n", REPLY_OK, 550, "5.1.1",
	    "550 5.1.1 a 5.2.1 b", 0 },
	{ "421-a\r\n421-\r\n421 b\r\n", REPLY_OK, 421, "", "421 a b", 0 },
	{ "451 4.7.123 x\ty\x01z\r\n", REPLY_OK, 451, "4.7.123",
	    "451 4.7.123 x y z", 0 },
	{ "250 a\rb\r\r\n", REPLY_OK, 250, "", "250 a b ", 0 },
	/* Not an enhanced code, or one of another class. */
	{ "250 2.1 x\r\n", REPLY_OK, 250, "", "250 2.1 x", 0 },
	{ "250 2.01.1 x\r\n", REPLY_OK, 250, "", "250 2.01.1 x", 0 },
	{ "250 2.1.1234 x\r\n", REPLY_OK, 250, "", "250 2.1.1234 x", 0 },
	{ "250 2.1.1x\r\n", REPLY_OK, 250, "", "250 2.1.1x", 0 },
	{ "250 3.1.1 x\r\n", REPLY_OK, 250, "", "250 3.1.1 x", 0 },
	{ "550 4.1.1 x\r\n", REPLY_OK, 550, "", "550 4.1.1 x", 0 },
	{ "250-a\r\n550 b\r\n", REPLY_MIXED_CODES, 550, "", "550 a b", 0 },
	{ "550-a\r\n250-b\r\n550 c\r\n", REPLY_MIXED_CODES, 550, "",
	    "550 a b c", 0 },
	{ "25", REPLY_MORE, 0, NULL, NULL, 0 },
	{ "250-a\r\n250", REPLY_MORE, 0, NULL, NULL, 0 },
	{ "hello\r\n", REPLY_BAD_CODE, 0, NULL, NULL, 6 },
	{ "150 x\r\n", REPLY_BAD_CODE, 0, NULL, NULL, 6 },
	{ "600 x\r\n", REPLY_BAD_CODE, 0, NULL, NULL, 6 },
	{ "2x0 x\r\n", REPLY_BAD_CODE, 0, NULL, NULL, 5 },
	{ "\r\n", REPLY_BAD_CODE, 0, NULL, NULL, 1 },
	{ "250x\r\n", REPLY_BAD_SEPARATOR, 0, NULL, NULL, 2 },
	{ "250\rx", REPLY_BAD_SEPARATOR, 0, NULL, NULL, 0 },
};

static enum reply_status
feed(struct reply_parser *p, struct slice in, size_t step, size_t *used_out)
{
	enum reply_status st = REPLY_MORE;
	size_t used;

	reply_parser_init(p);
	*used_out = 0;
	while (*used_out < in.len && st == REPLY_MORE) {
		st = reply_feed(p, slice_make(in.ptr + *used_out,
		    EC_MIN(step, in.len - *used_out)), &used);
		*used_out += used;
	}
	return st;
}

START_TEST(table)
{
	struct slice in = slice_of(cases[_i].in);
	static struct reply_parser p;
	char text[256], enhanced[32];
	size_t used, n;

	for (size_t step = 1; step <= in.len; step++) {
		memset(&p, 0xaa, sizeof(p));
		ck_assert_int_eq(feed(&p, in, step, &used), cases[_i].status);
		ck_assert_uint_eq(in.len - used, cases[_i].left);
		ck_assert_str_ne(reply_status_text(cases[_i].status), "");
		if (cases[_i].folded == NULL) {
			continue;
		}
		ck_assert_uint_eq(p.code, cases[_i].code);
		n = reply_fold(&p, text, sizeof(text));
		ck_assert(slice_eq(slice_make(text, n),
		    slice_of(cases[_i].folded)));
		snprintf(enhanced, sizeof(enhanced), "%u.%u.%u",
		    p.enhanced.klass, p.enhanced.subject, p.enhanced.detail);
		ck_assert_str_eq(p.enhanced.klass == 0 ? "" : enhanced,
		    cases[_i].enhanced);
	}
}
END_TEST

START_TEST(bounds)
{
	static char big[REPLY_BYTES_MAX + 100];
	static struct reply_parser p;
	struct buf b;
	size_t used;

	/* Too long a line: text kept to the cap, then the end of patience. */
	memset(big, 'a', sizeof(big));
	memcpy(big, "250 ", 4);
	for (size_t step = 1000; step < 200000; step *= 100) {
		ck_assert_int_eq(feed(&p, slice_make(big, sizeof(big)), step,
		    &used), REPLY_TOO_LONG);
		ck_assert_uint_eq(used, REPLY_BYTES_MAX);
		ck_assert_uint_eq(p.text_len, REPLY_TEXT_MAX);
		ck_assert(p.cut);
	}
	/* Long, but it ends. */
	memcpy(big + 10000, "\r\n", 2);
	ck_assert_int_eq(feed(&p, slice_make(big, sizeof(big)), 500, &used),
	    REPLY_OK);
	ck_assert(p.cut);
	ck_assert_uint_eq(used, 10002);
	buf_init(&b, 65536);
	for (int i = 0; i < REPLY_LINES_MAX; i++) {
		buf_puts(&b, "250-x\r\n");
	}
	ck_assert_int_eq(feed(&p, buf_slice(&b), 77, &used),
	    REPLY_TOO_MANY_LINES);
	buf_fini(&b);
}
END_TEST

START_TEST(build)
{
	static const struct reply_text ok = { 250, "2.0.0", "OK" };
	static const struct reply_text go = { 354, NULL, "go" };
	struct buf b;

	buf_init(&b, 64);
	ck_assert(reply_put(&b, &ok, true, SLICE("00/01-02")));
	ck_assert(reply_put(&b, &ok, false, SLICE("")));
	ck_assert(reply_put(&b, &go, true, SLICE("")));
	ck_assert(slice_eq(buf_slice(&b),
	    SLICE("250 2.0.0 OK 00/01-02\r\n250 OK\r\n354 go\r\n")));
	/* What does not fit leaves nothing behind. */
	ck_assert(!reply_put_lines(&b, 550, "5.7.1",
	    SLICE("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")));
	ck_assert_uint_eq(b.len, 39);
	ck_assert(b.full);
	buf_clear(&b);
	ck_assert(reply_put_lines(&b, 550, "5.7.1", SLICE("a\r\nb\rc\n")));
	ck_assert(slice_eq(buf_slice(&b),
	    SLICE("550-5.7.1 a\r\n550 5.7.1 b c\r\n")));
	buf_clear(&b);
	ck_assert(reply_put_lines(&b, 220, NULL, SLICE("")));
	ck_assert(slice_eq(buf_slice(&b), SLICE("220 \r\n")));
	buf_fini(&b);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("reply");
	TCase *t = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_loop_test(t, table, 0, (int)ARRAY_LEN(cases));
	tcase_add_test(t, bounds);
	tcase_add_test(t, build);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
