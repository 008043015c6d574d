/* SPDX-License-Identifier: Apache-2.0 */
/*
 * line_out: lines of named fields on standard output, one way for people, one
 * for scripts.
 *
 *	LINE_TABLE	values padded to the columns' widths, with a heading
 *	LINE_TABS	values with a tab between them
 *	LINE_LIST	"name: value" lines, a blank line behind each group
 *	LINE_JSON	{"name":value,...}
 *
 * Nothing is held back, so any number of lines takes the same memory.  Bytes
 * that are not printable US-ASCII become \xHH, and \ becomes \\ (JSON keeps UTF-8,
 * and doubles these backslashes once more, as JSON asks).
 *
 *	line_begin(&l);
 *	line_text(&l, "sender", 24, sender);
 *	line_num(&l, "size", 8, size);
 *	line_end(&l);
 */
#ifndef EC_LINE_OUT_H
#define EC_LINE_OUT_H

#include "common/base/buf.h"

enum line_form { LINE_TABLE, LINE_TABS, LINE_LIST, LINE_JSON };

struct line_out {
	enum line_form form;
	FILE *to;
	struct buf text, heading;
	unsigned fields;	/* of this line */
	uint64_t lines;
};

void line_init(struct line_out *l, enum line_form form, FILE *to);
void line_fini(struct line_out *l);
void line_begin(struct line_out *l);
void line_text(struct line_out *l, const char *name, unsigned width,
	struct slice value);
void line_num(struct line_out *l, const char *name, unsigned width,
	uint64_t value);
void line_bool(struct line_out *l, const char *name, bool value);
/* Microseconds since 1970: a date in UTC for people, the number in JSON. */
void line_time(struct line_out *l, const char *name, unsigned width,
	uint64_t wall_us);
/* JSON as it is (no text form has it). */
void line_raw(struct line_out *l, const char *name, struct slice json);
void line_end(struct line_out *l);
/* Appends a JSON string with its quotes. */
void line_json_string(struct buf *b, struct slice value);

#endif
