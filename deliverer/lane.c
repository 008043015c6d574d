/* SPDX-License-Identifier: Apache-2.0 */
/* Queues: options, routes, works handed out to us. */
#include "deliverer/lane.h"

#include "deliverer/conn_pool.h"
#include "deliverer/credit.h"
#include "deliverer/deliverer.h"
#include "deliverer/site.h"

#define ADDRESS_ROUTE_US (60u * 1000000u)	/* then it is made anew */
#define LEAST_ROUTE_US 1000000u	/* whatever the TTL: works come fast */

static uint32_t
limit_of(int64_t configured)
{
	return configured < 0 || configured > (int64_t)UINT32_MAX ?
	    UINT32_MAX : (uint32_t)configured;
}

static void
read_options(struct deliverer *d, struct lane *q)
{
	const struct config *c = d->config;
	struct config_where w = { .binding_group = q->group,
		.binding = q->binding, .domain = q->domain };
	struct lane_options *o = &q->opt;

	o->connect_us = config_us(c, &w, OPT_CONNECT_TIMEOUT);
	o->ehlo_us = config_us(c, &w, OPT_EHLO_TIMEOUT);
	o->mail_us = config_us(c, &w, OPT_MAILFROM_TIMEOUT);
	o->rcpt_us = config_us(c, &w, OPT_RCPTTO_TIMEOUT);
	o->body_us = config_us(c, &w, OPT_BODY_TIMEOUT);
	o->rset_us = config_us(c, &w, OPT_RSET_TIMEOUT);
	o->response_us = config_us(c, &w, OPT_DELIVERY_RESPONSE_TIMEOUT);
	o->idle_us = config_us(c, &w, OPT_IDLE_TIMEOUT);
	o->host_retry_us = config_us(c, &w, OPT_HOST_FAILURE_RETRY);
	o->max_conns = limit_of(config_int(c, &w,
	    OPT_MAX_OUTBOUND_CONNECTIONS));
	o->server_max = limit_of(config_int(c, NULL,
	    OPT_SERVER_MAX_OUTBOUND_CONNECTIONS));
	o->max_deliveries = limit_of(config_int(c, &w,
	    OPT_MAX_DELIVERIES_PER_CONNECTION));
	o->max_rcpts = limit_of(config_int(c, &w,
	    OPT_MAX_RECIPIENTS_PER_CONNECTION));
	o->port = (uint16_t)config_int(c, &w, OPT_REMOTE_SMTP_PORT);
	o->migrate = config_bool(c, NULL,
	    OPT_MIGRATE_CONNECTIONS_BETWEEN_SIBLING_DOMAINS);
	o->use_ipv6 = config_bool(c, NULL, OPT_USE_IPV6);
	o->ehlo = config_string(c, &w, OPT_EHLO_HOSTNAME);
	if (o->ehlo.len == 0) {
		o->ehlo = config_string(c, NULL, OPT_HOSTNAME);
	}
	if (o->ehlo.len == 0) {
		o->ehlo = slice_of(d->hostname);
	}
	o->bind = config_string(c, &w, OPT_BIND_ADDRESS);
}

static size_t
put_name(char *names, size_t at, struct slice s, struct slice *out)
{
	*out = slice_make(names + at, s.len);
	if (s.len > 0) {
		memcpy(names + at, s.ptr, s.len);
	}
	names[at + s.len] = '\0';
	return at + s.len + 1;
}

struct lane *
lane_get(struct deliverer *d, struct slice domain, struct slice group,
    struct slice binding)
{
	size_t len = domain.len + group.len + binding.len + 3;
	struct lane *q = xcalloc(1, sizeof *q + len);
	struct table_node *n;
	size_t at;

