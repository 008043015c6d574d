/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dot stuffing both ways.
 *
 * The decoder is two machines that share one pass over the bytes:
 *
 *   strict:  BOL --.--> BOL_DOT --CR--> BOL_DOT_CR --LF--> END
 *             ^           | other: the dot was stuffing, it is dropped
 *             |           v
 *             +--LF-- CR <--CR-- MID
 *
 *   lax:     what a receiver would see that ends lines at any CR or LF and
 *            overlooks NULs.  lax_open: only dots and NULs since the last such
 *            line end.  A line only of dots is an attempt at smuggling unless
 *            CRLF stands on both sides and no NUL is in it: then it is the
 *            true end or a properly stuffed line.
 *
 * Inside a line, from the first byte that is no dot and no NUL up to the next
 * CR or LF, both are idle and the bytes are copied 16 at a time.
 */
#include "common/mail/dot.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum {
	ST_BOL,		/* behind CRLF, or at the very start */
	ST_BOL_DOT,	/* a dot there, not given out */
	ST_BOL_DOT_CR,	/* and a CR, not given out */
	ST_MID,		/* inside a line */
	ST_CR,		/* behind a CR that was given out */
	ST_END,
};

static const char received_name[9] = "received:";
#define NAME_LEN sizeof(received_name)
#define NAME_NO 255	/* this line is no Received line */

void
dot_decoder_init(struct dot_decoder *d)
{
	*d = (struct dot_decoder){
		.state = ST_BOL, .lax_open = true, .lax_after_crlf = true,
	};
}

/* Copies up to the first CR or LF or n bytes; returns how many. */
static size_t
copy_run(struct dot_decoder *d, char *dst, const char *src, size_t n)
{
	size_t i = 0;
#ifdef __SSE2__
	const __m128i cr = _mm_set1_epi8('\r'), lf = _mm_set1_epi8('\n');
	const __m128i zero = _mm_setzero_si128();
	__m128i high = zero, nuls = zero;
	unsigned stop = 0, upto;

	for (; n - i >= 16; i += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(src + i));

		/* Beyond a stop it writes what the next run overwrites. */
		_mm_storeu_si128((__m128i *)(dst + i), v);
		stop = (unsigned)_mm_movemask_epi8(_mm_or_si128(
		    _mm_cmpeq_epi8(v, cr), _mm_cmpeq_epi8(v, lf)));
		if (stop != 0) {
			upto = (stop & -stop) - 1;
			d->eight_bit |=
			    ((unsigned)_mm_movemask_epi8(v) & upto) != 0;
			d->nul |= ((unsigned)_mm_movemask_epi8(
			    _mm_cmpeq_epi8(v, zero)) & upto) != 0;
			i += (size_t)__builtin_ctz(stop);
			break;
		}
		high = _mm_or_si128(high, v);
		nuls = _mm_or_si128(nuls, _mm_cmpeq_epi8(v, zero));
	}
	d->eight_bit |= _mm_movemask_epi8(high) != 0;
	d->nul |= _mm_movemask_epi8(nuls) != 0;
	if (stop != 0) {
		return i;
	}
#endif
	for (; i < n && src[i] != '\r' && src[i] != '\n'; i++) {
		dst[i] = src[i];
		d->eight_bit |= (src[i] & 0x80) != 0;
		d->nul |= src[i] == '\0';
	}
	return i;
}

/* Goes on comparing the field name; most lines differ in the first byte. */
static void
match_name(struct dot_decoder *d, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		/* All letters of the name have bit 0x20; the colon too. */
		if ((p[i] | 0x20) != received_name[d->name_at] ||
		    (d->name_at == NAME_LEN - 1 && p[i] != ':')) {
			d->name_at = NAME_NO;
			return;
		}
		if (++d->name_at == NAME_LEN) {
			d->received++;
			d->name_at = NAME_NO;
			return;
		}
	}
}

/* A CR or LF: the lax line before it ends. */
static void
lax_line_end(struct dot_decoder *d, bool is_cr)
{
	bool only_dots = d->lax_open && d->lax_dots;

	d->lax_pending = false;
	if (only_dots && is_cr && d->lax_after_crlf && !d->lax_nul) {
		/* Harmless if an LF follows. */
		d->lax_pending = true;
	} else if (only_dots) {
		d->lax_end = true;
	}
	d->lax_open = true;
	d->lax_dots = d->lax_nul = d->lax_after_crlf = false;
}

