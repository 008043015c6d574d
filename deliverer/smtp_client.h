/* SPDX-License-Identifier: Apache-2.0 */
/*
 * smtp_client: one outbound SMTP connection (RFC 5321, 2920) without sockets.
 * In go the server's bytes, end of file and time-outs; out come the bytes to
 * send (appended to the buffer given), an effect after each reply, and one
 * result per recipient.
 *
 *	smtp_client_init(&c, SLICE("mail.example.com"), false, &out);
 *	eff = smtp_client_feed(&c, in, &used);	// until SMTP_MORE or SMTP_END
 *	SMTP_READY	smtp_client_mail(&c, &mail);
 *	SMTP_BODY	write the content and its dot; smtp_client_dot_sent()
 *	SMTP_DONE	c.done is the mail whose results stand
 *	SMTP_END	close; what c.mail[] still holds is done or to be retried
 *
 * With PIPELINING a second mail may be given once the dot of the first has
 * been put behind its content (smtp_client_takes_next()): its commands go out
 * in one group with that dot, and replies are matched in order.
 *
 * A mail belongs to its owner; the machine writes results into it and forgets
 * it with SMTP_DONE or SMTP_END.  Bytes of the peer never break anything here:
 * what does not fit ends the connection with a defined result.
 */
#ifndef EC_SMTP_CLIENT_H
#define EC_SMTP_CLIENT_H

#include "common/base/buf.h"
#include "common/base/slice.h"
#include "common/mail/msgid.h"
#include "common/mail/reply.h"
#include "deliverer/reply_class.h"

#define SMTP_TEXTS_MAX 60000u	/* reply texts of one mail */
#define SMTP_FAILURE_MAX 512u

struct smtp_result {
	uint8_t kind;		/* enum event_kind; 0: none yet */
	uint8_t stage;		/* enum event_stage */
	uint16_t code;
	uint16_t text_len;
	uint32_t text_at;	/* in mail->texts */
};

struct smtp_rcpt {
	msgid id;
	struct slice addr, orcpt;
	uint8_t notify;
	bool accepted;		/* by RCPT */
	struct smtp_result result;
};

struct smtp_mail {
	struct slice sender, envid;
	uint32_t flags;		/* of the envelope */
	uint64_t size;
	struct smtp_rcpt *rcpt;
	uint32_t n_rcpt;
	/* Written by the machine. */
	struct buf texts;
	uint32_t n_accepted;
	bool retry;		/* nothing was judged: send it elsewhere */
};

/* What has happened, what we wait for. */
#define SMTP_STATES(X) \
	X(BANNER)	/* connected: the greeting */ \
	X(EHLO)		/* EHLO sent */ \
	X(HELO)		/* HELO sent */ \
	X(IDLE)		/* nothing: takes a mail */ \
	X(RSET)		/* RSET sent, perhaps with the whole envelope */ \
	X(MAIL)		/* MAIL sent, with PIPELINING all to DATA */ \
	X(RCPT)		/* MAIL was answered; the next RCPT's reply */ \
	X(DATA)		/* every RCPT was answered; DATA's reply */ \
	X(BODY)		/* nothing: the content is being written */ \
	X(DOT)		/* the dot has left; the verdict */ \
	X(ABORT)	/* empty content sent for nobody; any reply */ \
	X(QUIT)		/* QUIT sent; any reply */ \
	X(CLOSED)	/* it is over */

enum smtp_state {
#define X(id) SMTP_STATE_##id,
	SMTP_STATES(X)
#undef X
	SMTP_STATE_COUNT
};

enum smtp_event {
	SMTP_EV_DONE,		/* 2xx */
	SMTP_EV_GO_ON,		/* 3xx */
	SMTP_EV_TRANSIENT,	/* 4xx */
	SMTP_EV_PERMANENT,	/* 5xx */
	SMTP_EV_SHUT,		/* 421 */
	SMTP_EV_GARBAGE,	/* no reply at all */
	SMTP_EV_CLOSED,
	SMTP_EV_TIMEOUT,
	SMTP_EV_COUNT
};

enum smtp_effect {
	SMTP_MORE,	/* all input is used, no reply is complete */
	SMTP_STEP,	/* a reply was taken: write what is in out, feed on */
	SMTP_READY,	/* greeted */
	SMTP_BODY,
	SMTP_DONE,
	SMTP_END,
};

enum smtp_end {
	SMTP_END_NOT,
	SMTP_END_QUIT,		/* as we wished */
	SMTP_END_HOST,		/* refused before a mail: c.failure says why */
	SMTP_END_HELO,		/* it hangs up at EHLO: come again with HELO */
	SMTP_END_LOST,		/* in the middle or while idle */
};

enum {	/* caps */
	SMTP_CAP_PIPELINING = 1u << 0,
	SMTP_CAP_SIZE = 1u << 1,
	SMTP_CAP_8BITMIME = 1u << 2,
	SMTP_CAP_ENHANCED = 1u << 3,
	SMTP_CAP_SMTPUTF8 = 1u << 4,
	SMTP_CAP_DSN = 1u << 5,
};

struct smtp_client {
	enum smtp_state state;
	enum smtp_end end;
	uint32_t caps;
	uint64_t size_limit;	/* by SIZE; 0: none said */
	uint32_t n_done;	/* mails that came to an end here */
	uint32_t at;		/* recipient of mail[0] whose reply is next */
	bool helo;		/* greet by HELO at once */
	bool answered;		/* the mail at hand ended by a reply */
	bool dirty;		/* an open transaction there: RSET first */
	struct smtp_mail *mail[2];
	struct smtp_mail *done;
	struct slice name;	/* ours */
	struct buf *out;
	struct smtp_result failure;	/* text in failure_text */
	char failure_text[SMTP_FAILURE_MAX];
	struct reply_parser reply;
};

/* out must stay; it is only appended to.  name is borrowed. */
void smtp_client_init(struct smtp_client *c, struct slice name, bool helo,
	struct buf *out);
/* Takes at most one reply from the front of in. */
enum smtp_effect smtp_client_feed(struct smtp_client *c, struct slice in,
	size_t *used_out);
/* Only in state IDLE, or when it takes a next one.  SMTP_STEP: under way;
 * SMTP_DONE: it cannot be sent here and has its results (c.done). */
enum smtp_effect smtp_client_mail(struct smtp_client *c, struct smtp_mail *m);
bool smtp_client_takes_next(const struct smtp_client *c);
/* All bytes up to and with the final dot have been written. */
void smtp_client_dot_sent(struct smtp_client *c);
/* Only in state IDLE. */
void smtp_client_quit(struct smtp_client *c);
/* Each gives SMTP_END, but the end of an ended connection, SMTP_MORE. */
enum smtp_effect smtp_client_closed(struct smtp_client *c);
enum smtp_effect smtp_client_timeout(struct smtp_client *c);
/* What a failure now would be filed under: enum event_stage. */
unsigned smtp_client_stage(const struct smtp_client *c);

void smtp_mail_reset(struct smtp_mail *m);
/* Gives every recipient without a result this one. */
void smtp_mail_settle(struct smtp_mail *m, unsigned kind, unsigned stage,
	unsigned code, struct slice text);
void smtp_mail_fail(struct smtp_mail *m, unsigned stage,
	enum internal_failure f);
struct slice smtp_mail_text(const struct smtp_mail *m,
	const struct smtp_result *r);

/* Which rule holds for state and event; for the test of the whole table. */
unsigned smtp_client_rule(unsigned state, unsigned event);
const char *smtp_state_name(unsigned state);

#endif
