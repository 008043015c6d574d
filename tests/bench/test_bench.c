/* SPDX-License-Identifier: Apache-2.0 */
/* The pure parts of the bench programs. */
#include "common/base/base.h"

#include <check.h>

#include "tests/bench/bench_util.h"
#include "tests/bench/behave.h"
#include "tests/bench/hist.h"
#include "tests/bench/ledger.h"
#include "tests/bench/load_msgs.h"
#include "tests/bench/load_reply.h"
#include "tests/bench/sink_data.h"

START_TEST(hist_is_exact_for_small_values)
{
	struct hist *h = xcalloc(1, sizeof *h);

	ck_assert_uint_eq(hist_quantile(h, 50000), 0);
	for (uint64_t v = 1; v <= 100; v++) {
		hist_add(h, v);
	}
	ck_assert_uint_eq(hist_quantile(h, 0), 1);
	ck_assert_uint_eq(hist_quantile(h, 50000), 50);
	ck_assert_uint_eq(hist_quantile(h, 99000), 99);
	ck_assert_uint_eq(hist_quantile(h, 99001), 100);
	ck_assert_uint_eq(hist_quantile(h, 100000), 100);
	ck_assert_uint_eq(h->sum, 5050);
	free(h);
}
END_TEST

START_TEST(hist_is_near_for_large_values)
{
	for (uint64_t v = 1; v < (UINT64_C(1) << 39); v += v / 3 + 1) {
		struct hist *h = xcalloc(1, sizeof *h);
		uint64_t q;

		hist_add(h, v);
		hist_add(h, UINT64_C(1) << 39);
		q = hist_quantile(h, 50000);
		ck_assert_uint_ge(q, v);
		ck_assert_uint_le(q - v, v / 256);
		free(h);
	}
}
END_TEST

START_TEST(hist_takes_any_value)
{
	struct hist *h = xcalloc(1, sizeof *h);

	hist_add(h, UINT64_MAX);
	hist_add(h, 0);
	ck_assert_uint_eq(hist_quantile(h, 50000), 0);
	ck_assert_uint_le(hist_quantile(h, 100000), UINT64_MAX);
	ck_assert_uint_eq(h->max, UINT64_MAX);
	free(h);
}
END_TEST

static const struct {
	const char *text;
	bool ok;
	uint64_t ppm;
} fractions[] = {
	{ "1", true, 1000000 }, { "0", true, 0 }, { "0.3", true, 300000 },
	{ ".5", true, 500000 }, { "2.", true, 2000000 },
	{ "0.000001", true, 1 }, { "0.0000001", false, 0 },
	{ "", false, 0 }, { ".", false, 0 }, { "a", false, 0 },
	{ "1.x", false, 0 }, { "-1", false, 0 }, { "1.5.2", false, 0 },
	{ "99999999999", false, 0 },
};

START_TEST(fraction_parses)
{
	uint64_t v = 77;
	bool ok = bench_parse_fraction(slice_of(fractions[_i].text), 1000000,
	    &v);

	ck_assert_int_eq(ok, fractions[_i].ok);
	ck_assert_uint_eq(v, ok ? fractions[_i].ppm : 77);
}
END_TEST

START_TEST(address_parses)
{
	struct bench_addr a;
	char text[64];

	ck_assert(bench_addr_parse("127.0.0.1:25", &a));
	bench_addr_print(&a, text);
	ck_assert_str_eq(text, "127.0.0.1:25");
	ck_assert(bench_addr_parse("[::1]:2525", &a));
	bench_addr_print(&a, text);
	ck_assert_str_eq(text, "[::1]:2525");
	ck_assert(bench_addr_parse("localhost:0", &a));
	ck_assert(!bench_addr_parse("127.0.0.1", &a));
	ck_assert(!bench_addr_parse(":25", &a));
	ck_assert(!bench_addr_parse("127.0.0.1:65536", &a));
	ck_assert(!bench_addr_parse("mail.example:25", &a));
}
END_TEST

