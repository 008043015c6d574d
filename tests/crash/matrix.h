/* SPDX-License-Identifier: Apache-2.0 */
/*
 * matrix: every moment of a script at which the power may go, times what the
 * disk may then hold, each tried once by a recovery in a process of its own.
 * Moments are those before a call that changes the disk and those after a
 * promise, if anything is new since the one before.  A sample of the
 * recoveries loses power again on its way, and of another sample the
 * checkpoint is damaged or gone.
 *
 * And the same script with the n-th call failing, once or from then on; then
 * the power goes, and what the disk holds must still keep the promises.
 */
#ifndef EC_TESTS_CRASH_MATRIX_H
#define EC_TESTS_CRASH_MATRIX_H

#include "tests/crash/runs.h"
#include "tests/crash/script.h"

#define MATRIX_AT_ONCE 1u
#define MATRIX_BY_FILE 2u

struct matrix {
	struct runs *runs;
	uint64_t seed;
	unsigned rounds;
	uint64_t states;	/* to be tried */
	unsigned second_every;	/* recoveries that lose power; 0: none */
	unsigned harm_every;	/* states tried with a harmed checkpoint, too */
	unsigned modes;		/* bits, MATRIX_: how the store is synced */
	bool at_once;		/* now */
	const struct fs *fs;	/* NULL: crashfs_fs */
	bool until_fault;	/* one is enough */
	bool quiet;
	bool progress;
	/* Of this process: */
	struct machine *m;
	struct ledger *l;
	uint64_t point, n_points;
	uint64_t disk_version, ledger_version;
	uint64_t tried;
	bool counting;		/* the points only */
	unsigned level;		/* 0: the script, 1: a recovery */
	uint64_t salt;		/* level 1: which recovery */
};

/* All moments of the script, half of the states in each mode. */
void matrix_run(struct matrix *x);
/* Up to limit runs of it with a failing call. */
void matrix_fail(struct matrix *x, uint64_t limit);

#endif
