/* SPDX-License-Identifier: Apache-2.0 */
/* The journal's files. */
#include "spooler/segments.h"

#include <fcntl.h>

#include "common/base/clock.h"
#include "common/base/log.h"

/* Made before they are needed: one for what was let in when no more can be
 * made, and those for outcomes and for what lets segments go. */
#define AHEAD 3u
#define REMAKE_MAX_US 30000000u


void
segments_name(uint32_t number, char out[24])
{
	snprintf(out, 24, "%06u.seg", number);
}

static bool
is_covered(const struct journal *j, const struct segment *s)
{
	return !s->needs_cover || (j->covered != 0 &&
	    s->end_lsn <= j->covered);
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
	return s->state == SEG_FULL && s->pins == 0 &&
	    s->end_lsn <= j->logged && is_covered(j, s);
}

/* A file that failed us is not asked again. */
static void
discard(struct journal *j, struct segment *s)
{
	char name[24];

	segments_name(s->number, name);
	j->fs->unlink_at(j->dir, name);
	close(s->fd);
	free(s);
}

void
segments_discard(struct journal *j, uint32_t oldest)
{
	struct segment **at = &j->doomed;

	while (*at != NULL) {
		struct segment *s = *at;

		if (s->epoch < oldest) {
			*at = s->next;
			discard(j, s);
		} else {
			at = &s->next;
		}
	}
}

/* Segments that count against Journal_Size.  A failed one does not: another is
 * made in its place, or a full journal on a failing disk could not go on. */
static unsigned
sound(const struct journal *j)
{
	unsigned n = j->n_used + j->n_free;

	for (unsigned i = 0; i < j->n_used; i++) {
		n -= j->used[i]->failed;
	}
	return n;
}

/* Is it to go for good?  It could not take a largest batch, or there is more
 * than Journal_Size without it; but never the only one that is free: it may be
 * what lets all others go. */
static bool
is_doomed(const struct journal *j, const struct segment *s)
{
	return s->failed || s->size < j->segment_bytes ||
	    (j->n_free > 0 && sound(j) >= j->wanted);
}

void
segments_reclaim(struct journal *j)
{
	bool any = false;

	while (oldest_is_free(j)) {
		struct segment *s = j->used[0];

		memmove(j->used, j->used + 1,
		    (j->n_used - 1) * sizeof j->used[0]);
		j->n_used--;
		any = true;
		if (is_doomed(j, s)) {
			s->next = j->doomed;
			j->doomed = s;
			continue;
		}
		s->state = SEG_FREE;
		s->old = false;
		j->freed[j->n_free++] = s;
	}
	if (any && sound(j) < j->max_segments) {
		/* What was there at open beyond Journal_Size is going. */
		j->max_segments = EC_MIN(j->max_segments,
		    EC_MAX(j->wanted, sound(j)));
	}
	if (!j->replaying && j->n_used > 1 && !is_covered(j, j->used[0]) &&
	    j->used[0]->state == SEG_FULL && segments_to_come(j) <=
	    j->max_segments / 2 && j->hooks.cover != NULL) {
		j->hooks.cover(j->hooks.arg);
	}
	if (!j->closing) {
		segments_make_ahead(j);	/* in the place of one that was discarded */
	}
	if (any && j->hooks.room != NULL) {
		j->hooks.room(j->hooks.arg);
	}
}

