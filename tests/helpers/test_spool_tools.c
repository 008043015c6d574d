/* SPDX-License-Identifier: Apache-2.0 */
/* The pure parts of the spool tools: names, filters, times, lines, the map. */
#include <check.h>

#include "helpers/show.h"

#define NOW_US 1795457444000000u

START_TEST(names)
{
	static const struct {
		const char *name;
		unsigned dir;
		enum spool_name kind;
	} cases[] = {
		{ "4B-02001-C6DD1CA4", 0xF9, SPOOL_NAME_DATA },
		{ "4B-02001-C6DD1CA4.meta", 0xF9, SPOOL_NAME_META },
		{ "4B-02001-C6DD1CA4.metb", 0xF9, SPOOL_NAME_FOREIGN },
		{ "4B-02001-C6DD1CA4.meta.new", 0xF9, SPOOL_NAME_FOREIGN },
		{ "4b-02001-C6DD1CA4", 0xF9, SPOOL_NAME_FOREIGN },
		{ "4B-99999-C6DD1CA4", 0xF9, SPOOL_NAME_FOREIGN },
		{ "4B-02001-C6DD1CA", 0xF9, SPOOL_NAME_FOREIGN },
		{ "00-00000-00000000", 0x00, SPOOL_NAME_FOREIGN },
		{ ".", 0x00, SPOOL_NAME_FOREIGN },
		{ "", 0x00, SPOOL_NAME_FOREIGN },
	};
	char path[SPOOL_NAME];
	msgid id;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		ck_assert_msg(spool_name_kind(cases[i].name, cases[i].dir,
		    &id) == cases[i].kind, "%s", cases[i].name);
	}
	spool_name_kind("4B-02001-C6DD1CA4", 0xF9, &id);
	spool_name_of(id, false, path);
	ck_assert_str_eq(path, "F9/4B-02001-C6DD1CA4");
	spool_name_of(id, true, path);
	ck_assert_str_eq(path, "F9/4B-02001-C6DD1CA4.meta");
	ck_assert_uint_eq(spool_quarantined_id("F9-4B-02001-C6DD1CA4.meta.17"),
	    id);
	ck_assert_uint_eq(spool_quarantined_id("F9-4B-02001-C6DD1CA4.17"), id);
	ck_assert_uint_eq(spool_quarantined_id("journal-1795458124.1795"),
	    MSGID_NONE);
	ck_assert_uint_eq(spool_quarantined_id("F9-4B"), MSGID_NONE);
}
END_TEST

START_TEST(times)
{
	static const struct { const char *text; bool ok; uint64_t us; }
	cases[] = {
		{ "90s", true, NOW_US - 90000000u },
		{ "5m", true, NOW_US - 300000000u },
		{ "2h", true, NOW_US - 7200000000u },
		{ "1d", true, NOW_US - 86400000000u },
		{ "1w", true, NOW_US - 604800000000u },
		{ "0s", true, NOW_US },
		{ "36000d", true, 1 },
		{ "2026-11-23", true, 1795392000000000u },
		{ "2026-11-23T18:10", true, 1795457400000000u },
		{ "2026-11-23T18:10:44", true, NOW_US },
		{ "2026-11-23T18:10:44Z", true, NOW_US },
		{ "", false, 0 }, { "s", false, 0 }, { "5", false, 0 },
		{ "5x", false, 0 }, { "-5s", false, 0 },
		{ "99999999999999999999s", false, 0 },
		{ "99999999999d", false, 0 }, { "2026-11-23T", false, 0 },
		{ "2026-13-01", false, 0 }, { "2026-11-23T18:10:44Zx",
		    false, 0 },
		{ "1960-01-01", false, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint64_t us = 0;

		ck_assert_msg(show_parse_time(slice_of(cases[i].text), NOW_US,
		    &us) == cases[i].ok, "%s", cases[i].text);
		ck_assert_msg(!cases[i].ok || us == cases[i].us, "%s: %llu",
		    cases[i].text, (unsigned long long)us);
	}
}
END_TEST

START_TEST(filters)
{
	static const struct { struct show_filter f; unsigned states; bool ok; }
	cases[] = {
		{ { .limit = 1 }, SHOW_JOURNAL | SHOW_ACTIVE, true },
		{ { .limit = 1 }, SHOW_QUARANTINED, false },
		{ { .states = SHOW_QUARANTINED }, SHOW_QUARANTINED, true },
		{ { .states = SHOW_QUARANTINED }, SHOW_SETTLED, false },
		{ { .states = SHOW_SETTLED | SHOW_DELAYED },
		    SHOW_SETTLED | SHOW_ACTIVE, false },
		{ { .states = SHOW_SETTLED | SHOW_DELAYED },
		    SHOW_SETTLED | SHOW_DELAYED, true },
		{ { .states = SHOW_ACTIVE }, SHOW_JOURNAL | SHOW_ACTIVE, true },
		{ { .states = SHOW_ACTIVE }, SHOW_QUARANTINED, false },
		{ { .sender = "A@*" }, SHOW_JOURNAL, true },
		{ { .sender = "" }, SHOW_JOURNAL, false },
		{ { .recipient = "b@[xy].example" }, SHOW_JOURNAL, true },
		{ { .domain = "?.EXAMPLE" }, SHOW_JOURNAL, true },
		{ { .domain = "example" }, SHOW_JOURNAL, false },
		{ { .not_after_us = NOW_US - 1 }, SHOW_JOURNAL, false },
		{ { .not_after_us = NOW_US }, SHOW_JOURNAL, true },
		{ { .not_before_us = NOW_US }, SHOW_JOURNAL, true },
		{ { .not_before_us = NOW_US + 1 }, SHOW_JOURNAL, false },
	};
	struct show_item item = { .body_fd = -1 };

	item.meta.env.received_us = NOW_US;
	item.meta.env.sender = SLICE("a@s.example");
	item.meta.rcpt.addr = SLICE("b@x.example");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		item.states = cases[i].states;
		ck_assert_msg(show_matches(&cases[i].f, &item) == cases[i].ok,
		    "case %zu", i);
	}
	ck_assert_uint_eq(show_parse_state(SLICE("delayed")), SHOW_DELAYED);
	ck_assert_uint_eq(show_parse_state(SLICE("Delayed")), 0);
	ck_assert_uint_eq(show_parse_state(SLICE("")), 0);
}
END_TEST

