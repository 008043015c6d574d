/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deliverer: what the modules of this worker share, and how main.c wires them.
 *
 *	spool_client	WORK in, OUTCOME out
 *	lane		the spooler's queues, each with its route -> a site
 *	site		a set of hosts and a binding; connections belong to it
 *	conn_pool	which connection takes which work, and how many there are
 *	outbound	the connections' sockets, around smtp_client
 *	resolve_client	names -> hosts
 *
 * All run in the loop's thread.  What happened in a turn is served at its end
 * (pool_turn()), so that a packet of many works is looked at once.
 */
#ifndef EC_DELIVERER_H
#define EC_DELIVERER_H

#include "common/ipc/worker.h"
#include "deliverer/deadline.h"
#include "deliverer/host_memory.h"
#include "deliverer/resolve_client.h"
#include "deliverer/spool_client.h"
#include "deliverer/table.h"

#define DELIVERER_READ_BYTES 16384u

struct deliverer {
	struct worker *worker;
	struct loop *loop;
	const struct config *config;
	struct budget *budget;
	struct stage_slot *stages;	/* ours */
	struct score_slot *score;
	unsigned index;
	bool draining, finished;
	bool idle_quit;			/* draining: idle ones were sent off */
	char hostname[256];
	struct loop_hook turn;
	struct loop_timer second;	/* each second */
	uint32_t seconds;		/* since the start */
	struct resolve_client resolve;
	struct host_memory hosts;
	struct spool_client spool;
	struct table queues;		/* by domain, group, binding */
	struct table sites;
	struct list_node dirty;		/* sites to serve at the turn's end */
	struct list_node starved;	/* sites that look again each second */
	uint32_t credit;		/* of all queues */
	struct list_node given;		/* lanes that have some, oldest first */
	uint32_t refused;		/* lanes that got none this second */
	bool pressed;			/* there were some in the last one */
	struct deadline_wheel wheel;
	struct loop_timer wheel_timer;
	struct list_node free_conns;
	struct list_node conns;		/* all open ones */
	uint32_t n_conns;
	uint64_t last_total, per_minute;
	char in[DELIVERER_READ_BYTES];
};

/* The callbacks of main.c; also for a test that has no worker around it. */
int deliverer_start(struct worker *w, int *exit_code_out,
	struct error *err_out);
void deliverer_reconfigure(struct worker *w);
void deliverer_link_up(struct worker *w, struct ipc_link *k);
void deliverer_link_down(struct worker *w, struct ipc_link *k,
	const char *reason);
void deliverer_message(struct worker *w, struct ipc_link *k,
	struct ipc_msg *m);
void deliverer_drain(struct worker *w);
void deliverer_title(struct worker *w, char *out, size_t size);

#endif
