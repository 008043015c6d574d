/* SPDX-License-Identifier: Apache-2.0 */
/* Tables, answers, rates, totals, the summary, and what others told. */
#include <check.h>
#include <sys/mman.h>

#include "common/ipc/process_state.h"
#include "console/ask.h"
#include "console/summary.h"

static const struct request as_text, as_json = { .json = true },
    on_terminal = { .terminal = true, .colour = true };

static struct buf out;

static void
setup(void)
{
	buf_init(&out, 4u * CONTROL_ANSWER_MAX);
}

static void
teardown(void)
{
	buf_fini(&out);
}

static void
expect_out(const char *expected)
{
	ck_assert_msg(slice_eq(buf_slice(&out), slice_of(expected)),
	    "%.*s\ninstead of\n%s", SLICE_ARG(buf_slice(&out)), expected);
}

static void
row(struct table *t, const char *a, const char *b, const char *c)
{
	table_cell(t, slice_of(a));
	table_cell(t, slice_of(b));
	if (c != NULL) {
		table_cell(t, slice_of(c));
	}
	table_row(t);
}

START_TEST(table_plain_and_aligned)
{
	struct table t;

	table_init(&t, 4096);
	row(&t, "DOMAIN", "ACTIVE", "STATE");
	row(&t, "a.example", "7", "ok");
	row(&t, "b", "12345678", NULL);
	ck_assert(table_print(&t, &out, false, false));
	expect_out("DOMAIN\tACTIVE\tSTATE\na.example\t7\tok\n"
	    "b\t12345678\t-\n");
	buf_clear(&out);
	ck_assert(table_print(&t, &out, true, true));
	expect_out("\033[1mDOMAIN       ACTIVE  STATE\033[0m\n"
	    "a.example         7  ok\n"
	    "b          12345678  -\n");
	table_fini(&t);
}
END_TEST

START_TEST(table_escapes_strangers)
{
	struct table t;

	table_init(&t, 4096);
	row(&t, "A", "B", NULL);
	row(&t, "evil\033[2J\n\tx\\", "\xc3\xa9", "too many");
	ck_assert(table_print(&t, &out, false, false));
	expect_out("A\tB\nevil\\x1B[2J\\x0A\\x09x\\\\\t\\xC3\\xA9\n");
	table_fini(&t);
}
END_TEST

START_TEST(table_is_bounded)
{
	char big[2000];
	struct table t;

	memset(big, '\n', sizeof big);
	table_init(&t, 1000);
	row(&t, "A", "B", NULL);
	table_cell(&t, slice_make(big, sizeof big));
	table_row(&t);
	ck_assert(table_print(&t, &out, true, false));
	ck_assert_uint_le(t.width[0], TABLE_CELL_MAX);
	for (int i = 0; i < 5; i++) {
		table_cell(&t, slice_make(big, sizeof big));
		table_row(&t);
	}
	ck_assert(t.cells.full);
	buf_clear(&out);
	ck_assert(!table_print(&t, &out, true, false));
	ck_assert_uint_eq(out.len, 0);
	table_fini(&t);
}
END_TEST

START_TEST(answer_ends)
{
	answer_end(&out, NULL);
	answer_end(&out, "No \"luck\".");
	answer_end_raw(&out, SLICE("a:1: bad\xff\nb:2: \033worse\n"));
	expect_out("{\"ok\":true}\n"
	    "{\"error\":\"No \\\"luck\\\".\",\"ok\":false}\n"
	    "{\"error\":\"a:1: bad\\\\xFF\\nb:2: \\\\x1Bworse\","
	    "\"ok\":false}\n");
}
END_TEST

START_TEST(answer_text_in_pieces)
{
	struct slice lines, line;
	size_t total = 0, n = 2 * CONTROL_TEXT_MAX + 5;
	char *big = xmalloc(n);
	json_t *o;

	memset(big, '"', n);
	answer_text(&out, slice_make(big, n));
	lines = buf_slice(&out);
	for (int i = 0; i < 3; i++) {
		line = slice_cut(&lines, '\n');
		o = json_loadb(line.ptr, line.len, 0, NULL);
		ck_assert(json_is_string(json_object_get(o, "text")));
		total += json_string_length(json_object_get(o, "text"));
		json_decref(o);
	}
	ck_assert_uint_eq(lines.len, 0);
	ck_assert_uint_eq(total, n);
	free(big);
}
END_TEST

START_TEST(answer_of_raw_text)
{
	answer_raw(&out, &as_text, SLICE("one\ntwo\x01"));
	answer_raw(&out, &as_json, SLICE("one\ntwo\x01"));
	expect_out("{\"text\":\"one\\ntwo\\\\x01\\n\"}\n"
	    "{\"data\":{\"text\":\"one\\ntwo\\\\x01\"}}\n");
}
END_TEST