	at = put_name(q->names, 0, domain, &q->domain);
	at = put_name(q->names, at, group, &q->group);
	at = put_name(q->names, at, binding, &q->binding);
	n = table_get(&d->queues, slice_make(q->names, at));
	if (n != NULL) {
		free(q);
		return list_entry(n, struct lane, node);
	}
	q->d = d;
	list_init(&q->waiting);
	list_init(&q->in_wanting);
	list_init(&q->in_hungry);
	list_init(&q->in_credited);
	list_init(&q->in_given);
	list_init(&q->conns);
	table_put(&d->queues, &q->node, slice_make(q->names, at));
	score_set(d->score, SCORE_D_QUEUES, d->queues.n);
	read_options(d, q);
	return q;
}

static void
release_hops(struct lane *q)
{
	for (size_t i = 0; i < q->n_hops; i++) {
		if (q->hops[i].dest != NULL) {
			resolve_wait_stop(&q->hops[i].wait);
			resolve_release(&q->d->resolve, &q->hops[i].dest);
		}
	}
	free(q->hops);
	q->hops = NULL;
	q->n_hops = 0;
}

void
lane_drop(struct deliverer *d, struct lane *q)
{
	if (q->number != 0 || q->in_hand > 0 || !list_is_empty(&q->conns)) {
		return;
	}
	release_hops(q);
	site_leave(d, q);
	table_remove(&d->queues, &q->node);
	score_set(d->score, SCORE_D_QUEUES, d->queues.n);
	free(q);
}

static void
set_active(struct deliverer *d, struct lane *q, uint32_t active)
{
	if (q->site != NULL) {
		q->site->active = q->site->active - q->active + active;
	}
	q->active = active;
	pool_sort(d, q);
}

static struct work *
pop_waiting(struct lane *q)
{
	struct list_node *n = list_pop_front(&q->waiting);

	if (n == NULL) {
		return NULL;
	}
	q->n_waiting--;
	if (q->site != NULL) {
		q->site->n_waiting--;
	}
	return list_entry(n, struct work, link);
}

/* Works are wanted only to be failed, until the queue is empty. */
static void
serve_stuck(struct deliverer *d, struct lane *q)
{
	struct work *w;
	uint32_t credit = q->active > 0 && !d->draining ?
	    POOL_CREDIT_FAIL : 0;

	if (q->credit != credit) {
		credit_give(d, q, credit);
	}
	while ((w = pop_waiting(q)) != NULL) {
		bool last = q->number == 0 && q->in_hand == 1;

		lane_fail_internal(d, w, STAGE_NOT_CONNECTED, q->stuck_why);
		if (last) {
			return;		/* q is gone with it */
		}
	}
}

/* A target if it may be used; counts those we must not talk to. */
static void
add_target(const struct lane *q, const struct lane_hop *h,
    const uint8_t ip[16], const struct dest_host *host, struct target *targets,
    uint32_t *n, uint32_t *prohibited)
{
	struct cidr_list never = config_cidrs(q->d->config, NULL,
	    OPT_PROHIBITED_HOSTS);
	struct sockaddr_storage ss;

	if (host != NULL && !q->opt.use_ipv6 && !route_ip_is_v4(ip)) {
		return;
	}
	route_sockaddr(ip, h->hop.port, &ss);
	if (cidr_list_has(never, (struct sockaddr *)&ss)) {
		++*prohibited;
		return;
	}
	if (*n < SITE_TARGETS_MAX) {
		struct target *t = &targets[(*n)++];

		t->order = (uint32_t)h->hop.preference << 16 |
		    (host != NULL ? host->preference : 0u);
		t->port = h->hop.port;
		memcpy(t->ip, ip, 16);
		t->n_open = 0;
		t->name = host != NULL ? host->name : h->hop.name;
	}
}

static enum internal_failure
why_of(const struct dest *dest)
{
	switch ((enum resolve_status)dest->status) {
	case RESOLVE_NO_NAME:
		return INTERNAL_NO_DOMAIN;
	case RESOLVE_NULL_MX:
		return INTERNAL_NULL_MX;
	case RESOLVE_LOOP:
		return INTERNAL_LOOP;
	case RESOLVE_TEMPORARY:
		return INTERNAL_DNS_TEMPORARY;
	case RESOLVE_OK:	/* but no address that we use */
	case RESOLVE_NO_DATA:
	case RESOLVE_STATUSES:
		break;
	}
	return INTERNAL_NO_HOST_DATA;
}

