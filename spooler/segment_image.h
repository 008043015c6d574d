/* SPDX-License-Identifier: Apache-2.0 */
/*
 * segment_image: a journal segment's bytes in memory, for scanning.  They are
 * read, never mapped: behind a mapping a bad sector is a signal that ends the
 * process, and would end it again at each start.
 *
 * What cannot be read stands as zeros, which are never a batch, so scanning
 * finds damage there and goes on behind it.  One image is used again for one
 * segment after the other: it never takes more than SEGMENT_IMAGE_MAX bytes.
 * Used by one thread at a time.
 *
 *	segment_image_load(&m, fs, fd, 0, size);
 *	journal_scan_init(&scan, m.bytes, size, use, limit);
 */
#ifndef EC_SEGMENT_IMAGE_H
#define EC_SEGMENT_IMAGE_H

#include "common/base/buf.h"
#include "common/mail/size.h"
#include "spooler/fs.h"

/* The largest segment there is; a file's bytes behind it are no batch. */
#define SEGMENT_IMAGE_MAX ((uint64_t)SIZE_SEGMENT_MAX)
#define SEGMENT_HOLES_MAX 64u

struct segment_hole {		/* not readable: zeros in the image */
	uint64_t at, bytes;
	int error;		/* 0: the file ends before */
};

struct segment_image {
	char *bytes;		/* bytes[n] is the file's n-th; NULL: none yet */
	uint64_t from, upto;	/* what of it was asked for */
	uint64_t read;		/* and how much of that could be read */
	struct segment_hole holes[SEGMENT_HOLES_MAX];
	unsigned n_holes;	/* the last one takes all that are more */
};

void segment_image_init(struct segment_image *m);
void segment_image_fini(struct segment_image *m);
/* Reads the file's bytes from..upto; what the image held before is lost. */
void segment_image_load(struct segment_image *m, const struct fs *fs, int fd,
	uint64_t from, uint64_t upto);
/* Bytes below limit (0: anywhere) that could not be read. */
uint64_t segment_image_unreadable(const struct segment_image *m,
	uint64_t limit);
/* One line for each hole, for people. */
void segment_image_describe(const struct segment_image *m, struct buf *out);

#endif
