/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dsn: builds the report about mail that could not be delivered (RFC 3464 in a
 * multipart/report), that is late, or that went on to a host without DSN.  A
 * pure function from a request into a buf; the spooler stores the result in
 * the same batch as the outcome that caused it, with the null sender.
 *
 * Every slice is borrowed for the call.  All strings of strangers are escaped
 * (common/mail/esc) and every line is bounded.  Non-ASCII addresses (and only
 * they) make it an RFC 6533 report, which must be sent with SMTPUTF8.
 *
 *	struct dsn_info info;
 *	buf_init(&b, DSN_MAX_BYTES);
 *	if (dsn_build(&req, &b, &info) == DSN_OK) { ... }
 */
#ifndef EC_DSN_H
#define EC_DSN_H

#include "common/base/buf.h"
#include "common/base/slice.h"
#include "common/mail/msgid.h"

#define DSN_MAX_BYTES (1u << 20)	/* a sensible cap for the buf */
#define DSN_MAX_RECIPIENTS 1000u	/* more are counted, not listed */

enum dsn_action { DSN_FAILED, DSN_DELAYED, DSN_RELAYED, DSN_ACTIONS };

enum dsn_inline {	/* Bounces_Inline_Original */
	DSN_INLINE_HEADERS,	/* the default */
	DSN_INLINE_FULL,	/* becomes headers when the body cannot be put
				 * into a part: lines over 998, bare CR or LF,
				 * NUL, or past max_original */
	DSN_INLINE_NONE,
};

enum dsn_result {
	DSN_OK,
	DSN_NULL_SENDER,	/* nobody to tell (RFC 5321 6.1) */
	DSN_NO_RECIPIENT,	/* nothing to report */
	DSN_TOO_LARGE,		/* past the buf's cap; the buf is as it was */
};

struct dsn_recipient {
	struct slice addr;	/* local@domain */
	struct slice orcpt;	/* xtext as it came, or empty */
	enum dsn_action action;
	uint16_t code;		/* SMTP reply code, 0 if none */
	struct slice status;	/* "5.1.1"; empty: from reply, then code */
	struct slice reply;	/* event.reply: one line, escaped */
	struct slice remote_name, remote_ip;	/* empty: unknown */
	uint64_t last_attempt_us;	/* wall time, 0: unknown */
	uint64_t retry_until_us;	/* DSN_DELAYED, 0: unknown */
};

struct dsn_request {
	struct slice reporting_mta;	/* our host name */
	struct slice mailer_daemon;	/* empty: MAILER-DAEMON@reporting_mta */
	struct slice sender;		/* who is told */
	struct slice envid;		/* xtext or empty */
	msgid id;			/* of the report */
	msgid original_id;
	uint64_t arrival_us, now_us;	/* wall time */
	int offset_minutes;		/* zone for dates */
	const struct dsn_recipient *rcpt;
	size_t n_rcpt;
	enum dsn_inline original;
	const struct slice *message;	/* the original: its extents from the
					 * first byte; with HEADERS the
					 * extents of its header will do */
	size_t n_message;
	uint64_t message_size;		/* of the whole original */
	size_t max_original;		/* bytes of it to return; 0: 64 KiB */
};

struct dsn_info {
	bool is_8bit;	/* needs 8BITMIME */
	bool is_utf8;	/* needs SMTPUTF8 */
	bool cut;	/* headers or recipients were left away */
};

enum dsn_result dsn_build(const struct dsn_request *r, struct buf *b,
	struct dsn_info *info_out);
/* The enhanced status code for a recipient: the given one, else the one in the
 * reply, else by the reply code.  At most DSN_STATUS_MAX with the NUL. */
#define DSN_STATUS_MAX 12u
void dsn_status(const struct dsn_recipient *t, char out[DSN_STATUS_MAX]);
/* "5.1.1": class 2, 4 or 5, then two numbers of up to three digits. */
bool dsn_status_is_valid(struct slice s);

#endif
