/* SPDX-License-Identifier: Apache-2.0 */
/*
 * meta: the text of a settled message's .meta file, pure.  "key: value" lines
 * in US-ASCII (values escaped by common/mail/esc), unknown keys are kept out of
 * the way, the last line is "crc: " and eight hex digits: CRC-32C of all bytes
 * before that line.  Under 512 bytes for ordinary envelopes.
 */
#ifndef EC_META_H
#define EC_META_H

#include "common/base/buf.h"
#include "common/base/scratch.h"
#include "common/mail/envelope.h"
#include "common/mail/esc.h"

/* Any envelope fits, also one of nothing but bytes that are escaped. */
#define META_MAX_BYTES (ESC_MAX_GROWTH * ENVELOPE_MAX_BYTES + 4096u)

struct meta {
	struct envelope env;	/* with exactly one recipient */
	struct recipient rcpt;
	uint64_t size;		/* of the data file */
	uint64_t next_us;	/* wall; 0: at once */
	uint16_t attempts;
	bool doubt;		/* may have been delivered once */
};

enum meta_result {
	META_OK,
	META_EMPTY,		/* a file without bytes */
	META_NO_MAGIC,		/* not one of ours */
	META_BAD_CRC,		/* torn or changed */
	META_BAD_FIELD,		/* a key we need is missing or malformed */
	META_RESULTS
};

bool meta_write(const struct meta *m, struct buf *out);
/* Strings of the result live in s. */
enum meta_result meta_read(struct slice text, struct scratch *s,
	struct meta *out);
const char *meta_result_text(enum meta_result r);

#endif
