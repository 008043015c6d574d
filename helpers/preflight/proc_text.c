/* SPDX-License-Identifier: Apache-2.0 */
/* Lines, escapes and small formats of /proc. */
#include "helpers/preflight/proc_text.h"

#include "common/base/num.h"

void
proc_lines_init(struct proc_lines *l)
{
	l->len = 0;
	l->given = false;
	l->overlong = false;
}

static void
forget_given(struct proc_lines *l)
{
	if (l->given) {
		l->len = 0;
		l->given = false;
	}
}

/* Takes what belongs to the line; what does not fit makes it overlong. */
static void
keep(struct proc_lines *l, struct slice part)
{
	if (l->overlong || part.len > sizeof l->buffer - l->len) {
		l->overlong = true;
		l->len = 0;
		return;
	}
	if (part.len > 0) {
		memcpy(l->buffer + l->len, part.ptr, part.len);
		l->len += part.len;
	}
}

static enum proc_lines_status
give(struct proc_lines *l, struct slice *line_out)
{
	bool was_overlong = l->overlong;

	l->overlong = false;
	l->given = true;
	*line_out = slice_make(l->buffer, l->len);
	return was_overlong ? PROC_LINES_LONG : PROC_LINES_LINE;
}

enum proc_lines_status
proc_lines_next(struct proc_lines *l, struct slice in, size_t *used_out,
	struct slice *line_out)
{
	ssize_t at = slice_find(in, '\n');

	forget_given(l);
	*line_out = slice_make(l->buffer, 0);
	if (at < 0) {
		keep(l, in);
		*used_out = in.len;
		return PROC_LINES_MORE;
	}
	keep(l, slice_make(in.ptr, (size_t)at));
	*used_out = (size_t)at + 1;
	return give(l, line_out);
}

enum proc_lines_status
proc_lines_end(struct proc_lines *l, struct slice *line_out)
{
	forget_given(l);
	*line_out = slice_make(l->buffer, 0);
	if (l->len == 0 && !l->overlong) {
		return PROC_LINES_MORE;
	}
	return give(l, line_out);
}

const char *
proc_result_text(enum proc_result r)
{
	switch (r) {
	case PROC_OK:
		return "well formed";
	case PROC_BAD_FIELDS:
		return "fields are missing";
	case PROC_BAD_NUMBER:
		return "a number is wrong";
	case PROC_BAD_SEPARATOR:
		return "the separator \" - \" is missing";
	case PROC_BAD_ESCAPE:
		return "a backslash without three octal digits";
	case PROC_BAD_PATH:
		return "a path is not absolute or too long";
	}
	return "?";
}

static bool
octal_byte(struct slice s, unsigned *out)
{
	unsigned v = 0;

	if (s.len < 4 || s.ptr[1] > '3') {
		return false;
	}
	for (int i = 1; i < 4; i++) {
		if (s.ptr[i] < '0' || s.ptr[i] > '7') {
			return false;
		}
		v = v * 8 + (unsigned)(s.ptr[i] - '0');
	}
	*out = v;
	return true;
}

enum proc_result
proc_unescape(struct slice s, char *dst, size_t size)
{
	size_t n = 0;

	while (s.len > 0) {
		unsigned c = (unsigned char)s.ptr[0];
		size_t used = 1;

		if (c == '\\') {
			if (!octal_byte(s, &c)) {
				return PROC_BAD_ESCAPE;
			}
			used = 4;
		}
		if (c == 0 || n + 1 >= size) {
			return PROC_BAD_PATH;
		}
		dst[n++] = (char)c;
		s = slice_skip(s, used);
	}
	if (size == 0) {
		return PROC_BAD_PATH;
	}
	dst[n] = '\0';
	return PROC_OK;
}

/* The next word between blanks and tabs; empty at the end. */
static struct slice
next_word(struct slice *s)
{
	size_t n = 0;

	*s = slice_trim(*s);
	while (n < s->len && s->ptr[n] != ' ' && s->ptr[n] != '\t') {
		n++;
	}
	struct slice word = slice_make(s->ptr, n);
	*s = slice_skip(*s, n);
	return word;
}

static bool
parse_priority(struct slice s, int *out)
{
	bool minus = s.len > 0 && s.ptr[0] == '-';
	uint64_t v;

	if (!num_parse_max(slice_skip(s, minus ? 1 : 0), 65535, &v)) {
		return false;
	}
	*out = minus ? -(int)v : (int)v;
	return true;
}

enum proc_result
swap_parse(struct slice line, struct swap_entry *out)
{
	struct slice path = next_word(&line), type = next_word(&line);
	struct slice size = next_word(&line), used = next_word(&line);
	struct slice priority = next_word(&line);
	enum proc_result r;
	uint64_t number;

	r = proc_unescape(path, out->path, sizeof out->path);
	if (r != PROC_OK) {
		return r;
	}
	if (out->path[0] != '/') {
		return PROC_BAD_PATH;
	}
	if (priority.len == 0) {
		return PROC_BAD_FIELDS;
	}
	if (!num_parse_u64(size, &number) || !num_parse_u64(used, &number) ||
	    !parse_priority(priority, &out->priority)) {
		return PROC_BAD_NUMBER;
	}
	out->is_file = slice_eq(type, SLICE("file"));
	return PROC_OK;
}

static bool
is_name_end(char c)
{
	return c == ' ' || c == '\t' || c == ':' || c == '=' || c == '\0';
}

/* Their file's name, with or without "lib". */
static bool
is_sync_eater(struct slice path)
{
	struct slice name = slice_skip(path, (size_t)(slice_rfind(path, '/') +
	    1));

	if (slice_starts(name, SLICE("lib"))) {
		name = slice_skip(name, 3);
	}
	return slice_starts(name, SLICE("eatmydata.so")) ||
	    slice_starts(name, SLICE("nosync.so"));
}

bool
names_sync_eater(struct slice text, struct slice *name_out)
{
	while (text.len > 0) {
		size_t n = 0;

		while (n < text.len && !is_name_end(text.ptr[n])) {
			n++;
		}
		if (is_sync_eater(slice_make(text.ptr, n))) {
			*name_out = slice_make(text.ptr, n);
			return true;
		}
		text = slice_skip(text, n + 1);
	}
	return false;
}

bool
options_have(struct slice options, const char *word)
{
	while (options.len > 0) {
		if (slice_eq(slice_cut(&options, ','), slice_of(word))) {
			return true;
		}
	}
	return false;
}
