/* SPDX-License-Identifier: Apache-2.0 */
/* Chained hash table with a random seed. */
#include "deliverer/table.h"

#include <bsd/stdlib.h>
#include <xxhash.h>

#define FIRST_BUCKETS 64u

void
table_init(struct table *t)
{
	*t = (struct table){ .n_buckets = FIRST_BUCKETS };
	t->bucket = xcalloc(FIRST_BUCKETS, sizeof(struct table_node *));
	arc4random_buf(&t->seed, sizeof t->seed);
}

void
table_fini(struct table *t)
{
	free(t->bucket);
	*t = (struct table){ 0 };
}

static uint64_t
hash_of(const struct table *t, struct slice key)
{
	return XXH3_64bits_withSeed(key.ptr, key.len, t->seed);
}

struct table_node *
table_get(const struct table *t, struct slice key)
{
	uint64_t h = hash_of(t, key);
	struct table_node *n = t->bucket[h & (t->n_buckets - 1)];

	while (n != NULL && (n->hash != h || !slice_eq(n->key, key))) {
		n = n->next;
	}
	return n;
}

static void
table_grow(struct table *t)
{
	size_t size = t->n_buckets * 2;
	struct table_node **bucket = xcalloc(size, sizeof *bucket);

	for (size_t i = 0; i < t->n_buckets; i++) {
		struct table_node *n = t->bucket[i], *next;

		for (; n != NULL; n = next) {
			next = n->next;
			n->next = bucket[n->hash & (size - 1)];
			bucket[n->hash & (size - 1)] = n;
		}
	}
	free(t->bucket);
	t->bucket = bucket;
	t->n_buckets = size;
}

void
table_put(struct table *t, struct table_node *n, struct slice key)
{
	struct table_node **at;

	if (t->n >= t->n_buckets) {
		table_grow(t);
	}
	n->key = key;
	n->hash = hash_of(t, key);
	at = &t->bucket[n->hash & (t->n_buckets - 1)];
	n->next = *at;
	*at = n;
	t->n++;
}

void
table_remove(struct table *t, struct table_node *n)
{
	struct table_node **at = &t->bucket[n->hash & (t->n_buckets - 1)];

	while (*at != NULL && *at != n) {
		at = &(*at)->next;
	}
	ec_assert(*at == n);
	*at = n->next;
	n->next = NULL;
	t->n--;
}

struct table_node *
table_next(const struct table *t, size_t *at, const struct table_node *last)
{
	if (last != NULL && last->next != NULL) {
		return last->next;
	}
	while (*at < t->n_buckets) {
		struct table_node *n = t->bucket[(*at)++];

		if (n != NULL) {
			return n;
		}
	}
	return NULL;
}
