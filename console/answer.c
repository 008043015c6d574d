/* SPDX-License-Identifier: Apache-2.0 */
/* Answers as text or JSON. */
#include "console/answer.h"

#include "common/mail/esc.h"

#define ASCII_JSON (JSON_COMPACT | JSON_ENSURE_ASCII | JSON_ENCODE_ANY)

static int
dump_to_buf(const char *p, size_t n, void *arg)
{
	return buf_append(arg, p, n) ? 0 : -1;
}

static void
put_json(struct buf *out, const json_t *o)
{
	json_dump_callback(o, dump_to_buf, out, ASCII_JSON);
}

static void
put_string(struct buf *out, struct slice text)
{
	json_t *s = json_stringn(text.ptr == NULL ? "" : text.ptr, text.len);

	ec_assert(s != NULL);	/* US-ASCII always is UTF-8 */
	put_json(out, s);
	json_decref(s);
}

void
answer_data(struct buf *out, const json_t *o)
{
	buf_puts(out, "{\"data\":");
	put_json(out, o);
	buf_puts(out, "}\n");
}

void
answer_text(struct buf *out, struct slice text)
{
	while (text.len > 0) {
		struct slice part = slice_make(text.ptr,
		    EC_MIN(text.len, (size_t)CONTROL_TEXT_MAX));

		buf_puts(out, "{\"text\":");
		put_string(out, part);
		buf_puts(out, "}\n");
		text = slice_skip(text, part.len);
	}
}

void
answer_end(struct buf *out, const char *error)
{
	if (error == NULL) {
		buf_puts(out, "{\"ok\":true}\n");
	} else {
		answer_end_raw(out, slice_of(error));
	}
}

/* Lines stay lines, what is in them is escaped; without the last line's end. */
static void
esc_lines(struct buf *b, struct slice text)
{
	while (text.len > 0) {
		esc_add(b, slice_cut(&text, '\n'), ESC_AGAIN, ESC_NO_MAX);
		if (text.len > 0) {
			buf_putc(b, '\n');
		}
	}
}

void
answer_end_raw(struct buf *out, struct slice error)
{
	struct buf b;

	buf_init(&b, CONTROL_ANSWER_MAX);
	esc_lines(&b, error);
	buf_puts(out, "{\"error\":");
	put_string(out, buf_slice(&b));
	buf_puts(out, ",\"ok\":false}\n");
	buf_fini(&b);
}

void
answer_raw(struct buf *out, const struct request *how, struct slice text)
{
	struct buf b;

	buf_init(&b, CONTROL_ANSWER_MAX);
	esc_lines(&b, text);
	if (how->json) {
		buf_puts(out, "{\"data\":{\"text\":");
		put_string(out, buf_slice(&b));
		buf_puts(out, "}}\n");
	} else {
		buf_putc(&b, '\n');
		answer_text(out, buf_slice(&b));
	}
	buf_fini(&b);
}

/* Not yet escaped. */
static void
put_value(struct buf *b, const json_t *v)
{
	if (json_is_string(v)) {
		buf_append(b, json_string_value(v), json_string_length(v));
	} else if (json_is_array(v)) {
		for (size_t i = 0; i < json_array_size(v); i++) {
			buf_puts(b, i > 0 ? ", " : "");
			if (json_is_string(json_array_get(v, i))) {
				put_value(b, json_array_get(v, i));
			} else {
				put_json(b, json_array_get(v, i));
			}
		}
	} else if (v != NULL && !json_is_null(v)) {
		put_json(b, v);
	}
}

/* The keys of all rows, in the order in which they first come. */
static json_t *
all_keys(const json_t *rows)
{
	json_t *keys = json_object(), *row, *value;
	const char *key;
	size_t i;

	json_array_foreach(rows, i, row) {
		json_object_foreach(row, key, value) {
			if (json_object_size(keys) < TABLE_COLUMNS &&
			    json_object_get(keys, key) == NULL) {
				json_object_set_new(keys, key, json_null());
			}
		}
	}
	return keys;
}

