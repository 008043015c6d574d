/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retry: when a message is tried again and when it is given up, pure.
 *
 * Retry_Interval doubles with each failed attempt up to Max_Retry_Interval.
 * A message past Message_Expiration, or whose last of Max_Retries retries (the
 * first attempt is none) failed, ends (`none` and `auto` count none: expiry
 * alone ends them).
 */
#ifndef EC_RETRY_H
#define EC_RETRY_H

#include "common/base/base.h"

struct retry_rule {
	uint64_t interval_us, max_interval_us, expiration_us;
	int64_t max_retries;	/* negative: no count */
	bool never;		/* Never_Retry */
};

enum retry_verdict {
	RETRY_LATER,
	RETRY_EXPIRED,		/* exceeded max time */
	RETRY_TOO_MANY,		/* exceeded max retries */
	RETRY_NEVER,		/* its first failure is final */
};

/* attempts: failed attempts including the one just made.  *delay_out: from
 * now, never past the expiry by more than the rounding of a clock. */
enum retry_verdict retry_after(const struct retry_rule *r, uint32_t attempts,
	uint64_t received_us, uint64_t now_us, uint64_t *delay_out);

#endif
