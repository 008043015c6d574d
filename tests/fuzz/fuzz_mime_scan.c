/* SPDX-License-Identifier: Apache-2.0 */
/* A header reads the same whole and in pieces; the first bytes say where the
 * pieces end and where the limit is. */
#include "common/mail/mime_scan.h"

#define PIECES 64u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
describe(const struct slice *ext, size_t n, uint64_t limit, struct buf *out)
{
	enum mime_scan_result r;
	struct mime_copied c;
	struct mime_field f;
	struct mime_scan s;
	uint64_t end;

	mime_scan_init(&s, ext, n, limit);
	while ((r = mime_scan_next(&s, &f)) == MIME_FIELD) {
		ec_assert(f.start.pos < f.value.pos && f.value.pos < f.end);
		ec_assert(f.end <= limit);
		buf_append(out, f.name, EC_MIN(f.name_len,
		    (size_t)MIME_NAME_MAX));
		buf_putc(out, '=');
		mime_value_add(&s, &f, out, 100);
		buf_putc(out, '\n');
	}
	ec_assert(mime_header_end(ext, n, limit, &end) == r);
	ec_assert(end == s.at.pos);
	buf_printf(out, "%d %llu %zu\n", (int)r, (unsigned long long)end,
	    mime_count(ext, n, limit, SLICE("Received")));
	c = mime_headers_add(ext, n, out, (size_t)limit);
	buf_printf(out, "%d %d", c.cut, c.has_8bit);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice m, ext[PIECES];
	uint64_t limit;
	struct buf a, b;
	size_t n = 0, step;

	if (size < 2) {
		return 0;
	}
	step = 1 + data[0] % 16u;
	limit = data[1] == 0 ? 1 << 20 : data[1];
	m = slice_make(data + 2, size - 2);
	buf_init(&a, 1 << 24);
	buf_init(&b, 1 << 24);
	describe(&m, 1, limit, &a);
	while (m.len > 0 && n < PIECES - 1) {
		ext[n++] = slice_make(m.ptr, EC_MIN(step, m.len));
		m = slice_skip(m, step);
	}
	ext[n++] = m;
	describe(ext, n, limit, &b);
	ec_assert(slice_eq(buf_slice(&a), buf_slice(&b)));
	buf_fini(&a);
	buf_fini(&b);
	return 0;
}
