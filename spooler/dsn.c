/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Delivery reports.  The parts are written one after the other; the returned
 * original is made first, because its bytes decide the transfer encoding that
 * the outer header names.  The boundary is checked against the finished text:
 * if it stands there once more than we wrote it, the next one is tried.
 */
#include "spooler/dsn.h"

#include "common/mail/date.h"
#include "common/mail/esc.h"
#include "common/mail/mime_scan.h"
#include "spooler/dsn_field.h"

#define ORIGINAL_MAX 65536u
#define BOUNDARY_TRIES 64u

struct maker {
	const struct dsn_request *r;
	struct buf *b;
	struct dsn_info info;
	enum dsn_action worst;
	enum dsn_inline original;
	char boundary[64];
	struct buf third;	/* the returned original */
	bool third_8bit;
};

struct words {	/* by what happened */
	const char *action, *subject, *text, *after;
};

static const struct words words[DSN_ACTIONS] = {
	[DSN_FAILED] = { "failed", "Your message could not be delivered",
		"could not be delivered to:",
		"It will not be tried again. The text after each address is "
		"the last answer to our attempts." },
	[DSN_DELAYED] = { "delayed", "Your message is delayed",
		"has not yet been delivered to:",
		"You need not send it again: we keep trying, and tell you if "
		"we have to give up." },
	[DSN_RELAYED] = { "relayed", "Your message was passed on",
		"was passed on for:",
		"The next host does not report deliveries, so this is the "
		"last that we can tell you." },
};

/* "Name: " and nothing else yet. */
static void
put_name(struct maker *m, const char *name)
{
	buf_puts(m->b, name);
	buf_puts(m->b, ": ");
}

static void
put_line(struct maker *m, const char *text)
{
	buf_puts(m->b, text);
	buf_puts(m->b, "\r\n");
}

static void
put_date(struct maker *m, const char *name, uint64_t us)
{
	char text[DATE_TEXT_MAX];

	if (us != 0) {
		date_format(us, m->r->offset_minutes, text);
		put_name(m, name);
		put_line(m, text);
	}
}

static struct slice
our_name(const struct maker *m)
{
	return m->r->reporting_mta.len > 0 ? m->r->reporting_mta :
	    SLICE("localhost");
}

static void
put_mailer_daemon(struct maker *m)
{
	struct slice a = m->r->mailer_daemon;

	dsn_put_address(m->b, a.len > 0 ? a : SLICE("MAILER-DAEMON"), m->info.is_utf8);
	if (slice_find(a, '@') < 0) {
		buf_putc(m->b, '@');
		esc_add(m->b, our_name(m), ESC_HEADER, 255);
	}
}

/* The id with dots: neither slash nor hyphen has to be explained there. */
static void
put_message_id(struct maker *m)
{
	char id[MSGID_TEXT_LEN + 1];

	msgid_format(m->r->id, id);
	id[2] = id[5] = id[11] = '.';
	put_name(m, "Message-ID");
	buf_putc(m->b, '<');
	buf_puts(m->b, id);
	buf_putc(m->b, '@');
	esc_add(m->b, our_name(m), ESC_HEADER, 255);
	put_line(m, ">");
}

/* What the report answers, if the original names itself properly. */
static void
put_in_reply_to(struct maker *m)
{
	const struct dsn_request *r = m->r;
	struct mime_field f;
	struct mime_scan s;
	struct buf v;

	if (!mime_find(r->message, r->n_message, ORIGINAL_MAX,
	    SLICE("Message-ID"), &f)) {
		return;
	}
	mime_scan_init(&s, r->message, r->n_message, ORIGINAL_MAX);
	buf_init(&v, 256);
	if (mime_value_add(&s, &f, &v, 250) && v.len > 4 && v.ptr[0] == '<' &&
	    v.ptr[v.len - 1] == '>') {
		struct slice id = slice_make(v.ptr + 1, v.len - 2);
		char safe[256];
		bool cut;
		size_t n = esc_write(safe, sizeof safe, id, ESC_HEADER, &cut);

		if (!cut && n == id.len && slice_find(id, '@') > 0) {
			put_name(m, "In-Reply-To");
			buf_add(m->b, buf_slice(&v));
			put_line(m, "");
		}
	}
	buf_fini(&v);
}

