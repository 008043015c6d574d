/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sink_data: what follows a 354, up to the line that is a single dot.  Pure;
 * takes any split of the bytes.  It finds the end, undoes dot stuffing, counts
 * the bytes and notes the message's key: the value of X-Load-Id, without one
 * that of Message-ID.  Only CR LF ends a line.
 */
#ifndef EC_BENCH_SINK_DATA_H
#define EC_BENCH_SINK_DATA_H

#include "common/base/base.h"
#include "common/base/buf.h"

#define SINK_LINE_MAX 1000u
#define SINK_KEY_MAX 256u

enum sink_data_at {
	SINK_DATA_LINE_START,
	SINK_DATA_DOT,		/* a dot stood at the start of the line */
	SINK_DATA_DOT_CR,
	SINK_DATA_MID,
	SINK_DATA_END,		/* the dot line was seen */
};

enum sink_data_cont {		/* whose value a folded line continues */
	SINK_CONT_NONE,
	SINK_CONT_LOAD_ID,
	SINK_CONT_MESSAGE_ID,
};

struct sink_data {
	enum sink_data_at at;
	enum sink_data_cont cont;
	bool cr;		/* the last byte of content was a CR */
	bool in_header;
	uint64_t bytes;		/* of content, without stuffed dots */
	size_t line_len;	/* of the header line so far, cut at the cap */
	char line[SINK_LINE_MAX];
	char load_id[SINK_KEY_MAX];
	char message_id[SINK_KEY_MAX];
	struct buf *copy;	/* the content goes here too, if not NULL */
};

void sink_data_init(struct sink_data *d, struct buf *copy);
/* Bytes taken; fewer than in.len only at the end (d->at says so). */
size_t sink_data_feed(struct sink_data *d, struct slice in);
struct slice sink_data_key(const struct sink_data *d);

#endif
