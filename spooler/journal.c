/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Group commit over preallocated segments.
 *
 *	append -> gather --(turn end, committer idle)--> writing -> durable
 *	             ^                                      |
 *	             '------ important records of ----------' failed: segment
 *	                     a failed batch                   retired
 *
 * Order inside the committer: segment head and its sync first when the segment
 * is new (or a crash would show a batch under an old head), then the batch,
 * then one fdatasync.
 */
#include "spooler/journal.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/num.h"
#include "common/base/workq.h"
#include "common/mail/size.h"

#define MAX_SEGMENTS 1024u
/* Made before they are needed: one for what was let in when no more can be
 * made, and those for outcomes and for what lets segments go. */
#define AHEAD 3u
#define REMAKE_MIN_US 100000u
#define REMAKE_MAX_US 30000000u
#define GATHER_SOFT (16u << 20)	/* a batch closes for others beyond this */

enum segment_state { SEG_FREE, SEG_OLD, SEG_CURRENT, SEG_FULL };

struct segment {
	uint32_t epoch;
	uint32_t key;
	uint32_t number;	/* of the file */
	int fd;
	enum segment_state state;
	bool failed;		/* a write or sync of it did: never used again */
	bool headless;		/* its head is not known to be durable */
	uint32_t pins[PIN_KINDS];
	uint64_t size, limit;	/* limit: valid end, 0 not known */
	uint64_t end_lsn;	/* last record's, 0 none */
	uint64_t end;		/* where the next batch goes */
	uint32_t next_index;
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
	unsigned wanted;	/* max_segments unless making one failed */
	struct loop_timer remake;
	uint64_t remake_us;	/* until the next try */
	struct segment *used[MAX_SEGMENTS];	/* oldest first */
	struct segment *freed[MAX_SEGMENTS];
	unsigned n_used, n_free, n_making;
	uint32_t next_number;
	struct segment *current;
	bool fresh;		/* current's head is not durable yet */
	bool replaying, closing;
	uint32_t carried;	/* epoch for which carry() was asked last */
	uint64_t logged, durable;
	struct batch batches[2];
	struct batch *gather, *writing;
	bool redo;		/* writing is what a failed batch left: it goes
				 * before what is gathered */
	struct workq *committer, *makers;
	struct loop_hook hook;
	bool stuck;		/* something gathered finds no segment */
	size_t map_bytes;
};

static void try_commit(struct journal *j);

static void
file_name(uint32_t number, char out[24])
{
	snprintf(out, 24, "%06u.seg", number);
}

/* May the oldest segment go?  Only strictly from the old end: a done record is
 * never younger than the message it ends. */
static bool
oldest_is_free(const struct journal *j)
{
	const struct segment *s;

	if (j->replaying || j->n_used < 2) {
		return false;
	}
	s = j->used[0];
	return s->state == SEG_FULL && s->pins[PIN_RECORD] == 0 &&
	    s->pins[PIN_STATE] == 0 && s->end_lsn <= j->logged;
}

/* A file that failed us is not asked again. */
static void
discard(struct journal *j, struct segment *s)
{
	char name[24];

	file_name(s->number, name);
	j->fs->unlink_at(j->dir, name);
	close(s->fd);
	free(s);
}

static void make_ahead(struct journal *j);

static void
reclaim(struct journal *j)
{
	bool any = false;

	while (oldest_is_free(j)) {
		struct segment *s = j->used[0];

		memmove(j->used, j->used + 1,
		    (j->n_used - 1) * sizeof j->used[0]);
		j->n_used--;
		any = true;
		if (s->failed) {
			discard(j, s);
			continue;
		}
		s->state = SEG_FREE;
		j->freed[j->n_free++] = s;
	}
	if (!j->replaying && j->n_used > 1 && j->hooks.carry != NULL) {
		struct segment *s = j->used[0];

		if (s->state == SEG_FULL && s->pins[PIN_RECORD] == 0 &&
		    s->pins[PIN_STATE] > 0 && s->end_lsn <= j->logged &&
		    j->n_free + j->n_making <= j->reserve + 1 &&
		    j->n_used + j->n_free >= j->max_segments &&
		    j->carried != s->epoch) {
			j->carried = s->epoch;
			j->hooks.carry(j->hooks.arg, s->epoch);
		}
	}
	if (!j->closing) {
		make_ahead(j);	/* in the place of one that was discarded */
	}
	if (any && j->hooks.room != NULL) {
		j->hooks.room(j->hooks.arg);
	}
}

