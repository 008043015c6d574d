/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reply_class: what a remote server's reply means for a message, and the
 * replies that stand for failures of our own making.
 *
 * Kinds are those of enum event_kind: EVENT_DELIVERY, EVENT_TRANSIENT (tried
 * again later), EVENT_PERMANENT (fails).
 *
 * A refusal at the banner or at EHLO says something about the host and not
 * about the message: never permanent, another host may take it.
 */
#ifndef EC_REPLY_CLASS_H
#define EC_REPLY_CLASS_H

#include "common/base/base.h"
#include "common/mail/event.h"

/* stage: enum event_stage at which the reply came. */
enum event_kind reply_class(unsigned stage, unsigned code);

/* "[internal]" is what the users' parsers look for. */
#define INTERNAL_FAILURES(X) \
X(NO_HOSTS, 451, TRANSIENT, \
  "4.4.1 [internal] No valid hosts (unable to make any connections)") \
X(MANY_FAILURES, 451, TRANSIENT, \
  "4.4.1 [internal] No valid hosts (too many connection failures)") \
X(UNREACHABLE, 421, TRANSIENT, \
  "4.4.0 [internal] no MXs for this domain could be reached at this time") \
X(CONNECT_TIMEOUT, 450, TRANSIENT, "4.4.1 [internal] Connection Timed Out") \
X(NO_BANNER, 451, TRANSIENT, "4.4.2 [internal] no banner") \
X(NO_EHLO, 451, TRANSIENT, "4.4.2 [internal] no HELO/EHLO response") \
X(NO_MAIL, 451, TRANSIENT, "4.4.2 [internal] no MAIL FROM response") \
X(NO_RCPT, 451, TRANSIENT, "4.4.2 [internal] no RCPT TO response") \
X(NO_DATA, 451, TRANSIENT, "4.4.2 [internal] no DATA response") \
X(NO_BODY, 451, TRANSIENT, "4.4.2 [internal] no BODY response") \
X(NO_RSET, 451, TRANSIENT, "4.4.2 [internal] no RSET response") \
X(SEND_BODY, 451, TRANSIENT, "4.4.2 [internal] send BODY failed") \
X(CLOSED, 451, TRANSIENT, \
  "4.4.2 [internal] connection closed by remote host") \
X(PROTOCOL, 451, TRANSIENT, \
  "4.5.0 [internal] the remote host broke the protocol") \
X(NO_HOST_DATA, 454, TRANSIENT, "4.4.4 [internal] no MX or A for domain") \
X(NULL_MX, 550, PERMANENT, \
  "5.4.4 [internal] NULL MX domain does not accept mail") \
X(NO_DOMAIN, 554, PERMANENT, "5.4.4 [internal] Domain Lookup Failed") \
X(DNS_TEMPORARY, 451, TRANSIENT, \
  "4.4.3 [internal] temporary failure of the domain lookup") \
X(LOOP, 554, PERMANENT, "5.4.6 [internal] mail loops back to this host") \
X(PROHIBITED, 551, PERMANENT, "5.4.6 [internal] Private/Loopback Address") \
X(NO_SMTPUTF8, 550, PERMANENT, \
  "5.6.7 [internal] SMTPUTF8 is needed and not offered") \
X(BAD_ADDRESS, 553, PERMANENT, \
  "5.1.3 [internal] address cannot be sent") \
X(BAD_ROUTE, 451, TRANSIENT, \
  "4.3.5 [internal] the configured route is not usable")

enum internal_failure {
#define X(id, code, kind, text) INTERNAL_##id,
	INTERNAL_FAILURES(X)
#undef X
	INTERNAL_COUNT
};

struct internal_text {
	uint16_t code;
	uint8_t kind;		/* enum event_kind */
	const char *text;	/* "451 4.4.2 [internal] no banner" */
};

const struct internal_text *internal_text(enum internal_failure f);

#endif
