/* SPDX-License-Identifier: Apache-2.0 */
/* Connections and work, brought together within the budgets. */
#include "deliverer/conn_pool.h"

#include "deliverer/credit.h"
#include "deliverer/deliverer.h"

#define LOOK_AT 16u			/* queues tried for one connection */
#define PAUSE_US 1000000u		/* at least, before the next try */
#define FIRST_TRIES 4u			/* connections made at once at first */

static void
put_in(struct list_node *list, struct list_node *n, bool in, uint32_t *count)
{
	bool was = !list_is_empty(n);

	if (in && !was) {
		list_push_back(list, n);
		++*count;
	} else if (!in && was) {
		list_remove(n);
		--*count;
	}
}

void
pool_sort(struct deliverer *d, struct lane *q)
{
	struct site *s = q->site;

	if (s == NULL) {
		return;
	}
	put_in(&s->wanting, &q->in_wanting, q->n_waiting > 0, &s->n_wanting);
	put_in(&s->hungry, &q->in_hungry, q->active > 0 && q->credit == 0 &&
	    q->number != 0 && !d->draining, &s->n_hungry);
	put_in(&s->credited, &q->in_credited, q->credit > 0, &s->n_credited);
}

static void
give_row(struct deliverer *d, struct conn *c)
{
	if (c->row != 0) {
		budget_give(d->budget, c->row, d->index);
		c->row = 0;
	}
}

/* c serves q from now on, if q's row allows. */
static bool
move_to(struct deliverer *d, struct conn *c, struct lane *q)
{
	struct lane *old = c->queue;

	if (old == q) {
		return true;
	}
	if (q->number != 0 && !budget_take(d->budget, q->number, d->index,
	    q->opt.max_conns)) {
		return false;
	}
	give_row(d, c);
	c->row = q->number;
	c->queue = q;
	c->opt = q->opt;
	list_remove(&c->in_queue);
	list_push_back(&q->conns, &c->in_queue);
	if (old != NULL) {
		lane_drop(d, old);
	}
	return true;
}

void
pool_queue_rows(struct deliverer *d, struct lane *q)
{
	list_each(n, tmp, &q->conns) {
		struct conn *c = list_entry(n, struct conn, in_queue);

		give_row(d, c);
		/* They are there already: counted even beyond the limit. */
		if (q->number != 0 && budget_take(d->budget, q->number,
		    d->index, UINT32_MAX)) {
			c->row = q->number;
		}
	}
}

static bool
is_used_up(const struct conn *c)
{
	return c->used_up || (c->opt.max_deliveries != 0 &&
	    c->n_mails >= c->opt.max_deliveries) ||
	    (c->opt.max_rcpts != 0 && c->n_rcpts >= c->opt.max_rcpts);
}

/* The queue whose work c takes next. */
static struct lane *
choose_queue(struct deliverer *d, struct conn *c)
{
	struct site *s = c->site;
	struct lane *q = c->queue;
	unsigned looked = 0;

	if (q != NULL && q->site == s && q->n_waiting > 0) {
		if (q->turn < POOL_TURN || s->n_wanting == 1) {
			return q;
		}
		/* It had its turn: behind the others. */
		q->turn = 0;
		list_remove(&q->in_wanting);
		list_push_back(&s->wanting, &q->in_wanting);
	}
	list_each(n, tmp, &s->wanting) {
		q = list_entry(n, struct lane, in_wanting);
		if (move_to(d, c, q)) {
			return q;
		}
		if (++looked == LOOK_AT) {
			break;
		}
	}
	return NULL;
}

struct work *
pool_next_work(struct deliverer *d, struct conn *c)
{
	struct lane *q;
	struct work *w;

	if (c->phase != CONN_READY || c->site->n_wanting == 0 ||
	    is_used_up(c)) {
		return NULL;
	}
	q = choose_queue(d, c);
	if (q == NULL) {
		return NULL;
	}
	w = list_entry(list_first(&q->waiting), struct work, link);
	if (c->opt.max_rcpts != 0 && c->n_rcpts > 0 &&
	    c->n_rcpts + w->mail.n_rcpt > c->opt.max_rcpts) {
		c->used_up = true;	/* or the mail waits behind it */
		return NULL;
	}
	list_remove(&w->link);
	q->n_waiting--;
	q->site->n_waiting--;
	q->turn++;
	if (q->n_waiting == 0) {
		pool_sort(d, q);
	}
	c->n_mails++;
	c->n_rcpts += w->mail.n_rcpt;
	w->state = WORK_SENDING;
	return w;
}

