/* SPDX-License-Identifier: Apache-2.0 */
/*
 * num: arithmetic and parsing that cannot overflow silently.  For sizes and
 * numbers that come from outside.
 */
#ifndef EC_NUM_H
#define EC_NUM_H

#include "common/base/base.h"
#include "common/base/slice.h"

/* Decimal digits only, at least one, no sign; false on anything else and on
 * overflow. */
bool num_parse_u64(struct slice s, uint64_t *out);
/* The same, refused above max. */
bool num_parse_max(struct slice s, uint64_t max, uint64_t *out);

static inline bool
num_add(size_t a, size_t b, size_t *out)
{
	return !__builtin_add_overflow(a, b, out);
}

static inline bool
num_mul(size_t a, size_t b, size_t *out)
{
	return !__builtin_mul_overflow(a, b, out);
}

/* n rounded up to a multiple of the power of two to. */
static inline uint64_t
num_round_up(uint64_t n, uint64_t to)
{
	return (n + to - 1) & ~(to - 1);
}

#endif
