/* SPDX-License-Identifier: Apache-2.0 */
/*
 * segment_reader: the batches of a journal segment, read by pread().  For
 * programs beside the spooler: the file may be written meanwhile, may have
 * blocks the disk cannot read, and is not mapped, so neither ends the reader.
 * Memory: a window of 256 KiB, or the largest batch.
 *
 *	segment_reader_init(&r, fd, size, use, limit);
 *	while ((got = segment_reader_next(&r)) != SEGMENT_END) {
 *		if (got == SEGMENT_BATCH) {
 *			while (segment_reader_record(&r, &rec)) { ... }
 *		}
 *	}
 *	segment_reader_fini(&r);
 *
 * The descriptor stays the caller's.  Results mean what those of journal_scan
 * mean (journal_rec.h).
 */
#ifndef EC_SEGMENT_READER_H
#define EC_SEGMENT_READER_H

#include "common/spool/journal_rec.h"

enum segment_read {
	SEGMENT_BATCH,		/* segment_reader_record() gives its records */
	SEGMENT_DAMAGE,		/* at..resume is no batch, a later one follows */
	SEGMENT_UNREADABLE,	/* at..resume: the disk refused (errno in
				 * error); reading goes on behind it */
	SEGMENT_END,
};

struct segment_reader {
	int fd;
	uint64_t limit;		/* valid only below */
	struct segment_use use;
	uint32_t next_index;
	uint64_t at, resume;	/* of what was found */
	uint64_t valid_end;	/* behind the last batch found */
	uint32_t count;		/* records of the batch */
	int error;
	/* Inside. */
	char *window;
	size_t cap, len;
	uint64_t window_at;
	const char *batch;
	uint32_t pos, n;
};

/* limit: where the next segment says that this one ends, or 0. */
void segment_reader_init(struct segment_reader *r, int fd, uint64_t size,
	struct segment_use use, uint64_t limit);
void segment_reader_fini(struct segment_reader *r);
enum segment_read segment_reader_next(struct segment_reader *r);
/* The next record of the batch, its offset counted from the file's start;
 * payloads live until the next segment_reader_next(). */
bool segment_reader_record(struct segment_reader *r,
	struct journal_record *out);

#endif