void
pool_conn_ready(struct deliverer *d, struct conn *c)
{
	struct site *s = c->site;

	ec_assert(c->phase == CONN_MAKING);
	c->phase = CONN_READY;
	s->n_making--;
	s->n_ready++;
	s->n_open++;
	s->target[c->target - s->target].n_open++;
	c->greeted = true;
	s->down_until_us = 0;
	site_touch(d, s);
}

void
pool_conn_leaves(struct deliverer *d, struct conn *c)
{
	struct site *s = c->site;

	s->n_making -= c->phase == CONN_MAKING;
	s->n_ready -= c->phase == CONN_READY;
	c->phase = CONN_LEAVING;
	list_remove(&c->in_idle);
	site_touch(d, s);
}

void
pool_conn_idle(struct deliverer *d, struct conn *c)
{
	if (c->phase == CONN_LEAVING || !list_is_empty(&c->in_idle)) {
		return;
	}
	if (is_used_up(c) || (c->opt.idle_us == 0 && c->n_mails > 0) ||
	    (d->draining && d->spool.n_held == 0)) {
		outbound_quit(d, c);
		return;
	}
	/* The one used last serves next, so that those not needed age. */
	list_push_front(&c->site->idle, &c->in_idle);
}

void
pool_conn_aged(struct deliverer *d, struct conn *c)
{
	struct site *s = c->site;

	list_each(n, tmp, &s->credited) {
		struct lane *q = list_entry(n, struct lane, in_credited);

		if (q->in_hand == 0) {
			s->active -= q->active;
			q->active = 0;
		}
	}
	outbound_quit(d, c);
}

void
pool_conn_gone(struct deliverer *d, struct conn *c)
{
	struct lane *q = c->queue;

	if (c->phase != CONN_LEAVING) {
		pool_conn_leaves(d, c);
	}
	give_row(d, c);
	budget_give(d->budget, BUDGET_SERVER, d->index);
	if (c->greeted) {
		struct site *s = c->site;

		s->n_open--;
		s->target[c->target - s->target].n_open--;
		s->full_until_us = 0;	/* a place is free */
	}
	c->site->n_conns--;
	c->queue = NULL;
	list_remove(&c->in_queue);
	site_touch(d, c->site);
	if (q != NULL) {
		lane_drop(d, q);
	}
}

/* When the first of its targets may be tried again. */
static uint64_t
first_chance(struct deliverer *d, const struct site *s, uint64_t now)
{
	uint64_t first = UINT64_MAX;

	for (uint32_t i = 0; i < s->n_targets; i++) {
		first = EC_MIN(first, host_memory_until(&d->hosts,
		    s->target[i].ip, s->target[i].port, now));
	}
	return EC_MAX(first, now + PAUSE_US);
}

void
pool_conn_failed(struct deliverer *d, struct conn *c,
    const struct smtp_result *f, struct slice text)
{
	struct site *s = c->site;

	if (s->n_open > 0) {
		/* It serves us, only not on more connections.  One that is
		 * leaving may still count there. */
		s->full_until_us = loop_now_us(d->loop) +
		    EC_MAX(c->opt.host_retry_us, (uint64_t)PAUSE_US);
		pool_conn_leaves(d, c);
		return;
	}
	s->failure = *f;
	s->failure.text_len = (uint16_t)EC_MIN(text.len,
	    sizeof s->failure_text);
	memcpy(s->failure_text, text.ptr, s->failure.text_len);
	s->down_until_us = first_chance(d, s, loop_now_us(d->loop));
	pool_conn_leaves(d, c);
}

void
pool_conn_short(struct deliverer *d, struct conn *c)
{
	c->site->short_until_us = loop_now_us(d->loop) + PAUSE_US;
	pool_conn_leaves(d, c);
}

void
pool_retry(struct deliverer *d, struct work *w)
{
	struct lane *q = w->queue;

	if (++w->retries > POOL_RETRIES) {
		lane_fail_internal(d, w, STAGE_MAIL_FROM, INTERNAL_CLOSED);
		return;
	}
	if (q->stuck) {
		/* Its route has gone meanwhile: nobody would come for it. */
		lane_fail_internal(d, w, STAGE_NOT_CONNECTED, q->stuck_why);
		return;
	}
	w->state = WORK_WAITING;
	list_push_front(&q->waiting, &w->link);
	q->n_waiting++;
	if (q->site != NULL) {
		q->site->n_waiting++;
		site_touch(d, q->site);
	}
	pool_sort(d, q);
}

static bool
is_down(const struct site *s, uint64_t now)
{
	return s->n_making == 0 && s->n_ready == 0 && now < s->down_until_us;
}