static uint32_t
collect(struct lane *q, struct target *targets, enum internal_failure *why)
{
	uint32_t n = 0, prohibited = 0;
	bool any = false;

	*why = INTERNAL_BAD_ROUTE;
	for (size_t i = 0; i < q->n_hops; i++) {
		const struct lane_hop *h = &q->hops[i];

		if (h->fallback && n > 0) {
			break;
		}
		if (h->dest == NULL) {
			add_target(q, h, h->hop.ip, NULL, targets, &n,
			    &prohibited);
			continue;
		}
		q->routed_until_us = EC_MIN(q->routed_until_us,
		    h->dest->expires_us);
		for (uint32_t j = 0; j < h->dest->n_hosts; j++) {
			const struct dest_host *host = &h->dest->host[j];

			for (unsigned k = 0; k < host->n_addrs; k++) {
				add_target(q, h, host->addrs + k * 16u, host,
				    targets, &n, &prohibited);
			}
		}
		/* One that may still come to an answer wins. */
		if (!any || h->dest->status == RESOLVE_TEMPORARY) {
			*why = why_of(h->dest);
		}
		any = true;
	}
	if (prohibited > 0 && *why != INTERNAL_DNS_TEMPORARY) {
		*why = INTERNAL_PROHIBITED;
	}
	return n;
}

/* For those it asked itself: what others ask anew meanwhile has an answer that
 * will do, and nobody would wake us for the next. */
static bool
is_waiting_for_hosts(const struct lane *q)
{
	for (size_t i = 0; i < q->n_hops; i++) {
		if (q->hops[i].dest != NULL &&
		    !list_is_empty(&q->hops[i].wait.link)) {
			return true;
		}
	}
	return false;
}

static void
routed(struct deliverer *d, struct lane *q)
{
	struct target targets[SITE_TARGETS_MAX];
	enum internal_failure why;
	struct site *s;
	uint32_t n;

	q->routed_until_us = loop_now_us(d->loop) + ADDRESS_ROUTE_US;
	n = collect(q, targets, &why);
	q->routed_until_us = EC_MAX(q->routed_until_us,
	    loop_now_us(d->loop) + LEAST_ROUTE_US);
	q->routing = false;
	q->stuck = n == 0;
	if (q->stuck) {
		q->stuck_why = why;
		site_leave(d, q);
		serve_stuck(d, q);
		return;
	}
	s = site_get(d, q, targets, n);
	if (s != q->site) {
		site_leave(d, q);
		site_join(d, s, q);
	}
	pool_sort(d, q);
	site_touch(d, s);
}

static void
on_hosts(void *arg)
{
	struct lane *q = arg;

	if (!is_waiting_for_hosts(q)) {
		routed(q->d, q);
	}
}

static void
add_hop(struct deliverer *d, struct lane *q, const struct hop *hop,
    bool fallback)
{
	struct lane_hop *h = &q->hops[q->n_hops++];

	h->hop = *hop;
	h->fallback = fallback;
	list_init(&h->wait.link);
	if (hop->kind == HOP_ADDRESS) {
		return;
	}
	h->dest = resolve_ask(&d->resolve, hop->kind == HOP_MX && !fallback ?
	    RESOLVE_MX : RESOLVE_HOST, hop->name);
	if (h->dest->pending) {
		resolve_wait(h->dest, &h->wait, on_hosts, q);
	}
}

