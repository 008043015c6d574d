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
#include "spooler/segments.h"

#include <sys/mman.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/num.h"
#include "common/mail/size.h"

#define GATHER_SOFT (16u << 20)	/* a batch closes for others beyond this */


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
		if (b->head_first) {
			segments_discard(j, b->head.oldest);
		}
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
	segments_reclaim(j);
	journal_commit(j);
}

static bool
fits_current(const struct journal *j, const struct batch *b)
{
	return j->current->state == SEG_CURRENT && j->current->end +
	    num_round_up(b->len, JOURNAL_BLOCK) <= j->current->size;
}

/* Closes the gathered batch and gives it to the committer. */
void
journal_commit(struct journal *j)
{
	struct batch *b = j->redo ? j->writing : j->gather;

	if (j->closing || (j->writing != NULL && !j->redo) || b->n == 0) {
		return;
	}
	j->stuck = false;
	/* The hooks may append to it while a segment is found: its length
	 * counts only afterwards. */
	while (!fits_current(j, b)) {
		if (!segments_rotate(j)) {
			j->stuck = true;
			return;
		}
	}
	b->seg = j->current;
	b->offset = b->seg->end;
	b->first = b->seg->next_index;
	b->head_first = j->fresh;
	if (b->head_first) {
		segments_head(j, &b->head);
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
	journal_commit(arg);
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
	/* With less to come the current one is of the reserve itself. */
	return num_round_up(j->gather->len + need, JOURNAL_BLOCK) <= left &&
	    come >= keep ? JOURNAL_OK : JOURNAL_FULL;
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
	loop_timer_init(&j->remake, l, segments_remake, j);
	loop_on_turn_end(l, &j->hook, on_turn_end, j);
	if (segments_open(j, err_out) < 0 || segments_first(j, err_out) < 0) {
		journal_close(&j);
		return NULL;
	}
	return j;
}

void
journal_finish(struct journal *j)
{
	while (j->current != NULL && !j->stuck && !journal_is_idle(j)) {
		journal_commit(j);
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
	while (j->doomed != NULL) {
		struct segment *s = j->doomed;

		j->doomed = s->next;
		close(s->fd);
		free(s);
	}
	for (int i = 0; i < 2; i++) {
		munmap(j->batches[i].bytes, j->map_bytes);
		free(j->batches[i].entries);
	}
	free(j);
	*jp = NULL;
}
