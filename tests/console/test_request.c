/* SPDX-License-Identifier: Apache-2.0 */
/* Requests whole, byte by byte, and at every split; each status has a case. */
#include <check.h>

#include "common/base/buf.h"
#include "console/command_table.h"
#include "console/request.h"

#define W512 "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc" \
	"cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc" \
	"cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc" \
	"cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc" \
	"cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc" \
	"cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc" \
	"cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc" \
	"cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

static const struct {
	const char *text;
	enum request_status status;
	const char *words;	/* joined by '|' */
	bool json, terminal, colour;
} rows[] = {
	{ "{\"command\":\"summary\"}\n", REQUEST_DONE, "summary" },
	{ "{\"command\":\"pid\"}\r\n", REQUEST_DONE, "pid" },
	{ " { \"command\" : \"pid\" , \"json\":true } \n", REQUEST_DONE, "pid",
	    true },
	{ "{\"command\":\"queue\",\"args\":[\"a.example\",\"20\"],\"json\":"
	    "false,\"terminal\":true,\"colour\":true}\n", REQUEST_DONE,
	    "queue|a.example|20", false, true, true },
	{ "{\"command\":\"  reopen  logs \"}\n", REQUEST_DONE, "reopen|logs" },
	{ "{\"command\":\"x\",\"args\":[\"a b\",\"\"]}\n", REQUEST_DONE,
	    "x|a b|" },
	{ "{\"command\":\"a b c d e f g h i j k l m n o p\"}\n", REQUEST_DONE,
	    "a|b|c|d|e|f|g|h|i|j|k|l|m|n|o|p" },
	{ "{\"command\":\"" W512 "\"}\n", REQUEST_DONE, W512 },
	{ "{\"command\":\"" W512 "c\"}\n", REQUEST_BAD_COMMAND, NULL },
	{ "{\"command\":\"x\",\"args\":[\"" W512 "c\"]}\n", REQUEST_BAD_ARGS,
	    NULL },
	{ "{\"command\":\"a b c d e f g h i j k l m n o p q\"}\n",
	    REQUEST_TOO_MANY, NULL },
	{ "{\"command\":\"a b c d e f g h i j k l m n o\",\"args\":[\"p\","
	    "\"q\"]}\n", REQUEST_TOO_MANY, NULL },
	{ "\n", REQUEST_NOT_JSON, NULL },
	{ "summary\n", REQUEST_NOT_JSON, NULL },
	{ "{\"command\":\"x\"} {}\n", REQUEST_NOT_JSON, NULL },
	{ "{\"command\":\"x\",\"command\":\"y\"}\n", REQUEST_NOT_JSON, NULL },
	{ "{\"command\":\"a\\u0000b\"}\n", REQUEST_NOT_JSON, NULL },
	{ "{\"command\":\"\xff\"}\n", REQUEST_NOT_JSON, NULL },
	{ "[\"summary\"]\n", REQUEST_NOT_OBJECT, NULL },
	{ "42\n", REQUEST_NOT_OBJECT, NULL },
	{ "{}\n", REQUEST_NO_COMMAND, NULL },
	{ "{\"args\":[]}\n", REQUEST_NO_COMMAND, NULL },
	{ "{\"command\":7}\n", REQUEST_BAD_COMMAND, NULL },
	{ "{\"command\":\"\"}\n", REQUEST_BAD_COMMAND, NULL },
	{ "{\"command\":\"   \"}\n", REQUEST_BAD_COMMAND, NULL },
	{ "{\"command\":\"x\",\"args\":\"y\"}\n", REQUEST_BAD_ARGS, NULL },
	{ "{\"command\":\"x\",\"args\":[1]}\n", REQUEST_BAD_ARGS, NULL },
	{ "{\"command\":\"x\",\"json\":1}\n", REQUEST_BAD_FLAG, NULL },
	{ "{\"command\":\"x\",\"terminal\":null}\n", REQUEST_BAD_FLAG, NULL },
	{ "{\"command\":\"x\",\"colour\":\"yes\"}\n", REQUEST_BAD_FLAG, NULL },
	{ "{\"command\":\"x\",\"user\":\"root\"}\n", REQUEST_UNKNOWN_KEY,
	    NULL },
	{ "{\"command\":\"x\"}", REQUEST_MORE, NULL },
	{ "", REQUEST_MORE, NULL },
};