static const struct {
	enum behave_kind kind;
	const char *text;
	enum behave_result want;
	struct behave_rule rule;
} rules[] = {
	{ BEHAVE_REPLY, "rcpt=450@0.3", BEHAVE_OK,
	    { BEHAVE_REPLY, BEHAVE_RCPT, 300000, 450, 0, "", "" } },
	{ BEHAVE_REPLY, "connect=554", BEHAVE_OK,
	    { BEHAVE_REPLY, BEHAVE_CONNECT, BEHAVE_ALWAYS, 554, 0, "", "" } },
	{ BEHAVE_REPLY, "dot=451:4.7.0 a@b is busy@.25", BEHAVE_OK,
	    { BEHAVE_REPLY, BEHAVE_DOT, 250000, 451, 0, "",
	    "4.7.0 a@b is busy" } },
	{ BEHAVE_REPLY, "mail=550:no a@b", BEHAVE_OK,
	    { BEHAVE_REPLY, BEHAVE_MAIL, BEHAVE_ALWAYS, 550, 0, "",
	    "no a@b" } },
	{ BEHAVE_REPLY, "rcpt/@slow.example=421", BEHAVE_OK,
	    { BEHAVE_REPLY, BEHAVE_RCPT, BEHAVE_ALWAYS, 421, 0,
	    "@slow.example", "" } },
	{ BEHAVE_DELAY, "dot=200", BEHAVE_OK,
	    { BEHAVE_DELAY, BEHAVE_DOT, BEHAVE_ALWAYS, 0, 200, "", "" } },
	{ BEHAVE_DELAY, "quit=1@1", BEHAVE_OK,
	    { BEHAVE_DELAY, BEHAVE_QUIT, BEHAVE_ALWAYS, 0, 1, "", "" } },
	{ BEHAVE_DROP, "ack@0.05", BEHAVE_OK,
	    { BEHAVE_DROP, BEHAVE_ACK, 50000, 0, 0, "", "" } },
	{ BEHAVE_DROP, "body", BEHAVE_OK,
	    { BEHAVE_DROP, BEHAVE_BODY, BEHAVE_ALWAYS, 0, 0, "", "" } },
	{ BEHAVE_REPLY, "nowhere=450", BEHAVE_BAD_STAGE, { 0 } },
	{ BEHAVE_REPLY, "RCPT=450", BEHAVE_BAD_STAGE, { 0 } },
	{ BEHAVE_REPLY, "body=450", BEHAVE_BAD_STAGE, { 0 } },
	{ BEHAVE_DELAY, "ack=5", BEHAVE_BAD_STAGE, { 0 } },
	{ BEHAVE_DROP, "", BEHAVE_BAD_STAGE, { 0 } },
	{ BEHAVE_REPLY, "rcpt=45", BEHAVE_BAD_CODE, { 0 } },
	{ BEHAVE_REPLY, "rcpt=199", BEHAVE_BAD_CODE, { 0 } },
	{ BEHAVE_REPLY, "rcpt=600", BEHAVE_BAD_CODE, { 0 } },
	{ BEHAVE_REPLY, "rcpt=", BEHAVE_BAD_CODE, { 0 } },
	{ BEHAVE_REPLY, "rcpt=450@1.5", BEHAVE_BAD_RATIO, { 0 } },
	{ BEHAVE_DROP, "dot@0.x", BEHAVE_BAD_RATIO, { 0 } },
	{ BEHAVE_DELAY, "dot=soon", BEHAVE_BAD_DELAY, { 0 } },
	{ BEHAVE_DELAY, "dot=3600001", BEHAVE_BAD_DELAY, { 0 } },
	{ BEHAVE_REPLY, "rcpt", BEHAVE_BAD_SYNTAX, { 0 } },
	{ BEHAVE_DROP, "rcpt=450", BEHAVE_BAD_SYNTAX, { 0 } },
	{ BEHAVE_REPLY, "rcpt=450:\r\n250 ok", BEHAVE_BAD_TEXT, { 0 } },
};

START_TEST(behave_rule_parses)
{
	struct behave b;
	const struct behave_rule *r = &b.rules[0], *w = &rules[_i].rule;

	behave_init(&b, 1);
	ck_assert_int_eq(behave_add(&b, rules[_i].kind,
	    slice_of(rules[_i].text)), rules[_i].want);
	if (rules[_i].want != BEHAVE_OK) {
		ck_assert_uint_eq(b.n, 0);
		ck_assert_uint_gt(strlen(behave_result_words(rules[_i].want)),
		    0);
		return;
	}
	ck_assert_uint_eq(b.n, 1);
	ck_assert_int_eq(r->kind, w->kind);
	ck_assert_int_eq(r->stage, w->stage);
	ck_assert_uint_eq(r->ratio_ppm, w->ratio_ppm);
	ck_assert_uint_eq(r->code, w->code);
	ck_assert_uint_eq(r->delay_ms, w->delay_ms);
	ck_assert_str_eq(r->part, w->part);
	ck_assert_str_eq(r->text, w->text);
}
END_TEST

