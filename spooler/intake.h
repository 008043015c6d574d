/* SPDX-License-Identifier: Apache-2.0 */
/*
 * intake: what intake.c (STORE, the journal) and large.c (bodies that go to a
 * file as they come) share; nobody else includes this.
 */
#ifndef EC_INTAKE_H
#define EC_INTAKE_H

#include "spooler/spooler.h"

struct late_store {	/* waits for room, for replay or its file */
	struct list_node link;
	uint32_t txn;
	uint64_t seq;
	uint8_t listener;
	uint32_t incarnation;
	bool resent;
	bool large;		/* its body came, or did not, to a file */
	uint64_t came_us;
};

/* Into the journal, now or when there is room; l is copied. */
void intake_try(struct spooler *s, const struct late_store *l);
/* Its listener hears that; the transaction goes. */
void intake_refuse(struct spooler *s, const struct late_store *l,
	enum store_result result);

/* large */
void large_data(struct spooler *s, struct ipc_link *k, struct ipc_msg *m);
void large_abort(struct spooler *s, struct ipc_link *k, struct ipc_msg *m);
/* Its body is whole: synced, then intake_try() or intake_refuse().  False: there
 * is no such body. */
bool large_store(struct spooler *s, const struct late_store *l);
/* Its link or its life has ended: what it has not stored goes. */
void large_listener_gone(struct spooler *s, unsigned listener);

#endif
