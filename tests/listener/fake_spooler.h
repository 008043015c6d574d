/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_spooler: the spooler's side of STORE for tests of the listener.  It
 * takes the lent slabs, copies each message out of them, answers at once or
 * when told, and can die and come back with what it had answered.
 *
 *	fake_spooler_init(&sp, &h);
 *	sp.answer = STORED_OK;		or ANSWER_NONE: the test does it
 *	fake_spooler_up(&sp);
 *	... sp.store[sp.n - 1].body ...
 *	fake_spooler_down(&sp);
 */
#ifndef EC_TESTS_LISTENER_FAKE_SPOOLER_H
#define EC_TESTS_LISTENER_FAKE_SPOOLER_H

#include "common/ipc/arena.h"
#include "common/mail/msgid.h"
#include "tests/support/worker_harness.h"

#define FAKE_STORES 4096u
#define FAKE_SLABS 16u
#define FAKE_LARGES 64u
#define ANSWER_NONE 99u

struct fake_store {
	uint64_t seq;
	bool resent;
	bool answered;		/* in this life of the spooler */
	bool durable;		/* STORED_OK was said, in any life */
	bool held;		/* its extents are not released */
	bool large;		/* it came by LARGE_DATA */
	unsigned life;		/* of the spooler, when it came */
	unsigned n;
	struct extent *ext;
	msgid batch, id;	/* id: of the first recipient */
	uint32_t n_rcpt;
	char sender[128];
	struct buf body;
};

struct fake_large {		/* a body that comes by LARGE_DATA */
	msgid batch;
	unsigned life;
	bool stored, aborted;
	unsigned n;		/* extents not given back */
	struct extent ext[64];
	struct buf body;
};

struct fake_spooler {
	struct worker_harness *h;
	struct ipc_link link;
	bool up, hello, hello_end;
	bool cut;		/* by the listener */
	unsigned life;
	unsigned answer;	/* enum store_result, or ANSWER_NONE */
	bool hold;		/* no RELEASE at the answer */
	bool no_keep_end;	/* the test says it */
	bool no_lease;
	uint32_t lease_seconds;
	uint32_t window;
	unsigned outstanding, most;	/* STOREs without an answer */
	unsigned asked;		/* for leases */
	uint16_t allocator;
	char *slab[FAKE_SLABS];	/* of this life */
	struct fake_store store[FAKE_STORES];
	unsigned n;
	struct fake_large large[FAKE_LARGES];
	unsigned n_large;
	bool large_hold;	/* no LARGE_TAKEN until told */
	unsigned large_result;	/* what it says */
	unsigned most_lent;	/* extents of one body at a time */
};

void fake_spooler_init(struct fake_spooler *s, struct worker_harness *h);
void fake_spooler_up(struct fake_spooler *s);
void fake_spooler_down(struct fake_spooler *s);
void fake_spooler_fini(struct fake_spooler *s);
void fake_spooler_answer(struct fake_spooler *s, unsigned i, unsigned result);
void fake_spooler_release(struct fake_spooler *s, unsigned i);
void fake_spooler_keep(struct fake_spooler *s, unsigned i);
void fake_spooler_keep_end(struct fake_spooler *s);
/* LARGE_TAKEN of all that is held of it. */
void fake_spooler_taken(struct fake_spooler *s, unsigned large);
void fake_spooler_lease(struct fake_spooler *s);

#endif
