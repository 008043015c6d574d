/* SPDX-License-Identifier: Apache-2.0 */
/* A reject of any bytes: what decodes encodes to the same again, fits one
 * message, and its line is one line. */
#include "common/mail/reject.h"

#include "logger/mainlog_format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char line[LOGLINE_MAX];
	struct reject r, again;
	struct slice text;
	struct buf a, b;

	if (!reject_decode(slice_make(data, size), &r)) {
		return 0;
	}
	buf_init(&a, REJECT_MAX_BYTES);
	buf_init(&b, REJECT_MAX_BYTES);
	reject_encode(&r, &a);
	ec_assert(!a.full);
	ec_assert(reject_decode(buf_slice(&a), &again));
	reject_encode(&again, &b);
	ec_assert(slice_eq(buf_slice(&a), buf_slice(&b)));
	text = rejectlog_line(line, sizeof line, &r);
	ec_assert(slice_find(text, '\n') == (ssize_t)text.len - 1);
	buf_fini(&a);
	buf_fini(&b);
	return 0;
}
