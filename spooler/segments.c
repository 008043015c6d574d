/* SPDX-License-Identifier: Apache-2.0 */
/* The journal's files. */
#include "spooler/segments.h"

#include <dirent.h>
#include <fcntl.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/num.h"

/* Made before they are needed: one for what was let in when no more can be
 * made, and those for outcomes and for what lets segments go. */
#define AHEAD 3u
#define REMAKE_MAX_US 30000000u


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

static void make_ahead(struct journal *j);

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
		if (s->failed) {
			s->next = j->doomed;
			j->doomed = s;
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
		    sound(j) >= j->max_segments &&
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
		j->max_segments = EC_MAX(sound(j), 2u);
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

static void
make_ahead(struct journal *j)
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

	if (j->n_making == 0 && sound(j) < j->wanted &&
	    j->n_used + j->n_free < MAX_SEGMENTS) {
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
		.key = j->current->key, .size = j->current->size, .oldest = j->used[0]->epoch,
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
journal_pin(struct journal *j, uint32_t epoch, enum journal_pin kind)
{
	struct segment *s = segments_find(j, epoch);

	ec_assert(s != NULL);
	s->pins[kind]++;
}

void
journal_unpin(struct journal *j, uint32_t epoch, enum journal_pin kind)
{
	struct segment *s = segments_find(j, epoch);

	ec_assert(s != NULL && s->pins[kind] > 0);
	s->pins[kind]--;
	if (s->pins[kind] == 0 && s == j->used[0]) {
		segments_reclaim(j);
	}
}

void
journal_logged(struct journal *j, uint64_t lsn)
{
	if (lsn > j->logged) {
		j->logged = lsn;
		segments_reclaim(j);
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
	struct segment *s = segments_find(j, epoch);

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
	segments_reclaim(j);
}

void
journal_poke(struct journal *j)
{
	j->carried = 0;
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

int
segments_open(struct journal *j, struct error *err_out)
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
			struct segment *p = segments_find(j, heads[i].prev);

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

int
segments_first(struct journal *j, struct error *err_out)
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
	ec_assert(segments_rotate(j));
	return 0;
}
