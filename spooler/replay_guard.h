/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay_guard: a record whose replay kills the spooler is found and left out,
 * or it would kill every spooler to come.
 *
 *	1st death	journal/replaying names the segment
 *	2nd, 3rd	in that segment it is written before each record, so
 *			that it names the record
 *	then		the record is in journal/skipped, for good; the caller
 *			copies it to quarantine first
 *
 * A record is named by its position.  The marker outlives the process in the
 * page cache, which is all that a death asks; a power cut is no death of ours.
 * What cannot be written costs the guard, never the replay.
 *
 *	replay_guard_open(&g, fs, dir);
 *	replay_guard_segment(&g, epoch);
 *	verdict = replay_guard_record(&g, lsn);	and on GUARD_POISON, after its
 *	replay_guard_skip(&g, lsn);		copy is made
 *	replay_guard_close(&g);			the journal is read
 */
#ifndef EC_REPLAY_GUARD_H
#define EC_REPLAY_GUARD_H

#include "spooler/fs.h"

#define GUARD_DEATHS 3u
#define GUARD_SKIPPED_MAX 1024u

enum guard_verdict {
	GUARD_APPLY,
	GUARD_POISON,		/* it has killed GUARD_DEATHS spoolers */
	GUARD_SKIP,		/* it had before; a copy is in quarantine */
};

struct replay_marker {		/* journal/replaying, 32 bytes */
	char magic[8];		/* ECRPLY1\n */
	uint64_t lsn;		/* its index 0: somewhere in that segment */
	uint32_t deaths;	/* there, before this one */
	uint32_t zero[2];
	uint32_t crc;		/* of all before */
};
_Static_assert(sizeof(struct replay_marker) == 32, "on-disk format");

struct replay_guard {
	const struct fs *fs;
	int dir, fd, skipped_fd;
	uint64_t died_at;	/* where the spooler before us died, 0 no place */
	uint32_t deaths;	/* there */
	bool fine;		/* each record is marked */
	uint64_t *skipped;
	unsigned n_skipped;
};

void replay_guard_open(struct replay_guard *g, const struct fs *fs, int dir);
void replay_guard_segment(struct replay_guard *g, uint32_t epoch);
enum guard_verdict replay_guard_record(struct replay_guard *g, uint64_t lsn);
void replay_guard_skip(struct replay_guard *g, uint64_t lsn);
/* All is applied: nothing is remembered but what is skipped. */
void replay_guard_close(struct replay_guard *g);
/* The same without that: the spooler leaves amidst. */
void replay_guard_fini(struct replay_guard *g);

#endif
