/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn_pool: how many connections a site has, which work each takes, how much
 * work is asked for, all within the shared budgets.
 *
 * A connection counts in the server's row from the first try on, and in the
 * row of the queue it was made for; it changes rows when it takes work of
 * another queue.
 */
#ifndef EC_CONN_POOL_H
#define EC_CONN_POOL_H

#include "deliverer/outbound.h"
#include "deliverer/lane.h"
#include "deliverer/site.h"

#define POOL_TURN 64u		/* works of one queue while others wait */
#define POOL_RETRIES 2u

/* Serves what the turn has touched. */
void pool_turn(struct deliverer *d);
/* Each second. */
void pool_second(struct deliverer *d);
/* q's needs have changed: sorts it into the right lists of its site. */
void pool_sort(struct deliverer *d, struct lane *q);

/* The next work for a connection that can take one, or NULL. */
struct work *pool_next_work(struct deliverer *d, struct conn *c);
void pool_conn_ready(struct deliverer *d, struct conn *c);
/* It has nothing to do: kept for a while, or ended. */
void pool_conn_idle(struct deliverer *d, struct conn *c);
/* It found nothing to do for its idle time: what the queues' last words said
 * of mail is out of date. */
void pool_conn_aged(struct deliverer *d, struct conn *c);
/* It takes no more work. */
void pool_conn_leaves(struct deliverer *d, struct conn *c);
/* No target of its site took it; why stands in f. */
void pool_conn_failed(struct deliverer *d, struct conn *c,
	const struct smtp_result *f, struct slice text);
/* It could not be made for want of descriptors or memory.  That is no failure:
 * mail waits until it can. */
void pool_conn_short(struct deliverer *d, struct conn *c);
/* Its last sign: gives its budgets back. */
void pool_conn_gone(struct deliverer *d, struct conn *c);
/* Back to the front of its queue, if it was not sent back too often. */
void pool_retry(struct deliverer *d, struct work *w);
/* q has lost or got its number: the rows of its connections follow. */
void pool_queue_rows(struct deliverer *d, struct lane *q);

#endif
