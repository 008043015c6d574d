/* SPDX-License-Identifier: Apache-2.0 */
/* Extensions: EHLO keywords, and the parameters they bring. */
#include "listener/smtp_ext.h"

#include "common/base/num.h"
#include "common/mail/address.h"

#define ENVID_MAX 100	/* RFC 3461 4.4 */
#define ORCPT_MAX 500	/* 4.2 */
#define AUTH_MAX 500	/* RFC 4954 5. */

/* ---- values ---- */

static enum smtp_param_status
value_size(struct slice v, struct smtp_params *p)
{
	/* RFC 1870 3.: up to 20 digits. */
	return v.len <= 20 && num_parse_u64(v, &p->size) ? SMTP_PARAM_OK :
	    SMTP_PARAM_BAD_VALUE;
}

static enum smtp_param_status
value_body(struct slice v, struct smtp_params *p)
{
	if (slice_eq_nocase(v, SLICE("7BIT"))) {
		p->body = SMTP_BODY_7BIT;
	} else if (slice_eq_nocase(v, SLICE("8BITMIME"))) {
		p->body = SMTP_BODY_8BITMIME;
	} else {
		return SMTP_PARAM_BAD_VALUE;
	}
	return SMTP_PARAM_OK;
}

static enum smtp_param_status
value_smtputf8(struct slice v, struct smtp_params *p)
{
	p->smtputf8 = true;
	return v.len == 0 ? SMTP_PARAM_OK : SMTP_PARAM_BAD_VALUE;
}

static enum smtp_param_status
value_ret(struct slice v, struct smtp_params *p)
{
	if (slice_eq_nocase(v, SLICE("FULL"))) {
		p->ret = SMTP_RET_FULL;
	} else if (slice_eq_nocase(v, SLICE("HDRS"))) {
		p->ret = SMTP_RET_HDRS;
	} else {
		return SMTP_PARAM_BAD_VALUE;
	}
	return SMTP_PARAM_OK;
}

static enum smtp_param_status
value_envid(struct slice v, struct smtp_params *p)
{
	if (v.len > ENVID_MAX) {
		return SMTP_PARAM_TOO_LONG;
	}
	p->envid = v;
	return smtp_ext_is_xtext(v) ? SMTP_PARAM_OK : SMTP_PARAM_BAD_VALUE;
}

static unsigned
notify_bit(struct slice word)
{
	static const struct {
		struct slice word;
		unsigned bit;
	} words[] = {
		{ { "NEVER", 5 }, SMTP_NOTIFY_NEVER },
		{ { "SUCCESS", 7 }, SMTP_NOTIFY_SUCCESS },
		{ { "FAILURE", 7 }, SMTP_NOTIFY_FAILURE },
		{ { "DELAY", 5 }, SMTP_NOTIFY_DELAY },
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (slice_eq_nocase(word, words[i].word)) {
			return words[i].bit;
		}
	}
	return 0;
}

static enum smtp_param_status
value_notify(struct slice v, struct smtp_params *p)
{
	bool more;

	do {
		ssize_t comma = slice_find(v, ',');
		unsigned bit = notify_bit(slice_cut(&v, ','));

		if (bit == 0) {
			return SMTP_PARAM_BAD_VALUE;
		}
		p->notify |= bit;
		more = comma >= 0;
	} while (more);
	/* RFC 3461 4.1: NEVER stands alone. */
	return (p->notify & SMTP_NOTIFY_NEVER) &&
	    p->notify != SMTP_NOTIFY_NEVER ? SMTP_PARAM_BAD_VALUE :
	    SMTP_PARAM_OK;
}

static enum smtp_param_status
value_orcpt(struct slice v, struct smtp_params *p)
{
	if (v.len > ORCPT_MAX) {
		return SMTP_PARAM_TOO_LONG;
	}
	if (slice_find(v, ';') < 1) {
		return SMTP_PARAM_BAD_VALUE;
	}
	p->orcpt_type = slice_cut(&v, ';');
	p->orcpt_addr = v;
	/* The type is an atom; xtext is near enough and as harmless.  Under
	 * SMTPUTF8 the address may be utf-8-addr-xtext (RFC 6533), which
	 * stays within xtext. */
	return v.len > 0 && smtp_ext_is_xtext(p->orcpt_type) &&
	    smtp_ext_is_xtext(v) ? SMTP_PARAM_OK : SMTP_PARAM_BAD_VALUE;
}

static enum smtp_param_status
value_auth(struct slice v, struct smtp_params *p)
{
	if (v.len > AUTH_MAX) {
		return SMTP_PARAM_TOO_LONG;
	}
	p->auth = v;
	return v.len > 0 && smtp_ext_is_xtext(v) ? SMTP_PARAM_OK :
	    SMTP_PARAM_BAD_VALUE;
}

/* ---- the table ---- */

struct param_row {
	struct slice keyword;
	unsigned ext;		/* the extension that brings it */
	enum smtp_param_verb verb;
	bool has_value;
	enum smtp_param_status (*value)(struct slice v, struct smtp_params *p);
};

#define KEYWORD(s) { (s), sizeof(s) - 1 }

