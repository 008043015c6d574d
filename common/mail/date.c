/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 5322 dates without printf. */
#include "common/mail/date.h"

#include <time.h>

#define DAY 86400
#define OFFSET_MAX (23 * 60 + 59)
#define QUARTER_US (900u * 1000000u)
#define YEAR_9999_END 253402300799u

struct civil {
	unsigned year, month, day;	/* month 0..11, day 1..31 */
};

/* Counts from 1 March: then the leap day is the last of its year, and the
 * months' lengths follow one straight line (153 days in five months). */
static struct civil
civil_from_days(uint64_t days)
{
	uint64_t z = days + 719468;	/* since 1 March of the year 0 */
	uint64_t era = z / 146097;	/* 400 years */
	unsigned in_era = (unsigned)(z % 146097);
	unsigned year = (in_era - in_era / 1460 + in_era / 36524 -
	    in_era / 146096) / 365;
	unsigned in_year = in_era - (365 * year + year / 4 - year / 100);
	unsigned m = (5 * in_year + 2) / 153;
	struct civil c = {
		.year = (unsigned)(era * 400) + year + (m >= 10),
		.month = m < 10 ? m + 2 : m - 10,
		.day = in_year - (153 * m + 2) / 5 + 1,
	};

	return c;
}

static char *
put2(char *p, unsigned v)
{
	*p++ = (char)('0' + v / 10);
	*p++ = (char)('0' + v % 10);
	return p;
}

static char *
put_zone(char *p, int minutes)
{
	unsigned m = (unsigned)(minutes < 0 ? -minutes : minutes);

	*p++ = minutes < 0 ? '-' : '+';
	p = put2(p, m / 60);
	return put2(p, m % 60);
}

static int
clamp_offset(int minutes)
{
	minutes = EC_MIN(minutes, OFFSET_MAX);
	return EC_MAX(minutes, -OFFSET_MAX);
}

size_t
date_format(uint64_t wall_us, int offset_minutes, char out[DATE_TEXT_MAX])
{
	static const char days[] = "ThuFriSatSunMonTueWed";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	int offset = clamp_offset(offset_minutes);
	int64_t s = (int64_t)(wall_us / 1000000u) + offset * 60;
	struct civil c;
	unsigned in_day;
	char *p = out;

	/* Before 1970 there was no mail of ours. */
	s = EC_MAX(s, 0);
	s = EC_MIN(s, (int64_t)YEAR_9999_END);
	c = civil_from_days((uint64_t)s / DAY);
	in_day = (unsigned)(s % DAY);
	memcpy(p, days + 3 * (s / DAY % 7), 3);
	p += 3;
	*p++ = ',';
	*p++ = ' ';
	if (c.day >= 10) {
		*p++ = (char)('0' + c.day / 10);
	}
	*p++ = (char)('0' + c.day % 10);
	*p++ = ' ';
	memcpy(p, months + (size_t)3 * c.month, 3);
	p += 3;
	*p++ = ' ';
	p = put2(put2(p, c.year / 100), c.year % 100);
	*p++ = ' ';
	p = put2(p, in_day / 3600);
	*p++ = ':';
	p = put2(p, in_day / 60 % 60);
	*p++ = ':';
	p = put2(p, in_day % 60);
	*p++ = ' ';
	p = put_zone(p, offset);
	*p = '\0';
	return (size_t)(p - out);
}

struct slice
date_cached(struct date_cache *c, uint64_t wall_us, int offset_minutes)
{
	uint64_t second = wall_us / 1000000u;

	if (!c->filled || c->second != second ||
	    c->offset_minutes != offset_minutes) {
		c->len = date_format(wall_us, offset_minutes, c->text);
		c->second = second;
		c->offset_minutes = offset_minutes;
		c->filled = true;
	}
	return slice_make(c->text, c->len);
}

struct slice
date_cached_local(struct date_cache *c, uint64_t wall_us)
{
	/* No zone changes its offset but at a quarter of an hour. */
	if (!c->offset_known || c->quarter != wall_us / QUARTER_US) {
		c->local_minutes = date_local_offset(wall_us);
		c->quarter = wall_us / QUARTER_US;
		c->offset_known = true;
	}
	return date_cached(c, wall_us, c->local_minutes);
}

int
date_local_offset(uint64_t wall_us)
{
	time_t t = (time_t)(wall_us / 1000000u);
	struct tm tm;

	return localtime_r(&t, &tm) == NULL ? 0 : (int)(tm.tm_gmtoff / 60);
}

size_t
date_format_seconds(uint64_t wall_us, char out[DATE_SECONDS_MAX])
{
	uint64_t s = wall_us / 1000000u;
	char digits[DATE_SECONDS_MAX];
	size_t at = sizeof digits, n;

	do {
		digits[--at] = (char)('0' + s % 10);
		s /= 10;
	} while (s > 0);
	n = sizeof digits - at;
	memcpy(out, digits + at, n);
	out[n] = '\0';
	return n;
}
