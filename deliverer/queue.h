/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue: one of the spooler's queues (domain, binding group, binding) as seen
 * from here: its options, its route, the works handed out to us.  The route
 * leads to a site, or to a reason why there is none: then works are taken to
 * be failed with that reason.
 *
 * A queue lives while the spooler names it, works of it are in hand or
 * connections hold its row; a new spooler gives it a new number.
 */
#ifndef EC_QUEUE_H
#define EC_QUEUE_H

#include "common/config/config.h"
#include "deliverer/resolve_client.h"
#include "deliverer/route.h"
#include "deliverer/work.h"

#define QUEUE_NAME_MAX 255u

struct deliverer;
struct site;

struct queue_options {
	uint64_t connect_us, ehlo_us, mail_us, rcpt_us, body_us, rset_us;
	uint64_t response_us, idle_us, host_retry_us;
	uint32_t max_conns, server_max;		/* UINT32_MAX: no limit */
	uint32_t max_deliveries, max_rcpts;	/* 0: no limit */
	uint16_t port;
	bool migrate, use_ipv6;
	struct slice ehlo, bind;	/* of the configuration, or hostname */
};

struct queue_hop {
	struct hop hop;
	struct dest *dest;		/* NULL: an address */
	struct resolve_wait wait;
};

struct queue {
	struct deliverer *d;
	struct table_node node;		/* in d->queues */
	struct slice domain, group, binding;
	uint32_t number;		/* 0: the spooler has none for it */
	struct queue_options opt;
	/* Route. */
	bool routing;			/* the first answer is awaited */
	bool stuck;			/* no route: why stands in stuck_why */
	enum internal_failure stuck_why;
	uint64_t routed_until_us;
	struct queue_hop *hops;
	size_t n_hops;
	struct site *site;
	/* Work. */
	uint32_t active;		/* there are so many more at the spooler */
	uint32_t credit;		/* as last said */
	uint32_t in_hand;		/* works without an outcome */
	uint32_t n_waiting;
	struct list_node waiting;
	struct list_node in_wanting;	/* of its site: works wait */
	struct list_node in_hungry;	/* active without credit */
	struct list_node in_credited;
	uint32_t turn;			/* works taken in a row */
	struct list_node conns;		/* which hold its row */
	char names[];			/* what the slices and the key are in */
};

/* The one with these names; made if there is none. */
struct queue *queue_get(struct deliverer *d, struct slice domain,
	struct slice group, struct slice binding);
void queue_named(struct deliverer *d, struct queue *q, uint32_t number);
/* The number is void.  gone: by QUEUE_GONE, else the spooler went. */
void queue_unnamed(struct deliverer *d, struct queue *q, bool gone);
void queue_ready(struct deliverer *d, struct queue *q, uint32_t active);
void queue_work(struct deliverer *d, struct queue *q, struct work *w,
	uint32_t left);
void queue_work_ended(struct deliverer *d, struct queue *q);
/* Asks again for the hosts if what is known has grown old. */
void queue_refresh(struct deliverer *d, struct queue *q);
void queue_reconfigure(struct deliverer *d, struct queue *q);
/* Frees it if nothing holds it any more. */
void queue_drop(struct deliverer *d, struct queue *q);

/* A work that no connection has, with no result yet, fails. */
void queue_fail_work(struct deliverer *d, struct work *w, unsigned kind,
	unsigned stage, unsigned code, struct slice text);
void queue_fail_internal(struct deliverer *d, struct work *w, unsigned stage,
	enum internal_failure f);

#endif
