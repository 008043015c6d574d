/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of the control socket. */
#include "console/request.h"

#include <jansson.h>

void
request_parser_init(struct request_parser *p)
{
	p->len = 0;
}

bool
request_is_begun(const struct request_parser *p)
{
	return p->len > 0;
}

const char *
request_status_text(enum request_status st)
{
	static const char *const texts[REQUEST_STATUS_COUNT] = {
#define X(id, sentence) [REQUEST_##id] = sentence,
		REQUEST_STATUSES(X)
#undef X
	};

	return texts[st];
}

static enum request_status
add_word(struct request *out, struct slice word)
{
	if (out->n_words == CONTROL_WORDS_MAX) {
		return REQUEST_TOO_MANY;
	}
	/* The lengths were looked at, so it fits. */
	slice_copy(out->word[out->n_words++], sizeof out->word[0], word);
	return REQUEST_DONE;
}

static bool
read_string(const json_t *v, struct slice *out)
{
	if (!json_is_string(v)) {
		return false;
	}
	*out = slice_make(json_string_value(v), json_string_length(v));
	return out->len <= CONTROL_WORD_MAX;
}

static enum request_status
read_command(const json_t *v, struct request *out)
{
	enum request_status st = REQUEST_DONE;
	struct slice rest, word;

	if (v == NULL) {
		return REQUEST_NO_COMMAND;
	}
	if (!read_string(v, &rest)) {
		return REQUEST_BAD_COMMAND;
	}
	while (rest.len > 0 && st == REQUEST_DONE) {
		word = slice_cut(&rest, ' ');
		if (word.len > 0) {
			st = add_word(out, word);
		}
	}
	return out->n_words == 0 ? REQUEST_BAD_COMMAND : st;
}

static enum request_status
read_args(const json_t *v, struct request *out)
{
	enum request_status st = REQUEST_DONE;
	struct slice word;

	if (v == NULL) {
		return REQUEST_DONE;
	}
	if (!json_is_array(v)) {
		return REQUEST_BAD_ARGS;
	}
	for (size_t i = 0; i < json_array_size(v) && st == REQUEST_DONE; i++) {
		st = read_string(json_array_get(v, i), &word) ?
		    add_word(out, word) : REQUEST_BAD_ARGS;
	}
	return st;
}

static bool
read_flag(const json_t *v, bool *out)
{
	*out = json_is_true(v);
	return v == NULL || json_is_boolean(v);
}

static bool
keys_are_known(json_t *o)
{
	static const char *const known[] = { "command", "args", "json",
		"terminal", "colour" };
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		count += json_object_get(o, known[i]) != NULL;
	}
	return count == json_object_size(o);
}

static enum request_status
read_object(json_t *o, struct request *out)
{
	enum request_status st;

	if (!json_is_object(o)) {
		return REQUEST_NOT_OBJECT;
	}
	if (!keys_are_known(o)) {
		return REQUEST_UNKNOWN_KEY;
	}
	st = read_command(json_object_get(o, "command"), out);
	if (st == REQUEST_DONE) {
		st = read_args(json_object_get(o, "args"), out);
	}
	if (st == REQUEST_DONE &&
	    !(read_flag(json_object_get(o, "json"), &out->json) &&
	    read_flag(json_object_get(o, "terminal"), &out->terminal) &&
	    read_flag(json_object_get(o, "colour"), &out->colour))) {
		st = REQUEST_BAD_FLAG;
	}
	return st;
}

static enum request_status
read_line(struct slice line, struct request *out)
{
	enum request_status st;
	json_error_t why;
	json_t *o;

	out->n_words = 0;
	out->json = out->terminal = out->colour = false;
	o = json_loadb(line.ptr, line.len, JSON_REJECT_DUPLICATES |
	    JSON_DECODE_ANY, &why);
	if (o == NULL) {
		return REQUEST_NOT_JSON;
	}
	st = read_object(o, out);
	json_decref(o);
	return st;
}

enum request_status
request_feed(struct request_parser *p, struct slice in, size_t *used_out,
    struct request *out)
{
	ssize_t end = slice_find(in, '\n');
	size_t n = end < 0 ? in.len : (size_t)end;

	if (n > sizeof p->line - p->len) {
		*used_out = sizeof p->line - p->len;
		p->len = 0;
		return REQUEST_TOO_LONG;
	}
	if (n > 0) {
		memcpy(p->line + p->len, in.ptr, n);
	}
	p->len += n;
	if (end < 0) {
		*used_out = n;
		return REQUEST_MORE;
	}
	*used_out = n + 1;
	n = p->len;
	p->len = 0;
	return read_line(slice_make(p->line, n), out);
}