/* Another byte than LF behind a CR. */
static void
bare_cr(struct dot_decoder *d)
{
	d->bare_cr_header |= !d->has_body;
	d->bare_cr_body |= d->has_body;
	d->lax_end |= d->lax_pending;
	d->lax_pending = false;
}

/* The LF of a CRLF; at is the offset behind it in what is given out. */
static void
line_end(struct dot_decoder *d, uint64_t at)
{
	uint64_t len = at - 2 - d->line_start;

	d->longest_line = EC_MAX(d->longest_line, len);
	if (len == 0 && !d->has_body) {
		d->has_body = true;
		d->header_end = at;
	}
	d->line_start = at;
	d->name_at = d->has_body ? NAME_NO : 0;
	d->lax_pending = false;
	d->lax_after_crlf = true;
	d->state = ST_BOL;
}

/* A CR or LF that is given out; at is the offset behind it. */
static void
break_char(struct dot_decoder *d, char c, uint64_t at)
{
	d->name_at = NAME_NO;
	if (c == '\r') {
		if (d->state == ST_CR) {
			bare_cr(d);
		}
		lax_line_end(d, true);
		d->state = ST_CR;
	} else if (d->state == ST_CR) {
		line_end(d, at);
	} else {
		d->bare_lf_header |= !d->has_body;
		d->bare_lf_body |= d->has_body;
		lax_line_end(d, false);
		d->state = ST_MID;
	}
}

/*
 * The states that may give out nothing for a byte.  Returns true when the byte
 * was used up; otherwise the state has moved on and the byte is looked at
 * again.  A CR that was held back goes to *held.
 */
static bool
at_line_start(struct dot_decoder *d, char c, bool *held)
{
	*held = false;
	if (d->state == ST_BOL) {
		if (c == '.') {
			d->lax_dots = true;
			d->state = ST_BOL_DOT;
			return true;
		}
		d->state = ST_MID;
		return false;
	}
	if (d->state == ST_BOL_DOT) {
		d->state = c == '\r' ? ST_BOL_DOT_CR : ST_MID;
		return c == '\r';
	}
	/* ST_BOL_DOT_CR */
	if (c == '\n') {
		d->state = ST_END;
		return true;
	}
	*held = true;
	return false;
}

/* One byte in ST_MID or ST_CR, or a run of plain ones. */
static size_t
in_line(struct dot_decoder *d, char *dst, const char *src, size_t n,
    uint64_t at)
{
	char c = *src;
	size_t len = 1;

	if (c == '\r' || c == '\n') {
		*dst = c;
		break_char(d, c, at + 1);
		return 1;
	}
	if (d->state == ST_CR) {
		bare_cr(d);
		d->state = ST_MID;
	}
	if (d->lax_open && (c == '.' || c == '\0')) {
		*dst = c;
		d->lax_dots |= c == '.';
		d->lax_nul |= c == '\0';
		d->nul |= c == '\0';
		d->name_at = NAME_NO;
		return 1;
	}
	d->lax_open = false;
	len = copy_run(d, dst, src, n);
	if (d->name_at != NAME_NO) {
		match_name(d, src, len);
	}
	/* The usual end of a line, without the way through the states. */
	if (n - len >= 2 && src[len] == '\r' && src[len + 1] == '\n') {
		dst[len] = '\r';
		dst[len + 1] = '\n';
		d->lax_open = true;
		d->lax_dots = d->lax_nul = false;
		len += 2;
		line_end(d, at + len);
	}
	return len;
}

enum dot_status
dot_decode(struct dot_decoder *d, struct slice in, size_t *consumed_out,
    char *dst, size_t dst_cap, size_t *written_out)
{
	size_t used = 0, made = 0, n;
	uint64_t base = d->bytes;
	bool held;

	while (used < in.len && d->state != ST_END) {
		if (d->state <= ST_BOL_DOT_CR) {
			if (d->state == ST_BOL_DOT_CR && made == dst_cap &&
			    in.ptr[used] != '\n') {
				break;
			}
			if (at_line_start(d, in.ptr[used], &held)) {
				used++;
				continue;
			}
			if (held) {
				dst[made++] = '\r';
				break_char(d, '\r', base + made);
				continue;
			}
		}
		n = EC_MIN(in.len - used, dst_cap - made);
		if (n == 0) {
			break;
		}
		n = in_line(d, dst + made, in.ptr + used, n, base + made);
		used += n;
		made += n;
	}
	d->bytes = base + made;
	*consumed_out = used;
	*written_out = made;
	return d->state == ST_END ? DOT_END : DOT_MORE;
}

