/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spool_client: the conversation with the spooler.  A work is ours from WORK
 * until its OUTCOME is acknowledged; its body is used until the outcome is
 * said.  When the spooler goes, works go on; the next one is told what is held
 * and gets every outcome not yet acknowledged again.
 *
 * Ownership of a work: spool_client has it in its table all the time; queue,
 * conn_pool and outbound pass it among themselves and end with
 * spool_outcome(), after which they may not touch it.
 */
#ifndef EC_SPOOL_CLIENT_H
#define EC_SPOOL_CLIENT_H

#include "common/ipc/ipc.h"
#include "deliverer/table.h"
#include "deliverer/work.h"

struct deliverer;

struct spool_client {
	struct ipc_link *link;		/* NULL: away */
	struct table works;		/* by number */
	struct table slabs;		/* by handle, of this link */
	struct list_node free_works;
	struct lane **queues;		/* by number, of this link */
	uint32_t cap_queues;
	uint32_t n_held;		/* works without an outcome */
	uint32_t n_told;		/* outcomes not acknowledged */
};

void spool_client_init(struct spool_client *s);
void spool_link_up(struct deliverer *d, struct ipc_link *k);
void spool_link_down(struct deliverer *d);
void spool_message(struct deliverer *d, struct ipc_link *k,
	struct ipc_msg *m);
/* The standing number of a queue that has one. */
void spool_pull(struct deliverer *d, const struct lane *q, uint32_t credit);
/* All recipients have results. */
void spool_outcome(struct deliverer *d, struct work *w,
	const struct work_remote *remote);
/* How far it has come, for the spooler if we die. */
void spool_stage(struct deliverer *d, const struct work *w,
	enum stage_point point, const struct work_remote *remote);
/* Its connection has given it back before a dot: nobody is at work on it. */
void spool_waits(struct deliverer *d, const struct work *w);

#endif
