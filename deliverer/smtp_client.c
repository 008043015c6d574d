/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine of one outbound connection.
 *
 *	BANNER -> EHLO (-> HELO) -> IDLE -> [RSET] -> MAIL -> RCPT.. -> DATA
 *	   -> BODY -> DOT -> IDLE, or MAIL of the mail sent behind the dot
 *
 * A mail that is refused early while its whole group is under way keeps
 * taking replies in order; they no longer change its results.
 */
#include "deliverer/smtp_client.h"

#include "common/mail/envelope.h"
#include "deliverer/smtp_envelope.h"

enum rule {
	BREAK,		/* the protocol is broken: the empty cell */
	GREET,		/* say EHLO, or HELO */
	SAY_HELO,
	GREETED,
	HOST_REFUSES,	/* this host takes no mail now */
	HOST_MUTE,	/* the same without a reply */
	COME_WITH_HELO,
	BEGIN,		/* RSET is done */
	NO_BEGIN,	/* RSET is refused: useless, but the mail is whole */
	MAIL_TAKEN,
	MAIL_REFUSED,
	RCPT_TAKEN,
	RCPT_REFUSED,
	DATA_GO,
	DATA_REFUSED,
	EARLY,		/* a refusal before the dot was sent */
	VERDICT,
	ABORTED,
	LEAVE,		/* nothing is lost by the end */
	SHUT,		/* 421 while a mail is under way */
	LOST,		/* the connection is gone, or mute */
	NOTHING,
};

static const uint8_t rules[SMTP_STATE_COUNT][SMTP_EV_COUNT] = {
	[SMTP_STATE_BANNER] = {
		[SMTP_EV_DONE] = GREET, [SMTP_EV_GO_ON] = HOST_REFUSES,
		[SMTP_EV_TRANSIENT] = HOST_REFUSES,
		[SMTP_EV_PERMANENT] = HOST_REFUSES,
		[SMTP_EV_SHUT] = HOST_REFUSES, [SMTP_EV_GARBAGE] = HOST_MUTE,
		[SMTP_EV_CLOSED] = HOST_MUTE, [SMTP_EV_TIMEOUT] = HOST_MUTE,
	},
	[SMTP_STATE_EHLO] = {
		[SMTP_EV_DONE] = GREETED, [SMTP_EV_GO_ON] = HOST_REFUSES,
		[SMTP_EV_TRANSIENT] = HOST_REFUSES,
		[SMTP_EV_PERMANENT] = SAY_HELO,
		[SMTP_EV_SHUT] = HOST_REFUSES, [SMTP_EV_GARBAGE] = HOST_MUTE,
		[SMTP_EV_CLOSED] = COME_WITH_HELO,
		[SMTP_EV_TIMEOUT] = HOST_MUTE,
	},
	[SMTP_STATE_HELO] = {
		[SMTP_EV_DONE] = GREETED, [SMTP_EV_GO_ON] = HOST_REFUSES,
		[SMTP_EV_TRANSIENT] = HOST_REFUSES,
		[SMTP_EV_PERMANENT] = HOST_REFUSES,
		[SMTP_EV_SHUT] = HOST_REFUSES, [SMTP_EV_GARBAGE] = HOST_MUTE,
		[SMTP_EV_CLOSED] = HOST_MUTE, [SMTP_EV_TIMEOUT] = HOST_MUTE,
	},
	[SMTP_STATE_IDLE] = {
		[SMTP_EV_SHUT] = LEAVE, [SMTP_EV_CLOSED] = LEAVE,
		[SMTP_EV_TIMEOUT] = LEAVE,
	},
	[SMTP_STATE_RSET] = {
		[SMTP_EV_DONE] = BEGIN, [SMTP_EV_GO_ON] = NO_BEGIN,
		[SMTP_EV_TRANSIENT] = NO_BEGIN, [SMTP_EV_PERMANENT] = NO_BEGIN,
		[SMTP_EV_SHUT] = NO_BEGIN, [SMTP_EV_GARBAGE] = NO_BEGIN,
		[SMTP_EV_CLOSED] = NO_BEGIN, [SMTP_EV_TIMEOUT] = NO_BEGIN,
	},
	[SMTP_STATE_MAIL] = {
		[SMTP_EV_DONE] = MAIL_TAKEN,
		[SMTP_EV_TRANSIENT] = MAIL_REFUSED,
		[SMTP_EV_PERMANENT] = MAIL_REFUSED, [SMTP_EV_SHUT] = SHUT,
		[SMTP_EV_CLOSED] = LOST, [SMTP_EV_TIMEOUT] = LOST,
	},
	[SMTP_STATE_RCPT] = {
		[SMTP_EV_DONE] = RCPT_TAKEN,
		[SMTP_EV_TRANSIENT] = RCPT_REFUSED,
		[SMTP_EV_PERMANENT] = RCPT_REFUSED, [SMTP_EV_SHUT] = SHUT,
		[SMTP_EV_CLOSED] = LOST, [SMTP_EV_TIMEOUT] = LOST,
	},
	[SMTP_STATE_DATA] = {
		[SMTP_EV_GO_ON] = DATA_GO,
		[SMTP_EV_TRANSIENT] = DATA_REFUSED,
		[SMTP_EV_PERMANENT] = DATA_REFUSED, [SMTP_EV_SHUT] = SHUT,
		[SMTP_EV_CLOSED] = LOST, [SMTP_EV_TIMEOUT] = LOST,
	},
	[SMTP_STATE_BODY] = {
		[SMTP_EV_TRANSIENT] = EARLY, [SMTP_EV_PERMANENT] = EARLY,
		[SMTP_EV_SHUT] = SHUT, [SMTP_EV_CLOSED] = LOST,
		[SMTP_EV_TIMEOUT] = LOST,
	},
	[SMTP_STATE_DOT] = {
		[SMTP_EV_DONE] = VERDICT, [SMTP_EV_TRANSIENT] = VERDICT,
		[SMTP_EV_PERMANENT] = VERDICT, [SMTP_EV_SHUT] = SHUT,
		[SMTP_EV_CLOSED] = LOST, [SMTP_EV_TIMEOUT] = LOST,
	},
	[SMTP_STATE_ABORT] = {
		[SMTP_EV_DONE] = ABORTED, [SMTP_EV_TRANSIENT] = ABORTED,
		[SMTP_EV_PERMANENT] = ABORTED, [SMTP_EV_SHUT] = SHUT,
		[SMTP_EV_CLOSED] = LOST, [SMTP_EV_TIMEOUT] = LOST,
	},
	[SMTP_STATE_QUIT] = {
		[SMTP_EV_DONE] = LEAVE, [SMTP_EV_GO_ON] = LEAVE,
		[SMTP_EV_TRANSIENT] = LEAVE, [SMTP_EV_PERMANENT] = LEAVE,
		[SMTP_EV_SHUT] = LEAVE, [SMTP_EV_GARBAGE] = LEAVE,
		[SMTP_EV_CLOSED] = LEAVE, [SMTP_EV_TIMEOUT] = LEAVE,
	},
	[SMTP_STATE_CLOSED] = {
		NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING,
		NOTHING,
	},
};

