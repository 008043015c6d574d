/* SPDX-License-Identifier: Apache-2.0 */
/* A configuration as text, XML and JSON. */
#include "helpers/dump.h"
#include "common/config/tree.h"

#include <jansson.h>

/* Comments keep the result a configuration that can be read again. */
void
dump_all(const struct config *cfg, struct buf *out)
{
	char scopes[512];
	struct buf text;

	config_print(cfg, out);
	buf_puts(out, "\n# Defaults of what Global does not set:\n");
	buf_init(&text, CONFIG_MAX_TOTAL);
	for (int id = 0; id < OPTION_COUNT; id++) {
		const struct option_row *row = option_row((enum option_id)id);

		if (tree_get(cfg->global, id) != NULL) {
			continue;
		}
		buf_clear(&text);
		scope_bits_text(row->scopes, scopes, sizeof scopes);
		if (row->default_text != NULL) {
			value_print(&cfg->defaults[id], &text);
			buf_printf(out, "# %s = %.*s", row->name,
			    SLICE_ARG(text));
		} else {
			buf_printf(out, "# %s is unset", row->name);
		}
		buf_printf(out, "  (%s%s)\n", scopes,
		    row->served ? "" : "; not served yet");
	}
	buf_fini(&text);
}

static void
xml_text(struct slice s, struct buf *out)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];

		if (c == '<') {
			buf_puts(out, "&lt;");
		} else if (c == '>') {
			buf_puts(out, "&gt;");
		} else if (c == '&') {
			buf_puts(out, "&amp;");
		} else if (c == '"') {
			buf_puts(out, "&quot;");
		} else if (c == '\t' || c > '~') {
			/* Bytes above ASCII are shown as Latin-1. */
			buf_printf(out, "&#%u;", c);
		} else {
			buf_putc(out, (char)c);
		}
	}
}

static void
xml_indent(struct buf *out, unsigned depth)
{
	for (unsigned i = 0; i < depth; i++) {
		buf_puts(out, "  ");
	}
}

static void
xml_item(const struct config_item *item, struct buf *out, unsigned depth)
{
	const struct config_value *v = &item->value;

	xml_indent(out, depth);
	buf_puts(out, "<option name=\"");
	xml_text(item->name, out);
	if (v->kind == RAW_TEXT) {
		buf_puts(out, "\">");
		xml_text(v->text, out);
		buf_puts(out, "</option>\n");
		return;
	}
	buf_printf(out, "\" type=\"%s\">", v->kind == RAW_LIST ? "list" :
	    "dict");
	for (size_t i = 0; i < v->n; i++) {
		if (v->kind == RAW_LIST) {
			buf_puts(out, "<item>");
			xml_text(v->items[i], out);
			buf_puts(out, "</item>");
		} else {
			buf_puts(out, "<item key=\"");
			xml_text(v->pairs[i].key, out);
			buf_puts(out, "\">");
			xml_text(v->pairs[i].value, out);
			buf_puts(out, "</item>");
		}
	}
	buf_puts(out, "</option>\n");
}

/* Recursion is bounded by CONFIG_MAX_DEPTH. */
static void
xml_scope(const struct config_scope *s, struct buf *out, unsigned depth)
{
	for (size_t i = 0; i < s->n_items; i++) {
		xml_item(&s->items[i], out, depth);
	}
	for (const struct config_scope *c = s->first; c != NULL; c = c->next) {
		xml_indent(out, depth);
		buf_printf(out, "<scope type=\"%.*s\"", SLICE_ARG(c->keyword));
		if (c->name.len > 0) {
			buf_puts(out, " name=\"");
			xml_text(c->name, out);
			buf_puts(out, "\"");
		}
		buf_puts(out, ">\n");
		xml_scope(c, out, depth + 1);
		xml_indent(out, depth);
		buf_puts(out, "</scope>\n");
	}
}

void
dump_xml(const struct config *cfg, struct buf *out)
{
	buf_puts(out, "<?xml version=\"1.0\" encoding=\"US-ASCII\"?>\n"
	    "<config>\n");
	xml_scope(cfg->global, out, 1);
	buf_puts(out, "</config>\n");
}

/* JSON is UTF-8: other bytes are shown as Latin-1. */
static json_t *
json_text(struct slice s)
{
	json_t *j = json_stringn(s.len ? s.ptr : "", s.len);
	struct buf b;

	if (j != NULL) {
		return j;
	}
	buf_init(&b, s.len * 2);
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];

		if (c < 0x80) {
			buf_putc(&b, (char)c);
		} else {
			buf_putc(&b, (char)(0xc0 | (c >> 6)));
			buf_putc(&b, (char)(0x80 | (c & 0x3f)));
		}
	}
	j = json_stringn(b.ptr, b.len);
	buf_fini(&b);
	return j;
}

/* As an object key; a name that is not UTF-8 is left out by jansson. */
static void
json_put(json_t *object, struct slice key, json_t *value)
{
	json_t *k = json_text(key);

	json_object_set_new(object, json_string_value(k), value);
	json_decref(k);
}

static json_t *
json_value(const struct config_value *v)
{
	json_t *j;

	if (v->kind == RAW_TEXT) {
		return json_text(v->text);
	}
	j = v->kind == RAW_LIST ? json_array() : json_object();
	for (size_t i = 0; i < v->n; i++) {
		if (v->kind == RAW_LIST) {
			json_array_append_new(j, json_text(v->items[i]));
		} else {
			json_put(j, v->pairs[i].key,
			    json_text(v->pairs[i].value));
		}
	}
	return j;
}

/* Recursion is bounded by CONFIG_MAX_DEPTH. */
static json_t *
json_scope(const struct config_scope *s)
{
	json_t *j = json_object(), *options = json_object();
	json_t *scopes = json_array();

	if (s->parent != NULL) {
		json_object_set_new(j, "scope", json_text(s->keyword));
		json_object_set_new(j, "name", json_text(s->name));
	}
	for (size_t i = 0; i < s->n_items; i++) {
		json_put(options, s->items[i].name,
		    json_value(&s->items[i].value));
	}
	for (const struct config_scope *c = s->first; c != NULL; c = c->next) {
		json_array_append_new(scopes, json_scope(c));
	}
	json_object_set_new(j, "options", options);
	json_object_set_new(j, "scopes", scopes);
	return j;
}

void
dump_json(const struct config *cfg, struct buf *out)
{
	json_t *j = json_scope(cfg->global);
	char *text = json_dumps(j, JSON_INDENT(2));

	json_decref(j);
	if (text == NULL) {
		panic("out of memory");
	}
	buf_puts(out, text);
	buf_putc(out, '\n');
	free(text);
}