static unsigned
segments_to_come(const struct journal *j)
{
	unsigned have = j->n_used + j->n_free;

	return j->n_free + (have < j->max_segments ?
	    j->max_segments - have : 0);
}

/* Zero-fills a new file: blocks are allocated and written once, so that later
 * writes need neither metadata nor space (in the maker's thread). */
static void
maker_run(struct workq_job *job)
{
	struct maker *m = container_of(job, struct maker, job);
	struct journal *j = m->j;
	static const char zeros[1 << 16];
	char name[24];

	file_name(m->number, name);
	m->error = 0;
	m->fd = j->fs->open_at(j->dir, name, O_RDWR | O_CREAT | O_TRUNC, 0640);
	if (m->fd < 0) {
		m->error = errno;
		return;
	}
	for (uint64_t at = 0; at < j->segment_bytes; at += sizeof zeros) {
		size_t n = (size_t)EC_MIN((uint64_t)sizeof zeros,
		    j->segment_bytes - at);

		if (fs_write_all(j->fs, m->fd, zeros, n, at) < 0) {
			m->error = errno;
			break;
		}
	}
	if (m->error == 0 && (j->fs->sync_data(m->fd) < 0 ||
	    j->fs->sync_dir(j->dir) < 0)) {
		m->error = errno;
	}
	if (m->error != 0) {
		/* A short file would look like a segment: take it away. */
		close(m->fd);
		m->fd = -1;
		j->fs->unlink_at(j->dir, name);
	}
}

static struct segment *
segment_new(struct journal *j, uint32_t number, int fd)
{
	struct segment *s = xcalloc(1, sizeof *s);

	s->number = number;
	s->fd = fd;
	s->size = j->segment_bytes;
	s->state = SEG_FREE;
	return s;
}

static void
maker_done(struct workq_job *job)
{
	static struct log_rate rate;	/* one per place, as log_limited asks */
	struct maker *m = container_of(job, struct maker, job);
	struct journal *j = m->j;

	j->n_making--;
	if (m->error != 0) {
		/* No more segments than these: what is there serves on. */
		j->max_segments = EC_MAX(j->n_used + j->n_free, 2u);
		loop_timer_set(&j->remake, j->remake_us);
		j->remake_us = EC_MIN(j->remake_us * 2,
		    (uint64_t)REMAKE_MAX_US);
		log_limited(&rate, EC_ERROR, "journal: cannot make a segment: "
		    "%s; going on with %u", strerror(m->error),
		    j->n_used + j->n_free);
	} else {
		j->freed[j->n_free++] = segment_new(j, m->number, m->fd);
		j->max_segments = j->wanted;
		j->remake_us = REMAKE_MIN_US;
		if (j->hooks.room != NULL) {
			j->hooks.room(j->hooks.arg);
		}
	}
	free(m);
	if (j->stuck) {
		try_commit(j);
	}
}

static void
make_one(struct journal *j)
{
	struct maker *m = xcalloc(1, sizeof *m);

	m->job.run = maker_run;
	m->job.done = maker_done;
	m->j = j;
	m->number = j->next_number++;
	j->n_making++;
	workq_submit(j->makers, &m->job);
}

static void
make_ahead(struct journal *j)
{
	while (j->n_free + j->n_making < AHEAD &&
	    j->n_used + j->n_free + j->n_making < j->max_segments) {
		make_one(j);
	}
}

