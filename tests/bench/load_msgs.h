/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load_msgs: what ec_load sends.  Either generated messages of a given size
 * (lines of 72 characters, one shared body) or messages from files, cycled
 * through.  Each one sent gets an X-Load-Id in front.
 *
 * A message leaves as two pieces: the head, composed for each, and the rest,
 * borrowed from here: already with CR LF, dots stuffed, ending in CR LF.  The
 * final ".\r\n" is the caller's.
 */
#ifndef EC_BENCH_LOAD_MSGS_H
#define EC_BENCH_LOAD_MSGS_H

#include "common/base/base.h"
#include "common/base/buf.h"
#include "common/base/error.h"

struct load_piece {
	size_t at, len;		/* in wire */
};

struct load_msgs {
	size_t size;		/* of generated ones */
	struct buf wire;	/* generated: the longest body; else all messages */
	struct load_piece *pieces;
	size_t n, cap;		/* 0: generated */
	char date[40];
};

struct load_item {		/* one message to compose */
	uint64_t seq;
	struct slice run, from, first_rcpt;
};

void load_msgs_generate(struct load_msgs *m, size_t size_bytes);
void load_msgs_init_files(struct load_msgs *m);
void load_msgs_fini(struct load_msgs *m);
/* One message in any line ends. */
void load_msgs_add(struct load_msgs *m, struct slice raw);
/* All of an mbox ("From " lines; ">From " loses its '>'). */
void load_msgs_add_mbox(struct load_msgs *m, struct slice mbox);
/* Every plain file of a directory whose name does not start with a dot. */
int load_msgs_add_dir(struct load_msgs *m, const char *path,
	struct error *err_out);
/* Appends the head to *head_out; *rest_out is borrowed from m. */
void load_msgs_compose(const struct load_msgs *m, const struct load_item *it,
	struct buf *head_out, struct slice *rest_out);

#endif