static void
put_header(struct maker *m)
{
	buf_puts(m->b, "From: Mail Delivery System <");
	put_mailer_daemon(m);
	buf_puts(m->b, ">\r\nTo: <");
	dsn_put_address(m->b, m->r->sender, m->info.is_utf8);
	put_line(m, ">");
	put_name(m, "Subject");
	put_line(m, words[m->worst].subject);
	put_date(m, "Date", m->r->now_us);
	put_message_id(m);
	put_in_reply_to(m);
	buf_puts(m->b, "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: multipart/report; report-type=delivery-status;\r\n"
	    "\tboundary=\"");
	buf_puts(m->b, m->boundary);
	put_line(m, "\"");
	put_name(m, "Content-Transfer-Encoding");
	put_line(m, m->info.is_8bit ? "8bit" : "7bit");
}

static void
put_part(struct maker *m, const char *type, bool is_8bit)
{
	buf_puts(m->b, "\r\n--");
	put_line(m, m->boundary);
	put_name(m, "Content-Type");
	put_line(m, type);
	put_name(m, "Content-Transfer-Encoding");
	put_line(m, is_8bit ? "8bit" : "7bit");
	put_line(m, "");
}

/* RFC 5321 4.1.3: the colon tells the family. */
static void
put_literal(struct maker *m, struct slice ip)
{
	buf_puts(m->b, slice_find(ip, ':') >= 0 ? "[IPv6:" : "[");
	esc_add(m->b, ip, ESC_HEADER, 64);
	buf_putc(m->b, ']');
}

static void
put_text_recipient(struct maker *m, const struct dsn_recipient *t)
{
	char until[DATE_TEXT_MAX];

	buf_puts(m->b, "  <");
	dsn_put_address(m->b, t->addr, m->info.is_utf8);
	put_line(m, ">");
	if (t->remote_name.len > 0 || t->remote_ip.len > 0) {
		buf_puts(m->b, "    ");
		esc_add(m->b, t->remote_name, ESC_HEADER, 255);
		if (t->remote_ip.len > 0) {
			buf_puts(m->b, t->remote_name.len > 0 ? " " : "");
			put_literal(m, t->remote_ip);
		}
		put_line(m, t->reply.len > 0 ? " said:" : "");
	}
	if (t->reply.len > 0) {
		buf_puts(m->b, "    ");
		dsn_put_reply(m->b, t->reply, 4, "    ");
	}
	if (t->action == DSN_DELAYED && t->retry_until_us != 0) {
		date_format(t->retry_until_us, m->r->offset_minutes, until);
		buf_puts(m->b, "    tried until ");
		put_line(m, until);
	}
}

static size_t
listed(const struct maker *m)
{
	return EC_MIN(m->r->n_rcpt, (size_t)DSN_MAX_RECIPIENTS);
}

/* "Your message of ... could not be delivered to:" */
static void
put_opening(struct maker *m, const char *what)
{
	char when[DATE_TEXT_MAX];

	buf_puts(m->b, "Your message");
	if (m->r->arrival_us != 0) {
		date_format(m->r->arrival_us, m->r->offset_minutes, when);
		buf_puts(m->b, " of ");
		buf_puts(m->b, when);
	}
	put_line(m, "");
	put_line(m, what);
	put_line(m, "");
}

static void
put_text_part(struct maker *m)
{
	put_part(m, m->info.is_utf8 ? "text/plain; charset=utf-8" :
	    "text/plain; charset=us-ascii", m->info.is_utf8);
	buf_puts(m->b, "This report comes from the mail server\r\n");
	esc_add(m->b, our_name(m), ESC_HEADER, 255);
	put_line(m, ".\r\n");
	for (unsigned a = 0; a < DSN_ACTIONS; a++) {
		bool any = false;

		for (size_t i = 0; i < listed(m); i++) {
			if (m->r->rcpt[i].action != a) {
				continue;
			}
			if (!any) {
				put_opening(m, words[a].text);
			}
			any = true;
			put_text_recipient(m, &m->r->rcpt[i]);
		}
		if (any) {
			put_line(m, "");
			dsn_put_wrapped(m->b, slice_of(words[a].after), 0, "");
			put_line(m, "");
		}
	}
	if (m->info.cut && m->r->n_rcpt > DSN_MAX_RECIPIENTS) {
		buf_printf(m->b, "%zu more recipients are not listed here.\r\n",
		    m->r->n_rcpt - DSN_MAX_RECIPIENTS);
	}
}

