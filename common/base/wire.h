/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire: fixed-width little-endian fields and length-prefixed bytes, for what
 * goes between processes and onto disk.  Both ends are sticky: write or read a
 * whole record, then look once at w.buf->full or r.bad.
 *
 * A reader borrows: slices point into the bytes it was given.
 */
#ifndef EC_WIRE_H
#define EC_WIRE_H

#include "common/base/base.h"
#include "common/base/buf.h"
#include "common/base/slice.h"

struct wire_r {
	const char *p, *end;
	bool bad;	/* something was read past the end */
};

static inline struct wire_r
wire_reader(struct slice s)
{
	return (struct wire_r){ s.ptr, s.len > 0 ? s.ptr + s.len : s.ptr, false };
}

static inline size_t
wire_left(const struct wire_r *r)
{
	return (size_t)(r->end - r->p);
}

static inline void
wire_get(struct wire_r *r, void *out, size_t n)
{
	if (r->bad || wire_left(r) < n) {
		r->bad = true;
		memset(out, 0, n);
		return;
	}
	memcpy(out, r->p, n);
	r->p += n;
}

/* Little-endian machines only, as the journal's words are; checked once. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
    "the on-disk and IPC formats are little-endian");

#define WIRE_NUM(bits) \
	static inline uint##bits##_t wire_u##bits(struct wire_r *r) \
	{ \
		uint##bits##_t v; \
		wire_get(r, &v, sizeof v); \
		return v; \
	} \
	static inline void wire_put_u##bits(struct buf *b, uint##bits##_t v) \
	{ \
		buf_append(b, &v, sizeof v); \
	}
WIRE_NUM(8)
WIRE_NUM(16)
WIRE_NUM(32)
WIRE_NUM(64)
#undef WIRE_NUM

/* n bytes as they stand. */
static inline struct slice
wire_bytes(struct wire_r *r, size_t n)
{
	struct slice s = { NULL, 0 };

	if (r->bad || wire_left(r) < n) {
		r->bad = true;
		return s;
	}
	s = slice_make(r->p, n);
	if (n > 0) {
		r->p += n;
	}
	return s;
}

/* Bytes behind a 16-bit length. */
static inline struct slice
wire_slice(struct wire_r *r)
{
	uint16_t n = wire_u16(r);

	return wire_bytes(r, n);
}

/* More than 65535 bytes mark the buffer as full: the caller bounds them. */
static inline void
wire_put_slice(struct buf *b, struct slice s)
{
	if (s.len > UINT16_MAX) {
		b->full = true;
		return;
	}
	wire_put_u16(b, (uint16_t)s.len);
	buf_add(b, s);
}

#endif
