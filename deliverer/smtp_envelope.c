/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of a mail as bytes, and its results. */
#include "deliverer/smtp_envelope.h"

#include "common/mail/envelope.h"

/* A command is a few short pieces: one reservation, then plain copies. */
static void
put(struct buf *out, struct slice s)
{
	if (s.len > 0) {
		buf_append(out, s.ptr, s.len);
	}
}

static void
put_size(struct buf *out, uint64_t n)
{
	char digits[24];
	size_t at = sizeof digits;

	do {
		digits[--at] = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	put(out, SLICE(" SIZE="));
	buf_append(out, digits + at, sizeof digits - at);
}

void
smtp_put_mail(struct buf *out, const struct smtp_mail *m, uint32_t caps)
{
	put(out, SLICE("MAIL FROM:<"));
	put(out, m->sender);
	put(out, SLICE(">"));
	if ((caps & SMTP_CAP_SIZE) != 0) {
		put_size(out, m->size);
	}
	if ((caps & SMTP_CAP_8BITMIME) != 0 &&
	    (m->flags & (ENVELOPE_8BITMIME | ENVELOPE_8BIT_DATA)) != 0) {
		put(out, SLICE(" BODY=8BITMIME"));
	}
	if ((m->flags & ENVELOPE_SMTPUTF8) != 0) {
		put(out, SLICE(" SMTPUTF8"));
	}
	if ((caps & SMTP_CAP_DSN) != 0) {
		if ((m->flags & ENVELOPE_RET_FULL) != 0) {
			put(out, SLICE(" RET=FULL"));
		} else if ((m->flags & ENVELOPE_RET_HDRS) != 0) {
			put(out, SLICE(" RET=HDRS"));
		}
		if (m->envid.len > 0) {
			put(out, SLICE(" ENVID="));
			put(out, m->envid);
		}
	}
	put(out, SLICE("\r\n"));
}

static void
put_notify(struct buf *out, unsigned notify)
{
	static const struct {
		unsigned bit;
		struct slice word;
	} words[] = {
		{ NOTIFY_NEVER, { "NEVER", 5 } },
		{ NOTIFY_SUCCESS, { "SUCCESS", 7 } },
		{ NOTIFY_FAILURE, { "FAILURE", 7 } },
		{ NOTIFY_DELAY, { "DELAY", 5 } },
	};
	const char *before = " NOTIFY=";

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if ((notify & words[i].bit) != 0) {
			buf_puts(out, before);
			put(out, words[i].word);
			before = ",";
		}
	}
}

void
smtp_put_rcpt(struct buf *out, const struct smtp_rcpt *r, uint32_t caps)
{
	put(out, SLICE("RCPT TO:<"));
	put(out, r->addr);
	put(out, SLICE(">"));
	if ((caps & SMTP_CAP_DSN) != 0) {
		put_notify(out, r->notify);
		if (r->orcpt.len > 0) {
			put(out, SLICE(" ORCPT="));
			put(out, r->orcpt);
		}
	}
	put(out, SLICE("\r\n"));
}

static bool
has_keyword(struct slice line, struct slice word)
{
	return slice_starts_nocase(line, word) && (line.len == word.len ||
	    line.ptr[word.len] == ' ' || line.ptr[word.len] == '=');
}

uint32_t
smtp_read_caps(struct slice text, uint64_t *size_out)
{
	static const struct {
		uint32_t cap;
		struct slice word;
	} words[] = {
		{ SMTP_CAP_PIPELINING, { "PIPELINING", 10 } },
		{ SMTP_CAP_SIZE, { "SIZE", 4 } },
		{ SMTP_CAP_8BITMIME, { "8BITMIME", 8 } },
		{ SMTP_CAP_ENHANCED, { "ENHANCEDSTATUSCODES", 19 } },
		{ SMTP_CAP_SMTPUTF8, { "SMTPUTF8", 8 } },
		{ SMTP_CAP_DSN, { "DSN", 3 } },
	};
	struct slice line;
	uint32_t caps = 0;

	*size_out = 0;
	/* The first line is the greeting. */
	if (!reply_next_line(&text, &line)) {
		return 0;
	}
	while (reply_next_line(&text, &line)) {
		line = slice_trim(line);
		for (size_t i = 0; i < ARRAY_LEN(words); i++) {
			if (has_keyword(line, words[i].word)) {
				caps |= words[i].cap;
			}
		}
		if (has_keyword(line, SLICE("SIZE")) &&
		    !num_parse_u64(slice_trim(slice_skip(line, 5)),
		    size_out)) {
			*size_out = 0;
		}
	}
	return caps;
}

bool
smtp_address_is_sendable(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		if ((unsigned char)s.ptr[i] < 0x20 || s.ptr[i] == 0x7f) {
			return false;
		}
	}
	return true;
}

void
smtp_mail_reset(struct smtp_mail *m)
{
	buf_clear(&m->texts);
	m->texts.max = SMTP_TEXTS_MAX;
	m->n_accepted = 0;
	m->retry = false;
	for (uint32_t i = 0; i < m->n_rcpt; i++) {
		m->rcpt[i].accepted = false;
		m->rcpt[i].result = (struct smtp_result){ 0 };
	}
}

struct smtp_result
smtp_mail_result(struct smtp_mail *m, unsigned kind, unsigned stage,
    unsigned code, struct slice text)
{
	struct smtp_result r = { .kind = (uint8_t)kind,
		.stage = (uint8_t)stage, .code = (uint16_t)code };
	size_t len = EC_MIN(text.len, (size_t)EVENT_REPLY_MAX);

	/* Texts past the cap are left away, their codes stay. */
	if (len > 0 && m->texts.len + len <= m->texts.max) {
		r.text_at = (uint32_t)m->texts.len;
		r.text_len = (uint16_t)len;
		buf_append(&m->texts, text.ptr, len);
	}
	return r;
}

void
smtp_mail_settle(struct smtp_mail *m, unsigned kind, unsigned stage,
    unsigned code, struct slice text)
{
	struct smtp_result r = smtp_mail_result(m, kind, stage, code, text);

	for (uint32_t i = 0; i < m->n_rcpt; i++) {
		if (m->rcpt[i].result.kind == 0) {
			m->rcpt[i].result = r;
		}
	}
}

void
smtp_mail_fail(struct smtp_mail *m, unsigned stage, enum internal_failure f)
{
	const struct internal_text *t = internal_text(f);

	smtp_mail_settle(m, t->kind, stage, t->code, slice_of(t->text));
}

struct slice
smtp_mail_text(const struct smtp_mail *m, const struct smtp_result *r)
{
	return r->text_len == 0 ? (struct slice){ NULL, 0 } :
	    slice_make(m->texts.ptr + r->text_at, r->text_len);
}
