/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reject: a refused connection, command or message, with all that the
 * rejectlog says about it.  The listener encodes it as the body of LOG_REJECT;
 * the logger decodes and formats it.
 *
 *	struct reject r = { .time_us = clock_wall_us(), .code = 550,
 *	    .phase = SLICE("awaiting mailfrom"), .text = SLICE("denied") };
 *	reject_pair_add(&r.conn, SLICE("ehlo_domain"), helo);
 *	reject_encode(&r, ipc_begin(link, IPC_LOG_REJECT));
 *	ipc_end(link);
 *
 * All text is as the client sent it: whoever writes it down escapes it.
 * Encoding cuts what is longer than the limits here, so that a reject always
 * fits one message.  Decoding borrows from the bytes given and takes any
 * lengths that fit them.
 */
#ifndef EC_REJECT_H
#define EC_REJECT_H

#include "common/base/buf.h"
#include "common/mail/msgid.h"

#define REJECT_PAIRS_MAX 16u	/* of each context; more are left away */
#define REJECT_KEY_MAX 64u
#define REJECT_VALUE_MAX 1024u
#define REJECT_NAME_MAX 255u	/* pathway, group, phase, module */
#define REJECT_TEXT_MAX 2048u
/* No encoding is longer. */
#define REJECT_MAX_BYTES 49152u

struct reject_pair {
	struct slice key, value;
};

struct reject_pairs {
	unsigned n;
	struct reject_pair pair[REJECT_PAIRS_MAX];
};

struct reject {
	uint64_t time_us;		/* wall time */
	uint8_t remote_ip[16];		/* IPv4 mapped */
	uint8_t local_ip[16];
	uint16_t remote_port, local_port;
	uint16_t code;			/* the reply's */
	msgid conn_id;
	struct slice pathway, pathway_group;	/* empty: default */
	struct slice phase;		/* "awaiting mailfrom" */
	struct slice module;		/* who refused; empty: the core */
	struct slice text;		/* of the reply, without codes */
	struct reject_pairs conn;	/* context of the connection */
	struct reject_pairs mess;	/* context of the message */
};

/* False if there is no room for one more. */
bool reject_pair_add(struct reject_pairs *p, struct slice key,
	struct slice value);
/* Appends the encoding; b->full when it did not fit. */
void reject_encode(const struct reject *r, struct buf *b);
/* False on anything malformed. */
bool reject_decode(struct slice bytes, struct reject *out);

#endif
