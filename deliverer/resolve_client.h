/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resolve_client: asks the resolver for a destination's hosts and keeps the
 * answer until its TTL ends.  One question a name is under way; whoever waits
 * is called once when the answer, or the failure to get one, is there.
 *
 *	d = resolve_ask(rc, RESOLVE_MX, SLICE("example.com"));
 *	if (d->pending) { resolve_wait(d, &w, fn, arg); }
 *	... d->status, d->host[] ...
 *	resolve_release(rc, &d);
 *
 * An answer stays as it is for those who hold it, also past its TTL, until
 * somebody asks again.  Without a resolver questions wait; a new one is asked
 * anew.  After RESOLVE_DEADLINE_US the answer is RESOLVE_TEMPORARY.
 */
#ifndef EC_RESOLVE_CLIENT_H
#define EC_RESOLVE_CLIENT_H

#include "common/base/list.h"
#include "common/ipc/ipc.h"
#include "deliverer/table.h"

#define RESOLVE_DEADLINE_US (60u * 1000000u)
#define RESOLVE_AGAIN_US (5u * 1000000u)	/* least life of a failure */
#define RESOLVE_HOSTS_MAX 64u

struct dest_host {
	uint16_t preference;
	uint8_t n_addrs;
	struct slice name;
	const uint8_t *addrs;	/* 16 bytes each, IPv4 mapped */
};

struct dest {
	struct table_node node;		/* by kind and name */
	struct table_node asked;	/* by query, while pending */
	struct list_node in_turn;	/* oldest question first, too */
	uint32_t query;
	uint32_t refs;
	bool pending;
	bool known;			/* there was an answer */
	uint8_t kind;			/* enum resolve_kind */
	uint8_t status;			/* enum resolve_status */
	uint32_t failures;		/* temporary ones in a row */
	uint64_t asked_us, expires_us;
	struct slice text;		/* of the resolver, for people */
	struct dest_host *host;
	uint32_t n_hosts;
	struct list_node waiters;
	char *answer;			/* what the slices borrow from */
	char key[];			/* kind, lower-case name */
};

struct resolve_wait {
	struct list_node link;
	void (*fn)(void *arg);
	void *arg;
};

struct resolve_client {
	struct loop *loop;
	struct ipc_link *link;		/* NULL: away */
	struct table dests, asked;
	struct list_node turn;		/* what is pending, by asked_us */
	uint32_t last_query;
};

void resolve_client_init(struct resolve_client *rc, struct loop *l);
void resolve_client_fini(struct resolve_client *rc);
void resolve_link_up(struct resolve_client *rc, struct ipc_link *k);
void resolve_link_down(struct resolve_client *rc);
void resolve_message(struct resolve_client *rc, struct ipc_msg *m);
/* Now and then: deadlines, and what nobody holds any more. */
void resolve_tick(struct resolve_client *rc);

struct dest *resolve_ask(struct resolve_client *rc, enum resolve_kind kind,
	struct slice name);
void resolve_wait(struct dest *d, struct resolve_wait *w, void (*fn)(void *),
	void *arg);
void resolve_wait_stop(struct resolve_wait *w);
void resolve_release(struct resolve_client *rc, struct dest **d);

/* The body behind the query of RESOLVED, read into d; slices point into it.
 * Gives status, TTL and hosts; false if malformed.  host holds
 * RESOLVE_HOSTS_MAX. */
bool resolve_decode(struct wire_r *r, struct dest *d, uint32_t *ttl_out,
	struct dest_host *host);

#endif
