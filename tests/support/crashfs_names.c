/* SPDX-License-Identifier: Apache-2.0 */
/* Calls on paths: done to the tree, and noted as changes of directories. */
#include "tests/support/crashfs_priv.h"

#include <fcntl.h>

int
disk_parent(struct crashfs *c, int dir, const char *path,
    struct inode **inode_out, const char **last_out)
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
	*inode_out = disk_of(c, fd);
	if (*inode_out == NULL) {
		close(fd);
		errno = EIO;	/* stale, or not ours at all */
		return -1;
	}
	return fd;
}

static int
open_existing(struct crashfs *c, int dir, const char *path, int flags,
    mode_t mode)
{
	int fd = openat(dir, path, (flags & ~O_TRUNC) | O_CLOEXEC, mode);
	struct inode *i;

	if (fd < 0) {
		return -1;
	}
	i = disk_of(c, fd);
	if (i == NULL) {
		close(fd);
		errno = EIO;
		return -1;
	}
	if ((flags & O_TRUNC) != 0) {
		ec_assert(ftruncate(fd, 0) == 0);
		disk_add_change(c, i, true, 0, NULL, 0);
	}
	return fd;
}

int
disk_open(struct crashfs *c, int dir, const char *path, int flags, mode_t mode)
{
	struct inode *in;
	const char *last;
	struct stat st;
	int up, fd;

	if ((flags & O_CREAT) == 0 || fstatat(dir, path, &st, 0) == 0) {
		return open_existing(c, dir, path, flags, mode);
	}
	up = disk_parent(c, dir, path, &in, &last);
	if (up < 0) {
		return -1;
	}
	fd = openat(up, last, flags | O_CLOEXEC, mode);
	if (fd >= 0) {
		struct part p = { in, (char *)(uintptr_t)last,
			disk_new(c, fd) };

		disk_add_naming(c, 1, &p);
	}
	close(up);
	return fd;
}

int
disk_rename(struct crashfs *c, int dir, const char *from, const char *to)
{
	const char *from_last = NULL, *to_last = NULL;
	struct inode *a = NULL, *b = NULL;
	struct stat st;
	int from_up = disk_parent(c, dir, from, &a, &from_last), to_up, r = -1;

	if (from_up < 0) {
		return -1;
	}
	to_up = disk_parent(c, dir, to, &b, &to_last);
	if (to_up >= 0 && fstatat(from_up, from_last, &st, 0) == 0 &&
	    renameat(from_up, from_last, to_up, to_last) == 0) {
		struct part p[2] = {
			{ a, (char *)(uintptr_t)from_last, NULL },
			{ b, (char *)(uintptr_t)to_last,
			    disk_find(c, &st) },
		};

		ec_assert(p[1].to != NULL);
		disk_add_naming(c, 2, p);
		r = 0;
	}
	if (to_up >= 0) {
		close(to_up);
	}
	close(from_up);
	return r;
}

int
disk_link(struct crashfs *c, int from_dir, const char *from, int to_dir,
    const char *to)
{
	struct inode *in;
	const char *last;
	struct stat st;
	int up = disk_parent(c, to_dir, to, &in, &last), r = -1;

	if (up < 0) {
		return -1;
	}
	if (fstatat(from_dir, from, &st, 0) == 0 &&
	    linkat(from_dir, from, up, last, 0) == 0) {
		struct part p = { in, (char *)(uintptr_t)last,
			disk_find(c, &st) };

		ec_assert(p.to != NULL);
		disk_add_naming(c, 1, &p);
		r = 0;
	}
	close(up);
	return r;
}

int
disk_mkdir(struct crashfs *c, int dir, const char *path, mode_t mode)
{
	struct inode *in;
	const char *last;
	struct stat st;
	int up, r, fd;

	if (fstatat(dir, path, &st, 0) == 0) {
		errno = EEXIST;
		return -1;
	}
	up = disk_parent(c, dir, path, &in, &last);
	if (up < 0) {
		return -1;
	}
	r = mkdirat(up, last, mode);
	if (r == 0) {
		struct part p = { in, (char *)(uintptr_t)last, NULL };

		fd = openat(up, last, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		ec_assert(fd >= 0);
		p.to = disk_new(c, fd);
		close(fd);
		disk_add_naming(c, 1, &p);
	}
	close(up);
	return r;
}

int
disk_unlink(struct crashfs *c, int dir, const char *path)
{
	struct inode *in;
	const char *last;
	int up = disk_parent(c, dir, path, &in, &last), r;

	if (up < 0) {
		return -1;
	}
	r = unlinkat(up, last, 0);
	if (r == 0) {
		struct part p = { in, (char *)(uintptr_t)last, NULL };

		disk_add_naming(c, 1, &p);
	}
	close(up);
	return r;
}
