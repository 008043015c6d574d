/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse_disk MOUNTPOINT BYTES [FLUSH_US]: a disk with a volatile cache.
 *
 * Shows one file, MOUNTPOINT/disk, for a loop device to stand on.  Writes go
 * into the cache and a log; a flush (the loop driver's fsync) makes all that
 * was logged durable, and takes FLUSH_US.  Two images in memory: what reads
 * see, and what would be there after a power cut.  Commands on stdin, each
 * answered by one line of JSON:
 *
 *	stats		writes, flushes, unflushed
 *	cut MODE SEED N	at once (N is 0), or when N more writes have come, at
 *			the latest after a moment, every request fails; the
 *			disk then holds what was flushed and, of the rest, by
 *			MODE: none, all, prefix (the first so many), torn (a
 *			prefix whose last write ends inside), subset (each
 *			write or not), blocks (each block of each or not)
 *	thaw		power is back
 *
 * The end of stdin ends the program, so that it never outlives who started it;
 * the dead mount is left to be unmounted.  A sector (512 bytes) is never torn, and neither is the
 * first block: a torn superblock is not what is tested here.
 */
#define FUSE_USE_VERSION 31
#include "common/base/base.h"

#include <fuse.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <time.h>

#define BLOCK 4096u
#define SECTOR 512u
#define CUT_LATEST_NS 100000000

struct logged {
	uint64_t at;
	size_t n;
	char *bytes;
};

struct disk {
	pthread_mutex_t lock;
	pthread_cond_t now_frozen;
	const char *mountpoint;
	uint64_t size;
	char *seen, *durable;
	struct logged *log;
	size_t n_log, cap_log;
	uint64_t writes, flushes, kept, kept_bytes;
	useconds_t flush_us;
	unsigned long long cut_after;	/* writes until it freezes; 0 never */
	bool frozen;
};

static struct disk *
disk_of(void)
{
	return fuse_get_context()->private_data;
}

/* xorshift64*: the same subset for the same seed. */
static uint64_t
roll(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545F4914F6CDD1Du;
}

static void
keep(struct disk *d, uint64_t at, const char *p, size_t n)
{
	memcpy(d->durable + at, p, n);
	d->kept_bytes += n;
}

static void
log_clear(struct disk *d)
{
	for (size_t i = 0; i < d->n_log; i++) {
		free(d->log[i].bytes);
	}
	d->n_log = 0;
}

static void
keep_blocks(struct disk *d, const struct logged *w, uint64_t *dice)
{
	for (size_t o = 0; o < w->n;) {
		size_t n = EC_MIN(BLOCK - (w->at + o) % BLOCK, w->n - o);

		if (roll(dice) >> 63) {
			keep(d, w->at + o, w->bytes + o, n);
		}
		o += n;
	}
}

/* The first sectors of a write, at least one missing. */
static void
keep_torn(struct disk *d, const struct logged *w, uint64_t *dice)
{
	size_t sectors = w->n / SECTOR;

	if (w->at >= BLOCK && sectors > 0) {
		keep(d, w->at, w->bytes, roll(dice) % sectors * SECTOR);
	}
}

/* What is left of the log after a cut; false: no such mode. */
static bool
choose(struct disk *d, const char *mode, uint64_t seed)
{
	uint64_t dice = seed * 2 + 1;
	bool torn = strcmp(mode, "torn") == 0;
	bool subset = strcmp(mode, "subset") == 0;
	size_t first = 0;

	for (int i = 0; i < 8; i++) {
		roll(&dice);
	}
	if (strcmp(mode, "all") == 0) {
		first = d->n_log;
	} else if (torn) {
		first = d->n_log > 0 ? roll(&dice) % d->n_log : 0;
	} else if (strcmp(mode, "prefix") == 0) {
		first = roll(&dice) % (d->n_log + 1);
	} else if (!subset && strcmp(mode, "blocks") != 0) {
		return strcmp(mode, "none") == 0;
	} else {
		for (size_t i = 0; i < d->n_log; i++) {
			if (!subset) {
				keep_blocks(d, &d->log[i], &dice);
			} else if (roll(&dice) >> 63) {
				keep(d, d->log[i].at, d->log[i].bytes,
				    d->log[i].n);
			}
		}
		return true;
	}
	for (size_t i = 0; i < first; i++) {
		keep(d, d->log[i].at, d->log[i].bytes, d->log[i].n);
	}
	if (torn && first < d->n_log) {
		keep_torn(d, &d->log[first], &dice);
	}
	return true;
}

/* Returns with the disk frozen. */
static void
freeze(struct disk *d, unsigned long long after)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_nsec += CUT_LATEST_NS;
	end.tv_sec += end.tv_nsec / 1000000000;
	end.tv_nsec %= 1000000000;
	d->cut_after = after;
	while (after > 0 && !d->frozen && pthread_cond_timedwait(
	    &d->now_frozen, &d->lock, &end) != ETIMEDOUT) {
	}
	d->frozen = true;
	d->cut_after = 0;
}

