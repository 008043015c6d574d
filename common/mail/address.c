/* SPDX-License-Identifier: Apache-2.0 */
/* Envelope addresses: RFC 5321 4.1.2 and 4.1.3, RFC 6531 3.3. */
#include "common/mail/address.h"

#include <arpa/inet.h>

/* A position in the input; at() gives NUL beyond the end, and a NUL of the
 * input is refused wherever it stands, so the two need not be told apart. */
struct cursor {
	struct slice in;
	size_t pos;
	unsigned rules;
};

static unsigned char
at(const struct cursor *c)
{
	return c->pos < c->in.len ? (unsigned char)c->in.ptr[c->pos] : 0;
}

static bool
is_blank(unsigned char ch)
{
	return ch == ' ' || ch == '\t';
}

static void
skip_blanks(struct cursor *c)
{
	while (is_blank(at(c))) {
		c->pos++;
	}
}

static bool
is_alnum(unsigned char ch)
{
	return (ch >= '0' && ch <= '9') || ((ch | 0x20) >= 'a' &&
	    (ch | 0x20) <= 'z');
}

/* RFC 5322 3.2.3 */
static bool
is_atext(unsigned char ch)
{
	return is_alnum(ch) ||
	    (ch != 0 && strchr("!#$%&'*+-/=?^_`{|}~", ch) != NULL);
}

/* Length of the UTF-8 sequence at p, 0 if it is none (RFC 3629 4.). */
static size_t
utf8_length(const unsigned char *p, size_t n)
{
	size_t len;
	unsigned char low = 0x80, high = 0xbf;

	if (p[0] < 0x80) {
		return 1;
	}
	if (p[0] < 0xc2 || p[0] > 0xf4) {
		return 0;
	}
	len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	/* Neither over-long forms nor surrogates nor beyond U+10FFFF. */
	low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : low;
	high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : high;
	if (n < len || p[1] < low || p[1] > high) {
		return 0;
	}
	for (size_t i = 2; i < len; i++) {
		if (p[i] < 0x80 || p[i] > 0xbf) {
			return 0;
		}
	}
	return len;
}

bool
address_is_utf8(struct slice s)
{
	size_t len;

	for (size_t i = 0; i < s.len; i += len) {
		len = utf8_length((const unsigned char *)s.ptr + i, s.len - i);
		if (len == 0) {
			return false;
		}
	}
	return true;
}

/* A part that holds bytes above 127: allowed, and well-formed? */
static enum address_status
check_utf8(struct slice part, unsigned rules, bool *seen)
{
	for (size_t i = 0; i < part.len; i++) {
		if ((unsigned char)part.ptr[i] >= 0x80) {
			*seen = true;
			if (!address_is_utf8(part)) {
				return ADDRESS_BAD_UTF8;
			}
			return (rules & ADDRESS_UTF8) ? ADDRESS_OK :
			    ADDRESS_NOT_ASCII;
		}
	}
	return ADDRESS_OK;
}

/* RFC 5321 4.1.2 Quoted-string, with its quotes. */
static enum address_status
parse_quoted(struct cursor *c)
{
	unsigned char ch;

	for (c->pos++; c->pos < c->in.len; c->pos++) {
		ch = at(c);
		if (ch == '"') {
			c->pos++;
			return ADDRESS_OK;
		}
		if (ch == '\\') {
			c->pos++;
			ch = at(c);
			if (ch >= 0x80) {
				return ADDRESS_BAD_QUOTES;
			}
		}
		if (ch < 0x20 || ch == 0x7f) {
			return ADDRESS_BAD_QUOTES;
		}
	}
	return ADDRESS_BAD_QUOTES;
}

