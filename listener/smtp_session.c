/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The session as one table.  Reading a row: in this state, at this event, move
 * there, answer this, have the driver do that; try the guard first.
 *
 * An empty cell is 503 for a command of the client.  For an event of the driver
 * it means that an answer came too late (STORED after LOST, a verdict after the
 * idle timeout): nothing happens.
 */
#include "listener/smtp_session.h"

/* id, code, enhanced, text.  GIVEN stands for the driver's own. */
#define REPLIES(X) \
	X(MAIL_OK, 250, "2.1.0", "sender ok") \
	X(RCPT_OK, 250, "2.1.5", "recipient ok") \
	X(RESET, 250, "2.0.0", "reset") \
	X(NOOP, 250, "2.0.0", "ok") \
	X(STORED, 250, "2.0.0", "OK") \
	X(VRFY, 252, "2.5.2", "send some mail and see") \
	X(HELP, 214, "2.0.0", "see RFC 5321") \
	X(BYE, 221, "2.0.0", "closing connection") \
	X(TLS_GO, 220, "2.0.0", "ready to start TLS") \
	X(AUTH_OK, 235, "2.7.0", "authentication succeeded") \
	X(AUTH_FAILED, 535, "5.7.8", "authentication failed") \
	X(AUTH_TWICE, 503, "5.5.1", "already authenticated") \
	X(GO_AHEAD, 354, NULL, "go ahead, end with a dot") \
	X(SEQUENCE, 503, "5.5.1", "bad sequence of commands") \
	X(UNIMPLEMENTED, 502, "5.5.1", "command not implemented") \
	X(EHLO_NEEDED, 550, "5.7.1", "EHLO required") \
	X(RELAY_DENIED, 550, "5.7.1", "relaying denied") \
	X(TOO_LARGE, 552, "5.3.4", "message size limit exceeded") \
	X(NO_ROOM, 452, "4.3.1", "insufficient system storage") \
	X(NOT_STORED, 451, "4.3.0", "message not stored, try again later") \
	X(TOO_MANY_RCPTS, 452, "4.5.3", "too many recipients") \
	X(TOO_MANY_MESSAGES, 421, "4.5.3", \
	    "too many messages on this connection") \
	X(TOO_MANY_ERRORS, 421, "4.7.0", "too many errors") \
	X(BUSY, 421, "4.4.5", \
	    "Service unavailable, concurrency limit reached") \
	X(IDLE, 421, "4.4.2", "idle for too long") \
	X(SHUTDOWN, 421, "4.3.2", "Reconfiguration in progress") \
	X(RESOURCES, 421, "4.3.4", "allocated resources exceeded")

enum reply_id {
	R_NONE,
#define X(id, code, enh, text) R_##id,
	REPLIES(X)
#undef X
	R_COUNT
};

static const struct reply_text replies[R_COUNT] = {
#define X(id, code, enh, text) [R_##id] = { code, enh, text },
	REPLIES(X)
#undef X
};

/* Tried before the move; may put another event in its place. */
enum guard {
	G_NONE,
	G_HELO,		/* Require_EHLO */
	G_MAIL,		/* messages on this connection, declared size */
	G_RCPT,		/* recipients of this message */
	G_STARTTLS,	/* offered? */
	G_AUTH,
};

struct row {
	uint8_t next;		/* enum smtp_state */
	uint8_t reply;		/* enum reply_id */
	uint8_t guard;
	uint16_t effects;	/* set of enum smtp_effect */
};

#define ST(s) SMTP_ST_##s
#define DO(e) SMTP_DO_##e
#define CLOSE_WITH(reply) { ST(CLOSING), reply, G_NONE, DO(ABORT) | DO(CLOSE) }

/* Every state of a living connection. */
#define ALIVE \
	[SMTP_EV_RESOURCES] = CLOSE_WITH(R_RESOURCES), \
	[SMTP_EV_IDLE] = CLOSE_WITH(R_IDLE), \
	[SMTP_EV_DISCONNECT] = { ST(CLOSED), R_NONE, G_NONE, \
	    DO(ABORT) | DO(CLOSE) }

/* Every state that takes command lines; here is the state itself, after_reset
 * where RSET leads. */
