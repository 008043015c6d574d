/* SPDX-License-Identifier: Apache-2.0 */
/* The header of a message in extents. */
#include "common/mail/mime_scan.h"

#define LINE_MAX_BYTES 998u

enum { AT_END = -1, AT_LIMIT = -2 };

/* Moves a place at an extent's end to the next extent that has bytes. */
static void
settle(const struct mime_scan *s, struct mime_at *at)
{
	while (at->ext < s->n_ext && at->off == s->ext[at->ext].len) {
		at->ext++;
		at->off = 0;
	}
}

/* The byte there, AT_END or AT_LIMIT. */
static int
peek(const struct mime_scan *s, struct mime_at *at)
{
	settle(s, at);
	if (at->ext == s->n_ext) {
		return AT_END;
	}
	if (at->pos >= s->limit) {
		return AT_LIMIT;
	}
	return (unsigned char)s->ext[at->ext].ptr[at->off];
}

static void
step(struct mime_at *at)
{
	at->off++;
	at->pos++;
}

/* What is left of the extent there, within the limit. */
static struct slice
rest_of(const struct mime_scan *s, const struct mime_at *at)
{
	struct slice e = s->ext[at->ext];

	return slice_make(e.ptr + at->off, (size_t)EC_MIN(
	    (uint64_t)(e.len - at->off), s->limit - at->pos));
}

static bool
is_name(int c)
{
	return c > ' ' && c < 0x7f && c != ':';
}

/* To the byte behind the next LF; 0, AT_END or AT_LIMIT. */
static int
skip_line(const struct mime_scan *s, struct mime_at *at)
{
	for (;;) {
		int c = peek(s, at);
		struct slice rest;
		ssize_t lf;

		if (c < 0) {
			return c;
		}
		rest = rest_of(s, at);
		lf = slice_find(rest, '\n');
		if (lf >= 0) {
			rest.len = (size_t)lf + 1;
		}
		at->off += rest.len;
		at->pos += rest.len;
		if (lf >= 0) {
			return 0;
		}
	}
}

static enum mime_scan_result
ended(int c)
{
	return c == AT_END ? MIME_CUT : MIME_LIMIT;
}

void
mime_scan_init(struct mime_scan *s, const struct slice *ext, size_t n_ext,
    uint64_t limit_bytes)
{
	*s = (struct mime_scan){ .ext = ext, .n_ext = n_ext,
		.limit = limit_bytes };
}

/* At CR or LF: is it the empty line? */
static enum mime_scan_result
empty_line(struct mime_scan *s, int c)
{
	struct mime_at at = s->at;

	step(&at);
	if (c == '\r') {
		c = peek(s, &at);
		if (c < 0) {
			return ended(c);
		}
		if (c != '\n') {
			return MIME_NOT_A_FIELD;
		}
		step(&at);
	}
	s->at = at;
	return MIME_END;
}

/* Reads "name:" into out; leaves *at behind the colon. */
static enum mime_scan_result
read_name(const struct mime_scan *s, struct mime_at *at, struct mime_field *out)
{
	size_t n = 0;
	int c;

	/* An extent's run at a time: this is done for every message. */
	for (c = peek(s, at); is_name(c); c = peek(s, at)) {
		struct slice rest = rest_of(s, at);
		size_t run = 0;

		while (run < rest.len && is_name((unsigned char)rest.ptr[run])) {
			run++;
		}
		if (n < MIME_NAME_MAX) {
			memcpy(out->name + n, rest.ptr,
			    EC_MIN(run, MIME_NAME_MAX - n));
		}
		n += run;
		at->off += run;
		at->pos += run;
	}
	out->name_len = n;
	while (out->name_len > 0 && (c == ' ' || c == '\t')) {
		step(at);
		c = peek(s, at);
	}
	if (c < 0) {
		return ended(c);
	}
	if (c != ':' || out->name_len == 0) {
		return MIME_NOT_A_FIELD;
	}
	step(at);
	return MIME_FIELD;
}

enum mime_scan_result
mime_scan_next(struct mime_scan *s, struct mime_field *out)
{
	enum mime_scan_result r;
	struct mime_at at;
	int c = peek(s, &s->at);

	if (c < 0) {
		return ended(c);
	}
	if (c == '\r' || c == '\n') {
		return empty_line(s, c);
	}
	at = out->start = s->at;
	r = read_name(s, &at, out);
	if (r != MIME_FIELD) {
		return r;
	}
	out->value = at;
	do {
		c = skip_line(s, &at);
		if (c < 0) {
			return ended(c);
		}
		c = peek(s, &at);
	} while (c == ' ' || c == '\t');
	if (c == AT_LIMIT) {
		return MIME_LIMIT;	/* it may go on */
	}
	out->end = at.pos;
	s->at = at;
	return MIME_FIELD;
}

bool
mime_field_is(const struct mime_field *f, struct slice name)
{
	return f->name_len <= MIME_NAME_MAX &&
	    slice_eq_nocase(slice_make(f->name, f->name_len), name);
}

