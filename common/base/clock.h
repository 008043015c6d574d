/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock: the two clocks.  Intervals and deadlines use the monotonic one; only
 * what is written down for people or for after a restart uses wall time.
 */
#ifndef EC_CLOCK_H
#define EC_CLOCK_H

#include "common/base/base.h"

#include <time.h>

static inline uint64_t
clock_read_us(clockid_t which)
{
	struct timespec t;

	clock_gettime(which, &t);
	return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

static inline uint64_t
clock_mono_us(void)
{
	return clock_read_us(CLOCK_MONOTONIC);
}

static inline uint64_t
clock_wall_us(void)
{
	return clock_read_us(CLOCK_REALTIME);
}

#endif