START_TEST(behave_refuses_too_many)
{
	struct behave b;

	behave_init(&b, 1);
	for (size_t i = 0; i < BEHAVE_RULES; i++) {
		ck_assert_int_eq(behave_add(&b, BEHAVE_DROP, SLICE("dot")),
		    BEHAVE_OK);
	}
	ck_assert_int_eq(behave_add(&b, BEHAVE_DROP, SLICE("dot")),
	    BEHAVE_TOO_MANY);
}
END_TEST

START_TEST(behave_picks_by_order_part_and_dice)
{
	struct behave b;
	const struct behave_rule *r;
	unsigned hits = 0;

	behave_init(&b, 42);
	behave_add(&b, BEHAVE_REPLY, SLICE("rcpt/bad=550"));
	behave_add(&b, BEHAVE_REPLY, SLICE("rcpt=450@0.25"));
	r = behave_pick(&b, BEHAVE_REPLY, BEHAVE_RCPT, SLICE("a.bad@x"));
	ck_assert_ptr_eq(r, &b.rules[0]);
	ck_assert_ptr_null(behave_pick(&b, BEHAVE_DROP, BEHAVE_RCPT,
	    SLICE("a.bad@x")));
	ck_assert_ptr_null(behave_pick(&b, BEHAVE_REPLY, BEHAVE_MAIL,
	    SLICE("a.bad@x")));
	for (int i = 0; i < 10000; i++) {
		hits += behave_pick(&b, BEHAVE_REPLY, BEHAVE_RCPT,
		    SLICE("")) != NULL;
	}
	ck_assert_uint_gt(hits, 2300);
	ck_assert_uint_lt(hits, 2700);
}
END_TEST

static const struct {
	const char *wire;	/* all that follows the 354 */
	size_t rest;		/* bytes behind the end that are not taken */
	bool end;
	const char *content, *key;
} bodies[] = {
	{ ".\r\n", 0, true, "", "none" },
	{ "a\r\n.\r\nQUIT\r\n", 6, true, "a\r\n", "none" },
	{ "X-Load-Id: r-1\r\nMessage-ID: <m@x>\r\n\r\n..\r\n.x\r\n.\r\n", 0,
	    true, "X-Load-Id: r-1\r\nMessage-ID: <m@x>\r\n\r\n.\r\nx\r\n",
	    "r-1" },
	{ "message-id:\r\n <m@x>\r\nx-load-ID:\r\n\tr-2 \r\n\r\n.\r\n", 0, true,
	    "message-id:\r\n <m@x>\r\nx-load-ID:\r\n\tr-2 \r\n\r\n", "r-2" },
	{ "Message-Id: <m@x>\r\nA: b\r\n folded\r\n\r\nX-Load-Id: no\r\n.\r\n",
	    0, true,
	    "Message-Id: <m@x>\r\nA: b\r\n folded\r\n\r\nX-Load-Id: no\r\n",
	    "<m@x>" },
	{ "X-Load-Id: first\r\nX-Load-Id: second\r\n\r\n.\r\n", 0, true,
	    "X-Load-Id: first\r\nX-Load-Id: second\r\n\r\n", "first" },
	/* Only CR LF ends a line: none of these dots is the end. */
	{ "a\n.\nb\r.\r\n.\n.\r.\r\n", 0, false, "a\n.\nb\r.\r\n\n.\r.\r\n",
	    "none" },
	{ "a\n.\r\n.\r\n", 0, true, "a\n.\r\n", "none" },
	{ ".\r\r\n.\r\n", 0, true, "\r\r\n", "none" },
	{ "a\r\n.", 0, false, "a\r\n", "none" },
};

static void
check_body(const char *wire, size_t len, const size_t cuts[2], int i)
{
	struct sink_data *d = xcalloc(1, sizeof *d);
	struct buf copy;
	size_t from = 0, taken = 0, ends[3] = { cuts[0], cuts[1], len };

	buf_init(&copy, 65536);
	sink_data_init(d, &copy);
	for (size_t k = 0; k < 3 && d->at != SINK_DATA_END; k++) {
		taken += sink_data_feed(d, slice_make(wire + from,
		    ends[k] - from));
		from = ends[k];
	}
	ck_assert_int_eq(d->at == SINK_DATA_END, bodies[i].end);
	ck_assert_uint_eq(taken, len - bodies[i].rest);
	ck_assert(slice_eq(buf_slice(&copy), slice_of(bodies[i].content)));
	ck_assert_uint_eq(d->bytes, strlen(bodies[i].content));
	ck_assert(slice_eq(sink_data_key(d), slice_of(bodies[i].key)));
	buf_fini(&copy);
	free(d);
}

