/* SPDX-License-Identifier: Apache-2.0 */
/* Escapes for what strangers wrote. */
#include "common/mail/esc.h"

#define T (1u << ESC_TEXT)
#define L (1u << ESC_LOCAL)
#define H (1u << ESC_HEADER)
#define A (1u << ESC_AGAIN)

/* For each byte the styles in which it stands as it is. */
static const uint8_t plain[256] = {
	[' '] = T | L | A,
	['!'] = T | L | H | A,
	['"'] = T | L | A,
	['#' ... '\''] = T | L | H | A,
	['(' ... ')'] = T | L | A,
	['*' ... '+'] = T | L | H | A,
	[','] = T | L | A,
	['-' ... ':'] = T | L | H | A,
	[';' ... '<'] = T | L | A,
	['='] = T | L | H | A,
	['>'] = T | L | A,
	['?'] = T | L | H | A,
	['@'] = T | H | A,
	['A' ... '['] = T | L | H | A,
	['\\'] = A,
	[']' ... '~'] = T | L | H | A,
};

static const char hex[] = "0123456789ABCDEF";

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	if (c >= 'A' && c <= 'F') {
		return c - 'A' + 10;
	}
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Smallest and largest second byte by lead byte (RFC 3629 section 4); 0xc2
 * starts at 0xa0 because U+0080..U+009F are terminal controls. */
static size_t
utf8_lead(unsigned char c, unsigned char *low, unsigned char *high)
{
	*low = 0x80;
	*high = 0xbf;
	if (c >= 0xc2 && c <= 0xdf) {
		*low = c == 0xc2 ? 0xa0 : 0x80;
		return 2;
	}
	if (c >= 0xe0 && c <= 0xef) {
		*low = c == 0xe0 ? 0xa0 : 0x80;
		*high = c == 0xed ? 0x9f : 0xbf;
		return 3;
	}
	if (c >= 0xf0 && c <= 0xf4) {
		*low = c == 0xf0 ? 0x90 : 0x80;
		*high = c == 0xf4 ? 0x8f : 0xbf;
		return 4;
	}
	return 0;
}

size_t
esc_utf8_len(struct slice s)
{
	const unsigned char *p = (const unsigned char *)s.ptr;
	unsigned char low, high;
	size_t n = s.len == 0 ? 0 : utf8_lead(p[0], &low, &high);

	if (n == 0 || n > s.len || p[1] < low || p[1] > high) {
		return 0;
	}
	for (size_t i = 2; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80) {
			return 0;
		}
	}
	/* U+2028 and U+2029 are line and paragraph ends, U+202A to U+202E and
	 * U+2066 to U+2069 turn the direction of what follows. */
	if (n == 3 && p[0] == 0xe2 && ((p[1] == 0x80 && p[2] >= 0xa8 &&
	    p[2] <= 0xae) || (p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9))) {
		return 0;
	}
	return n;
}

bool
esc_is_utf8(struct slice s, bool *ascii_out)
{
	bool ascii = true;

	while (s.len > 0) {
		size_t n = 1;

		if ((unsigned char)*s.ptr >= 0x80) {
			ascii = false;
			n = esc_utf8_len(s);
			if (n == 0) {
				break;
			}
		}
		s = slice_skip(s, n);
	}
	if (ascii_out != NULL) {
		*ascii_out = ascii;
	}
	return s.len == 0;
}

/* The escape of what stands at the front of s; how much of s it took. */
static size_t
escape_one(char out[ESC_MAX_GROWTH], size_t *out_len, struct slice s,
    unsigned how)
{
	unsigned char c = (unsigned char)*s.ptr;
	size_t n = how & ESC_KEEP_UTF8 ? esc_utf8_len(s) : 0;

	if (n > 0) {
		memcpy(out, s.ptr, n);
		*out_len = n;
		return n;
	}
	out[0] = '\\';
	if (c == '\\' || (c == '@' && (how & ~ESC_KEEP_UTF8) == ESC_LOCAL)) {
		out[1] = (char)c;
		*out_len = 2;
		return 1;
	}
	out[1] = 'x';
	out[2] = hex[c >> 4];
	out[3] = hex[c & 0xf];
	*out_len = 4;
	return 1;
}

