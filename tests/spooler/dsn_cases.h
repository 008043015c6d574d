/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests for reports, used by the unit test and by dsn_dump, whose output
 * a MIME parser of another make reads (check_dsn).
 */
#ifndef EC_DSN_CASES_H
#define EC_DSN_CASES_H

#include "spooler/dsn.h"

enum dsn_case {
	CASE_PLAIN, CASE_FULL, CASE_NONE, CASE_UTF8, CASE_8BIT, CASE_HOSTILE,
	CASE_DELAYED, CASE_COUNT
};

struct dsn_case_data {
	struct dsn_request req;
	struct dsn_recipient rcpt[3];
	struct slice message[2];
};

#define CASE_HEADER "Received: from a\r\n by b\r\nFrom: s@example.net\r\n" \
	"Message-ID: <orig@example.net>\r\nSubject: hello\r\n\r\n"

static inline void
dsn_case_fill(struct dsn_case_data *d, enum dsn_case which)
{
	static const struct slice evil = { "a\r\n\r\n--=_x\r\nTo: <e@evil>\r\n"
		"\0\xff\"<>()\\;,=?utf-8?q?x?=", 46 };

	memset(d, 0, sizeof *d);
	d->message[0] = SLICE(CASE_HEADER);
	d->message[1] = SLICE("body line\r\n");
	d->rcpt[0] = (struct dsn_recipient){ .addr = SLICE("r@example.org"),
		.orcpt = SLICE("rfc822;R+2Bx@example.org"), .code = 550,
		.reply = SLICE("550 5.1.1 no such user"),
		.remote_name = SLICE("mx.example.org"),
		.remote_ip = SLICE("192.0.2.7"),
		.last_attempt_us = 1254219116000000u };
	d->rcpt[1] = (struct dsn_recipient){ .addr = SLICE("\"a <b>\"@x.org"),
		.action = DSN_DELAYED, .code = 451,
		.reply = SLICE("451 try later"),
		.retry_until_us = 1254319116000000u };
	d->req = (struct dsn_request){ .reporting_mta = SLICE("mx.example.net"),
		.sender = SLICE("s@example.net"), .envid = SLICE("QQ+3D1"),
		.id = msgid_make(1254219120, 2001, 1),
		.original_id = msgid_make(1254219116, 2001, 0),
		.arrival_us = 1254219116000000u, .now_us = 1254219120000000u,
		.offset_minutes = 60, .rcpt = d->rcpt, .n_rcpt = 2,
		.message = d->message, .n_message = 2,
		.message_size = d->message[0].len + d->message[1].len };
	if (which == CASE_FULL) {
		d->req.original = DSN_INLINE_FULL;
	} else if (which == CASE_NONE) {
		d->req.original = DSN_INLINE_NONE;
	} else if (which == CASE_UTF8) {
		d->rcpt[0].addr = SLICE("\xc3\xa4@example.org");
		d->req.original = DSN_INLINE_FULL;
	} else if (which == CASE_8BIT) {
		d->message[0] = SLICE("Subject: \xc3\xa4\r\n\r\n");
	} else if (which == CASE_DELAYED) {
		d->req.rcpt = &d->rcpt[1];
		d->req.n_rcpt = 1;
	} else if (which == CASE_HOSTILE) {
		d->rcpt[0].addr = d->rcpt[0].orcpt = d->rcpt[0].reply = evil;
		d->rcpt[0].status = d->rcpt[0].remote_name = evil;
		d->rcpt[0].remote_ip = d->req.sender = evil;
		d->req.reporting_mta = d->req.mailer_daemon = evil;
		d->req.envid = evil;
		d->rcpt[1].addr = SLICE("\"a\"b\r\n\"@x");
		d->rcpt[1].orcpt = SLICE("rfc822;x+0D+0ATo:+20e");
	}
}

#endif
