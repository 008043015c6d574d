/* SPDX-License-Identifier: Apache-2.0 */
/* A disk that loses power: the calls. */
#include "tests/support/crashfs_priv.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>

/* struct fs has no context argument, so there is one instance; the lock is
 * for the journal's committer and the settler, which call from threads. */
static struct crashfs *current;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Before each call that changes something takes effect, unlocked: whoever asked
 * to be told may look at the disk, and fork. */
static void
tell(enum crashfs_call call)
{
	if (current != NULL && !current->crashed &&
	    current->on_change != NULL) {
		current->on_change(current->on_change_arg, call);
	}
}

/* The call that is to fail; true if it does so by being short. */
static bool
refuse(struct crashfs *c)
{
	if (c->fail_error == CRASHFS_SHORT) {
		c->shorten = true;
		return true;
	}
	errno = c->fail_error;
	return false;
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
	c->shorten = false;
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
		return refuse(c);
	}
	return !c->failing || refuse(c);
}

static int
crash_open(int dir, const char *path, int flags, mode_t mode)
{
	int fd = -1;

	tell(CRASHFS_OPEN);
	pthread_mutex_lock(&lock);
	if (enter(CRASHFS_OPEN)) {
		fd = disk_open(current, dir, path, flags, mode);
	}
	pthread_mutex_unlock(&lock);
	return fd;
}

