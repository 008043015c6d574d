/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/crash/harm.h"

#include <fcntl.h>

#include "common/spool/checkpoint_file.h"

#define FILES_MAX 64u

struct file {
	uint32_t generation;
	char name[CHECKPOINT_NAME];
};

enum harm { ALL_GONE, ONE_GONE, ONE_CUT, ONE_BYTE, HARMS };

static DIR *
open_below(const struct crashfs *disk, const char *name)
{
	char path[200];

	snprintf(path, sizeof path, "%s/%s", crashfs_path(disk), name);
	return opendir(path);
}

/* Newest first. */
static int
by_age(const void *a, const void *b)
{
	const struct file *x = a, *y = b;

	return x->generation > y->generation ? -1 :
	    x->generation < y->generation;
}

static unsigned
list_files(const struct crashfs *disk, struct file *files)
{
	DIR *d = open_below(disk, "checkpoint");
	enum checkpoint_kind kind;
	struct dirent *e;
	unsigned n = 0;

	while (d != NULL && n < FILES_MAX && (e = readdir(d)) != NULL) {
		if (checkpoint_name_parse(e->d_name, &files[n].generation,
		    &kind)) {
			checkpoint_name(files[n].generation, kind,
			    files[n].name);
			n++;
		}
	}
	if (d != NULL) {
		closedir(d);
	}
	if (n > 1) {
		qsort(files, n, sizeof files[0], by_age);
	}
	return n;
}

/* Another byte somewhere, or an end too early. */
static void
damage(int dir, const char *name, bool cut, uint64_t seed)
{
	int fd = crashfs_fs.open_at(dir, name, O_RDWR, 0);
	struct stat st;
	uint64_t at;
	char byte;

	ec_assert(fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0);
	at = seed % (uint64_t)st.st_size;
	if (cut) {
		ec_assert(crashfs_fs.truncate_fd(fd, at) == 0);
	} else {
		ec_assert(pread(fd, &byte, 1, (off_t)at) == 1);
		byte = (char)(byte ^ (1 << (seed >> 32) % 8));
		ec_assert(crashfs_fs.pwrite_fd(fd, &byte, 1, at) == 1);
	}
	ec_assert(crashfs_fs.sync_data(fd) == 0);
	close(fd);
}

bool
harm_checkpoint(struct crashfs *disk, uint64_t seed, char what[64])
{
	static const char *const said[HARMS] = { "no checkpoint at all",
		"is gone", "ends too early", "has another byte" };
	enum harm harm = (enum harm)(seed % HARMS);
	struct file files[FILES_MAX];
	unsigned n = list_files(disk, files);
	/* The newest more often than others. */
	unsigned at = n == 0 || seed / 64 % 2 == 0 ? 0 :
	    (unsigned)(seed / 128 % n);
	int dir;

	if (n == 0) {
		return false;
	}
	dir = crashfs_dir(disk, "checkpoint");
	snprintf(what, 64, "%s %s", harm == ALL_GONE ? "" : files[at].name,
	    said[harm]);
	if (harm == ALL_GONE || harm == ONE_GONE) {
		for (unsigned i = harm == ALL_GONE ? 0 : at; i < n &&
		    (harm == ALL_GONE || i == at); i++) {
			ec_assert(crashfs_fs.unlink_at(dir,
			    files[i].name) == 0);
		}
	} else {
		damage(dir, files[at].name, harm == ONE_CUT, seed / 7);
	}
	ec_assert(crashfs_fs.sync_dir(dir) == 0);
	close(dir);
	return true;
}

unsigned
harm_put_away(const struct crashfs *disk)
{
	DIR *d = open_below(disk, "quarantine");
	struct dirent *e;
	unsigned n = 0;

	while (d != NULL && (e = readdir(d)) != NULL) {
		n += strncmp(e->d_name, "checkpoint-", 11) == 0;
	}
	if (d != NULL) {
		closedir(d);
	}
	return n;
}

uint32_t
harm_newest(const struct crashfs *disk)
{
	struct file files[FILES_MAX];

	return list_files(disk, files) == 0 ? 0 : files[0].generation;
}
