/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spool_dir: a SpoolBase as the spool tools see it, read-only: its folders, the
 * names in them, the two files of a message.  Nothing here follows a symbolic
 * link or waits for a pipe: the folders belong to another user.  Files may
 * vanish at any time; whoever opens one expects ENOENT.
 *
 *	struct spool_dir d;
 *	if (spool_dir_open(&d, "/var/spool/ecelerity", &err) < 0) { ... }
 *	spool_dir_list(&d, 0xF9, &names)
 */
#ifndef EC_SPOOL_DIR_H
#define EC_SPOOL_DIR_H

#include "common/base/error.h"
#include "common/mail/msgid.h"
#include "common/spool/meta.h"

#include <sys/stat.h>

#define SPOOL_DIRS 256u
#define SPOOL_NAME 32u		/* room for a name in a directory */

struct spool_dir {
	char path[512];
	int base, journal, quarantine;	/* -1: not there (but for base) */
};

/* Fails when it does not look like a SpoolBase. */
int spool_dir_open(struct spool_dir *d, const char *path,
	struct error *err_out);
void spool_dir_close(struct spool_dir *d);
/* SpoolBase of a configuration file; false after it was said on stderr. */
bool spool_dir_of_config(const char *program, const char *file, char *out,
	size_t size);
/* Does a spooler hold journal/lock?  Takes it shared for a moment. */
bool spool_dir_is_live(const struct spool_dir *d);
/* Takes it until the descriptor returned is closed; -1 if it is held. */
int spool_dir_lock(const struct spool_dir *d, struct error *err_out);

enum spool_name { SPOOL_NAME_DATA, SPOOL_NAME_META, SPOOL_NAME_FOREIGN };
/* What a name in directory dir is. */
enum spool_name spool_name_kind(const char *name, unsigned dir, msgid *id_out);
/* "F9/4B-02001-C6DD1CA4", or with ".meta". */
void spool_name_of(msgid id, bool meta, char out[SPOOL_NAME]);

/* "large/F9-4B-02001-C6DD1CA4": the body of a large message by its batch, and
 * the batch of a name there. */
void spool_large_name(msgid batch, char out[SPOOL_NAME + 8]);
bool spool_large_parse(const char *name, msgid *batch_out);

/* "F9-4B-02001-C6DD1CA4.meta.TIME" in quarantine/ to its id; MSGID_NONE when it
 * is none of a message. */
msgid spool_quarantined_id(const char *name);

/* The ids that have files in one directory, sorted; each once. */
struct spool_pair {
	msgid id;
	bool data, meta;
};

struct spool_list {
	struct spool_pair *pairs;
	size_t n, cap;
	char **foreign;		/* names that are none of ours */
	size_t n_foreign, cap_foreign;
};

/* -1 with errno; a directory that is not there is ENOENT. */
int spool_dir_list(const struct spool_dir *d, unsigned dir,
	struct spool_list *out);
void spool_list_fini(struct spool_list *l);

enum spool_meta {
	SPOOL_META_OK,
	SPOOL_META_GONE,
	SPOOL_META_BAD,		/* why is said */
	SPOOL_META_UNREADABLE,	/* the same */
};
/* Reads path (below SpoolBase) and checks that it is the one of id (MSGID_NONE:
 * of any).  Strings of *out live in mem. */
enum spool_meta spool_meta_load(const struct spool_dir *d, const char *path,
	msgid id, struct scratch *mem, struct meta *out, const char **why_out);
/* Opens a regular file below SpoolBase to read; -1 with errno, EINVAL when it is
 * something else. */
int spool_file_open(const struct spool_dir *d, const char *path,
	struct stat *st_out);

#endif
