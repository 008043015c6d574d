/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal_rec: the bytes of the journal, pure.  doc/SPOOL.md has the tables.
 *
 * A segment file is one head block of 4 KiB and then batches, each starting on
 * a 4 KiB boundary: batch head, records.  Checksums are seeded with a random
 * word that is new with each use of the file, so that neither what an earlier
 * use left behind, nor a batch forged inside a stranger's message, ever passes
 * for one of this use.  A batch counts whole or not at all: its head covers the
 * checksums of all its records.
 *
 * A position in the journal (LSN) is epoch << 32 | index of the record in the
 * segment: it only grows, and is known without reading the segments before.
 */
#ifndef EC_JOURNAL_REC_H
#define EC_JOURNAL_REC_H

#include "common/base/base.h"
#include "common/base/slice.h"

#define JOURNAL_BLOCK 4096u
#define JOURNAL_MAGIC "ECJRNL1\n"
#define JOURNAL_BATCH_MAGIC 0x54424345u	/* "ECBT" */
#define JOURNAL_RECORD_HEAD 24u
#define JOURNAL_BATCH_HEAD 32u

enum journal_type {
	JOURNAL_MESSAGE = 1,	/* u32 envelope length, envelope, body */
	JOURNAL_RETRY,		/* event (T): still ours, next attempt known */
	JOURNAL_DONE,		/* event (D or P): ours no more */
	JOURNAL_SETTLED,	/* checkpoint items: their files are synced */
	JOURNAL_STATE,		/* u64 id, u16 attempts, u16 flags, u32 deaths,
				 * u64 next_us: marks what is not logged */
	JOURNAL_LARGE,		/* u64 size of the body, u32 envelope length,
				 * envelope; the body is large/BATCH */
	JOURNAL_RECEIVED,	/* u32 envelope length, envelope, u64 size, u32
				 * flags: the log's R of mail whose body is not
				 * here */
	JOURNAL_BEGUN,		/* u64 ids: files of theirs are no mail unless a
				 * settled or message record follows */
	JOURNAL_TYPES
};

enum {	/* flags of JOURNAL_RECEIVED */
	RECEIVED_UNSPOOLED = 1u << 0,	/* it is in memory only */
};

struct segment_head {
	char magic[8];
	uint32_t version;
	uint32_t epoch;
	uint64_t size;		/* of the file */
	uint32_t oldest;	/* epochs below this are free */
	uint32_t prev;		/* epoch written before this one, 0 none */
	uint64_t prev_end;	/* where that one validly ends, 0 not known */
	uint64_t created_us;
	uint32_t key;		/* random: seeds all checksums behind */
	uint32_t checkpoint;	/* newest that segments were given up for */
	uint32_t zero;
	uint32_t crc;		/* of all before */
};
_Static_assert(sizeof(struct segment_head) == 64, "on-disk format");

struct batch_head {
	uint32_t magic;
	uint32_t epoch;
	uint32_t count;		/* records */
	uint32_t bytes;		/* head and records, without the padding */
	uint32_t first;		/* index of the first record */
	uint32_t records_crc;	/* of the records' crc words in order */
	uint32_t zero;
	uint32_t crc;		/* of all before, seeded with the key */
};
_Static_assert(sizeof(struct batch_head) == JOURNAL_BATCH_HEAD,
    "on-disk format");

struct record_head {
	uint32_t length;	/* of the payload; padded to 8 behind it */
	uint8_t type;
	uint8_t flags;
	uint16_t zero;
	uint32_t epoch;
	uint32_t index;
	uint32_t zero2;
	uint32_t crc;		/* of all before and the payload, seeded */
};
_Static_assert(sizeof(struct record_head) == JOURNAL_RECORD_HEAD,
    "on-disk format");

/* One use of a segment file. */
struct segment_use {
	uint32_t epoch;
	uint32_t key;
};

static inline uint64_t
journal_lsn(uint32_t epoch, uint32_t index)
{
	return (uint64_t)epoch << 32 | index;
}

/* Bytes a record takes in a batch. */
static inline size_t
journal_record_bytes(size_t payload)
{
	return JOURNAL_RECORD_HEAD + ((payload + 7) & ~(size_t)7);
}

void segment_head_seal(struct segment_head *h);
bool segment_head_valid(const struct segment_head *h);
/* Fills in epoch, indexes and checksums of a batch whose record heads hold
 * length, type and flags. */
void batch_seal(char *batch, size_t bytes, uint32_t count,
	struct segment_use use, uint32_t first);
/* The checksum of a record by its head (sealed) and payload. */
uint32_t record_crc(const struct record_head *r, const char *payload,
	struct segment_use use);

struct journal_record {
	enum journal_type type;
	uint64_t lsn;
	uint64_t offset;	/* of the payload in the file, or in the batch */
	struct slice payload;
};

/* May a batch stand here, with room bytes before the limit?  next_index: one
 * past the last record's before it, 0 for the first. */
bool batch_head_valid(const struct batch_head *h, uint64_t room,
	struct segment_use use, uint32_t next_index);
/* Of a batch in memory (aligned to 8) whose head is valid. */
bool batch_records_valid(const char *batch, struct segment_use use);
/* The records of a valid batch; *n starts at 0.  False after the last. */
bool batch_record(const char *batch, struct segment_use use, uint32_t *pos,
	uint32_t *n, struct journal_record *out);

enum journal_scan_result {
	SCAN_BATCH,	/* a valid batch: at, head */
	SCAN_DAMAGE,	/* bytes from at to resume are not a batch, but a later
			 * valid batch follows: scanning goes on there */
	SCAN_END,	/* nothing valid from at on: torn tail or unused */
};

struct journal_scan {
	const char *bytes;	/* the whole segment file */
	uint64_t size, limit;	/* of the file; valid only below limit */
	struct segment_use use;
	uint32_t next_index;
	uint64_t at;		/* offset of what was found */
	uint64_t resume;	/* where the next call looks */
	const struct batch_head *head;
};

/* limit: where the next segment says that this one ends, or 0. */
void journal_scan_init(struct journal_scan *s, const char *bytes, uint64_t size,
	struct segment_use use, uint64_t limit);
enum journal_scan_result journal_scan_next(struct journal_scan *s);

/* The records of the batch found; *pos starts at 0.  False after the last. */
bool journal_scan_record(const struct journal_scan *s, uint32_t *pos,
	uint32_t *n, struct journal_record *out);

#endif
