/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resolve: a name to the hosts that take its mail.  Joins cache, lookups and
 * MX assembly; knows nothing of messages between processes.
 *
 *	resolve_ask(r, RESOLVE_MX, name, owner, 7);
 *	-> fn(arg, owner, 7, result), once, perhaps before resolve_ask returns
 *
 * Address literals, bad names and "localhost" (RFC 6761) need no question.
 * The result's ttl is that of its shortest-lived part.
 */
#ifndef EC_RESOLVER_RESOLVE_H
#define EC_RESOLVER_RESOLVE_H

#include "common/base/loop.h"
#include "common/config/config.h"
#include "common/ipc/ipc_msgs.h"
#include "resolver/dns_cache.h"
#include "resolver/lookup.h"
#include "resolver/mx.h"
#include "resolver/self.h"

#define RESOLVE_JOBS_MAX 65536u

struct resolve;

struct resolve_result {
	enum resolve_status status;
	uint32_t ttl;
	struct slice text;	/* why not OK; borrowed */
	const struct mx_host *hosts;	/* best first; borrowed */
	size_t n_hosts;
};

struct resolve_stats {
	uint64_t questions, jobs;
};

typedef void (*resolve_fn)(void *arg, void *owner, uint32_t query,
	const struct resolve_result *result);

/* Options it follows are read from cfg, which must live until the next
 * resolve_configure().  own is borrowed for good. */
struct resolve *resolve_create(struct loop *l, const struct config *cfg,
	const struct self_addresses *own, const struct lookup_options *o,
	resolve_fn fn, void *arg);
void resolve_destroy(struct resolve **r);
void resolve_configure(struct resolve *r, const struct config *cfg,
	const struct lookup_options *o);
void resolve_ask(struct resolve *r, enum resolve_kind kind, struct slice name,
	void *owner, uint32_t query);
/* Nothing more is told to owner; its questions end for the cache's sake.  How
 * many they were. */
unsigned resolve_forget(struct resolve *r, const void *owner);
/* Once a second or so: forgets what is over. */
void resolve_tick(struct resolve *r);
struct dns_cache *resolve_cache(struct resolve *r);
const struct lookup *resolve_lookup(const struct resolve *r);
void resolve_stats(const struct resolve *r, struct resolve_stats *out);

#endif