size_t
esc_write(char *out, size_t room, struct slice s, unsigned how, bool *cut_out)
{
	unsigned style = 1u << (how & ~ESC_KEEP_UTF8);
	size_t at = 0, i = 0;

	while (i < s.len) {
		char e[ESC_MAX_GROWTH];
		size_t n, took;

		if (plain[(unsigned char)s.ptr[i]] & style) {
			if (at == room) {
				break;
			}
			out[at++] = s.ptr[i++];
			continue;
		}
		took = escape_one(e, &n, slice_skip(s, i), how);
		if (n > room - at) {
			break;
		}
		memcpy(out + at, e, n);
		at += n;
		i += took;
	}
	if (cut_out != NULL) {
		*cut_out = i < s.len;
	}
	return at;
}

bool
esc_add(struct buf *b, struct slice s, unsigned how, size_t max_bytes)
{
	size_t want;
	bool cut;

	if (__builtin_mul_overflow(s.len, (size_t)ESC_MAX_GROWTH, &want)) {
		b->full = true;
		return false;
	}
	want = EC_MIN(want, max_bytes);
	/* Take what room there is first: most text grows little or not. */
	if (want > b->max - b->len) {
		size_t room = b->max - b->len;
		size_t n;

		if (!buf_reserve(b, room)) {
			return false;
		}
		n = room == 0 ? 0 : esc_write(b->ptr + b->len, room, s, how,
		    &cut);
		if (room == 0 ? s.len > 0 : cut) {
			b->full = true;
			return false;
		}
		b->len += n;
		return true;
	}
	if (want == 0) {
		return s.len == 0;
	}
	if (!buf_reserve(b, want)) {
		return false;
	}
	b->len += esc_write(b->ptr + b->len, want, s, how, &cut);
	return !cut;
}

struct slice
esc_cut(struct slice s, size_t max_bytes)
{
	size_t i = 0;

	if (s.len <= max_bytes) {
		return s;
	}
	while (i < s.len) {
		size_t n = 1;

		if (s.ptr[i] == '\\' && i + 1 < s.len) {
			n = s.ptr[i + 1] == 'x' ? 4 : 2;
		} else if ((unsigned char)s.ptr[i] >= 0x80) {
			n = esc_utf8_len(slice_skip(s, i));
			n = n == 0 ? 1 : n;
		}
		if (i + n > max_bytes) {
			break;
		}
		i += n;
	}
	return slice_make(s.ptr, i);
}

/* The byte that an escape at the front of s stands for, or -1. */
static int
unescape_one(struct slice s, size_t *took)
{
	int high, low;

	if (s.len < 2) {
		return -1;
	}
	if (s.ptr[1] == '\\' || s.ptr[1] == '@') {
		*took = 2;
		return s.ptr[1];
	}
	if (s.ptr[1] != 'x' || s.len < 4) {
		return -1;
	}
	high = hex_value(s.ptr[2]);
	low = hex_value(s.ptr[3]);
	*took = 4;
	return high < 0 || low < 0 ? -1 : high << 4 | low;
}