/* Making one failed a while ago.  One more is tried, and counted on only when
 * it is there. */
static void
on_remake(void *arg)
{
	struct journal *j = arg;

	if (j->n_making == 0 && j->n_used + j->n_free < j->wanted) {
		make_one(j);
	}
}

/* The next segment becomes current; its head is written with its first
 * batch.  prev_end is where the one before validly ends. */
static bool
rotate(struct journal *j)
{
	struct segment *old = j->current, *s;
	uint32_t epoch;

	reclaim(j);
	if (j->n_free == 0) {
		make_ahead(j);
		return false;
	}
	s = j->freed[--j->n_free];
	/* At open never below the time: were the newest head lost, its epoch
	 * must not come again. */
	epoch = old != NULL ? old->epoch + 1 :
	    (uint32_t)(clock_wall_us() / 1000000u);
	if (old == NULL && j->n_used > 0) {
		epoch = EC_MAX(epoch, j->used[j->n_used - 1]->epoch + 1);
	}
	if (old != NULL) {
		old->state = SEG_FULL;
		old->limit = old->end;
	}
	s->epoch = epoch;
	s->key = arc4random();
	s->state = SEG_CURRENT;
	s->pins[PIN_RECORD] = s->pins[PIN_STATE] = 0;
	s->limit = 0;
	s->end = JOURNAL_BLOCK;
	s->end_lsn = 0;
	s->next_index = 1;	/* so that no LSN has its low half 0 */
	j->used[j->n_used++] = s;
	j->current = s;
	j->fresh = true;
	make_ahead(j);
	return true;
}

static void
fill_head(struct journal *j, struct segment_head *h)
{
	unsigned n = j->n_used - 1;	/* the current one */
	struct segment *prev;

	/* One whose head failed says nothing about the one before it (or says
	 * the same): the word about that one is ours. */
	while (n > 0 && j->used[n - 1]->headless) {
		n--;
	}
	prev = n > 0 ? j->used[n - 1] : NULL;
	*h = (struct segment_head){ .epoch = j->current->epoch,
		.key = j->current->key, .size = j->current->size, .oldest = j->used[0]->epoch,
		.prev = prev != NULL ? prev->epoch : 0,
		.prev_end = prev != NULL ? prev->limit : 0,
		.created_us = clock_wall_us() };
	segment_head_seal(h);
}

/* In the committer's thread. */
static void
batch_run(struct workq_job *job)
{
	struct batch *b = container_of(job, struct batch, job);
	struct journal *j = b->j;
	uint64_t began = clock_mono_us();
	size_t padded = num_round_up(b->len, JOURNAL_BLOCK);
	char block[JOURNAL_BLOCK];

	b->ok = b->head_ok = false;
	if (b->head_first) {
		memset(block, 0, sizeof block);
		memcpy(block, &b->head, sizeof b->head);
		if (fs_write_all(j->fs, b->seg->fd, block, sizeof block, 0) < 0 ||
		    j->fs->sync_data(b->seg->fd) < 0) {
			b->error = errno;
			return;
		}
	}
	b->head_ok = true;
	batch_seal(b->bytes, b->len, b->n,
	    (struct segment_use){ b->seg->epoch, b->seg->key }, b->first);
	memset(b->bytes + b->len, 0, padded - b->len);
	if (fs_write_all(j->fs, b->seg->fd, b->bytes, padded, b->offset) < 0 ||
	    j->fs->sync_data(b->seg->fd) < 0) {
		b->error = errno;
		return;
	}
	b->ok = true;
	b->took_us = clock_mono_us() - began;
}

static void
batch_reset(struct batch *b)
{
	/* After a burst the memory goes back. */
	if (b->len > GATHER_SOFT) {
		madvise(b->bytes, b->j->map_bytes, MADV_DONTNEED);
	}
	b->len = JOURNAL_BATCH_HEAD;
	b->n = 0;
}