START_TEST(state_of_an_entry)
{
	struct journal_entry e = { .next_us = NOW_US + 5, .attempts = 4,
		.flags = ENTRY_RECORD | ENTRY_DOUBT };
	struct show_item i = { .body_fd = -1 };

	i.meta.attempts = 1;
	show_apply_entry(&i, NULL);
	show_apply_entry(&i, &e);	/* no state record: .meta holds */
	ck_assert_uint_eq(i.meta.attempts, 1);
	e.flags |= ENTRY_STATE;
	show_apply_entry(&i, &e);
	ck_assert_uint_eq(i.meta.attempts, 4);
	ck_assert(i.meta.doubt);
	show_set_due(&i, NOW_US);
	ck_assert_uint_eq(i.states, SHOW_DELAYED);
	ck_assert(journal_entry_is_mail(&e));
	e.flags |= ENTRY_SETTLED;
	ck_assert(!journal_entry_is_mail(&e));
	ck_assert(!journal_entry_is_mail(NULL));
}
END_TEST

static const char *
printed(enum line_form form)
{
	static char text[1024];
	FILE *f = fmemopen(text, sizeof text, "w");
	struct line_out l;

	memset(text, 0, sizeof text);
	line_init(&l, form, f);
	for (int i = 0; i < 2; i++) {
		line_begin(&l);
		line_text(&l, "name", 6, slice_make("\033\"\\\xc3\xa4", 5));
		line_num(&l, "size", 5, 42);
		line_time(&l, "at", 0, i == 0 ? NOW_US : 0);
		line_raw(&l, "list", SLICE("[1]"));
		line_end(&l);
	}
	line_fini(&l);
	fclose(f);
	return text;
}

START_TEST(lines)
{
	ck_assert_str_eq(printed(LINE_TABS),
	    "\\x1B\"\\\\\\xC3\\xA4\t42\t2026-11-23T18:10:44Z\n"
	    "\\x1B\"\\\\\\xC3\\xA4\t42\t-\n");
	ck_assert_str_eq(printed(LINE_TABLE),
	    "NAME   SIZE  AT\n"
	    "\\x1B\"\\\\\\xC3\\xA4 42    2026-11-23T18:10:44Z\n"
	    "\\x1B\"\\\\\\xC3\\xA4 42    -\n");
	ck_assert_str_eq(printed(LINE_LIST),
	    "name: \\x1B\"\\\\\\xC3\\xA4\nsize: 42\nat: "
	    "2026-11-23T18:10:44Z\n\n"
	    "name: \\x1B\"\\\\\\xC3\\xA4\nsize: 42\nat: -\n\n");
	ck_assert_str_eq(printed(LINE_JSON),
	    "{\"name\":\"\\\\x1B\\\"\\\\\\\\\xc3\xa4\",\"size\":42,"
	    "\"at\":1795457444000000,\"list\":[1]}\n"
	    "{\"name\":\"\\\\x1B\\\"\\\\\\\\\xc3\xa4\",\"size\":42,"
	    "\"at\":0,\"list\":[1]}\n");
}
END_TEST

START_TEST(map)
{
	struct id_map m;
	uint64_t key, sum = 0;
	uint32_t *v;
	size_t at = 0;

	id_map_init(&m, sizeof *v);
	ck_assert_ptr_null(id_map_find(&m, 5));
	ck_assert_ptr_null(id_map_next(&m, &at, &key));
	for (uint64_t i = 1; i <= 20000; i++) {
		v = id_map_add(&m, i << 20);
		ck_assert_uint_eq(*v, 0);
		*v = (uint32_t)i;
	}
	for (uint64_t i = 1; i <= 20000; i++) {
		v = id_map_find(&m, i << 20);
		ck_assert_ptr_nonnull(v);
		ck_assert_uint_eq(*v, i);
		ck_assert_ptr_eq(id_map_add(&m, i << 20), v);
	}
	ck_assert_ptr_null(id_map_find(&m, 7));
	ck_assert_uint_eq(m.n, 20000);
	for (at = 0; (v = id_map_next(&m, &at, &key)) != NULL;) {
		ck_assert_uint_eq(key, (uint64_t)*v << 20);
		sum += *v;
	}
	ck_assert_uint_eq(sum, 20000u * 20001u / 2);
	id_map_fini(&m);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("spool_tools");
	TCase *t = tcase_create("all");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, names);
	tcase_add_test(t, times);
	tcase_add_test(t, filters);
	tcase_add_test(t, state_of_an_entry);
	tcase_add_test(t, lines);
	tcase_add_test(t, map);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
