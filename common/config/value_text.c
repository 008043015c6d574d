/* SPDX-License-Identifier: Apache-2.0 */
/* Values kept as they came, their canonical text, and defaults. */
#include "common/config/value.h"

static void *
take(struct scratch *mem, size_t n)
{
	void *p = scratch_alloc(mem, n);

	/* The input's size is bounded, and so is what it takes here. */
	ec_assert(p != NULL);
	return p;
}

static bool
is_bare(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c >= '0' && c <= '9') || c == '_' || c == '-' ||
		    c == '.')) {
			return false;
		}
	}
	return s.len > 0;
}

bool
value_quote(struct slice s, struct buf *out)
{
	bool ok = buf_putc(out, '"');

	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] == '"' || s.ptr[i] == '\\') {
			ok = buf_putc(out, '\\') && ok;
		}
		ok = buf_putc(out, s.ptr[i]) && ok;
	}
	return buf_putc(out, '"') && ok;
}

static bool
print_key(struct slice key, struct buf *out)
{
	return (is_bare(key) ? buf_add(out, key) : value_quote(key, out)) &&
	    buf_puts(out, " = ");
}

/* A value inside a dictionary is kept as text: nobody looks into it. */
static bool
print_raw(const struct raw_value *raw, struct buf *out)
{
	bool ok = true;

	if (raw->kind == RAW_TEXT) {
		return value_quote(raw->text, out);
	}
	ok = buf_puts(out, raw->kind == RAW_LIST ? "( " : "[ ");
	for (const struct raw_part *p = raw->first; p != NULL; p = p->next) {
		if (raw->kind == RAW_DICT) {
			ok = print_key(p->key, out) && ok;
		}
		ok = print_raw(&p->value, out) && buf_putc(out, ' ') && ok;
	}
	return buf_putc(out, raw->kind == RAW_LIST ? ')' : ']') && ok;
}

static void
keep_dict(const struct raw_value *raw, struct scratch *mem,
	struct config_value *out)
{
	struct config_pair *pairs = take(mem, raw->n * sizeof *pairs);
	bool *nested = take(mem, raw->n * sizeof *nested);
	struct buf b;
	size_t i = 0;

	/* Quoted and spaced, a text grows to less than four times. */
	buf_init(&b, CONFIG_MAX_TOTAL * 4u);
	for (const struct raw_part *p = raw->first; p != NULL; p = p->next) {
		nested[i] = p->value.kind != RAW_TEXT;
		pairs[i].key = p->key;
		pairs[i].value = p->value.text;
		if (nested[i]) {
			buf_clear(&b);
			ec_assert(print_raw(&p->value, &b));
			pairs[i].value = scratch_copy(mem, buf_slice(&b));
			ec_assert(pairs[i].value.ptr != NULL);
		}
		i++;
	}
	buf_fini(&b);
	out->pairs = pairs;
	out->nested = nested;
}

void
value_keep(const struct raw_value *raw, struct scratch *mem,
	struct config_value *out)
{
	*out = (struct config_value){ .kind = raw->kind, .text = raw->text,
		.n = raw->n };
	if (raw->n == 0) {
		return;
	}
	if (raw->kind == RAW_LIST) {
		struct slice *items = take(mem, raw->n * sizeof *items);
		size_t i = 0;

		for (const struct raw_part *p = raw->first; p; p = p->next) {
			items[i++] = p->value.text;
		}
		out->items = items;
	} else if (raw->kind == RAW_DICT) {
		keep_dict(raw, mem, out);
	}
}

void
value_default(const struct option_row *row, struct scratch *mem,
	struct config_value *out)
{
	struct raw_value raw = { .kind = RAW_TEXT,
		.text = slice_of(row->default_text) };
	char need[256];

	*out = (struct config_value){ 0 };
	if (row->default_text != NULL) {
		ec_assert(value_check(row, &raw, mem, out, need, sizeof need));
	}
}

bool
value_print(const struct config_value *v, struct buf *out)
{
	bool ok = true;

	if (v->kind == RAW_TEXT) {
		return value_quote(v->text, out);
	}
	ok = buf_puts(out, v->kind == RAW_LIST ? "( " : "[ ");
	for (size_t i = 0; i < v->n; i++) {
		if (v->kind == RAW_LIST) {
			ok = value_quote(v->items[i], out) && ok;
		} else {
			ok = print_key(v->pairs[i].key, out) && ok;
			ok = (v->nested[i] ? buf_add(out, v->pairs[i].value) :
			    value_quote(v->pairs[i].value, out)) && ok;
		}
		ok = buf_putc(out, ' ') && ok;
	}
	return buf_putc(out, v->kind == RAW_LIST ? ')' : ']') && ok;
}

bool
value_eq(const struct config_value *a, const struct config_value *b)
{
	if (a->kind != b->kind || a->n != b->n ||
	    !slice_eq(a->text, b->text)) {
		return false;
	}
	for (size_t i = 0; i < a->n; i++) {
		if (a->kind == RAW_LIST ?
		    !slice_eq(a->items[i], b->items[i]) :
		    !slice_eq(a->pairs[i].key, b->pairs[i].key) ||
		    !slice_eq(a->pairs[i].value, b->pairs[i].value) ||
		    a->nested[i] != b->nested[i]) {
			return false;
		}
	}
	return true;
}