/* ---- sending ---- */

enum {
	ENC_BOL,
	ENC_CR,		/* behind a CR, sent (as is) or held back (fix) */
	ENC_MID,
};

void
dot_encoder_init(struct dot_encoder *e, enum dot_lines lines)
{
	*e = (struct dot_encoder){
		.state = ENC_BOL, .fix = lines == DOT_LINES_FIX,
	};
}

/* Offset of the first dot in p[0..n) behind a CRLF that lies in p too, or n. */
static size_t
find_stuffable(const char *p, size_t n)
{
	size_t i = 2;
#ifdef __SSE2__
	const __m128i dot = _mm_set1_epi8('.'), lf = _mm_set1_epi8('\n');
	const __m128i cr = _mm_set1_epi8('\r');

	for (; i + 16 <= n; i += 16) {
		__m128i a = _mm_cmpeq_epi8(dot,
		    _mm_loadu_si128((const __m128i *)(p + i)));
		__m128i b = _mm_cmpeq_epi8(lf,
		    _mm_loadu_si128((const __m128i *)(p + i - 1)));
		__m128i c = _mm_cmpeq_epi8(cr,
		    _mm_loadu_si128((const __m128i *)(p + i - 2)));
		unsigned m = (unsigned)_mm_movemask_epi8(
		    _mm_and_si128(a, _mm_and_si128(b, c)));

		if (m != 0) {
			return i + (size_t)__builtin_ctz(m);
		}
	}
#endif
	for (; i < n; i++) {
		if (p[i] == '.' && p[i - 1] == '\n' && p[i - 2] == '\r') {
			return i;
		}
	}
	return n;
}

static uint8_t
state_after(const char *p, size_t n, uint8_t before)
{
	char last = p[n - 1];

	if (last == '\r') {
		return ENC_CR;
	}
	if (last == '\n') {
		return (n > 1 ? p[n - 2] == '\r' : before == ENC_CR) ?
		    ENC_BOL : ENC_MID;
	}
	return ENC_MID;
}

static void
put_piece(struct dot_encoder *e, struct iovec *iov, const char *p, size_t n)
{
	/* writev only reads; struct iovec has no const. */
	iov->iov_base = (void *)(uintptr_t)p;
	iov->iov_len = n;
	e->bytes += n;
}

/*
 * A piece of rest (not empty) that goes out as it is.  It ends with rest, or
 * with a dot that must be stuffed: then the next piece starts with that dot
 * again.  Returns how much of rest is done with.
 */
static size_t
piece_as_is(struct dot_encoder *e, struct slice rest, struct iovec *iov)
{
	size_t n;

	if (!e->stuffed && e->state == ENC_BOL && rest.ptr[0] == '.') {
		e->stuffed = true;
		put_piece(e, iov, rest.ptr, 1);
		return 0;
	}
	/* A line end that lies across two extents. */
	if (e->state == ENC_CR && rest.len > 1 && rest.ptr[0] == '\n' &&
	    rest.ptr[1] == '.') {
		e->stuffed = true;
		e->state = ENC_BOL;
		put_piece(e, iov, rest.ptr, 2);
		return 1;
	}
	n = find_stuffable(rest.ptr, rest.len);
	if (n < rest.len) {
		e->stuffed = true;
		e->state = ENC_BOL;
		put_piece(e, iov, rest.ptr, n + 1);
		return n;
	}
	e->stuffed = false;
	e->state = state_after(rest.ptr, rest.len, e->state);
	put_piece(e, iov, rest.ptr, rest.len);
	return rest.len;
}

static const char crlf[2] = "\r\n";