static enum address_status
parse_dot_string(struct cursor *c)
{
	size_t start = c->pos;
	unsigned char ch, prev = '.';

	for (ch = at(c); is_atext(ch) || ch >= 0x80 || ch == '.'; ch = at(c)) {
		if (ch == '.' && prev == '.' && !(c->rules & ADDRESS_LAX)) {
			return ADDRESS_BAD_LOCAL;
		}
		prev = ch;
		c->pos++;
	}
	if (c->pos > start && prev == '.' && !(c->rules & ADDRESS_LAX)) {
		return ADDRESS_BAD_LOCAL;
	}
	return ADDRESS_OK;
}

static enum address_status
parse_local(struct cursor *c, struct address *out)
{
	size_t start = c->pos;
	enum address_status st;

	out->quoted = at(c) == '"';
	st = out->quoted ? parse_quoted(c) : parse_dot_string(c);
	if (st != ADDRESS_OK) {
		return st;
	}
	out->local = slice_make(c->in.ptr + start, c->pos - start);
	if (out->local.len == 0) {
		return at(c) == '@' || c->pos >= c->in.len || at(c) == '>' ?
		    ADDRESS_NO_LOCAL : ADDRESS_BAD_LOCAL;
	}
	if (out->local.len > ADDRESS_LOCAL_MAX) {
		return ADDRESS_LOCAL_TOO_LONG;
	}
	return check_utf8(out->local, c->rules, &out->utf8);
}

/* inet_pton knows the grammar of both kinds; it needs a NUL. */
static bool
is_ip(int family, struct slice s)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr addr;

	return s.len < sizeof(text) && memchr(s.ptr, '\0', s.len) == NULL &&
	    slice_copy(text, sizeof(text), s) &&
	    inet_pton(family, text, &addr) == 1;
}

/* RFC 5321 4.1.3.  General-address-literal has no registered tag but IPv6. */
static enum address_status
parse_literal(struct cursor *c, struct slice *out)
{
	size_t start = c->pos;
	struct slice inner;
	bool good;

	while (c->pos < c->in.len && at(c) != ']') {
		c->pos++;
	}
	if (c->pos == c->in.len) {
		return ADDRESS_BAD_LITERAL;
	}
	c->pos++;
	*out = slice_make(c->in.ptr + start, c->pos - start);
	inner = slice_make(out->ptr + 1, out->len - 2);
	if (slice_starts_nocase(inner, SLICE("IPv6:"))) {
		good = is_ip(AF_INET6, slice_skip(inner, 5));
	} else {
		good = is_ip(AF_INET, inner);
	}
	return good ? ADDRESS_OK : ADDRESS_BAD_LITERAL;
}

/* One label, at its first character.  RFC 5321 sub-domain: Let-dig [Ldh-str];
 * under RFC 6531 a byte above 127 counts as a letter. */
static enum address_status
parse_label(struct cursor *c)
{
	size_t start = c->pos;
	bool lax = (c->rules & ADDRESS_LAX) != 0;
	unsigned char ch = at(c), prev = 0;
	bool high = false;

	if (ch == '-') {
		return ADDRESS_BAD_DOMAIN;
	}
	for (; is_alnum(ch) || ch == '-' || ch >= 0x80 || (lax && ch == '_');
	    ch = at(c)) {
		high |= ch >= 0x80;
		prev = ch;
		c->pos++;
	}
	if (c->pos == start || prev == '-') {
		return ADDRESS_BAD_DOMAIN;
	}
	/* A U-label's bytes are no measure for its length in the DNS. */
	if (c->pos - start > ADDRESS_LABEL_MAX && !high) {
		return ADDRESS_DOMAIN_TOO_LONG;
	}
	return ADDRESS_OK;
}

