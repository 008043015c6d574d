/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dns_cache: answers by (name, type), each until its time is over, and the
 * questions under way with those who wait for them: no question is out twice.
 * No I/O and no clock: the time is an argument.
 *
 * Bounded by entries and bytes; what was used longest ago goes first.  A
 * question under way is never evicted.  The hash is seeded, so that strangers
 * cannot choose names that collide.
 *
 *	switch (dns_cache_find(c, name, DNS_MSG_MX, now, &wait, &answer)) {
 *	case DNS_CACHE_HIT:  use(answer); break;
 *	case DNS_CACHE_WAIT: break;	(wait->fn is called later)
 *	case DNS_CACHE_ASK:  lookup_ask(...); break;	(and put() ends it)
 *	case DNS_CACHE_FULL: fail(); break;
 *	}
 *
 * The cache owns copies of names and answers.  A wait belongs to the asker,
 * who may leave by dns_cache_leave(); the question goes on without it.
 */
#ifndef EC_RESOLVER_DNS_CACHE_H
#define EC_RESOLVER_DNS_CACHE_H

#include "common/base/buf.h"
#include "common/base/list.h"
#include "resolver/dns_msg.h"

/* Ceilings whatever the options say: a wrong TTL heals within a week (RFC
 * 8767 4), a wrong denial within three hours (RFC 2308 5), a failure soon. */
#define DNS_CACHE_TTL_MAX (7u * 86400u)
#define DNS_CACHE_NEGATIVE_MAX (3u * 3600u)
#define DNS_CACHE_FAILURE_TTL 5u	/* also: denials without an SOA */

struct dns_cache;

struct dns_cache_limits {
	uint32_t max_entries;
	size_t max_bytes;
	uint32_t max_pending;	/* questions under way */
	uint32_t min_ttl, max_ttl;	/* Min_DNS_TTL, Max_DNS_TTL */
};

enum dns_cache_state {
	DNS_CACHE_HIT,	/* the answer is there */
	DNS_CACHE_WAIT,	/* somebody asked already: joined */
	DNS_CACHE_ASK,	/* joined as the first: ask now */
	DNS_CACHE_FULL,	/* too many questions under way */
};

struct dns_wait {
	struct list_node link;
	/* Called from dns_cache_put(); not in any list by then. */
	void (*fn)(struct dns_wait *w, const struct dns_answer *a);
};

struct dns_cache_stats {
	uint64_t entries, bytes, pending, hits, misses, evicted;
};

struct dns_cache *dns_cache_create(const struct dns_cache_limits *limits,
	uint64_t seed);
void dns_cache_destroy(struct dns_cache **c);
/* From now on; what is kept keeps its time. */
void dns_cache_set_limits(struct dns_cache *c,
	const struct dns_cache_limits *limits);
/* On HIT *out borrows from the cache until the next call of it; its ttl is
 * what is left, rounded up.  name is lower case. */
enum dns_cache_state dns_cache_find(struct dns_cache *c, struct slice name,
	uint16_t type, uint64_t now_us, struct dns_wait *wait,
	struct dns_answer *out);
/* Ends the question: keeps the answer for its time and calls all who wait,
 * with a->ttl clamped to what the cache keeps it for. */
void dns_cache_put(struct dns_cache *c, struct slice name, uint16_t type,
	uint64_t now_us, const struct dns_answer *a);
void dns_cache_leave(struct dns_wait *wait);
/* Forgets what is over; at most budget entries are looked at. */
void dns_cache_expire(struct dns_cache *c, uint64_t now_us, unsigned budget);
/* A look that changes nothing, for people: false if not kept. */
bool dns_cache_peek(struct dns_cache *c, struct slice name, uint16_t type,
	uint64_t now_us, struct dns_answer *out);
/* Forgets a name's answers (all names: empty); how many went. */
unsigned dns_cache_purge(struct dns_cache *c, struct slice name);
void dns_cache_stats(const struct dns_cache *c, struct dns_cache_stats *out);

#endif