/* Bytes before the first CR or LF. */
static size_t
plain_length(const char *p, size_t n)
{
	size_t i = 0;
#ifdef __SSE2__
	const __m128i cr = _mm_set1_epi8('\r'), lf = _mm_set1_epi8('\n');

	for (; n - i >= 16; i += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(p + i));
		unsigned m = (unsigned)_mm_movemask_epi8(_mm_or_si128(
		    _mm_cmpeq_epi8(v, cr), _mm_cmpeq_epi8(v, lf)));

		if (m != 0) {
			return i + (size_t)__builtin_ctz(m);
		}
	}
#endif
	while (i < n && p[i] != '\r' && p[i] != '\n') {
		i++;
	}
	return i;
}

/*
 * The same when bare CR and LF are mended: text up to the next CR or LF, then
 * that line end as our own CRLF.  A CR is held back until the byte behind it
 * is known, which may be in the next extent; in either case CRLF goes out.
 * Returns how much of rest is done with; *put_out says whether iov was filled.
 */
static size_t
piece_fixed(struct dot_encoder *e, struct slice rest, struct iovec *iov,
    bool *put_out)
{
	size_t n;

	*put_out = true;
	if (e->state == ENC_CR) {
		put_piece(e, iov, crlf, 2);
		e->state = ENC_BOL;
		return rest.ptr[0] == '\n' ? 1 : 0;
	}
	if (rest.ptr[0] == '\n') {
		put_piece(e, iov, crlf, 2);
		e->state = ENC_BOL;
		return 1;
	}
	if (rest.ptr[0] == '\r') {
		*put_out = false;
		e->state = ENC_CR;
		return 1;
	}
	if (!e->stuffed && e->state == ENC_BOL && rest.ptr[0] == '.') {
		e->stuffed = true;
		put_piece(e, iov, rest.ptr, 1);
		return 0;
	}
	n = plain_length(rest.ptr, rest.len);
	/* A CRLF behind the text goes with it, without pieces of its own. */
	if (rest.len - n >= 2 && rest.ptr[n] == '\r' && rest.ptr[n + 1] == '\n') {
		n += 2;
		e->state = ENC_BOL;
	} else {
		e->state = ENC_MID;
	}
	e->stuffed = false;
	put_piece(e, iov, rest.ptr, n);
	return n;
}

/* The line's end if it is open, the dot, the end. */
static void
put_end(struct dot_encoder *e, struct iovec *iov)
{
	static const char end[5] = "\r\n.\r\n";

	if (e->state == ENC_BOL) {
		put_piece(e, iov, end + 2, 3);
	} else {
		/* A bare CR as the last byte (as is) gets a line end of its
		 * own; a held back one (fix) becomes it. */
		put_piece(e, iov, end, 5);
	}
	e->ended = true;
}

static enum dot_status
encode(struct dot_encoder *e, const struct slice *extents, size_t n_extents,
    bool last, struct iovec *iov, size_t iov_cap, size_t *iov_used_out)
{
	size_t n = 0;
	bool put = true;

	while (n < iov_cap && e->extent < n_extents) {
		struct slice rest = slice_skip(extents[e->extent], e->offset);

		if (rest.len == 0) {
			e->extent++;
			e->offset = 0;
			continue;
		}
		if (e->fix) {
			e->offset += piece_fixed(e, rest, &iov[n], &put);
		} else {
			e->offset += piece_as_is(e, rest, &iov[n]);
		}
		n += put ? 1 : 0;
	}
	if (n < iov_cap && last && !e->ended) {
		put_end(e, &iov[n++]);
	}
	*iov_used_out = n;
	return e->ended ? DOT_END : DOT_MORE;
}

enum dot_status
dot_encode(struct dot_encoder *e, const struct slice *extents,
    size_t n_extents, struct iovec *iov, size_t iov_cap, size_t *iov_used_out)
{
	return encode(e, extents, n_extents, true, iov, iov_cap, iov_used_out);
}

enum dot_status
dot_encode_window(struct dot_encoder *e, struct slice window, bool last,
    struct iovec *iov, size_t iov_cap, size_t *iov_used_out)
{
	return encode(e, &window, 1, last, iov, iov_cap, iov_used_out);
}

void
dot_window_next(struct dot_encoder *e, enum dot_lines lines)
{
	/* (A CR held back has not gone out yet.) */
	e->fix = lines == DOT_LINES_FIX || (e->fix && e->state == ENC_CR);
	e->extent = 0;
	e->offset = 0;
}
