/* SPDX-License-Identifier: Apache-2.0 */
/* Which messages are wanted: pure. */
#include "helpers/show.h"

#include <fnmatch.h>
#include <time.h>

#include "common/base/num.h"

#define SECOND_US 1000000u
#define MAX_AGE_S (100ull * 366u * 86400u)

static bool
parse_age(struct slice text, uint64_t *seconds_out)
{
	static const struct { char unit; uint32_t seconds; } units[] = {
		{ 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 },
		{ 'w', 7 * 86400 },
	};
	uint64_t n;

	if (text.len < 2 || !num_parse_max(slice_make(text.ptr, text.len - 1),
	    MAX_AGE_S, &n)) {
		return false;
	}
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (text.ptr[text.len - 1] == units[i].unit) {
			*seconds_out = n * units[i].seconds;
			return *seconds_out <= MAX_AGE_S;
		}
	}
	return false;
}

static bool
parse_date(struct slice text, uint64_t *out_us)
{
	static const char *const forms[] = { "%Y-%m-%d", "%Y-%m-%dT%H:%M",
		"%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ" };
	char copy[32];

	if (!slice_copy(copy, sizeof copy, text)) {
		return false;
	}
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		struct tm tm = { 0 };
		const char *end = strptime(copy, forms[i], &tm);

		if (end != NULL && *end == '\0') {
			time_t t = timegm(&tm);

			*out_us = t > 0 ? (uint64_t)t * SECOND_US : 0;
			return t > 0;
		}
	}
	return false;
}

bool
show_parse_time(struct slice text, uint64_t now_us, uint64_t *out_us)
{
	uint64_t seconds;

	if (parse_age(text, &seconds)) {
		/* Never 0, which is "any". */
		*out_us = now_us > seconds * SECOND_US ?
		    now_us - seconds * SECOND_US : 1;
		return true;
	}
	return parse_date(text, out_us);
}

unsigned
show_parse_state(struct slice word)
{
	static const struct { const char *word; unsigned bit; } words[] = {
		{ "active", SHOW_ACTIVE }, { "delayed", SHOW_DELAYED },
		{ "journal", SHOW_JOURNAL }, { "settled", SHOW_SETTLED },
		{ "quarantined", SHOW_QUARANTINED },
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (slice_eq(word, slice_of(words[i].word))) {
			return words[i].bit;
		}
	}
	return 0;
}

static bool
glob_matches(const char *glob, struct slice s)
{
	char text[1100];	/* any address fits */

	return glob == NULL || (slice_copy(text, sizeof text, s) &&
	    fnmatch(glob, text, FNM_NOESCAPE | FNM_CASEFOLD) == 0);
}

bool
show_matches(const struct show_filter *f, const struct show_item *i)
{
	struct slice rcpt = i->meta.rcpt.addr;
	ssize_t at = slice_rfind(rcpt, '@');
	uint64_t received = i->meta.env.received_us;
	unsigned where = SHOW_JOURNAL | SHOW_SETTLED | SHOW_QUARANTINED;
	unsigned due = SHOW_ACTIVE | SHOW_DELAYED;

	/* One of the places that were named, and one of the two times; mail
	 * in quarantine only when it is named. */
	if ((f->states & where) == 0 ? (i->states & SHOW_QUARANTINED) != 0 :
	    (f->states & where & i->states) == 0) {
		return false;
	}
	if ((f->states & due) != 0 && (f->states & due & i->states) == 0) {
		return false;
	}
	return (f->not_after_us == 0 || received <= f->not_after_us) &&
	    (f->not_before_us == 0 || received >= f->not_before_us) &&
	    glob_matches(f->sender, i->meta.env.sender) &&
	    glob_matches(f->recipient, rcpt) &&
	    glob_matches(f->domain, slice_skip(rcpt, (size_t)(at + 1)));
}

void
show_apply_entry(struct show_item *i, const struct journal_entry *e)
{
	if (e != NULL && (e->flags & ENTRY_STATE) != 0) {
		i->meta.attempts = e->attempts;
		i->meta.next_us = e->next_us;
		i->meta.doubt = (e->flags & ENTRY_DOUBT) != 0;
	}
}

void
show_set_due(struct show_item *i, uint64_t now_us)
{
	i->states |= i->meta.next_us > now_us ? SHOW_DELAYED : SHOW_ACTIVE;
}
