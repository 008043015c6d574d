/* SPDX-License-Identifier: Apache-2.0 */
/* Status codes, folded replies, addresses and xtext of a report. */
#include "spooler/dsn_field.h"

#include "common/base/num.h"
#include "common/mail/esc.h"
#include "common/mail/event.h"

#define LINE_GOAL 76u
#define ADDRESS_MAX 640u	/* twice what RFC 5321 allows, for escapes */

bool
dsn_status_is_valid(struct slice s)
{
	struct slice class = slice_cut(&s, '.');
	struct slice subject = slice_cut(&s, '.');
	uint64_t n;

	return class.len == 1 && (*class.ptr == '2' || *class.ptr == '4' ||
	    *class.ptr == '5') && subject.len <= 3 && s.len <= 3 &&
	    num_parse_u64(subject, &n) && num_parse_u64(s, &n);
}

static const char *
status_by_code(enum dsn_action action, unsigned code)
{
	static const struct {
		uint16_t code;
		const char *status;
	} known[] = {
		{ 421, "4.3.2" }, { 450, "4.2.0" }, { 451, "4.3.0" },
		{ 452, "4.3.1" }, { 454, "4.7.0" }, { 500, "5.5.2" },
		{ 501, "5.5.4" }, { 502, "5.5.1" }, { 503, "5.5.1" },
		{ 504, "5.5.4" }, { 530, "5.7.0" }, { 535, "5.7.8" },
		{ 550, "5.0.0" }, { 551, "5.1.6" }, { 552, "5.2.2" },
		{ 553, "5.1.3" }, { 555, "5.5.4" }, { 556, "5.1.10" },
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (known[i].code == code) {
			return known[i].status;
		}
	}
	if (code >= 200 && code < 300) {
		return "2.0.0";
	}
	if (code >= 400 && code < 600) {
		return code < 500 ? "4.0.0" : "5.0.0";
	}
	return action == DSN_FAILED ? "5.0.0" :
	    action == DSN_DELAYED ? "4.0.0" : "2.0.0";
}

void
dsn_status(const struct dsn_recipient *t, char out[DSN_STATUS_MAX])
{
	struct slice rest = t->reply, s = t->status;
	uint64_t code;

	if (!dsn_status_is_valid(s)) {
		struct slice first = slice_cut(&rest, ' ');

		s = slice_cut(&rest, ' ');
		/* A code of another class than its reply says nothing. */
		if (!dsn_status_is_valid(s) || first.len != 3 ||
		    !num_parse_u64(first, &code) || *first.ptr != *s.ptr) {
			s = slice_of(status_by_code(t->action, t->code));
		}
	}
	slice_copy(out, DSN_STATUS_MAX, s);
}

/* Words with folds: column is where the line stands; a further line begins
 * with indent.  The text must be escaped. */
void
dsn_put_wrapped(struct buf *b, struct slice text, size_t column,
    const char *indent)
{
	bool first = true;

	while (text.len > 0) {
		struct slice word = slice_cut(&text, ' ');

		while (word.len > 0) {
			struct slice part = slice_make(word.ptr,
			    EC_MIN(word.len, (size_t)DSN_WORD_MAX));

			if (!first && column + 1 + part.len > LINE_GOAL) {
				buf_puts(b, "\r\n");
				buf_puts(b, indent);
				column = strlen(indent);
			} else if (!first) {
				buf_putc(b, ' ');
				column++;
			}
			buf_add(b, part);
			column += part.len;
			first = false;
			word = slice_skip(word, part.len);
		}
	}
	buf_puts(b, "\r\n");
}

/* A foreign reply: escaped before, or escaped now. */
void
dsn_put_reply(struct buf *b, struct slice reply, size_t column,
    const char *indent)
{
	struct buf safe;

	buf_init(&safe, EVENT_REPLY_MAX * (size_t)ESC_MAX_GROWTH);
	esc_add(&safe, slice_make(reply.ptr,
	    EC_MIN(reply.len, (size_t)EVENT_REPLY_MAX)), ESC_AGAIN, ESC_NO_MAX);
	dsn_put_wrapped(b, buf_slice(&safe), column, indent);
	buf_fini(&safe);
}

/* Where the quoted local part in front ends (its last quote), or 0 if there is
 * none that an '@' follows (RFC 5321 4.1.2). */
static size_t
quoted_end(struct slice a)
{
	size_t i = 1;

	if (a.len == 0 || a.ptr[0] != '"') {
		return 0;
	}
	while (i < a.len && a.ptr[i] != '"') {
		i += a.ptr[i] == '\\' ? 2 : 1;
	}
	return i + 1 < a.len && a.ptr[i + 1] == '@' ? i : 0;
}

void
dsn_put_address(struct buf *b, struct slice a, bool utf8)
{
	unsigned keep = utf8 ? ESC_KEEP_UTF8 : 0;
	size_t end = quoted_end(a), start = b->len;

	if (end > 0 && end < ADDRESS_MAX / 2 / ESC_MAX_GROWTH) {
		/* Blanks and brackets stay inside the quotes. */
		esc_add(b, slice_make(a.ptr, end + 1), ESC_AGAIN | keep,
		    ADDRESS_MAX);
		a = slice_skip(a, end + 1);
	}
	esc_add(b, a, ESC_HEADER | keep, ADDRESS_MAX - (b->len - start));
}

void
dsn_put_xtext(struct buf *b, struct slice xtext)
{
	struct slice shown = xtext;
	struct buf plain;
	char safe[512];
	bool cut;

	buf_init(&plain, sizeof safe);
	if (esc_xtext_decode(&plain, xtext)) {
		size_t n = esc_write(safe, sizeof safe, buf_slice(&plain),
		    ESC_AGAIN, &cut);

		if (!cut && n == plain.len) {
			shown = slice_make(safe, n);
		}
	}
	esc_add(b, shown, ESC_AGAIN, DSN_WORD_MAX);
	buf_fini(&plain);
}
