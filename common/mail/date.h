/* SPDX-License-Identifier: Apache-2.0 */
/*
 * date: wall time as mail and logs write it.  RFC 5322 3.3 (and so RFC 3464):
 * "Mon, 23 Nov 2026 15:10:40 +0100"; logs: whole seconds.  The zone is an
 * offset in minutes east of Greenwich, given by the caller, so that formatting
 * is pure; date_local_offset() is the one function that asks the system (it
 * reads the zone file on first use: call it once before a sandbox closes).
 *
 * A struct date_cache belongs to the caller; a second formatted before costs a
 * memcpy.
 *
 *	struct date_cache c = { 0 };
 *	struct slice s = date_cached_local(&c, clock_wall_us());
 *
 * Times after the year 9999 are written as its last second.
 */
#ifndef EC_DATE_H
#define EC_DATE_H

#include "common/base/base.h"
#include "common/base/slice.h"

#define DATE_TEXT_MAX 32u	/* 31 characters and a NUL */
#define DATE_SECONDS_MAX 21u	/* 20 digits and a NUL */

struct date_cache {
	bool filled;
	bool offset_known;
	int offset_minutes;	/* of text */
	int local_minutes;	/* of quarter */
	uint64_t second;	/* of text */
	uint64_t quarter;	/* 15 minutes for which local_minutes holds */
	size_t len;
	char text[DATE_TEXT_MAX];
};

/* Writes the text and a NUL; its length.  Offsets beyond a day are cut. */
size_t date_format(uint64_t wall_us, int offset_minutes,
	char out[DATE_TEXT_MAX]);
/* Borrowed from c until the next call. */
struct slice date_cached(struct date_cache *c, uint64_t wall_us,
	int offset_minutes);
/* The same in the system's zone, asked for once every quarter of an hour. */
struct slice date_cached_local(struct date_cache *c, uint64_t wall_us);
/* Minutes east of Greenwich at that time, by the process's zone. */
int date_local_offset(uint64_t wall_us);
/* Whole seconds in decimal, as the logs begin; the length. */
size_t date_format_seconds(uint64_t wall_us, char out[DATE_SECONDS_MAX]);

#endif
