/* SPDX-License-Identifier: Apache-2.0 */
/*
 * smtp_session: what a client may say when, and what we answer.  A const table
 * [state][event] gives the next state, the reply and the effects; an empty
 * cell is 503 to a command and nothing to an event of the driver that comes too
 * late.  (A late STORED of an earlier message is for the driver to tell apart,
 * by its id.)  Pure: the driver (conn) does the effects and brings facts back
 * as events.
 *
 *	out = smtp_session_line(&s, line_status, line, &cmd);
 *	if (out.reply != NULL) {
 *		smtp_session_put(&s, &outbuf, &out, SLICE(""));
 *	}
 *	if (out.effects & SMTP_DO_CHECK_RCPT) {
 *		... look at cmd.address ...
 *		out = smtp_session_step(&s, ok ? SMTP_EV_ACCEPT :
 *		    SMTP_EV_RELAY_DENIED);
 *	}
 *
 * Pipelining: give lines as long as smtp_session_wants_line() is true; in all
 * other states the driver owes an event (or content) first, and the bytes
 * behind wait.  STORING is silent: only SMTP_EV_STORED, when the message is on
 * stable storage, leads to the one 250 for a message.
 */
#ifndef EC_SMTP_SESSION_H
#define EC_SMTP_SESSION_H

#include "common/mail/reply.h"
#include "common/mail/smtp_line.h"
#include "listener/smtp_command.h"

#define SMTP_STATES(X) \
	X(CONNECT)	/* accepted; we wait for the verdict on the address */ \
	X(GREETED)	/* 220 is out; HELO or EHLO must come */ \
	X(HELLO_CHECK)	/* HELO or EHLO came; verdict outstanding */ \
	X(READY)	/* introduced, no transaction */ \
	X(MAIL_CHECK)	/* MAIL came; verdict outstanding */ \
	X(MAIL)		/* sender taken, no recipient yet */ \
	X(RCPT1_CHECK)	/* first RCPT came; verdict outstanding */ \
	X(RCPT)		/* at least one recipient taken */ \
	X(RCPT_CHECK)	/* a further RCPT came; verdict outstanding */ \
	X(DATA_CHECK)	/* DATA came; room is being reserved */ \
	X(DATA)		/* 354 is out; content comes */ \
	X(DISCARD_LARGE) /* too large: content is thrown away up to the dot */ \
	X(DISCARD_FULL)	/* no room: the same */ \
	X(STORING)	/* dot seen; silent until durable */ \
	X(TLS)		/* 220 to STARTTLS is out; handshake runs */ \
	X(AUTH)		/* SASL exchange; lines belong to it */ \
	X(CLOSING)	/* last reply is out; nothing is read any more */ \
	X(CLOSED)	/* the connection is gone */

enum smtp_state {
	SMTP_ST_NONE,		/* marks an empty cell */
#define X(s) SMTP_ST_##s,
	SMTP_STATES(X)
#undef X
	SMTP_ST_COUNT
};

/* The first ones are the client's, then the driver's. */
#define SMTP_EVENTS(X) \
	X(EHLO) X(HELO) X(MAIL) X(RCPT) X(DATA) X(RSET) X(NOOP) X(VRFY) \
	X(HELP) X(QUIT) X(STARTTLS) X(AUTH) \
	X(UNIMPLEMENTED) /* known verb that is not offered */ \
	X(SYNTAX)	/* a line that did not parse; the last of the client's */ \
	X(TOO_LARGE)	/* SIZE= or the content passes the limit */ \
	X(TOO_MANY_RCPTS) \
	X(TOO_MANY_MESSAGES) \
	X(TOO_MANY_ERRORS) \
	X(ACCEPT)	/* verdict: yes; in DATA_CHECK: room is reserved */ \
	X(REFUSE)	/* verdict: no, with the driver's own reply */ \
	X(RELAY_DENIED)	/* verdict: no, 550 5.7.1 */ \
	X(DROP)		/* verdict: no, driver's own reply, then close */ \
	X(BUSY)		/* verdict at CONNECT: over the concurrency limit */ \
	X(NO_ROOM)	/* no arena or spool space: 452 */ \
	X(RESOURCES)	/* out of session resources: 421, close */ \
	X(DOT)		/* content complete */ \
	X(STORED)	/* on stable storage */ \
	X(LOST)		/* not stored, or not in time: 451 */ \
	X(OK)		/* TLS or AUTH succeeded */ \
	X(FAILED)	/* TLS or AUTH failed */ \
	X(IDLE)		/* the client was silent for too long */ \
	X(SHUTDOWN)	/* stop or reconfiguration */ \
	X(DISCONNECT)	/* the client is gone */

