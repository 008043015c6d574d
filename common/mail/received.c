/* SPDX-License-Identifier: Apache-2.0 */
/* The trace header, written without printf: once per message. */
#include "common/mail/received.h"

#include <arpa/inet.h>

#include "common/mail/esc.h"

#define LINE_GOAL 78u
#define IP_MAX 56u	/* "[IPv6:", INET6_ADDRSTRLEN, "]" */
#define DATE_MAX 64u

struct out {
	char *p;
	size_t room, n;
	size_t bol;	/* where the line began */
	bool full;
};

static void
put(struct out *o, struct slice s)
{
	if (s.len > o->room - o->n) {
		o->full = true;
		return;
	}
	memcpy(o->p + o->n, s.ptr, s.len);
	o->n += s.len;
}

static void
fold(struct out *o)
{
	put(o, SLICE("\r\n"));
	o->bol = o->n;
	put(o, SLICE(" "));
}

/* A blank before a word, or a fold if the line would pass its goal. */
static void
put_word(struct out *o, struct slice word)
{
	if (o->n - o->bol + 1 + word.len > LINE_GOAL) {
		fold(o);
	} else {
		put(o, SLICE(" "));
	}
	put(o, word);
}

static size_t
put_number(char *out, unsigned v)
{
	char d[10];
	size_t at = sizeof d;

	do {
		d[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v > 0);
	memcpy(out, d + at, sizeof d - at);
	return sizeof d - at;
}

/* The address as a literal with its brackets (RFC 5321 4.1.3). */
static struct slice
ip_literal(const uint8_t ip[16], char out[IP_MAX])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	size_t n = 0;

	out[n++] = '[';
	if (memcmp(ip, mapped, sizeof mapped) == 0) {
		for (int i = 12; i < 16; i++) {
			n += put_number(out + n, ip[i]);
			out[n++] = i < 15 ? '.' : ']';
		}
		return slice_make(out, n);
	}
	memcpy(out + n, "IPv6:", 5);
	n += 5;
	if (inet_ntop(AF_INET6, ip, out + n, INET6_ADDRSTRLEN) != NULL) {
		n += strlen(out + n);
	}
	out[n++] = ']';
	return slice_make(out, n);
}

/* head, the word escaped, tail: as one word that is never folded inside. */
static void
put_foreign(struct out *o, struct slice head, struct slice word,
    struct slice tail, unsigned flags)
{
	char text[RECEIVED_WORD_MAX + 32];
	unsigned how = ESC_HEADER | (flags & RECEIVED_UTF8 ? ESC_KEEP_UTF8 : 0);
	size_t n = head.len;

	memcpy(text, head.ptr, head.len);
	n += esc_write(text + n, RECEIVED_WORD_MAX, word, how, NULL);
	memcpy(text + n, tail.ptr, tail.len);
	put_word(o, slice_make(text, n + tail.len));
}

/* "([192.0.2.1:42601]": the colon stands outside of an IPv6 literal. */
static void
put_endpoint(struct out *o, const struct received *r, struct slice ip)
{
	char text[IP_MAX + 16];
	bool v6 = ip.len > 5 && ip.ptr[1] == 'I';
	size_t n = 0;

	text[n++] = '(';
	memcpy(text + n, ip.ptr, ip.len);
	n += ip.len;
	if (!v6) {
		n--;
	}
	text[n++] = ':';
	n += put_number(text + n, r->peer_port);
	if (!v6) {
		text[n++] = ']';
	}
	if (r->helo.len == 0) {
		text[n++] = ')';
	}
	put_word(o, slice_make(text, n));
}

static void
put_id(struct out *o, const struct received *r)
{
	char text[MSGID_TEXT_LEN + 2];

	msgid_format(r->batch_id, text);
	text[MSGID_TEXT_LEN] = ';';
	put(o, SLICE("id"));
	put_word(o, slice_make(text, MSGID_TEXT_LEN + 1));
	put_word(o, slice_make(r->date.ptr, EC_MIN(r->date.len,
	    (size_t)DATE_MAX)));
	put(o, SLICE("\r\n"));
}

size_t
received_write(const struct received *r, char *out, size_t room)
{
	struct out o = { .p = out, .room = room };
	char ip_text[IP_MAX];
	struct slice ip = ip_literal(r->peer_ip, ip_text);

	put(&o, SLICE("Received: from"));
	put_word(&o, ip);
	put_endpoint(&o, r, ip);
	if (r->helo.len > 0) {
		put_foreign(&o, SLICE("helo="), r->helo, SLICE(")"), r->flags);
	}
	fold(&o);
	put(&o, SLICE("by"));
	put_foreign(&o, SLICE(""), r->by, SLICE(""), 0);
	put_foreign(&o, SLICE("(envelope-from <"), r->sender, SLICE(">)"),
	    r->flags);
	fold(&o);
	put(&o, SLICE("(ecelerity"));
	put_foreign(&o, SLICE(""), r->version, SLICE(")"), 0);
	put_word(&o, SLICE("with"));
	put_word(&o, slice_of(received_protocol(r->flags)));
	fold(&o);
	put_id(&o, r);
	return o.full ? 0 : o.n;
}

bool
received_add(const struct received *r, struct buf *b)
{
	char text[RECEIVED_MAX];
	size_t n = received_write(r, text, sizeof text);

	ec_assert(n > 0);
	return buf_append(b, text, n);
}

const char *
received_protocol(unsigned flags)
{
	static const char *const names[2][4] = {
		{ "ESMTP", "ESMTPS", "ESMTPA", "ESMTPSA" },
		{ "UTF8SMTP", "UTF8SMTPS", "UTF8SMTPA", "UTF8SMTPSA" },
	};
	unsigned which = (flags & RECEIVED_TLS ? 1u : 0) |
	    (flags & RECEIVED_AUTH ? 2u : 0);

	/* TLS, AUTH and SMTPUTF8 need EHLO: without it plain SMTP it was. */
	if (!(flags & RECEIVED_ESMTP)) {
		return "SMTP";
	}
	return names[flags & RECEIVED_UTF8 ? 1 : 0][which];
}
