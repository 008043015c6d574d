/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rates: how fast a counter grew over the last minute.  A sample each second
 * goes into a ring; the rate is what came since the oldest one that is at most
 * RATES_WINDOW_US old, divided by the time since then.  Pure; time is an
 * argument.
 */
#ifndef EC_RATES_H
#define EC_RATES_H

#include "common/base/base.h"

#define RATES_WINDOW_US 60000000u
#define RATES_SAMPLES 64u

struct rates {
	unsigned count, next;
	struct {
		uint64_t at_us, value;
	} sample[RATES_SAMPLES];
};

void rates_init(struct rates *r);
/* value never falls; now_us is monotonic. */
void rates_add(struct rates *r, uint64_t now_us, uint64_t value);
/* Per second, as of the last sample; 0 before there are two. */
double rates_per_second(const struct rates *r);

#endif