static const struct {
	const char *name;
	uint8_t stage;			/* enum event_stage */
	uint8_t mute;			/* enum internal_failure: no reply */
} states[SMTP_STATE_COUNT] = {
	[SMTP_STATE_BANNER] = { "BANNER", STAGE_BANNER, INTERNAL_NO_BANNER },
	[SMTP_STATE_EHLO] = { "EHLO", STAGE_EHLO, INTERNAL_NO_EHLO },
	[SMTP_STATE_HELO] = { "HELO", STAGE_EHLO, INTERNAL_NO_EHLO },
	[SMTP_STATE_IDLE] = { "IDLE", STAGE_IDLE, INTERNAL_CLOSED },
	[SMTP_STATE_RSET] = { "RSET", STAGE_RSET, INTERNAL_NO_RSET },
	[SMTP_STATE_MAIL] = { "MAIL", STAGE_MAIL_FROM, INTERNAL_NO_MAIL },
	[SMTP_STATE_RCPT] = { "RCPT", STAGE_RCPT_TO, INTERNAL_NO_RCPT },
	[SMTP_STATE_DATA] = { "DATA", STAGE_DATA, INTERNAL_NO_DATA },
	[SMTP_STATE_BODY] = { "BODY", STAGE_BODY, INTERNAL_SEND_BODY },
	[SMTP_STATE_DOT] = { "DOT", STAGE_CONFIRMATION, INTERNAL_NO_BODY },
	[SMTP_STATE_ABORT] = { "ABORT", STAGE_CONFIRMATION, INTERNAL_NO_BODY },
	[SMTP_STATE_QUIT] = { "QUIT", STAGE_IDLE, INTERNAL_CLOSED },
	[SMTP_STATE_CLOSED] = { "CLOSED", STAGE_IDLE, INTERNAL_CLOSED },
};

