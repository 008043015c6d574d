/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event: one transition in a message's life, with all that the logs, bounces
 * and `trace` say about it.  The spooler keeps T, D and P as its journal
 * records and makes R from a message record; the logger gets them in journal
 * order and formats them.
 *
 * Decoding borrows from the bytes given.
 */
#ifndef EC_EVENT_H
#define EC_EVENT_H

#include "common/base/buf.h"
#include "common/mail/msgid.h"

enum event_kind {	/* the letters of the reference's mainlog */
	EVENT_RECEPTION = 'R',
	EVENT_DELIVERY = 'D',
	EVENT_TRANSIENT = 'T',
	EVENT_PERMANENT = 'P',
};

enum {	/* event.flags */
	EVENT_POSSIBLE_DUPLICATE = 1u << 0, /* was between dot and reply once */
	EVENT_EXPIRED = 1u << 1,
	EVENT_BOUNCED = 1u << 2,	/* a DSN was made in the same batch */
	EVENT_NO_BOUNCE = 1u << 3,	/* dropped: the sender was null */
	EVENT_ADMIN = 1u << 4,		/* an operator's act */
	EVENT_QUARANTINED = 1u << 5,	/* as poison: no bounce was made */
	EVENT_UNSPOOLED = 1u << 6,	/* of mail in memory only: for the log, the
					 * spool has nothing of it */
};

/* The reference's stage codes: what the deliverer was doing. */
#define EVENT_STAGES(X) \
	X(0, NOT_CONNECTED, "while not connected") \
	X(1, IDLE, "while idle") \
	X(2, MAIL_FROM, "during MAIL FROM") \
	X(3, AFTER_MAIL_FROM, "after MAIL FROM") \
	X(4, RCPT_TO, "during RCPT TO") \
	X(5, AFTER_RCPT_TO, "after RCPT TO") \
	X(6, DATA, "during DATA") \
	X(7, AFTER_DATA, "after DATA") \
	X(8, BODY, "while sending BODY") \
	X(9, CONFIRMATION, "reading confirmation") \
	X(10, EHLO, "during EHLO") \
	X(11, AFTER_EHLO, "after EHLO") \
	X(12, BANNER, "reading BANNER") \
	X(13, RSET, "during RSET") \
	X(14, AFTER_RSET, "after RSET") \
	X(15, STARTTLS, "during STARTTLS") \
	X(16, AFTER_STARTTLS, "after STARTTLS") \
	X(17, TLS_HANDSHAKE, "handshaking TLS") \
	X(18, TLS_RENEGOTIATION, "renegotiating TLS") \
	X(19, XCLIENT, "during XCLIENT") \
	X(20, AFTER_XCLIENT, "after XCLIENT") \
	X(21, OUT_OF_BAND, "out of band bounce") \
	X(22, UNKNOWN, "in unknown state")

enum event_stage {
#define X(n, id, text) STAGE_##id = (n),
	EVENT_STAGES(X)
#undef X
	EVENT_STAGE_COUNT
};

struct event {
	uint8_t kind;
	uint8_t flags;
	uint8_t stage;
	uint8_t protocol;	/* enum envelope_protocol */
	uint16_t attempts;	/* attempts made before this one */
	uint16_t code;		/* SMTP reply code, 0 if none */
	msgid id, batch_id, conn_id;
	uint64_t time_us;	/* wall time of this transition */
	uint64_t received_us;	/* wall time of the reception */
	uint64_t next_us;	/* T: when it is tried again, wall time */
	uint64_t size;		/* message bytes */
	uint64_t sent;		/* bytes sent to the remote */
	uint8_t remote_ip[16];	/* R: where it came from; IPv4 mapped */
	uint16_t remote_port;
	struct slice sender;	/* local@domain or empty */
	struct slice rcpt;
	struct slice domain;	/* routing domain */
	struct slice group, binding;	/* empty: default */
	struct slice reply;	/* one line, escaped; empty for R and D */
};

#define EVENT_REPLY_MAX 1024u	/* longer replies are cut */

void event_encode(const struct event *e, struct buf *b);
bool event_decode(struct slice bytes, struct event *out);
const char *event_stage_name(unsigned stage);

#endif
