/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay_scan: one old segment read and checked for damage, in replay's reader
 * thread.  Damage is a range that cannot be read, bytes that are no batch with
 * a sound batch behind them, or sound bytes missing that the next segment's
 * head vouches for.  A damaged segment is copied to quarantine with its reason
 * beside it; its sound batches are applied all the same.
 *
 * The caller fills in the first part, calls run, and looks at the results.
 */
#ifndef EC_REPLAY_SCAN_H
#define EC_REPLAY_SCAN_H

#include "spooler/journal.h"
#include "spooler/segment_image.h"

struct replay_scan {
	const struct fs *fs;
	int base;		/* directory that has quarantine/ */
	int fd;			/* of the segment's file */
	struct journal_old old;
	struct segment_image *image;	/* borrowed: one for all segments */
	/* Results: */
	bool failed;		/* nothing of it can be read: error says why */
	int error;
	uint64_t damaged_bytes;
	bool copied;		/* to quarantine, or there was no damage */
};

void replay_scan_run(struct replay_scan *r);
/* One record that cannot be applied, to quarantine, durable; -1 with errno. */
int replay_scan_keep_record(const struct fs *fs, int base, uint64_t lsn,
	struct slice payload, struct slice why);
/* A scan of what was read, from the start. */
void replay_scan_again(const struct replay_scan *r, struct journal_scan *out);

#endif
