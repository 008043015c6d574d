/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs: the few calls by which the spooler touches the disk, behind a struct of
 * functions so that tests can fail any of them, tear writes and lose what was
 * not synced.  Each behaves as the system call of its name: -1 and errno.
 */
#ifndef EC_FS_H
#define EC_FS_H

#include "common/base/base.h"

#include <dirent.h>
#include <sys/stat.h>

struct fs {
	int (*open_at)(int dir, const char *path, int flags, mode_t mode);
	ssize_t (*pwrite_fd)(int fd, const void *p, size_t n, uint64_t offset);
	ssize_t (*pread_fd)(int fd, void *p, size_t n, uint64_t offset);
	int (*sync_data)(int fd);	/* fdatasync */
	int (*sync_dir)(int fd);	/* fsync of a directory */
	int (*sync_fs)(int fd);		/* all of the file system, and flushed */
	int (*rename_at)(int dir, const char *from, const char *to);
	int (*link_at)(int from_dir, const char *from, int to_dir,
		const char *to);
	int (*unlink_at)(int dir, const char *path);
	int (*mkdir_at)(int dir, const char *path, mode_t mode);
	int (*truncate_fd)(int fd, uint64_t size);
	int (*stat_fd)(int fd, struct stat *st);
};

extern const struct fs fs_real;
/* Does sync_fs tell of writes that failed?  Linux does since 5.8. */
bool fs_sync_fs_tells(void);

/* All n bytes or -1. */
int fs_write_all(const struct fs *fs, int fd, const void *p, size_t n,
	uint64_t offset);
/* Up to n bytes, fewer only at the end of the file; -1 on error. */
ssize_t fs_read_full(const struct fs *fs, int fd, void *p, size_t n,
	uint64_t offset);

#endif