static struct request_parser parser;
static struct request req;

/* Feeds at most step bytes at a time, after a first piece. */
static enum request_status
feed(struct slice in, size_t first, size_t step, size_t *taken_out)
{
	enum request_status st = REQUEST_MORE;
	size_t n = first, used;

	*taken_out = 0;
	while (*taken_out < in.len && st == REQUEST_MORE) {
		st = request_feed(&parser, slice_make(in.ptr + *taken_out,
		    EC_MIN(n, in.len - *taken_out)), &used, &req);
		*taken_out += used;
		n = step;
	}
	return st;
}

static void
expect(int i, enum request_status st)
{
	char words[CONTROL_REQUEST_MAX] = "";
	size_t len = 0;

	ck_assert_msg(st == rows[i].status, "%s: %s", rows[i].text,
	    request_status_text(st));
	if (st != REQUEST_DONE) {
		return;
	}
	for (unsigned n = 0; n < req.n_words; n++) {
		len += (size_t)snprintf(words + len, sizeof words - len,
		    "%s%s", n > 0 ? "|" : "", req.word[n]);
	}
	ck_assert_str_eq(words, rows[i].words);
	ck_assert(req.json == rows[i].json);
	ck_assert(req.terminal == rows[i].terminal);
	ck_assert(req.colour == rows[i].colour);
}

START_TEST(any_split)
{
	struct slice in = slice_of(rows[_i].text);
	size_t taken;

	request_parser_init(&parser);
	expect(_i, feed(in, in.len, in.len, &taken));
	ck_assert_uint_eq(taken, in.len);
	for (size_t split = 1; split < in.len; split++) {
		request_parser_init(&parser);
		expect(_i, feed(in, split, in.len, &taken));
		ck_assert_uint_eq(taken, in.len);
	}
	request_parser_init(&parser);
	expect(_i, feed(in, 1, 1, &taken));
	ck_assert_uint_eq(taken, in.len);
	ck_assert(request_is_begun(&parser) ==
	    (rows[_i].status == REQUEST_MORE && in.len > 0));
}
END_TEST

START_TEST(one_after_another)
{
	struct slice in = SLICE("{\"command\":\"pid\"}\nnonsense\n"
	    "{\"command\":\"version\"}\n{\"comm");
	size_t used;

	request_parser_init(&parser);
	ck_assert_int_eq(request_feed(&parser, in, &used, &req), REQUEST_DONE);
	ck_assert_str_eq(req.word[0], "pid");
	in = slice_skip(in, used);
	ck_assert_int_eq(request_feed(&parser, in, &used, &req),
	    REQUEST_NOT_JSON);
	in = slice_skip(in, used);
	ck_assert_int_eq(request_feed(&parser, in, &used, &req), REQUEST_DONE);
	ck_assert_str_eq(req.word[0], "version");
	in = slice_skip(in, used);
	ck_assert_int_eq(request_feed(&parser, in, &used, &req), REQUEST_MORE);
	ck_assert_uint_eq(used, in.len);
	ck_assert(request_is_begun(&parser));
}
END_TEST

/* A request of so many bytes without its newline. */
static struct buf
of_length(size_t len)
{
	static const char head[] = "{\"command\":\"pid\"";
	struct buf b;

	buf_init(&b, 2 * CONTROL_REQUEST_MAX);
	buf_puts(&b, head);
	while (b.len + 1 < len) {
		buf_putc(&b, ' ');
	}
	buf_puts(&b, "}");
	ck_assert_uint_eq(b.len, len);
	return b;
}