static const struct param_row rows[] = {
	{ KEYWORD("SIZE"), SMTP_EXT_SIZE, SMTP_PARAM_MAIL, true, value_size },
	{ KEYWORD("BODY"), SMTP_EXT_8BITMIME, SMTP_PARAM_MAIL, true,
	    value_body },
	{ KEYWORD("SMTPUTF8"), SMTP_EXT_SMTPUTF8, SMTP_PARAM_MAIL, false,
	    value_smtputf8 },
	{ KEYWORD("RET"), SMTP_EXT_DSN, SMTP_PARAM_MAIL, true, value_ret },
	{ KEYWORD("ENVID"), SMTP_EXT_DSN, SMTP_PARAM_MAIL, true, value_envid },
	{ KEYWORD("AUTH"), SMTP_EXT_AUTH, SMTP_PARAM_MAIL, true, value_auth },
	{ KEYWORD("NOTIFY"), SMTP_EXT_DSN, SMTP_PARAM_RCPT, true,
	    value_notify },
	{ KEYWORD("ORCPT"), SMTP_EXT_DSN, SMTP_PARAM_RCPT, true, value_orcpt },
};
_Static_assert(ARRAY_LEN(rows) <= 32, "struct smtp_params.seen has 32 bits");

bool
smtp_ext_is_xtext(struct slice s)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];

		if (c < '!' || c > '~' || c == '=') {
			return false;
		}
		if (c != '+') {
			continue;
		}
		if (s.len - i < 3 || memchr(hex, s.ptr[i + 1], 16) == NULL ||
		    memchr(hex, s.ptr[i + 2], 16) == NULL) {
			return false;
		}
		i += 2;
	}
	return true;
}

/* RFC 5321 4.1.2 esmtp-keyword: letters, digits and hyphens. */
static bool
is_keyword(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
		    (c >= 'A' && c <= 'Z') || (c == '-' && i > 0))) {
			return false;
		}
	}
	return s.len > 0;
}

static enum smtp_param_status
one_param(struct slice word, unsigned ext, enum smtp_param_verb verb,
    struct smtp_params *params)
{
	bool has_value = slice_find(word, '=') >= 0;
	struct slice key = slice_cut(&word, '=');

	if (!is_keyword(key)) {
		return SMTP_PARAM_BAD_SYNTAX;
	}
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct param_row *r = &rows[i];

		if (r->verb != verb || !slice_eq_nocase(key, r->keyword)) {
			continue;
		}
		if (!(r->ext & ext)) {
			return SMTP_PARAM_UNKNOWN;
		}
		if (params->seen & (1u << i)) {
			return SMTP_PARAM_TWICE;
		}
		params->seen |= 1u << i;
		if (has_value != r->has_value) {
			return SMTP_PARAM_BAD_VALUE;
		}
		return r->value(word, params);
	}
	return SMTP_PARAM_UNKNOWN;
}

enum smtp_param_status
smtp_ext_params(struct slice rest, unsigned ext, enum smtp_param_verb verb,
    struct smtp_params *params)
{
	enum smtp_param_status st;
	struct slice word;

	if (rest.len > 0 && rest.ptr[0] != ' ') {
		return SMTP_PARAM_BAD_SYNTAX;
	}
	while (rest.len > 0) {
		word = slice_cut(&rest, ' ');
		if (word.len == 0) {	/* more than one blank does no harm */
			continue;
		}
		st = one_param(word, ext, verb, params);
		if (st != SMTP_PARAM_OK) {
			return st;
		}
	}
	return SMTP_PARAM_OK;
}

/* ---- EHLO ---- */

static const struct {
	unsigned bit;
	struct slice word;
} words[] = {
#define X(id, bit, word) { SMTP_EXT_##id, KEYWORD(word) },
	SMTP_EXTENSIONS(X)
#undef X
};

unsigned
smtp_ext_find(struct slice name)
{
	struct slice word = slice_trim(name);

	word = slice_cut(&word, ' ');
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (slice_eq_nocase(word, words[i].word)) {
			return words[i].bit;
		}
	}
	return 0;
}

static void
put_keyword(struct buf *out, size_t row, const struct smtp_offer *offer,
    bool is_last)
{
	buf_puts(out, is_last ? "250 " : "250-");
	buf_add(out, words[row].word);
	if (words[row].bit == SMTP_EXT_SIZE) {
		buf_printf(out, " %llu", (unsigned long long)offer->max_size);
	} else if (words[row].bit == SMTP_EXT_AUTH) {
		buf_putc(out, ' ');
		buf_add(out, offer->auth_mechs);
	}
	buf_puts(out, "\r\n");
}

static void
put_hello(struct buf *out, const char *head, struct slice host,
    const char *says, struct slice peer)
{
	buf_puts(out, head);
	buf_add(out, host);
	buf_puts(out, says);
	buf_add(out, peer);
	buf_puts(out, "\r\n");
}

bool
smtp_ext_ehlo(struct buf *out, struct slice host, struct slice peer,
    const struct smtp_offer *offer)
{
	size_t before = out->len;
	unsigned ext = offer->ext;
	unsigned left;

	if (offer->auth_mechs.len == 0) {
		ext &= ~(unsigned)SMTP_EXT_AUTH;
	}
	left = ext;
	put_hello(out, ext != 0 ? "250-" : "250 ", host, " says EHLO to ",
	    peer);
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (ext & words[i].bit) {
			left &= ~words[i].bit;
			put_keyword(out, i, offer, left == 0);
		}
	}
	if (out->full) {
		out->len = before;
	}
	return !out->full;
}

bool
smtp_ext_helo(struct buf *out, struct slice host, struct slice peer)
{
	size_t before = out->len;

	put_hello(out, "250 ", host, " says HELO to ", peer);
	if (out->full) {
		out->len = before;
	}
	return !out->full;
}
