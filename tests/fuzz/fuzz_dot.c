/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dot coding.  Decoding gives the same bytes and facts for any split and any
 * room; what is encoded decodes to itself; a mended encoding holds no bare CR
 * or LF and nothing a lax receiver takes for an end.
 */
#include "common/mail/dot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct result {
	struct dot_decoder facts;
	enum dot_status status;
	size_t used, len;
	char *out;
};

static struct result
decode(struct slice in, size_t step, size_t room)
{
	struct result r = { .out = xmalloc(in.len + 1) };
	size_t used, made;

	dot_decoder_init(&r.facts);
	r.status = DOT_MORE;
	while (r.used < in.len && r.status == DOT_MORE) {
		size_t n = EC_MIN(step, in.len - r.used);
		size_t cap = EC_MIN(room, in.len + 1 - r.len);

		r.status = dot_decode(&r.facts,
		    slice_make(in.ptr + r.used, n), &used, r.out + r.len, cap,
		    &made);
		ec_assert(used <= n && made <= cap && used + made > 0);
		r.used += used;
		r.len += made;
	}
	ec_assert(r.facts.bytes == r.len);
	return r;
}

static void
same(const struct result *a, const struct result *b)
{
	ec_assert(a->status == b->status && a->used == b->used);
	ec_assert(a->len == b->len);
	ec_assert(a->len == 0 || memcmp(a->out, b->out, a->len) == 0);
	ec_assert(a->facts.lax_end == b->facts.lax_end);
	ec_assert(a->facts.nul == b->facts.nul);
	ec_assert(a->facts.eight_bit == b->facts.eight_bit);
	ec_assert(a->facts.received == b->facts.received);
	ec_assert(a->facts.header_end == b->facts.header_end);
	ec_assert(a->facts.longest_line == b->facts.longest_line);
	ec_assert(a->facts.bare_cr_header == b->facts.bare_cr_header);
	ec_assert(a->facts.bare_cr_body == b->facts.bare_cr_body);
	ec_assert(a->facts.bare_lf_header == b->facts.bare_lf_header);
	ec_assert(a->facts.bare_lf_body == b->facts.bare_lf_body);
}

static void
round_trip(struct slice x, size_t cut, size_t iov_cap, enum dot_lines lines)
{
	struct slice ext[3] = { { x.ptr, EC_MIN(cut, x.len) }, { "", 0 },
		slice_skip(x, cut) };
	struct dot_encoder e;
	struct iovec iov[8];
	char *wire = xmalloc(x.len * 3 + 8);
	size_t n = 0, used;
	enum dot_status st;
	struct result r;

	dot_encoder_init(&e, lines);
	do {
		st = dot_encode(&e, ext, 3, iov, iov_cap, &used);
		for (size_t i = 0; i < used; i++) {
			ec_assert(iov[i].iov_len > 0);
			memcpy(wire + n, iov[i].iov_base, iov[i].iov_len);
			n += iov[i].iov_len;
		}
	} while (st == DOT_MORE);
	ec_assert(n == e.bytes);
	r = decode(slice_make(wire, n), n, n);
	ec_assert(r.status == DOT_END && r.used == n);
	if (lines == DOT_LINES_AS_IS) {
		ec_assert(r.len == x.len || r.len == x.len + 2);
		ec_assert(x.len == 0 || memcmp(r.out, x.ptr, x.len) == 0);
	} else {
		ec_assert(!r.facts.bare_cr_header && !r.facts.bare_cr_body);
		ec_assert(!r.facts.bare_lf_header && !r.facts.bare_lf_body);
		ec_assert(!r.facts.lax_end || r.facts.nul);
	}
	free(r.out);
	free(wire);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_make(data, size);
	struct result whole = decode(in, size + 1, size + 1), part;

	for (size_t step = 1; step <= 17; step += 4) {
		part = decode(in, step, step + 1);
		same(&whole, &part);
		free(part.out);
		round_trip(in, step, step < 8 ? step : 8, DOT_LINES_AS_IS);
		round_trip(in, step, step < 8 ? step : 8, DOT_LINES_FIX);
	}
	free(whole.out);
	return 0;
}
