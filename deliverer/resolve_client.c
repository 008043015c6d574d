/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to the resolver and its answers, by TTL. */
#include "deliverer/resolve_client.h"

#define NAME_MAX_BYTES 255u

void
resolve_client_init(struct resolve_client *rc, struct loop *l)
{
	*rc = (struct resolve_client){ .loop = l };
	table_init(&rc->dests);
	table_init(&rc->asked);
	list_init(&rc->turn);
}

static void
dest_free(struct resolve_client *rc, struct dest *d)
{
	ec_assert(d->refs == 0 && list_is_empty(&d->waiters));
	if (d->pending) {
		table_remove(&rc->asked, &d->asked);
		list_remove(&d->in_turn);
	}
	table_remove(&rc->dests, &d->node);
	free(d->host);
	free(d->answer);
	free(d);
}

void
resolve_client_fini(struct resolve_client *rc)
{
	struct table_node *n = NULL, *next;
	size_t at = 0;

	for (n = table_next(&rc->dests, &at, NULL); n != NULL; n = next) {
		next = table_next(&rc->dests, &at, n);
		list_entry(n, struct dest, node)->refs = 0;
		dest_free(rc, list_entry(n, struct dest, node));
	}
	table_fini(&rc->dests);
	table_fini(&rc->asked);
}

static void
say_question(struct resolve_client *rc, const struct dest *d)
{
	struct buf *b;

	if (rc->link == NULL) {
		return;
	}
	b = ipc_begin(rc->link, IPC_RESOLVE);
	wire_put_u32(b, d->query);
	wire_put_u8(b, d->kind);
	wire_put_slice(b, slice_skip(d->node.key, 1));
	ipc_end(rc->link);
}

static void
ask(struct resolve_client *rc, struct dest *d)
{
	d->pending = true;
	d->asked_us = loop_now_us(rc->loop);
	d->query = ++rc->last_query;
	table_put(&rc->asked, &d->asked, slice_make(&d->query,
	    sizeof d->query));
	list_push_back(&rc->turn, &d->in_turn);
	say_question(rc, d);
}

struct dest *
resolve_ask(struct resolve_client *rc, enum resolve_kind kind,
    struct slice name)
{
	char key[1 + NAME_MAX_BYTES];
	size_t len = EC_MIN(name.len, (size_t)NAME_MAX_BYTES);
	struct table_node *n;
	struct dest *d;

	key[0] = (char)kind;
	memcpy(key + 1, name.ptr, len);
	bytes_lower(key + 1, len);
	n = table_get(&rc->dests, slice_make(key, len + 1));
	if (n != NULL) {
		d = list_entry(n, struct dest, node);
	} else {
		d = xcalloc(1, sizeof *d + len + 1);
		d->kind = (uint8_t)kind;
		list_init(&d->waiters);
		list_init(&d->in_turn);
		memcpy(d->key, key, len + 1);
		table_put(&rc->dests, &d->node, slice_make(d->key, len + 1));
	}
	d->refs++;
	if (!d->pending && (!d->known ||
	    d->expires_us <= loop_now_us(rc->loop))) {
		ask(rc, d);
	}
	return d;
}

void
resolve_wait(struct dest *d, struct resolve_wait *w, void (*fn)(void *),
    void *arg)
{
	w->fn = fn;
	w->arg = arg;
	list_push_back(&d->waiters, &w->link);
}

void
resolve_wait_stop(struct resolve_wait *w)
{
	list_remove(&w->link);
}

void
resolve_release(struct resolve_client *rc, struct dest **dp)
{
	struct dest *d = *dp;

	(void)rc;	/* resolve_tick() frees what has expired */
	*dp = NULL;
	ec_assert(d->refs > 0);
	d->refs--;
}

static void
answered(struct resolve_client *rc, struct dest *d)
{
	struct list_node mine, *n;

	table_remove(&rc->asked, &d->asked);
	list_remove(&d->in_turn);
	d->pending = false;
	d->known = true;
	/* A waiter may ask again: it then joins d->waiters anew. */
	list_init(&mine);
	while ((n = list_pop_front(&d->waiters)) != NULL) {
		list_push_back(&mine, n);
	}
	while ((n = list_pop_front(&mine)) != NULL) {
		struct resolve_wait *w = list_entry(n, struct resolve_wait,
		    link);

		w->fn(w->arg);
	}
}

