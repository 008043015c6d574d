/* SPDX-License-Identifier: Apache-2.0 */
/* Slots: exact below 2^HIST_BITS, then 2^HIST_BITS of them each doubling. */
#include "tests/bench/hist.h"

static size_t
slot_of(uint64_t v)
{
	unsigned shift = 0;

	v = EC_MIN(v, (UINT64_C(1) << HIST_MAX_BITS) - 1);
	if (v >> (HIST_BITS + 1) != 0) {
		shift = 63u - (unsigned)__builtin_clzll(v) - HIST_BITS;
	}
	return ((size_t)shift << HIST_BITS) + (size_t)(v >> shift);
}

/* The largest value that falls into slot i. */
static uint64_t
slot_top(size_t i)
{
	size_t shift = i >> HIST_BITS;

	if (shift < 2) {
		return i;
	}
	shift--;	/* the mantissa carries one bit of the slot number */
	return ((i - (shift << HIST_BITS) + 1) << shift) - 1;
}

void
hist_add(struct hist *h, uint64_t v)
{
	h->n++;
	h->sum += v;
	h->max = EC_MAX(h->max, v);
	h->slot[slot_of(v)]++;
}

uint64_t
hist_quantile(const struct hist *h, uint32_t per_100k)
{
	uint64_t seen = 0, want;

	if (h->n == 0) {
		return 0;
	}
	/* Rounded up: the median of three is the second, not the first. */
	want = (uint64_t)(((unsigned __int128)h->n * per_100k + 99999) / 100000);
	want = EC_MAX(want, 1);
	for (size_t i = 0; i < HIST_SLOTS; i++) {
		seen += h->slot[i];
		if (seen >= want) {
			return EC_MIN(slot_top(i), h->max);
		}
	}
	return h->max;
}
