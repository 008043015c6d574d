/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The speed of a sync, measured as the journal does it: a file filled once,
 * then small blocks of it overwritten and synced one by one.  The file has no
 * name where the file system allows that, so that nothing can be left behind.
 */
#include "helpers/preflight/facts.h"

#include <fcntl.h>
#include <limits.h>

#include "common/base/clock.h"
#include "common/base/fdio.h"

#define FILE_BYTES (4u << 20)
#define BLOCK 4096u
#define MAX_SAMPLES 100000u
#define FEW 3u	/* fewer tell nothing */

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int
open_nameless(const char *dir)
{
	char path[FACTS_PATH + PATH_MAX + 32];
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR)) {
		return fd;
	}
	snprintf(path, sizeof path, "%s/.ec_check.XXXXXX", dir);
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0) {
		unlink(path);
	}
	return fd;
}

static int
fill(int fd, char *block)
{
	for (uint64_t at = 0; at < FILE_BYTES; at += BLOCK) {
		if (fdio_pwrite_all(fd, block, BLOCK, at) < 0) {
			return -1;
		}
	}
	return fsync(fd);
}

/* How many samples, or -1 with errno. */
static ssize_t
sample(int fd, char *block, uint64_t window_us, uint64_t *samples)
{
	uint64_t end = now_ns() + window_us * 1000;
	size_t n = 0;

	while (n < MAX_SAMPLES && now_ns() < end) {
		uint64_t at = (uint64_t)n * BLOCK % FILE_BYTES, begin;

		/* Changed bytes: a device may know an equal block. */
		memcpy(block, &n, sizeof n);
		begin = now_ns();
		if (fdio_pwrite_all(fd, block, BLOCK, at) < 0 ||
		    fdatasync(fd) < 0) {
			return -1;
		}
		samples[n++] = now_ns() - begin;
	}
	return (ssize_t)n;
}

static int
compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void
count_up(struct facts_syncs *s, uint64_t *samples, size_t n)
{
	if (n < FEW) {
		snprintf(s->why_not, sizeof s->why_not, "only %zu syncs were "
		    "done in the time", n);
		return;
	}
	qsort(samples, n, sizeof *samples, compare);
	s->measured = true;
	s->count = n;
	s->median_ns = samples[n / 2];
	s->worst_ns = samples[n - 1];
}

void
facts_measure(struct facts *f, const char *root, uint64_t window_us)
{
	char dir[FACTS_PATH + PATH_MAX];
	uint64_t *samples = xcalloc(MAX_SAMPLES, sizeof *samples);
	char *block = xcalloc(1, BLOCK);
	ssize_t n = -1;
	int fd;

	snprintf(dir, sizeof dir, "%s%s", strcmp(root, "/") == 0 ? "" : root,
	    f->place);
	errno = ENOENT;
	fd = f->exists ? open_nameless(dir) : -1;
	if (fd >= 0 && fill(fd, block) == 0) {
		n = sample(fd, block, window_us, samples);
	}
	if (n < 0) {
		snprintf(f->syncs.why_not, sizeof f->syncs.why_not, "%s",
		    strerror(errno));
	} else {
		count_up(&f->syncs, samples, (size_t)n);
	}
	fdio_close(&fd);
	free(block);
	free(samples);
}
