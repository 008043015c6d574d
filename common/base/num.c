/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers from outside. */
#include "common/base/num.h"

bool
num_parse_u64(struct slice s, uint64_t *out)
{
	uint64_t v = 0;

	if (s.len == 0) {
		return false;
	}
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] < '0' || s.ptr[i] > '9' ||
		    __builtin_mul_overflow(v, 10u, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(s.ptr[i] - '0'), &v)) {
			return false;
		}
	}
	*out = v;
	return true;
}

bool
num_parse_max(struct slice s, uint64_t max, uint64_t *out)
{
	uint64_t v;

	if (!num_parse_u64(s, &v) || v > max) {
		return false;
	}
	*out = v;
	return true;
}
