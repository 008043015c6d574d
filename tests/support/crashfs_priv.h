/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of crashfs share:
 *
 *	crashfs.c	the calls of struct fs, and who lets them fail
 *	crashfs_names.c	what they do to paths
 *	crashfs_disk.c	what is durable, what is not yet
 *	crashfs_image.c	what the disk may hold after power loss
 *
 * inode	one file or directory: a descriptor of the real one (it also
 *		keeps the inode number from being used again), the bytes or
 *		names that are durable, and for a file the changes since
 * names	changes of directories, all in one list in order
 *
 * A change is PENDING until a sync makes it DONE (and it is folded into what
 * is durable as soon as nothing before it is open) or a failed sync LOST.
 */
#ifndef EC_CRASHFS_PRIV_H
#define EC_CRASHFS_PRIV_H

#include "tests/support/crashfs.h"

enum change_state { PENDING, DONE, LOST };

struct change {		/* of a file's bytes */
	struct change *next;
	enum change_state state;
	bool truncate;
	uint64_t at;	/* or the new size */
	size_t len;
	char bytes[];
};

struct inode;

struct name {
	char *text;
	struct inode *to;
};

struct inode {
	struct inode *next;
	dev_t dev;
	ino_t ino;
	mode_t mode;
	int fd;
	/* Durable: */
	char *bytes;
	uint64_t size;
	struct name *names;
	unsigned n_names;
	uint64_t hash;	/* of the durable bytes, if hashed */
	bool hashed;
	/* Since: */
	struct change *first, **last;
	unsigned in_image;	/* its number there, while one is made */
};

struct part {
	struct inode *dir;
	char *text;
	struct inode *to;	/* NULL: removed */
};

struct naming {
	struct naming *next;
	enum change_state state;
	bool marked;
	unsigned n;
	struct part part[2];
};

struct crashfs {
	char base[64];
	char path[96];
	unsigned generation;
	uint64_t version;	/* grows with each change and sync */
	uint64_t rng;
	struct inode *inodes, *root;
	struct naming *names, **last_name;
	uint64_t counts[CRASHFS_CALLS];
	uint64_t crash_in, fail_in;	/* calls until then, 0 not */
	unsigned crash_calls, fail_calls;
	enum crashfs_loss loss;
	int fail_error;
	bool fail_for_good, failing, crashed;
	bool shorten;		/* the call let in just now is to be short */
	struct bad {		/* sectors: until reboot or restart */
		const struct inode *of;
		uint64_t at, bytes;
	} bad[8];
	unsigned n_bad;
	void (*on_change)(void *arg, enum crashfs_call call);
	void *on_change_arg;
};

uint64_t disk_random(struct crashfs *c);
struct inode *disk_find(const struct crashfs *c, const struct stat *st);
struct inode *disk_of(const struct crashfs *c, int fd);
/* Keeps fd, or a duplicate of it. */
struct inode *disk_take_fd(struct crashfs *c, int fd);
struct inode *disk_new(struct crashfs *c, int fd);
void disk_inode_free(struct inode *i);
void disk_add_change(struct crashfs *c, struct inode *i, bool truncate,
	uint64_t at, const void *p, size_t n);
void disk_add_naming(struct crashfs *c, unsigned n, const struct part *parts);
/* Everything named so far is forgotten, undone or not. */
void disk_forget_namings(struct crashfs *c);
/* Of everything, as by syncfs. */
void disk_all_synced(struct crashfs *c, bool ok);
void disk_file_synced(struct crashfs *c, struct inode *i, bool ok);
void disk_dir_synced(struct crashfs *c, const struct inode *dir, bool ok);
/* The calls of these names, done and noted.  disk_parent: the directory a
 * path's last part stands in, as a real descriptor (to be closed) and one of
 * ours, and that last part. */
int disk_parent(struct crashfs *c, int dir, const char *path,
	struct inode **inode_out, const char **last_out);
int disk_open(struct crashfs *c, int dir, const char *path, int flags,
	mode_t mode);
int disk_rename(struct crashfs *c, int dir, const char *from, const char *to);
int disk_link(struct crashfs *c, int from_dir, const char *from, int to_dir,
	const char *to);
int disk_unlink(struct crashfs *c, int dir, const char *path);
int disk_mkdir(struct crashfs *c, int dir, const char *path, mode_t mode);
/* Makes the image's tree at c->path, which is not there yet, and takes it for
 * what is durable; all inodes before are freed. */
void disk_take(struct crashfs *c, const struct crashfs_image *m);
void disk_remove_tree(const char *path);
/* The tree at c->path and what is around it. */
void disk_remove(struct crashfs *c);

#endif
