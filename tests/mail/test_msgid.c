/* SPDX-License-Identifier: Apache-2.0 */
#include "common/mail/msgid.h"
#include "tests/mail/format_tests.h"

static const struct {
	uint32_t seconds;
	uint16_t allocator, counter;
	const char *text;
} rows[] = {
	{ 1254219116, 2001, 0, "00/00-02001-C6DD1CA4" },
	{ 1236672125, 7149, 0x81, "18/00-07149-D7E16B94" },
	{ 0, 0, 1, "10/00-00000-00000000" },
	{ 0, 0, 0x0b, "B0/00-00000-00000000" },
	{ 0, 0, 0xb49f, "F9/4B-00000-00000000" },
	{ UINT32_MAX, UINT16_MAX, UINT16_MAX, "FF/FF-65535-FFFFFFFF" },
	{ 0, 0, 0, "00/00-00000-00000000" },
};

START_TEST(text_form)
{
	msgid id = msgid_make(rows[_i].seconds, rows[_i].allocator,
	    rows[_i].counter), back;
	char text[MSGID_TEXT_LEN + 1];
	char dir[3] = { rows[_i].text[0], rows[_i].text[1] };

	msgid_format(id, text);
	ck_assert_str_eq(text, rows[_i].text);
	ck_assert(msgid_parse(slice_of(text), &back));
	ck_assert_uint_eq(back, id);
	ck_assert_uint_eq(msgid_seconds(back), rows[_i].seconds);
	ck_assert_uint_eq(msgid_allocator(back), rows[_i].allocator);
	ck_assert_uint_eq(msgid_counter(back), rows[_i].counter);
	ck_assert_uint_eq(msgid_dir(id), strtoul(dir, NULL, 16));
}
END_TEST

/* Every byte at every position: refused, or it formats to the same text. */
START_TEST(parse_takes_only_what_format_gives)
{
	const char *good = "18/00-07149-D7E16B94";
	char text[MSGID_TEXT_LEN + 1], again[MSGID_TEXT_LEN + 1];
	msgid id;

	for (size_t i = 0; i < MSGID_TEXT_LEN; i++) {
		for (int c = 0; c < 256; c++) {
			memcpy(text, good, sizeof text);
			text[i] = (char)c;
			id = 77;
			if (msgid_parse(slice_make(text, 20), &id)) {
				msgid_format(id, again);
				ck_assert_str_eq(again, text);
			} else {
				ck_assert_uint_eq(id, 77);
			}
		}
		ck_assert(!msgid_parse(slice_make(good, i), &id));
	}
	ck_assert(!msgid_parse(SLICE("18/00-65536-D7E16B94"), &id));
	ck_assert(!msgid_parse(SLICE("18/00-07149-d7e16b94"), &id));
	ck_assert(!msgid_parse(SLICE("18/00-07149-D7E16B944"), &id));
	ck_assert(!msgid_parse((struct slice){ NULL, 0 }, &id));
}
END_TEST

START_TEST(leases_never_repeat)
{
	/* The clock as an operator may set it: ahead, back, far back. */
	static const uint32_t clock[] = { 100, 100, 101, 90, 1, 105, 104, 105,
		0, 106, 500 };
	struct id_source s = { 0 };
	msgid last = MSGID_NONE, id;

	ck_assert_uint_eq(id_source_next(&s, 100), MSGID_NONE);
	id_source_lease(&s, 7, 100, 200);
	for (size_t i = 0; i + 1 < ARRAY_LEN(clock); i++) {
		id = id_source_next(&s, clock[i]);
		ck_assert_uint_gt(id, last);
		ck_assert_uint_ge(msgid_seconds(id), clock[i]);
		ck_assert_uint_eq(msgid_allocator(id), 7);
		last = id;
	}
	ck_assert_uint_eq(id_source_next(&s, 500), MSGID_NONE);
	/* A lease that ended stays ended, whatever the clock says then. */
	ck_assert_uint_eq(id_source_next(&s, 106), MSGID_NONE);
}
END_TEST

START_TEST(a_second_holds_65536)
{
	struct id_source s;
	msgid last = MSGID_NONE;

	id_source_lease(&s, 7, 100, 200);
	for (unsigned i = 0; i < 65536; i++) {
		msgid id = id_source_next(&s, 50);

		ck_assert_uint_gt(id, last);
		ck_assert_uint_eq(msgid_counter(id), i);
		last = id;
	}
	ck_assert_uint_eq(id_source_next(&s, 100), MSGID_NONE);
	ck_assert_uint_eq(id_source_next(&s, 101), MSGID_NONE);
	id_source_lease(&s, 8, 100, 200);
	ck_assert_uint_eq(id_source_next(&s, 100), msgid_make(100, 8, 0));
}
END_TEST

START_TEST(last_second_is_included)
{
	struct id_source s;

	id_source_lease(&s, 7, 100, 100);
	ck_assert_uint_eq(id_source_next(&s, 100), msgid_make(100, 7, 0));
	ck_assert_uint_eq(id_source_next(&s, 101), MSGID_NONE);
	id_source_lease(&s, 9, 101, 100);
	ck_assert_uint_eq(id_source_next(&s, 1), MSGID_NONE);
}
END_TEST

TCase *
tcase_msgid(void)
{
	TCase *t = tcase_create("msgid");

	tcase_add_loop_test(t, text_form, 0, (int)ARRAY_LEN(rows));
	tcase_add_test(t, parse_takes_only_what_format_gives);
	tcase_add_test(t, leases_never_repeat);
	tcase_add_test(t, a_second_holds_65536);
	tcase_add_test(t, last_second_is_included);
	return t;
}