unsigned
smtp_client_rule(unsigned state, unsigned event)
{
	ec_assert(state < SMTP_STATE_COUNT && event < SMTP_EV_COUNT);
	return rules[state][event];
}

const char *
smtp_state_name(unsigned state)
{
	return state < SMTP_STATE_COUNT ? states[state].name : "unknown";
}

unsigned
smtp_client_stage(const struct smtp_client *c)
{
	return states[c->state].stage;
}

void
smtp_client_init(struct smtp_client *c, struct slice name, bool helo,
    struct buf *out)
{
	/* Not the parser's text: 4 KiB need no clearing. */
	memset(c, 0, offsetof(struct smtp_client, reply));
	reply_parser_init(&c->reply);
	c->name = name;
	c->helo = helo;
	c->out = out;
}

static bool
pipelines(const struct smtp_client *c)
{
	return (c->caps & SMTP_CAP_PIPELINING) != 0;
}

static void
put_hello(struct smtp_client *c, struct slice verb)
{
	buf_add(c->out, verb);
	buf_add(c->out, c->name);
	buf_add(c->out, SLICE("\r\n"));
}

static void
put_group(struct smtp_client *c, const struct smtp_mail *m)
{
	smtp_put_mail(c->out, m, c->caps);
	if (pipelines(c)) {
		for (uint32_t i = 0; i < m->n_rcpt; i++) {
			smtp_put_rcpt(c->out, &m->rcpt[i], c->caps);
		}
		buf_add(c->out, SLICE("DATA\r\n"));
	}
}

static bool
is_sendable(const struct smtp_mail *m)
{
	for (uint32_t i = 0; i < m->n_rcpt; i++) {
		if (!smtp_address_is_sendable(m->rcpt[i].addr) ||
		    !smtp_address_is_sendable(m->rcpt[i].orcpt)) {
			return false;
		}
	}
	return smtp_address_is_sendable(m->sender) &&
	    smtp_address_is_sendable(m->envid);
}

enum smtp_effect
smtp_client_mail(struct smtp_client *c, struct smtp_mail *m)
{
	bool next = smtp_client_takes_next(c);

	ec_assert(next || c->state == SMTP_STATE_IDLE);
	ec_assert(m->n_rcpt > 0);
	smtp_mail_reset(m);
	if (!is_sendable(m)) {
		smtp_mail_fail(m, STAGE_IDLE, INTERNAL_BAD_ADDRESS);
	} else if ((m->flags & ENVELOPE_SMTPUTF8) != 0 &&
	    (c->caps & SMTP_CAP_SMTPUTF8) == 0) {
		smtp_mail_fail(m, STAGE_AFTER_EHLO, INTERNAL_NO_SMTPUTF8);
	} else if (next) {
		/* RFC 2920 3.1: content may be the first of a group. */
		c->mail[1] = m;
		put_group(c, m);
		return SMTP_STEP;
	} else {
		c->mail[0] = m;
		c->at = 0;
		c->state = SMTP_STATE_MAIL;
		if (c->dirty) {
			buf_add(c->out, SLICE("RSET\r\n"));
			c->state = SMTP_STATE_RSET;
		}
		if (!c->dirty || pipelines(c)) {
			put_group(c, m);
		}
		c->dirty = false;
		return SMTP_STEP;
	}
	c->done = m;
	return SMTP_DONE;
}

bool
smtp_client_takes_next(const struct smtp_client *c)
{
	return c->state == SMTP_STATE_BODY && pipelines(c) &&
	    c->mail[1] == NULL;
}

void
smtp_client_dot_sent(struct smtp_client *c)
{
	ec_assert(c->state == SMTP_STATE_BODY);
	c->state = SMTP_STATE_DOT;
}

void
smtp_client_quit(struct smtp_client *c)
{
	ec_assert(c->state == SMTP_STATE_IDLE);
	buf_add(c->out, SLICE("QUIT\r\n"));
	c->state = SMTP_STATE_QUIT;
}

/* The reply at hand as one line. */
static struct slice
fold(const struct smtp_client *c, char *text, size_t size)
{
	return slice_make(text, reply_fold(&c->reply, text, size));
}

static enum smtp_effect
end(struct smtp_client *c, enum smtp_end how)
{
	c->state = SMTP_STATE_CLOSED;
	c->end = how;
	return SMTP_END;
}

/* mail[0] has all its results. */
static enum smtp_effect
finish(struct smtp_client *c)
{
	c->done = c->mail[0];
	c->mail[0] = c->mail[1];
	c->mail[1] = NULL;
	c->n_done++;
	c->at = 0;
	c->state = c->mail[0] != NULL ? SMTP_STATE_MAIL : SMTP_STATE_IDLE;
	return SMTP_DONE;
}