static bool
is_address_type(struct slice type)
{
	for (size_t i = 0; i < type.len; i++) {
		char c = type.ptr[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
		    !(c >= '0' && c <= '9') && c != '-') {
			return false;
		}
	}
	return type.len > 0 && type.len <= 40;
}

static void
put_original_recipient(struct maker *m, struct slice orcpt)
{
	struct slice type = slice_cut(&orcpt, ';');

	if (orcpt.len == 0 || !is_address_type(type) ||
	    !esc_xtext_is_valid(orcpt)) {
		return;
	}
	put_name(m, "Original-Recipient");
	buf_add(m->b, type);
	buf_puts(m->b, "; ");
	dsn_put_xtext(m->b, orcpt);
	put_line(m, "");
}

static void
put_remote(struct maker *m, const struct dsn_recipient *t)
{
	if (t->remote_name.len == 0 && t->remote_ip.len == 0) {
		return;
	}
	put_name(m, "Remote-MTA");
	buf_puts(m->b, "dns; ");
	if (t->remote_name.len > 0) {
		esc_add(m->b, t->remote_name, ESC_HEADER, 255);
	} else {
		put_literal(m, t->remote_ip);
	}
	put_line(m, "");
}

static void
put_status_recipient(struct maker *m, const struct dsn_recipient *t)
{
	char status[DSN_STATUS_MAX];
	bool ascii = true;

	if (m->info.is_utf8) {
		esc_is_utf8(t->addr, &ascii);
	}
	dsn_status(t, status);
	put_line(m, "");
	put_original_recipient(m, t->orcpt);
	put_name(m, "Final-Recipient");
	buf_puts(m->b, ascii ? "rfc822; " : "utf-8; ");
	dsn_put_address(m->b, t->addr, m->info.is_utf8);
	put_line(m, "");
	put_name(m, "Action");
	put_line(m, words[t->action].action);
	put_name(m, "Status");
	put_line(m, status);
	put_remote(m, t);
	if (t->reply.len > 0) {
		put_name(m, "Diagnostic-Code");
		buf_puts(m->b, "smtp; ");
		dsn_put_reply(m->b, t->reply, 23, " ");
	}
	put_date(m, "Last-Attempt-Date", t->last_attempt_us);
	if (t->action == DSN_DELAYED) {
		put_date(m, "Will-Retry-Until", t->retry_until_us);
	}
}

static void
put_status_part(struct maker *m)
{
	const struct dsn_request *r = m->r;
	char id[MSGID_TEXT_LEN + 1];

	put_part(m, m->info.is_utf8 ? "message/global-delivery-status" :
	    "message/delivery-status", m->info.is_utf8);
	if (r->envid.len > 0 && esc_xtext_is_valid(r->envid)) {
		put_name(m, "Original-Envelope-Id");
		dsn_put_xtext(m->b, r->envid);
		put_line(m, "");
	}
	put_name(m, "Reporting-MTA");
	buf_puts(m->b, "dns; ");
	esc_add(m->b, our_name(m), ESC_HEADER, 255);
	put_line(m, "");
	put_date(m, "Arrival-Date", r->arrival_us);
	if (r->original_id != MSGID_NONE) {
		msgid_format(r->original_id, id);
		put_name(m, "X-Ecelerity-Message-ID");
		put_line(m, id);
	}
	for (size_t i = 0; i < listed(m); i++) {
		put_status_recipient(m, &r->rcpt[i]);
	}
}

static void
put_third_part(struct maker *m)
{
	static const char *const types[2][2] = {
		{ "text/rfc822-headers", "message/rfc822" },
		{ "message/global-headers", "message/global" },
	};

	if (m->original == DSN_INLINE_NONE) {
		return;
	}
	put_part(m, types[m->info.is_utf8][m->original == DSN_INLINE_FULL],
	    m->third_8bit);
	buf_add(m->b, buf_slice(&m->third));
}

struct walk {	/* is the original fit to stand in a part? */
	size_t column;
	bool cr, bad, has_8bit;
};

static void
walk_bytes(struct walk *w, struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];

		w->bad |= c == '\0' || (c == '\n') != w->cr;
		w->has_8bit |= c >= 0x80;
		w->cr = c == '\r';
		w->column = c == '\n' ? 0 : w->column + !w->cr;
		w->bad |= w->column > 998;
	}
}

