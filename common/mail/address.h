/* SPDX-License-Identifier: Apache-2.0 */
/*
 * address: the envelope's addresses (RFC 5321 4.1.2, RFC 6531), not those of
 * header fields: no comments, no folding.
 *
 * The result borrows from the input.  The local part keeps its quotes and
 * backslashes as written; the domain keeps its case and, for a literal, its
 * brackets.  Source routes are checked and dropped.
 *
 *	st = address_parse_path(SLICE("<a@example.com> SIZE=1"), 0, &a, &used);
 *	if (st != ADDRESS_OK) { puts(address_status_text(st)); }
 */
#ifndef EC_ADDRESS_H
#define EC_ADDRESS_H

#include "common/base/buf.h"
#include "common/base/slice.h"

#define ADDRESS_LOCAL_MAX 64	/* RFC 5321 4.5.3.1.1 */
#define ADDRESS_DOMAIN_MAX 255	/* 4.5.3.1.2 */
#define ADDRESS_LABEL_MAX 63	/* RFC 1035 2.3.4 */
#define ADDRESS_PATH_MAX 256	/* 4.5.3.1.3, with the angle brackets */
#define ADDRESS_ROUTE_MAX 1024	/* bytes of a source route we skip */

/* What to allow beyond the plain rules. */
enum address_rule {
	ADDRESS_UTF8 = 1,	/* RFC 6531 mailboxes */
	ADDRESS_LAX = 2,	/* no angle brackets, odd dots, underscores */
	ADDRESS_BLANKS = 4,	/* blanks before <, behind < and before > */
	ADDRESS_LOCAL_ONLY = 8,	/* <user> without a domain */
	ADDRESS_POSTMASTER = 16, /* <postmaster> without a domain (RCPT) */
	ADDRESS_NULL = 32,	/* <> (MAIL) */
};

enum address_status {
	ADDRESS_OK,
	ADDRESS_NO_BRACKET,	/* does not start with < */
	ADDRESS_UNCLOSED,	/* no > */
	ADDRESS_IS_NULL,	/* <> where an address must stand */
	ADDRESS_NO_LOCAL,	/* nothing before the @ */
	ADDRESS_NO_DOMAIN,	/* nothing behind the @, or no @ */
	ADDRESS_BAD_ROUTE,
	ADDRESS_BAD_LOCAL,	/* a character or a dot that may not stand there */
	ADDRESS_BAD_QUOTES,	/* quoted string not closed, or a bad character */
	ADDRESS_BAD_DOMAIN,
	ADDRESS_BAD_LITERAL,	/* [..] is no IPv4 or IPv6 address */
	ADDRESS_BAD_UTF8,	/* not UTF-8 at all */
	ADDRESS_NOT_ASCII,	/* UTF-8 that was not allowed */
	ADDRESS_LOCAL_TOO_LONG,
	ADDRESS_DOMAIN_TOO_LONG, /* or a label of it */
	ADDRESS_TOO_LONG,	/* the path as a whole */
	ADDRESS_GARBAGE,	/* something behind the address */
	ADDRESS_STATUS_COUNT
};

struct address {
	struct slice local;	/* empty for <> */
	struct slice domain;	/* empty for <> and <postmaster> */
	bool is_null;
	bool quoted;		/* the local part is a quoted string */
	bool literal;		/* the domain is [..] */
	bool utf8;		/* either part is not plain ASCII */
	bool routed;		/* a source route was dropped */
};

/* A path at the front of in, "<...>"; *used_out says how much of in it took.
 * rules is a set of enum address_rule. */
enum address_status address_parse_path(struct slice in, unsigned rules,
    struct address *out, size_t *used_out);
/* All of in must be one mailbox, "a@b". */
enum address_status address_parse(struct slice in, unsigned rules,
    struct address *out);
/* All of in must be one domain or address literal (EHLO, config). */
enum address_status address_check_domain(struct slice in, unsigned rules);
const char *address_status_text(enum address_status st);
/* Well-formed UTF-8 (RFC 3629: no surrogates, nothing over-long). */
bool address_is_utf8(struct slice s);

/* The address as the logs write it: '@' and '\' of a quoted local part get a
 * backslash, so that a line splits at its unescaped '@'s.  <> gives nothing.
 * False when out is full. */
bool address_log_escape(struct buf *out, const struct address *a);

#endif