static void
fail_waiting(struct deliverer *d, struct site *s)
{
	struct list_node *n;

	while ((n = list_first(&s->wanting)) != NULL) {
		struct lane *q = list_entry(n, struct lane, in_wanting);
		struct work *w = list_entry(list_pop_front(&q->waiting),
		    struct work, link);

		q->n_waiting--;
		s->n_waiting--;
		pool_sort(d, q);
		lane_fail_work(d, w, s->failure.kind, s->failure.stage,
		    s->failure.code, site_failure_text(s));
	}
}

/* A queue of the list for which one more connection may be made. */
static struct lane *
take_row_in(struct deliverer *d, struct list_node *list, size_t node_at)
{
	unsigned looked = 0;

	list_each(n, tmp, list) {
		struct lane *q = (struct lane *)((char *)n - node_at);

		if ((q->n_waiting > 0 || q->active > 0) && (q->number == 0 ||
		    budget_take(d->budget, q->number, d->index,
		    q->opt.max_conns))) {
			return q;
		}
		if (++looked == LOOK_AT) {
			break;
		}
	}
	return NULL;
}

static struct lane *
take_row(struct deliverer *d, struct site *s)
{
	struct lane *q = take_row_in(d, &s->wanting,
	    offsetof(struct lane, in_wanting));

	if (q == NULL) {
		q = take_row_in(d, &s->hungry,
		    offsetof(struct lane, in_hungry));
	}
	if (q == NULL) {
		q = take_row_in(d, &s->credited,
		    offsetof(struct lane, in_credited));
	}
	return q;
}

/* How many more to make now: 0.3 of the backlog are useful, but each try
 * first shows whether there is anybody. */
static uint32_t
more_conns(const struct site *s)
{
	uint64_t backlog = s->active + s->n_waiting;
	uint64_t useful = EC_MAX((backlog * 3 + 9) / 10, (uint64_t)1);
	uint32_t have = s->n_making + s->n_ready;
	uint32_t at_once = EC_MAX(FIRST_TRIES, s->n_ready);

	if (backlog == 0 || !list_is_empty(&s->idle) || useful <= have ||
	    at_once <= s->n_making) {
		return 0;
	}
	return (uint32_t)EC_MIN(useful - have,
	    (uint64_t)(at_once - s->n_making));
}

static void
open_conns(struct deliverer *d, struct site *s, uint64_t now)
{
	for (uint32_t n = more_conns(s); n > 0; n--) {
		struct lane *q;

		if (s->n_waiting == 0 && s->n_credited == 0 &&
		    credit_is_gone(d)) {
			return;		/* no mail would come to it */
		}
		if (now < s->down_until_us || now < s->short_until_us ||
		    now < s->full_until_us) {
			return;
		}
		q = take_row(d, s);
		if (q == NULL) {
			return;
		}
		if (!budget_take(d->budget, BUDGET_SERVER, d->index,
		    q->opt.server_max)) {
			if (q->number != 0) {
				budget_give(d->budget, q->number, d->index);
			}
			return;
		}
		outbound_open(d, q, q->number);
	}
}

static void
serve(struct deliverer *d, struct site *s)
{
	uint64_t now = loop_now_us(d->loop);
	struct list_node *n;
	bool down;

	while ((n = list_first(&s->idle)) != NULL && s->n_wanting > 0) {
		struct conn *c = list_entry(n, struct conn, in_idle);
		struct work *w = pool_next_work(d, c);

		if (w == NULL && !is_used_up(c)) {
			break;
		}
		list_remove(&c->in_idle);
		if (w != NULL) {
			outbound_send(d, c, w);
		} else {
			outbound_quit(d, c);
		}
	}
	open_conns(d, s, now);
	down = is_down(s, now);
	if (down) {
		fail_waiting(d, s);
	}
	credit_set(d, s, down);
	list_remove(&s->in_starved);
	if (s->active + s->n_waiting > 0) {
		/* A row, a credit or a host may come free. */
		list_push_back(&d->starved, &s->in_starved);
	}
	site_drop(d, s);
}

void
pool_turn(struct deliverer *d)
{
	struct list_node mine, *n;

	/* What is touched while serving waits for the next turn. */
	list_init(&mine);
	while ((n = list_pop_front(&d->dirty)) != NULL) {
		list_push_back(&mine, n);
	}
	while ((n = list_pop_front(&mine)) != NULL) {
		serve(d, list_entry(n, struct site, in_dirty));
	}
	if (!list_is_empty(&d->dirty)) {
		loop_again(d->loop);
	}
}

void
pool_second(struct deliverer *d)
{
	struct list_node *n;

	credit_second(d);
	while ((n = list_pop_front(&d->starved)) != NULL) {
		site_touch(d, list_entry(n, struct site, in_starved));
	}
	host_memory_sweep(&d->hosts, loop_now_us(d->loop));
}
