/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grammar: what the scanner (lex.l) and the parser (gram.y) share.  Both are
 * reentrant: an include runs another pair inside an action of the first.
 *
 *	struct grammar g = { .b = builder, .line = 1 };
 */
#ifndef EC_CONFIG_GRAMMAR_H
#define EC_CONFIG_GRAMMAR_H

#include "common/config/tree.h"

/* A word or string with the place where it stands. */
struct token {
	struct slice text;
	uint32_t file, line;
};

struct grammar {
	struct builder *b;
	void *scanner;
	uint32_t file, line;	/* of the token at hand */
	struct token token;	/* the newest one */
	unsigned base_depth;	/* scopes open around this text */
	unsigned dicts;		/* dictionaries open at the token */
	bool told;		/* the scanner has reported its error */
};

/* Says what is wrong at the token at hand; the parse ends. */
void grammar_error(struct grammar *g, const char *fmt, ...) EC_PRINTF(2, 3);
/* Sets the builder's place before an item is handed to it. */
struct builder *grammar_at(struct grammar *g, const struct token *t);
/* Appends a part to a list or dictionary. */
void grammar_append(struct grammar *g, struct raw_value *to,
	const struct token *key, const struct raw_value *value);

#endif