#define COMMANDS(here, after_reset) \
	ALIVE, \
	[SMTP_EV_NOOP] = { here, R_NOOP }, \
	[SMTP_EV_HELP] = { here, R_HELP }, \
	[SMTP_EV_VRFY] = { here, R_VRFY }, \
	[SMTP_EV_UNIMPLEMENTED] = { here, R_UNIMPLEMENTED }, \
	[SMTP_EV_SYNTAX] = { here, R_NONE, G_NONE, DO(SEND_GIVEN) }, \
	[SMTP_EV_RSET] = { after_reset, R_RESET, G_NONE, DO(RESET) }, \
	[SMTP_EV_QUIT] = CLOSE_WITH(R_BYE), \
	[SMTP_EV_SHUTDOWN] = CLOSE_WITH(R_SHUTDOWN), \
	[SMTP_EV_TOO_MANY_ERRORS] = CLOSE_WITH(R_TOO_MANY_ERRORS), \
	[SMTP_EV_EHLO] = { ST(HELLO_CHECK), R_NONE, G_NONE, \
	    DO(RESET) | DO(CHECK_HELLO) }, \
	[SMTP_EV_HELO] = { ST(HELLO_CHECK), R_NONE, G_HELO, \
	    DO(RESET) | DO(CHECK_HELLO) }

/* A verdict is outstanding; no leads to back. */
#define CHECK(back) \
	ALIVE, \
	[SMTP_EV_REFUSE] = { back, R_NONE, G_NONE, DO(SEND_GIVEN) }, \
	[SMTP_EV_RELAY_DENIED] = { back, R_RELAY_DENIED }, \
	[SMTP_EV_NO_ROOM] = { back, R_NO_ROOM }, \
	[SMTP_EV_TOO_LARGE] = { back, R_TOO_LARGE }, \
	[SMTP_EV_DROP] = { ST(CLOSING), R_NONE, G_NONE, \
	    DO(ABORT) | DO(SEND_GIVEN) | DO(CLOSE) }, \
	[SMTP_EV_SHUTDOWN] = CLOSE_WITH(R_SHUTDOWN)

/* Content is thrown away up to its dot, then refused. */
#define DISCARD(reply) \
	ALIVE, \
	[SMTP_EV_DOT] = { ST(READY), reply, G_NONE, DO(RESET) }, \
	[SMTP_EV_SHUTDOWN] = CLOSE_WITH(R_SHUTDOWN)

