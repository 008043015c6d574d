/* SPDX-License-Identifier: Apache-2.0 */
/* SMTP replies: reading foreign ones, writing ours. */
#include "common/mail/reply.h"


enum {
	ST_CODE,	/* in the three digits */
	ST_SEPARATOR,	/* behind them */
	ST_TEXT,
};

void
reply_parser_init(struct reply_parser *p)
{
	/* Not the text: 4 KiB need no clearing for each reply. */
	memset(p, 0, offsetof(struct reply_parser, text));
	memset((char *)p + offsetof(struct reply_parser, state), 0,
	    sizeof(*p) - offsetof(struct reply_parser, state));
	p->state = ST_CODE;
	p->status = REPLY_MORE;
}

static void
keep(struct reply_parser *p, const char *s, size_t n)
{
	size_t room = sizeof(p->text) - p->text_len;

	if (n > room) {
		p->cut = true;
		n = room;
	}
	if (n > 0) {
		memcpy(p->text + p->text_len, s, n);
	}
	p->text_len += n;
}

/* The first line says what the reply is about. */
static void
finish(struct reply_parser *p)
{
	struct slice rest = reply_text(p), line;
	size_t used;

	if (reply_next_line(&rest, &line)) {
		reply_parse_enhanced(line, &p->enhanced, &used);
	}
	/* A class that contradicts the code is worth nothing. */
	if (p->enhanced.klass != p->code / 100) {
		p->enhanced = (struct reply_enhanced){ 0 };
	}
	p->status = p->mixed ? REPLY_MIXED_CODES : REPLY_OK;
}

static void
line_end(struct reply_parser *p)
{
	keep(p, "\n", 1);
	p->mixed |= p->lines > 0 && p->line_code != p->code;
	p->code = p->line_code;
	p->lines++;
	p->state = ST_CODE;
	p->digits = 0;
	p->line_code = 0;
	p->cr = false;
	if (p->last) {
		finish(p);
	} else if (p->lines >= REPLY_LINES_MAX) {
		p->status = REPLY_TOO_MANY_LINES;
	}
}

static void
code_byte(struct reply_parser *p, char c)
{
	/* RFC 5321 4.2: 2yz to 5yz; 1yz does not exist in SMTP. */
	if (c < '0' || c > '9' || (p->digits == 0 && (c < '2' || c > '5'))) {
		p->status = REPLY_BAD_CODE;
		return;
	}
	p->line_code = (uint16_t)(p->line_code * 10 + (c - '0'));
	if (++p->digits == 3) {
		p->state = ST_SEPARATOR;
	}
}

static void
separator_byte(struct reply_parser *p, char c)
{
	if (p->cr && c != '\n') {
		p->status = REPLY_BAD_SEPARATOR;
		return;
	}
	switch (c) {
	case '-':
	case ' ':
		p->last = c == ' ';
		p->state = ST_TEXT;
		break;
	case '\r':
		p->cr = true;
		break;
	case '\n':
		/* RFC 5321 4.2: a bare code is to be taken. */
		p->last = true;
		line_end(p);
		break;
	default:
		p->status = REPLY_BAD_SEPARATOR;
	}
}

/* Text up to a line end; returns how many bytes were used.  A CR that no LF
 * follows is text. */
static size_t
text_bytes(struct reply_parser *p, const char *s, size_t n)
{
	const char *lf = memchr(s, '\n', n);
	size_t len = lf == NULL ? n : (size_t)(lf - s);

	if (p->cr && len > 0) {
		keep(p, "\r", 1);
		p->cr = false;
	}
	if (len > 0 && s[len - 1] == '\r') {
		p->cr = true;
		keep(p, s, len - 1);
	} else {
		keep(p, s, len);
	}
	if (lf == NULL) {
		return n;
	}
	line_end(p);
	return len + 1;
}

enum reply_status
reply_feed(struct reply_parser *p, struct slice in, size_t *consumed_out)
{
	size_t i = 0, n, used;

	while (i < in.len && p->status == REPLY_MORE) {
		/* So that the bound does not depend on the split. */
		n = EC_MIN(in.len - i, REPLY_BYTES_MAX - p->bytes);
		if (n == 0) {
			p->status = REPLY_TOO_LONG;
			break;
		}
		used = 1;
		if (p->state == ST_CODE) {
			code_byte(p, in.ptr[i]);
		} else if (p->state == ST_SEPARATOR) {
			separator_byte(p, in.ptr[i]);
		} else {
			used = text_bytes(p, in.ptr + i, n);
		}
		i += used;
		p->bytes += used;
	}
	*consumed_out = i;
	return (enum reply_status)p->status;
}

const char *
reply_status_text(enum reply_status st)
{
	static const char *const text[REPLY_STATUS_COUNT] = {
		[REPLY_MORE] = "incomplete reply",
		[REPLY_OK] = "ok",
		[REPLY_MIXED_CODES] = "reply with different codes",
		[REPLY_BAD_CODE] = "no reply code",
		[REPLY_BAD_SEPARATOR] = "garbage behind the reply code",
		[REPLY_TOO_MANY_LINES] = "too many lines in reply",
		[REPLY_TOO_LONG] = "reply too long",
	};

	return text[st];
}

