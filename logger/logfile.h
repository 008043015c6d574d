/* SPDX-License-Identifier: Apache-2.0 */
/*
 * logfile: the files that log modules write.  Appends gather in memory and
 * leave in one write; a write that fails (a full disk) leaves the rest in
 * memory, to be tried again.  Files are known by path: opening one twice
 * gives the same file.
 *
 * A journal file (LOGGER_FILE_JOURNAL of module.h) opened while a record of the last run is there
 * (set.recorded) is cut to what that says.
 *
 * Above LOGFILE_PENDING_MAX waiting bytes a free file drops lines and counts
 * them; the owner of the set stops taking events before a journal file comes
 * to that (logfile_is_stuck).
 */
#ifndef EC_LOGGER_LOGFILE_H
#define EC_LOGGER_LOGFILE_H

#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/base/list.h"
#include "logger/sidecar.h"

#define LOGFILE_WRITE_AT 65536u		/* bytes gathered at most */
#define LOGFILE_STUCK_AT (1u << 20)	/* waiting: take no more events */
#define LOGFILE_PENDING_MAX (8u << 20)

struct logger_file {
	struct list_node link;	/* in set->files */
	char *path;
	unsigned mode;
	bool journal;
	unsigned users;		/* 0: closed at the next sync */
	int fd;
	bool dirty;		/* written since the last sync */
	bool failing;		/* the last write failed */
	struct buf pending;
	uint64_t dropped;	/* lines */
};

struct logfile_set {
	struct list_node files;
	const struct sidecar *recorded;	/* of the last run; NULL: not now */
	uint64_t unsynced;	/* bytes written since the last sync */
	uint64_t write_errors;
	struct error error;	/* the last one of writing */
};

void logfile_set_init(struct logfile_set *s);
/* What waits is lost: sync first. */
void logfile_set_fini(struct logfile_set *s);
struct logger_file *logfile_open(struct logfile_set *s, const char *path,
	unsigned mode, bool journal, struct error *err_out);
void logfile_release(struct logger_file *f);
void logfile_append(struct logfile_set *s, struct logger_file *f,
	struct slice lines);
/* Everything that waits; false if something still does: see s->error. */
bool logfile_write(struct logfile_set *s);
bool logfile_is_stuck(const struct logfile_set *s);
enum logfile_synced {
	LOGFILE_DURABLE,	/* every journal line is on disk */
	LOGFILE_WAITING,	/* some could not be written yet */
	LOGFILE_LOST,		/* a sync failed: what was written since the
				 * last one is in doubt */
};
enum logfile_synced logfile_sync(struct logfile_set *s);
/* Opens all by their names; one that cannot be opened goes on as it is. */
int logfile_reopen(struct logfile_set *s, struct error *err_out);
/* Adds all journal files as they are now. */
int logfile_describe(const struct logfile_set *s, struct sidecar *out,
	struct error *err_out);

#endif
