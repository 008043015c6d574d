/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal: appended in the loop's thread, made durable by one committer thread
 * with one sync for all that has gathered meanwhile.
 *
 * States of a batch: GATHERING (one, in memory) -> WRITING (at most one, the
 * committer's) -> durable, or failed.  Segments: FREE -> CURRENT (one) -> FULL
 * -> FREE again, oldest first, when nothing pins it.
 *
 * What pins a segment: whoever still needs a record in it calls journal_pin()
 * from the note's done; a segment is reused only when it is the oldest, has no
 * pins, the logger has everything up to its end (journal_logged()), and what
 * it says of settled mail stands in a durable checkpoint (journal_covered()).
 * That it is free becomes durable with the head of the next segment opened.
 *
 * A failed write or sync is never repeated on that file: the segment is
 * retired at the end of its last good batch, which the next segment's head
 * records.  Messages of the failed batch are reported failed; all other
 * records (outcomes, settled, state) are appended again.
 *
 * A crash before the sync loses the batch whole; nobody was answered for it.
 */
#ifndef EC_JOURNAL_H
#define EC_JOURNAL_H

#include "common/base/error.h"
#include "common/base/loop.h"
#include "common/base/slice.h"
#include "common/spool/journal_rec.h"
#include "spooler/fs.h"

struct journal;

/* Rides along with a record and comes back when its batch is durable or
 * failed.  what, a, b, c are the appender's. */
struct journal_note {
	uint32_t what;
	uint32_t a;
	uint64_t b, c;
	/* Filled in for done: */
	uint64_t lsn;
	uint32_t epoch;		/* segment */
	uint32_t length;	/* of the payload */
	uint64_t offset;	/* of the payload in the file */
	const char *payload;	/* until done returns */
	enum journal_type type;
	bool ok;
};

struct journal_hooks {
	void (*done)(void *arg, const struct journal_note *n);
	/* After all notes of a batch: what was durable, and how long it took. */
	void (*batch_done)(void *arg, bool ok, uint64_t took_us);
	/* A segment was freed or made: what found no room may try again. */
	void (*room)(void *arg);
	/* Segments get few, and the oldest could go if only a checkpoint
	 * covered it.  Said again and again until it does. */
	void (*cover)(void *arg);
	void *arg;
};

struct journal_limits {
	uint64_t total_bytes;	/* Journal_Size */
	uint64_t segment_bytes;	/* 0: derived */
};

/* Opens dir (a directory of its own), reads the segments' heads, and goes on in
 * the newest behind what stands there (in a new one if that is damaged): needs
 * no room on the disk.  What stands in them is for replay. */
struct journal *journal_open(struct loop *l, const struct fs *fs, int dir,
	const struct journal_limits *limits, const struct journal_hooks *hooks,
	struct error *err_out);
/* Writes what has gathered and waits for it; its notes are told. */
void journal_finish(struct journal *j);
/* The same, then closes. */
void journal_close(struct journal **j);

enum journal_room {
	JOURNAL_OK,
	JOURNAL_BUSY,	/* the batch being gathered is full: after the next
			 * batch_done there is room */
	JOURNAL_FULL,	/* no segment: after room() there may be some */
};
/* Would records of these payloads (n of them, bytes in sum) be taken now?
 * important records (outcomes, our own DSNs) may use the last tenth of the
 * segments but one and survive a failed batch; others are refused earlier.
 * The last segment takes only important STATE and SETTLED records: they are
 * what lets segments go. */
enum journal_room journal_fits(const struct journal *j, uint64_t bytes,
	unsigned n, bool important);
/* Appends a record made of parts.  Records appended in one callback of the
 * loop share one batch, hence are durable together or not at all. */
enum journal_room journal_append(struct journal *j, enum journal_type type,
	const struct slice *parts, int n_parts, bool important,
	const struct journal_note *note);
/* Largest payload one record may have. */
uint64_t journal_payload_max(const struct journal *j);
/* Nothing gathered, nothing being written. */
bool journal_is_idle(const struct journal *j);

void journal_pin(struct journal *j, uint32_t epoch);
void journal_unpin(struct journal *j, uint32_t epoch);
/* It holds the newest word on settled mail: reused only when a checkpoint
 * covers all of it.  Of one that was there at open replay says it. */
void journal_needs_cover(struct journal *j, uint32_t epoch);
/* The checkpoint of this generation is durable and has all up to lsn. */
void journal_covered(struct journal *j, uint64_t lsn, uint32_t generation);
/* Is a full segment held for want of a checkpoint (whatever else holds it)? */
bool journal_is_uncovered(const struct journal *j);
/* The newest generation that segments were given up for, as the newest head
 * found at open says; 0 none.  An older checkpoint is of no use. */
uint32_t journal_checkpoint(const struct journal *j);
/* The logger has all lines up to this position on disk. */
void journal_logged(struct journal *j, uint64_t lsn);

/* Each second: what could not be carried or found no segment tries again. */
void journal_poke(struct journal *j);

/* Replay: segments that were there at open, oldest first; NULL at the end.
 * Until replay says it is done no old segment is freed. */
struct journal_old {
	uint32_t epoch;
	uint32_t key;
	uint64_t size, limit;	/* limit 0: not known */
};
bool journal_old(const struct journal *j, unsigned n, struct journal_old *out);
void journal_replayed(struct journal *j);
/* Was a file put into quarantine at open? */
bool journal_is_damaged(const struct journal *j);
/* What replay found: the last position of an old segment, and whether it says
 * anything of settled mail. */
void journal_old_end(struct journal *j, uint32_t epoch, uint64_t end_lsn,
	bool needs_cover);

/* For readers in other threads: a descriptor of the segment, or -1 when it is
 * gone.  The caller pins it first. */
int journal_segment_fd(const struct journal *j, uint32_t epoch);
/* What its checksums are made with. */
struct segment_use journal_use(const struct journal *j, uint32_t epoch);
/* Oldest and newest epoch in use; the position after the last durable one. */
uint32_t journal_oldest(const struct journal *j);
uint32_t journal_newest(const struct journal *j);
uint64_t journal_durable(const struct journal *j);
/* Where it validly ends, 0 not known (or still being written). */
uint64_t journal_limit(const struct journal *j, uint32_t epoch);
/* Does this epoch belong to the journal now? */
bool journal_has(const struct journal *j, uint32_t epoch);
void journal_counts(const struct journal *j, unsigned *segments_out,
	unsigned *free_out);

#endif