static struct entry *
batch_entry(struct batch *b)
{
	if (b->n == b->cap) {
		b->cap = b->cap ? b->cap * 2 : 64;
		b->entries = xrealloc(b->entries, b->cap * sizeof *b->entries);
	}
	return &b->entries[b->n];
}

static void
batch_add(struct batch *b, enum journal_type type, const struct slice *parts,
    int n_parts, bool important, const struct journal_note *note)
{
	struct record_head r = { .type = (uint8_t)type };
	struct entry *e = batch_entry(b);
	size_t at = b->len + JOURNAL_RECORD_HEAD, pad;

	e->note = *note;
	e->note.type = type;
	e->at = (uint32_t)at;
	e->important = important;
	for (int i = 0; i < n_parts; i++) {
		memcpy(b->bytes + at, parts[i].ptr, parts[i].len);
		at += parts[i].len;
	}
	r.length = (uint32_t)(at - e->at);
	e->note.length = r.length;
	memcpy(b->bytes + b->len, &r, sizeof r);
	pad = num_round_up(r.length, 8) - r.length;
	memset(b->bytes + at, 0, pad);
	b->len = at + pad;
	b->n++;
}

static void
batch_failed(struct batch *b)
{
	struct segment *s = b->seg;

	log_critical("journal: segment %06u.seg: %s; it is retired at byte "
	    "%llu and its last batch (%u records) is not durable: clients of "
	    "that batch get 451, outcomes are written again", s->number,
	    strerror(b->error), (unsigned long long)b->offset, b->n);
	/* Nothing more goes there, whatever the next sync would say. */
	s->end = s->limit = b->offset;
	s->state = SEG_FULL;
	s->failed = true;
	s->headless = b->head_first && !b->head_ok;
}

/* What goes again stays in the batch, in its order, and goes before anything
 * gathered meanwhile. */
static void
batch_keep_important(struct batch *b)
{
	uint32_t n = 0;

	b->len = JOURNAL_BATCH_HEAD;
	for (uint32_t i = 0; i < b->n; i++) {
		struct entry e = b->entries[i];
		size_t bytes = journal_record_bytes(e.note.length);

		if (!e.important) {
			continue;
		}
		memmove(b->bytes + b->len, b->bytes + e.at -
		    JOURNAL_RECORD_HEAD, bytes);
		e.at = (uint32_t)b->len + JOURNAL_RECORD_HEAD;
		b->entries[n++] = e;
		b->len += bytes;
	}
	b->n = n;
}

static void
batch_notes(struct journal *j, struct batch *b)
{
	for (uint32_t i = 0; i < b->n; i++) {
		struct entry *e = &b->entries[i];

		if (!b->ok && e->important) {
			continue;	/* goes again */
		}
		e->note.ok = b->ok;
		e->note.epoch = b->seg->epoch;
		e->note.offset = b->offset + e->at;
		e->note.lsn = journal_lsn(b->seg->epoch, b->first + i);
		e->note.payload = b->bytes + e->at;
		j->hooks.done(j->hooks.arg, &e->note);
	}
}

static void
batch_done(struct workq_job *job)
{
	struct batch *b = container_of(job, struct batch, job);
	struct journal *j = b->j;

	/* The writer's buffer stays taken until all notes are told: the
	 * gatherer may be appended to meanwhile. */
	if (b->ok) {
		j->fresh = j->fresh && !b->head_first;
		b->seg->end_lsn = journal_lsn(b->seg->epoch,
		    b->first + b->n - 1);
		j->durable = b->seg->end_lsn;
	} else {
		batch_failed(b);
	}
	batch_notes(j, b);
	if (!b->ok) {
		batch_keep_important(b);
	}
	j->redo = !b->ok && b->n > 0;
	if (!j->redo) {
		batch_reset(b);
		j->writing = NULL;
	}
	if (j->hooks.batch_done != NULL) {
		j->hooks.batch_done(j->hooks.arg, b->ok, b->took_us);
	}
	reclaim(j);
	try_commit(j);
}

