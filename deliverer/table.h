/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table: a hash table of objects that carry their node and their key.  The
 * hash is seeded at random, so that a stranger's names cannot pile up in one
 * bucket.  It owns only its buckets; the key's bytes belong to the object and
 * must not change while it is in the table.
 *
 *	table_init(&t);
 *	table_put(&t, &o->node, slice_make(&o->number, sizeof o->number));
 *	n = table_get(&t, key);		// NULL if there is none
 *	o = list_entry(n, struct object, node);
 */
#ifndef EC_TABLE_H
#define EC_TABLE_H

#include "common/base/base.h"
#include "common/base/slice.h"

struct table_node {
	struct table_node *next;
	struct slice key;
	uint64_t hash;
};

struct table {
	struct table_node **bucket;
	size_t n_buckets;	/* a power of two */
	size_t n;
	uint64_t seed;
};

void table_init(struct table *t);
/* The objects are the caller's to free, before. */
void table_fini(struct table *t);
struct table_node *table_get(const struct table *t, struct slice key);
/* No object with that key may be in the table. */
void table_put(struct table *t, struct table_node *n, struct slice key);
void table_remove(struct table *t, struct table_node *n);
/* The first object at or behind bucket *at; start with *at = 0 and pass the
 * last one given, NULL at first.  NULL at the end.  To remove the object at
 * hand, ask for the next one first. */
struct table_node *table_next(const struct table *t, size_t *at,
	const struct table_node *last);

#endif
