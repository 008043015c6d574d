/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A disk that loses power.
 *
 *	inode	one file or directory: a descriptor of the real one (it also
 *		keeps the inode number from being used again), the bytes or
 *		names that are durable, and for a file the changes since
 *	names	changes of directories, all in one list in order
 *
 * A change is PENDING until a sync makes it DONE (and it is folded into what
 * is durable as soon as nothing before it is open) or a failed sync LOST.
 */
#include "tests/support/crashfs.h"

#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <sys/resource.h>

enum change_state { PENDING, DONE, LOST };

struct change {		/* of a file's bytes */
	struct change *next;
	enum change_state state;
	bool truncate;
	uint64_t at;	/* or the new size */
	size_t len;
	char bytes[];
};

struct inode;

struct name {
	char *text;
	struct inode *to;
};

struct inode {
	struct inode *next;
	dev_t dev;
	ino_t ino;
	mode_t mode;
	int fd;
	/* Durable: */
	char *bytes;
	uint64_t size;
	struct name *names;
	unsigned n_names;
	/* Since: */
	struct change *first, **last;
	bool reached;	/* by reboot */
	char *made;	/* where reboot has put it, relative to the base */
};

struct part {
	struct inode *dir;
	char *text;
	struct inode *to;	/* NULL: removed */
};

struct naming {
	struct naming *next;
	enum change_state state;
	bool marked;
	unsigned n;
	struct part part[2];
};

struct crashfs {
	char base[64];
	char path[96];
	unsigned generation;
	uint64_t rng;
	struct inode *inodes, *root;
	struct naming *names, **last_name;
	uint64_t counts[CRASHFS_CALLS];
	uint64_t crash_in, fail_in;	/* calls until then, 0 not */
	unsigned crash_calls, fail_calls;
	enum crashfs_loss loss;
	int fail_error;
	bool fail_for_good, failing, crashed;
	struct bad {
		struct inode *of;
		uint64_t at, bytes;
	} bad[8];
	unsigned n_bad;
};

/* struct fs has no context argument, so there is one instance; the lock is
 * for the journal's committer and the settler, which call from threads. */
