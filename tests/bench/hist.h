/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hist: how often each duration came, in slots whose width is at most 1/256
 * of the value, so that any percentile of any number of values costs fixed
 * memory and is right within 0.4%.  The largest value is kept exactly.
 *
 *	hist_add(&h, took_us);
 *	p99_us = hist_quantile(&h, 99000);
 */
#ifndef EC_BENCH_HIST_H
#define EC_BENCH_HIST_H

#include "common/base/base.h"

#define HIST_BITS 8u		/* 2^8 slots for each doubling */
#define HIST_MAX_BITS 40u	/* values from 2^40 on share the last slot */
#define HIST_SLOTS ((HIST_MAX_BITS - HIST_BITS + 1u) << HIST_BITS)

struct hist {
	uint64_t n, max, sum;
	uint64_t slot[HIST_SLOTS];
};

void hist_add(struct hist *h, uint64_t v);
/* The value that per_100k of 100,000 do not pass; 0 if there is none. */
uint64_t hist_quantile(const struct hist *h, uint32_t per_100k);

#endif
