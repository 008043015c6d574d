/* SPDX-License-Identifier: Apache-2.0 */
/*
 * script: what happens to a spooler before the power goes, and what is asked
 * of it when the power is back.
 *
 * script_run() makes mail, defers, delivers and refuses it, lets it settle,
 * fills the journal until its segments are used again, and kills the process
 * once on the way.  Steps are drawn by the seed from the table in script.c; a
 * module that is driven by the clock (checkpoints, say) is driven by its step
 * "later", one that must be asked gets a row there.
 *
 * script_recover() starts on what the disk holds, holds what is found against
 * the ledger, delivers everything, and checks what is left.
 */
#ifndef EC_TESTS_CRASH_SCRIPT_H
#define EC_TESTS_CRASH_SCRIPT_H

#include "tests/crash/peers.h"
#include "tests/support/crashfs.h"

struct machine {
	struct crashfs *disk;
	const struct fs *fs;	/* over it; NULL: crashfs_fs */
	struct world *w;
	struct peers peers;
	struct ledger *l;
	unsigned rounds;
	uint32_t oldest, newest;	/* epochs, as last seen */
	unsigned opened, given_up;	/* segments; those while a checkpoint
					 * covered */
	/* After each turn: more may have been promised. */
	void (*on_turn)(void *arg);
	void *arg;
};

/* False if the spooler refused to start; then the error has a sentence, or a
 * fault is noted. */
bool script_run(struct machine *m);
void script_recover(struct machine *m);

#endif