static json_t *
json_of(const char *text)
{
	json_t *o = json_loads(text, 0, NULL);

	ck_assert_ptr_nonnull(o);
	return o;
}

START_TEST(answer_rows_by_keys)
{
	json_t *rows = json_of("[{\"domain\":\"a\",\"in_flight\":3},"
	    "{\"domain\":\"b\\u001b\\u00e9\",\"records\":[\"10 mx\",7],"
	    "\"suspended\":true,\"binding\":null}]");

	answer_rows(&out, &as_text, rows);
	expect_out("{\"text\":\"DOMAIN\\tIN FLIGHT\\tRECORDS\\tSUSPENDED\\t"
	    "BINDING\\na\\t3\\t-\\t-\\t-\\n"
	    "b\\\\x1B\\\\xC3\\\\xA9\\t-\\t10 mx, 7\\ttrue\\t-\\n\"}\n");
	buf_clear(&out);
	answer_rows(&out, &as_json, rows);
	expect_out("{\"data\":{\"domain\":\"a\",\"in_flight\":3}}\n"
	    "{\"data\":{\"domain\":\"b\\u001B\\u00E9\",\"records\":[\"10 mx\","
	    "7],\"suspended\":true,\"binding\":null}}\n");
	json_decref(rows);
	buf_clear(&out);
	rows = json_array();
	answer_rows(&out, &on_terminal, rows);
	ck_assert_uint_eq(out.len, 0);
	json_decref(rows);
}
END_TEST

START_TEST(answer_lines_by_keys)
{
	json_t *o = json_of("{\"total_messages\":12,\"dns_ttl\":1.5,"
	    "\"n\u00e4me\":\"x\\n\",\"servers\":[{\"dead\":false}],"
	    "\"over_tcp\":2,\"_\":0}");

	answer_lines(&out, &as_text, o);
	expect_out("{\"text\":\"Total Messages: 12\\nDNS TTL: 1.5\\n"
	    "N\\\\xC3\\\\xA4me: x\\\\x0A\\nServers: {\\\"dead\\\":false}\\n"
	    "Over TCP: 2\\n: 0\\n\"}\n");
	json_decref(o);
}
END_TEST

START_TEST(rates_of_the_last_minute)
{
	struct rates r;
	uint64_t now = 5000000;

	rates_init(&r);
	ck_assert_double_eq(rates_per_second(&r), 0);
	rates_add(&r, now, 100);
	ck_assert_double_eq(rates_per_second(&r), 0);
	rates_add(&r, now + 1000000, 150);
	ck_assert_double_eq(rates_per_second(&r), 50);
	/* A minute of 10 a second, then a minute of nothing. */
	for (int i = 2; i <= 70; i++) {
		rates_add(&r, now + (uint64_t)i * 1000000u,
		    150 + (uint64_t)(i - 1) * 10);
	}
	ck_assert_double_eq(rates_per_second(&r), 10);
	for (int i = 71; i <= 100; i++) {
		rates_add(&r, now + (uint64_t)i * 1000000u, 840);
	}
	ck_assert_double_eq(rates_per_second(&r), 5);
	for (int i = 101; i <= 131; i++) {
		rates_add(&r, now + (uint64_t)i * 1000000u, 840);
	}
	ck_assert_double_eq(rates_per_second(&r), 0);
}
END_TEST

START_TEST(rates_of_a_stalled_console)
{
	struct rates r;

	rates_init(&r);
	rates_add(&r, 0, 0);
	rates_add(&r, 300000000, 600);
	ck_assert_double_eq(rates_per_second(&r), 2);
	rates_add(&r, 300000000, 600);	/* no time went by */
	ck_assert_double_eq(rates_per_second(&r), 0);
}
END_TEST

static struct scoreboard *
make_board(void)
{
	struct error err;
	struct scoreboard *b = NULL;
	int fd = scoreboard_create(&b, &err);

	ck_assert_int_ge(fd, 0);
	close(fd);
	return b;
}