static struct crashfs *current;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static uint64_t
rnd(struct crashfs *c)
{
	c->rng += UINT64_C(0x9e3779b97f4a7c15);
	uint64_t x = c->rng;

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static struct inode *
inode_find(const struct crashfs *c, const struct stat *st)
{
	struct inode *i = c->inodes;

	while (i != NULL && (i->dev != st->st_dev || i->ino != st->st_ino)) {
		i = i->next;
	}
	return i;
}

static struct inode *
inode_of(const struct crashfs *c, int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 ? NULL : inode_find(c, &st);
}

static void
inode_attach(struct inode *i, int fd)
{
	struct stat st;

	i->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	ec_assert(i->fd >= 0 && fstat(i->fd, &st) == 0);
	i->dev = st.st_dev;
	i->ino = st.st_ino;
	i->mode = st.st_mode;
}

static struct inode *
inode_new(struct crashfs *c, int fd)
{
	struct inode *i = xcalloc(1, sizeof *i);

	inode_attach(i, fd);
	i->last = &i->first;
	i->next = c->inodes;
	c->inodes = i;
	return i;
}

static void
inode_free(struct inode *i)
{
	while (i->first != NULL) {
		struct change *h = i->first;

		i->first = h->next;
		free(h);
	}
	for (unsigned n = 0; n < i->n_names; n++) {
		free(i->names[n].text);
	}
	free(i->names);
	free(i->bytes);
	free(i->made);
	close(i->fd);
	free(i);
}

/* Durable contents. */

static void
put_size(struct inode *i, uint64_t size)
{
	if (size != i->size) {
		i->bytes = xrealloc(i->bytes, size + 1);
	}
	if (size > i->size) {
		memset(i->bytes + i->size, 0, size - i->size);
	}
	i->size = size;
}

static void
put_bytes(struct inode *i, uint64_t at, const char *p, size_t n)
{
	put_size(i, EC_MAX(i->size, at + n));
	memcpy(i->bytes + at, p, n);
}

static void
put_change(struct inode *i, const struct change *h)
{
	if (h->truncate) {
		put_size(i, h->at);
	} else {
		put_bytes(i, h->at, h->bytes, h->len);
	}
}

static void
put_name(struct inode *dir, const char *text, struct inode *to)
{
	unsigned n = 0;

	while (n < dir->n_names && strcmp(dir->names[n].text, text) != 0) {
		n++;
	}
	if (n < dir->n_names && to == NULL) {
		free(dir->names[n].text);
		dir->names[n] = dir->names[--dir->n_names];
	} else if (n < dir->n_names) {
		dir->names[n].to = to;
	} else if (to != NULL) {
		dir->names = xrealloc(dir->names,
		    (n + 1) * sizeof *dir->names);
		dir->names[dir->n_names++] = (struct name){ xstrdup(text), to };
	}
}

static void
put_naming(const struct naming *h)
{
	for (unsigned k = 0; k < h->n; k++) {
		put_name(h->part[k].dir, h->part[k].text, h->part[k].to);
	}
}

/* Changes. */

static void
add_change(struct inode *i, bool truncate, uint64_t at, const void *p, size_t n)
{
	struct change *h = xcalloc(1, sizeof *h + n);

	h->truncate = truncate;
	h->at = at;
	h->len = n;
	if (n > 0) {
		memcpy(h->bytes, p, n);
	}
	*i->last = h;
	i->last = &h->next;
}

static void
add_naming(struct crashfs *c, unsigned n, const struct part *parts)
{
	struct naming *h = xcalloc(1, sizeof *h);

	h->n = n;
	for (unsigned k = 0; k < n; k++) {
		h->part[k] = parts[k];
		h->part[k].text = xstrdup(parts[k].text);
	}
	*c->last_name = h;
	c->last_name = &h->next;
}

static void
naming_remove(struct crashfs *c, struct naming **at)
{
	struct naming *h = *at;

	*at = h->next;
	if (h->next == NULL) {
		c->last_name = at;
	}
	for (unsigned k = 0; k < h->n; k++) {
		free(h->part[k].text);
	}
	free(h);
}

static bool
touches(const struct naming *h, const struct inode *dir, const char *text)
{
	for (unsigned k = 0; k < h->n; k++) {
		if (h->part[k].dir == dir && (text == NULL ||
		    strcmp(h->part[k].text, text) == 0)) {
			return true;
		}
	}
	return false;
}

static void
file_synced(struct inode *i, bool ok)
{
	for (struct change *h = i->first; h != NULL; h = h->next) {
		if (h->state == PENDING) {
			h->state = ok ? DONE : LOST;
		}
	}
	while (i->first != NULL && i->first->state == DONE) {
		struct change *h = i->first;

		put_change(i, h);
		i->first = h->next;
		free(h);
	}
	if (i->first == NULL) {
		i->last = &i->first;
	}
}

/* Everything earlier in a directory that a marked change touches goes with
 * it: a rename out of it must not come to the disk before the create. */
static void
mark(struct crashfs *c, const struct inode *dir)
{
	bool more = true;

	for (struct naming *h = c->names; h != NULL; h = h->next) {
		h->marked = h->state == PENDING && touches(h, dir, NULL);
	}
	while (more) {
		more = false;
		for (struct naming *h = c->names; h != NULL; h = h->next) {
			for (struct naming *e = c->names; h->marked && e != h;
			    e = e->next) {
				if (!e->marked && e->state == PENDING &&
				    (touches(e, h->part[0].dir, NULL) ||
				    touches(e, h->part[h->n - 1].dir, NULL))) {
					e->marked = more = true;
				}
			}
		}
	}
}

/* A lost change of a name that a later one has settled can come no more. */
static void
supersede(struct crashfs *c, const struct naming *by)
{
	struct naming **at = &c->names;

	while (*at != by) {
		if (touches(*at, by->part[0].dir, by->part[0].text) ||
		    touches(*at, by->part[by->n - 1].dir,
		    by->part[by->n - 1].text)) {
			naming_remove(c, at);
		} else {
			at = &(*at)->next;
		}
	}
}

static void
dir_synced(struct crashfs *c, const struct inode *dir, bool ok)
{
	struct naming **at = &c->names;

	mark(c, dir);
	while (*at != NULL) {
		struct naming *h = *at;

		if (!h->marked) {
			at = &h->next;
			continue;
		}
		if (!ok) {
			h->state = LOST;
			at = &h->next;
			continue;
		}
		put_naming(h);
		supersede(c, h);
		for (at = &c->names; *at != h; at = &(*at)->next) {
			/* removal may have moved the links before it */
		}
		naming_remove(c, at);
	}
}

/* What the disk holds after the power came back. */

static void
lose_bytes(struct crashfs *c, struct inode *i, const struct change *h,
    uint64_t block)
{
	uint64_t at = h->at, end = h->at + h->len;

	if (h->truncate) {
		if (rnd(c) & 1) {
			put_size(i, h->at);
		}
		return;
	}
	while (at < end) {
		uint64_t next = EC_MIN(end, (at / block + 1) * block);

		if (rnd(c) & 1) {
			put_bytes(i, at, h->bytes + (at - h->at), next - at);
		}
		at = next;
	}
}

static void
tear_bytes(struct crashfs *c, struct inode *i, const struct change *h,
    uint64_t block)
{
	uint64_t cut = h->at + (h->len == 0 ? 0 : rnd(c) % h->len);

	cut = cut / block * block;
	if (!h->truncate && cut > h->at) {
		put_bytes(i, h->at, h->bytes, cut - h->at);
	}
}

/* One open change as this kind of loss has it; kept: how many more are whole
 * when torn. */
static void
lose_change(struct crashfs *c, struct inode *i, const struct change *h,
    uint64_t *kept, bool *torn)
{
	switch (c->loss) {
	case CRASHFS_KEEP:
		put_change(i, h);
		break;
	case CRASHFS_TORN_512:
	case CRASHFS_TORN_4096:
		if (*kept > 0) {
			(*kept)--;
			put_change(i, h);
		} else if (!*torn) {
			*torn = true;
			tear_bytes(c, i, h, c->loss == CRASHFS_TORN_512 ?
			    512 : 4096);
		}
		break;
	case CRASHFS_MIXED_512:
	case CRASHFS_MIXED_4096:
		lose_bytes(c, i, h, c->loss == CRASHFS_MIXED_512 ? 512 : 4096);
		break;
	case CRASHFS_DROP:
	case CRASHFS_LOSSES:
		break;
	}
}

static void
lose_file(struct crashfs *c, struct inode *i)
{
	uint64_t open = 0, kept;
	bool torn = false;

	for (struct change *h = i->first; h != NULL; h = h->next) {
		open += h->state != DONE;
	}
	kept = rnd(c) % (open + 1);
	while (i->first != NULL) {
		struct change *h = i->first;

		if (h->state == DONE) {
			put_change(i, h);
		} else {
			lose_change(c, i, h, &kept, &torn);
		}
		i->first = h->next;
		free(h);
	}
	i->last = &i->first;
}

/* Names come in order up to somewhere (torn), as from a file system's own
 * journal, or any of them. */
static void
lose_names(struct crashfs *c)
{
	uint64_t n = 0, kept;

	for (struct naming *h = c->names; h != NULL; h = h->next) {
		n++;
	}
	kept = rnd(c) % (n + 1);
	for (n = 0; c->names != NULL; n++) {
		bool mixed = c->loss == CRASHFS_MIXED_512 ||
		    c->loss == CRASHFS_MIXED_4096;

		if (c->loss == CRASHFS_KEEP || (mixed && (rnd(c) & 1)) ||
		    (!mixed && c->loss != CRASHFS_DROP && n < kept)) {
			put_naming(c->names);
		}
		naming_remove(c, &c->names);
	}
}

static void
rebuild_file(struct inode *i, int fd)
{
	uint64_t at = 0;

	while (at < i->size) {
		ssize_t n = pwrite(fd, i->bytes + at, i->size - at, (off_t)at);

		ec_assert(n > 0);
		at += (uint64_t)n;
	}
}

/* Makes the durable tree below a fresh directory. */
static void
rebuild(struct inode *i, const char *path)
{
	int fd;

	i->reached = true;
	i->made = xstrdup(path);
	if (S_ISDIR(i->mode)) {
		ec_assert(mkdir(path, 0700) == 0);
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	} else {
		fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
		    i->mode & 0777);
		ec_assert(fd >= 0);
		rebuild_file(i, fd);
	}
	ec_assert(fd >= 0);
	close(i->fd);
	inode_attach(i, fd);
	close(fd);
	for (unsigned n = 0; n < i->n_names; n++) {
		struct inode *to = i->names[n].to;
		char below[4096];

		snprintf(below, sizeof below, "%s/%s", path, i->names[n].text);
		if (to->reached) {
			ec_assert(link(to->made, below) == 0);
		} else {
			rebuild(to, below);
		}
	}
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void
remove_tree(const char *path)
{
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void
forget_lost(struct crashfs *c)
{
	struct inode **at = &c->inodes;

	while (*at != NULL) {
		struct inode *i = *at;

		if (i->reached) {
			i->reached = false;
			free(i->made);
			i->made = NULL;
			at = &i->next;
		} else {
			*at = i->next;
			inode_free(i);
		}
	}
}

void
crashfs_reboot(struct crashfs *c)
{
	char old[sizeof c->path];

	pthread_mutex_lock(&lock);
	ec_assert(c->crashed);
	memcpy(old, c->path, sizeof old);
	for (struct inode *i = c->inodes; i != NULL; i = i->next) {
		lose_file(c, i);
	}
	lose_names(c);
	snprintf(c->path, sizeof c->path, "%s/%u", c->base, ++c->generation);
	rebuild(c->root, c->path);
	forget_lost(c);
	remove_tree(old);
	c->crashed = c->failing = false;
	c->crash_in = c->fail_in = 0;
	c->n_bad = 0;
	pthread_mutex_unlock(&lock);
}

void
crashfs_restart(struct crashfs *c)
{
	pthread_mutex_lock(&lock);
	c->crashed = c->failing = false;
	c->crash_in = c->fail_in = 0;
	c->n_bad = 0;
	pthread_mutex_unlock(&lock);
}

/* Before each call, locked: false if it is to fail with errno. */
static bool
enter(enum crashfs_call call)
{
	struct crashfs *c = current;

	ec_assert(c != NULL);
	if (c->crashed) {
		errno = EIO;
		return false;
	}
	c->counts[call]++;
	if ((c->crash_calls & CRASHFS_BIT(call)) != 0 && c->crash_in > 0 &&
	    --c->crash_in == 0) {
		c->crashed = true;
		errno = EIO;
		return false;
	}
	if ((c->fail_calls & CRASHFS_BIT(call)) == 0) {
		return true;
	}
	if (c->fail_in > 0 && --c->fail_in == 0) {
		c->failing = c->fail_for_good;
		errno = c->fail_error;
		return false;
	}
	if (c->failing) {
		errno = c->fail_error;
	}
	return !c->failing;
}

/* The directory a path's last part stands in, as a real descriptor (to be
 * closed) and one of ours; and that last part. */
static int
parent_of(int dir, const char *path, struct inode **inode_out,
    const char **last_out)
{
	const char *slash = strrchr(path, '/');
	char head[4096];
	int fd;

	*last_out = slash == NULL ? path : slash + 1;
	if (slash == NULL) {
		fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	} else {
		snprintf(head, sizeof head, "%.*s", (int)(slash - path) + 1,
		    path);
		fd = openat(dir, head, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (fd < 0) {
		return -1;
	}
	*inode_out = inode_of(current, fd);
	if (*inode_out == NULL) {
		close(fd);
		errno = EIO;	/* stale, or not ours at all */
		return -1;
	}
	return fd;
}

static int
open_existing(int dir, const char *path, int flags, mode_t mode)
{
	int fd = openat(dir, path, (flags & ~O_TRUNC) | O_CLOEXEC, mode);
	struct inode *i;

	if (fd < 0) {
		return -1;
	}
	i = inode_of(current, fd);
	if (i == NULL) {
		close(fd);
		errno = EIO;
		return -1;
	}
	if ((flags & O_TRUNC) != 0) {
		ec_assert(ftruncate(fd, 0) == 0);
		add_change(i, true, 0, NULL, 0);
	}
	return fd;
}

static int
open_locked(int dir, const char *path, int flags, mode_t mode)
{
	struct inode *in;
	const char *last;
	struct stat st;
	int up, fd;

	if ((flags & O_CREAT) == 0 || fstatat(dir, path, &st, 0) == 0) {
		return open_existing(dir, path, flags, mode);
	}
	up = parent_of(dir, path, &in, &last);
	if (up < 0) {
		return -1;
	}
	fd = openat(up, last, flags | O_CLOEXEC, mode);
	if (fd >= 0) {
		struct part p = { in, (char *)(uintptr_t)last,
			inode_new(current, fd) };

		add_naming(current, 1, &p);
	}
	close(up);
	return fd;
}

static int
crash_open(int dir, const char *path, int flags, mode_t mode)
{
	int fd = -1;

	pthread_mutex_lock(&lock);
	if (enter(CRASHFS_OPEN)) {
		fd = open_locked(dir, path, flags, mode);
	}
	pthread_mutex_unlock(&lock);
	return fd;
}

static ssize_t
crash_pwrite(int fd, const void *p, size_t n, uint64_t offset)
{
	struct inode *i;
	ssize_t r = -1;

	pthread_mutex_lock(&lock);
	if (enter(CRASHFS_WRITE)) {
		i = inode_of(current, fd);
		errno = EIO;
		r = i == NULL ? -1 : pwrite(fd, p, n, (off_t)offset);
		if (r > 0) {
			add_change(i, false, offset, p, (size_t)r);
		}
	}
	pthread_mutex_unlock(&lock);
	return r;
}

/* Of n bytes, how many stand before the first bad one. */
static size_t
before_bad(const struct inode *i, size_t n, uint64_t offset)
{
	for (unsigned k = 0; k < current->n_bad; k++) {
		const struct bad *b = &current->bad[k];

		if (b->of == i && offset < b->at + b->bytes &&
		    offset + n > b->at) {
			n = b->at > offset ? (size_t)(b->at - offset) : 0;
		}
	}
	return n;
}

static ssize_t
crash_pread(int fd, void *p, size_t n, uint64_t offset)
{
	struct inode *i;
	ssize_t r = -1;
	size_t good;

	pthread_mutex_lock(&lock);
	if (enter(CRASHFS_READ)) {
		i = inode_of(current, fd);
		good = i == NULL ? 0 : before_bad(i, n, offset);
		errno = EIO;
		r = i == NULL || (good == 0 && n > 0) ? -1 :
		    pread(fd, p, good, (off_t)offset);
	}
	pthread_mutex_unlock(&lock);
	return r;
}

static int
sync_one(int fd, enum crashfs_call call)
{
	struct inode *i;
	int r = -1, e;
	bool ok;

	pthread_mutex_lock(&lock);
	ok = enter(call);
	e = errno;
	i = current->crashed ? NULL : inode_of(current, fd);
	if (i != NULL && S_ISDIR(i->mode)) {
		dir_synced(current, i, ok);
	} else if (i != NULL) {
		file_synced(i, ok);
	}
	if (ok && i != NULL) {
		r = 0;
	}
	errno = i == NULL ? EIO : e;
	pthread_mutex_unlock(&lock);
	return r;
}

static int
crash_sync(int fd)
{
	return sync_one(fd, CRASHFS_SYNC);
}

static int
crash_sync_dir(int fd)
{
	return sync_one(fd, CRASHFS_SYNC_DIR);
}

static int
move_locked(int dir, const char *from, const char *to)
{
	const char *from_last = NULL, *to_last = NULL;
	struct inode *a = NULL, *b = NULL;
	struct stat st;
	int from_up = parent_of(dir, from, &a, &from_last), to_up, r = -1;

	if (from_up < 0) {
		return -1;
	}
	to_up = parent_of(dir, to, &b, &to_last);
	if (to_up >= 0 && fstatat(from_up, from_last, &st, 0) == 0 &&
	    renameat(from_up, from_last, to_up, to_last) == 0) {
		struct part p[2] = {
			{ a, (char *)(uintptr_t)from_last, NULL },
			{ b, (char *)(uintptr_t)to_last,
			    inode_find(current, &st) },
		};

		ec_assert(p[1].to != NULL);
		add_naming(current, 2, p);
		r = 0;
	}
	if (to_up >= 0) {
		close(to_up);
	}
	close(from_up);
	return r;
}

static int
crash_rename(int dir, const char *from, const char *to)
{
	int r = -1;

	pthread_mutex_lock(&lock);
	if (enter(CRASHFS_RENAME)) {
		r = move_locked(dir, from, to);
	}
	pthread_mutex_unlock(&lock);
	return r;
}

static int
link_locked(int from_dir, const char *from, int to_dir, const char *to)
{
	struct inode *in;
	const char *last;
	struct stat st;
	int up = parent_of(to_dir, to, &in, &last), r = -1;

	if (up < 0) {
		return -1;
	}
	if (fstatat(from_dir, from, &st, 0) == 0 &&
	    linkat(from_dir, from, up, last, 0) == 0) {
		struct part p = { in, (char *)(uintptr_t)last,
			inode_find(current, &st) };

		ec_assert(p.to != NULL);
		add_naming(current, 1, &p);
		r = 0;
	}
	close(up);
	return r;
}

static int
crash_link(int from_dir, const char *from, int to_dir, const char *to)
{
	int r = -1;

	pthread_mutex_lock(&lock);
	if (enter(CRASHFS_LINK)) {
		r = link_locked(from_dir, from, to_dir, to);
	}
	pthread_mutex_unlock(&lock);
	return r;
}

static int
crash_unlink(int dir, const char *path)
{
	struct inode *in;
	const char *last;
	int r = -1, up;

	pthread_mutex_lock(&lock);
	if (enter(CRASHFS_UNLINK) &&
	    (up = parent_of(dir, path, &in, &last)) >= 0) {
		r = unlinkat(up, last, 0);
		if (r == 0) {
			struct part p = { in, (char *)(uintptr_t)last, NULL };

			add_naming(current, 1, &p);
		}
		close(up);
	}
	pthread_mutex_unlock(&lock);
	return r;
}

static int
mkdir_locked(int dir, const char *path, mode_t mode)
{
	struct inode *in;
	const char *last;
	int up = parent_of(dir, path, &in, &last), r, fd;

	if (up < 0) {
		return -1;
	}
	r = mkdirat(up, last, mode);
	if (r == 0) {
		struct part p = { in, (char *)(uintptr_t)last, NULL };

		fd = openat(up, last, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		ec_assert(fd >= 0);
		p.to = inode_new(current, fd);
		close(fd);
		add_naming(current, 1, &p);
	}
	close(up);
	return r;
}

static int
crash_mkdir(int dir, const char *path, mode_t mode)
{
	int r = -1;

	pthread_mutex_lock(&lock);
	if (enter(CRASHFS_MKDIR)) {
		r = mkdir_locked(dir, path, mode);
	}
	pthread_mutex_unlock(&lock);
	return r;
}

static int
crash_truncate(int fd, uint64_t size)
{
	struct inode *i;
	int r = -1;

	pthread_mutex_lock(&lock);
	if (enter(CRASHFS_TRUNCATE)) {
		i = inode_of(current, fd);
		errno = EIO;
		r = i == NULL ? -1 : ftruncate(fd, (off_t)size);
		if (r == 0) {
			add_change(i, true, size, NULL, 0);
		}
	}
	pthread_mutex_unlock(&lock);
	return r;
}

static int
crash_stat(int fd, struct stat *st)
{
	int r = -1;

	pthread_mutex_lock(&lock);
	if (enter(CRASHFS_STAT)) {
		r = fstat(fd, st);
	}
	pthread_mutex_unlock(&lock);
	return r;
}

const struct fs crashfs_fs = {
	.open_at = crash_open,
	.pwrite_fd = crash_pwrite,
	.pread_fd = crash_pread,
	.sync_data = crash_sync,
	.sync_dir = crash_sync_dir,
	.rename_at = crash_rename,
	.link_at = crash_link,
	.unlink_at = crash_unlink,
	.mkdir_at = crash_mkdir,
	.truncate_fd = crash_truncate,
	.stat_fd = crash_stat,
};

struct crashfs *
crashfs_create(uint64_t seed)
{
	struct crashfs *c = xcalloc(1, sizeof *c);
	struct rlimit r;
	int fd;

	ec_assert(current == NULL);
	/* One descriptor a file is kept open. */
	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
	snprintf(c->base, sizeof c->base, "/dev/shm/crashfs.XXXXXX");
	if (mkdtemp(c->base) == NULL) {
		snprintf(c->base, sizeof c->base, "/tmp/crashfs.XXXXXX");
		ec_assert(mkdtemp(c->base) != NULL);
	}
	snprintf(c->path, sizeof c->path, "%s/0", c->base);
	ec_assert(mkdir(c->path, 0700) == 0);
	c->rng = seed;
	c->last_name = &c->names;
	fd = open(c->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ec_assert(fd >= 0);
	c->root = inode_new(c, fd);
	close(fd);
	current = c;
	return c;
}

void
crashfs_destroy(struct crashfs **cp)
{
	struct crashfs *c = *cp;

	*cp = NULL;
	pthread_mutex_lock(&lock);
	current = NULL;
	pthread_mutex_unlock(&lock);
	while (c->names != NULL) {
		naming_remove(c, &c->names);
	}
	while (c->inodes != NULL) {
		struct inode *i = c->inodes;

		c->inodes = i->next;
		inode_free(i);
	}
	remove_tree(c->base);
	free(c);
}

const char *
crashfs_path(const struct crashfs *c)
{
	return c->path;
}

int
crashfs_dir(struct crashfs *c, const char *path)
{
	char full[4096];
	struct inode *in;
	const char *last;
	int fd, up;

	snprintf(full, sizeof full, "%s/%s", c->path, path);
	pthread_mutex_lock(&lock);
	if (mkdir_locked(AT_FDCWD, full, 0700) == 0) {
		up = parent_of(AT_FDCWD, full, &in, &last);
		ec_assert(up >= 0);
		close(up);
		dir_synced(c, in, true);
	}
	fd = open(full, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ec_assert(fd >= 0);
	pthread_mutex_unlock(&lock);
	return fd;
}

void
crashfs_crash_at_call(struct crashfs *c, unsigned calls, uint64_t n,
    enum crashfs_loss loss)
{
	pthread_mutex_lock(&lock);
	c->crash_calls = calls;
	c->crash_in = n;
	c->loss = loss;
	pthread_mutex_unlock(&lock);
}

void
crashfs_crash_at_sync(struct crashfs *c, uint64_t n, enum crashfs_loss loss)
{
	crashfs_crash_at_call(c, CRASHFS_BIT(CRASHFS_SYNC) |
	    CRASHFS_BIT(CRASHFS_SYNC_DIR), n, loss);
}

void
crashfs_crash_now(struct crashfs *c, enum crashfs_loss loss)
{
	pthread_mutex_lock(&lock);
	c->crashed = true;
	c->loss = loss;
	pthread_mutex_unlock(&lock);
}

bool
crashfs_has_crashed(const struct crashfs *c)
{
	bool crashed;

	pthread_mutex_lock(&lock);
	crashed = c->crashed;
	pthread_mutex_unlock(&lock);
	return crashed;
}

void
crashfs_fail(struct crashfs *c, unsigned calls, uint64_t n, int error,
    bool for_good)
{
	pthread_mutex_lock(&lock);
	c->fail_calls = calls;
	c->fail_in = n;
	c->fail_error = error;
	c->fail_for_good = for_good;
	c->failing = false;
	pthread_mutex_unlock(&lock);
}

void
crashfs_bad_bytes(struct crashfs *c, const char *path, uint64_t at,
    uint64_t bytes)
{
	struct stat st;
	int dir;

	pthread_mutex_lock(&lock);
	dir = open(c->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ec_assert(dir >= 0 && fstatat(dir, path, &st, 0) == 0 &&
	    c->n_bad < ARRAY_LEN(c->bad));
	close(dir);
	c->bad[c->n_bad++] = (struct bad){ inode_find(c, &st), at, bytes };
	pthread_mutex_unlock(&lock);
}

uint64_t
crashfs_count(const struct crashfs *c, unsigned calls)
{
	uint64_t sum = 0;

	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < CRASHFS_CALLS; i++) {
		sum += (calls & CRASHFS_BIT(i)) != 0 ? c->counts[i] : 0;
	}
	pthread_mutex_unlock(&lock);
	return sum;
}

uint64_t
crashfs_syncs(const struct crashfs *c)
{
	return crashfs_count(c, CRASHFS_BIT(CRASHFS_SYNC) |
	    CRASHFS_BIT(CRASHFS_SYNC_DIR));
}