static void
cut(struct disk *d, const char *mode, uint64_t seed)
{
	uint64_t bytes = 0;

	d->kept_bytes = 0;
	for (size_t i = 0; i < d->n_log; i++) {
		bytes += d->log[i].n;
	}
	if (!choose(d, mode, seed)) {
		printf("{\"error\":\"no such mode\"}\n");
		return;
	}
	for (size_t i = 0; i < d->n_log; i++) {
		memcpy(d->seen + d->log[i].at, d->durable + d->log[i].at,
		    d->log[i].n);
	}
	printf("{\"unflushed\":%zu,\"bytes\":%llu,\"kept_bytes\":%llu}\n",
	    d->n_log, (unsigned long long)bytes,
	    (unsigned long long)d->kept_bytes);
	log_clear(d);
}

static void
command(struct disk *d, char *line)
{
	char mode[16];
	unsigned long long seed, after;

	pthread_mutex_lock(&d->lock);
	if (sscanf(line, "cut %15s %llu %llu", mode, &seed, &after) == 3) {
		freeze(d, after);
		cut(d, mode, seed);
	} else if (strcmp(line, "thaw\n") == 0) {
		d->frozen = false;
		printf("{}\n");
	} else if (strcmp(line, "stats\n") == 0) {
		printf("{\"writes\":%llu,\"flushes\":%llu,"
		    "\"unflushed\":%zu}\n", (unsigned long long)d->writes,
		    (unsigned long long)d->flushes, d->n_log);
	} else {
		printf("{\"error\":\"no such command\"}\n");
	}
	fflush(stdout);
	pthread_mutex_unlock(&d->lock);
}

static void *
commands(void *arg)
{
	struct disk *d = arg;
	char line[80];

	while (fgets(line, sizeof line, stdin) != NULL) {
		command(d, line);
	}
	_exit(0);
}

static int
disk_getattr(const char *path, struct stat *st, struct fuse_file_info *fi)
{
	(void)fi;
	memset(st, 0, sizeof *st);
	if (strcmp(path, "/") == 0) {
		st->st_mode = S_IFDIR | 0700;
		st->st_nlink = 2;
		return 0;
	}
	if (strcmp(path, "/disk") != 0) {
		return -ENOENT;
	}
	st->st_mode = S_IFREG | 0600;
	st->st_nlink = 1;
	st->st_size = (off_t)disk_of()->size;
	st->st_blksize = BLOCK;
	return 0;
}

/* No cache of the kernel's between the loop device and us. */
static int
disk_open(const char *path, struct fuse_file_info *fi)
{
	(void)path;
	fi->direct_io = 1;
	return 0;
}

static int
disk_read(const char *path, char *out, size_t n, off_t at,
    struct fuse_file_info *fi)
{
	struct disk *d = disk_of();
	int r = -EIO;

	(void)path;
	(void)fi;
	pthread_mutex_lock(&d->lock);
	if (!d->frozen) {
		n = (uint64_t)at < d->size ?
		    EC_MIN(n, (size_t)(d->size - (uint64_t)at)) : 0;
		memcpy(out, d->seen + at, n);
		r = (int)n;
	}
	pthread_mutex_unlock(&d->lock);
	return r;
}

