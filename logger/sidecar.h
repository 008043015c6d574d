/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sidecar: the small file beside the logs that makes a restart exact.  It says
 * how far each spooler's journal is in the logs, and how long each log file
 * was then.  A log file that is longer has lines behind that position: they
 * are cut off, because the spooler sends everything behind it again.
 *
 *	ecelerity log position 1
 *	spooler 0 WHOLE LAST TAKEN
 *	file DEVICE INODE BORN SIZE TAIL PATH
 *	crc HHHHHHHH
 *
 * A file is the recorded one if its inode number, its time of birth (where
 * the file system has one) and the bytes before the recorded size (their
 * checksum, TAIL) are the same, also if rotation has renamed it; any other
 * file is never cut.
 *
 * Encoding, decoding and the decision are pure; load and save do the rest.
 */
#ifndef EC_LOGGER_SIDECAR_H
#define EC_LOGGER_SIDECAR_H

#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/ipc/scoreboard.h"
#include "logger/follow.h"

#define SIDECAR_NAME ".ecelerity.position"
#define SIDECAR_FILES_MAX 64u
#define SIDECAR_TAIL 256u	/* bytes before the size that are checked */
#define SIDECAR_MAX_BYTES (1u << 20)

struct sidecar_file {
	uint64_t device, inode;
	uint64_t born_ns;	/* 0: unknown */
	uint64_t size;
	uint32_t tail;		/* CRC-32C of the last SIDECAR_TAIL bytes */
	struct slice path;
};

struct sidecar {
	struct follow spooler[SCORE_PER_ROLE];	/* all zero: unknown */
	unsigned n_files;
	struct sidecar_file file[SIDECAR_FILES_MAX];
};

/* False if a file has no place in it. */
bool sidecar_add_file(struct sidecar *s, const struct sidecar_file *f);
const struct sidecar_file *sidecar_find(const struct sidecar *s,
	struct slice path);
void sidecar_encode(const struct sidecar *s, struct buf *b);
/* Borrows; false on any damage. */
bool sidecar_decode(struct slice text, struct sidecar *out);

enum sidecar_act {
	SIDECAR_UNKNOWN,	/* not recorded: as it stands */
	SIDECAR_OTHER,		/* another file than the recorded one */
	SIDECAR_SHORT,		/* shorter than recorded: somebody cut it */
	SIDECAR_SAME,		/* as recorded */
	SIDECAR_CUT,		/* longer: cut to the recorded size */
};

/* recorded may be NULL; now.tail is the checksum of the bytes before
 * recorded->size (not looked at when the file is shorter). */
enum sidecar_act sidecar_decide(const struct sidecar_file *recorded,
	const struct sidecar_file *now);

/* Fills device, inode and size from fd and the tail before `before`, or
 * before the end if that is UINT64_MAX. */
int sidecar_look(int fd, uint64_t before, struct sidecar_file *out,
	struct error *err_out);
/* 1 read, 0 there is none, -1 damaged or unreadable.  The slices of out
 * point into b. */
int sidecar_load(const char *dir, struct buf *b, struct sidecar *out,
	struct error *err_out);
/* Whole or not at all, and durable. */
int sidecar_save(const char *dir, const struct sidecar *s,
	struct error *err_out);

#endif
