/* SPDX-License-Identifier: Apache-2.0 */
/*
 * credit: how much work each queue may have outstanding here, all together
 * within POOL_CREDIT_MAX.
 *
 * A queue is given credit when its site has a connection (or is down: its
 * works are then taken to be failed), and keeps it.  Queues that get none are
 * counted; each second those that have most give half, and past that those
 * that have had the least for longest go behind.
 */
#ifndef EC_CREDIT_H
#define EC_CREDIT_H

#include "deliverer/lane.h"
#include "deliverer/site.h"

#define POOL_CREDIT_MAX 4096u	/* works asked for, of all queues */
#define POOL_CREDIT_SOFT 2048u	/* past it idle queues keep none */
#define POOL_CREDIT_RESERVE 512u /* of the most; given in least portions */
#define POOL_CREDIT_LEAST 4u
#define POOL_CREDIT_ALONE 64u	/* at least, for the only busy queue */
#define POOL_CREDIT_FAIL 64u	/* where works are taken to be failed */

/* q has so much from now on; the spooler hears of it. */
void credit_give(struct deliverer *d, struct lane *q, uint32_t credit);
/* Nothing is left to be given. */
bool credit_is_gone(const struct deliverer *d);
/* What the queues of s should have. */
void credit_set(struct deliverer *d, struct site *s, bool down);
/* Each second, before the sites are looked at. */
void credit_second(struct deliverer *d);

#endif
