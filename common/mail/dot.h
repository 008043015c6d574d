/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dot: the content of DATA on the wire (RFC 5321 4.5.2), both ways.
 *
 * Decoder: any split of the input in, un-stuffed bytes out.  CRLF.CRLF alone
 * ends the content (.CRLF when it is the very first line); bare LF and CR are
 * passed through, never taken for a line end, and recorded.  It refuses
 * nothing: the caller reads the facts and decides.
 *
 *	st = dot_decode(&d, in, &used, dst, room, &made);
 *	// DOT_MORE: made == room gives "needs room", else "needs input"
 *	// DOT_END: what follows in + used are commands
 *
 * in and dst must not overlap.
 *
 * Encoder: the body as extents in, an iovec array out, nothing copied (a
 * stuffed dot is the body's own dot sent twice).  Ends the last line if it is
 * open and adds the final dot.
 *
 *	dot_encoder_init(&e, DOT_LINES_AS_IS);
 *	do {
 *		st = dot_encode(&e, extents, n, iov, 64, &used);
 *		... write all of iov[0..used) ...
 *	} while (st == DOT_MORE);
 */
#ifndef EC_DOT_H
#define EC_DOT_H

#include <sys/uio.h>

#include "common/base/slice.h"

enum dot_status {
	DOT_MORE,	/* not at the end: more input, or more room */
	DOT_END,	/* the final dot was read or made */
};

struct dot_decoder {
	/* Facts, to be read at any time. */
	uint64_t bytes;		/* of content given out */
	uint64_t header_end;	/* offset behind the empty line; see has_body */
	uint64_t longest_line;	/* without CRLF, un-stuffed */
	uint32_t received;	/* "Received:" lines in the header */
	bool has_body;		/* the empty line was seen */
	bool bare_lf_header, bare_lf_body;
	bool bare_cr_header, bare_cr_body;
	bool lax_end;		/* a line only of dots, as some lax receiver
				 * would see it: an attempt at smuggling */
	bool nul;
	bool eight_bit;
	/* Private. */
	uint8_t state;
	uint8_t name_at;	/* bytes of "received:" matched in this line */
	bool lax_open, lax_dots, lax_nul, lax_after_crlf;
	bool lax_pending, lax_pending_clean;
	uint64_t line_start;	/* offset of the current line */
};

void dot_decoder_init(struct dot_decoder *d);
enum dot_status dot_decode(struct dot_decoder *d, struct slice in,
    size_t *consumed_out, char *dst, size_t dst_cap, size_t *written_out);

enum dot_lines {
	DOT_LINES_AS_IS,	/* the body is sent byte by byte */
	DOT_LINES_FIX,		/* each bare LF or CR leaves as CRLF: what a
				 * lax receiver could take for an end never
				 * goes out */
};

struct dot_encoder {
	uint64_t bytes;		/* on the wire so far, dots and end included */
	size_t extent;		/* the one being worked on */
	size_t offset;		/* in it */
	uint8_t state;
	bool fix;
	bool stuffed;		/* the dot at offset has gone out once */
	bool ended;
};

void dot_encoder_init(struct dot_encoder *e, enum dot_lines lines);
/* Fills at most iov_cap (at least 1) pieces.  The extents must be the same at
 * each call and stay alive until the pieces are written. */
enum dot_status dot_encode(struct dot_encoder *e, const struct slice *extents,
    size_t n_extents, struct iovec *iov, size_t iov_cap, size_t *iov_used_out);

/* The same of a body that comes by and by: window after window, each a single
 * extent.  When dot_window_is_used() the next may be given; dot_window_next()
 * says whether its lines are to be fixed.  One that is sent as it is must not
 * end in CR; behind one that was fixed and does the next is fixed, too. */
enum dot_status dot_encode_window(struct dot_encoder *e, struct slice window,
    bool last, struct iovec *iov, size_t iov_cap, size_t *iov_used_out);
static inline bool
dot_window_is_used(const struct dot_encoder *e)
{
	return e->extent > 0;
}
void dot_window_next(struct dot_encoder *e, enum dot_lines lines);

#endif