START_TEST(sink_data_is_the_same_for_any_split)
{
	const char *wire = bodies[_i].wire;
	size_t len = strlen(wire);

	for (size_t a = 0; a <= len; a++) {
		for (size_t b = a; b <= len; b++) {
			check_body(wire, len, (size_t[]){ a, b }, _i);
		}
	}
}
END_TEST

START_TEST(sink_data_bounds_header_lines)
{
	struct sink_data *d = xcalloc(1, sizeof *d);
	char line[3000];

	memset(line, 'k', sizeof line);
	sink_data_init(d, NULL);
	sink_data_feed(d, SLICE("X-Load-Id: "));
	sink_data_feed(d, slice_make(line, sizeof line));
	sink_data_feed(d, SLICE("\r\n\r\n.\r\n"));
	ck_assert_int_eq(d->at, SINK_DATA_END);
	ck_assert_uint_eq(sink_data_key(d).len, SINK_KEY_MAX - 1);
	ck_assert_uint_eq(d->bytes, sizeof line + 15);
	free(d);
}
END_TEST

static const struct {
	const char *in;
	enum load_reply_result want;
	unsigned code;
	const char *text, *rest;
} replies[] = {
	{ "250 ok\r\n250 x", LOAD_REPLY_LAST, 250, "ok", "250 x" },
	{ "250-SIZE 5\r\n", LOAD_REPLY_PART, 250, "SIZE 5", "" },
	{ "354\r\n", LOAD_REPLY_LAST, 354, "", "" },
	{ "220 \n", LOAD_REPLY_LAST, 220, "", "" },
	{ "250 ok", LOAD_REPLY_MORE, 0, "", "250 ok" },
	{ "", LOAD_REPLY_MORE, 0, "", "" },
	{ "25\r\n", LOAD_REPLY_BAD, 0, "", "" },
	{ "hello\r\n", LOAD_REPLY_BAD, 0, "", "" },
	{ "250x\r\n", LOAD_REPLY_BAD, 0, "", "" },
	{ "199 x\r\n", LOAD_REPLY_BAD, 0, "", "" },
};

START_TEST(reply_parses)
{
	struct slice in = slice_of(replies[_i].in);
	struct load_reply r = { 0 };

	ck_assert_int_eq(load_reply_next(&in, &r), replies[_i].want);
	ck_assert_uint_eq(r.code, replies[_i].code);
	ck_assert(slice_eq(r.text, slice_of(replies[_i].text)));
	ck_assert(slice_eq(in, slice_of(replies[_i].rest)));
}
END_TEST

START_TEST(reply_without_end_is_refused)
{
	char line[4096];
	struct slice in = { line, sizeof line };
	struct load_reply r;

	memset(line, '2', sizeof line);
	ck_assert_int_eq(load_reply_next(&in, &r), LOAD_REPLY_BAD);
}
END_TEST

START_TEST(generated_message_has_its_size)
{
	struct load_msgs m;
	struct load_item it = { .run = SLICE("r"), .from = SLICE("a@b"),
		.first_rcpt = SLICE("c@d") };

	load_msgs_generate(&m, 4096);
	for (it.seq = 0; it.seq < 100000; it.seq = it.seq * 3 + 1) {
		struct buf head;
		struct slice rest;

		buf_init(&head, 4096);
		load_msgs_compose(&m, &it, &head, &rest);
		ck_assert_uint_le(head.len + rest.len, 4096);
		ck_assert_uint_ge(head.len + rest.len, 4095);
		ck_assert_int_ne(rest.ptr[0], '\n');
		ck_assert_int_ne(rest.ptr[0], '.');
		ck_assert_int_eq(memcmp(rest.ptr + rest.len - 2, "\r\n", 2), 0);
		buf_fini(&head);
	}
	load_msgs_fini(&m);
}
END_TEST

