/* SPDX-License-Identifier: Apache-2.0 */
/* Growth of a counter over the last minute. */
#include "console/rates.h"

void
rates_init(struct rates *r)
{
	r->count = r->next = 0;
}

void
rates_add(struct rates *r, uint64_t now_us, uint64_t value)
{
	r->sample[r->next].at_us = now_us;
	r->sample[r->next].value = value;
	r->next = (r->next + 1) % RATES_SAMPLES;
	r->count = EC_MIN(r->count + 1, RATES_SAMPLES);
}

double
rates_per_second(const struct rates *r)
{
	unsigned last = (r->next + RATES_SAMPLES - 1) % RATES_SAMPLES;
	unsigned oldest = last;
	uint64_t us, grown;

	for (unsigned i = 1; i < r->count; i++) {
		unsigned at = (last + RATES_SAMPLES - i) % RATES_SAMPLES;

		if (r->sample[last].at_us - r->sample[at].at_us >
		    RATES_WINDOW_US && oldest != last) {
			break;	/* a lone sample serves however old it is */
		}
		oldest = at;
	}
	if (oldest == last) {
		return 0;
	}
	us = r->sample[last].at_us - r->sample[oldest].at_us;
	grown = r->sample[last].value - r->sample[oldest].value;
	return us == 0 ? 0 : (double)grown * 1e6 / (double)us;
}