static void
log_write(struct disk *d, const char *p, size_t n, uint64_t at)
{
	if (d->n_log == d->cap_log) {
		d->cap_log = d->cap_log ? d->cap_log * 2 : 1024;
		d->log = xrealloc(d->log, d->cap_log * sizeof *d->log);
	}
	d->log[d->n_log].at = at;
	d->log[d->n_log].n = n;
	d->log[d->n_log].bytes = xmalloc(n);
	memcpy(d->log[d->n_log++].bytes, p, n);
	memcpy(d->seen + at, p, n);
	d->writes++;
	if (d->cut_after > 0 && --d->cut_after == 0) {
		d->frozen = true;
		pthread_cond_signal(&d->now_frozen);
	}
}

static int
disk_write(const char *path, const char *p, size_t n, off_t at,
    struct fuse_file_info *fi)
{
	struct disk *d = disk_of();
	int r = -EIO;

	(void)path;
	(void)fi;
	pthread_mutex_lock(&d->lock);
	if (at < 0 || (uint64_t)at > d->size || n > d->size - (uint64_t)at) {
		r = -ENOSPC;
	} else if (!d->frozen) {
		log_write(d, p, n, (uint64_t)at);
		r = (int)n;
	}
	pthread_mutex_unlock(&d->lock);
	return r;
}

/* Slow first, durable after: a cut in between finds the log as it was. */
static int
disk_fsync(const char *path, int datasync, struct fuse_file_info *fi)
{
	struct disk *d = disk_of();
	int r = -EIO;

	(void)path;
	(void)datasync;
	(void)fi;
	usleep(d->flush_us);
	pthread_mutex_lock(&d->lock);
	if (!d->frozen) {
		for (size_t i = 0; i < d->n_log; i++) {
			keep(d, d->log[i].at, d->log[i].bytes, d->log[i].n);
		}
		log_clear(d);
		d->flushes++;
		r = 0;
	}
	pthread_mutex_unlock(&d->lock);
	return r;
}

static const struct fuse_operations operations = {
	.getattr = disk_getattr,
	.open = disk_open,
	.read = disk_read,
	.write = disk_write,
	.fsync = disk_fsync,
};

static char *
image(uint64_t size)
{
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return p;
}

/* Single-threaded: while a flush lasts, writes wait as they do on a disk. */
int
main(int argc, char **argv)
{
	struct disk d = { .lock = PTHREAD_MUTEX_INITIALIZER,
		.now_frozen = PTHREAD_COND_INITIALIZER };
	char *args[] = { argv[0], NULL };
	struct fuse_args fargs = FUSE_ARGS_INIT(1, args);
	struct fuse *fuse;
	pthread_t thread;

	if (argc < 3) {
		fprintf(stderr, "usage: fuse_disk MOUNTPOINT BYTES "
		    "[FLUSH_US]\n");
		return 64;
	}
	d.mountpoint = argv[1];
	d.size = strtoull(argv[2], NULL, 10);
	d.flush_us = argc > 3 ? (useconds_t)strtoul(argv[3], NULL, 10) : 0;
	d.seen = image(d.size);
	d.durable = image(d.size);
	fuse = fuse_new(&fargs, &operations, sizeof operations, &d);
	if (fuse == NULL || fuse_mount(fuse, d.mountpoint) < 0) {
		return 1;
	}
	/* The file system that will be mounted on this disk must not be in our
	 * namespace: if we were killed last, our own end would wait for its
	 * unmounting, and that for us. */
	if (unshare(CLONE_NEWNS) < 0) {
		perror("unshare");
		umount2(d.mountpoint, MNT_DETACH);
		return 1;
	}
	if (pthread_create(&thread, NULL, commands, &d) != 0) {
		perror("pthread_create");
		return 1;
	}
	printf("{\"ready\":%llu}\n", (unsigned long long)d.size);
	fflush(stdout);
	fuse_loop(fuse);
	return 0;
}
