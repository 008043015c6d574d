/* SPDX-License-Identifier: Apache-2.0 */
/* What decodes must encode to something that decodes to the same bytes. */
#include "common/mail/event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct event e, again;
	struct buf a, b;

	buf_init(&a, 1 << 22);
	buf_init(&b, 1 << 22);
	if (event_decode(slice_make(data, size), &e)) {
		ec_assert(event_stage_name(e.stage) != NULL);
		event_encode(&e, &a);
		ec_assert(!a.full);
		ec_assert(event_decode(buf_slice(&a), &again));
		ec_assert(again.reply.len <= EVENT_REPLY_MAX);
		event_encode(&again, &b);
		ec_assert(slice_eq(buf_slice(&a), buf_slice(&b)));
	}
	buf_fini(&a);
	buf_fini(&b);
	return 0;
}
