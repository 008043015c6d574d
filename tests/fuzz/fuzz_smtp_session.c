/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole client conversation against line splitter, command parser, session
 * and dot decoder, with a driver that says yes to everything.  The promise
 * under test: a 250 for a message is preceded by a dot and a STORED, whatever
 * the client sends.
 */
#include "common/mail/dot.h"
#include "listener/smtp_session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct driver {
	struct smtp_session s;
	struct smtp_line lines;
	struct dot_decoder dot;
	struct buf out;
	unsigned stored;
	char body[4096];
};

static void
serve(struct driver *d, struct smtp_out out)
{
	unsigned checks = SMTP_DO_CHECK_HELLO | SMTP_DO_CHECK_MAIL |
	    SMTP_DO_CHECK_RCPT | SMTP_DO_RESERVE;

	buf_clear(&d->out);
	ec_assert(smtp_session_put(&d->s, &d->out, &out, SLICE("")));
	if (out.effects & checks) {
		serve(d, smtp_session_step(&d->s, SMTP_EV_ACCEPT));
	} else if (out.effects & SMTP_DO_RECEIVE) {
		ec_assert(d->s.recipients > 0);
		dot_decoder_init(&d->dot);
	} else if (out.effects & SMTP_DO_STORE) {
		ec_assert(out.reply == NULL);
		out = smtp_session_step(&d->s, SMTP_EV_STORED);
		d->stored++;
		ec_assert(out.reply->code == 250);
		ec_assert(d->s.recipients == 0);
	} else if (out.effects & (SMTP_DO_TLS | SMTP_DO_AUTH)) {
		smtp_session_step(&d->s, SMTP_EV_OK);
	}
	ec_assert(d->stored == d->s.messages);
}

static size_t
turn(struct driver *d, struct slice in)
{
	struct smtp_command cmd;
	enum smtp_line_status st;
	struct slice line;
	size_t used, made;

	if (d->s.state == SMTP_ST_DATA) {
		if (dot_decode(&d->dot, in, &used, d->body, sizeof(d->body),
		    &made) == DOT_END) {
			serve(d, smtp_session_step(&d->s, SMTP_EV_DOT));
		}
		return used;
	}
	st = smtp_line_next(&d->lines, in, &used, &line);
	if (st != SMTP_LINE_MORE) {
		ec_assert(smtp_session_wants_line(&d->s));
		serve(d, smtp_session_line(&d->s, st, line, &cmd));
	}
	return used;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct driver d;
	struct smtp_syntax syntax = { .pedantic = size % 2 == 0,
		.blanks_in_envelope = size % 3 == 0 };
	struct smtp_limits limits = { .max_recipients = 5 };
	struct slice in = slice_make(data, size);
	size_t used;

	/* All extensions, or the default ones. */
	syntax.ext = size % 5 == 0 ? SMTP_EXT_DEFAULT : 0x7ff;
	memset(&d, 0, sizeof(d));
	smtp_session_init(&d.s, &syntax, &limits);
	smtp_line_init(&d.lines, 256);
	buf_init(&d.out, 4096);
	smtp_session_step(&d.s, SMTP_EV_ACCEPT);
	while (in.len > 0 && d.s.state != SMTP_ST_CLOSING) {
		used = turn(&d, in);
		if (used == 0) {
			break;
		}
		in = slice_skip(in, used);
	}
	ec_assert(d.s.errors <= SMTP_ERRORS_DEFAULT);
	buf_fini(&d.out);
	return 0;
}