static const struct row rows[SMTP_ST_COUNT][SMTP_EV_COUNT] = {
	[ST(CONNECT)] = {
		ALIVE,
		[SMTP_EV_ACCEPT] = { ST(GREETED), R_NONE, G_NONE, DO(GREET) },
		[SMTP_EV_REFUSE] = { ST(CLOSING), R_NONE, G_NONE,
		    DO(SEND_GIVEN) | DO(CLOSE) },
		[SMTP_EV_DROP] = { ST(CLOSING), R_NONE, G_NONE,
		    DO(SEND_GIVEN) | DO(CLOSE) },
		[SMTP_EV_BUSY] = CLOSE_WITH(R_BUSY),
		[SMTP_EV_SHUTDOWN] = CLOSE_WITH(R_SHUTDOWN),
	},
	[ST(GREETED)] = {
		COMMANDS(ST(GREETED), ST(GREETED)),
	},
	[ST(HELLO_CHECK)] = {
		CHECK(ST(GREETED)),
		[SMTP_EV_ACCEPT] = { ST(READY), R_NONE, G_NONE, DO(SAY_HELLO) },
	},
	[ST(READY)] = {
		COMMANDS(ST(READY), ST(READY)),
		[SMTP_EV_MAIL] = { ST(MAIL_CHECK), R_NONE, G_MAIL,
		    DO(RESET) | DO(CHECK_MAIL) },
		[SMTP_EV_TOO_LARGE] = { ST(READY), R_TOO_LARGE },
		[SMTP_EV_TOO_MANY_MESSAGES] = CLOSE_WITH(R_TOO_MANY_MESSAGES),
		[SMTP_EV_STARTTLS] = { ST(TLS), R_TLS_GO, G_STARTTLS,
		    DO(RESET) | DO(TLS) },
		[SMTP_EV_AUTH] = { ST(AUTH), R_NONE, G_AUTH, DO(AUTH) },
	},
	[ST(MAIL_CHECK)] = {
		CHECK(ST(READY)),
		[SMTP_EV_ACCEPT] = { ST(MAIL), R_MAIL_OK },
	},
	[ST(MAIL)] = {
		COMMANDS(ST(MAIL), ST(READY)),
		[SMTP_EV_RCPT] = { ST(RCPT1_CHECK), R_NONE, G_NONE,
		    DO(CHECK_RCPT) },
	},
	[ST(RCPT1_CHECK)] = {
		CHECK(ST(MAIL)),
		[SMTP_EV_ACCEPT] = { ST(RCPT), R_RCPT_OK },
		[SMTP_EV_TOO_MANY_RCPTS] = { ST(MAIL), R_TOO_MANY_RCPTS },
	},
	[ST(RCPT)] = {
		COMMANDS(ST(RCPT), ST(READY)),
		[SMTP_EV_RCPT] = { ST(RCPT_CHECK), R_NONE, G_RCPT,
		    DO(CHECK_RCPT) },
		[SMTP_EV_TOO_MANY_RCPTS] = { ST(RCPT), R_TOO_MANY_RCPTS },
		[SMTP_EV_DATA] = { ST(DATA_CHECK), R_NONE, G_NONE,
		    DO(RESERVE) },
	},
	[ST(RCPT_CHECK)] = {
		CHECK(ST(RCPT)),
		[SMTP_EV_ACCEPT] = { ST(RCPT), R_RCPT_OK },
		[SMTP_EV_TOO_MANY_RCPTS] = { ST(RCPT), R_TOO_MANY_RCPTS },
	},
	[ST(DATA_CHECK)] = {
		/* Refused: the transaction stands, DATA may be tried again. */
		CHECK(ST(RCPT)),
		[SMTP_EV_ACCEPT] = { ST(DATA), R_GO_AHEAD, G_NONE,
		    DO(RECEIVE) },
	},
	[ST(DATA)] = {
		ALIVE,
		[SMTP_EV_DOT] = { ST(STORING), R_NONE, G_NONE, DO(STORE) },
		[SMTP_EV_TOO_LARGE] = { ST(DISCARD_LARGE), R_NONE, G_NONE,
		    DO(DISCARD) },
		[SMTP_EV_NO_ROOM] = { ST(DISCARD_FULL), R_NONE, G_NONE,
		    DO(DISCARD) },
		/* After the dot, by the content: loop, bad lines, policy. */
		[SMTP_EV_REFUSE] = { ST(READY), R_NONE, G_NONE,
		    DO(RESET) | DO(SEND_GIVEN) },
		[SMTP_EV_DROP] = { ST(CLOSING), R_NONE, G_NONE,
		    DO(ABORT) | DO(SEND_GIVEN) | DO(CLOSE) },
		/* Never in the middle of a message. */
		[SMTP_EV_SHUTDOWN] = { ST(DATA) },
	},
	[ST(DISCARD_LARGE)] = { DISCARD(R_TOO_LARGE) },
	[ST(DISCARD_FULL)] = { DISCARD(R_NO_ROOM) },
	[ST(STORING)] = {
		/* The one 250 for a message. */
		[SMTP_EV_STORED] = { ST(READY), R_STORED, G_NONE, DO(RESET) },
		[SMTP_EV_LOST] = { ST(READY), R_NOT_STORED, G_NONE,
		    DO(RESET) },
		[SMTP_EV_NO_ROOM] = { ST(READY), R_NO_ROOM, G_NONE,
		    DO(RESET) },
		[SMTP_EV_REFUSE] = { ST(READY), R_NONE, G_NONE,
		    DO(RESET) | DO(SEND_GIVEN) },
		[SMTP_EV_SHUTDOWN] = { ST(STORING) },
		/* No ABORT: the spooler has it, and keeps it (RFC 5321
		 * 4.1.1.5); the client will send it again. */
		[SMTP_EV_DISCONNECT] = { ST(CLOSED), R_NONE, G_NONE,
		    DO(CLOSE) },
	},
	[ST(TLS)] = {
		ALIVE,
		/* RFC 3207 4.2: all that was said before is forgotten. */
		[SMTP_EV_OK] = { ST(GREETED), R_NONE, G_NONE, DO(RESET) },
		[SMTP_EV_FAILED] = { ST(CLOSING), R_NONE, G_NONE, DO(CLOSE) },
		[SMTP_EV_SHUTDOWN] = { ST(TLS) },
	},
	[ST(AUTH)] = {
		ALIVE,
		[SMTP_EV_OK] = { ST(READY), R_AUTH_OK },
		[SMTP_EV_FAILED] = { ST(READY), R_AUTH_FAILED },
		[SMTP_EV_REFUSE] = { ST(READY), R_NONE, G_NONE,
		    DO(SEND_GIVEN) },
		[SMTP_EV_DROP] = { ST(CLOSING), R_NONE, G_NONE,
		    DO(SEND_GIVEN) | DO(CLOSE) },
		[SMTP_EV_SHUTDOWN] = CLOSE_WITH(R_SHUTDOWN),
	},
	[ST(CLOSING)] = {
		[SMTP_EV_IDLE] = { ST(CLOSED), R_NONE, G_NONE, DO(CLOSE) },
		[SMTP_EV_SHUTDOWN] = { ST(CLOSING) },
		[SMTP_EV_RESOURCES] = { ST(CLOSING) },
		[SMTP_EV_DISCONNECT] = { ST(CLOSED), R_NONE, G_NONE,
		    DO(CLOSE) },
	},
	[ST(CLOSED)] = {
		[SMTP_EV_IDLE] = { ST(CLOSED) },
		[SMTP_EV_SHUTDOWN] = { ST(CLOSED) },
		[SMTP_EV_RESOURCES] = { ST(CLOSED) },
		[SMTP_EV_DISCONNECT] = { ST(CLOSED) },
	},
};

