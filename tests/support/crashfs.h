/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crashfs: spooler/fs.h over a disk that loses power.  What programs see is a
 * real tree of files (in memory, /dev/shm), so that descriptors, dup, readdir
 * and mmap work as ever; what the disk holds is kept beside it: bytes of a file
 * become durable by sync_data of it, names (create, rename, link, unlink,
 * mkdir) by sync_dir of the directory, a rename when either directory is
 * synced.  After a failed sync of a file what had not been synced is never
 * made durable by a later one, as on Linux; it may still reach the disk.
 *
 *	c = crashfs_create(seed);
 *	crashfs_crash_at_sync(c, n, CRASHFS_TORN_512);
 *	dir = crashfs_dir(c, "journal");
 *	... run on crashfs_fs until crashfs_has_crashed(c): from the crash on
 *	every call fails with EIO, as for a process that is no more ...
 *	crashfs_reboot(c);		the tree is what the disk held
 *	... open crashfs_dir(c, ...) again: old descriptors are stale ...
 *	crashfs_destroy(&c);
 *
 * crashfs_restart() instead of crashfs_reboot(): only the process died, the
 * kernel lives and has all that was written.
 *
 * One instance at a time: struct fs has no context.  Calls may come from any
 * thread.  Trees are made in $CRASHFS_HOME, or else /dev/shm.
 */
#ifndef EC_CRASHFS_H
#define EC_CRASHFS_H

#include "spooler/fs.h"

struct crashfs;

/* What becomes of everything not synced. */
enum crashfs_loss {
	CRASHFS_KEEP,		/* all of it reached the disk */
	CRASHFS_DROP,		/* nothing */
	CRASHFS_TORN_512,	/* in order up to somewhere; the last write is */
	CRASHFS_TORN_4096,	/* cut at a multiple of this many bytes */
	CRASHFS_MIXED_512,	/* any blocks of this size, any names: the disk */
	CRASHFS_MIXED_4096,	/* wrote in an order of its own */
	CRASHFS_ONE_KEPT,	/* of all that was not synced, one change */
	CRASHFS_ONE_LOST,	/* or all but one */
	CRASHFS_LOSSES
};

enum crashfs_call {
	CRASHFS_OPEN, CRASHFS_WRITE, CRASHFS_READ, CRASHFS_SYNC,
	CRASHFS_SYNC_DIR, CRASHFS_SYNC_FS, CRASHFS_RENAME, CRASHFS_LINK,
	CRASHFS_UNLINK,
	CRASHFS_MKDIR, CRASHFS_TRUNCATE, CRASHFS_STAT, CRASHFS_CALLS
};
#define CRASHFS_BIT(call) (1u << (call))
#define CRASHFS_SYNCS (CRASHFS_BIT(CRASHFS_SYNC) | \
	CRASHFS_BIT(CRASHFS_SYNC_DIR) | CRASHFS_BIT(CRASHFS_SYNC_FS))
#define CRASHFS_ANY (CRASHFS_BIT(CRASHFS_CALLS) - 1u)
#define CRASHFS_CHANGES (CRASHFS_ANY & ~(CRASHFS_BIT(CRASHFS_READ) | \
	CRASHFS_BIT(CRASHFS_STAT)))

extern const struct fs crashfs_fs;

/* The seed decides what torn and mixed states keep. */
struct crashfs *crashfs_create(uint64_t seed);
void crashfs_destroy(struct crashfs **c);

/* Of the root, until the next reboot. */
const char *crashfs_path(const struct crashfs *c);
/* A descriptor of a directory, "." for the root; made, and durable, if it is
 * not there.  The caller closes it. */
int crashfs_dir(struct crashfs *c, const char *path);

/* The power goes just before the n-th sync from now (of file or directory) or
 * the n-th call of these kinds takes effect; 0: not at all. */
void crashfs_crash_at_sync(struct crashfs *c, uint64_t n,
	enum crashfs_loss loss);
void crashfs_crash_at_call(struct crashfs *c, unsigned calls, uint64_t n,
	enum crashfs_loss loss);
void crashfs_crash_now(struct crashfs *c, enum crashfs_loss loss);
bool crashfs_has_crashed(const struct crashfs *c);
void crashfs_reboot(struct crashfs *c);
void crashfs_restart(struct crashfs *c);

/* The n-th call of these kinds from now fails with error; for_good: and each
 * after it.  n 0: none does.  With CRASHFS_SHORT a write takes only half of its
 * bytes, and all others go well. */
#define CRASHFS_SHORT (-1)
void crashfs_fail(struct crashfs *c, unsigned calls, uint64_t n, int error,
	bool for_good);

/* A bad sector: reading any of these bytes of the file fails with EIO, until
 * the next reboot or restart; what is before them can be read. */
void crashfs_bad_bytes(struct crashfs *c, const char *path, uint64_t at,
	uint64_t bytes);

/*
 * All that the disk may hold if the power went now, without its going: what
 * was not synced is lost in one way for bytes and another for names, as the
 * seed has it.  An image borrows from the disk, and is good until that changes.
 * Equal hashes: equal trees.
 *
 * crashfs_boot() makes a disk with that tree, to be destroyed as ever.  There
 * is one disk at a time: a process forked from one that has a disk says
 * crashfs_leave() first, which forgets that disk and leaves its tree alone.
 */
struct crashfs_image;

struct crashfs_image *crashfs_image_make(struct crashfs *c,
	enum crashfs_loss bytes, enum crashfs_loss names, uint64_t seed);
uint64_t crashfs_image_hash(struct crashfs_image *m);
/* Names in the directory of the root; "??": in all with a name so long. */
unsigned crashfs_image_files(const struct crashfs_image *m, const char *dir);
void crashfs_image_free(struct crashfs_image **m);
struct crashfs *crashfs_boot(const struct crashfs_image *m, uint64_t seed);
void crashfs_leave(struct crashfs **c);
/* fn is called before each call that may change something takes effect (not
 * after a crash); it may make images, and fork. */
void crashfs_on_change(struct crashfs *c,
	void (*fn)(void *arg, enum crashfs_call call), void *arg);
/* Grows with each change and sync. */
uint64_t crashfs_version(const struct crashfs *c);

/* Calls of these kinds so far; crashfs_syncs: of files and directories. */
uint64_t crashfs_count(const struct crashfs *c, unsigned calls);
uint64_t crashfs_syncs(const struct crashfs *c);

#endif