static bool
fits_current(const struct journal *j, const struct batch *b)
{
	return j->current->state == SEG_CURRENT && j->current->end +
	    num_round_up(b->len, JOURNAL_BLOCK) <= j->current->size;
}

/* Closes the gathered batch and gives it to the committer. */
static void
try_commit(struct journal *j)
{
	struct batch *b = j->redo ? j->writing : j->gather;

	if (j->closing || (j->writing != NULL && !j->redo) || b->n == 0) {
		return;
	}
	j->stuck = false;
	/* The hooks may append to it while a segment is found: its length
	 * counts only afterwards. */
	while (!fits_current(j, b)) {
		if (!rotate(j)) {
			j->stuck = true;
			return;
		}
	}
	b->seg = j->current;
	b->offset = b->seg->end;
	b->first = b->seg->next_index;
	b->head_first = j->fresh;
	if (b->head_first) {
		fill_head(j, &b->head);
	}
	b->seg->end += num_round_up(b->len, JOURNAL_BLOCK);
	b->seg->next_index += b->n;
	if (!j->redo) {
		j->writing = b;
		j->gather = b == &j->batches[0] ? &j->batches[1] :
		    &j->batches[0];
	}
	j->redo = false;
	workq_submit(j->committer, &b->job);
}

static void
on_turn_end(void *arg)
{
	try_commit(arg);
}

uint64_t
journal_payload_max(const struct journal *j)
{
	return j->segment_bytes / 2;
}

/* Who may take a segment is told by how many must be left to come. */
enum claim {
	CLAIM_FREEING,	/* state carried, settled: what lets segments go must
			 * find room when nothing else does, or none ever does */
	CLAIM_IMPORTANT,
	CLAIM_ORDINARY,
};

static enum journal_room
fits(const struct journal *j, uint64_t bytes, unsigned n, enum claim claim)
{
	uint64_t need = bytes + (uint64_t)n * (JOURNAL_RECORD_HEAD + 8);
	uint64_t left = j->current->state == SEG_CURRENT ?
	    j->current->size - j->current->end : 0;
	uint64_t cap = j->segment_bytes - 2 * JOURNAL_BLOCK;
	unsigned come = segments_to_come(j);
	unsigned keep = claim == CLAIM_ORDINARY ? j->reserve :
	    claim == CLAIM_IMPORTANT ? 1 : 0;

	if (j->gather->len + need > cap || (claim == CLAIM_ORDINARY &&
	    j->gather->len > GATHER_SOFT)) {
		return JOURNAL_BUSY;
	}
	if (come > keep) {
		return JOURNAL_OK;
	}
	return num_round_up(j->gather->len + need, JOURNAL_BLOCK) <= left &&
	    (come > 0 || claim == CLAIM_FREEING) ? JOURNAL_OK : JOURNAL_FULL;
}

enum journal_room
journal_fits(const struct journal *j, uint64_t bytes, unsigned n,
    bool important)
{
	return fits(j, bytes, n, important ? CLAIM_IMPORTANT : CLAIM_ORDINARY);
}

enum journal_room
journal_append(struct journal *j, enum journal_type type,
    const struct slice *parts, int n_parts, bool important,
    const struct journal_note *note)
{
	enum claim claim = !important ? CLAIM_ORDINARY :
	    type == JOURNAL_STATE || type == JOURNAL_SETTLED ? CLAIM_FREEING :
	    CLAIM_IMPORTANT;
	enum journal_room room;
	uint64_t bytes = 0;

	for (int i = 0; i < n_parts; i++) {
		bytes += parts[i].len;
	}
	room = fits(j, bytes, 1, claim);
	if (room == JOURNAL_OK) {
		batch_add(j->gather, type, parts, n_parts, important, note);
	}
	return room;
}

bool
journal_is_idle(const struct journal *j)
{
	return j->writing == NULL && j->gather->n == 0;
}

