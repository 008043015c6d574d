/* SPDX-License-Identifier: Apache-2.0 */
/*
 * value: from what stands behind '=' in the file to a checked value of the
 * option's type.  Pure: memory comes from the caller's scratch, the reason of
 * a refusal is a phrase that says what would be right.
 *
 *	struct raw_value raw = { .kind = RAW_TEXT, .text = SLICE("20m") };
 *	if (!value_check(row, &raw, &mem, &v, need, sizeof need)) { ... }
 */
#ifndef EC_CONFIG_VALUE_H
#define EC_CONFIG_VALUE_H

#include "common/base/scratch.h"
#include "common/config/options.h"

enum raw_kind {
	RAW_TEXT,	/* a word or a quoted string */
	RAW_LIST,	/* ( a b ) */
	RAW_DICT,	/* [ k = v ] */
};

/* As parsed; the parts belong to whoever parsed. */
struct raw_value {
	enum raw_kind kind;
	struct slice text;
	struct raw_part *first, *last;	/* of a list or dict */
	size_t n;
};

struct raw_part {
	struct raw_part *next;
	struct slice key;
	struct raw_value value;
};

struct config_value {
	enum raw_kind kind;
	struct slice text;	/* of a scalar, as written */
	int64_t num;		/* number, bytes, microseconds, word's value */
	uint64_t window_us;	/* of a rate */
	const struct slice *items;
	const struct config_pair *pairs;
	const bool *nested;	/* per pair: its value is a list or dict */
	const struct cidr *nets;
	size_t n;		/* items or pairs */
};

/* need gets "a number from 1 to 10 is needed, such as 5". */
bool value_check(const struct option_row *row, const struct raw_value *raw,
	struct scratch *mem, struct config_value *out, char *need, size_t size);
/* Takes anything, for scopes whose options nobody reads yet. */
void value_keep(const struct raw_value *raw, struct scratch *mem,
	struct config_value *out);
/* The default of a row.  Every default passes its own row's check. */
void value_default(const struct option_row *row, struct scratch *mem,
	struct config_value *out);
/* Appends a string in quotes, or a whole value, as the parser reads it. */
bool value_quote(struct slice s, struct buf *out);
bool value_print(const struct config_value *v, struct buf *out);
bool value_eq(const struct config_value *a, const struct config_value *b);

#endif
