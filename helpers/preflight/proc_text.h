/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proc_text: what the kernel writes into files of /proc, read without trust:
 * any user who may mount or swap chooses parts of it.
 *
 * Pure.  proc_lines cuts a stream, given in any split, into lines; the other
 * functions read one complete line (without its line feed).  A path there is
 * written with \ooo for blanks and backslashes; proc_unescape() undoes that.
 *
 *	proc_lines_init(&l);
 *	while ((s = proc_lines_next(&l, in, &used, &line)) != PROC_LINES_MORE) {
 *		in = slice_skip(in, used);
 *		...
 *	}
 */
#ifndef EC_PREFLIGHT_PROC_TEXT_H
#define EC_PREFLIGHT_PROC_TEXT_H

#include "common/base/base.h"
#include "common/base/slice.h"

#define PROC_LINE_MAX 16384u	/* two escaped paths and a page of options */

enum proc_lines_status {
	PROC_LINES_MORE,	/* all of the input is used; no line is there */
	PROC_LINES_LINE,	/* line_out, until the next call */
	PROC_LINES_LONG,	/* a line over PROC_LINE_MAX was thrown away */
};

struct proc_lines {
	size_t len;
	bool given;	/* the line in buffer was handed out */
	bool overlong;	/* throwing away until the next line feed */
	char buffer[PROC_LINE_MAX];
};

void proc_lines_init(struct proc_lines *l);
enum proc_lines_status proc_lines_next(struct proc_lines *l, struct slice in,
	size_t *used_out, struct slice *line_out);
/* At the end of the stream: a last line without a line feed. */
enum proc_lines_status proc_lines_end(struct proc_lines *l,
	struct slice *line_out);

enum proc_result {
	PROC_OK,
	PROC_BAD_FIELDS,	/* some are missing */
	PROC_BAD_NUMBER,	/* a number is none, or too large */
	PROC_BAD_SEPARATOR,	/* no " - " behind the optional fields */
	PROC_BAD_ESCAPE,	/* a backslash without three octal digits */
	PROC_BAD_PATH,		/* not absolute, too long, or with a NUL */
};

const char *proc_result_text(enum proc_result r);

/* Undoes \ooo into dst, with a NUL.  PROC_BAD_ESCAPE or PROC_BAD_PATH. */
enum proc_result proc_unescape(struct slice s, char *dst, size_t size);

/* A line of /proc/swaps; its head line gives PROC_BAD_PATH. */
struct swap_entry {
	char path[4096];
	bool is_file;
	int priority;
};
enum proc_result swap_parse(struct slice line, struct swap_entry *out);

/* Does this text (a line of /etc/ld.so.preload or /proc/self/maps, or a string
 * of the environment) name a library that makes syncs do nothing?  The name is
 * put into name_out then. */
bool names_sync_eater(struct slice text, struct slice *name_out);

/* Is word one of the comma-separated options?  "noatime", "barrier=0". */
bool options_have(struct slice options, const char *word);

#endif
