/* SPDX-License-Identifier: Apache-2.0 */
/* Who may have how much work from the spooler. */
#include "deliverer/credit.h"

#include "deliverer/conn_pool.h"
#include "deliverer/deliverer.h"

#define CREDIT_TERM_S 2u	/* at least, before others have it */

void
credit_give(struct deliverer *d, struct lane *q, uint32_t credit)
{
	if (q->credit == 0 && credit > 0) {
		q->given_s = d->seconds;
		list_push_back(&d->given, &q->in_given);
	} else if (credit == 0) {
		list_remove(&q->in_given);
	}
	d->credit = d->credit - q->credit + credit;
	q->credit = credit;
	spool_pull(d, q, credit);
	pool_sort(d, q);
}

bool
credit_is_gone(const struct deliverer *d)
{
	return d->credit + POOL_CREDIT_LEAST > POOL_CREDIT_MAX;
}

/* What one queue of this site should have as its credit. */
static uint32_t
share_of(const struct site *s)
{
	uint32_t busy = EC_MAX(s->n_hungry + s->n_credited, 1u);
	uint32_t share = 4 * s->n_ready / busy;

	return EC_MAX(share, busy == 1 ? POOL_CREDIT_ALONE :
	    POOL_CREDIT_LEAST);
}

static void
take_credits(struct deliverer *d, struct site *s)
{
	list_each(n, tmp, &s->credited) {
		credit_give(d, list_entry(n, struct lane, in_credited), 0);
	}
}

/* A first portion: the more is given away, the smaller. */
static uint32_t
portion(const struct deliverer *d, uint32_t share)
{
	bool plenty = !d->pressed && d->credit + share + POOL_CREDIT_RESERVE <=
	    POOL_CREDIT_MAX;

	return plenty ? share : EC_MIN(share, POOL_CREDIT_LEAST);
}

static void
count_refused(struct deliverer *d, struct site *s)
{
	if (s->n_hungry > 0 && s->refused_s != d->seconds && credit_is_gone(d)) {
		s->refused_s = d->seconds;
		d->refused += s->n_hungry;
	}
}

void
credit_set(struct deliverer *d, struct site *s, bool down)
{
	uint32_t share = down ? POOL_CREDIT_FAIL : share_of(s);
	struct list_node *n;

	if (d->draining) {
		take_credits(d, s);
		return;
	}
	if (s->n_ready == 0 && !down) {
		take_credits(d, s);
		count_refused(d, s);
		return;
	}
	while ((n = list_first(&s->hungry)) != NULL && !credit_is_gone(d)) {
		struct lane *q = list_entry(n, struct lane, in_hungry);

		credit_give(d, q, portion(d, share));
	}
	count_refused(d, s);
	/* A lone queue grows with its connections. */
	if (s->n_credited == 1 && s->n_hungry == 0 && !d->pressed) {
		struct lane *q = list_entry(list_first(&s->credited),
		    struct lane, in_credited);

		if (q->credit < share && d->credit - q->credit + share +
		    POOL_CREDIT_RESERVE <= POOL_CREDIT_MAX) {
			credit_give(d, q, share);
		}
	}
}

/* Credit for the lanes that got none in the last second: who has much gives
 * half, then who has had the least for longest goes behind them. */
void
credit_second(struct deliverer *d)
{
	uint32_t need = d->refused * POOL_CREDIT_LEAST, freed = 0;
	struct list_node *first;

	d->pressed = d->refused > 0;
	d->refused = 0;
	list_each(n, tmp, &d->given) {
		struct lane *q = list_entry(n, struct lane, in_given);
		uint32_t less = EC_MAX(q->credit / 2, POOL_CREDIT_LEAST);

		if (freed >= need) {
			return;
		}
		if (less < q->credit) {
			freed += q->credit - less;
			credit_give(d, q, less);
		}
	}
	while (freed < need && (first = list_first(&d->given)) != NULL) {
		struct lane *q = list_entry(first, struct lane, in_given);

		if (d->seconds - q->given_s < CREDIT_TERM_S) {
			return;
		}
		freed += q->credit;
		credit_give(d, q, 0);
		if (q->site != NULL) {
			list_remove(&q->site->in_starved);
			list_push_back(&d->starved, &q->site->in_starved);
		}
	}
}
