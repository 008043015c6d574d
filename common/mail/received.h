/* SPDX-License-Identifier: Apache-2.0 */
/*
 * received: the trace header that a listener puts on top of a message.
 *
 *	Received: from [192.0.2.1] ([192.0.2.1:42601] helo=mail.example.com)
 *	 by mx.example.net (envelope-from <bob@example.com>)
 *	 (ecelerity 0.1.0) with ESMTP
 *	 id 00/00-02001-C6DD1CA4; Tue, 29 Sep 2009 10:11:56 +0000
 *
 * Each line ends in CRLF; further folds are added where a line would pass 78.
 * helo and sender come from strangers: what could end a comment, begin
 * another field or be taken for a clause is written as \xHH (common/mail/esc),
 * and they are cut at RECEIVED_WORD_MAX.  No line passes 998 bytes.
 */
#ifndef EC_RECEIVED_H
#define EC_RECEIVED_H

#include "common/base/buf.h"
#include "common/base/slice.h"
#include "common/mail/msgid.h"

#define RECEIVED_WORD_MAX 320u	/* bytes of helo, sender, by or version */
#define RECEIVED_MAX 1800u	/* bytes of a whole header, at most */

enum {	/* received.flags: which of the registered protocol names */
	RECEIVED_ESMTP = 1u << 0,
	RECEIVED_TLS = 1u << 1,		/* RFC 3848: ESMTPS */
	RECEIVED_AUTH = 1u << 2,	/* ESMTPA */
	RECEIVED_UTF8 = 1u << 3,	/* RFC 6531: UTF8SMTP...; also leaves
					 * well-formed UTF-8 as it is */
};

struct received {
	const uint8_t *peer_ip;	/* 16 bytes, IPv4 mapped */
	uint16_t peer_port;
	unsigned flags;
	struct slice helo;	/* empty: no helo= */
	struct slice by;	/* our name */
	struct slice sender;	/* empty: <> */
	struct slice version;	/* "0.1.0" */
	msgid batch_id;
	struct slice date;	/* from date_cached() */
};

/* Writes the header; its length, or 0 if room was too small (RECEIVED_MAX is
 * always enough).  No NUL. */
size_t received_write(const struct received *r, char *out, size_t room);
/* Appends it; false past b's cap. */
bool received_add(const struct received *r, struct buf *b);
/* "SMTP", "ESMTPSA", "UTF8SMTPS"... by flags. */
const char *received_protocol(unsigned flags);

#endif