unsigned
segments_to_come(const struct journal *j)
{
	unsigned have = sound(j);

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

	segments_name(m->number, name);
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

struct segment *
segments_new(struct journal *j, uint32_t number, int fd)
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
		j->max_segments = EC_MAX(sound(j), 2u);
		loop_timer_set(&j->remake, j->remake_us);
		j->remake_us = EC_MIN(j->remake_us * 2,
		    (uint64_t)REMAKE_MAX_US);
		log_limited(&rate, EC_ERROR, "journal: cannot make a segment: "
		    "%s; going on with %u", strerror(m->error),
		    j->n_used + j->n_free);
	} else {
		j->freed[j->n_free++] = segments_new(j, m->number, m->fd);
		j->max_segments = EC_MAX(j->wanted, sound(j));
		j->remake_us = REMAKE_MIN_US;
		if (j->hooks.room != NULL) {
			j->hooks.room(j->hooks.arg);
		}
	}
	free(m);
	if (j->stuck) {
		journal_commit(j);
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

void
segments_make_ahead(struct journal *j)
{
	while (j->n_free + j->n_making < AHEAD &&
	    sound(j) + j->n_making < j->max_segments &&
	    j->n_used + j->n_free + j->n_making < MAX_SEGMENTS) {
		make_one(j);
	}
}

/* Making one failed a while ago.  One more is tried, and counted on only when
 * it is there. */
void
segments_remake(void *arg)
{
	struct journal *j = arg;

	if (j->n_making == 0 && (sound(j) < j->wanted || (j->n_free == 0 &&
	    j->current->state != SEG_CURRENT)) && j->n_used + j->n_free < MAX_SEGMENTS) {
		make_one(j);
	}
}

/* The next segment becomes current; its head is written with its first
 * batch.  prev_end is where the one before validly ends. */
bool
segments_rotate(struct journal *j)
{
	struct segment *old = j->current, *s;
	uint32_t epoch;

	segments_reclaim(j);
	if (j->n_free == 0) {
		segments_make_ahead(j);
		return false;
	}
	s = j->freed[--j->n_free];
	/* The first one of a process never below the time: were the newest
	 * head lost, its epoch must not come again. */
	epoch = j->n_used > 0 ? j->used[j->n_used - 1]->epoch + 1 : 1;
	if (!j->rotated) {
		epoch = EC_MAX(epoch, (uint32_t)(clock_wall_us() / 1000000u));
	}
	j->rotated = true;
	if (old != NULL && old->state == SEG_CURRENT) {
		old->state = SEG_FULL;
		old->limit = old->end;
	}
	s->epoch = epoch;
	s->key = arc4random();
	s->state = SEG_CURRENT;
	s->pins = 0;
	s->needs_cover = false;
	s->old = false;
	s->old_end = 0;
	s->limit = 0;
	s->end = JOURNAL_BLOCK;
	s->end_lsn = 0;
	s->next_index = 1;	/* so that no LSN has its low half 0 */
	j->used[j->n_used++] = s;
	j->current = s;
	j->fresh = true;
	segments_make_ahead(j);
	return true;
}

void
segments_head(struct journal *j, struct segment_head *h)
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
		.key = j->current->key, .size = j->current->size,
		.oldest = j->used[0]->epoch, .checkpoint = j->checkpoint,
		.prev = prev != NULL ? prev->epoch : 0,
		.prev_end = prev != NULL ? prev->limit : 0,
		.created_us = clock_wall_us() };
	segment_head_seal(h);
}


struct segment *
segments_find(const struct journal *j, uint32_t epoch)
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
journal_pin(struct journal *j, uint32_t epoch)
{
	struct segment *s = segments_find(j, epoch);

	ec_assert(s != NULL);
	s->pins++;
}

void
journal_unpin(struct journal *j, uint32_t epoch)
{
	struct segment *s = segments_find(j, epoch);

	ec_assert(s != NULL && s->pins > 0);
	s->pins--;
	if (s->pins == 0 && s == j->used[0]) {
		segments_reclaim(j);
	}
}

void
journal_needs_cover(struct journal *j, uint32_t epoch)
{
	struct segment *s = segments_find(j, epoch);

	ec_assert(s != NULL);
	s->needs_cover = true;
}

/* Somebody was told of a record that is not there: the disk lost it.  Were its
 * position given to another one, that one would pass for known. */
static void
distrust(struct journal *j, uint64_t lsn)
{
	struct segment *s = j->current;

	if (!j->rotated && s->state == SEG_CURRENT &&
	    (lsn >> 32 > s->epoch || (lsn >> 32 == s->epoch &&
	    lsn > j->durable))) {
		log_critical("journal: position %llu was told of and is not "
		    "there: the disk lost what was synced", (unsigned long long)
		    lsn);
		s->state = SEG_FULL;
		s->limit = s->end;
	}
}

void
journal_covered(struct journal *j, uint64_t lsn, uint32_t generation)
{
	ec_assert(generation >= j->checkpoint);
	distrust(j, lsn);
	j->covered = lsn;
	j->checkpoint = generation;
	segments_reclaim(j);
}

