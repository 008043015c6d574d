/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's callbacks: links, reloads, drain, what ps shows. */
#include "deliverer/deliverer.h"

#include "deliverer/conn_pool.h"
#include "deliverer/credit.h"
#include "deliverer/outbound.h"
#include "deliverer/lane.h"

#define SECOND_US 1000000u

/* A list of its own, for those that quit may leave d->conns at once. */
static void
quit_idle_conns(struct deliverer *d)
{
	struct list_node mine, *n;

	list_init(&mine);
	while ((n = list_pop_front(&d->conns)) != NULL) {
		list_push_back(&mine, n);
	}
	while ((n = list_pop_front(&mine)) != NULL) {
		struct conn *c = list_entry(n, struct conn, link);

		list_push_back(&d->conns, n);
		if (!list_is_empty(&c->in_idle)) {
			outbound_quit(d, c);
		}
	}
}

/* Nothing in hand, nothing untold: connections leave, then we do. */
static void
check_drained(struct deliverer *d)
{
	if (!d->draining || d->finished) {
		return;
	}
	if (d->spool.n_held > 0) {
		d->idle_quit = false;
		return;
	}
	if (!d->idle_quit) {
		/* Those that become idle with nothing in hand quit by
		 * themselves. */
		d->idle_quit = true;
		quit_idle_conns(d);
	}
	if (d->spool.n_told == 0 && d->n_conns == 0) {
		d->finished = true;
		worker_finished(d->worker);
	}
}

static void
on_turn(void *arg)
{
	struct deliverer *d = arg;

	pool_turn(d);
	check_drained(d);
	/* The links' own hook has run already. */
	if (d->spool.link != NULL) {
		ipc_flush(d->spool.link);
	}
	if (d->resolve.link != NULL) {
		ipc_flush(d->resolve.link);
	}
}

static void
on_second(void *arg)
{
	struct deliverer *d = arg;

	d->seconds++;
	pool_second(d);
	resolve_tick(&d->resolve);
	score_set(d->score, SCORE_D_WORKING, d->spool.n_held);
	loop_timer_set(&d->second, SECOND_US);
}

int
deliverer_start(struct worker *w, int *exit_code_out, struct error *err_out)
{
	struct deliverer *d = worker_ctx(w);

	(void)exit_code_out;
	if (worker_index(w) >= BUDGET_DELIVERERS) {
		return error_set(err_out, ERROR_LIMIT,
		    "there can be %u deliverers at most", BUDGET_DELIVERERS);
	}
	d->worker = w;
	d->loop = worker_loop(w);
	d->config = worker_config(w);
	d->budget = worker_budget(w);
	d->index = worker_index(w);
	d->stages = worker_stages(w)->slot[d->index];
	d->score = worker_score(w);
	if (gethostname(d->hostname, sizeof d->hostname - 1) < 0) {
		return error_sys(err_out, "cannot read the host's name");
	}
	table_init(&d->queues);
	table_init(&d->sites);
	list_init(&d->dirty);
	list_init(&d->starved);
	list_init(&d->given);
	host_memory_init(&d->hosts);
	resolve_client_init(&d->resolve, d->loop);
	spool_client_init(&d->spool);
	outbound_init(d);
	loop_on_turn_end(d->loop, &d->turn, on_turn, d);
	loop_timer_init(&d->second, d->loop, on_second, d);
	loop_timer_set(&d->second, SECOND_US);
	return 0;
}

void
deliverer_reconfigure(struct worker *w)
{
	struct deliverer *d = worker_ctx(w);
	struct table_node *n, *next;
	size_t at = 0;

	d->config = worker_config(w);
	for (n = table_next(&d->queues, &at, NULL); n != NULL; n = next) {
		next = table_next(&d->queues, &at, n);
		lane_reconfigure(d, list_entry(n, struct lane, node));
	}
}

void
deliverer_link_up(struct worker *w, struct ipc_link *k)
{
	struct deliverer *d = worker_ctx(w);

	if (k->peer == ROLE_SPOOLER && k->peer_index == 0) {
		spool_link_up(d, k);
	} else if (k->peer == ROLE_RESOLVER) {
		resolve_link_up(&d->resolve, k);
	}
}

void
deliverer_link_down(struct worker *w, struct ipc_link *k, const char *reason)
{
	struct deliverer *d = worker_ctx(w);

	(void)reason;
	if (k == d->spool.link) {
		spool_link_down(d);
	} else if (k == d->resolve.link) {
		resolve_link_down(&d->resolve);
	}
}

static void
on_ask(struct deliverer *d, struct ipc_link *k, struct ipc_msg *m)
{
	struct wire_r r = wire_reader(m->body);
	uint32_t request = wire_u32(&r);
	struct slice command = wire_slice(&r);
	struct buf *b;

	if (r.bad) {
		worker_bad_peer(d->worker, k, "malformed ASK");
		return;
	}
	b = ipc_begin(k, IPC_TOLD);
	wire_put_u32(b, request);
	wire_put_u8(b, 1);
	if (slice_eq(command, SLICE("sites"))) {
		buf_printf(b, "{\"sites\":%zu,\"queues\":%zu,"
		    "\"connections\":%u,\"transactions\":%u,"
		    "\"unacknowledged\":%u,\"credit\":%u}", d->sites.n,
		    d->queues.n, d->n_conns, d->spool.n_held, d->spool.n_told,
		    d->credit);
	} else {
		buf_puts(b, "{}");
	}
	ipc_end(k);
}

void
deliverer_message(struct worker *w, struct ipc_link *k, struct ipc_msg *m)
{
	struct deliverer *d = worker_ctx(w);

	if (k == d->spool.link) {
		spool_message(d, k, m);
	} else if (k == d->resolve.link) {
		resolve_message(&d->resolve, m);
	} else if (m->type == IPC_ASK) {
		on_ask(d, k, m);
	}
}

void
deliverer_drain(struct worker *w)
{
	struct deliverer *d = worker_ctx(w);
	struct table_node *n = NULL;
	size_t at = 0;

	d->draining = true;
	while ((n = table_next(&d->queues, &at, n)) != NULL) {
		struct lane *q = list_entry(n, struct lane, node);

		if (q->credit > 0) {
			credit_give(d, q, 0);
		}
		pool_sort(d, q);
	}
	loop_again(d->loop);
}

void
deliverer_title(struct worker *w, char *out, size_t size)
{
	struct deliverer *d = worker_ctx(w);
	uint64_t total = score_get(d->score, SCORE_D_DELIVERED);

	/* Of the last second, smoothed over some more. */
	d->per_minute = (d->per_minute * 7 +
	    (total - d->last_total) * 60) / 8;
	d->last_total = total;
	snprintf(out, size, "%u conns, %llu msg/min", d->n_conns,
	    (unsigned long long)d->per_minute);
}
