/* SPDX-License-Identifier: Apache-2.0 */
/* The line splitter: the same lines for any split, nothing lost. */
#include "common/mail/smtp_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_LINES 512

struct result {
	enum smtp_line_status status;
	struct slice line;
};

/* Gives the stream in steps of n bytes; returns the number of answers. */
static size_t
split(struct slice in, size_t step, size_t max, struct result *out)
{
	struct smtp_line l;
	size_t from = 0, to = 0, n = 0, used;

	smtp_line_init(&l, max);
	while (to < in.len) {
		to = EC_MIN(to + step, in.len);
		for (;;) {
			struct result r;

			r.status = smtp_line_next(&l,
			    slice_make(in.ptr + from, to - from), &used,
			    &r.line);
			ec_assert(used <= to - from);
			from += used;
			if (r.status == SMTP_LINE_MORE) {
				break;
			}
			ec_assert(used > 0 && r.line.len <= max);
			if (n < MAX_LINES) {
				out[n++] = r;
			}
		}
		ec_assert(to - from < max);
	}
	return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct result whole[MAX_LINES], part[MAX_LINES];
	struct slice in = slice_make(data, size);
	size_t n, m;

	for (size_t max = 8; max <= 2048; max *= 16) {
		n = split(in, size + 1, max, whole);
		for (size_t step = 1; step <= 7; step += 2) {
			m = split(in, step, max, part);
			ec_assert(m == n);
			for (size_t i = 0; i < n; i++) {
				ec_assert(whole[i].status == part[i].status);
				ec_assert(slice_eq(whole[i].line,
				    part[i].line));
			}
		}
	}
	return 0;
}
