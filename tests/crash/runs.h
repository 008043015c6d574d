/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runs: what is tried in processes of its own, so that one that panics or
 * hangs costs only itself; and what they all share.
 */
#ifndef EC_TESTS_CRASH_RUNS_H
#define EC_TESTS_CRASH_RUNS_H

#include "tests/crash/ledger.h"

#define RUNS_SEEN (1u << 21)	/* distinct states, at most half of it */

struct runs {
	struct tally *tally;	/* shared */
	_Atomic uint64_t *seen;	/* shared: hashes of images */
	_Atomic uint64_t *asked;	/* the same, with what was promised */
	unsigned jobs;		/* at once */
	unsigned running;
	bool quiet;
};

void runs_init(struct runs *r, unsigned jobs);
/* Was this state never seen before, by any process? */
bool runs_is_new(struct runs *r, uint64_t hash);
/* The same of a state under certain promises. */
bool runs_is_unasked(struct runs *r, uint64_t key);
/* Like fork(): true in the child, which ends by runs_exit().  what is told of
 * one that dies. */
bool runs_fork(struct runs *r, const char *what);
void runs_exit(const struct ledger *l) EC_NORETURN;
/* Until none is running. */
void runs_wait(struct runs *r);
uint64_t runs_faults(const struct runs *r);

#endif
