/* SPDX-License-Identifier: Apache-2.0 */
/*
 * smtp_line: cuts an SMTP command stream into lines.  Only CRLF ends a line
 * (RFC 5321 2.3.8): a bare LF or CR stays inside its line and makes it a bad
 * one, so that nobody can hide a command behind it.
 *
 * Zero copy.  The caller owns the read buffer and gives what it has not yet
 * consumed, always from the same first byte; the line is a slice of it.  The
 * answers do not depend on how the stream was split.
 *
 *	while ((st = smtp_line_next(&l, in, &used, &line)) != SMTP_LINE_MORE) {
 *		in = slice_skip(in, used);
 *		...
 *	}
 *	in = slice_skip(in, used);	// keep the rest, read more behind it
 *
 * The buffer must hold max bytes, else the last line never gets complete.
 */
#ifndef EC_SMTP_LINE_H
#define EC_SMTP_LINE_H

#include "common/base/slice.h"

#define SMTP_LINE_DEFAULT_MAX 2048
#define SMTP_LINE_AUTH_MAX 12288	/* RFC 4954 4.: base64 of a SASL step */

enum smtp_line_status {
	SMTP_LINE_MORE,		/* no full line; read more */
	SMTP_LINE_OK,
	SMTP_LINE_BARE_LF,	/* the line is whole, and bad */
	SMTP_LINE_BARE_CR,	/* the same */
	SMTP_LINE_NUL,		/* the same */
	SMTP_LINE_TOO_LONG,	/* said once; the rest is skipped silently */
};

struct smtp_line {
	size_t max;	/* of one line with its CRLF; may change between lines */
	size_t scanned;	/* of the pending line: no need to look again */
	bool skipping;	/* inside an over-long line */
};

void smtp_line_init(struct smtp_line *l, size_t max_bytes);
/* line_out is without CRLF; for TOO_LONG it is the beginning of the line, for
 * MORE it is empty.  *consumed_out is valid for every answer: MORE consumes
 * only what is skipped. */
enum smtp_line_status smtp_line_next(struct smtp_line *l, struct slice in,
    size_t *consumed_out, struct slice *line_out);

#endif
