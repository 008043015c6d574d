/* SPDX-License-Identifier: Apache-2.0 */
/*
 * judge: from facts to findings: one of each kind, in the order of the list.
 * Pure.  doc/PREPARING.md explains each kind to operators under its name.
 *
 *	struct findings f;
 *	judge_facts(&facts, &f);
 *	for (int i = 0; i < FINDING_COUNT; i++) { show(&f.of[i]); }
 */
#ifndef EC_PREFLIGHT_JUDGE_H
#define EC_PREFLIGHT_JUDGE_H

#include "helpers/preflight/facts.h"

#define FINDINGS(X) \
	X(FILESYSTEM, "filesystem") \
	X(FS_JOURNAL, "fs-journal") \
	X(BARRIER, "barrier") \
	X(PRELOAD, "preload") \
	X(SYNC_LATENCY, "sync-latency") \
	X(RAID, "raid") \
	X(WRITE_CACHE, "write-cache") \
	X(NOATIME, "noatime") \
	X(LOG_DEVICE, "log-device") \
	X(SWAP_DEVICE, "swap-device") \
	X(SPACE, "space") \
	X(INODES, "inodes") \
	X(BLOCK_SIZE, "block-size") \
	X(DIRECTORIES, "directories")

enum finding_id {
#define X(id, name) FINDING_##id,
	FINDINGS(X)
#undef X
	FINDING_COUNT
};

enum finding_level {
	LEVEL_OK,
	LEVEL_ADVICE,	/* could be better; said by hand only */
	LEVEL_WARN,	/* will hurt, or cannot be told; logged at each start */
	LEVEL_REFUSE,	/* breaks a promise; no start */
	LEVEL_COUNT
};

struct finding {
	enum finding_id id;
	enum finding_level level;
	char what[400];		/* what was found */
	char why[400];		/* why it matters; empty if level is OK */
	char mend[400];		/* the command that mends it; may be empty */
};

struct findings {
	struct finding of[FINDING_COUNT];
	unsigned counts[LEVEL_COUNT];
	enum finding_level worst;
};

void judge_facts(const struct facts *f, struct findings *out);
/* A file system whose syncs are another machine's promise: nfs, cifs... */
bool judge_is_network(const char *type);
const char *finding_name(enum finding_id id);
const char *finding_level_name(enum finding_level level);

#endif