START_TEST(message_smaller_than_its_header)
{
	struct load_msgs m;
	struct load_item it = { .run = SLICE("r"), .from = SLICE("a@b"),
		.first_rcpt = SLICE("c@d") };
	struct buf head;
	struct slice rest;

	load_msgs_generate(&m, 0);
	buf_init(&head, 4096);
	load_msgs_compose(&m, &it, &head, &rest);
	ck_assert_uint_eq(rest.len, 0);
	ck_assert(slice_ends_nocase(buf_slice(&head), SLICE("\r\n\r\n")));
	buf_fini(&head);
	load_msgs_fini(&m);
}
END_TEST

static void
check_piece(const struct load_msgs *m, size_t i, const char *want)
{
	struct load_item it = { .seq = i, .run = SLICE("r") };
	struct buf head;
	struct slice rest;

	buf_init(&head, 4096);
	load_msgs_compose(m, &it, &head, &rest);
	ck_assert(slice_eq(rest, slice_of(want)));
	ck_assert(slice_starts(buf_slice(&head), SLICE("X-Load-Id: r-")));
	buf_fini(&head);
}

START_TEST(mbox_is_cut_into_messages)
{
	struct load_msgs m;

	load_msgs_init_files(&m);
	load_msgs_add_mbox(&m, SLICE("junk before\n"
	    "From a Mon\nSubject: 1\n\n.dot\n>From here\nFrom there\n\n"
	    "From b Tue\r\nSubject: 2\r\n\r\n>>From x\r\n>y\r\n"));
	load_msgs_add(&m, SLICE("A: b\n\n.\nlast"));
	ck_assert_uint_eq(m.n, 3);
	check_piece(&m, 0, "Subject: 1\r\n\r\n..dot\r\nFrom here\r\n"
	    "From there\r\n");
	check_piece(&m, 1, "Subject: 2\r\n\r\n>From x\r\n>y\r\n");
	check_piece(&m, 2, "A: b\r\n\r\n..\r\nlast\r\n");
	check_piece(&m, 3, "Subject: 1\r\n\r\n..dot\r\nFrom here\r\n"
	    "From there\r\n");
	load_msgs_fini(&m);
}
END_TEST

START_TEST(ledger_lines_parse)
{
	struct slice t = SLICE("a b\n? c d why not\na b 2.0.0 ok\n\nx\n y\nz w");
	struct ledger_line l;

	ck_assert_int_eq(ledger_next(&t, &l), LEDGER_LINE);
	ck_assert(slice_eq(l.key, SLICE("a b")) && !l.doubt && l.rest.len == 0);
	ck_assert_int_eq(ledger_next(&t, &l), LEDGER_LINE);
	ck_assert(slice_eq(l.key, SLICE("c d")) && l.doubt);
	ck_assert(slice_eq(l.rest, SLICE("why not")));
	ck_assert_int_eq(ledger_next(&t, &l), LEDGER_LINE);
	ck_assert(slice_eq(l.key, SLICE("a b")));
	ck_assert(slice_eq(l.rest, SLICE("2.0.0 ok")));
	ck_assert_int_eq(ledger_next(&t, &l), LEDGER_BAD);
	ck_assert_int_eq(ledger_next(&t, &l), LEDGER_BAD);
	ck_assert_int_eq(ledger_next(&t, &l), LEDGER_BAD);
	ck_assert_int_eq(ledger_next(&t, &l), LEDGER_TORN);
	ck_assert_int_eq(ledger_next(&t, &l), LEDGER_END);
}
END_TEST

START_TEST(ledger_written_is_ledger_read)
{
	char path[] = "/tmp/ec-ledger-XXXXXX";
	int fd = mkstemp(path);
	struct ledger l;
	struct error err;
	char text[256];
	ssize_t n;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ledger_open(&l, path, &err), 0);
	ledger_add(&l, false, SLICE("id 1"), SLICE("\"a b\"@c"), SLICE(""));
	ledger_add(&l, true, SLICE("id2"), SLICE(""), SLICE("why\tnot\r"));
	ck_assert_int_eq(ledger_flush(&l, &err), 0);
	ck_assert_int_eq(ledger_flush(&l, &err), 0);
	n = read(fd, text, sizeof text - 1);
	ck_assert_int_gt(n, 0);
	text[n] = '\0';
	ck_assert_str_eq(text, "id%201 \"a%20b\"@c\n? id2 <> why not \n");
	ledger_close(&l);
	close(fd);
	unlink(path);
}
END_TEST

