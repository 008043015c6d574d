/* SPDX-License-Identifier: Apache-2.0 */
/*
 * show: the parts of ec_show.  show_match is pure: which messages are wanted.
 * show_list streams all that match, show_message prints one.  The spool is only
 * read; a server may run on it.
 */
#ifndef EC_SHOW_H
#define EC_SHOW_H

#include "helpers/line_out.h"
#include "helpers/spool_journal.h"

enum show_state {	/* bits of show_filter.states */
	SHOW_ACTIVE = 1u << 0,		/* due */
	SHOW_DELAYED = 1u << 1,		/* its next attempt is to come */
	SHOW_JOURNAL = 1u << 2,		/* its only copy is in the journal */
	SHOW_SETTLED = 1u << 3,		/* it has files of its own */
	SHOW_QUARANTINED = 1u << 4,
};

struct show_filter {
	const char *sender, *recipient, *domain;	/* globs, or NULL */
	uint64_t not_after_us, not_before_us;	/* of reception; 0: any */
	unsigned states;	/* 0: all but quarantined */
	uint64_t limit;		/* lines; 0: all */
};

/* A message, wherever it was found. */
struct show_item {
	struct meta meta;
	unsigned states;	/* bits that hold */
	uint64_t body_at, body_size;
	int body_fd;		/* -1: in its data file */
	const char *why;	/* quarantined: the reason, or NULL */
	const char *file;	/* the same */
};

/* "90s", "5m", "2h", "7d", "4w", or "2026-11-23[T18:00[:00]]" (UTC): the moment
 * so long before now, or that one.  False on anything else. */
bool show_parse_time(struct slice text, uint64_t now_us, uint64_t *out_us);
/* "active", "delayed", "journal", "settled", "quarantined"; 0: none of them. */
unsigned show_parse_state(struct slice word);
bool show_matches(const struct show_filter *f, const struct show_item *i);
/* Attempts, next attempt and the states that follow from it. */
void show_apply_entry(struct show_item *i, const struct journal_entry *e);
void show_set_due(struct show_item *i, uint64_t now_us);

enum show_part { SHOW_HEADER, SHOW_BODY, SHOW_WHOLE };

struct show {
	struct spool_dir dir;
	struct spool_journal journal;
	struct show_filter filter;
	struct line_out out;
	struct scratch mem;
	uint64_t now_us;
	uint64_t skipped;	/* files that could not be read */
	enum show_part part;
	bool terminal;
};

/* 0, or an exit code. */
int show_list(struct show *s);
/* The same; 1: no such message. */
int show_message(struct show *s, msgid id);

#endif