static enum address_status
parse_domain(struct cursor *c, struct slice *out, bool *literal, bool *utf8)
{
	size_t start = c->pos;
	enum address_status st;

	*literal = at(c) == '[';
	if (*literal) {
		return parse_literal(c, out);
	}
	if (c->pos == c->in.len || at(c) == '>') {
		return ADDRESS_NO_DOMAIN;
	}
	for (;;) {
		st = parse_label(c);
		if (st != ADDRESS_OK) {
			return st;
		}
		if (at(c) != '.') {
			break;
		}
		c->pos++;
	}
	*out = slice_make(c->in.ptr + start, c->pos - start);
	if (out->len > ADDRESS_DOMAIN_MAX) {
		return ADDRESS_DOMAIN_TOO_LONG;
	}
	return check_utf8(*out, c->rules, utf8);
}

/* local@domain, or local alone where that is allowed. */
static enum address_status
parse_mailbox(struct cursor *c, struct address *out)
{
	enum address_status st = parse_local(c, out);

	if (st != ADDRESS_OK) {
		return st;
	}
	if (at(c) == '@') {
		c->pos++;
		return parse_domain(c, &out->domain, &out->literal,
		    &out->utf8);
	}
	if (c->pos < c->in.len && at(c) != '>' && !is_blank(at(c))) {
		return ADDRESS_BAD_LOCAL;
	}
	/* RFC 5321 4.5.1: postmaster needs no domain, in any case. */
	if ((c->rules & ADDRESS_LOCAL_ONLY) ||
	    ((c->rules & ADDRESS_POSTMASTER) &&
	    slice_eq_nocase(out->local, SLICE("postmaster")))) {
		return ADDRESS_OK;
	}
	return ADDRESS_NO_DOMAIN;
}

/* "@a,@b:" in front of the mailbox (RFC 5321 appendix C: accept, ignore). */
static enum address_status
skip_route(struct cursor *c)
{
	size_t start = c->pos;
	struct slice domain;
	bool literal, utf8 = false;

	while (at(c) == '@') {
		c->pos++;
		if (parse_domain(c, &domain, &literal, &utf8) != ADDRESS_OK) {
			return ADDRESS_BAD_ROUTE;
		}
		if (at(c) != ',') {
			break;
		}
		c->pos++;
		if (at(c) != '@') {
			return ADDRESS_BAD_ROUTE;
		}
	}
	if (at(c) != ':' || c->pos - start > ADDRESS_ROUTE_MAX) {
		return ADDRESS_BAD_ROUTE;
	}
	c->pos++;
	return ADDRESS_OK;
}

/* What a path without brackets is: up to the next blank (ADDRESS_LAX). */
static enum address_status
parse_bare(struct cursor *c, struct address *out)
{
	enum address_status st = parse_mailbox(c, out);

	if (st != ADDRESS_OK) {
		return st;
	}
	return c->pos == c->in.len || is_blank(at(c)) ? ADDRESS_OK :
	    ADDRESS_GARBAGE;
}

/* Between < and >. */
static enum address_status
parse_inside(struct cursor *c, struct address *out)
{
	bool blanks = (c->rules & ADDRESS_BLANKS) != 0;
	enum address_status st;
	size_t start;

	if (blanks) {
		skip_blanks(c);
	}
	if (at(c) == '>') {
		c->pos++;
		out->is_null = true;
		return (c->rules & ADDRESS_NULL) ? ADDRESS_OK : ADDRESS_IS_NULL;
	}
	if (at(c) == '@') {
		/* "<@b>" is an address without local part, not a route. */
		st = skip_route(c);
		if (st != ADDRESS_OK) {
			return at(c) == '>' ? ADDRESS_NO_LOCAL : st;
		}
		out->routed = true;
	}
	start = c->pos;
	st = parse_mailbox(c, out);
	if (st != ADDRESS_OK) {
		return st;
	}
	if (c->pos - start > ADDRESS_PATH_MAX - 2) {
		return ADDRESS_TOO_LONG;
	}
	if (blanks) {
		skip_blanks(c);
	}
	if (at(c) != '>') {
		return c->pos == c->in.len ? ADDRESS_UNCLOSED : ADDRESS_GARBAGE;
	}
	c->pos++;
	return ADDRESS_OK;
}

