/* SPDX-License-Identifier: Apache-2.0 */
/* The retry curve. */
#include "spooler/retry.h"

enum retry_verdict
retry_after(const struct retry_rule *r, uint32_t attempts,
    uint64_t received_us, uint64_t now_us, uint64_t *delay_out)
{
	uint64_t delay = EC_MAX(r->interval_us, (uint64_t)1);
	/* A clock set back makes nothing older than it is. */
	uint64_t age = now_us > received_us ? now_us - received_us : 0;

	*delay_out = 0;
	if (r->never) {
		return RETRY_NEVER;
	}
	if (age >= r->expiration_us) {
		return RETRY_EXPIRED;
	}
	if (r->max_retries >= 0 && attempts > (uint64_t)r->max_retries) {
		return RETRY_TOO_MANY;
	}
	for (uint32_t i = 1; i < attempts && delay < r->max_interval_us; i++) {
		delay *= 2;
	}
	delay = EC_MIN(delay, EC_MAX(r->max_interval_us, r->interval_us));
	*delay_out = EC_MIN(delay, r->expiration_us - age);
	return RETRY_LATER;
}
