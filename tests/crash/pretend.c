/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/crash/pretend.h"

#include "tests/support/crashfs.h"

const struct pretend pretends[] = {
	{ "no-journal-sync", .journal = true },
	{ "no-store-sync", .store = true },
	{ "no-checkpoint-sync", .checkpoint = true },
	{ "no-checkpoint-directory-sync", .checkpoint_dir = true },
	{ "no-data-sync", .data = true, .by_file = true },
	{ "no-directory-sync", .store_dirs = true, .by_file = true },
	{ "no-journal-directory-sync", .journal_dir = true },
	{ .name = NULL },
};

/* struct fs has no argument for it. */
static const struct pretend *now;

/* The last two parts of the path that fd was opened by. */
static void
tail_of(int fd, char out[128])
{
	char link[40], to[1024];
	const char *at;
	ssize_t n;

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	n = readlink(link, to, sizeof to - 1);
	to[n < 0 ? 0 : n] = '\0';
	at = strrchr(to, '/');
	while (at != NULL && at > to && *--at != '/') {
		/* back to the slash before */
	}
	snprintf(out, 128, "%.120s", at == NULL ? "" : at);
}

static int
sync_data(int fd)
{
	char path[128];

	tail_of(fd, path);
	if ((now->journal && strstr(path, ".seg") != NULL) ||
	    (now->checkpoint && strncmp(path, "/checkpoint/", 12) == 0) ||
	    (now->data && strncmp(path, "/journal/", 9) != 0 &&
	    strncmp(path, "/checkpoint/", 12) != 0)) {
		return 0;
	}
	return crashfs_fs.sync_data(fd);
}

static int
sync_dir(int fd)
{
	char path[128];
	size_t n;

	tail_of(fd, path);
	n = strlen(path);
	if ((now->journal_dir && strstr(path, "/journal") != NULL) ||
	    (now->checkpoint_dir && strstr(path, "/checkpoint") != NULL) ||
	    (now->store_dirs && n > 3 && path[n - 3] == '/')) {
		return 0;
	}
	return crashfs_fs.sync_dir(fd);
}

static int
sync_fs(int fd)
{
	return now->store ? 0 : crashfs_fs.sync_fs(fd);
}

const struct fs *
pretend_fs(const struct pretend *p)
{
	static struct fs fs;

	now = p;
	fs = crashfs_fs;
	fs.sync_data = sync_data;
	fs.sync_dir = sync_dir;
	fs.sync_fs = sync_fs;
	return &fs;
}
