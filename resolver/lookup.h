/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lookup: asks the configured servers until one answers or the deadline is
 * over.  It keeps no answers (dns_cache does) and does not notice that a
 * question is asked twice.
 *
 * A server that does not answer is remembered as dead: others are asked first
 * until a probe of its own finds it again, so a dead first server delays one
 * question, not every one.  SERVFAIL, REFUSED and garbage move a question to
 * the next server; a truncated answer is asked again over TCP; a server that
 * does not take EDNS (FORMERR) too.
 *
 *	struct lookup *l = lookup_create(loop, &options, on_answer, arg);
 *	lookup_ask(l, SLICE("example.com"), DNS_MSG_MX);
 *
 * on_answer is called from the loop, never from lookup_ask(), exactly once
 * per question, and may ask again.
 */
#ifndef EC_RESOLVER_LOOKUP_H
#define EC_RESOLVER_LOOKUP_H

#include "common/base/loop.h"
#include "resolver/dns_msg.h"

#include <sys/socket.h>

#define LOOKUP_SERVERS_MAX 8u
#define LOOKUP_IN_FLIGHT 256u	/* per server: the library walks a list */
#define LOOKUP_TCP_MAX 64u

struct lookup;

struct lookup_options {
	struct sockaddr_storage server[LOOKUP_SERVERS_MAX];
	unsigned n_servers;
	uint64_t deadline_us;	/* a question as a whole */
	uint64_t first_us;	/* first wait for a server; doubles by round */
	uint64_t rotate_us;	/* age at which a port (and ids) is replaced */
	uint64_t probe_us;	/* first pause before a dead server is tried */
};

struct lookup_stats {
	uint64_t sent, replies, timeouts, tcp, failures, probes, malformed;
	uint64_t pending;
};

typedef void (*lookup_fn)(void *arg, struct slice name, uint16_t type,
	const struct dns_answer *a);

/* Everything but the servers as the product runs with. */
void lookup_defaults(struct lookup_options *o);
struct lookup *lookup_create(struct loop *l, const struct lookup_options *o,
	lookup_fn fn, void *arg);
/* Drops what is under way without a word. */
void lookup_destroy(struct lookup **l);
/* No more questions will come: it answers what is under way and goes. */
void lookup_retire(struct lookup **l);
/* name: a valid one, lower case. */
void lookup_ask(struct lookup *l, struct slice name, uint16_t type);
void lookup_stats(const struct lookup *l, struct lookup_stats *out);
/* For people: "127.0.0.1:53" and whether it is thought dead; false past the
 * last. */
bool lookup_server(const struct lookup *l, unsigned i, struct slice *text_out,
	bool *dead_out, unsigned *in_flight_out);

#endif