static void
find_route(struct deliverer *d, struct lane *q)
{
	struct config_where w = { .binding_group = q->group,
		.binding = q->binding, .domain = q->domain };
	struct route_in in = { .domain = q->domain, .port = q->opt.port };
	int64_t patience = config_int(d->config, &w,
	    OPT_MX_FAILURES_FALLBACK_TO_A);
	struct hop hops[ROUTE_HOPS_MAX];
	size_t n;

	in.gateway = config_string(d->config, &w, OPT_GATEWAY);
	in.n_routes = config_list(d->config, &w, OPT_ROUTES, &in.routes);
	release_hops(q);
	n = route_hops(&in, hops, ROUTE_HOPS_MAX);
	q->hops = xcalloc(2 * n + 1, sizeof *q->hops);
	for (size_t i = 0; i < n; i++) {
		add_hop(d, q, &hops[i], false);
	}
	for (size_t i = 0; i < n; i++) {
		const struct dest *dest = q->hops[i].dest;

		if (hops[i].kind == HOP_MX && patience > 0 &&
		    dest->failures >= patience) {
			add_hop(d, q, &hops[i], true);
		}
	}
	q->stuck = false;
	if (is_waiting_for_hosts(q)) {
		q->routing = q->site == NULL;
	} else {
		routed(d, q);
	}
}

void
lane_refresh(struct deliverer *d, struct lane *q)
{
	if (q->routed_until_us <= loop_now_us(d->loop) &&
	    !is_waiting_for_hosts(q)) {
		find_route(d, q);
	}
}

void
lane_named(struct deliverer *d, struct lane *q, uint32_t number)
{
	q->number = number;
	pool_queue_rows(d, q);
}

void
lane_unnamed(struct deliverer *d, struct lane *q, bool gone)
{
	q->number = 0;
	d->credit -= q->credit;
	q->credit = 0;
	list_remove(&q->in_given);
	pool_queue_rows(d, q);
	set_active(d, q, 0);
	if (gone) {
		list_each(n, tmp, &q->conns) {
			list_entry(n, struct conn, in_queue)->queue = NULL;
			list_remove(n);
		}
	}
	lane_drop(d, q);
}

void
lane_ready(struct deliverer *d, struct lane *q, uint32_t active)
{
	set_active(d, q, active);
	lane_refresh(d, q);
	if (q->stuck) {
		serve_stuck(d, q);
	} else if (q->site != NULL) {
		site_touch(d, q->site);
	}
}

void
lane_work(struct deliverer *d, struct lane *q, struct work *w, uint32_t left)
{
	q->in_hand++;
	q->n_waiting++;
	list_push_back(&q->waiting, &w->link);
	if (q->site != NULL) {
		q->site->n_waiting++;
		site_touch(d, q->site);
	}
	set_active(d, q, left);
	/* A queue that always has mail and credit hears no other READY. */
	lane_refresh(d, q);
	if (q->stuck) {
		serve_stuck(d, q);
	}
}

void
lane_work_ended(struct deliverer *d, struct lane *q)
{
	q->in_hand--;
	if (q->in_hand == 0 && q->active == 0 && q->credit > 0 &&
	    d->credit > POOL_CREDIT_SOFT) {
		credit_give(d, q, 0);
	}
	lane_drop(d, q);
}

void
lane_reconfigure(struct deliverer *d, struct lane *q)
{
	read_options(d, q);
	list_each(n, tmp, &q->conns) {
		list_entry(n, struct conn, in_queue)->opt = q->opt;
	}
	find_route(d, q);
}

void
lane_fail_work(struct deliverer *d, struct work *w, unsigned kind,
    unsigned stage, unsigned code, struct slice text)
{
	static const struct work_remote nobody = { .port = 0 };

	smtp_mail_reset(&w->mail);
	smtp_mail_settle(&w->mail, kind, stage, code, text);
	spool_outcome(d, w, &nobody);
}

void
lane_fail_internal(struct deliverer *d, struct work *w, unsigned stage,
    enum internal_failure f)
{
	const struct internal_text *t = internal_text(f);

	lane_fail_work(d, w, t->kind, stage, t->code, slice_of(t->text));
}