void
smtp_session_init(struct smtp_session *s, const struct smtp_syntax *syntax,
    const struct smtp_limits *limits)
{
	*s = (struct smtp_session){
		.state = SMTP_ST_CONNECT, .offered = syntax->ext,
		.syntax = *syntax, .limits = *limits,
	};
	s->syntax.ext = 0;
	s->syntax.utf8_rcpt = false;
	if (s->limits.max_errors == 0) {
		s->limits.max_errors = SMTP_ERRORS_DEFAULT;
	}
}

void
smtp_session_offer(struct smtp_session *s, unsigned ext)
{
	s->offered = ext;
}

static const struct reply_text *
reply_of(enum reply_id id)
{
	return id == R_NONE ? NULL : &replies[id];
}

/* The transaction's own counters; the driver forgets its part. */
static void
forget_transaction(struct smtp_session *s)
{
	s->recipients = 0;
	s->syntax.utf8_rcpt = false;
}

/* What a move means for the counters. */
static void
count(struct smtp_session *s, enum smtp_state from, enum smtp_event ev)
{
	if (ev == SMTP_EV_ACCEPT &&
	    (from == SMTP_ST_RCPT1_CHECK || from == SMTP_ST_RCPT_CHECK)) {
		s->recipients++;
	} else if (ev == SMTP_EV_STORED) {
		s->messages++;
	} else if (ev == SMTP_EV_OK && from == SMTP_ST_TLS) {
		s->tls = true;
		s->esmtp = false;
		s->authenticated = false;
		s->syntax.ext = 0;
		s->offered &= ~(unsigned)SMTP_EXT_STARTTLS;
	} else if (ev == SMTP_EV_OK) {
		s->authenticated = true;
	}
	/* What EHLO will say is in force from its answer on. */
	if (from == SMTP_ST_HELLO_CHECK && ev == SMTP_EV_ACCEPT) {
		s->syntax.ext = s->esmtp ? s->offered : 0;
	}
}