static struct segment *
find(const struct journal *j, uint32_t epoch)
{
	/* Epochs follow each other without gaps but for damaged ones. */
	for (unsigned i = 0; i < j->n_used; i++) {
		if (j->used[i]->epoch == epoch) {
			return j->used[i];
		}
	}
	return NULL;
}

void
journal_pin(struct journal *j, uint32_t epoch, enum journal_pin kind)
{
	struct segment *s = find(j, epoch);

	ec_assert(s != NULL);
	s->pins[kind]++;
}

void
journal_unpin(struct journal *j, uint32_t epoch, enum journal_pin kind)
{
	struct segment *s = find(j, epoch);

	ec_assert(s != NULL && s->pins[kind] > 0);
	s->pins[kind]--;
	if (s->pins[kind] == 0 && s == j->used[0]) {
		reclaim(j);
	}
}

void
journal_logged(struct journal *j, uint64_t lsn)
{
	if (lsn > j->logged) {
		j->logged = lsn;
		reclaim(j);
	}
}

bool
journal_old(const struct journal *j, unsigned n, struct journal_old *out)
{
	if (n >= j->n_used || j->used[n]->state != SEG_OLD) {
		return false;
	}
	*out = (struct journal_old){ j->used[n]->epoch, j->used[n]->key,
		j->used[n]->size,
		j->used[n]->limit };
	return true;
}

void
journal_old_end(struct journal *j, uint32_t epoch, uint64_t end_lsn)
{
	struct segment *s = find(j, epoch);

	ec_assert(s != NULL);
	s->end_lsn = end_lsn;
}

void
journal_replayed(struct journal *j)
{
	for (unsigned i = 0; i < j->n_used; i++) {
		if (j->used[i]->state == SEG_OLD) {
			j->used[i]->state = SEG_FULL;
		}
	}
	j->replaying = false;
	reclaim(j);
}

void
journal_poke(struct journal *j)
{
	j->carried = 0;
	reclaim(j);
	if (j->stuck) {
		try_commit(j);
	}
}

int
journal_segment_fd(const struct journal *j, uint32_t epoch)
{
	struct segment *s = find(j, epoch);

	return s == NULL ? -1 : s->fd;
}

uint64_t
journal_limit(const struct journal *j, uint32_t epoch)
{
	struct segment *s = find(j, epoch);

	return s == NULL ? 0 : s->limit;
}

struct segment_use
journal_use(const struct journal *j, uint32_t epoch)
{
	struct segment *s = find(j, epoch);

	ec_assert(s != NULL);
	return (struct segment_use){ s->epoch, s->key };
}

bool
journal_has(const struct journal *j, uint32_t epoch)
{
	return find(j, epoch) != NULL;
}

uint32_t
journal_oldest(const struct journal *j)
{
	return j->used[0]->epoch;
}

uint32_t
journal_newest(const struct journal *j)
{
	return j->used[j->n_used - 1]->epoch;
}

uint64_t
journal_durable(const struct journal *j)
{
	return j->durable;
}

void
journal_counts(const struct journal *j, unsigned *segments_out,
    unsigned *free_out)
{
	*segments_out = j->n_used + j->n_free;
	*free_out = segments_to_come(j);
}

static int
by_epoch(const void *a, const void *b)
{
	const struct segment *const *x = a, *const *y = b;

	return (*x)->epoch < (*y)->epoch ? -1 : (*x)->epoch > (*y)->epoch;
}

static bool
all_zero(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] != 0) {
			return false;
		}
	}
	return true;
}

/* Reads one segment file's head and files it as used or free. */
static int
open_one(struct journal *j, const char *name, struct segment_head *newest,
    struct segment_head *heads, struct error *err_out)
{
	char block[2 * JOURNAL_BLOCK] = { 0 }, moved[64];
	struct segment_head h;
	struct segment *s;
	struct stat st;
	uint64_t number;
	int fd;