struct slice
reply_text(const struct reply_parser *p)
{
	return slice_make(p->text, p->text_len);
}

bool
reply_next_line(struct slice *rest, struct slice *line_out)
{
	if (rest->len == 0) {
		return false;
	}
	*line_out = slice_cut(rest, '\n');
	return true;
}

/* At most three digits; leading zeros are refused (RFC 3463 2.). */
static bool
number(struct slice s, size_t *pos, uint16_t *out)
{
	size_t start = *pos;
	unsigned v = 0;

	while (*pos < s.len && *pos - start < 4 && s.ptr[*pos] >= '0' &&
	    s.ptr[*pos] <= '9') {
		v = v * 10 + (unsigned)(s.ptr[*pos] - '0');
		(*pos)++;
	}
	*out = (uint16_t)v;
	return *pos > start && *pos - start <= 3 &&
	    (*pos - start == 1 || s.ptr[start] != '0');
}

bool
reply_parse_enhanced(struct slice s, struct reply_enhanced *out,
    size_t *used_out)
{
	struct reply_enhanced e;
	size_t pos = 2;

	*used_out = 0;
	*out = (struct reply_enhanced){ 0 };
	if (s.len < 5 || (s.ptr[0] != '2' && s.ptr[0] != '4' &&
	    s.ptr[0] != '5') || s.ptr[1] != '.') {
		return false;
	}
	e.klass = (uint16_t)(s.ptr[0] - '0');
	if (!number(s, &pos, &e.subject) || pos >= s.len ||
	    s.ptr[pos++] != '.' || !number(s, &pos, &e.detail) ||
	    (pos < s.len && s.ptr[pos] != ' ' && s.ptr[pos] != '\t')) {
		return false;
	}
	*out = e;
	*used_out = pos;
	return true;
}

static size_t
fold_bytes(char *dst, size_t len, size_t cap, struct slice s)
{
	for (size_t i = 0; i < s.len && len < cap; i++) {
		unsigned char c = (unsigned char)s.ptr[i];

		dst[len++] = c < 0x20 || c == 0x7f ? ' ' : (char)c;
	}
	return len;
}

size_t
reply_fold(const struct reply_parser *p, char *dst, size_t cap)
{
	struct slice rest = reply_text(p), line, first = SLICE("");
	struct reply_enhanced enhanced;
	char code[3] = { (char)('0' + p->code / 100 % 10),
		(char)('0' + p->code / 10 % 10), (char)('0' + p->code % 10) };
	size_t len = fold_bytes(dst, 0, cap, slice_make(code, 3)), used;

	for (bool head = true; reply_next_line(&rest, &line); head = false) {
		reply_parse_enhanced(line, &enhanced, &used);
		if (head) {
			first = slice_make(line.ptr, used);
		} else if (used > 0 &&
		    slice_eq(slice_make(line.ptr, used), first)) {
			line = slice_skip(line, used);
		}
		line = slice_trim(line);
		if (line.len > 0) {
			len = fold_bytes(dst, len, cap, SLICE(" "));
			len = fold_bytes(dst, len, cap, line);
		}
	}
	return len;
}

static bool
put_code(struct buf *out, unsigned code, char separator)
{
	char head[4] = { (char)('0' + code / 100 % 10),
		(char)('0' + code / 10 % 10), (char)('0' + code % 10),
		separator };

	return buf_append(out, head, sizeof(head));
}

bool
reply_put(struct buf *out, const struct reply_text *r, bool enhanced,
    struct slice detail)
{
	/* All or nothing: half a reply would merge with the next one. */
	size_t before = out->len;

	put_code(out, r->code, ' ');
	if (enhanced && r->enhanced != NULL) {
		buf_puts(out, r->enhanced);
		buf_putc(out, ' ');
	}
	buf_puts(out, r->text);
	if (detail.len > 0) {
		buf_putc(out, ' ');
		buf_add(out, detail);
	}
	buf_append(out, "\r\n", 2);
	if (out->full) {
		out->len = before;
	}
	return !out->full;
}

static void
put_clean(struct buf *out, struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];

		buf_putc(out, c < 0x20 || c == 0x7f ? ' ' : (char)c);
	}
}

bool
reply_put_lines(struct buf *out, unsigned code, const char *enhanced,
    struct slice text)
{
	size_t before = out->len;
	struct slice line;
	bool more;

	do {
		line = slice_cut(&text, '\n');
		if (line.len > 0 && line.ptr[line.len - 1] == '\r') {
			line.len--;
		}
		more = text.len > 0;
		put_code(out, code, more ? '-' : ' ');
		if (enhanced != NULL) {
			buf_puts(out, enhanced);
			buf_putc(out, ' ');
		}
		put_clean(out, line);
		buf_append(out, "\r\n", 2);
	} while (more);
	if (out->full) {
		out->len = before;
	}
	return !out->full;
}
