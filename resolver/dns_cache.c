/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache and the questions under way.  An entry is either pending (in no
 * list, with those who wait) or kept (in the list by last use, with a packed
 * answer and the moment it ends).
 */
#include "resolver/dns_cache.h"

#define uthash_fatal(msg) panic("uthash: %s", msg)
#include <uthash.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#define SECOND_US 1000000u
#define KEY_MAX (2u + DNS_NAME_TEXT_MAX)

struct entry {
	UT_hash_handle hh;
	struct list_node used;	/* kept: newest use at the back */
	struct list_node waits;	/* pending */
	bool pending;
	uint64_t ends_us;
	struct dns_answer answer;	/* data and why point into bytes */
	char *bytes;
	size_t size;		/* all of it, for the limit */
	uint16_t key_len;
	char key[];		/* type, name */
};

struct dns_cache {
	struct entry *table;
	struct list_node used;
	struct dns_cache_limits limits;
	struct dns_cache_stats stats;
	uint64_t seed;
};

struct dns_cache *
dns_cache_create(const struct dns_cache_limits *limits, uint64_t seed)
{
	struct dns_cache *c = xcalloc(1, sizeof *c);

	c->limits = *limits;
	c->seed = seed;
	list_init(&c->used);
	return c;
}

void
dns_cache_set_limits(struct dns_cache *c, const struct dns_cache_limits *limits)
{
	c->limits = *limits;
}

static size_t
key_make(char key[KEY_MAX], struct slice name, uint16_t type)
{
	size_t n = EC_MIN(name.len, (size_t)DNS_NAME_TEXT_MAX);

	memcpy(key, &type, 2);
	if (n > 0) {
		memcpy(key + 2, name.ptr, n);
	}
	return 2 + n;
}

static struct entry *
entry_find(struct dns_cache *c, struct slice name, uint16_t type)
{
	char key[KEY_MAX];
	size_t n = key_make(key, name, type);
	unsigned hash = (unsigned)XXH3_64bits_withSeed(key, n, c->seed);
	struct entry *e;

	HASH_FIND_BYHASHVALUE(hh, c->table, key, n, hash, e);
	return e;
}

static struct entry *
entry_add(struct dns_cache *c, struct slice name, uint16_t type)
{
	char key[KEY_MAX];
	size_t n = key_make(key, name, type);
	unsigned hash = (unsigned)XXH3_64bits_withSeed(key, n, c->seed);
	struct entry *e = xcalloc(1, sizeof *e + n);

	memcpy(e->key, key, n);
	e->key_len = (uint16_t)n;
	e->size = sizeof *e + n;
	list_init(&e->used);
	list_init(&e->waits);
	HASH_ADD_KEYPTR_BYHASHVALUE(hh, c->table, e->key, n, hash, e);
	c->stats.entries++;
	c->stats.bytes += e->size;
	return e;
}

static void
entry_remove(struct dns_cache *c, struct entry *e)
{
	list_remove(&e->used);
	HASH_DEL(c->table, e);
	c->stats.entries--;
	c->stats.bytes -= e->size;
	c->stats.pending -= e->pending;
	free(e->bytes);
	free(e);
}

void
dns_cache_destroy(struct dns_cache **cp)
{
	struct dns_cache *c = *cp;

	*cp = NULL;
	if (c == NULL) {
		return;
	}
	while (c->table != NULL) {
		struct entry *e = c->table;
		struct list_node *n;

		while ((n = list_pop_front(&e->waits)) != NULL) {
		}
		entry_remove(c, e);
	}
	free(c);
}

/* Room for one more: what was used longest ago goes. */
static void
evict(struct dns_cache *c)
{
	struct list_node *n;

	while ((c->stats.entries > c->limits.max_entries ||
	    c->stats.bytes > c->limits.max_bytes) &&
	    (n = list_first(&c->used)) != NULL) {
		entry_remove(c, list_entry(n, struct entry, used));
		c->stats.evicted++;
	}
}

static void
answer_view(const struct entry *e, uint64_t now_us, struct dns_answer *out)
{
	*out = e->answer;
	out->ttl = (uint32_t)((e->ends_us - now_us + SECOND_US - 1) /
	    SECOND_US);
}

