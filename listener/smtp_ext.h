/* SPDX-License-Identifier: Apache-2.0 */
/*
 * smtp_ext: the EHLO keywords and the parameters of MAIL and RCPT that come
 * with them.  One table says which parameter belongs to which extension and
 * verb; a parameter of an extension that is not in force is refused (555).
 *
 *	smtp_ext_ehlo(&out, SLICE("mx.example"), SLICE("[192.0.2.1]"), &offer);
 */
#ifndef EC_SMTP_EXT_H
#define EC_SMTP_EXT_H

#include "common/base/buf.h"
#include "common/base/slice.h"
#include "common/mail/reply.h"

/* Bits of what is offered.  The order is that of the EHLO answer. */
#define SMTP_EXTENSIONS(X) \
	X(PIPELINING, 0, "PIPELINING") \
	X(8BITMIME, 1, "8BITMIME") \
	X(ENHANCEDSTATUSCODES, 2, "ENHANCEDSTATUSCODES") \
	X(SIZE, 3, "SIZE") \
	X(DSN, 4, "DSN") \
	X(SMTPUTF8, 5, "SMTPUTF8") \
	X(STARTTLS, 6, "STARTTLS") \
	X(AUTH, 7, "AUTH") \
	X(CHUNKING, 8, "CHUNKING") \
	X(XCLIENT, 9, "XCLIENT") \
	X(ETRN, 10, "ETRN")

enum smtp_ext {
#define X(id, bit, word) SMTP_EXT_##id = 1 << bit,
	SMTP_EXTENSIONS(X)
#undef X
};

#define SMTP_EXT_DEFAULT (SMTP_EXT_PIPELINING | SMTP_EXT_8BITMIME | \
	SMTP_EXT_ENHANCEDSTATUSCODES | SMTP_EXT_SIZE)

enum smtp_body {
	SMTP_BODY_NONE,		/* the client said nothing */
	SMTP_BODY_7BIT,
	SMTP_BODY_8BITMIME,
};

enum smtp_ret {
	SMTP_RET_NONE,
	SMTP_RET_FULL,
	SMTP_RET_HDRS,
};

/* RFC 3461 4.1; 0 is "nothing said". */
enum smtp_notify {
	SMTP_NOTIFY_NEVER = 1,
	SMTP_NOTIFY_SUCCESS = 2,
	SMTP_NOTIFY_FAILURE = 4,
	SMTP_NOTIFY_DELAY = 8,
};

/* Slices borrow from the command line; ENVID, ORCPT and AUTH stay xtext. */
struct smtp_params {
	uint32_t seen;		/* rows of the table, against duplicates */
	uint64_t size;		/* SIZE=; 0: not said */
	enum smtp_body body;
	enum smtp_ret ret;
	unsigned notify;	/* set of enum smtp_notify */
	bool smtputf8;
	struct slice envid;
	struct slice orcpt_type;	/* "rfc822" */
	struct slice orcpt_addr;
	struct slice auth;	/* "<>" or a mailbox in xtext */
};

enum smtp_param_verb {
	SMTP_PARAM_MAIL = 1,
	SMTP_PARAM_RCPT = 2,
};

enum smtp_param_status {
	SMTP_PARAM_OK,
	SMTP_PARAM_UNKNOWN,	/* no such, or not in force: 555 5.5.4 */
	SMTP_PARAM_TWICE,	/* 501 5.5.4 */
	SMTP_PARAM_BAD_VALUE,	/* 501 5.5.4 */
	SMTP_PARAM_BAD_SYNTAX,	/* 501 5.5.4: no keyword[=value] */
	SMTP_PARAM_TOO_LONG,	/* 501 5.5.4: ENVID 100, ORCPT 500 bytes */
};

/* All of rest: " KEY=value KEY ...", possibly empty.  params is added to. */
enum smtp_param_status smtp_ext_params(struct slice rest, unsigned ext,
    enum smtp_param_verb verb, struct smtp_params *params);
/* The bit for a name of the SMTP_Extensions option ("AUTH LOGIN" gives AUTH),
 * or 0. */
unsigned smtp_ext_find(struct slice name);
/* RFC 3461 4.: printable ASCII, '+' only before two upper hex digits. */
bool smtp_ext_is_xtext(struct slice s);

struct smtp_offer {
	unsigned ext;		/* set of enum smtp_ext */
	uint64_t max_size;	/* of SIZE; 0: no fixed limit */
	struct slice auth_mechs;	/* "PLAIN LOGIN"; empty: AUTH unsaid */
};

/* "250-host says EHLO to peer", then a line for each extension. */
bool smtp_ext_ehlo(struct buf *out, struct slice host, struct slice peer,
    const struct smtp_offer *offer);
bool smtp_ext_helo(struct buf *out, struct slice host, struct slice peer);

#endif