static ssize_t
crash_pwrite(int fd, const void *p, size_t n, uint64_t offset)
{
	struct inode *i;
	ssize_t r = -1;

	tell(CRASHFS_WRITE);
	pthread_mutex_lock(&lock);
	if (enter(CRASHFS_WRITE)) {
		i = disk_of(current, fd);
		errno = EIO;
		n = current->shorten ? (n + 1) / 2 : n;
		r = i == NULL ? -1 : pwrite(fd, p, n, (off_t)offset);
		if (r > 0) {
			disk_add_change(current, i, false, offset, p, (size_t)r);
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
		i = disk_of(current, fd);
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

	tell(call);
	pthread_mutex_lock(&lock);
	ok = enter(call);
	e = errno;
	i = current->crashed ? NULL : disk_of(current, fd);
	if (i != NULL && S_ISDIR(i->mode)) {
		disk_dir_synced(current, i, ok);
	} else if (i != NULL) {
		disk_file_synced(current, i, ok);
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
crash_sync_fs(int fd)
{
	int r = -1, e;
	bool ok;

	(void)fd;
	tell(CRASHFS_SYNC_FS);
	pthread_mutex_lock(&lock);
	ok = enter(CRASHFS_SYNC_FS);
	e = errno;
	if (!current->crashed) {
		disk_all_synced(current, ok);
		r = ok ? 0 : -1;
	}
	errno = e;
	pthread_mutex_unlock(&lock);
	return r;
}

static int
crash_rename(int dir, const char *from, const char *to)
{
	int r = -1;

	tell(CRASHFS_RENAME);
	pthread_mutex_lock(&lock);
	if (enter(CRASHFS_RENAME)) {
		r = disk_rename(current, dir, from, to);
	}
	pthread_mutex_unlock(&lock);
	return r;
}

static int
crash_link(int from_dir, const char *from, int to_dir, const char *to)
{
	int r = -1;

	tell(CRASHFS_LINK);
	pthread_mutex_lock(&lock);
	if (enter(CRASHFS_LINK)) {
		r = disk_link(current, from_dir, from, to_dir, to);
	}
	pthread_mutex_unlock(&lock);
	return r;
}

static int
crash_unlink(int dir, const char *path)
{
	int r = -1;

	tell(CRASHFS_UNLINK);
	pthread_mutex_lock(&lock);
	if (enter(CRASHFS_UNLINK)) {
		r = disk_unlink(current, dir, path);
	}
	pthread_mutex_unlock(&lock);
	return r;
}

static int
crash_mkdir(int dir, const char *path, mode_t mode)
{
	int r = -1;

	tell(CRASHFS_MKDIR);
	pthread_mutex_lock(&lock);
	if (enter(CRASHFS_MKDIR)) {
		r = disk_mkdir(current, dir, path, mode);
	}
	pthread_mutex_unlock(&lock);
	return r;
}

static int
crash_truncate(int fd, uint64_t size)
{
	struct inode *i;
	int r = -1;

	tell(CRASHFS_TRUNCATE);
	pthread_mutex_lock(&lock);
	if (enter(CRASHFS_TRUNCATE)) {
		i = disk_of(current, fd);
		errno = EIO;
		r = i == NULL ? -1 : ftruncate(fd, (off_t)size);
		if (r == 0) {
			disk_add_change(current, i, true, size, NULL, 0);
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
	.sync_fs = crash_sync_fs,
	.rename_at = crash_rename,
	.link_at = crash_link,
	.unlink_at = crash_unlink,
	.mkdir_at = crash_mkdir,
	.truncate_fd = crash_truncate,
	.stat_fd = crash_stat,
};

/* A place for its trees. */
static struct crashfs *
new_disk(uint64_t seed)
{
	const char *home = getenv("CRASHFS_HOME");
	struct crashfs *c = xcalloc(1, sizeof *c);
	struct rlimit r;

	ec_assert(current == NULL);
	/* One descriptor a file is kept open. */
	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
	snprintf(c->base, sizeof c->base, "%.40s/crashfs.XXXXXX",
	    home != NULL ? home : "/dev/shm");
	if (mkdtemp(c->base) == NULL) {
		snprintf(c->base, sizeof c->base, "/tmp/crashfs.XXXXXX");
		ec_assert(mkdtemp(c->base) != NULL);
	}
	snprintf(c->path, sizeof c->path, "%s/0", c->base);
	c->rng = seed;
	c->last_name = &c->names;
	return c;
}

struct crashfs *
crashfs_create(uint64_t seed)
{
	struct crashfs *c = new_disk(seed);
	int fd;

	ec_assert(mkdir(c->path, 0700) == 0);
	fd = open(c->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ec_assert(fd >= 0);
	c->root = disk_new(c, fd);
	close(fd);
	current = c;
	return c;
}

struct crashfs *
crashfs_boot(const struct crashfs_image *m, uint64_t seed)
{
	struct crashfs *c = new_disk(seed);

	disk_take(c, m);
	current = c;
	return c;
}

void
crashfs_leave(struct crashfs **cp)
{
	*cp = NULL;
	current = NULL;
}

void
crashfs_reboot(struct crashfs *c)
{
	struct crashfs_image *m;
	char old[sizeof c->path];

	pthread_mutex_lock(&lock);
	ec_assert(c->crashed);
	memcpy(old, c->path, sizeof old);
	m = crashfs_image_make(c, c->loss, c->loss, disk_random(c));
	snprintf(c->path, sizeof c->path, "%s/%u", c->base, ++c->generation);
	disk_take(c, m);
	crashfs_image_free(&m);
	disk_remove_tree(old);
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

void
crashfs_destroy(struct crashfs **cp)
{
	struct crashfs *c = *cp;

	*cp = NULL;
	pthread_mutex_lock(&lock);
	current = NULL;
	pthread_mutex_unlock(&lock);
	disk_remove(c);
	disk_forget_namings(c);
	while (c->inodes != NULL) {
		struct inode *i = c->inodes;

		c->inodes = i->next;
		disk_inode_free(i);
	}
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
	if (disk_mkdir(c, AT_FDCWD, full, 0700) == 0) {
		up = disk_parent(c, AT_FDCWD, full, &in, &last);
		ec_assert(up >= 0);
		close(up);
		disk_dir_synced(c, in, true);
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
	crashfs_crash_at_call(c, CRASHFS_SYNCS, n, loss);
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
	c->bad[c->n_bad++] = (struct bad){ disk_find(c, &st), at, bytes };
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
	return crashfs_count(c, CRASHFS_SYNCS);
}

void
crashfs_on_change(struct crashfs *c,
    void (*fn)(void *arg, enum crashfs_call call), void *arg)
{
	c->on_change = fn;
	c->on_change_arg = arg;
}

uint64_t
crashfs_version(const struct crashfs *c)
{
	return c->version;
}
