/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peers: one listener, one deliverer and one logger of a spooler in a world,
 * who keep the ledger.  What a deliverer does with its works is the script's;
 * after a recovery it delivers all of them.
 */
#ifndef EC_TESTS_CRASH_PEERS_H
#define EC_TESTS_CRASH_PEERS_H

#include "common/ipc/arena.h"
#include "tests/crash/ledger.h"
#include "tests/crash/world.h"

#define PEERS_WORKS 512u

struct held {			/* a WORK at the deliverer */
	uint64_t number;
	unsigned n;
	msgid id[LEDGER_RCPTS];
	char kind[LEDGER_RCPTS];	/* of its outcome, once said */
	bool said;
};

struct peers {
	struct world *w;
	struct ledger *l;
	struct arena *arena;
	struct id_source ids;
	uint32_t incarnation;
	uint64_t next_seq;
	struct held held[PEERS_WORKS];
	unsigned n_held;
	bool deliver_all;	/* as they come */
};

/* New processes of all three, linked in this order to a spooler that runs. */
void peers_start(struct peers *p, struct world *w, struct ledger *l);
/* Stores a letter; false when there is no lease or no room for the body. */
bool peers_store(struct peers *p, unsigned n_rcpt, size_t size);
/* Says the outcome of a work; kinds for its recipients in order. */
void peers_outcome(struct peers *p, struct held *h, const char *kinds);
/* The logger's file is synced, and it says so. */
void peers_log_ack(struct peers *p);

#endif
