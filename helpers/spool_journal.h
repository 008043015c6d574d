/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spool_journal: what a spool's journal says, read beside a spooler that may be
 * writing it.  spool_journal_read() goes once through all live segments and
 * keeps a small entry for each message they name; envelopes and bodies are
 * read again where they lie when somebody wants them.  Memory follows the size
 * of the journal.
 *
 * A segment that the spooler reuses meanwhile is left at that point: its
 * messages have left the journal, and the store is read after it.
 */
#ifndef EC_SPOOL_JOURNAL_H
#define EC_SPOOL_JOURNAL_H

#include "common/mail/envelope.h"
#include "common/mail/event.h"
#include "common/spool/segment_reader.h"
#include "helpers/id_map.h"
#include "helpers/spool_dir.h"

#define SPOOL_MAX_SEGMENTS 4096u

enum {	/* journal_entry.flags */
	ENTRY_RECORD = 1u << 0,	/* its message record is live */
	ENTRY_SETTLED = 1u << 1,
	ENTRY_DONE = 1u << 2,
	ENTRY_STATE = 1u << 3,	/* attempts, next_us, doubt are known */
	ENTRY_DOUBT = 1u << 4,	/* may have been delivered once */
	ENTRY_SEEN = 1u << 5,	/* the user's: it was met elsewhere */
	ENTRY_BEGUN = 1u << 6,	/* DONE only as long as no record says that its
				 * files are whole */
};

struct journal_entry {
	uint64_t next_us;
	uint16_t attempts;
	uint16_t flags;
	uint32_t record;	/* index in records, with ENTRY_RECORD */
};

/* Where a message record lies. */
struct journal_place {
	uint32_t segment;	/* index in segments */
	bool large;		/* the body is in large/ */
	uint32_t length;	/* of the payload */
	uint64_t offset;	/* of the payload */
};

enum segment_kind {
	SEGMENT_LIVE,
	SEGMENT_FREE,		/* used before, or never */
	SEGMENT_HEADLESS,	/* bytes in it, and no sound head */
	SEGMENT_CLOSED,		/* it cannot be opened or read (error) */
};

struct spool_segment {
	char name[24];
	enum segment_kind kind;
	int fd, error;
	uint64_t size, limit;
	struct segment_head head;
};

/* What the reader may want to hear of; each may be NULL. */
struct journal_ears {
	void *arg;
	/* Bytes from..to are bad; error is 0, or why they cannot be read. */
	void (*damage)(void *arg, const struct spool_segment *s, uint64_t from,
		uint64_t to, int error);
	/* A sound record that nothing can be made of. */
	void (*bad_record)(void *arg, const struct spool_segment *s,
		const struct journal_record *rec);
	/* A retry or done record. */
	void (*event)(void *arg, const struct event *e);
};

struct spool_journal {
	struct spool_segment *segments;	/* live ones first, oldest first */
	size_t n, n_live;
	uint32_t oldest, newest;	/* epochs; 0 without any */
	struct id_map ids;		/* to struct journal_entry */
	struct journal_place *records;
	size_t n_records, cap_records;
	uint64_t batches, total_records;
	struct journal_ears ears;
	const struct spool_dir *dir;
	char *block;			/* for spool_journal_envelope() */
};

int spool_journal_open(struct spool_journal *j, const struct spool_dir *d,
	struct error *err_out);
void spool_journal_read(struct spool_journal *j,
	const struct journal_ears *ears);
void spool_journal_close(struct spool_journal *j);

static inline struct journal_entry *
spool_journal_find(const struct spool_journal *j, msgid id)
{
	return id_map_find(&j->ids, id);
}

/* Its mail is in the journal only: neither settled nor ended. */
static inline bool
journal_entry_is_mail(const struct journal_entry *e)
{
	return e != NULL && (e->flags & (ENTRY_RECORD | ENTRY_SETTLED |
	    ENTRY_DONE)) == ENTRY_RECORD;
}

/* The envelope of a message record; false if it is there no more.  Strings
 * live until the next call, the recipients in mem.  Where the body lies in what
 * spool_journal_body() opens. */
bool spool_journal_envelope(struct spool_journal *j, size_t record,
	struct scratch *mem, struct envelope *out, uint64_t *body_at_out,
	uint64_t *body_size_out);
/* Opens what the body of that record is in: its segment, or a file in large/ of
 * that batch and size.  The caller's; -1 with errno. */
int spool_journal_body(const struct spool_journal *j, size_t record,
	msgid batch, uint64_t size);

#endif