enum dns_cache_state
dns_cache_find(struct dns_cache *c, struct slice name, uint16_t type,
    uint64_t now_us, struct dns_wait *wait, struct dns_answer *out)
{
	struct entry *e = entry_find(c, name, type);

	if (e != NULL && !e->pending && now_us >= e->ends_us) {
		entry_remove(c, e);
		e = NULL;
	}
	if (e != NULL && !e->pending) {
		list_remove(&e->used);
		list_push_back(&c->used, &e->used);
		c->stats.hits++;
		answer_view(e, now_us, out);
		return DNS_CACHE_HIT;
	}
	if (e != NULL) {
		list_push_back(&e->waits, &wait->link);
		return DNS_CACHE_WAIT;
	}
	if (c->stats.pending >= c->limits.max_pending) {
		return DNS_CACHE_FULL;
	}
	e = entry_add(c, name, type);
	e->pending = true;
	c->stats.pending++;
	c->stats.misses++;
	list_push_back(&e->waits, &wait->link);
	evict(c);
	return DNS_CACHE_ASK;
}

static uint32_t
ttl_clamp(const struct dns_cache *c, const struct dns_answer *a)
{
	uint32_t ttl = a->ttl, ceiling = DNS_CACHE_TTL_MAX;

	if (a->status == DNS_ANSWER_FAILED || !a->has_ttl) {
		return DNS_CACHE_FAILURE_TTL;
	}
	if (a->status != DNS_ANSWER_DATA) {
		ceiling = DNS_CACHE_NEGATIVE_MAX;
	}
	ttl = EC_MAX(ttl, c->limits.min_ttl);
	ttl = EC_MIN(ttl, c->limits.max_ttl);
	return EC_MIN(ttl, ceiling);
}

static void
entry_keep(struct dns_cache *c, struct entry *e, const struct dns_answer *a,
    uint64_t now_us)
{
	size_t n = a->data.len + a->why.len;

	e->answer = *a;
	e->ends_us = now_us + (uint64_t)a->ttl * SECOND_US;
	e->bytes = n > 0 ? xmalloc(n) : NULL;
	if (a->data.len > 0) {
		memcpy(e->bytes, a->data.ptr, a->data.len);
	}
	if (a->why.len > 0) {
		memcpy(e->bytes + a->data.len, a->why.ptr, a->why.len);
	}
	e->answer.data = slice_make(e->bytes, a->data.len);
	e->answer.why = slice_make(e->bytes == NULL ? NULL :
	    e->bytes + a->data.len, a->why.len);
	e->size += n;
	c->stats.bytes += n;
	e->pending = false;
	c->stats.pending--;
	list_push_back(&c->used, &e->used);
	evict(c);
}

void
dns_cache_put(struct dns_cache *c, struct slice name, uint16_t type,
    uint64_t now_us, const struct dns_answer *a)
{
	struct entry *e = entry_find(c, name, type);
	struct dns_answer told = *a;
	struct list_node waits, *n;

	if (e == NULL || !e->pending) {
		return;
	}
	told.ttl = ttl_clamp(c, a);
	/* Take the waits first: a small cache may evict e at once, and those
	 * who are called may ask for more. */
	list_init(&waits);
	while ((n = list_pop_front(&e->waits)) != NULL) {
		list_push_back(&waits, n);
	}
	if (told.ttl == 0) {
		entry_remove(c, e);
	} else {
		entry_keep(c, e, &told, now_us);
	}
	while ((n = list_pop_front(&waits)) != NULL) {
		struct dns_wait *w = list_entry(n, struct dns_wait, link);

		w->fn(w, &told);
	}
}

void
dns_cache_leave(struct dns_wait *wait)
{
	list_remove(&wait->link);
}

void
dns_cache_expire(struct dns_cache *c, uint64_t now_us, unsigned budget)
{
	/* From what was used longest ago: the likeliest to be over. */
	unsigned seen = 0;

	list_each(n, tmp, &c->used) {
		struct entry *e = list_entry(n, struct entry, used);

		if (seen++ == budget) {
			return;
		}
		if (now_us >= e->ends_us) {
			entry_remove(c, e);
		}
	}
}

bool
dns_cache_peek(struct dns_cache *c, struct slice name, uint16_t type,
    uint64_t now_us, struct dns_answer *out)
{
	struct entry *e = entry_find(c, name, type);

	if (e == NULL || e->pending || now_us >= e->ends_us) {
		return false;
	}
	answer_view(e, now_us, out);
	return true;
}

unsigned
dns_cache_purge(struct dns_cache *c, struct slice name)
{
	unsigned gone = 0;

	list_each(n, tmp, &c->used) {
		struct entry *e = list_entry(n, struct entry, used);

		if (name.len == 0 || slice_eq(slice_make(e->key + 2,
		    e->key_len - 2u), name)) {
			entry_remove(c, e);
			gone++;
		}
	}
	return gone;
}

void
dns_cache_stats(const struct dns_cache *c, struct dns_cache_stats *out)
{
	*out = c->stats;
}
