/* SPDX-License-Identifier: Apache-2.0 */
/* What scanner and parser share. */
#include "common/config/grammar.h"

void
grammar_error(struct grammar *g, const char *fmt, ...)
{
	struct buf text;
	va_list ap;

	buf_init(&text, 4096);
	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	g->b->file = g->file;
	g->b->line = g->line;
	builder_error(g->b, "%.*s", SLICE_ARG(text));
	buf_fini(&text);
}

struct builder *
grammar_at(struct grammar *g, const struct token *t)
{
	g->b->file = t->file;
	g->b->line = t->line;
	return g->b;
}

void
grammar_append(struct grammar *g, struct raw_value *to,
	const struct token *key, const struct raw_value *value)
{
	struct raw_part *p = scratch_alloc(&g->b->cfg->mem, sizeof *p);

	ec_assert(p != NULL);
	*p = (struct raw_part){ .value = *value };
	if (key != NULL) {
		p->key = key->text;
	}
	if (to->last != NULL) {
		to->last->next = p;
	} else {
		to->first = p;
	}
	to->last = p;
	to->n++;
}