	if (!num_parse_max(slice_make(name, strlen(name) - 4), UINT32_MAX - 1,
	    &number)) {
		return 0;
	}
	j->next_number = EC_MAX(j->next_number, (uint32_t)number + 1);
	fd = j->fs->open_at(j->dir, name, O_RDWR, 0);
	if (fd < 0 || j->fs->stat_fd(fd, &st) < 0 ||
	    fs_read_full(j->fs, fd, block, sizeof block, 0) < 0) {
		error_sys(err_out, "cannot read journal segment %s", name);
		if (fd >= 0) {
			close(fd);
		}
		return -1;
	}
	memcpy(&h, block, sizeof h);
	s = segment_new(j, (uint32_t)number, fd);
	s->size = (uint64_t)st.st_size;
	if (s->size >= 2 * JOURNAL_BLOCK && segment_head_valid(&h)) {
		s->epoch = h.epoch;
		s->key = h.key;
		s->state = SEG_OLD;
		if (h.epoch > newest->epoch) {
			*newest = h;
		}
		heads[j->n_used] = h;
		j->used[j->n_used++] = s;
		return 0;
	}
	if (s->size == j->segment_bytes && all_zero(block, sizeof block)) {
		j->freed[j->n_free++] = s;
		return 0;
	}
	close(fd);
	free(s);
	if (all_zero(block, sizeof block)) {
		/* Made under another Journal_Size, or the making was cut
		 * short by a crash: nothing was ever in it (a batch comes
		 * after the head, and would stand in the second block). */
		j->fs->unlink_at(j->dir, name);
		return 0;
	}
	snprintf(moved, sizeof moved, "../quarantine/%s.%llu", name,
	    (unsigned long long)clock_wall_us());
	j->fs->rename_at(j->dir, name, moved);
	log_critical("journal: %s has no valid head: moved to quarantine; if "
	    "it held undelivered mail it is in there", name);
	return 0;
}

/* The process before us may have died between a write and its sync, or
 * between making a file and the directory's sync: what is read here was then
 * only in memory.  Before anybody is told of it, it is made durable. */
static int
make_sure(struct journal *j, struct error *err_out)
{
	if ((j->n_used > 0 &&
	    j->fs->sync_data(j->used[j->n_used - 1]->fd) < 0) ||
	    j->fs->sync_dir(j->dir) < 0) {
		return error_sys(err_out, "cannot sync the journal");
	}
	return 0;
}

static int
open_all(struct journal *j, struct error *err_out)
{
	struct segment_head newest = { 0 }, *heads;
	int fd = dup(j->dir), result = 0;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (d == NULL) {
		return error_sys(err_out, "cannot list the journal directory");
	}
	heads = xcalloc(MAX_SEGMENTS, sizeof *heads);
	rewinddir(d);
	while (result == 0 && (e = readdir(d)) != NULL) {
		size_t n = strlen(e->d_name);

		if (n > 4 && strcmp(e->d_name + n - 4, ".seg") == 0 &&
		    j->n_used + j->n_free < MAX_SEGMENTS) {
			result = open_one(j, e->d_name, &newest, heads,
			    err_out);
		}
	}
	closedir(d);
	if (result == 0) {
		unsigned kept = 0;

		/* prev_end of each tells the limit of the one before it. */
		for (unsigned i = 0; i < j->n_used; i++) {
			struct segment *p = find(j, heads[i].prev);

			if (p != NULL) {
				p->limit = heads[i].prev_end;
			}
		}
		qsort(j->used, j->n_used, sizeof j->used[0], by_epoch);
		for (unsigned i = 0; i < j->n_used; i++) {
			struct segment *s = j->used[i];

			if (s->epoch >= newest.oldest) {
				j->used[kept++] = s;
			} else if (s->size == j->segment_bytes) {
				s->state = SEG_FREE;
				j->freed[j->n_free++] = s;
			} else {
				/* Of another size, and declared free. */
				char name[24];

				file_name(s->number, name);
				j->fs->unlink_at(j->dir, name);
				close(s->fd);
				free(s);
			}
		}
		j->n_used = kept;
		result = make_sure(j, err_out);
	}
	free(heads);
	return result;
}