enum smtp_event {
#define X(e) SMTP_EV_##e,
	SMTP_EVENTS(X)
#undef X
	SMTP_EV_COUNT
};

/* What the driver has to do, in this order.  A set. */
enum smtp_effect {
	SMTP_DO_RESET = 1,	/* forget the transaction */
	SMTP_DO_GREET = 2,	/* send the greeting: the driver builds it */
	SMTP_DO_CHECK_HELLO = 4, /* then step ACCEPT or REFUSE */
	SMTP_DO_SAY_HELLO = 8,	/* smtp_ext_ehlo or, not esmtp, smtp_ext_helo */
	SMTP_DO_CHECK_MAIL = 16,
	SMTP_DO_CHECK_RCPT = 32,
	SMTP_DO_RESERVE = 64,	/* then ACCEPT or NO_ROOM */
	SMTP_DO_RECEIVE = 128,	/* bytes from here on are content */
	SMTP_DO_DISCARD = 256,	/* give the body back; go on decoding */
	SMTP_DO_STORE = 512,	/* then STORED, LOST or NO_ROOM */
	SMTP_DO_TLS = 1024,	/* drop buffered input, handshake */
	SMTP_DO_AUTH = 2048,	/* start the exchange, then OK, FAILED */
	SMTP_DO_ABORT = 4096,	/* give back whatever is held for the message */
	SMTP_DO_SEND_GIVEN = 8192, /* send the driver's own reply */
	SMTP_DO_CLOSE = 16384,	/* flush and close */
};

/* A listener's limits; 0 is unlimited. */
struct smtp_limits {
	uint64_t max_size;		/* Max_Message_Size */
	uint32_t max_recipients;	/* Max_Recipients_Per_Message */
	uint32_t max_messages;		/* Max_Receptions_Per_Connection */
	uint32_t max_errors;		/* the one that ends it; 0: default */
	bool require_ehlo;		/* Require_EHLO: HELO is refused */
};

#define SMTP_ERRORS_DEFAULT 20

struct smtp_session {
	enum smtp_state state;
	bool esmtp;		/* EHLO, not HELO */
	bool leaving;		/* SHUTDOWN came at a bad moment */
	bool tls;
	bool authenticated;
	unsigned offered;	/* enum smtp_ext: what EHLO offers */
	struct smtp_syntax syntax;	/* .ext is kept by the session */
	struct smtp_limits limits;
	uint32_t errors;	/* syntax and sequence errors of the client */
	uint32_t recipients;	/* taken in this transaction */
	uint32_t messages;	/* stored on this connection */
};

struct smtp_out {
	const struct reply_text *reply;	/* NULL: silent, or see effects */
	unsigned effects;
};

/* syntax->ext is what EHLO will offer. */
void smtp_session_init(struct smtp_session *s, const struct smtp_syntax *syntax,
    const struct smtp_limits *limits);
/* One line of the client, as smtp_line gave it (not MORE): parse, guard, step.
 * cmd is filled for the driver's checks. */
struct smtp_out smtp_session_line(struct smtp_session *s,
    enum smtp_line_status line_status, struct slice line,
    struct smtp_command *cmd);
/* One event of the driver. */
struct smtp_out smtp_session_step(struct smtp_session *s, enum smtp_event ev);
/* May a command line be given? */
bool smtp_session_wants_line(const struct smtp_session *s);
/* After a message: leaving and idle, so step SHUTDOWN again. */
bool smtp_session_wants_shutdown(const struct smtp_session *s);
/* Changes what is offered (policy, TLS); holds from the next EHLO on. */
void smtp_session_offer(struct smtp_session *s, unsigned ext);
/* out->reply onto buf with the enhanced code if the client knows it. */
bool smtp_session_put(const struct smtp_session *s, struct buf *buf,
    const struct smtp_out *out, struct slice detail);
const char *smtp_state_name(enum smtp_state st);
const char *smtp_event_name(enum smtp_event ev);

/* For tests and documentation: one cell; next is SMTP_ST_NONE when empty. */
struct smtp_cell {
	enum smtp_state next;
	const struct reply_text *reply;
	unsigned effects;
};
struct smtp_cell smtp_session_cell(enum smtp_state st, enum smtp_event ev);

#endif
