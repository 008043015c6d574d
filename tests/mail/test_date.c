/* SPDX-License-Identifier: Apache-2.0 */
#include "common/mail/date.h"
#include "tests/mail/format_tests.h"

#include <time.h>

static const struct {
	uint64_t second;
	int offset;
	const char *want;
} rows[] = {
	{ 0, 0, "Thu, 1 Jan 1970 00:00:00 +0000" },
	{ 0, -60, "Thu, 1 Jan 1970 00:00:00 -0100" },	/* held at 1970 */
	{ 1254219116, 0, "Tue, 29 Sep 2009 10:11:56 +0000" },
	{ 1254219116, 330, "Tue, 29 Sep 2009 15:41:56 +0530" },
	{ 1254219116, -210, "Tue, 29 Sep 2009 06:41:56 -0330" },
	{ 951782399, 0, "Mon, 28 Feb 2000 23:59:59 +0000" },
	{ 951782400, 0, "Tue, 29 Feb 2000 00:00:00 +0000" },
	{ 1709164800, 0, "Thu, 29 Feb 2024 00:00:00 +0000" },
	{ 1709164800, -1, "Wed, 28 Feb 2024 23:59:00 -0001" },
	{ 4107542400, 0, "Mon, 1 Mar 2100 00:00:00 +0000" },
	{ 4107542399, 0, "Sun, 28 Feb 2100 23:59:59 +0000" },
	{ 1798761599, 60, "Fri, 1 Jan 2027 00:59:59 +0100" },
	{ 253402300799, 0, "Fri, 31 Dec 9999 23:59:59 +0000" },
	{ UINT64_MAX / 1000000 - 1, 1439, "Fri, 31 Dec 9999 23:59:59 +2359" },
	{ 86400 * 365, 99999, "Fri, 1 Jan 1971 23:59:00 +2359" },
	{ 86400 * 365, -99999, "Thu, 31 Dec 1970 00:01:00 -2359" },
};

START_TEST(known_dates)
{
	char text[DATE_TEXT_MAX];
	size_t n = date_format(rows[_i].second * 1000000u + 999999u,
	    rows[_i].offset, text);

	ck_assert_str_eq(text, rows[_i].want);
	ck_assert_uint_eq(n, strlen(text));
}
END_TEST

/* Every day of four centuries against the C library. */
START_TEST(agrees_with_libc)
{
	for (uint64_t day = 0; day < 146097; day++) {
		time_t t = (time_t)(day * 86400 + day % 86400);
		char want[64], text[DATE_TEXT_MAX];
		struct tm tm;

		gmtime_r(&t, &tm);
		strftime(want, sizeof want, "%a, %e %b %Y %H:%M:%S +0000", &tm);
		if (want[5] == ' ') {
			memmove(want + 5, want + 6, strlen(want + 6) + 1);
		}
		date_format((uint64_t)t * 1000000u, 0, text);
		ck_assert_str_eq(text, want);
	}
}
END_TEST

START_TEST(cache_is_never_stale)
{
	struct date_cache c = { 0 };
	char text[DATE_TEXT_MAX];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct slice s = date_cached(&c, rows[i].second * 1000000u,
		    rows[i].offset);

		ck_assert(slice_eq(s, slice_of(rows[i].want)));
		s = date_cached(&c, rows[i].second * 1000000u + 500000u,
		    rows[i].offset);
		ck_assert(slice_eq(s, slice_of(rows[i].want)));
	}
	date_format(5000000, 0, text);
	ck_assert(slice_eq(date_cached(&c, 5000000, 0), slice_of(text)));
}
END_TEST

START_TEST(local_zone_follows_summer_time)
{
	/* Central European rules without a zone file. */
	uint64_t winter = 1700000000u, summer = 1690000000u;
	struct date_cache c = { 0 };

	ck_assert_int_eq(setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1), 0);
	tzset();
	ck_assert_int_eq(date_local_offset(winter * 1000000u), 60);
	ck_assert_int_eq(date_local_offset(summer * 1000000u), 120);
	ck_assert(slice_ends_nocase(date_cached_local(&c, winter * 1000000u),
	    SLICE(" +0100")));
	ck_assert(slice_ends_nocase(date_cached_local(&c, summer * 1000000u),
	    SLICE(" +0200")));
	/* The second of the change itself: 2023-10-29 01:00 UTC. */
	ck_assert(slice_ends_nocase(date_cached_local(&c, 1698541199u *
	    (uint64_t)1000000u), SLICE("02:59:59 +0200")));
	ck_assert(slice_ends_nocase(date_cached_local(&c, 1698541200u *
	    (uint64_t)1000000u), SLICE("02:00:00 +0100")));
}
END_TEST

START_TEST(seconds)
{
	char text[DATE_SECONDS_MAX];

	ck_assert_uint_eq(date_format_seconds(0, text), 1);
	ck_assert_str_eq(text, "0");
	date_format_seconds(1254219116999999u, text);
	ck_assert_str_eq(text, "1254219116");
	date_format_seconds(UINT64_MAX, text);
	ck_assert_str_eq(text, "18446744073709");
}
END_TEST

TCase *
tcase_date(void)
{
	TCase *t = tcase_create("date");

	tcase_add_loop_test(t, known_dates, 0, (int)ARRAY_LEN(rows));
	tcase_add_test(t, agrees_with_libc);
	tcase_add_test(t, cache_is_never_stale);
	tcase_add_test(t, local_zone_follows_summer_time);
	tcase_add_test(t, seconds);
	return t;
}