/* The open recipients of mail[0] get the reply at hand. */
static void
settle_by_reply(struct smtp_client *c)
{
	char text[EVENT_REPLY_MAX];
	unsigned stage = smtp_client_stage(c);
	unsigned kind = reply_class(stage, c->reply.code);

	/* Nobody wants to read what a server says when all is well. */
	smtp_mail_settle(c->mail[0], kind, stage, c->reply.code,
	    kind == EVENT_DELIVERY ? (struct slice){ NULL, 0 } :
	    fold(c, text, sizeof text));
}

/* The mail at hand gets what failure says, the one behind it goes elsewhere,
 * and so does a mail of which nothing was judged on a connection that had
 * served before: servers hang up on idle ones at the worst moment. */
static enum smtp_effect
give_up(struct smtp_client *c, bool may_retry, bool by_reply,
    enum internal_failure f)
{
	if (c->mail[1] != NULL) {
		c->mail[1]->retry = true;
	}
	if (c->mail[0] == NULL) {
		return end(c, SMTP_END_LOST);
	}
	if (may_retry) {
		c->mail[0]->retry = true;
	} else if (by_reply) {
		c->answered = true;
		settle_by_reply(c);
	} else {
		smtp_mail_fail(c->mail[0], smtp_client_stage(c), f);
	}
	return end(c, SMTP_END_LOST);
}

static enum smtp_effect
host_fails(struct smtp_client *c, enum smtp_event ev, bool by_reply)
{
	unsigned stage = smtp_client_stage(c);
	const struct internal_text *t;
	size_t len;

	if (by_reply) {
		len = reply_fold(&c->reply, c->failure_text,
		    sizeof c->failure_text);
		c->failure.code = c->reply.code;
	} else {
		t = internal_text(ev == SMTP_EV_GARBAGE ? INTERNAL_PROTOCOL :
		    (enum internal_failure)states[c->state].mute);
		len = strlen(t->text);
		memcpy(c->failure_text, t->text, len);
		c->failure.code = t->code;
	}
	c->failure.kind = (uint8_t)reply_class(stage, c->failure.code);
	c->failure.stage = (uint8_t)stage;
	c->failure.text_len = (uint16_t)len;
	return end(c, SMTP_END_HOST);
}

static enum smtp_effect
greet(struct smtp_client *c, bool helo)
{
	put_hello(c, helo ? SLICE("HELO ") : SLICE("EHLO "));
	c->state = helo ? SMTP_STATE_HELO : SMTP_STATE_EHLO;
	return SMTP_STEP;
}

static enum smtp_effect
greeted(struct smtp_client *c)
{
	if (c->state == SMTP_STATE_EHLO) {
		c->caps = smtp_read_caps(reply_text(&c->reply),
		    &c->size_limit);
	}
	c->state = SMTP_STATE_IDLE;
	return SMTP_READY;
}

static enum smtp_effect
begin(struct smtp_client *c)
{
	c->state = SMTP_STATE_MAIL;
	if (!pipelines(c)) {
		put_group(c, c->mail[0]);
	}
	return SMTP_STEP;
}

static enum smtp_effect
mail_answered(struct smtp_client *c, bool taken)
{
	if (!taken) {
		settle_by_reply(c);
		if (!pipelines(c)) {
			return finish(c);
		}
	} else if (!pipelines(c)) {
		smtp_put_rcpt(c->out, &c->mail[0]->rcpt[0], c->caps);
	}
	c->state = SMTP_STATE_RCPT;
	return SMTP_STEP;
}

static enum smtp_effect
rcpt_answered(struct smtp_client *c, bool taken)
{
	struct smtp_mail *m = c->mail[0];
	struct smtp_rcpt *r = &m->rcpt[c->at];
	char text[EVENT_REPLY_MAX];

	/* It has a result already if MAIL was refused. */
	if (r->result.kind == 0 && taken) {
		r->accepted = true;
		m->n_accepted++;
	} else if (r->result.kind == 0) {
		r->result = smtp_mail_result(m,
		    reply_class(STAGE_RCPT_TO, c->reply.code), STAGE_RCPT_TO,
		    c->reply.code, fold(c, text, sizeof text));
	}
	if (++c->at < m->n_rcpt) {
		if (!pipelines(c)) {
			smtp_put_rcpt(c->out, &m->rcpt[c->at], c->caps);
		}
		return SMTP_STEP;
	}
	if (!pipelines(c)) {
		if (m->n_accepted == 0) {
			c->dirty = true;
			return finish(c);
		}
		buf_add(c->out, SLICE("DATA\r\n"));
	}
	c->state = SMTP_STATE_DATA;
	return SMTP_STEP;
}

