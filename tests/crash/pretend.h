/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pretend: crashfs with syncs of one kind that say they were done and do
 * nothing.  A matrix that finds no fault on these proves nothing.  (The lease
 * file's own sync is not among them: a lease file found empty is taken for
 * damaged, and ids then start where none can be.)
 */
#ifndef EC_TESTS_CRASH_PRETEND_H
#define EC_TESTS_CRASH_PRETEND_H

#include "spooler/fs.h"

struct pretend {
	const char *name;
	bool by_file;		/* only there such syncs are */
	bool journal, store, data, store_dirs, journal_dir, checkpoint,
	    checkpoint_dir;
};

/* The kinds, ended by one without a name. */
extern const struct pretend pretends[];

/* Of this kind from now on. */
const struct fs *pretend_fs(const struct pretend *p);

#endif