bool
resolve_decode(struct wire_r *r, struct dest *d, uint32_t *ttl_out,
    struct dest_host *host)
{
	uint16_t n;

	d->status = wire_u8(r);
	*ttl_out = wire_u32(r);
	d->text = wire_slice(r);
	n = wire_u16(r);
	d->n_hosts = 0;
	for (uint16_t i = 0; i < n && !r->bad; i++) {
		struct dest_host h = { .preference = wire_u16(r) };

		h.name = wire_slice(r);
		h.n_addrs = wire_u8(r);
		h.addrs = (const uint8_t *)wire_bytes(r,
		    (size_t)h.n_addrs * 16).ptr;
		/* More than any sane domain has: the first ones do. */
		if (!r->bad && d->n_hosts < RESOLVE_HOSTS_MAX) {
			host[d->n_hosts++] = h;
		}
	}
	return !r->bad && wire_left(r) == 0 && d->status < RESOLVE_STATUSES;
}

static void
keep_until(struct resolve_client *rc, struct dest *d, uint32_t ttl)
{
	uint64_t life = (uint64_t)ttl * 1000000u;

	if (d->status == RESOLVE_TEMPORARY) {
		d->failures++;
		life = EC_MAX(life, (uint64_t)RESOLVE_AGAIN_US);
	} else {
		d->failures = 0;
	}
	d->expires_us = loop_now_us(rc->loop) + life;
}

void
resolve_message(struct resolve_client *rc, struct ipc_msg *m)
{
	struct wire_r r = wire_reader(m->body);
	uint32_t query = wire_u32(&r), ttl;
	struct dest_host host[RESOLVE_HOSTS_MAX];
	struct table_node *n;
	struct dest *d;
	size_t len;
	char *copy;

	if (r.bad) {
		ipc_bad(rc->link, "malformed RESOLVED");
		return;
	}
	n = table_get(&rc->asked, slice_make(&query, sizeof query));
	if (n == NULL) {
		return;		/* given up on, or asked before a restart */
	}
	d = list_entry(n, struct dest, asked);
	len = wire_left(&r);
	copy = xmalloc(len + 1);
	memcpy(copy, r.p, len);
	r = wire_reader(slice_make(copy, len));
	if (!resolve_decode(&r, d, &ttl, host)) {
		d->n_hosts = 0;
		d->text = (struct slice){ NULL, 0 };
		d->status = RESOLVE_TEMPORARY;
		ttl = 0;
		ipc_bad(rc->link, "malformed RESOLVED");
	}
	free(d->answer);
	free(d->host);
	d->answer = copy;
	d->host = NULL;
	if (d->n_hosts > 0) {
		d->host = xcalloc(d->n_hosts, sizeof *d->host);
		memcpy(d->host, host, d->n_hosts * sizeof *d->host);
	}
	keep_until(rc, d, ttl);
	answered(rc, d);
}

void
resolve_link_up(struct resolve_client *rc, struct ipc_link *k)
{
	struct table_node *n = NULL;
	size_t at = 0;

	rc->link = k;
	while ((n = table_next(&rc->asked, &at, n)) != NULL) {
		say_question(rc, list_entry(n, struct dest, asked));
	}
}

void
resolve_link_down(struct resolve_client *rc)
{
	rc->link = NULL;
}

static void
give_up(struct resolve_client *rc, struct dest *d)
{
	d->status = RESOLVE_TEMPORARY;
	d->n_hosts = 0;
	d->text = SLICE("no answer from the resolver");
	keep_until(rc, d, 0);
	answered(rc, d);
}

void
resolve_tick(struct resolve_client *rc)
{
	uint64_t now = loop_now_us(rc->loop);
	struct table_node *n, *next;
	struct list_node *oldest;
	size_t at = 0;

	while ((oldest = list_first(&rc->turn)) != NULL) {
		struct dest *d = list_entry(oldest, struct dest, in_turn);

		if (now - d->asked_us <= RESOLVE_DEADLINE_US) {
			break;
		}
		give_up(rc, d);
	}
	for (n = table_next(&rc->dests, &at, NULL); n != NULL; n = next) {
		struct dest *d = list_entry(n, struct dest, node);

		next = table_next(&rc->dests, &at, n);
		if (!d->pending && d->refs == 0 && d->expires_us <= now) {
			dest_free(rc, d);
		}
	}
}
