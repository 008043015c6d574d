/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkpoint_file: the bytes of a checkpoint, pure.  doc/SPOOL.md has the
 * tables.
 *
 * A file is a head, blocks and a last block that says how much there was; one
 * without a sound last block counts for nothing.  A base names every settled
 * message, a delta those that changed since the file before it.  Items of a
 * block are read in order: a queue is defined before the first message in it,
 * and stays defined to the end of the file.
 *
 *	struct checkpoint_block b;
 *	checkpoint_block_init(&b, CHECKPOINT_BLOCK, generation);
 *	checkpoint_put(&b, &entry); ... bytes = checkpoint_block_seal(&b);
 */
#ifndef EC_CHECKPOINT_FILE_H
#define EC_CHECKPOINT_FILE_H

#include "common/base/buf.h"
#include "common/base/slice.h"
#include "common/base/wire.h"
#include "common/mail/msgid.h"

#define CHECKPOINT_MAGIC "ECCKPT1\n"
#define CHECKPOINT_BLOCK_MAGIC 0x4b424345u	/* "ECBK" */
#define CHECKPOINT_BLOCK (256u << 10)	/* bytes of a block, at most */
/* An item never needs more. */
#define CHECKPOINT_ITEM_MAX 1100u
#define CHECKPOINT_PUT_BYTES 28u
#define CHECKPOINT_QUEUE_BYTES 11u	/* and its three strings */

enum checkpoint_kind { CHECKPOINT_BASE = 1, CHECKPOINT_DELTA };

struct checkpoint_head {
	char magic[8];
	uint32_t version;
	uint32_t kind;
	uint32_t generation;	/* grows with every file */
	uint32_t base;		/* the generation of its base; a base: its own */
	uint32_t prev;		/* the file that this one follows; a base: 0 */
	uint32_t zero;
	uint64_t lsn;		/* journal records above this one come on top */
	uint64_t created_us;
	uint64_t count;		/* messages there were, about: to make room */
	uint32_t zero2;
	uint32_t crc;		/* of all before */
};
_Static_assert(sizeof(struct checkpoint_head) == 64, "on-disk format");

struct checkpoint_block_head {
	uint32_t magic;
	uint32_t generation;
	uint32_t length;	/* of what follows this head */
	uint32_t crc;		/* of the three words before, and what follows */
};

void checkpoint_head_seal(struct checkpoint_head *h);
bool checkpoint_head_valid(const struct checkpoint_head *h);

struct checkpoint_block {
	struct buf bytes;
	uint32_t generation;
};

enum checkpoint_op {
	CHECKPOINT_QUEUE = 1,
	CHECKPOINT_PUT,		/* is settled, with this state */
	CHECKPOINT_GONE,	/* is in the spool no more */
	CHECKPOINT_END,		/* nothing follows */
};

struct checkpoint_item {
	enum checkpoint_op op;
	uint32_t queue;		/* QUEUE, PUT: number within this file */
	struct slice group, binding, domain;	/* QUEUE */
	msgid id;		/* PUT, GONE */
	uint64_t next_us;	/* PUT: wall */
	uint32_t received_s;
	uint16_t attempts;
	bool doubt;
	uint8_t deaths;		/* of deliverers in a row, with it in flight */
	uint64_t puts, gones;	/* END */
};

void checkpoint_block_init(struct checkpoint_block *b, uint32_t generation);
void checkpoint_block_fini(struct checkpoint_block *b);
/* Room for two items more? */
bool checkpoint_block_has_room(const struct checkpoint_block *b);
void checkpoint_put(struct checkpoint_block *b, const struct checkpoint_item *i);
/* An item by itself: the journal's SETTLED records are made of them, too. */
void checkpoint_item_encode(const struct checkpoint_item *i, struct buf *b);
bool checkpoint_block_is_empty(const struct checkpoint_block *b);
/* The bytes to write; then the block is started anew by reset. */
struct slice checkpoint_block_seal(struct checkpoint_block *b);
void checkpoint_block_reset(struct checkpoint_block *b);

/* How many bytes follow a block's head; -1 when it is not one. */
ssize_t checkpoint_block_length(const struct checkpoint_block_head *h,
	uint32_t generation);
/* Head and what follows are sound? */
bool checkpoint_block_valid(const struct checkpoint_block_head *h,
	const char *payload);
/* The next item of a sound block; false at its end, or (r->bad) when what
 * stands there is none. */
bool checkpoint_next(struct wire_r *r, struct checkpoint_item *out);

/* "0000000A.base", "0000000B.delta" and back. */
#define CHECKPOINT_NAME 24u
void checkpoint_name(uint32_t generation, enum checkpoint_kind kind,
	char out[CHECKPOINT_NAME]);
bool checkpoint_name_parse(const char *name, uint32_t *generation_out,
	enum checkpoint_kind *kind_out);

#endif
