/* SPDX-License-Identifier: Apache-2.0 */
/*
 * envelope: everything about one accepted transaction but its body: sender,
 * recipients with their message ids, where it came from, what was asked for.
 * One codec for the STORE message and the journal's message record.
 *
 * Decoding borrows: slices point into the bytes given, the recipient array
 * comes from the scratch given.  Bytes come from another process, so every
 * count and length is checked; unknown tagged fields are skipped, which is how
 * the format grows.
 */
#ifndef EC_ENVELOPE_H
#define EC_ENVELOPE_H

#include "common/base/buf.h"
#include "common/base/scratch.h"
#include "common/mail/msgid.h"

/* One encoded envelope.  More recipients than fit get 452 4.5.3: the client
 * sends the rest in another transaction (RFC 5321 4.5.3.1.10). */
#define ENVELOPE_MAX_BYTES 60000u

enum envelope_protocol {	/* names as the log writes them */
	ENVELOPE_SMTP,		/* HELO */
	ENVELOPE_ESMTP,
	ENVELOPE_INTERNAL,	/* bounces and other mail of our own */
	ENVELOPE_PROTOCOLS
};

enum {	/* envelope.flags */
	ENVELOPE_8BITMIME = 1u << 0,	/* BODY=8BITMIME was said */
	ENVELOPE_SMTPUTF8 = 1u << 1,
	ENVELOPE_RET_FULL = 1u << 2,	/* RFC 3461 RET */
	ENVELOPE_RET_HDRS = 1u << 3,
	ENVELOPE_BOUNCE = 1u << 4,	/* a DSN we made */
	ENVELOPE_8BIT_DATA = 1u << 5,	/* the body has bytes over 127 */
	ENVELOPE_LOGGED = 1u << 6,	/* its reception is in the journal apart
					 * from this */
};

enum {	/* recipient.notify, RFC 3461 NOTIFY; 0 is "not said" */
	NOTIFY_NEVER = 1u << 0,
	NOTIFY_SUCCESS = 1u << 1,
	NOTIFY_FAILURE = 1u << 2,
	NOTIFY_DELAY = 1u << 3,
};

struct recipient {
	msgid id;
	struct slice addr;	/* local@domain, as accepted */
	struct slice orcpt;	/* xtext as it came, or empty */
	uint8_t notify;
};

struct envelope {
	msgid batch_id, conn_id;
	uint64_t received_us;		/* wall time */
	uint8_t peer_ip[16];		/* IPv4 mapped; zero if internal */
	uint8_t local_ip[16];
	uint16_t peer_port, local_port;
	uint8_t protocol;
	uint8_t class;			/* latency class, 0 = ordinary */
	uint32_t flags;
	struct slice sender;		/* empty: the null sender */
	struct slice envid;		/* xtext */
	struct slice group, binding;	/* empty: default */
	struct slice context;		/* dictionaries of policy, opaque */
	uint32_t n_rcpt;
	struct recipient *rcpt;
};

/* Appends the encoding; b->full when it did not fit. */
void envelope_encode(const struct envelope *e, struct buf *b);
/* False on anything malformed, or with no recipient. */
bool envelope_decode(struct slice bytes, struct scratch *s,
	struct envelope *out);
/* Where the first recipient starts in an encoded (and checked) envelope. */
size_t envelope_first_recipient(struct slice encoded);
/* Bytes that one more recipient adds. */
size_t envelope_recipient_bytes(const struct recipient *r);
const char *envelope_protocol_name(unsigned protocol);

#endif
