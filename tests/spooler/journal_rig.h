/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A journal on crashfs (or a real directory) with an owner that behaves as the
 * spooler does: pins what it still needs, carries state forward, remembers what
 * it was told.  Record n has a payload made from n, so that what replay finds
 * can be checked byte by byte.
 */
#ifndef EC_JOURNAL_RIG_H
#define EC_JOURNAL_RIG_H

#include "spooler/journal.h"
#include "tests/support/crashfs.h"

#define RIG_MAX 4000u

enum rig_fate { RIG_NONE, RIG_WAITING, RIG_OK, RIG_FAILED };

struct rig_record {
	enum rig_fate fate;
	bool important;
	bool state;		/* of settled mail: in the journal until a
				 * checkpoint covers it */
	bool covered;
	uint64_t lsn;
	bool live;		/* pinned: replay must find it */
	unsigned group;		/* appended in one callback */
	uint32_t epoch;
	bool found;		/* by replay */
};

struct rig {
	struct loop *loop;
	struct loop_timer second;	/* pokes, as the spooler does */
	struct crashfs *c;	/* NULL: the real file system */
	const struct fs *fs;	/* instead of that of the disk */
	int dir;
	int base;		/* of the crashfs */
	bool damage;		/* replay may find some */
	unsigned n_damaged;	/* segments that had */
	struct journal *j;
	struct journal_limits limits;
	struct rig_record rec[RIG_MAX];
	unsigned n, n_groups;
	unsigned oldest_live;
	uint32_t failed_epoch;	/* no ok may come from it any more */
	ino_t failed_ino[16];
	unsigned n_failed_ino;
	uint32_t floor;		/* epochs below are durably free */
	uint32_t last_epoch;
	uint64_t last_lsn;
	unsigned fail_next;	/* writes to fail when a failure is told */
	unsigned n_batches, n_rooms, n_covers;
	bool mute;		/* neither logger nor checkpoint comes to it */
	bool cover_wanted;
	uint64_t covered;	/* up to here, by checkpoint n_covers */
};

void rig_init(struct rig *g, bool crashing, uint64_t seed);
void rig_fini(struct rig *g);
/* False if the journal refused. */
bool rig_open(struct rig *g);
void rig_close(struct rig *g);
/* Turns until nothing waits or the disk is gone. */
void rig_drain(struct rig *g);
/* One record; the result of journal_append. */
enum journal_room rig_append(struct rig *g, size_t bytes, bool important,
	bool state);
void rig_group(struct rig *g);	/* what follows is another callback's */
/* Lets go of live records until at most this many are left. */
void rig_keep(struct rig *g, unsigned live);
/* rounds of appends and commits with everything above. */
void rig_work(struct rig *g, unsigned rounds);
/* Reads all old segments: marks found, checks order, bytes, whole batches. */
void rig_replay(struct rig *g);
/* After it: every live record was found; pins them anew. */
void rig_check_live(struct rig *g);
size_t rig_payload(unsigned n, size_t bytes, char *out);

#endif
