/* SPDX-License-Identifier: Apache-2.0 */
/*
 * segments: the journal's files, inside the journal (nobody else includes
 * this): made ahead by a thread, opened and found again, used oldest to newest,
 * reused when nothing pins the oldest.
 *
 *	FREE -> CURRENT (one) -> FULL -> FREE		OLD: there at start
 *
 * A start goes on in the newest one behind its last sound batch, so that the
 * journal grows by what is written and not by how often it is opened.
 * A file whose write or sync failed is thrown away instead of reused, and so is
 * what is free beyond Journal_Size, when that it is free is durable.
 */
#ifndef EC_SEGMENTS_H
#define EC_SEGMENTS_H

#include "common/base/workq.h"
#include "spooler/journal.h"

#define MAX_SEGMENTS 1024u
#define REMAKE_MIN_US 100000u


enum segment_state { SEG_FREE, SEG_OLD, SEG_CURRENT, SEG_FULL };

struct segment {
	uint32_t epoch;
	uint32_t key;
	uint32_t number;	/* of the file */
	int fd;
	enum segment_state state;
	bool failed;		/* a write or sync of it did: never used again */
	bool headless;		/* its head is not known to be durable */
	bool needs_cover;	/* by a checkpoint */
	bool old;		/* there at open: replay reads it */
	uint64_t old_end;	/* how far, when it is gone on with; 0: limit */
	uint32_t pins;
	uint64_t size, limit;	/* limit: valid end, 0 not known */
	uint64_t end_lsn;	/* last record's, 0 none */
	uint64_t end;		/* where the next batch goes */
	uint32_t next_index;
	struct segment *next;	/* of the doomed */
};

struct entry {	/* a record in the batch being built */
	struct journal_note note;
	uint32_t at;		/* of the payload in the batch */
	bool important;
};

struct batch {
	struct workq_job job;
	struct journal *j;
	char *bytes;
	size_t len;
	struct entry *entries;
	uint32_t n, cap;
	/* Set when it is closed: */
	struct segment *seg;
	uint64_t offset;
	uint32_t first;
	bool head_first;
	struct segment_head head;
	bool head_ok;
	bool ok;
	int error;
	uint64_t took_us;
};

struct maker {
	struct workq_job job;
	struct journal *j;
	uint32_t number;
	int fd;
	int error;
};

struct journal {
	struct loop *loop;
	const struct fs *fs;
	int dir;
	struct journal_hooks hooks;
	uint64_t segment_bytes;
	unsigned max_segments, reserve;
	unsigned wanted;	/* Journal_Size; max_segments is more while what
				 * was there at open is, and less when making
				 * one failed */
	struct loop_timer remake;
	uint64_t remake_us;	/* until the next try */
	struct segment *used[MAX_SEGMENTS];	/* oldest first */
	struct segment *freed[MAX_SEGMENTS];
	struct segment *doomed;	/* failed and free; there until that is durable:
				 * their done records end older messages */
	unsigned n_used, n_free, n_making;
	uint32_t next_number;
	struct segment *current;
	bool fresh;		/* current's head is not durable yet */
	bool replaying, closing, damaged;
	bool rotated;		/* current was opened by this process */
	uint64_t logged, durable, covered;
	uint32_t checkpoint;	/* the generation that covers so far */
	struct batch batches[2];
	struct batch *gather, *writing;
	bool redo;		/* writing is what a failed batch left: it goes
				 * before what is gathered */
	struct workq *committer, *makers;
	struct loop_hook hook;
	bool stuck;		/* something gathered finds no segment */
	size_t map_bytes;
};

/* Reuses what may be reused, asks for what must be carried, makes ahead. */
void segments_reclaim(struct journal *j);
/* That all below oldest are free is durable: failed ones among them go. */
void segments_discard(struct journal *j, uint32_t oldest);
/* Segments that can still be written: free ones and those to be made. */
unsigned segments_to_come(const struct journal *j);
/* The next one becomes current; false when none is free now. */
bool segments_rotate(struct journal *j);
/* The head of the current one, as of now. */
void segments_head(struct journal *j, struct segment_head *out);
struct segment *segments_find(const struct journal *j, uint32_t epoch);
/* The name of a segment's file; one that is free. */
void segments_name(uint32_t number, char out[24]);
struct segment *segments_new(struct journal *j, uint32_t number, int fd);
/* Reads the heads of all files; then opens a first one to write. */
int segments_open(struct journal *j, struct error *err_out);
/* The newest becomes current again; false when it cannot be trusted. */
bool segments_continue(struct journal *j);
int segments_first(struct journal *j, struct error *err_out);
/* Makes some before they are needed. */
void segments_make_ahead(struct journal *j);
/* A try again, after making one failed. */
void segments_remake(void *journal);
/* journal.c: closes the gathered batch and gives it to the committer. */
void journal_commit(struct journal *j);

#endif
