/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dsn_field: the values in a delivery report that come from strangers, written
 * so that none can begin a line, end a header or pass its length.  Used by dsn
 * alone; dsn_status() stands in dsn.h because others ask for it too.
 */
#ifndef EC_DSN_FIELD_H
#define EC_DSN_FIELD_H

#include "common/base/buf.h"
#include "common/base/slice.h"
#include "spooler/dsn.h"

#define DSN_WORD_MAX 900u	/* longer words are broken */

/* Escaped text with folds, CRLF at the end.  column: where the line stands;
 * further lines begin with indent. */
void dsn_put_wrapped(struct buf *b, struct slice text, size_t column,
	const char *indent);
/* The same for a remote's reply, made safe on the way. */
void dsn_put_reply(struct buf *b, struct slice reply, size_t column,
	const char *indent);
/* An address as it stands if it cannot break a header; what could is escaped.
 * utf8: well-formed UTF-8 stands. */
void dsn_put_address(struct buf *b, struct slice addr, bool utf8);
/* xtext decoded; the xtext itself if the outcome is not one printable line
 * (RFC 3461 demands that it is). */
void dsn_put_xtext(struct buf *b, struct slice xtext);

#endif
