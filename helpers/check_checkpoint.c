/* SPDX-License-Identifier: Apache-2.0 */
/* The checkpoint: each file whole, and together what the journal relies on. */
#include "helpers/check_spool.h"

#include <dirent.h>
#include <fcntl.h>

#include "common/base/fdio.h"
#include "common/spool/checkpoint_file.h"

#define FILES_MAX 4096u

struct found_file {
	uint32_t generation;
	enum checkpoint_kind kind;
	struct checkpoint_head head;
};

static int
by_generation(const void *a, const void *b)
{
	const struct found_file *x = a, *y = b;

	return x->generation < y->generation ? -1 :
	    x->generation > y->generation;
}

/* NULL when the items of a block are sound; *ended: the last one was there. */
static const char *
check_items(struct slice items, uint64_t *puts, uint64_t *gones, bool *ended)
{
	struct wire_r r = wire_reader(items);
	struct checkpoint_item i;

	while (checkpoint_next(&r, &i)) {
		*puts += i.op == CHECKPOINT_PUT;
		*gones += i.op == CHECKPOINT_GONE;
		if (i.op == CHECKPOINT_END) {
			*ended = true;
			return i.puts == *puts && i.gones == *gones ? NULL :
			    "its last item counts others than there are";
		}
	}
	return r.bad ? "an item makes no sense" : NULL;
}

static const char *
check_block(int fd, uint32_t generation, uint64_t *at, char *bytes,
    struct slice *items)
{
	struct checkpoint_block_head h = { 0 };
	ssize_t n = fdio_pread_full(fd, bytes, CHECKPOINT_BLOCK, *at), length;

	if (n < 0) {
		return strerror(errno);
	}
	memcpy(&h, bytes, EC_MIN((size_t)n, sizeof h));
	length = checkpoint_block_length(&h, generation);
	if (length < 0 || length + (ssize_t)sizeof h > n) {
		return "it ends too early";
	}
	if (!checkpoint_block_valid(&h, bytes + sizeof h)) {
		return "a checksum is wrong";
	}
	*items = slice_make(bytes + sizeof h, (size_t)length);
	*at += sizeof h + (size_t)length;
	return NULL;
}

static const char *
check_file(int fd, struct found_file *f, char *bytes)
{
	uint64_t at = sizeof f->head, puts = 0, gones = 0;
	struct slice items = { NULL, 0 };
	bool ended = false;
	const char *why;

	if (fdio_pread_full(fd, &f->head, sizeof f->head, 0) !=
	    (ssize_t)sizeof f->head || !checkpoint_head_valid(&f->head) ||
	    f->head.generation != f->generation || f->head.kind != f->kind) {
		return "its head is damaged";
	}
	while (!ended) {
		why = check_block(fd, f->generation, &at, bytes, &items);
		if (why == NULL) {
			why = check_items(items, &puts, &gones, &ended);
		}
		if (why != NULL) {
			return why;
		}
	}
	return NULL;
}

/* The newest generation that a start would come to, 0 for none. */
static uint32_t
reachable(const struct found_file *f, unsigned n)
{
	uint32_t base = 0, last = 0;

	for (unsigned i = 0; i < n; i++) {
		if (f[i].kind == CHECKPOINT_BASE) {
			base = last = f[i].generation;
		} else if (f[i].head.base == base && f[i].head.prev == last) {
			last = f[i].generation;
		}
	}
	return last;
}

static void
check_relied_on(struct check *c, uint32_t last)
{
	uint32_t wanted = 0, epoch = 0;
	char why[160];

	for (size_t i = 0; i < c->journal.n_live; i++) {
		const struct segment_head *h = &c->journal.segments[i].head;

		if (h->epoch > epoch) {
			epoch = h->epoch;
			wanted = h->checkpoint;
		}
	}
	/* (A running spooler may have written a newer one since.) */
	if (last < wanted && !c->live) {
		snprintf(why, sizeof why, "the journal relies on generation "
		    "%u, and the newest whole one is %u: a start reads the "
		    ".meta files instead", wanted, last);
		check_found(c, CHECK_CHECKPOINT, "checkpoint", NULL, why);
	}
}

static unsigned
list_files(int dir, struct found_file *files)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	unsigned n = 0;

	while (d != NULL && n < FILES_MAX && (e = readdir(d)) != NULL) {
		n += checkpoint_name_parse(e->d_name, &files[n].generation,
		    &files[n].kind);
	}
	if (d != NULL) {
		closedir(d);
	}
	if (n > 1) {
		qsort(files, n, sizeof *files, by_generation);
	}
	return n;
}

void
check_checkpoint(struct check *c)
{
	struct found_file *files = xcalloc(FILES_MAX, sizeof *files);
	int dir = openat(c->dir.base, "checkpoint", O_RDONLY | O_DIRECTORY |
	    O_NOFOLLOW | O_CLOEXEC);
	unsigned n = dir < 0 ? 0 : list_files(dir, files), sound = 0;
	char *bytes = xmalloc(CHECKPOINT_BLOCK);

	for (unsigned i = 0; i < n; i++) {
		char name[CHECKPOINT_NAME], path[64];
		const char *why = NULL;
		int fd;

		checkpoint_name(files[i].generation, files[i].kind, name);
		snprintf(path, sizeof path, "checkpoint/%s", name);
		fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK |
		    O_CLOEXEC);
		if (fd >= 0) {
			why = check_file(fd, &files[i], bytes);
			close(fd);
		} else if (errno != ENOENT) {	/* else replaced by a newer */
			why = strerror(errno);
		}
		if (why != NULL) {
			check_found(c, CHECK_CHECKPOINT, path, NULL, why);
		} else if (fd >= 0) {
			files[sound++] = files[i];
		}
	}
	check_relied_on(c, reachable(files, sound));
	fdio_close(&dir);
	free(bytes);
	free(files);
}
