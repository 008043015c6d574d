/* SPDX-License-Identifier: Apache-2.0 */
/*
 * site: a set of target addresses together with what tells connections to
 * them apart (binding, source address, our name).  All queues that lead to the
 * same site share its connections.  The targets of a site never change: when
 * DNS changes, queues move to another site.
 */
#ifndef EC_SITE_H
#define EC_SITE_H

#include "common/base/list.h"
#include "common/base/slice.h"
#include "deliverer/smtp_client.h"
#include "deliverer/table.h"

#define SITE_TARGETS_MAX 64u	/* a bit for each in conn->tried */

struct deliverer;
struct lane;

struct target {
	uint32_t order;		/* lower first; equal ones at random */
	uint16_t port;
	uint8_t ip[16];
	struct slice name;	/* the exchanger's */
	uint32_t n_open;	/* connections to it that it has greeted */
};

struct site {
	struct table_node node;
	uint32_t n_queues;
	uint32_t n_targets;
	struct target *target;
	/* Queues of it, by what they need (conn_pool). */
	struct list_node wanting, hungry, credited;
	uint32_t n_wanting, n_hungry, n_credited;
	uint32_t n_waiting;	/* works of all its queues */
	uint64_t active;	/* the same at the spooler */
	/* Connections. */
	struct list_node idle;
	uint32_t n_conns, n_making, n_ready;
	uint32_t n_open;	/* greeted: ready or leaving */
	uint32_t refused_s;	/* the second in which it got too little credit */
	uint64_t down_until_us;	/* no connection is tried before */
	uint64_t short_until_us;	/* the same, for want of descriptors */
	uint64_t full_until_us;	/* the same, as it takes no more of them */
	struct smtp_result failure;	/* why; text in failure_text */
	char failure_text[SMTP_FAILURE_MAX];
	struct list_node in_dirty, in_starved;
	char *key;
};

/* Sorts the targets; the site for them and q's binding and names. */
struct site *site_get(struct deliverer *d, const struct lane *q,
	struct target *targets, uint32_t n);
void site_join(struct deliverer *d, struct site *s, struct lane *q);
void site_leave(struct deliverer *d, struct lane *q);
/* Look at it at the end of this turn. */
void site_touch(struct deliverer *d, struct site *s);
/* Frees it if nothing holds it any more. */
void site_drop(struct deliverer *d, struct site *s);
struct slice site_failure_text(const struct site *s);

#endif