/* An error of the client, not of policy; past the limit the session ends. */
static struct smtp_out
client_error(struct smtp_session *s, const struct reply_text *reply,
    unsigned effects)
{
	const struct row *r = &rows[s->state][SMTP_EV_TOO_MANY_ERRORS];

	s->errors++;
	if (s->errors < s->limits.max_errors || r->next == SMTP_ST_NONE) {
		return (struct smtp_out){ reply, effects };
	}
	s->state = (enum smtp_state)r->next;
	return (struct smtp_out){ reply_of((enum reply_id)r->reply),
		r->effects };
}

struct smtp_out
smtp_session_step(struct smtp_session *s, enum smtp_event ev)
{
	const struct row *r = &rows[s->state][ev];
	enum smtp_state from = s->state;

	s->leaving |= ev == SMTP_EV_SHUTDOWN;
	if (r->next == SMTP_ST_NONE) {
		/* Behind the last reply nothing may be said. */
		if (ev > SMTP_EV_SYNTAX || s->state == SMTP_ST_CLOSING ||
		    s->state == SMTP_ST_CLOSED) {
			return (struct smtp_out){ NULL, 0 };
		}
		return client_error(s, &replies[R_SEQUENCE], 0);
	}
	if (ev == SMTP_EV_SYNTAX || ev == SMTP_EV_UNIMPLEMENTED) {
		return client_error(s, reply_of((enum reply_id)r->reply),
		    r->effects);
	}
	s->state = (enum smtp_state)r->next;
	if (r->effects & SMTP_DO_RESET) {
		forget_transaction(s);
	}
	count(s, from, ev);
	return (struct smtp_out){ reply_of((enum reply_id)r->reply),
		r->effects };
}

/* ---- commands ---- */

static const uint8_t verb_events[SMTP_VERB_COUNT] = {
	[SMTP_VERB_UNKNOWN] = SMTP_EV_SYNTAX,
	[SMTP_VERB_EHLO] = SMTP_EV_EHLO, [SMTP_VERB_HELO] = SMTP_EV_HELO,
	[SMTP_VERB_MAIL] = SMTP_EV_MAIL, [SMTP_VERB_RCPT] = SMTP_EV_RCPT,
	[SMTP_VERB_DATA] = SMTP_EV_DATA, [SMTP_VERB_RSET] = SMTP_EV_RSET,
	[SMTP_VERB_NOOP] = SMTP_EV_NOOP, [SMTP_VERB_VRFY] = SMTP_EV_VRFY,
	[SMTP_VERB_HELP] = SMTP_EV_HELP, [SMTP_VERB_QUIT] = SMTP_EV_QUIT,
	[SMTP_VERB_STARTTLS] = SMTP_EV_STARTTLS,
	[SMTP_VERB_AUTH] = SMTP_EV_AUTH,
	[SMTP_VERB_EXPN] = SMTP_EV_UNIMPLEMENTED,
	[SMTP_VERB_BDAT] = SMTP_EV_UNIMPLEMENTED,
	[SMTP_VERB_ETRN] = SMTP_EV_UNIMPLEMENTED,
	[SMTP_VERB_XCLIENT] = SMTP_EV_UNIMPLEMENTED,
};

/* The event in the place of ev, or ev itself.  refuse_out is set when the
 * guard answers by itself. */
static enum smtp_event
try_guard(const struct smtp_session *s, enum guard guard, enum smtp_event ev,
    const struct smtp_command *cmd, enum reply_id *refuse_out)
{
	const struct smtp_limits *l = &s->limits;

	switch (guard) {
	case G_NONE:
		break;
	case G_HELO:
		*refuse_out = l->require_ehlo ? R_EHLO_NEEDED : R_NONE;
		break;
	case G_MAIL:
		if (l->max_messages > 0 && s->messages >= l->max_messages) {
			return SMTP_EV_TOO_MANY_MESSAGES;
		}
		if (l->max_size > 0 && cmd->params.size > l->max_size) {
			return SMTP_EV_TOO_LARGE;
		}
		break;
	case G_RCPT:
		if (l->max_recipients > 0 &&
		    s->recipients >= l->max_recipients) {
			return SMTP_EV_TOO_MANY_RCPTS;
		}
		break;
	case G_STARTTLS:
		if (!(s->syntax.ext & SMTP_EXT_STARTTLS)) {
			return SMTP_EV_UNIMPLEMENTED;
		}
		break;
	case G_AUTH:
		if (!(s->syntax.ext & SMTP_EXT_AUTH)) {
			return SMTP_EV_UNIMPLEMENTED;
		}
		*refuse_out = s->authenticated ? R_AUTH_TWICE : R_NONE;
		break;
	}
	return ev;
}