bool
esc_undo(struct buf *b, struct slice s)
{
	size_t before = b->len;

	while (s.len > 0) {
		size_t took = 1;
		int c = (unsigned char)*s.ptr;

		if (c == '\\') {
			c = unescape_one(s, &took);
		} else if (!(plain[c] & T)) {
			c = -1;
		}
		if (c < 0 || !buf_putc(b, (char)c)) {
			b->len = before;
			return false;
		}
		s = slice_skip(s, took);
	}
	return true;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Takes "550-", "550 " or "550" off the front; the three digits, or empty. */
static struct slice
take_code(struct slice *line)
{
	struct slice code = slice_make(line->ptr, 3);

	if (line->len < 3 || !is_digit(line->ptr[0]) ||
	    !is_digit(line->ptr[1]) || !is_digit(line->ptr[2]) ||
	    (line->len > 3 && line->ptr[3] != '-' && line->ptr[3] != ' ')) {
		return slice_make(line->ptr, 0);
	}
	*line = slice_skip(*line, 4);
	return code;
}

/* The enhanced status code at the front, or empty: digits and two dots. */
static struct slice
status_of(struct slice text)
{
	size_t i = 0, dots = 0;

	while (i < text.len && (is_digit(text.ptr[i]) || text.ptr[i] == '.')) {
		dots += text.ptr[i] == '.';
		i++;
	}
	if (dots != 2 || i < 5 || i > 9 || text.ptr[1] != '.' ||
	    (i < text.len && text.ptr[i] != ' ')) {
		i = 0;
	}
	return slice_make(text.ptr, i);
}

/* One line and its end off the front of s. */
static struct slice
take_line(struct slice *s)
{
	size_t n = 0, skip;

	while (n < s->len && s->ptr[n] != '\r' && s->ptr[n] != '\n') {
		n++;
	}
	skip = n;
	while (skip < s->len && (s->ptr[skip] == '\r' || s->ptr[skip] == '\n')) {
		skip++;
	}
	struct slice line = slice_make(s->ptr, n);

	*s = slice_skip(*s, skip);
	return line;
}

/* Adds a piece after a blank, within what is left of max; false if cut. */
static bool
add_piece(struct buf *b, size_t start, struct slice piece, size_t max_bytes)
{
	size_t used = b->len - start;

	if (piece.len == 0) {
		return true;
	}
	if (used > 0) {
		if (used >= max_bytes || !buf_putc(b, ' ')) {
			return false;
		}
		used++;
	}
	return esc_add(b, piece, ESC_TEXT, max_bytes - used);
}

bool
esc_fold_reply(struct buf *b, struct slice reply, size_t max_bytes)
{
	size_t start = b->len;
	struct slice line = take_line(&reply);
	struct slice code = take_code(&line), status;
	bool full = b->full, ok;

	b->full = false;
	line = slice_trim(line);
	status = status_of(line);
	ok = add_piece(b, start, code, max_bytes) &&
	    add_piece(b, start, line, max_bytes);
	while (ok && reply.len > 0) {
		struct slice again, whole;

		line = whole = take_line(&reply);
		again = take_code(&line);
		if (again.len == 0 || !slice_eq(again, code)) {
			line = whole;
		}
		line = slice_trim(line);
		again = status_of(line);
		if (again.len > 0 && slice_eq(again, status)) {
			line = slice_trim(slice_skip(line, again.len));
		}
		ok = add_piece(b, start, line, max_bytes);
	}
	if (b->full) {
		b->len = start;
	}
	b->full |= full;
	return ok;
}

static bool
xtext_plain(char c)
{
	return c >= '!' && c <= '~' && c != '+' && c != '=';
}

/* Upper-case digits only, as RFC 3461 has it. */
static int
xtext_hex(struct slice s)
{
	if (s.len < 3 || s.ptr[1] >= 'a' || s.ptr[2] >= 'a' ||
	    hex_value(s.ptr[1]) < 0 || hex_value(s.ptr[2]) < 0) {
		return -1;
	}
	return hex_value(s.ptr[1]) << 4 | hex_value(s.ptr[2]);
}

bool
esc_xtext_is_valid(struct slice s)
{
	while (s.len > 0) {
		bool escape = *s.ptr == '+';

		if (escape ? xtext_hex(s) < 0 : !xtext_plain(*s.ptr)) {
			return false;
		}
		s = slice_skip(s, escape ? 3 : 1);
	}
	return true;
}

bool
esc_xtext_encode(struct buf *b, struct slice s)
{
	size_t before = b->len;
	bool ok = true;

	for (size_t i = 0; i < s.len && ok; i++) {
		unsigned char c = (unsigned char)s.ptr[i];

		if (xtext_plain(s.ptr[i])) {
			ok = buf_putc(b, s.ptr[i]);
		} else {
			char e[3] = { '+', hex[c >> 4], hex[c & 0xf] };

			ok = buf_append(b, e, sizeof e);
		}
	}
	if (!ok) {
		b->len = before;
	}
	return ok;
}

bool
esc_xtext_decode(struct buf *b, struct slice s)
{
	size_t before = b->len;

	if (!esc_xtext_is_valid(s)) {
		return false;
	}
	while (s.len > 0) {
		bool escape = *s.ptr == '+';
		int c = escape ? xtext_hex(s) : *s.ptr;

		if (!buf_putc(b, (char)c)) {
			b->len = before;
			return false;
		}
		s = slice_skip(s, escape ? 3 : 1);
	}
	return true;
}