static int
first_segment(struct journal *j, struct error *err_out)
{
	struct maker m = { .j = j };

	if (j->n_free == 0) {
		m.number = j->next_number++;
		maker_run(&m.job);
		if (m.error != 0) {
			errno = m.error;
			return error_sys(err_out, "cannot make a journal "
			    "segment of %llu bytes",
			    (unsigned long long)j->segment_bytes);
		}
		j->freed[j->n_free++] = segment_new(j, m.number, m.fd);
	}
	/* Never refuse to start for a lowered Journal_Size. */
	j->max_segments = EC_MAX(j->max_segments, j->n_used + j->n_free + 1);
	j->max_segments = EC_MIN(j->max_segments, MAX_SEGMENTS - 1);
	j->wanted = j->max_segments;
	ec_assert(rotate(j));
	return 0;
}

static void
set_limits(struct journal *j, const struct journal_limits *limits)
{
	uint64_t seg = limits->segment_bytes;
	uint64_t n;

	if (seg == 0) {
		seg = journal_segment_bytes(limits->total_bytes);
	}
	j->segment_bytes = num_round_up(seg, 1 << 16);
	n = limits->total_bytes / j->segment_bytes;
	j->max_segments = (unsigned)EC_MIN(EC_MAX(n, (uint64_t)4),
	    (uint64_t)MAX_SEGMENTS - 1);
	/* One for outcomes, one for what lets segments go. */
	j->reserve = EC_MAX(j->max_segments / 10, 2u);
}

struct journal *
journal_open(struct loop *l, const struct fs *fs, int dir,
    const struct journal_limits *limits, const struct journal_hooks *hooks,
    struct error *err_out)
{
	struct journal *j = xcalloc(1, sizeof *j);

	j->loop = l;
	j->fs = fs;
	j->dir = dir;
	j->hooks = *hooks;
	j->replaying = true;
	set_limits(j, limits);
	j->map_bytes = j->segment_bytes + JOURNAL_BLOCK;
	j->committer = workq_create(l, "committer", 1);
	j->makers = workq_create(l, "segments", 1);
	for (int i = 0; i < 2; i++) {
		struct batch *b = &j->batches[i];

		/* Touched pages only cost: most batches are small. */
		b->bytes = mmap(NULL, j->map_bytes, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (b->bytes == MAP_FAILED) {
			panic("no memory for a journal batch");
		}
		b->j = j;
		b->job.run = batch_run;
		b->job.done = batch_done;
		b->len = JOURNAL_BATCH_HEAD;
	}
	j->gather = &j->batches[0];
	j->remake_us = REMAKE_MIN_US;
	loop_timer_init(&j->remake, l, on_remake, j);
	loop_on_turn_end(l, &j->hook, on_turn_end, j);
	if (open_all(j, err_out) < 0 || first_segment(j, err_out) < 0) {
		journal_close(&j);
		return NULL;
	}
	return j;
}

void
journal_finish(struct journal *j)
{
	while (j->current != NULL && !j->stuck && !journal_is_idle(j)) {
		try_commit(j);
		workq_finish(j->makers);
		workq_finish(j->committer);
	}
}

void
journal_close(struct journal **jp)
{
	struct journal *j = *jp;

	/* The hooks are still called, and may use *jp. */
	journal_finish(j);
	j->closing = true;
	workq_destroy(&j->committer);
	workq_destroy(&j->makers);
	loop_hook_stop(&j->hook);
	loop_timer_stop(&j->remake);
	for (unsigned i = 0; i < j->n_used; i++) {
		close(j->used[i]->fd);
		free(j->used[i]);
	}
	for (unsigned i = 0; i < j->n_free; i++) {
		close(j->freed[i]->fd);
		free(j->freed[i]);
	}
	for (int i = 0; i < 2; i++) {
		munmap(j->batches[i].bytes, j->map_bytes);
		free(j->batches[i].entries);
	}
	free(j);
	*jp = NULL;
}