/* A command that parsed. */
static struct smtp_out
command(struct smtp_session *s, const struct smtp_command *cmd)
{
	enum smtp_event ev = (enum smtp_event)verb_events[cmd->verb];
	const struct row *r = &rows[s->state][ev];
	enum reply_id refuse = R_NONE;
	struct smtp_out out;

	if (r->next != SMTP_ST_NONE) {
		ev = try_guard(s, (enum guard)r->guard, ev, cmd, &refuse);
	}
	if (refuse != R_NONE) {
		return client_error(s, &replies[refuse], 0);
	}
	out = smtp_session_step(s, ev);
	if (out.effects & SMTP_DO_CHECK_HELLO) {
		s->esmtp = ev == SMTP_EV_EHLO;
	} else if (out.effects & SMTP_DO_CHECK_MAIL) {
		s->syntax.utf8_rcpt = cmd->params.smtputf8;
	}
	return out;
}

static enum smtp_command_status
line_error(enum smtp_line_status st)
{
	switch (st) {
	case SMTP_LINE_OK:
	case SMTP_LINE_MORE:
		return SMTP_CMD_OK;
	case SMTP_LINE_BARE_LF:
	case SMTP_LINE_BARE_CR:
		return SMTP_CMD_BAD_LINE;
	case SMTP_LINE_NUL:
		return SMTP_CMD_NUL;
	case SMTP_LINE_TOO_LONG:
		return SMTP_CMD_LINE_TOO_LONG;
	}
	return SMTP_CMD_OK;
}

struct smtp_out
smtp_session_line(struct smtp_session *s, enum smtp_line_status line_status,
    struct slice line, struct smtp_command *cmd)
{
	enum smtp_command_status st = line_error(line_status);

	if (st == SMTP_CMD_OK) {
		st = smtp_command_parse(line, &s->syntax, cmd);
	} else {
		*cmd = (struct smtp_command){ .verb = SMTP_VERB_UNKNOWN };
	}
	if (s->leaving && smtp_session_wants_line(s)) {
		return smtp_session_step(s, SMTP_EV_SHUTDOWN);
	}
	if (st != SMTP_CMD_OK && s->state != SMTP_ST_CLOSING &&
	    s->state != SMTP_ST_CLOSED) {
		return client_error(s, smtp_command_reply(st), 0);
	}
	return command(s, cmd);
}

bool
smtp_session_wants_line(const struct smtp_session *s)
{
	return rows[s->state][SMTP_EV_NOOP].next != SMTP_ST_NONE;
}

bool
smtp_session_wants_shutdown(const struct smtp_session *s)
{
	return s->leaving && smtp_session_wants_line(s);
}

bool
smtp_session_put(const struct smtp_session *s, struct buf *buf,
    const struct smtp_out *out, struct slice detail)
{
	/* The listener's choice, not the client's: before EHLO too. */
	bool enhanced = (s->offered & SMTP_EXT_ENHANCEDSTATUSCODES) != 0;

	return out->reply == NULL ||
	    reply_put(buf, out->reply, enhanced, detail);
}

struct smtp_cell
smtp_session_cell(enum smtp_state st, enum smtp_event ev)
{
	const struct row *r = &rows[st][ev];

	return (struct smtp_cell){ (enum smtp_state)r->next,
		reply_of((enum reply_id)r->reply), r->effects };
}

const char *
smtp_state_name(enum smtp_state st)
{
	static const char *const names[SMTP_ST_COUNT] = {
		[SMTP_ST_NONE] = "none",
#define X(s) [SMTP_ST_##s] = #s,
		SMTP_STATES(X)
#undef X
	};

	return names[st];
}

const char *
smtp_event_name(enum smtp_event ev)
{
	static const char *const names[SMTP_EV_COUNT] = {
#define X(e) [SMTP_EV_##e] = #e,
		SMTP_EVENTS(X)
#undef X
	};

	return names[ev];
}
