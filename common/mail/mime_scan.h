/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mime_scan: reads the header of an RFC 5322 message that lies in extents (the
 * arena's, or one slice).  Nothing is copied while scanning; positions are
 * offsets into the message.  The same bytes give the same result however they
 * are split.  Pure; work is bounded by limit_bytes.
 *
 * A line ends in LF, with or without CR before it.  Blanks between a name and
 * its colon are taken (RFC 5322 4.5).  A line that is no field ends the header
 * just before it: what follows is body, as every reader will see it.
 *
 *	struct mime_scan s;
 *	struct mime_field f;
 *	mime_scan_init(&s, extents, n, 1 << 20);
 *	while (mime_scan_next(&s, &f) == MIME_FIELD) {
 *		if (mime_field_is(&f, SLICE("Message-ID"))) {
 *			mime_value_add(&s, &f, &b, 998);
 *		}
 *	}
 */
#ifndef EC_MIME_SCAN_H
#define EC_MIME_SCAN_H

#include "common/base/buf.h"
#include "common/base/slice.h"

#define MIME_NAME_MAX 78u	/* longer names match nothing */

enum mime_scan_result {
	MIME_FIELD,		/* one more field */
	MIME_END,		/* the empty line was read; body follows */
	MIME_NOT_A_FIELD,	/* a line that is no field: body from there */
	MIME_CUT,		/* the message ended within the header */
	MIME_LIMIT,		/* limit_bytes were read and no end seen */
};

struct mime_at {	/* a place in the message */
	size_t ext;	/* which extent */
	size_t off;	/* and where in it */
	uint64_t pos;	/* the same from the message's start */
};

struct mime_scan {
	const struct slice *ext;	/* borrowed */
	size_t n_ext;
	uint64_t limit;
	struct mime_at at;	/* start of the next line; after MIME_END and
				 * MIME_NOT_A_FIELD the body's first byte */
};

struct mime_field {
	struct mime_at start;	/* the name's first byte */
	struct mime_at value;	/* behind the colon */
	uint64_t end;		/* behind the last line's LF */
	size_t name_len;	/* true length, may pass MIME_NAME_MAX */
	char name[MIME_NAME_MAX];	/* as it stands */
};

void mime_scan_init(struct mime_scan *s, const struct slice *ext, size_t n_ext,
	uint64_t limit_bytes);
enum mime_scan_result mime_scan_next(struct mime_scan *s,
	struct mime_field *out);
bool mime_field_is(const struct mime_field *f, struct slice name);
/* Appends at most max_bytes of the value: unfolded (RFC 5322 2.2.3), without
 * blanks at its ends; NUL, CR and LF inside become a blank.  False if cut. */
bool mime_value_add(const struct mime_scan *s, const struct mime_field *f,
	struct buf *b, size_t max_bytes);
/* The slices that make up message bytes [from.pos, to); returns how many, at
 * most max are written. */
size_t mime_slices(const struct mime_scan *s, struct mime_at from, uint64_t to,
	struct slice *out, size_t max);

/* Whole-header questions; each scans from the start. */
/* Where the body begins; *end_out is set whatever the result (not FIELD). */
enum mime_scan_result mime_header_end(const struct slice *ext, size_t n_ext,
	uint64_t limit_bytes, uint64_t *end_out);
bool mime_find(const struct slice *ext, size_t n_ext, uint64_t limit_bytes,
	struct slice name, struct mime_field *out);
/* Fields of that name: mail loops show in the count of Received. */
size_t mime_count(const struct slice *ext, size_t n_ext, uint64_t limit_bytes,
	struct slice name);

struct mime_copied {
	bool cut;		/* fields were left away */
	bool has_8bit;		/* a byte over 127 is among what was copied */
};
/* Appends the header's fields, whole ones only, up to max_bytes, each line in
 * CRLF and at most 998 bytes long (longer ones are folded hard), without NUL
 * and stray CR.  The empty line is not copied.  For text/rfc822-headers. */
struct mime_copied mime_headers_add(const struct slice *ext, size_t n_ext,
	struct buf *b, size_t max_bytes);

#endif