static enum smtp_effect
data_goes(struct smtp_client *c)
{
	if (c->mail[0]->n_accepted == 0) {
		/* RFC 2920 3.1: an empty message for nobody. */
		buf_add(c->out, SLICE(".\r\n"));
		c->state = SMTP_STATE_ABORT;
		return SMTP_STEP;
	}
	c->state = SMTP_STATE_BODY;
	return SMTP_BODY;
}

static enum smtp_effect
data_refused(struct smtp_client *c)
{
	settle_by_reply(c);
	/* MAIL and perhaps RCPT stand at the server. */
	c->dirty = true;
	return finish(c);
}

static enum smtp_effect
step(struct smtp_client *c, enum smtp_event ev)
{
	bool reused = c->n_done > 0 && c->state == SMTP_STATE_MAIL;

	switch ((enum rule)rules[c->state][ev]) {
	case GREET:
		return greet(c, c->helo);
	case SAY_HELO:
		return greet(c, true);
	case GREETED:
		return greeted(c);
	case HOST_REFUSES:
		return host_fails(c, ev, true);
	case HOST_MUTE:
		return host_fails(c, ev, false);
	case COME_WITH_HELO:
		return end(c, SMTP_END_HELO);
	case BEGIN:
		return begin(c);
	case NO_BEGIN:
		return give_up(c, true, false, INTERNAL_NO_RSET);
	case MAIL_TAKEN:
	case MAIL_REFUSED:
		return mail_answered(c, ev == SMTP_EV_DONE);
	case RCPT_TAKEN:
	case RCPT_REFUSED:
		return rcpt_answered(c, ev == SMTP_EV_DONE);
	case DATA_GO:
		return data_goes(c);
	case DATA_REFUSED:
		return data_refused(c);
	case EARLY:
		return give_up(c, false, true, INTERNAL_CLOSED);
	case VERDICT:
		settle_by_reply(c);
		return finish(c);
	case ABORTED:
		return finish(c);
	case LEAVE:
		return end(c, c->state == SMTP_STATE_QUIT ? SMTP_END_QUIT :
		    SMTP_END_LOST);
	case SHUT:
		return give_up(c, reused, true, INTERNAL_CLOSED);
	case LOST:
		return give_up(c, reused && ev == SMTP_EV_CLOSED, false,
		    ev == SMTP_EV_CLOSED ? INTERNAL_CLOSED :
		    (enum internal_failure)states[c->state].mute);
	case BREAK:
		return give_up(c, false, false, INTERNAL_PROTOCOL);
	case NOTHING:
		break;
	}
	return SMTP_MORE;
}

static enum smtp_event
event_of(unsigned code)
{
	switch (code / 100) {
	case 2:
		return SMTP_EV_DONE;
	case 3:
		return SMTP_EV_GO_ON;
	case 4:
		return code == 421 ? SMTP_EV_SHUT : SMTP_EV_TRANSIENT;
	case 5:
		return SMTP_EV_PERMANENT;
	}
	return SMTP_EV_GARBAGE;
}

enum smtp_effect
smtp_client_feed(struct smtp_client *c, struct slice in, size_t *used_out)
{
	enum smtp_effect eff;
	enum smtp_event ev = SMTP_EV_GARBAGE;

	*used_out = in.len;
	if (c->state == SMTP_STATE_CLOSED) {
		return SMTP_MORE;
	}
	switch (reply_feed(&c->reply, in, used_out)) {
	case REPLY_MORE:
		return SMTP_MORE;
	case REPLY_OK:
	case REPLY_MIXED_CODES:
		ev = event_of(c->reply.code);
		break;
	case REPLY_BAD_CODE:
	case REPLY_BAD_SEPARATOR:
	case REPLY_TOO_MANY_LINES:
	case REPLY_TOO_LONG:
	case REPLY_STATUS_COUNT:
		break;
	}
	eff = step(c, ev);
	reply_parser_init(&c->reply);
	return eff;
}

enum smtp_effect
smtp_client_closed(struct smtp_client *c)
{
	return step(c, SMTP_EV_CLOSED);
}

enum smtp_effect
smtp_client_timeout(struct smtp_client *c)
{
	return step(c, SMTP_EV_TIMEOUT);
}
