/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lane: one of the spooler's queues (domain, binding group, binding) as seen
 * from here: its options, its route, the works handed out to us.  The route
 * leads to a site, or to a reason why there is none: then works are taken to
 * be failed with that reason.
 *
 * A lane lives while the spooler names it, works of it are in hand or
 * connections hold its row; a new spooler gives it a new number.
 */
#ifndef EC_LANE_H
#define EC_LANE_H

#include "common/config/config.h"
#include "deliverer/resolve_client.h"
#include "deliverer/route.h"
#include "deliverer/work.h"

#define LANE_NAME_MAX 255u

struct deliverer;
struct site;

struct lane_options {
	uint64_t connect_us, ehlo_us, mail_us, rcpt_us, body_us, rset_us;
	uint64_t response_us, idle_us, host_retry_us;
	uint32_t max_conns, server_max;		/* UINT32_MAX: no limit */
	uint32_t max_deliveries, max_rcpts;	/* 0: no limit */
	uint16_t port;
	bool migrate, use_ipv6;
	struct slice ehlo, bind;	/* of the configuration, or hostname */
};

struct lane_hop {
	struct hop hop;
	struct dest *dest;		/* NULL: an address */
	bool fallback;			/* only if the others gave no target */
	struct resolve_wait wait;
};

struct lane {
	struct deliverer *d;
	struct table_node node;		/* in d->queues */
	struct slice domain, group, binding;
	uint32_t number;		/* 0: the spooler has none for it */
	struct lane_options opt;
	/* Route. */
	bool routing;			/* the first answer is awaited */
	bool stuck;			/* no route: why stands in stuck_why */
	enum internal_failure stuck_why;
	uint64_t routed_until_us;
	struct lane_hop *hops;
	size_t n_hops;
	struct site *site;
	/* Work. */
	uint32_t active;		/* there are so many more at the spooler */
	uint32_t credit;		/* as last said */
	struct list_node in_given;	/* of the deliverer, while there is any */
	uint32_t given_s;		/* since that second */
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
struct lane *lane_get(struct deliverer *d, struct slice domain,
	struct slice group, struct slice binding);
void lane_named(struct deliverer *d, struct lane *q, uint32_t number);
/* The number is void.  gone: by QUEUE_GONE, else the spooler went. */
void lane_unnamed(struct deliverer *d, struct lane *q, bool gone);
void lane_ready(struct deliverer *d, struct lane *q, uint32_t active);
void lane_work(struct deliverer *d, struct lane *q, struct work *w,
	uint32_t left);
void lane_work_ended(struct deliverer *d, struct lane *q);
/* Asks again for the hosts if what is known has grown old. */
void lane_refresh(struct deliverer *d, struct lane *q);
void lane_reconfigure(struct deliverer *d, struct lane *q);
/* Frees it if nothing holds it any more. */
void lane_drop(struct deliverer *d, struct lane *q);

/* A work that no connection has, with no result yet, fails. */
void lane_fail_work(struct deliverer *d, struct work *w, unsigned kind,
	unsigned stage, unsigned code, struct slice text);
void lane_fail_internal(struct deliverer *d, struct work *w, unsigned stage,
	enum internal_failure f);

#endif
