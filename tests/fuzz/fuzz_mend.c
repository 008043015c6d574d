/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mending line ends: the same for any split; mending twice changes nothing;
 * all mended, no lone CR or LF is left.
 */
#include "listener/mend.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t
mend(struct mend *m, unsigned how, struct slice in, size_t step, size_t room,
    char *out)
{
	size_t len = 0, used;

	mend_init(m, (how & 1) != 0, (how & 2) != 0);
	while (in.len > 0) {
		size_t n = mend_run(m, slice_make(in.ptr, EC_MIN(step,
		    in.len)), &used, out + len, room);

		ec_assert(n <= room && n + used > 0);
		len += n;
		in = slice_skip(in, used);
	}
	return len;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_make(data, size);
	char *a = xmalloc(2 * size + 64), *b = xmalloc(4 * size + 128);
	struct mend m, again;
	size_t n, k;

	for (unsigned how = 0; how < 4; how++) {
		n = mend(&m, how, in, SIZE_MAX, 2 * size + 64, a);
		k = mend(&again, how, in, 1, MEND_ROOM, b);
		ec_assert(n == k && memcmp(a, b, n) == 0);
		ec_assert(m.longest_line == again.longest_line &&
		    m.bare_header == again.bare_header &&
		    m.bare_body == again.bare_body);
		k = mend(&again, how, slice_make(a, n), 7, 64, b);
		ec_assert(n == k && memcmp(a, b, n) == 0);
		if (how == 3) {
			ec_assert(!again.bare_header && !again.bare_body);
		}
	}
	free(a);
	free(b);
	return 0;
}