bool
journal_is_uncovered(const struct journal *j)
{
	for (unsigned i = 0; i < j->n_used; i++) {
		if (j->used[i]->state == SEG_FULL &&
		    !is_covered(j, j->used[i])) {
			return true;
		}
	}
	return false;
}

uint32_t
journal_checkpoint(const struct journal *j)
{
	return j->checkpoint;
}

void
journal_logged(struct journal *j, uint64_t lsn)
{
	if (lsn > j->logged) {
		distrust(j, lsn);
		j->logged = lsn;
		segments_reclaim(j);
	}
}

bool
journal_old(const struct journal *j, unsigned n, struct journal_old *out)
{
	const struct segment *s = n < j->n_used ? j->used[n] : NULL;

	if (s == NULL || !s->old) {
		return false;
	}
	*out = (struct journal_old){ s->epoch, s->key, s->size,
		s->old_end != 0 ? s->old_end : s->limit };
	return true;
}

void
journal_old_end(struct journal *j, uint32_t epoch, uint64_t end_lsn,
    bool needs_cover)
{
	struct segment *s = segments_find(j, epoch);

	ec_assert(s != NULL);
	/* One that is gone on with may have more by now. */
	s->end_lsn = EC_MAX(s->end_lsn, end_lsn);
	s->needs_cover = needs_cover || (s->old_end != 0 && s->needs_cover);
	j->durable = EC_MAX(j->durable, end_lsn);
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
	segments_reclaim(j);
}

void
journal_poke(struct journal *j)
{
	segments_reclaim(j);
	if (j->stuck) {
		journal_commit(j);
	}
}

int
journal_segment_fd(const struct journal *j, uint32_t epoch)
{
	struct segment *s = segments_find(j, epoch);

	return s == NULL ? -1 : s->fd;
}

uint64_t
journal_limit(const struct journal *j, uint32_t epoch)
{
	struct segment *s = segments_find(j, epoch);

	return s == NULL ? 0 : s->limit;
}

struct segment_use
journal_use(const struct journal *j, uint32_t epoch)
{
	struct segment *s = segments_find(j, epoch);

	ec_assert(s != NULL);
	return (struct segment_use){ s->epoch, s->key };
}

bool
journal_has(const struct journal *j, uint32_t epoch)
{
	return segments_find(j, epoch) != NULL;
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

/* Free ones beyond Journal_Size: that they are free is durable. */
static void
drop_surplus(struct journal *j)
{
	while (j->n_free > 1 && j->n_used + j->n_free > j->wanted) {
		discard(j, j->freed[--j->n_free]);
	}
}

/* One to go on with when the newest cannot be. */
static int
make_first(struct journal *j)
{
	struct maker m = { .j = j, .number = j->next_number++ };

	maker_run(&m.job);
	if (m.error != 0) {
		errno = m.error;
		return -1;
	}
	j->freed[j->n_free++] = segments_new(j, m.number, m.fd);
	return 0;
}

int
segments_first(struct journal *j, struct error *err_out)
{
	bool going_on = segments_continue(j);
	unsigned there;

	j->wanted = j->max_segments;
	drop_surplus(j);
	if (!going_on && j->n_free == 0 && make_first(j) < 0) {
		if (j->n_used == 0) {
			return error_sys(err_out, "cannot make a journal "
			    "segment of %llu bytes",
			    (unsigned long long)j->segment_bytes);
		}
		/* What is there may leave all the same, and make room. */
		log_error("journal: cannot make a segment: %s; nothing is "
		    "accepted until there is room", strerror(errno));
		j->current = j->used[j->n_used - 1];
		loop_timer_set(&j->remake, j->remake_us);
	} else if (!going_on) {
		ec_assert(segments_rotate(j));
	}
	there = j->n_used + j->n_free;
	/* A lowered Journal_Size: what is there needs some to leave with. */
	j->max_segments = EC_MIN(EC_MAX(j->wanted, there > j->wanted + 1 ?
	    there + 1 : there), MAX_SEGMENTS - 1);
	segments_make_ahead(j);
	return 0;
}
