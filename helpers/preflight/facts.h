/* SPDX-License-Identifier: Apache-2.0 */
/*
 * facts: what is known of the place a spool is to lie on.  Gathered by
 * facts_gather() (the only file that looks at the system, but for the measured
 * syncs) and judged by judge_facts() (pure).  No pointers: a test writes one
 * down as it is.
 *
 * Everything is read below a root: "/" or a recorded tree, whose symbolic
 * links must be relative.
 */
#ifndef EC_PREFLIGHT_FACTS_H
#define EC_PREFLIGHT_FACTS_H

#include "common/base/base.h"
#include "common/base/error.h"

#define FACTS_PATH 4096u
#define FACTS_NAME 64u
#define FACTS_OPTIONS 1024u
#define FACTS_DEVICES 64u	/* below one mount */
#define FACTS_OTHERS 16u	/* log directories, swap areas */

enum device_kind {
	DEVICE_DISK, DEVICE_PARTITION, DEVICE_MD, DEVICE_DM, DEVICE_LOOP,
	DEVICE_RAM,
};

enum device_cache {
	CACHE_UNKNOWN,
	CACHE_BACK,	/* volatile: the kernel sends flushes */
	CACHE_THROUGH,	/* none, or one that survives: it sends none */
};

struct facts_device {
	char name[FACTS_NAME];		/* the kernel's: sda1, md0, dm-3 */
	enum device_kind kind;
	enum device_cache cache;
	int above;			/* index of what stands on it, or -1 */
	uint32_t degraded;		/* md: members missing */
	char level[FACTS_NAME];		/* md: raid10 */
	char dm_name[FACTS_NAME], dm_uuid[FACTS_NAME];
};

/* All devices below one mount; above < own index. */
struct facts_stack {
	unsigned count;
	bool is_cut;		/* more than FACTS_DEVICES */
	struct facts_device devices[FACTS_DEVICES];
};

struct facts_mount {
	bool known;
	uint32_t major, minor;
	char type[FACTS_NAME];
	char point[FACTS_PATH], source[FACTS_PATH];
	char options[FACTS_OPTIONS], super_options[FACTS_OPTIONS];
};

/* A log directory or a swap area. */
struct facts_other {
	char path[FACTS_PATH];
	bool same_mount;		/* as the spool */
	char shared[FACTS_NAME];	/* a disk that both stand on, or "" */
};

enum ext_journal {
	EXT_JOURNAL_UNKNOWN, EXT_JOURNAL_PRESENT, EXT_JOURNAL_NONE,
};

struct facts_space {
	bool known;
	uint64_t block_size, bytes_free, inodes, inodes_free;
};

struct facts_syncs {
	bool measured;
	uint64_t count, median_ns, worst_ns;
	char why_not[256];	/* it should have been measured */
};

struct facts {
	char spool[FACTS_PATH];		/* as asked */
	char place[FACTS_PATH];		/* of it, what exists, without links */
	bool exists;
	struct facts_mount mount;
	struct facts_stack stack;
	enum ext_journal ext_journal;
	struct facts_space space;
	struct facts_syncs syncs;
	uint64_t journal_wanted, journal_there;	/* bytes */
	uint64_t queue;			/* messages planned for */
	unsigned n_logs, n_swaps;
	struct facts_other logs[FACTS_OTHERS], swaps[FACTS_OTHERS];
	char preload[256];		/* the library, or "" */
	char preload_from[64];		/* where it is named */
	bool allow_xfs, allow_no_barrier, allow_no_sync;
};

struct facts_request {
	const char *root;		/* "/" */
	const char *spool;		/* absolute */
	const char *logs[FACTS_OTHERS];	/* directories, absolute */
	unsigned n_logs;
	uint64_t journal_wanted, queue;
	bool allow_xfs, allow_no_barrier, allow_no_sync;
};

/* -1 only if the list of mounts cannot be read: then nothing can be said. */
int facts_gather(const struct facts_request *r, struct facts *out,
	struct error *err_out);
/* Writes and syncs in the spool for so long (measure.c). */
void facts_measure(struct facts *f, const char *root, uint64_t window_us);

#endif