START_TEST(totals_survive_restarts)
{
	struct totals *t = xmalloc(sizeof *t);
	struct scoreboard *b = make_board();
	struct score_slot *one = &b->slot[ROLE_SPOOLER][0];
	struct score_slot *two = &b->slot[ROLE_SPOOLER][63];

	totals_init(t);
	atomic_store(&one->incarnation, 1);
	atomic_store(&two->incarnation, 1);
	score_set(one, SCORE_S_DELIVERED, 10);
	score_set(two, SCORE_S_DELIVERED, 5);
	totals_update(t, b);
	ck_assert_uint_eq(totals_counter(t, ROLE_SPOOLER, SCORE_S_DELIVERED),
	    15);
	/* A new life that came past the old one before we looked. */
	atomic_store(&one->incarnation, 2);
	score_set(one, SCORE_S_DELIVERED, 12);
	totals_update(t, b);
	totals_update(t, b);
	ck_assert_uint_eq(totals_counter(t, ROLE_SPOOLER, SCORE_S_DELIVERED),
	    27);
	/* Seen while it clears its slot, then as what it is. */
	score_set(two, SCORE_S_DELIVERED, 0);
	totals_update(t, b);
	atomic_store(&two->incarnation, 2);
	score_set(two, SCORE_S_DELIVERED, 1);
	totals_update(t, b);
	ck_assert_uint_eq(totals_counter(t, ROLE_SPOOLER, SCORE_S_DELIVERED),
	    28);
	munmap(b, sizeof *b);
	free(t);
}
END_TEST

START_TEST(gauges_are_of_those_that_run)
{
	struct scoreboard *b = make_board();

	score_set(&b->slot[ROLE_LISTENER][0], SCORE_L_SESSIONS, 4);
	score_set(&b->slot[ROLE_LISTENER][1], SCORE_L_SESSIONS, 40);
	atomic_store(&b->process[ROLE_LISTENER][0].pid, 99);
	ck_assert_uint_eq(totals_gauge(b, ROLE_LISTENER, SCORE_L_SESSIONS), 4);
	munmap(b, sizeof *b);
}
END_TEST

static void
fill_board(struct scoreboard *b)
{
	struct score_slot *s = &b->slot[ROLE_SPOOLER][0];

	atomic_store(&b->started_us, 1000000);
	atomic_store(&b->n_workers[ROLE_SPOOLER], 1);
	atomic_store(&b->n_workers[ROLE_LISTENER], 2);
	atomic_store(&b->process[ROLE_SPOOLER][0].pid, 4711);
	atomic_store(&b->process[ROLE_SPOOLER][0].restarts, 3);
	atomic_store(&b->process[ROLE_SPOOLER][0].state, PROCESS_READY);
	atomic_store(&b->process[ROLE_SPOOLER][0].since_us, 86400000000);
	atomic_store(&b->process[ROLE_LISTENER][1].state, PROCESS_BACKOFF);
	score_set(s, SCORE_S_QUEUED, 70);
	score_set(s, SCORE_S_ACTIVE, 60);
	score_set(s, SCORE_S_DELIVERED, 500);
}

static const char summary_text[] =
    "Outbound Concurrency: 0\nInbound Concurrency: 0\nActive Domains: 0\n"
    "Active Queue Size: 60\nDelayed Queue Size: 0\nMessages In Flight: 0\n"
    "Suspended Messages: 0\nTotal Queue Size: 70\nDNS Queries: 0\n"
    "DNS Cache Hits: 0\nPending DNS Queries: 0\n"
    "Successfully Delivered Messages: 500\nFailed Messages: 0\n"
    "Transient Failures: 0\nRejected Messages: 0\nReceived Messages: 0\n"
    "Delivery Rate: 250.00 (messages/second)\n"
    "Reception Rate: 0.00 (messages/second)\n"
    "Query Rate: 0.00 (queries/second)\nUptime: 61 (seconds)\n";

START_TEST(summary_as_text_and_json)
{
	struct summary *s = xmalloc(sizeof *s);
	struct scoreboard *b = make_board();
	struct slice line, lines;
	json_t *o;

	summary_init(s);
	summary_sample(s, b, 1000000);
	fill_board(b);
	summary_sample(s, b, 3000000);
	summary_answer(s, b, 62500000, &as_text, &out);
	summary_answer(s, b, 62500000, &as_json, &out);
	lines = buf_slice(&out);
	line = slice_cut(&lines, '\n');
	o = json_loadb(line.ptr, line.len, 0, NULL);
	ck_assert_str_eq(json_string_value(json_object_get(o, "text")),
	    summary_text);
	json_decref(o);
	line = slice_cut(&lines, '\n');
	o = json_loadb(line.ptr, line.len, 0, NULL);
	ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(o,
	    "data"), "total_queue_size")), 70);
	ck_assert_double_eq(json_real_value(json_object_get(json_object_get(o,
	    "data"), "delivery_rate")), 250);
	ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(o,
	    "data"), "uptime")), 61);
	json_decref(o);
	munmap(b, sizeof *b);
	free(s);
}
END_TEST

