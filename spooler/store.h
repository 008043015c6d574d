/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store: the hashed directory store.  SpoolBase has 256 directories 00..FF
 * (its own level holds no file), each with pairs
 *
 *	CC/CC-PPPPP-SSSSSSSS		data: the message as on the wire, CRLF
 *	CC/CC-PPPPP-SSSSSSSS.meta	text (meta.h)
 *
 * and beside the 256: journal, quarantine, checkpoint, pickup, large, each a
 * directory.  large/ has bodies that are in no record of the journal, by their
 * batch id: what is settled is a link of them.  Order of writing: data, links, meta, then store_sync(); only then
 * may the journal forget (SETTLED).  Removing: meta, data, store_sync().
 *
 * store_sync() is one sync of the whole file system for hundreds of files; each
 * by itself costs a sync of the disk's own.  Where the kernel would not tell of
 * a failure (before Linux 5.8) each file and directory is synced.
 *
 * Functions here block; they run in helper threads, and touch nothing but
 * their arguments.
 */
#ifndef EC_STORE_H
#define EC_STORE_H

#include "common/base/error.h"
#include "common/spool/meta.h"
#include "spooler/fs.h"

struct store {
	const struct fs *fs;
	int base;		/* SpoolBase */
	int dirs[256];
	int large;
	mode_t mode;		/* Spool_Mode */
	bool at_once;		/* store_sync() syncs the file system */
};

/* What was written and is not synced. */
struct store_dirty {
	bool dirs[256];
};

/* Makes what is missing, opens the directories. */
int store_open(struct store *s, const struct fs *fs, const char *path,
	mode_t mode, struct error *err_out);
void store_close(struct store *s);

/* "B4-02001-C6DD1CA4": the name within its directory. */
#define STORE_NAME 24u
void store_name(msgid id, char out[STORE_NAME]);

/* Writes a data file. */
int store_write_data(struct store *s, msgid id, const struct slice *parts,
	unsigned n, struct store_dirty *d, struct error *err_out);
/* The same body under another id: a hard link, or past the limit of links a
 * copy by the caller (errno EMLINK). */
int store_link_data(struct store *s, msgid from, msgid to,
	struct store_dirty *d);
int store_write_meta(struct store *s, const struct meta *m,
	struct store_dirty *d, struct error *err_out);
/* The same of a body in large/; its bytes are synced. */
int store_link_large(struct store *s, msgid batch, msgid to,
	struct store_dirty *d);
/* All of it is durable, or -1: then write it anew, never sync it again. */
int store_sync(struct store *s, const struct store_dirty *d,
	struct error *err_out);
/* Both files; missing ones are fine.  How many there were, -1 on error. */
int store_remove(struct store *s, msgid id, struct store_dirty *d,
	struct error *err_out);
/* The same after the directory's sync failed: what was removed before may still
 * stand on the disk, and no later sync of the same removal would tell it. So
 * the names are made anew, and go again. */
int store_remove_again(struct store *s, msgid id, struct store_dirty *d,
	struct error *err_out);
/* Appends the text of a .meta file; -1 with errno in err. */
int store_read_meta(struct store *s, msgid id, struct buf *out,
	struct error *err_out);
int store_open_data(struct store *s, msgid id);
/* "F9-4B-02001-C6DD1CA4": the name of a body in large/, and back. */
void store_large_name(msgid batch, char out[STORE_NAME]);
bool store_large_parse(const char *name, msgid *batch_out);
/* To read, or made anew (it must not be there). */
int store_open_large(struct store *s, msgid batch, bool make);
int store_remove_large(struct store *s, msgid batch);
/* Moves a file of directory dir to quarantine, with the reason beside it. */
int store_quarantine(struct store *s, unsigned dir, const char *name,
	const char *why);
/* The same of a body in large/. */
int store_quarantine_large(struct store *s, msgid batch, const char *why);
/* A whole message: body (its bytes, or a file below SpoolBase that has them),
 * .meta and the reason, durable. */
int store_quarantine_copy(struct store *s, msgid id, const struct slice *body,
	unsigned n, const char *file, struct slice meta, const char *why,
	struct error *err_out);

#endif