/* The whole original; false if it cannot be returned whole. */
static bool
take_full(struct maker *m, size_t max)
{
	const struct dsn_request *r = m->r;
	struct walk w = { 0 };
	uint64_t sum = 0;

	for (size_t i = 0; i < r->n_message; i++) {
		sum += r->message[i].len;
		if (sum > max || w.bad) {
			return false;
		}
		walk_bytes(&w, r->message[i]);
		buf_add(&m->third, r->message[i]);
	}
	if (w.bad || w.cr || w.column > 0 || sum != r->message_size || sum == 0) {
		return false;
	}
	m->third_8bit = w.has_8bit;
	return !m->third.full;
}

static void
take_original(struct maker *m)
{
	const struct dsn_request *r = m->r;
	size_t max = r->max_original > 0 ? r->max_original : ORIGINAL_MAX;
	struct mime_copied c;

	m->original = r->original;
	if (m->original == DSN_INLINE_FULL && !take_full(m, max)) {
		buf_clear(&m->third);
		m->original = DSN_INLINE_HEADERS;
	}
	if (m->original == DSN_INLINE_HEADERS) {
		c = mime_headers_add(r->message, r->n_message, &m->third, max);
		m->third_8bit = c.has_8bit;
		m->info.cut |= c.cut;
	}
}

/* Non-ASCII addresses make it international, but only well-formed ones. */
static bool
is_international(struct slice a)
{
	bool ascii;

	return esc_is_utf8(a, &ascii) && !ascii;
}

static void
survey(struct maker *m)
{
	const struct dsn_request *r = m->r;

	m->info.cut = r->n_rcpt > DSN_MAX_RECIPIENTS;
	m->info.is_utf8 = is_international(r->sender);
	m->worst = r->rcpt[0].action;
	for (size_t i = 0; i < listed(m); i++) {
		m->info.is_utf8 |= is_international(r->rcpt[i].addr);
		/* The enum runs from the gravest down. */
		m->worst = EC_MIN(m->worst, r->rcpt[i].action);
	}
	take_original(m);
	m->info.is_8bit = m->info.is_utf8 || m->third_8bit;
}

/* Nothing of a stranger begins a line in our own parts, so only the original
 * could hold the boundary; counting all of them asks no reasoning. */
static bool
boundary_is_unique(const struct maker *m, size_t start)
{
	struct slice s = slice_skip(buf_slice(m->b), start);
	size_t len = strlen(m->boundary), n = 0;
	const char *p;

	while ((p = memmem(s.ptr, s.len, m->boundary, len)) != NULL) {
		s = slice_skip(s, (size_t)(p - s.ptr) + len);
		n++;
	}
	return n == (m->original == DSN_INLINE_NONE ? 4u : 5u);
}

static enum dsn_result
build_once(struct maker *m, size_t start, unsigned try)
{
	char id[MSGID_TEXT_LEN + 1];

	msgid_format(m->r->id, id);
	id[2] = id[5] = id[11] = '.';
	snprintf(m->boundary, sizeof m->boundary, "=_%s_%05x.%u", id,
	    (unsigned)(m->r->now_us % 1000000u), try);
	put_header(m);
	put_text_part(m);
	put_status_part(m);
	put_third_part(m);
	buf_puts(m->b, "\r\n--");
	buf_puts(m->b, m->boundary);
	put_line(m, "--");
	if (m->b->full) {
		m->b->len = start;
		return DSN_TOO_LARGE;
	}
	return DSN_OK;
}

enum dsn_result
dsn_build(const struct dsn_request *r, struct buf *b, struct dsn_info *info_out)
{
	struct maker m = { .r = r, .b = b };
	enum dsn_result result;
	size_t start = b->len;
	unsigned try = 0;

	if (r->sender.len == 0) {
		return DSN_NULL_SENDER;
	}
	if (r->n_rcpt == 0) {
		return DSN_NO_RECIPIENT;
	}
	buf_init(&m.third, b->max);
	survey(&m);
	b->full = false;
	for (;;) {
		result = build_once(&m, start, try++);
		if (result == DSN_OK && boundary_is_unique(&m, start)) {
			break;
		}
		if (result != DSN_OK || try == BOUNDARY_TRIES) {
			if (m.original == DSN_INLINE_NONE) {
				break;
			}
			/* The report matters more than what it returns. */
			m.original = DSN_INLINE_NONE;
			m.info.is_8bit = m.info.is_utf8;
			m.info.cut = true;
			b->full = false;
		}
		b->len = start;
	}
	buf_fini(&m.third);
	*info_out = m.info;
	return result;
}