START_TEST(workers_one_by_one)
{
	struct scoreboard *b = make_board();

	setenv("TZ", "UTC", 1);
	fill_board(b);
	summary_workers(b, &as_text, &out);
	expect_out("{\"text\":\"WORKER\\tPID\\tSTATE\\tRESTARTS\\tSINCE\\t"
	    "NUMBERS\\n"
	    "listener/0\\t0\\tdown\\t0\\t-\\t-\\n"
	    "listener/1\\t0\\twaiting\\t0\\t-\\t-\\n"
	    "spooler/0\\t4711\\tready\\t3\\t1970-01-02 00:00:00\\t"
	    "queued=70 active=60 delivered=500\\n\"}\n");
	buf_clear(&out);
	atomic_store(&b->n_workers[ROLE_LISTENER], 0);
	atomic_store(&b->process[ROLE_LISTENER][1].state, PROCESS_DEAD);
	summary_workers(b, &as_json, &out);
	ck_assert(slice_starts(buf_slice(&out), SLICE("{\"data\":{\"worker\":"
	    "\"spooler/0\",\"pid\":4711,\"state\":\"ready\",\"restarts\":3,"
	    "\"since\":86400,\"generation\":0,\"numbers\":{\"queued\":70,"
	    "\"active\":60,\"delayed\":0,")));
	ck_assert_int_eq(slice_find(buf_slice(&out), '\n'),
	    (ssize_t)out.len - 1);
	munmap(b, sizeof *b);
}
END_TEST

static const struct {
	const char *line;
	bool last;
	enum ask_status status;
} told[] = {
	{ "{\"a\":1}", false, ASK_MORE }, { "{\"a\":1}", true, ASK_DONE },
	{ " {\"a\":1} ", true, ASK_DONE }, { "", true, ASK_DONE },
	{ "", false, ASK_BAD }, { "[1]", false, ASK_BAD },
	{ "{\"a\":", true, ASK_BAD }, { "{\"a\":\"\xff\"}", true, ASK_BAD },
	{ "null", true, ASK_BAD },
};

START_TEST(told_lines)
{
	struct ask a;

	ask_begin(&a, 7, ROLE_SPOOLER, 0);
	ck_assert_int_eq(ask_take(&a, told[_i].last, slice_of(told[_i].line)),
	    told[_i].status);
	ck_assert_uint_eq(json_array_size(a.rows),
	    told[_i].status == ASK_MORE);
	ask_end(&a);
	ck_assert_uint_eq(a.number, 0);
	ask_end(&a);	/* once more is harmless */
}
END_TEST

START_TEST(told_too_much)
{
	char *line = xmalloc(60000);
	enum ask_status st = ASK_MORE;
	struct ask a;
	size_t n = 0;

	memset(line, 'x', 60000);
	memcpy(line, "{\"a\":\"", 6);
	memcpy(line + 59998, "\"}", 2);
	ask_begin(&a, 7, ROLE_SPOOLER, 0);
	while (st == ASK_MORE && n < 1000) {
		st = ask_take(&a, false, slice_make(line, 60000));
		n++;
	}
	ck_assert_int_eq(st, ASK_TOO_MUCH);
	ck_assert_uint_eq(n, CONTROL_ANSWER_MAX / 60000 + 1);
	ask_end(&a);
	free(line);
}
END_TEST

START_TEST(told_an_error)
{
	struct ask a;

	ask_begin(&a, 7, ROLE_RESOLVER, 0);
	ck_assert_int_eq(ask_take(&a, true, SLICE("{\"error\":\"no\"}")),
	    ASK_DONE);
	ck_assert_str_eq(json_string_value(ask_error(&a)), "no");
	ask_end(&a);
	ask_begin(&a, 8, ROLE_RESOLVER, 0);
	ck_assert_int_eq(ask_take(&a, true, SLICE("{\"error\":5}")), ASK_DONE);
	ck_assert_ptr_null(ask_error(&a));
	ask_end(&a);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("answer");
	TCase *t = tcase_create("answer");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, table_plain_and_aligned);
	tcase_add_test(t, table_escapes_strangers);
	tcase_add_test(t, table_is_bounded);
	tcase_add_test(t, answer_ends);
	tcase_add_test(t, answer_text_in_pieces);
	tcase_add_test(t, answer_of_raw_text);
	tcase_add_test(t, answer_rows_by_keys);
	tcase_add_test(t, answer_lines_by_keys);
	tcase_add_test(t, rates_of_the_last_minute);
	tcase_add_test(t, rates_of_a_stalled_console);
	tcase_add_test(t, totals_survive_restarts);
	tcase_add_test(t, gauges_are_of_those_that_run);
	tcase_add_test(t, summary_as_text_and_json);
	tcase_add_test(t, workers_one_by_one);
	tcase_add_loop_test(t, told_lines, 0, (int)ARRAY_LEN(told));
	tcase_add_test(t, told_too_much);
	tcase_add_test(t, told_an_error);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
