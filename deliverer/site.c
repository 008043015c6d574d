/* SPDX-License-Identifier: Apache-2.0 */
/* Sites: what connections can be shared for. */
#include "deliverer/site.h"

#include "common/base/buf.h"
#include "common/base/wire.h"
#include "deliverer/conn_pool.h"
#include "deliverer/deliverer.h"
#include "deliverer/queue.h"

#define KEY_MAX 16384u

static int
compare(const void *a, const void *b)
{
	const struct target *x = a, *y = b;
	int ip = memcmp(x->ip, y->ip, sizeof x->ip);

	if (x->order != y->order) {
		return x->order < y->order ? -1 : 1;
	}
	return ip != 0 ? ip : (int)x->port - (int)y->port;
}

static void
make_key(struct buf *b, const struct queue *q, const struct target *targets,
    uint32_t n)
{
	wire_put_slice(b, q->group);
	wire_put_slice(b, q->binding);
	wire_put_slice(b, q->opt.ehlo);
	wire_put_slice(b, q->opt.bind);
	if (!q->opt.migrate) {
		wire_put_slice(b, q->domain);
	}
	for (uint32_t i = 0; i < n; i++) {
		wire_put_u32(b, targets[i].order);
		wire_put_u16(b, targets[i].port);
		buf_append(b, targets[i].ip, 16);
	}
}

/* The names stand behind the targets, in one piece of memory. */
static struct target *
copy_targets(const struct target *from, uint32_t n)
{
	size_t len = n * sizeof *from;
	struct target *t;
	char *names;

	for (uint32_t i = 0; i < n; i++) {
		len += from[i].name.len;
	}
	t = xmalloc(len);
	memcpy(t, from, n * sizeof *from);
	names = (char *)(t + n);
	for (uint32_t i = 0; i < n; i++) {
		if (t[i].name.len > 0) {
			memcpy(names, t[i].name.ptr, t[i].name.len);
		}
		t[i].name.ptr = names;
		names += t[i].name.len;
	}
	return t;
}

struct site *
site_get(struct deliverer *d, const struct queue *q, struct target *targets,
    uint32_t n)
{
	struct table_node *found;
	struct site *s;
	struct buf key;

	ec_assert(n > 0 && n <= SITE_TARGETS_MAX);
	qsort(targets, n, sizeof *targets, compare);
	buf_init(&key, KEY_MAX);
	make_key(&key, q, targets, n);
	found = table_get(&d->sites, buf_slice(&key));
	if (found != NULL) {
		buf_fini(&key);
		return list_entry(found, struct site, node);
	}
	s = xcalloc(1, sizeof *s);
	s->n_targets = n;
	s->target = copy_targets(targets, n);
	list_init(&s->wanting);
	list_init(&s->hungry);
	list_init(&s->credited);
	list_init(&s->idle);
	list_init(&s->in_dirty);
	list_init(&s->in_starved);
	s->key = key.ptr;	/* ours from here on */
	table_put(&d->sites, &s->node, buf_slice(&key));
	return s;
}

void
site_join(struct deliverer *d, struct site *s, struct queue *q)
{
	ec_assert(q->site == NULL);
	q->site = s;
	s->n_queues++;
	s->n_waiting += q->n_waiting;
	s->active += q->active;
	pool_sort(d, q);
}

void
site_leave(struct deliverer *d, struct queue *q)
{
	struct site *s = q->site;

	if (s == NULL) {
		return;
	}
	s->n_wanting -= !list_is_empty(&q->in_wanting);
	s->n_hungry -= !list_is_empty(&q->in_hungry);
	s->n_credited -= !list_is_empty(&q->in_credited);
	list_remove(&q->in_wanting);
	list_remove(&q->in_hungry);
	list_remove(&q->in_credited);
	s->n_queues--;
	s->n_waiting -= q->n_waiting;
	s->active -= q->active;
	q->site = NULL;
	site_touch(d, s);
}

void
site_touch(struct deliverer *d, struct site *s)
{
	if (list_is_empty(&s->in_dirty)) {
		list_push_back(&d->dirty, &s->in_dirty);
	}
}

void
site_drop(struct deliverer *d, struct site *s)
{
	if (s->n_queues > 0 || s->n_conns > 0) {
		return;
	}
	list_remove(&s->in_dirty);
	list_remove(&s->in_starved);
	table_remove(&d->sites, &s->node);
	free(s->target);
	free(s->key);
	free(s);
}

struct slice
site_failure_text(const struct site *s)
{
	return slice_make(s->failure_text, s->failure.text_len);
}