/* The next byte of an unfolded value, or '\n' for a byte to leave away: a
 * fold's CRLF goes, its blank stays. */
static int
value_byte(const struct mime_scan *s, struct mime_at *at)
{
	int c = peek(s, at);

	step(at);
	if (c == '\r') {
		struct mime_at next = *at;

		return peek(s, &next) == '\n' ? '\n' : ' ';
	}
	return c == '\0' ? ' ' : c;
}

bool
mime_value_add(const struct mime_scan *s, const struct mime_field *f,
    struct buf *b, size_t max_bytes)
{
	struct mime_at at = f->value;
	size_t start = b->len, last = b->len;

	while (at.pos < f->end) {
		int c = value_byte(s, &at);
		bool blank = c == ' ' || c == '\t';
		size_t used = b->len - start;

		/* Blanks at the front, and those behind the last word that
		 * has room, are nothing. */
		if (c == '\n' || (blank && (used == 0 || used >= max_bytes))) {
			continue;
		}
		if (used >= max_bytes) {
			b->len = last;
			return false;
		}
		if (!buf_putc(b, (char)c)) {
			b->len = start;
			return false;
		}
		last = blank ? last : b->len;
	}
	b->len = last;
	return true;
}

size_t
mime_slices(const struct mime_scan *s, struct mime_at from, uint64_t to,
    struct slice *out, size_t max)
{
	size_t n = 0;

	while (from.pos < to && peek(s, &from) != AT_END) {
		struct slice part = slice_skip(s->ext[from.ext], from.off);

		part.len = (size_t)EC_MIN((uint64_t)part.len, to - from.pos);
		if (n < max) {
			out[n] = part;
		}
		n++;
		from.off += part.len;
		from.pos += part.len;
	}
	return n;
}

enum mime_scan_result
mime_header_end(const struct slice *ext, size_t n_ext, uint64_t limit_bytes,
    uint64_t *end_out)
{
	enum mime_scan_result r;
	struct mime_field f;
	struct mime_scan s;

	mime_scan_init(&s, ext, n_ext, limit_bytes);
	while ((r = mime_scan_next(&s, &f)) == MIME_FIELD) {
	}
	*end_out = s.at.pos;
	return r;
}

bool
mime_find(const struct slice *ext, size_t n_ext, uint64_t limit_bytes,
    struct slice name, struct mime_field *out)
{
	struct mime_scan s;

	mime_scan_init(&s, ext, n_ext, limit_bytes);
	while (mime_scan_next(&s, out) == MIME_FIELD) {
		if (mime_field_is(out, name)) {
			return true;
		}
	}
	return false;
}

size_t
mime_count(const struct slice *ext, size_t n_ext, uint64_t limit_bytes,
    struct slice name)
{
	struct mime_field f;
	struct mime_scan s;
	size_t n = 0;

	mime_scan_init(&s, ext, n_ext, limit_bytes);
	while (mime_scan_next(&s, &f) == MIME_FIELD) {
		n += mime_field_is(&f, name);
	}
	return n;
}

/* One field, line ends made CRLF; false if it does not fit in max. */
static bool
copy_field(const struct mime_scan *s, const struct mime_field *f,
    struct buf *b, size_t max, bool *has_8bit)
{
	struct mime_at at = f->start;
	size_t start = b->len, column = 0;

	while (at.pos < f->end && b->len - start <= max) {
		int c = peek(s, &at);

		step(&at);
		if (c == '\r' || c == '\0') {
			continue;
		}
		if (c == '\n') {
			buf_append(b, "\r\n", 2);
			column = 0;
			continue;
		}
		if (column == LINE_MAX_BYTES) {
			buf_append(b, "\r\n ", 3);
			column = 1;
		}
		buf_putc(b, (char)c);
		column++;
		*has_8bit |= c >= 0x80;
	}
	return !b->full && b->len - start <= max;
}

struct mime_copied
mime_headers_add(const struct slice *ext, size_t n_ext, struct buf *b,
    size_t max_bytes)
{
	struct mime_copied done = { false, false };
	size_t start = b->len;
	enum mime_scan_result r;
	struct mime_field f;
	struct mime_scan s;

	/* No field that fits begins behind the first max_bytes; one byte more
	 * tells whether the last one goes on. */
	mime_scan_init(&s, ext, n_ext, (uint64_t)max_bytes + 1);
	while ((r = mime_scan_next(&s, &f)) == MIME_FIELD) {
		bool wide = done.has_8bit;
		size_t before = b->len;

		if (!copy_field(&s, &f, b, max_bytes - (before - start),
		    &wide)) {
			b->len = before;
			done.cut = true;
			return done;
		}
		done.has_8bit = wide;
	}
	done.cut = r == MIME_LIMIT ||
	    (r == MIME_CUT && peek(&s, &s.at) != AT_END);
	return done;
}