START_TEST(length_is_bounded)
{
	static const size_t steps[] = { 1, 7, 4095, 4096, 4097, 8000 };
	size_t taken;

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct buf fits = of_length(CONTROL_REQUEST_MAX);
		struct buf more = of_length(CONTROL_REQUEST_MAX + 1);

		buf_putc(&fits, '\n');
		buf_putc(&more, '\n');
		request_parser_init(&parser);
		ck_assert_int_eq(feed(buf_slice(&fits), steps[i], steps[i],
		    &taken), REQUEST_DONE);
		ck_assert_int_eq(feed(buf_slice(&more), steps[i], steps[i],
		    &taken), REQUEST_TOO_LONG);
		ck_assert_uint_le(taken, CONTROL_REQUEST_MAX);
		buf_fini(&fits);
		buf_fini(&more);
	}
}
END_TEST

START_TEST(every_status_has_a_sentence)
{
	for (int st = 0; st < REQUEST_STATUS_COUNT; st++) {
		ck_assert_uint_gt(strlen(request_status_text(
		    (enum request_status)st)), 5);
	}
}
END_TEST

static const struct {
	const char *words[3];
	enum command_id id;
	const char *near;	/* for those that are none */
} names[] = {
	{ { "summary" }, COMMAND_SUMMARY, NULL },
	{ { "SUMMARY" }, COMMAND_SUMMARY, NULL },
	{ { "queue", "example.com" }, COMMAND_QUEUE, NULL },
	{ { "reopen", "logs" }, COMMAND_REOPEN_LOGS, NULL },
	{ { "dns_cache", "lookup", "x" }, COMMAND_DNS_LOOKUP, NULL },
	{ { "DNS_cache", "Stats" }, COMMAND_DNS_STATS, NULL },
	{ { "reopen" }, COMMAND_COUNT, "reopen logs" },
	{ { "dns_cache" }, COMMAND_COUNT, "dns_cache lookup" },
	{ { "dns_cache", "stat" }, COMMAND_COUNT, "dns_cache stats" },
	{ { "dns_cash", "purge" }, COMMAND_COUNT, "dns_cache purge" },
	{ { "sumary" }, COMMAND_COUNT, "summary" },
	{ { "Wrokers" }, COMMAND_COUNT, "workers" },
	{ { "que" }, COMMAND_COUNT, "queue" },
	{ { "shutdwon", "now" }, COMMAND_COUNT, "shutdown" },
	{ { "zzzzzzzzzzzzz" }, COMMAND_COUNT, NULL },
	{ { W512 }, COMMAND_COUNT, NULL },
};

START_TEST(commands_by_name)
{
	const char *near;

	req.n_words = 0;
	for (int i = 0; i < 3 && names[_i].words[i] != NULL; i++) {
		slice_copy(req.word[req.n_words++], sizeof req.word[0],
		    slice_of(names[_i].words[i]));
	}
	ck_assert_int_eq(command_find(&req), names[_i].id);
	if (names[_i].id != COMMAND_COUNT) {
		return;
	}
	near = command_nearest(&req);
	ck_assert_msg((near == NULL) == (names[_i].near == NULL),
	    "%s: near %s", req.word[0], near == NULL ? "nothing" : near);
	if (near != NULL) {
		ck_assert_str_eq(near, names[_i].near);
	}
}
END_TEST

START_TEST(words_of_names)
{
	ck_assert_uint_eq(command_words(COMMAND_SUMMARY), 1);
	ck_assert_uint_eq(command_words(COMMAND_REOPEN_LOGS), 2);
	for (unsigned id = 0; id < COMMAND_COUNT; id++) {
		const struct command *c = command_row((enum command_id)id);

		ck_assert_uint_le(c->least, c->most);
		ck_assert((c->most == 0) == (c->usage[0] == '\0'));
		ck_assert_uint_gt(strlen(c->doc), 5);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("request");
	TCase *t = tcase_create("request");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, any_split, 0, (int)ARRAY_LEN(rows));
	tcase_add_test(t, one_after_another);
	tcase_add_test(t, length_is_bounded);
	tcase_add_test(t, every_status_has_a_sentence);
	tcase_add_loop_test(t, commands_by_name, 0, (int)ARRAY_LEN(names));
	tcase_add_test(t, words_of_names);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
