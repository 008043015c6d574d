/* SPDX-License-Identifier: Apache-2.0 */
/*
 * directories: what workers write into exists, belongs to the right user and
 * is usable by him before any of them starts; else one sentence says which
 * path and what would be right.
 */
#ifndef EC_DIRECTORIES_H
#define EC_DIRECTORIES_H

#include "common/base/base.h"
#include "common/base/error.h"
#include "supervisor/users.h"

struct directory {
	const char *path;
	const char *what;	/* the option that names it, for messages */
	const struct user *user;
	mode_t mode;		/* of one that is made */
};

/* Makes it with its parents (0755) if it is missing, as root with the user as
 * owner, then tries as that user whether he may write there. */
int directory_need(const struct directory *d, bool as_root,
	struct error *err_out);
/* The directory part of a path; "." if there is none.  False if it is too
 * long for out. */
bool directory_of(const char *path, char *out, size_t size);

/* Opens or makes a file in a directory that belongs to another user, who could
 * have put something else there: no link is followed, and only a plain file is
 * taken.  at is the directory, or AT_FDCWD.  -1 with errno. */
int directory_open_file(int at, const char *name, int flags, mode_t mode);

#endif
