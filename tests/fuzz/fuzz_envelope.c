/* SPDX-License-Identifier: Apache-2.0 */
/* What decodes must encode to something that decodes to the same bytes. */
#include "common/mail/envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct envelope e, again;
	struct scratch s, s2;
	struct buf a, b;

	scratch_init(&s, 1 << 20);
	scratch_init(&s2, 1 << 20);
	buf_init(&a, 1 << 22);
	buf_init(&b, 1 << 22);
	if (envelope_decode(slice_make(data, size), &s, &e)) {
		ec_assert(e.n_rcpt > 0 && e.protocol < ENVELOPE_PROTOCOLS);
		envelope_encode(&e, &a);
		ec_assert(!a.full);
		ec_assert(envelope_decode(buf_slice(&a), &s2, &again));
		envelope_encode(&again, &b);
		ec_assert(slice_eq(buf_slice(&a), buf_slice(&b)));
	}
	buf_fini(&a);
	buf_fini(&b);
	scratch_fini(&s);
	scratch_fini(&s2);
	return 0;
}
