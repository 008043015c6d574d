/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay: what checkpoint_load.c (the checkpoint), replay.c (the journal's
 * records) and replay_store.c (the directories) share; nobody else includes this.  All of it belongs to the
 * loop's thread, but what a job holds while it runs.
 */
#ifndef EC_REPLAY_H
#define EC_REPLAY_H

#include "spooler/replay_guard.h"
#include "spooler/replay_scan.h"
#include "spooler/spooler.h"

struct segment_job {
	struct workq_job job;
	struct spooler *s;
	struct replay_scan read;
	struct journal_scan scan;	/* for the loop's thread */
	bool of_settled;		/* it says something of settled mail */
};

enum phase {
	PHASE_CHECKPOINT, PHASE_JOURNAL, PHASE_ENTER, PHASE_STORE, PHASE_DONE
};

/* In replay.ended: a settle that was begun, of what no record had before. */
#define ENDED_BEGUN 1u

struct replay {
	struct workq *reader;
	enum phase phase;
	uint64_t lsn;			/* of the checkpoint, 0 none */
	uint32_t born_s;		/* when its last file was made */
	uint64_t loaded, to_load;	/* messages of it */
	bool damage;			/* of the journal or the checkpoint:
					 * files that nobody knows are mail */
	bool journal_damage;		/* of these, the journal */
	bool unread;			/* a segment could not be read at all */
	uint32_t entered, n_enter;	/* slots */
	unsigned segment, n_segments;
	uint32_t first_epoch;		/* of segments with nothing to replay */
	unsigned dirs_done, dirs_asked;
	struct segment_job *job;	/* being applied */
	struct segment_image image;	/* of the one being read or applied */
	bool in_batch;
	uint32_t pos, n;
	struct loop_hook hook;
	struct replay_guard guard;
	struct index batches;		/* ids of batches seen */
	struct index received;		/* the same of mail in memory */
	struct index ended;		/* ids of messages with a done record */
	struct index works;		/* whose outcomes had a retry in them */
	struct index looked;		/* ids whose .meta was asked for by
					 * itself, ahead of the rest */
	unsigned looking;		/* of them on the way */
	uint32_t sweep_at, sweep_end;	/* of ended */
	bool swept;			/* all of those are with the settler */
	bool dirs_failed;
	uint64_t began_us, done_us;
	uint64_t records, messages, settled_found, leftovers;
};

/* 1: ends with replay_journal_start(). */
void replay_checkpoint_start(struct spooler *s);
/* 2 and 3: end with replay_store_start(). */
void replay_journal_start(struct spooler *s);
/* The journal says at lsn that it is settled. */
void replay_settled(struct spooler *s, const struct checkpoint_item *i,
	uint32_t queue, uint64_t lsn);
/* Said once: a settled message finds no queue number. */
void replay_no_queue(void);
/* A replayed message leaves: it stands in no queue yet. */
void replay_drop(struct spooler *s, uint32_t msg);
/* The journal is read: the 256 directories are next, and then the end. */
void replay_store_start(struct spooler *s);
/* At the end of a turn, until all of it is swept. */
void replay_sweep(struct spooler *s);

#endif
