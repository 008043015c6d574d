/* SPDX-License-Identifier: Apache-2.0 */
/* The journal's files, as found at start: which are in use, which are free. */
#include "spooler/segments.h"

#include <dirent.h>
#include <fcntl.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/num.h"
#include "spooler/segment_image.h"

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

/* Kept for people: without its head nothing in it can be told from what an
 * earlier use left.  It must not stay: read again one day, its head would be
 * older than what the next ones call the oldest, hence free. */
static int
put_away(struct journal *j, const char *name, const char *why,
    struct error *err_out)
{
	char moved[64];

	snprintf(moved, sizeof moved, "../quarantine/%s.%llu", name,
	    (unsigned long long)clock_wall_us());
	if (j->fs->rename_at(j->dir, name, moved) < 0) {
		return error_sys(err_out, "journal segment %s %s, and cannot "
		    "be moved to quarantine", name, why);
	}
	j->damaged = true;
	log_critical("journal: %s %s: moved to quarantine; if it held "
	    "undelivered mail it is in there", name, why);
	return 0;
}

/* The first two blocks: head and, if there is one, the first batch.  What
 * cannot be read is no reason not to start: *head_out, *rest_out say so. */
static int
read_start(struct journal *j, int fd, uint64_t size, char *block,
    bool *head_out, bool *rest_out)
{
	uint64_t half = JOURNAL_BLOCK;

	*head_out = size == 0 || fs_read_full(j->fs, fd, block,
	    (size_t)EC_MIN(size, half), 0) >= 0;
	*rest_out = size <= half || fs_read_full(j->fs, fd, block + half,
	    (size_t)EC_MIN(size - half, half), half) >= 0;
	return (*head_out && *rest_out) || errno == EIO ? 0 : -1;
}

static bool
is_head(const struct segment *s, const struct segment_head *h)
{
	return s->size >= 2 * JOURNAL_BLOCK && segment_head_valid(h);
}

/* Reads one segment file's head and files it as used or free. */
static int
open_one(struct journal *j, const char *name, struct segment_head *newest,
    struct segment_head *heads, struct error *err_out)
{
	char block[2 * JOURNAL_BLOCK] = { 0 };
	bool head_read = false, rest_read = false;
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
	if (fd < 0 || j->fs->stat_fd(fd, &st) < 0 || read_start(j, fd,
	    (uint64_t)st.st_size, block, &head_read, &rest_read) < 0) {
		error_sys(err_out, "cannot read journal segment %s", name);
		if (fd >= 0) {
			close(fd);
		}
		return -1;
	}
	memcpy(&h, block, sizeof h);
	s = segments_new(j, (uint32_t)number, fd);
	s->size = (uint64_t)st.st_size;
	if (head_read && is_head(s, &h)) {
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
	if (head_read && rest_read && s->size == j->segment_bytes &&
	    all_zero(block, sizeof block)) {
		j->freed[j->n_free++] = s;
		return 0;
	}
	close(fd);
	free(s);
	if (!head_read || (!rest_read && all_zero(block, JOURNAL_BLOCK))) {
		return put_away(j, name, "has a start that cannot be read",
		    err_out);
	}
	if (all_zero(block, sizeof block)) {
		/* Made under another Journal_Size, or the making was cut
		 * short by a crash: nothing was ever in it (a batch comes
		 * after the head, and would stand in the second block). */
		j->fs->unlink_at(j->dir, name);
		return 0;
	}
	return put_away(j, name, "has no valid head", err_out);
}

bool
journal_is_damaged(const struct journal *j)
{
	return j->damaged;
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
		j->checkpoint = newest.checkpoint;
		for (unsigned i = 0; i < j->n_used; i++) {
			struct segment *s = j->used[i];

			if (s->epoch >= newest.oldest) {
				s->needs_cover = s->old = true;
				j->used[kept++] = s;
			} else if (s->size == j->segment_bytes) {
				s->state = SEG_FREE;
				j->freed[j->n_free++] = s;
			} else {
				/* Of another size, and declared free. */
				char name[24];

				segments_name(s->number, name);
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

/* Where its sound batches end; false if something in it is not as it should be:
 * then nothing is written over. */
static bool
find_end(struct journal *j, struct segment *s)
{
	struct segment_image image;
	enum journal_scan_result got;
	struct journal_scan scan;
	bool sound;

	segment_image_init(&image);
	segment_image_load(&image, j->fs, s->fd, 0, s->size);
	sound = segment_image_unreadable(&image, 0) == 0;
	journal_scan_init(&scan, image.bytes, image.upto,
	    (struct segment_use){ s->epoch, s->key }, 0);
	s->end = JOURNAL_BLOCK;
	s->next_index = 1;
	while (sound && (got = journal_scan_next(&scan)) != SCAN_END) {
		sound = got == SCAN_BATCH;
		s->end = scan.resume;
		s->next_index = scan.next_index;
	}
	segment_image_fini(&image);
	return sound;
}

/* A torn batch at the end was promised to nobody and is written over.  Only one
 * is ever on its way, so behind it is nothing that could pass for the next.  A
 * full one is gone on with as well: it is then as if nobody had died. */
bool
segments_continue(struct journal *j)
{
	struct segment *s = j->n_used > 0 ? j->used[j->n_used - 1] : NULL;

	if (s == NULL || j->damaged || s->limit != 0 ||
	    s->size < j->segment_bytes || s->size > SEGMENT_IMAGE_MAX ||
	    !find_end(j, s)) {
		return false;
	}
	s->state = SEG_CURRENT;
	s->old_end = s->end;
	s->end_lsn = s->next_index > 1 ?
	    journal_lsn(s->epoch, s->next_index - 1) : 0;
	s->needs_cover = false;		/* until somebody says so */
	j->durable = s->end_lsn;
	j->current = s;
	return true;
}
