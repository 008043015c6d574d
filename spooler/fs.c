/* SPDX-License-Identifier: Apache-2.0 */
/* The real file system. */
#include "spooler/fs.h"

#include <fcntl.h>
#include <sys/utsname.h>

static int
real_open(int dir, const char *path, int flags, mode_t mode)
{
	int fd;

	do {
		fd = openat(dir, path, flags | O_CLOEXEC, mode);
	} while (fd < 0 && errno == EINTR);
	return fd;
}

static ssize_t
real_pwrite(int fd, const void *p, size_t n, uint64_t offset)
{
	return pwrite(fd, p, n, (off_t)offset);
}

static ssize_t
real_pread(int fd, void *p, size_t n, uint64_t offset)
{
	return pread(fd, p, n, (off_t)offset);
}

static int
real_rename(int dir, const char *from, const char *to)
{
	return renameat(dir, from, dir, to);
}

static int
real_link(int from_dir, const char *from, int to_dir, const char *to)
{
	return linkat(from_dir, from, to_dir, to, 0);
}

static int
real_unlink(int dir, const char *path)
{
	return unlinkat(dir, path, 0);
}

static int
real_truncate(int fd, uint64_t size)
{
	return ftruncate(fd, (off_t)size);
}

/* Builds that have lost one sync, for the power tests to show that they notice
 * (tests/crash/local.mk).  Nothing that is installed is built so. */
#define SYNC_ALL 0
#define SYNC_NO_JOURNAL 1	/* batches and heads of segments */
#define SYNC_NO_DIR 2
#define SYNC_NO_STORE 3		/* settled mail, the lease */
#ifndef EC_TEST_DROP_SYNC
#define EC_TEST_DROP_SYNC SYNC_ALL
#endif

#if EC_TEST_DROP_SYNC == SYNC_NO_JOURNAL || EC_TEST_DROP_SYNC == SYNC_NO_STORE
#define SEGMENT_LEAST (4 << 20)		/* of all files, only these are so large */

static int
real_sync_data(int fd)
{
	bool no_segment = EC_TEST_DROP_SYNC == SYNC_NO_JOURNAL;
	struct stat st;

	if (fstat(fd, &st) < 0) {
		return -1;
	}
	return (st.st_size < SEGMENT_LEAST) == no_segment ? fdatasync(fd) : 0;
}
#else
#define real_sync_data fdatasync
#endif

#if EC_TEST_DROP_SYNC == SYNC_NO_DIR
static int
real_sync_dir(int fd)
{
	(void)fd;
	return 0;
}
#else
#define real_sync_dir fsync
#endif

#if EC_TEST_DROP_SYNC == SYNC_NO_STORE
static int
real_sync_fs(int fd)
{
	(void)fd;
	return 0;
}
#else
/* syncfs alone is not enough on ext4 without a journal: the kernel tells the
 * disk to flush its cache first and writes inodes and directories after that,
 * into the cache.  An fsync flushes once more when those are on their way. */
static int
real_sync_fs(int fd)
{
	return syncfs(fd) < 0 ? -1 : fsync(fd);
}
#endif

const struct fs fs_real = {
	.open_at = real_open,
	.pwrite_fd = real_pwrite,
	.pread_fd = real_pread,
	.sync_data = real_sync_data,
	.sync_dir = real_sync_dir,
	.sync_fs = real_sync_fs,
	.rename_at = real_rename,
	.link_at = real_link,
	.unlink_at = real_unlink,
	.mkdir_at = mkdirat,
	.truncate_fd = real_truncate,
	.stat_fd = fstat,
};

bool
fs_sync_fs_tells(void)
{
	unsigned major, minor;
	struct utsname u;

	/* (The build without directory syncs is to show what they are for.) */
	return EC_TEST_DROP_SYNC != SYNC_NO_DIR && uname(&u) == 0 &&
	    sscanf(u.release, "%u.%u", &major, &minor) == 2 &&
	    (major > 5 || (major == 5 && minor >= 8));
}

int
fs_write_all(const struct fs *fs, int fd, const void *p, size_t n,
    uint64_t offset)
{
	const char *b = p;

	while (n > 0) {
		ssize_t w = fs->pwrite_fd(fd, b, n, offset);

		if (w < 0) {
			if (errno == EINTR) {
				continue;
			}
			return -1;
		}
		if (w == 0) {
			errno = EIO;
			return -1;
		}
		b += w;
		n -= (size_t)w;
		offset += (uint64_t)w;
	}
	return 0;
}

ssize_t
fs_read_full(const struct fs *fs, int fd, void *p, size_t n, uint64_t offset)
{
	size_t got = 0;

	while (got < n) {
		ssize_t r = fs->pread_fd(fd, (char *)p + got, n - got,
		    offset + got);

		if (r < 0) {
			if (errno == EINTR) {
				continue;
			}
			return -1;
		}
		if (r == 0) {
			break;
		}
		got += (size_t)r;
	}
	return (ssize_t)got;
}
