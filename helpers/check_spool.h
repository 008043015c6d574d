/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_spool: the parts of ec_spool_check.  check_report counts and prints
 * what is found and moves files to quarantine; check_journal and check_store
 * look.  Nothing is ever deleted, and nothing is written but with repair.
 *
 * A finding has one of the kinds below: its name in --json, what is said of it,
 * and whether a repair moves the files away.
 */
#ifndef EC_CHECK_SPOOL_H
#define EC_CHECK_SPOOL_H

#include "helpers/line_out.h"
#include "helpers/spool_journal.h"

/* id, name, group of the totals, moved by -x */
#define CHECK_KINDS(X) \
	X(META_DAMAGED, "meta-damaged", META, true) \
	X(META_UNREADABLE, "meta-unreadable", META, false) \
	X(BODY_MISSING, "body-missing", BODY, true) \
	X(BODY_SIZE, "body-size", BODY, true) \
	X(BODY_UNREADABLE, "body-unreadable", BODY, false) \
	X(ORPHAN_BODY, "orphan-body", ORPHAN, true) \
	X(LOST, "lost", BODY, false) \
	X(LINKS, "links", FOREIGN, false) \
	X(FOREIGN, "foreign", FOREIGN, false) \
	X(DIRECTORY, "directory", FOREIGN, false) \
	X(SEGMENT_HEAD, "segment-head", JOURNAL, false) \
	X(SEGMENT_MISSING, "segment-missing", JOURNAL, false) \
	X(SEGMENT_UNREADABLE, "segment-unreadable", JOURNAL, false) \
	X(JOURNAL_DAMAGED, "journal-damaged", JOURNAL, false) \
	X(RECORD, "record", JOURNAL, false) \
	X(LEASE, "lease", JOURNAL, false) \
	X(CHECKPOINT, "checkpoint", JOURNAL, false)

enum check_kind {
#define X(id, name, group, moved) CHECK_##id,
	CHECK_KINDS(X)
#undef X
	CHECK_KIND_COUNT
};

enum check_group { GROUP_META, GROUP_BODY, GROUP_ORPHAN, GROUP_FOREIGN,
	GROUP_JOURNAL, GROUP_COUNT };

struct check {
	struct spool_dir dir;
	struct spool_journal journal;
	bool live;		/* a spooler works in it meanwhile */
	bool repair, quiet, json;
	struct scratch mem;
	struct line_out out;
	/* What was found. */
	uint64_t found[CHECK_KIND_COUNT];
	uint64_t scanned, ok, moved, move_failed, in_quarantine;
	uint64_t in_journal, leftovers, in_pickup;
	/* Of a live spool: to be judged again at the end. */
	msgid *suspects;
	size_t n_suspects, cap_suspects;
	struct id_map inodes;	/* shared bodies: to struct check_inode */
	struct id_map kept;	/* ids that have files in quarantine */
	uint64_t told_us;	/* of the progress */
	bool progress;
};

struct check_inode {
	uint64_t expected, seen;
	msgid first;
};

/* report */
/* One finding: file is below SpoolBase, or "".  With repair, files of a kind
 * that is moved go to quarantine: the one named, and also (may be NULL). */
void check_found(struct check *c, enum check_kind kind, const char *file,
	const char *also, const char *why);
uint64_t check_findings(const struct check *c);
void check_totals(struct check *c);
void check_progress(struct check *c, unsigned done, unsigned of);

/* The journal's files, batches and records; fills c->journal. */
int check_journal(struct check *c, struct error *err_out);
/* The checkpoint's files, and whether the journal can rely on them.  After
 * check_journal(). */
void check_checkpoint(struct check *c);
/* The 256 directories, links, quarantine.  After check_journal(). */
int check_store(struct check *c, struct error *err_out);
/* Names that are none of ours at the top and in journal/. */
void check_names(struct check *c);

#endif