static const struct {
	const char *accepted, *arrived;
	uint64_t n_accepted, delivered, lost, duplicates, excused, unexpected;
} cases[] = {
	{ "", "", 0, 0, 0, 0, 0, 0 },
	{ "a x ok\nb x ok\n", "b x\na x\n", 2, 2, 0, 0, 0, 0 },
	{ "a x\nb x\n", "b x\n", 2, 1, 1, 0, 0, 0 },
	{ "a x\na y\n", "a y\n", 2, 1, 1, 0, 0, 0 },
	{ "a x\n", "a x\na x\n", 1, 1, 0, 1, 0, 0 },
	{ "? a x lost\na x\n", "a x\na x\n", 1, 1, 0, 0, 1, 0 },
	{ "? a x lost\na x\n", "a x\na x\na x\n", 1, 1, 0, 1, 1, 0 },
	{ "a x\na x\n", "a x\n", 2, 1, 1, 0, 0, 0 },
	{ "a x\na x\n", "a x\na x\n", 2, 2, 0, 0, 0, 0 },
	{ "", "a x\n", 0, 0, 0, 0, 0, 1 },
	{ "? a x\n", "a x\n", 0, 0, 0, 0, 0, 1 },
	{ "? a x\n", "a x\na x\n", 0, 0, 0, 1, 0, 1 },
	{ "? a x\n? a x\n", "a x\na x\n", 0, 0, 0, 0, 1, 1 },
	{ "? a x\n", "", 0, 0, 0, 0, 0, 0 },
	{ "aa x\na x\n", "a x\n", 2, 1, 1, 0, 0, 0 },
};

START_TEST(ledger_reconciles)
{
	struct ledger_sums s;

	ledger_reconcile(slice_of(cases[_i].accepted),
	    slice_of(cases[_i].arrived), &s);
	ck_assert_uint_eq(s.accepted, cases[_i].n_accepted);
	ck_assert_uint_eq(s.delivered, cases[_i].delivered);
	ck_assert_uint_eq(s.lost, cases[_i].lost);
	ck_assert_uint_eq(s.duplicates, cases[_i].duplicates);
	ck_assert_uint_eq(s.excused, cases[_i].excused);
	ck_assert_uint_eq(s.unexpected, cases[_i].unexpected);
	ck_assert_uint_eq(s.n_shown, EC_MIN(s.lost, 1));
	ck_assert_uint_eq(s.bad_lines, 0);
}
END_TEST

START_TEST(ledger_shows_ten_and_counts_torn)
{
	struct buf b;
	struct ledger_sums s;

	buf_init(&b, 4096);
	for (int i = 0; i < 25; i++) {
		buf_printf(&b, "id%02d x\n", i);
	}
	buf_puts(&b, "id99 torn");
	ledger_reconcile(buf_slice(&b), SLICE("id00 x\nbroken\n"), &s);
	ck_assert_uint_eq(s.lost, 24);
	ck_assert_uint_eq(s.n_shown, LEDGER_SHOWN);
	ck_assert(slice_eq(s.shown[0], SLICE("id01 x")));
	ck_assert_uint_eq(s.bad_lines, 2);
	buf_fini(&b);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("bench");
	TCase *t = tcase_create("pure");
	SRunner *r;
	int failed;

	tcase_add_test(t, hist_is_exact_for_small_values);
	tcase_add_test(t, hist_is_near_for_large_values);
	tcase_add_test(t, hist_takes_any_value);
	tcase_add_loop_test(t, fraction_parses, 0, ARRAY_LEN(fractions));
	tcase_add_test(t, address_parses);
	tcase_add_loop_test(t, behave_rule_parses, 0, ARRAY_LEN(rules));
	tcase_add_test(t, behave_refuses_too_many);
	tcase_add_test(t, behave_picks_by_order_part_and_dice);
	tcase_add_loop_test(t, sink_data_is_the_same_for_any_split, 0,
	    ARRAY_LEN(bodies));
	tcase_add_test(t, sink_data_bounds_header_lines);
	tcase_add_loop_test(t, reply_parses, 0, ARRAY_LEN(replies));
	tcase_add_test(t, reply_without_end_is_refused);
	tcase_add_test(t, generated_message_has_its_size);
	tcase_add_test(t, message_smaller_than_its_header);
	tcase_add_test(t, mbox_is_cut_into_messages);
	tcase_add_test(t, ledger_lines_parse);
	tcase_add_test(t, ledger_written_is_ledger_read);
	tcase_add_loop_test(t, ledger_reconciles, 0, ARRAY_LEN(cases));
	tcase_add_test(t, ledger_shows_ten_and_counts_torn);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
