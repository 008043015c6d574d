/* SPDX-License-Identifier: Apache-2.0 */
/* A directory of a test's own, gone afterwards. */
#ifndef EC_TEMP_DIR_H
#define EC_TEMP_DIR_H

#include "common/base/base.h"

#include <check.h>
#include <fcntl.h>
#include <ftw.h>

struct temp_dir {
	char path[64];
	int fd;
};

static inline int
temp_remove(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st;
	(void)type;
	(void)f;
	return remove(path);
}

static inline void
temp_dir_make(struct temp_dir *t)
{
	snprintf(t->path, sizeof t->path, "/tmp/ecelerity-test.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(t->path));
	t->fd = open(t->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(t->fd, 0);
}

static inline void
temp_dir_remove(struct temp_dir *t)
{
	close(t->fd);
	nftw(t->path, temp_remove, 16, FTW_DEPTH | FTW_PHYS);
}

#endif
