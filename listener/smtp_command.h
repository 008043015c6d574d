/* SPDX-License-Identifier: Apache-2.0 */
/*
 * smtp_command: one line (without CRLF) into a struct smtp_command.  Pure; all
 * slices borrow from the line, so whoever keeps an address copies it.
 *
 *	st = smtp_command_parse(line, &rules, &cmd);
 *	if (st != SMTP_CMD_OK) {
 *		reply_put(out, smtp_command_reply(st), true, SLICE(""));
 *	}
 */
#ifndef EC_SMTP_COMMAND_H
#define EC_SMTP_COMMAND_H

#include "common/mail/address.h"
#include "common/mail/reply.h"
#include "listener/smtp_ext.h"

#define SMTP_VERBS(X) \
	X(EHLO) X(HELO) X(MAIL) X(RCPT) X(DATA) X(RSET) X(NOOP) X(VRFY) \
	X(EXPN) X(HELP) X(QUIT) X(STARTTLS) X(AUTH) X(BDAT) X(ETRN) X(XCLIENT)

enum smtp_verb {
	SMTP_VERB_UNKNOWN,
#define X(v) SMTP_VERB_##v,
	SMTP_VERBS(X)
#undef X
	SMTP_VERB_COUNT
};

/* The listener's options, as far as they are about syntax. */
struct smtp_syntax {
	unsigned ext;			/* in force: none after HELO */
	bool pedantic;			/* RFC2821_Pedantic_Address_Rules */
	bool blanks_in_envelope;	/* RFC2821_Allow_Whitespace_In_Envelope */
	bool trailing_blanks;	/* Allow_Trailing_Whitespace_In_Commands */
	bool unqualified_sender;	/* <user> is taken: a domain is added */
	bool unqualified_rcpt;
	bool utf8_rcpt;			/* MAIL said SMTPUTF8 */
};

/* status, code, enhanced code, text */
#define SMTP_COMMAND_STATUSES(X) \
	X(OK, 250, "2.0.0", "ok") \
	X(UNKNOWN, 500, "5.5.1", "command not recognized") \
	X(EMPTY, 500, "5.5.2", "empty command line") \
	X(BAD_LINE, 500, "5.5.2", "line ends in CRLF only") \
	X(NUL, 500, "5.5.2", "NUL in command line") \
	X(LINE_TOO_LONG, 500, "5.5.2", "line too long") \
	X(NO_ARGUMENT, 501, "5.5.4", "argument missing") \
	X(EXTRA_ARGUMENT, 501, "5.5.4", "no argument allowed") \
	X(TRAILING_BLANK, 501, "5.5.2", "no blanks allowed at the end") \
	X(BAD_ARGUMENT, 501, "5.5.4", "invalid argument") \
	X(BAD_HELLO, 501, "5.5.4", "invalid domain or address literal") \
	X(NO_FROM, 501, "5.5.2", "syntax: MAIL FROM:<address>") \
	X(NO_TO, 501, "5.5.2", "syntax: RCPT TO:<address>") \
	X(BAD_SENDER, 501, "5.1.7", "bad sender address syntax") \
	X(BAD_RCPT, 501, "5.1.3", "bad recipient address syntax") \
	X(UTF8_NOT_SAID, 553, "5.6.7", "SMTPUTF8 needed for this address") \
	X(PARAM_UNKNOWN, 555, "5.5.4", "parameter not recognized") \
	X(PARAM_TWICE, 501, "5.5.4", "parameter given twice") \
	X(PARAM_BAD, 501, "5.5.4", "invalid parameter")

enum smtp_command_status {
#define X(id, code, enh, text) SMTP_CMD_##id,
	SMTP_COMMAND_STATUSES(X)
#undef X
	SMTP_CMD_STATUS_COUNT
};

struct smtp_command {
	enum smtp_verb verb;
	struct slice arg;	/* what follows the verb, trimmed */
	struct address address;	/* MAIL, RCPT */
	enum address_status address_status; /* why BAD_SENDER, BAD_RCPT */
	struct smtp_params params;
	struct slice mechanism;	/* AUTH */
	struct slice initial;	/* AUTH: initial response; "=" is empty */
	uint64_t chunk;		/* BDAT */
	bool chunk_is_last;
};

/* On an error the verb is still set as far as it was understood. */
enum smtp_command_status smtp_command_parse(struct slice line,
    const struct smtp_syntax *rules, struct smtp_command *out);
const struct reply_text *smtp_command_reply(enum smtp_command_status st);
const char *smtp_verb_name(enum smtp_verb v);

#endif