enum address_status
address_parse_path(struct slice in, unsigned rules, struct address *out,
    size_t *used_out)
{
	struct cursor c = { in, 0, rules };
	enum address_status st;

	*out = (struct address){ .local = SLICE(""), .domain = SLICE("") };
	*used_out = 0;
	if (rules & (ADDRESS_BLANKS | ADDRESS_LAX)) {
		skip_blanks(&c);
	}
	if (at(&c) == '<') {
		c.pos++;
		st = parse_inside(&c, out);
	} else if (rules & ADDRESS_LAX) {
		st = parse_bare(&c, out);
		if (st == ADDRESS_OK && out->local.len + out->domain.len + 1 >
		    ADDRESS_PATH_MAX - 2) {
			st = ADDRESS_TOO_LONG;
		}
	} else {
		st = ADDRESS_NO_BRACKET;
	}
	*used_out = c.pos;
	return st;
}

enum address_status
address_parse(struct slice in, unsigned rules, struct address *out)
{
	struct cursor c = { in, 0, rules };
	enum address_status st;

	*out = (struct address){ .local = SLICE(""), .domain = SLICE("") };
	st = parse_mailbox(&c, out);
	if (st != ADDRESS_OK) {
		return st;
	}
	if (c.pos < in.len) {
		return ADDRESS_GARBAGE;
	}
	return in.len > ADDRESS_PATH_MAX - 2 ? ADDRESS_TOO_LONG : ADDRESS_OK;
}

enum address_status
address_check_domain(struct slice in, unsigned rules)
{
	struct cursor c = { in, 0, rules };
	struct slice domain;
	bool literal, utf8 = false;
	enum address_status st = parse_domain(&c, &domain, &literal, &utf8);

	if (st == ADDRESS_OK && c.pos < in.len) {
		return literal ? ADDRESS_BAD_LITERAL : ADDRESS_BAD_DOMAIN;
	}
	return st;
}

const char *
address_status_text(enum address_status st)
{
	static const char *const text[ADDRESS_STATUS_COUNT] = {
		[ADDRESS_OK] = "ok",
		[ADDRESS_NO_BRACKET] = "address must stand in <>",
		[ADDRESS_UNCLOSED] = "closing > is missing",
		[ADDRESS_IS_NULL] = "empty address not allowed here",
		[ADDRESS_NO_LOCAL] = "local part is missing",
		[ADDRESS_NO_DOMAIN] = "domain is missing",
		[ADDRESS_BAD_ROUTE] = "bad source route",
		[ADDRESS_BAD_LOCAL] = "bad local part",
		[ADDRESS_BAD_QUOTES] = "bad quoted string",
		[ADDRESS_BAD_DOMAIN] = "bad domain name",
		[ADDRESS_BAD_LITERAL] = "bad address literal",
		[ADDRESS_BAD_UTF8] = "invalid UTF-8",
		[ADDRESS_NOT_ASCII] = "non-ASCII address not allowed",
		[ADDRESS_LOCAL_TOO_LONG] = "local part too long",
		[ADDRESS_DOMAIN_TOO_LONG] = "domain too long",
		[ADDRESS_TOO_LONG] = "address too long",
		[ADDRESS_GARBAGE] = "garbage behind the address",
	};

	return text[st];
}

bool
address_log_escape(struct buf *out, const struct address *a)
{
	struct slice rest = a->local;

	for (size_t i = 0; i < rest.len;) {
		if (a->quoted && (rest.ptr[i] == '@' || rest.ptr[i] == '\\')) {
			buf_append(out, rest.ptr, i);
			buf_putc(out, '\\');
			rest = slice_skip(rest, i);
			i = 1;
		} else {
			i++;
		}
	}
	buf_add(out, rest);
	if (a->domain.len > 0) {
		buf_putc(out, '@');
		buf_add(out, a->domain);
	}
	return !out->full;
}