static void
key_cell(struct table *t, const char *key)
{
	char text[64];
	size_t n = 0;

	for (; key[n] != '\0' && n + 1 < sizeof text; n++) {
		text[n] = key[n] == '_' ? ' ' : key[n];
		if (text[n] >= 'a' && text[n] <= 'z') {
			text[n] = (char)(text[n] - 'a' + 'A');
		}
	}
	table_cell(t, slice_make(text, n));
}

static void
fill_table(struct table *t, const json_t *rows, json_t *keys)
{
	struct buf cell;
	const char *key;
	json_t *unused;
	size_t i;

	buf_init(&cell, CONTROL_ANSWER_MAX);
	json_object_foreach(keys, key, unused) {
		key_cell(t, key);
	}
	table_row(t);
	for (i = 0; i < json_array_size(rows); i++) {
		json_object_foreach(keys, key, unused) {
			buf_clear(&cell);
			put_value(&cell, json_object_get(
			    json_array_get(rows, i), key));
			table_cell(t, buf_slice(&cell));
		}
		table_row(t);
	}
	buf_fini(&cell);
}

void
answer_rows(struct buf *out, const struct request *how, const json_t *rows)
{
	struct table t;
	json_t *keys;

	if (how->json) {
		for (size_t i = 0; i < json_array_size(rows); i++) {
			answer_data(out, json_array_get(rows, i));
		}
		return;
	}
	if (json_array_size(rows) == 0) {
		return;
	}
	table_init(&t, CONTROL_ANSWER_MAX);
	keys = all_keys(rows);
	fill_table(&t, rows, keys);
	answer_table(out, how, &t);
	json_decref(keys);
	table_fini(&t);
}

void
answer_table(struct buf *out, const struct request *how, const struct table *t)
{
	struct buf text;

	if (how->json) {
		return;
	}
	buf_init(&text, 4 * CONTROL_ANSWER_MAX);
	if (!table_print(t, &text, how->terminal, how->colour)) {
		out->full = true;
	}
	answer_text(out, buf_slice(&text));
	buf_fini(&text);
}

/* some_dns_key -> Some DNS Key */
static void
put_key(struct buf *b, const char *key)
{
	struct slice rest = slice_of(key), word;
	bool first = true;

	while (rest.len > 0) {
		word = slice_cut(&rest, '_');
		buf_puts(b, first ? "" : " ");
		first = false;
		if (slice_eq(word, SLICE("dns"))) {
			buf_puts(b, "DNS");
		} else if (slice_eq(word, SLICE("ttl"))) {
			buf_puts(b, "TTL");
		} else if (slice_eq(word, SLICE("tcp"))) {
			buf_puts(b, "TCP");
		} else if (word.len > 0 && word.ptr[0] >= 'a' &&
		    word.ptr[0] <= 'z') {
			buf_putc(b, (char)(word.ptr[0] - 'a' + 'A'));
			buf_add(b, slice_skip(word, 1));
		} else {
			buf_add(b, word);
		}
	}
}

void
answer_lines(struct buf *out, const struct request *how, const json_t *object)
{
	struct buf raw, text;
	const char *key;
	json_t *value;

	if (how->json) {
		answer_data(out, object);
		return;
	}
	buf_init(&raw, CONTROL_ANSWER_MAX);
	buf_init(&text, CONTROL_ANSWER_MAX);
	json_object_foreach((json_t *)(uintptr_t)object, key, value) {
		buf_clear(&raw);
		put_key(&raw, key);
		buf_puts(&raw, ": ");
		put_value(&raw, value);
		esc_add(&text, buf_slice(&raw), ESC_TEXT, ESC_NO_MAX);
		buf_putc(&text, '\n');
	}
	if (text.full) {
		out->full = true;
	}
	answer_text(out, buf_slice(&text));
	buf_fini(&raw);
	buf_fini(&text);
}
